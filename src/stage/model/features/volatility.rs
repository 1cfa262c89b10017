//! How much the price moves: the spread of its log returns.

use serde::{Deserialize, Serialize};

use super::{LogReturn, Rolling};
use crate::domain::Interval;

/// The sample standard deviation (n - 1) of the last n log returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Volatility {
    returns: LogReturn,
    window: Rolling,
}

impl Volatility {
    /// Over `bars` returns, so the first value comes with close `bars + 1`. A window of one return has no value.
    #[must_use]
    pub fn new(bars: u32) -> Self {
        Self { returns: LogReturn::default(), window: Rolling::new(bars) }
    }

    /// Per bar.
    #[inline]
    pub fn push(&mut self, close: f64) -> Option<f64> {
        let change = self.returns.push(close)?;
        self.window.push(change)?.sample_variance().map(f64::sqrt)
    }
}

/// What turns a volatility per bar into one per year of 365 days.
#[must_use]
pub fn annualisation(interval: Interval) -> f64 {
    interval.per_year().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rise_has_no_volatility_and_a_swing_has() {
        let mut volatility = Volatility::new(2);
        let seen = [1.0, 2.0, 4.0, 2.0].map(|c| volatility.push(c));
        assert_eq!(seen[..3], [None, None, Some(0.0)]);
        // Returns of +ln 2 and -ln 2: mean 0, sample deviation ln 2 × √2.
        assert!((seen[3].unwrap() - 2_f64.ln() * 2_f64.sqrt()).abs() < 1e-15);
        assert_eq!(Volatility::new(1).push(1.0), None);
    }

    #[test]
    fn hours_annualise_by_their_number() {
        assert_eq!(annualisation("1h".parse().unwrap()), (24.0 * 365.0_f64).sqrt());
    }
}
