//! The kill latch: `runs/<profile>/HALT`, a file that says that nothing may add exposure.
//!
//! It stands beside the journal and needs nothing of it: a person's kill must work with a broken database, a running program that
//! holds the lock, and a full disk. It is written whole and synced before anything else happens; one that is torn, empty or
//! unreadable counts as set.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, TEMPORARY};
use crate::domain::Time;

/// The file's name in the folder of a profile.
pub const FILE: &str = "HALT";

/// Why trading is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latched {
    /// A word of a closed set, like `kill`.
    pub cause: String,
    pub at: Time,
    /// Who did it: a person, or a part of the program.
    pub by: String,
    pub reason: String,
}

/// How a latch was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Written whole, with its reason.
    Whole,
    /// Only the file is there, without a word: there was no room for more. It counts.
    Bare,
    /// It was set before; that one is kept, for its time and cause are evidence.
    Before,
}

#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    #[error("cannot latch the halt in {}: a program that starts now would trade, and positions may be open", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the halt is latched, but {} does not say why", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot clear the latch {}", path.display())]
    Clear { path: PathBuf, source: io::Error },
}

impl LatchError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Write { .. } => {
                "stop the program by its process id and close positions at the venue; then make the folder writable"
            }
            Self::Unreadable { .. } => "nothing trades while it is there; see what happened, then resume with a reason",
            Self::Clear { .. } => "make the folder writable and run the same command again",
        }
    }
}

/// The latch of one profile.
#[derive(Debug)]
pub struct Latch;

impl Latch {
    /// Sets it. When this gives `Ok` it is on the disk.
    ///
    /// # Errors
    /// When not even an empty file can be made.
    pub fn set(folder: &Path, latched: &Latched) -> Result<Set, LatchError> {
        Self::set_on(&Disk::default(), folder, latched)
    }

    /// The same on a disk that may fail.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_on(disk: &Disk, folder: &Path, latched: &Latched) -> Result<Set, LatchError> {
        let path = folder.join(FILE);
        if let Ok(Some(_)) = Self::read(folder) {
            // Whoever set it may have died before it was on the disk.
            let sync = File::open(&path).and_then(|file| file.sync_all()).and_then(|()| disk.sync(folder));
            return sync.map(|()| Set::Before).map_err(|source| LatchError::Write { path, source });
        }
        match write(disk, folder, latched) {
            Ok(()) => Ok(Set::Whole),
            // A full disk often has room for a name.
            Err(source) => match bare(disk, folder, &path) {
                Ok(()) => Ok(Set::Bare),
                Err(_) => Err(LatchError::Write { path, source }),
            },
        }
    }

    /// Is it set? One question to the file system; whatever it answers but "no such file" means yes.
    #[must_use]
    pub fn is_set(folder: &Path) -> bool {
        !matches!(fs::symlink_metadata(folder.join(FILE)), Err(error) if error.kind() == ErrorKind::NotFound)
    }

    /// What it says; `None` when it is not set.
    ///
    /// # Errors
    /// When it is set and cannot be read: it is set all the same.
    pub fn read(folder: &Path) -> Result<Option<Latched>, LatchError> {
        let path = folder.join(FILE);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(_) if !Self::is_set(folder) => return Ok(None),
            Err(source) => return Err(LatchError::Unreadable { path, source }),
        };
        let latched = serde_json::from_slice(&content);
        latched.map(Some).map_err(|error| LatchError::Unreadable { path, source: io::Error::new(ErrorKind::InvalidData, error) })
    }

    /// Clears it. The caller has written what it said into the journal, with who clears it and why.
    ///
    /// # Errors
    /// When the file cannot be removed; it is set then.
    pub fn clear(folder: &Path) -> Result<(), LatchError> {
        let (disk, path) = (Disk::default(), folder.join(FILE));
        let gone = disk.remove(&path).and_then(|()| disk.sync(folder));
        gone.map_err(|source| LatchError::Clear { path, source })
    }
}

/// Whoever sets a latch holds no lock: two may do it at once.
fn temporary() -> String {
    static SETS: AtomicU64 = AtomicU64::new(0);
    format!("{TEMPORARY}halt-{}-{}", std::process::id(), SETS.fetch_add(1, Ordering::Relaxed))
}

fn write(disk: &Disk, folder: &Path, latched: &Latched) -> io::Result<()> {
    let mut content = serde_json::to_vec_pretty(latched)?;
    content.push(b'\n');
    let mut draft = disk.draft_as(folder, &temporary())?;
    draft.write_all(&content)?;
    draft.publish(|_| FILE.to_owned()).map(drop)
}

