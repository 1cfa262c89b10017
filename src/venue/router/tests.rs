use super::*;
use crate::domain::{
    ClientOrderId, FeeIn, Instrument, Liquidity, Money, OrderIntent, OrderKind, OrderState, Purpose, Qty, RejectReason, Side,
    Size, Span, SymbolIndex, Time, TimeInForce,
};
use crate::risk::testing;
use crate::venue::wire::{Answer, Failure, Owner, Push, Request, TradeId, VenueFill, VenueOrder, VenueOrderId, VenueStatus};
use crate::venue::{OrderReport, Venue};

const BTC: SymbolIndex = SymbolIndex(0);

fn at(millis: i64) -> Time {
    Time::from_millis(1_790_000_000_000 + millis)
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn intent(sequence: u16, kind: OrderKind) -> OrderIntent {
    OrderIntent {
        id: ClientOrderId { scope: 7, bar: at(0), sequence },
        symbol: BTC,
        side: Side::Buy,
        kind,
        size: Size::Base(qty("1")),
        purpose: Purpose::Signal,
        decided_at: at(0),
        reference: "100".parse().unwrap(),
    }
}

/// A router, the time, and what has come out of it.
struct Bench {
    router: Router,
    now: Time,
    facts: Vec<Fact>,
    asks: Vec<(RequestId, Request)>,
    alarms: Vec<Alarm>,
    reports: Vec<OrderReport>,
    compare: Vec<ClientOrderId>,
}

fn config() -> RouterConfig {
    RouterConfig {
        symbols: vec!["BTC/USDT".parse().unwrap()],
        send_within: Span::from_secs(60),
        receive_window: Span::from_secs(5),
    }
}

impl Bench {
    fn new() -> Self {
        Self::on(Router::new(config()))
    }

    fn on(router: Router) -> Self {
        let (facts, asks, alarms, reports, compare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut bench = Self { router, now: at(0), facts, asks, alarms, reports, compare };
        bench.collect();
        bench
    }

    fn collect(&mut self) {
        let actions = self.router.take_actions();
        self.facts.extend(actions.facts);
        self.asks.extend(actions.asks);
        self.alarms.extend(actions.alarms);
        self.compare.extend(actions.compare);
        self.router.drain(&mut self.reports);
    }

    fn submit(&mut self, intent: OrderIntent) -> ClientOrderId {
        self.router.submit(approved(intent));
        self.collect();
        self.tick();
        intent.id
    }

    /// An order whose request has left.
    fn sent() -> (Self, ClientOrderId) {
        let mut bench = Self::new();
        let id = bench.submit(intent(0, OrderKind::Market));
        (bench, id)
    }

    /// A bid that rests at 99 for thirty seconds.
    fn resting() -> (Self, ClientOrderId) {
        let mut bench = Self::new();
        let kind = OrderKind::Limit { price: "99".parse().unwrap(), expires_at: at(30_000), tif: TimeInForce::Gtc };
        let id = bench.submit(intent(0, kind));
        bench.answer(is_place, ok(seen(id, VenueStatus::New, "0", Vec::new())));
        (bench, id)
    }

    fn tick(&mut self) {
        self.router.tick(self.now);
        self.collect();
    }

    /// Lets time pass, with a tick at each moment the router asks for.
    fn pass(&mut self, millis: i64) {
        let end = self.now + Span::from_millis(millis);
        while let Some(wake) = self.router.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.tick();
            assert!(self.asks.len() <= 200, "the router asks without end: {:?}", self.asks.last());
            // Whoever does not answer is not asked twice at once.
            if self.router.next_wake().is_some_and(|next| next <= self.now) {
                break;
            }
        }
        self.now = end;
        self.tick();
    }

    /// Answers the oldest request that `is` picks.
    fn answer(&mut self, is: impl Fn(&Request) -> bool, result: Result<Answer, Failure>) {
        let place = self.asks.iter().position(|(_, request)| is(request));
        let place = place.unwrap_or_else(|| panic!("nothing of the kind was asked: {:?}", self.asks));
        let (number, _) = self.asks.remove(place);
        self.router.on_answer(number, result, self.now);
        self.collect();
    }

    fn push(&mut self, order: VenueOrder, execution: u64) {
        let last_filled = order.fills.iter().map(|fill| fill.qty).sum();
        self.router.on_push(&Push::Order { order, execution, last_filled }, self.now);
        self.collect();
    }

    fn state(&self, id: ClientOrderId) -> OrderState {
        self.router.state().order(id).unwrap().state
    }

    fn places(&self) -> usize {
        self.asks.iter().filter(|(_, request)| is_place(request)).count()
    }

    fn filled(&self) -> Qty {
        self.reports
            .iter()
            .map(|report| match report {
                OrderReport::Filled { fill, .. } | OrderReport::Excess { fill, .. } => fill.qty,
                _ => Qty::ZERO,
            })
            .sum()
    }

    fn ends(&self) -> usize {
        use OrderReport::{Abandoned, Canceled, Completed, Expired, Filled, Rejected};
        let is_end = |report: &&OrderReport| match report {
            Filled { done, .. } => *done,
            Completed { .. } | Canceled { .. } | Expired { .. } | Rejected { .. } | Abandoned { .. } => true,
            _ => false,
        };
        self.reports.iter().filter(is_end).count()
    }
}

fn is_place(request: &Request) -> bool {
    matches!(request, Request::Place(_))
}

fn is_query(request: &Request) -> bool {
    matches!(request, Request::Order { .. })
}

fn is_cancel(request: &Request) -> bool {
    matches!(request, Request::Cancel { .. })
}

fn is_fills(request: &Request) -> bool {
    matches!(request, Request::FillsOf { .. })
}

fn approved(intent: OrderIntent) -> crate::risk::Approved<OrderIntent> {
    let instrument = Instrument {
        symbol: "BTC/USDT".parse().unwrap(),
        price_tick: "0.01".parse().unwrap(),
        qty_step: "0.00001".parse().unwrap(),
        min_notional: Money::ZERO,
    };
    testing::approve(intent, &instrument)
}

fn fill(trade: u64, amount: &str) -> VenueFill {
    VenueFill {
        trade: TradeId(trade),
        order: VenueOrderId(55),
        price: "100".parse().unwrap(),
        qty: qty(amount),
        fee: qty("0.001"),
        fee_asset: "USDT".to_owned(),
        liquidity: Liquidity::Taker,
        at: at(1),
    }
}

fn seen(id: ClientOrderId, status: VenueStatus, filled: &str, fills: Vec<VenueFill>) -> VenueOrder {
    VenueOrder {
        symbol: Some(BTC),
        symbol_text: "BTCUSDT".to_owned(),
        venue_id: VenueOrderId(55),
        owner: Owner::Ours(id),
        side: Side::Buy,
        status: Some(status),
        ordered: qty("1"),
        filled: qty(filled),
        filled_quote: None,
        at: at(1),
        fills,
    }
}

fn ok(order: VenueOrder) -> Result<Answer, Failure> {
    Ok(Answer::Order(order))
}

fn lost() -> Result<Answer, Failure> {
    Err(Failure::Ambiguous("no answer came".to_owned()))
}

/// ROUTE-1.
#[test]
fn an_order_is_written_down_twice_before_it_leaves() {
    let mut bench = Bench::new();
    bench.router.submit(approved(intent(0, OrderKind::Market)));
    let first = bench.router.take_actions();
    assert!(matches!(first.facts[..], [Fact::Intended { .. }]) && first.asks.is_empty(), "{first:?}");
    bench.router.tick(at(1));
    let second = bench.router.take_actions();
    assert!(matches!(&second.facts[..], [Fact::Moved { order }] if order.state == OrderState::Sending));
    assert!(matches!(second.asks[..], [(_, Request::Place(_))]));
}

#[test]
fn a_market_order_that_is_answered_in_full_is_done() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::Filled, "1", vec![fill(1, "0.4"), fill(2, "0.6")])));
    assert_eq!((bench.state(id), bench.filled(), bench.ends()), (OrderState::Filled, qty("1"), 1));
    assert!(bench.alarms.is_empty() && bench.router.next_wake().is_none());
    assert_eq!(bench.router.state().open().count(), 0);
}

