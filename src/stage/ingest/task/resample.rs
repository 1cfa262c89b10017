//! Longer bars made of a series in the lake.

use serde_json::json;

use super::{IngestError, Intake, SourceReport, Taken, despite_others};
use crate::domain::{Interval, Projection, Rows, Series, Time};
use crate::feed::Batch;
use crate::stage::ingest::reason::Reason;
use crate::stage::ingest::resample::{Lengths, PartialBar, resample};
use crate::stage::ingest::settle::Settler;
use crate::store::{Import, LakeError, RefusedRow};

/// Shorter bars read at once, which bounds memory.
const WINDOW_BARS: i64 = 1 << 18;
/// Refused bars that a report names; the quarantine names all.
const NAMED_MAX: usize = 100;

/// What came of resampling one series.
#[derive(Debug, Clone)]
pub struct ResampleReport {
    pub source: Series,
    pub target: Series,
    /// Shorter bars read.
    pub read: u64,
    /// The first longer bars that lack a shorter one, in the order of time.
    pub partial: Vec<PartialBar>,
    pub bars: SourceReport,
}

impl Intake<'_> {
    /// Makes bars of length `to` of the bars of `source` in the lake, and takes in those that are whole and new. `progress`
    /// hears how many bars were read.
    ///
    /// # Errors
    /// When `to` is no whole multiple of the series' interval, the series is not there, or the lake cannot be written.
    pub fn resample(&self, source: &Series, to: Interval, progress: &mut dyn FnMut(u64)) -> Result<ResampleReport, IngestError> {
        despite_others(|| self.resample_once(source, to, progress))
    }

    fn resample_once(&self, source: &Series, to: Interval, progress: &mut dyn FnMut(u64)) -> Result<ResampleReport, IngestError> {
        let lengths = Lengths::new(source.interval(), to)?;
        let target = Series::new(source.venue(), source.symbol().clone(), to)?;
        let info = self.lake.info(source)?;
        let info = info.ok_or_else(|| LakeError::NoSeries { series: source.clone(), lake: self.lake.root().to_owned() })?;
        let mut writer = self.lake.writer(&target)?;
        let mut settler = Settler::new(to, self.contract, self.now);
        let (mut taken, mut partial, mut read) = (Taken::default(), Vec::new(), 0);
        let step = lengths.ratio().max(WINDOW_BARS.unsigned_abs() / lengths.ratio() * lengths.ratio());
        let step = i64::try_from(step).expect("a window's bars are few") * source.interval().span().micros();
        let mut start = lengths.bucket(info.first.micros());
        while start <= info.last.micros() {
            let rows = self.window(source, start, start + step)?;
            read += rows.len() as u64;
            let found = resample(&rows, lengths);
            drop(rows);
            taken.refuse(found.partial.iter().map(|bar| refused_row(bar, source)).collect());
            partial.extend(found.partial.into_iter().take(NAMED_MAX.saturating_sub(partial.len())));
            let place = vec![0; found.rows.len()];
            taken.settle(&mut settler, &mut writer, Batch { place, rows: found.rows, ..Batch::default() }, self.contract)?;
            progress(read);
            self.refuse_if_stopped()?;
            start += step;
        }
        let quality = settler.quality();
        let quarantine = self.quarantine(&target, &format!("from-{}", source.interval()), None, &taken.refused)?;
        if taken.added > 0 {
            writer.record(self.resample_record(source, &taken, json!({ "resampled": source.to_string(), "bars": quality }))?);
        }
        writer.commit()?;
        let bars = SourceReport { quarantine, ..taken.report(source.to_string(), quality) };
        Ok(ResampleReport { source: source.clone(), target, read, partial, bars })
    }

    fn window(&self, source: &Series, from: i64, to: i64) -> Result<Rows, LakeError> {
        self.lake.read_rows(source, Some(Time::from_micros(from)), Some(Time::from_micros(to)), Projection::ALL)
    }

    /// Where the bars came from: a series instead of a file, named by what it says.
    fn resample_record(&self, source: &Series, taken: &Taken, quality: serde_json::Value) -> Result<Import, LakeError> {
        Ok(Import {
            source: source.to_string(),
            bytes: 0,
            modified: 0,
            hash: self.lake.fingerprint(source, None, None)?,
            at: self.now,
            added: taken.added,
            refused: taken.counts.clone(),
            max_return: None,
            quality,
        })
    }
}

fn refused_row(bar: &PartialBar, source: &Series) -> RefusedRow {
    RefusedRow {
        place: 0,
        open_time: Some(bar.open_time),
        reason: Reason::Partial.code(),
        detail: format!("{} of {} bars of {source} are there", bar.present, bar.wanted),
        row: String::new(),
    }
}
