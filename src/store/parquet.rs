//! Bars as Parquet, column by column: no row is ever assembled.
//!
//! Times are delta-packed. Prices are split into byte streams before zstd: the high bytes of neighbouring prices are alike and
//! nearly vanish, the low ones are stored as they are, which reads twice as fast as any layout that is smaller. What was measured,
//! and why prices are no decimals: `docs/layout.md`.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::column::reader::get_typed_column_reader;
use ::parquet::column::writer::ColumnWriterImpl;
use ::parquet::data_type::{DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{KeyValue, RowGroupMetaData};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::{ChunkReader, FileReader, RowGroupReader};
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::file::statistics::Statistics;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::{ColumnPath, Type};

use crate::domain::{Projection, Rows, TRADES_UNKNOWN};

/// Rows that a reader must take at once; whole groups are passed over by their statistics.
pub const GROUP_ROWS: usize = 131_072;
/// Levels 1 to 3 give prices the same size once their bytes are split; 1 is the quickest.
const ZSTD_LEVEL: i32 = 1;
const SCHEMA_VERSION: &str = "1";

static SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| {
    let text = "message bars {
        required int64 open_time (TIMESTAMP(MICROS, true));
        required double open;
        required double high;
        required double low;
        required double close;
        required double volume;
        optional double quote_volume;
        optional int64 trades;
        optional double taker_buy_volume;
        optional double taker_buy_quote_volume;
    }";
    Arc::new(parse_message_type(text).expect("the schema of bars is well-formed"))
});

const COLUMNS: [&str; 10] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
];

fn properties(rows: usize) -> Arc<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let mut builder = WriterProperties::builder()
        // Constant, so that the same bars give the same bytes.
        .set_created_by("tidegate lake".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // One page a column and group: every page costs a reader more than its header.
        .set_data_page_row_count_limit(GROUP_ROWS)
        .set_data_page_size_limit(GROUP_ROWS * 16)
        .set_write_batch_size(16_384)
        .set_key_value_metadata(Some(vec![
            KeyValue::new("tidegate.schema".to_owned(), SCHEMA_VERSION.to_owned()),
            KeyValue::new("tidegate.rows".to_owned(), rows.to_string()),
        ]));
    for name in COLUMNS {
        let is_whole = matches!(name, "open_time" | "trades");
        let encoding = if is_whole { Encoding::DELTA_BINARY_PACKED } else { Encoding::BYTE_STREAM_SPLIT };
        builder = builder.set_column_encoding(ColumnPath::from(name), encoding);
    }
    Arc::new(builder.build())
}

/// Writes the bars of `range` as one file.
///
/// # Errors
/// What the sink says.
pub fn write<W: Write + Send>(sink: W, rows: &Rows, range: Range<usize>) -> Result<W, ParquetError> {
    let mut writer = SerializedFileWriter::new(sink, SCHEMA.clone(), properties(range.len()))?;
    let mut from = range.start;
    while from < range.end {
        let to = (from + GROUP_ROWS).min(range.end);
        write_group(writer.next_row_group()?, rows, from..to)?;
        from = to;
    }
    writer.into_inner()
}

fn write_group<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    rows: &Rows,
    range: Range<usize>,
) -> Result<(), ParquetError> {
    let (bars, extras) = (&rows.bars, &rows.extras);
    column::<Int64Type, _>(&mut group, |w| w.write_batch(&bars.open_time[range.clone()], None, None))?;
    for values in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
        column::<DoubleType, _>(&mut group, |w| w.write_batch(&values[range.clone()], None, None))?;
    }
    let float = |group: &mut SerializedRowGroupWriter<'_, W>, values: &[f64]| {
        let (known, levels) = split_known(&values[range.clone()], |value| !value.is_nan());
        column::<DoubleType, _>(group, |w| w.write_batch(&known, Some(&levels), None))
    };
    float(&mut group, &extras.quote_volume)?;
    let (known, levels) = split_known(&extras.trades[range.clone()], |count| *count != TRADES_UNKNOWN);
    column::<Int64Type, _>(&mut group, |w| w.write_batch(&known, Some(&levels), None))?;
    float(&mut group, &extras.taker_buy_volume)?;
    float(&mut group, &extras.taker_buy_quote_volume)?;
    group.close().map(drop)
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    write: impl FnOnce(&mut ColumnWriterImpl<'_, T>) -> Result<usize, ParquetError>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("the schema has a column for each that is written");
    write(column.typed::<T>())?;
    column.close()
}

