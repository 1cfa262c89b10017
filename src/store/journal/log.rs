//! The log: everything that happened, one row each, every row's hash covering the row before it.
//!
//! The hash of a row is SHA-256 of, one after the other: the hash of the row before (32 zero bytes before the first), the row's
//! number and its time (8 bytes each, least significant first), its kind, its run and its body. A text is 8 bytes of its length,
//! least significant first, and its UTF-8; a row outside of a run has eight bytes of ones for a length and no text.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::orders;
use super::scribe::Scribe;
use crate::domain::Time;
use crate::store::disk::hex;
use crate::telemetry::record::{Decision, EquityRow, FillRow, Notice, OrderRow, Records, RefusalRow};

/// Rows at the end of the log that every start looks at again.
const TAIL_ROWS: u64 = 16;
/// Rows between two words of progress.
const PROGRESS_EVERY: u64 = 1 << 14;

/// SHA-256 of a row and all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The last row of the log: its number and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Head {
    pub sequence: u64,
    pub hash: Hash,
}

impl Head {
    /// Before the first row.
    pub const START: Self = Self { sequence: 0, hash: Hash([0; 32]) };

    /// The head with one row more.
    fn with(self, at: Time, kind: &str, run: Option<&str>, body: &str) -> Self {
        let sequence = self.sequence + 1;
        let mut sum = Sha256::new();
        sum.update(self.hash.0);
        sum.update(sequence.to_le_bytes());
        sum.update(at.micros().to_le_bytes());
        text(&mut sum, Some(kind));
        text(&mut sum, run);
        text(&mut sum, Some(body));
        Self { sequence, hash: Hash(sum.finalize().into()) }
    }
}

fn text(sum: &mut Sha256, text: Option<&str>) {
    match text {
        Some(text) => {
            sum.update((text.len() as u64).to_le_bytes());
            sum.update(text);
        }
        None => sum.update(u64::MAX.to_le_bytes()),
    }
}

/// A row as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub sequence: u64,
    pub at: Time,
    pub run: Option<String>,
    pub kind: String,
    /// JSON.
    pub body: String,
    pub hash: Hash,
}

/// Which rows are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    pub kind: Option<String>,
    pub run: Option<String>,
    /// Rows that name this order.
    pub order: Option<String>,
    /// Rows of this time and later.
    pub since: Option<Time>,
    /// The newest so many.
    pub limit: u32,
}

/// A log that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub rows: u64,
    pub head: Head,
    /// Orders and fills of a real venue among them.
    pub intents: u64,
    pub fills: u64,
}

/// The first row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    pub row: u64,
    pub why: String,
}

/// Adds a row behind `head`, which moves on.
pub(super) fn append(
    transaction: &Transaction<'_>,
    head: &mut Head,
    at: Time,
    kind: &str,
    run: Option<&str>,
    body: &str,
) -> Result<(), rusqlite::Error> {
    let next = head.with(at, kind, run, body);
    let sql = "INSERT INTO event (sequence, at, run, kind, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![next.sequence as i64, at.micros(), run, kind, body, next.hash.0])?;
    *head = next;
    Ok(())
}

/// The last row, as it says of itself.
pub(super) fn head(db: &Connection) -> Result<Head, rusqlite::Error> {
    let sql = "SELECT sequence, hash FROM event ORDER BY sequence DESC LIMIT 1";
    let row = db.query_row(sql, [], |row| Ok(Head { sequence: row.get::<_, i64>(0)? as u64, hash: Hash(row.get(1)?) }));
    Ok(row.optional()?.unwrap_or(Head::START))
}

/// The hash that a row says it has.
pub(super) fn hash_at(db: &Connection, sequence: u64) -> Result<Option<Hash>, rusqlite::Error> {
    if sequence == 0 {
        return Ok(Some(Head::START.hash));
    }
    let sql = "SELECT hash FROM event WHERE sequence = ?1";
    db.query_row(sql, [sequence as i64], |row| Ok(Hash(row.get(0)?))).optional()
}

/// Looks whether the rows fit each other; with `is_whole` all of them, else the last ones.
pub(super) fn verify(
    db: &Connection,
    is_whole: bool,
    progress: impl FnMut(u64),
) -> Result<Result<Verified, Misfit>, rusqlite::Error> {
    let last = head(db)?.sequence;
    let first = if is_whole { 0 } else { last.saturating_sub(TAIL_ROWS) };
    let Some(hash) = hash_at(db, first)? else {
        return Ok(Err(Misfit { row: first, why: "the row is missing".to_owned() }));
    };
    verify_from(db, Head { sequence: first, hash }, progress)
}

/// Looks whether the rows behind `head` follow it and each other. Orders and fills are counted among those only.
pub(super) fn verify_from(
    db: &Connection,
    mut head: Head,
    mut progress: impl FnMut(u64),
) -> Result<Result<Verified, Misfit>, rusqlite::Error> {
    let first = head.sequence;
    let (mut intents, mut fills) = (0, 0);
    let sql = "SELECT sequence, at, run, kind, body, hash FROM event WHERE sequence > ?1 ORDER BY sequence";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([first as i64])?;
    while let Some(row) = rows.next()? {
        match follow(head, row) {
            Ok(next) => head = next,
            Err(why) => return Ok(Err(Misfit { row: head.sequence + 1, why })),
        }
        match row.get_ref(3)?.as_str()? {
            orders::INTENT => intents += 1,
            orders::FILL => fills += 1,
            _ => {}
        }
        if head.sequence.is_multiple_of(PROGRESS_EVERY) {
            progress(head.sequence);
        }
    }
    progress(head.sequence);
    Ok(Ok(Verified { rows: head.sequence, head, intents, fills }))
}

