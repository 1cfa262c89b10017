use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{Span, TimeInForce};
use crate::risk::testing;

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
    testing::approve(intent, instrument)
}

/// What a test asks for at a bar's close: (buy, amount in steps, limit price or market, withdraw the last one).
type Wish = (bool, u32, Option<u32>, bool);

const fn tif(amount: u32) -> TimeInForce {
    match amount % 3 {
        0 => TimeInForce::Ioc,
        1 => TimeInForce::PostOnly,
        _ => TimeInForce::Gtc,
    }
}

/// How a limit at `price` ends in a bar that opens at 100, with a range of one around it.
fn end_of(is_buy: bool, price: u32, tif: TimeInForce) -> Vec<OrderReport> {
    let mut venue = Paper::new(PaperConfig { equity: "100000".parse().unwrap(), ..config() });
    let price = Price::from_count(i128::from(price) * 100_000_000);
    let mut order = intent(start(), (is_buy, 999, None, false));
    order.kind = OrderKind::Limit { price, expires_at: start() + HOUR + HOUR, tif };
    if !is_buy {
        venue.submit(approved(intent(start(), (true, 3000, None, false)), &config().instruments[0]));
        venue.on_bar(
            BTC,
            &Bar { open_time: start(), open: 100.0, high: 101.0, low: 99.0, close: 100.0, volume: 1e6 },
            "1h".parse().unwrap(),
        );
    }
    let mut reports = Vec::new();
    venue.drain(&mut reports);
    reports.clear();
    venue.submit(approved(order, &config().instruments[0]));
    venue.on_bar(
        BTC,
        &Bar { open_time: start() + HOUR, open: 100.0, high: 101.0, low: 99.0, close: 100.0, volume: 1e6 },
        "1h".parse().unwrap(),
    );
    venue.drain(&mut reports);
    reports.split_off(1)
}

#[test]
fn an_order_that_may_not_rest_fills_at_once_or_expires() {
    let price = |reports: &[OrderReport]| match reports {
        [OrderReport::Filled { fill, done: true }] => Some((fill.price.to_string(), fill.liquidity)),
        [OrderReport::Expired { .. }] => None,
        other => panic!("{other:?}"),
    };
    let taken = |text: &str| Some((text.to_owned(), Liquidity::Taker));
    let slipped = |is_buy| price(&end_of(is_buy, if is_buy { 10_900 } else { 9_100 }, TimeInForce::Ioc)).unwrap().0;
    assert!(slipped(true).parse::<f64>().unwrap() > 100.0 && slipped(false).parse::<f64>().unwrap() < 100.0);
    assert_eq!(price(&end_of(true, 10_000, TimeInForce::Ioc)), taken("100"), "never worse than its own price");
    assert_eq!(price(&end_of(true, 9_999, TimeInForce::Ioc)), None);
    assert_eq!(price(&end_of(false, 10_000, TimeInForce::Ioc)), taken("100"));
    assert_eq!(price(&end_of(false, 10_001, TimeInForce::Ioc)), None);
}

#[test]
fn a_post_only_order_never_takes() {
    for (is_buy, through, resting) in [(true, 10_000, 9_950), (false, 10_000, 10_050)] {
        let taken = end_of(is_buy, through, TimeInForce::PostOnly);
        assert!(matches!(taken[..], [OrderReport::Rejected { reason: RejectReason::WouldTake, .. }]), "{taken:?}");
        let rested = end_of(is_buy, resting, TimeInForce::PostOnly);
        assert!(
            matches!(rested[..], [OrderReport::Filled { fill, done: true }] if fill.liquidity == Liquidity::Maker),
            "{rested:?}"
        );
    }
}

fn intent(at: Time, (is_buy, amount, limit, _): Wish) -> OrderIntent {
    let cents = |n: u32| Price::from_count(i128::from(n) * 100_000_000);
    let kind = limit.map_or(OrderKind::Market, |price| OrderKind::Limit {
        price: cents(price),
        expires_at: at + HOUR + HOUR,
        tif: tif(amount),
    });
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
                other => panic!("no such thing on paper: {other:?}"),
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
