//! What the venue tells unasked: executions, balances, bars.

use serde::Serialize;
use serde_json::json;

use super::amount::Eight;
use super::exchange::{Due, Exchange};
use super::faults::Fault;
use super::log::What;
use super::market::{price_text, volume_text};
use super::order::{Status, Trade, Unit, side_name};
use super::public::{close_time, text, trades_of};
use super::streams::Door;
use crate::domain::{Price, Qty};

/// An execution, in the letters of the venue. Most events are of this kind, so it is written without a tree in between.
#[derive(Serialize)]
struct ExecutionReport<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
    c: &'a str,
    #[serde(rename = "S")]
    side: &'static str,
    o: &'static str,
    f: &'static str,
    q: Eight,
    p: Eight,
    #[serde(rename = "P")]
    stop_price: Eight,
    #[serde(rename = "F")]
    iceberg_qty: Eight,
    g: i64,
    /// The client id of an order that was canceled under another one.
    #[serde(rename = "C")]
    original: &'a str,
    x: &'a str,
    #[serde(rename = "X")]
    status: &'static str,
    r: &'static str,
    i: u64,
    l: Eight,
    z: Eight,
    #[serde(rename = "L")]
    last_price: Eight,
    n: String,
    #[serde(rename = "N")]
    fee_asset: Option<&'a str>,
    #[serde(rename = "T")]
    time: i64,
    t: i64,
    #[serde(rename = "I")]
    execution: u64,
    w: bool,
    m: bool,
    #[serde(rename = "M")]
    ignored: bool,
    #[serde(rename = "O")]
    created: i64,
    #[serde(rename = "Z")]
    filled_quote: Eight,
    #[serde(rename = "Y")]
    last_quote: Eight,
    #[serde(rename = "Q")]
    quote_qty: Eight,
    #[serde(rename = "W")]
    working: i64,
    #[serde(rename = "V")]
    self_trade: &'static str,
    #[serde(rename = "eR", skip_serializing_if = "Option::is_none")]
    expiry: Option<&'static str>,
}

#[derive(Serialize)]
struct Position<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    u: i64,
    #[serde(rename = "B")]
    balances: Vec<PositionOf<'a>>,
}

#[derive(Serialize)]
struct PositionOf<'a> {
    a: &'a str,
    f: Eight,
    l: Eight,
}

impl Exchange {
    /// Tells an execution to whoever hears the account, and the balances with it. `kind` is the venue's execution type.
    pub(super) fn tell_execution(
        &mut self,
        at: usize,
        position: usize,
        kind: &str,
        trade: Option<&Trade>,
        cancel_id: Option<&str>,
    ) {
        self.execution += 1;
        let account = self.listings[at].orders[position].account;
        if self.streams.listeners(account).is_empty() {
            return;
        }
        let event = self.execution_report(at, position, kind, trade, cancel_id);
        self.tell(account, "executionReport", Some(self.execution), trade.is_some(), &event);
        let listing = &self.listings[at];
        let mut assets = vec![listing.base, listing.quote];
        if let Some(fee) = trade.and_then(|trade| self.assets.iter().position(|asset| *asset == trade.fee_asset)) {
            assets.push(fee);
        }
        assets.dedup();
        let event = self.position_report(account, &assets);
        self.tell(account, "outboundAccountPosition", None, false, &event);
    }

    fn execution_report(&self, at: usize, position: usize, kind: &str, trade: Option<&Trade>, cancel_id: Option<&str>) -> String {
        let listing = &self.listings[at];
        let order = &listing.orders[position];
        let now = self.venue_time().millis();
        let qty = |qty: Option<Qty>| qty.map_or(Eight::ZERO, Eight::from);
        let is_expired = order.expiry != "NONE" && order.status == Status::Expired;
        text(&ExecutionReport {
            e: "executionReport",
            event_time: now,
            s: &listing.name,
            c: cancel_id.unwrap_or(&order.client_id),
            side: side_name(order.side),
            o: order.kind.name(),
            f: order.tif.name(),
            q: order.qty.into(),
            p: order.price.into(),
            stop_price: Eight::ZERO,
            iceberg_qty: Eight::ZERO,
            g: -1,
            original: cancel_id.map_or("", |_| &order.client_id),
            x: kind,
            status: order.status.name(),
            r: "NONE",
            i: order.id,
            l: qty(trade.map(|trade| trade.qty)),
            z: order.filled.into(),
            last_price: trade.map_or(Price::ZERO, |trade| trade.price).into(),
            n: trade.map_or_else(|| "0".to_owned(), |trade| Eight::from(trade.fee).to_string()),
            fee_asset: trade.map(|trade| &*trade.fee_asset),
            time: now,
            t: trade.map_or(-1, |trade| trade.id as i64),
            execution: self.execution,
            w: order.status.is_open(),
            m: trade.is_some_and(|trade| trade.is_maker),
            ignored: false,
            created: order.at.millis(),
            filled_quote: order.filled_quote.into(),
            last_quote: qty(trade.map(|trade| trade.quote)),
            quote_qty: order.quote_qty.into(),
            working: order.at.millis(),
            self_trade: order.self_trade.name(),
            expiry: is_expired.then_some(order.expiry),
        })
    }

