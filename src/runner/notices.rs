//! Notices of the desk as lines of the record, `alerts.jsonl`; and what a broken contract has people told.

use crate::domain::{Symbol, Time};
use crate::stage::alert::Alert;
use crate::stage::ingest::task::Ingested;
use crate::telemetry::record::Notice;

/// Every notice as the alert it makes, one JSON object a line. `symbols` are those of the pipeline, in its order.
#[must_use]
pub fn lines(notices: &[Notice], symbols: &[Symbol]) -> String {
    let line = |notice| serde_json::to_string(&Alert::of(notice, symbols)).expect("an alert is text by text");
    notices.iter().map(|notice| line(notice) + "\n").collect()
}

/// The alerts that bars deserve which break their contract: one for each way in which a series does.
#[must_use]
pub fn broken(ingested: &Ingested, at: Time) -> Vec<Alert> {
    let of = |series: &crate::domain::Series, breach: &crate::stage::ingest::Breach| {
        Alert::ingest_failed(&series.to_string(), breach.code(), &breach.to_string(), at)
    };
    let series = ingested.series.iter();
    series.flat_map(|report| report.verdict.breaches.iter().map(|breach| of(&report.series, breach))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SymbolIndex;

    #[test]
    fn a_line_names_its_symbol_and_its_numbers() {
        let notice = Notice::BarGap { symbol: SymbolIndex(0), at: "2026-03-02".parse().unwrap(), missing: 3 };
        let text = lines(&[notice, notice], &["BTC/USDT".parse().unwrap()]);
        assert_eq!(text.lines().count(), 2);
        let first = text.lines().next().unwrap();
        assert!(first.contains("\"key\":\"gap/BTC/USDT\"") && first.contains("\"severity\":\"warning\""), "{first}");
    }
}
