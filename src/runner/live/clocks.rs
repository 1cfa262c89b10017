//! Two clocks that must agree: ours with itself, and ours with the venue's.

use crate::domain::{Span, Time};

/// Ours never jumps back further.
const BACKWARD_MAX: Span = Span::from_secs(1);
/// What was due was not done for so long: the program was suspended, and what it knew is old.
pub const ASLEEP_AFTER: Span = Span::from_secs(30);
/// The venue's clock may differ so far before new orders wait.
const OFFSET_PAUSES: Span = Span::from_millis(500);
const OFFSET_HALTS: Span = Span::from_secs(5);

/// What a look at the clock tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Fine,
    /// It went back: what was decided by it cannot be trusted.
    WentBack(Span),
    /// What was due is late by so much.
    Slept(Span),
}

/// What a difference to the venue's clock asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    Fine,
    Pause,
    Halt,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Clocks {
    last: Option<Time>,
}

impl Clocks {
    /// `due`: when something was to be done next.
    pub fn read(&mut self, now: Time, due: Time) -> Reading {
        let Some(last) = self.last.replace(now) else { return Reading::Fine };
        if last - now > BACKWARD_MAX {
            Reading::WentBack(last - now)
        } else if now - last.max(due) > ASLEEP_AFTER {
            Reading::Slept(now - last.max(due))
        } else {
            Reading::Fine
        }
    }
}

#[must_use]
pub fn judge(offset: Span) -> Offset {
    let size = Span::from_micros(offset.micros().abs());
    if size > OFFSET_HALTS {
        Offset::Halt
    } else if size > OFFSET_PAUSES {
        Offset::Pause
    } else {
        Offset::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B1, A24.
    #[test]
    fn a_clock_that_jumps_is_noticed_and_one_that_is_slewed_is_not() {
        let at = |millis: i64| Time::from_millis(1_000_000 + millis);
        let mut clocks = Clocks::default();
        let steps = [
            (0, Reading::Fine),
            (900, Reading::Fine),
            (0, Reading::Fine),
            (20_000, Reading::Fine),
            (18_000, Reading::WentBack(Span::from_secs(2))),
            (48_000, Reading::Fine),
            (178_000, Reading::Slept(Span::from_secs(120))),
        ];
        for (millis, reading) in steps {
            // Something is due ten seconds after each.
            let due = clocks.last.map_or(at(0), |last| last + Span::from_secs(10));
            assert_eq!(clocks.read(at(millis), due), reading, "at {millis} ms");
        }
    }

    /// B4.
    #[test]
    fn the_venues_clock_may_differ_a_little() {
        for (millis, verdict) in [(500, Offset::Fine), (-501, Offset::Pause), (5000, Offset::Pause), (-5001, Offset::Halt)] {
            assert_eq!(judge(Span::from_millis(millis)), verdict, "{millis} ms");
        }
    }
}
