//! Bars as Arrow IPC files, also named Feather: `date` or `open_time`, `open`, `high`, `low`, `close`, `volume` and more.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;

use super::hash::{Fingerprint, HashKind, hash};
use super::instant::Instants;
use super::layout::Layout;
use super::spacing::other_interval;
use super::{BarSource, Batch, Expected, FeedError, Unread};
use crate::domain::{TRADES_UNKNOWN, Time};

/// The bytes that such a file begins with.
pub const MAGIC: &[u8] = b"ARROW1";

pub struct ArrowFile {
    path: PathBuf,
    reader: FileReader<File>,
    expected: Expected,
    layout: Layout,
    instants: Instants,
    /// Number of the last row read.
    row: u32,
    /// The record batch at hand, and how far into it.
    open: Option<(RecordBatch, usize)>,
    read: u64,
}

impl ArrowFile {
    pub fn open(path: &Path, expected: Expected) -> Result<Self, FeedError> {
        let file = File::open(path).map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
        let reader = FileReader::try_new(file, None).map_err(|error| damaged(path, &error))?;
        let layout = layout_of(&reader.schema()).map_err(|why| FeedError::Header { path: path.to_owned(), line: 0, why })?;
        let instants = Instants::new("", expected.before);
        Ok(Self { path: path.to_owned(), reader, expected, layout, instants, row: 0, open: None, read: 0 })
    }

    /// Rows of the record batch at hand, from `start` on, at most `count`.
    fn take(&mut self, batch: &RecordBatch, start: usize, count: usize, into: &mut Batch) -> Result<(), FeedError> {
        let part = batch.slice(start, count.min(batch.num_rows() - start));
        let times = self.times(part.column(self.layout.time))?;
        let float = |at: usize| floats(part.column(at)).map_err(|error| damaged(&self.path, &error));
        let prices = self.layout.prices.map(float);
        let more = |at: Option<usize>| at.map_or_else(|| Ok(Float64Array::new_null(part.num_rows())), float);
        let [quote, trades] = [self.layout.quote_volume, self.layout.trades].map(more);
        let taker = self.layout.taker.map(more);
        let value = |column: &Float64Array, at: usize| if column.is_null(at) { f64::NAN } else { column.value(at) };
        let (bars, extras) = (&mut into.rows.bars, &mut into.rows.extras);
        let columns = [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close, &mut bars.volume];
        let mut is_whole = vec![true; part.num_rows()];
        for (column, values) in columns.into_iter().zip(prices) {
            let values = values?;
            for (at, is_whole) in is_whole.iter_mut().enumerate() {
                let price = value(&values, at);
                *is_whole &= price.is_finite();
                column.push(if price.is_finite() { price } else { f64::NAN });
            }
        }
        let [taker, taker_quote] = taker;
        let (quote, trades, taker, taker_quote) = (quote?, trades?, taker?, taker_quote?);
        for (at, is_whole) in is_whole.into_iter().enumerate() {
            self.row += 1;
            into.place.push(self.row);
            extras.quote_volume.push(value(&quote, at));
            extras.taker_buy_volume.push(value(&taker, at));
            extras.taker_buy_quote_volume.push(value(&taker_quote, at));
            let count = value(&trades, at);
            extras.trades.push(if count >= 0.0 { count as i64 } else { TRADES_UNKNOWN });
            if !is_whole {
                let text = format!("the bar of {}", Time::from_micros(times[at]));
                into.unread.push(Unread { place: self.row, has_time: true, text });
            }
        }
        bars.open_time.extend(times);
        Ok(())
    }

    /// Microseconds of a column of timestamps, dates or whole numbers.
    fn times(&mut self, column: &ArrayRef) -> Result<Vec<i64>, FeedError> {
        let is_counted = column.data_type().is_integer();
        let micros = match is_counted {
            true => cast(column, &DataType::Int64),
            false => cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)).and_then(|it| cast(&it, &DataType::Int64)),
        };
        let micros = micros.map_err(|error| damaged(&self.path, &error))?;
        let micros: &Int64Array = micros.as_primitive();
        let row = self.row;
        (0..micros.len())
            .map(|at| {
                let place = || format!("row {}", row + 1 + u32::try_from(at).unwrap_or(u32::MAX));
                let wrong = |text: String, why: String| FeedError::instant(&self.path, place(), text.as_bytes(), why);
                if micros.is_null(at) {
                    return Err(wrong(String::new(), "is absent".to_owned()));
                }
                let value = micros.value(at);
                if is_counted {
                    let text = value.to_string();
                    return self.instants.read(text.as_bytes()).map_err(|why| wrong(text, why));
                }
                if value >= self.expected.before.micros() {
                    let year = 1970 + value / 31_556_952_000_000;
                    return Err(wrong(value.to_string(), format!("would be in the year {year}")));
                }
                Ok(value)
            })
            .collect()
    }
}

impl BarSource for ArrowFile {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let until = into.len() + rows;
        while into.len() < until {
            let (batch, start) = match self.open.take() {
                Some(open) => open,
                None => match self.reader.next() {
                    Some(batch) => (batch.map_err(|error| damaged(&self.path, &error))?, 0),
                    None if self.row == 0 => return Err(FeedError::Empty(self.path.clone())),
                    None => return Ok(false),
                },
            };
            let (before, is_first) = (into.len(), self.row == 0);
            self.take(&batch, start, until - before, into)?;
            let end = start + into.len() - before;
            self.read += batch.slice(start, end - start).get_array_memory_size() as u64;
            if end < batch.num_rows() {
                self.open = Some((batch, end));
            }
            let expected = self.expected.interval;
            if let Some(found) = other_interval(&into.rows.bars.open_time, expected).filter(|_| is_first) {
                let place = "in its first rows".to_owned();
                return Err(FeedError::Interval { path: self.path.clone(), place, found: found.span(), expected });
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.read
    }

    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError> {
        hash(&self.path, HashKind::for_file(&self.path)).map(Some)
    }
}

/// Where the columns stand, by their names.
fn layout_of(schema: &Schema) -> Result<Layout, String> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let layout = Layout::of_header(names.join(",").as_bytes())?;
    for at in layout.prices {
        let field = schema.field(at);
        if !field.data_type().is_numeric() {
            return Err(format!("the column {} holds {}, not numbers", field.name(), field.data_type()));
        }
    }
    let time = schema.field(layout.time);
    let is_time = time.data_type().is_integer() || time.data_type().is_temporal();
    if is_time { Ok(layout) } else { Err(format!("the column {} holds {}, not times", time.name(), time.data_type())) }
}

fn floats(column: &ArrayRef) -> Result<Float64Array, ArrowError> {
    Ok(cast(column, &DataType::Float64)?.as_primitive().clone())
}

fn damaged(path: &Path, error: &ArrowError) -> FeedError {
    FeedError::Arrow { path: path.to_owned(), why: error.to_string() }
}
