//! The journal of one profile: `runs/<profile>/state.db`.
//!
//! Watermark, snapshot and every row that explains them are committed in one transaction: after a crash the state is that of the
//! last commit, whole, and the run goes on from there to the same end.

use std::cmp::Ordering;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lock::Lock;
use crate::domain::Time;
use crate::telemetry::record::Records;

/// One that only looks waits no longer than this for one that writes.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Migrations, oldest first; `user_version` counts those applied. Only ever append.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'halted')),
    manifest    TEXT NOT NULL
) STRICT;
CREATE TABLE watermark (
    -- The pipeline's name and the mode it trades in: a paper account is not a live one.
    pipeline    TEXT PRIMARY KEY,
    -- Open time of the last moment that was traded, microseconds.
    open_time   INTEGER NOT NULL,
    -- Fingerprint of what the snapshot was made with.
    fingerprint TEXT NOT NULL,
    snapshot    TEXT NOT NULL
) STRICT;
-- One row for each row of the record; `body` is its JSON.
CREATE TABLE event (
    sequence    INTEGER PRIMARY KEY,
    run         TEXT NOT NULL REFERENCES run (id),
    kind        TEXT NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_run ON event (run, kind, sequence);
-- Small things that outlive a run: what has been told lately.
CREATE TABLE kept (
    name        TEXT PRIMARY KEY,
    body        TEXT NOT NULL
) STRICT;
CREATE TABLE halt_log (
    sequence    INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    what        TEXT NOT NULL,
    reason      TEXT NOT NULL
) STRICT;
"];

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("another run holds {0}")]
    Locked(PathBuf),
    #[error("cannot use the folder {path}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{path} was written by a newer tidegate (its version is {found}, this program knows {known})")]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("the journal {path} is damaged: {problem}")]
    Damaged { path: PathBuf, problem: String },
    #[error("cannot use the journal {path}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("cannot read the {what} in {path}")]
    Body { path: PathBuf, what: &'static str, source: serde_json::Error },
}

/// Where a pipeline stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing<S> {
    pub watermark: Time,
    pub fingerprint: String,
    pub snapshot: S,
}

/// An open journal; holds the profile's lock until dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    db: Connection,
    /// `None` for one that only looks.
    _lock: Option<Lock>,
}

