//! The outbox of one profile: `runs/<profile>/alerts.db`. Alerts, the messages made of them, silences, codes.
//!
//! A file of its own, so that a delivery never makes the order path wait for a lock. Several programs may have it open: the one that
//! sends, and verbs beside it. The journal's log stays the truth of what happened; the outbox follows it row by row (`alerts.rs`).

mod alerts;
mod codes;
mod deliveries;
mod kept;
mod migrations;
mod silences;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};

pub use alerts::{AlertRow, AlertState, Followed, Raise, Word};
pub use codes::{Confirmed, Receipt};
pub use deliveries::{DELIVERIES_MAX, DeliveryRow, DeliveryState, Outcome, Telling, Told};
pub use silences::Silence;

use crate::domain::{Span, Time};
use crate::telemetry::Severity;

/// The outbox's file in the folder of a profile.
pub const FILE: &str = "alerts.db";
/// Another program has it for milliseconds at a time.
const BUSY_MAX: Duration = Duration::from_secs(2);
/// What has ended is kept so long.
const HISTORY: Span = Span::from_days(90);

#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error("cannot use the folder {path}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{path} was written by a newer tidegate (its version is {found}, this program knows {known})")]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("cannot use the outbox of alerts {path}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl OutboxError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "make the folder writable, or change storage.runs",
            Self::Newer { .. } => "use the newer program that wrote it",
            Self::Sqlite { .. } => "look at the disk; should the file be damaged, move it away: the log keeps what happened",
        }
    }
}

/// An open outbox.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    db: Connection,
}

impl Outbox {
    /// Opens or makes the outbox in `folder`.
    ///
    /// # Errors
    /// What is wrong with the folder or the file.
    pub fn open(folder: &Path) -> Result<Self, OutboxError> {
        std::fs::create_dir_all(folder).map_err(|source| OutboxError::Folder { path: folder.to_owned(), source })?;
        let path = folder.join(FILE);
        let connect = || {
            let db = Connection::open(&path)?;
            db.busy_timeout(BUSY_MAX)?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "FULL")?;
            Ok(db)
        };
        let db = connect().map_err(|source| OutboxError::Sqlite { path: path.clone(), source })?;
        Self::migrated(path, db)
    }

    /// Opens the outbox in `folder` if there is one, to look at only.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn look(folder: &Path) -> Result<Option<Self>, OutboxError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let db = Connection::open_with_flags(&path, flags)?;
            db.busy_timeout(BUSY_MAX)?;
            let found = migrations::version(&db)?;
            Ok((db, found))
        };
        let (db, found) = connect().map_err(|source| OutboxError::Sqlite { path: path.clone(), source })?;
        match usize::try_from(found) {
            Ok(found) if found == migrations::ALL.len() => Ok(Some(Self { path, db })),
            // An older one is brought up to date by the next program that writes it.
            Ok(found) if found < migrations::ALL.len() => Ok(None),
            _ => Err(OutboxError::Newer { path, found, known: migrations::ALL.len() }),
        }
    }

    /// An outbox that is nowhere but in memory.
    ///
    /// # Errors
    /// When memory is short.
    pub fn in_memory() -> Result<Self, OutboxError> {
        let path = PathBuf::from(":memory:");
        let db = Connection::open_in_memory().map_err(|source| OutboxError::Sqlite { path: path.clone(), source })?;
        Self::migrated(path, db)
    }

    fn migrated(path: PathBuf, mut db: Connection) -> Result<Self, OutboxError> {
        let found = migrations::version(&db).map_err(|source| OutboxError::Sqlite { path: path.clone(), source })?;
        let known = migrations::ALL.len();
        match usize::try_from(found).ok().filter(|&applied| applied <= known) {
            None => return Err(OutboxError::Newer { path, found, known }),
            Some(applied) if applied == known => {}
            Some(_) => migrations::apply(&mut db).map_err(|source| OutboxError::Sqlite { path: path.clone(), source })?,
        }
        Ok(Self { path, db })
    }

    /// Drops what ended long before `now`.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn prune(&mut self, now: Time) -> Result<(), OutboxError> {
        let before = (now - HISTORY).micros();
        self.transact(|transaction| {
            transaction.execute("DELETE FROM alert WHERE state = 'resolved' AND resolved_at < ?1", [before])?;
            transaction.execute("DELETE FROM delivery WHERE state <> 'pending' AND created_at < ?1", [before])?;
            transaction.execute("DELETE FROM silence WHERE until < ?1", [before])?;
            transaction.execute("DELETE FROM receipt_code WHERE created_at < ?1", [before])?;
            Ok(())
        })
    }

    fn wrong(&self) -> impl Fn(rusqlite::Error) -> OutboxError + use<> {
        let path = self.path.clone();
        move |source| OutboxError::Sqlite { path: path.clone(), source }
    }

    /// One transaction, which has the right to write from its first statement on.
    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, OutboxError> {
        let wrong = self.wrong();
        let attempt = || {
            let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        attempt().map_err(wrong)
    }

    /// Rows of a query, each made by `read`.
    fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: fn(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, OutboxError> {
        let all = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let rows = statement.query_map(values, read)?;
            rows.collect::<Result<_, _>>()
        };
        all().map_err(self.wrong())
    }
}

/// A time of a row.
fn time(row: &Row<'_>, name: &str) -> Result<Time, rusqlite::Error> {
    row.get(name).map(Time::from_micros)
}

fn maybe_time(row: &Row<'_>, name: &str) -> Result<Option<Time>, rusqlite::Error> {
    Ok(row.get::<_, Option<i64>>(name)?.map(Time::from_micros))
}

fn severity(row: &Row<'_>, name: &str) -> Result<Severity, rusqlite::Error> {
    // The column takes no other words.
    Ok(Severity::named(&row.get::<_, String>(name)?).unwrap_or(Severity::Critical))
}

/// JSON of a column; what cannot be read is empty: a message with less in it is better than none.
fn json<T: serde::de::DeserializeOwned + Default>(row: &Row<'_>, name: &str) -> Result<T, rusqlite::Error> {
    Ok(serde_json::from_str(&row.get::<_, String>(name)?).unwrap_or_default())
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts by texts")
}
