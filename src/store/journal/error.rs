//! What can be wrong with a journal, and what a person can do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::domain::{ClientOrderId, Time};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("another run holds {0}")]
    Locked(PathBuf),
    #[error("cannot use the folder {path}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{path} is not safe to keep a journal in: {why}")]
    Unsafe { path: PathBuf, why: String },
    #[error("{path} was written by a newer tidegate (its version is {found}, this program knows {known})")]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("the journal {path} is older than what was written last: {why}")]
    Older { path: PathBuf, why: String },
    #[error("the journal {path} is damaged: {problem}")]
    Damaged { path: PathBuf, problem: String },
    #[error("the log in {path} is broken at row {row}: {why}")]
    Broken { path: PathBuf, row: u64, why: String },
    #[error("cannot use the journal {path}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("no room to write the journal {path}; nothing of it was written")]
    Full { path: PathBuf, source: rusqlite::Error },
    #[error("another program keeps the journal {path} busy ({times} times in a row); nothing was written")]
    Busy { path: PathBuf, times: u32 },
    #[error("the disk failed under the journal {path}: nobody knows what of the last write is on it")]
    Unsynced { path: PathBuf, source: rusqlite::Error },
    #[error("the journal {0} failed before; nothing more is written to it")]
    Spent(PathBuf),
    #[error("cannot read the {what} in {path}")]
    Body { path: PathBuf, what: &'static str, source: serde_json::Error },
    #[error("the client order id {0} was used before; an id is used once, for ever")]
    OrderIdUsed(ClientOrderId),
    #[error("the journal has no intent for the order {0}")]
    NoSuchOrder(ClientOrderId),
    #[error("{account} is held by {holder} until {until}")]
    Held { account: String, holder: String, until: Time },
    #[error("this program holds {account} no more: {why}")]
    Lost { account: String, why: String },
    #[error("{0} is there already")]
    OutputThere(PathBuf),
    #[error("cannot write {path}")]
    Copy { path: PathBuf, source: std::io::Error },
}

impl JournalError {
    /// What SQLite said, sorted by what it means for the one who wrote.
    pub(super) fn of(path: PathBuf, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path, times: 1 },
            Some(ErrorCode::SystemIoFailure) => Self::Unsynced { path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, problem: source.to_string() },
            _ => Self::Sqlite { path, source },
        }
    }

    /// Must the program stop using this journal, because what it holds is not certain any more?
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Unsynced { .. } | Self::Spent(_) | Self::Damaged { .. } | Self::Broken { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Locked(_) => Some("wait for it to finish; two runs of one profile would trade twice"),
            Self::Folder { .. } => Some("make the folder writable, or change storage.runs"),
            Self::Unsafe { .. } => Some("make it a folder of your own that nobody else may write: chown it, then chmod o-w"),
            Self::Newer { .. } => Some("use the newer program that wrote it; it kept the file as it was before beside it"),
            Self::Older { .. } => Some(
                "put back the newest state.db together with its state.db-wal; if they are gone for good: \
                 `tidegate recover -p PROFILE --accept-older --reason TEXT`",
            ),
            Self::Damaged { .. } | Self::Broken { .. } => {
                Some("do not trade on it; put a backup in its place: `tidegate recover -p PROFILE --from FILE --reason TEXT`")
            }
            Self::Full { .. } => Some("free some space and run the same command again; what was there is unharmed"),
            Self::Busy { .. } => Some("close the other program that has the file open for writing"),
            Self::Unsynced { .. } | Self::Spent(_) => {
                Some("look at the disk; then start again: what was acknowledged is read anew, the venue is asked about the rest")
            }
            Self::OutputThere(_) => Some("name a file that is not there yet"),
            Self::Copy { .. } => Some("name a file in a folder that can be written and has room"),
            Self::Held { .. } => Some("stop the other one; if its machine is gone for good, wait until then"),
            _ => None,
        }
    }
}
