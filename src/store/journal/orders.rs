//! An order's life on a real venue: intents before effects, each id once for ever, each fill once.
//!
//! Every entry is a row of the log and a change of its table in the same transaction, so the tables can be judged by the log.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::lease::{self, Held};
use super::log;
use super::scribe::{Scribe, Stop};
use super::{Journal, JournalError};
use crate::domain::{ClientOrderId, Time};

/// Kinds of the log's rows about orders.
pub(super) const INTENT: &str = "intent";
pub(super) const ORDER: &str = "order-state";
pub(super) const FILL: &str = "venue-fill";
/// The state of an order that is no more than an intent.
pub(super) const CREATED: &str = "created";

/// Something to be written down.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// We would like to send an order. Its id must be new, and its account ours.
    Intent { account: String, id: ClientOrderId, body: Value },
    /// Where an order stands now; its intent must be there.
    Order { id: ClientOrderId, state: &'static str, body: Value, is_open: bool },
    /// A fill, by the venue's number on one symbol. One that is there already is no other.
    Fill { account: String, symbol: String, trade: u64, order: ClientOrderId, body: Value },
    /// Anything else that happened.
    Note { kind: &'static str, body: Value },
}

/// What the log says of an intent.
#[derive(Serialize)]
struct IntentRow<'a> {
    account: &'a str,
    id: ClientOrderId,
    token: Option<u64>,
    body: &'a Value,
}

/// What it says of an order's state.
#[derive(Serialize)]
struct OrderRow<'a> {
    id: ClientOrderId,
    state: &'a str,
    is_open: bool,
    body: &'a Value,
}

/// What it says of a fill.
#[derive(Serialize)]
struct FillRow<'a> {
    account: &'a str,
    symbol: &'a str,
    trade: u64,
    order: ClientOrderId,
    body: &'a Value,
}

/// What became of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Positions, among the entries, of fills that were there before: nothing was written for them.
    pub known: Vec<usize>,
}

impl Written {
    /// Was the entry at this position new?
    #[must_use]
    pub fn is_new(&self, at: usize) -> bool {
        !self.known.contains(&at)
    }
}

/// An order as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderEntry {
    pub id: ClientOrderId,
    pub account: String,
    /// Of the lease that the intent was written under.
    pub token: Option<u64>,
    pub state: String,
    pub body: Value,
    pub is_open: bool,
    pub updated_at: Time,
}

/// A fill as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FillEntry {
    pub symbol: String,
    pub trade: u64,
    pub order: ClientOrderId,
    pub body: Value,
}

/// Writes entries within a transaction.
pub(super) fn enter(scribe: &mut Scribe<'_>, entries: &[Entry], leases: &[Held], now: Time) -> Result<Written, Stop> {
    let mut written = Written::default();
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Intent { account, id, body } => {
                let token = lease::check(&scribe.transaction, account, leases, now)?;
                intend(scribe, account, *id, token, body, now)?;
            }
            Entry::Order { id, state, body, is_open } => change(scribe, *id, state, body, *is_open, now)?,
            Entry::Fill { account, symbol, trade, order, body } => {
                if !fill(scribe, account, symbol, *trade, *order, body, now)? {
                    written.known.push(at);
                }
            }
            Entry::Note { kind, body } => {
                assert!(!is_reserved(kind), "a note is not a {kind}: those have their own way into the log");
                scribe.append_json(now, kind, None, body)?;
            }
        }
    }
    Ok(written)
}

/// Kinds that readers take for something else than a note.
fn is_reserved(kind: &str) -> bool {
    log::KINDS.contains(&kind) || [INTENT, ORDER, FILL, super::standing::KIND, super::ladder::KIND].contains(&kind)
}

fn intend(
    scribe: &mut Scribe<'_>,
    account: &str,
    id: ClientOrderId,
    token: Option<u64>,
    body: &Value,
    now: Time,
) -> Result<(), Stop> {
    scribe.append_json(now, INTENT, None, &IntentRow { account, id, token, body })?;
    let sql = "INSERT INTO live_order (id, account, token, state, body, is_open, updated_at, logged)
               VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    let mut statement = scribe.transaction.prepare_cached(sql)?;
    let token = token.map(|token| token as i64);
    let logged = scribe.head.sequence as i64;
    let added = statement.execute(params![id.to_string(), account, token, CREATED, body.to_string(), now.micros(), logged])?;
    if added == 1 { Ok(()) } else { Err(JournalError::OrderIdUsed(id).into()) }
}

fn change(scribe: &mut Scribe<'_>, id: ClientOrderId, state: &str, body: &Value, is_open: bool, now: Time) -> Result<(), Stop> {
    scribe.append_json(now, ORDER, None, &OrderRow { id, state, is_open, body })?;
    let sql = "UPDATE live_order SET state = ?2, body = ?3, is_open = ?4, updated_at = ?5, logged = ?6 WHERE id = ?1";
    let mut statement = scribe.transaction.prepare_cached(sql)?;
    let logged = scribe.head.sequence as i64;
    let changed = statement.execute(params![id.to_string(), state, body.to_string(), is_open, now.micros(), logged])?;
    if changed == 1 { Ok(()) } else { Err(JournalError::NoSuchOrder(id).into()) }
}

