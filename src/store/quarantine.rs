//! Refused rows, kept beside the lake so that a person can see what was refused and why.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Lake, LakeError};
use crate::domain::{Series, Time};

/// A file of refused rows in a bucket is no larger: 100,000 rows are kept of a source.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A row that did not become a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRow {
    /// Where it stands in its source, counted from 1; 0 when only its series is known.
    pub place: u32,
    pub open_time: Option<Time>,
    /// A stable code.
    pub reason: &'static str,
    /// The numbers that decided.
    pub detail: String,
    /// The row, as text.
    pub row: String,
}

#[derive(Serialize)]
struct Line<'a> {
    place: u32,
    open_time: Option<String>,
    reason: &'a str,
    detail: &'a str,
    row: &'a str,
}

/// What is read back of a line.
#[derive(Deserialize)]
struct Kept {
    open_time: Option<String>,
    reason: String,
    row: String,
}

impl Lake {
    /// Writes the refused rows of one source, one JSON object a line, and says where. The same source and rows give the same
    /// file.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn quarantine(&self, series: &Series, source: &str, rows: &[RefusedRow]) -> Result<PathBuf, LakeError> {
        let folder = self.quarantine_folder(series);
        let name = format!("{}.jsonl", file_name(source));
        let path = folder.join(&name);
        let mut content = Vec::new();
        for row in rows {
            let open_time = row.open_time.map(|time| time.to_string());
            let line = Line { place: row.place, open_time, reason: row.reason, detail: &row.detail, row: &row.row };
            serde_json::to_writer(&mut content, &line).expect("a refused row holds only plain values");
            content.push(b'\n');
        }
        match &self.bucket {
            None => {
                let failed = |source| LakeError::Write { path: path.clone(), source };
                self.disk.replace(&folder, &name, &content).map_err(failed)?;
            }
            Some(bucket) => bucket.replace(&path, content)?,
        }
        Ok(path)
    }

    /// Times and reasons of all rows in quarantine, each once whatever sources had it, by time.
    ///
    /// # Errors
    /// When a file there cannot be read. A line that is none of ours is passed over.
    pub fn quarantined(&self, series: &Series) -> Result<Vec<(Time, String)>, LakeError> {
        let mut found = BTreeSet::new();
        for content in self.quarantine_files(series)? {
            found.extend(content.lines().filter_map(|line| serde_json::from_str::<Kept>(line).ok()).filter_map(|line| {
                let time: Time = line.open_time?.parse().ok()?;
                Some((time, line.reason, line.row))
            }));
        }
        Ok(found.into_iter().map(|(time, reason, _)| (time, reason)).collect())
    }

    /// The content of every file of refused rows.
    fn quarantine_files(&self, series: &Series) -> Result<Vec<String>, LakeError> {
        let folder = self.quarantine_folder(series);
        let names: Vec<String> = match &self.bucket {
            Some(bucket) => bucket.names_below(&folder)?,
            None => match std::fs::read_dir(&folder) {
                Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(source) => return Err(LakeError::Read { path: folder, source }),
            },
        };
        let paths = names.into_iter().filter(|name| name.ends_with(".jsonl")).map(|name| folder.join(name));
        paths
            .map(|path| match &self.bucket {
                Some(bucket) => {
                    let found = bucket.get(&path, FILE_BYTES_MAX)?;
                    Ok(found.map(|object| String::from_utf8_lossy(&object.content).into_owned()).unwrap_or_default())
                }
                None => std::fs::read_to_string(&path).map_err(|source| LakeError::Read { path, source }),
            })
            .collect()
    }

    fn quarantine_folder(&self, series: &Series) -> PathBuf {
        let folder = self.folder(series);
        let below = folder.strip_prefix(self.root().join("ohlcv")).unwrap_or(Path::new(""));
        self.root().join("_quarantine").join(below)
    }
}

/// A name that is safe as a file's.
fn file_name(source: &str) -> String {
    source.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect()
}
