//! Where the close lies among the last n: Bollinger's bands and the z-score.

use serde::{Deserialize, Serialize};

use super::{Rolling, is_price};

/// The mean and the lines a number of population standard deviations off it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bands {
    pub mid: f64,
    pub upper: f64,
    pub lower: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bollinger {
    window: Rolling,
    width: f64,
}

impl Bollinger {
    /// `width` counts population standard deviations; two is usual.
    #[must_use]
    pub fn new(bars: u32, width: f64) -> Self {
        Self { window: Rolling::new(bars), width }
    }

    #[inline]
    pub fn push(&mut self, close: f64) -> Option<Bands> {
        if !is_price(close) {
            return None;
        }
        let moments = self.window.push(close)?;
        let (mid, reach) = (moments.mean(), self.width * moments.population_variance().sqrt());
        Some(Bands { mid, upper: mid + reach, lower: mid - reach })
    }
}

/// How many population standard deviations the close lies above the mean of its window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZScore {
    window: Rolling,
}

impl ZScore {
    #[must_use]
    pub fn new(bars: u32) -> Self {
        Self { window: Rolling::new(bars) }
    }

    /// `None` also when all closes of the window are equal: a score needs a spread.
    #[inline]
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !is_price(close) {
            return None;
        }
        let moments = self.window.push(close)?;
        let spread = moments.population_variance().sqrt();
        (spread > 0.0).then(|| moments.deviation(close) / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_lie_about_the_mean() {
        let mut bollinger = Bollinger::new(2, 2.0);
        assert_eq!([1.0, 3.0].map(|c| bollinger.push(c)), [None, Some(Bands { mid: 2.0, upper: 4.0, lower: 0.0 })]);
    }

    /// FEATURE-1.
    #[test]
    fn a_score_needs_a_spread() {
        let mut score = ZScore::new(2);
        assert_eq!([1.0, 3.0, 1.0, 1.0].map(|c| score.push(c)), [None, Some(1.0), Some(-1.0), None]);
    }
}
