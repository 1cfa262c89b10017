//! How positions are closed: stops, slices, rests and dust.

use super::*;
use crate::stage::oms::desk::slice::SLICES_MAX;

/// Holds half a coin at 100; the price is now 230, and one order is worth 50 at most.
fn grown() -> Floor {
    let tight = Limits { max_notional_per_order: money("50"), max_position_notional: money("1000"), ..limits() };
    let mut floor = Floor::new(Setup { limits: tight, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(230.0, Target::Hold);
    floor
}

/// Holds `size`, bought at 100 by somebody's mistake.
fn holding(size: &str) -> Floor {
    let mut floor = Floor::new(setup());
    let bid = floor.bid_unheard();
    let mut out = Outbox::default();
    floor.desk.on_report(OrderReport::Canceled { id: bid.id, at: floor.next }, &mut out).unwrap();
    floor.desk.on_report(OrderReport::Excess { fill: fill_of(bid, size), at: floor.next }, &mut out).unwrap();
    floor
}

fn exiting(floor: &Floor) -> Vec<Option<Purpose>> {
    floor.desk.state().held().map(|held| held.exiting).collect()
}

#[test]
fn stops_are_so_many_times_what_the_market_moves() {
    let oms = OmsConfig { stop_loss_atr: 1.5, take_profit_atr: 2.5, ..setup().oms };
    let ends_as = |price: f64| {
        let mut floor = Floor::new(Setup { oms: oms.clone(), ..setup() });
        floor.atr = 2.0;
        floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(price, Target::Hold).flat(price, Target::Hold);
        floor.fills().last().unwrap().2
    };
    assert_eq!([97.01, 97.0].map(ends_as), ["signal", "stop-loss"]);
    assert_eq!([104.99, 105.0].map(ends_as), ["signal", "take-profit"]);
}

#[test]
fn a_rest_goes_on_under_new_ids_when_nothing_of_the_symbol_is_open() {
    let mut floor = grown();
    floor.step(&[(ETH, [100.0; 4], 1e6, long())]);
    assert_eq!(floor.desk.open_orders().len(), 1, "a bid on the other symbol");
    floor.desk.flatten(Purpose::Rollback);
    assert_eq!(exiting(&floor), [Some(Purpose::Rollback), None]);
    let now = floor.next + Span::from_micros(1_000_999);
    let mut out = Outbox::default();
    floor.desk.exit_rest(ETH, now, &mut out);
    assert!(out.submits.is_empty());
    floor.desk.exit_rest(BTC, now, &mut out);
    let ids: Vec<_> = out.submits.iter().map(|order| order.get().id).collect();
    let bar = floor.next + Span::from_millis(1000);
    assert_eq!(ids, [1, 2, 3].map(|sequence| ClientOrderId { scope: 7, bar, sequence }));
    assert!(out.submits.iter().all(|order| order.get().purpose == Purpose::Rollback));
    let mut again = Outbox::default();
    floor.desk.exit_rest(BTC, now, &mut again);
    assert!(again.submits.is_empty(), "they are open");
}

#[test]
fn a_rest_waits_for_the_orders_of_its_own_symbol_alone() {
    let mut floor = holding("0.5");
    floor.desk.flatten(Purpose::Rollback);
    let bid = floor.bid_unheard();
    let mut out = Outbox::default();
    floor.desk.exit_rest(BTC, floor.next, &mut out);
    assert!(out.submits.is_empty(), "a bid is open");
    floor.desk.on_report(OrderReport::Canceled { id: bid.id, at: floor.next }, &mut out).unwrap();
    floor.desk.exit_rest(BTC, floor.next, &mut out);
    assert_eq!(out.submits.len(), 1);
}

#[test]
fn what_is_worth_the_least_notional_is_sold_and_less_is_dust() {
    let closed = |size: &str| {
        let mut floor = holding(size);
        assert_eq!(floor.desk.is_negligible(BTC), size == "0.049");
        floor.desk.flatten(Purpose::Rollback);
        floor.desk.end_exits_in_dust();
        let held = floor.desk.state().held().next().unwrap();
        let mut out = Outbox::default();
        floor.desk.exit(BTC, floor.next, Purpose::Rollback, 0, &mut out);
        (held.is_dust, held.exiting, out.submits.len(), out.records.notices.len())
    };
    assert_eq!(closed("0.05"), (false, Some(Purpose::Rollback), 1, 0));
    assert_eq!(closed("0.049"), (true, None, 0, 1));
}

#[test]
fn dust_is_not_flattened_and_nothing_is_no_dust() {
    let mut floor = holding("0.049");
    floor.desk.end_exits_in_dust();
    floor.desk.flatten(Purpose::Rollback);
    assert_eq!(exiting(&floor), [None, None]);
    let dust: Vec<_> = floor.desk.state().held().map(|held| held.is_dust).collect();
    assert_eq!(dust, [true, false]);
    assert!(floor.desk.is_negligible(ETH));
}

#[test]
fn an_exit_that_rests_is_waited_for_and_sent_again_when_it_expires() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    floor.flat(100.0, long()).ohlcv([100.0, 100.0, 98.0, 100.01], 1e6, Target::Flat);
    let sale = floor.desk.open_orders()[0].intent;
    // 101.0101 on the tick, upward.
    let (price, expires_at) = ("101.02".parse().unwrap(), floor.next + HOUR);
    assert_eq!(sale.kind, OrderKind::Limit { price, expires_at, tif: TimeInForce::Gtc });
    floor.flat(100.0, Target::Hold);
    assert_eq!((floor.desk.tally().orders, floor.desk.open_orders().len()), (3, 2), "a buy, and two slices of 50.5");
    assert!(!floor.rows.notices.iter().any(|n| matches!(n, Notice::Dust { .. })), "it is spoken for");
    assert_eq!(floor.refusals(), [""; 0]);
    floor.flat(100.0, Target::Hold);
    assert_eq!((floor.desk.tally().orders, floor.desk.open_orders().len()), (5, 2), "OMS-4");
}

#[test]
fn a_way_out_in_need_is_sold_at_the_market() {
    let kind = |purpose| {
        let mut floor = holding("0.5");
        floor.desk.config.oms = resting();
        let mut out = Outbox::default();
        floor.desk.exit(BTC, floor.next, purpose, 0, &mut out);
        out.submits[0].get().kind.name()
    };
    assert_eq!([Purpose::Signal, Purpose::TakeProfit].map(kind), ["limit"; 2]);
    assert_eq!([Purpose::StopLoss, Purpose::KillSwitch, Purpose::Rollback].map(kind), ["market"; 3]);
}

#[test]
fn only_a_market_order_is_sized_in_money() {
    let sized = |sized_in, order| {
        let mut floor = Floor::new(Setup { oms: OmsConfig { sized_in, order, ..setup().oms }, ..setup() });
        floor.bid_unheard().size
    };
    assert_eq!(sized(SizedIn::Quote, OrderStyle::Market), Size::Quote(money("50")));
    assert_eq!(sized(SizedIn::Base, OrderStyle::Market), Size::Base(qty("0.5")));
    assert_eq!(sized(SizedIn::Quote, resting().order), Size::Base(qty("0.505")));
}

#[test]
fn a_flat_signal_withdraws_the_bids_of_its_symbol_alone() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    let rest = [100.0; 4];
    floor.step(&[(BTC, rest, 1e6, long()), (ETH, rest, 1e6, long())]);
    let [bid, other] = [0, 1].map(|n| floor.desk.open_orders()[n].intent);
    assert_eq!((bid.symbol, other.symbol), (BTC, ETH));
    floor.step(&[(BTC, rest, 1e6, Target::Flat), (ETH, rest, 1e6, Target::Hold)]);
    assert_eq!(floor.cancels, [bid.id]);
}

