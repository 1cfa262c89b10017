//! How far apart the rows of a file stand, where nothing else in it says how long its bars are.

use std::collections::BTreeMap;

use crate::domain::Interval;

/// Rows looked at: enough for any habit to show.
const ROWS_MAX: usize = 1000;
/// Fewer steps tell nothing.
const STEPS_MIN: usize = 2;

/// The length that the bars have instead of `expected`: no two rows are one `expected` apart, and most are one of that length apart, or all
/// stand on its grid and few on the other.
/// Minutes without trades may be absent, so that a gap alone proves nothing.
pub fn other_interval(times: &[i64], expected: Interval) -> Option<Interval> {
    let mut steps: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in times[..times.len().min(ROWS_MAX)].windows(2) {
        if pair[0] != pair[1] {
            *steps.entry((pair[1] - pair[0]).saturating_abs()).or_default() += 1;
        }
    }
    let all: usize = steps.values().sum();
    if all < STEPS_MIN || steps.contains_key(&expected.span().micros()) {
        return None;
    }
    let shortest = *steps.first_key_value()?.0;
    let usual = steps.into_iter().find(|(_, count)| 2 * count > all).and_then(|(step, _)| {
        Interval::names().filter_map(|name| name.parse::<Interval>().ok()).find(|interval| interval.span().micros() == step)
    });
    usual.or_else(|| grid_of(&times[..times.len().min(ROWS_MAX)], shortest, expected))
}

/// The longest bars that could stand at all these times, where most could not if they were as long as expected: seconds without trades
/// are absent so often that no step is the usual one.
fn grid_of(times: &[i64], shortest: i64, expected: Interval) -> Option<Interval> {
    let is_on = |interval: Interval| move |time: &&i64| **time % interval.span().micros() == 0;
    if shortest >= expected.span().micros() || 2 * times.iter().filter(is_on(expected)).count() >= times.len() {
        return None;
    }
    let shorter = Interval::names().filter_map(|name| name.parse::<Interval>().ok());
    let possible =
        shorter.filter(|interval| interval.span().micros() <= shortest && times.iter().all(|time| is_on(*interval)(&time)));
    possible.max_by_key(|interval| interval.span().micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn bars_of_another_length_are_seen() {
        let other = |minutes: &[i64], expected: &str| {
            let times: Vec<i64> = minutes.iter().map(|minute| minute * MINUTE).collect();
            other_interval(&times, expected.parse().unwrap()).map(|found| found.to_string())
        };
        assert_eq!(other(&[0, 1, 2, 3], "1h").as_deref(), Some("1m"));
        assert_eq!(other(&[180, 120, 60, 0], "1m").as_deref(), Some("1h"), "from the newest on");
        assert_eq!(other(&[0, 1, 2, 3], "1m"), None);
        assert_eq!(other(&[0, 5, 10, 11], "1m"), None, "thin minutes");
        assert_eq!(other(&[0, 7, 14, 21], "1m"), None, "no length that bars have");
        assert_eq!(other(&[0, 60], "1m"), None, "one step tells nothing");
        assert_eq!(other(&[4, 30, 68, 92, 128], "1h").as_deref(), Some("1m"), "thin minutes, taken for hours");
        assert_eq!(other(&[30, 150, 330], "1h"), None, "hours that lie half an hour off, and have holes");
    }
}
