//! `schedule`: when a pipeline is due, what became of the times that were, and whether it runs at all.

use std::fmt::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{mode_of, wait_for_journal};
use super::output::Report;
use super::select::Select;
use super::start::PAUSES;
use super::start::outcome::{KIND, Outcome};
use super::table::{Table, about, to_second};
use super::work::Workplace;
use crate::domain::{Span, Time};
use crate::pipeline::schedule::{Schedule, Timing};
use crate::pipeline::wall_clock::{Misfire, is_steady};
use crate::runner::agenda::Pauses;
use crate::store::glance::Glance;
use crate::store::journal::{Entry, LogQuery};

/// Say when a pipeline is due, what became of times that were, and pause it.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Next(Next),
    Why(Why),
    Pause(Pause),
    Resume(Resume),
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

/// Say what became of the times at which a pipeline was due.
#[derive(Debug, Args)]
struct Why {
    #[command(flatten)]
    select: Select,
    /// How many, the newest.
    #[arg(short = 'n', long, default_value_t = 10, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
}

/// Pause a schedule: nothing of the pipeline is run. Positions and open orders are looked after as before.
#[derive(Debug, Args)]
struct Pause {
    #[command(flatten)]
    select: Select,
    /// For how long, like 30m or 2h [default: until `schedule resume`].
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
}

/// Let a paused schedule go on.
#[derive(Debug, Args)]
struct Resume {
    #[command(flatten)]
    select: Select,
}

/// # Errors
/// The documents are wrong, or the journal cannot be had.
pub fn run(args: &ScheduleArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Next(next) => upcoming(next, context),
        Verb::Why(why) => past(why, context),
        Verb::Pause(pause) => set(&pause.select, context, "schedule-pause", &pause.reason, |now| {
            Some(pause.span.map(|span| now.saturating_add(span)))
        }),
        Verb::Resume(resume) => set(&resume.select, context, "schedule-resume", "", |_| None),
    }
}

fn past(why: &Why, context: &Context) -> Result<Exit, Failure> {
    let (profile, plan, _) = why.select.load(context)?;
    let place = Workplace::new(context, profile, plan)?;
    let rows = match Glance::at(&place.runs)? {
        Some(glance) => {
            glance.log(&LogQuery { kind: Some(KIND.to_owned()), limit: u32::from(why.count), ..LogQuery::default() })?
        }
        None => Vec::new(),
    };
    let outcomes: Vec<Outcome> = rows.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect();
    let mut text = String::new();
    for outcome in &outcomes {
        let _ = writeln!(
            text,
            "{}  {}  was due at {}, began {} late",
            outcome.local,
            outcome.pipeline,
            to_second(outcome.slot),
            about(outcome.late_by())
        );
        let _ = write!(text, "  {}", outcome.line());
    }
    if outcomes.is_empty() {
        let name = place.profile.name();
        let _ = writeln!(text, "no slot has come: `tidegate start -p {name}` runs on a schedule, and `run` leaves no slots");
    }
    let report = Report {
        verb: "schedule-why",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(mode_of(&place.profile).to_owned()),
        data: json!({ "slots": outcomes }),
        text,
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

/// Changes whether a pipeline's schedule is paused; a program that runs learns it as it gets its account back.
fn set(
    select: &Select,
    context: &Context,
    kind: &'static str,
    reason: &str,
    until: impl FnOnce(Time) -> Option<Option<Time>>,
) -> Result<Exit, Failure> {
    let (profile, plan, _) = select.load(context)?;
    let place = Workplace::new(context, profile, plan)?;
    let (name, now) = (place.plan.name().to_owned(), context.clock.now());
    let mut journal = wait_for_journal(&place, kind)?;
    let mut pauses: Pauses = journal.kept(PAUSES)?.unwrap_or_default();
    let (text, is_changed) = match until(now) {
        Some(until) => {
            pauses.insert(name.clone(), until);
            let until = until.map_or_else(|| "until `tidegate schedule resume`".to_owned(), |until| format!("until {until}"));
            (format!("the schedule of {name} is paused {until}; open orders and positions are looked after as before\n"), true)
        }
        None if pauses.remove(&name).is_some() => (format!("the schedule of {name} goes on\n"), true),
        None => (format!("the schedule of {name} was not paused\n"), false),
    };
    if is_changed {
        journal.write(&[Entry::Note { kind, body: json!({ "pipeline": name, "reason": reason.trim() }) }], now)?;
        journal.keep(PAUSES, &pauses)?;
    }
    let report = Report {
        verb: kind,
        profile: Some(place.profile.name().to_owned()),
        mode: Some(mode_of(&place.profile).to_owned()),
        data: json!({ "pipeline": name, "pauses": pauses.iter().map(|(name, until)| json!({ "pipeline": name, "until": until.map(|t| t.to_string()) })).collect::<Vec<_>>() }),
        text,
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn upcoming(next: &Next, context: &Context) -> Result<Exit, Failure> {
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
