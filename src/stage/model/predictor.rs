//! The model itself: one rule and one sizing, chosen once, run without indirection.

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::features::is_price;
use super::rule::{Opinion, RuleState, Stance};
use super::signal::{FEATURES_MAX, Signal};
use super::sizing::{Size, Sizer};
use crate::domain::{Bar, Interval, Target};

/// A field of a bar, so that a loader can leave the others on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BarField {
    Open,
    High,
    Low,
    Close,
    Volume,
}

/// A rule model with all it remembers. Written and read by serde, it goes on as if it had never stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    rule: RuleState,
    sizer: Sizer,
}

impl Model {
    #[must_use]
    pub fn new(config: &ModelConfig, interval: Interval) -> Self {
        Self { rule: RuleState::new(&config.rule), sizer: Sizer::new(&config.sizing, interval) }
    }

    /// Takes the next closed bar. A bar whose close is no price is not seen.
    // Always: called, not inlined, it spends twice its time on handing the signal back through memory.
    #[inline(always)]
    pub fn on_bar(&mut self, bar: &Bar) -> Signal {
        if !is_price(bar.close) {
            return Signal::NONE;
        }
        let opinion = self.rule.push(bar.close);
        let size = self.sizer.push(bar.close, opinion.stance == Stance::Long);
        Self::signal(&opinion, &size)
    }

    #[inline(always)]
    fn signal(opinion: &Opinion, size: &Size) -> Signal {
        let target = match (opinion.stance, size.notional) {
            (Stance::Long, Some(notional)) => Target::Long { notional },
            (Stance::Flat, _) => Target::Flat,
            (Stance::Long, None) | (Stance::Hold, _) => Target::Hold,
        };
        let ([first, second], [third, fourth]) = (opinion.features, size.features);
        Signal { target, prediction: opinion.prediction, features: [first, second, third, fourth] }
    }

    /// Bars that a signal looks at, warm-up included: a hole among the last so many is a hole in the decision.
    #[must_use]
    pub fn window(&self) -> u32 {
        self.rule.window().max(self.sizer.window())
    }

    /// The fields of a bar that this model reads, apart from its time.
    #[must_use]
    pub const fn columns(&self) -> &'static [BarField] {
        &[BarField::Close]
    }

    /// A name for each place of [`Signal::features`]; `None` where this model puts nothing.
    #[must_use]
    pub fn feature_names(&self) -> [Option<&'static str>; FEATURES_MAX] {
        let (rule, sizer) = (self.rule.feature_names(), self.sizer.feature_names());
        [rule.first(), rule.get(1), sizer.first(), sizer.get(1)].map(Option::<&&str>::copied)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
    use super::*;
    use crate::domain::{Money, Time};
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn bar(close: f64) -> Bar {
        Bar { open_time: Time::from_micros(0), open: close, high: close, low: close, close, volume: 1.0 }
    }

    fn rules() -> [Rule; 4] {
        let cross = EmaCross { fast: 3, slow: 7, signal: CrossSignal::Cross, seed: EmaSeed::Sma, warmup: 7 };
        [
            Rule::EmaCross(cross),
            Rule::EmaCross(EmaCross { signal: CrossSignal::State, seed: EmaSeed::First, warmup: 9, ..cross }),
            Rule::Momentum { lookback: 5, threshold: 0.01 },
            Rule::MeanReversion { window: 6, entry: 1.0, exit: 0.0 },
        ]
    }

    fn sizings() -> [Sizing; 3] {
        let notional_max = money("50");
        [
            Sizing::FixedNotional { notional: notional_max },
            Sizing::VolatilityTarget { target: 0.5, window: 5, notional_max },
            Sizing::Kelly { fraction: 0.5, window: 5, notional_max },
        ]
    }

    fn models() -> impl Iterator<Item = Model> {
        let build = |rule, sizing| Model::new(&ModelConfig { rule, sizing }, "1h".parse().unwrap());
        rules().into_iter().flat_map(move |rule| sizings().map(move |sizing| build(rule, sizing)))
    }

    #[test]
    fn a_window_covers_rule_and_sizing() {
        let windows: Vec<u32> = models().map(|m| m.window()).collect();
        assert_eq!(windows, [7, 7, 7, 9, 9, 9, 6, 6, 6, 6, 6, 6]);
        let names = models().nth(2).unwrap().feature_names();
        assert_eq!(names, [Some("ema_fast"), Some("ema_slow"), Some("return_mean"), Some("return_variance")]);
    }

    #[test]
    fn a_long_signal_without_an_amount_holds() {
        let config = ModelConfig { rule: Rule::Momentum { lookback: 1, threshold: 0.0 }, sizing: sizings()[1] };
        let mut model = Model::new(&config, "1h".parse().unwrap());
        let seen = [10.0, 11.0, 10.0].map(|close| model.on_bar(&bar(close)));
        assert_eq!(seen.map(|s| s.target), [Target::Hold, Target::Hold, Target::Flat], "a flat signal needs no amount");
        assert_eq!(seen[1].prediction, 1.0);
    }

    #[test]
    fn a_close_that_is_no_price_is_not_seen() {
        for mut model in models() {
            for i in 0..20 {
                model.on_bar(&bar(f64::from(100 + i * i % 7)));
            }
            let before = model.clone();
            for wrong in [f64::NAN, f64::INFINITY, 0.0, -5.0, 1e200] {
                assert_eq!(model.on_bar(&bar(wrong)), Signal::NONE);
            }
            assert_eq!(model, before);
        }
    }

    proptest! {
        /// MODEL-3: the same bits, wherever the snapshot was taken.
        #[test]
        fn a_model_read_back_goes_on_the_same(steps in prop::collection::vec(-0.03..0.03_f64, 2..60), cut in 0_usize..60) {
            for mut whole in models() {
                let mut restored = whole.clone();
                let mut close = 61_234.56;
                for (i, step) in steps.iter().enumerate() {
                    if i == cut.min(steps.len() - 1) {
                        restored = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
                    }
                    close *= 1.0 + step;
                    let wanted = whole.on_bar(&bar(close));
                    if i >= cut.min(steps.len() - 1) {
                        prop_assert_eq!(restored.on_bar(&bar(close)), wanted);
                    }
                }
                // Printed in full: `==` would let two zeros of different sign pass.
                prop_assert_eq!(serde_json::to_string(&restored).unwrap(), serde_json::to_string(&whole).unwrap());
            }
        }

        /// MODEL-2, and predictions stay within one.
        #[test]
        fn whatever_comes_a_signal_is_sane(closes in prop::collection::vec(prop::num::f64::ANY, 1..80)) {
            for mut model in models() {
                for close in &closes {
                    let signal = model.on_bar(&bar(*close));
                    prop_assert!((-1.0..=1.0).contains(&signal.prediction));
                    prop_assert!(signal.features.iter().flatten().all(|f| f.is_finite()));
                    if let Target::Long { notional } = signal.target {
                        prop_assert!(notional.is_positive() && notional <= money("50"));
                    }
                }
                prop_assert_eq!(&serde_json::from_str::<Model>(&serde_json::to_string(&model).unwrap()).unwrap(), &model);
            }
        }
    }
}
