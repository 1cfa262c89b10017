//! A profile and its ladder: what its limits are on the step that it stands on.

use jiff::tz::TimeZone;

use super::fingerprint::sha256;
use super::path::KeyPath;
use super::resolved::Profile;
use super::terms::{self, Settled};
use crate::escalation::{Footing, Ladder, Schedule};
use crate::risk::Limits;

/// Where a profile stands, and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    footing: Footing,
    settled: Settled,
    schedule: Option<Schedule>,
    limits: Limits,
}

impl Stand {
    pub fn of(footing: Footing, effective: &super::merge::Effective, start: &Limits) -> Self {
        let settled = terms::settle(&footing.terms, &terms::written(effective));
        let zone = effective.text_at(&KeyPath::dotted("clock.tz")).and_then(|name| TimeZone::get(name).ok());
        let schedule = terms::schedule(&settled.terms, zone.unwrap_or(TimeZone::UTC), start);
        let limits = footing.limits(start, schedule.as_ref().map(|schedule| &schedule.ladder));
        Self { footing, settled, schedule, limits }
    }
}

impl Profile {
    /// Puts the profile where its journal says that it stands. Before that it stands at its start.
    pub fn stand(&mut self, footing: Footing) {
        self.stand = Stand::of(footing, &self.effective, &self.start);
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.stand.limits
    }

    /// The limits of step 0: those of the documents.
    #[must_use]
    pub fn start(&self) -> &Limits {
        &self.start
    }

    /// How the limits may grow. `None` when escalation is not enabled.
    #[must_use]
    pub fn ladder(&self) -> Option<&Ladder> {
        self.stand.schedule.as_ref().map(|schedule| &schedule.ladder)
    }

    /// When, and on what evidence.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        self.stand.schedule.as_ref()
    }

    #[must_use]
    pub fn footing(&self) -> &Footing {
        &self.stand.footing
    }

    /// The step that the limits are on.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.stand.footing.step_on(self.ladder())
    }

    /// The terms that hold, and those that are written and wait.
    #[must_use]
    pub fn terms(&self) -> &Settled {
        &self.stand.settled
    }

    /// A name for documents and step together: what a run was made of.
    #[must_use]
    pub fn standing_fingerprint(&self) -> String {
        if self.limits() == self.start() {
            return self.fingerprint().to_owned();
        }
        sha256(&format!("{}{:?}", self.fingerprint(), self.limits()))
    }
}
