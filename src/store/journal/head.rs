//! `log.head`: the last row of the log, written beside the journal.
//!
//! A database alone cannot say that it is an old copy of itself, or that its `state.db-wal` was taken away. This file remembers
//! how far the log had come. It is overwritten in place behind each commit and synced now and then: it costs no sync of its own, and
//! what a power cut takes from it only makes it point at an earlier row, which a log that was lost no row of still has.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::log::{Hash, Head};
use crate::store::disk::{Disk, hex};

/// The file's name in the folder of a profile.
pub(super) const FILE: &str = "log.head";
/// Twenty digits, a blank, 64 digits, the end of a line.
const LENGTH: usize = 86;

/// The file, open.
#[derive(Debug)]
pub(super) struct HeadFile(File);

fn line(head: Head) -> String {
    let line = format!("{:020} {}\n", head.sequence, hex(&head.hash.0));
    assert_eq!(line.len(), LENGTH, "a head is always as long as the one before");
    line
}

fn parse(text: &str) -> Option<Head> {
    let (sequence, digits) = text.strip_suffix('\n')?.split_once(' ')?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let head = Head { sequence: sequence.parse().ok()?, hash: Hash(hash) };
    (line(head) == text).then_some(head)
}

/// What the file in `folder` says; `None` when there is none.
pub(super) fn load(folder: &Path) -> Result<Option<Head>, JournalError> {
    let path = folder.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => match std::str::from_utf8(&bytes).ok().and_then(parse) {
            Some(head) => Ok(Some(head)),
            None => Err(JournalError::Older { path, why: "the file says nothing that can be read".to_owned() }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::Folder { path, source }),
    }
}

impl HeadFile {
    /// Opens the file in `folder`, which says `head` from now on, on the disk.
    pub fn open(folder: &Path, before: Option<Head>, head: Head) -> Result<Self, JournalError> {
        let path: PathBuf = folder.join(FILE);
        let write = || -> io::Result<File> {
            if before != Some(head) {
                Disk::default().replace(folder, FILE, line(head).as_bytes())?;
            }
            File::options().write(true).open(&path)
        };
        let file = write().map_err(|source| JournalError::Folder { path: path.clone(), source })?;
        Ok(Self(file))
    }

    /// Overwrites the line.
    pub fn put(&self, head: Head) -> io::Result<()> {
        self.0.write_all_at(line(head).as_bytes(), 0)
    }

    /// Waits until the line is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_nothing_else_does() {
        let head = Head { sequence: 1234, hash: Hash([0xa7; 32]) };
        let text = line(head);
        assert_eq!(parse(&text), Some(head));
        for wrong in ["", "\n", &text[..85], &text.replace('a', "A"), &text.replacen('0', " ", 1), &format!("{text} ")] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
