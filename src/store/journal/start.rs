//! The look at a journal before orders go to a venue: whole while that is quick, and bounded when it has grown long.

use serde::{Deserialize, Serialize};

use super::log::{self, Head, Verified};
use super::{Journal, JournalError, verify};

/// A log with more rows is looked over from where it was found whole before, and all of it by `log verify`.
pub const WHOLE_ROWS_MAX: u64 = 200_000;
/// Under this name the journal keeps how far it was found whole.
const WHOLE: &str = "whole";

/// How far the log was found whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Whole {
    sequence: u64,
    hash: String,
}

impl Journal {
    /// Looks over the journal before money moves: every page, row and table of one with at most [`WHOLE_ROWS_MAX`] rows. Of a longer
    /// one the pages, the rows since it was last found whole, and where each account stands.
    ///
    /// # Errors
    /// What is wrong with it: nothing may be traded by it then.
    pub fn verify_before_trading(&mut self, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        self.verify_within(WHOLE_ROWS_MAX, progress)
    }

    pub(super) fn verify_within(&mut self, rows_max: u64, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        let wrong = self.sqlite();
        let is_long = self.head().sequence > rows_max;
        let known = self.kept::<Whole>(WHOLE)?.filter(|_| is_long);
        let verified = match known {
            None => self.verify(progress)?,
            Some(known) => {
                verify::pages(&self.db, &self.path, "quick_check")?;
                let hash = log::hash_at(&self.db, known.sequence).map_err(&wrong)?.filter(|hash| hash.to_string() == known.hash);
                let Some(hash) = hash else {
                    let why = "it is not the row that was found whole before".to_owned();
                    return Err(self.broken(log::Misfit { row: known.sequence, why }));
                };
                let from = Head { sequence: known.sequence, hash };
                log::verify_from(&self.db, from, progress).map_err(&wrong)?.map_err(|misfit| self.broken(misfit))?
            }
        };
        if let Some(account) = verify::wrong_standing(&self.db).map_err(&wrong)? {
            let problem = format!("where {account} stands is not what the log says");
            return Err(JournalError::Damaged { path: self.path.clone(), problem });
        }
        if is_long {
            self.keep(WHOLE, &Whole { sequence: verified.head.sequence, hash: verified.head.hash.to_string() })?;
        }
        Ok(verified)
    }
}
