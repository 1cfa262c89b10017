//! The record of a run as Parquet tables, and the manifest beside them.
//!
//! Money, prices and quantities are decimal128(38, 18), times are timestamp[us, UTC], names are text: any tool reads them. The
//! same rows give the same bytes.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::domain::money::{MONEY_SCALE, PRICE_SCALE, QTY_SCALE};
use crate::domain::{ClientOrderId, Money, OrderKind, Price, Qty, Side, Size, Symbol, Target, Time, decimal::pow10};
use crate::telemetry::record::{Decision, EquityRow, FillRow, OrderRow, Records, RefusalRow};

/// Version of the tables' columns.
pub const SCHEMA_VERSION: &str = "1";
const PRECISION: u8 = 38;

/// What turns the rows' indices into names.
struct Names {
    symbols: Vec<String>,
    features: Vec<String>,
}

/// A table encoded as a file.
#[derive(Debug)]
pub struct Encoded {
    pub name: &'static str,
    pub rows: usize,
    pub bytes: Vec<u8>,
}

/// Encodes the tables of a record as its rows come, so that a long run holds its record packed.
///
/// The bytes depend on how the rows were divided; the caller divides the same run always alike.
pub struct Tables {
    names: Names,
    decisions: Encoder,
    orders: Encoder,
    refusals: Encoder,
    fills: Encoder,
    equity: Encoder,
}

impl Tables {
    /// Tables for rows of these symbols, with a column for each feature of a decision.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn new(symbols: &[Symbol], features: &[String]) -> Result<Self, ParquetError> {
        let names = Names { symbols: symbols.iter().map(ToString::to_string).collect(), features: features.to_vec() };
        Ok(Self {
            decisions: Encoder::new("decisions.parquet", &decisions(&[], &names))?,
            orders: Encoder::new("orders.parquet", &orders(&[], &names))?,
            refusals: Encoder::new("refusals.parquet", &refusals(&[], &names))?,
            fills: Encoder::new("fills.parquet", &fills(&[], &names))?,
            equity: Encoder::new("equity.parquet", &equity(&[]))?,
            names,
        })
    }

    /// # Errors
    /// What the encoder says.
    pub fn append(&mut self, records: &Records) -> Result<(), ParquetError> {
        self.decisions.append(decisions(&records.decisions, &self.names))?;
        self.orders.append(orders(&records.orders, &self.names))?;
        self.refusals.append(refusals(&records.refusals, &self.names))?;
        self.fills.append(fills(&records.fills, &self.names))?;
        self.equity.append(equity(&records.equity))
    }

    /// Every table; an empty one is a file with no rows.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn finish(self) -> Result<Vec<Encoded>, ParquetError> {
        [self.decisions, self.orders, self.refusals, self.fills, self.equity].into_iter().map(Encoder::finish).collect()
    }
}

/// Every table of a record as it stands before it becomes a file, with its name.
#[must_use]
pub fn batches(records: &Records, symbols: &[Symbol], features: &[String]) -> Vec<(&'static str, RecordBatch)> {
    let names = Names { symbols: symbols.iter().map(ToString::to_string).collect(), features: features.to_vec() };
    vec![
        ("decisions", decisions(&records.decisions, &names).batch()),
        ("orders", orders(&records.orders, &names).batch()),
        ("refusals", refusals(&records.refusals, &names).batch()),
        ("fills", fills(&records.fills, &names).batch()),
        ("equity", equity(&records.equity).batch()),
    ]
}

/// One table on its way.
struct Encoder {
    name: &'static str,
    rows: usize,
    writer: ArrowWriter<Vec<u8>>,
}

