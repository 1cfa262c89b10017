//! Bars for other programs, as one file: CSV with the columns of a kline, or Arrow IPC.
//!
//! Bars are read and written window by window, so that memory does not grow with the series. The file gets its name when it
//! is whole: what is cut off, by a signal or a full disk, leaves nothing.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use super::disk::{Draft, Published};
use super::{Lake, LakeError};
use crate::domain::{Projection, Rows, Series, TRADES_UNKNOWN, Time};

/// Bars read and written at once.
const WINDOW_BARS: i64 = 1 << 18;
const HEADER: &str =
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";

/// What the file is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The twelve columns of a kline with a header, times in milliseconds; what is unknown is empty.
    Csv,
    /// `open_time` as timestamp[us, UTC], prices and volumes as float64; what is unknown is null.
    Arrow,
}

/// Which bars go where.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    pub series: &'a Series,
    /// Bars with `from <= open_time < to`.
    pub from: Option<Time>,
    pub to: Option<Time>,
    pub format: Format,
    pub path: &'a Path,
    /// May a file of that name be replaced?
    pub replaces: bool,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub rows: u64,
    pub first: Option<Time>,
    pub last: Option<Time>,
    pub file: Published,
}

impl Lake {
    /// Writes bars to a file; none if `stop` was raised, and then there is no file. `progress` hears how many bars were written.
    ///
    /// # Errors
    /// When the series is not there or damaged, the name is taken, or the disk fails.
    pub fn export(
        &self,
        export: &Export<'_>,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Exported>, LakeError> {
        let failed = |source| LakeError::Write { path: export.path.to_owned(), source };
        let name = export
            .path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has no name that is text")))?;
        // Looked at first, so that nobody waits for an export that cannot end; what counts is the last look, at publishing.
        if !export.replaces && export.path.symlink_metadata().is_ok() {
            return Err(LakeError::OutputThere(export.path.to_owned()));
        }
        let info = self.info(export.series)?;
        let info = info.ok_or_else(|| LakeError::NoSeries { series: export.series.clone(), lake: self.root().to_owned() })?;
        let folder = export.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut sink = Sink::new(self.disk.draft(folder).map_err(failed)?, export)?;
        let step = WINDOW_BARS * export.series.interval().span().micros();
        let end = export.to.map_or(info.last.micros() + 1, Time::micros).min(info.last.micros() + 1);
        let mut start = export.from.map_or(info.first.micros(), Time::micros).max(info.first.micros());
        let (mut count, mut first, mut last) = (0, None, None);
        while start < end {
            if stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
            let until = start.saturating_add(step).min(end);
            let window = (Some(Time::from_micros(start)), Some(Time::from_micros(until)));
            let rows = self.read_rows(export.series, window.0, window.1, Projection::ALL)?;
            if let Some(at) = rows.len().checked_sub(1) {
                first = first.or(Some(rows.bars.time(0)));
                last = Some(rows.bars.time(at));
                sink.write(&rows)?;
            }
            count += rows.len() as u64;
            progress(count);
            start = until;
        }
        let draft = sink.finish()?;
        if stop.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let published = if export.replaces { draft.publish(|_| name.to_owned()) } else { draft.publish_new(name) };
        let file = published.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => LakeError::OutputThere(export.path.to_owned()),
            _ => failed(source),
        })?;
        Ok(Some(Exported { rows: count, first, last, file }))
    }
}

/// Where rows go.
struct Sink {
    path: PathBuf,
    span_ms: i64,
    writer: FormatWriter,
}

enum FormatWriter {
    Csv(Box<BufWriter<Draft>>),
    Arrow(Box<FileWriter<BufWriter<Draft>>>),
}

