//! Notices of the desk as sentences for people: how grave, which key joins repeats, what happened.

use serde_json::json;

use crate::domain::{Symbol, SymbolIndex, Time};
use crate::stage::alert::config::Severity;
use crate::telemetry::record::Notice;

/// A notice told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at: Time,
    pub severity: Severity,
    /// Notices with one key are one matter.
    pub key: String,
    pub title: String,
    pub text: String,
}

/// Tells one notice.
#[must_use]
pub fn tell(notice: &Notice, symbols: &[Symbol]) -> Told {
    let name = |index: SymbolIndex| symbols.get(index.at()).map_or_else(|| format!("symbol {}", index.0), ToString::to_string);
    let told = |at, severity, key: String, title: &str, text: String| Told { at, severity, key, title: title.to_owned(), text };
    match *notice {
        Notice::Killed { trip, had_position } => {
            let then = match (trip.paused_until, trip.flatten && had_position) {
                (Some(until), true) => format!("paused until {until}, positions are being closed"),
                (Some(until), false) => format!("paused until {until}"),
                (None, true) => "halted until a person resumes, positions are being closed".to_owned(),
                (None, false) => "halted until a person resumes".to_owned(),
            };
            let text = format!(
                "equity {:.2} is {:.2} % below the high-water mark {:.2}; {then}",
                trip.equity,
                trip.drawdown() * 100.0,
                trip.high_water_mark
            );
            told(trip.at, Severity::Critical, format!("kill/{}", trip.cause.name()), "kill switch: drawdown limit reached", text)
        }
        Notice::OrderDenied { order, symbol, at, refusal } => {
            let key = format!("denied/{}/{}", name(symbol), refusal.code());
            told(at, Severity::Warning, key, "order denied by the risk gate", format!("{} {order}: {refusal}", name(symbol)))
        }
        Notice::OrderRejected { order, symbol, at, reason } => {
            let key = format!("rejected/{}/{}", name(symbol), reason.name());
            told(
                at,
                Severity::Warning,
                key,
                "order rejected by the venue",
                format!("{} {order}: {}", name(symbol), reason.name()),
            )
        }
        Notice::BarGap { symbol, at, missing } => {
            let text = format!("{}: {missing} bars are missing before {at}", name(symbol));
            told(at, Severity::Warning, format!("gap/{}", name(symbol)), "bars are missing", text)
        }
        Notice::Dust { symbol, at, qty } => {
            let text = format!("{}: {qty} is left and too small to sell; it counts as flat", name(symbol));
            told(at, Severity::Info, format!("dust/{}", name(symbol)), "a rest is too small to sell", text)
        }
    }
}

/// Every notice as a line of JSON: `alerts.jsonl`.
#[must_use]
pub fn lines(notices: &[Notice], symbols: &[Symbol]) -> String {
    let line = |notice| {
        let Told { at, severity, key, title, text } = tell(notice, symbols);
        format!("{}\n", json!({ "at": at.to_string(), "severity": severity, "key": key, "title": title, "text": text }))
    };
    notices.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_its_symbol_and_its_numbers() {
        let at: Time = "2026-03-02".parse().unwrap();
        let notice = Notice::BarGap { symbol: SymbolIndex(0), at, missing: 3 };
        let told = tell(&notice, &["BTC/USDT".parse().unwrap()]);
        assert_eq!(told.text, "BTC/USDT: 3 bars are missing before 2026-03-02T00:00:00Z");
        assert_eq!(told.key, "gap/BTC/USDT");
        let line = lines(&[notice], &["BTC/USDT".parse().unwrap()]);
        assert!(line.ends_with("}\n") && line.contains("\"severity\":\"warning\""), "{line}");
    }
}
