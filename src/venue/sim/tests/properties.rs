//! What holds whatever is asked: balances, locks, ends, and that the same is the same again.

use proptest::prelude::*;

use super::*;
use crate::venue::sim::{FeeAsset, Status, log::What};

#[derive(Debug, Clone)]
enum Step {
    Limit { is_buy: bool, cents: i64, qty: i64, tif: &'static str, account: usize },
    Market { is_buy: bool, qty: i64, is_quote: bool, account: usize },
    Cancel { number: u64 },
    Bar { low: i64, high: i64, close: i64, volume: i64 },
    Wait { millis: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let tif = prop_oneof![Just("GTC"), Just("IOC"), Just("FOK")];
    prop_oneof![
        4 => (any::<bool>(), 9000_i64..11000, 1_i64..400, tif, 0_usize..2)
            .prop_map(|(is_buy, cents, qty, tif, account)| Step::Limit { is_buy, cents, qty, tif, account }),
        2 => (any::<bool>(), 1_i64..500, any::<bool>(), 0_usize..2)
            .prop_map(|(is_buy, qty, is_quote, account)| Step::Market { is_buy, qty, is_quote, account }),
        2 => (1_u64..12).prop_map(|number| Step::Cancel { number }),
        3 => (9000_i64..10000, 0_i64..1000, 0_i64..100, 0_i64..500)
            .prop_map(|(low, up, part, volume)| Step::Bar { low, high: low + up, close: low + up * part / 100, volume }),
        1 => (0_i64..5000).prop_map(|millis| Step::Wait { millis }),
    ]
}

fn perform(desk: &mut Desk, number: usize, step: &Step) {
    let side = |is_buy: bool| if is_buy { "BUY" } else { "SELL" };
    match step {
        Step::Limit { is_buy, cents, qty, tif, account } => {
            desk.key = [KEY, OTHER][*account].to_owned();
            let query = format!(
                "symbol=BTCUSDT&side={}&type=LIMIT&timeInForce={tif}&price={}.{:02}&quantity=0.{qty:05}&newClientOrderId=n{number}",
                side(*is_buy),
                cents / 100,
                cents % 100
            );
            desk.place(&query.replace("0.00", "0.10"));
        }
        Step::Market { is_buy, qty, is_quote, account } => {
            desk.key = [KEY, OTHER][*account].to_owned();
            let size =
                if *is_quote { format!("quoteOrderQty={qty}") } else { format!("quantity={}.{:02}", qty / 100, qty % 100) };
            desk.place(&format!("symbol=BTCUSDT&side={}&type=MARKET&{size}&newClientOrderId=n{number}", side(*is_buy)));
        }
        Step::Cancel { number } => {
            desk.signed(Method::Delete, "/api/v3/order", &format!("symbol=BTCUSDT&orderId={number}"));
        }
        Step::Bar { low, high, close, volume } => {
            let value = |cents: &i64| *cents as f64 / 100.0;
            desk.bar([value(close), value(high), value(low), value(close), *volume as f64 / 100.0]);
        }
        Step::Wait { millis } => desk.wait(Span::from_millis(*millis)),
    }
}

fn run(steps: &[Step], seed: u64, weather: f64) -> Desk {
    let mut own = setup();
    own.holders[1].fees.asset = FeeAsset::Coin { asset: "BNB".to_owned(), price: "500".parse().unwrap() };
    own.holders[1].balances[2].1 = qty("0.001");
    own.script = Script::weather(seed, weather);
    let mut desk = Desk::of(own);
    desk.listen();
    for (number, step) in steps.iter().enumerate() {
        perform(&mut desk, number, step);
    }
    desk.wait(Span::from_secs(60));
    desk.exchange.pass(desk.now);
    desk
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SIM-2, SIM-3 and SIM-4, as a checker sees them that reads the record alone.
    #[test]
    fn nothing_is_made_and_nothing_is_lost(steps in proptest::collection::vec(step(), 1..80), seed in 0_u64..1000) {
        let desk = run(&steps, seed, 1.0);
        let ours = |breach: &&String| !breach.contains("manners");
        let breaches = desk.breaches();
        prop_assert_eq!(breaches.iter().find(ours), None);
        // What is locked is what open orders claim, and nothing else.
        for (account, asset, side) in [(0, "USDT", "BUY"), (1, "USDT", "BUY"), (0, "BTC", "SELL"), (1, "BTC", "SELL")] {
            let (free, locked) = desk.exchange.balance(account, asset);
            prop_assert!(free >= Qty::ZERO && locked >= Qty::ZERO);
            let any_open = desk.exchange.orders().any(|(_, _, of, status, _)| status.is_open() && format!("{of:?}").to_uppercase() == side);
            prop_assert!(any_open || locked.is_zero(), "{} {} locked by nothing", locked, asset);
        }
        // Of all accounts together only the book and the fees took something.
        let trades = desk.exchange.log().entries().iter().filter(|entry| matches!(entry.what, What::Trade { .. })).count();
        prop_assert!(trades > 0 || desk.exchange.orders().all(|(.., filled)| filled.is_zero()));
    }

    /// SIM-1.
    #[test]
    fn the_same_again_is_the_same(steps in proptest::collection::vec(step(), 1..40), seed in 0_u64..1000) {
        let (one, two) = (run(&steps, seed, 2.0), run(&steps, seed, 2.0));
        prop_assert_eq!(one.exchange.log().entries(), two.exchange.log().entries());
    }

    /// SIM-4.
    #[test]
    fn an_order_is_filled_for_at_most_what_it_asked(steps in proptest::collection::vec(step(), 1..80)) {
        let desk = run(&steps, 1, 0.0);
        for entry in desk.exchange.log().entries() {
            if let What::Ended { filled, status, order, .. } = &entry.what {
                let of_order = |what: &What| match what {
                    What::Trade { order: of, qty, .. } if of == order => Some(*qty),
                    _ => None,
                };
                let sum: Qty = desk.exchange.log().entries().iter().filter_map(|entry| of_order(&entry.what)).sum();
                prop_assert_eq!(sum, *filled);
                prop_assert!(*status != Status::Filled || filled.is_positive());
            }
        }
        for (_, id, _, status, _) in desk.exchange.orders() {
            prop_assert!(!id.is_empty() && (status.is_open() || status != Status::New));
        }
    }
}
