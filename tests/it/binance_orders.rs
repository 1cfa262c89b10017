//! The client of orders against a venue that answers by script, over real HTTP.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate::domain::{ClientOrderId, OrderIntent, OrderKind, Purpose, Side, Size, Span, SymbolIndex, Time};
use tidegate::feed::binance::{Address, Service};
use tidegate::venue::binance::{Client, ClientConfig, Key, OrdersError, Symbols};
use tidegate::venue::wire::{Answer, Failure, Request};

pub mod server;

use server::{Hands, Play, Server};

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const START: &str = "2026-03-01T00:00:05Z";
/// What a test waits for an answer that does not come.
const TIMEOUT: Duration = Duration::from_millis(600);

/// What the client keeps open ends with its runtime, which goes first; the server waits for its guests.
struct Desk {
    client: Client,
    runtime: tokio::runtime::Runtime,
    clock: Arc<Hands>,
    server: Server,
    folder: tempfile::TempDir,
}

fn open(url: &str, lake: &Path, clock: &Arc<Hands>) -> Result<Client, OrdersError> {
    let address = Address::new(Service::Practice, url).unwrap();
    let config = ClientConfig { address, order_timeout: TIMEOUT, lake: lake.to_owned() };
    let key = Key::new(&API_KEY.into(), &SECRET.into()).unwrap();
    let symbols = Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap();
    Client::open(&config, Arc::new(key), symbols, clock.clone())
}

