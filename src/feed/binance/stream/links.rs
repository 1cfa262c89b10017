//! Connections: opened one at a time, watched, changed before their time is over, and given up when they are silent.

use super::figures::Figures;
use super::throttle::Throttle;
use crate::chance::Stream;
use crate::domain::{Span, Time};

/// Nothing came for so long: the other side is gone, whatever the socket says.
const SILENCE_MAX: Span = Span::from_secs(30);
/// From the attempt until the venue has said that it sends what we asked for.
const OPENING_MAX: Span = Span::from_secs(15);
/// The venue ends a connection at 24 hours.
const AGE_MAX: Span = Span::from_secs(23 * 3600);
/// How long the last connection stays up beside the next one, for what is on its way on it.
const OVERLAP: Span = Span::from_secs(5);
/// A tenth of what the venue allows an address.
const ATTEMPTS_MAX: usize = 30;
const ATTEMPTS_WINDOW: Span = Span::from_secs(300);
/// The pause before the second attempt; it doubles with each, and chance makes it up to a half longer.
const BACKOFF: Span = Span::from_secs(1);
const BACKOFF_DOUBLINGS_MAX: u32 = 5;
const BACKOFF_MAX: Span = Span::from_secs(60);
/// A connection that was up for so long has proven that the venue is well.
const PROVEN_AFTER: Span = Span::from_secs(60);
/// The venue refuses what we ask for so often in a row: it always will.
pub const REFUSALS_MAX: u32 = 5;

const _: () = assert!(BACKOFF.micros() << BACKOFF_DOUBLINGS_MAX <= BACKOFF_MAX.micros());
const _: () = assert!(OVERLAP.micros() < SILENCE_MAX.micros() && SILENCE_MAX.micros() < AGE_MAX.micros());

/// One connection, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// On its way, or up and not yet told what we want.
    Opening,
    /// It was told, and has not answered.
    Asked,
    Live,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    id: LinkId,
    state: State,
    begun: Time,
    heard: Time,
    /// It is to be closed then, since another took over.
    leaves_at: Option<Time>,
    /// The venue said that it will close it.
    is_doomed: bool,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    Open(LinkId),
    Close(LinkId),
    /// It was ended, for this reason.
    End(LinkId, String),
}

#[derive(Debug)]
pub struct Links {
    links: Vec<Link>,
    last_id: u64,
    attempts: Throttle,
    /// Attempts in a row that did not last.
    failures: u32,
    refusals: u32,
    next_attempt: Time,
    chance: Stream,
}

impl Links {
    pub fn new(seed: u64, now: Time) -> Self {
        Self {
            links: Vec::new(),
            last_id: 0,
            attempts: Throttle::new(ATTEMPTS_MAX, ATTEMPTS_WINDOW),
            failures: 0,
            refusals: 0,
            next_attempt: now,
            chance: Stream::new(seed, "stream backoff"),
        }
    }

    /// Is it one of those that are still wanted?
    pub fn knows(&self, id: LinkId) -> bool {
        self.links.iter().any(|link| link.id == id)
    }

