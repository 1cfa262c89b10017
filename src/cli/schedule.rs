//! `schedule next`: when a pipeline is due.

use std::fmt::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::output::Report;
use super::select::Select;
use super::table::Table;
use crate::pipeline::schedule::{Schedule, Timing};
use crate::pipeline::wall_clock::{Misfire, is_steady};

/// Say when a pipeline is due.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Next(Next),
}

/// List the next times at which a pipeline is due, jumps of the clock included.
#[derive(Debug, Args)]
struct Next {
    #[command(flatten)]
    select: Select,
    /// How many.
    #[arg(short = 'n', long, default_value_t = 5, value_name = "COUNT")]
    count: u16,
}

/// # Errors
/// The documents are wrong.
pub fn run(args: &ScheduleArgs, context: &Context) -> Result<Exit, Failure> {
    let Verb::Next(next) = &args.verb;
    let (profile, plan, _) = next.select.load(context)?;
    let schedule = plan.schedule();
    let fires = schedule.next(context.clock.now(), usize::from(next.count));
    let mut text = format!("{}: {}\n\n", plan.name(), in_words(schedule));
    let first = if matches!(schedule.timing, Timing::BarClose { .. }) { "bar close" } else { "local time" };
    let mut table = Table::new(&[first, "due (UTC)", "note"]);
    for fire in &fires {
        table.row([fire.local.clone(), fire.at.to_string(), fire.note.unwrap_or_default().to_owned()]);
    }
    text.push_str(&table.render());
    if usize::from(next.count) > fires.len() {
        let _ = writeln!(text, "There are no more.");
    }
    let one =
        |fire: &crate::pipeline::wall_clock::Fire| json!({ "at": fire.at.to_string(), "local": fire.local, "note": fire.note });
    let report = Report {
        verb: "schedule-next",
        profile: Some(profile.name().to_owned()),
        mode: Some(profile.mode().name().to_owned()),
        data: json!({ "pipeline": plan.name(), "rule": in_words(schedule), "due": fires.iter().map(one).collect::<Vec<_>>() }),
        text,
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

/// The rule as a sentence.
fn in_words(schedule: &Schedule) -> String {
    match &schedule.timing {
        Timing::BarClose { every, settle } => format!("every {every} at the close of bars, and {settle} to settle"),
        Timing::WallClock(clock) => {
            let zone = clock.zone.iana_name().unwrap_or("UTC");
            let jumps = if is_steady(&clock.zone) { ", a clock that never jumps" } else { "" };
            let missed = match clock.misfire {
                Misfire::Skip => "a missed time is skipped",
                Misfire::RunOnce => "missed times run once",
            };
            format!("by the clock of {zone}{jumps}; {missed}")
        }
    }
}