/// C1, C4, C5, ROUTE-3: absent only by proof, and then another order may go.
#[test]
fn an_order_that_never_arrived_is_absent_by_proof_only() {
    let (mut bench, id) = Bench::sent();
    bench.now = at(12_000);
    bench.answer(is_place, lost());
    assert_eq!(bench.state(id), OrderState::Unknown);
    let mut denied = 0;
    while bench.compare.is_empty() {
        assert!(bench.now < at(200_000), "no proof in three minutes");
        bench.pass(500);
        while bench.asks.iter().any(|(_, request)| is_query(request)) {
            bench.answer(is_query, Err(Failure::NoSuchOrder));
            denied += 1;
        }
        assert_eq!(bench.state(id), OrderState::Unknown, "a denial is no proof");
        if bench.asks.iter().any(|(_, request)| matches!(request, Request::OpenOrders { .. })) {
            bench.answer(|request| matches!(request, Request::OpenOrders { .. }), Ok(Answer::Orders(Vec::new())));
            assert!(bench.compare.is_empty(), "one list is no proof");
            bench.answer(|request| matches!(request, Request::Orders { .. }), Ok(Answer::Orders(Vec::new())));
        }
    }
    assert!(denied >= 3);
    bench.router.on_compared(id, true, bench.now);
    bench.collect();
    assert_eq!((bench.state(id), bench.ends(), bench.places()), (OrderState::Abandoned, 1, 0), "and it is not sent again");
}