impl Desk {
    fn new() -> Self {
        let clock = Hands::at(START);
        let server = Server::new(clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let client = open(&server.url(), folder.path(), &clock).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { clock, server, client, folder, runtime }
    }

    fn call(&self, request: &Request) -> Result<Answer, Failure> {
        self.runtime.block_on(self.client.call(request))
    }

    fn play(&self, play: Play, request: &Request) -> Result<Answer, Failure> {
        self.server.play(play);
        self.call(request)
    }

    /// The program ended and began again.
    fn restart(&mut self) {
        self.client = open(&self.server.url(), self.folder.path(), &self.clock).unwrap();
    }
}

fn id() -> ClientOrderId {
    ClientOrderId { scope: 1, bar: START.parse().unwrap(), sequence: 0 }
}

fn place() -> Request {
    Request::Place(OrderIntent {
        id: id(),
        symbol: SymbolIndex(0),
        side: Side::Buy,
        kind: OrderKind::Market,
        size: Size::Base("0.5".parse().unwrap()),
        purpose: Purpose::Signal,
        decided_at: START.parse().unwrap(),
        reference: "100".parse().unwrap(),
    })
}

fn cancel() -> Request {
    Request::Cancel { symbol: SymbolIndex(0), id: id() }
}

fn taken() -> String {
    format!(
        "{{\"symbol\":\"BTCUSDT\",\"orderId\":28,\"clientOrderId\":\"{}\",\"transactTime\":1772323205000,\"price\":\"0\",\"origQty\":\"0.5\",\
         \"executedQty\":\"0\",\"cummulativeQuoteQty\":\"0\",\"status\":\"NEW\",\"type\":\"MARKET\",\"side\":\"BUY\",\"fills\":[]}}",
        id()
    )
}

fn withdrawn() -> String {
    taken().replace("\"clientOrderId\"", "\"clientOrderId\":\"x\",\"origClientOrderId\"").replace("NEW", "CANCELED")
}

fn says(code: i64, text: &str) -> String {
    format!("{{\"code\":{code},\"msg\":\"{text}\"}}")
}

fn at(secs: i64) -> Time {
    START.parse::<Time>().unwrap() + Span::from_secs(secs)
}

/// ORDERS-1, ORDERS-2: what is sent is signed by the venue's clock, and only the key's name stands beside it.
#[test]
fn an_order_is_sent_signed_and_answered() {
    let desk = Desk::new();
    desk.server.set_ahead(Span::from_millis(700));
    assert!(matches!(desk.play(Play::ok(taken()), &place()), Ok(Answer::Order(_))));
    assert!(matches!(desk.play(Play::ok(withdrawn()), &cancel()), Ok(Answer::Order(_))));
    let heard = desk.server.heard();
    let [order, withdrawal] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((order.method.as_str(), order.path.as_str(), order.query.as_str()), ("POST", "/api/v3/order", ""));
    let time = (at(0) + Span::from_millis(700)).millis().to_string();
    let (payload, signature) = order.body.split_once("&signature=").unwrap();
    assert_eq!(
        payload,
        format!(
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5&newClientOrderId={}&newOrderRespType=FULL&recvWindow=5000&timestamp={time}",
            id()
        )
    );
    let key = Key::new(&API_KEY.into(), &SECRET.into()).unwrap();
    assert_eq!(signature, key.sign(payload.as_bytes()).unwrap());
    assert_eq!(order.api_key.as_deref(), Some(API_KEY));
    assert_eq!((withdrawal.method.as_str(), withdrawal.param("origClientOrderId")), ("DELETE", Some(id().to_string().as_str())));
    let shown = format!("{:?}", desk.client);
    assert!(!shown.contains(API_KEY) && shown.contains("…Eh8A"), "{shown}");
    assert_eq!(desk.client.clock().ahead(), Span::from_millis(700));
}

/// C6, C32, ORDERS-3: nothing that went wrong after the first byte says that nothing was done, and nothing is sent twice.
#[test]
fn whatever_breaks_on_the_way_back_leaves_a_doubt() {
    let plays = [
        Play::Cut(taken()),
        Play::ok(""),
        Play::ok("<html>maintenance</html>"),
        Play::Gone,
        Play::Silence,
        Play::Drip,
        Play::Flood,
        Play::status(504, says(-1007, "Timeout waiting for response from backend server.")),
        Play::status(502, "<html>502</html>"),
        Play::status(302, "").with("Location", "https://evil.example/api/v3/order"),
        Play::ok(taken()).with("Content-Encoding", "gzip").with("X-Nothing", "1"),
    ];
    for (nth, play) in plays.iter().enumerate() {
        let desk = Desk::new();
        let read = desk.play(play.clone(), &place());
        // A body that claims to be packed and is not is read as it stands.
        if nth + 1 == plays.len() {
            assert!(read.is_ok(), "{read:?}");
        } else {
            assert!(matches!(read, Err(Failure::Ambiguous(_))), "{play:?}: {read:?}");
        }
        assert_eq!(desk.server.heard().len(), 1, "{play:?}");
        let said = format!("{read:?}");
        assert!(!said.contains("signature") && !said.contains(API_KEY), "{said}");
    }
}

/// C33, ORDERS-3: where nobody listens, nothing was sent.
#[test]
fn a_venue_that_is_not_there_was_sent_nothing() {
    let clock = Hands::at(START);
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let client = open(&url, folder.path(), &clock).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for request in [place(), cancel()] {
        let read = runtime.block_on(client.call(&request));
        assert!(matches!(read, Err(Failure::NotSent(_))), "{read:?}");
    }
}

/// C25: the pause is as long as the venue says, a minute where it does not say, three days at most.
#[test]
fn a_slowdown_is_obeyed() {
    for (header, secs) in [
        (Some("37"), 37),
        (None, 60),
        (Some("0"), 1),
        (Some("1000000000"), 3 * 86_400),
        (Some("Sun, 01 Mar 2026 00:01:05 GMT"), 60),
    ] {
        let desk = Desk::new();
        let play = Play::status(429, says(-1003, "Too much request weight used."));
        let play = header.map_or(play.clone(), |value| play.with("Retry-After", value));
        assert_eq!(desk.play(play, &place()), Err(Failure::Throttled { until: at(secs) }), "{header:?}");
        desk.clock.pass(Span::from_millis(500));
        let calls = desk.server.calls();
        assert_eq!(desk.call(&place()), Err(Failure::Throttled { until: at(secs) }));
        assert_eq!(desk.call(&Request::Account), Err(Failure::Throttled { until: at(secs) }));
        assert_eq!(desk.server.calls(), calls, "nothing leaves meanwhile");
        // A withdrawal knocks, and others follow it until one is told the same.
        assert!(desk.play(Play::ok(withdrawn()), &cancel()).is_ok());
        let again = Play::status(429, says(-1003, "Too much request weight used.")).with("Retry-After", "1");
        assert!(matches!(desk.play(again, &cancel()), Err(Failure::Throttled { .. })));
        let calls = desk.server.calls();
        assert!(matches!(desk.call(&cancel()), Err(Failure::Throttled { until }) if until >= at(secs)));
        assert_eq!(desk.server.calls(), calls);
        desk.clock.pass(Span::from_secs(secs + 2));
        assert!(desk.play(Play::ok(taken()), &place()).is_ok());
    }
}

/// C26, ORDERS-7: not one request before the end, and a restart does not forget.
#[test]
fn a_ban_is_obeyed_over_a_restart() {
    let mut desk = Desk::new();
    let play = Play::status(418, says(-1003, "Way too much request weight used.")).with("Retry-After", "3492");
    assert_eq!(desk.play(play, &place()), Err(Failure::Banned { until: at(3492) }));
    let calls = desk.server.calls();
    for _ in 0..2 {
        desk.clock.pass(Span::from_secs(1000));
        for request in [place(), cancel(), Request::Time, Request::Account] {
            assert_eq!(desk.call(&request), Err(Failure::Banned { until: at(3492) }));
        }
        assert_eq!(desk.client.closed_until(), Some(at(3492)));
        desk.restart();
    }
    assert_eq!(desk.server.calls(), calls, "the venue heard nothing");
    desk.clock.pass(Span::from_secs(1492));
    assert!(desk.play(Play::ok(taken()), &place()).is_ok());
    std::fs::write(desk.folder.path().join("_venue/binance.json"), "{").unwrap();
    let error = open(&desk.server.url(), desk.folder.path(), &desk.clock).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "nobody can tell: {error}");
}

