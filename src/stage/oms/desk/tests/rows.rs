//! What the desk writes down, and when.

use super::*;

fn days(rows: &Records) -> Vec<String> {
    rows.equity.iter().map(|row| row.at.to_string()).collect()
}

/// Of each kill: was anything held?
fn killed(floor: &Floor) -> Vec<bool> {
    let held = |n: &Notice| if let Notice::Killed { had_position, .. } = n { Some(*had_position) } else { None };
    floor.rows.notices.iter().filter_map(held).collect()
}

#[test]
fn a_quiet_day_leaves_one_mark_its_last() {
    let mut floor = Floor::new(setup());
    floor.rest(49);
    assert_eq!(days(&floor.rows), ["2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"]);
}

#[test]
fn a_mark_is_written_when_the_account_moved() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(101.0, Target::Hold);
    assert_eq!(days(&floor.rows), ["2026-03-02T02:00:00Z"], "the fill's");
    let row = floor.rows.equity[0];
    assert_eq!((row.equity, row.cash, row.exposure), (money("999.95"), money("949.95"), money("50")));
    assert_eq!((row.day_high_water_mark, row.state), (money("1000"), TradingState::Active));
    let mut all = Floor::new(Setup { record: RecordMode::All, ..setup() });
    all.flat(100.0, Target::Hold).flat(100.0, Target::Hold);
    assert_eq!(days(&all.rows), ["2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"]);
}

#[test]
fn a_kill_is_written_with_its_mark() {
    let limits = Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() };
    let on_drawdown = OnDrawdown { action: DrawdownAction::Halt, flatten: false };
    let mut floor = Floor::new(Setup { limits, rules: Rules { on_drawdown, ..rules() }, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(79.0, Target::Hold).flat(79.0, Target::Hold);
    assert_eq!(days(&floor.rows), ["2026-03-02T02:00:00Z", "2026-03-02T03:00:00Z"]);
    assert_eq!(floor.rows.equity[1].state, TradingState::Halted);
    assert_eq!((killed(&floor), floor.desk.kills()), (vec![true], 1));
}

#[test]
fn a_kill_by_a_sale_leaves_no_position_to_close() {
    let limits = Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() };
    let mut floor = Floor::new(Setup { limits, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Flat).flat(79.0, Target::Hold);
    assert_eq!(killed(&floor), [false]);
}

#[test]
fn the_end_of_a_run_writes_the_last_mark_and_the_next_may_write_a_later_one() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, Target::Hold);
    let mut out = Outbox::default();
    floor.desk.close(&mut out);
    assert_eq!(days(&out.records), ["2026-03-02T01:00:00Z"]);
    floor.rest(24);
    assert_eq!(days(&floor.rows), ["2026-03-03T00:00:00Z"], "the day's own");
    let mut written = Floor::new(Setup { record: RecordMode::All, ..setup() });
    written.flat(100.0, Target::Hold);
    let mut out = Outbox::default();
    written.desk.close(&mut out);
    assert!(out.records.equity.is_empty(), "it stands there already");
}

#[test]
fn a_decision_is_written_when_the_target_changes() {
    let targets = [Target::Hold, long(), long(), Target::Hold, long(), Target::Flat, Target::Flat];
    let written = |record| {
        let mut floor = Floor::new(Setup { record, ..setup() });
        for target in targets {
            floor.flat(100.0, target);
        }
        floor.rows.decisions.iter().map(|row| (row.at.to_string(), row.target)).collect::<Vec<_>>()
    };
    let (bought, sold) = ("2026-03-02T02:00:00Z".to_owned(), "2026-03-02T06:00:00Z".to_owned());
    assert_eq!(written(RecordMode::Changes), [(bought, long()), (sold, Target::Flat)]);
    assert_eq!(written(RecordMode::All).len(), targets.len());
}

#[test]
fn a_no_that_is_repeated_is_written_each_time_only_where_all_is() {
    let denied = |record| {
        let mut floor = Floor::new(Setup { record, ..setup() });
        floor.desk.set_reconciled(false);
        floor.flat(100.0, long()).flat(100.0, long());
        floor.desk.set_reconciled(true);
        floor.desk.pause(Time::MAX);
        floor.flat(100.0, long()).flat(100.0, long());
        let tally = floor.desk.tally();
        assert_eq!((tally.denied, tally.refusals["not-reconciled"], tally.refusals["paused"]), (4, 2, 2));
        let told = floor.rows.notices.iter().filter(|n| matches!(n, Notice::OrderDenied { .. })).count();
        assert_eq!(told, floor.rows.orders.len());
        floor.refusals()
    };
    assert_eq!(denied(RecordMode::Changes), ["not-reconciled", "paused"]);
    assert_eq!(denied(RecordMode::All), ["not-reconciled", "not-reconciled", "paused", "paused"]);
}