impl Journal {
    /// Opens or makes the journal in `folder` and takes its lock.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another program holds it; otherwise what is wrong with the folder or the file.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let unusable = |source| JournalError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let lock = Lock::take(&folder.join("lock")).map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Locked(folder.to_owned()),
            TryLockError::Error(source) => unusable(source),
        })?;
        let path = folder.join("state.db");
        let open = || -> Result<Connection, rusqlite::Error> {
            let db = Connection::open(&path)?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.pragma_update(None, "foreign_keys", true)?;
            Ok(db)
        };
        let db = open().map_err(|source| JournalError::Sqlite { path: path.clone(), source })?;
        let mut journal = Self { path, db, _lock: Some(lock) };
        journal.migrate()?;
        Ok(journal)
    }

    /// Opens the journal in `folder` to look at, beside a program that may be writing it. `None` when there is none.
    pub(super) fn look(folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join("state.db");
        if !path.exists() {
            return Ok(None);
        }
        let open = || -> Result<(Connection, i64), rusqlite::Error> {
            let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            db.busy_timeout(LOOK_MAX)?;
            let found = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((db, found))
        };
        let (db, found) = open().map_err(|source| JournalError::Sqlite { path: path.clone(), source })?;
        match usize::try_from(found).unwrap_or(usize::MAX).cmp(&MIGRATIONS.len()) {
            // Its next run brings it up to date; before that there is nothing to see.
            Ordering::Less => Ok(None),
            Ordering::Equal => Ok(Some(Self { path, db, _lock: None })),
            Ordering::Greater => Err(JournalError::Newer { path, found, known: MIGRATIONS.len() }),
        }
    }

    fn sqlite(&self) -> impl Fn(rusqlite::Error) -> JournalError + use<> {
        let path = self.path.clone();
        move |source| JournalError::Sqlite { path: path.clone(), source }
    }

    fn migrate(&mut self) -> Result<(), JournalError> {
        let wrong = self.sqlite();
        let found: i64 = self.db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&wrong)?;
        let applied = usize::try_from(found).ok().filter(|&n| n <= MIGRATIONS.len());
        let Some(applied) = applied else {
            return Err(JournalError::Newer { path: self.path.clone(), found, known: MIGRATIONS.len() });
        };
        if applied < MIGRATIONS.len() {
            let transaction = self.db.transaction().map_err(&wrong)?;
            for migration in &MIGRATIONS[applied..] {
                transaction.execute_batch(migration).map_err(&wrong)?;
            }
            transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(&wrong)?;
            transaction.commit().map_err(&wrong)?;
        }
        // Reading the whole file costs more than a run with nothing new: only after a run that was cut off.
        if !self.cut_off()?.is_empty() {
            let problem: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(&wrong)?;
            if problem != "ok" {
                return Err(JournalError::Damaged { path: self.path.clone(), problem });
            }
        }
        Ok(())
    }

    /// Where the pipeline stands; `None` before its first run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn standing<S: DeserializeOwned>(&self, pipeline: &str) -> Result<Option<Standing<S>>, JournalError> {
        let row = self
            .db
            .query_row("SELECT open_time, fingerprint, snapshot FROM watermark WHERE pipeline = ?1", [pipeline], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })
            .optional()
            .map_err(self.sqlite())?;
        let Some((open_time, fingerprint, text)) = row else { return Ok(None) };
        let snapshot = self.parse("snapshot", &text)?;
        Ok(Some(Standing { watermark: Time::from_micros(open_time), fingerprint, snapshot }))
    }

    /// The pipeline's watermark and fingerprint without its snapshot.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn watermark(&self, pipeline: &str) -> Result<Option<(Time, String)>, JournalError> {
        self.db
            .query_row("SELECT open_time, fingerprint FROM watermark WHERE pipeline = ?1", [pipeline], |row| {
                Ok((Time::from_micros(row.get(0)?), row.get(1)?))
            })
            .optional()
            .map_err(self.sqlite())
    }

    /// Reads JSON that came from this journal.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn parse<T: DeserializeOwned>(&self, what: &'static str, text: &str) -> Result<T, JournalError> {
        serde_json::from_str(text).map_err(|source| JournalError::Body { path: self.path.clone(), what, source })
    }

    /// Writes down that a run begins.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn begin(&mut self, run: &str, manifest: &str) -> Result<(), JournalError> {
        self.db
            .execute("INSERT INTO run (id, state, manifest) VALUES (?1, 'running', ?2)", params![run, manifest])
            .map(drop)
            .map_err(self.sqlite())
    }

    /// Commits rows, watermark and snapshot together.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing of it is there then.
    pub fn commit<S: Serialize>(
        &mut self,
        run: &str,
        pipeline: &str,
        standing: &Standing<S>,
        records: &Records,
    ) -> Result<(), JournalError> {
        let wrong = self.sqlite();
        let transaction = self.db.transaction().map_err(&wrong)?;
        insert(&transaction, run, records).map_err(&wrong)?;
        stand(&transaction, pipeline, standing).map_err(&wrong)?;
        transaction.commit().map_err(&wrong)
    }

    /// Writes down how a run ended.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end(&mut self, run: &str, state: RunState) -> Result<(), JournalError> {
        self.db.execute("UPDATE run SET state = ?2 WHERE id = ?1", params![run, state.name()]).map(drop).map_err(self.sqlite())
    }

    /// Drops a run that was cut off before its first commit: nothing of it happened.
    ///
    /// # Errors
    /// When the journal cannot be written, or rows of the run exist.
    pub fn forget(&mut self, run: &str) -> Result<(), JournalError> {
        self.db.execute("DELETE FROM run WHERE id = ?1", [run]).map(drop).map_err(self.sqlite())
    }

    /// Runs that were cut off: begun and never ended.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn cut_off(&self) -> Result<Vec<(String, String)>, JournalError> {
        let wrong = self.sqlite();
        let mut statement =
            self.db.prepare("SELECT id, manifest FROM run WHERE state = 'running' ORDER BY rowid").map_err(&wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&wrong)?;
        rows.collect::<Result<_, _>>().map_err(&wrong)
    }

    /// The rows of one run, or of all runs in their order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn records(&self, run: Option<&str>) -> Result<Records, JournalError> {
        Ok(Records {
            decisions: self.rows(run, "decision")?,
            orders: self.rows(run, "order")?,
            refusals: self.rows(run, "refusal")?,
            fills: self.rows(run, "fill")?,
            equity: self.rows(run, "equity")?,
            notices: self.rows(run, "notice")?,
        })
    }

    fn rows<T: DeserializeOwned>(&self, run: Option<&str>, kind: &'static str) -> Result<Vec<T>, JournalError> {
        let wrong = self.sqlite();
        let sql = rows_query(run.is_some());
        let mut statement = self.db.prepare(sql).map_err(&wrong)?;
        let bodies = statement.query_map(params![run, kind], |row| row.get::<_, String>(0)).map_err(&wrong)?;
        bodies.map(|body| self.parse(kind, &body.map_err(&wrong)?)).collect()
    }

    /// A small thing kept from an earlier run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, JournalError> {
        let row = self.db.query_row("SELECT body FROM kept WHERE name = ?1", [name], |row| row.get::<_, String>(0));
        row.optional().map_err(self.sqlite())?.map(|text| self.parse(name, &text)).transpose()
    }

    /// Keeps a small thing for later runs.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn keep<T: Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), JournalError> {
        let body = serde_json::to_string(value).expect("what is kept has text keys only");
        let sql = "INSERT INTO kept (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = ?2";
        self.db.execute(sql, params![name, body]).map(drop).map_err(self.sqlite())
    }

    /// The pipelines that have an account here, each with its mode: `trend@paper`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn accounts(&self) -> Result<Vec<String>, JournalError> {
        let wrong = self.sqlite();
        let mut statement = self.db.prepare("SELECT pipeline FROM watermark ORDER BY pipeline").map_err(&wrong)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(&wrong)?;
        rows.collect::<Result<_, _>>().map_err(&wrong)
    }

    /// The id of the newest run that came to an end.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_run(&self) -> Result<Option<String>, JournalError> {
        let sql = "SELECT id FROM run WHERE state <> 'running' ORDER BY rowid DESC LIMIT 1";
        self.db.query_row(sql, [], |row| row.get(0)).optional().map_err(self.sqlite())
    }

    /// Replaces a snapshot by hand and writes why, in one transaction.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing has changed then.
    pub fn resume<S: Serialize>(
        &mut self,
        account: &str,
        standing: &Standing<S>,
        at: Time,
        what: &str,
        reason: &str,
    ) -> Result<(), JournalError> {
        let wrong = self.sqlite();
        let transaction = self.db.transaction().map_err(&wrong)?;
        stand(&transaction, account, standing).map_err(&wrong)?;
        let sql = "INSERT INTO halt_log (at, what, reason) VALUES (?1, ?2, ?3)";
        transaction.execute(sql, params![at.micros(), format!("{account}: {what}"), reason]).map_err(&wrong)?;
        transaction.commit().map_err(&wrong)
    }
}