/// C4: balances that do not fit an absent order keep it unknown.
#[test]
fn an_order_is_not_absent_while_the_balances_say_otherwise() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, lost());
    bench.router.on_compared(id, false, bench.now);
    bench.collect();
    assert_eq!(bench.state(id), OrderState::Unknown);
}

/// C2: the stream says that it is there before the answer is missed, or after.
#[test]
fn an_event_that_overtakes_a_lost_answer_settles_it() {
    for is_before in [true, false] {
        let (mut bench, id) = Bench::sent();
        if !is_before {
            bench.answer(is_place, lost());
        }
        bench.push(seen(id, VenueStatus::Filled, "1", vec![fill(9, "1")]), 3);
        if is_before {
            bench.answer(is_place, lost());
        }
        bench.pass(120_000);
        assert_eq!((bench.state(id), bench.filled(), bench.ends(), bench.places()), (OrderState::Filled, qty("1"), 1, 0));
    }
}

/// C3, ROUTE-5: a 5xx, and then the order turns out to be filled.
#[test]
fn an_order_behind_an_error_is_adopted_with_its_fills() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, lost());
    bench.pass(600);
    bench.answer(is_query, ok(seen(id, VenueStatus::Filled, "1", Vec::new())));
    assert_eq!(bench.ends(), 0, "it has ended when its trades are known");
    bench.answer(is_fills, Ok(Answer::Fills(vec![fill(4, "0.7"), fill(5, "0.3")])));
    assert_eq!((bench.state(id), bench.filled(), bench.ends(), bench.places()), (OrderState::Filled, qty("1"), 1, 0));
    assert!(bench.alarms.iter().any(|alarm| matches!(alarm, Alarm::Resolved { .. })));
}

/// C7.
#[test]
fn a_duplicate_is_our_own_order_and_is_adopted() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, Err(Failure::Duplicate));
    bench.tick();
    bench.answer(is_query, ok(seen(id, VenueStatus::New, "0", Vec::new())));
    assert_eq!((bench.state(id), bench.places()), (OrderState::Accepted, 0));
}

/// C8, ROUTE-2.
#[test]
#[should_panic(expected = "ROUTE-2")]
fn an_id_is_used_once() {
    let (mut bench, _) = Bench::sent();
    bench.submit(intent(0, OrderKind::Market));
}

#[test]
fn what_never_left_is_tried_again_under_its_id_and_not_for_ever() {
    let (mut bench, id) = Bench::sent();
    for _ in 0..2 {
        bench.answer(is_place, Err(Failure::NotSent("connection refused".to_owned())));
        bench.pass(600);
        assert!(matches!(bench.asks[..], [(_, Request::Place(again))] if again.id == id));
    }
    bench.answer(is_place, Err(Failure::NotSent("connection refused".to_owned())));
    bench.pass(60_000);
    assert_eq!((bench.state(id), bench.places(), bench.ends()), (OrderState::Abandoned, 0, 1));
}

