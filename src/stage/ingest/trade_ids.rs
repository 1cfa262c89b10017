//! Which numbers of trades were seen, as stretches without a hole: what tells a repeated trade, and a lost one.

use std::collections::BTreeMap;

use crate::domain::Time;

/// More stretches than these are no numbering by one.
const STRETCHES_MAX: usize = 1 << 20;

/// A hole in the numbers: the trades `after` and `before` it are there, those between are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    pub missing: u64,
    pub after: Time,
    pub before: Time,
}

/// Numbers seen so far. Memory grows with the holes, not with the trades.
#[derive(Debug, Default)]
pub struct TradeIds {
    /// By first number.
    stretches: BTreeMap<u64, Stretch>,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    last: u64,
    first_time: Time,
    last_time: Time,
}

impl TradeIds {
    /// Adds a number; false if it was there.
    pub fn insert(&mut self, id: u64, time: Time) -> bool {
        let before = self.stretches.range_mut(..=id).next_back();
        let extended = match before {
            Some((_, stretch)) if id <= stretch.last => return false,
            Some((first, stretch)) if stretch.last.checked_add(1) == Some(id) => {
                (stretch.last, stretch.last_time) = (id, time);
                Some(*first)
            }
            _ => None,
        };
        let next = id.checked_add(1).and_then(|next| self.stretches.remove(&next));
        match (extended, next) {
            (Some(first), Some(next)) => {
                if let Some(stretch) = self.stretches.get_mut(&first) {
                    (stretch.last, stretch.last_time) = (next.last, next.last_time);
                }
            }
            (Some(_), None) => {}
            (None, Some(next)) => drop(self.stretches.insert(id, Stretch { first_time: time, ..next })),
            (None, None) => drop(self.stretches.insert(id, Stretch { last: id, first_time: time, last_time: time })),
        }
        true
    }

    /// Are there more stretches than a numbering by one can have?
    #[must_use]
    pub fn is_scattered(&self) -> bool {
        self.stretches.len() > STRETCHES_MAX
    }

    /// The holes, by number.
    pub fn holes(&self) -> impl Iterator<Item = Hole> {
        self.stretches.iter().zip(self.stretches.iter().skip(1)).map(|((_, a), (first, b))| Hole {
            missing: first - a.last - 1,
            after: a.last_time,
            before: b.first_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_know_what_a_set_knows(numbers in proptest::collection::vec(0_u64..60, 1..120)) {
            let (mut ids, mut set) = (TradeIds::default(), BTreeSet::new());
            for number in numbers {
                let time = Time::from_millis(number as i64);
                prop_assert_eq!(ids.insert(number, time), set.insert(number));
            }
            let sorted: Vec<u64> = set.into_iter().collect();
            let wanted: Vec<Hole> = sorted.windows(2).filter(|pair| pair[1] - pair[0] > 1).map(|pair| Hole {
                missing: pair[1] - pair[0] - 1,
                after: Time::from_millis(pair[0] as i64),
                before: Time::from_millis(pair[1] as i64),
            }).collect();
            prop_assert_eq!(ids.holes().collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn the_greatest_number_is_a_number() {
        let mut ids = TradeIds::default();
        assert!(ids.insert(u64::MAX, Time::default()) && ids.insert(u64::MAX - 1, Time::default()));
        assert!(!ids.insert(u64::MAX, Time::default()));
        assert_eq!(ids.holes().count(), 0);
    }
}