fn stand<S: Serialize>(transaction: &Transaction<'_>, account: &str, standing: &Standing<S>) -> Result<(), rusqlite::Error> {
    let snapshot = serde_json::to_string(&standing.snapshot).expect("a snapshot holds no NaN and no odd keys");
    let sql = "INSERT INTO watermark (pipeline, open_time, fingerprint, snapshot) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (pipeline) DO UPDATE SET open_time = ?2, fingerprint = ?3, snapshot = ?4";
    transaction.execute(sql, params![account, standing.watermark.micros(), standing.fingerprint, snapshot]).map(drop)
}

/// Two statements: no index can serve "this run, or any", and a run of one bar must not read the rows of years.
const fn rows_query(is_one_run: bool) -> &'static str {
    if is_one_run {
        "SELECT body FROM event WHERE run = ?1 AND kind = ?2 ORDER BY sequence"
    } else {
        "SELECT body FROM event WHERE ?1 IS NULL AND kind = ?2 ORDER BY sequence"
    }
}

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

fn insert(transaction: &Transaction<'_>, run: &str, records: &Records) -> Result<(), rusqlite::Error> {
    fn all<T: Serialize>(transaction: &Transaction<'_>, run: &str, kind: &str, rows: &[T]) -> Result<(), rusqlite::Error> {
        let mut statement = transaction.prepare("INSERT INTO event (run, kind, body) VALUES (?1, ?2, ?3)")?;
        for row in rows {
            let body = serde_json::to_string(row).expect("a row of the record has text keys only");
            statement.execute(params![run, kind, body])?;
        }
        Ok(())
    }
    all(transaction, run, "decision", &records.decisions)?;
    all(transaction, run, "order", &records.orders)?;
    all(transaction, run, "refusal", &records.refusals)?;
    all(transaction, run, "fill", &records.fills)?;
    all(transaction, run, "equity", &records.equity)?;
    all(transaction, run, "notice", &records.notices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_one_run_are_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let plan = format!("EXPLAIN QUERY PLAN {}", rows_query(true));
        let plan: String = journal.db.query_row(&plan, ["a", "order"], |row| row.get("detail")).unwrap();
        assert!(plan.contains("USING INDEX event_by_run (run=? AND kind=?)"), "{plan}");
    }
}
