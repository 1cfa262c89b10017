//! Runs: when they began, how they ended, the rows they left, and small things that outlive them.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::log::Recorded;
use super::{Journal, JournalError};
use crate::domain::Time;
use crate::telemetry::record::Records;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    Done,
    Failed,
    Interrupted,
    Halted,
}

impl RunState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Halted => "halted",
        }
    }
}

/// Two statements: no index can serve "this run, or any", and a run of one bar must not read the rows of years.
pub(super) const fn rows_query(is_one_run: bool) -> &'static str {
    if is_one_run {
        "SELECT body FROM event WHERE run = ?1 AND kind = ?2 ORDER BY sequence"
    } else {
        "SELECT body FROM event WHERE ?1 IS NULL AND kind = ?2 ORDER BY sequence"
    }
}

impl Journal {
    /// Writes down that a run begins.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn begin(&mut self, run: &str, manifest: &str) -> Result<(), JournalError> {
        let sql = "INSERT INTO run (id, state, manifest) VALUES (?1, 'running', ?2)";
        self.transact(|scribe| Ok(scribe.transaction.execute(sql, params![run, manifest]).map(drop)?))
    }

    /// Writes down how a run ended.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end(&mut self, run: &str, state: RunState) -> Result<(), JournalError> {
        let sql = "UPDATE run SET state = ?2 WHERE id = ?1";
        self.transact(|scribe| Ok(scribe.transaction.execute(sql, params![run, state.name()]).map(drop)?))?;
        self.seal()
    }

    /// Drops a run that was cut off before its first commit: nothing of it happened.
    ///
    /// # Errors
    /// When the journal cannot be written, or rows of the run exist.
    pub fn forget(&mut self, run: &str) -> Result<(), JournalError> {
        self.transact(|scribe| Ok(scribe.transaction.execute("DELETE FROM run WHERE id = ?1", [run]).map(drop)?))
    }

    /// Runs that were cut off: begun and never ended.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn cut_off(&self) -> Result<Vec<(String, String)>, JournalError> {
        let wrong = self.sqlite();
        let sql = "SELECT id, manifest FROM run WHERE state = 'running' ORDER BY rowid";
        let mut statement = self.db.prepare(sql).map_err(&wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&wrong)?;
        rows.collect::<Result<_, _>>().map_err(&wrong)
    }

    /// The rows of one run, or of all runs in their order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn records(&self, run: Option<&str>) -> Result<Records, JournalError> {
        Ok(Records {
            decisions: self.rows(run)?,
            orders: self.rows(run)?,
            refusals: self.rows(run)?,
            fills: self.rows(run)?,
            equity: self.rows(run)?,
            notices: self.rows(run)?,
        })
    }

    fn rows<T: Recorded + DeserializeOwned>(&self, run: Option<&str>) -> Result<Vec<T>, JournalError> {
        let wrong = self.sqlite();
        let mut statement = self.db.prepare(rows_query(run.is_some())).map_err(&wrong)?;
        let bodies = statement.query_map(params![run, T::KIND], |row| row.get::<_, String>(0)).map_err(&wrong)?;
        bodies.map(|body| self.parse(T::KIND, &body.map_err(&wrong)?)).collect()
    }

    /// The id of the newest run that came to an end.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_run(&self) -> Result<Option<String>, JournalError> {
        let sql = "SELECT id FROM run WHERE state <> 'running' ORDER BY rowid DESC LIMIT 1";
        self.db.query_row(sql, [], |row| row.get(0)).optional().map_err(self.sqlite())
    }

    /// What the newest run said of itself when it began.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_manifest(&self) -> Result<Option<String>, JournalError> {
        let sql = "SELECT manifest FROM run ORDER BY rowid DESC LIMIT 1";
        self.db.query_row(sql, [], |row| row.get(0)).optional().map_err(self.sqlite())
    }

    /// What a run said of itself when it began.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn manifest(&self, run: &str) -> Result<Option<String>, JournalError> {
        let found = self.db.query_row("SELECT manifest FROM run WHERE id = ?1", [run], |row| row.get(0));
        found.optional().map_err(self.sqlite())
    }

    /// A small thing kept from an earlier run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, JournalError> {
        let row = self.db.query_row("SELECT body FROM kept WHERE name = ?1", [name], |row| row.get::<_, String>(0));
        row.optional().map_err(self.sqlite())?.map(|text| self.parse(name, &text)).transpose()
    }

    /// Keeps a small thing and writes into the log what happened to it, together.
    ///
    /// # Errors
    /// When the journal cannot be written; neither is there then.
    pub fn note_and_keep<T: Serialize>(
        &mut self,
        kind: &'static str,
        note: &serde_json::Value,
        name: &'static str,
        value: &T,
        now: Time,
    ) -> Result<(), JournalError> {
        self.transact(|scribe| {
            scribe.append_json(now, kind, None, note)?;
            Ok(keep(&scribe.transaction, name, value)?)
        })
    }

    /// Keeps a small thing for later runs.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn keep<T: Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), JournalError> {
        self.transact(|scribe| Ok(keep(&scribe.transaction, name, value)?))
    }
}

/// Puts a small thing into its table.
pub(super) fn keep<T: Serialize>(transaction: &Transaction<'_>, name: &str, value: &T) -> Result<(), rusqlite::Error> {
    let body = serde_json::to_string(value).expect("what is kept has text keys only");
    let sql = "INSERT INTO kept (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = ?2";
    transaction.execute(sql, params![name, body]).map(drop)
}
