//! Means of the close: simple and exponential.

use serde::{Deserialize, Serialize};

use super::super::config::EmaSeed;
use super::{PRICE_MAX, Rolling};

/// The plain mean of the last n closes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sma {
    window: Rolling,
}

impl Sma {
    #[must_use]
    pub fn new(bars: u32) -> Self {
        Self { window: Rolling::new(bars) }
    }

    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).map(|moments| moments.mean())
    }
}

/// The exponential mean with alpha = 2 / (n + 1): `alpha × value + (1 - alpha) × mean before`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    alpha: f64,
    keep: f64,
    /// The mean; while seeding, the sum of the values so far.
    mean: f64,
    bars: u32,
    /// Values still missing to the seed.
    missing: u32,
}

impl Ema {
    #[must_use]
    pub fn new(bars: u32, seed: EmaSeed) -> Self {
        assert!(bars > 0, "an exponential mean counts at least one bar: checked where parameters are read");
        let alpha = 2.0 / (f64::from(bars) + 1.0);
        let seed_bars = match seed {
            EmaSeed::Sma => bars,
            EmaSeed::First => 1,
        };
        Self { alpha, keep: 1.0 - alpha, mean: 0.0, bars: seed_bars, missing: seed_bars }
    }

    /// Values before the first mean comes out, that one included.
    #[must_use]
    pub const fn warm_up(&self) -> u32 {
        self.bars
    }

    /// The weight of a new value.
    #[must_use]
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The weight of the mean before: 1 - alpha.
    #[must_use]
    pub const fn keep(&self) -> f64 {
        self.keep
    }

    /// Takes a close, or any other finite figure of a price's size.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if value.is_nan() || value.abs() > PRICE_MAX {
            return None;
        }
        if self.missing == 0 {
            self.mean = self.alpha * value + self.keep * self.mean;
            return Some(self.mean);
        }
        self.mean += value;
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        self.mean /= f64::from(self.bars);
        Some(self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_plain_mean_or_the_first_value() {
        let mut sma_seeded = Ema::new(3, EmaSeed::Sma);
        assert_eq!([1.0, 2.0, 6.0, 5.0].map(|x| sma_seeded.push(x)), [None, None, Some(3.0), Some(4.0)]);
        let mut first_seeded = Ema::new(3, EmaSeed::First);
        assert_eq!([1.0, 2.0, 6.0].map(|x| first_seeded.push(x)), [Some(1.0), Some(1.5), Some(3.75)]);
    }

    #[test]
    fn a_simple_mean_slides() {
        let mut sma = Sma::new(2);
        assert_eq!([1.0, 2.0, 6.0].map(|x| sma.push(x)), [None, Some(1.5), Some(4.0)]);
    }

    #[test]
    fn what_is_no_number_is_not_seen() {
        let mut ema = Ema::new(1, EmaSeed::First);
        assert_eq!(ema.push(4.0), Some(4.0));
        for wrong in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(ema.push(wrong), None);
        }
        assert_eq!(ema.push(0.0), Some(0.0));
    }
}
