//! On which step of its ladder a profile stands.
//!
//! A step above the first lets more money in, so it counts only as far as the log says the same.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::runs::keep;
use super::{Journal, JournalError};
use crate::domain::Time;

/// The log's rows about it.
const KIND: &str = "ladder-step";
const NAME: &str = "ladder";

/// A step and why a profile stands on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderStep {
    /// 0: the profile's own limits.
    pub step: u32,
    pub at: Time,
    pub why: String,
    /// The row of the log that says the same.
    logged: u64,
}

impl Journal {
    /// Where the profile stands on its ladder; `None` where it never left the first step.
    ///
    /// # Errors
    /// When the journal cannot be read, or says another step than its log.
    pub fn ladder_step(&self) -> Result<Option<LadderStep>, JournalError> {
        let Some(found) = self.kept::<LadderStep>(NAME)? else { return Ok(None) };
        let sql = "SELECT body FROM event WHERE sequence = ?1 AND kind = ?2";
        let row = self.db.query_row(sql, params![found.logged as i64, KIND], |row| row.get::<_, String>(0));
        let logged = row.optional().map_err(self.sqlite())?;
        if logged != Some(stated(found.step, &found.why).to_string()) {
            let problem = format!("step {} of the ladder is not what its log says", found.step);
            return Err(JournalError::Damaged { path: self.path.clone(), problem });
        }
        Ok(Some(found))
    }

    /// Puts the profile on a step of its ladder.
    ///
    /// # Errors
    /// When the journal cannot be written; it stands where it stood then.
    pub fn set_ladder_step(&mut self, step: u32, why: &str, now: Time) -> Result<(), JournalError> {
        self.transact(|scribe| {
            scribe.append_json(now, KIND, None, &stated(step, why))?;
            let stands = LadderStep { step, at: now, why: why.to_owned(), logged: scribe.head.sequence };
            Ok(keep(&scribe.transaction, NAME, &stands)?)
        })
    }
}

fn stated(step: u32, why: &str) -> serde_json::Value {
    json!({ "step": step, "why": why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_only_as_the_log_says_it() {
        let mut journal = Journal::in_memory().unwrap();
        assert_eq!(journal.ladder_step().unwrap(), None);
        let now = Time::from_millis(1_740_000_000_000);
        journal.set_ladder_step(2, "a plan", now).unwrap();
        journal.set_ladder_step(0, "a rollback", now).unwrap();
        let stands = journal.ladder_step().unwrap().unwrap();
        assert_eq!((stands.step, stands.why.as_str()), (0, "a rollback"));
        journal.keep(NAME, &LadderStep { step: 4, ..stands }).unwrap();
        let error = journal.ladder_step().unwrap_err().to_string();
        assert!(error.contains("step 4 of the ladder"), "{error}");
    }
}