/// C10: a cancel meets an order that has filled.
#[test]
fn a_cancel_that_comes_too_late_finds_the_fill() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::New, "0", Vec::new())));
    bench.router.cancel(id, bench.now);
    bench.collect();
    bench.answer(is_cancel, Err(Failure::NotOpen));
    bench.tick();
    bench.answer(is_query, ok(seen(id, VenueStatus::Filled, "1", Vec::new())));
    bench.answer(is_fills, Ok(Answer::Fills(vec![fill(1, "1")])));
    assert_eq!((bench.state(id), bench.filled(), bench.ends()), (OrderState::Filled, qty("1"), 1));
}

/// C9: a fill between the cancel and its answer; the venue's quantity counts.
#[test]
fn a_fill_during_the_cancel_counts_once() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::PartiallyFilled, "0.2", vec![fill(1, "0.2")])));
    bench.router.cancel(id, bench.now);
    bench.collect();
    bench.push(seen(id, VenueStatus::PartiallyFilled, "0.5", vec![fill(2, "0.3")]), 4);
    bench.answer(is_cancel, ok(seen(id, VenueStatus::Canceled, "0.5", Vec::new())));
    bench.push(seen(id, VenueStatus::Canceled, "0.5", Vec::new()), 5);
    assert_eq!((bench.state(id), bench.filled(), bench.ends()), (OrderState::Canceled, qty("0.5"), 1));
}

/// C11.
#[test]
fn a_fill_after_the_end_is_booked_and_told() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::Canceled, "0", Vec::new())));
    bench.push(seen(id, VenueStatus::Canceled, "0.1", vec![fill(8, "0.1")]), 6);
    assert_eq!((bench.filled(), bench.ends()), (qty("0.1"), 1));
    assert!(matches!(bench.reports.last(), Some(OrderReport::Excess { .. })));
    assert_eq!(bench.alarms, [Alarm::LateFill { id, trade: 8 }]);
}

/// C12.
#[test]
fn more_than_was_ordered_is_booked_and_told() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::Filled, "1.5", vec![fill(1, "1"), fill(2, "0.5")])));
    assert_eq!((bench.filled(), bench.ends()), (qty("1.5"), 1));
    assert_eq!(bench.alarms, [Alarm::Overfilled { id }]);
}

/// C13.
#[test]
fn an_expired_order_keeps_what_was_filled() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::Expired, "0.4", vec![fill(1, "0.4")])));
    assert_eq!((bench.state(id), bench.filled(), bench.ends()), (OrderState::Expired, qty("0.4"), 1));
}

/// C14.
#[test]
fn a_status_nobody_knows_is_unknown() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, ok(seen(id, VenueStatus::Unheard, "0", Vec::new())));
    assert_eq!(bench.state(id), OrderState::Unknown);
    assert!(bench.alarms.contains(&Alarm::Unheard { id }));
    bench.pass(600);
    bench.answer(is_query, ok(seen(id, VenueStatus::New, "0", Vec::new())));
    assert_eq!(bench.state(id), OrderState::Accepted);
}

/// C15.
#[test]
fn an_answer_about_another_order_is_an_alarm_and_settles_nothing() {
    let (right, other) = (intent(0, OrderKind::Market).id, intent(9, OrderKind::Market).id);
    for wrong in [
        VenueOrder { symbol: Some(SymbolIndex(1)), ..seen(right, VenueStatus::Filled, "1", vec![fill(1, "1")]) },
        VenueOrder { side: Side::Sell, ..seen(right, VenueStatus::Filled, "1", vec![fill(1, "1")]) },
        seen(other, VenueStatus::Filled, "1", vec![fill(1, "1")]),
    ] {
        let (mut bench, id) = Bench::sent();
        bench.answer(is_place, ok(wrong));
        assert!(bench.alarms.iter().any(|alarm| matches!(alarm, Alarm::Protocol { .. })), "{:?}", bench.alarms);
        assert_eq!((bench.state(id), bench.filled()), (OrderState::Unknown, Qty::ZERO));
    }
}

