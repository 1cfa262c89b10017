//! The Sharpe ratio of the last days, or why nobody knows it yet: one function for gate, summary, metrics and people.
//!
//! It is made of daily closes at 00:00 UTC, net of fees, of complete days only: a day that still runs would count as a whole one.
//! A day without a mark is a hole that no return can bridge, so the figure is unknown until the window has left it behind.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::equity::DayClose;
use super::ratios::{self, DAYS_PER_YEAR, Sharpe};
use crate::domain::Time;

/// Over which days, and what they are held to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Daily returns that it reaches back over.
    pub days: u32,
    /// Fewer returns say nothing.
    pub min_samples: u32,
    /// Days that make a year.
    pub annualise_days: f64,
}

impl Window {
    /// A rolling month, whole.
    pub const MONTH: Self = Self { days: 30, min_samples: 30, annualise_days: DAYS_PER_YEAR };
}

/// Why a figure is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Lack {
    /// No equity was ever marked.
    NoMarks,
    TooFew {
        have: u32,
        want: u32,
    },
    /// A day within the window has no mark.
    MissingDay {
        day: i64,
    },
    /// The account was not marked up to now; a run brings it up.
    Behind {
        last_day: i64,
    },
    /// Equity never moved.
    NoSpread,
}

/// A figure that is not known, and when it could become known if nothing else goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    #[serde(flatten)]
    pub lack: Lack,
    pub earliest: Option<Time>,
}

/// The date of a day since the epoch.
#[must_use]
pub fn date(day: i64) -> String {
    let text = Time::start_of_day(day).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lack {
            Lack::NoMarks => write!(f, "no equity was marked yet"),
            Lack::TooFew { have, want } => write!(f, "n={have} of {want}"),
            Lack::MissingDay { day } => write!(f, "no mark on {}", date(day)),
            Lack::Behind { last_day } => write!(f, "the last mark is of {}", date(last_day)),
            Lack::NoSpread => write!(f, "equity did not move"),
        }?;
        match self.earliest {
            Some(at) => write!(f, ", earliest {}", date(at.utc_day())),
            None => Ok(()),
        }
    }
}

/// The last UTC day that is over at `as_of`.
#[must_use]
pub fn complete_day(as_of: Time) -> i64 {
    as_of.utc_day() - 1
}

/// The Sharpe ratio over the last complete days before `as_of`. `closes` ascend by day.
///
/// # Errors
/// What is missing, and when the figure could become known.
pub fn sharpe(closes: &[DayClose], as_of: Time, window: &Window) -> Result<Sharpe, Unknown> {
    let last = complete_day(as_of);
    // The close that the first return starts from.
    let begin = last - i64::from(window.days);
    let known: Vec<DayClose> = closes.iter().filter(|close| close.day <= last).copied().collect();
    let (Some(oldest), Some(newest)) = (known.first(), known.last()) else {
        let earliest = closes.first().map(|first| Time::start_of_day(first.day + 1 + i64::from(window.min_samples)));
        return Err(Unknown { lack: Lack::NoMarks, earliest });
    };
    let inside: Vec<DayClose> = known.iter().filter(|close| close.day >= begin).copied().collect();
    // Before the account's first mark nothing is missing: it is young.
    let from = begin.max(oldest.day);
    if let Some(hole) = last_hole(&inside, from, newest.day) {
        let earliest = Some(Time::start_of_day(hole + i64::from(window.days) + 2));
        return Err(Unknown { lack: Lack::MissingDay { day: hole }, earliest });
    }
    if newest.day < last {
        return Err(Unknown { lack: Lack::Behind { last_day: newest.day }, earliest: None });
    }
    let returns: Vec<f64> = inside
        .windows(2)
        .filter(|pair| pair[0].equity.is_positive())
        .map(|pair| pair[1].equity.to_f64() / pair[0].equity.to_f64() - 1.0)
        .collect();
    let have = u32::try_from(returns.len()).unwrap_or(u32::MAX);
    if have < window.min_samples.max(2) {
        let want = window.min_samples.max(2);
        let earliest = Some(Time::start_of_day(last + 1 + i64::from(want - have)));
        return Err(Unknown { lack: Lack::TooFew { have, want }, earliest });
    }
    let flat = Unknown { lack: Lack::NoSpread, earliest: Some(Time::start_of_day(last + 2)) };
    ratios::sharpe_by(&returns, window.annualise_days).ok_or(flat)
}

