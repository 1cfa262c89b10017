//! The edge of ingest: moves rows from feeds through the checks into the lake.

mod again;
pub mod follow;
mod holes;
mod inspect;
mod repair;
mod resample;
mod status;
mod trades;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use again::despite_others;
pub use inspect::{Inspected, Tally};
pub use repair::{Fixed, RepairReport};
pub use resample::ResampleReport;
pub use trades::TradeReport;

use super::aggregate::AggregateError;
use super::config::{Contract, IngestConfig, Remote, Source, Synthetic};
use super::missing;
use super::quality::Quality;
use super::reason::Reason;
use super::resample::NotMultiple;
use super::settle::Settler;
pub use super::taken::SourceReport;
use super::taken::{Taken, report_of};
use super::verdict::{Breach, Verdict};
use crate::domain::{Projection, Series, SeriesError, Span, Symbol, Time};
use crate::feed::binance::archive::{self, Archive};
use crate::feed::binance::{Http, PAGE_BARS_MAX, Reach, RestClient, RestKlines};
use crate::feed::{self, BarSource, Batch, Expected, FeedError, Fingerprint, HashKind, SyntheticFeed, names, sample};
use crate::store::{Disputed, Import, Lake, LakeError, RefusedRow};

/// Rows settled at once. It bounds memory at about 200 MB; every archive file of a venue but a month of seconds fits in one.
const CHUNK_ROWS: usize = 1 << 20;
/// Rows read between two looks at the progress bar.
const STEP_ROWS: usize = 1 << 16;
/// A file changed so shortly before it was read may have changed again within the same tick of its clock.
const TRUSTED_AGE: Span = Span::from_secs(2);
/// Bars that a venue is asked for before they are made to count: what a fetch that is cut off has to ask for again.
const LEG_BARS: i64 = 50 * PAGE_BARS_MAX as i64;

/// Bars of a venue's files belong to this venue unless something says otherwise.
const FILE_VENUE: &str = "binance";
const SYNTHETIC_VENUE: &str = "synthetic";

/// Bars cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Series(#[from] SeriesError),
    #[error(transparent)]
    Multiple(#[from] NotMultiple),
    #[error("failed to make bars of {}", path.display())]
    Trades { path: PathBuf, source: AggregateError },
    #[error("{series} has no hole from {from} to {to} to accept: {why}")]
    NotHole { series: Series, from: Time, to: Time, why: String },
    #[error("no hole of {series} from {from} to {to} is accepted; of this series, {there}")]
    NotAccepted { series: Series, from: Time, to: Time, there: String },
    #[error("interrupted")]
    Interrupted,
}

impl IngestError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Feed(error) => error.hint(),
            Self::Lake(error) => error.hint(),
            Self::Series(_) => None,
            Self::NotHole { series, .. } => Some(format!("tidegate data check {series} shows its gaps")),
            Self::NotAccepted { .. } => Some("name an accepted range by both its ends".to_owned()),
            Self::Interrupted => Some("nothing of it was taken; run the same command again".to_owned()),
            Self::Multiple(_) => Some("name an interval that is a whole multiple, like 5m, 15m or 1h of 1m".to_owned()),
            Self::Trades { source, .. } => Some(source.hint()),
        }
    }
}

/// What came of one series of a pipeline.
#[derive(Debug, Clone)]
pub struct SeriesReport {
    pub series: Series,
    pub sources: Vec<SourceReport>,
    /// Closed bars in the lake from the watermark on.
    pub new_bars: u64,
    /// Open time of the last bar in the lake.
    pub last: Option<Time>,
    /// Files of an archive that should be there and are not.
    pub absent_files: Vec<String>,
    pub verdict: Verdict,
}

/// What came of a pipeline's ingest stage.
#[derive(Debug, Clone)]
pub struct Ingested {
    pub series: Vec<SeriesReport>,
}

impl Ingested {
    /// Do all series keep the contract?
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.series.iter().all(|series| series.verdict.is_kept())
    }

    #[must_use]
    pub fn added(&self) -> u64 {
        self.series.iter().flat_map(|series| &series.sources).map(|source| source.added).sum()
    }
}

/// Where and when bars are taken in.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    pub lake: &'a Lake,
    pub contract: &'a Contract,
    pub now: Time,
    chunk_rows: usize,
    stop: Option<&'a AtomicBool>,
}

