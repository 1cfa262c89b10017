//! A plan: a rise that is written down, waits for a person, and is applied once or never.
//!
//! It names where it starts from and what it was made of. Whatever of that changes, every kill and every critical alert make it void.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::evidence::{Evidence, Kill};
use super::footing::{Footing, hex};
use super::gate::{Reading, Verdict};
use super::slots::Slot;
use crate::domain::Time;

/// Digits of a plan's name.
const ID_DIGITS: usize = 12;
const SCHEMA: u32 = 1;

/// What a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum What {
    /// One step up.
    Step { from: u32, to: u32, slot: Slot },
    /// The documents' schedule becomes the applied one.
    Schedule,
    /// Limits that a person lowered are as high again as the step allows.
    Lift,
}

/// One value that rises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub key: String,
    pub now: String,
    pub planned: String,
    /// Why it rises, in a few words.
    pub note: String,
}

/// What a plan is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// Of the footing that it starts from.
    pub base: String,
    /// Of the profile as its documents say it.
    pub documents: String,
    /// The build of the program.
    pub binary: String,
    /// The last row of the log when it was made.
    pub row: u64,
}

/// A plan as it is written to its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub schema: u32,
    pub id: String,
    pub profile: String,
    pub what: What,
    pub changes: Vec<Change>,
    pub bound: Bound,
    pub made_at: Time,
    pub expires_at: Time,
    pub readings: Vec<Reading>,
}

/// Why a plan is not applied, ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    #[error("plan {id} is not what was planned: its file was edited")]
    Edited { id: String },
    #[error("plan {id} was used before")]
    Used { id: String },
    #[error("plan {id} expired at {at}")]
    Expired { id: String, at: Time },
    #[error("plan {id} was made for profile {made_for}")]
    Foreign { id: String, made_for: String },
    #[error("plan {id} was voided by a kill ({cause}) at {at}")]
    Killed { id: String, cause: String, at: Time },
    #[error("plan {id} was voided by a critical alert ({key}) at {at}")]
    Alerted { id: String, key: String, at: Time },
    #[error("plan {id} is stale: {what} changed since it was made")]
    Stale { id: String, what: &'static str },
}

impl Plan {
    /// Gives the plan its name.
    #[must_use]
    pub fn sealed(
        profile: &str,
        what: What,
        changes: Vec<Change>,
        bound: Bound,
        times: (Time, Time),
        readings: Vec<Reading>,
    ) -> Self {
        let (made_at, expires_at) = times;
        let id = String::new();
        let mut plan =
            Self { schema: SCHEMA, id, profile: profile.to_owned(), what, changes, bound, made_at, expires_at, readings };
        plan.id = plan.name();
        plan
    }

    /// The name that its content gives it.
    fn name(&self) -> String {
        let nameless = Self { id: String::new(), ..self.clone() };
        let text = serde_json::to_string(&nameless).expect("text keys only");
        hex(&Sha256::digest(text.as_bytes()))[..ID_DIGITS].to_owned()
    }

    /// The file that it is written to.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("text keys only");
        text.push('\n');
        text
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// [`Void::Edited`] when it is not what was written.
    pub fn read(id: &str, text: &str) -> Result<Self, Void> {
        let edited = || Void::Edited { id: id.to_owned() };
        let plan: Self = serde_json::from_str(text).map_err(|_| edited())?;
        if plan.schema == SCHEMA && plan.id == id && plan.name() == plan.id { Ok(plan) } else { Err(edited()) }
    }

