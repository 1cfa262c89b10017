//! How much is allowed: the limits of a profile and the hard caps compiled in.

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

    #[test]
    fn the_hard_caps_are_amounts_of_whole_money() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        assert_eq!(hard::MAX_NOTIONAL_PER_ORDER, money("10000"));
        assert_eq!(hard::MAX_TOTAL_NOTIONAL, money("50000"));
    }
}