/// The series that a pipeline's source fills, in the order of its symbols. Shipped and generated bars have a venue of their
/// own, so that they never mix with bars of a market.
///
/// # Errors
/// When the manifest beside a sample file cannot be read.
pub fn series_of(config: &IngestConfig, root: &Path) -> Result<Vec<Series>, IngestError> {
    let venue = match &config.source {
        Source::File { path } => sample::venue_of(&root.join(path))?.unwrap_or_else(|| FILE_VENUE.to_owned()),
        Source::Synthetic(_) => SYNTHETIC_VENUE.to_owned(),
        Source::Binance(_) | Source::BinanceWs { .. } | Source::BinanceArchive(_) => FILE_VENUE.to_owned(),
    };
    config.symbols.iter().map(|symbol| Ok(Series::new(&venue, symbol.clone(), config.interval)?)).collect()
}

/// Takes every closed bar of the configured source that is not there yet into the lake, and judges the bars with
/// `open_time >= watermark`. Paths of the configuration start at `root`; `reach` has the time, and the way to venues. `progress` hears
/// how many bytes or bars were read.
///
/// # Errors
/// When a source cannot be read or the lake cannot be written; what was taken in before stays.
pub fn ingest(
    config: &IngestConfig,
    lake: &Lake,
    root: &Path,
    reach: &Reach,
    watermark: Option<Time>,
    progress: &mut dyn FnMut(u64),
) -> Result<Ingested, IngestError> {
    let intake = Intake::new(lake, &config.contract, reach.now());
    let all = series_of(config, root)?;
    let (mut taken, mut absent): (Vec<Vec<SourceReport>>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    let mut stopped: Vec<Option<Breach>> = Vec::new();
    match &config.source {
        Source::File { path } => {
            for series in &all {
                taken.push(intake.files(series, &root.join(path), progress)?);
            }
        }
        Source::Synthetic(synthetic) => {
            for series in &all {
                taken.push(intake.synthetic(series, *synthetic, progress)?.into_iter().collect());
            }
        }
        Source::Binance(remote) | Source::BinanceWs { rest: remote, .. } => {
            let http = Http::open(&remote.address, reach).map_err(FeedError::from)?;
            let mut client = RestClient::open(&http, lake.local()).map_err(FeedError::from)?;
            for series in &all {
                let wanted = intake.due(series, remote, watermark)?;
                taken.push(intake.fetch(&mut client, series, wanted.clone(), progress)?);
                stopped.push(intake.not_trading(&mut client, series, &wanted)?);
            }
        }
        Source::BinanceArchive(remote) => {
            let http = Http::open(&remote.address, reach).map_err(FeedError::from)?;
            for series in &all {
                let wanted = intake.due(series, remote, watermark)?;
                let (sources, missed) = intake.fetch_files(&http, series, wanted, progress)?;
                taken.push(sources);
                absent.push(missed);
            }
        }
    }
    let mut reports = Vec::new();
    for (at, (series, sources)) in all.into_iter().zip(taken).enumerate() {
        let absent_files = absent.get_mut(at).map(std::mem::take).unwrap_or_default();
        let mut report = SeriesReport { absent_files, ..intake.judge(series, sources, watermark)? };
        report.verdict.breaches.extend(stopped.get_mut(at).and_then(Option::take));
        reports.push(report);
    }
    Ok(Ingested { series: reports })
}

impl<'a> Intake<'a> {
    #[must_use]
    pub fn new(lake: &'a Lake, contract: &'a Contract, now: Time) -> Self {
        Self { lake, contract, now, chunk_rows: CHUNK_ROWS, stop: None }
    }

    /// Settles this many rows at once instead of a million: what comes out is the same.
    #[must_use]
    pub fn in_chunks_of(self, rows: usize) -> Self {
        Self { chunk_rows: rows, ..self }
    }

    /// Gives up between two steps once `stop` is set; a source is then not taken at all.
    #[must_use]
    pub fn until(self, stop: &'a AtomicBool) -> Self {
        Self { stop: Some(stop), ..self }
    }

    fn refuse_if_stopped(&self) -> Result<(), IngestError> {
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) { Err(IngestError::Interrupted) } else { Ok(()) }
    }

    /// Judges the bars of a series with `open_time >= watermark`, which came from `sources`.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn judge(
        &self,
        series: Series,
        sources: Vec<SourceReport>,
        watermark: Option<Time>,
    ) -> Result<SeriesReport, IngestError> {
        let last = self.lake.last_open_time(&series)?;
        let has_new = last.is_some_and(|last| watermark.is_none_or(|watermark| last >= watermark));
        let times = if has_new { self.lake.read(&series, watermark, None, Projection::TIME)?.open_time } else { Vec::new() };
        let excused = self.excused(&series)?;
        let mut verdict = Verdict::on_bars(self.contract, series.interval(), watermark, &times, excused);
        for source in &sources {
            let is_of_run = source.quality.last.is_some_and(|last| watermark.is_none_or(|watermark| last >= watermark));
            if is_of_run {
                verdict.add_source(self.contract, &source.source, &source.quality);
            }
        }
        Ok(SeriesReport { series, sources, new_bars: times.len() as u64, last, absent_files: Vec::new(), verdict })
    }

    /// Takes in the files of one series below `path`.
    fn files(&self, series: &Series, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Vec<SourceReport>, IngestError> {
        let files = names::files_of(path, series.symbol(), series.interval())?;
        files.iter().map(|file| self.import(series, file, progress)).collect()
    }

    /// Takes in one file: all of it that is sound and new.
    ///
    /// # Errors
    /// When it cannot be klines of the series, or the lake cannot be written; the lake is then as before.
    pub fn import(&self, series: &Series, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<SourceReport, IngestError> {
        despite_others(|| {
            let stamp = Stamp::of(path)?;
            if let Some(report) = self.unchanged(series, path, stamp)? {
                return Ok(report);
            }
            let source = feed::open(path, Expected::at(series.interval(), self.now))?;
            self.take_in(series, source, Origin::File(path, stamp), progress)
        })
    }

    /// What a run may need of a series: from the watermark on, else from where the lake begins, else as far back as the first run goes.
    fn due(&self, series: &Series, remote: &Remote, watermark: Option<Time>) -> Result<Range<Time>, IngestError> {
        let begin = self.lake.manifest(series)?.and_then(|manifest| manifest.first());
        Ok(watermark.or(begin).unwrap_or(self.now - remote.history)..self.now)
    }

    /// Asks the venue for every closed bar of `wanted` that is not there, and makes each leg of it count by itself.
    ///
    /// # Errors
    /// When the venue gives no bars or the lake cannot be written; the legs before stay.
    pub fn fetch(
        &self,
        client: &mut RestClient<'_>,
        series: &Series,
        wanted: Range<Time>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<SourceReport>, IngestError> {
        self.lake.clear_up(series)?;
        let ranges = self.missing(series, wanted.start..wanted.end.min(client.settled_now()), PAGE_BARS_MAX as i64)?;
        let legs = missing::legs(ranges, series.interval(), LEG_BARS);
        let span = series.interval().span().micros();
        let bars: i64 = legs.iter().map(|leg| (leg.end - leg.start).micros() / span).sum();
        client.prepare_for(bars.unsigned_abs() / PAGE_BARS_MAX as u64).map_err(FeedError::from)?;
        let (mut reports, mut done) = (Vec::new(), 0);
        for leg in legs {
            let mut seen = |rows: u64| progress(done + rows);
            let report = despite_others(|| {
                let source = RestKlines::new(client, series.symbol(), series.interval(), leg.start, leg.end);
                self.take_in(series, Box::new(source), Origin::Made("binance"), &mut seen)
            })?;
            done += report.quality.rows;
            reports.push(report);
        }
        Ok(reports)
    }

    /// Brings every closed bar of `wanted` that is not there from files of the archive, each of which counts by itself; and names the
    /// files that should be there and are not.
    ///
    /// # Errors
    /// When a file cannot be had or is not what it should be, or the lake cannot be written; the files before stay.
    pub fn fetch_files(
        &self,
        http: &Http,
        series: &Series,
        wanted: Range<Time>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Vec<SourceReport>, Vec<String>), IngestError> {
        self.lake.clear_up(series)?;
        let mut files = archive::plan(series.symbol(), series.interval(), &self.missing(series, wanted.clone(), 0)?, self.now);
        let manifest = self.lake.manifest(series)?.unwrap_or_default();
        // A file that was taken in has what it has; its holes are the venue's.
        let taken = |name: &str| manifest.imports.iter().any(|import| Path::new(&import.source).ends_with(name));
        files.retain(|file| !taken(&file.zip_name()));
        let has_begun = manifest.first().is_some_and(|first| first < wanted.start);
        let opened = Archive::open(http, self.lake.local(), series.symbol(), series.interval(), files, has_begun);
        let mut archive = opened.map_err(FeedError::from)?;
        let (mut reports, mut done) = (Vec::new(), 0);
        while let Some(path) = archive.next_file().map_err(FeedError::from)? {
            let report = self.import(series, &path, &mut |_| {})?;
            archive.done_with(&path).map_err(FeedError::from)?;
            done += report.quality.rows;
            progress(done);
            reports.push(report);
        }
        Ok((reports, archive.absent().to_vec()))
    }

    /// Makes the bars of the generator that have closed and are not there yet; none if there are none.
    fn synthetic(
        &self,
        series: &Series,
        synthetic: Synthetic,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<SourceReport>, IngestError> {
        let span = series.interval().span();
        let closed = (self.now - synthetic.start).micros().max(0) / span.micros();
        let bars = synthetic.bars.min(u32::try_from(closed).unwrap_or(u32::MAX));
        let there = self.lake.last_open_time(series)?.map_or(0, |last| (last - synthetic.start).micros() / span.micros() + 1);
        let skip = u32::try_from(there.max(0)).unwrap_or(u32::MAX);
        if skip >= bars {
            return Ok(None);
        }
        despite_others(|| {
            let mut source = SyntheticFeed::new(synthetic.seed, series.symbol(), series.interval(), synthetic.start, bars);
            source.skip(skip);
            self.take_in(series, Box::new(source), Origin::Made("synthetic"), progress).map(Some)
        })
    }

    /// The report of an import that need not be done again: the file is the same, and so is what it must satisfy.
    fn unchanged(&self, series: &Series, path: &Path, stamp: Stamp) -> Result<Option<SourceReport>, IngestError> {
        self.lake.clear_up(series)?;
        let Some(manifest) = self.lake.manifest(series)? else { return Ok(None) };
        let name = path.display().to_string();
        let counts = |import: &&Import| import.bytes == stamp.bytes && self.still_counts(import);
        let candidates: Vec<&Import> = manifest.imports.iter().filter(counts).collect();
        let known = candidates.iter().find(|import| {
            let is_settled = import.at.micros() > stamp.trusted_after();
            import.source == name && import.modified == stamp.modified && is_settled
        });
        if let Some(import) = known {
            return Ok(report_of(import, name));
        }
        // Touched, copied or moved, perhaps: the hash tells.
        let Some(import) = same_bytes(path, &candidates)? else { return Ok(None) };
        let is_known = import.source == name && import.modified == stamp.modified;
        // Written down so that next time the file's time is enough; if it would not be, not even that is written.
        if !is_known || self.now.micros() > stamp.trusted_after() {
            let mut writer = self.lake.writer(series)?;
            writer.record(Import { source: name.clone(), modified: stamp.modified, at: self.now, ..import.clone() });
            writer.commit()?;
        }
        Ok(report_of(import, name))
    }

    /// Would this import end the same today? Not if bars have closed since, or if the contract reads otherwise.
    fn still_counts(&self, import: &Import) -> bool {
        let max_return = Some(self.contract.max_return).filter(|max| max.is_finite());
        !import.refused.contains_key(Reason::NotClosed.code()) && import.max_return == max_return
    }

    /// Moves all rows of a source through the checks into the lake, chunk by chunk, and makes them count at the end.
    fn take_in(
        &self,
        series: &Series,
        mut source: Box<dyn BarSource + '_>,
        origin: Origin<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<SourceReport, IngestError> {
        let mut settler = Settler::new(series.interval(), self.contract, self.now);
        let mut taken = Taken::default();
        let mut writer = None;
        let mut chunk = Batch::default();
        let mut has_more = true;
        while has_more {
            while has_more && chunk.len() < self.chunk_rows {
                has_more = source.read(STEP_ROWS.min(self.chunk_rows), &mut chunk)?;
                progress(source.position());
                self.refuse_if_stopped()?;
            }
            // Taken after the first rows were read: a file that is none leaves no trace in the lake.
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(self.lake.writer(series)?),
            };
            chunk = taken.settle(&mut settler, writer, chunk, self.contract)?;
        }
        let fingerprint = source.finish()?;
        let mut writer = writer.expect("a source has at least one chunk");
        let quality = settler.quality();
        let name = origin.name(&quality);
        let quarantine = self.quarantine(series, &name, fingerprint.as_ref(), &taken.refused)?;
        if let (Origin::File(_, stamp), Some(fingerprint)) = (origin, fingerprint) {
            writer.record(self.import_record(&name, stamp, fingerprint, &taken, &quality));
        }
        for range in taken.disputed.take() {
            writer.dispute(Disputed { from: range.start, to: range.end, source: name.clone(), at: self.now });
        }
        writer.commit()?;
        Ok(SourceReport { quarantine, ..taken.report(name, quality) })
    }

    fn quarantine(
        &self,
        series: &Series,
        name: &str,
        fingerprint: Option<&Fingerprint>,
        refused: &[RefusedRow],
    ) -> Result<Option<PathBuf>, LakeError> {
        if refused.is_empty() {
            return Ok(None);
        }
        let base = Path::new(name).file_name().map_or_else(|| name.into(), |base| base.to_string_lossy());
        let source = match fingerprint {
            Some(fingerprint) => format!("{base}.{}", fingerprint.short()),
            None => base.into_owned(),
        };
        self.lake.quarantine(series, &source, refused).map(Some)
    }

    fn import_record(&self, name: &str, stamp: Stamp, fingerprint: Fingerprint, taken: &Taken, quality: &Quality) -> Import {
        Import {
            source: name.to_owned(),
            bytes: fingerprint.bytes,
            modified: stamp.modified,
            hash: fingerprint.hash,
            at: self.now,
            added: taken.added,
            refused: taken.counts.clone(),
            max_return: Some(self.contract.max_return).filter(|max| max.is_finite()),
            quality: serde_json::to_value(quality).expect("quality figures are plain values"),
        }
    }
}

/// The import of the very bytes that a file has, hashed as each of the imports was.
fn same_bytes<'a>(path: &Path, imports: &[&'a Import]) -> Result<Option<&'a Import>, FeedError> {
    for kind in HashKind::ALL {
        let mut of_kind = imports.iter().filter(|import| HashKind::of(&import.hash) == kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        let hash = feed::hash(path, kind)?.hash;
        if let Some(found) = of_kind.find(|import| import.hash == hash) {
            return Ok(Some(*found));
        }
    }
    Ok(None)
}

/// What the file system says about a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: i64,
}

