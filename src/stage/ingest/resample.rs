//! Resampling: bars of one length become bars of a longer one.
//!
//! Buckets begin on the UTC grid of the longer interval. A bucket that lacks a bar is refused, never made up. Volumes are
//! summed as the decimals that their floats stand for, and the float nearest to the sum is kept; so that two steps, minutes to
//! quarters to hours, give what one step gives as long as a sum has at most 15 digits, which is what a float can tell apart.

use crate::domain::{Bar, Interval, Money, Rows, TRADES_UNKNOWN, Time, decimal};

/// Digits behind the point of a sum; those beyond are dropped.
const SUM_DECIMALS: u32 = 18;
/// Volumes on a grid of this need no text to be read exactly.
const QUICK_UNIT: f64 = 1e8;
/// Counts of fewer than 16 digits name one float each.
const QUICK_COUNT_MAX: f64 = 1e15;

/// Bars of one length do not make bars of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bars of {to} are not made of whole bars of {from}")]
pub struct NotMultiple {
    pub from: Interval,
    pub to: Interval,
}

/// From which length to which: the second is a whole multiple of the first, and greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    from: Interval,
    to: Interval,
}

impl Lengths {
    /// # Errors
    /// When `to` is no whole multiple of `from`, or the same.
    pub fn new(from: Interval, to: Interval) -> Result<Self, NotMultiple> {
        let (short, long) = (from.span().micros(), to.span().micros());
        if long > short && long % short == 0 { Ok(Self { from, to }) } else { Err(NotMultiple { from, to }) }
    }

    #[must_use]
    pub fn from(self) -> Interval {
        self.from
    }

    #[must_use]
    pub fn to(self) -> Interval {
        self.to
    }

    /// How many bars make one.
    #[must_use]
    pub fn ratio(self) -> u64 {
        (self.to.span().micros() / self.from.span().micros()).unsigned_abs()
    }

    /// The longer bar that `time` lies in.
    #[must_use]
    pub fn bucket(self, time: i64) -> i64 {
        let span = self.to.span().micros();
        time.div_euclid(span) * span
    }
}

/// A longer bar that was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialBar {
    pub open_time: Time,
    /// Shorter bars that are there, of those that there should be.
    pub present: u64,
    pub wanted: u64,
}

/// What came of a stretch of bars.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resampled {
    pub rows: Rows,
    pub partial: Vec<PartialBar>,
}

/// Makes longer bars of `rows`, which ascend, with everything that is known about them.
#[must_use]
pub fn resample(rows: &Rows, lengths: Lengths) -> Resampled {
    let mut found = Resampled::default();
    let times = &rows.bars.open_time;
    let mut start = 0;
    while start < times.len() {
        let bucket = lengths.bucket(times[start]);
        let end = start + times[start..].partition_point(|&time| lengths.bucket(time) == bucket);
        let (present, wanted) = ((end - start) as u64, lengths.ratio());
        let open_time = Time::from_micros(bucket);
        if present == wanted {
            merge(rows, start, end, open_time, &mut found.rows);
        } else {
            found.partial.push(PartialBar { open_time, present, wanted });
        }
        start = end;
    }
    found
}

fn merge(rows: &Rows, start: usize, end: usize, open_time: Time, into: &mut Rows) {
    let (bars, extras) = (&rows.bars, &rows.extras);
    into.bars.push(&Bar {
        open_time,
        open: bars.open[start],
        high: bars.high[start..end].iter().copied().fold(f64::NEG_INFINITY, f64::max),
        low: bars.low[start..end].iter().copied().fold(f64::INFINITY, f64::min),
        close: bars.close[end - 1],
        volume: sum(&bars.volume[start..end]),
    });
    into.extras.quote_volume.push(sum(&extras.quote_volume[start..end]));
    let trades = &extras.trades[start..end];
    let is_known = trades.iter().all(|count| *count != TRADES_UNKNOWN);
    let total = trades.iter().try_fold(0_i64, |sum, count| sum.checked_add(*count));
    into.extras.trades.push(total.filter(|_| is_known).unwrap_or(TRADES_UNKNOWN));
    into.extras.taker_buy_volume.push(sum(&extras.taker_buy_volume[start..end]));
    into.extras.taker_buy_quote_volume.push(sum(&extras.taker_buy_quote_volume[start..end]));
}

/// The sum of what the floats stand for; unknown if one is. Beyond 1e20, where no decimal of a volume is told any more, floats
/// are added as they are.
fn sum(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let exact = values.iter().try_fold(0_i128, |sum, value| sum.checked_add(decimal_of(*value)?));
    match exact {
        Some(sum) => Money::from_count(sum).to_string().parse().expect("a decimal's text is a number"),
        None => values.iter().sum(),
    }
}