/// The head behind a row that follows `head`; a row that does not says why.
fn follow(head: Head, row: &Row<'_>) -> Result<Head, String> {
    let unreadable = |error: rusqlite::Error| format!("it cannot be read: {error}");
    let sequence = row.get::<_, i64>(0).map_err(unreadable)? as u64;
    if sequence != head.sequence + 1 {
        return Err(format!("the row is missing; the next one is {sequence}"));
    }
    let text =
        |at: usize| row.get_ref(at).map_err(unreadable)?.as_str_or_null().map_err(|error| format!("it cannot be read: {error}"));
    let at = Time::from_micros(row.get(1).map_err(unreadable)?);
    let (run, kind, body) = (text(2)?, text(3)?.unwrap_or_default(), text(4)?.unwrap_or_default());
    let next = head.with(at, kind, run, body);
    let stated = Hash(row.get(5).map_err(unreadable)?);
    if next.hash == stated { Ok(next) } else { Err("its hash is not that of its content behind the row before".to_owned()) }
}

/// Rows that `query` asks for, the newest last.
pub(super) fn rows(db: &Connection, query: &LogQuery) -> Result<Vec<LogRow>, rusqlite::Error> {
    // A row names an order by its client order id, whatever its kind; nothing else in a row looks like one.
    let sql = "SELECT sequence, at, run, kind, body, hash FROM event
               WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR run = ?2) AND (?3 IS NULL OR instr(body, ?3) > 0) AND at >= ?4
               ORDER BY sequence DESC LIMIT ?5";
    let since = query.since.unwrap_or(Time::MIN).micros();
    let mut statement = db.prepare(sql)?;
    let found = statement.query_map(params![query.kind, query.run, query.order, since, query.limit], whole)?;
    let mut rows = found.collect::<Result<Vec<_>, _>>()?;
    rows.reverse();
    Ok(rows)
}

/// Rows of some kinds behind one and up to another, the oldest first.
pub(super) fn between(
    db: &Connection,
    after: u64,
    until: u64,
    kinds: &[&str],
    limit: u32,
) -> Result<Vec<LogRow>, rusqlite::Error> {
    let sql = "SELECT sequence, at, run, kind, body, hash FROM event
               WHERE sequence > ?1 AND sequence <= ?2 AND kind IN (SELECT value FROM json_each(?3)) ORDER BY sequence LIMIT ?4";
    let kinds = serde_json::to_string(kinds).expect("texts");
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(params![after as i64, until as i64, kinds, limit], whole)?;
    found.collect()
}

fn whole(row: &Row<'_>) -> Result<LogRow, rusqlite::Error> {
    Ok(LogRow {
        sequence: row.get::<_, i64>(0)? as u64,
        at: Time::from_micros(row.get(1)?),
        run: row.get(2)?,
        kind: row.get(3)?,
        body: row.get(4)?,
        hash: Hash(row.get(5)?),
    })
}

/// Rows of the record: what kind each is, and when it happened.
pub(super) trait Recorded: Serialize {
    const KIND: &'static str;
    fn at(&self) -> Time;
}

/// The kinds of the record's rows.
pub(super) const KINDS: [&str; 6] =
    [Decision::KIND, OrderRow::KIND, RefusalRow::KIND, FillRow::KIND, EquityRow::KIND, Notice::KIND];

impl Recorded for Decision {
    const KIND: &'static str = "decision";
    fn at(&self) -> Time {
        self.at
    }
}

impl Recorded for OrderRow {
    const KIND: &'static str = "order";
    fn at(&self) -> Time {
        self.ended_at.unwrap_or(self.intent.decided_at)
    }
}

impl Recorded for RefusalRow {
    const KIND: &'static str = "refusal";
    fn at(&self) -> Time {
        self.at
    }
}

impl Recorded for FillRow {
    const KIND: &'static str = "fill";
    fn at(&self) -> Time {
        self.fill.at
    }
}

impl Recorded for EquityRow {
    const KIND: &'static str = "equity";
    fn at(&self) -> Time {
        self.at
    }
}

impl Recorded for Notice {
    const KIND: &'static str = "notice";
    fn at(&self) -> Time {
        match self {
            Self::Killed { trip, .. } => trip.at,
            Self::OrderDenied { at, .. }
            | Self::OrderRejected { at, .. }
            | Self::BarGap { at, .. }
            | Self::ExcessFill { at, .. }
            | Self::Dust { at, .. } => *at,
        }
    }
}

/// Adds the rows of a record.
pub(super) fn record(scribe: &mut Scribe<'_>, run: &str, records: &Records) -> Result<(), rusqlite::Error> {
    fn all<T: Recorded>(scribe: &mut Scribe<'_>, run: &str, rows: &[T]) -> Result<(), rusqlite::Error> {
        rows.iter().try_for_each(|row| scribe.append_json(row.at(), T::KIND, Some(run), row))
    }
    all(scribe, run, &records.decisions)?;
    all(scribe, run, &records.orders)?;
    all(scribe, run, &records.refusals)?;
    all(scribe, run, &records.fills)?;
    all(scribe, run, &records.equity)?;
    all(scribe, run, &records.notices)
}
