//! A series made over beside itself: a folder of second names for its files, where parts come and go unseen, and which then takes
//! the place of the series in one step.
//!
//! It lies outside `ohlcv`: DuckDB and Polars look into folders with a dot, so only a place beside the glob is unseen by all.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, TEMPORARY, is_lack};
use super::lake::Lake;
use super::{LakeError, manifest};
use crate::domain::Series;

const FOLDER: &str = "_writing";

impl Lake {
    /// Where a series is made over.
    pub(super) fn shadow_path(&self, series: &Series) -> PathBuf {
        let name = format!("{}.{}.{}", series.venue(), series.symbol().dashed(), series.interval());
        self.root().join(FOLDER).join(name)
    }

    /// Removes what a writer left that was killed when its commit already counted; nothing while another writes. Every writer does it
    /// too, but after such a commit there may be nothing left to write.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn clear_up(&self, series: &Series) -> Result<(), LakeError> {
        if self.bucket.is_some() || !self.shadow_path(series).exists() {
            return Ok(());
        }
        match self.writer(series) {
            Ok(_) | Err(LakeError::Locked { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Gives every file of a series but its manifest a second name below `shadow`; false where the file system cannot.
pub(super) fn cast(disk: &Disk, folder: &Path, shadow: &Path) -> io::Result<bool> {
    disk.create_folder(shadow)?;
    match link_all(disk, folder, shadow) {
        Err(error) if is_lack(&error) => {
            disk.remove_folder(shadow)?;
            Ok(false)
        }
        other => other.map(|()| true),
    }
}

fn link_all(disk: &Disk, from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if entry.file_type()?.is_dir() {
            disk.make_folder(&to.join(&name))?;
            link_all(disk, &path, &to.join(&name))?;
        } else if name != manifest::FILE && !name.to_string_lossy().starts_with(TEMPORARY) {
            disk.link(&path, &to.join(&name))?;
        }
    }
    Ok(())
}

/// Lets a shadow, whole and with its manifest, take the place of the series; false where the file system cannot. What it was before
/// lies where the shadow was.
pub(super) fn swap(disk: &Disk, folder: &Path, shadow: &Path) -> io::Result<bool> {
    let mut all = folders(shadow)?;
    all.push(shadow.to_owned());
    disk.sync_all(&all)?;
    match disk.exchange(folder, shadow) {
        Err(error) if is_lack(&error) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Moves these files of a shadow into the series one by one: they count when its manifest lists them.
pub(super) fn move_in(disk: &Disk, folder: &Path, shadow: &Path, files: &BTreeSet<&str>) -> io::Result<()> {
    for file in files {
        let (inner, name) = file.split_once('/').unwrap_or((".", file));
        disk.rename(&shadow.join(file), &folder.join(inner), name)?;
    }
    Ok(())
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, Columns, Rows, Time};

    #[test]
    fn what_a_killed_writer_left_goes_unless_another_writes() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path()).unwrap();
        let series = Series::new("binance", "BTC/USDT".parse().unwrap(), "1m".parse().unwrap()).unwrap();
        let bar = Bar { open_time: Time::from_millis(0), open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 };
        lake.append(&series, &Rows::from([bar].into_iter().collect::<Columns>())).unwrap();
        let shadow = lake.shadow_path(&series);
        assert!(!shadow.exists());
        let writer = lake.writer(&series).unwrap();
        std::fs::create_dir_all(shadow.join("year=1970")).unwrap();
        lake.clear_up(&series).unwrap();
        assert!(shadow.exists(), "another writes");
        drop(writer);
        std::fs::create_dir_all(shadow.join("year=1970")).unwrap();
        lake.clear_up(&series).unwrap();
        assert!(!shadow.exists());
    }
}
