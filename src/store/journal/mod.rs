//! The journal of one profile: `runs/<profile>/state.db`.
//!
//! Watermark, snapshot and every row that explains them are committed in one transaction: after a crash the state is that of the
//! last commit, whole, and the run goes on from there to the same end. Orders of a real venue are written down here before anything
//! is sent ([`Journal::write`]), and everything that happened is a row of one chained log (`log.rs`).

mod copy;
mod error;
mod head;
mod ladder;
mod lease;
mod log;
mod migrations;
mod orders;
mod recover;
mod runs;
mod scribe;
mod standing;
mod start;
#[cfg(test)]
mod tests;
mod verify;

use std::cmp::Ordering;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde::de::DeserializeOwned;

use super::lock::Lock;
pub use error::JournalError;
use head::HeadFile;
pub use ladder::{LadderEvent, LadderStep};
pub use lease::{Holder, Lease, RENEW_EVERY, TERM};
pub use log::{Hash, Head, LogQuery, LogRow, Verified};
pub use orders::{Entry, FillEntry, OrderEntry, Written};
pub use recover::{Aside, put_back};
pub use runs::RunState;
pub use standing::Standing;
pub use start::WHOLE_ROWS_MAX;
pub use verify::verify_file;

/// The journal's file in the folder of a profile.
pub const FILE: &str = "state.db";
/// Held by the one program that works on it.
const LOCK: &str = "lock";
/// One that only looks waits no longer than this for one that writes.
const LOOK_MAX: Duration = Duration::from_millis(500);
/// One that writes waits no longer than this for a program that is none of ours: an order is late by then.
const BUSY_MAX: Duration = Duration::from_millis(1000);
/// Statements that are kept ready.
const STATEMENTS: usize = 48;
/// A folder that we make is ours alone to write.
const FOLDER_MODE: u32 = 0o755;
const OTHERS_MAY_WRITE: u32 = 0o002;

/// An open journal; holds the profile's lock until dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    db: Connection,
    /// The last row of the log.
    head: Head,
    /// `None` for one that only looks, and for one in memory.
    head_file: Option<HeadFile>,
    leases: Vec<lease::Held>,
    /// A write failed in a way that leaves it open what is on the disk.
    is_spent: bool,
    /// Writes in a row that found another program in the way.
    busy: u32,
    /// Room for the body of a row.
    buffer: Vec<u8>,
    /// `None` for one that only looks, and for one in memory.
    _lock: Option<Lock>,
}