impl Stamp {
    /// A file read after this cannot have changed since without its time changing too.
    fn trusted_after(self) -> i64 {
        self.modified.saturating_add(TRUSTED_AGE.micros())
    }

    fn of(path: &Path) -> Result<Self, FeedError> {
        let found = std::fs::metadata(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => FeedError::NoFile(path.to_owned()),
            _ => FeedError::Read { path: path.to_owned(), source },
        })?;
        if found.is_dir() {
            return Err(FeedError::IsFolder(path.to_owned()));
        }
        let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(Self { bytes: found.len(), modified: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) })
    }
}

/// Where rows come from.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    File(&'a Path, Stamp),
    /// By a generator or a venue: the name is that of its maker and its first bar.
    Made(&'static str),
}

impl Origin<'_> {
    fn name(self, quality: &Quality) -> String {
        match (self, quality.first) {
            (Self::File(path, _), _) => path.display().to_string(),
            (Self::Made(maker), Some(first)) => format!("{maker}-{first}"),
            (Self::Made(maker), None) => maker.to_owned(),
        }
    }
}

/// The series of a file that a person names: flags first, then the file's name, then the manifest beside it.
///
/// # Errors
/// When neither says what the file holds.
pub fn series_of_file(
    path: &Path,
    venue: Option<&str>,
    symbol: Option<&Symbol>,
    interval: Option<crate::domain::Interval>,
) -> Result<Series, IngestError> {
    let named = names::read(path);
    let unnamed = |what| FeedError::Unnamed { path: path.to_owned(), what };
    let symbol = symbol.cloned().or(named.symbol).ok_or_else(|| unnamed("its symbol"))?;
    let interval = interval.or(named.interval).ok_or_else(|| unnamed("its interval"))?;
    let venue = match venue {
        Some(venue) => venue.to_owned(),
        None => sample::venue_of(path)?.unwrap_or_else(|| FILE_VENUE.to_owned()),
    };
    Ok(Series::new(&venue, symbol, interval)?)
}
