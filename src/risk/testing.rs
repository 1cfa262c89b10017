//! Limits and rules that unit tests start from.

use crate::domain::{Fraction, Span};

use super::limits::Limits;
use super::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency, Rules};

/// The shipped canary's limits.
pub fn limits() -> Limits {
    let money = |text: &str| text.parse().unwrap();
    let fraction = |value| Fraction::from_f64(value).unwrap();
    Limits {
        max_notional_per_order: money("50"),
        max_position_notional: money("100"),
        max_total_notional: money("200"),
        max_daily_turnover: money("1000"),
        max_dd_daily: fraction(0.03),
        max_dd_weekly: fraction(0.05),
        latency_threshold: Span::from_millis(500),
        max_orders_per_minute: 10,
        max_orders_per_day: 200,
        max_open_orders: 4,
        max_participation: fraction(0.01),
        price_collar: fraction(0.01),
    }
}

pub fn rules() -> Rules {
    Rules {
        symbols: Vec::new(),
        duplicate_window: Span::from_secs(2),
        max_bar_age: BarAge::Bars(2),
        data_gap: DataGap::Deny,
        max_reference_move: Fraction::from_f64(0.10).unwrap(),
        max_repeated_orders: 5,
        on_drawdown: OnDrawdown { action: DrawdownAction::Halt, flatten: true },
        on_latency: OnLatency { window: 3, pause_for: Span::from_secs(300) },
    }
}
