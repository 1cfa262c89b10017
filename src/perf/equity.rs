//! The equity curve: takes a mark a bar and keeps what the figures need, not the marks.

use serde::{Deserialize, Serialize};

use super::drawdown::Underwater;
use crate::domain::{Money, Span, Time};

/// Points kept of the whole curve for drawing it small; at this many, every second one goes.
const TRACE_POINTS_MAX: usize = 256;

/// The last mark of a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClose {
    /// Days since the epoch.
    pub day: i64,
    pub equity: Money,
}

/// The UTC day a mark belongs to: PERF-1.
#[must_use]
pub fn day_of(mark: Time) -> i64 {
    (mark - Span::from_micros(1)).utc_day()
}

/// A curve with at least one mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    first_at: Time,
    first: Money,
    last_at: Time,
    last: Money,
    marks: u64,
    exposed: u64,
    day: i64,
    /// The last instant whose mark belongs to `day`.
    day_end: Time,
    /// Closes of the days before `day`.
    days: Vec<DayClose>,
    underwater: Underwater,
    trace: Trace,
}

impl Curve {
    /// Begins with the equity before the first bar.
    #[must_use]
    pub fn new(time: Time, equity: Money) -> Self {
        let day = day_of(time);
        Self {
            first_at: time,
            first: equity,
            last_at: time,
            last: equity,
            marks: 1,
            exposed: 0,
            day,
            day_end: Time::start_of_day(day + 1),
            days: Vec::new(),
            underwater: Underwater::new(time, equity),
            trace: Trace::new(equity),
        }
    }

    /// Equity at `time`, which is not before the last mark.
    #[inline]
    pub fn mark(&mut self, time: Time, equity: Money) {
        if time > self.day_end {
            self.turn_day(time);
        }
        self.last_at = time;
        self.last = equity;
        self.marks += 1;
        self.underwater.mark(time, equity);
        self.trace.mark(equity);
    }

    /// Counts the last mark as one made with a position open.
    #[inline]
    pub const fn count_exposed(&mut self) {
        self.exposed += 1;
    }

    #[cold]
    fn turn_day(&mut self, time: Time) {
        self.days.push(DayClose { day: self.day, equity: self.last });
        self.day = day_of(time);
        self.day_end = Time::start_of_day(self.day + 1);
    }

    #[must_use]
    pub const fn first(&self) -> (Time, Money) {
        (self.first_at, self.first)
    }

    #[must_use]
    pub const fn last(&self) -> (Time, Money) {
        (self.last_at, self.last)
    }

    #[must_use]
    pub const fn marks(&self) -> u64 {
        self.marks
    }

    /// The share of marks made with a position open.
    #[must_use]
    pub fn exposure(&self) -> f64 {
        self.exposed as f64 / self.marks as f64
    }

    #[must_use]
    pub const fn underwater(&self) -> &Underwater {
        &self.underwater
    }

    /// The last mark of every day that has one, the current day included. Days without a mark are not filled in.
    pub fn daily_closes(&self) -> impl Iterator<Item = DayClose> + '_ {
        self.days.iter().copied().chain(std::iter::once(DayClose { day: self.day, equity: self.last }))
    }

    /// Returns from each daily close to the next, with the day they end on. The first day gives none, and neither does a day
    /// after one that ended with nothing.
    #[must_use]
    pub fn daily_returns(&self) -> Vec<(i64, f64)> {
        let closes: Vec<(i64, f64)> = self.daily_closes().map(|close| (close.day, close.equity.to_f64())).collect();
        let pairs = closes.windows(2).filter(|pair| pair[0].1 > 0.0);
        pairs.map(|pair| (pair[1].0, pair[1].1 / pair[0].1 - 1.0)).collect()
    }

    /// The high-water mark followed over daily closes alone, each at 00:00 of its day.
    #[must_use]
    pub fn daily_underwater(&self) -> Underwater {
        let mut closes = self.daily_closes().map(|close| (Time::start_of_day(close.day), close.equity));
        let (time, equity) = closes.next().expect("a curve has a mark, so it has a day");
        let mut under = Underwater::new(time, equity);
        closes.for_each(|(time, equity)| under.mark(time, equity));
        under
    }

    /// Evenly spaced marks from first to last, a few hundred at most: enough to draw the curve small.
    #[must_use]
    pub fn trace(&self) -> Vec<f64> {
        let mut points: Vec<f64> = self.trace.points.iter().map(|equity| equity.to_f64()).collect();
        if self.trace.waited > 0 {
            points.push(self.last.to_f64());
        }
        points
    }
}