#[test]
fn an_exit_that_rests_is_not_withdrawn_with_the_bids() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    floor.flat(100.0, long()).ohlcv([100.0, 100.0, 98.0, 100.0], 1e6, Target::Flat).flat(100.0, Target::Flat);
    assert_eq!(floor.desk.open_orders()[0].intent.side, Side::Sell);
    assert_eq!(floor.cancels, []);
}

#[test]
fn a_bid_is_withdrawn_once_by_a_kill_and_a_signal_together() {
    let limits = Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() };
    let mut floor = Floor::new(Setup { limits, oms: resting(), ..setup() });
    let rest = [100.0; 4];
    floor.step(&[(BTC, rest, 1e6, long()), (ETH, rest, 1e6, Target::Hold)]);
    floor.step(&[(BTC, [100.0, 100.0, 98.0, 100.0], 1e6, Target::Hold), (ETH, rest, 1e6, long())]);
    let bid = floor.desk.open_orders()[0].intent.id;
    floor.step(&[(BTC, [70.0; 4], 1e6, Target::Hold), (ETH, rest, 1e6, Target::Flat)]);
    assert!(floor.desk.halt().is_some());
    assert_eq!(floor.cancels, [bid]);
}

#[test]
fn slices_are_whole_steps_of_at_most_the_limit() {
    let parts = |size: &str, price: &str, max: &str, step: &str| {
        let max = Some(money(max)).filter(|max| max.is_positive());
        let slices = slice(qty(size), price.parse().unwrap(), max, qty(step));
        assert!(slices.len() == SLICES_MAX || slices.iter().copied().sum::<Qty>() == qty(size));
        slices.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(parts("0.5", "100", "50", "0.001"), ["0.5"], "at the limit is one part");
    assert_eq!(parts("0.5", "230", "0", "0.001"), ["0.5"], "a limit of nothing does not hold an exit back");
    assert_eq!(parts("0.5", "230", "50", "0.001"), ["0.167", "0.167", "0.166"]);
    assert_eq!(parts("5", "10", "14", "1"), ["1"; 5], "four parts would hold one of 20");
    assert_eq!(parts("100", "10", "10", "1"), ["1"; SLICES_MAX], "what is beyond the most follows at the next close");
}
