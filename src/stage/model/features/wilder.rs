//! Wilder's figures: true range, its average, and the relative strength index.
//!
//! J. Welles Wilder, "New Concepts in Technical Trading Systems" (1978): a mean that begins with a plain one over n values and
//! goes on as (before × (n - 1) + value) / n.

use serde::{Deserialize, Serialize};

use super::is_price;
use crate::domain::Bar;

/// Wilder's smoothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Smoothed {
    bars: f64,
    /// The mean; while seeding, the sum so far.
    mean: f64,
    /// Values still missing to the seed.
    missing: u32,
}

impl Smoothed {
    fn new(bars: u32) -> Self {
        assert!(bars > 0, "a smoothed mean counts at least one bar: checked where parameters are read");
        Self { bars: f64::from(bars), mean: 0.0, missing: bars }
    }

    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        if self.missing == 0 {
            self.mean = (self.mean * (self.bars - 1.0) + value) / self.bars;
            return Some(self.mean);
        }
        self.mean += value;
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        self.mean /= self.bars;
        Some(self.mean)
    }
}

/// The bar's range, stretched to the close before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrueRange {
    previous: Option<f64>,
}

impl TrueRange {
    /// `None` at the first bar: it has no close before.
    #[inline]
    pub fn push(&mut self, bar: &Bar) -> Option<f64> {
        if ![bar.high, bar.low, bar.close].into_iter().all(is_price) {
            return None;
        }
        let previous = self.previous.replace(bar.close)?;
        Some((bar.high - bar.low).max((bar.high - previous).abs()).max((bar.low - previous).abs()))
    }
}

/// The average true range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    range: TrueRange,
    mean: Smoothed,
}

impl Atr {
    #[must_use]
    pub fn new(bars: u32) -> Self {
        Self { range: TrueRange::default(), mean: Smoothed::new(bars) }
    }

    #[inline]
    pub fn push(&mut self, bar: &Bar) -> Option<f64> {
        self.range.push(bar).and_then(|range| self.mean.push(range))
    }
}

/// The relative strength index in [0, 100]; 0 when the price never moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    previous: Option<f64>,
    gain: Smoothed,
    loss: Smoothed,
}

impl Rsi {
    #[must_use]
    pub fn new(bars: u32) -> Self {
        Self { previous: None, gain: Smoothed::new(bars), loss: Smoothed::new(bars) }
    }

    #[inline]
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !is_price(close) {
            return None;
        }
        let change = close - self.previous.replace(close)?;
        let (gain, loss) = (self.gain.push(change.max(0.0)), self.loss.push((-change).max(0.0)));
        let (gain, loss) = (gain?, loss?);
        let moved = gain + loss;
        Some(if moved > 0.0 { 100.0 * gain / moved } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    fn bar(high: f64, low: f64, close: f64) -> Bar {
        Bar { open_time: Time::from_micros(0), open: low, high, low, close, volume: 1.0 }
    }

    #[test]
    fn a_range_reaches_to_the_close_before() {
        let mut range = TrueRange::default();
        let bars = [bar(12.0, 10.0, 11.0), bar(12.0, 10.0, 10.5), bar(15.0, 14.0, 14.5), bar(9.0, 8.0, 8.5)];
        assert_eq!(bars.map(|b| range.push(&b)), [None, Some(2.0), Some(4.5), Some(6.5)]);
        let mut atr = Atr::new(2);
        assert_eq!(bars.map(|b| atr.push(&b)), [None, None, Some(3.25), Some(4.875)]);
    }

    #[test]
    fn strength_is_the_share_of_gains() {
        let mut rsi = Rsi::new(2);
        assert_eq!(
            [10.0, 13.0, 12.0, 12.0, 20.0].map(|c| rsi.push(c)),
            [None, None, Some(75.0), Some(75.0), Some(100.0 * 4.375 / 4.5)]
        );
        let mut still = Rsi::new(2);
        assert_eq!([10.0; 4].map(|c| still.push(c)), [None, None, Some(0.0), Some(0.0)]);
    }

    #[test]
    fn what_is_no_price_is_not_seen() {
        let (mut atr, mut rsi) = (Atr::new(1), Rsi::new(1));
        atr.push(&bar(12.0, 10.0, 11.0));
        rsi.push(11.0);
        let (atr_before, rsi_before) = (atr.clone(), rsi.clone());
        assert_eq!((atr.push(&bar(f64::NAN, 10.0, 11.0)), rsi.push(f64::NAN)), (None, None));
        assert_eq!((atr, rsi), (atr_before, rsi_before));
    }
}
