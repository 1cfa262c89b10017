//! Looking at bars without taking any in: of a file, or of a series in the lake over a range.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::repair::REPLACED;
use super::{IngestError, Intake, STEP_ROWS, SourceReport, Taken};
use crate::domain::{Columns, Projection, Series, Time};
use crate::feed::{self, Batch, Expected};
use crate::stage::ingest::calendar::Calendar;
use crate::stage::ingest::quality::Quality;
use crate::stage::ingest::reason::Reason;
use crate::stage::ingest::settle::Settler;
use crate::stage::ingest::verdict::Verdict;
use crate::store::LakeError;

/// What a series in the lake is like over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// Of the bars that are there.
    pub report: SourceReport,
    pub calendar: Calendar,
    /// What its sources were like, by what was noted when they were taken in.
    pub sources: Tally,
}

/// Rows of sources that did not become bars, by what the manifest has noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub duplicates: u64,
    /// Refused as too far from the bars beside them.
    pub outliers: u64,
    /// Refused for their values, outliers among them.
    pub refused: u64,
}

impl Tally {
    /// Of one source.
    #[must_use]
    pub fn of(report: &SourceReport) -> Self {
        let mut tally = Self::default();
        tally.add(&report.quality, &report.refused);
        tally
    }

    fn add(&mut self, quality: &Quality, refused: &std::collections::BTreeMap<String, u64>) {
        self.rows += quality.rows;
        self.duplicates += quality.duplicates_same + quality.duplicates_different;
        for (code, count) in refused {
            self.outliers += if is_outlier(code) { *count } else { 0 };
            self.refused += if is_fault(code) { *count } else { 0 };
        }
    }
}

fn is_outlier(code: &str) -> bool {
    code == Reason::Outlier.code() || code == Reason::BadPrint.code()
}

/// A bar that is still open, or not whole yet, has no fault; one that was replaced was a bar.
fn is_fault(code: &str) -> bool {
    code != Reason::NotClosed.code() && code != Reason::Partial.code() && code != REPLACED
}

