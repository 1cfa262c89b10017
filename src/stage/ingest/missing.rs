//! Which bars of a range are not there, as ranges worth asking a venue for.

use std::ops::Range;

use crate::domain::{Interval, Time};

/// What bars are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub interval: Interval,
    pub from: Time,
    pub until: Time,
    /// Ranges that nobody is asked about, ascending.
    pub excused: &'a [Range<Time>],
}

/// The ranges of what is wanted that hold every missing bar, ascending. `times` ascend. Holes no more than `join` bars apart are one
/// range, with the bars between them: where a page costs the same whatever it holds, that costs less.
pub(super) fn ranges(times: &[i64], wanted: Wanted<'_>, join: i64) -> Vec<Range<Time>> {
    let span = wanted.interval.span().micros();
    let floor = |time: i64| time.div_euclid(span) * span;
    let (from, until) = (floor(wanted.from.micros()), floor(wanted.until.micros()));
    let mut holes: Vec<Range<i64>> = Vec::new();
    let mut next = from;
    for &time in times.iter().filter(|time| (from..until).contains(*time)) {
        if time > next {
            holes.push(next..time);
        }
        next = floor(time) + span;
    }
    if next < until {
        holes.push(next..until);
    }
    let ceil = |time: Time| floor(time.micros().saturating_add(span - 1));
    let excused: Vec<Range<i64>> = wanted.excused.iter().map(|range| ceil(range.start)..ceil(range.end)).collect();
    let mut found: Vec<Range<i64>> = Vec::new();
    for hole in holes.into_iter().flat_map(|hole| without(hole, &excused)) {
        add(&mut found, hole, join * span, &excused);
    }
    found.into_iter().map(|range| Time::from_micros(range.start)..Time::from_micros(range.end)).collect()
}

/// What is left of a hole beside these ranges.
fn without(hole: Range<i64>, excused: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut left = Vec::new();
    let mut next = hole.start;
    for range in excused.iter().filter(|range| range.start < hole.end && hole.start < range.end) {
        if range.start > next {
            left.push(next..range.start);
        }
        next = next.max(range.end);
    }
    if next < hole.end {
        left.push(next..hole.end);
    }
    left
}

/// The same cut into pieces of at most `bars` bars.
pub(super) fn legs(ranges: Vec<Range<Time>>, interval: Interval, bars: i64) -> Vec<Range<Time>> {
    let step = crate::domain::Span::from_micros(interval.span().micros() * bars);
    let mut found = Vec::new();
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let end = start.saturating_add(step).min(range.end);
            found.push(start..end);
            start = end;
        }
    }
    found
}

fn add(found: &mut Vec<Range<i64>>, hole: Range<i64>, join: i64, excused: &[Range<i64>]) {
    let is_excused = |between: Range<i64>| excused.iter().any(|range| range.start < between.end && between.start < range.end);
    match found.last_mut() {
        Some(last) if hole.start - last.end <= join && !is_excused(last.end..hole.start) => last.end = hole.end,
        _ => found.push(hole),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hours(there: &[i64], from: i64, until: i64) -> Vec<(i64, i64)> {
        let times: Vec<i64> = there.iter().map(|hour| hour * HOUR).collect();
        let time = |hour: i64| Time::from_micros(hour * HOUR);
        let wanted = Wanted { interval: "1h".parse().unwrap(), from: time(from), until: time(until), excused: &[] };
        let found = ranges(&times, wanted, 500);
        found.into_iter().map(|range| (range.start.micros() / HOUR, range.end.micros() / HOUR)).collect()
    }

    #[test]
    fn holes_and_both_ends() {
        assert_eq!(hours(&[], 3, 9), [(3, 9)]);
        assert_eq!(hours(&[3, 4, 5, 6, 7, 8], 3, 9), []);
        assert_eq!(hours(&[1, 2, 3, 4, 5], 3, 9), [(6, 9)]);
        assert_eq!(hours(&[5, 6, 8], 3, 9), [(3, 8)], "near holes are one request");
        assert_eq!(hours(&[], 9, 9), []);
        let far: Vec<i64> = (1..2000).filter(|hour| *hour != 1000).collect();
        assert_eq!(hours(&far, 0, 2000), [(0, 1), (1000, 1001)]);
    }

    #[test]
    fn what_is_excused_is_not_asked_for() {
        let time = |hour: i64| Time::from_micros(hour * HOUR);
        let asked = |excused: &[(i64, i64)]| {
            let excused: Vec<Range<Time>> = excused.iter().map(|(from, to)| time(*from)..time(*to)).collect();
            let wanted = Wanted { interval: "1h".parse().unwrap(), from: time(0), until: time(20), excused: &excused };
            let found = ranges(&[2, 3, 8, 9].map(|hour| hour * HOUR), wanted, 3);
            found.into_iter().map(|range| (range.start.micros() / HOUR, range.end.micros() / HOUR)).collect::<Vec<_>>()
        };
        assert_eq!(asked(&[]), [(0, 20)]);
        assert_eq!(asked(&[(4, 8)]), [(0, 2), (10, 20)], "two holes are not joined over it");
        assert_eq!(asked(&[(5, 6), (12, 30)]), [(0, 5), (6, 12)]);
        assert_eq!(asked(&[(-3, 40)]), []);
    }

    proptest! {
        #[test]
        fn every_missing_bar_is_asked_for(there in proptest::collection::btree_set(0_i64..3000, 0..60), leg in 1_i64..700, join in 0_i64..900) {
            let times: Vec<i64> = there.iter().map(|hour| hour * HOUR).collect();
            let (from, until) = (Time::from_micros(100 * HOUR), Time::from_micros(2900 * HOUR));
            let interval = "1h".parse().unwrap();
            let found = legs(ranges(&times, Wanted { interval, from, until, excused: &[] }, join), interval, leg);
            let asked: BTreeSet<i64> =
                found.iter().flat_map(|range| (range.start.micros() / HOUR)..(range.end.micros() / HOUR)).collect();
            prop_assert_eq!(asked.len() as i64, found.iter().map(|r| (r.end - r.start).micros() / HOUR).sum::<i64>(), "no bar twice");
            prop_assert!(found.iter().all(|range| (range.end - range.start).micros() <= leg * HOUR));
            prop_assert!((100..2900).all(|hour| there.contains(&hour) || asked.contains(&hour)));
            prop_assert!(asked.iter().all(|hour| (100..2900).contains(hour)));
        }
    }
}
