//! Small things that outlive a program: how far each rule has come.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Outbox, OutboxError, to_json};

impl Outbox {
    /// A small thing that was kept; `None` where there is none, or it is not what it should be.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OutboxError> {
        let found = self.db.query_row("SELECT body FROM kept WHERE name = ?1", [name], |row| row.get::<_, String>(0));
        Ok(found.optional().map_err(self.wrong())?.and_then(|body| serde_json::from_str(&body).ok()))
    }

    /// Keeps a small thing.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn keep<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), OutboxError> {
        let sql = "INSERT INTO kept (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = ?2";
        let body = to_json(value);
        self.transact(|transaction| transaction.execute(sql, params![name, body]).map(drop))
    }
}
