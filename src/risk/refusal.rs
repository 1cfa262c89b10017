//! Why an order was denied: one variant a check, with the numbers that decided.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Brief, Fraction, Money, Price, Qty, Span};

use super::halt::HaltCause;

/// One check's no. Codes are stable: people filter and alert on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    Halted {
        cause: HaltCause,
    },
    Paused,
    SymbolNotAllowed,
    StaleData {
        age: Span,
        max: Span,
    },
    DataGap {
        bars_since: u32,
        window: u32,
    },
    UnknownOrderOpen {
        orders: u32,
    },
    NotReconciled,
    DuplicateIntent {
        since: Span,
        window: Span,
    },
    PriceCollar {
        price: Price,
        reference: Price,
        max: Fraction,
    },
    ReferenceMoved {
        from: Price,
        to: Price,
        max: Fraction,
    },
    LotOrTick {
        qty: Qty,
        step: Qty,
        price: Option<Price>,
        tick: Price,
    },
    MinNotional {
        notional: Money,
        min: Money,
    },
    MaxNotionalPerOrder {
        notional: Money,
        max: Money,
    },
    MaxPositionNotional {
        would_be: Money,
        max: Money,
    },
    MaxTotalNotional {
        would_be: Money,
        max: Money,
    },
    MaxDailyTurnover {
        would_be: Money,
        max: Money,
    },
    MaxParticipation {
        qty: Qty,
        max: Qty,
    },
    MaxOpenOrders {
        open: u32,
        max: u32,
    },
    MaxOrdersPerMinute {
        sent: u32,
        max: u32,
    },
    MaxOrdersPerDay {
        sent: u32,
        max: u32,
    },
    RepeatedOrders {
        in_a_row: u32,
        max: u32,
    },
    InsufficientBalance {
        needed: Money,
        available: Money,
    },
    PositionTooSmall {
        qty: Qty,
        available: Qty,
    },
    /// The venue would refuse it: its own name of the rule, and both numbers.
    VenueRule {
        rule: Brief,
        found: Brief,
        allowed: Brief,
    },
}

impl Refusal {
    /// The code as it stands in records, metrics and alerts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Halted { .. } => "halted",
            Self::Paused => "paused",
            Self::SymbolNotAllowed => "symbol-not-allowed",
            Self::StaleData { .. } => "stale-data",
            Self::DataGap { .. } => "data-gap",
            Self::UnknownOrderOpen { .. } => "unknown-order-open",
            Self::NotReconciled => "not-reconciled",
            Self::DuplicateIntent { .. } => "duplicate-intent",
            Self::PriceCollar { .. } => "price-collar",
            Self::ReferenceMoved { .. } => "reference-moved",
            Self::LotOrTick { .. } => "lot-or-tick",
            Self::MinNotional { .. } => "min-notional",
            Self::MaxNotionalPerOrder { .. } => "max-notional-per-order",
            Self::MaxPositionNotional { .. } => "max-position-notional",
            Self::MaxTotalNotional { .. } => "max-total-notional",
            Self::MaxDailyTurnover { .. } => "max-daily-turnover",
            Self::MaxParticipation { .. } => "max-participation",
            Self::MaxOpenOrders { .. } => "max-open-orders",
            Self::MaxOrdersPerMinute { .. } => "max-orders-per-minute",
            Self::MaxOrdersPerDay { .. } => "max-orders-per-day",
            Self::RepeatedOrders { .. } => "repeated-orders",
            Self::InsufficientBalance { .. } | Self::PositionTooSmall { .. } => "insufficient-balance",
            Self::VenueRule { .. } => "venue-rule",
        }
    }

    /// What was seen and what was allowed, as text with their own units.
    #[must_use]
    pub fn numbers(&self) -> (String, String) {
        let text = |a: &dyn fmt::Display, b: &dyn fmt::Display| (a.to_string(), b.to_string());
        match self {
            Self::Halted { cause } => text(&cause.name(), &"no halt"),
            Self::Paused => text(&"paused", &"active"),
            Self::SymbolNotAllowed => text(&"not listed", &"risk.symbols"),
            Self::StaleData { age, max } => text(age, max),
            Self::DataGap { bars_since, window } => (format!("{bars_since} bars since a hole"), format!("{window} bars")),
            Self::UnknownOrderOpen { orders } => text(orders, &0),
            Self::NotReconciled => text(&"not reconciled", &"reconciled"),
            Self::DuplicateIntent { since, window } => text(since, window),
            Self::PriceCollar { price, reference, max } => (price.to_string(), format!("within {max} of {reference}")),
            Self::ReferenceMoved { from, to, max } => (format!("{from} to {to}"), format!("within {max}")),
            Self::LotOrTick { qty, step, price, tick } => match price {
                Some(price) => (format!("{qty} at {price}"), format!("steps of {step}, ticks of {tick}")),
                None => (qty.to_string(), format!("steps of {step}")),
            },
            Self::MinNotional { notional, min } => text(notional, min),
            Self::MaxNotionalPerOrder { notional, max } => text(notional, max),
            Self::MaxPositionNotional { would_be, max }
            | Self::MaxTotalNotional { would_be, max }
            | Self::MaxDailyTurnover { would_be, max } => text(would_be, max),
            Self::MaxParticipation { qty, max } => text(qty, max),
            Self::MaxOpenOrders { open, max } => text(open, max),
            Self::MaxOrdersPerMinute { sent, max } | Self::MaxOrdersPerDay { sent, max } => text(sent, max),
            Self::RepeatedOrders { in_a_row, max } => text(in_a_row, max),
            Self::InsufficientBalance { needed, available } => text(needed, available),
            Self::PositionTooSmall { qty, available } => text(qty, available),
            Self::VenueRule { rule, found, allowed } => (format!("{rule} {found}"), allowed.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seen, allowed) = self.numbers();
        write!(f, "{}: {seen}, allowed {allowed}", self.code())
    }
}

