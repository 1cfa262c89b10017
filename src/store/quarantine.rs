//! Refused rows, kept beside the lake so that a person can see what was refused and why.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Lake, LakeError};
use crate::domain::{Series, Time};

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
