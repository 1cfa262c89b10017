//! The loop that asks about an order until it is known or its absence is proven.
//!
//! One answer "no such order" proves nothing: the venue may still be working on the request. Absent is what three such answers say
//! that lie apart, the last of them after the venue must have given up, and what neither the open orders, nor all orders since, nor
//! the balances contradict.

use serde::{Deserialize, Serialize};

use crate::domain::{Span, Time};

/// When the venue is asked, after the doubt began; then at the last distance again and again.
const ASK_AFTER: [Span; 7] = [
    Span::from_millis(500),
    Span::from_secs(1),
    Span::from_secs(2),
    Span::from_secs(4),
    Span::from_secs(8),
    Span::from_secs(15),
    Span::from_secs(30),
];
/// Denials that count lie so far apart.
const DENIALS_APART: Span = Span::from_secs(5);
const DENIALS_NEEDED: u8 = 3;
/// The venue's own time-out behind the end of the receive window.
const ENGINE_TIMEOUT: Span = Span::from_secs(10);
/// Nobody is woken before.
pub const PAGE_AFTER: Span = Span::from_secs(60);

const _: () = assert!(ASK_AFTER.len() > DENIALS_NEEDED as usize);

/// What one list of orders said of the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    pub open: bool,
    pub all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    pub since: Time,
    /// Questions asked.
    asked: u32,
    /// Not asked again before then.
    pub next: Time,
    /// Answers "no such order" in a row that lie apart.
    denials: u8,
    denied_at: Option<Time>,
    /// Lists that do not have it, asked after the denials sufficed.
    pub lacking: Lists,
    pub is_paged: bool,
}

impl Doubt {
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            since: now,
            asked: 0,
            next: now + ASK_AFTER[0],
            denials: 0,
            denied_at: None,
            lacking: Lists::default(),
            is_paged: false,
        }
    }

    /// A doubt that is asked about at once: after a restart, or where the venue has named the order.
    #[must_use]
    pub fn at_once(now: Time) -> Self {
        Self { next: now, ..Self::new(now) }
    }

    /// Counts a question and sets the time of the next.
    pub fn ask(&mut self, now: Time) {
        let last = ASK_AFTER.len() - 1;
        self.asked += 1;
        self.next = match ASK_AFTER.get(self.asked as usize) {
            Some(after) => (self.since + *after).max(now + ASK_AFTER[0]),
            None => now + ASK_AFTER[last],
        };
    }

    /// Takes a "no such order". Gives whether these suffice: then the lists are asked.
    pub fn deny(&mut self, now: Time, sent_at: Time, receive_window: Span) -> bool {
        if self.denied_at.is_none_or(|before| now - before >= DENIALS_APART) {
            self.denials = self.denials.saturating_add(1);
            self.denied_at = Some(now);
        }
        self.denials >= DENIALS_NEEDED && now > sent_at + receive_window + ENGINE_TIMEOUT
    }

    /// Any other answer breaks the row.
    pub fn interrupt(&mut self) {
        (self.denials, self.denied_at, self.lacking) = (0, None, Lists::default());
    }

    #[must_use]
    pub fn is_old(&self, now: Time) -> bool {
        now - self.since >= PAGE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_asked_ever_more_seldom() {
        let start = Time::from_millis(0);
        let mut doubt = Doubt::new(start);
        let mut asked = Vec::new();
        for _ in 0..9 {
            let now = doubt.next;
            asked.push((now - start).micros() / 1000);
            doubt.ask(now);
        }
        assert_eq!(asked, [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 90_000]);
    }

    /// C4, C5.
    #[test]
    fn eight_seconds_of_denial_are_no_proof() {
        let (start, window) = (Time::from_millis(0), Span::from_secs(5));
        let at = |secs: i64| Time::from_millis(secs * 1000);
        let mut doubt = Doubt::new(start);
        for secs in [1, 2, 4, 8] {
            assert!(!doubt.deny(at(secs), start, window), "{secs} s");
        }
        assert!(!doubt.deny(at(14), start, window), "three apart, but the venue may still work on it");
        assert!(doubt.deny(at(16), start, window));
        doubt.interrupt();
        assert!(!doubt.deny(at(40), start, window), "the row begins anew");
    }
}
