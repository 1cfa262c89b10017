//! So many in a window of time and no more.

use std::collections::VecDeque;

use crate::domain::{Span, Time};

#[derive(Debug, Clone)]
pub struct Throttle {
    count_max: usize,
    window: Span,
    taken: VecDeque<Time>,
}

impl Throttle {
    pub fn new(count_max: usize, window: Span) -> Self {
        assert!(count_max > 0, "a throttle that lets nothing through is a wall");
        Self { count_max, window, taken: VecDeque::with_capacity(count_max) }
    }

    /// Takes one at `now`, or says when the next may be taken.
    pub fn take(&mut self, now: Time) -> Result<(), Time> {
        // A clock that was set back must not shut the door until it is there again.
        self.taken.retain(|at| *at <= now && now - *at < self.window);
        match self.taken.front() {
            Some(first) if self.taken.len() >= self.count_max => Err(*first + self.window),
            _ => {
                self.taken.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// STREAM-4.
        #[test]
        fn no_window_holds_more(pauses in proptest::collection::vec(0_i64..900_000, 1..300), count_max in 1_usize..6) {
            let window = Span::from_secs(1);
            let (mut throttle, mut now) = (Throttle::new(count_max, window), Time::from_micros(0));
            let mut taken: Vec<Time> = Vec::new();
            for pause in pauses {
                now = now + Span::from_micros(pause);
                if let Err(at) = throttle.take(now) {
                    prop_assert!(at > now && at - now <= window);
                    now = at;
                    prop_assert_eq!(throttle.take(now), Ok(()));
                }
                taken.push(now);
            }
            for (nth, first) in taken.iter().enumerate() {
                prop_assert!(taken[nth..].iter().take_while(|at| **at - *first < window).count() <= count_max);
            }
        }
    }
}