/// C24.
#[test]
fn an_order_of_somebody_else_is_named() {
    let mut bench = Bench::new();
    let foreign =
        VenueOrder { owner: Owner::of("web_abc"), ..seen(intent(3, OrderKind::Market).id, VenueStatus::New, "0", Vec::new()) };
    bench.push(foreign, 1);
    bench.push(seen(intent(4, OrderKind::Market).id, VenueStatus::New, "0", Vec::new()), 2);
    let ids: Vec<&str> = bench
        .alarms
        .iter()
        .map(|alarm| match alarm {
            Alarm::Foreign { client_id, .. } => client_id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ids,
        ["web_abc", &intent(4, OrderKind::Market).id.to_string()],
        "an id in our form that we do not know is foreign too"
    );
}

/// D6, D7, ROUTE-4: whatever the order of events and answers, each trade is one fill.
#[test]
fn events_twice_overtaken_or_lost_make_one_fill_a_trade() {
    let (mut bench, id) = Bench::sent();
    bench.push(seen(id, VenueStatus::Filled, "1", vec![fill(3, "0.5")]), 12);
    assert_eq!(bench.ends(), 0, "half of it is missing");
    bench.push(seen(id, VenueStatus::PartiallyFilled, "0.2", vec![fill(1, "0.2")]), 10);
    bench.push(seen(id, VenueStatus::PartiallyFilled, "0.2", vec![fill(1, "0.2")]), 10);
    bench.answer(is_fills, Ok(Answer::Fills(vec![fill(1, "0.2"), fill(2, "0.3"), fill(3, "0.5")])));
    bench.answer(is_place, ok(seen(id, VenueStatus::Filled, "1", vec![fill(1, "0.2"), fill(2, "0.3"), fill(3, "0.5")])));
    assert_eq!((bench.state(id), bench.filled(), bench.ends()), (OrderState::Filled, qty("1"), 1));
    assert_eq!(bench.facts.iter().filter(|fact| matches!(fact, Fact::Filled { .. })).count(), 3);
}

/// C25, C26, C30, C31: refusals for now stop new orders, not the order's fate.
#[test]
fn a_venue_that_wants_no_orders_gets_none() {
    let (mut bench, id) = Bench::sent();
    let until = bench.now + Span::from_secs(20);
    bench.answer(is_place, Err(Failure::Throttled { until }));
    assert!(matches!(bench.reports.last(), Some(OrderReport::Rejected { reason: RejectReason::Throttled, .. })));
    assert_eq!((bench.state(id), &bench.alarms[..]), (OrderState::Rejected, &[Alarm::Throttled { until }][..]));
    bench.submit(intent(1, OrderKind::Market));
    assert_eq!((bench.places(), bench.router.next_wake()), (0, Some(until + CLOSED_MARGIN)), "nobody wakes in vain");
    bench.pass(20_000);
    assert_eq!(bench.places(), 0, "not at the very moment: clocks differ");
    bench.pass(2000);
    assert_eq!(bench.places(), 1);
}

#[test]
fn an_order_that_the_venue_has_put_away_has_ended_without_a_fill() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, lost());
    bench.pass(600);
    bench.answer(is_query, Err(Failure::Archived));
    assert_eq!((bench.state(id), bench.ends()), (OrderState::Expired, 1));
}

/// A resolve loop of a minute wakes somebody, once, and goes on.
#[test]
fn a_minute_of_not_knowing_wakes_somebody_once() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, lost());
    for _ in 0..20 {
        bench.pass(10_000);
        while bench.asks.iter().any(|(_, request)| is_query(request)) {
            bench.answer(is_query, lost());
        }
    }
    let pages = bench.alarms.iter().filter(|alarm| matches!(alarm, Alarm::Unresolved { .. })).count();
    assert_eq!((pages, bench.state(id), bench.places()), (1, OrderState::Unknown, 0));
}

#[test]
fn a_resting_order_is_withdrawn_at_its_end_and_has_expired() {
    let (mut bench, id) = Bench::resting();
    assert_eq!(bench.router.next_wake(), Some(at(30_000)));
    bench.pass(30_000);
    bench.answer(is_cancel, ok(seen(id, VenueStatus::Canceled, "0", Vec::new())));
    assert!(matches!(bench.reports.last(), Some(OrderReport::Expired { .. })), "{:?}", bench.reports);
}