impl Intake<'_> {
    /// The figures of a file, without taking it in.
    ///
    /// # Errors
    /// When it cannot be klines of the series.
    pub fn inspect_file(&self, series: &Series, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<SourceReport, IngestError> {
        let mut source = feed::open(path, Expected::at(series.interval(), self.now))?;
        let mut settler = Settler::new(series.interval(), self.contract, self.now);
        let mut taken = Taken::default();
        let mut has_more = true;
        while has_more {
            let mut chunk = Batch::default();
            while has_more && chunk.len() < self.chunk_rows {
                has_more = source.read(STEP_ROWS.min(self.chunk_rows), &mut chunk)?;
                progress(source.position());
            }
            taken.refuse(settler.settle(chunk, None).refused);
        }
        source.finish()?;
        let name = path.display().to_string();
        Ok(taken.report(name, settler.quality()))
    }

    /// Times and closes of a file, in the order of time, to be held against another series.
    ///
    /// # Errors
    /// When it cannot be klines of the series.
    pub fn closes_of_file(&self, series: &Series, path: &Path) -> Result<Columns, IngestError> {
        let mut source = feed::open(path, Expected::at(series.interval(), self.now))?;
        let mut pairs = Vec::new();
        let mut has_more = true;
        while has_more {
            let mut chunk = Batch::default();
            has_more = source.read(STEP_ROWS, &mut chunk)?;
            pairs.extend(chunk.rows.bars.open_time.into_iter().zip(chunk.rows.bars.close));
        }
        pairs.sort_by_key(|(time, _)| *time);
        pairs.dedup_by_key(|(time, _)| *time);
        let (open_time, close) = pairs.into_iter().unzip();
        Ok(Columns { open_time, close, ..Columns::default() })
    }

    /// In which ways a source breaks the contract, in words; none if it keeps it.
    #[must_use]
    pub fn breaches(&self, report: &SourceReport) -> Vec<String> {
        let mut verdict = Verdict::on_quality(self.contract, &report.quality);
        verdict.add_source(self.contract, &report.source, &report.quality);
        verdict.breaches.iter().map(ToString::to_string).chain(self.breaches_of_rows(report)).collect()
    }

    fn breaches_of_rows(&self, report: &SourceReport) -> Vec<String> {
        let refused = report.refused.iter().filter(|(code, _)| *code != Reason::NotClosed.code());
        let rows = refused.map(|(code, count)| format!("{count} rows are refused: {code}"));
        let found = report.quality.findings.iter().filter(|finding| finding.is_fault()).map(ToString::to_string);
        rows.chain(found).collect()
    }

    /// A file day by day, from its first bar to its last.
    ///
    /// # Errors
    /// When it cannot be klines of the series.
    pub fn calendar_of_file(&self, series: &Series, path: &Path) -> Result<Calendar, IngestError> {
        let times = self.closes_of_file(series, path)?.open_time;
        let range = self.range(series, &times, None, None);
        Ok(Calendar::new(series.interval(), range, &times, &[], &[]))
    }

    /// The figures of a series in the lake from `from` to before `to`; its files are verified on the way. Without `to` the range ends with
    /// the last bar there is, with it at most with the last bar that has closed.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn inspect_series(&self, series: &Series, from: Option<Time>, to: Option<Time>) -> Result<Inspected, IngestError> {
        let rows = self.lake.read_rows(series, from, to, Projection::ALL)?;
        let times = rows.bars.open_time.clone();
        let range = self.range(series, &times, from, to);
        let excused = self.excused(series)?;
        let mut settler = Settler::new(series.interval(), self.contract, self.now).excusing(excused.clone());
        let place = (1..=u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
        let settled = settler.settle(Batch { place, rows, ..Batch::default() }, None);
        let mut taken = Taken::default();
        taken.refuse(settled.refused);
        let mut quarantined = self.lake.quarantined(series)?;
        quarantined.retain(|(time, code)| range.contains(time) && is_fault(code));
        let mut sources = self.tally(series)?;
        if from.or(to).is_some() {
            // Of a part, the rows that stand in quarantine with a time.
            sources.refused = quarantined.len() as u64;
            sources.outliers = quarantined.iter().filter(|(_, code)| is_outlier(code)).count() as u64;
        }
        let refused: Vec<Time> = quarantined.iter().map(|(time, _)| *time).collect();
        let calendar = Calendar::new(series.interval(), range, &times, &excused, &refused);
        Ok(Inspected { report: taken.report(series.to_string(), settler.quality()), calendar, sources })
    }

    /// What was asked for, as far as bars can be there.
    fn range(&self, series: &Series, times: &[i64], from: Option<Time>, to: Option<Time>) -> Range<Time> {
        let first = times.first().copied().map(Time::from_micros);
        let end = times.last().map(|last| Time::from_micros(*last) + series.interval().span());
        let closed = Time::from_micros(
            self.now.micros().div_euclid(series.interval().span().micros()) * series.interval().span().micros(),
        );
        let until = match to {
            Some(to) => to.min(closed),
            None => end.unwrap_or(closed),
        };
        let start = from.or(first).unwrap_or(until);
        start..until.max(start)
    }

    /// What the sources of a series were like: each counts once, however often it was taken in.
    fn tally(&self, series: &Series) -> Result<Tally, LakeError> {
        let (mut tally, mut seen) = (Tally::default(), BTreeSet::new());
        for import in self.lake.manifest(series)?.unwrap_or_default().imports {
            let Ok(quality) = serde_json::from_value::<Quality>(import.quality) else { continue };
            if seen.insert(import.hash) {
                tally.add(&quality, &import.refused);
            }
        }
        Ok(tally)
    }

    /// In which ways a series breaks the contract over its range, in words; none if it keeps it.
    #[must_use]
    pub fn breaches_of_series(&self, inspected: &Inspected) -> Vec<String> {
        let total = inspected.calendar.total();
        let gap = inspected.report.quality.largest_gaps.first().copied();
        let missing = Verdict::on_missing(self.contract, total.missing, gap);
        let mut found: Vec<String> = missing.breaches.iter().map(ToString::to_string).collect();
        let absent = total.missing + total.late;
        if total.late > 0 && absent > self.contract.missing_bars {
            let last =
                inspected.report.quality.last.map_or("there is none".to_owned(), |last| format!("the last is that of {last}"));
            let are = if total.late == 1 { "bar is" } else { "bars are" };
            found.push(format!("{} {are} late: {last}", total.late));
        }
        found.extend(self.breaches_of_rows(&inspected.report));
        found
    }
}
