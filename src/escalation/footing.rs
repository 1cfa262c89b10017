//! Where a profile stands on its ladder, and what people took away from it since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ladder::{Ladder, Raised};
use super::slots::Slot;
use crate::domain::{Money, Time};
use crate::risk::{LimitKey, Limits};

/// Plans that are remembered as used.
const USED_MAX: usize = 64;

/// A person's word that nothing rises for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub at: Time,
    pub reason: String,
}

/// Where a profile stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footing {
    /// 0: the profile's own limits.
    pub step: u32,
    /// When it came to stand there; `None` before anything happened.
    pub since: Option<Time>,
    /// The slot of the last step up.
    pub slot: Option<Slot>,
    /// What the step allows, as it was applied. Empty at step 0.
    #[serde(default)]
    pub limits: BTreeMap<String, Money>,
    #[serde(default)]
    pub hold: Option<Hold>,
    /// Limits that a person lowered, as they are written in a document.
    #[serde(default)]
    pub lowered: BTreeMap<String, String>,
    /// The schedule that is applied, key by key as it is written in a document. Empty while none is.
    #[serde(default)]
    pub terms: BTreeMap<String, String>,
    /// Plans that were applied, the last ones.
    #[serde(default)]
    pub used: Vec<String>,
}

impl Footing {
    /// A name for all of it: a plan is bound to it.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).expect("text keys only");
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// The limits that hold now: never above what the step was applied with, nor above what the documents say of that step, nor
    /// above what a person lowered. ESCALATION-3.
    #[must_use]
    pub fn limits(&self, start: &Limits, ladder: Option<&Ladder>) -> Limits {
        let mut limits = start.clone();
        if let (Some(ladder), true) = (ladder, self.step > 0) {
            let rungs = ladder.rungs();
            let rung = &rungs[(self.step as usize).min(rungs.len() - 1)];
            for raised in Raised::ALL {
                let applied = self.limits.get(raised.name()).copied().unwrap_or_else(|| raised.get(start));
                raised.set(&mut limits, raised.get(rung).min(applied));
            }
        }
        for (name, text) in &self.lowered {
            // What is not below has been overtaken by something lower still.
            let lowered = LimitKey::of(name).map(|key| key.parse(text).and_then(|wanted| key.lower(&mut limits, wanted)));
            debug_assert!(lowered.is_some(), "{name} was checked when it was lowered");
        }
        limits
    }

    /// The step that holds, which a ladder that became shorter may have cut.
    #[must_use]
    pub fn step_on(&self, ladder: Option<&Ladder>) -> u32 {
        let last = ladder.map_or(0, |ladder| u32::try_from(ladder.rungs().len() - 1).unwrap_or(u32::MAX));
        self.step.min(last)
    }

    /// The same after the step up to `step` by plan `plan`.
    #[must_use]
    pub fn raised(&self, step: u32, rung: &Limits, slot: Slot, plan: &str, now: Time) -> Self {
        let limits = Raised::ALL.into_iter().map(|raised| (raised.name().to_owned(), raised.get(rung))).collect();
        Self { step, since: Some(now), slot: Some(slot), limits, ..self.with_used(plan) }
    }

    /// The same back at the start. What a person lowered and held stays so.
    #[must_use]
    pub fn restarted(&self, now: Time) -> Self {
        Self { step: 0, since: Some(now), limits: BTreeMap::new(), ..self.clone() }
    }

