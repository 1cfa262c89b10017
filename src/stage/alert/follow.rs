//! Rows of the journal's log as words for the outbox: what happened becomes an alert, or ends one.

use super::message::Alert;
use crate::domain::{Symbol, Time};
use crate::store::journal::LogRow;
use crate::store::outbox::{Raise, Word};
use crate::telemetry::record::Notice;
use crate::venue::router::Alarm;

/// The kind of a row that holds an alert, whole.
pub const ALERT: &str = "alert";
/// Kinds of rows that people may have to hear of.
pub const KINDS: [&str; 5] = ["notice", "alarm", ALERT, "resume", "unlatched"];

/// What a row says to the outbox; nothing where nobody has to hear of it. `symbols` are those of the row's run.
#[must_use]
pub fn words(row: &LogRow, symbols: &[Symbol], news_from: Time) -> Vec<Word> {
    let raise = |alert: Alert| {
        let is_news = alert.at >= news_from;
        let source = format!("log {}", row.sequence);
        is_news.then(|| Word::Raise(Raise { source, ..alert.to_raise() }))
    };
    match row.kind.as_str() {
        "notice" => read::<Notice>(row).and_then(|notice| raise(Alert::of(&notice, symbols))).into_iter().collect(),
        "alarm" => match read::<Alarm>(row) {
            Some(Alarm::Resolved { id, .. }) => ["orders/unknown", "orders/unresolved"]
                .map(|key| Word::Settle { key: key.to_owned(), part: Some(id.to_string()) })
                .into(),
            Some(alarm) => raise(Alert::of_alarm(&alarm, row.at)).into_iter().collect(),
            None => Vec::new(),
        },
        ALERT => read::<Alert>(row).and_then(raise).into_iter().collect(),
        // A person lets trading go on: every kill is over.
        "resume" | "unlatched" => {
            vec![Word::SettleAll { prefix: "kill/" }, Word::SettleAll { prefix: "orders/halted" }]
        }
        _ => Vec::new(),
    }
}

/// A row of a newer program says nothing to us.
fn read<T: serde::de::DeserializeOwned>(row: &LogRow) -> Option<T> {
    serde_json::from_str(&row.body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClientOrderId, OrderState, SymbolIndex};
    use crate::store::journal::Hash;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn row(kind: &str, body: &impl serde::Serialize) -> LogRow {
        let body = serde_json::to_string(body).unwrap();
        LogRow { sequence: 9, at: at("2026-03-02T10:00"), run: None, kind: kind.to_owned(), body, hash: Hash([0; 32]) }
    }

    fn said(row: &LogRow) -> Vec<Word> {
        words(row, &["BTC/USDT".parse().unwrap()], at("2026-03-02T09:00"))
    }

    #[test]
    fn news_becomes_alerts_and_history_does_not() {
        let gap = |hour: &str| Notice::BarGap { symbol: SymbolIndex(0), at: at(hour), missing: 1 };
        let words = said(&row("notice", &gap("2026-03-02T09:30")));
        let [Word::Raise(raise)] = words.as_slice() else { panic!("{words:?}") };
        assert_eq!((raise.key.as_str(), raise.source.as_str(), raise.at), ("gap/BTC/USDT", "log 9", at("2026-03-02T09:30")));
        assert!(said(&row("notice", &gap("2026-03-02T08:59"))).is_empty());
        assert!(said(&row("decision", &1)).is_empty() && said(&row("notice", &1)).is_empty());
    }

    #[test]
    fn orders_that_are_known_again_and_a_person_who_resumes_end_alerts() {
        let id = ClientOrderId { scope: 1, bar: at("2026-03-02"), sequence: 1 };
        let unknown = said(&row("alarm", &Alarm::Unknown { id, why: "lost".to_owned() }));
        let [Word::Raise(raise)] = unknown.as_slice() else { panic!("{unknown:?}") };
        assert_eq!((raise.lasts, raise.part.clone()), (true, Some(id.to_string())));
        let over = said(&row("alarm", &Alarm::Resolved { id, state: OrderState::Filled }));
        assert_eq!(over[0], Word::Settle { key: raise.key.clone(), part: raise.part.clone() });
        assert_eq!(said(&row("resume", &1))[0], Word::SettleAll { prefix: "kill/" });
    }
}
