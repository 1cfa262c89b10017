//! What a rule watches: a metric, how it is compared, and what follows. The words of a profile; decisions are `stage/alert`'s.

use serde::Serialize;

use super::Severity;
use crate::domain::Span;

/// What follows when an alert stands too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    Rollback,
    Halt,
}

impl Then {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Halt => "halt",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Rollback, Self::Halt].into_iter().find(|then| then.name() == name)
    }
}

/// How a figure is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    NotEqual,
    /// What a counter has grown by within the window.
    IncreaseAtLeast,
    IncreaseAbove,
}

impl Op {
    const ALL: [Self; 8] = [
        Self::Above,
        Self::AtLeast,
        Self::Below,
        Self::AtMost,
        Self::Equal,
        Self::NotEqual,
        Self::IncreaseAtLeast,
        Self::IncreaseAbove,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::IncreaseAtLeast => "increase>=",
            Self::IncreaseAbove => "increase>",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }

    #[must_use]
    pub const fn is_increase(self) -> bool {
        matches!(self, Self::IncreaseAtLeast | Self::IncreaseAbove)
    }

    /// Does `seen`, a value or an increase, stand so to `bound`?
    #[must_use]
    pub fn holds(self, seen: f64, bound: f64) -> bool {
        match self {
            Self::Above | Self::IncreaseAbove => seen > bound,
            Self::AtLeast | Self::IncreaseAtLeast => seen >= bound,
            Self::Below => seen < bound,
            Self::AtMost => seen <= bound,
            // A rule on 0 or 1 means exactly that.
            Self::Equal => seen == bound,
            Self::NotEqual => seen != bound,
        }
    }
}

/// One `[alerts.rule.<name>]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: String,
    pub severity: Severity,
    pub metric: String,
    pub op: Op,
    pub value: f64,
    /// How long it must hold.
    pub hold_for: Span,
    /// Over how long an increase is counted.
    pub window: Span,
    /// Probes that are to run when it fires.
    pub diagnose: Vec<String>,
    /// Retries of the stage that it is about.
    pub retry: u32,
    pub unresolved: Option<(Span, Then)>,
}