/// The known values, and for each row whether it has one.
fn split_known<T: Copy>(values: &[T], is_known: impl Fn(&T) -> bool) -> (Cow<'_, [T]>, Vec<i16>) {
    if values.iter().all(&is_known) {
        return (Cow::Borrowed(values), vec![1; values.len()]);
    }
    let levels = values.iter().map(|value| i16::from(is_known(value))).collect();
    (values.iter().copied().filter(|value| is_known(value)).collect(), levels)
}

/// Appends the bars of a file whose times lie in `times`, in the file's order; columns not asked for stay as they are.
///
/// # Errors
/// When the file is no Parquet file of bars.
pub fn read<R: ChunkReader + 'static>(
    file: R,
    columns: Projection,
    times: &Range<i64>,
    into: &mut Rows,
) -> Result<(), ParquetError> {
    let file = SerializedFileReader::new(file)?;
    check_schema(&file)?;
    for at in 0..file.num_row_groups() {
        let group = file.get_row_group(at)?;
        let covered = time_range(group.metadata())?;
        if covered.start < times.end && times.start < covered.end {
            let start = into.bars.open_time.len();
            read_group(&*group, columns, into)?;
            if covered.start < times.start || covered.end > times.end {
                cut(into, columns, start, times);
            }
        }
    }
    Ok(())
}

fn check_schema(file: &dyn FileReader) -> Result<(), ParquetError> {
    let found = file.metadata().file_metadata().schema_descr();
    let is_ours = found.num_columns() == COLUMNS.len() && found.columns().iter().zip(COLUMNS).all(|(c, name)| c.name() == name);
    if is_ours { Ok(()) } else { Err(ParquetError::General("its columns are not those of bars".to_owned())) }
}

fn time_range(group: &RowGroupMetaData) -> Result<Range<i64>, ParquetError> {
    match group.column(0).statistics() {
        Some(Statistics::Int64(s)) => match (s.min_opt(), s.max_opt()) {
            (Some(&min), Some(&max)) => Ok(min..max + 1),
            _ => Err(ParquetError::General("it does not say which times it covers".to_owned())),
        },
        _ => Err(ParquetError::General("it does not say which times it covers".to_owned())),
    }
}

fn read_group(group: &dyn RowGroupReader, columns: Projection, into: &mut Rows) -> Result<(), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let (bars, extras) = (&mut into.bars, &mut into.extras);
    required::<Int64Type>(group, 0, rows, &mut bars.open_time)?;
    let floats = [
        (Projection::OPEN, &mut bars.open),
        (Projection::HIGH, &mut bars.high),
        (Projection::LOW, &mut bars.low),
        (Projection::CLOSE, &mut bars.close),
        (Projection::VOLUME, &mut bars.volume),
    ];
    for (at, (wanted, values)) in floats.into_iter().enumerate() {
        if columns.has(wanted) {
            required::<DoubleType>(group, at + 1, rows, values)?;
        }
    }
    if columns.has_extras() {
        optional::<DoubleType>(group, 6, rows, &f64::NAN, &mut extras.quote_volume)?;
        optional::<Int64Type>(group, 7, rows, &TRADES_UNKNOWN, &mut extras.trades)?;
        optional::<DoubleType>(group, 8, rows, &f64::NAN, &mut extras.taker_buy_volume)?;
        optional::<DoubleType>(group, 9, rows, &f64::NAN, &mut extras.taker_buy_quote_volume)?;
    }
    Ok(())
}

fn required<T: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    rows: usize,
    into: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let mut left = rows;
    while left > 0 {
        let (records, _, _) = reader.read_records(left, None, None, into)?;
        if records == 0 {
            return Err(ParquetError::General(format!("{} ends {left} rows too early", COLUMNS[column])));
        }
        left -= records;
    }
    Ok(())
}

