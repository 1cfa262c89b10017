//! What the manifest of a series says beyond its bars, for `data check`.

use serde_json::{Value, json};

use super::failed;
use crate::cli::exit::Failure;
use crate::cli::table::{grouped, short_time};
use crate::domain::Series;
use crate::stage::ingest::task::Intake;
use crate::store::{Accepted, Disputed, Retired};

/// Disputes named one by one.
const NAMED_MAX: usize = 3;

/// The notes of one series.
#[derive(Debug, Default)]
pub(super) struct Notes {
    series: String,
    /// With the bars that came after all.
    accepted: Vec<(Accepted, u64)>,
    retired: Vec<Retired>,
    disputed: Vec<Disputed>,
}

pub(super) fn of(intake: &Intake<'_>, series: &Series) -> Result<Notes, Failure> {
    let manifest = intake.lake.manifest(series).map_err(|error| failed(error.into()))?.unwrap_or_default();
    let accepted = intake.accepted(series).map_err(failed)?;
    Ok(Notes { series: series.to_string(), accepted, retired: manifest.retired, disputed: manifest.disputed })
}

impl Notes {
    /// In words, a sentence each.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.accepted.iter().map(|(accepted, came)| self.accepted_line(accepted, *came)).collect();
        if let (Some(first), Some(last)) = (self.retired.first(), self.retired.last()) {
            let rows: u64 = self.retired.iter().map(|retired| retired.rows).sum();
            let (from, to) = (short_time(first.from), short_time(last.to));
            lines.push(format!("retired: {} bars from {from} to {to} were taken away", grouped(rows)));
        }
        for disputed in self.disputed.iter().take(NAMED_MAX) {
            let (from, to, source) = (short_time(disputed.from), short_time(disputed.to), &disputed.source);
            lines.push(format!("disputed: {source} says otherwise about bars from {from} to {to}"));
        }
        if let Some(more) = self.disputed.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            lines.push(format!("disputed: {more} more ranges"));
        }
        if !self.disputed.is_empty() {
            lines.push(format!("tidegate data repair {} asks who is right", self.series));
        }
        lines
    }

    fn accepted_line(&self, accepted: &Accepted, came: u64) -> String {
        let (from, to) = (short_time(accepted.from), short_time(accepted.to));
        let Accepted { reason, by, .. } = accepted;
        let mut line = format!("accepted: no bars from {from} to {to}: {reason} ({by})");
        if came > 0 {
            let came = grouped(came);
            let (from, to, series) = (accepted.from, accepted.to, &self.series);
            line.push_str(&format!(
                "; obsolete, {came} bars came after all: tidegate data accept {series} --from {from} --to {to} --revoke"
            ));
        }
        line
    }

    pub(super) fn accepted(&self) -> Vec<Value> {
        self.accepted.iter().map(|(accepted, came)| json!({ "hole": accepted, "bars_that_came": came })).collect()
    }

    pub(super) fn retired(&self) -> Value {
        json!(self.retired)
    }

    pub(super) fn disputed(&self) -> Value {
        json!(self.disputed)
    }
}
