//! The manifest of a series: which parts hold its bars, and which sources they came from.
//!
//! It is the truth about the folder. A part that it does not list does not exist, whatever lies on the disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::LakeError;
use super::notes::{Accepted, Disputed, Repair, Retired};
use crate::domain::Time;

/// Its underscore keeps it from readers that take every file of a folder for Parquet.
pub const FILE: &str = "_manifest.json";
pub const SCHEMA: u32 = 3;
/// The first had no notes; it is read as if it had none to give. The second knew sources by their SHA-256 only, and said so.
const SCHEMA_MIN: u32 = 1;
/// Older imports are forgotten; their files would only be read again, which adds nothing.
pub const IMPORTS_MAX: usize = 2048;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema: u32,
    /// Ascending by first time.
    pub parts: Vec<Part>,
    /// Sources read so far, oldest first.
    pub imports: Vec<Import>,
    /// Holes of the venue itself, by time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// Bars taken away, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// Bars that sources disagree about, by time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputed: Vec<Disputed>,
    /// Bars replaced, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
}

/// What every version of the file begins with.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// One Parquet file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Path below the series' folder.
    pub file: String,
    pub rows: u64,
    #[serde(with = "text")]
    pub first: Time,
    #[serde(with = "text")]
    pub last: Time,
    pub bytes: u64,
    pub sha256: String,
    /// Sum of the fingerprints of its bars: see `super::fingerprint`.
    pub content: String,
}

/// A source that was read to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The file's path as it was given.
    pub source: String,
    pub bytes: u64,
    /// The file's own time of change, microseconds since 1970.
    pub modified: i64,
    /// Of the file's bytes: a SHA-256, or `blake3:` and one of those; of a series what it says.
    #[serde(alias = "sha256")]
    pub hash: String,
    /// When it was read.
    #[serde(with = "text")]
    pub at: Time,
    pub added: u64,
    /// Rows not taken, by reason.
    pub refused: BTreeMap<String, u64>,
    /// The greatest return a row was allowed; none = any.
    pub max_return: Option<f64>,
    /// The quality figures of the source as a whole.
    pub quality: serde_json::Value,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            parts: Vec::new(),
            imports: Vec::new(),
            accepted: Vec::new(),
            retired: Vec::new(),
            disputed: Vec::new(),
            repairs: Vec::new(),
        }
    }
}

impl Manifest {
    /// The manifest in `folder`; none where there is no series yet.
    ///
    /// # Errors
    /// When it cannot be read or was written by a newer program.
    pub fn load(folder: &Path) -> Result<Option<Self>, LakeError> {
        let path = folder.join(FILE);
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LakeError::Read { path, source }),
        };
        Self::parse(&path, &content).map(Some)
    }

    /// # Errors
    /// When `content`, which was read from `path`, is no manifest or was written by a newer program.
    pub(super) fn parse(path: &Path, content: &[u8]) -> Result<Self, LakeError> {
        let unreadable = |source| LakeError::Manifest { path: path.to_owned(), source };
        // Its version first: what a newer program added is no damage.
        let Head { schema } = serde_json::from_slice(content).map_err(unreadable)?;
        if !(SCHEMA_MIN..=SCHEMA).contains(&schema) {
            return Err(LakeError::Schema { path: path.to_owned(), found: schema });
        }
        let manifest: Self = serde_json::from_slice(content).map_err(unreadable)?;
        Ok(Self { schema: SCHEMA, ..manifest })
    }

    /// Does the part at this path below the series' folder exist?
    #[must_use]
    pub fn lists(&self, file: &str) -> bool {
        self.parts.iter().any(|part| part.file == file)
    }

    /// Ranges in which bars that are not there are not missing: holes that were accepted, and bars that were taken away.
    #[must_use]
    pub fn excused(&self) -> Vec<Range<Time>> {
        let mut ranges: Vec<Range<Time>> =
            self.accepted.iter().map(Accepted::range).chain(self.retired.iter().map(Retired::range)).collect();
        ranges.sort_by_key(|range| range.start);
        ranges
    }

    #[must_use]
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    #[must_use]
    pub fn first(&self) -> Option<Time> {
        self.parts.iter().map(|part| part.first).min()
    }

    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.parts.iter().map(|part| part.last).max()
    }

    /// Keeps one record for each source, the newest, and no more than `IMPORTS_MAX`.
    pub fn record(&mut self, import: Import) {
        self.imports.retain(|old| old.source != import.source);
        self.imports.push(import);
        let surplus = self.imports.len().saturating_sub(IMPORTS_MAX);
        self.imports.drain(..surplus);
    }

    /// The file as text, laid out so that a person can read it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut content = serde_json::to_vec_pretty(self).expect("a manifest holds only plain values");
        content.push(b'\n');
        content
    }
}

/// Times as people write them.
pub(super) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::Time;

    pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(source: &str, added: u64) -> Import {
        Import {
            source: source.to_owned(),
            bytes: 1,
            modified: 2,
            hash: "00".to_owned(),
            at: Time::from_millis(3),
            added,
            refused: BTreeMap::new(),
            max_return: None,
            quality: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_source_has_one_record_and_the_list_has_an_end() {
        let mut manifest = Manifest::default();
        manifest.record(import("a", 1));
        manifest.record(import("b", 1));
        manifest.record(import("a", 2));
        assert_eq!(manifest.imports.iter().map(|i| (i.source.as_str(), i.added)).collect::<Vec<_>>(), [("b", 1), ("a", 2)]);
        (0..IMPORTS_MAX).for_each(|nth| manifest.record(import(&nth.to_string(), 1)));
        assert_eq!((manifest.imports.len(), manifest.imports[0].source.as_str()), (IMPORTS_MAX, "0"));
    }

    #[test]
    fn a_manifest_of_the_first_schema_is_read_as_one_without_notes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), r#"{"schema":1,"parts":[],"imports":[]}"#).unwrap();
        assert_eq!(Manifest::load(folder.path()).unwrap(), Some(Manifest::default()));
        std::fs::write(folder.path().join(FILE), r#"{"schema":4,"parts":[],"more":[]}"#).unwrap();
        assert!(matches!(Manifest::load(folder.path()), Err(LakeError::Schema { found: 4, .. })));
    }

    #[test]
    fn an_import_of_the_second_schema_keeps_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::default();
        manifest.record(import("a", 1));
        let old =
            String::from_utf8(manifest.to_json()).unwrap().replace("\"schema\": 3", "\"schema\": 2").replace("hash", "sha256");
        assert!(old.contains("\"schema\": 2") && old.contains("\"sha256\": \"00\""), "{old}");
        std::fs::write(folder.path().join(FILE), old).unwrap();
        assert_eq!(Manifest::load(folder.path()).unwrap(), Some(manifest));
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::load(folder.path()).unwrap(), None);
        let mut manifest = Manifest::default();
        manifest.record(import("a", 1));
        std::fs::write(folder.path().join(FILE), manifest.to_json()).unwrap();
        assert_eq!(Manifest::load(folder.path()).unwrap(), Some(manifest));
    }
}