/// Every n-th mark, with n doubling as the curve grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trace {
    points: Vec<Money>,
    stride: u32,
    /// Marks since the last point.
    waited: u32,
}

impl Trace {
    fn new(equity: Money) -> Self {
        Self { points: vec![equity], stride: 1, waited: 0 }
    }

    #[inline]
    fn mark(&mut self, equity: Money) {
        self.waited += 1;
        if self.waited == self.stride {
            self.keep(equity);
        }
    }

    #[cold]
    fn keep(&mut self, equity: Money) {
        self.waited = 0;
        self.points.push(equity);
        // At the bound the newest point is one of those that go, so the wait for the next begins at the one before it.
        if self.points.len() == TRACE_POINTS_MAX {
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.waited = self.stride;
            self.stride = self.stride.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn curve(marks: &[(&str, &str)]) -> Curve {
        let mut curve = Curve::new(at(marks[0].0), money(marks[0].1));
        marks[1..].iter().for_each(|(time, equity)| curve.mark(at(time), money(equity)));
        curve
    }

    /// PERF-1.
    #[test]
    fn a_mark_at_midnight_closes_the_day_before() {
        let curve = curve(&[
            ("2025-01-01T12:00", "100"),
            ("2025-01-02T00:00", "110"),
            ("2025-01-02T01:00", "50"),
            ("2025-01-03T00:00", "121"),
            ("2025-01-06T00:00", "242"),
        ]);
        let first = at("2025-01-01").utc_day();
        let closes: Vec<_> = curve.daily_closes().map(|close| (close.day - first, close.equity)).collect();
        assert_eq!(closes, [(0, money("110")), (1, money("121")), (4, money("242"))]);
        let returns: Vec<_> = curve.daily_returns().iter().map(|(day, r)| (day - first, (r * 1e9).round() / 1e9)).collect();
        assert_eq!(returns, [(1, 0.1), (4, 1.0)]);
    }

    #[test]
    fn nothing_is_returned_on_nothing() {
        let curve = curve(&[("2025-01-01T12:00", "100"), ("2025-01-02T12:00", "0"), ("2025-01-03T12:00", "5")]);
        assert_eq!(curve.daily_returns().iter().map(|r| r.1).collect::<Vec<_>>(), [-1.0]);
    }

    #[test]
    fn a_trace_is_even_and_bounded() {
        let mut curve = Curve::new(Time::from_micros(0), Money::ZERO);
        for i in 1..=100_000_i64 {
            curve.mark(Time::from_micros(i), Money::from_count(i128::from(i) * 1_000_000_000_000_000_000));
            assert!(curve.trace.points.len() < TRACE_POINTS_MAX);
        }
        let trace = curve.trace();
        assert_eq!((trace[0], trace[trace.len() - 1]), (0.0, 100_000.0));
        let even = &trace[..trace.len() - 1];
        assert!(even.len() >= TRACE_POINTS_MAX / 2 - 1);
        assert!(even.windows(2).all(|pair| pair[1] - pair[0] == f64::from(curve.trace.stride)), "{even:?}");
    }

    proptest! {
        /// PERF-4: and every day's close is kept, however long ago.
        #[test]
        fn a_curve_read_back_goes_on_the_same(steps in prop::collection::vec((1_i64..40, -50_i128..60), 1..400), cut in 1_usize..40) {
            let start = at("2025-01-01");
            let (mut whole, mut straight) = (Curve::new(start, money("100")), Curve::new(start, money("100")));
            let (mut time, mut count) = (start, 100_000_000_000_000_000_007_i128);
            let mut closes = std::collections::BTreeMap::from([(day_of(start), money("100"))]);
            for (at, (hours, change)) in steps.into_iter().enumerate() {
                time = time + Span::from_secs(3600 * hours);
                count += change * 987_654_321_987_654;
                let equity = Money::from_count(count);
                whole.mark(time, equity);
                straight.mark(time, equity);
                closes.insert(day_of(time), equity);
                if at % cut == 0 {
                    whole = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
                }
            }
            prop_assert_eq!(&whole, &straight);
            prop_assert_eq!(whole.daily_closes().map(|close| (close.day, close.equity)).collect::<std::collections::BTreeMap<_, _>>(), closes);
        }
    }

    #[test]
    fn exposure_is_a_share_of_the_marks() {
        let mut curve = curve(&[("2025-01-01", "1"), ("2025-01-02", "1"), ("2025-01-03", "1"), ("2025-01-04", "1")]);
        curve.count_exposed();
        assert_eq!(curve.exposure(), 0.25);
    }
}