    fn position_report(&self, account: usize, assets: &[usize]) -> String {
        let now = self.venue_time().millis();
        let told = assets.iter().map(|asset| {
            let balance = self.accounts[account].balance(*asset);
            PositionOf { a: &self.assets[*asset], f: balance.free.into(), l: balance.locked.into() }
        });
        text(&Position { e: "outboundAccountPosition", event_time: now, u: now, balances: told.collect() })
    }

    /// Tells a deposit or a withdrawal.
    pub(super) fn tell_moved(&mut self, account: usize, asset: usize, by: Qty) {
        let now = self.venue_time().millis();
        let event =
            json!({ "e": "balanceUpdate", "E": now, "a": *self.assets[asset], "d": Eight::from(by), "T": now }).to_string();
        self.tell(account, "balanceUpdate", None, false, &event);
        let event = self.position_report(account, &[asset]);
        self.tell(account, "outboundAccountPosition", None, false, &event);
    }

    /// Puts an event on its way to each connection that hears the account, unless the script has something against it.
    fn tell(&mut self, account: usize, kind: &str, execution: Option<u64>, is_fill: bool, event: &str) {
        for (connection, subscription) in self.streams.listeners(account) {
            let text = format!("{{\"subscriptionId\":{subscription},\"event\":{event}}}");
            let fault = self.script.of_event(is_fill);
            if let Some(fault) = &fault {
                self.log_fault(fault);
            }
            match fault {
                Some(Fault::Dropped) => continue,
                Some(Fault::LateEvent { span }) => self.later(self.now + span, Due::Frame { connection, text }),
                Some(Fault::Swapped) if self.streams.connections[&connection].swapped.is_none() => {
                    self.streams.connections.get_mut(&connection).expect("a listener is a connection").swapped = Some(text);
                }
                other => {
                    if other == Some(Fault::Doubled) {
                        self.streams.push(connection, text.clone());
                    }
                    self.streams.push(connection, text);
                    let held = self.streams.connections.get_mut(&connection).and_then(|found| found.swapped.take());
                    held.into_iter().for_each(|held| self.streams.push(connection, held));
                }
            }
            self.log_now(What::Event { connection, kind: kind.into(), execution });
        }
    }

    /// Tells that a subscription ended.
    pub(super) fn tell_terminated(&mut self, connection: u64) {
        let event = json!({ "e": "eventStreamTerminated", "E": self.venue_time().millis() });
        self.streams.push(connection, json!({ "subscriptionId": 0, "event": event }).to_string());
        self.log_now(What::Event { connection, kind: "eventStreamTerminated".into(), execution: None });
    }

    /// Tells the last bar of a symbol to whoever listens to it.
    pub(super) fn tell_bar(&mut self, at: usize) {
        let listing = &self.listings[at];
        let now = self.venue_time();
        let mut frames = Vec::new();
        for (id, connection) in &self.streams.connections {
            for (_, interval, name) in connection.wants.iter().filter(|(wanted, ..)| *wanted == at) {
                let last = if *interval == listing.market.interval {
                    listing.market.bars().back().copied()
                } else {
                    listing.market.bars_of(*interval).and_then(|bars| bars.last().copied())
                };
                let Some(bar) = last else { continue };
                let span = interval.span();
                let middle = (bar.open + bar.close) / 2.0;
                let event = json!({ "e": "kline", "E": now.millis(), "s": *listing.name, "k": {
                    "t": bar.open_time.millis(), "T": close_time(&bar, span, Unit::Millis), "s": *listing.name,
                    "i": interval.to_string(), "f": 1, "L": 2, "o": price_text(bar.open), "c": price_text(bar.close),
                    "h": price_text(bar.high), "l": price_text(bar.low), "v": volume_text(bar.volume),
                    "n": trades_of(bar.open_time), "x": bar.open_time + span <= now, "q": volume_text(bar.volume * middle),
                    "V": volume_text(bar.volume / 2.0), "Q": volume_text(bar.volume * middle / 2.0), "B": "0"
                } });
                let is_combined = connection.door == (Door::Market { is_combined: true });
                let told = if is_combined { json!({ "stream": name, "data": event }) } else { event };
                frames.push((*id, told.to_string()));
            }
        }
        for (id, text) in frames {
            self.streams.push(id, text);
        }
    }
}