/// The last day of `from..=to` without a close.
fn last_hole(inside: &[DayClose], from: i64, to: i64) -> Option<i64> {
    let mut wanted = to;
    for close in inside.iter().rev() {
        if close.day < wanted {
            return Some(wanted);
        }
        wanted = close.day - 1;
    }
    (wanted >= from).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;
    use proptest::prelude::*;

    const DAY: i64 = 20_000;

    fn closes(days: &[i64]) -> Vec<DayClose> {
        let equity = |day: i64| Money::from_count((1_000 + i128::from(day % 7) * 3) * 1_000_000_000_000_000_000);
        days.iter().map(|day| DayClose { day: *day, equity: equity(*day) }).collect()
    }

    fn of(days: impl IntoIterator<Item = i64>, as_of: Time) -> Result<Sharpe, Unknown> {
        sharpe(&closes(&days.into_iter().collect::<Vec<_>>()), as_of, &Window::MONTH)
    }

    #[test]
    fn thirty_one_closes_make_thirty_returns_and_one_less_is_unknown() {
        let as_of = Time::start_of_day(DAY + 1);
        assert_eq!(of(DAY - 30..=DAY, as_of).unwrap().n, 30);
        let young = of(DAY - 29..=DAY, as_of).unwrap_err();
        assert_eq!(young, Unknown { lack: Lack::TooFew { have: 29, want: 30 }, earliest: Some(Time::start_of_day(DAY + 2)) });
        assert_eq!(young.to_string(), "n=29 of 30, earliest 2024-10-06");
        assert!(of(DAY - 29..=DAY + 1, Time::start_of_day(DAY + 2)).is_ok(), "known when it was said to be");
    }

    #[test]
    fn a_missing_day_is_unknown_until_the_window_has_left_it() {
        let hole = DAY - 10;
        let seen = of((DAY - 60..=DAY).filter(|day| *day != hole), Time::start_of_day(DAY + 1)).unwrap_err();
        assert_eq!(seen.lack, Lack::MissingDay { day: hole });
        let earliest = seen.earliest.unwrap();
        let all = || (DAY - 60..=DAY + 90).filter(|day| *day != hole);
        assert!(of(all(), earliest).is_ok());
        let before = Time::from_micros(earliest.micros() - 1);
        assert!(of(all(), before).is_err());
    }

    #[test]
    fn the_day_that_runs_does_not_count_and_a_day_not_marked_yet_is_waited_for() {
        let noon = Time::from_micros(Time::start_of_day(DAY + 1).micros() + 43_200_000_000);
        assert_eq!(of(DAY - 40..=DAY + 1, noon), of(DAY - 40..=DAY, noon));
        assert_eq!(of(DAY - 40..=DAY - 1, noon).unwrap_err().lack, Lack::Behind { last_day: DAY - 1 });
        assert_eq!(of([], noon).unwrap_err(), Unknown { lack: Lack::NoMarks, earliest: None });
    }

    #[test]
    fn equity_that_stands_still_says_nothing() {
        let flat: Vec<DayClose> =
            closes(&[7; 31]).into_iter().zip(DAY - 30..=DAY).map(|(c, day)| DayClose { day, ..c }).collect();
        let seen = sharpe(&flat, Time::start_of_day(DAY + 1), &Window::MONTH).unwrap_err();
        assert_eq!(seen.lack, Lack::NoSpread);
    }

    proptest! {
        /// PERF-5.
        #[test]
        fn a_figure_is_never_made_over_a_hole_and_comes_no_earlier_than_said(
            holes in prop::collection::btree_set(0_i64..80, 0..6), days in 2_u32..40, at in 0_i64..80,
        ) {
            let window = Window { days, min_samples: days, annualise_days: 365.0 };
            let there: Vec<i64> = (0..80).filter(|day| !holes.contains(day)).map(|day| DAY + day).collect();
            let all = closes(&there);
            let as_of = Time::start_of_day(DAY + at + 1);
            let needed = DAY + at - i64::from(days)..=DAY + at;
            let whole = needed.clone().all(|day| there.contains(&day));
            match sharpe(&all, as_of, &window) {
                Ok(seen) => {
                    prop_assert!(whole);
                    prop_assert_eq!(seen.n, days);
                }
                Err(unknown) => {
                    prop_assert!(!whole || unknown.lack == Lack::NoSpread);
                    if let Some(earliest) = unknown.earliest.filter(|_| unknown.lack != Lack::NoSpread) {
                        for day in at..(earliest.utc_day() - 1 - DAY).min(79) {
                            let now = Time::start_of_day(DAY + day + 1);
                            prop_assert!(sharpe(&all, now, &window).is_err(), "known on {day} already");
                        }
                    }
                }
            }
        }
    }
}
