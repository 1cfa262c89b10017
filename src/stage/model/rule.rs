//! Rule models: what the features of a bar say about the position.

use serde::{Deserialize, Serialize};

use super::config::{CrossSignal, EmaCross, Rule};
use super::features::{Ema, Return, ZScore};

/// What a rule wants, before anybody asked how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    Hold,
    Flat,
    Long,
}

/// What a rule says at the close of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    pub stance: Stance,
    /// In [-1, 1].
    pub prediction: f64,
    pub features: [Option<f64>; 2],
}

impl Opinion {
    const NONE: Self = Self { stance: Stance::Hold, prediction: 0.0, features: [None; 2] };
}

/// A rule with what it remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    EmaCross(Cross),
    Momentum(Momentum),
    MeanReversion(MeanReversion),
}

impl RuleState {
    #[must_use]
    pub fn new(rule: &Rule) -> Self {
        match *rule {
            Rule::EmaCross(config) => Self::EmaCross(Cross::new(config)),
            Rule::Momentum { lookback, threshold } => {
                Self::Momentum(Momentum { lookback, threshold, change: Return::new(lookback) })
            }
            Rule::MeanReversion { window, entry, exit } => {
                Self::MeanReversion(MeanReversion { window, entry, exit, score: ZScore::new(window) })
            }
        }
    }

    /// Takes the next close, which is a price.
    #[inline(always)]
    pub fn push(&mut self, close: f64) -> Opinion {
        match self {
            Self::EmaCross(rule) => rule.push(close),
            Self::Momentum(rule) => rule.push(close),
            Self::MeanReversion(rule) => rule.push(close),
        }
    }

    /// Bars that a signal looks at, warm-up included.
    #[must_use]
    pub fn window(&self) -> u32 {
        match self {
            Self::EmaCross(rule) => rule.window,
            Self::Momentum(rule) => rule.lookback + 1,
            Self::MeanReversion(rule) => rule.window,
        }
    }

    #[must_use]
    pub const fn feature_names(&self) -> &'static [&'static str] {
        match self {
            Self::EmaCross(_) => &["ema_fast", "ema_slow"],
            Self::Momentum(_) => &["return"],
            Self::MeanReversion(_) => &["z_score"],
        }
    }
}

/// Two exponential means that cross.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cross {
    means: Means,
    signal: CrossSignal,
    /// Fast less slow at the last close; zero until both are seeded.
    gap: f64,
    gap_known: bool,
    window: u32,
}

/// The fast mean and the slow one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Means {
    /// `left` closes are still to come before the first signal, that one included.
    Cold { fast: Ema, slow: Ema, left: u32 },
    /// Side by side, because they are updated by one instruction each: nothing here is optional any more.
    Hot { alpha: [f64; 2], keep: [f64; 2], mean: [f64; 2] },
}

impl Cross {
    fn new(config: EmaCross) -> Self {
        let (fast, slow) = (Ema::new(config.fast, config.seed), Ema::new(config.slow, config.seed));
        let left = config.warmup.max(fast.warm_up()).max(slow.warm_up());
        let window = left.max(config.slow).max(config.fast);
        Self { means: Means::Cold { fast, slow, left }, signal: config.signal, gap: 0.0, gap_known: false, window }
    }

    #[inline(always)]
    fn push(&mut self, close: f64) -> Opinion {
        if let Means::Hot { alpha, keep, mean } = &mut self.means {
            *mean = [alpha[0] * close + keep[0] * mean[0], alpha[1] * close + keep[1] * mean[1]];
            let [fast, slow] = *mean;
            return self.judge(fast, slow);
        }
        self.warm_up(close)
    }

    #[cold]
    fn warm_up(&mut self, close: f64) -> Opinion {
        let Means::Cold { fast, slow, left } = &mut self.means else { return Opinion::NONE };
        *left -= 1;
        let is_last = *left == 0;
        let (fast_mean, slow_mean) = (fast.push(close), slow.push(close));
        let (Some(fast_mean), Some(slow_mean)) = (fast_mean, slow_mean) else { return Opinion::NONE };
        if is_last {
            let (alpha, keep) = ([fast.alpha(), slow.alpha()], [fast.keep(), slow.keep()]);
            self.means = Means::Hot { alpha, keep, mean: [fast_mean, slow_mean] };
        }
        let opinion = self.judge(fast_mean, slow_mean);
        // A cross needs a gap before it.
        let gap_before = std::mem::replace(&mut self.gap_known, true);
        let may_signal = is_last && (gap_before || self.signal == CrossSignal::State);
        if may_signal { opinion } else { Opinion { stance: Stance::Hold, ..opinion } }
    }

    #[inline(always)]
    fn judge(&mut self, fast: f64, slow: f64) -> Opinion {
        let gap = fast - slow;
        let before = std::mem::replace(&mut self.gap, gap);
        let any_before = self.signal == CrossSignal::State;
        let stance = if gap > 0.0 && (any_before || before <= 0.0) {
            Stance::Long
        } else if gap < 0.0 && (any_before || before >= 0.0) {
            Stance::Flat
        } else {
            Stance::Hold
        };
        let prediction = f64::from(i8::from(gap > 0.0) - i8::from(gap < 0.0));
        Opinion { stance, prediction, features: [Some(fast), Some(slow)] }
    }
}

