//! How the tables came to be, oldest first. `user_version` counts those applied. Only ever append.

use rusqlite::{Connection, TransactionBehavior};

/// All of them.
pub(super) const ALL: [&str; 1] = [FIRST];

const FIRST: &str = "
CREATE TABLE alert (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The kind of trouble and what it concerns; alerts of one key are the same alert.
    key              TEXT NOT NULL,
    rule             TEXT,
    severity         TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title            TEXT NOT NULL,
    text             TEXT NOT NULL,
    fields           TEXT NOT NULL,
    -- Where it comes from: a row of the log, or the program.
    source           TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    -- It lasts until something ends it; what does not is over with the moment.
    lasts            INTEGER NOT NULL,
    -- It was found in the log by a later program.
    late             INTEGER NOT NULL,
    -- All times are microseconds. raised_at: of the first occurrence; since: from when it has stood without a break.
    raised_at        INTEGER NOT NULL,
    since            INTEGER NOT NULL,
    last_at          INTEGER NOT NULL,
    -- When it last became worth a message.
    queued_at        INTEGER NOT NULL,
    count            INTEGER NOT NULL,
    -- What it is about where one key stands for several, like orders.
    parts            TEXT NOT NULL,
    told_at          INTEGER,
    told_count       INTEGER NOT NULL DEFAULT 0,
    told_severity    TEXT,
    acked_at         INTEGER,
    acked_by         TEXT,
    resolved_at      INTEGER,
    resolved_told    INTEGER NOT NULL DEFAULT 0,
    unresolved_after INTEGER,
    consequence      TEXT,
    consequence_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_stands ON alert (key) WHERE state <> 'resolved';
CREATE INDEX alert_by_key ON alert (key, id);
CREATE TABLE delivery (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The message's name, the same for all its receivers and all tries.
    message          TEXT NOT NULL,
    route            TEXT NOT NULL,
    receiver         TEXT NOT NULL,
    kind             TEXT NOT NULL,
    severity         TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title            TEXT NOT NULL,
    text             TEXT NOT NULL,
    fields           TEXT NOT NULL,
    alerts           TEXT NOT NULL,
    at               INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    tries            INTEGER NOT NULL DEFAULT 0,
    next_try_at      INTEGER NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'dropped')),
    ended_at         INTEGER,
    error            TEXT,
    -- The delivery that this one stands in for.
    fallback_of      INTEGER REFERENCES delivery (id)
) STRICT;
CREATE INDEX delivery_waits ON delivery (next_try_at) WHERE state = 'pending';
CREATE INDEX delivery_by_time ON delivery (created_at);
CREATE INDEX delivery_instead ON delivery (fallback_of) WHERE fallback_of IS NOT NULL;
CREATE TABLE silence (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    matcher          TEXT NOT NULL,
    reason           TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    until            INTEGER NOT NULL
) STRICT;
-- How far the log was read, and from when on an alert is news.
CREATE TABLE followed (
    log              TEXT PRIMARY KEY,
    sequence         INTEGER NOT NULL,
    news_from        INTEGER NOT NULL
) STRICT;
CREATE TABLE receipt_code (
    code             TEXT PRIMARY KEY,
    created_at       INTEGER NOT NULL,
    confirmed_at     INTEGER
) STRICT;
CREATE TABLE kept (
    name             TEXT PRIMARY KEY,
    body             TEXT NOT NULL
) STRICT;
";

pub(super) fn version(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies what is missing. Another program may be doing the same: whoever comes second finds it done.
pub(super) fn apply(db: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = usize::try_from(version(&transaction)?).unwrap_or_default();
    for step in ALL.iter().skip(applied) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", ALL.len() as i64)?;
    transaction.commit()
}
