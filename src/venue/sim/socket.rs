//! The WebSocket API and the market streams: messages in, answers and events out.

use serde_json::{Value, json};

use super::exchange::{Due, Exchange};
use super::http::{HttpReply, Refusal};
use super::log::{Endpoint, What};
use super::params::Params;
use super::streams::{Door, Frame, door_of, refused};
use crate::domain::{Span, Time};

/// How long the venue still answers after it said that it goes down.
const SHUTDOWN_AFTER: Span = Span::from_secs(10);
const CONNECT_WEIGHT: u64 = 2;
/// A longer message ends the connection.
const MESSAGE_MAX: usize = 64 * 1024;
/// The code of a close that the venue begins.
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;

fn error(id: &Value, refusal: &Refusal) -> Value {
    json!({ "id": id, "status": refusal.status, "error": { "code": refusal.code, "msg": refusal.msg } })
}

impl Exchange {
    /// Opens a connection to `path`: `/ws-api/v3`, `/ws/<stream>` or `/stream?streams=<a>/<b>`.
    ///
    /// # Errors
    /// The reply to a handshake that is refused.
    pub fn connect(&mut self, path: &str, now: Time) -> Result<u64, HttpReply> {
        self.pass(now);
        let at = self.venue_time();
        let Some((door, streams)) = door_of(path) else { return Err(refused(404)) };
        if !self.gate.connect(at) {
            self.log_now(What::Offence { offence: "too many connections in five minutes".to_owned() });
            return Err(Refusal::new(-1034, "Too many connections").with_status(429).reply());
        }
        let weight = if door == Door::Api { CONNECT_WEIGHT } else { 0 };
        if let Err(turned) = self.gate.enter(Endpoint::Ping, weight, at) {
            if turned.is_our_fault {
                self.log_now(What::Offence { offence: format!("a connection while answers are {}", turned.reply.status) });
            }
            return Err(turned.reply);
        }
        let id = self.streams.open(door, now);
        self.log_now(What::Connected { connection: id, path: path.to_owned() });
        for name in streams {
            self.want(id, &name);
        }
        Ok(id)
    }

    /// Takes a frame from the other side.
    pub fn receive(&mut self, connection: u64, frame: Frame, now: Time) {
        self.pass(now);
        let at = self.now;
        let Some(found) = self.streams.connections.get_mut(&connection).filter(|found| !found.is_over) else { return };
        if !found.hears(at) {
            self.log_now(What::Offence { offence: "more than five messages in a second".to_owned() });
            return self.close_connection(connection, POLICY, "too many messages");
        }
        match frame {
            Frame::Text(text) => self.message(connection, &text),
            Frame::Ping(payload) => found.out.push_back(Frame::Pong(payload)),
            Frame::Pong(payload) => found.pong(&payload),
            Frame::Close(_) | Frame::Cut => self.end_connection(connection, "by the other side"),
        }
    }

    /// Moves out what is to be sent on a connection; behind a `Close` or `Cut` nothing follows.
    pub fn take_frames(&mut self, connection: u64, now: Time) -> Vec<Frame> {
        self.pass(now);
        self.streams.connections.get_mut(&connection).map(|found| found.out.drain(..).collect()).unwrap_or_default()
    }

    /// Is there anything to take, or nothing to come any more?
    #[must_use]
    pub fn has_news(&self, connection: u64) -> bool {
        self.streams.connections.get(&connection).is_none_or(|found| found.is_over || !found.out.is_empty())
    }