impl Encoder {
    fn new(name: &'static str, empty: &Table) -> Result<Self, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_created_by("tidegate record".to_owned())
            // Money hardly ever repeats; names do, and ask for a dictionary below.
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_key_value_metadata(Some(vec![KeyValue::new("tidegate.schema".to_owned(), SCHEMA_VERSION.to_owned())]));
        for column in &empty.repeating {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), true);
        }
        let schema = Arc::new(Schema::new(empty.fields.clone()));
        Ok(Self { name, rows: 0, writer: ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))? })
    }

    fn append(&mut self, table: Table) -> Result<(), ParquetError> {
        if table.rows == 0 {
            return Ok(());
        }
        self.rows += table.rows;
        self.writer.write(&table.batch())
    }

    fn finish(mut self) -> Result<Encoded, ParquetError> {
        self.writer.append_key_value_metadata(KeyValue::new("tidegate.rows".to_owned(), self.rows.to_string()));
        Ok(Encoded { name: self.name, rows: self.rows, bytes: self.writer.into_inner()? })
    }
}

/// Columns gathered one by one.
struct Table {
    rows: usize,
    /// Text columns of few distinct values.
    repeating: Vec<String>,
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Table {
    const fn new(rows: usize) -> Self {
        Self { rows, repeating: Vec::new(), fields: Vec::new(), columns: Vec::new() }
    }

    fn batch(self) -> RecordBatch {
        let schema = Arc::new(Schema::new(self.fields));
        RecordBatch::try_new(schema, self.columns).expect("every column has a value for each row")
    }

    fn add(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.columns.push(array);
        self
    }

    /// A column of few distinct texts.
    fn text<T: AsRef<str>>(mut self, name: &str, values: impl Iterator<Item = Option<T>>) -> Self {
        self.repeating.push(name.to_owned());
        self.add(name, Arc::new(values.collect::<StringArray>()))
    }

    fn ids(self, name: &str, values: impl Iterator<Item = ClientOrderId>) -> Self {
        let mut ids = StringBuilder::with_capacity(self.rows, self.rows * 28);
        for id in values {
            // Writing to memory cannot fail; an empty value ends the text written so far.
            let _ = write!(ids, "{id}");
            ids.append_value("");
        }
        self.add(name, Arc::new(ids.finish()))
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
}

fn decisions(rows: &[Decision], names: &Names) -> Table {
    let symbols = &names.symbols;
    let mut table = Table::new(rows.len())
        .time("at", rows.iter().map(|r| Some(r.at)))
        .text("symbol", rows.iter().map(|r| symbols.get(r.symbol.at())))
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

fn orders(rows: &[OrderRow], names: &Names) -> Table {
    let symbols = &names.symbols;
    Table::new(rows.len())
        .ids("client_order_id", rows.iter().map(|r| r.intent.id))
        .time("decided_at", rows.iter().map(|r| Some(r.intent.decided_at)))
        .text("symbol", rows.iter().map(|r| symbols.get(r.intent.symbol.at())))
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
        .text("denied_code", rows.iter().map(|r| r.denied.as_ref().map(crate::risk::Refusal::code)))
        .text("rejected_reason", rows.iter().map(|r| r.rejected.map(crate::domain::RejectReason::name)))
}

fn refusals(rows: &[RefusalRow], names: &Names) -> Table {
    let symbols = &names.symbols;
    Table::new(rows.len())
        .ids("client_order_id", rows.iter().map(|r| r.order))
        .time("at", rows.iter().map(|r| Some(r.at)))
        .text("symbol", rows.iter().map(|r| symbols.get(r.symbol.at())))
        .text("code", rows.iter().map(|r| Some(r.refusal.code())))
        .text("observed", rows.iter().map(|r| Some(r.refusal.numbers().0)))
        .text("allowed", rows.iter().map(|r| Some(r.refusal.numbers().1)))
}

fn fills(rows: &[FillRow], names: &Names) -> Table {
    let symbols = &names.symbols;
    Table::new(rows.len())
        .time("at", rows.iter().map(|r| Some(r.fill.at)))
        .ids("client_order_id", rows.iter().map(|r| r.fill.order))
        .text("symbol", rows.iter().map(|r| symbols.get(r.fill.symbol.at())))
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
