//! Every limit by its name: what it means, what it is counted on, and how it is lowered.

use super::limits::Limits;
use crate::domain::{Fraction, Money, Span};

/// A limit of `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitKey {
    NotionalPerOrder,
    PositionNotional,
    TotalNotional,
    DailyTurnover,
    DdDaily,
    DdWeekly,
    LatencyThreshold,
    OrdersPerMinute,
    OrdersPerDay,
    OpenOrders,
    Participation,
    PriceCollar,
}

/// A limit's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    Money(Money),
    Fraction(Fraction),
    Span(Span),
    Count(u32),
}

impl Amount {
    /// For display and for shares of it.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Money(amount) => amount.to_f64(),
            Self::Fraction(part) => part.to_f64(),
            Self::Span(span) => span.as_secs_f64(),
            Self::Count(count) => f64::from(count),
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Money(amount) => amount.fmt(f),
            Self::Fraction(part) => part.fmt(f),
            Self::Span(span) => span.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

/// A limit was not lowered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LowerError {
    #[error("\"{text}\" is no value of {name}: it wants {wants}")]
    NotValue { name: &'static str, text: String, wants: &'static str },
    #[error("{name} is {now}, and {wanted} is not below it")]
    NotBelow { name: &'static str, now: String, wanted: String },
}

impl LimitKey {
    pub const ALL: [Self; 12] = [
        Self::NotionalPerOrder,
        Self::PositionNotional,
        Self::TotalNotional,
        Self::DailyTurnover,
        Self::DdDaily,
        Self::DdWeekly,
        Self::LatencyThreshold,
        Self::OrdersPerMinute,
        Self::OrdersPerDay,
        Self::OpenOrders,
        Self::Participation,
        Self::PriceCollar,
    ];

