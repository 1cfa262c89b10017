//! One transaction of the journal: what it adds to the log and changes beside it counts together or not at all.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::Serialize;

use super::log::{self, Head};
use super::{Journal, JournalError};
use crate::domain::Time;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Stop {
    Sqlite(rusqlite::Error),
    Refused(JournalError),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

/// Who writes within a transaction.
#[derive(Debug)]
pub(super) struct Scribe<'a> {
    pub transaction: Transaction<'a>,
    pub head: Head,
    /// Room for a body; reused from row to row.
    buffer: Vec<u8>,
}

impl Scribe<'_> {
    /// Adds a row to the log.
    pub fn append_json<T: Serialize + ?Sized>(
        &mut self,
        at: Time,
        kind: &str,
        run: Option<&str>,
        body: &T,
    ) -> Result<(), rusqlite::Error> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, body).expect("a row has text keys only, and memory takes what is written");
        let body = std::str::from_utf8(&self.buffer).expect("JSON is UTF-8");
        log::append(&self.transaction, &mut self.head, at, kind, run, body)
    }
}

/// Runs `work` in a transaction behind `head`; gives what it gave and the new head.
fn attempt<T>(
    db: &mut Connection,
    head: Head,
    buffer: Vec<u8>,
    work: impl FnOnce(&mut Scribe<'_>) -> Result<T, Stop>,
) -> (Result<(T, Head), Stop>, Vec<u8>) {
    // A transaction that takes the right to write only with its first row may find it gone by then.
    let transaction = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => return (Err(error.into()), buffer),
    };
    let mut scribe = Scribe { transaction, head, buffer };
    let done = work(&mut scribe);
    let Scribe { transaction, head, buffer } = scribe;
    let done = done.and_then(|value| {
        transaction.commit()?;
        Ok((value, head))
    });
    (done, buffer)
}

impl Journal {
    /// One transaction. After a failure the journal is as it was, unless nobody can know: then it takes nothing more.
    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&mut Scribe<'_>) -> Result<T, Stop>) -> Result<T, JournalError> {
        if self.is_spent {
            return Err(JournalError::Spent(self.path.clone()));
        }
        let (done, buffer) = attempt(&mut self.db, self.head, std::mem::take(&mut self.buffer), work);
        self.buffer = buffer;
        match done {
            Ok((value, head)) => {
                self.busy = 0;
                if head != self.head {
                    self.head = head;
                    self.note_head();
                }
                Ok(value)
            }
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Sqlite(source)) => Err(self.failed(source)),
        }
    }

    /// Tells the caller what a failed write means, and remembers it.
    fn failed(&mut self, source: rusqlite::Error) -> JournalError {
        let mut error = JournalError::of(self.path.clone(), source);
        self.is_spent |= error.is_final();
        if let JournalError::Busy { times, .. } = &mut error {
            self.busy += 1;
            *times = self.busy;
        }
        error
    }
}
