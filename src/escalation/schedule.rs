//! A schedule: the `[escalation]` table, resolved.

use super::gate::Gate;
use super::ladder::Ladder;
use super::slots::Slots;
use crate::domain::Span;

/// Who lets a step happen that has passed its gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Manual,
    /// Nobody types anything; gates, bounds, expiry and single use stay.
    Auto,
}

/// Where a ladder stands after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterKill {
    /// At its start again.
    Restart,
    /// Where it was; its gates hold it there.
    Hold,
}

/// How and when limits grow.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub ladder: Ladder,
    pub slots: Slots,
    pub approval: Approval,
    pub plan_expires_after: Span,
    pub after_kill: AfterKill,
    /// In the order of their names.
    pub gates: Vec<Gate>,
}

impl Schedule {
    /// The number of the last step; the start is step 0.
    #[must_use]
    pub fn last_step(&self) -> u32 {
        u32::try_from(self.ladder.rungs().len() - 1).unwrap_or(u32::MAX)
    }
}
