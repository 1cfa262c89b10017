//! A rollback: stop, close everything, go back to the model before, begin the ladder anew.
//!
//! Enter at [`begin`], which whoever holds the journal calls, a person's command or a program whose alert nobody resolved. What is to
//! be done, and how far it has come, is one [`Rollback`] in the journal; whoever performs it writes each step down before it begins
//! and when it has been verified. One that was cut off anywhere is taken up by the next call.
//!
//! ROLLBACK-1  The latch is set before anything else, the journal included.
//! ROLLBACK-2  A step begins when the one before was verified; one that was cut off is begun from the first step, which changes nothing
//!             where a step still holds.
//! ROLLBACK-3  At most one is under way in a profile.

mod state;

use std::path::Path;

use serde_json::json;

use crate::domain::Time;
use crate::profile::RollbackStep;
use crate::store::glance::Glance;
use crate::store::journal::{Journal, JournalError};
use crate::store::latch::{Latch, LatchError, Latched};
use crate::store::lock::Lock;

pub use state::{Cause, Rollback, State, Step};

/// The log's rows about rollbacks.
pub const KIND: &str = "rollback";
/// Where the newest one is kept.
const NAME: &str = "rollback";
/// Held by whoever performs one.
const LOCK: &str = "rollback.lock";

#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Latch(#[from] LatchError),
    #[error("a rollback is in progress")]
    InProgress,
    #[error("cannot use the folder {path}")]
    Folder { path: std::path::PathBuf, source: std::io::Error },
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub steps: Vec<RollbackStep>,
    pub cause: Cause,
    pub reason: String,
    /// The model to go back to; `None`: the champion before.
    pub to: Option<String>,
}

/// Latches the profile, for a rollback. One that is latched stays latched as it was.
///
/// # Errors
/// When not even an empty file can be made.
pub fn latch(folder: &Path, reason: &str, now: Time) -> Result<(), LatchError> {
    let latched =
        Latched { cause: "rollback".to_owned(), at: now, by: "tidegate rollback".to_owned(), reason: reason.to_owned() };
    Latch::set(folder, &latched).map(drop)
}

/// The right to perform a rollback under a profile, until it is dropped.
///
/// # Errors
/// [`RollbackError::InProgress`] while somebody else has it.
pub fn alone(folder: &Path) -> Result<Lock, RollbackError> {
    Lock::take(&folder.join(LOCK)).map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => RollbackError::InProgress,
        std::fs::TryLockError::Error(source) => RollbackError::Folder { path: folder.to_owned(), source },
    })
}

/// Begins a rollback, or takes up the one that was cut off: latched first, then written down. Nothing is sold here; whoever calls it
/// performs the steps of what it gives, or ends and leaves them to `tidegate rollback`.
///
/// # Errors
/// When the latch cannot be set or the journal cannot be written.
pub fn begin(journal: &mut Journal, folder: &Path, order: Order, now: Time) -> Result<Rollback, RollbackError> {
    latch(folder, &order.reason, now)?;
    let last: Option<Rollback> = journal.kept(NAME)?;
    let (rollback, what) = match last {
        Some(cut_off) if cut_off.ended.is_none() => (cut_off.again(), "resumed"),
        last => (Rollback::new(last.as_ref(), order, now), "started"),
    };
    let note = json!({ "id": rollback.id, "what": what, "cause": rollback.cause, "reason": rollback.reason, "to": rollback.to });
    journal.note_and_keep(KIND, &note, NAME, &rollback, now)?;
    Ok(rollback)
}

/// The newest rollback of a profile, by anybody who holds its journal.
///
/// # Errors
/// When the journal cannot be read.
pub fn last(journal: &Journal) -> Result<Option<Rollback>, JournalError> {
    journal.kept(NAME)
}

/// The same for one who only looks.
///
/// # Errors
/// When the journal cannot be read.
pub fn seen(glance: &Glance) -> Result<Option<Rollback>, JournalError> {
    glance.kept(NAME)
}

impl Rollback {
    /// Writes down that a step begins.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn begin_step(&mut self, at: usize, journal: &mut Journal, now: Time) -> Result<(), JournalError> {
        self.move_step(at, State::Begun, String::new(), now);
        self.keep(journal, at, "step-begun", now)
    }

    /// Writes down how a step ended.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end_step(
        &mut self,
        at: usize,
        end: Result<String, String>,
        journal: &mut Journal,
        now: Time,
    ) -> Result<(), JournalError> {
        let (state, said, what) = match end {
            Ok(said) => (State::Done, said, "step-done"),
            Err(said) => (State::Failed, said, "step-failed"),
        };
        self.move_step(at, state, said, now);
        self.keep(journal, at, what, now)
    }

    /// Writes down that every step was verified.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end(&mut self, journal: &mut Journal, now: Time) -> Result<(), JournalError> {
        assert!(self.is_verified(), "ROLLBACK-2: a rollback ends when every step was verified");
        self.ended = Some(now);
        journal.note_and_keep(KIND, &json!({ "id": self.id, "what": "ended" }), NAME, self, now)
    }

    fn keep(&self, journal: &mut Journal, at: usize, what: &str, now: Time) -> Result<(), JournalError> {
        let step = &self.steps[at];
        let note = json!({ "id": self.id, "what": what, "step": step.name, "do": step.does, "said": step.said });
        journal.note_and_keep(KIND, &note, NAME, self, now)
    }
}
