//! The weight that our requests may use in a minute of the venue's clock.

use crate::domain::{Span, Time};

const MINUTE: i64 = 60_000_000;
/// Of the venue's limit: orders of the same machine, and a second program, need the rest. BINANCE-2.
const PARTS_OF_LIMIT: u32 = 2;

#[derive(Debug, Clone)]
pub struct Budget {
    ceiling: u32,
    minute: i64,
    used: u32,
}

impl Budget {
    pub fn new(limit: u32) -> Self {
        Self { ceiling: (limit / PARTS_OF_LIMIT).max(1), minute: i64::MIN, used: 0 }
    }

    /// Takes `weight` at `now`, by the venue's clock; or says how long to wait first.
    pub fn take(&mut self, now: Time, weight: u32) -> Result<(), Span> {
        self.turn(now);
        // A call heavier than the ceiling would never go; alone in its minute it may.
        if self.used > 0 && self.used.saturating_add(weight) > self.ceiling {
            return Err(Span::from_micros(MINUTE - now.micros().rem_euclid(MINUTE)));
        }
        self.used = self.used.saturating_add(weight);
        Ok(())
    }

    /// What the venue says was used in this minute, by us and by others at this address.
    pub fn hear(&mut self, now: Time, used: u32) {
        self.turn(now);
        self.used = self.used.max(used);
    }

    /// The minute was waited for; a clock that stands still would not show it.
    pub fn start_anew(&mut self) {
        self.used = 0;
    }

    fn turn(&mut self, now: Time) {
        let minute = now.micros().div_euclid(MINUTE);
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_others_used_counts() {
        let now = Time::from_micros(90 * 1_000_000);
        let mut budget = Budget::new(6000);
        assert_eq!(budget.take(now, 2), Ok(()));
        budget.hear(now, 2999);
        assert_eq!(budget.take(now, 2), Err(Span::from_secs(30)));
        assert_eq!(budget.take(now + Span::from_secs(30), 2), Ok(()));
    }

    proptest! {
        /// BINANCE-2.
        #[test]
        fn no_minute_holds_more_than_half(
            calls in proptest::collection::vec((0_i64..5_000_000, 1_u32..21), 1..400),
            limit in 100_u32..400,
        ) {
            let (mut budget, mut now) = (Budget::new(limit), Time::from_micros(7));
            let mut used: BTreeMap<i64, u32> = BTreeMap::new();
            for (pause, weight) in calls {
                now = now + Span::from_micros(pause);
                if let Err(wait) = budget.take(now, weight) {
                    prop_assert!(wait <= Span::from_secs(60));
                    now = now + wait;
                    prop_assert_eq!(budget.take(now, weight), Ok(()));
                }
                *used.entry(now.micros().div_euclid(MINUTE)).or_default() += weight;
            }
            prop_assert!(used.values().all(|sum| *sum <= limit / 2));
        }
    }
}