/// Every check that said no, in the order of the checks; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// `None` when no check refused.
    pub(super) fn new(refusals: Vec<Refusal>) -> Option<Self> {
        (!refusals.is_empty()).then_some(Self(refusals))
    }

    /// The first refusal: what people are told.
    #[must_use]
    pub fn headline(&self) -> &Refusal {
        &self.0[0]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One refusal of each kind, with what people read of it.
    fn told() -> Vec<(Refusal, &'static str)> {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let price = |text: &str| text.parse::<Price>().unwrap();
        let qty = |text: &str| text.parse::<Qty>().unwrap();
        let max = Fraction::from_f64(0.01).unwrap();
        let (age, span) = (Span::from_secs(7260), Span::from_secs(7200));
        let (step, tick) = (qty("0.001"), price("0.5"));
        vec![
            (Refusal::Halted { cause: HaltCause::Operator }, "halted: operator, allowed no halt"),
            (Refusal::Paused, "paused: paused, allowed active"),
            (Refusal::SymbolNotAllowed, "symbol-not-allowed: not listed, allowed risk.symbols"),
            (Refusal::StaleData { age, max: span }, "stale-data: 121m, allowed 2h"),
            (Refusal::DataGap { bars_since: 3, window: 26 }, "data-gap: 3 bars since a hole, allowed 26 bars"),
            (Refusal::UnknownOrderOpen { orders: 2 }, "unknown-order-open: 2, allowed 0"),
            (Refusal::NotReconciled, "not-reconciled: not reconciled, allowed reconciled"),
            (Refusal::DuplicateIntent { since: age, window: span }, "duplicate-intent: 121m, allowed 2h"),
            (
                Refusal::PriceCollar { price: price("98"), reference: price("100"), max },
                "price-collar: 98, allowed within 0.01 of 100",
            ),
            (
                Refusal::ReferenceMoved { from: price("100"), to: price("98"), max },
                "reference-moved: 100 to 98, allowed within 0.01",
            ),
            (Refusal::LotOrTick { qty: qty("0.0015"), step, price: None, tick }, "lot-or-tick: 0.0015, allowed steps of 0.001"),
            (
                Refusal::LotOrTick { qty: qty("0.0015"), step, price: Some(price("98.7")), tick },
                "lot-or-tick: 0.0015 at 98.7, allowed steps of 0.001, ticks of 0.5",
            ),
            (Refusal::MinNotional { notional: money("4"), min: money("5") }, "min-notional: 4, allowed 5"),
            (Refusal::MaxNotionalPerOrder { notional: money("60"), max: money("50") }, "max-notional-per-order: 60, allowed 50"),
            (
                Refusal::MaxPositionNotional { would_be: money("101"), max: money("100") },
                "max-position-notional: 101, allowed 100",
            ),
            (Refusal::MaxTotalNotional { would_be: money("201"), max: money("200") }, "max-total-notional: 201, allowed 200"),
            (Refusal::MaxDailyTurnover { would_be: money("1001"), max: money("1000") }, "max-daily-turnover: 1001, allowed 1000"),
            (Refusal::MaxParticipation { qty: qty("2"), max: qty("1.5") }, "max-participation: 2, allowed 1.5"),
            (Refusal::MaxOpenOrders { open: 5, max: 4 }, "max-open-orders: 5, allowed 4"),
            (Refusal::MaxOrdersPerMinute { sent: 11, max: 10 }, "max-orders-per-minute: 11, allowed 10"),
            (Refusal::MaxOrdersPerDay { sent: 201, max: 200 }, "max-orders-per-day: 201, allowed 200"),
            (Refusal::RepeatedOrders { in_a_row: 6, max: 5 }, "repeated-orders: 6, allowed 5"),
            (
                Refusal::InsufficientBalance { needed: money("50.05"), available: money("50") },
                "insufficient-balance: 50.05, allowed 50",
            ),
            (Refusal::PositionTooSmall { qty: qty("2"), available: qty("1") }, "insufficient-balance: 2, allowed 1"),
        ]
    }

    #[test]
    fn a_refusal_says_what_was_seen_and_what_is_allowed() {
        for (refusal, text) in told() {
            assert_eq!(refusal.to_string(), text);
        }
    }

    #[test]
    fn a_code_in_records_is_the_code_that_is_told() {
        for (refusal, _) in told() {
            let written = serde_json::to_value(refusal).unwrap()["code"].clone();
            // To people it is the same no, whether money or the position is too small.
            let expected = if written == "position-too-small" { "insufficient-balance".into() } else { written };
            assert_eq!(expected, refusal.code());
        }
    }

    #[test]
    fn refusals_are_never_none_and_keep_their_order() {
        assert_eq!(Refusals::new(Vec::new()), None);
        let refusals = Refusals::new(vec![Refusal::Paused, Refusal::NotReconciled]).unwrap();
        assert_eq!(refusals.headline(), &Refusal::Paused);
        assert!(refusals.iter().eq(&[Refusal::Paused, Refusal::NotReconciled]));
    }
}