impl Journal {
    /// Opens or makes the journal in `folder` and takes its lock.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another program holds it; otherwise what is wrong with the folder or the file.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Self::open_as(folder, |_| false).map(|(journal, _)| journal)
    }

    /// Opens the journal; `accepts` is asked about an error that says that it is older than its log was. Gives that error too.
    fn open_as(folder: &Path, accepts: impl Fn(&JournalError) -> bool) -> Result<(Self, Option<JournalError>), JournalError> {
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let mut accepted = None;
        let mut accept = |error: JournalError| {
            if !accepts(&error) {
                return Err(error);
            }
            accepted.get_or_insert(error);
            Ok(())
        };
        let known = match head::load(folder) {
            Err(error @ JournalError::Older { .. }) => {
                accept(error)?;
                None
            }
            other => other?,
        };
        let is_there = path.exists();
        if let (false, Some(known)) = (is_there, known.filter(|known| known.sequence > 0)) {
            let why = format!("it is gone, and its log had {} rows", known.sequence);
            return Err(JournalError::Older { path, why });
        }
        if is_there {
            judge(&path)?;
        }
        let db = connect(&path).map_err(|source| JournalError::of(path.clone(), source))?;
        let mut journal = Self::new(path, db, Some(lock));
        journal.migrate(folder, known, &mut accept)?;
        journal.look_over()?;
        // A migration wrote the file before it counted.
        let stands = head::load(folder).ok().flatten();
        journal.head_file = Some(HeadFile::open(folder, stands, journal.head)?);
        Ok((journal, accepted))
    }

    /// A journal that is nowhere but in memory.
    ///
    /// # Errors
    /// When memory is short.
    pub fn in_memory() -> Result<Self, JournalError> {
        let path = PathBuf::from(":memory:");
        let wrong = |source| JournalError::of(PathBuf::from(":memory:"), source);
        let db = Connection::open_in_memory().map_err(wrong)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        let mut journal = Self::new(path, db, None);
        let transaction = journal.db.transaction().map_err(wrong)?;
        let head = migrations::apply(&transaction, 0).map_err(wrong)?;
        transaction.commit().map_err(wrong)?;
        journal.head = head;
        Ok(journal)
    }

    const fn new(path: PathBuf, db: Connection, lock: Option<Lock>) -> Self {
        Self {
            path,
            db,
            head: Head::START,
            head_file: None,
            leases: Vec::new(),
            is_spent: false,
            busy: 0,
            buffer: Vec::new(),
            _lock: lock,
        }
    }

    /// Opens the journal in `folder` to look at, beside a program that may be writing it. `None` when there is none.
    pub(super) fn look(folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let (db, found) = look_at(&path)?;
        match usize::try_from(found).unwrap_or(usize::MAX).cmp(&migrations::VERSION) {
            // Its next run brings it up to date; before that there is nothing to see.
            Ordering::Less => Ok(None),
            Ordering::Equal => Ok(Some(Self::new(path, db, None))),
            Ordering::Greater => Err(JournalError::Newer { path, found, known: migrations::VERSION }),
        }
    }

    fn sqlite(&self) -> impl Fn(rusqlite::Error) -> JournalError + use<> {
        let path = self.path.clone();
        move |source| JournalError::of(path.clone(), source)
    }

    /// Brings the tables up to date. `accept` is asked when the log is not as far as `known`.
    fn migrate(
        &mut self,
        folder: &Path,
        known: Option<Head>,
        accept: &mut dyn FnMut(JournalError) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let wrong = self.sqlite();
        let found = migrations::version(&self.db).map_err(&wrong)?;
        let Some(applied) = usize::try_from(found).ok().filter(|&n| n <= migrations::VERSION) else {
            return Err(JournalError::Newer { path: self.path.clone(), found, known: migrations::VERSION });
        };
        if applied == migrations::VERSION {
            self.head = log::head(&self.db).map_err(&wrong)?;
            return match compare(&self.db, self.head, known).map_err(wrong)? {
                Some(why) => accept(JournalError::Older { path: self.path.clone(), why }),
                None => Ok(()),
            };
        }
        if applied > 0 {
            copy::replace(&self.db, &folder.join(format!("{FILE}.before-{}", migrations::VERSION)))?;
        }
        let transaction = self.db.transaction().map_err(&wrong)?;
        let head = migrations::apply(&transaction, applied).map_err(&wrong)?;
        if known.is_some()
            && let Some(why) = compare(&transaction, head, known).map_err(&wrong)?
        {
            accept(JournalError::Older { path: self.path.clone(), why })?;
        }
        // On the disk before the rows count: a log without its head file then is one whose file was taken away.
        HeadFile::open(folder, known, head)?;
        transaction.commit().map_err(&wrong)?;
        self.head = head;
        Ok(())
    }

    /// A look at every start: cheap, and dearer only after a run that was cut off.
    fn look_over(&self) -> Result<(), JournalError> {
        let wrong = self.sqlite();
        log::verify(&self.db, false, |_| {}).map_err(&wrong)?.map_err(|misfit| self.broken(misfit))?;
        // Reading the whole file costs more than a run with nothing new.
        if !self.cut_off()?.is_empty() {
            verify::pages(&self.db, &self.path, "quick_check")?;
        }
        Ok(())
    }

    /// Remembers beside the database how far the log is.
    fn note_head(&self) {
        if let Some(file) = &self.head_file {
            // The rows are on the disk. A head that stays behind is still true, only of an earlier row.
            let _ = file.put(self.head);
        }
    }

    /// Puts on the disk how far the log is, where a power cut cannot take it back.
    ///
    /// # Errors
    /// When the file cannot be synced.
    pub fn seal(&self) -> Result<(), JournalError> {
        let Some(file) = &self.head_file else { return Ok(()) };
        let sync = file.put(self.head).and_then(|()| file.sync());
        sync.map_err(|source| JournalError::Folder { path: self.path.with_file_name(head::FILE), source })
    }

    /// Moves what the write-ahead log holds into the database, at a moment when nobody waits: about every hundredth commit does it
    /// otherwise, and takes longer than the rest.
    ///
    /// # Errors
    /// When the disk fails; nothing that was acknowledged is lost by that.
    pub fn checkpoint(&self) -> Result<(), JournalError> {
        self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(self.sqlite())
    }

    /// The last row of the log.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The rows of the log that `query` asks for, the newest last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log(&self, query: &LogQuery) -> Result<Vec<LogRow>, JournalError> {
        log::rows(&self.db, query).map_err(self.sqlite())
    }

    /// Rows of these kinds behind `after` and up to `until`, at most `limit` of them, the oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log_between(&self, after: u64, until: u64, kinds: &[&str], limit: u32) -> Result<Vec<LogRow>, JournalError> {
        log::between(&self.db, after, until, kinds, limit).map_err(self.sqlite())
    }

    /// How many rows the log has, by now.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log_rows(&self) -> Result<u64, JournalError> {
        log::head(&self.db).map(|head| head.sequence).map_err(self.sqlite())
    }

    /// Reads JSON that came from this journal.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn parse<T: DeserializeOwned>(&self, what: &'static str, text: &str) -> Result<T, JournalError> {
        serde_json::from_str(text).map_err(|source| JournalError::Body { path: self.path.clone(), what, source })
    }
}

