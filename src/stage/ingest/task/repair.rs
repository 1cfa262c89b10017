//! Repairing a series: its holes are asked for once more, and bars that are wrong are replaced by what the source says today.
//!
//! What was there before lies in the quarantine before it is replaced, and the manifest tells both by their hashes.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{CHUNK_ROWS, IngestError, Intake, LEG_BARS, SourceReport, Stamp, Taken, missing};
use crate::domain::{Rows, Series, Time};
use crate::feed::binance::archive::{Archive, File};
use crate::feed::binance::{Http, RestClient, RestKlines};
use crate::feed::{self, BarSource, Batch, Expected, FeedError, Fingerprint};
use crate::stage::ingest::quality::Quality;
use crate::stage::ingest::settle::Settler;
use crate::store::{Content, LakeError, RefusedRow, Repair, Writer};

/// The code of a bar in the quarantine that was in the lake.
pub(super) const REPLACED: &str = "replaced";

/// What came of repairing one series.
#[derive(Debug, Clone)]
pub struct RepairReport {
    pub series: Series,
    /// Holes that were asked for.
    pub sources: Vec<SourceReport>,
    pub fixed: Vec<Fixed>,
    /// Bars that were held against the source and found right.
    pub confirmed: u64,
    /// Files of the archive whose published checksum was compared.
    pub files: u64,
}

/// Bars that were replaced together.
#[derive(Debug, Clone)]
pub struct Fixed {
    pub repair: Repair,
    /// Where they are as they were; none if a file was replaced and no bar of it.
    pub quarantine: Option<PathBuf>,
}

impl RepairReport {
    fn new(series: &Series) -> Self {
        Self { series: series.clone(), sources: Vec::new(), fixed: Vec::new(), confirmed: 0, files: 0 }
    }

    #[must_use]
    pub fn added(&self) -> u64 {
        self.sources.iter().map(|source| source.added).sum()
    }

    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.fixed.iter().map(|fixed| fixed.repair.rows).sum()
    }
}

/// Bars on their way from a source to the place of what is there.
#[derive(Default)]
struct Exchange {
    before: Rows,
    after: Rows,
    same: u64,
    /// First and last time of what the source has.
    span: Option<(i64, i64)>,
}