#[test]
fn each_end_of_an_order_has_its_count_and_its_row() {
    let ends: [fn(ClientOrderId, Time) -> OrderReport; 4] = [
        |id, at| OrderReport::Canceled { id, at },
        |id, at| OrderReport::Expired { id, at },
        |id, at| OrderReport::Abandoned { id, at },
        |id, at| OrderReport::Rejected { id, at, reason: RejectReason::Filter },
    ];
    let counted = ends.map(|end| {
        let mut floor = Floor::new(setup());
        let id = floor.bid_unheard().id;
        let mut out = Outbox::default();
        floor.desk.on_report(end(id, floor.next), &mut out).unwrap();
        assert_eq!((out.records.orders.len(), floor.desk.open_orders().len()), (1, 0));
        assert_eq!(out.records.orders[0].ended_at, Some(floor.next));
        let tally = floor.desk.tally();
        [tally.canceled, tally.expired, tally.abandoned, tally.rejected]
    });
    assert_eq!(counted, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]);
}

#[test]
fn parts_of_an_order_add_up_in_its_row() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    let bid = floor.bid_unheard();
    let mut out = Outbox::default();
    floor.fill(bid, "0.2", &mut out).unwrap();
    floor.fill(bid, "0.3", &mut out).unwrap();
    let row = floor.desk.open_orders()[0];
    assert_eq!((row.filled_qty, row.filled_notional, row.fees), (qty("0.5"), money("50"), money("0.04")));
    assert_eq!(floor.desk.state().open_orders(), [row]);
    floor.desk.on_report(OrderReport::Completed { id: bid.id, at: bid.decided_at }, &mut out).unwrap();
    assert_eq!((out.records.orders[0].filled_qty, out.records.orders[0].state), (qty("0.5"), OrderState::Filled));
    let held: Vec<_> = out.records.fills.iter().map(|row| row.position_after).collect();
    assert_eq!(held, [qty("0.2"), qty("0.5")]);
}

/// OMS-1.
#[test]
fn an_order_may_be_filled_to_its_last_unit_and_not_beyond() {
    let mut floor = Floor::new(Setup { oms: resting(), ..setup() });
    let bid = floor.bid_unheard();
    let mut out = Outbox::default();
    assert_eq!(floor.fill(bid, "0.505", &mut out), Ok(()));
    let (id, ordered) = (bid.id, qty("0.505"));
    assert_eq!(floor.fill(bid, "0.001", &mut out), Err(DeskError::Overfill { id, filled: qty("0.506"), ordered }));
    assert_eq!(floor.desk.position(BTC), ordered);
}

/// What an amount of money buys is known by the fill alone.
#[test]
fn an_order_by_amount_may_be_filled_with_more_units_than_expected() {
    let mut floor = Floor::new(setup());
    let bid = floor.bid_unheard();
    assert_eq!(floor.fill(bid, "0.6", &mut Outbox::default()), Ok(()));
    assert_eq!(floor.desk.position(BTC), qty("0.6"));
}

#[test]
fn what_nobody_ordered_is_held_and_told() {
    let mut floor = Floor::new(setup());
    let bid = floor.bid_unheard();
    let mut out = Outbox::default();
    floor.desk.on_report(OrderReport::Excess { fill: fill_of(bid, "0.25"), at: bid.decided_at }, &mut out).unwrap();
    assert_eq!((floor.desk.position(BTC), floor.desk.cash()), (qty("0.25"), money("974.98")));
    assert_eq!((out.records.fills[0].position_after, out.records.fills[0].cash_after), (qty("0.25"), money("974.98")));
    assert!(matches!(out.records.notices[..], [Notice::ExcessFill { order, .. }] if order == bid.id));
    floor.flat(100.0, Target::Hold);
    assert_eq!(days(&floor.rows), ["2026-03-02T02:00:00Z"], "the account moved");
}
