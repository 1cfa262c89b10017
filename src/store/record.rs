//! The record of a run as Parquet tables, and the manifest beside them.
//!
//! Money, prices and quantities are decimal128(38, 18), times are timestamp[us, UTC], names are text: any tool reads them. The
//! same rows give the same bytes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::domain::money::{MONEY_SCALE, PRICE_SCALE, QTY_SCALE};
use crate::domain::{Money, OrderKind, Price, Qty, Side, Size, Symbol, SymbolIndex, Target, Time, decimal::pow10};
use crate::telemetry::record::{Decision, EquityRow, FillRow, OrderRow, Records, RefusalRow};

/// Version of the tables' columns.
pub const SCHEMA_VERSION: &str = "1";
const PRECISION: u8 = 38;

/// What turns the rows' indices into names.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub symbols: &'a [Symbol],
    pub features: &'a [&'a str],
}

impl Names<'_> {
    fn symbol(&self, index: SymbolIndex) -> String {
        self.symbols.get(index.at()).map_or_else(String::new, ToString::to_string)
    }
}

/// A table encoded as a file.
#[derive(Debug)]
pub struct Encoded {
    pub name: &'static str,
    pub rows: usize,
    pub bytes: Vec<u8>,
}

/// Encodes every table of a record; an empty table is a file with no rows.
///
/// # Errors
/// What the encoder says.
pub fn encode(records: &Records, names: Names<'_>) -> Result<Vec<Encoded>, ParquetError> {
    TABLES.iter().map(|(name, gather)| encode_table(name, &gather(records, names).batch())).collect()
}

/// Every table of a record as it stands before it becomes a file, with its name.
pub fn tables<'a>(records: &'a Records, names: Names<'a>) -> impl Iterator<Item = (&'static str, RecordBatch)> {
    TABLES.iter().map(move |(name, gather)| (name.strip_suffix(".parquet").unwrap_or(name), gather(records, names).batch()))
}