    /// Its name in `[limits]`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotionalPerOrder => "max_notional_per_order",
            Self::PositionNotional => "max_position_notional",
            Self::TotalNotional => "max_total_notional",
            Self::DailyTurnover => "max_daily_turnover",
            Self::DdDaily => "max_dd_daily",
            Self::DdWeekly => "max_dd_weekly",
            Self::LatencyThreshold => "latency_threshold",
            Self::OrdersPerMinute => "max_orders_per_minute",
            Self::OrdersPerDay => "max_orders_per_day",
            Self::OpenOrders => "max_open_orders",
            Self::Participation => "max_participation",
            Self::PriceCollar => "price_collar",
        }
    }

    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// What it is counted on.
    #[must_use]
    pub const fn basis(self) -> &'static str {
        match self {
            Self::NotionalPerOrder => "one order that adds exposure, price times quantity",
            Self::PositionNotional => "position and open orders of one symbol at worst case",
            Self::TotalNotional => "positions and open orders of all symbols at worst case",
            Self::DailyTurnover => "both sides of all fills since 00:00 UTC",
            Self::DdDaily => "equity at closes, fees paid, from the UTC day's high",
            Self::DdWeekly => "equity at closes, fees paid, from the ISO week's high",
            Self::LatencyThreshold => "order round trips, a window in a row",
            Self::OrdersPerMinute => "orders sent in the last minute",
            Self::OrdersPerDay => "orders sent since 00:00 UTC",
            Self::OpenOrders => "orders at the venue that have not ended",
            Self::Participation => "share of the last closed bar's volume",
            Self::PriceCollar => "distance of a price from the last close",
        }
    }

    /// What happens when it is reached.
    #[must_use]
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::DdDaily | Self::DdWeekly => "kill",
            Self::LatencyThreshold => "pause",
            _ => "denied",
        }
    }

    #[must_use]
    pub const fn get(self, limits: &Limits) -> Amount {
        match self {
            Self::NotionalPerOrder => Amount::Money(limits.max_notional_per_order),
            Self::PositionNotional => Amount::Money(limits.max_position_notional),
            Self::TotalNotional => Amount::Money(limits.max_total_notional),
            Self::DailyTurnover => Amount::Money(limits.max_daily_turnover),
            Self::DdDaily => Amount::Fraction(limits.max_dd_daily),
            Self::DdWeekly => Amount::Fraction(limits.max_dd_weekly),
            Self::LatencyThreshold => Amount::Span(limits.latency_threshold),
            Self::OrdersPerMinute => Amount::Count(limits.max_orders_per_minute),
            Self::OrdersPerDay => Amount::Count(limits.max_orders_per_day),
            Self::OpenOrders => Amount::Count(limits.max_open_orders),
            Self::Participation => Amount::Fraction(limits.max_participation),
            Self::PriceCollar => Amount::Fraction(limits.price_collar),
        }
    }

    const fn wants(self) -> &'static str {
        match self {
            Self::NotionalPerOrder | Self::PositionNotional | Self::TotalNotional | Self::DailyTurnover => {
                "an amount of money, like 50"
            }
            Self::DdDaily | Self::DdWeekly | Self::Participation | Self::PriceCollar => "a fraction, like 0.02",
            Self::LatencyThreshold => "a time with its unit, like 300ms",
            Self::OrdersPerMinute | Self::OrdersPerDay | Self::OpenOrders => "a whole number",
        }
    }

    /// Reads a value of this limit.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(self, text: &str) -> Result<Amount, LowerError> {
        let wrong = || LowerError::NotValue { name: self.name(), text: text.to_owned(), wants: self.wants() };
        let amount = match self {
            Self::NotionalPerOrder | Self::PositionNotional | Self::TotalNotional | Self::DailyTurnover => {
                let amount: Money = text.parse().map_err(|_| wrong())?;
                (amount >= Money::ZERO).then_some(Amount::Money(amount))
            }
            Self::DdDaily | Self::DdWeekly | Self::Participation | Self::PriceCollar => {
                text.parse::<f64>().ok().and_then(Fraction::from_f64).map(Amount::Fraction)
            }
            Self::LatencyThreshold => text.parse().ok().map(Amount::Span),
            Self::OrdersPerMinute | Self::OrdersPerDay | Self::OpenOrders => text.parse().ok().map(Amount::Count),
        };
        amount.ok_or_else(wrong)
    }

    /// Takes the limit down to `wanted`, and leaves it where it is when that is not below.
    ///
    /// # Errors
    /// When `wanted` is not below what the limit is, or of another kind.
    pub fn lower(self, limits: &mut Limits, wanted: Amount) -> Result<(), LowerError> {
        let now = self.get(limits);
        let is_below = match (wanted, now) {
            (Amount::Money(a), Amount::Money(b)) => a < b,
            (Amount::Fraction(a), Amount::Fraction(b)) => a < b,
            (Amount::Span(a), Amount::Span(b)) => a < b,
            (Amount::Count(a), Amount::Count(b)) => a < b,
            _ => false,
        };
        if !is_below {
            return Err(LowerError::NotBelow { name: self.name(), now: now.to_string(), wanted: wanted.to_string() });
        }
        match (self, wanted) {
            (Self::NotionalPerOrder, Amount::Money(value)) => limits.max_notional_per_order = value,
            (Self::PositionNotional, Amount::Money(value)) => limits.max_position_notional = value,
            (Self::TotalNotional, Amount::Money(value)) => limits.max_total_notional = value,
            (Self::DailyTurnover, Amount::Money(value)) => limits.max_daily_turnover = value,
            (Self::DdDaily, Amount::Fraction(value)) => limits.max_dd_daily = value,
            (Self::DdWeekly, Amount::Fraction(value)) => limits.max_dd_weekly = value,
            (Self::LatencyThreshold, Amount::Span(value)) => limits.latency_threshold = value,
            (Self::OrdersPerMinute, Amount::Count(value)) => limits.max_orders_per_minute = value,
            (Self::OrdersPerDay, Amount::Count(value)) => limits.max_orders_per_day = value,
            (Self::OpenOrders, Amount::Count(value)) => limits.max_open_orders = value,
            (Self::Participation, Amount::Fraction(value)) => limits.max_participation = value,
            (Self::PriceCollar, Amount::Fraction(value)) => limits.price_collar = value,
            _ => unreachable!("a value below another is of its kind"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::testing::limits;

    #[test]
    fn every_limit_is_lowered_and_never_raised() {
        for (key, below, same) in [
            (LimitKey::NotionalPerOrder, "49.99", "50"),
            (LimitKey::PositionNotional, "0", "100"),
            (LimitKey::TotalNotional, "199", "200"),
            (LimitKey::DailyTurnover, "1", "1000"),
            (LimitKey::DdDaily, "0.02", "0.03"),
            (LimitKey::DdWeekly, "0.02", "0.05"),
            (LimitKey::LatencyThreshold, "300ms", "500ms"),
            (LimitKey::OrdersPerMinute, "9", "10"),
            (LimitKey::OrdersPerDay, "0", "200"),
            (LimitKey::OpenOrders, "1", "4"),
            (LimitKey::Participation, "0.001", "0.01"),
            (LimitKey::PriceCollar, "0.005", "0.01"),
        ] {
            let mut lowered = limits();
            key.lower(&mut lowered, key.parse(below).unwrap()).unwrap();
            assert_eq!(key.get(&lowered), key.parse(below).unwrap(), "{}", key.name());
            let others = LimitKey::ALL.into_iter().filter(|other| *other != key);
            others.for_each(|other| assert_eq!(other.get(&lowered), other.get(&limits()), "{}", other.name()));
            assert!(key.lower(&mut limits(), key.parse(same).unwrap()).is_err(), "{}", key.name());
            assert!(key.lower(&mut lowered.clone(), key.parse(same).unwrap()).is_err(), "{}", key.name());
            assert_eq!(LimitKey::of(key.name()), Some(key));
        }
        assert_eq!(LimitKey::of("currency"), None);
    }

    #[test]
    fn what_is_no_value_is_told_with_what_is_wanted() {
        for (key, text) in [
            (LimitKey::NotionalPerOrder, "-1"),
            (LimitKey::DdDaily, "3"),
            (LimitKey::DdDaily, "nan"),
            (LimitKey::LatencyThreshold, "300"),
            (LimitKey::OpenOrders, "1.5"),
        ] {
            let error = key.parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("\"{text}\" is no value of {}", key.name())), "{error}");
        }
    }
}