impl Sink {
    fn new(draft: Draft, export: &Export<'_>) -> Result<Self, LakeError> {
        let (path, mut sink) = (export.path.to_owned(), BufWriter::with_capacity(1 << 18, draft));
        let writer = match export.format {
            Format::Csv => {
                writeln!(sink, "{HEADER}").map_err(|source| LakeError::Write { path: path.clone(), source })?;
                FormatWriter::Csv(Box::new(sink))
            }
            Format::Arrow => {
                let writer = FileWriter::try_new(sink, &schema()).map_err(|error| arrow_failure(&path, error))?;
                FormatWriter::Arrow(Box::new(writer))
            }
        };
        Ok(Self { path, span_ms: export.series.interval().span().micros() / 1000, writer })
    }

    fn write(&mut self, rows: &Rows) -> Result<(), LakeError> {
        match &mut self.writer {
            FormatWriter::Csv(sink) => {
                let written = (0..rows.len()).try_for_each(|at| csv_row(sink, rows, at, self.span_ms));
                written.map_err(|source| LakeError::Write { path: self.path.clone(), source })
            }
            FormatWriter::Arrow(writer) => {
                let written = batch(rows).and_then(|batch| writer.write(&batch));
                written.map_err(|error| arrow_failure(&self.path, error))
            }
        }
    }

    fn finish(self) -> Result<Draft, LakeError> {
        let sink = match self.writer {
            FormatWriter::Csv(sink) => *sink,
            FormatWriter::Arrow(writer) => writer.into_inner().map_err(|error| arrow_failure(&self.path, error))?,
        };
        sink.into_inner().map_err(|error| LakeError::Write { path: self.path, source: error.into_error() })
    }
}

fn arrow_failure(path: &Path, error: ArrowError) -> LakeError {
    let source = match error {
        ArrowError::IoError(_, source) => source,
        other => std::io::Error::other(other),
    };
    LakeError::Write { path: path.to_owned(), source }
}

/// One line. Floats are written with as few digits as read back to the same float.
fn csv_row(sink: &mut impl Write, rows: &Rows, at: usize, span_ms: i64) -> std::io::Result<()> {
    let (bar, extras) = (rows.bars.bar(at), &rows.extras);
    let time = bar.open_time.millis();
    write!(sink, "{time},{},{},{},{},{},{},", bar.open, bar.high, bar.low, bar.close, bar.volume, time + span_ms - 1)?;
    let known = |sink: &mut dyn Write, value: f64| if value.is_nan() { write!(sink, ",") } else { write!(sink, "{value},") };
    known(sink, extras.quote_volume[at])?;
    match extras.trades[at] {
        TRADES_UNKNOWN => write!(sink, ",")?,
        count => write!(sink, "{count},")?,
    }
    known(sink, extras.taker_buy_volume[at])?;
    known(sink, extras.taker_buy_quote_volume[at])?;
    writeln!(sink, "0")
}

fn schema() -> Schema {
    let time = Field::new("open_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let float = |name: &str, is_nullable: bool| Field::new(name, DataType::Float64, is_nullable);
    let bars = ["open", "high", "low", "close", "volume"].map(|name| float(name, false));
    let extras = [
        float("quote_volume", true),
        Field::new("trades", DataType::Int64, true),
        float("taker_buy_volume", true),
        float("taker_buy_quote_volume", true),
    ];
    Schema::new([time].into_iter().chain(bars).chain(extras).collect::<Vec<_>>())
}

fn batch(rows: &Rows) -> Result<RecordBatch, ArrowError> {
    let (bars, extras) = (&rows.bars, &rows.extras);
    let known = |values: &[f64]| -> ArrayRef {
        Arc::new(values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect::<Float64Array>())
    };
    let trades = extras.trades.iter().map(|count| Some(*count).filter(|count| *count != TRADES_UNKNOWN));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(TimestampMicrosecondArray::from(bars.open_time.clone()).with_timezone("UTC"))];
    for values in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
        columns.push(Arc::new(Float64Array::from(values.clone())));
    }
    columns.push(known(&extras.quote_volume));
    columns.push(Arc::new(trades.collect::<Int64Array>()));
    columns.push(known(&extras.taker_buy_volume));
    columns.push(known(&extras.taker_buy_quote_volume));
    RecordBatch::try_new(Arc::new(schema()), columns)
}
