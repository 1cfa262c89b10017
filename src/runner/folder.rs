//! The folder of one run: tables, alerts and the manifest that names what they were made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::{Symbol, Time};
use crate::perf::Summary;
use crate::stage::oms::Tally;
use crate::store::disk::{Disk, hex};
use crate::store::record::{SCHEMA_VERSION, Tables};
use crate::telemetry::record::Records;

use super::notices;

/// What this program was built from.
pub const BUILD: &str = env!("TIDEGATE_BUILD");

/// What a run was made of: the same fingerprints give the same record, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    pub profile: String,
    pub pipeline: String,
    /// The bars that were read, by what they say.
    pub data: String,
    pub binary: String,
    /// Of the source of bars, where it draws any.
    pub seed: Option<u64>,
}

/// Bars of one series that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    pub series: String,
    pub from: Time,
    /// Behind the last of them.
    pub to: Time,
    /// What they said.
    pub fingerprint: String,
}

/// What stays the same over a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub run: String,
    pub kind: String,
    pub profile: String,
    pub mode: String,
    pub pipeline: String,
    pub interval: String,
    pub symbols: Vec<Symbol>,
    pub features: Vec<String>,
    pub fingerprints: Fingerprints,
    /// Older programs did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Files of their own in the folder, and no part of its manifest.
    #[serde(default, skip_serializing_if = "Written::is_empty")]
    pub written: Written,
}

/// The documents that a run went by, every layer merged, as TOML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub profile: String,
    pub pipeline: String,
}

impl Written {
    fn is_empty(&self) -> bool {
        self.profile.is_empty() && self.pipeline.is_empty()
    }
}

impl Stamp {
    /// The name of the account that the run works on: a pipeline has one for each mode.
    #[must_use]
    pub fn standing(&self) -> String {
        format!("{}@{}", self.pipeline, self.mode)
    }
}

/// What a run came to, as the manifest states it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub state: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub bars: u64,
    pub kills: u32,
    pub tally: Tally,
    pub summary: Option<Summary>,
}

/// `manifest.json`.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    schema: &'a str,
    tidegate: &'a str,
    #[serde(flatten)]
    stamp: &'a Stamp,
    #[serde(flatten)]
    figures: &'a Figures,
    files: BTreeMap<String, FileEntry>,
}

#[derive(Debug, Serialize)]
struct FileEntry {
    rows: usize,
    sha256: String,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("failed to write the record {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("failed to encode the record")]
    Encode(#[from] parquet::errors::ParquetError),
}

/// The record of a run while it grows.
pub struct Recording {
    stamp: Stamp,
    tables: Tables,
    alerts: String,
}

impl Recording {
    /// # Errors
    /// When the tables cannot be laid out.
    pub fn new(stamp: Stamp) -> Result<Self, FolderError> {
        let tables = Tables::new(&stamp.symbols, &stamp.features)?;
        Ok(Self { stamp, tables, alerts: String::new() })
    }

    #[must_use]
    pub const fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Encodes rows behind those that are there.
    ///
    /// # Errors
    /// When a row cannot be encoded.
    pub fn add(&mut self, records: &Records) -> Result<(), FolderError> {
        self.tables.append(records)?;
        self.alerts.push_str(&notices::lines(&records.notices, &self.stamp.symbols));
        Ok(())
    }

    /// Encodes rows and empties them.
    ///
    /// # Errors
    /// When a row cannot be encoded.
    pub fn take(&mut self, records: &mut Records) -> Result<(), FolderError> {
        self.add(records)?;
        records.clear();
        Ok(())
    }

    /// Writes the whole folder; the manifest comes last, so that a folder with a manifest is complete.
    ///
    /// # Errors
    /// When a file cannot be written; files written before stay, without a manifest.
    pub fn write(mut self, folder: &Path, figures: &Figures) -> Result<(), FolderError> {
        let disk = Disk::default();
        let failed = |source| FolderError::Write { path: folder.to_owned(), source };
        // A manifest of an earlier writing must not vouch for files that are being replaced.
        disk.remove(&folder.join(MANIFEST)).map_err(failed)?;
        let mut files = BTreeMap::new();
        for table in self.tables.finish()? {
            let sha256 = put(&disk, folder, table.name, &table.bytes).map_err(failed)?;
            files.insert(table.name.to_owned(), FileEntry { rows: table.rows, sha256 });
        }
        let sha256 = put(&disk, folder, "alerts.jsonl", self.alerts.as_bytes()).map_err(failed)?;
        files.insert("alerts.jsonl".to_owned(), FileEntry { rows: self.alerts.lines().count(), sha256 });
        let written = std::mem::take(&mut self.stamp.written);
        // A run that an older program began has none to write.
        let written = [(PROFILE, written.profile), (PIPELINE, written.pipeline)];
        for (name, text) in written.into_iter().filter(|(_, text)| !text.is_empty()) {
            let sha256 = put(&disk, folder, name, text.as_bytes()).map_err(failed)?;
            files.insert(name.to_owned(), FileEntry { rows: text.lines().count(), sha256 });
        }
        let manifest =
            Manifest { schema: SCHEMA_VERSION, tidegate: env!("CARGO_PKG_VERSION"), stamp: &self.stamp, figures, files };
        let text = serde_json::to_string_pretty(&manifest).expect("a manifest has text keys only");
        // They count with the manifest, so that one wait for the disk does for all.
        let names = manifest.files.keys().map(|name| folder.join(name));
        disk.sync_all(&names.chain([folder.to_owned()]).collect::<Vec<_>>()).map_err(failed)?;
        disk.replace(folder, MANIFEST, text.as_bytes()).map_err(failed)
    }
}

/// Name of the file that makes a folder complete.
pub const MANIFEST: &str = "manifest.json";
/// The profile that the run went by.
pub const PROFILE: &str = "profile.toml";
/// The pipeline that it went by.
pub const PIPELINE: &str = "pipeline.toml";

fn put(disk: &Disk, folder: &Path, name: &str, content: &[u8]) -> Result<String, std::io::Error> {
    use std::io::Write;
    let mut draft = disk.draft(folder)?;
    draft.write_all(content)?;
    draft.show(|_| name.to_owned()).map(|published| published.sha256)
}

/// A short name made from the parts of something: 16 hexadecimal digits of their SHA-256.
#[must_use]
pub fn short_hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..8])
}

/// First part of the client order ids of one symbol: profile, pipeline, mode and symbol, hashed.
#[must_use]
pub fn order_scope(profile: &str, pipeline: &str, mode: &str, symbol: &Symbol) -> u32 {
    let hash = short_hash([profile, pipeline, mode, &symbol.to_string()]);
    u32::from_str_radix(&hash[..8], 16).expect("eight hexadecimal digits")
}

/// The id of a run that starts behind `watermark`: two runs from one standing would be the same run.
#[must_use]
pub fn run_id(profile: &str, pipeline: &str, first: Time) -> String {
    let compact: String = first.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{compact}-{}", &short_hash([profile, pipeline, &first.to_string()])[..8])
}
