//! `escalate simulate`: what the ladder would have done over a history.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::standing::Standing;
use super::super::table::Table;
use super::super::work::Workplace;
use super::{Of, words};
use crate::domain::Time;
use crate::escalation::{History, Kill, Schedule, Week, simulate};
use crate::perf::rolling::date;
use crate::runner::replay::replay;
use crate::store::disk::Disk;
use crate::telemetry::record::Notice;
use crate::web::staircase;

/// Rows of the chart in the terminal are steps; columns are weeks, so many at most.
const COLUMNS_MAX: usize = 66;

/// Walk the ladder over a history: which weeks it would have risen, which gate held it, and what a kill took back.
///
/// Over the recorded days of the account; with --replay over a replay of the pipeline's bars at the limits of step 0. Each step is
/// taken at its slot. Alerts are not recorded and count as none.
#[derive(Debug, Args)]
pub struct Simulate {
    #[command(flatten)]
    of: Of,
    /// Replay the bars of the lake instead of taking what was recorded.
    #[arg(long)]
    replay: bool,
    /// The first slot [default: the first day of the history].
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// The last one [default: the last day of the history].
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// Draw the staircase as SVG into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Simulate {
    /// # Errors
    /// When there is no ladder or no history, or a file cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let standing = Standing::of(context, &self.of.select())?;
        let schedule = standing.schedule()?.clone();
        let history = if self.replay { self.replayed(context)? } else { recorded(&standing, context.clock.now())? };
        let (Some(first), Some(last)) = (history.closes.first(), history.closes.last()) else {
            let error = anyhow!("there is no history of {} to walk over", standing.account);
            return Err(Failure::new(Exit::Failed, error).hint("run the pipeline, or add --replay for what the lake has"));
        };
        let from = self.from.unwrap_or_else(|| Time::start_of_day(first.day));
        let to = self.to.unwrap_or_else(|| Time::start_of_day(last.day + 1));
        let weeks = simulate(&schedule, &history, from, to);
        let mut report = words::report("escalate-simulate", &standing);
        report.text = text(&schedule, &weeks);
        report.data = json!({
            "source": if self.replay { "replay" } else { "recorded" },
            "weeks": weeks,
            "held": weeks.iter().filter(|week| is_held(week)).count(),
        });
        if let Some(path) = &self.svg {
            let chart = staircase::svg(standing.profile.name(), standing.profile.currency(), &schedule.ladder, &weeks);
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
            let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| anyhow!("{} is no file", path.display()))?;
            Disk::default().replace(folder, name, chart.as_bytes())?;
            let _ = writeln!(report.text, "drawn to {}", path.display());
        }
        Ok(report.print(context, Exit::Done))
    }

    /// The pipeline over the bars of the lake, by the documents alone.
    fn replayed(&self, context: &Context) -> Result<History, Failure> {
        let mut select = self.of.select();
        select.paper = true;
        let selected = select.resolve(context, select.pipeline.as_deref())?;
        let place = Workplace::at_start(context, selected.profile, selected.plan)?;
        let columns = place.read(None, None)?;
        let mut kills = Vec::new();
        let mut collect = |records: &mut crate::telemetry::record::Records| {
            kills.extend(records.notices.iter().filter_map(|notice| match notice {
                Notice::Killed { trip, .. } => Some(Kill { at: trip.at, cause: trip.cause.name().to_owned(), row: None }),
                _ => None,
            }));
            records.clear();
        };
        let mut outcome = replay(place.trader, &columns, None, &AtomicBool::new(false), |records, _| collect(records))?;
        collect(&mut outcome.records);
        Ok(History { closes: outcome.closes, kills, known_since: Some(Time::MIN) })
    }
}

fn recorded(standing: &Standing, now: Time) -> Result<History, Failure> {
    let evidence = standing.evidence(now)?;
    Ok(History { closes: evidence.closes, kills: evidence.kills, known_since: evidence.known_since })
}

fn is_held(week: &Week) -> bool {
    !week.held_by.is_empty()
}

fn text(schedule: &Schedule, weeks: &[Week]) -> String {
    let mut text = chart(schedule, weeks);
    let mut table = Table::new(&["slot", "step", "limit#", "what happened"]);
    for week in weeks {
        let step = if week.before == week.after { week.after.to_string() } else { format!("{} -> {}", week.before, week.after) };
        table.row([date(week.slot.utc_day()), step, week.limit.to_string(), happened(week)]);
    }
    let _ = write!(text, "\n{}", table.render());
    let held = weeks.iter().filter(|week| is_held(week)).count();
    let _ = writeln!(text, "\nheld {held} of {} slots{}", weeks.len(), reasons(weeks));
    text
}

fn happened(week: &Week) -> String {
    let back = week.restarted.map(|at| format!("killed {}, back to 0", date(at.utc_day())));
    let held = (!week.held_by.is_empty()).then(|| {
        let measured = |name: &String| {
            let reading = week.readings.iter().find(|reading| reading.gate == *name);
            reading.map_or_else(|| name.clone(), |reading| format!("{name}: {}", reading.measured))
        };
        format!("held by {}", week.held_by.first().map(measured).unwrap_or_default())
    });
    let parts: Vec<String> = back.into_iter().chain(held).collect();
    match (parts.is_empty(), week.after > week.before) {
        (true, true) => "up".to_owned(),
        (true, false) => "at the top".to_owned(),
        _ => parts.join("; "),
    }
}

/// Why it was held, the commonest gate first.
fn reasons(weeks: &[Week]) -> String {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    weeks.iter().flat_map(|week| &week.held_by).for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

/// The staircase in characters: a row a step, the top first; a column a slot, the newest when there are too many.
fn chart(schedule: &Schedule, weeks: &[Week]) -> String {
    let shown = &weeks[weeks.len().saturating_sub(COLUMNS_MAX)..];
    let rungs = schedule.ladder.rungs();
    let limit = |at: usize| schedule.ladder.raise().get(&rungs[at]).to_string();
    let wide = (0..rungs.len()).map(|at| limit(at).len()).max().unwrap_or(0);
    let mut text = String::new();
    for at in (0..rungs.len()).rev() {
        let cells: String = shown
            .iter()
            .map(|week| match (week.after as usize).cmp(&at) {
                std::cmp::Ordering::Equal if week.restarted.is_some() => 'x',
                std::cmp::Ordering::Equal if is_held(week) => '·',
                std::cmp::Ordering::Equal => '█',
                std::cmp::Ordering::Greater => '░',
                std::cmp::Ordering::Less => ' ',
            })
            .collect();
        let _ = writeln!(text, "{}", format!("{:>wide$} {cells}", limit(at)).trim_end());
    }
    let _ = writeln!(text, "{:>wide$} a slot a column: █ up or at the top, · held, x taken back by a kill", "");
    text
}
