//! Returns of the close.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{is_price, window_len};

/// The simple return over `lookback` bars: close / close then - 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Return {
    lookback: usize,
    /// The last `lookback` closes, oldest first.
    closes: VecDeque<f64>,
}

impl Return {
    #[must_use]
    pub fn new(lookback: u32) -> Self {
        let lookback = window_len(lookback);
        Self { lookback, closes: VecDeque::with_capacity(lookback) }
    }

    #[inline]
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !is_price(close) {
            return None;
        }
        // Taken out before the new one goes in, so the buffer never grows past what it was made for.
        let then = if self.closes.len() == self.lookback { self.closes.pop_front() } else { None };
        self.closes.push_back(close);
        then.map(|then| close / then - 1.0)
    }
}

/// The log return over one bar: ln close - ln previous close.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogReturn {
    previous: Option<f64>,
}

impl LogReturn {
    #[inline]
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !is_price(close) {
            return None;
        }
        // One logarithm of a number near 1, not the difference of two logarithms: small moves keep their digits.
        self.previous.replace(close).map(|previous| ((close - previous) / previous).ln_1p())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_looks_back_as_far_as_told() {
        let mut one = Return::new(1);
        assert_eq!([100.0, 110.0, 99.0].map(|c| one.push(c)), [None, Some(110.0 / 100.0 - 1.0), Some(99.0 / 110.0 - 1.0)]);
        let mut two = Return::new(2);
        assert_eq!([100.0, 110.0, 50.0, 220.0].map(|c| two.push(c)), [None, None, Some(-0.5), Some(1.0)]);
    }

    #[test]
    fn a_log_return_keeps_the_digits_of_a_small_move() {
        let mut log = LogReturn::default();
        assert_eq!(log.push(1e6), None);
        let seen = log.push(1e6 + 0.01).unwrap();
        // ln(1 + x) = x - x²/2 + …, with the x that these two floats make.
        let x = ((1e6 + 0.01) - 1e6) / 1e6;
        assert!((seen - (x - x * x / 2.0)).abs() < 1e-15 * x, "{seen}");
        assert_eq!(log.push(1e6 + 0.01), Some(0.0));
    }

    #[test]
    fn what_is_no_price_is_not_seen() {
        let (mut simple, mut log) = (Return::new(1), LogReturn::default());
        simple.push(100.0);
        log.push(100.0);
        for wrong in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!((simple.push(wrong), log.push(wrong)), (None, None));
        }
        assert_eq!(simple.push(150.0), Some(0.5));
    }
}
