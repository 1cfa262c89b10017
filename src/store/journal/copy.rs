//! Copies of a journal: SQLite's online backup, which sees one state of it whoever writes meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::log::Verified;
use super::{Journal, JournalError, verify_file};
use crate::store::disk::TEMPORARY;

/// All pages in one step: a step at a time would begin anew with each commit of another program.
const ALL_PAGES: i32 = -1;

fn failed(path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::Copy { path: path.to_owned(), source }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Writes a copy beside `path` under a temporary name, which goes when it is not given another.
pub(super) fn draft(db: &Connection, path: &Path) -> Result<tempfile::TempPath, JournalError> {
    let name = tempfile::Builder::new().prefix(TEMPORARY).suffix(".db").tempfile_in(folder_of(path)).map_err(failed(path))?;
    let draft = name.into_temp_path();
    let copy = || -> Result<(), rusqlite::Error> {
        let mut target = Connection::open(&draft)?;
        {
            let backup = Backup::new(db, &mut target)?;
            let done = backup.step(ALL_PAGES)?;
            if done != StepResult::Done {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
        // One file, with nothing beside it that could be forgotten.
        target.pragma_update(None, "journal_mode", "DELETE")
    };
    copy().map_err(|source| JournalError::of(path.to_owned(), source))?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(failed(path))?;
    Ok(draft)
}

fn sync_folder(path: &Path) -> Result<(), JournalError> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(failed(path))
}

/// Copies a database to `path`, in place of what may be there.
pub(super) fn replace(db: &Connection, path: &Path) -> Result<(), JournalError> {
    draft(db, path)?.persist(path).map_err(|error| failed(path)(error.error))?;
    sync_folder(path)
}

impl Journal {
    /// Copies the journal to `path`, while another program may be writing it, and looks the copy over before it gets its name.
    ///
    /// # Errors
    /// [`JournalError::OutputThere`]; what is wrong with the copy; what the disk says. Nothing is left at `path` then.
    pub fn backup(&self, path: &Path, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        if path.symlink_metadata().is_ok() {
            return Err(JournalError::OutputThere(path.to_owned()));
        }
        let draft = draft(&self.db, path)?;
        let verified = verify_file(&draft, progress)?;
        draft.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => JournalError::OutputThere(path.to_owned()),
            _ => failed(path)(error.error),
        })?;
        sync_folder(path)?;
        Ok(verified)
    }
}
