//! What the model stage is told: a rule with its parameters, and how a signal is sized.

use serde::{Deserialize, Serialize};

use crate::domain::Money;

#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    pub rule: Rule,
    pub sizing: Sizing,
}

/// A rule model. Periods count bars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    EmaCross(EmaCross),
    /// Long while the return over `lookback` bars is above `threshold`, flat when it is at or below `-threshold`.
    Momentum {
        lookback: u32,
        threshold: f64,
    },
    /// Long when the z-score over `window` falls to `-entry` or below, flat when it is back at `exit` or above.
    MeanReversion {
        window: u32,
        entry: f64,
        exit: f64,
    },
}

/// Two exponential means of the close; `gap = fast - slow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmaCross {
    pub fast: u32,
    pub slow: u32,
    pub signal: CrossSignal,
    pub seed: EmaSeed,
    /// Closes before the first signal, the one that signals included; at least `slow` with the SMA seed. So the first bar
    /// that may signal has the index `warmup - 1`.
    pub warmup: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrossSignal {
    /// Long at the bar where the gap turns from ≤ 0 to > 0, flat where it turns from ≥ 0 to < 0, else hold.
    Cross,
    /// Long while the gap is > 0, flat while it is < 0.
    State,
}

/// What an exponential mean begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmaSeed {
    /// The plain mean of its first n closes.
    Sma,
    /// The first close.
    First,
}

/// How many units of the quote currency a long signal asks for, when the position is flat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizing {
    FixedNotional {
        notional: Money,
    },
    /// `notional_max × min(1, target / realised)`, both volatilities annualised, realised over `window` log returns. A price
    /// that does not move at all has no volatility to aim at, and nothing is bought.
    VolatilityTarget {
        target: f64,
        window: u32,
        notional_max: Money,
    },
    /// `notional_max × clamp(fraction × mean / variance, 0, 1)` of the last `window` bar returns. Where that is zero, nothing
    /// is bought.
    Kelly {
        fraction: f64,
        window: u32,
        notional_max: Money,
    },
}