fn bare(disk: &Disk, folder: &Path, path: &Path) -> io::Result<()> {
    disk.create_folder(folder)?;
    File::options().create(true).truncate(false).write(true).open(path)?.sync_all()?;
    disk.sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latched(reason: &str) -> Latched {
        let at = Time::from_micros(1_740_000_000_000_000);
        Latched { cause: "kill".to_owned(), at, by: "operator".to_owned(), reason: reason.to_owned() }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn it_is_set_once_read_and_cleared() {
        let folder = folder();
        let place = folder.path().join("not/there/yet");
        assert!(!Latch::is_set(&place));
        assert_eq!(Latch::read(&place).unwrap(), None);
        assert_eq!(Latch::set(&place, &latched("first")).unwrap(), Set::Whole);
        assert_eq!(Latch::set(&place, &latched("second")).unwrap(), Set::Before);
        assert!(Latch::is_set(&place));
        assert_eq!(Latch::read(&place).unwrap(), Some(latched("first")), "the evidence stays");
        Latch::clear(&place).unwrap();
        assert!(!Latch::is_set(&place));
        Latch::clear(&place).unwrap();
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }

    /// STORE-7.
    #[test]
    fn whatever_lies_there_counts_as_set() {
        let whole = serde_json::to_vec(&latched("why")).unwrap();
        for length in 0..whole.len() {
            let folder = folder();
            fs::write(folder.path().join(FILE), &whole[..length]).unwrap();
            assert!(Latch::is_set(folder.path()));
            assert!(matches!(Latch::read(folder.path()), Err(LatchError::Unreadable { .. })), "{length} bytes of it");
            assert_eq!(Latch::set(folder.path(), &latched("anew")).unwrap(), Set::Whole);
            assert_eq!(Latch::read(folder.path()).unwrap(), Some(latched("anew")));
        }
        let folder = folder();
        fs::create_dir(folder.path().join(FILE)).unwrap();
        assert!(Latch::is_set(folder.path()) && Latch::read(folder.path()).is_err(), "a folder of that name");
        let folder = self::folder();
        std::os::unix::fs::symlink("nowhere", folder.path().join(FILE)).unwrap();
        assert!(Latch::is_set(folder.path()) && Latch::read(folder.path()).is_err(), "a link to nothing");
    }

    /// A program that is killed at any step leaves no latch or a whole one, and what it left does not keep the next from setting it.
    #[test]
    fn killed_at_any_step_it_is_whole_or_not_there() {
        let mut steps = 0;
        loop {
            let folder = folder();
            let disk = Disk::killed_after(steps);
            let done = Latch::set_on(&disk, folder.path(), &latched("why"));
            if !disk.has_failed() {
                assert!(done.is_ok() && steps > 3, "{steps} steps: the sweep saw nothing");
                return;
            }
            // A dead program makes no bare file either; our simulated one does, and that counts as well.
            match Latch::read(folder.path()) {
                Ok(found) => assert!(found.is_none_or(|found| found == latched("why")), "killed at step {steps}"),
                Err(_) => assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"", "killed at step {steps}"),
            }
            Latch::set(folder.path(), &latched("again")).unwrap();
            assert!(Latch::read(folder.path()).unwrap().is_some());
            steps += 1;
        }
    }

    /// A17: the message does not need the disk, and a file without a word is a latch.
    #[test]
    fn a_full_disk_has_room_for_a_name() {
        let mut steps = 0;
        loop {
            let folder = folder();
            let disk = Disk::failing_after(steps, ErrorKind::StorageFull);
            let set = Latch::set_on(&disk, folder.path(), &latched("why")).unwrap();
            if !disk.has_failed() {
                return;
            }
            assert!(Latch::is_set(folder.path()) && matches!(set, Set::Bare | Set::Whole), "{steps}: {set:?}");
            steps += 1;
        }
    }

    #[test]
    fn a_latch_that_cannot_be_set_says_that_positions_may_be_open() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "no folder").unwrap();
        let error = Latch::set(&file, &latched("why")).unwrap_err();
        assert!(error.to_string().contains("positions may be open"), "{error}");
        assert!(Latch::is_set(&file), "what cannot be looked at counts as set");
    }

    #[test]
    fn two_at_once_leave_one_whole_latch() {
        let folder = folder();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let place = folder.path();
                scope.spawn(move || Latch::set(place, &latched(&format!("{n}"))).unwrap());
            }
        });
        assert!(Latch::read(folder.path()).unwrap().is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no drafts are left");
    }
}
