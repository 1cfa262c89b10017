//! The client and the user stream against a venue that was written from the documents alone, over real sockets, with each kind of key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair, RsaKeyPair};
use tidegate::clock::Clock;
use tidegate::domain::{
    Bar, ClientOrderId, OrderIntent, OrderKind, Purpose, RejectReason, Side, Size, Span, SymbolIndex, Time, TimeInForce,
};
use tidegate::feed::binance::{Address, Reach, Service};
use tidegate::venue::binance::stream::{Entry, UserStream, follow};
use tidegate::venue::binance::{Client, ClientConfig, Key, KeyKind, Symbols};
use tidegate::venue::sim::serve::{Floor, Served};
use tidegate::venue::sim::{self, Exchange, Lock, Script};
use tidegate::venue::wire::{Answer, Failure, Owner, Push, Request, TradeId, VenueOrder, VenueStatus};
use tokio::sync::mpsc::Receiver;

use crate::venue::Ticks;
use crate::venue::orders::{KEY, SECRET, setup};

const NOW: &str = "2026-03-02T10:00:30Z";
const RSA: &str = include_str!("../keys/rsa2048.pem");
/// What any step takes at most, by the real clock.
const STEP_MAX: Duration = Duration::from_secs(20);
const BTC: SymbolIndex = SymbolIndex(0);

/// A secret, and the half of it that the venue holds.
fn pair(kind: KeyKind) -> (String, Lock) {
    match kind {
        KeyKind::Hmac => (SECRET.to_owned(), Lock::hmac(SECRET)),
        KeyKind::Ed25519 => {
            let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
            der.extend([7; 32]);
            let public = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap().public_key().as_ref().to_vec();
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
            (pem, Lock::Ed25519(public))
        }
        KeyKind::Rsa => {
            let body = RSA.split("-----").nth(2).unwrap().split_whitespace().collect::<String>();
            let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
            (RSA.to_owned(), Lock::Rsa(key.public().as_ref().to_vec()))
        }
    }
}

/// What is open ends with its runtime, which goes before the venue.
struct Desk {
    pushes: Receiver<Push>,
    stream: Option<UserStream>,
    stop: Arc<AtomicBool>,
    client: Arc<Client>,
    runtime: tokio::runtime::Runtime,
    served: Served,
    clock: Arc<Ticks>,
    _folder: tempfile::TempDir,
    orders: u16,
}

