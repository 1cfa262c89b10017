//! What the venue tells unasked: executions, balances, bars.

use serde_json::{Value, json};

use super::amount::Eight;
use super::exchange::{Due, Exchange};
use super::faults::Fault;
use super::log::What;
use super::market::{price_text, volume_text};
use super::order::{Status, Trade, Unit, side_name};
use super::public::{close_time, trades_of};
use super::streams::Door;
use crate::domain::{Price, Qty};

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

    fn execution_report(&self, at: usize, position: usize, kind: &str, trade: Option<&Trade>, cancel_id: Option<&str>) -> Value {
        let listing = &self.listings[at];
        let order = &listing.orders[position];
        let now = self.venue_time().millis();
        let none = Eight::ZERO;
        let qty = |qty: Option<Qty>| qty.map_or(none, Eight::from);
        let mut event = json!({
            "e": "executionReport", "E": now, "s": *listing.name, "c": cancel_id.unwrap_or(&order.client_id),
            "S": side_name(order.side), "o": order.kind.name(), "f": order.tif.name(), "q": Eight::from(order.qty),
            "p": Eight::from(order.price), "P": none, "F": none, "g": -1,
            "C": cancel_id.map_or("", |_| &order.client_id), "x": kind, "X": order.status.name(), "r": "NONE", "i": order.id,
            "l": qty(trade.map(|trade| trade.qty)), "z": Eight::from(order.filled),
            "L": Eight::from(trade.map_or(Price::ZERO, |trade| trade.price)),
            "n": trade.map_or_else(|| "0".to_owned(), |trade| Eight::from(trade.fee).to_string()),
            "N": trade.map(|trade| trade.fee_asset.to_string()),
            "T": now, "t": trade.map_or(-1, |trade| trade.id as i64), "I": self.execution, "w": order.status.is_open(),
            "m": trade.is_some_and(|trade| trade.is_maker), "M": false, "O": order.at.millis(),
            "Z": Eight::from(order.filled_quote), "Y": qty(trade.map(|trade| trade.quote)), "Q": Eight::from(order.quote_qty),
            "W": order.at.millis(), "V": order.self_trade.name()
        });
        if order.expiry != "NONE"
            && order.status == Status::Expired
            && let Some(object) = event.as_object_mut()
        {
            object.insert("eR".to_owned(), order.expiry.into());
        }
        event
    }

    fn position_report(&self, account: usize, assets: &[usize]) -> Value {
        let now = self.venue_time().millis();
        let told = assets.iter().map(|asset| {
            let balance = self.accounts[account].balance(*asset);
            json!({ "a": *self.assets[*asset], "f": Eight::from(balance.free), "l": Eight::from(balance.locked) })
        });
        json!({ "e": "outboundAccountPosition", "E": now, "u": now, "B": told.collect::<Vec<Value>>() })
    }

    /// Tells a deposit or a withdrawal.
    pub(super) fn tell_moved(&mut self, account: usize, asset: usize, by: Qty) {
        let now = self.venue_time().millis();
        let event = json!({ "e": "balanceUpdate", "E": now, "a": *self.assets[asset], "d": Eight::from(by), "T": now });
        self.tell(account, "balanceUpdate", None, false, &event);
        let event = self.position_report(account, &[asset]);
        self.tell(account, "outboundAccountPosition", None, false, &event);
    }

    /// Puts an event on its way to each connection that hears the account, unless the script has something against it.
    fn tell(&mut self, account: usize, kind: &str, execution: Option<u64>, is_fill: bool, event: &Value) {
        for (connection, subscription) in self.streams.listeners(account) {
            let text = json!({ "subscriptionId": subscription, "event": event }).to_string();
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
