//! A damaged journal is replaced by a backup, and one that is older than it was is accepted, by a person with a reason.
//!
//! What was decided since the backup is not known any more. Whoever recovers latches a halt first (`store/latch.rs`), so that nothing
//! trades before a person has compared it with the venue.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::log::Verified;
use super::{FILE, Journal, JournalError, copy, lock, look_at, verify_file};
use crate::domain::Time;
use crate::store::disk::Disk;

/// What SQLite writes beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", ""];
/// The kind of the log's row.
const KIND: &str = "recovered";

/// Where the files of before lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// `None` when there was no journal.
    pub kept: Option<PathBuf>,
    pub verified: Verified,
}

/// Puts a backup in the place of the journal in `folder`; the one that was there is kept aside. The journal opens again only with
/// [`Journal::recover`].
///
/// # Errors
/// What is wrong with the backup, then nothing has changed; [`JournalError::Locked`]; what the disk says.
pub fn put_back(folder: &Path, from: &Path, now: Time, progress: impl FnMut(u64)) -> Result<Aside, JournalError> {
    let verified = verify_file(from, progress)?;
    let _lock = lock(folder)?;
    let unusable = |source| JournalError::Folder { path: folder.to_owned(), source };
    let path = folder.join(FILE);
    // Not the file alone: there may be a write-ahead log beside it.
    let draft = copy::draft(&look_at(from)?.0, &path)?;
    let stamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let aside = folder.join(format!("{FILE}.damaged-{stamp}"));
    let mut kept = None;
    // The side files first: were they to stay, SQLite would take them for those of the backup.
    for ending in BESIDE {
        let (was, is) = (with(&path, ending), with(&aside, ending));
        match fs::rename(&was, &is) {
            Ok(()) if ending.is_empty() => kept = Some(aside.clone()),
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(unusable(source)),
        }
    }
    draft.persist(&path).map_err(|error| unusable(error.error))?;
    Disk::default().sync(folder).map_err(unusable)?;
    Ok(Aside { kept, verified })
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

impl Journal {
    /// Opens a journal that may be older than its log was, and writes down who wanted it so and why.
    ///
    /// # Errors
    /// As [`Self::open`], but for [`JournalError::Older`] of a journal that is there.
    pub fn recover(folder: &Path, what: &str, reason: &str, now: Time) -> Result<Self, JournalError> {
        let (mut journal, accepted) = Self::open_as(folder, |_| true)?;
        let found = accepted.map(|error| error.to_string());
        let body = json!({ "what": what, "reason": reason, "found": found });
        journal.transact(|scribe| Ok(scribe.append_json(now, KIND, None, &body)?))?;
        journal.seal()?;
        Ok(journal)
    }
}
