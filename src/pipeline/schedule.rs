//! When a pipeline runs: at the close of bars, or by the wall clock.

use jiff::tz::TimeZone;

use crate::domain::{Interval, Span, Time};
use crate::profile::KeyPath;
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::merge::Effective;
use crate::profile::zone;

use super::graph::{Joint, StageKind};
use super::keys::stage_table;
use super::wall_clock::{self, Fire, Fold, Gap, Misfire, Pattern, WallClock};

/// The `[schedule]` table, resolved.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub timing: Timing,
    /// A run later than this sends no orders.
    pub max_lateness: Span,
    /// A run begins up to this much later, drawn anew for each.
    pub jitter: Span,
    pub overlap: Overlap,
}

/// What runs are tied to.
#[derive(Debug, Clone)]
pub enum Timing {
    /// `every` is a whole number of bars; a run begins `settle` after a close, as venues publish the closed bar a little late.
    BarClose {
        every: Span,
        settle: Span,
    },
    WallClock(WallClock),
}

/// What a run does that finds the last one still going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    Skip,
}

impl Schedule {
    /// The next `count` runs after `after`.
    #[must_use]
    pub fn next(&self, after: Time, count: usize) -> Vec<Fire> {
        match &self.timing {
            Timing::WallClock(clock) => clock.next(after, count),
            Timing::BarClose { every, settle } => {
                let (step, settle) = (every.micros(), settle.micros());
                let first = (after.micros() - settle).div_euclid(step) + 1;
                let closes = (first..).take(count).map(|n| n * step);
                closes
                    .map(|close| Fire {
                        at: Time::from_micros(close + settle),
                        local: Time::from_micros(close).to_string(),
                        note: None,
                    })
                    .collect()
            }
        }
    }
}

fn key(name: &str) -> KeyPath {
    KeyPath::dotted("schedule").child(name)
}

/// Reads a checked schedule.
pub(super) fn build(effective: &Effective, interval: Interval) -> Schedule {
    let span = |name: &str| effective.span_at(&key(name)).expect("has a default");
    let timing = match wall_clock(effective) {
        Some(clock) => Timing::WallClock(clock),
        None => Timing::BarClose { every: effective.span_at(&key("every")).unwrap_or(interval.span()), settle: span("settle") },
    };
    Schedule { timing, max_lateness: span("max_lateness"), jitter: span("jitter"), overlap: Overlap::Skip }
}

/// The wall clock of a checked schedule. `None` when it goes by bars.
fn wall_clock(effective: &Effective) -> Option<WallClock> {
    let text = |name: &str| effective.text_at(&key(name));
    let pattern = match (text("cron"), text("at")) {
        (Some(pattern), _) => Pattern::Cron(Box::new(wall_clock::cron(pattern).ok()?)),
        (None, Some(at)) => {
            let (hour, minute) = wall_clock::time_of_day(at)?;
            let days = effective.texts_at(&key("days")).unwrap_or_default();
            Pattern::Daily { hour, minute, days: days.iter().filter_map(|day| wall_clock::weekday(day)).collect() }
        }
        (None, None) => return None,
    };
    Some(WallClock {
        pattern,
        zone: TimeZone::get(text("tz")?).ok()?,
        gap: if text("dst_gap") == Some("after") { Gap::After } else { Gap::Skip },
        fold: match text("dst_fold") {
            Some("second") => Fold::Second,
            Some("both") => Fold::Both,
            _ => Fold::First,
        },
        misfire: if text("misfire") == Some("run-once") { Misfire::RunOnce } else { Misfire::Skip },
    })
}

/// The rules of a schedule against itself and against the bars.
pub(super) fn check(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    one_timing(effective, found);
    keys_of_one_timing(effective, found);
    readable(effective, found);
    stated(effective, found);
    on_the_grid(effective, stages, found);
    shorter_than_a_period(effective, found);
}

const WALL_CLOCK: [&str; 6] = ["tz", "dst_gap", "dst_fold", "misfire", "jitter", "days"];
const BARS: [&str; 2] = ["align", "settle"];

fn one_timing(effective: &Effective, found: &mut Diagnostics) {
    let written: Vec<&str> = ["every", "cron", "at"].into_iter().filter(|name| effective.is_written(&key(name))).collect();
    let [first, second, ..] = written.as_slice() else { return };
    let error = Diagnostic::error("two-schedules", format!("schedule.{first} and schedule.{second} both say when it runs"))
        .at(effective.key_place(&key(second)))
        .label("the second one")
        .key(&key(second))
        .note_at(format!("schedule.{first}"), effective.key_place(&key(first)));
    found.push(error.hint("keep one of every, cron and at"));
}

