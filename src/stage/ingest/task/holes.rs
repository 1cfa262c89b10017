//! Which bars of a series are not there, and whether they may be missing.

use std::ops::Range;

use super::{IngestError, Intake};
use crate::domain::{Projection, Series, Time};
use crate::stage::ingest::missing::{self, Wanted};
use crate::stage::ingest::verdict::Verdict;
use crate::store::{Accepted, LakeError};

impl Intake<'_> {
    /// Ranges of bars that are not there and are missed, up to the last that has closed.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn holes(&self, series: &Series, wanted: Range<Time>) -> Result<Vec<Range<Time>>, IngestError> {
        self.missing(series, wanted.start..wanted.end.min(self.now), 0)
    }

    /// The bars of `wanted` that are not there, as ranges; holes no more than `join` bars apart are one.
    pub(super) fn missing(&self, series: &Series, wanted: Range<Time>, join: i64) -> Result<Vec<Range<Time>>, IngestError> {
        let times = self.times(series, wanted.clone())?;
        let excused = self.excused(series)?;
        let wanted = Wanted { interval: series.interval(), from: wanted.start, until: wanted.end, excused: &excused };
        Ok(missing::ranges(&times, wanted, join))
    }

    /// Where bars of a series that are not there are not missing: holes that were accepted, bars that were taken away.
    pub(super) fn excused(&self, series: &Series) -> Result<Vec<Range<Time>>, LakeError> {
        Ok(self.lake.manifest(series)?.map(|manifest| manifest.excused()).unwrap_or_default())
    }

    /// How whole the bars of a range are, from the first that is there.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn verdict(&self, series: &Series, range: Range<Time>) -> Result<Verdict, IngestError> {
        let excused = self.excused(series)?;
        Ok(Verdict::on_bars(self.contract, series.interval(), None, &self.times(series, range)?, excused))
    }

    pub(super) fn times(&self, series: &Series, range: Range<Time>) -> Result<Vec<i64>, IngestError> {
        match self.lake.read(series, Some(range.start), Some(range.end), Projection::TIME) {
            Err(LakeError::NoSeries { .. }) => Ok(Vec::new()),
            other => Ok(other?.open_time),
        }
    }

    /// Writes down that the venue itself has no bars of a range, so that nobody misses them any more.
    ///
    /// # Errors
    /// When the range is no hole between two bars, or the lake cannot be written.
    pub fn accept(&self, series: &Series, range: &Range<Time>, reason: &str, by: &str) -> Result<Accepted, IngestError> {
        let mut writer = self.lake.writer(series)?;
        let not_hole = |why: String| IngestError::NotHole { series: series.clone(), from: range.start, to: range.end, why };
        let (Some(first), Some(last)) = (writer.manifest().first(), writer.manifest().last()) else {
            return Err(LakeError::NoSeries { series: series.clone(), lake: self.lake.root().to_owned() }.into());
        };
        if ![range.start, range.end].iter().all(|time| series.interval().is_on_grid(*time)) {
            return Err(not_hole(format!("bars of {} do not open there", series.interval())));
        }
        if range.start <= first || range.end > last {
            return Err(not_hole(format!("its bars reach from {first} to {last}, and a hole lies between")));
        }
        let there = self.times(series, range.clone())?;
        if let Some(time) = there.first() {
            let count = there.len();
            return Err(not_hole(format!("{count} of its bars are there, the first opens {}", Time::from_micros(*time))));
        }
        if let Some(old) = writer.manifest().accepted.iter().find(|old| old.from <= range.start && range.end <= old.to) {
            let (at, by) = (old.at, &old.by);
            return Err(not_hole(format!("it was accepted at {at} by {by}")));
        }
        let accepted = Accepted { from: range.start, to: range.end, reason: reason.to_owned(), by: by.to_owned(), at: self.now };
        writer.accept(accepted.clone());
        writer.commit()?;
        Ok(accepted)
    }

    /// Takes back what was accepted of exactly this range.
    ///
    /// # Errors
    /// When nothing was, or the lake cannot be written.
    pub fn revoke(&self, series: &Series, range: &Range<Time>) -> Result<(), IngestError> {
        let mut writer = self.lake.writer(series)?;
        if !writer.revoke(range) {
            let accepted: Vec<String> =
                writer.manifest().accepted.iter().map(|accepted| format!("{} to {}", accepted.from, accepted.to)).collect();
            let there = if accepted.is_empty() { "none is".to_owned() } else { accepted.join(", ") };
            let (series, from, to) = (series.clone(), range.start, range.end);
            return Err(IngestError::NotAccepted { series, from, to, there });
        }
        Ok(writer.commit()?)
    }

    /// Every accepted hole, with the bars that came for it after all.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn accepted(&self, series: &Series) -> Result<Vec<(Accepted, u64)>, IngestError> {
        let manifest = self.lake.manifest(series)?.unwrap_or_default();
        let count = |accepted: Accepted| Ok((accepted.clone(), self.times(series, accepted.range())?.len() as u64));
        manifest.accepted.into_iter().map(count).collect()
    }
}
