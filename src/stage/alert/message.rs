//! Alerts in words: which notices people are told of, how severe each is, and what it says.

use serde::{Deserialize, Serialize};

use super::config::Severity;
use crate::domain::{Symbol, Time};
use crate::notify::Message;
use crate::risk::{Refusal, Trip};
use crate::telemetry::event::symbol_name;
use crate::telemetry::record::Notice;

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
    /// Particulars, in the order they are shown.
    pub fields: Vec<(String, String)>,
}

impl Alert {
    /// The alert that `notice` deserves. `symbols` are those of the pipeline, in its order.
    #[must_use]
    pub fn of(notice: &Notice, symbols: &[Symbol]) -> Self {
        let name = |index| symbol_name(symbols, index);
        match *notice {
            Notice::Killed { trip, had_position } => killed(&trip, had_position),
            Notice::OrderDenied { order, symbol, at, refusal } => {
                denied(&name(symbol), at, &refusal).with("order", order.to_string())
            }
            Notice::OrderRejected { order, symbol, at, reason } => {
                let symbol = name(symbol);
                let title = format!("the venue rejected an order of {symbol}");
                Self::new(format!("order-rejected/{symbol}/{}", reason.name()), Severity::Warning, title, at)
                    .saying("The venue would not take an order that our own gate had approved.")
                    .with("symbol", symbol)
                    .with("reason", reason.name().to_owned())
                    .with("order", order.to_string())
            }
            Notice::BarGap { symbol, at, missing } => {
                let symbol = name(symbol);
                Self::new(format!("bar-gap/{symbol}"), Severity::Warning, format!("bars of {symbol} are missing"), at)
                    .saying("The model saw a hole in its input.")
                    .with("symbol", symbol)
                    .with("missing", missing.to_string())
            }
            Notice::Dust { symbol, at, qty } => {
                let symbol = name(symbol);
                let title = format!("a rest of {symbol} cannot be sold");
                Self::new(format!("dust/{symbol}"), Severity::Info, title, at)
                    .saying("What is left of the position is below what the venue trades.")
                    .with("symbol", symbol)
                    .with("quantity", qty.to_string())
            }
        }
    }

    fn new(key: String, severity: Severity, title: String, at: Time) -> Self {
        Self { key, severity, title, text: String::new(), at, fields: Vec::new() }
    }

    fn saying(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.fields.push((name.to_owned(), value));
        self
    }

    /// What receivers are given.
    #[must_use]
    pub fn to_message(&self) -> Message {
        Message {
            severity: self.severity,
            title: self.title.clone(),
            text: self.text.clone(),
            fields: self.fields.clone(),
            at: self.at,
        }
    }
}

fn killed(trip: &Trip, had_position: bool) -> Alert {
    let cause = trip.cause.name();
    let until = match trip.paused_until {
        Some(until) => format!("No new exposure before {until}."),
        None => "Trading is halted until a person resumes it.".to_owned(),
    };
    let position = match (had_position, trip.flatten) {
        (false, _) => "There is no position.",
        (true, true) => "The position is being closed.",
        (true, false) => "The position stays open.",
    };
    Alert::new(format!("kill/{cause}"), Severity::Critical, format!("kill switch tripped: {cause}"), trip.at)
        .saying(&format!("{until} {position}"))
        .with("drawdown", format!("{:.2} %", 100.0 * trip.drawdown()))
        .with("equity", format!("{:.2}", trip.equity))
        .with("high_water_mark", format!("{:.2}", trip.high_water_mark))
}

fn denied(symbol: &str, at: Time, refusal: &Refusal) -> Alert {
    let code = refusal.code();
    let (seen, allowed) = refusal.numbers();
    Alert::new(format!("order-denied/{symbol}/{code}"), denial_severity(refusal), format!("order of {symbol} denied: {code}"), at)
        .saying("The risk gate refused an order before it left.")
        .with("symbol", symbol.to_owned())
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
        | Refusal::RepeatedOrders { .. } => Severity::Warning,
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
    use crate::domain::{ClientOrderId, Money, SymbolIndex};
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
        assert_eq!(alert.text, "Trading is halted until a person resumes it. The position is being closed.");
        assert_eq!(alert.fields[0], ("drawdown".to_owned(), "3.00 %".to_owned()));
    }

    #[test]
    fn denials_of_one_kind_have_one_key() {
        let symbols = ["BTC/USDT".parse().unwrap()];
        let (first, second) = (Alert::of(&denial(1), &symbols), Alert::of(&denial(2), &symbols));
        assert_eq!(first.key, "order-denied/BTC/USDT/max-total-notional");
        assert_eq!(first.key, second.key);
        assert_ne!(first.fields, second.fields, "the particulars name the order");
    }
}
