//! Silences: what a person does not want to be told of for a while.

use rusqlite::{Row, params};
use serde::Serialize;

use super::{Outbox, OutboxError, time};
use crate::domain::Time;

/// A silence. It ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    pub id: i64,
    /// The key of an alert, with `*` for anything.
    pub matcher: String,
    pub reason: String,
    pub created_at: Time,
    pub until: Time,
}

impl Outbox {
    /// Adds a silence; gives its number.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn silence(&mut self, matcher: &str, reason: &str, until: Time, now: Time) -> Result<i64, OutboxError> {
        let sql = "INSERT INTO silence (matcher, reason, created_at, until) VALUES (?1, ?2, ?3, ?4)";
        self.transact(|transaction| {
            transaction.execute(sql, params![matcher, reason, now.micros(), until.micros()])?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Ends a silence now. Gives whether it was in force.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn unsilence(&mut self, id: i64, now: Time) -> Result<bool, OutboxError> {
        let sql = "UPDATE silence SET until = min(until, ?2) WHERE id = ?1 AND until > ?2";
        self.transact(|transaction| Ok(transaction.execute(sql, params![id, now.micros()])? == 1))
    }

    /// Silences that have not ended by `now`.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn silences(&self, now: Time) -> Result<Vec<Silence>, OutboxError> {
        let read = |row: &Row<'_>| {
            Ok(Silence {
                id: row.get("id")?,
                matcher: row.get("matcher")?,
                reason: row.get("reason")?,
                created_at: time(row, "created_at")?,
                until: time(row, "until")?,
            })
        };
        self.rows("SELECT * FROM silence WHERE until > ?1 ORDER BY id", [now.micros()], read)
    }
}