impl Desk {
    fn new(kind: KeyKind, entry: Entry) -> Self {
        let clock = Ticks::at(NOW);
        let (secret, lock) = pair(kind);
        let mut setup = setup(Script::new(1));
        setup.holders[0].key = sim::Key { lock, ..setup.holders[0].key.clone() };
        let mut exchange = Exchange::new(setup, clock.now());
        let open_time = "2026-03-02T09:59:00Z".parse().unwrap();
        let bar = Bar { open_time, open: 100.0, high: 100.0, low: 100.0, close: 100.0, volume: 10.0 };
        exchange.advance("BTCUSDT", &bar, clock.now());
        let served = Served::start(Floor::new(exchange, clock.clone()), "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = Address::new(Service::Practice, &served.rest_url()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = ClientConfig { address: address.clone(), order_timeout: STEP_MAX, lake: folder.path().to_owned() };
        let key = Arc::new(Key::new(&KEY.into(), &secret.into()).unwrap());
        assert_eq!(key.kind(), kind);
        let symbols = Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap();
        let client = Arc::new(Client::open(&config, key, symbols, clock.clone()).unwrap());
        let stop = Arc::<AtomicBool>::default();
        let reach = Reach::new(clock.clone(), stop.clone());
        let (stream, pushes) = follow(client.clone(), &address.events().unwrap(), &reach, entry, 7).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { pushes, stream: Some(stream), stop, client, runtime, served, clock, _folder: folder, orders: 0 }
    }

    fn call(&self, request: &Request) -> Result<Answer, Failure> {
        self.runtime.block_on(self.client.call(request))
    }

    /// The next event of an order; balances come beside it.
    fn changed(&mut self) -> (VenueOrder, String) {
        loop {
            match self.push() {
                Push::Order { order, last_filled, .. } => return (order, last_filled.to_string()),
                Push::Balances { balances, .. } => assert!(!balances.is_empty()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn push(&mut self) -> Push {
        let next = self.pushes.recv();
        self.runtime.block_on(async { tokio::time::timeout(STEP_MAX, next).await.expect("a push in time").expect("a stream") })
    }

    fn intent(&mut self, side: Side, kind: OrderKind, size: Size) -> OrderIntent {
        self.orders += 1;
        let bar: Time = "2026-03-02T10:00:00Z".parse().unwrap();
        let id = ClientOrderId { scope: 1, bar, sequence: self.orders };
        let reference = "100".parse().unwrap();
        OrderIntent { id, symbol: BTC, side, kind, size, purpose: Purpose::Signal, decided_at: bar, reference }
    }

    fn limit(&mut self, price: &str, tif: TimeInForce) -> OrderIntent {
        let kind = OrderKind::Limit { price: price.parse().unwrap(), expires_at: Time::MAX, tif };
        self.intent(Side::Buy, kind, base("0.5"))
    }

    fn placed(&self, intent: OrderIntent) -> VenueOrder {
        match self.call(&Request::Place(intent)) {
            Ok(Answer::Order(order)) => order,
            other => panic!("{intent:?}: {other:?}"),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.stream.take().unwrap().join();
    }
}

fn base(qty: &str) -> Size {
    Size::Base(qty.parse().unwrap())
}

fn reason(result: Result<Answer, Failure>) -> RejectReason {
    match result {
        Err(Failure::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn orders(answer: Result<Answer, Failure>) -> Vec<VenueOrder> {
    match answer {
        Ok(Answer::Orders(orders)) => orders,
        other => panic!("{other:?}"),
    }
}

/// ORDERS-1: every request with every kind of key, and what is told of it unasked.
#[test]
fn every_request_is_understood() {
    for (kind, entry) in [
        (KeyKind::Hmac, Entry::Signature),
        (KeyKind::Ed25519, Entry::Signature),
        (KeyKind::Ed25519, Entry::Logon),
        (KeyKind::Rsa, Entry::Signature),
    ] {
        let mut desk = Desk::new(kind, entry);
        desk.runtime.block_on(desk.client.maintain()).unwrap();
        let rules = desk.client.rules().unwrap();
        assert!(rules.refused().is_empty() && rules.of("BTCUSDT").unwrap().is_trading(), "{kind:?}");
        assert_eq!(desk.push(), Push::Up, "{kind:?} {entry:?}");
        account(&desk);
        resting(&mut desk);
        filled(&mut desk);
        refused(&mut desk);
        together(&mut desk);
    }
}

fn account(desk: &Desk) {
    let Ok(Answer::Account(account)) = desk.call(&Request::Account) else { panic!() };
    assert!(account.can_trade && account.balances.iter().any(|balance| balance.asset == "USDT" && balance.free.is_positive()));
    let Ok(Answer::Restrictions(key)) = desk.call(&Request::Restrictions) else { panic!() };
    assert!(key.can_trade && !key.can_withdraw && key.is_bound_to_addresses);
    assert!(matches!(desk.call(&Request::Time), Ok(Answer::Time(at)) if at == desk.clock.now()));
}

/// An order that rests: placed, found, told, withdrawn.
fn resting(desk: &mut Desk) {
    let intent = desk.limit("90", TimeInForce::Gtc);
    assert_eq!(desk.call(&Request::Test(intent)), Ok(Answer::Done));
    let placed = desk.placed(intent);
    assert_eq!((placed.status, placed.owner.clone()), (Some(VenueStatus::New), Owner::Ours(intent.id)));
    let (told, _) = desk.changed();
    assert_eq!((told.venue_id, told.status), (placed.venue_id, Some(VenueStatus::New)));
    let Ok(Answer::Order(found)) = desk.call(&Request::Order { symbol: BTC, id: intent.id }) else { panic!() };
    assert_eq!(found.venue_id, placed.venue_id);
    for symbol in [Some(BTC), None] {
        assert_eq!(orders(desk.call(&Request::OpenOrders { symbol })).len(), 1);
    }
    assert_eq!(desk.call(&Request::Place(intent)), Err(Failure::Duplicate), "C7");
    let cancel = Request::Cancel { symbol: BTC, id: intent.id };
    let Ok(Answer::Order(gone)) = desk.call(&cancel) else { panic!() };
    assert_eq!((gone.status, gone.owner), (Some(VenueStatus::Canceled), Owner::Ours(intent.id)));
    let (told, _) = desk.changed();
    assert_eq!(
        (told.status, told.owner),
        (Some(VenueStatus::Canceled), Owner::Ours(intent.id)),
        "the order's id, not the withdrawal's"
    );
    assert_eq!(desk.call(&cancel), Err(Failure::NotOpen), "C10");
    let never = ClientOrderId { sequence: 999, ..intent.id };
    assert_eq!(desk.call(&Request::Order { symbol: BTC, id: never }), Err(Failure::NoSuchOrder));
}

/// Orders that are filled at once, and their fills asked for in every way.
fn filled(desk: &mut Desk) {
    let intent = desk.intent(Side::Buy, OrderKind::Market, base("0.5"));
    let placed = desk.placed(intent);
    assert_eq!((placed.status, placed.filled.to_string().as_str()), (Some(VenueStatus::Filled), "0.5"));
    let sum = |order: &VenueOrder| order.fills.iter().fold(tidegate::domain::Qty::ZERO, |sum, fill| sum + fill.qty);
    assert_eq!(sum(&placed), placed.filled);
    let mut told = tidegate::domain::Qty::ZERO;
    loop {
        let (order, _) = desk.changed();
        assert_eq!(order.venue_id, placed.venue_id);
        told += sum(&order);
        if order.status == Some(VenueStatus::Filled) {
            break;
        }
    }
    assert_eq!(told, placed.filled, "events and the answer tell the same fills");
    let (from, until) = (desk.clock.now() - Span::from_secs(3600), desk.clock.now() + Span::from_secs(1));
    for request in [
        Request::FillsOf { symbol: BTC, order: placed.venue_id },
        Request::FillsFrom { symbol: BTC, first: TradeId(0) },
        Request::FillsIn { symbol: BTC, from, until },
    ] {
        let Ok(Answer::Fills(fills)) = desk.call(&request) else { panic!("{:?}", desk.call(&request)) };
        let same: Vec<_> = fills.iter().filter(|fill| fill.order == placed.venue_id).map(|fill| fill.trade).collect();
        assert_eq!(same, placed.fills.iter().map(|fill| fill.trade).collect::<Vec<_>>(), "{request:?}");
    }
    assert_eq!(orders(desk.call(&Request::Orders { symbol: BTC, from, until })).len(), 2);
    // Windows of the budget: a fifth of fifty orders.
    desk.clock.pass(Span::from_secs(10));
    let amount = desk.intent(Side::Buy, OrderKind::Market, Size::Quote("20.123456789".parse().unwrap()));
    let placed = desk.placed(amount);
    assert!(placed.status == Some(VenueStatus::Filled) && placed.filled_quote.unwrap() <= "20.12345678".parse().unwrap());
    while desk.changed().0.status != Some(VenueStatus::Filled) {}
}

/// What the venue does not take, in its words.
fn refused(desk: &mut Desk) {
    let off_tick = desk.limit("90.001", TimeInForce::Gtc);
    assert_eq!(reason(desk.call(&Request::Place(off_tick))), RejectReason::Filter);
    let rules = desk.client.rules().unwrap();
    let rules = rules.of("BTCUSDT").unwrap();
    let market = tidegate::venue::Market::default();
    assert_eq!(rules.check(&off_tick, &market).unwrap_err().filter, "PRICE_FILTER", "we would have known");
    assert!(desk.call(&Request::Test(rules.fit(&off_tick, &market).unwrap())).is_ok());
    let taker = desk.limit("110", TimeInForce::PostOnly);
    assert_eq!(reason(desk.call(&Request::Place(taker))), RejectReason::WouldTake);
    let small = desk.intent(Side::Buy, OrderKind::Market, base("0.001"));
    assert_eq!(reason(desk.call(&Request::Place(small))), RejectReason::MinNotional);
    let rich = desk.intent(Side::Buy, OrderKind::Market, base("50"));
    assert_eq!(reason(desk.call(&Request::Place(rich))), RejectReason::InsufficientBalance);
    desk.clock.pass(Span::from_secs(10));
    let ioc = desk.limit("50", TimeInForce::Ioc);
    let placed = desk.placed(ioc);
    assert_eq!((placed.status, placed.filled.is_zero()), (Some(VenueStatus::Expired), true));
    while desk.changed().0.status != Some(VenueStatus::Expired) {}
}

/// All orders of a symbol are withdrawn with one request; the last word is that the key is gone.
fn together(desk: &mut Desk) {
    for price in ["80", "81"] {
        let intent = desk.limit(price, TimeInForce::Gtc);
        desk.placed(intent);
        desk.changed();
    }
    let gone = orders(desk.call(&Request::CancelAll { symbol: BTC }));
    assert_eq!(gone.iter().filter(|order| order.status == Some(VenueStatus::Canceled)).count(), 2);
    assert!(gone.iter().all(|order| matches!(order.owner, Owner::Ours(_))));
    assert_eq!(desk.call(&Request::CancelAll { symbol: BTC }), Err(Failure::NotOpen));
    desk.served.floor.with(|exchange, _| exchange.keys_mut(0)[0].is_revoked = true);
    assert!(matches!(desk.call(&Request::Account), Err(Failure::Key { .. })), "C30");
}