fn optional<T: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    rows: usize,
    unknown: &T::T,
    into: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let (mut known, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    while levels.len() < rows {
        let (records, _, _) = reader.read_records(rows - levels.len(), Some(&mut levels), None, &mut known)?;
        if records == 0 {
            return Err(ParquetError::General(format!("{} ends {} rows too early", COLUMNS[column], rows - levels.len())));
        }
    }
    let mut known = known.into_iter();
    into.extend(levels.iter().map(|level| match level {
        0 => unknown.clone(),
        _ => known.next().unwrap_or_else(|| unknown.clone()),
    }));
    Ok(())
}

/// Keeps of the rows from `start` on those whose time lies in `times`; they are ascending.
fn cut(rows: &mut Rows, columns: Projection, start: usize, times: &Range<i64>) {
    let read = &rows.bars.open_time[start..];
    let from = start + read.partition_point(|&time| time < times.start);
    let to = start + read.partition_point(|&time| time < times.end);
    fn keep<T>(values: &mut Vec<T>, start: usize, from: usize, to: usize) {
        values.truncate(to);
        values.drain(start..from);
    }
    let (bars, extras) = (&mut rows.bars, &mut rows.extras);
    keep(&mut bars.open_time, start, from, to);
    let floats = [
        (Projection::OPEN, &mut bars.open),
        (Projection::HIGH, &mut bars.high),
        (Projection::LOW, &mut bars.low),
        (Projection::CLOSE, &mut bars.close),
        (Projection::VOLUME, &mut bars.volume),
    ];
    for (wanted, values) in floats {
        if columns.has(wanted) {
            keep(values, start, from, to);
        }
    }
    if columns.has_extras() {
        keep(&mut extras.quote_volume, start, from, to);
        keep(&mut extras.trades, start, from, to);
        keep(&mut extras.taker_buy_volume, start, from, to);
        keep(&mut extras.taker_buy_quote_volume, start, from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, Columns, Time};

    fn rows(len: i64) -> Rows {
        let bar = |at: i64| Bar {
            open_time: Time::from_millis(at * 60_000),
            open: 100.0 + at as f64,
            high: 101.5 + at as f64,
            low: 99.25 + at as f64,
            close: 100.5 + at as f64,
            volume: at as f64 / 7.0,
        };
        let mut rows = Rows::from((0..len).map(bar).collect::<Columns>());
        rows.extras.trades[1] = 12;
        rows.extras.quote_volume[2] = 0.5;
        rows
    }

    fn bytes(rows: &Rows) -> Vec<u8> {
        write(Vec::new(), rows, 0..rows.len()).unwrap()
    }

    fn file(content: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn what_is_written_is_read() {
        let written = rows(GROUP_ROWS as i64 + 5);
        let mut found = Rows::default();
        read(file(&bytes(&written)), Projection::ALL, &(i64::MIN..i64::MAX), &mut found).unwrap();
        assert_eq!(found.bars, written.bars);
        assert_eq!(found.extras.trades, written.extras.trades);
        assert!(found.extras.quote_volume[0].is_nan() && found.extras.quote_volume[2] == 0.5);
    }

    #[test]
    fn only_the_asked_times_and_columns_are_read() {
        let written = rows(GROUP_ROWS as i64 + 5);
        let mut found = Rows::default();
        let times = 3 * 60_000_000..(GROUP_ROWS as i64 + 2) * 60_000_000;
        read(file(&bytes(&written)), Projection::CLOSE, &times, &mut found).unwrap();
        assert_eq!(found.bars.close, written.bars.close[3..GROUP_ROWS + 2]);
        assert_eq!(found.bars.open_time.len(), found.bars.close.len());
        assert!(found.bars.open.is_empty() && found.extras.trades.is_empty());
    }

    /// LAKE-5.
    #[test]
    fn the_same_bars_give_the_same_bytes() {
        assert_eq!(bytes(&rows(1000)), bytes(&rows(1000)));
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let content = bytes(&rows(1000));
        for len in [0, 3, 100, content.len() - 1] {
            let mut found = Rows::default();
            assert!(read(file(&content[..len]), Projection::ALL, &(i64::MIN..i64::MAX), &mut found).is_err(), "{len}");
        }
    }
}
