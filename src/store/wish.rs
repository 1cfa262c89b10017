//! Words of a person that lower risk, beside a program that holds the journal: a file each, on the disk before it is acknowledged.
//!
//! They count from then on for whoever reads the profile's limits. The next one that has the journal writes them into its log and
//! takes the files away; a crash in between does it twice, which is once.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use crate::domain::Time;

/// The folder beside the journal.
pub const FOLDER: &str = "wishes";
const SUFFIX: &str = ".json";
/// More than that nobody has asked for.
const FILES_MAX: usize = 1000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wish {
    /// A limit at this value or below it.
    Lower { key: String, value: String, at: Time, reason: String },
    /// No step up for now.
    Hold { at: Time, reason: String },
}

impl Wish {
    #[must_use]
    pub const fn at(&self) -> Time {
        match self {
            Self::Lower { at, .. } | Self::Hold { at, .. } => *at,
        }
    }
}

/// A wish and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    pub wish: Wish,
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum WishError {
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} cannot be read, and it may lower a limit", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

/// Files a wish in the profile's folder. When this gives `Ok` it is on the disk and counts.
///
/// # Errors
/// When it cannot be written.
pub fn file(folder: &Path, wish: &Wish) -> Result<(), WishError> {
    static FILED: AtomicU64 = AtomicU64::new(0);
    let number = FILED.fetch_add(1, Ordering::Relaxed);
    let name = format!("{:020}-{}-{number}{SUFFIX}", wish.at().micros(), std::process::id());
    let folder = folder.join(FOLDER);
    let mut content = serde_json::to_vec_pretty(wish).expect("text keys only");
    content.push(b'\n');
    let disk = Disk::default();
    let written = disk.create_folder(&folder).and_then(|()| disk.replace(&folder, &name, &content));
    written.map_err(|source| WishError::Write { path: folder.join(name), source })
}

/// The wishes that nobody has taken up, the oldest first.
///
/// # Errors
/// When one of them cannot be read: it may lower a limit, so nobody goes on without it.
pub fn filed(folder: &Path) -> Result<Vec<Filed>, WishError> {
    let folder = folder.join(FOLDER);
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| WishError::Unreadable { path, source }
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(WishError::Unreadable { path: folder, source }),
    };
    let mut paths = Vec::new();
    for entry in entries.take(FILES_MAX) {
        let path = entry.map_err(unreadable(&folder))?.path();
        // A name that does not end so is one that was never finished, and never acknowledged.
        if path.to_string_lossy().ends_with(SUFFIX) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let content = fs::read(&path).map_err(unreadable(&path))?;
        let wish = serde_json::from_slice(&content).map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        Ok(Filed { wish: wish.map_err(unreadable(&path))?, path })
    };
    paths.into_iter().map(read).collect()
}

/// Takes away a wish that the journal knows by now.
///
/// # Errors
/// When its file cannot be removed; it counts twice then, which is once.
pub fn clear(filed: &Filed) -> Result<(), WishError> {
    match fs::remove_file(&filed.path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(WishError::Write { path: filed.path.clone(), source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(value: &str, at: i64) -> Wish {
        let (key, reason) = ("max_open_orders".to_owned(), "x".to_owned());
        Wish::Lower { key, value: value.to_owned(), at: Time::from_micros(at), reason }
    }

    #[test]
    fn wishes_are_kept_in_their_order_until_they_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(filed(folder.path()).unwrap(), []);
        for (value, at) in [("3", 20), ("2", 9), ("1", 9)] {
            file(folder.path(), &lower(value, at)).unwrap();
        }
        let there = filed(folder.path()).unwrap();
        assert_eq!(
            there.iter().map(|filed| filed.wish.clone()).collect::<Vec<_>>(),
            [lower("2", 9), lower("1", 9), lower("3", 20)]
        );
        there.iter().for_each(|filed| clear(filed).unwrap());
        clear(&there[0]).unwrap();
        assert_eq!(filed(folder.path()).unwrap(), []);
    }

    #[test]
    fn one_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), &lower("3", 20)).unwrap();
        fs::write(folder.path().join(FOLDER).join(".tmp-1"), "half").unwrap();
        assert_eq!(filed(folder.path()).unwrap().len(), 1, "it was never finished");
        fs::write(folder.path().join(FOLDER).join("9.json"), "{}").unwrap();
        assert!(matches!(filed(folder.path()), Err(WishError::Unreadable { .. })));
    }
}
