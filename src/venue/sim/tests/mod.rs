//! The exchange as its clients meet it: requests signed and sent, frames taken, records judged.

mod faults;
mod orders;
mod properties;
mod requests;
mod shapes;
mod sockets;

use ring::hmac;
use serde_json::Value;

use super::checker::{Checker, Promises};
use super::{
    Depth, Exchange, Fees, Filters, Frame, Holder, HttpReply, HttpRequest, Key, Limits, Listed, Lock, Method, Permissions,
};
use super::{Script, Setup};
use crate::domain::{Bar, Bps, Fraction, Qty, Span, Time};

pub(super) const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub(super) const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
pub(super) const OTHER: &str = "otherZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8";

fn holder(name: &str, balances: &[(&str, &str)]) -> Holder {
    Holder {
        key: Key { name: name.to_owned(), lock: Lock::hmac(SECRET), permissions: Permissions::default(), is_revoked: false },
        balances: balances.iter().map(|(asset, amount)| ((*asset).to_owned(), amount.parse().unwrap())).collect(),
        fees: Fees::default(),
    }
}

/// Two symbols, two accounts, a book of three levels of two units that are ten basis points apart, the first at the last price.
pub(super) fn setup() -> Setup {
    let depth = Depth {
        levels: 3,
        level_qty: "2".parse().unwrap(),
        level_bps: Bps(10),
        half_spread_bps: Bps(0),
        volume_share: Fraction::ONE,
    };
    let listed = |symbol: &str| Listed {
        symbol: symbol.parse().unwrap(),
        interval: "1m".parse().unwrap(),
        filters: Filters::default(),
        depth,
    };
    Setup {
        listed: vec![listed("BTC/USDT"), listed("ETH/USDT")],
        holders: vec![
            holder(KEY, &[("USDT", "1000"), ("BTC", "1"), ("BNB", "0")]),
            holder(OTHER, &[("USDT", "1000"), ("BTC", "5"), ("BNB", "0")]),
        ],
        limits: Limits::default(),
        script: Script::new(1),
    }
}

pub(super) fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

/// An exchange, and somebody who trades on it.
pub(super) struct Desk {
    pub exchange: Exchange,
    pub now: Time,
    pub key: String,
    bars: i64,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::of(setup())
    }

    /// The market stands at 100.
    pub(super) fn of(setup: Setup) -> Self {
        let now = "2026-03-02T10:00:00Z".parse().unwrap();
        let mut desk = Self { exchange: Exchange::new(setup, now), now, key: KEY.to_owned(), bars: 0 };
        desk.bar([100.0, 100.0, 100.0, 100.0, 10.0]);
        desk.now = "2026-03-02T10:01:00.500Z".parse().unwrap();
        desk
    }

    pub(super) fn with_script(script: Script) -> Self {
        Self::of(Setup { script, ..setup() })
    }

    /// The next bar of a minute of both symbols, as it closes.
    pub(super) fn bar(&mut self, [open, high, low, close, volume]: [f64; 5]) {
        let open_time = "2026-03-02T10:00:00Z".parse::<Time>().unwrap() + Span::from_secs(60 * self.bars);
        self.bars += 1;
        self.now = self.now.max(open_time + Span::from_secs(60));
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            assert!(self.exchange.advance(symbol, &Bar { open_time, open, high, low, close, volume }, self.now));
        }
    }

    pub(super) fn wait(&mut self, span: Span) {
        self.now = self.now + span;
    }

    /// Sends as it stands.
    pub(super) fn send(&mut self, method: Method, target: &str) -> HttpReply {
        let request = HttpRequest::new(method, target).header("X-MBX-APIKEY", &self.key.clone());
        self.exchange.handle(&request, self.now)
    }

    /// Stamps, signs and sends.
    pub(super) fn signed(&mut self, method: Method, path: &str, query: &str) -> HttpReply {
        let stamp = self.now.millis();
        let query = if query.is_empty() { String::new() } else { format!("{query}&") };
        let payload = format!("{query}timestamp={stamp}");
        self.send(method, &format!("{path}?{payload}&signature={}", sign(&payload)))
    }

    pub(super) fn place(&mut self, query: &str) -> HttpReply {
        self.signed(Method::Post, "/api/v3/order", query)
    }

    pub(super) fn limit(&mut self, side: &str, price: &str, qty: &str, id: &str) -> Value {
        let query =
            format!("symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&price={price}&quantity={qty}&newClientOrderId={id}");
        read(&self.place(&query))
    }

    pub(super) fn market(&mut self, side: &str, qty: &str, id: &str) -> Value {
        read(&self.place(&format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity={qty}&newClientOrderId={id}")))
    }

    pub(super) fn query(&mut self, id: &str) -> Value {
        let reply = self.signed(Method::Get, "/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"));
        serde_json::from_str(&reply.body).unwrap()
    }

    pub(super) fn cancel(&mut self, id: &str) -> HttpReply {
        self.signed(Method::Delete, "/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}"))
    }

    /// Free and locked, of the first account.
    pub(super) fn holds(&self, asset: &str) -> (String, String) {
        let (free, locked) = self.exchange.balance(0, asset);
        (free.to_string(), locked.to_string())
    }

    /// What a checker without limits says of the record.
    pub(super) fn breaches(&self) -> Vec<String> {
        let mut checker = Checker::new(Promises::default(), self.exchange.pairs());
        checker.read_all(self.exchange.log().entries());
        checker.breaches().iter().map(ToString::to_string).collect()
    }

    /// A connection that hears the account's events.
    pub(super) fn listen(&mut self) -> u64 {
        let connection = self.exchange.connect("/ws-api/v3", self.now).unwrap();
        let stamp = self.now.millis();
        let payload = format!("apiKey={}&timestamp={stamp}", self.key);
        let asked = serde_json::json!({ "id": 1, "method": "userDataStream.subscribe.signature",
            "params": { "apiKey": self.key, "timestamp": stamp, "signature": sign(&payload) } });
        self.exchange.receive(connection, Frame::Text(asked.to_string()), self.now);
        let answer = self.texts(connection).remove(0);
        assert_eq!((answer["status"].as_i64(), answer["result"]["subscriptionId"].as_i64()), (Some(200), Some(0)), "{answer}");
        connection
    }

    /// The texts that a connection is sent.
    pub(super) fn texts(&mut self, connection: u64) -> Vec<Value> {
        let frames = self.exchange.take_frames(connection, self.now).into_iter();
        let texts = frames.filter_map(|frame| if let Frame::Text(text) = frame { Some(text) } else { None });
        texts.map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    /// Executions among the events of a connection: what happened, where the order stands, cumulative quantity.
    pub(super) fn executions(&mut self, connection: u64) -> Vec<[String; 3]> {
        let text = |value: &Value| value.as_str().unwrap().trim_end_matches('0').trim_end_matches('.').to_owned();
        let events = self.texts(connection).into_iter().map(|frame| frame["event"].clone());
        let executions = events.filter(|event| event["e"] == "executionReport");
        executions.map(|event| [text(&event["x"]), text(&event["X"]), text(&event["z"])]).collect()
    }
}

pub(super) fn sign(payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, payload.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer that is an object without an error.
pub(super) fn read(reply: &HttpReply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

/// Status, code and words of an error.
pub(super) fn error(reply: &HttpReply) -> (u16, i64, String) {
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    (reply.status, body["code"].as_i64().unwrap_or_default(), body["msg"].as_str().unwrap_or_default().to_owned())
}