    /// Is a connection over, with nothing left to take?
    #[must_use]
    pub fn is_over(&self, connection: u64) -> bool {
        self.streams.connections.get(&connection).is_none_or(|found| found.is_over && found.out.is_empty())
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> Vec<u64> {
        self.streams.connections.iter().filter(|(_, found)| !found.is_over).map(|(id, _)| *id).collect()
    }

    /// Pings, and ends what has not answered or is too old.
    pub(super) fn tick_connections(&mut self) {
        let now = self.now;
        // What is over and told is gone: a day of reconnects would be looked through at every step.
        self.streams.connections.retain(|_, found| !(found.is_over && found.out.is_empty()));
        let ended: Vec<(u64, &'static str)> =
            self.streams.connections.iter_mut().filter_map(|(id, found)| found.tick(now).map(|why| (*id, why))).collect();
        for (id, why) in ended {
            self.close_connection(id, GOING_AWAY, why);
        }
    }

    fn close_connection(&mut self, connection: u64, code: u16, why: &str) {
        if let Some(found) = self.streams.connections.get_mut(&connection) {
            found.out.push_back(Frame::Close(code));
        }
        self.mark_over(connection, why);
    }

    /// Ends a connection without a word.
    pub(super) fn end_connection(&mut self, connection: u64, why: &str) {
        if let Some(found) = self.streams.connections.get_mut(&connection).filter(|found| !found.is_over) {
            found.out.clear();
            found.out.push_back(Frame::Cut);
        }
        self.mark_over(connection, why);
    }

    fn mark_over(&mut self, connection: u64, why: &str) {
        let Some(found) = self.streams.connections.get_mut(&connection).filter(|found| !found.is_over) else { return };
        found.is_over = true;
        found.subscriptions.clear();
        found.wants.clear();
        self.log_now(What::Disconnected { connection, why: why.to_owned() });
        // What is over and was taken needs no place any more.
        self.streams.connections.retain(|_, found| !found.is_over || !found.out.is_empty());
    }

    pub(super) fn end_all_connections(&mut self, why: &str) {
        for connection in self.connections() {
            self.end_connection(connection, why);
        }
    }

    /// Says on every connection that the venue goes down, and ends them a little later.
    pub(super) fn shut_down(&mut self) {
        let at = self.venue_time().millis();
        let event = json!({ "e": "serverShutdown", "E": at });
        for connection in self.connections() {
            let text = match self.streams.connections[&connection].door {
                Door::Api => json!({ "event": event }),
                Door::Market { is_combined: true } => json!({ "stream": "!serverShutdown", "data": event }),
                Door::Market { is_combined: false } => event.clone(),
            };
            self.streams.push(connection, text.to_string());
            self.later(self.now + SHUTDOWN_AFTER, Due::Close { connection });
        }
    }

    fn message(&mut self, connection: u64, text: &str) {
        if text.len() > MESSAGE_MAX {
            return self.close_connection(connection, 1009, "a message that is too long");
        }
        let Ok(Value::Object(asked)) = serde_json::from_str::<Value>(text) else {
            let answer = error(&Value::Null, &Refusal::new(-1135, "Invalid JSON Request"));
            return self.streams.push(connection, answer.to_string());
        };
        let id = asked.get("id").cloned().unwrap_or(Value::Null);
        let method = asked.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let answer = match self.streams.connections[&connection].door {
            Door::Api => self.api_answer(connection, &id, &method, asked.get("params")),
            Door::Market { .. } => Some(self.market_answer(connection, &id, &method, asked.get("params"))),
        };
        if let Some(answer) = answer {
            self.streams.push(connection, answer.to_string());
        }
        if method == "session.logout" || method == "userDataStream.unsubscribe" {
            self.tell_terminated(connection);
        }
    }

    fn api_answer(&mut self, connection: u64, id: &Value, method: &str, params: Option<&Value>) -> Option<Value> {
        let at = self.venue_time();
        let weight = if method.starts_with("userDataStream.subscribe") || method == "session.logon" { 2 } else { 1 };
        if let Err(turned) = self.gate.enter(Endpoint::Ping, weight, at) {
            if turned.is_our_fault {
                self.log_now(What::Offence { offence: format!("{method} while answers are {}", turned.reply.status) });
            }
            let wait = turned.reply.header_value("Retry-After").and_then(|secs| secs.parse().ok()).unwrap_or(60);
            let error = json!({ "code": -1003, "msg": "Too many requests.",
                "data": { "serverTime": at.millis(), "retryAfter": (at + Span::from_secs(wait)).millis() } });
            return Some(json!({ "id": id, "status": turned.reply.status, "error": error }));
        }
        let empty = serde_json::Map::new();
        let object = params.and_then(Value::as_object).unwrap_or(&empty);
        match self.api_result(connection, method, object) {
            Ok(result) => Some(json!({ "id": id, "status": 200, "result": result, "rateLimits": self.weight_told() })),
            Err(refusal) => Some(error(id, &refusal)),
        }
    }

    fn api_result(&mut self, connection: u64, method: &str, object: &serde_json::Map<String, Value>) -> Result<Value, Refusal> {
        match method {
            "ping" => Ok(json!({})),
            "time" => Ok(json!({ "serverTime": self.venue_time().millis() })),
            "session.logon" => {
                let (account, name) = self.signer(object, true)?;
                let at = self.venue_time().millis();
                let since = self.streams.connections[&connection].since.millis();
                self.connection(connection).logged_on = Some((account, name));
                Ok(self.logon_told(connection, since, at))
            }
            "session.status" => {
                let since = self.streams.connections[&connection].since.millis();
                Ok(self.logon_told(connection, since, self.venue_time().millis()))
            }
            "session.logout" => {
                let own = self.connection(connection).logged_on.take();
                if let Some((account, _)) = own {
                    self.connection(connection).subscriptions.retain(|_, heard| *heard != account);
                }
                Ok(self.logon_told(connection, 0, self.venue_time().millis()))
            }
            "session.subscriptions" => {
                let told = self.connection(connection).subscriptions.keys().map(|id| json!({ "subscriptionId": id }));
                Ok(Value::from(told.collect::<Vec<Value>>()))
            }
            "userDataStream.subscribe" => {
                let own = self.connection(connection).logged_on.clone();
                let unauthorized = || Refusal::new(-1002, "You are not authorized to execute this request.").with_status(401);
                self.subscribe(connection, own.ok_or_else(unauthorized)?.0)
            }
            "userDataStream.subscribe.signature" => {
                let (account, _) = self.signer(object, false)?;
                self.subscribe(connection, account)
            }
            "userDataStream.unsubscribe" => {
                let wanted = object.get("subscriptionId").and_then(Value::as_u64);
                let subscriptions = &mut self.connection(connection).subscriptions;
                let before = subscriptions.len();
                subscriptions.retain(|id, _| wanted.is_some_and(|wanted| wanted != *id));
                if before == subscriptions.len() {
                    return Err(Refusal::new(-2036, "User Data Stream subscription not active."));
                }
                Ok(json!({}))
            }
            _ => Err(Refusal::new(-1101, "Unknown method.")),
        }
    }

    fn connection(&mut self, id: u64) -> &mut super::streams::Connection {
        self.streams.connections.get_mut(&id).expect("only an open connection is answered")
    }

    fn logon_told(&self, connection: u64, since: i64, at: i64) -> Value {
        let found = &self.streams.connections[&connection];
        let key = found.logged_on.as_ref().map(|(_, name)| name.clone());
        let authorized = key.as_ref().map(|_| at);
        json!({ "apiKey": key, "authorizedSince": authorized, "connectedSince": since, "returnRateLimits": true,
            "serverTime": at, "userDataStream": !found.subscriptions.is_empty() })
    }

    fn subscribe(&mut self, connection: u64, account: usize) -> Result<Value, Refusal> {
        let found = self.connection(connection);
        if found.subscriptions.values().any(|heard| *heard == account) {
            return Err(Refusal::new(-2035, "User Data Stream subscription already active."));
        }
        let id = found.subscriptions_ever;
        found.subscriptions_ever += 1;
        found.subscriptions.insert(id, account);
        Ok(json!({ "subscriptionId": id }))
    }

    /// Whose signature is on a message of the API: parameters sorted by name, raw.
    fn signer(&self, object: &serde_json::Map<String, Value>, is_logon: bool) -> Result<(usize, String), Refusal> {
        let params = Params::of_json(object);
        params.only(&["apiKey", "timestamp", "recvWindow", "signature"], false)?;
        let (account, key) = self.key_of(params.text("apiKey"))?;
        if key.is_revoked || !key.permissions.can_read {
            return Err(Refusal::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401));
        }
        if is_logon && !key.lock.may_log_on() {
            return Err(Refusal::new(-4056, "HMAC_SHA256 API key is not supported."));
        }
        self.check_time(&params)?;
        let mut names: Vec<&String> = object.keys().filter(|name| *name != "signature").collect();
        names.sort();
        let pairs: Vec<String> =
            names.into_iter().map(|name| format!("{name}={}", params.text(name).unwrap_or_default())).collect();
        if key.lock.fits(pairs.join("&").as_bytes(), params.needed("signature")?) {
            Ok((account, key.name.clone()))
        } else {
            Err(Refusal::new(-1022, "Signature for this request is not valid."))
        }
    }

    fn market_answer(&mut self, connection: u64, id: &Value, method: &str, params: Option<&Value>) -> Value {
        let names: Vec<String> = params
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        match method {
            "SUBSCRIBE" => {
                names.iter().for_each(|name| self.want(connection, name));
                json!({ "result": null, "id": id })
            }
            "UNSUBSCRIBE" => {
                self.connection(connection).wants.retain(|(_, _, name)| !names.contains(name));
                json!({ "result": null, "id": id })
            }
            "LIST_SUBSCRIPTIONS" => {
                let told: Vec<&str> =
                    self.streams.connections[&connection].wants.iter().map(|(_, _, name)| name.as_str()).collect();
                json!({ "result": told, "id": id })
            }
            _ => json!({ "error": { "code": 0, "msg": "Unknown property" }, "id": id }),
        }
    }

    /// From here on a connection is told the bars of a stream; a stream of something else stays silent.
    fn want(&mut self, connection: u64, name: &str) {
        let found = name.split_once("@kline_").and_then(|(symbol, interval)| {
            let at = self.listings.iter().position(|listing| listing.name.to_lowercase() == symbol)?;
            Some((at, interval.parse().ok()?))
        });
        if let Some((at, interval)) = found {
            let wants = &mut self.connection(connection).wants;
            wants.retain(|(_, _, known)| known != name);
            wants.push((at, interval, name.to_owned()));
        }
    }
}
