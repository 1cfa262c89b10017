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
