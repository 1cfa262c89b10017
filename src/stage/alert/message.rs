//! Alerts in words: which notices people are told of, how severe each is, and what it says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::Severity;
use crate::domain::{ClientOrderId, Symbol, Time};
use crate::risk::{Refusal, Trip};
use crate::store::outbox::Raise;
use crate::telemetry::event::symbol_name;
use crate::telemetry::record::Notice;
use crate::venue::router::Alarm;

/// Something people are to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Names the kind of trouble and what it concerns; alerts of one key are the same alert.
    pub key: String,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    /// When it happened, in the time of the run.
    pub at: Time,
    /// Particulars by name.
    pub fields: BTreeMap<String, String>,
}

impl Alert {
    /// The alert that `notice` deserves. `symbols` are those of the pipeline, in its order.
    #[must_use]
    pub fn of(notice: &Notice, symbols: &[Symbol]) -> Self {
        let name = |index| symbol_name(symbols, index);
        match *notice {
            Notice::Killed { trip, had_position } => killed(&trip, had_position),
            Notice::OrderDenied { order, symbol, at, refusal } => denied(&name(symbol), at, &refusal, order),
            Notice::OrderRejected { order, symbol, at, reason } => {
                let (symbol, reason) = (name(symbol), reason.name());
                Self::new(format!("rejected/{symbol}/{reason}"), Severity::Warning, "order rejected by the venue", at)
                    .saying(format!("{symbol} {order}: {reason}"))
                    .with("symbol", symbol)
                    .with("order", order.to_string())
                    .with("reason", reason.to_owned())
            }
            Notice::BarGap { symbol, at, missing } => {
                let symbol = name(symbol);
                let are = if missing == 1 { "bar is" } else { "bars are" };
                Self::new(format!("gap/{symbol}"), Severity::Warning, "bars are missing", at)
                    .saying(format!("{symbol}: {missing} {are} missing before {at}"))
                    .with("symbol", symbol)
                    .with("missing", missing.to_string())
            }
            Notice::ExcessFill { order, symbol, at, qty } => {
                let symbol = name(symbol);
                Self::new(format!("excess/{symbol}"), Severity::Critical, "the venue filled what was not ordered", at)
                    .saying(format!("{symbol} {order}: {qty} was filled beyond the order or after its end; it is booked"))
                    .with("symbol", symbol)
                    .with("order", order.to_string())
                    .with("quantity", qty.to_string())
            }
            Notice::Dust { symbol, at, qty } => {
                let symbol = name(symbol);
                Self::new(format!("dust/{symbol}"), Severity::Info, "a rest is too small to sell", at)
                    .saying(format!("{symbol}: {qty} is left and too small to sell; it counts as flat"))
                    .with("symbol", symbol)
                    .with("quantity", qty.to_string())
            }
        }
    }

    /// What is wrong on the way to the venue.
    #[must_use]
    pub fn of_alarm(alarm: &Alarm, at: Time) -> Self {
        let (key, title) = alarm.name();
        let severity = if alarm.is_critical() { Severity::Critical } else { Severity::Warning };
        let alert = Self::new(format!("orders/{key}"), severity, title, at).saying(alarm.to_string());
        match alarm {
            Alarm::Unknown { id, .. } | Alarm::Unresolved { id, .. } => alert.with("order", id.to_string()),
            _ => alert,
        }
    }

    /// Bars of `series` cannot be taken in or break their contract; `code` names the way in which they do.
    #[must_use]
    pub fn ingest_failed(series: &str, code: &str, why: &str, at: Time) -> Self {
        Self::new(format!("ingest/{series}/{code}"), Severity::Warning, "ingest failed, nothing is traded", at)
            .saying(format!("{series}: {why}; model and oms are blocked"))
            .with("series", series.to_owned())
            .with("code", code.to_owned())
    }

    /// A run that had orders to look after came to nothing.
    #[must_use]
    pub fn run_failed(why: &str, at: Time) -> Self {
        Self::new("run/failed".to_owned(), Severity::Critical, "a run on a venue failed", at).saying(why.to_owned())
    }

    fn new(key: String, severity: Severity, title: &str, at: Time) -> Self {
        Self { key, severity, title: title.to_owned(), text: String::new(), at, fields: BTreeMap::new() }
    }

