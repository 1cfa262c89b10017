//! The simulated exchange over real sockets, and `venue-sim`.

mod verb;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock::Clock;
use tidegate::domain::{Span, Time};
use tidegate::venue::sim::serve::{Floor, ServeError, Served};
use tidegate::venue::sim::{Exchange, Fault, Halted, On, Promises, Rule, Script, When};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::venue::Ticks;
use crate::venue::orders::{KEY, Orders, SECRET, setup};

/// The longest that a test waits for bytes that should come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test waits for bytes that should not come.
const IMPATIENCE: Duration = Duration::from_millis(200);
const NOW: &str = "2026-03-02T10:00:30Z";

pub fn sign(payload: &str, secret: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    ring::hmac::sign(&key, payload.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A signed target, stamped `now`.
pub fn signed(path: &str, query: &str, secret: &str, now: Time) -> String {
    let payload = format!("{query}{}timestamp={}", if query.is_empty() { "" } else { "&" }, now.millis());
    format!("{path}?{payload}&signature={}", sign(&payload, secret))
}

/// What comes back on the wire for one request, until the connection ends or patience does.
pub fn exchange(address: std::net::SocketAddr, method: &str, target: &str, key: &str, patience: Duration) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {key}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A connection that is cut or silent ends what there is.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn venue(clock: &std::sync::Arc<Ticks>, script: Script) -> Orders {
    Orders::new(clock.clone(), script, Promises::default())
}

fn place(venue: &Orders, now: Time, id: &str, patience: Duration) -> String {
    let query = format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId={id}");
    exchange(venue.address(), "POST", &signed("/api/v3/order", &query, SECRET, now), KEY, patience)
}

fn is_there(venue: &Orders, id: &str) -> bool {
    venue.with(|exchange, _| exchange.orders().any(|(_, found, ..)| found == id))
}

#[test]
fn an_order_goes_over_a_real_socket() {
    let clock = Ticks::at(NOW);
    let venue = venue(&clock, Script::new(1));
    let answer = place(&venue, clock.now(), "a", PATIENCE);
    assert_eq!(venue.rest_url(), format!("http://{}", venue.address()));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for header in ["x-mbx-used-weight-1m: 0", "x-mbx-order-count-10s: 0", "content-type: application/json"] {
        assert!(answer.to_lowercase().contains(header), "{header}: {answer}");
    }
    let order: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!([&order["status"], &order["fills"][0]["price"]], ["FILLED", "100.00000000"]);
}

#[test]
fn a_body_of_a_form_is_read_too() {
    let clock = Ticks::at(NOW);
    let venue = venue(&clock, Script::new(1));
    let form = format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timestamp={}", clock.now().millis());
    let form = format!("{form}&signature={}", sign(&form, SECRET));
    let mut stream = TcpStream::connect(venue.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {KEY}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"status\":\"FILLED\""), "{answer}");
}

/// What comes back for the first order with this fault, and whether the venue has the order.
fn with_fault(fault: Fault, patience: Duration) -> (String, bool) {
    let clock = Ticks::at(NOW);
    let venue = venue(&clock, Script::new(1).with(Rule::new(On::Place, When::Nth(1), fault)));
    let answer = place(&venue, clock.now(), "a", patience);
    (answer, is_there(&venue, "a"))
}

#[test]
fn faults_are_done_to_real_bytes() {
    let lost = |accepted| with_fault(Fault::Lost { accepted }, IMPATIENCE);
    assert_eq!((lost(true), lost(false)), ((String::new(), true), (String::new(), false)));
    let (answer, is_there) = with_fault(Fault::Cut { accepted: true, after: 25 }, PATIENCE);
    let told =
        answer.to_lowercase().split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap().parse::<usize>().unwrap();
    assert!(body(&answer).len() == 25 && told > 100 && is_there, "{answer}");
    assert_eq!(with_fault(Fault::Cut { accepted: false, after: 0 }, PATIENCE), (String::new(), false));
    let (answer, is_there) = with_fault(Fault::Broken { accepted: true, status: 504, code: -1007 }, PATIENCE);
    assert!(answer.starts_with("HTTP/1.1 504 ") && body(&answer).starts_with("{\"code\":-1007") && is_there, "{answer}");
    let (answer, _) = with_fault(Fault::Slow, IMPATIENCE);
    assert_eq!(body(&answer).len(), 1, "a byte a second");
    let (answer, _) = with_fault(Fault::Oversized { bytes: 3_000_000 }, PATIENCE);
    assert_eq!(body(&answer).len(), 3_000_002);
    let (answer, _) = with_fault(Fault::Redirect { to: "http://elsewhere.invalid/".to_owned() }, PATIENCE);
    assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("http://elsewhere.invalid/"), "{answer}");
    let (answer, _) = with_fault(Fault::Throttled { retry_after: Some("7".to_owned()) }, PATIENCE);
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.to_lowercase().contains("retry-after: 7"), "{answer}");
}

