//! The ladder: every step of an escalation, from the limits it starts at to its target.

use crate::domain::Money;
use crate::risk::Limits;

/// A limit that a ladder can raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Raised {
    NotionalPerOrder,
    PositionNotional,
    TotalNotional,
    DailyTurnover,
}

impl Raised {
    pub const ALL: [Self; 4] = [Self::NotionalPerOrder, Self::PositionNotional, Self::TotalNotional, Self::DailyTurnover];

    /// Its name in `[limits]`. `None` when no ladder raises a limit of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|raised| raised.name() == name)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotionalPerOrder => "max_notional_per_order",
            Self::PositionNotional => "max_position_notional",
            Self::TotalNotional => "max_total_notional",
            Self::DailyTurnover => "max_daily_turnover",
        }
    }

    #[must_use]
    pub const fn get(self, limits: &Limits) -> Money {
        match self {
            Self::NotionalPerOrder => limits.max_notional_per_order,
            Self::PositionNotional => limits.max_position_notional,
            Self::TotalNotional => limits.max_total_notional,
            Self::DailyTurnover => limits.max_daily_turnover,
        }
    }

    pub(super) const fn set(self, limits: &mut Limits, value: Money) {
        match self {
            Self::NotionalPerOrder => limits.max_notional_per_order = value,
            Self::PositionNotional => limits.max_position_notional = value,
            Self::TotalNotional => limits.max_total_notional = value,
            Self::DailyTurnover => limits.max_daily_turnover = value,
        }
    }
}

/// How limits grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    raise: Raised,
    rungs: Vec<Limits>,
}

impl Ladder {
    /// The ladder that takes `raise` from where it stands in `start` to `target`, `multiply` times more at each step; the limits of
    /// `scale_with` follow by the same exact ratio, rounded down, so that no rounding adds exposure.
    ///
    /// `None` when there is nothing to climb: the start is zero, the target lies below it, a step multiplies by one, or a limit on
    /// the way is more than money can count.
    #[must_use]
    pub fn new(raise: Raised, multiply: u32, target: Money, scale_with: &[Raised], start: &Limits) -> Option<Self> {
        let first = raise.get(start);
        if !first.is_positive() || target < first || multiply < 2 {
            return None;
        }
        let mut rungs = vec![start.clone()];
        let mut value = first;
        while value < target {
            value = value.multiplied(multiply)?.min(target);
            let mut limits = start.clone();
            for scaled in scale_with.iter().filter(|scaled| **scaled != raise) {
                scaled.set(&mut limits, scaled.get(start).ratio_trunc(value, first)?);
            }
            raise.set(&mut limits, value);
            rungs.push(limits);
        }
        Some(Self { raise, rungs })
    }

    /// The limit that every step multiplies.
    #[must_use]
    pub const fn raise(&self) -> Raised {
        self.raise
    }

    /// The limits of every step, those of the start first.
    #[must_use]
    pub fn rungs(&self) -> &[Limits] {
        &self.rungs
    }

    /// The limits of the last step.
    #[must_use]
    pub fn top(&self) -> &Limits {
        self.rungs.last().expect("a ladder has its start")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fraction, Span};
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().expect("a test writes money right")
    }

    fn limits(order: Money, total: Money) -> Limits {
        Limits {
            max_notional_per_order: order,
            max_position_notional: order,
            max_total_notional: total,
            max_daily_turnover: total,
            max_dd_daily: Fraction::ZERO,
            max_dd_weekly: Fraction::ZERO,
            latency_threshold: Span::ZERO,
            max_orders_per_minute: 0,
            max_orders_per_day: 0,
            max_open_orders: 0,
            max_participation: Fraction::ZERO,
            price_collar: Fraction::ZERO,
        }
    }

    #[test]
    fn the_shipped_ladder_clamps_at_its_target() {
        let start = limits(money("50"), money("200"));
        let ladder = Ladder::new(Raised::NotionalPerOrder, 2, money("500"), &[Raised::TotalNotional], &start).expect("a ladder");
        let steps = ladder.rungs().iter().map(|l| format!("{}/{}", l.max_notional_per_order, l.max_total_notional));
        assert_eq!(steps.collect::<Vec<_>>(), ["50/200", "100/400", "200/800", "400/1600", "500/2000"]);
        assert_eq!(ladder.top().max_position_notional, money("50"), "what is not named does not follow");
    }

    #[test]
    fn what_cannot_climb_is_no_ladder() {
        let from = |order: &str, multiply: u32, target: &str| {
            let start = limits(money(order), money("200"));
            Ladder::new(Raised::NotionalPerOrder, multiply, money(target), &[Raised::TotalNotional], &start)
        };
        assert_eq!(from("0", 2, "500"), None);
        assert_eq!(from("50", 1, "500"), None);
        assert_eq!(from("50", 2, "49"), None);
        assert_eq!(from("0.000000000000000001", 2, "10000"), None, "200 would become more than money can count");
        assert_eq!(from("50", 2, "50").expect("one step").rungs().len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// ESCALATION-1.
        #[test]
        fn every_step_is_above_the_one_before_and_the_last_is_the_target(
            order in 1i64..1_000_000, total in 0i64..1_000_000, target in 1i64..10_000_000, multiply in 2u32..5,
        ) {
            let cents = |n: i64| Money::from_count(i128::from(n) * 10_000_000_000_000_000);
            let start = limits(cents(order), cents(total));
            let follow = [Raised::TotalNotional];
            let Some(ladder) = Ladder::new(Raised::NotionalPerOrder, multiply, cents(target), &follow, &start) else {
                prop_assert!(target < order);
                return Ok(());
            };
            for pair in ladder.rungs().windows(2) {
                prop_assert!(pair[0].max_notional_per_order < pair[1].max_notional_per_order);
                prop_assert!(pair[0].max_total_notional <= pair[1].max_total_notional);
            }
            prop_assert_eq!(ladder.top().max_notional_per_order, cents(target));
            prop_assert!(ladder.top().max_total_notional.to_f64() <= total as f64 / 100.0 * target as f64 / order as f64 * (1.0 + 1e-12));
        }
    }
}
