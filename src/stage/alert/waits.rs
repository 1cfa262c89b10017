//! How long things wait: between tries, before a message, until it is repeated. And what a clock that jumps may do to that.

use crate::domain::{Span, Time};

/// Pauses behind the first try, the second, and so on: eight tries in an hour.
const PAUSES: [Span; 7] = [
    Span::from_secs(1),
    Span::from_secs(5),
    Span::from_secs(30),
    Span::from_secs(120),
    Span::from_secs(300),
    Span::from_secs(900),
    Span::from_secs(2244),
];
/// A message is tried so often, and then no more.
pub const TRIES_MAX: u32 = PAUSES.len() as u32 + 1;
/// A receiver that asks for more patience than this is asked again all the same.
pub const PATIENCE_MAX: Span = Span::from_secs(3600);

/// When a message that failed for the `tries`-th time is tried again; `None` when it is not. `after` is what the receiver asked for.
#[must_use]
pub fn next_try(tries: u32, after: Option<Span>, now: Time) -> Option<Time> {
    let pause = *PAUSES.get(usize::try_from(tries.checked_sub(1)?).ok()?)?;
    let asked = after.unwrap_or(Span::ZERO).min(PATIENCE_MAX);
    Some(now.saturating_add(pause.max(asked)))
}

/// Is a moment that was set at most `most` ahead here by `now`? One that lies further ahead was set by a clock that has gone back
/// since, and nobody waits for it.
#[must_use]
pub fn is_due(at: Time, most: Span, now: Time) -> bool {
    now >= at || at - now > most
}

/// Has `span` passed since `then`? A moment that has not come yet was written by another clock, and counts as long ago.
#[must_use]
pub fn has_passed(then: Time, span: Span, now: Time) -> bool {
    then > now || now - then >= span
}

/// Time that never goes back: the wall's, or what has passed by a stopwatch, whichever is later.
///
/// A clock set back an hour would make every wait an hour longer. One set forward, or a night asleep, ends waits early: people are told
/// too often rather than too late.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    last: Time,
    watch: Span,
}

impl Timeline {
    #[must_use]
    pub const fn new(wall: Time) -> Self {
        Self { last: wall, watch: Span::ZERO }
    }

    /// The time, when the wall shows `wall` and the stopwatch `watch`.
    pub fn now(&mut self, wall: Time, watch: Span) -> Time {
        let passed = if watch > self.watch { Span::from_micros(watch.micros() - self.watch.micros()) } else { Span::ZERO };
        self.watch = self.watch.max(watch);
        self.last = wall.max(self.last.saturating_add(passed));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(1_700_000_000_000_000) + Span::from_secs(secs)
    }

    #[test]
    fn eight_tries_in_an_hour() {
        let (mut now, mut tries) = (at(0), 1);
        while let Some(next) = next_try(tries, None, now) {
            (now, tries) = (next, tries + 1);
        }
        assert_eq!((tries, now), (TRIES_MAX, at(3600)));
    }

    #[test]
    fn a_receiver_says_how_long_to_wait_up_to_a_cap() {
        assert_eq!(next_try(1, Some(Span::from_secs(7)), at(0)), Some(at(7)));
        assert_eq!(next_try(3, Some(Span::from_secs(7)), at(0)), Some(at(30)), "our own pause is longer");
        assert_eq!(next_try(1, Some(Span::from_days(9)), at(0)), Some(at(3600)));
    }

    /// G9.
    #[test]
    fn no_wait_is_longer_than_it_was_meant() {
        let hour = Span::from_secs(3600);
        assert!(!is_due(at(60), hour, at(0)) && is_due(at(60), hour, at(60)));
        assert!(is_due(at(4000), hour, at(0)), "the clock went back since");
        assert!(!has_passed(at(0), hour, at(3599)) && has_passed(at(0), hour, at(3600)));
        assert!(has_passed(at(10), hour, at(0)), "it was told by a clock that ran ahead");
    }

    /// G9.
    #[test]
    fn a_timeline_never_goes_back() {
        let mut line = Timeline::new(at(0));
        assert_eq!(line.now(at(1), Span::from_secs(1)), at(1));
        assert_eq!(line.now(at(-3600), Span::from_secs(6)), at(6), "set back an hour: five seconds have passed");
        assert_eq!(line.now(at(-3590), Span::from_secs(16)), at(16));
        assert_eq!(line.now(at(86_400), Span::from_secs(17)), at(86_400), "a night asleep");
        assert_eq!(line.now(at(86_400), Span::from_secs(17)), at(86_400));
    }
}
