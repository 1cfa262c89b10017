//! Moving average convergence and divergence.

use serde::{Deserialize, Serialize};

use super::super::config::EmaSeed;
use super::{Ema, is_price};

/// The fast exponential mean less the slow one, each seeded with the plain mean of its own first closes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacdValue {
    pub line: f64,
    /// The exponential mean of the line, seeded with the plain mean of its first values; comes later than the line.
    pub signal: Option<f64>,
}

impl MacdValue {
    /// The line less its signal.
    #[must_use]
    pub fn histogram(&self) -> Option<f64> {
        self.signal.map(|signal| self.line - signal)
    }
}

impl Macd {
    /// 12, 26 and 9 are usual.
    #[must_use]
    pub fn new(fast: u32, slow: u32, signal: u32) -> Self {
        Self { fast: Ema::new(fast, EmaSeed::Sma), slow: Ema::new(slow, EmaSeed::Sma), signal: Ema::new(signal, EmaSeed::Sma) }
    }

    #[inline]
    pub fn push(&mut self, close: f64) -> Option<MacdValue> {
        if !is_price(close) {
            return None;
        }
        let (fast, slow) = (self.fast.push(close), self.slow.push(close));
        let line = fast? - slow?;
        Some(MacdValue { line, signal: self.signal.push(line) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FEATURE-1.
    #[test]
    fn the_signal_comes_after_the_line() {
        let mut macd = Macd::new(1, 3, 2);
        let seen = [1.0, 2.0, 6.0, 5.0, 5.0].map(|c| macd.push(c));
        // Slow: mean of 1, 2, 6 = 3, then 4, then 4.5; fast is the close itself.
        let lines: Vec<_> = seen.iter().map(|v| v.map(|v| v.line)).collect();
        assert_eq!(lines, [None, None, Some(3.0), Some(1.0), Some(0.5)]);
        assert_eq!(seen[2].unwrap().signal, None);
        assert_eq!((seen[3].unwrap().signal, seen[3].unwrap().histogram()), (Some(2.0), Some(-1.0)));
    }
}
