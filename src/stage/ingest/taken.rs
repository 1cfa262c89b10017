//! What came of one source: counted while its rows are moved, reported at the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use super::config::Contract;
use super::quality::Quality;
use super::reason::Reason;
use super::settle::{Settler, refuse_contradicted};
use crate::domain::{Interval, Time};
use crate::feed::Batch;
use crate::store::{Import, LakeError, RefusedRow, Writer};

/// Refused rows kept with their text; more are counted only.
const REFUSED_KEPT_MAX: usize = 100_000;

/// Ranges of disputed bars that are kept apart; beyond it the last one grows.
const DISPUTED_MAX: usize = 1000;

/// What came of one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceReport {
    pub source: String,
    /// It was read before and has not changed since: the figures are those of then.
    pub is_unchanged: bool,
    pub added: u64,
    /// Rows that were in the lake with the same values.
    pub already_there: u64,
    /// Rows refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Where the refused rows are.
    pub quarantine: Option<PathBuf>,
    pub quality: Quality,
}

impl SourceReport {
    /// Rows refused for a fault; a bar that is still open is none, nor is one whose trades may not all be there yet.
    #[must_use]
    pub fn faulty_rows(&self) -> u64 {
        let is_fault = |code: &str| code != Reason::NotClosed.code() && code != Reason::Partial.code();
        self.refused.iter().filter(|(code, _)| is_fault(code)).map(|(_, count)| count).sum()
    }
}

/// What has been taken from a source so far.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub added: u64,
    already_there: u64,
    pub counts: BTreeMap<String, u64>,
    pub refused: Vec<RefusedRow>,
    /// Where the source and the lake say different things.
    pub disputed: Ranges,
}

/// Times as ranges, neighbours joined.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<Range<Time>>);

impl Ranges {
    fn add(&mut self, time: Time, interval: Interval) {
        let (is_full, end) = (self.0.len() >= DISPUTED_MAX, time + interval.span());
        match self.0.last_mut() {
            Some(last) if is_full || time == last.end => {
                *last = last.start.min(time)..last.end.max(end);
            }
            _ => self.0.push(time..end),
        }
    }

    pub fn take(&mut self) -> Vec<Range<Time>> {
        std::mem::take(&mut self.0)
    }
}

impl Taken {
    /// Moves a chunk through the checks into the lake, and gives back its memory for the next one.
    pub fn settle(
        &mut self,
        settler: &mut Settler,
        writer: &mut Writer<'_>,
        chunk: Batch,
        contract: &Contract,
    ) -> Result<Batch, LakeError> {
        let first = chunk.rows.bars.open_time.iter().min().copied();
        let close_before = match first {
            Some(first) if contract.max_return.is_finite() => writer.close_before(Time::from_micros(first))?,
            _ => None,
        };
        let mut settled = settler.settle(chunk, close_before.map(|(_, close)| close));
        self.refuse(std::mem::take(&mut settled.refused));
        let staged = writer.stage(&settled.rows)?;
        self.added += staged.added;
        for at in staged.same {
            if settler.has_seen(settled.rows.bars.open_time[at as usize]) {
                settler.note_duplicate(true);
            } else {
                self.already_there += 1;
            }
        }
        for at in staged.different {
            if settler.has_seen(settled.rows.bars.open_time[at as usize]) {
                settler.note_duplicate(false);
            }
            self.disputed.add(settled.rows.bars.time(at as usize), settler.interval());
            self.refuse(vec![refuse_contradicted(&settled, at as usize)]);
        }
        Ok(Batch::reusing(settled.rows, settled.places))
    }

    pub fn report(self, source: String, quality: Quality) -> SourceReport {
        let Self { added, already_there, counts, .. } = self;
        SourceReport { source, is_unchanged: false, added, already_there, refused: counts, quarantine: None, quality }
    }

    pub fn refuse(&mut self, rows: Vec<RefusedRow>) {
        for row in rows {
            *self.counts.entry(row.reason.to_owned()).or_default() += 1;
            if self.refused.len() < REFUSED_KEPT_MAX {
                self.refused.push(row);
            }
        }
    }
}

/// The report of then; none if a program wrote the record whose figures read otherwise.
pub(super) fn report_of(import: &Import, source: String) -> Option<SourceReport> {
    let quality = serde_json::from_value(import.quality.clone()).ok()?;
    let refused = import.refused.clone();
    Some(SourceReport { source, is_unchanged: true, added: 0, already_there: 0, refused, quarantine: None, quality })
}