/// False when the fill was there.
fn fill(
    scribe: &mut Scribe<'_>,
    account: &str,
    symbol: &str,
    trade: u64,
    order: ClientOrderId,
    body: &Value,
    now: Time,
) -> Result<bool, Stop> {
    let sql = "SELECT 1 FROM live_fill WHERE account = ?1 AND symbol = ?2 AND trade = ?3";
    if scribe.transaction.prepare_cached(sql)?.exists(params![account, symbol, trade as i64])? {
        return Ok(false);
    }
    scribe.append_json(now, FILL, None, &FillRow { account, symbol, trade, order, body })?;
    let sql = "INSERT INTO live_fill (account, symbol, trade, order_id, body, logged) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = scribe.transaction.prepare_cached(sql)?;
    let logged = scribe.head.sequence as i64;
    statement.execute(params![account, symbol, trade as i64, order.to_string(), body.to_string(), logged])?;
    Ok(true)
}

impl Journal {
    /// Writes entries down, all or none. When this gives `Ok` they are on the disk.
    ///
    /// # Errors
    /// [`JournalError::OrderIdUsed`], [`JournalError::NoSuchOrder`], [`JournalError::Lost`] for what must not be;
    /// [`JournalError::Full`] and [`JournalError::Busy`] when the disk or another program is in the way, nothing being written then;
    /// [`JournalError::Unsynced`] when nobody knows.
    pub fn write(&mut self, entries: &[Entry], now: Time) -> Result<Written, JournalError> {
        if entries.is_empty() {
            return Ok(Written::default());
        }
        let leases = std::mem::take(&mut self.leases);
        let done = self.transact(|scribe| enter(scribe, entries, &leases, now));
        self.leases = leases;
        done
    }

    /// Orders of an account that have not ended, by their ids.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn open_orders(&self, account: &str) -> Result<Vec<OrderEntry>, JournalError> {
        let sql = "SELECT id, account, token, state, body, is_open, updated_at FROM live_order
                   WHERE account = ?1 AND is_open = 1 ORDER BY id";
        self.order_rows(sql, params![account])
    }

    /// The newest orders of an account, ended or not, the newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn orders(&self, account: &str, limit: u32) -> Result<Vec<OrderEntry>, JournalError> {
        let sql = "SELECT id, account, token, state, body, is_open, updated_at FROM live_order
                   WHERE account = ?1 ORDER BY rowid DESC LIMIT ?2";
        self.order_rows(sql, params![account, limit])
    }

    /// One order; `None` when there never was an intent of this id.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn order(&self, id: ClientOrderId) -> Result<Option<OrderEntry>, JournalError> {
        let sql = "SELECT id, account, token, state, body, is_open, updated_at FROM live_order WHERE id = ?1";
        Ok(self.order_rows(sql, params![id.to_string()])?.pop())
    }

    fn order_rows(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<OrderEntry>, JournalError> {
        let wrong = self.sqlite();
        let mut statement = self.db.prepare_cached(sql).map_err(&wrong)?;
        let mut rows = statement.query(values).map_err(&wrong)?;
        let mut orders = Vec::new();
        while let Some(row) = rows.next().map_err(&wrong)? {
            orders.push(self.order_entry(row)?);
        }
        Ok(orders)
    }

    fn order_entry(&self, row: &Row<'_>) -> Result<OrderEntry, JournalError> {
        let read = || -> rusqlite::Result<_> {
            let token: Option<i64> = row.get(2)?;
            let texts = (row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(3)?, row.get::<_, String>(4)?);
            Ok((texts, token, row.get::<_, bool>(5)?, Time::from_micros(row.get(6)?)))
        };
        let ((id, account, state, body), token, is_open, updated_at) = read().map_err(self.sqlite())?;
        let (id, body) = (self.client_id(&id)?, self.parse("order", &body)?);
        Ok(OrderEntry { id, account, token: token.map(|token| token as u64), state, body, is_open, updated_at })
    }

    fn client_id(&self, text: &str) -> Result<ClientOrderId, JournalError> {
        text.parse().map_err(|error| JournalError::Damaged { path: self.path.clone(), problem: format!("{error}") })
    }

    /// The newest fill of an account on a symbol, by the venue's number.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_trade(&self, account: &str, symbol: &str) -> Result<Option<u64>, JournalError> {
        let sql = "SELECT trade FROM live_fill WHERE account = ?1 AND symbol = ?2 ORDER BY trade DESC LIMIT 1";
        let wrong = self.sqlite();
        let mut statement = self.db.prepare_cached(sql).map_err(&wrong)?;
        let last: Option<i64> = statement.query_row(params![account, symbol], |row| row.get(0)).optional().map_err(&wrong)?;
        Ok(last.map(|last| last as u64))
    }

    /// Every fill of an account, by symbol and the venue's number: what its positions are the sum of.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn fills(&self, account: &str) -> Result<Vec<FillEntry>, JournalError> {
        let sql = "SELECT symbol, trade, order_id, body FROM live_fill WHERE account = ?1 ORDER BY symbol, trade";
        self.fill_rows(sql, account)
    }

    /// The fills of one order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn fills_of(&self, id: ClientOrderId) -> Result<Vec<FillEntry>, JournalError> {
        let sql = "SELECT symbol, trade, order_id, body FROM live_fill WHERE order_id = ?1 ORDER BY symbol, trade";
        self.fill_rows(sql, &id.to_string())
    }

    fn fill_rows(&self, sql: &str, key: &str) -> Result<Vec<FillEntry>, JournalError> {
        let wrong = self.sqlite();
        let mut statement = self.db.prepare_cached(sql).map_err(&wrong)?;
        let mut rows = statement.query([key]).map_err(&wrong)?;
        let mut fills = Vec::new();
        while let Some(row) = rows.next().map_err(&wrong)? {
            let read = || -> rusqlite::Result<(String, i64, String, String)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (symbol, trade, order, body) = read().map_err(&wrong)?;
            let (order, body) = (self.client_id(&order)?, self.parse("fill", &body)?);
            fills.push(FillEntry { symbol, trade: trade as u64, order, body });
        }
        Ok(fills)
    }
}