    pub fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.state == State::Live)
    }

    /// Connections that are not up yet.
    pub fn pending(&self) -> usize {
        self.links.iter().filter(|link| link.state != State::Live).count()
    }

    pub fn refusals(&self) -> u32 {
        self.refusals
    }

    pub fn hear(&mut self, id: LinkId, now: Time) {
        if let Some(link) = self.of(id) {
            link.heard = now;
        }
    }

    /// The connection stands, and is told now what we want.
    pub fn asked(&mut self, id: LinkId) {
        if let Some(link) = self.of(id) {
            link.state = State::Asked;
        }
    }

    /// The venue sends what we want. True if it takes over from none.
    pub fn live(&mut self, id: LinkId, now: Time) -> bool {
        let is_first = !self.is_up();
        self.refusals = 0;
        for link in &mut self.links {
            if link.id == id {
                link.state = State::Live;
            } else {
                link.leaves_at = Some(now + OVERLAP);
            }
        }
        is_first
    }

    /// The venue will close the connection: another is opened beside it at once.
    pub fn doom(&mut self, id: LinkId) {
        if let Some(link) = self.of(id) {
            link.is_doomed = true;
        }
    }

    pub fn refused(&mut self, id: LinkId, now: Time) {
        self.refusals += 1;
        self.ended(id, now);
    }

    /// The connection is over.
    pub fn ended(&mut self, id: LinkId, now: Time) {
        let Some(at) = self.links.iter().position(|link| link.id == id) else { return };
        let link = self.links.remove(at);
        if link.leaves_at.is_some() {
            return;
        }
        let is_proven = link.state == State::Live && now - link.begun >= PROVEN_AFTER;
        self.failures = if is_proven { 0 } else { self.failures.saturating_add(1) };
        let base = match self.failures {
            0 => 0,
            failures => BACKOFF.micros() << (failures - 1).min(BACKOFF_DOUBLINGS_MAX),
        };
        // Also where the first attempt is made at once: all who follow a venue lose it in the same moment.
        let jitter = (self.chance.uniform() * 0.5 * base.max(BACKOFF.micros()) as f64) as i64;
        let wait = Span::from_micros((base + jitter).min(BACKOFF_MAX.micros()));
        self.next_attempt = now + wait;
    }

    /// What time alone asks for.
    pub fn tick(&mut self, now: Time, figures: &mut Figures) -> Vec<Move> {
        let mut moves = Vec::new();
        for link in self.links.clone() {
            let is_leaving = link.leaves_at.is_some_and(|at| now >= at);
            let why = if link.state != State::Live && now - link.begun >= OPENING_MAX {
                format!("it was not up within {OPENING_MAX}")
            } else if now - link.heard >= SILENCE_MAX {
                format!("nothing came for {SILENCE_MAX}")
            } else if is_leaving {
                self.links.retain(|other| other.id != link.id);
                moves.push(Move::Close(link.id));
                continue;
            } else {
                continue;
            };
            figures.ended += 1;
            self.ended(link.id, now);
            moves.extend([Move::Close(link.id), Move::End(link.id, why)]);
        }
        moves.extend(self.attempt(now));
        moves
    }

    /// Opens a connection where none is, or where the only one has had its time. STREAM-5.
    fn attempt(&mut self, now: Time) -> Option<Move> {
        let is_wanted = match self.links.as_slice() {
            [] => true,
            [only] => only.state == State::Live && (only.is_doomed || now - only.begun >= AGE_MAX),
            _ => false,
        };
        if !is_wanted || now < self.next_attempt {
            return None;
        }
        if let Err(at) = self.attempts.take(now) {
            self.next_attempt = at;
            return None;
        }
        self.last_id += 1;
        let id = LinkId(self.last_id);
        self.links.push(Link { id, state: State::Opening, begun: now, heard: now, leaves_at: None, is_doomed: false });
        Some(Move::Open(id))
    }

    fn of(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn up(links: &mut Links, secs: i64) -> LinkId {
        let moves = links.tick(at(secs), &mut Figures::default());
        let Some(Move::Open(id)) = moves.last() else { panic!("{moves:?}") };
        links.asked(*id);
        links.live(*id, at(secs));
        *id
    }

    /// D10, STREAM-4: a venue that drops every connection at once sees thirty attempts in five minutes, not more.
    #[test]
    fn a_storm_is_bounded() {
        for seed in 0..50 {
            let mut links = Links::new(seed, at(0));
            let mut attempts = Vec::new();
            for tenth in 0..36_000 {
                let now = Time::from_micros(tenth * 100_000);
                for act in links.tick(now, &mut Figures::default()) {
                    let Move::Open(id) = act else { panic!("{act:?}") };
                    attempts.push(now);
                    // Now and then one holds for a minute, so that the pauses begin anew.
                    if attempts.len() % 3 == 0 {
                        links.live(id, now);
                        links.of(id).unwrap().begun = now - PROVEN_AFTER;
                    }
                    links.ended(id, now);
                }
            }
            let most =
                attempts.iter().map(|first| attempts.iter().filter(|t| **t >= *first && **t - *first < ATTEMPTS_WINDOW).count());
            assert!(most.max().unwrap() <= ATTEMPTS_MAX && attempts.len() > 50, "seed {seed}: {}", attempts.len());
        }
    }

    /// D2, STREAM-5.
    #[test]
    fn silence_ends_a_connection() {
        let mut links = Links::new(1, at(0));
        let id = up(&mut links, 0);
        links.hear(id, at(10));
        assert_eq!(links.tick(at(39), &mut Figures::default()), []);
        let mut figures = Figures::default();
        let moves = links.tick(at(40), &mut figures);
        assert!(moves.contains(&Move::Close(id)) && moves.iter().any(|act| matches!(act, Move::End(..))), "{moves:?}");
        assert_eq!((figures.ended, links.knows(id)), (1, false));
        // What never comes up is given up too.
        let mut links = Links::new(1, at(0));
        assert_eq!(links.tick(at(0), &mut figures), [Move::Open(LinkId(1))]);
        assert!(links.tick(at(15), &mut figures).contains(&Move::Close(LinkId(1))));
    }

    /// D4, D5, STREAM-5.
    #[test]
    fn the_next_one_is_up_before_the_last_is_closed() {
        for is_doomed in [true, false] {
            let mut links = Links::new(1, at(0));
            let mut figures = Figures::default();
            let old = up(&mut links, 0);
            let change = if is_doomed { 100 } else { 23 * 3600 };
            links.hear(old, at(change - 1));
            assert_eq!(links.tick(at(change - 1), &mut figures), []);
            if is_doomed {
                links.doom(old);
            }
            let moves = links.tick(at(change), &mut figures);
            assert_eq!(moves, [Move::Open(LinkId(2))]);
            assert!(links.knows(old) && links.is_up());
            assert!(!links.live(LinkId(2), at(change + 1)), "it takes over from one that is up");
            assert_eq!(links.tick(at(change + 5), &mut figures), []);
            assert_eq!(links.tick(at(change + 6), &mut figures), [Move::Close(old)]);
            assert!(!links.knows(old) && links.is_up());
            assert_eq!(figures.ended, 0);
        }
    }
}
