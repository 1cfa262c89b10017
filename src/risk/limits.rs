//! How much is allowed: the limits of a profile and the hard caps compiled in.

use super::catalogue::LimitKey;
use crate::domain::{Fraction, Money, Span};

/// The limits one run obeys, already checked against every cap. There is no "unlimited": zero means nothing is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The notional of one order that adds exposure.
    pub max_notional_per_order: Money,
    /// Position plus open orders of one symbol, at worst case.
    pub max_position_notional: Money,
    /// The same over all symbols.
    pub max_total_notional: Money,
    /// Notional filled in one UTC day, both sides, plus this order.
    pub max_daily_turnover: Money,
    /// Loss of equity from the day's high-water mark that trips the kill switch.
    pub max_dd_daily: Fraction,
    /// Loss of equity from the ISO week's high-water mark that trips the kill switch.
    pub max_dd_weekly: Fraction,
    /// Order round trips above this count toward the latency pause.
    pub latency_threshold: Span,
    pub max_orders_per_minute: u32,
    pub max_orders_per_day: u32,
    pub max_open_orders: u32,
    /// Share of the last closed bar's volume that one order may ask for.
    pub max_participation: Fraction,
    /// Distance of a limit price, or of the expected fill of a market order, from the reference price.
    pub price_collar: Fraction,
}

impl Limits {
    /// Of each limit the tighter one: what a program that runs takes from documents that were edited.
    #[must_use]
    pub fn tightest(&self, other: &Self) -> Self {
        Self {
            max_notional_per_order: self.max_notional_per_order.min(other.max_notional_per_order),
            max_position_notional: self.max_position_notional.min(other.max_position_notional),
            max_total_notional: self.max_total_notional.min(other.max_total_notional),
            max_daily_turnover: self.max_daily_turnover.min(other.max_daily_turnover),
            max_dd_daily: self.max_dd_daily.min(other.max_dd_daily),
            max_dd_weekly: self.max_dd_weekly.min(other.max_dd_weekly),
            latency_threshold: self.latency_threshold.min(other.latency_threshold),
            max_orders_per_minute: self.max_orders_per_minute.min(other.max_orders_per_minute),
            max_orders_per_day: self.max_orders_per_day.min(other.max_orders_per_day),
            max_open_orders: self.max_open_orders.min(other.max_open_orders),
            max_participation: self.max_participation.min(other.max_participation),
            price_collar: self.price_collar.min(other.price_collar),
        }
    }

    /// Where two differ: the limit's name and both values as people write them.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let row = |key: LimitKey| (key.name(), key.get(self).to_string(), key.get(other).to_string());
        LimitKey::ALL.into_iter().map(row).filter(|(_, a, b)| a != b).collect()
    }
}

/// Hard caps no profile can exceed, in the limits' currency and units.
pub mod hard {
    use crate::domain::money::{MONEY_SCALE, Money};
    use crate::domain::{Span, decimal};

    pub const MAX_NOTIONAL_PER_ORDER: Money = Money::from_count(10_000 * decimal::pow10(MONEY_SCALE));
    pub const MAX_TOTAL_NOTIONAL: Money = Money::from_count(50_000 * decimal::pow10(MONEY_SCALE));
    pub const MAX_ORDERS_PER_MINUTE: u32 = 30;
    pub const PRICE_COLLAR: f64 = 0.05;
    pub const MAX_DD_DAILY: f64 = 0.10;
    pub const LADDER_MULTIPLY: u32 = 2;
    pub const LADDER_EVERY: Span = Span::from_days(7);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::testing::limits;

    #[test]
    fn the_hard_caps_are_amounts_of_whole_money() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        assert_eq!(hard::MAX_NOTIONAL_PER_ORDER, money("10000"));
        assert_eq!(hard::MAX_TOTAL_NOTIONAL, money("50000"));
    }

    /// One limit lower and another higher: only the lower one counts.
    #[test]
    fn of_edited_limits_only_the_tighter_ones_count() {
        let before = limits();
        let mut edited = before.clone();
        edited.max_notional_per_order = "20".parse().expect("an amount");
        edited.max_total_notional = "400".parse().expect("an amount");
        edited.max_orders_per_day = 500;
        edited.max_open_orders = 1;
        let now = before.tightest(&edited);
        assert_eq!(now.tightest(&before), now);
        let told: Vec<String> =
            before.differences(&now).iter().map(|(name, from, to)| format!("{name} {from} -> {to}")).collect();
        assert_eq!(told, ["max_notional_per_order 50 -> 20", "max_open_orders 4 -> 1"]);
    }
}
