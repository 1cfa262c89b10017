//! Whether a series is labelled as another one is: bars named by their end, or shifted by hours, look sound by themselves and
//! show only beside a series that is known to be right.

use serde::Serialize;

use crate::domain::{Columns, Interval, Span};

/// Shifts that are tried reach a day either way: every time zone.
const SHIFT_MAX: i64 = 24 * 3_600_000_000;
/// Time zones differ by quarters of an hour.
const SHIFT_STEP: i64 = 900_000_000;
/// Fewer pairs of returns tell nothing.
const PAIRS_MIN: usize = 48;
/// A shift is believed if the series then agree at least so well…
const CORRELATION_MIN: f64 = 0.9;
/// …and what they do not agree on becomes this many times less by it.
const GAIN_MIN: f64 = 4.0;

/// The shift under which a series agrees best with another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lag {
    /// What must be added to the times of the series.
    pub shift: Span,
    /// Correlation of returns as the series stands, and shifted.
    pub as_it_stands: f64,
    pub shifted: f64,
    pub pairs: u64,
    /// Is it shifted, beyond doubt?
    pub is_certain: bool,
    /// Does one bar back make it right: is each bar named by its end?
    pub is_end_labelled: bool,
}

/// The best shift of `series` beside `reference`, whose bars are as long or a whole multiple; none if they have too little in
/// common. Both need times and closes.
#[must_use]
pub fn lag(series: &Columns, interval: Interval, reference: &Columns, longer: Interval) -> Option<Lag> {
    let (short, long) = (interval.span().micros(), longer.span().micros());
    if long < short || long % short != 0 {
        return None;
    }
    let steps = SHIFT_MAX / SHIFT_STEP;
    let shifts = (-steps..=steps).map(|step| step * SHIFT_STEP).chain([-short, short]).filter(|shift| shift % short == 0);
    let compare = |shift: i64| correlation(series, short, reference, long, shift).map(|(value, pairs)| (shift, value, pairs));
    let (_, as_it_stands, _) = compare(0)?;
    // Of equal ones the smallest shift: what needs no explanation comes first.
    let best = shifts.filter_map(compare).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.abs().cmp(&a.0.abs())))?;
    let (shift, shifted, pairs) = best;
    let gain = (1.0 - as_it_stands) / (1.0 - shifted).max(1e-12);
    let is_certain = shift != 0 && shifted >= CORRELATION_MIN && gain >= GAIN_MIN;
    let is_end_labelled = is_certain && shift == -short;
    Some(Lag { shift: Span::from_micros(shift), as_it_stands, shifted, pairs: pairs as u64, is_certain, is_end_labelled })
}

/// Correlation of the returns of the reference with those of the series shifted, over the reference's bars.
fn correlation(series: &Columns, short: i64, reference: &Columns, long: i64, shift: i64) -> Option<(f64, usize)> {
    let mut sums = Sums::default();
    let (mut at, mut before): (usize, Option<(i64, f64, f64)>) = (0, None);
    for (&time, &close) in reference.open_time.iter().zip(&reference.close) {
        // The last of the shorter bars that end where this one ends.
        let wanted = time + long - short - shift;
        while series.open_time.get(at).is_some_and(|&time| time < wanted) {
            at += 1;
        }
        if series.open_time.get(at) != Some(&wanted) {
            continue;
        }
        let here = (time, close, series.close[at]);
        if let Some((last, a, b)) = before.filter(|(last, _, _)| last + long == time) {
            debug_assert!(last < time, "bars ascend");
            sums.push((here.1 / a).ln(), (here.2 / b).ln());
        }
        before = Some(here);
    }
    sums.correlation()
}

#[derive(Debug, Default)]
struct Sums {
    count: usize,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn push(&mut self, x: f64, y: f64) {
        if x.is_finite() && y.is_finite() {
            self.count += 1;
            self.x += x;
            self.y += y;
            self.xx += x * x;
            self.yy += y * y;
            self.xy += x * y;
        }
    }

    fn correlation(&self) -> Option<(f64, usize)> {
        let n = self.count as f64;
        let (vx, vy) = (self.xx - self.x * self.x / n, self.yy - self.y * self.y / n);
        let value = (self.xy - self.x * self.y / n) / (vx * vy).sqrt();
        (self.count >= PAIRS_MIN && value.is_finite()).then_some((value, self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, Time};

    const HOUR: i64 = 3_600_000_000;

    fn hours(shift: i64) -> Columns {
        let mut close = 100.0;
        let bar = |hour: i64| {
            close *= 1.0 + ((hour * 7919 % 101) as f64 - 50.0) / 5000.0;
            let open_time = Time::from_micros(hour * HOUR + shift);
            Bar { open_time, open: close, high: close, low: close, close, volume: 1.0 }
        };
        (0..300).map(bar).collect()
    }

    #[test]
    fn a_shift_is_found_and_none_is_made_up() {
        let hour: Interval = "1h".parse().unwrap();
        let find = |shift: i64| lag(&hours(shift), hour, &hours(0), hour).unwrap();
        let right = find(0);
        assert_eq!((right.shift, right.is_certain), (Span::ZERO, false));
        let late = find(5 * HOUR);
        assert_eq!((late.shift, late.is_certain, late.is_end_labelled), (Span::from_secs(-5 * 3600), true, false));
        assert!(find(HOUR).is_end_labelled);
        assert_eq!(lag(&hours(1000 * HOUR), hour, &hours(0), hour), None, "nothing in common");
        assert_eq!(lag(&hours(0), hour, &hours(0), "1m".parse().unwrap()), None);
    }
}
