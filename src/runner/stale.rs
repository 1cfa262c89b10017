//! Records that were made of bars which have been repaired since: each gets a file that says so.
//!
//! A record itself is never changed, and what was traded on it stays traded.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{MANIFEST, Read};
use crate::domain::{Series, Time};
use crate::store::disk::Disk;
use crate::store::{Lake, LakeError};

/// The file beside a record's manifest.
pub const STALE: &str = "stale.json";
const SCHEMA: u32 = 1;

/// What was repaired under a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    pub schema: u32,
    pub series: String,
    /// The bars that the run read.
    pub from: Time,
    pub to: Time,
    /// What they said then, and say now.
    pub before: String,
    pub after: String,
    /// When it was found out.
    pub at: Time,
}

#[derive(Debug, thiserror::Error)]
pub enum StaleError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("failed to mark the record {} as stale", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// As far as this file is concerned.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    reads: Vec<Read>,
}

/// Marks every record below `runs` that read bars of `touched` which say something else today, and names their folders. A record
/// that is marked so already is named, and its mark stays.
///
/// # Errors
/// When the lake cannot be read or a mark cannot be written.
pub fn mark(runs: &Path, lake: &Lake, series: &Series, touched: &[Range<Time>], at: Time) -> Result<Vec<PathBuf>, StaleError> {
    let mut found = Vec::new();
    for folder in records(runs) {
        let Some(manifest) = std::fs::read(folder.join(MANIFEST)).ok().and_then(|text| serde_json::from_slice(&text).ok()) else {
            continue;
        };
        let Manifest { reads } = manifest;
        let is_touched = |read: &Read| touched.iter().any(|range| read.from < range.end && range.start < read.to);
        for read in reads.into_iter().filter(|read| read.series == series.to_string() && is_touched(read)) {
            let after = lake.fingerprint(series, Some(read.from), Some(read.to))?;
            if after != read.fingerprint {
                put(&folder, read, after, at)?;
                found.push(folder.clone());
            }
        }
    }
    Ok(found)
}

/// Names of the records straight below `runs` that were marked, in order.
#[must_use]
pub fn below(runs: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let marked = entries.filter(|entry| entry.path().join(STALE).is_file());
    let mut names: Vec<String> = marked.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn put(folder: &Path, read: Read, after: String, at: Time) -> Result<(), StaleError> {
    let path = folder.join(STALE);
    let mut marks: Vec<Stale> = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    if marks.iter().any(|mark| mark.series == read.series && mark.after == after) {
        return Ok(());
    }
    marks.retain(|mark| mark.series != read.series);
    let Read { series, from, to, fingerprint } = read;
    marks.push(Stale { schema: SCHEMA, series, from, to, before: fingerprint, after, at });
    let mut text = serde_json::to_vec_pretty(&marks).expect("a mark holds only plain values");
    text.push(b'\n');
    Disk::default().replace(folder, STALE, &text).map_err(|source| StaleError::Write { path, source })
}

/// Folders of records: those of each profile, and those a person put straight below.
fn records(runs: &Path) -> Vec<PathBuf> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let mut found = folders(runs);
    found.extend(folders(runs).iter().flat_map(|profile| folders(profile)));
    found.retain(|folder| folder.join(MANIFEST).is_file());
    found.sort();
    found
}
