//! A lock of the operating system on a file: one holder at a time, given back at the latest when the holder dies.

use std::fs::{File, TryLockError};
use std::path::Path;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock on `path`, a file made for nothing else; never waits.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] when someone holds it; else what is wrong with the file.
    pub fn take(path: &Path) -> Result<Self, TryLockError> {
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child process that another thread is just starting has a copy of our descriptor until it
        // becomes its own program, and the lock would stay with the copy. Should this fail, closing gives it back a little later.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_then_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(TryLockError::WouldBlock)));
        drop(held);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&path).unwrap();
        let copy = held.0.try_clone().unwrap();
        drop(held);
        Lock::take(&path).unwrap();
        drop(copy);
    }
}
