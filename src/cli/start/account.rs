//! The accounts of a running program: one on a real venue, which lives between its bars too, or those on paper, which do not.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tokio::sync::Notify;

use super::super::exit::Failure;
use super::super::live::drive_failure;
use crate::domain::{Span, Time};
use crate::runner::drive::Driver;
use crate::runner::folder::{Stamp, run_id};
use crate::runner::live::Live;
use crate::runner::run;
use crate::stage::oms::Tally;
use crate::store::journal::{Entry, Journal, RunState};

/// A condition is looked at so often on paper, where nothing else wakes.
const LOOK_EVERY: Span = Span::from_secs(1);

/// What holds the journal.
pub enum Account<'j> {
    Paper(&'j mut Journal),
    Venue(Box<OnVenue<'j>>),
}

/// An account on a real venue, and the run that its records belong to.
pub struct OnVenue<'j> {
    pub driver: Driver<'j>,
    /// Which of the pipelines trades on it.
    pub pipeline: usize,
    pub stamp: Stamp,
    pub venue: String,
    /// What the metrics have counted so far.
    pub counted: Tally,
}

impl Account<'_> {
    pub const fn journal(&mut self) -> &mut Journal {
        match self {
            Self::Paper(journal) => journal,
            Self::Venue(account) => account.driver.journal_mut(),
        }
    }

    /// Writes down what happened, for `log` and `schedule why`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn note(&mut self, kind: &'static str, body: Value, now: Time) -> Result<(), Failure> {
        self.journal().write(&[Entry::Note { kind, body }], now)?;
        Ok(())
    }

    /// Lets the account live until a time, or until `done`. Gives whether `done` said so.
    ///
    /// # Errors
    /// When the journal cannot be written, or the account was taken over.
    pub async fn wait(
        &mut self,
        now: Time,
        until: Time,
        bell: &Notify,
        stop: &Arc<AtomicBool>,
        mut done: impl FnMut() -> bool,
    ) -> Result<bool, Failure> {
        match self {
            Self::Venue(account) => account.driver.run_until(until, stop, |_| done()).await.map_err(drive_failure),
            Self::Paper(_) => {
                if !done() {
                    let wait = (until.max(now) - now).min(LOOK_EVERY).to_std();
                    tokio::select! {
                        biased;
                        () = bell.notified() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Ok(done())
            }
        }
    }
}

impl OnVenue<'_> {
    /// Ends the run that is going and begins the next: each slot has a record of its own.
    ///
    /// # Errors
    /// When the journal or the record cannot be written.
    pub fn turn_over(&mut self, runs: &std::path::Path, stamp: Stamp, now: Time) -> Result<(), Failure> {
        self.conclude(runs)?;
        self.stamp = stamp;
        self.stamp.run = run_id(&self.stamp.profile, &self.stamp.standing(), now);
        let text = serde_json::to_string(&self.stamp)?;
        self.driver.journal_mut().begin(&self.stamp.run, &text)?;
        self.driver.turn_over(self.stamp.run.clone());
        Ok(())
    }

    /// Writes the record of the run that is going; one that has nothing to say is forgotten.
    ///
    /// # Errors
    /// When the journal or the record cannot be written.
    pub fn conclude(&mut self, runs: &std::path::Path) -> Result<(), Failure> {
        let (watermark, trader) = (self.driver.watermark(), self.driver.live().trader().clone());
        let journal = self.driver.journal_mut();
        if journal.records(Some(&self.stamp.run))?.is_empty() {
            journal.end(&self.stamp.run, RunState::Done)?;
            journal.forget(&self.stamp.run)?;
            return Ok(());
        }
        run::record_of(journal, runs, &self.stamp, &trader, watermark, false)?;
        Ok(())
    }

    #[must_use]
    pub const fn live(&self) -> &Live {
        self.driver.live()
    }
}
