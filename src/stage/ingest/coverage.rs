//! Which times a source or a series covers, as stretches without a hole, and the gaps between them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::{Interval, Time};

/// The largest gaps are listed up to here.
const GAPS_LISTED_MAX: usize = 3;

/// A gap: bars absent between two that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    #[serde(with = "text")]
    pub after: Time,
    #[serde(with = "text")]
    pub before: Time,
    pub missing_bars: u64,
}

/// What is missing in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    pub gaps: u64,
    pub missing_bars: u64,
    /// Largest first; of equal ones the earlier.
    pub largest: Vec<Gap>,
    pub distinct_times: u64,
}

/// Stretches of times, each one interval after the other.
#[derive(Debug, Clone)]
pub struct Coverage {
    step: i64,
    /// First and last time of each stretch.
    stretches: Vec<(i64, i64)>,
    /// How many stretches there were at the last [`Self::seal`].
    sealed: usize,
    /// Where bars that are not there are not missing.
    excused: Vec<Range<Time>>,
}

impl Coverage {
    #[must_use]
    pub fn new(interval: Interval) -> Self {
        Self { step: interval.span().micros(), stretches: Vec::new(), sealed: 0, excused: Vec::new() }
    }

    /// Bars that open in these ranges are not missing.
    #[must_use]
    pub fn excusing(self, excused: Vec<Range<Time>>) -> Self {
        Self { excused, ..self }
    }

    /// Adds times that ascend; equal ones count once.
    pub fn add(&mut self, times: impl IntoIterator<Item = i64>) {
        let mut open: Option<(i64, i64)> = None;
        for time in times {
            open = match open {
                Some((first, last)) if time == last || time == last.saturating_add(self.step) => Some((first, time)),
                Some(stretch) => {
                    self.stretches.push(stretch);
                    Some((time, time))
                }
                None => Some((time, time)),
            };
        }
        self.stretches.extend(open);
    }

    /// Draws a line: what is added from here on is not asked about in [`Self::had_before_seal`].
    pub fn seal(&mut self) {
        self.sealed = self.stretches.len();
    }

    #[must_use]
    pub fn had_before_seal(&self, time: i64) -> bool {
        self.stretches[..self.sealed]
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&time) && (time - first) % self.step == 0)
    }

    /// What is missing between the first time and the last. A gap of `d` between neighbours lacks ceil(d / interval) - 1 bars.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        let mut sorted = self.stretches.clone();
        sorted.sort_unstable();
        let mut found = Gaps::default();
        let mut reached: Option<i64> = None;
        for (first, last) in sorted {
            let bars = ((last - first) / self.step + 1).unsigned_abs();
            let Some(before) = reached else {
                found.distinct_times += bars;
                reached = Some(last);
                continue;
            };
            if first <= before {
                // Stretches of several batches may overlap; what is covered twice is one time.
                let seen = ((before.min(last) - first) / self.step + 1).unsigned_abs();
                found.distinct_times += bars - seen.min(bars);
            } else {
                found.distinct_times += bars;
                let missing = ((first - before + self.step - 1) / self.step - 1).unsigned_abs();
                let missing = missing - self.excused_between(before, first).min(missing);
                if missing > 0 {
                    found.note(before, first, missing);
                }
            }
            reached = Some(before.max(last));
        }
        found
    }
}

impl Coverage {
    /// How many of the bars that would lie between two times are excused.
    fn excused_between(&self, before: i64, first: i64) -> u64 {
        let mut counted = before;
        let mut count = 0;
        for range in &self.excused {
            // Grid points from the one behind what was counted on; ranges may overlap.
            let from = range.start.micros().max(counted + 1);
            let to = range.end.micros().min(first);
            if from >= to {
                continue;
            }
            let nth = |time: i64| (time - before + self.step - 1).div_euclid(self.step);
            count += (nth(to) - nth(from)).max(0).unsigned_abs();
            counted = to - 1;
        }
        count
    }
}

impl Gaps {
    fn note(&mut self, after: i64, before: i64, missing_bars: u64) {
        self.gaps += 1;
        self.missing_bars += missing_bars;
        let gap = Gap { after: Time::from_micros(after), before: Time::from_micros(before), missing_bars };
        let at = self.largest.partition_point(|other| other.missing_bars >= missing_bars);
        self.largest.insert(at, gap);
        self.largest.truncate(GAPS_LISTED_MAX);
    }
}

/// Times as people write them.
pub(super) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::Time;

    pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn covered(batches: &[&[i64]]) -> Gaps {
        let mut coverage = Coverage::new("1m".parse().unwrap());
        for batch in batches {
            coverage.add(batch.iter().map(|minute| minute * MINUTE));
        }
        coverage.gaps()
    }

    #[test]
    fn gaps_are_counted_between_neighbours() {
        let found = covered(&[&[1, 2, 3, 7, 8, 8, 10]]);
        assert_eq!((found.gaps, found.missing_bars, found.distinct_times), (2, 4, 6));
        assert_eq!(found.largest[0].missing_bars, 3);
        assert_eq!(found.largest[0].after, Time::from_micros(3 * MINUTE));
        assert_eq!(covered(&[]), Gaps::default());
    }

    #[test]
    fn excused_bars_are_not_missing() {
        let minutes = |from: i64, to: i64| Time::from_micros(from * MINUTE)..Time::from_micros(to * MINUTE);
        let missing = |excused: Vec<Range<Time>>| {
            let mut coverage = Coverage::new("1m".parse().unwrap()).excusing(excused);
            coverage.add([1, 2, 7, 10].map(|minute| minute * MINUTE));
            let found = coverage.gaps();
            (found.gaps, found.missing_bars)
        };
        assert_eq!(missing(vec![]), (2, 6));
        assert_eq!(missing(vec![minutes(3, 7)]), (1, 2));
        assert_eq!(missing(vec![minutes(4, 5)]), (2, 5));
        assert_eq!(missing(vec![minutes(0, 5), minutes(4, 6), minutes(8, 20)]), (1, 1));
        assert_eq!(missing(vec![minutes(0, 2), minutes(7, 8), minutes(11, 20)]), (2, 6));
        assert_eq!(missing(vec![minutes(-5, 50)]), (0, 0));
    }

    #[test]
    fn off_the_grid_a_gap_is_rounded_up() {
        let mut coverage = Coverage::new("1m".parse().unwrap());
        coverage.add([0, MINUTE, 2 * MINUTE + 30_000_000]);
        let found = coverage.gaps();
        assert_eq!((found.gaps, found.missing_bars), (1, 1));
    }

    proptest! {
        #[test]
        fn batches_make_no_difference(minutes in proptest::collection::vec(0_i64..60, 1..80), cut in 0_usize..80) {
            let mut sorted = minutes.clone();
            sorted.sort_unstable();
            let cut = cut.min(minutes.len());
            let (mut a, mut b) = (minutes[..cut].to_vec(), minutes[cut..].to_vec());
            a.sort_unstable();
            b.sort_unstable();
            prop_assert_eq!(covered(&[&a, &b]), covered(&[&sorted]));
        }
    }
}