/// C27.
#[test]
fn the_firewall_is_not_asked_again() {
    let desk = Desk::new();
    let play = Play::status(403, "<html><body>403 Forbidden</body></html>");
    assert_eq!(desk.play(play, &place()), Err(Failure::Throttled { until: at(300) }));
    let calls = desk.server.calls();
    desk.clock.pass(Span::from_secs(299));
    assert_eq!(desk.call(&place()), Err(Failure::Throttled { until: at(300) }));
    assert_eq!(desk.server.calls(), calls);
}

/// C31: also after a restart.
#[test]
fn too_many_orders_stop_orders_and_nothing_else() {
    let mut desk = Desk::new();
    let play = Play::status(429, says(-1015, "Too many new orders.")).with("Retry-After", "6");
    assert_eq!(desk.play(play, &place()), Err(Failure::Throttled { until: at(6) }));
    desk.restart();
    assert_eq!(desk.call(&place()), Err(Failure::Throttled { until: at(6) }));
    assert!(desk.play(Play::ok(withdrawn()), &cancel()).is_ok());
    assert!(desk.play(Play::ok(withdrawn()), &cancel()).is_ok());
    desk.clock.pass(Span::from_secs(6));
    assert!(desk.play(Play::ok(taken()), &place()).is_ok());
}

/// C29, ORDERS-8: the clocks are compared, and the same order is sent once more.
#[test]
fn a_wrong_clock_is_mended_once() {
    for (text, drift) in [
        ("Timestamp for this request is outside of the recvWindow.", Span::from_secs(6)),
        ("Timestamp for this request was 1000ms ahead of the server's time.", Span::from_millis(-1100)),
    ] {
        let desk = Desk::new();
        desk.server.play(Play::ok(taken()));
        desk.call(&place()).unwrap();
        desk.server.set_ahead(drift);
        desk.server.play(Play::status(400, says(-1021, text)));
        assert!(desk.play(Play::ok(taken()), &place()).is_ok());
        let heard = desk.server.heard();
        assert_eq!(heard.len(), 3);
        let [before, after] = [&heard[1], &heard[2]];
        assert_eq!(before.param("newClientOrderId"), after.param("newClientOrderId"));
        assert_eq!(after.param("timestamp").unwrap(), (at(0) + drift).millis().to_string());
        assert_eq!(desk.client.clock().ahead(), drift);
        // Not for ever.
        desk.server.play(Play::status(400, says(-1021, text)));
        assert_eq!(desk.play(Play::status(400, says(-1021, text)), &place()), Err(Failure::Clock));
        assert_eq!(desk.server.heard().len(), 5);
    }
}