    /// Did a gate hold when it was made?
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.readings.iter().any(|reading| reading.verdict != Verdict::Pass)
    }

    /// May it still be applied, as far as nothing is measured? ESCALATION-4.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, profile: &str, footing: &Footing, bound: &Bound, evidence: &Evidence, now: Time) -> Result<(), Void> {
        let id = self.id.clone();
        if self.profile != profile {
            return Err(Void::Foreign { id, made_for: self.profile.clone() });
        }
        if footing.used.contains(&self.id) {
            return Err(Void::Used { id });
        }
        if now >= self.expires_at {
            return Err(Void::Expired { id, at: self.expires_at });
        }
        // By its row: a kill is stamped with the close that showed it, which may lie before the plan.
        let is_since = |kill: &&Kill| kill.at >= self.made_at || kill.row.is_some_and(|row| row > self.bound.row);
        if let Some(kill) = evidence.kills.iter().find(is_since) {
            return Err(Void::Killed { id, cause: kill.cause.clone(), at: kill.at });
        }
        // Also one that is over by now: whoever made the plan had not seen it.
        if let Some(critical) = evidence.criticals.iter().find(|critical| critical.at >= self.made_at) {
            return Err(Void::Alerted { id, key: critical.key.clone(), at: critical.at });
        }
        let parts = [
            (&self.bound.base, &bound.base, "where the profile stands"),
            (&self.bound.documents, &bound.documents, "the profile's documents"),
            (&self.bound.binary, &bound.binary, "the program"),
        ];
        match parts.into_iter().find(|(planned, now, _)| planned != now) {
            Some((_, _, what)) => Err(Void::Stale { id, what }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decide::tests::at;
    use super::super::evidence::Critical;
    use super::*;

    fn bound() -> Bound {
        Bound { base: Footing::default().hash(), documents: "d".to_owned(), binary: "b".to_owned(), row: 10 }
    }

    fn plan() -> Plan {
        let slot = Slot { at: at("2026-11-23T09:00:00Z"), day: 20_780 };
        let change =
            Change { key: "limits.x".to_owned(), now: "50".to_owned(), planned: "100".to_owned(), note: "x2".to_owned() };
        let times = (at("2026-11-23T09:10:00Z"), at("2026-11-24T09:00:00Z"));
        Plan::sealed("production", What::Step { from: 0, to: 1, slot }, vec![change], bound(), times, Vec::new())
    }

    fn check(footing: &Footing, bound: &Bound, kills: &[Kill], now: &str) -> Result<(), Void> {
        let evidence = Evidence { kills: kills.to_vec(), ..Evidence::default() };
        plan().check("production", footing, bound, &evidence, at(now))
    }

    const SOON: &str = "2026-11-23T10:00:00Z";

    #[test]
    fn a_plan_is_read_back_and_every_edit_is_seen() {
        let plan = plan();
        assert_eq!(Plan::read(&plan.id, &plan.text()).unwrap(), plan);
        let edited = Err(Void::Edited { id: plan.id.clone() });
        for (from, to) in [
            ("\"planned\": \"100\"", "\"planned\": \"400\""),
            ("2026-11-24T09:00:00Z", "2027-11-24T09:00:00Z"),
            ("\"row\": 10", "\"row\": 99"),
            ("\"schema\": 1,", "\"schema\": 1, \"more\": 1,"),
            ("{", ""),
        ] {
            assert!(plan.text().contains(from), "{from}");
            assert_eq!(Plan::read(&plan.id, &plan.text().replacen(from, to, 1)), edited, "{from}");
        }
        assert!(Plan::read("000000000000", &plan.text()).is_err(), "another name");
    }

    #[test]
    fn a_plan_is_applied_once_in_its_time_and_from_where_it_was_made() {
        let start = Footing::default();
        assert_eq!(check(&start, &bound(), &[], SOON), Ok(()));
        assert_eq!(check(&start.with_used(&plan().id), &bound(), &[], SOON), Err(Void::Used { id: plan().id }));
        assert!(matches!(check(&start, &bound(), &[], "2026-11-24T09:00:00Z"), Err(Void::Expired { .. })));
        assert!(matches!(plan().check("canary", &start, &bound(), &Evidence::default(), at(SOON)), Err(Void::Foreign { .. })));
        for (other, wanted) in [
            (Bound { base: "x".to_owned(), ..bound() }, "where the profile stands"),
            (Bound { documents: "x".to_owned(), ..bound() }, "the profile's documents"),
            (Bound { binary: "x".to_owned(), ..bound() }, "the program"),
        ] {
            assert!(matches!(check(&start, &other, &[], SOON), Err(Void::Stale { what, .. }) if what == wanted));
        }
        let later = Bound { row: 99, ..bound() };
        assert_eq!(check(&start, &later, &[], SOON), Ok(()), "more bars are no change");
    }

    /// ESCALATION-4.
    #[test]
    fn a_plan_is_voided_by_a_drawdown() {
        let kill = |time: &str, row| [Kill { at: at(time), cause: "drawdown-weekly".to_owned(), row: Some(row) }];
        let start = Footing::default();
        let voided = check(&start, &bound(), &kill("2026-11-23T09:30:00Z", 12), SOON).unwrap_err();
        let told = voided.to_string();
        assert!(told.ends_with("was voided by a kill (drawdown-weekly) at 2026-11-23T09:30:00Z"), "{told}");
        assert!(check(&start, &bound(), &kill("2026-11-23T09:00:00Z", 11), SOON).is_err(), "written down since");
        assert_eq!(check(&start, &bound(), &kill("2026-11-23T09:00:00Z", 10), SOON), Ok(()), "known when it was made");
    }

    /// ESCALATION-4.
    #[test]
    fn a_plan_is_voided_by_a_critical_alert() {
        let of = |time: &str| {
            let criticals = vec![Critical { at: at(time), key: "rule/venue-down".to_owned() }];
            let evidence = Evidence { criticals, ..Evidence::default() };
            plan().check("production", &Footing::default(), &bound(), &evidence, at(SOON))
        };
        let told = of("2026-11-23T09:30:00Z").unwrap_err().to_string();
        assert!(told.ends_with("was voided by a critical alert (rule/venue-down) at 2026-11-23T09:30:00Z"), "{told}");
        assert!(of("2026-11-23T09:10:00Z").is_err(), "at the moment it was made");
        assert_eq!(of("2026-11-23T09:09:59Z"), Ok(()), "known when it was made, and a gate's to judge");
    }
}
