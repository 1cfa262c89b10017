//! A series made over beside itself: a folder of second names for its files, where parts come and go unseen, and which then takes
//! the place of the series in one step.
//!
//! It lies outside `ohlcv`: DuckDB and Polars look into folders with a dot, so only a place beside the glob is unseen by all.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, TEMPORARY, is_lack};
use super::lake::Lake;
use super::manifest;
use crate::domain::Series;

const FOLDER: &str = "_writing";

impl Lake {
    /// Where a series is made over.
    pub(super) fn shadow_path(&self, series: &Series) -> PathBuf {
        let name = format!("{}.{}.{}", series.venue(), series.symbol().dashed(), series.interval());
        self.root().join(FOLDER).join(name)
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
