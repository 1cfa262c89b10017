//! The user stream over real sockets: a test is the venue, and moves the clock.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tidegate::clock::Clock;
use tidegate::domain::{Span, Time};
use tidegate::feed::binance::{Address, Reach, Service};
use tidegate::venue::binance::stream::{Entry, UserStream, follow};
use tidegate::venue::binance::{Client, ClientConfig, Key, Params, Symbols};
use tidegate::venue::wire::Push;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use crate::binance_orders::server::Hands;

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const START: &str = "2026-03-01T00:00:05Z";
/// What any step takes at most, by the real clock.
const STEP_MAX: Duration = Duration::from_secs(20);
const DONE: &str = r#"{"id":2,"status":200,"result":{"subscriptionId":0}}"#;
const MOVED: &str = r#"{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1,"a":"BTC","d":"1","T":1}}"#;

/// The venue's end of a connection.
type Line = WebSocket<TcpStream>;

struct Desk {
    clock: Arc<Hands>,
    listener: TcpListener,
    client: Arc<Client>,
    stop: Arc<AtomicBool>,
    pushes: mpsc::Receiver<Push>,
    stream: Option<UserStream>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(secret: &str, entry: Entry) -> Self {
        let clock = Hands::at(START);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = Address::new(Service::Practice, &format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = ClientConfig { address: address.clone(), order_timeout: STEP_MAX, lake: folder.path().to_owned() };
        let key = Arc::new(Key::new(&API_KEY.into(), &secret.into()).unwrap());
        let symbols = Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap();
        let client = Arc::new(Client::open(&config, key, symbols, clock.clone()).unwrap());
        let stop = Arc::<AtomicBool>::default();
        let reach = Reach::new(clock.clone(), stop.clone());
        let (stream, mut heard) = follow(client.clone(), &address.events().unwrap(), &reach, entry, 7).unwrap();
        // A channel whose receiver waits with a bound.
        let (sender, pushes) = mpsc::channel();
        std::thread::spawn(move || {
            while let Some(push) = heard.blocking_recv() {
                if sender.send(push).is_err() {
                    return;
                }
            }
        });
        Self { clock, listener, client, stop, pushes, stream: Some(stream), _folder: folder }
    }

    fn push(&self) -> Push {
        self.pushes.recv_timeout(STEP_MAX).expect("a push")
    }

    fn down(&self) -> String {
        match self.push() {
            Push::Down { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// The next connection; the clock moves until it is made.
    fn welcome(&self) -> Line {
        let (waker, wait) = mpsc::channel::<()>();
        for _ in 0..10_000 {
            if let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(STEP_MAX)).unwrap();
                return accept(stream).unwrap();
            }
            self.clock.pass(Span::from_millis(50));
            let _ = wait.recv_timeout(Duration::from_millis(2));
        }
        drop(waker);
        panic!("nobody connects");
    }

    /// The next connection, subscribed.
    fn up(&self) -> Line {
        let mut line = self.welcome();
        let asked = text(&mut line);
        assert_eq!(asked["method"], "userDataStream.subscribe.signature", "{asked}");
        line.send(Message::text(DONE)).unwrap();
        assert_eq!(self.push(), Push::Up);
        line
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.stream.take().unwrap().join();
    }
}

fn text(line: &mut Line) -> Value {
    loop {
        match line.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// D1, ORDERS-1: the subscription is signed, its end is told, and it comes again.
#[test]
fn events_come_and_their_end_is_told() {
    let desk = Desk::new(SECRET, Entry::Signature);
    let mut line = desk.welcome();
    let asked = text(&mut line);
    let params = &asked["params"];
    assert_eq!((asked["id"].as_u64(), asked["method"].as_str()), (Some(2), Some("userDataStream.subscribe.signature")));
    let at = Time::from_millis(params["timestamp"].as_i64().unwrap());
    assert!(at >= START.parse().unwrap() && at <= desk.clock.now());
    let payload = Params::default().with("apiKey", API_KEY).with("timestamp", at.millis()).sorted();
    let key = Key::new(&API_KEY.into(), &SECRET.into()).unwrap();
    assert_eq!(params["signature"], key.sign(payload.as_bytes()).unwrap());
    line.send(Message::text(DONE)).unwrap();
    assert_eq!(desk.push(), Push::Up);
    line.send(Message::text(MOVED)).unwrap();
    assert!(matches!(desk.push(), Push::Moved { .. }));
    drop(line);
    desk.down();
    drop(desk.up());
    desk.down();
}

/// D3.
#[test]
fn a_ping_is_answered_with_its_payload() {
    let desk = Desk::new(SECRET, Entry::Signature);
    let mut line = desk.up();
    line.send(Message::Ping("tide".into())).unwrap();
    match line.read().unwrap() {
        Message::Pong(payload) => assert_eq!(payload.as_ref(), b"tide"),
        other => panic!("{other:?}"),
    }
}

/// D2: a socket that says nothing is dead after 30 seconds.
#[test]
fn a_silent_socket_is_given_up() {
    let desk = Desk::new(SECRET, Entry::Signature);
    let _line = desk.up();
    desk.clock.pass(Span::from_secs(31));
    assert!(desk.down().contains("nothing came"));
    drop(desk.up());
}

/// D11: too large, no text, no UTF-8, nested too deep.
#[test]
fn what_no_venue_sends_ends_the_connection() {
    let huge = format!("\"{}\"", "x".repeat(2 << 20));
    for message in [Message::text(huge), Message::binary(vec![1, 2, 3]), Message::text("[".repeat(10_000)), Message::text("{")] {
        let desk = Desk::new(SECRET, Entry::Signature);
        let mut line = desk.up();
        let _ = line.send(message);
        desk.down();
        drop(desk.up());
    }
}

/// D8: while the venue has banned this address nothing connects, and requests know it too.
#[test]
fn a_ban_that_is_told_here_holds_everywhere() {
    let desk = Desk::new(SECRET, Entry::Signature);
    let mut line = desk.welcome();
    text(&mut line);
    let until = desk.clock.now() + Span::from_secs(900);
    let data = format!("{{\"retryAfter\":{}}}", until.millis());
    line.send(Message::text(format!(
        "{{\"id\":2,\"status\":418,\"error\":{{\"code\":-1003,\"msg\":\"banned\",\"data\":{data}}}}}"
    )))
    .unwrap();
    drop(line);
    let (_waker, wait) = mpsc::channel::<()>();
    for _ in 0..100 {
        desk.clock.pass(Span::from_secs(8));
        let _ = wait.recv_timeout(Duration::from_millis(3));
        assert!(desk.listener.accept().is_err(), "ORDERS-7: somebody connects during the ban");
    }
    assert!(desk.client.closed_until().is_some());
    desk.clock.pass(Span::from_secs(95));
    let mut line = desk.welcome();
    assert!(desk.clock.now() >= until, "{} < {until}", desk.clock.now());
    assert_eq!(text(&mut line)["id"], 2);
    assert_eq!(desk.client.closed_until(), None);
}
