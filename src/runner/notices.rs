//! Notices of the desk as lines of the record: `alerts.jsonl`.

use crate::domain::Symbol;
use crate::stage::alert::Alert;
use crate::telemetry::record::Notice;

/// Every notice as the alert it makes, one JSON object a line. `symbols` are those of the pipeline, in its order.
#[must_use]
pub fn lines(notices: &[Notice], symbols: &[Symbol]) -> String {
    let line = |notice| serde_json::to_string(&Alert::of(notice, symbols)).expect("an alert is text by text");
    notices.iter().map(|notice| line(notice) + "\n").collect()
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
