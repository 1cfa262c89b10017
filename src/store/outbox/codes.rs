//! Codes that go out with a test alert, and that a person types back: proof that somebody received it.

use rusqlite::{OptionalExtension, Row, params};

use super::{Outbox, OutboxError, maybe_time, time};
use crate::domain::Time;

/// A code: eight letters and digits that nobody mistakes for one another, so about 38 bits.
const MINT: &str =
    "SELECT substr(group_concat(substr('ABCDEFGHJKLMNPQRSTUVWXYZ23456789', 1 + (abs(random()) % 32), 1), ''), 1, 8)
                    FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8))";

/// When a code went out, and when it came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    pub created_at: Time,
    pub confirmed_at: Option<Time>,
}

/// A code that one receiver and no other took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub receiver: String,
    pub created_at: Time,
    pub confirmed_at: Option<Time>,
}

impl Outbox {
    /// A new code, not confirmed yet.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn issue_code(&mut self, now: Time) -> Result<String, OutboxError> {
        self.transact(|transaction| {
            let code: String = transaction.query_row(MINT, [], |row| row.get(0))?;
            transaction.execute("INSERT INTO receipt_code (code, created_at) VALUES (?1, ?2)", params![code, now.micros()])?;
            Ok(code)
        })
    }

    /// Somebody typed a code back. Gives when it went out; `None` where no such code did. The first time counts.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn confirm(&mut self, code: &str, now: Time) -> Result<Option<Confirmed>, OutboxError> {
        let sql = "UPDATE receipt_code SET confirmed_at = ?2 WHERE code = ?1 AND confirmed_at IS NULL";
        let code = normal(code);
        self.transact(|transaction| transaction.execute(sql, params![code, now.micros()]))?;
        self.confirmed(&code)
    }

    /// What became of a code; `None` where none such was issued.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn confirmed(&self, code: &str) -> Result<Option<Confirmed>, OutboxError> {
        let read = |row: &Row<'_>| {
            Ok(Confirmed { created_at: time(row, "created_at")?, confirmed_at: maybe_time(row, "confirmed_at")? })
        };
        let sql = "SELECT created_at, confirmed_at FROM receipt_code WHERE code = ?1";
        self.db.query_row(sql, [normal(code)], read).optional().map_err(self.wrong())
    }

    /// Codes since then that exactly one receiver took, the oldest first. One that several took proves nothing of any of them.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn receipts(&self, since: Time) -> Result<Vec<Receipt>, OutboxError> {
        let sql = "SELECT c.created_at, c.confirmed_at, min(d.receiver) AS receiver
                   FROM receipt_code c JOIN delivery d
                     ON d.kind = 'test' AND d.state = 'delivered' AND d.created_at >= ?1 AND instr(d.title, c.code) > 0
                   WHERE c.created_at >= ?1 GROUP BY c.code HAVING count(DISTINCT d.receiver) = 1 ORDER BY c.created_at";
        let read = |row: &Row<'_>| {
            let (created_at, confirmed_at) = (time(row, "created_at")?, maybe_time(row, "confirmed_at")?);
            Ok(Receipt { receiver: row.get("receiver")?, created_at, confirmed_at })
        };
        self.rows(sql, [since.micros()], read)
    }
}

/// As it was issued: people type small letters and blanks.
fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}
