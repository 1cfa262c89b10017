//! The machine: what comes over connections and what time it is, in; what to do, out.

use super::super::Symbols;
use super::super::event::{Frame, Refusal};
use crate::domain::Time;
use crate::feed::binance::stream::{Event, Figures as LinkFigures, LinkId, Links, Move, REFUSALS_MAX};
use crate::venue::wire::Push;

/// Numbers of what we ask on a connection.
const LOGON: u64 = 1;
const SUBSCRIBE: u64 = 2;
/// Codes of a subscription that is there already, and of one that needs another connection.
const ALREADY_ACTIVE: i64 = -2035;
const CLOCK: i64 = -1021;

/// How events are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Entry {
    /// One signed request, with any key.
    #[default]
    Signature,
    /// A logon of the connection first, which only Ed25519 can.
    Logon,
}

/// A request on a connection; whoever sends it signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Logon,
    Subscribe,
    SubscribeSigned,
}

impl Ask {
    #[must_use]
    pub const fn id(self) -> u64 {
        match self {
            Self::Logon => LOGON,
            Self::Subscribe | Self::SubscribeSigned => SUBSCRIBE,
        }
    }

    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Logon => "session.logon",
            Self::Subscribe => "userDataStream.subscribe",
            Self::SubscribeSigned => "userDataStream.subscribe.signature",
        }
    }
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Open(LinkId),
    Send(LinkId, Ask),
    Close(LinkId),
    Push(Push),
    /// The clocks are to be compared before the next attempt.
    DoubtClock,
    /// The venue wants no connection before then, in milliseconds since 1970; or for a while, where it does not say.
    Closed {
        until: Option<i64>,
        is_ban: bool,
    },
}

/// What has come, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    pub frames: u64,
    pub pushes: u64,
    /// Of kinds that we do not know.
    pub unknown: u64,
    /// That could not be read: each ends its connection, since what it told is lost.
    pub wrong: u64,
    /// Connections that came up, and that ended otherwise than planned.
    pub connections: u64,
    pub ended: u64,
}

#[derive(Debug)]
pub struct UserMachine {
    symbols: Symbols,
    entry: Entry,
    links: Links,
    link_figures: LinkFigures,
    figures: Figures,
    is_up: bool,
    is_refused: bool,
    /// Why the last connection ended.
    why: String,
}

impl UserMachine {
    /// `seed` begins the chance in the pauses.
    #[must_use]
    pub fn new(symbols: Symbols, entry: Entry, seed: u64, now: Time) -> Self {
        Self {
            symbols,
            entry,
            links: Links::new(seed, now),
            link_figures: LinkFigures::default(),
            figures: Figures::default(),
            is_up: false,
            is_refused: false,
            why: String::new(),
        }
    }

    #[must_use]
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Did the venue refuse so often that it always will? Then it is not asked again.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Takes what happened, at `now` by our clock.
    pub fn on(&mut self, event: &Event, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Opened(id) if self.links.knows(*id) => {
                self.links.hear(*id, now);
                self.links.asked(*id);
                effects.push(Effect::Send(*id, if self.entry == Entry::Logon { Ask::Logon } else { Ask::SubscribeSigned }));
            }
            Event::Ping(id) => self.links.hear(*id, now),
            Event::Text(id, text) if self.links.knows(*id) => {
                self.links.hear(*id, now);
                self.figures.frames += 1;
                self.on_text(*id, text, now, &mut effects);
            }
            Event::Ended(id, why) if self.links.knows(*id) => {
                self.why.clone_from(why);
                self.figures.ended += 1;
                self.links.ended(*id, now);
            }
            _ => {}
        }
        self.on_time(now, &mut effects);
        effects
    }

    fn on_time(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.tell_end(effects);
        if self.is_refused {
            return;
        }
        for step in self.links.tick(now, &mut self.link_figures) {
            match step {
                Move::Open(id) => effects.push(Effect::Open(id)),
                Move::Close(id) => effects.push(Effect::Close(id)),
                Move::End(_, why) => {
                    self.figures.ended += 1;
                    self.why = why;
                }
            }
        }
        self.tell_end(effects);
    }

    /// Whoever listens must know that events are lost from here on.
    fn tell_end(&mut self, effects: &mut Vec<Effect>) {
        if self.is_up && !self.links.is_up() {
            self.is_up = false;
            effects.push(Effect::Push(Push::Down { why: std::mem::take(&mut self.why) }));
        }
    }

    fn on_text(&mut self, id: LinkId, text: &str, now: Time, effects: &mut Vec<Effect>) {
        match Frame::read(text, &self.symbols) {
            Ok(Frame::Push(push)) => {
                self.figures.pushes += 1;
                effects.push(Effect::Push(push));
            }
            Ok(Frame::Answer { id: LOGON, refusal: None }) if self.entry == Entry::Logon => {
                effects.push(Effect::Send(id, Ask::Subscribe));
            }
            Ok(Frame::Answer { id: SUBSCRIBE, refusal: None }) => self.on_subscribed(id, now, effects),
            Ok(Frame::Answer { refusal: Some(refusal), .. }) => self.on_refusal(id, &refusal, now, effects),
            Ok(Frame::Answer { .. } | Frame::Ignored) => {}
            Ok(Frame::Shutdown) => self.links.doom(id),
            Ok(Frame::Terminated) => self.end(id, "the venue sends no more events on it".to_owned(), now, effects),
            Ok(Frame::Revoked(refusal)) => self.on_refusal(id, &refusal, now, effects),
            Ok(Frame::Unknown(_)) => self.figures.unknown += 1,
            // What it told is lost, so all that may have happened is asked for anew.
            Ok(Frame::Wrong(why)) => {
                self.figures.wrong += 1;
                self.end(id, format!("an event that cannot be read: {why}"), now, effects);
            }
            Err(why) => {
                self.figures.wrong += 1;
                self.end(id, format!("a message that cannot be read: {why}"), now, effects);
            }
        }
    }

    fn on_subscribed(&mut self, id: LinkId, now: Time, effects: &mut Vec<Effect>) {
        self.figures.connections += 1;
        let is_first = self.links.live(id, now);
        if is_first {
            self.is_up = true;
            effects.push(Effect::Push(Push::Up));
        }
    }

    fn on_refusal(&mut self, id: LinkId, refusal: &Refusal, now: Time, effects: &mut Vec<Effect>) {
        let Refusal { status, code, text, retry_at } = refusal;
        match (*status, *code) {
            // It is what was asked for.
            (_, ALREADY_ACTIVE) => return self.on_subscribed(id, now, effects),
            (418 | 429, _) => effects.push(Effect::Closed { until: *retry_at, is_ban: *status == 418 }),
            (_, CLOCK) => effects.push(Effect::DoubtClock),
            _ => {}
        }
        self.why = format!("the venue refused: {code} {text}");
        effects.push(Effect::Close(id));
        self.links.refused(id, now);
        self.is_refused = self.links.refusals() >= REFUSALS_MAX && ![418, 429].contains(status) && *code != CLOCK;
        if self.is_refused && !self.is_up {
            effects.push(Effect::Push(Push::Down { why: self.why.clone() }));
        }
    }

    fn end(&mut self, id: LinkId, why: String, now: Time, effects: &mut Vec<Effect>) {
        self.why = why;
        self.figures.ended += 1;
        effects.push(Effect::Close(id));
        self.links.ended(id, now);
    }
}