/// Keys of bars mean nothing to a wall clock, and the other way round.
fn keys_of_one_timing(effective: &Effective, found: &mut Diagnostics) {
    let by_clock = ["cron", "at"].into_iter().find(|name| effective.is_written(&key(name)));
    let (foreign, why, fix): (Vec<&str>, String, &str) = match by_clock {
        Some(name) => (BARS.to_vec(), format!("while the schedule goes by {name}"), "it belongs to every, which goes by bars"),
        None => (WALL_CLOCK.to_vec(), "without cron or at".to_owned(), "it belongs to a wall-clock schedule"),
    };
    let days = (by_clock == Some("cron")).then_some("days");
    for name in foreign.into_iter().chain(days).filter(|name| says_something(effective, &key(name))) {
        let error =
            Diagnostic::error("misplaced-key", format!("{name} has no meaning {why}")).at(effective.key_place(&key(name)));
        let fix = if name == "days" { "the pattern's last field names the weekdays" } else { fix };
        found.push(error.label("not used").key(&key(name)).hint(format!("remove it; {fix}")));
    }
}

/// Is the key written, and not as what holds anyway? `config` writes down every default.
fn says_something(effective: &Effective, path: &KeyPath) -> bool {
    let value = effective.entry(path).and_then(|entry| entry.value.as_ref());
    let default = effective.schema().find(path).and_then(|row| row.key.kind.check_text(row.key.default).ok());
    effective.is_written(path) && value != default.as_ref()
}

fn readable(effective: &Effective, found: &mut Diagnostics) {
    let mut refuse = |name: &str, code: &'static str, message: String, hint: String| {
        let error = Diagnostic::error(code, message).at(effective.place(&key(name))).label("not understood").key(&key(name));
        found.push(error.hint(hint));
    };
    if let Some(text) = effective.text_at(&key("cron"))
        && let Err(why) = wall_clock::cron(text)
    {
        let hint = "write it like \"30 2 * * Mon-Fri\": half past two on working days".to_owned();
        refuse("cron", "bad-cron", format!("\"{text}\" is no cron pattern: {why}"), hint);
    }
    if let Some(text) = effective.text_at(&key("at")).filter(|text| wall_clock::time_of_day(text).is_none()) {
        refuse("at", "bad-time-of-day", format!("\"{text}\" is not a time of day"), "write it like \"02:30\"".to_owned());
    }
    zone::check(effective, &key("tz"), found);
}

/// A wall clock says what it does when nobody was there and when the clock jumps: both are surprises otherwise.
fn stated(effective: &Effective, found: &mut Diagnostics) {
    let Some(name) = ["cron", "at"].into_iter().find(|name| effective.is_written(&key(name))) else { return };
    let jumps =
        || effective.text_at(&key("tz")).and_then(|text| TimeZone::get(text).ok()).is_some_and(|z| !wall_clock::is_steady(&z));
    let mut needs = vec![
        ("tz", "a wall clock needs its time zone", "\"UTC\""),
        ("misfire", "what happens when nobody was there at the time", "\"skip\" or \"run-once\""),
    ];
    if jumps() {
        needs.push(("dst_gap", "what happens at a time that the clock jumps over", "\"skip\" or \"after\""));
        needs.push(("dst_fold", "what happens at a time that comes twice", "\"first\", \"second\" or \"both\""));
    }
    for (missing, what, words) in needs.into_iter().filter(|(missing, ..)| effective.entry(&key(missing)).is_none()) {
        let error =
            Diagnostic::error("missing-key", format!("schedule.{missing} is missing")).at(effective.key_place(&key(name)));
        let error = error.label(format!("needs {missing}")).key(&key(missing)).note(what);
        found.push(error.hint(format!("add {missing} = {words}")));
    }
}

fn on_the_grid(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    let Some(every) = effective.span_at(&key("every")) else { return };
    let Some(ingest) = stages.iter().find(|stage| stage.kind == StageKind::Ingest) else { return };
    let interval_key = stage_table(&ingest.name).child("interval");
    if let Some(interval) = effective.interval_at(&interval_key)
        && every.micros() % interval.span().micros() != 0
    {
        let error = Diagnostic::error("schedule-off-grid", "the schedule does not meet the bars' closes")
            .at(effective.place(&key("every")))
            .label(format!("not a whole number of {interval} bars"))
            .key(&key("every"))
            .note_at(format!("{interval_key} = \"{interval}\""), effective.place(&interval_key));
        found.push(error.hint(format!("write every = \"{interval}\", or a multiple of it")));
    }
}

fn shorter_than_a_period(effective: &Effective, found: &mut Diagnostics) {
    let Some(every) = effective.span_at(&key("every")) else { return };
    for name in ["settle", "max_lateness"] {
        let Some(span) = effective.span_at(&key(name)) else { continue };
        if span >= every && effective.is_written(&key(name)) {
            let error =
                Diagnostic::error("schedule-order", format!("schedule.{name} must be shorter than the time between runs"))
                    .at(effective.place(&key(name)))
                    .label(format!("{span} is not below {every}"))
                    .key(&key(name))
                    .note_at(format!("schedule.every = \"{every}\""), effective.place(&key("every")));
            found.push(error.hint(format!("write less than \"{every}\"")));
        }
    }
}