/// C30: not asked again by itself.
#[test]
fn a_key_that_is_refused_is_not_tried_again() {
    for (status, code) in [(400, -1022), (401, -2014), (401, -2015)] {
        let desk = Desk::new();
        let read = desk.play(Play::status(status, says(code, "no")), &place());
        assert!(matches!(&read, Err(Failure::Key { code: found, .. }) if *found == code), "{read:?}");
        assert_eq!(desk.server.heard().len(), 1);
    }
}

/// C7.
#[test]
fn an_id_that_is_taken_is_told() {
    let desk = Desk::new();
    assert_eq!(desk.play(Play::status(400, says(-2010, "Duplicate order sent.")), &place()), Err(Failure::Duplicate));
}

/// C18: rules are read when asked for, kept, and come into force with the next order; limits too.
#[test]
fn rules_are_kept_fresh() {
    let desk = Desk::new();
    let rules = |limit: u32, modes: &str| {
        Play::ok(format!(
            "{{\"rateLimits\":[{{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":{limit}}}],\"symbols\":[\
             {{\"symbol\":\"BTCUSDT\",\"status\":\"TRADING\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\",\"orderTypes\":[\"MARKET\"],\
             \"isSpotTradingAllowed\":true,\"allowedSelfTradePreventionModes\":[{modes}],\"filters\":[]}}]}}"
        ))
    };
    let maintain = || desk.runtime.block_on(desk.client.maintain());
    desk.server.play(rules(6000, ""));
    maintain().unwrap();
    maintain().unwrap();
    assert_eq!(desk.server.heard().len(), 1, "an hour has not passed");
    assert!(!desk.client.rules().unwrap().of("BTCUSDT").unwrap().expires_maker);
    desk.clock.pass(Span::from_secs(3600));
    desk.server.play(rules(100, "\"EXPIRE_MAKER\""));
    maintain().unwrap();
    assert!(desk.play(Play::ok(taken()), &place()).is_ok());
    assert_eq!(desk.server.heard().last().unwrap().param("selfTradePreventionMode"), Some("EXPIRE_MAKER"));
    assert!(matches!(desk.call(&Request::Account), Err(Failure::Throttled { .. })), "the limit is lower now");
    desk.clock.pass(Span::from_secs(60));
    // A refusal by a rule of the venue's says that ours are others.
    desk.server.play(Play::status(400, says(-1013, "Filter failure: LOT_SIZE")));
    assert!(matches!(desk.play(rules(6000, ""), &place()), Err(Failure::Rejected { code: -1013, .. })));
    maintain().unwrap();
    assert_eq!(desk.server.heard().last().unwrap().path, "/api/v3/exchangeInfo");
    assert_eq!(desk.play(Play::Gone, &Request::Rules).map_err(|failure| failure.is_certain()), Err(false));
    assert!(desk.client.rules().is_some(), "what was read last stays");
}

/// ORDERS-6: what the headers say others have used is not ours to use.
#[test]
fn headers_are_heard() {
    let desk = Desk::new();
    let busy = Play::ok(taken()).with("X-MBX-USED-WEIGHT-1M", "4900").with("X-MBX-ORDER-COUNT-10S", "4");
    assert!(desk.play(busy, &place()).is_ok());
    assert!(matches!(desk.call(&place()), Err(Failure::Throttled { until }) if until == at(55)));
    assert!(desk.play(Play::ok(withdrawn()), &cancel()).is_ok());
}