#[test]
fn a_late_answer_comes_when_the_test_s_clock_says_so() {
    let clock = Ticks::at(NOW);
    let late = Fault::Late { span: Span::from_secs(11) };
    let venue = venue(&clock, Script::new(1).with(Rule::new(On::Place, When::Nth(1), late)));
    let now = clock.now();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| place(&venue, now, "a", PATIENCE));
        while !is_there(&venue, "a") {
            std::thread::yield_now();
        }
        assert!(!answer.is_finished());
        clock.pass(Span::from_secs(11));
        assert!(answer.join().unwrap().contains("\"status\":\"FILLED\""));
    });
}

#[test]
fn events_and_bars_come_over_a_real_websocket() {
    let clock = Ticks::at(NOW);
    let venue = venue(&clock, Script::new(1));
    let (mut socket, _) = tungstenite::connect(venue.api_url()).unwrap();
    let stamp = clock.now().millis();
    let signature = sign(&format!("apiKey={KEY}&timestamp={stamp}"), SECRET);
    let ask = json!({ "id": "s", "method": "userDataStream.subscribe.signature",
        "params": { "apiKey": KEY, "timestamp": stamp, "signature": signature } });
    socket.send(Message::text(ask.to_string())).unwrap();
    let mut next = || loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str::<Value>(text.as_str()).unwrap(),
            Message::Close(_) => return Value::Null,
            _ => {}
        }
    };
    assert_eq!(next()["result"], json!({ "subscriptionId": 0 }));
    place(&venue, clock.now(), "a", PATIENCE);
    assert_eq!((&next()["event"]["x"], next()["event"]["e"] == "outboundAccountPosition"), (&json!("NEW"), true));
    assert_eq!(next()["event"]["X"], "FILLED");
    next();
    venue.with(|exchange, _| exchange.befall(&Fault::Shutdown, None));
    assert_eq!(next()["event"]["e"], "serverShutdown");

    let (mut bars, _) = tungstenite::connect(format!("{}/ws/btcusdt@kline_1m", venue.stream_url())).unwrap();
    let bar = tidegate::domain::Bar {
        open_time: "2026-03-02T10:00:00Z".parse().unwrap(),
        open: 100.0,
        high: 101.0,
        low: 99.0,
        close: 100.5,
        volume: 2.0,
    };
    clock.pass(Span::from_secs(30));
    venue.with(|exchange, now| assert!(exchange.advance("BTCUSDT", &bar, now)));
    // A ping of the venue's may come first: half a minute has passed.
    let told = loop {
        if let Message::Text(text) = bars.read().unwrap() {
            break text;
        }
    };
    let told: Value = serde_json::from_str(told.as_str()).unwrap();
    assert_eq!([&told["k"]["c"], &told["k"]["x"]], [&json!("100.50000000"), &json!(true)]);
    let refused = tungstenite::connect(format!("{}/nowhere", venue.stream_url()));
    assert!(matches!(&refused, Err(tungstenite::Error::Http(reply)) if reply.status() == 404), "{refused:?}");
}

/// SIM-5.
#[test]
fn nobody_else_is_served() {
    let clock = Ticks::at(NOW);
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let exchange = Exchange::new(setup(Script::new(1)), clock.now());
        let served = Served::start(Floor::new(exchange, clock.clone()), address.parse().unwrap());
        assert!(matches!(served, Err(ServeError::NotLoopback(_))), "{address}");
    }
}

#[test]
fn the_judge_sees_who_asks_in_a_ban_and_who_trades_in_a_halt() {
    let clock = Ticks::at(NOW);
    let ban = Rule::new(On::Time, When::Nth(1), Fault::Banned { span: Span::from_secs(120) });
    let mut banned = venue(&clock, Script::new(1).with(ban));
    let time = |venue: &Orders| exchange(venue.address(), "GET", "/api/v3/time", KEY, PATIENCE);
    assert!(time(&banned).starts_with("HTTP/1.1 418 "));
    assert_eq!(banned.breaches(), [], "the ban itself is the script's");
    clock.pass(Span::from_secs(119));
    assert!(time(&banned).starts_with("HTTP/1.1 418 "));
    banned.expects("manners");

    let mut halted = venue(&clock, Script::new(1));
    halted.halts(Halted { from: clock.now() - Span::from_secs(1), until: Time::MAX, lets_exit: true });
    halted.expects("halt");
    place(&halted, clock.now(), "a", PATIENCE);
}

#[test]
fn the_judge_knows_limits_and_ids() {
    let clock = Ticks::at(NOW);
    let promises = Promises { order_notional_max: Some("99".parse().unwrap()), ..Promises::default() };
    let mut judged = Orders::new(clock.clone(), Script::new(1), promises);
    place(&judged, clock.now(), "a", PATIENCE);
    place(&judged, clock.now(), "a", PATIENCE);
    judged.expects("order");
    judged.expects("once");
}
