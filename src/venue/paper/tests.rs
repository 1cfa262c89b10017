use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::Span;
use crate::risk::testing::{limits, rules};
use crate::risk::{Gate, Limits, TradingState, View};

const HOUR: Span = Span::from_secs(3600);
const BTC: SymbolIndex = SymbolIndex(0);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn start() -> Time {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

fn config() -> PaperConfig {
    let instrument = Instrument {
        symbol: "BTC/USDT".parse().unwrap(),
        price_tick: "0.01".parse().unwrap(),
        qty_step: "0.001".parse().unwrap(),
        min_notional: money("5"),
    };
    PaperConfig {
        equity: money("1000"),
        maker: Bps(10),
        taker: Bps(10),
        slippage: Bps(5),
        max_participation: Fraction::from_f64(0.01).unwrap(),
        instruments: vec![instrument],
    }
}

/// Passes an order through a gate that refuses nothing these tests send.
fn approved(intent: OrderIntent, instrument: &Instrument) -> Approved<OrderIntent> {
    let wide = money("1000000");
    let limits = Limits {
        max_notional_per_order: wide,
        max_position_notional: wide,
        max_total_notional: wide,
        max_daily_turnover: wide,
        max_participation: Fraction::ONE,
        price_collar: Fraction::ONE,
        ..limits()
    };
    let view = View {
        now: intent.decided_at,
        state: TradingState::Active,
        halt: None,
        instrument,
        symbol_allowed: true,
        data_until: intent.decided_at,
        max_bar_age: HOUR,
        bars_since_gap: 1,
        model_window: 1,
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
    };
    Gate::new(limits, rules()).check(intent, &view).unwrap()
}

/// What a test asks for at a bar's close: (buy, amount in steps, limit price or market, withdraw the last one).
type Wish = (bool, u32, Option<u32>, bool);

fn intent(at: Time, (is_buy, amount, limit, _): Wish) -> OrderIntent {
    let cents = |n: u32| Price::from_count(i128::from(n) * 100_000_000);
    let kind = limit.map_or(OrderKind::Market, |price| OrderKind::Limit { price: cents(price), expires_at: at + HOUR + HOUR });
    let size = if is_buy && amount % 2 == 0 {
        Size::Quote(Money::from_count(i128::from(amount) * 100_000_000_000_000_000))
    } else {
        Size::Base(Qty::from_count(i128::from(amount) * 100_000))
    };
    OrderIntent {
        id: ClientOrderId { scope: 7, bar: at, sequence: 0 },
        symbol: BTC,
        side: if is_buy { Side::Buy } else { Side::Sell },
        kind,
        size,
        purpose: crate::domain::Purpose::Signal,
        decided_at: at,
        reference: "100".parse().unwrap(),
    }
}

fn wishes() -> impl Strategy<Value = Vec<(Wish, (u32, u32))>> {
    let wish = (any::<bool>(), 100_u32..3000, prop::option::of(9000_u32..11_000), any::<bool>());
    prop::collection::vec((wish, (9000_u32..11_000, 0_u32..200)), 1..40)
}

proptest! {
    /// VENUE-2.
    #[test]
    fn every_order_ends_once_and_is_never_overfilled(wishes in wishes()) {
        let mut venue = Paper::new(config());
        let (mut time, mut reports, mut asked) = (start(), Vec::new(), BTreeMap::new());
        let idle = [((true, 0, None, true), (10_000, 0)); 3];
        for (number, (wish, (open, volume))) in wishes.into_iter().chain(idle).enumerate() {
            let open = f64::from(open) / 100.0;
            let bar = Bar { open_time: time, open, high: open + 1.0, low: open - 1.0, close: open, volume: f64::from(volume) };
            venue.on_bar(BTC, &bar, "1h".parse().unwrap());
            time = time + HOUR;
            if wish.1 > 0 {
                let order = intent(time, wish);
                asked.insert(order.id, order.size);
                venue.submit(approved(order, &config().instruments[0]));
            }
            if wish.3 && let Some((id, _)) = asked.last_key_value() {
                venue.cancel(*id, time);
                if number % 2 == 0 {
                    venue.cancel(*id, time);
                }
            }
        }
        venue.drain(&mut reports);
        let mut ends: BTreeMap<ClientOrderId, u32> = BTreeMap::new();
        let mut filled: BTreeMap<ClientOrderId, (Qty, Money)> = BTreeMap::new();
        for report in &reports {
            let (id, is_end) = match report {
                OrderReport::Accepted { id, .. } => (*id, false),
                OrderReport::Filled { fill, done } => {
                    prop_assert!(!ends.contains_key(&fill.order), "a fill after the end");
                    let sum = filled.entry(fill.order).or_default();
                    *sum = (sum.0 + fill.qty, sum.1 + fill.notional());
                    (fill.order, *done)
                }
                OrderReport::Canceled { id, .. } | OrderReport::Expired { id, .. } | OrderReport::Rejected { id, .. } => (*id, true),
            };
            if is_end {
                *ends.entry(id).or_default() += 1;
            }
        }
        for (id, size) in &asked {
            prop_assert_eq!(ends.get(id), Some(&1), "ends of {}", id);
            let (qty, notional) = filled.get(id).copied().unwrap_or_default();
            match size {
                Size::Base(wanted) => prop_assert!(qty <= *wanted),
                Size::Quote(wanted) => prop_assert!(notional <= *wanted),
            }
        }
    }
}