/// Why the log, which ends with `head`, is not as far as it was known to be.
fn compare(db: &Connection, head: Head, known: Option<Head>) -> Result<Option<String>, rusqlite::Error> {
    let rows = head.sequence;
    Ok(match known {
        None => Some(format!("{} beside it is gone", head::FILE)),
        Some(known) if known.sequence > rows => {
            Some(format!("its log has {rows} rows, and {} knows of {}", head::FILE, known.sequence))
        }
        Some(known) if log::hash_at(db, known.sequence)? == Some(known.hash) => None,
        Some(known) => Some(format!("row {} of its log is not the one that {} knows", known.sequence, head::FILE)),
    })
}

/// Makes the folder and takes its lock.
fn lock(folder: &Path) -> Result<Lock, JournalError> {
    let unusable = |source| JournalError::Folder { path: folder.to_owned(), source };
    make(folder).map_err(unusable)?;
    judge(folder)?;
    Lock::take(&folder.join(LOCK)).map_err(|error| match error {
        TryLockError::WouldBlock => JournalError::Locked(folder.to_owned()),
        TryLockError::Error(source) => unusable(source),
    })
}

/// Makes a folder that is on the disk with its name: what is acknowledged in it must not go with it.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

/// Whoever may write a journal may move money.
fn judge(path: &Path) -> Result<(), JournalError> {
    let found = std::fs::metadata(path).map_err(|source| JournalError::Folder { path: path.to_owned(), source })?;
    match complaint(found.mode(), found.uid(), rustix::process::geteuid().as_raw()) {
        Some(why) => Err(JournalError::Unsafe { path: path.to_owned(), why }),
        None => Ok(()),
    }
}

/// Root may use what belongs to others: in a container it often has nothing else.
fn complaint(mode: u32, owner: u32, us: u32) -> Option<String> {
    if mode & OTHERS_MAY_WRITE != 0 {
        return Some("everybody may write to it".to_owned());
    }
    (owner != us && us != 0).then(|| format!("it belongs to user {owner}, and this program runs as user {us}"))
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY_MAX)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// Opens a file to read only; gives its version too.
fn look_at(path: &Path) -> Result<(Connection, i64), JournalError> {
    let open = || -> Result<(Connection, i64), rusqlite::Error> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        db.busy_timeout(LOOK_MAX)?;
        let found = migrations::version(&db)?;
        Ok((db, found))
    };
    open().map_err(|source| JournalError::of(path.to_owned(), source))
}

/// Does a program hold the journal in `folder` now? One that cannot be looked at counts as held.
#[must_use]
pub fn is_held(folder: &Path) -> bool {
    folder.join(LOCK).exists() && Lock::take(&folder.join(LOCK)).is_err()
}