    fn saying(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// What the outbox is given.
    #[must_use]
    pub fn to_raise(&self) -> Raise {
        Raise {
            key: self.key.clone(),
            rule: None,
            severity: self.severity,
            title: self.title.clone(),
            text: self.text.clone(),
            fields: self.fields.clone(),
            at: self.at,
            // A pause ends by itself, and says nothing when it does.
            lasts: (is_kill(&self.key) && !self.fields.contains_key(PAUSED_UNTIL))
                || STANDS_BY_ORDER.contains(&self.key.as_str()),
            source: "program".to_owned(),
            part: self.fields.get("order").filter(|_| STANDS_BY_ORDER.contains(&self.key.as_str())).cloned(),
            unresolved: None,
        }
    }
}

const PAUSED_UNTIL: &str = "paused_until";
/// Alerts that stand for each order until that order is known again.
const STANDS_BY_ORDER: [&str; 2] = ["orders/unknown", "orders/unresolved"];

/// Does an alert of this key say that trading was stopped until a person resumes it?
#[must_use]
pub fn is_kill(key: &str) -> bool {
    key.starts_with("kill/") || key == "orders/halted"
}

fn killed(trip: &Trip, had_position: bool) -> Alert {
    let cause = trip.cause.name();
    let until = match trip.paused_until {
        Some(until) => format!("paused until {until}"),
        None => "halted until a person resumes".to_owned(),
    };
    let position = match (had_position, trip.flatten) {
        (false, _) => "",
        (true, true) => ", positions are being closed",
        (true, false) => ", positions stay open",
    };
    let (equity, mark, drawdown) = (trip.equity, trip.high_water_mark, trip.drawdown() * 100.0);
    let alert = Alert::new(format!("kill/{cause}"), Severity::Critical, "kill switch: drawdown limit reached", trip.at)
        .saying(format!("equity {equity:.2} is {drawdown:.2} % below the high-water mark {mark:.2}; {until}{position}"))
        .with("cause", cause.to_owned())
        .with("drawdown", format!("{drawdown:.2} %"))
        .with("equity", format!("{equity:.2}"))
        .with("high_water_mark", format!("{mark:.2}"));
    match trip.paused_until {
        Some(until) => alert.with(PAUSED_UNTIL, until.to_string()),
        None => alert,
    }
}

fn denied(symbol: &str, at: Time, refusal: &Refusal, order: ClientOrderId) -> Alert {
    let code = refusal.code();
    let (seen, allowed) = refusal.numbers();
    Alert::new(format!("denied/{symbol}/{code}"), denial_severity(refusal), "order denied by the risk gate", at)
        .saying(format!("{symbol} {order}: {refusal}"))
        .with("symbol", symbol.to_owned())
        .with("order", order.to_string())
        .with("seen", seen)
        .with("allowed", allowed)
}

/// A full limit is the gate at work; data or state that cannot be trusted needs a person.
fn denial_severity(refusal: &Refusal) -> Severity {
    match refusal {
        Refusal::StaleData { .. }
        | Refusal::DataGap { .. }
        | Refusal::UnknownOrderOpen { .. }
        | Refusal::NotReconciled
        | Refusal::PriceCollar { .. }
        | Refusal::ReferenceMoved { .. }
        | Refusal::RepeatedOrders { .. }
        | Refusal::VenueRule { .. } => Severity::Warning,
        Refusal::Halted { .. }
        | Refusal::Paused
        | Refusal::SymbolNotAllowed
        | Refusal::DuplicateIntent { .. }
        | Refusal::LotOrTick { .. }
        | Refusal::MinNotional { .. }
        | Refusal::MaxNotionalPerOrder { .. }
        | Refusal::MaxPositionNotional { .. }
        | Refusal::MaxTotalNotional { .. }
        | Refusal::MaxDailyTurnover { .. }
        | Refusal::MaxParticipation { .. }
        | Refusal::MaxOpenOrders { .. }
        | Refusal::MaxOrdersPerMinute { .. }
        | Refusal::MaxOrdersPerDay { .. }
        | Refusal::InsufficientBalance { .. }
        | Refusal::PositionTooSmall { .. } => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Money, SymbolIndex};
    use crate::risk::halt::HaltCause;

    fn at() -> Time {
        "2026-03-29T01:00:00Z".parse().unwrap()
    }

    fn denial(sequence: u16) -> Notice {
        let refusal = Refusal::MaxTotalNotional { would_be: "250".parse().unwrap(), max: "200".parse().unwrap() };
        Notice::OrderDenied { order: ClientOrderId { scope: 1, bar: at(), sequence }, symbol: SymbolIndex(0), at: at(), refusal }
    }

    #[test]
    fn a_kill_says_what_happens_next() {
        let amount = |text: &str| text.parse::<Money>().unwrap();
        let (equity, high_water_mark) = (amount("97"), amount("100"));
        let trip = Trip { cause: HaltCause::DrawdownDaily, at: at(), equity, high_water_mark, flatten: true, paused_until: None };
        let alert = Alert::of(&Notice::Killed { trip, had_position: true }, &[]);
        assert_eq!((alert.key.as_str(), alert.severity), ("kill/drawdown-daily", Severity::Critical));
        let then = "halted until a person resumes, positions are being closed";
        assert_eq!(alert.text, format!("equity 97.00 is 3.00 % below the high-water mark 100.00; {then}"));
        assert_eq!(alert.fields["drawdown"], "3.00 %");
    }

    #[test]
    fn a_line_reads_back() {
        let gap = Notice::BarGap { symbol: SymbolIndex(0), at: at(), missing: 3 };
        let alert = Alert::of(&gap, &["BTC/USDT".parse().unwrap()]);
        assert_eq!(alert.text, "BTC/USDT: 3 bars are missing before 2026-03-29T01:00:00Z");
        let line = serde_json::to_string(&alert).unwrap();
        assert!(line.contains(r#""at":"2026-03-29T01:00:00Z""#) && line.contains(r#""missing":"3""#), "{line}");
        assert_eq!(serde_json::from_str::<Alert>(&line).unwrap(), alert);
    }

    /// ALERT-5.
    #[test]
    fn denials_of_one_kind_have_one_key() {
        let symbols = ["BTC/USDT".parse().unwrap()];
        let (first, second) = (Alert::of(&denial(1), &symbols), Alert::of(&denial(2), &symbols));
        assert_eq!(first.key, "denied/BTC/USDT/max-total-notional");
        assert_eq!(first.key, second.key);
        assert_ne!(first.fields, second.fields, "the particulars name the order");
    }
}
