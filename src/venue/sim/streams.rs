//! Connections: what comes in, what goes out, pings, and how they end.

use std::collections::{BTreeMap, VecDeque};

use super::http::HttpReply;
use crate::domain::{Interval, Span, Time};

const PING_EVERY: Span = Span::from_secs(20);
const PONG_WITHIN: Span = Span::from_secs(60);
const LIFE_MAX: Span = Span::from_days(1);
/// Messages of a second that a connection of market streams may send us.
const CONTROL_MAX: usize = 5;
const SECOND: Span = Span::from_secs(1);

/// A frame of a WebSocket, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    /// The connection ends without a word.
    Cut,
}

/// Which of the venue's three sockets it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Api,
    /// Market streams; `is_combined` wraps each event in the stream's name.
    Market {
        is_combined: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub door: Door,
    pub since: Time,
    pub out: VecDeque<Frame>,
    /// The account and key of a logon.
    pub logged_on: Option<(usize, String)>,
    /// Accounts whose events are told, by the number of the subscription.
    pub subscriptions: BTreeMap<u64, usize>,
    pub subscriptions_ever: u64,
    /// Bars that are told: listing, interval, name of the stream.
    pub wants: Vec<(usize, Interval, String)>,
    /// Sent behind the next event.
    pub swapped: Option<String>,
    pub is_silent: bool,
    pub is_over: bool,
    control: VecDeque<Time>,
    pinged: Time,
    /// Since when a pong is awaited.
    awaits_pong: Option<Time>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    pub connections: BTreeMap<u64, Connection>,
    last: u64,
}

impl Streams {
    pub(super) fn open(&mut self, door: Door, now: Time) -> u64 {
        self.last += 1;
        let connection = Connection {
            door,
            since: now,
            out: VecDeque::new(),
            logged_on: None,
            subscriptions: BTreeMap::new(),
            subscriptions_ever: 0,
            wants: Vec::new(),
            swapped: None,
            is_silent: false,
            is_over: false,
            control: VecDeque::new(),
            pinged: now,
            awaits_pong: None,
        };
        self.connections.insert(self.last, connection);
        self.last
    }

    pub(super) fn push(&mut self, connection: u64, text: String) {
        if let Some(found) = self.connections.get_mut(&connection).filter(|found| !found.is_over && !found.is_silent) {
            found.out.push_back(Frame::Text(text));
        }
    }

    pub(super) fn has_market_listeners(&self) -> bool {
        self.connections.values().any(|connection| !connection.wants.is_empty() && !connection.is_over)
    }

    pub(super) fn silence(&mut self) {
        self.connections.values_mut().for_each(|connection| connection.is_silent = true);
    }

    /// Connections that hear an account, each with the number of its subscription.
    pub(super) fn listeners(&self, account: usize) -> Vec<(u64, u64)> {
        let of_one = |(id, connection): (&u64, &Connection)| {
            let found = connection.subscriptions.iter().find(|(_, heard)| **heard == account).map(|(number, _)| *number);
            found.filter(|_| !connection.is_over).map(|number| (*id, number))
        };
        self.connections.iter().filter_map(of_one).collect()
    }

    /// Is there a ping to send, a connection to end, or one to put away?
    pub(super) fn is_due(&self, now: Time) -> bool {
        let due = |found: &Connection| {
            if found.is_over { found.out.is_empty().then_some(Time::MIN) } else { Some(found.next_due()) }
        };
        self.earliest(due).is_some_and(|due| due <= now)
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.earliest(|found| (!found.is_over).then(|| found.next_due()))
    }

    /// Asked at every step of time, and mostly there is one connection.
    fn earliest(&self, of: impl Fn(&Connection) -> Option<Time>) -> Option<Time> {
        match (self.connections.len(), self.connections.first_key_value()) {
            (1, Some((_, only))) => of(only),
            _ => self.connections.values().filter_map(of).min(),
        }
    }
}

impl Connection {
    fn next_due(&self) -> Time {
        let ping = self.pinged + PING_EVERY;
        let pong = self.awaits_pong.map_or(Time::MAX, |since| since + PONG_WITHIN);
        ping.min(pong).min(self.since + LIFE_MAX)
    }

    /// Pings when it is time; says why the connection ends, if it does.
    pub(super) fn tick(&mut self, now: Time) -> Option<&'static str> {
        if self.is_over {
            return None;
        }
        if now - self.since >= LIFE_MAX {
            return Some("24 hours are over");
        }
        if self.awaits_pong.is_some_and(|since| now - since >= PONG_WITHIN) {
            return Some("no pong within 60 seconds");
        }
        if now - self.pinged >= PING_EVERY {
            self.pinged = now;
            if !self.is_silent {
                self.awaits_pong = self.awaits_pong.or(Some(now));
                self.out.push_back(Frame::Ping(now.millis().to_string().into_bytes()));
            }
        }
        None
    }

    /// A pong counts when it answers the last ping.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if payload == self.pinged.millis().to_string().as_bytes() {
            self.awaits_pong = None;
        }
    }

    /// Notes a message; false when there are too many.
    pub(super) fn hears(&mut self, now: Time) -> bool {
        self.control.push_back(now);
        while self.control.front().is_some_and(|at| now - *at >= SECOND) {
            self.control.pop_front();
        }
        self.door == Door::Api || self.control.len() <= CONTROL_MAX
    }
}

/// The door that a path leads to, and the streams it names.
pub(super) fn door_of(path: &str) -> Option<(Door, Vec<String>)> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path == "/ws-api/v3" {
        return Some((Door::Api, Vec::new()));
    }
    if path == "/stream" {
        let streams = query.split('&').find_map(|pair| pair.strip_prefix("streams=")).unwrap_or_default();
        return Some((Door::Market { is_combined: true }, names(streams)));
    }
    let streams = path.strip_prefix("/ws")?;
    let streams = if streams.is_empty() { "" } else { streams.strip_prefix('/')? };
    Some((Door::Market { is_combined: false }, names(streams)))
}

fn names(streams: &str) -> Vec<String> {
    streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Why a handshake is refused.
pub(super) fn refused(status: u16) -> HttpReply {
    HttpReply::html(status, "")
}
