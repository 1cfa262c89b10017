//! A series day by day: how many bars each UTC day should have, has, and lacks.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::coverage::text;
use crate::domain::{Interval, Time};

/// One UTC day, or the part of it that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Day {
    #[serde(with = "text")]
    pub start: Time,
    /// Bars that should be there: each is one of the four below.
    pub due: u64,
    pub there: u64,
    /// Absent before the last bar that is there.
    pub missing: u64,
    /// Absent after the last bar: they may still come.
    pub late: u64,
    /// Absent, and accepted as holes of the venue itself.
    pub accepted: u64,
    /// Rows of this day that were refused.
    pub refused: u64,
}

impl Day {
    /// The share of its bars that is absent and not accepted, in [0, 1].
    #[must_use]
    pub fn absent_share(&self) -> f64 {
        if self.due == 0 { 0.0 } else { (self.missing + self.late) as f64 / self.due as f64 }
    }

    /// Is there nothing to say about it?
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.there == self.due && self.refused == 0
    }
}

/// The days of a range, none left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    pub days: Vec<Day>,
}

impl Calendar {
    /// The days of `range`. `times` ascend and are the open times there; `accepted` are holes that nobody fills, `refused` the times of
    /// rows in quarantine.
    #[must_use]
    pub fn new(interval: Interval, range: Range<Time>, times: &[i64], accepted: &[Range<Time>], refused: &[Time]) -> Self {
        let step = interval.span().micros();
        let last = times.last().copied();
        let mut refused_by_day: BTreeMap<i64, u64> = BTreeMap::new();
        refused.iter().for_each(|time| *refused_by_day.entry(time.utc_day()).or_default() += 1);
        let mut days = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let end = Time::start_of_day(start.utc_day() + 1).min(range.end);
            let mut day = Day { start, due: 0, there: 0, missing: 0, late: 0, accepted: 0, refused: 0 };
            day.refused = refused_by_day.get(&start.utc_day()).copied().unwrap_or(0);
            day.count(step, end, times, accepted, last);
            days.push(day);
            start = end;
        }
        Self { days }
    }

    /// All days as one.
    #[must_use]
    pub fn total(&self) -> Day {
        let start = self.days.first().map_or(Time::from_micros(0), |day| day.start);
        let none = Day { start, due: 0, there: 0, missing: 0, late: 0, accepted: 0, refused: 0 };
        self.days.iter().fold(none, |sum, day| Day {
            start,
            due: sum.due + day.due,
            there: sum.there + day.there,
            missing: sum.missing + day.missing,
            late: sum.late + day.late,
            accepted: sum.accepted + day.accepted,
            refused: sum.refused + day.refused,
        })
    }

    /// The days about which there is something to say.
    pub fn told(&self) -> impl Iterator<Item = &Day> {
        self.days.iter().filter(|day| !day.is_whole())
    }
}

impl Day {
    fn count(&mut self, step: i64, end: Time, times: &[i64], accepted: &[Range<Time>], last: Option<i64>) {
        let (from, until) = (self.start.micros(), end.micros());
        let mut there = times.partition_point(|time| *time < from);
        // Bars of the grid of the epoch: the first that opens within, and on.
        let mut slot = from.div_euclid(step) * step;
        slot += if slot < from { step } else { 0 };
        while slot < until {
            self.due += 1;
            while times.get(there).is_some_and(|time| *time < slot) {
                there += 1;
            }
            let time = Time::from_micros(slot);
            if times.get(there) == Some(&slot) {
                self.there += 1;
            } else if accepted.iter().any(|range| range.contains(&time)) {
                self.accepted += 1;
            } else if last.is_none_or(|last| slot > last) {
                self.late += 1;
            } else {
                self.missing += 1;
            }
            slot += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn hours(from: &str, count: i64) -> Vec<i64> {
        (0..count).map(|hour| at(from).micros() + hour * HOUR).collect()
    }

    #[test]
    fn each_bar_of_a_day_is_there_missing_late_or_accepted() {
        let mut times = hours("2024-02-28T12:00:00Z", 48);
        times.retain(|time| !(13..16).contains(&((time - at("2024-02-29T00:00:00Z").micros()) / HOUR)));
        let accepted = [at("2024-02-29T13:00:00Z")..at("2024-02-29T14:00:00Z")];
        let range = at("2024-02-28T00:00:00Z")..at("2024-03-02T06:00:00Z");
        let refused = [at("2024-02-29T13:30:00Z")];
        let calendar = Calendar::new("1h".parse().unwrap(), range, &times, &accepted, &refused);
        let told: Vec<_> = calendar
            .days
            .iter()
            .map(|d| (d.start.to_string(), d.due, d.there, d.missing, d.late, d.accepted, d.refused))
            .collect();
        let day = |text: &str| format!("{text}T00:00:00Z");
        assert_eq!(
            told,
            [
                (day("2024-02-28"), 24, 12, 12, 0, 0, 0),
                // B3: a leap year's day is a day.
                (day("2024-02-29"), 24, 21, 2, 0, 1, 1),
                (day("2024-03-01"), 24, 12, 0, 12, 0, 0),
                (day("2024-03-02"), 6, 0, 0, 6, 0, 0),
            ]
        );
        assert_eq!((calendar.total().due, calendar.total().missing), (78, 14));
        assert_eq!(calendar.told().count(), 4);
    }

    /// B3: a day is 86,400 seconds of UTC through the change of summer time, the end of a year and a leap second.
    #[test]
    fn every_utc_day_has_the_same_bars() {
        for day in ["2024-03-31", "2024-10-27", "2023-12-31", "2024-12-31", "2016-12-31", "2024-02-29"] {
            let start = at(day);
            let range = start..Time::start_of_day(start.utc_day() + 1);
            let calendar = Calendar::new("1h".parse().unwrap(), range, &hours(day, 24), &[], &[]);
            assert_eq!(calendar.days.len(), 1, "{day}");
            assert!(calendar.days[0].is_whole() && calendar.days[0].due == 24, "{day}");
        }
    }

    #[test]
    fn bars_longer_than_a_day_and_none_at_all() {
        let range = at("2024-01-01")..at("2024-01-07");
        let three_days: Interval = "3d".parse().unwrap();
        let calendar = Calendar::new(three_days, range.clone(), &[], &[], &[]);
        assert_eq!((calendar.total().due, calendar.total().late), (2, 2));
        assert_eq!(Calendar::new(three_days, range.start..range.start, &[], &[], &[]).days, []);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(there in proptest::collection::btree_set(0_i64..200, 0..150), from in 0_i64..100, len in 0_i64..120) {
            let times: Vec<i64> = there.iter().map(|hour| hour * HOUR).collect();
            let range = Time::from_micros(from * HOUR)..Time::from_micros((from + len) * HOUR);
            let total = Calendar::new("1h".parse().unwrap(), range, &times, &[], &[]).total();
            prop_assert_eq!(total.due, len as u64);
            prop_assert_eq!(total.due, total.there + total.missing + total.late + total.accepted);
            prop_assert_eq!(total.there, there.range(from..from + len).count() as u64);
        }
    }
}
