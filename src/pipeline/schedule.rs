//! When a pipeline runs.

use crate::domain::{Interval, Span};
use crate::profile::KeyPath;
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::merge::Effective;

use super::graph::{Joint, StageKind};
use super::keys::stage_table;

/// The `[schedule]` table, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Time between two runs; a whole number of bars.
    pub every: Span,
    pub align: Align,
    /// How long after the close a run begins: venues publish the closed bar a little late.
    pub settle: Span,
    /// A run later than this sends no orders.
    pub max_lateness: Span,
    pub overlap: Overlap,
}

/// What runs are aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    BarClose,
}

/// What a run does that finds the last one still going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    Skip,
}

fn key(name: &str) -> KeyPath {
    KeyPath::dotted("schedule").child(name)
}

/// Reads a checked schedule.
pub(super) fn build(effective: &Effective, interval: Interval) -> Schedule {
    let span = |name: &str| effective.span_at(&key(name)).expect("has a default");
    Schedule {
        every: effective.span_at(&key("every")).unwrap_or(interval.span()),
        align: Align::BarClose,
        settle: span("settle"),
        max_lateness: span("max_lateness"),
        overlap: Overlap::Skip,
    }
}

/// The rules of a schedule against itself and against the bars.
pub(super) fn check(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    let Some(every) = effective.span_at(&key("every")) else { return };
    let place = effective.place(&key("every"));
    if let Some(ingest) = stages.iter().find(|stage| stage.kind == StageKind::Ingest) {
        let interval_key = stage_table(&ingest.name).child("interval");
        if let Some(interval) = effective.interval_at(&interval_key)
            && every.micros() % interval.span().micros() != 0
        {
            let error = Diagnostic::error("schedule-off-grid", "the schedule does not meet the bars' closes")
                .at(place.clone())
                .label(format!("not a whole number of {interval} bars"))
                .key(&key("every"))
                .note_at(format!("{interval_key} = \"{interval}\""), effective.place(&interval_key));
            found.push(error.hint(format!("write every = \"{interval}\", or a multiple of it")));
        }
    }
    for name in ["settle", "max_lateness"] {
        let Some(span) = effective.span_at(&key(name)) else { continue };
        if span >= every && effective.is_written(&key(name)) {
            let error =
                Diagnostic::error("schedule-order", format!("schedule.{name} must be shorter than the time between runs"))
                    .at(effective.place(&key(name)))
                    .label(format!("{span} is not below {every}"))
                    .key(&key(name))
                    .note_at(format!("schedule.every = \"{every}\""), place.clone());
            found.push(error.hint(format!("write less than \"{every}\"")));
        }
    }
}