/// Long after a rise, flat after a fall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    lookback: u32,
    threshold: f64,
    change: Return,
}

impl Momentum {
    #[inline]
    fn push(&mut self, close: f64) -> Opinion {
        let Some(change) = self.change.push(close) else { return Opinion::NONE };
        let stance = if change > self.threshold {
            Stance::Long
        } else if change <= -self.threshold {
            Stance::Flat
        } else {
            Stance::Hold
        };
        Opinion { stance, prediction: share(change, self.threshold), features: [Some(change), None] }
    }
}

/// Long when far below the mean, flat when back at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanReversion {
    window: u32,
    entry: f64,
    exit: f64,
    score: ZScore,
}

impl MeanReversion {
    #[inline]
    fn push(&mut self, close: f64) -> Opinion {
        let Some(score) = self.score.push(close) else { return Opinion::NONE };
        let stance = if score <= -self.entry {
            Stance::Long
        } else if score >= self.exit {
            Stance::Flat
        } else {
            Stance::Hold
        };
        Opinion { stance, prediction: share(-score, self.entry), features: [Some(score), None] }
    }
}

/// `value` as a share of what makes a signal, within [-1, 1]; its sign where anything makes one.
fn share(value: f64, threshold: f64) -> f64 {
    if threshold > 0.0 {
        (value / threshold).clamp(-1.0, 1.0)
    } else if value == 0.0 {
        0.0
    } else {
        value.signum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::EmaSeed;
    use super::*;
    use Stance::{Flat, Hold, Long};

    fn stances<const N: usize>(rule: &Rule, closes: [f64; N]) -> [Stance; N] {
        let mut state = RuleState::new(rule);
        closes.map(|close| state.push(close).stance)
    }

    fn cross(signal: CrossSignal, seed: EmaSeed, warmup: u32) -> Rule {
        Rule::EmaCross(EmaCross { fast: 1, slow: 2, signal, seed, warmup })
    }

    // With periods 1 and 2 the gap is a third of close less the mean before: up means above, down below.
    const CLOSES: [f64; 7] = [10.0, 12.0, 13.0, 9.0, 8.0, 20.0, 20.0];

    #[test]
    fn a_cross_signals_where_the_gap_turns() {
        let seen = stances(&cross(CrossSignal::Cross, EmaSeed::Sma, 2), CLOSES);
        assert_eq!(seen, [Hold, Hold, Hold, Flat, Hold, Long, Hold], "the first gap has none before it");
    }

    #[test]
    fn a_state_signals_at_every_close() {
        let seen = stances(&cross(CrossSignal::State, EmaSeed::Sma, 2), CLOSES);
        assert_eq!(seen, [Hold, Long, Long, Flat, Flat, Long, Long]);
        let first_seeded = stances(&cross(CrossSignal::State, EmaSeed::First, 0), CLOSES);
        assert_eq!(first_seeded, [Hold, Long, Long, Flat, Flat, Long, Long], "no gap at the first close, so no side");
    }

    #[test]
    fn nothing_is_said_before_the_warm_up_is_over() {
        let seen = stances(&cross(CrossSignal::State, EmaSeed::First, 4), CLOSES);
        assert_eq!(seen, [Hold, Hold, Hold, Flat, Flat, Long, Long], "the fourth close may signal");
        let seen = stances(&cross(CrossSignal::Cross, EmaSeed::Sma, 4), CLOSES);
        assert_eq!(seen, [Hold, Hold, Hold, Flat, Hold, Long, Hold], "the gap before is known by then");
        let seen = stances(&cross(CrossSignal::Cross, EmaSeed::Sma, 5), CLOSES);
        assert_eq!(seen, [Hold, Hold, Hold, Hold, Hold, Long, Hold], "a cross in the warm-up is lost");
    }

    #[test]
    fn a_cross_from_an_exact_tie_counts() {
        let seen = stances(&cross(CrossSignal::Cross, EmaSeed::First, 0), [10.0, 10.0, 10.0, 16.0]);
        assert_eq!(seen[3], Long);
    }

    #[test]
    fn momentum_holds_between_its_thresholds() {
        let rule = Rule::Momentum { lookback: 1, threshold: 0.5 };
        assert_eq!(stances(&rule, [8.0, 12.0, 20.0, 20.0, 10.0]), [Hold, Hold, Long, Hold, Flat]);
    }

    #[test]
    fn reversion_buys_far_below_and_sells_at_the_mean() {
        let rule = Rule::MeanReversion { window: 2, entry: 1.0, exit: 0.0 };
        // Of two different closes the newer lies exactly one deviation off; two equal ones have no score.
        assert_eq!(stances(&rule, [8.0, 6.0, 6.0, 7.0]), [Hold, Long, Hold, Flat]);
    }

    #[test]
    fn predictions_stay_within_one() {
        assert_eq!([(2.0, 1.0), (-0.25, 0.5), (3.0, 0.0), (0.0, 0.0)].map(|(v, t)| share(v, t)), [1.0, -0.5, 1.0, 0.0]);
    }
}