impl Intake<'_> {
    /// Asks the venue for every bar of `wanted` that is not there, and for those that sources disagree about; with `verify`, for all.
    /// A bar of which the venue says otherwise is replaced.
    ///
    /// # Errors
    /// When the venue gives no bars or the lake cannot be written; what was repaired before stays.
    pub fn repair(
        &self,
        client: &mut RestClient<'_>,
        series: &Series,
        wanted: &Range<Time>,
        verify: bool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RepairReport, IngestError> {
        let mut report = RepairReport::new(series);
        report.sources = self.fetch(client, series, wanted.clone(), progress)?;
        let mut done: u64 = report.sources.iter().map(|source| source.quality.rows).sum();
        let doubtful = if verify { vec![wanted.clone()] } else { self.disputed(series, wanted)? };
        let floor = |time: Time| {
            Time::from_micros(time.micros().div_euclid(series.interval().span().micros()) * series.interval().span().micros())
        };
        let doubtful = doubtful.into_iter().map(|range| floor(range.start)..floor(range.end)).collect();
        for leg in missing::legs(doubtful, series.interval(), LEG_BARS) {
            let source = RestKlines::new(client, series.symbol(), series.interval(), leg.start, leg.end);
            let mut writer = self.lake.writer(series)?;
            let (exchange, quality, _) =
                self.exchange(&mut writer, Box::new(source), |writer, rows| writer.replace(rows).map(|r| (r, 0)))?;
            report.confirmed += exchange.same;
            let name = quality.first.map_or_else(|| "binance".to_owned(), |first| format!("binance-{first}"));
            if !exchange.before.is_empty() {
                report.fixed.push(self.note(&mut writer, series, &exchange, &name, None)?);
            }
            if let Some((first, last)) = exchange.span {
                writer.settle_disputes(&(Time::from_micros(first)..Time::from_micros(last) + series.interval().span()));
            }
            writer.commit()?;
            done += quality.rows;
            progress(done);
        }
        Ok(report)
    }

    /// Compares the checksum of every file of the archive that has bars of `wanted` with the one it was taken in with, and takes in
    /// anew those that were replaced since.
    ///
    /// # Errors
    /// When a checksum or a file cannot be had, or the lake cannot be written; what was repaired before stays.
    pub fn repair_files(
        &self,
        http: &Http,
        series: &Series,
        wanted: &Range<Time>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RepairReport, IngestError> {
        let mut report = RepairReport::new(series);
        let manifest = self.lake.manifest(series)?.unwrap_or_default();
        let mut archive = self.archive(http, series, Vec::new())?;
        for import in &manifest.imports {
            let name = Path::new(&import.source).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(file) = File::named(series.symbol(), series.interval(), &name) else { continue };
            if !file.overlaps(wanted) {
                continue;
            }
            report.files += 1;
            progress(report.files);
            match archive.published_checksum(&file).map_err(FeedError::from)? {
                Some(sum) if sum != import.hash => {
                    let sums = [import.hash.clone(), sum];
                    self.take_anew(http, series, file, sums, &mut report)?;
                }
                _ => {}
            }
        }
        Ok(report)
    }

    /// Takes in a file whose bytes are others than they were.
    fn take_anew(
        &self,
        http: &Http,
        series: &Series,
        file: File,
        sums: [String; 2],
        report: &mut RepairReport,
    ) -> Result<(), IngestError> {
        let name = file.zip_name();
        let mut archive = self.archive(http, series, vec![file])?;
        archive.drop_stale(&name, &sums[1]).map_err(FeedError::from)?;
        let Some(path) = archive.next_file().map_err(FeedError::from)? else { return Ok(()) };
        let stamp = Stamp::of(&path)?;
        let source = feed::open(&path, Expected::at(series.interval(), self.now))?;
        let mut writer = self.lake.writer(series)?;
        // What was taken away stays away.
        let begin = writer.manifest().retired.iter().map(|retired| retired.to).max().unwrap_or(Time::MIN);
        let (exchange, quality, (taken, fingerprint)) = self.exchange(&mut writer, source, |writer, rows| {
            let order: Vec<u32> = (rows.bars.lower_bound(begin) as u32..rows.len() as u32).collect();
            let rows = rows.take(&order);
            let replaced = writer.replace(&rows)?;
            Ok((replaced, writer.stage(&rows)?.added))
        })?;
        report.confirmed += exchange.same;
        report.fixed.push(self.note(&mut writer, series, &exchange, &name, Some(sums))?);
        let shown = path.display().to_string();
        let quarantine = self.quarantine(series, &shown, fingerprint.as_ref(), &taken.refused)?;
        if let Some(fingerprint) = fingerprint {
            writer.record(self.import_record(&shown, stamp, fingerprint, &taken, &quality));
        }
        if let Some((first, last)) = exchange.span {
            writer.settle_disputes(&(Time::from_micros(first)..Time::from_micros(last) + series.interval().span()));
        }
        writer.commit()?;
        archive.done_with(&path).map_err(FeedError::from)?;
        report.sources.push(SourceReport { quarantine, ..taken.report(shown, quality) });
        Ok(())
    }

    fn archive<'h>(&self, http: &'h Http, series: &Series, files: Vec<File>) -> Result<Archive<'h>, IngestError> {
        let opened = Archive::open(http, self.lake.local(), series.symbol(), series.interval(), files, true);
        Ok(opened.map_err(FeedError::from)?)
    }

    /// Moves all rows of a source through the checks to `put`, which says what it replaced and how many it added.
    #[expect(clippy::type_complexity, reason = "what a source leaves behind, taken apart at once")]
    fn exchange(
        &self,
        writer: &mut Writer<'_>,
        mut source: Box<dyn BarSource + '_>,
        put: impl Fn(&mut Writer<'_>, &Rows) -> Result<(crate::store::Replaced, u64), LakeError>,
    ) -> Result<(Exchange, Quality, (Taken, Option<Fingerprint>)), IngestError> {
        let mut settler = Settler::new(writer.series().interval(), self.contract, self.now);
        let (mut exchange, mut taken) = (Exchange::default(), Taken::default());
        let mut has_more = true;
        while has_more {
            let mut chunk = Batch::default();
            while has_more && chunk.len() < CHUNK_ROWS {
                has_more = source.read(CHUNK_ROWS, &mut chunk)?;
                self.refuse_if_stopped()?;
            }
            let settled = settler.settle(chunk, None);
            let times = &settled.rows.bars.open_time;
            if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
                let (begin, end) = exchange.span.unwrap_or((first, last));
                exchange.span = Some((begin.min(first), end.max(last)));
            }
            taken.refuse(settled.refused);
            let (mut replaced, added) = put(writer, &settled.rows)?;
            taken.added += added;
            exchange.same += replaced.same;
            exchange.before.append(&mut replaced.before);
            exchange.after.append(&mut replaced.after);
        }
        let fingerprint = source.finish()?;
        Ok((exchange, settler.quality(), (taken, fingerprint)))
    }

    /// Keeps bars as they were, and writes down what became of them.
    fn note(
        &self,
        writer: &mut Writer<'_>,
        series: &Series,
        exchange: &Exchange,
        source: &str,
        file: Option<[String; 2]>,
    ) -> Result<Fixed, IngestError> {
        let (before, after) = (&exchange.before, &exchange.after);
        let hash = |rows: &Rows| Content::of(&rows.bars, 0..rows.len()).to_hex();
        let (first, last) = exchange.span.unwrap_or_default();
        let (from, to) = match before.len().checked_sub(1) {
            Some(last) => (before.bars.time(0), before.bars.time(last) + series.interval().span()),
            None => (Time::from_micros(first), Time::from_micros(last) + series.interval().span()),
        };
        let rows = before.len() as u64;
        let repair =
            Repair { from, to, rows, before: hash(before), after: hash(after), source: source.to_owned(), file, at: self.now };
        let quarantine = match before.is_empty() {
            true => None,
            false => {
                let name = format!("{REPLACED}-{from}-{}", &repair.before[..12]);
                Some(self.lake.quarantine(series, &name, &as_refused(before, after, source))?)
            }
        };
        writer.note_repair(repair.clone());
        Ok(Fixed { repair, quarantine })
    }

    /// Ranges of `wanted` that sources disagree about.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn disputed(&self, series: &Series, wanted: &Range<Time>) -> Result<Vec<Range<Time>>, IngestError> {
        let manifest = self.lake.manifest(series)?.unwrap_or_default();
        let cut = manifest.disputed.iter().map(|disputed| disputed.from.max(wanted.start)..disputed.to.min(wanted.end));
        Ok(cut.filter(|range| range.start < range.end).collect())
    }
}

fn as_refused(before: &Rows, after: &Rows, source: &str) -> Vec<RefusedRow> {
    let text = |rows: &Rows, at: usize| {
        let bar = rows.bars.bar(at);
        format!("{},{},{},{},{},{}", bar.open_time.micros(), bar.open, bar.high, bar.low, bar.close, bar.volume)
    };
    let row = |at: usize| RefusedRow {
        place: 0,
        open_time: Some(before.bars.time(at)),
        reason: REPLACED,
        detail: format!("{source} says {}", text(after, at)),
        row: text(before, at),
    };
    (0..before.len()).map(row).collect()
}
