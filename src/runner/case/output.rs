//! What a step puts out, as tables of text: what goldens are compared with.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use serde::Serialize;

use super::sheet::{Form, Sheet};
use crate::domain::{Money, Series, Symbol, Time};
use crate::stage::alert::{Alert, AlertConfig, routing};
use crate::store::record::batches;
use crate::telemetry::record::Records;

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    Alerts,
    Orders,
    Refusals,
    Fills,
    Equity,
    Decisions,
    Quarantine,
    Summary,
}

impl Output {
    pub const ALL: [Self; 8] =
        [Self::Alerts, Self::Orders, Self::Refusals, Self::Fills, Self::Equity, Self::Decisions, Self::Quarantine, Self::Summary];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Orders => "orders",
            Self::Refusals => "refusals",
            Self::Fills => "fills",
            Self::Equity => "equity",
            Self::Decisions => "decisions",
            Self::Quarantine => "quarantine",
            Self::Summary => "summary",
        }
    }

    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::Alerts | Self::Summary => Form::Lines,
            _ => Form::Csv,
        }
    }

    /// The columns by which its rows are matched; none where a row has no other name than itself.
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &["decided_at", "symbol", "side"],
            Self::Fills => &["at", "symbol", "side"],
            Self::Refusals => &["at", "symbol", "code"],
            Self::Decisions => &["at", "symbol"],
            Self::Equity => &["at"],
            Self::Quarantine => &["file", "row"],
            Self::Alerts | Self::Summary => &[],
        }
    }

    /// Its columns, for a model with these features.
    #[must_use]
    pub fn columns(self, features: &[String]) -> Vec<String> {
        match self {
            Self::Alerts | Self::Summary => Sheet::lines([]).columns,
            Self::Quarantine => QUARANTINE.map(str::to_owned).to_vec(),
            _ => of_records(&Records::default(), &[], features).remove(&self).unwrap_or_default().columns,
        }
    }
}

const QUARANTINE: [&str; 6] = ["symbol", "file", "row", "open_time", "reason", "detail"];

/// The tables of the record, in the record's own columns.
#[must_use]
pub fn of_records(records: &Records, symbols: &[Symbol], features: &[String]) -> BTreeMap<Output, Sheet> {
    let named = |name: &str| Output::ALL.into_iter().find(|output| output.name() == name);
    batches(records, symbols, features).into_iter().filter_map(|(name, batch)| Some((named(name)?, sheet(&batch)))).collect()
}

fn sheet(batch: &RecordBatch) -> Sheet {
    let columns = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let row = |at: usize| batch.columns().iter().map(|column| cell(column.as_ref(), at)).collect();
    Sheet { columns, rows: (0..batch.num_rows()).map(row).collect() }
}

/// A value as a person would write it; nothing where there is none.
fn cell(column: &dyn Array, at: usize) -> String {
    if column.is_null(at) {
        return String::new();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).to_owned(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(at).to_string(),
        DataType::Decimal128(_, _) => Money::from_count(column.as_primitive::<Decimal128Type>().value(at)).to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Time::from_micros(column.as_primitive::<TimestampMicrosecondType>().value(at)).to_string()
        }
        other => unreachable!("a record has no column of the type {other}"),
    }
}

/// The alerts that go out, one a line: when, how grave, which, to whom, what.
#[must_use]
pub fn of_alerts(alerts: &[Alert], config: &AlertConfig) -> Sheet {
    let line = |alert: &Alert| {
        let receivers = routing::receivers(&config.routes, alert.severity).join(", ");
        let to = if receivers.is_empty() { "nobody" } else { &receivers };
        let Alert { at, severity, key, title, text, .. } = alert;
        format!("{at} {} {key} -> {to}: {title}: {text}", severity.name())
    };
    Sheet::lines(alerts.iter().map(line))
}

/// Gathers refused rows from the files that quarantine wrote.
#[derive(Debug)]
pub struct Quarantined(Sheet);

impl Default for Quarantined {
    fn default() -> Self {
        Self(Sheet { columns: Output::Quarantine.columns(&[]), rows: Vec::new() })
    }
}

impl Quarantined {
    /// Adds the rows of one file: `from` is the quarantine's, `file` the one that the rows came from.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn add(&mut self, series: &Series, file: &str, from: &Path) -> Result<(), std::io::Error> {
        let text = std::fs::read_to_string(from)?;
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let symbol: &Symbol = series.symbol();
            let cells = [
                symbol.to_string(),
                file.to_owned(),
                row["place"].to_string(),
                text("open_time"),
                text("reason"),
                text("detail"),
            ];
            self.0.rows.push(cells.to_vec());
        }
        Ok(())
    }

    #[must_use]
    pub fn into_sheet(self) -> Sheet {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SymbolIndex;
    use crate::risk::TradingState;
    use crate::telemetry::record::{Decision, EquityRow};

    #[test]
    fn every_output_has_the_columns_that_match_its_rows() {
        for output in Output::ALL {
            let columns = output.columns(&["ema_fast".to_owned()]);
            assert!(output.keys().iter().all(|key| columns.iter().any(|column| column == key)), "{output:?}");
        }
        assert!(Output::Decisions.columns(&["ema_fast".to_owned()]).contains(&"ema_fast".to_owned()));
    }

    #[test]
    fn cells_read_as_people_write_them() {
        let at: Time = "2026-03-29T01:00:00Z".parse().unwrap();
        let amount = |text: &str| text.parse::<Money>().unwrap();
        let row = EquityRow {
            at,
            equity: amount("1000.50"),
            cash: amount("950"),
            exposure: amount("50.5"),
            day_high_water_mark: amount("1000.5"),
            state: TradingState::Active,
        };
        let target = crate::domain::Target::Hold;
        let features = [Some(0.1), None, None, None];
        let decision =
            Decision { at, symbol: SymbolIndex(0), close: 3.0, prediction: 0.0, target, features, state: TradingState::Active };
        let records = Records { equity: vec![row], decisions: vec![decision], ..Records::default() };
        let symbols = ["BTC/USDT".parse().unwrap()];
        let sheets = of_records(&records, &symbols, &["a", "b"].map(str::to_owned));
        assert_eq!(sheets[&Output::Equity].rows, [["2026-03-29T01:00:00Z", "1000.5", "950", "50.5", "1000.5", "active"]]);
        assert_eq!(
            sheets[&Output::Decisions].rows,
            [["2026-03-29T01:00:00Z", "BTC/USDT", "3", "0", "hold", "", "active", "0.1", ""]]
        );
    }
}
