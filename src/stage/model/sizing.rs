//! Sizing: how much a long signal asks for.
//!
//! Statistics are floats; the one conversion to money rounds toward zero and never passes the maximum.

use serde::{Deserialize, Serialize};

use super::config::Sizing;
use super::features::{Return, Rolling, Volatility, volatility};
use crate::domain::{Interval, Money};

/// A sizing with what it remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sizer {
    FixedNotional { notional: Money },
    VolatilityTarget(VolatilityTarget),
    Kelly(Kelly),
}

/// What a sizing says at the close of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// `None` when it cannot be told or nothing should be bought.
    pub notional: Option<Money>,
    pub features: [Option<f64>; 2],
}

impl Sizer {
    #[must_use]
    pub fn new(sizing: &Sizing, interval: Interval) -> Self {
        match *sizing {
            Sizing::FixedNotional { notional } => Self::FixedNotional { notional },
            Sizing::VolatilityTarget { target, window, notional_max } => Self::VolatilityTarget(VolatilityTarget {
                target,
                window,
                notional_max,
                per_year: volatility::annualisation(interval),
                realised: Volatility::new(window),
            }),
            Sizing::Kelly { fraction, window, notional_max } => {
                Self::Kelly(Kelly { fraction, window, notional_max, change: Return::new(1), moments: Rolling::new(window) })
            }
        }
    }

    /// Takes the next close, which is a price; computes an amount only when one is `wanted`.
    #[inline(always)]
    pub fn push(&mut self, close: f64, wanted: bool) -> Size {
        match self {
            Self::FixedNotional { notional } => {
                Size { notional: notional.is_positive().then_some(*notional), features: [None; 2] }
            }
            Self::VolatilityTarget(sizer) => sizer.push(close, wanted),
            Self::Kelly(sizer) => sizer.push(close, wanted),
        }
    }

    /// Bars that an amount looks at.
    #[must_use]
    pub fn window(&self) -> u32 {
        match self {
            Self::FixedNotional { .. } => 0,
            Self::VolatilityTarget(sizer) => sizer.window + 1,
            Self::Kelly(sizer) => sizer.window + 1,
        }
    }

    #[must_use]
    pub const fn feature_names(&self) -> &'static [&'static str] {
        match self {
            Self::FixedNotional { .. } => &[],
            Self::VolatilityTarget(_) => &["volatility"],
            Self::Kelly(_) => &["return_mean", "return_variance"],
        }
    }
}

/// Smaller when the market moves more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolatilityTarget {
    target: f64,
    window: u32,
    notional_max: Money,
    per_year: f64,
    realised: Volatility,
}

impl VolatilityTarget {
    fn push(&mut self, close: f64, wanted: bool) -> Size {
        let realised = self.realised.push(close).map(|per_bar| per_bar * self.per_year);
        let notional =
            realised.filter(|realised| wanted && *realised > 0.0).and_then(|r| part_of(self.notional_max, self.target / r));
        Size { notional, features: [realised, None] }
    }
}

/// Larger when the mean return is large against its variance: a fraction of what maximises growth (Kelly, 1956).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kelly {
    fraction: f64,
    window: u32,
    notional_max: Money,
    change: Return,
    moments: Rolling,
}

impl Kelly {
    fn push(&mut self, close: f64, wanted: bool) -> Size {
        let moments = self.change.push(close).and_then(|change| self.moments.push(change));
        let (mean, variance) = (moments.map(|m| m.mean()), moments.and_then(|m| m.sample_variance()));
        let notional = mean
            .zip(variance)
            .filter(|(_, variance)| wanted && *variance > 0.0)
            .and_then(|(mean, variance)| part_of(self.notional_max, self.fraction * mean / variance));
        Size { notional, features: [mean, variance] }
    }
}

/// `share` of `most`, the share held within [0, 1]; `None` where that buys nothing.
fn part_of(most: Money, share: f64) -> Option<Money> {
    if share >= 1.0 {
        return most.is_positive().then_some(most);
    }
    // The float nearest to `most` may lie above it.
    Money::from_f64_trunc(most.to_f64() * share.max(0.0)).map(|part| part.min(most)).filter(|part| part.is_positive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hour() -> Interval {
        "1h".parse().unwrap()
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn a_fixed_amount_is_fixed_and_zero_is_none() {
        let mut sizer = Sizer::new(&Sizing::FixedNotional { notional: money("50") }, hour());
        assert_eq!(sizer.push(1.0, true).notional, Some(money("50")));
        let mut nothing = Sizer::new(&Sizing::FixedNotional { notional: Money::ZERO }, hour());
        assert_eq!(nothing.push(1.0, true).notional, None);
    }

    #[test]
    fn a_wild_market_buys_less() {
        // Returns of ±ln 2 an hour: the deviation of two is ln 2 × √2 a bar, × √8760 a year.
        let realised = 2_f64.ln() * 2_f64.sqrt() * 8760_f64.sqrt();
        let sizing = Sizing::VolatilityTarget { target: realised / 4.0, window: 2, notional_max: money("100") };
        let mut sizer = Sizer::new(&sizing, hour());
        let seen = [1.0, 2.0, 1.0].map(|close| sizer.push(close, true));
        assert_eq!((seen[0].notional, seen[1].notional), (None, None));
        let notional = seen[2].notional.unwrap();
        assert!((notional - money("25")).abs() < money("0.00001"), "{notional}");
        assert!((seen[2].features[0].unwrap() / realised - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_dead_market_buys_nothing() {
        let sizing = Sizing::VolatilityTarget { target: 0.4, window: 2, notional_max: money("100") };
        let mut sizer = Sizer::new(&sizing, hour());
        assert_eq!([7.0; 5].map(|close| sizer.push(close, true).notional), [None; 5]);
    }

    #[test]
    fn kelly_takes_a_fraction_of_mean_over_variance() {
        let sizing = Sizing::Kelly { fraction: 0.5, window: 2, notional_max: money("100") };
        let mut sizer = Sizer::new(&sizing, hour());
        // Returns +1 and -0.5: mean 0.25, sample variance 1.125, so half Kelly is 1/9.
        let seen = [1.0, 2.0, 1.0, 0.5].map(|close| sizer.push(close, true));
        assert_eq!(seen[2].features, [Some(0.25), Some(1.125)]);
        assert_eq!(seen[2].notional, Some(money("11.111111111")));
        assert_eq!(seen[3].notional, None, "both returns were losses");
    }

    proptest! {
        /// MODEL-4.
        #[test]
        fn a_part_never_passes_the_whole(count in 1_i128..1 << 100, share in -2.0..2.0_f64) {
            let most = Money::from_count(count);
            if let Some(part) = part_of(most, share) {
                prop_assert!(part.is_positive() && part <= most);
            }
        }
    }
}