    /// The same with `plan` remembered as used.
    #[must_use]
    pub fn with_used(&self, plan: &str) -> Self {
        let mut used = self.used.clone();
        used.push(plan.to_owned());
        let surplus = used.len().saturating_sub(USED_MAX);
        used.drain(..surplus);
        Self { used, ..self.clone() }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::testing::limits;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn ladder(start: &Limits, target: &str) -> Ladder {
        Ladder::new(Raised::NotionalPerOrder, 2, money(target), &[Raised::TotalNotional], start).unwrap()
    }

    fn on(step: u32, ladder: &Ladder) -> Footing {
        let slot = Slot { at: Time::default(), day: 0 };
        Footing::default().raised(step, &ladder.rungs()[step as usize], slot, "p", Time::default())
    }

    #[test]
    fn a_step_allows_what_was_applied_and_documents_only_lower_it() {
        let start = limits();
        let full = ladder(&start, "500");
        let stands = on(2, &full);
        let seen = |start: &Limits, ladder: Option<&Ladder>| {
            let limits = stands.limits(start, ladder);
            (limits.max_notional_per_order, limits.max_total_notional)
        };
        assert_eq!(seen(&start, Some(&full)), (money("200"), money("800")));
        assert_eq!(seen(&start, None), (money("50"), money("200")), "without a ladder there is no step");
        let raised = Limits { max_notional_per_order: money("80"), ..start.clone() };
        assert_eq!(seen(&raised, Some(&ladder(&raised, "500"))).0, money("200"), "a higher start is no step up");
        let lowered = Limits { max_notional_per_order: money("25"), ..start.clone() };
        assert_eq!(seen(&lowered, Some(&ladder(&lowered, "500"))).0, money("100"), "a lower start counts at once");
        assert_eq!(seen(&start, Some(&ladder(&start, "120"))).0, money("120"), "and so does a lower target");
        assert_eq!(stands.step_on(Some(&ladder(&start, "60"))), 1);
    }

    #[test]
    fn a_limit_that_a_person_lowered_stays_low_on_every_step() {
        let start = limits();
        let full = ladder(&start, "500");
        let mut stands = on(2, &full);
        stands.lowered.insert("max_notional_per_order".to_owned(), "120".to_owned());
        stands.lowered.insert("max_dd_daily".to_owned(), "0.02".to_owned());
        let held = stands.limits(&start, Some(&full));
        assert_eq!((held.max_notional_per_order, held.max_total_notional), (money("120"), money("800")));
        assert_eq!(held.max_dd_daily.to_f64(), 0.02);
        let back = stands.restarted(Time::default()).limits(&start, Some(&full));
        assert_eq!(back.max_notional_per_order, money("50"), "what is lower anyway stays as it is");
    }

    #[test]
    fn a_footing_written_before_a_key_was_known_is_read() {
        let old: Footing = serde_json::from_str(r#"{"step":2,"since":"2026-11-16T09:04:00Z","slot":null}"#).unwrap();
        assert_eq!((old.step, old.hold, old.lowered.len()), (2, None, 0));
        assert_ne!(Footing::default().hash(), Footing { step: 1, ..Footing::default() }.hash());
    }

    proptest! {
        /// ESCALATION-3.
        #[test]
        fn whatever_documents_say_since_no_limit_is_above_the_applied_step(
            step in 1_u32..5, start in 1_i64..200, target in 1_i64..2000, lowered in prop::option::of(1_i64..900),
        ) {
            let before = limits();
            let full = ladder(&before, "500");
            let mut stands = on(step.min(4), &full);
            if let Some(value) = lowered {
                stands.lowered.insert("max_total_notional".to_owned(), value.to_string());
            }
            let now = Limits { max_notional_per_order: money(&start.to_string()), ..before };
            let edited = Ladder::new(Raised::NotionalPerOrder, 2, money(&target.to_string()), &[Raised::TotalNotional], &now);
            let held = stands.limits(&now, edited.as_ref());
            let most = |raised: Raised| match &edited {
                Some(_) => stands.limits[raised.name()],
                None => raised.get(&now),
            };
            prop_assert!(held.max_notional_per_order <= most(Raised::NotionalPerOrder));
            prop_assert!(held.max_total_notional <= most(Raised::TotalNotional).max(now.max_total_notional));
            if let Some(value) = lowered {
                prop_assert!(held.max_total_notional <= money(&value.to_string()));
            }
        }
    }
}
