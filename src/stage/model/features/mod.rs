//! Features: figures a rule looks at, one value a bar, updated in constant time.
//!
//! Enter at the feature you need: `new`, then `push` for every closed bar. The same code runs in replay and live.
//!
//! FEATURE-1  `push` gives `None` until the window is full, and whenever the figure is undefined (no spread, no price).
//! FEATURE-2  A value depends on the window alone, to the last few bits: nothing is subtracted from a running sum, so nothing
//!            drifts and a quiet window after a wild one loses no digits.
//! FEATURE-3  No state ever holds a NaN or an infinity: an input that is no price leaves the state as it was. So a state can
//!            be written as JSON and read back bit for bit.
//! FEATURE-4  After the window is full nothing is allocated.
//!
//! Not here: what a value means for a position (`rule`), how much to buy (`sizing`).

pub mod bands;
pub mod macd;
pub mod mean;
pub mod returns;
pub mod rolling;
pub mod volatility;
pub mod wilder;

pub use bands::{Bands, Bollinger, ZScore};
pub use macd::{Macd, MacdValue};
pub use mean::{Ema, Sma};
pub use returns::{LogReturn, Return};
pub use rolling::{Moments, Rolling};
pub use volatility::Volatility;
pub use wilder::{Atr, Rsi, TrueRange};

/// Outside these bounds a number is no price. They are wide enough for any quote and narrow enough that ratios, squares and
/// their sums stay finite.
const PRICE_MIN: f64 = 1e-30;
const PRICE_MAX: f64 = 1e30;

/// Can features take this as a price? NaN, infinities, zero and less cannot.
#[inline]
#[must_use]
pub fn is_price(value: f64) -> bool {
    (PRICE_MIN..=PRICE_MAX).contains(&value)
}

/// A window's length; every one counts at least one bar.
fn window_len(bars: u32) -> usize {
    assert!(bars > 0, "a feature's window counts at least one bar: checked where parameters are read");
    bars as usize
}
