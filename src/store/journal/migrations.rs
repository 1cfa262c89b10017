//! How the tables came to be: migrations, oldest first. `user_version` counts those applied. Only ever append.

use rusqlite::{Connection, Transaction};
use serde_json::{Value, json};

use super::log::{self, Head};
use super::standing;
use crate::domain::Time;

type Step = fn(&Transaction<'_>) -> Result<(), rusqlite::Error>;

/// All of them.
pub(super) const ALL: [Step; 2] = [first, chained];

/// The version that a file has when all are applied.
pub(super) const VERSION: usize = ALL.len();

pub(super) fn version(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn first(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "
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
",
    )
}

/// The log becomes a chain of everything, and orders of a real venue get their tables.
fn chained(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "
ALTER TABLE event RENAME TO event_before;
DROP INDEX event_by_run;
-- The log: every row's hash covers the row before.
CREATE TABLE event (
    sequence    INTEGER PRIMARY KEY,
    -- When it happened, microseconds.
    at          INTEGER NOT NULL,
    run         TEXT REFERENCES run (id),
    kind        TEXT NOT NULL,
    body        TEXT NOT NULL,
    hash        BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
ALTER TABLE watermark ADD COLUMN sha256 BLOB;
-- The row of the log that says the same.
ALTER TABLE watermark ADD COLUMN logged INTEGER;
",
    )?;
    let mut head = Head::START;
    chain_rows(transaction, &mut head)?;
    chain_halts(transaction, &mut head)?;
    standing::seal_all(transaction, &mut head)?;
    transaction.execute_batch(
        "
DROP TABLE event_before;
DROP TABLE halt_log;
CREATE INDEX event_by_run ON event (run, kind, sequence) WHERE run IS NOT NULL;
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END;
-- Those that were begun and never ended, without a look at all that ever ran.
CREATE INDEX run_cut_off ON run (state) WHERE state = 'running';
-- Orders of a real venue. An id is never taken out, so that it is never used again.
CREATE TABLE live_order (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL,
    -- The fencing token of the lease that it was written under; NULL without one.
    token       INTEGER,
    state       TEXT NOT NULL,
    body        TEXT NOT NULL,
    is_open     INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    updated_at  INTEGER NOT NULL,
    logged      INTEGER NOT NULL
) STRICT;
CREATE INDEX live_order_open ON live_order (account, id) WHERE is_open = 1;
CREATE INDEX live_order_by_account ON live_order (account);
CREATE TRIGGER live_order_is_not_removed BEFORE DELETE ON live_order
BEGIN SELECT RAISE(ABORT, 'an order is never forgotten'); END;
CREATE TABLE live_fill (
    account     TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    -- The venue's number of the fill.
    trade       INTEGER NOT NULL,
    order_id    TEXT NOT NULL,
    body        TEXT NOT NULL,
    logged      INTEGER NOT NULL,
    PRIMARY KEY (account, symbol, trade)
) STRICT, WITHOUT ROWID;
CREATE INDEX live_fill_by_order ON live_fill (order_id);
CREATE TRIGGER live_fill_is_not_changed BEFORE UPDATE ON live_fill
BEGIN SELECT RAISE(ABORT, 'a fill is a fill'); END;
CREATE TRIGGER live_fill_is_not_removed BEFORE DELETE ON live_fill
BEGIN SELECT RAISE(ABORT, 'a fill is a fill'); END;
-- Who may act on an account.
CREATE TABLE lease (
    account     TEXT PRIMARY KEY,
    -- Grows by one with each claim.
    token       INTEGER NOT NULL,
    host        TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    renewed_at  INTEGER NOT NULL
) STRICT;
",
    )
}

fn chain_rows(transaction: &Transaction<'_>, head: &mut Head) -> Result<(), rusqlite::Error> {
    let mut rows = transaction.prepare("SELECT run, kind, body FROM event_before ORDER BY sequence")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (run, kind, body) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        log::append(transaction, head, when(body), kind, Some(run), body)?;
    }
    Ok(())
}

fn chain_halts(transaction: &Transaction<'_>, head: &mut Head) -> Result<(), rusqlite::Error> {
    let mut rows = transaction.prepare("SELECT at, what, reason FROM halt_log ORDER BY sequence")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (what, reason) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        let body = json!({ "what": what, "reason": reason }).to_string();
        log::append(transaction, head, Time::from_micros(row.get(0)?), "resume", None, &body)?;
    }
    Ok(())
}

/// Rows had no time of their own before; their bodies say it, each kind in its own place.
fn when(body: &str) -> Time {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let places = ["/at", "/ended_at", "/intent/decided_at", "/fill/at", "/trip/at"];
    let text = places.iter().find_map(|place| body.pointer(place)?.as_str());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Applies what is missing; gives the head of the log that it leads to. Nothing counts before the caller commits.
pub(super) fn apply(transaction: &Transaction<'_>, applied: usize) -> Result<Head, rusqlite::Error> {
    for step in &ALL[applied..] {
        step(transaction)?;
    }
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    log::head(transaction)
}

/// Applies all but the newest ones, as an older program would have.
#[cfg(test)]
pub(super) fn apply_until(db: &mut Connection, version: usize) {
    let transaction = db.transaction().unwrap();
    ALL[..version].iter().for_each(|step| step(&transaction).unwrap());
    transaction.pragma_update(None, "user_version", version as i64).unwrap();
    transaction.commit().unwrap();
}
