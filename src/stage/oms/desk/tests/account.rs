//! What a person, a shell or a page may ask of the desk and tell it.

use super::*;

/// A desk that holds half a coin, bought at 100.
fn holding() -> Floor {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, long()).flat(100.0, Target::Hold);
    floor
}

#[test]
fn a_latch_stops_until_a_person_resumes_and_says_once_that_it_is_new() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    floor.flat(100.0, long());
    let bid = floor.desk.open_orders()[0].intent.id;
    let mut out = Outbox::default();
    assert!(floor.desk.latch(floor.next, HaltCause::Clock, false, &mut out));
    assert_eq!(out.cancels, [bid], "what would add exposure is withdrawn");
    assert!(!floor.desk.latch(floor.next, HaltCause::Operator, true, &mut out));
    assert_eq!(out.cancels, [bid], "and once");
    assert_eq!((floor.desk.trading_state(), floor.desk.halt().unwrap().cause), (TradingState::Halted, HaltCause::Clock));
    floor.desk.resume();
    assert_eq!((floor.desk.trading_state(), floor.desk.halt()), (TradingState::Active, None));
}

#[test]
fn a_state_at_rest_takes_a_persons_word_too() {
    let mut state = holding().desk.state().clone();
    let at: Time = "2026-03-02T02:00:00Z".parse().unwrap();
    assert_eq!((state.halt(), state.paused_until()), (None, None));
    state.latch(at);
    assert_eq!(state.halt(), Some(&Halt { cause: HaltCause::Operator, at, cancels_only: false }));
    state.pause(at + HOUR);
    assert_eq!(state.paused_until(), Some(at + HOUR));
    state.resume();
    assert_eq!((state.halt(), state.paused_until()), (None, None));
}

#[test]
fn a_pause_keeps_new_exposure_out_until_its_end() {
    let mut floor = Floor::new(setup());
    floor.desk.pause(floor.next + HOUR + HOUR);
    floor.flat(100.0, long());
    assert_eq!(floor.refusals(), ["paused"]);
    floor.flat(100.0, long()).flat(100.0, long());
    assert_eq!(floor.desk.tally().orders, 1, "the bar after the pause trades");
}

#[test]
fn slow_round_trips_pause_as_the_profile_says() {
    let mut floor = Floor::new(setup());
    let now = floor.next;
    let mut answer = |millis| floor.desk.latency(now, Span::from_millis(millis));
    assert_eq!([501, 501, 501].map(&mut answer), [None, None, Some(now + Span::from_secs(300))]);
    assert_eq!(floor.desk.trading_state(), TradingState::Reducing);
}

#[test]
fn nothing_passes_before_the_account_is_known() {
    let mut floor = Floor::new(setup());
    assert!(floor.desk.is_reconciled(), "on paper they are one");
    floor.desk.set_reconciled(false);
    assert!(!floor.desk.is_reconciled());
    floor.flat(100.0, long());
    assert_eq!(floor.refusals(), ["not-reconciled"]);
}

#[test]
fn the_account_says_what_it_holds() {
    let mut floor = Floor::new(setup());
    assert!(!floor.desk.is_exposed() && floor.desk.state().is_flat());
    floor.flat(100.0, long());
    assert!(!floor.desk.state().is_flat(), "an order is open");
    floor.flat(100.0, Target::Hold).flat(102.0, Target::Hold);
    assert!(floor.desk.is_exposed() && !floor.desk.state().is_flat());
    let positions: Vec<_> = floor.desk.positions().collect();
    assert_eq!(positions, [(BTC, qty("0.5")), (ETH, Qty::ZERO)]);
    let names: Vec<_> = floor.desk.symbols().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["BTC/USDT", "ETH/USDT"]);
    // 1000 - 50 - 0.05, and 0.5 at 102.
    let state = floor.desk.state();
    assert_eq!((state.cash(), state.equity(), floor.desk.equity()), (money("949.95"), money("1000.95"), money("1000.95")));
    let held: Vec<_> = state.held().collect();
    assert_eq!((held.len(), held[0].position, held[0].value, held[0].entry), (2, qty("0.5"), money("51"), Some(100.0)));
    assert_eq!((held[0].close, held[0].seen_at), (Some(102.0), floor.rows.fills.last().map(|row| row.fill.at + HOUR)));
    assert_eq!((floor.desk.kills(), floor.desk.tally().exposure_peak), (0, money("51")));
}

#[test]
fn a_flat_account_may_go_on_with_other_symbols() {
    let mut floor = holding();
    floor.flat(100.0, Target::Flat).flat(100.0, Target::Hold);
    let mut state = floor.desk.state().clone();
    state.reset_symbols(3);
    assert_eq!((state.held().count(), state.cash()), (3, floor.desk.cash()));
    let mut config = floor.desk.config.clone();
    config.instruments.push(config.instruments[0].clone());
    let desk = Desk::restore(config, state);
    assert_eq!(desk.positions().count(), 3);
}

#[test]
#[should_panic(expected = "only a flat account")]
fn an_account_with_a_position_keeps_its_symbols() {
    let mut state = holding().desk.state().clone();
    state.reset_symbols(1);
}

/// What the gate is shown of an account that holds something while an order of each symbol is open.
#[test]
fn the_gate_sees_the_account_at_its_worst() {
    let limits = Limits { max_participation: Fraction::ONE, ..limits() };
    let mut floor = Floor::new(Setup { limits, oms: resting(), ..setup() });
    let rest = [100.0; 4];
    floor.step(&[(BTC, rest, 1e6, long()), (ETH, rest, 1e6, Target::Hold)]);
    floor.step(&[(BTC, [100.0, 100.0, 98.0, 100.0], 3.0, Target::Hold), (ETH, rest, 4.0, long())]);
    let bid = floor.desk.open_orders()[0].intent;
    assert_eq!((bid.symbol, floor.desk.position(BTC)), (ETH, qty("0.505")));
    let view = floor.desk.view(&bid);
    assert_eq!((view.data_until, view.max_bar_age), (floor.next, Span::from_secs(7200)));
    assert_eq!((view.symbol_exposure, view.total_exposure), (bid.notional(), money("50.5") + bid.notional()));
    assert_eq!((view.open_buys, view.bar_volume, view.repeated_orders), (bid.notional(), qty("4"), 1));
    let sale = OrderIntent { symbol: BTC, side: Side::Sell, ..bid };
    let view = floor.desk.view(&sale);
    assert_eq!((view.symbol_exposure, view.total_exposure), (money("50.5"), money("50.5") + bid.notional()));
    assert_eq!((view.position, view.repeated_orders, view.last_same_order), (qty("0.505"), 0, None));
    assert_eq!(view.previous_close, Some("100".parse().unwrap()));
}
