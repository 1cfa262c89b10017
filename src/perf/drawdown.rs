//! Losses from the high-water mark over a whole curve: how deep, how long.

use serde::{Deserialize, Serialize};

use crate::domain::{Money, Span, Time};

/// A stay below a high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// The greatest loss, as a fraction of the high-water mark.
    pub depth: f64,
    /// The last mark at the high-water mark.
    pub peak: Time,
    pub trough: Time,
    /// The first mark back at the high-water mark or above it; `None` while that has not come.
    pub recovered: Option<Time>,
    /// From the peak to the recovery, or to the last mark.
    pub duration: Span,
}

/// A stay below the high-water mark, as it is kept: exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Episode {
    high: Money,
    high_at: Time,
    /// The lowest mark since; the high itself while not below it.
    low: Money,
    low_at: Time,
    ended: Option<Time>,
}

impl Episode {
    const fn at(equity: Money, time: Time) -> Self {
        Self { high: equity, high_at: time, low: equity, low_at: time, ended: None }
    }

    fn depth(&self) -> f64 {
        loss(self.low.to_f64(), self.high.to_f64())
    }

    fn told(&self, last: Time) -> Drawdown {
        let duration = self.ended.unwrap_or(last) - self.high_at;
        Drawdown { depth: self.depth(), peak: self.high_at, trough: self.low_at, recovered: self.ended, duration }
    }
}

/// The loss from `high` to `equity` as a fraction in [0, 1].
#[must_use]
pub fn loss(equity: f64, high: f64) -> f64 {
    if high > 0.0 { (1.0 - equity / high).clamp(0.0, 1.0) } else { 0.0 }
}

/// Follows the high-water mark. A mark costs two comparisons; only the end of an episode forms a ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Underwater {
    current: Episode,
    last: Time,
    deepest: Option<Episode>,
    longest: Option<Episode>,
}

impl Underwater {
    #[must_use]
    pub const fn new(time: Time, equity: Money) -> Self {
        Self { current: Episode::at(equity, time), last: time, deepest: None, longest: None }
    }

    #[inline]
    pub fn mark(&mut self, time: Time, equity: Money) {
        self.last = time;
        if equity >= self.current.high {
            if self.current.low < self.current.high {
                self.surface(time);
            }
            self.current = Episode::at(equity, time);
        } else if equity < self.current.low {
            self.current.low = equity;
            self.current.low_at = time;
        }
    }

    /// The high-water mark was reached again.
    #[cold]
    fn surface(&mut self, time: Time) {
        self.current.ended = Some(time);
        (self.deepest, self.longest) = self.ranked();
    }

    /// The records with the current episode taken into account; of equals the first stays.
    fn ranked(&self) -> (Option<Episode>, Option<Episode>) {
        if self.current.low == self.current.high {
            return (self.deepest, self.longest);
        }
        let length = |episode: &Episode| episode.ended.unwrap_or(self.last) - episode.high_at;
        let deeper = self.deepest.is_none_or(|record| self.current.depth() > record.depth());
        let longer = self.longest.is_none_or(|record| length(&self.current) > length(&record));
        let pick = |new: bool, record| if new { Some(self.current) } else { record };
        (pick(deeper, self.deepest), pick(longer, self.longest))
    }

    /// The deepest drawdown; `None` when no mark lies below one before it.
    #[must_use]
    pub fn deepest(&self) -> Option<Drawdown> {
        self.ranked().0.map(|episode| episode.told(self.last))
    }

    /// The longest stay below a high-water mark.
    #[must_use]
    pub fn longest(&self) -> Option<Drawdown> {
        self.ranked().1.map(|episode| episode.told(self.last))
    }

    #[must_use]
    pub const fn equity_high_water_mark(&self) -> Money {
        self.current.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn underwater(marks: &[i64]) -> Underwater {
        let at = |i: usize| Time::from_micros(i as i64);
        let amount = |units: i64| Money::from_count(i128::from(units) * 1_000_000_000_000_000_000);
        let mut under = Underwater::new(at(0), amount(marks[0]));
        marks.iter().enumerate().skip(1).for_each(|(i, units)| under.mark(at(i), amount(*units)));
        under
    }

    fn told(found: Option<Drawdown>) -> Option<(f64, i64, i64, Option<i64>, i64)> {
        found.map(|d| (d.depth, d.peak.micros(), d.trough.micros(), d.recovered.map(Time::micros), d.duration.micros()))
    }

    #[test]
    fn the_deepest_and_the_longest_may_differ() {
        let under = underwater(&[100, 100, 50, 100, 90, 95, 99, 101, 101]);
        assert_eq!(told(under.deepest()), Some((0.5, 1, 2, Some(3), 2)));
        assert_eq!(told(under.longest()), Some((1.0 - 0.9, 3, 4, Some(7), 4)));
    }

    #[test]
    fn an_open_episode_lasts_to_the_last_mark() {
        let under = underwater(&[100, 90, 100, 75, 80, 80]);
        assert_eq!(told(under.deepest()), Some((0.25, 2, 3, None, 3)));
        assert_eq!(told(under.longest()), told(under.deepest()));
    }

    #[test]
    fn a_rise_has_no_drawdown() {
        let under = underwater(&[1, 2, 2, 3]);
        assert_eq!((under.deepest(), under.longest()), (None, None));
    }

    #[test]
    fn losing_everything_is_one() {
        assert_eq!(underwater(&[10, 0]).deepest().unwrap().depth, 1.0);
        assert_eq!(underwater(&[10, -5]).deepest().unwrap().depth, 1.0);
        assert_eq!(loss(-1.0, 0.0), 0.0);
    }

    proptest! {
        /// PERF-2, and the streamed figure is that of the definition.
        #[test]
        fn the_deepest_is_the_worst_of_all_pairs(marks in prop::collection::vec(0_i64..1000, 1..60)) {
            let mut worst = 0.0_f64;
            for (i, high) in marks.iter().enumerate() {
                for low in &marks[i..] {
                    worst = worst.max(loss(*low as f64, *high as f64));
                }
            }
            let depth = underwater(&marks).deepest().map_or(0.0, |d| d.depth);
            prop_assert!((0.0..=1.0).contains(&depth));
            prop_assert!((depth - worst).abs() < 1e-12, "{depth} {worst}");
        }
    }
}
