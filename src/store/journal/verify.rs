//! Is a journal what was written? Its pages, the chain of its log, and the tables that say the same as the log.

use std::path::Path;

use rusqlite::{Connection, params};
use serde_json::Value;

use super::log::{self, Head, Misfit, Verified};
use super::{Journal, JournalError, head, look_at, migrations, orders, standing};
use crate::domain::Time;
use crate::store::disk::hex;

/// Problems of pages that are told.
const PROBLEMS_MAX: u32 = 1;

/// Asks SQLite whether the file's pages are in order, by `integrity_check` or the shorter `quick_check`.
pub(super) fn pages(db: &Connection, path: &Path, check: &str) -> Result<(), JournalError> {
    let sql = format!("PRAGMA {check}({PROBLEMS_MAX})");
    let problem: String = db.query_row(&sql, [], |row| row.get(0)).map_err(|source| JournalError::of(path.to_owned(), source))?;
    if problem == "ok" {
        return Ok(());
    }
    // Its first line says which of several databases is meant, and we have one.
    let problem = problem.lines().last().unwrap_or_default().to_owned();
    Err(JournalError::Damaged { path: path.to_owned(), problem })
}

/// The chain, what is beside it, and the tables.
fn contents(db: &Connection, path: &Path, known: Option<Head>, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
    let wrong = |source| JournalError::of(path.to_owned(), source);
    let broken = |misfit: Misfit| JournalError::Broken { path: path.to_owned(), row: misfit.row, why: misfit.why };
    // One view of all tables, whatever another program writes meanwhile.
    let view = db.unchecked_transaction().map_err(wrong)?;
    let verified = log::verify(&view, true, progress).map_err(wrong)?.map_err(broken)?;
    if let Some(known) = known
        && log::hash_at(&view, known.sequence).map_err(wrong)? != Some(known.hash)
    {
        let why = format!("row {} is not the one that {} knows", known.sequence, head::FILE);
        return Err(JournalError::Older { path: path.to_owned(), why });
    }
    let problem = tables(&view, &verified).map_err(wrong)?;
    match problem {
        Some(problem) => Err(JournalError::Damaged { path: path.to_owned(), problem }),
        None => Ok(verified),
    }
}

/// What a table says that the log does not; `None` when they agree.
pub(super) fn tables(db: &Connection, verified: &Verified) -> Result<Option<String>, rusqlite::Error> {
    for (table, logged) in [("live_order", verified.intents), ("live_fill", verified.fills)] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        if rows as u64 != logged {
            return Ok(Some(format!("{table} has {rows} rows, and the log tells of {logged}")));
        }
    }
    if let Some(account) = wrong_standing(db)? {
        return Ok(Some(format!("where {account} stands is not what the log says")));
    }
    if let Some(id) = wrong_order(db)? {
        return Ok(Some(format!("the order {id} is not as the log says")));
    }
    Ok(wrong_fill(db)?.map(|trade| format!("the fill {trade} is not as the log says")))
}

pub(super) fn wrong_standing(db: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT pipeline, open_time, fingerprint, snapshot, kind, event.body FROM watermark
               LEFT JOIN event ON sequence = logged";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let account: String = row.get(0)?;
        let (watermark, fingerprint, snapshot) =
            (Time::from_micros(row.get(1)?), row.get::<_, String>(2)?, row.get::<_, String>(3)?);
        let sha256 = hex(&standing::digest(&account, watermark, &fingerprint, &snapshot));
        let stated = standing::Stated { account, watermark, fingerprint, sha256 };
        let (kind, body): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
        let found: Option<standing::Stated> = body.and_then(|body| serde_json::from_str(&body).ok());
        if kind.as_deref() != Some(standing::KIND) || found.as_ref() != Some(&stated) {
            return Ok(Some(stated.account));
        }
    }
    Ok(None)
}

fn parsed(text: Option<String>) -> Value {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn wrong_order(db: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT id, state, is_open, live_order.body, kind, event.body FROM live_order LEFT JOIN event ON sequence = logged";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, state, is_open): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (body, kind, logged) = (parsed(row.get(3)?), row.get::<_, Option<String>>(4)?, parsed(row.get(5)?));
        let is_same = logged["id"] == *id && logged["body"] == body;
        let is_right = match kind.as_deref() {
            Some(orders::INTENT) => is_same && is_open && state == orders::CREATED,
            Some(orders::ORDER) => is_same && logged["state"] == *state && logged["is_open"] == is_open,
            _ => false,
        };
        if !is_right {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn wrong_fill(db: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT account, symbol, trade, order_id, live_fill.body, event.body FROM live_fill
               LEFT JOIN event ON sequence = logged AND kind = ?1";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(params![orders::FILL])?;
    while let Some(row) = rows.next()? {
        let (account, symbol, trade, order): (String, String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (body, logged) = (parsed(row.get(4)?), parsed(row.get(5)?));
        let names = logged["account"] == *account && logged["symbol"] == *symbol && logged["order"] == *order;
        if !names || logged["trade"] != trade as u64 || logged["body"] != body {
            return Ok(Some(format!("{trade} of {symbol}")));
        }
    }
    Ok(None)
}

/// Looks over a file that nobody writes, like a backup.
///
/// # Errors
/// What is wrong with it.
pub fn verify_file(path: &Path, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
    let (db, found) = look_at(path)?;
    if usize::try_from(found).ok() != Some(migrations::VERSION) {
        let known = migrations::VERSION;
        if found > known as i64 {
            return Err(JournalError::Newer { path: path.to_owned(), found, known });
        }
        let problem = format!("it is no journal of this version: its version is {found}, not {known}");
        return Err(JournalError::Damaged { path: path.to_owned(), problem });
    }
    pages(&db, path, "integrity_check")?;
    contents(&db, path, None, progress)
}

impl Journal {
    pub(super) fn broken(&self, misfit: Misfit) -> JournalError {
        JournalError::Broken { path: self.path.clone(), row: misfit.row, why: misfit.why }
    }

    /// Looks whether the log is whole from its first row on, and whether the tables say what it says.
    ///
    /// # Errors
    /// The first row that does not fit, or what does not agree.
    pub fn verify_log(&self, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        // Before the rows: a program that writes meanwhile makes the log longer, never shorter.
        let known = match self.path.parent() {
            Some(folder) if self.path.exists() => head::load(folder)?,
            _ => None,
        };
        contents(&self.db, &self.path, known, progress)
    }

    /// The same, and every page of the file: before money moves.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        pages(&self.db, &self.path, "integrity_check")?;
        self.verify_log(progress)
    }
}
