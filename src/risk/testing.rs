//! Limits and rules that unit tests start from.

use crate::domain::{Bps, Fraction, Instrument, Money, OrderIntent, Qty, Span};

use super::gate::{Approved, Gate, View};
use super::halt::TradingState;
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

/// What a gate with wide limits says of `intent`, on an account that can pay for it.
pub fn approve(intent: OrderIntent, instrument: &Instrument) -> Approved<OrderIntent> {
    let wide: Money = "1000000".parse().unwrap();
    let limits = Limits {
        max_notional_per_order: wide,
        max_position_notional: wide,
        max_total_notional: wide,
        max_daily_turnover: wide,
        max_participation: Fraction::ONE,
        price_collar: Fraction::ONE,
        max_orders_per_minute: 1000,
        max_orders_per_day: 1000,
        max_open_orders: 1000,
        ..limits()
    };
    let view = View {
        now: intent.decided_at,
        state: TradingState::Active,
        halt: None,
        instrument,
        symbol_allowed: true,
        data_until: intent.decided_at,
        max_bar_age: Span::from_secs(3600),
        bars_since_gap: 1000,
        model_window: 0,
        unknown_orders: 0,
        reconciled: true,
        last_same_order: None,
        repeated_orders: 0,
        previous_close: None,
        bar_volume: "1000000".parse().unwrap(),
        position: "1000000".parse().unwrap(),
        open_sells: Qty::ZERO,
        cash: wide,
        open_buys: Money::ZERO,
        symbol_exposure: Money::ZERO,
        total_exposure: Money::ZERO,
        turnover_today: Money::ZERO,
        open_orders: 0,
        orders_last_minute: 0,
        orders_today: 0,
        fee: Bps(10),
        venue_rule: None,
    };
    Gate::new(limits, rules()).check(intent, &view).unwrap()
}
