//! What a profile declares of its operation: the checks before live trading, and the steps of a rollback.

use crate::domain::{Money, Span};

use super::Profile;
use super::merge::Effective;
use super::path::KeyPath;

/// One step of a rollback, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackStep {
    pub name: String,
    pub does: StepKind,
    pub timeout: Span,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    PauseLoop,
    CloseAllPositions,
    RestorePreviousChampion,
    ResetEscalation,
}

/// What a preflight looks at, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub kind: CheckKind,
    pub valid_for: Span,
}

/// The kinds of checks that people declare, each with its own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    Bars { lookback: Span, missing_max: u64 },
    Http { timeout: Span },
    AlertRoundtrip { receivers: Vec<String>, ack_within: Span },
    OmsDryRun { notional: Money, timeout: Span },
    KillDrill { quiet_within: Span },
}

/// Where no step is declared: in this order a program stops before it sells, and sells before anything is exchanged.
const USUAL: [(&str, StepKind, Span); 4] = [
    ("pause", StepKind::PauseLoop, Span::from_secs(30)),
    ("close", StepKind::CloseAllPositions, Span::from_secs(600)),
    ("model", StepKind::RestorePreviousChampion, Span::from_secs(60)),
    ("ladder", StepKind::ResetEscalation, Span::from_secs(60)),
];

impl StepKind {
    const ALL: [Self; 4] = [Self::PauseLoop, Self::CloseAllPositions, Self::RestorePreviousChampion, Self::ResetEscalation];

    /// As profiles spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PauseLoop => "pause-loop",
            Self::CloseAllPositions => "close-all-positions",
            Self::RestorePreviousChampion => "restore-previous-champion",
            Self::ResetEscalation => "reset-escalation",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

impl RollbackStep {
    /// The steps of a profile that declares none, or that cannot be read.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        USUAL.map(|(name, does, timeout)| Self { name: name.to_owned(), does, timeout }).into()
    }
}

impl Profile {
    /// The steps of a rollback, in their order.
    #[must_use]
    pub fn rollback_steps(&self) -> Vec<RollbackStep> {
        let steps = in_order(self.effective(), "rollback.step", |name, at| {
            let does = StepKind::of(self.effective().text_at(&at.child("do"))?)?;
            let timeout = self.effective().span_at(&at.child("timeout"))?;
            Some(RollbackStep { name, does, timeout })
        });
        if steps.is_empty() { RollbackStep::usual() } else { steps }
    }

    /// May an alert that nobody resolves start a rollback?
    #[must_use]
    pub fn rolls_back_on_alerts(&self) -> bool {
        let causes = self.effective().texts_at(&KeyPath::dotted("rollback.on")).unwrap_or_default();
        causes.iter().any(|cause| cause == "alert-unresolved")
    }

    /// The checks before live trading, in their order.
    #[must_use]
    pub fn preflight_checks(&self) -> Vec<Check> {
        let effective = self.effective();
        in_order(effective, "preflight.check", |name, at| {
            let kind = check_kind(effective, at)?;
            Some(Check { name, kind, valid_for: effective.span_at(&at.child("valid_for"))? })
        })
    }

    /// How far our clock may be from the venue's.
    #[must_use]
    pub fn max_skew(&self) -> Span {
        self.effective().span_at(&KeyPath::dotted("clock.max_skew")).unwrap_or_default()
    }
}

fn check_kind(effective: &Effective, at: &KeyPath) -> Option<CheckKind> {
    let span = |key: &str| effective.span_at(&at.child(key));
    Some(match effective.text_at(&at.child("kind"))? {
        "bars" => {
            let missing_max = effective.count_at(&at.child("missing_bars")).unwrap_or_default();
            CheckKind::Bars { lookback: span("lookback")?, missing_max }
        }
        "http" => CheckKind::Http { timeout: span("timeout")? },
        "alert-roundtrip" => CheckKind::AlertRoundtrip {
            receivers: effective.texts_at(&at.child("receivers"))?.to_vec(),
            ack_within: span("ack_within")?,
        },
        "oms-dry-run" => CheckKind::OmsDryRun { notional: effective.money_at(&at.child("notional"))?, timeout: span("timeout")? },
        _ => CheckKind::KillDrill { quiet_within: span("quiet_within")? },
    })
}

/// What stands below a table of names, by its `order`.
fn in_order<T>(effective: &Effective, table: &str, read: impl Fn(String, &KeyPath) -> Option<T>) -> Vec<T> {
    let mut found: Vec<(u64, T)> = Vec::new();
    for name in effective.names_below(table) {
        let at = KeyPath::dotted(table).child(&name);
        let order = effective.count_at(&at.child("order"));
        found.extend(order.zip(read(name, &at)));
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile::keys::SCHEMA;
    use crate::profile::{Diagnostics, Documents, Environment, Overrides, overlay, resolve};

    fn canary() -> Profile {
        let mut found = Diagnostics::default();
        let mut documents = Documents::new(Path::new(env!("CARGO_MANIFEST_DIR")));
        let overrides = Overrides::default();
        let ([overlay], ignored) = overlay::read([&*SCHEMA], &Environment::default(), &overrides, &mut found);
        resolve(&mut documents, "canary", overlay, &overrides, ignored, &mut found).expect("the shipped profile is sound")
    }

    #[test]
    fn the_shipped_steps_and_checks_are_in_their_order() {
        let profile = canary();
        let steps = profile.rollback_steps();
        let of = |step: &RollbackStep| (step.does, step.timeout);
        assert_eq!(steps.iter().map(of).collect::<Vec<_>>(), RollbackStep::usual().iter().map(of).collect::<Vec<_>>());
        assert!(profile.rolls_back_on_alerts());
        let checks = profile.preflight_checks();
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["data", "metrics", "alert", "oms", "kill"]);
        assert_eq!(checks[0].kind, CheckKind::Bars { lookback: Span::from_days(30), missing_max: 0 });
        assert_eq!(checks[4].kind, CheckKind::KillDrill { quiet_within: Span::from_secs(5) });
    }
}