#[test]
fn a_cancel_is_repeated_until_it_is_home_and_reaches_an_unknown_order_too() {
    let (mut bench, id) = Bench::sent();
    bench.answer(is_place, lost());
    bench.router.cancel_all(bench.now);
    bench.collect();
    for _ in 0..6 {
        bench.answer(is_cancel, lost());
        bench.pass(31_000);
        while bench.asks.iter().any(|(_, request)| is_query(request)) {
            bench.answer(is_query, lost());
        }
    }
    assert!(bench.alarms.iter().any(|alarm| matches!(alarm, Alarm::CancelFailed { .. })));
    bench.answer(is_cancel, ok(seen(id, VenueStatus::Canceled, "0", Vec::new())));
    assert_eq!((bench.state(id), bench.ends()), (OrderState::Canceled, 1));
}

/// C34.
#[test]
fn a_fill_beyond_its_limit_is_booked_and_told() {
    let (mut bench, id) = Bench::resting();
    bench.push(seen(id, VenueStatus::PartiallyFilled, "0.0002", vec![fill(1, "0.0002")]), 1);
    assert!(matches!(bench.alarms.last(), Some(Alarm::Protocol { what }) if what.contains("100, beyond its limit of 99")));
    assert_eq!(bench.filled(), qty("0.0002"));
}

/// P5.
#[test]
fn a_word_to_stop_waits_for_no_answer_to_a_cancel() {
    let (mut bench, _) = Bench::resting();
    bench.pass(30_500);
    let cancels = |bench: &Bench| bench.asks.iter().filter(|(_, request)| is_cancel(request)).count();
    assert_eq!(cancels(&bench), 1, "its time was over, and no answer comes");
    bench.router.cancel_all(bench.now);
    bench.collect();
    assert_eq!(cancels(&bench), 2);
}

#[test]
fn a_closed_router_places_nothing() {
    let mut bench = Bench::new();
    bench.router.submit(approved(intent(0, OrderKind::Market)));
    bench.router.close(bench.now);
    bench.tick();
    assert_eq!((bench.places(), bench.state(intent(0, OrderKind::Market).id)), (0, OrderState::Abandoned));
    bench.submit(intent(1, OrderKind::Market));
    assert_eq!(bench.places(), 0);
}

/// A1 to A6: after a restart nothing is sent twice, and what may have left is asked about.
#[test]
fn a_restart_abandons_what_never_left_and_asks_about_the_rest() {
    let mut bench = Bench::new();
    let (first, second) = (intent(0, OrderKind::Market), intent(1, OrderKind::Market));
    bench.router.submit(approved(first));
    bench.router.submit(approved(second));
    let text = serde_json::to_string(bench.router.state()).unwrap();
    let read: RouterState = serde_json::from_str(&text).unwrap();
    assert_eq!(&read, bench.router.state());
    let mut bench = Bench::on(Router::restore(config(), read, &[second.id].into(), at(5000)));
    assert_eq!((bench.state(first.id), bench.state(second.id)), (OrderState::Abandoned, OrderState::Unknown));
    bench.now = at(5000);
    bench.tick();
    assert!(matches!(bench.asks[..], [(_, Request::Order { id, .. })] if id == second.id), "{:?}", bench.asks);
    bench.answer(is_query, ok(seen(second.id, VenueStatus::Filled, "1", Vec::new())));
    bench.answer(is_fills, Ok(Answer::Fills(vec![fill(1, "1")])));
    assert_eq!((bench.state(second.id), bench.filled(), bench.places()), (OrderState::Filled, qty("1"), 0));
    let again = Bench::on(Router::restore(config(), bench.router.state().clone(), &[].into(), at(9000)));
    assert!(again.asks.is_empty() && again.reports.is_empty(), "what has ended is left alone");
}

/// C23.
#[test]
fn a_fee_is_worth_what_it_was_taken_from() {
    for (asset, fee_in, worth) in
        [("USDT", FeeIn::Quote, "0.001"), ("BTC", FeeIn::Base(qty("0.001")), "0.1"), ("BNB", FeeIn::Other, "0")]
    {
        let (mut bench, id) = Bench::sent();
        let fill = VenueFill { fee_asset: asset.to_owned(), ..fill(1, "1") };
        bench.answer(is_place, ok(seen(id, VenueStatus::Filled, "1", vec![fill])));
        let OrderReport::Filled { fill, .. } = bench.reports.last().unwrap() else { panic!() };
        assert_eq!((fill.fee_in, fill.fee.to_string()), (fee_in, worth.to_owned()), "{asset}");
    }
}
