//! The client of the real venue against the simulated one. They were written apart, from the same documents: here they meet.

use std::sync::Arc;
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::domain::{
    ClientOrderId, OrderIntent, OrderKind, Price, Purpose, Qty, RejectReason, Side, Size, Span, SymbolIndex, Time, TimeInForce,
};
use tidegate::feed::binance::{Address, Service};
use tidegate::venue::binance::{Client, ClientConfig, Frame as Told, Key, KeyFault, Symbols};
use tidegate::venue::sim::{Fault, Frame, Garble, On, Promises, Rule, Script, When};
use tidegate::venue::wire::{Answer, Failure, Push, Request, TradeId, VenueOrder, VenueStatus};

use super::{NOW, sign};
use crate::venue::Ticks;
use crate::venue::orders::{KEY, Orders, SECRET};

/// What a test waits for an answer that does not come.
const TIMEOUT: Duration = Duration::from_millis(400);
const BTC: SymbolIndex = SymbolIndex(0);

fn symbols() -> Symbols {
    Symbols::new(&["BTC/USDT".parse().unwrap(), "ETH/USDT".parse().unwrap()]).unwrap()
}

struct Desk {
    clock: Arc<Ticks>,
    venue: Orders,
    client: Client,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(script: Script) -> Self {
        let clock = Ticks::at(NOW);
        let venue = Orders::new(clock.clone(), script, Promises::default());
        let folder = tempfile::tempdir().unwrap();
        let address = Address::new(Service::Practice, &venue.rest_url()).unwrap();
        let config = ClientConfig { address, order_timeout: TIMEOUT, lake: folder.path().to_owned() };
        let key = Key::new(&KEY.into(), &SECRET.into()).unwrap();
        let client = Client::open(&config, Arc::new(key), symbols(), clock.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let desk = Self { clock, venue, client, runtime, _folder: folder };
        desk.call(&Request::Rules).unwrap();
        desk
    }

    fn with(on: On, fault: Fault) -> Self {
        let desk = Self::new(Script::new(1));
        desk.venue.with(|exchange, _| exchange.script_mut().add(Rule::new(on, When::Nth(1), fault)));
        desk
    }

    fn call(&self, request: &Request) -> Result<Answer, Failure> {
        self.runtime.block_on(self.client.call(request))
    }

    fn order(&self, request: &Request) -> VenueOrder {
        match self.call(request) {
            Ok(Answer::Order(order)) => order,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    fn fills(&self, request: &Request) -> Vec<(u64, String)> {
        match self.call(request) {
            Ok(Answer::Fills(fills)) => fills.iter().map(|fill| (fill.trade.0, fill.qty.to_string())).collect(),
            other => panic!("{request:?}: {other:?}"),
        }
    }

    fn place(&self, sequence: u16, side: Side, kind: OrderKind, qty: &str) -> Result<Answer, Failure> {
        self.call(&Request::Place(intent(sequence, side, kind, Size::Base(qty.parse().unwrap()))))
    }
}

fn id(sequence: u16) -> ClientOrderId {
    ClientOrderId { scope: 1, bar: NOW.parse().unwrap(), sequence }
}

fn intent(sequence: u16, side: Side, kind: OrderKind, size: Size) -> OrderIntent {
    OrderIntent {
        id: id(sequence),
        symbol: BTC,
        side,
        kind,
        size,
        purpose: Purpose::Signal,
        decided_at: NOW.parse().unwrap(),
        reference: "100".parse().unwrap(),
    }
}

fn limit(price: &str, tif: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price.parse::<Price>().unwrap(), expires_at: Time::MAX, tif }
}

#[test]
fn every_request_is_understood_and_every_answer_too() {
    let desk = Desk::new(Script::new(1));
    assert!(matches!(desk.call(&Request::Time), Ok(Answer::Time(at)) if at == desk.clock.now()));
    let Ok(Answer::Order(bought)) = desk.place(0, Side::Buy, OrderKind::Market, "3") else { panic!("no order") };
    assert_eq!((bought.status, bought.filled.to_string().as_str(), bought.fills.len()), (Some(VenueStatus::Filled), "3", 1));
    assert_eq!(bought.filled_quote.unwrap().to_string(), "300");
    let amount = intent(1, Side::Buy, OrderKind::Market, Size::Quote("50".parse().unwrap()));
    let Ok(Answer::Order(bought)) = desk.call(&Request::Place(amount)) else { panic!("no order") };
    assert_eq!(bought.filled, "0.5".parse::<Qty>().unwrap());
    assert!(matches!(desk.call(&Request::Test(intent(9, Side::Buy, OrderKind::Market, amount.size))), Ok(Answer::Done)));
    desk.place(2, Side::Buy, limit("90", TimeInForce::Gtc), "1").unwrap();
    desk.place(3, Side::Buy, limit("91", TimeInForce::PostOnly), "1").unwrap();
    let Ok(Answer::Order(expired)) = desk.place(4, Side::Sell, limit("110", TimeInForce::Ioc), "1") else { panic!("no order") };
    assert_eq!(expired.status, Some(VenueStatus::Expired));
    let Ok(Answer::Orders(open)) = desk.call(&Request::OpenOrders { symbol: Some(BTC) }) else { panic!("no orders") };
    assert_eq!(open.len(), 2);
    assert_eq!(desk.order(&Request::Order { symbol: BTC, id: id(3) }).status, Some(VenueStatus::New));
    let day = (desk.clock.now() - Span::from_secs(3600), desk.clock.now() + Span::from_secs(1));
    let Ok(Answer::Orders(all)) = desk.call(&Request::Orders { symbol: BTC, from: day.0, until: day.1 }) else { panic!("none") };
    assert_eq!(all.len(), 5);
    let each = [(1, "3".to_owned()), (2, "0.5".to_owned())];
    assert_eq!(desk.fills(&Request::FillsFrom { symbol: BTC, first: TradeId(1) }), each);
    assert_eq!(desk.fills(&Request::FillsIn { symbol: BTC, from: day.0, until: day.1 }), each);
    assert_eq!(desk.fills(&Request::FillsOf { symbol: BTC, order: bought.venue_id }), each[1..]);
    let Ok(Answer::Account(account)) = desk.call(&Request::Account) else { panic!("no account") };
    let balance =
        |asset: &str| account.balances.iter().find(|balance| balance.asset == asset).map(|found| found.total().to_string());
    // 3.5 less a tenth of a percent; 1000 - 350, of which two orders claim 181.
    assert_eq!((balance("BTC").as_deref(), balance("USDT").as_deref()), (Some("3.4965"), Some("650")));
    assert_eq!(desk.order(&Request::Cancel { symbol: BTC, id: id(3) }).status, Some(VenueStatus::Canceled));
    assert!(matches!(desk.call(&Request::CancelAll { symbol: BTC }), Ok(Answer::Orders(canceled)) if canceled.len() == 1));
    assert!(desk.call(&Request::Restrictions).is_ok());
}

/// An order that is checked and not placed, and what the key may do: what a check before money moves asks.
#[test]
fn a_dry_run_places_nothing_and_a_key_says_what_it_may_do() {
    let desk = Desk::new(Script::new(1));
    let dry = |notional: &str| {
        let (notional, reference) = (notional.parse().unwrap(), "100".parse().unwrap());
        desk.runtime.block_on(desk.client.dry_run(BTC, Side::Buy, notional, reference))
    };
    let rights = || desk.runtime.block_on(desk.client.rights());
    assert_eq!(dry("50"), Ok(()));
    assert!(matches!(dry("1"), Err(Failure::Rejected { reason: RejectReason::MinNotional, .. })));
    assert_eq!(rights().unwrap().faults(), []);
    desk.venue.with(|exchange, _| {
        let rights = &mut exchange.keys_mut(0)[0].permissions;
        (rights.can_withdraw, rights.is_ip_restricted) = (true, false);
    });
    assert_eq!(rights().unwrap().faults(), [KeyFault::CanWithdraw, KeyFault::BoundToNoAddress]);
    desk.venue.with(|exchange, _| exchange.keys_mut(0)[0].permissions.can_trade = false);
    assert!(rights().unwrap().faults().contains(&KeyFault::CannotTrade));
    assert!(matches!(dry("50"), Err(Failure::Key { .. })));
    desk.venue.with(|exchange, _| assert_eq!(exchange.orders().count(), 0, "nothing was placed"));
}

#[test]
fn what_the_venue_refuses_is_told_apart() {
    let desk = Desk::new(Script::new(1));
    assert_eq!(desk.call(&Request::Order { symbol: BTC, id: id(9) }), Err(Failure::NoSuchOrder));
    assert_eq!(desk.call(&Request::Cancel { symbol: BTC, id: id(9) }), Err(Failure::NotOpen));
    desk.place(0, Side::Buy, limit("90", TimeInForce::Gtc), "1").unwrap();
    assert_eq!(desk.place(0, Side::Buy, limit("90", TimeInForce::Gtc), "1"), Err(Failure::Duplicate));
    let reason = |result: Result<Answer, Failure>| match result {
        Err(Failure::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(desk.place(1, Side::Sell, OrderKind::Market, "5")), RejectReason::InsufficientBalance);
    assert_eq!(reason(desk.place(2, Side::Buy, limit("100", TimeInForce::PostOnly), "1")), RejectReason::WouldTake);
    assert_eq!(reason(desk.place(3, Side::Buy, limit("90", TimeInForce::Gtc), "0.01")), RejectReason::MinNotional);
    assert_eq!(reason(desk.place(4, Side::Buy, limit("90.001", TimeInForce::Gtc), "1")), RejectReason::Filter);
}

#[test]
fn what_nobody_knows_is_a_doubt_and_what_is_certain_is_not() {
    let failing = |fault: Fault| {
        let desk = Desk::with(On::Place, fault);
        let failure = desk.place(0, Side::Buy, OrderKind::Market, "1").unwrap_err();
        let is_there = desk.call(&Request::Order { symbol: BTC, id: id(0) }).is_ok();
        (failure, is_there)
    };
    for accepted in [true, false] {
        for fault in [
            Fault::Lost { accepted },
            Fault::Cut { accepted, after: 0 },
            Fault::Cut { accepted, after: 30 },
            Fault::Broken { accepted, status: 504, code: -1007 },
            Fault::Broken { accepted, status: 503, code: -1008 },
            Fault::Html { accepted, status: 502 },
        ] {
            let (failure, is_there) = failing(fault.clone());
            assert!(matches!(failure, Failure::Ambiguous(_)) && is_there == accepted, "{fault:?}: {failure:?}");
        }
    }
    for garble in [Garble::Empty, Garble::Html, Garble::Symbol, Garble::Side, Garble::ClientId] {
        let (failure, is_there) = failing(Fault::Garbled { garble });
        assert!(!failure.is_certain() && is_there, "{garble:?}: {failure:?}");
    }
    for fault in
        [Fault::Slow, Fault::Oversized { bytes: 8 << 20 }, Fault::Redirect { to: "http://elsewhere.invalid/".to_owned() }]
    {
        let (failure, _) = failing(fault.clone());
        assert!(!failure.is_certain(), "{fault:?}: {failure:?}");
    }
}

#[test]
fn a_wrong_clock_is_compared_and_the_order_goes_once() {
    for millis in [900, -900, 1100, -1100, 6000, -6000] {
        let desk = Desk::new(Script::new(1));
        desk.call(&Request::Account).unwrap();
        desk.venue.with(|exchange, _| exchange.befall(&Fault::Clock { off: Span::from_millis(millis) }, None));
        assert!(desk.place(0, Side::Buy, OrderKind::Market, "1").is_ok(), "{millis} ms");
        assert_eq!(desk.venue.with(|exchange, _| exchange.orders().count()), 1);
    }
}

/// The judge of the venue fails this test if a request leaves before the door is open again.
#[test]
fn a_closed_door_is_not_knocked_at() {
    for (fault, secs) in [
        (Fault::Throttled { retry_after: Some("7".to_owned()) }, 7),
        (Fault::Throttled { retry_after: None }, 60),
        (Fault::Banned { span: Span::from_secs(120) }, 120),
    ] {
        let desk = Desk::with(On::Place, fault.clone());
        desk.place(0, Side::Buy, OrderKind::Market, "1").unwrap_err();
        for wait in [secs / 2, secs - secs / 2 - 1] {
            desk.clock.pass(Span::from_secs(wait));
            desk.place(1, Side::Buy, OrderKind::Market, "1").unwrap_err();
        }
        desk.clock.pass(Span::from_secs(5));
        assert!(desk.place(2, Side::Buy, OrderKind::Market, "1").is_ok(), "{fault:?}");
    }
}

#[test]
fn events_of_the_one_are_pushes_to_the_other() {
    let desk = Desk::new(Script::new(1));
    let stamp = desk.clock.now().millis();
    let signature = sign(&format!("apiKey={KEY}&timestamp={stamp}"), SECRET);
    let ask = serde_json::json!({ "id": 1, "method": "userDataStream.subscribe.signature",
        "params": { "apiKey": KEY, "timestamp": stamp, "signature": signature } });
    let connection = desk.venue.with(|exchange, now| {
        let connection = exchange.connect("/ws-api/v3", now).unwrap();
        exchange.receive(connection, Frame::Text(ask.to_string()), now);
        connection
    });
    desk.place(0, Side::Buy, OrderKind::Market, "1").unwrap();
    desk.place(1, Side::Buy, limit("90", TimeInForce::Gtc), "1").unwrap();
    desk.call(&Request::Cancel { symbol: BTC, id: id(1) }).unwrap();
    desk.venue.with(|exchange, _| {
        exchange.deposit(0, "USDT", "-10".parse().unwrap());
        exchange.befall(&Fault::Shutdown, None);
    });
    let frames = desk.venue.with(|exchange, now| exchange.take_frames(connection, now));
    let texts = frames.into_iter().filter_map(|frame| if let Frame::Text(text) = frame { Some(text) } else { None });
    let told: Vec<Told> = texts.map(|text| Told::read(&text, &symbols()).unwrap()).collect();
    assert_eq!(told[0], Told::Answer { id: 1, refusal: None });
    let orders: Vec<(ClientOrderId, VenueStatus, String)> = told
        .iter()
        .filter_map(|told| match told {
            Told::Push(Push::Order { order, last_filled, .. }) => {
                let tidegate::venue::wire::Owner::Ours(id) = order.owner else { panic!("{order:?}") };
                Some((id, order.status.unwrap(), last_filled.to_string()))
            }
            _ => None,
        })
        .collect();
    let wanted = [
        (id(0), VenueStatus::New, "0"),
        (id(0), VenueStatus::Filled, "1"),
        (id(1), VenueStatus::New, "0"),
        (id(1), VenueStatus::Canceled, "0"),
    ];
    assert_eq!(orders, wanted.map(|(id, status, qty)| (id, status, qty.to_owned())));
    assert!(told.iter().any(|told| matches!(told, Told::Push(Push::Moved { asset, .. }) if asset == "USDT")));
    assert!(told.iter().any(|told| matches!(told, Told::Push(Push::Balances { .. }))));
    assert_eq!(told.last(), Some(&Told::Shutdown));
    assert!(!told.iter().any(|told| matches!(told, Told::Wrong(_) | Told::Unknown(_))), "{told:?}");
}