type Gather = fn(&Records, Names<'_>) -> Table;

/// A record's tables by file.
const TABLES: [(&str, Gather); 5] = [
    ("decisions.parquet", |records, names| decisions(&records.decisions, names)),
    ("orders.parquet", |records, names| orders(&records.orders, names)),
    ("refusals.parquet", |records, names| refusals(&records.refusals, names)),
    ("fills.parquet", |records, names| fills(&records.fills, names)),
    ("equity.parquet", |records, _| equity(&records.equity)),
];

fn encode_table(name: &'static str, batch: &RecordBatch) -> Result<Encoded, ParquetError> {
    let rows = batch.num_rows();
    let properties = WriterProperties::builder()
        .set_created_by("tidegate record".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_key_value_metadata(Some(vec![
            KeyValue::new("tidegate.schema".to_owned(), SCHEMA_VERSION.to_owned()),
            KeyValue::new("tidegate.rows".to_owned(), rows.to_string()),
        ]))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(Encoded { name, rows, bytes })
}

/// Columns gathered one by one.
struct Table {
    rows: usize,
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Table {
    const fn new(rows: usize) -> Self {
        Self { rows, fields: Vec::new(), columns: Vec::new() }
    }

    fn add(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.columns.push(array);
        self
    }

    fn text<T: AsRef<str>>(self, name: &str, values: impl Iterator<Item = Option<T>>) -> Self {
        self.add(name, Arc::new(values.collect::<StringArray>()))
    }

    fn float(self, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        self.add(name, Arc::new(values.collect::<Float64Array>()))
    }

    fn time(self, name: &str, values: impl Iterator<Item = Option<Time>>) -> Self {
        let array = values.map(|time| time.map(Time::micros)).collect::<TimestampMicrosecondArray>();
        self.add(name, Arc::new(array.with_timezone("UTC")))
    }

    fn decimal(self, name: &str, scale: u32, counts: impl Iterator<Item = Option<i128>>) -> Self {
        let factor = pow10(MONEY_SCALE - scale);
        let array = counts.map(|count| count.map(|c| c * factor)).collect::<Decimal128Array>();
        let typed = array.with_precision_and_scale(PRECISION, MONEY_SCALE as i8).expect("38 digits hold 18 decimals");
        self.add(name, Arc::new(typed))
    }

    fn money(self, name: &str, values: impl Iterator<Item = Option<Money>>) -> Self {
        self.decimal(name, MONEY_SCALE, values.map(|v| v.map(Money::count)))
    }

    fn price(self, name: &str, values: impl Iterator<Item = Option<Price>>) -> Self {
        self.decimal(name, PRICE_SCALE, values.map(|v| v.map(Price::count)))
    }

    fn qty(self, name: &str, values: impl Iterator<Item = Option<Qty>>) -> Self {
        self.decimal(name, QTY_SCALE, values.map(|v| v.map(Qty::count)))
    }

    fn batch(self) -> RecordBatch {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(self.fields)), self.columns, &options)
            .expect("every column has one value a row, of the type of its field")
    }
}

fn decisions(rows: &[Decision], names: Names<'_>) -> Table {
    let mut table = Table::new(rows.len())
        .time("at", rows.iter().map(|r| Some(r.at)))
        .text("symbol", rows.iter().map(|r| Some(names.symbol(r.symbol))))
        .float("close", rows.iter().map(|r| Some(r.close)))
        .float("prediction", rows.iter().map(|r| Some(r.prediction)))
        .text("target", rows.iter().map(|r| Some(r.target.name())))
        .money(
            "target_notional",
            rows.iter().map(|r| match r.target {
                Target::Long { notional } => Some(notional),
                Target::Flat | Target::Hold => None,
            }),
        )
        .text("trading_state", rows.iter().map(|r| Some(r.state.name())));
    for (k, feature) in names.features.iter().enumerate() {
        table = table.float(feature, rows.iter().map(|r| r.features[k]));
    }
    table
}

fn orders(rows: &[OrderRow], names: Names<'_>) -> Table {
    Table::new(rows.len())
        .text("client_order_id", rows.iter().map(|r| Some(r.intent.id.to_string())))
        .time("decided_at", rows.iter().map(|r| Some(r.intent.decided_at)))
        .text("symbol", rows.iter().map(|r| Some(names.symbol(r.intent.symbol))))
        .text("side", rows.iter().map(|r| Some(r.intent.side.name())))
        .text("kind", rows.iter().map(|r| Some(r.intent.kind.name())))
        .text("purpose", rows.iter().map(|r| Some(r.intent.purpose.name())))
        .qty("qty", rows.iter().map(|r| if let Size::Base(qty) = r.intent.size { Some(qty) } else { None }))
        .money("quote_qty", rows.iter().map(|r| if let Size::Quote(amount) = r.intent.size { Some(amount) } else { None }))
        .price("limit_price", rows.iter().map(|r| r.intent.kind.limit_price()))
        .time(
            "expires_at",
            rows.iter().map(|r| match r.intent.kind {
                OrderKind::Limit { expires_at, .. } => Some(expires_at),
                OrderKind::Market => None,
            }),
        )
        .price("reference_price", rows.iter().map(|r| Some(r.intent.reference)))
        .money("notional", rows.iter().map(|r| Some(r.intent.notional())))
        .text("state", rows.iter().map(|r| Some(r.state.name())))
        .time("ended_at", rows.iter().map(|r| r.ended_at))
        .qty("filled_qty", rows.iter().map(|r| Some(r.filled_qty)))
        .money("filled_notional", rows.iter().map(|r| Some(r.filled_notional)))
        .money("fee", rows.iter().map(|r| Some(r.fees)))
        .text("denied_code", rows.iter().map(|r| r.denied.as_ref().map(|refusal| refusal.code())))
        .text("rejected_reason", rows.iter().map(|r| r.rejected.map(crate::domain::RejectReason::name)))
}

fn refusals(rows: &[RefusalRow], names: Names<'_>) -> Table {
    Table::new(rows.len())
        .text("client_order_id", rows.iter().map(|r| Some(r.order.to_string())))
        .time("at", rows.iter().map(|r| Some(r.at)))
        .text("symbol", rows.iter().map(|r| Some(names.symbol(r.symbol))))
        .text("code", rows.iter().map(|r| Some(r.refusal.code())))
        .text("observed", rows.iter().map(|r| Some(r.refusal.numbers().0)))
        .text("allowed", rows.iter().map(|r| Some(r.refusal.numbers().1)))
}

fn fills(rows: &[FillRow], names: Names<'_>) -> Table {
    Table::new(rows.len())
        .time("at", rows.iter().map(|r| Some(r.fill.at)))
        .text("client_order_id", rows.iter().map(|r| Some(r.fill.order.to_string())))
        .text("symbol", rows.iter().map(|r| Some(names.symbol(r.fill.symbol))))
        .text("side", rows.iter().map(|r| Some(Side::name(r.fill.side))))
        .text("purpose", rows.iter().map(|r| Some(r.fill.purpose.name())))
        .qty("qty", rows.iter().map(|r| Some(r.fill.qty)))
        .price("price", rows.iter().map(|r| Some(r.fill.price)))
        .price("reference_price", rows.iter().map(|r| Some(r.fill.reference)))
        .money("notional", rows.iter().map(|r| Some(r.fill.notional())))
        .money("fee", rows.iter().map(|r| Some(r.fill.fee)))
        .text("liquidity", rows.iter().map(|r| Some(r.fill.liquidity.name())))
        .money("cash_after", rows.iter().map(|r| Some(r.cash_after)))
        .qty("position_after", rows.iter().map(|r| Some(r.position_after)))
}

fn equity(rows: &[EquityRow]) -> Table {
    Table::new(rows.len())
        .time("at", rows.iter().map(|r| Some(r.at)))
        .money("equity", rows.iter().map(|r| Some(r.equity)))
        .money("cash", rows.iter().map(|r| Some(r.cash)))
        .money("exposure", rows.iter().map(|r| Some(r.exposure)))
        .money("day_high_water_mark", rows.iter().map(|r| Some(r.day_high_water_mark)))
        .text("trading_state", rows.iter().map(|r| Some(r.state.name())))
}