/// The shortest decimal that reads as `value`, as a count of [`SUM_DECIMALS`].
fn decimal_of(value: f64) -> Option<i128> {
    let count = (value * QUICK_UNIT).round();
    if count.abs() < QUICK_COUNT_MAX && count / QUICK_UNIT == value {
        return Some(i128::from(count as i64) * decimal::pow10(SUM_DECIMALS - 8));
    }
    let text = value.to_string();
    let kept = text.find('.').map_or(text.len(), |point| text.len().min(point + 1 + SUM_DECIMALS as usize));
    decimal::parse(&text[..kept], SUM_DECIMALS).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Columns;

    const MINUTE: i64 = 60_000_000;

    fn lengths(from: &str, to: &str) -> Lengths {
        Lengths::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    /// Bars at these minutes; prices and volumes depend on the minute alone.
    fn minutes(minutes: impl IntoIterator<Item = i64>) -> Rows {
        let bar = |minute: i64| {
            let base = 100.0 + (minute * 7919 % 31) as f64;
            let volume = ((minute * 104_729) % 1_000_003 + minute % 5 * 10_000_000) as f64 / 1e8;
            let open_time = Time::from_micros(minute * MINUTE);
            Bar { open_time, open: base, high: base + 2.5, low: base - 1.25, close: base + 0.5, volume }
        };
        let mut rows = Rows::from(minutes.into_iter().map(bar).collect::<Columns>());
        rows.extras.trades.iter_mut().enumerate().for_each(|(at, count)| *count = at as i64);
        rows.extras.taker_buy_volume.clone_from(&rows.bars.volume);
        rows
    }

    #[test]
    fn a_bar_is_first_highest_lowest_last_and_the_sum() {
        let mut rows = minutes(5..10);
        rows.bars.volume = vec![0.1, 0.2, 0.3, 0.0, 0.1];
        let found = resample(&rows, lengths("1m", "5m"));
        let bar = found.rows.bars.bar(0);
        assert_eq!((bar.open_time.micros(), bar.open, bar.close), (5 * MINUTE, rows.bars.open[0], rows.bars.close[4]));
        let highest = rows.bars.high.iter().copied().fold(f64::MIN, f64::max);
        let lowest = rows.bars.low.iter().copied().fold(f64::MAX, f64::min);
        // As floats the sum would be 0.7000000000000001.
        assert_eq!((bar.high, bar.low, bar.volume), (highest, lowest, 0.7));
        assert_eq!((found.rows.extras.trades[0], found.rows.extras.quote_volume[0].is_nan()), (10, true));
    }

    #[test]
    fn what_lacks_a_bar_is_named_and_not_made() {
        let found = resample(&minutes((3..12).chain(15..20)), lengths("1m", "5m"));
        assert_eq!(found.rows.bars.open_time, [5 * MINUTE, 15 * MINUTE]);
        let partial: Vec<(i64, u64)> = found.partial.iter().map(|bar| (bar.open_time.micros() / MINUTE, bar.present)).collect();
        assert_eq!(partial, [(0, 2), (10, 2)]);
        assert_eq!(resample(&Rows::default(), lengths("1m", "1d")), Resampled::default());
    }

    #[test]
    fn only_whole_multiples_are_taken() {
        let make = |from: &str, to: &str| Lengths::new(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(make("1h", "3d").unwrap().ratio(), 72);
        for (from, to) in [("3m", "5m"), ("1h", "1h"), ("1h", "1m"), ("2h", "3d")] {
            assert_eq!(make(from, to).is_err(), from != "2h", "{from} {to}");
        }
    }

    #[test]
    fn decimals_are_those_that_the_text_shows() {
        assert_eq!(decimal_of(0.1), Some(100_000_000_000_000_000));
        assert_eq!(decimal_of(123_456_789.123_456_78), Some(123_456_789_123_456_780_000_000_000));
        assert_eq!(decimal_of(1e-20), Some(0));
        assert_eq!(decimal_of(1e25), None);
        assert_eq!(sum(&[1e25, 1e25]), 2e25);
    }

    proptest! {
        /// Of any minutes, with holes, in one step or in two.
        #[test]
        fn two_steps_are_one(holes in proptest::collection::btree_set(0_i64..600, 0..12), first in 0_i64..90, via in 0_usize..3) {
            let rows = minutes((first..600).filter(|minute| !holes.contains(minute)));
            let via = ["3m", "5m", "15m"][via];
            let one = resample(&rows, lengths("1m", "1h"));
            let two = resample(&resample(&rows, lengths("1m", via)).rows, lengths(via, "1h"));
            prop_assert_eq!(&one.rows.bars, &two.rows.bars);
            prop_assert_eq!(&one.rows.extras.trades, &two.rows.extras.trades);
            prop_assert_eq!(&one.rows.extras.taker_buy_volume, &two.rows.extras.taker_buy_volume);
            // An hour is made exactly when none of its minutes is missing.
            let whole = (0..10).filter(|hour| (hour * 60..hour * 60 + 60).all(|m| m >= first && !holes.contains(&m))).count();
            prop_assert_eq!(one.rows.len(), whole);
        }

        #[test]
        fn any_cut_on_the_grid_makes_no_difference(cut in 0_i64..10) {
            let all = resample(&minutes(0..600), lengths("1m", "1h"));
            let mut first = resample(&minutes(0..cut * 60), lengths("1m", "1h")).rows;
            first.append(&mut resample(&minutes(cut * 60..600), lengths("1m", "1h")).rows);
            prop_assert_eq!(all.rows.bars, first.bars);
        }
    }
}
