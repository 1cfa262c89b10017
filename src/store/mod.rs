//! The store: bars as Parquet that any program can read, the journal of a profile, the record of a run.
//!
//! Enter at [`Lake::open`] for bars, [`journal::Journal::open`] for the state of a profile. Bars: `<root>/ohlcv/venue=…/symbol=…/interval=…/year=…/part-*.parquet`, with a manifest in each
//! series' folder; refused rows lie in `<root>/_quarantine`.
//!
//! LAKE-1  A part exists when the manifest lists it; the manifest is replaced whole, after its parts are on the disk.
//! LAKE-2  Every time occurs once in a series; a bar that is there is changed by a repair only, which keeps what was.
//! LAKE-3  A part is read only if its bytes have the hash that the manifest states.
//! LAKE-4  One writer a series in a folder, by a lock of the operating system; readers need none.
//! LAKE-5  The same bars give the same file under the same name, so work done twice leaves one result.
//! LAKE-6  A glob of `ohlcv` in a folder sees the old bars of a series or the new ones, each once, at every moment.
//! LAKE-7  In a bucket a manifest is replaced only by a writer who has read the one that is there: nobody loses bars to another.
//! LAKE-8  In a bucket no object is removed before it was unlisted, and untouched, for a day by the service's own times.
//! STORE-1 Watermark, snapshot and the rows that explain them are committed together or not at all.
//! STORE-2 One program at a time works on a profile, by a lock of the operating system.
//! STORE-3 The log is only ever added to, and the hash of each row covers all rows before it.
//! STORE-4 A journal that is older than it was known to be is not worked with, unless a person says so with a reason.
//! STORE-5 A client order id is written once, for ever, before anything else is known of its order.
//! STORE-6 What was acknowledged is on the disk: no crash and no power cut takes it back.
//! STORE-7 A latch that cannot be read counts as set.
//! STORE-8 Each claim of an account has a greater token than the one before, and no intent is written without the newest.
//! STORE-9 An alert and how far the log was read for it are written together: each row of the log makes its alert once.
//!
//! Not here: what a bar must satisfy (`stage/ingest`), what files of venues look like (`feed`).

pub mod bucket;
pub mod disk;
pub mod export;
mod fingerprint;
pub mod glance;
pub mod home;
pub mod journal;
mod lake;
pub mod latch;
pub mod lock;
mod manifest;
mod notes;
pub mod outbox;
mod parquet;
pub mod quarantine;
pub mod record;
mod rewrite;
mod shadow;
pub mod wish;
mod writer;

use std::path::PathBuf;

pub use bucket::Bucket;
pub use fingerprint::Content;
pub use lake::{Lake, SeriesInfo};
pub use manifest::{Import, Manifest, Part};
pub use notes::{Accepted, Disputed, Repair, Retired};
pub use quarantine::RefusedRow;
pub use rewrite::{Compacted, Replaced};
pub use writer::{Appended, Staged, Writer};

use crate::domain::{Series, Span};

/// The lake cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("the lake's folder {} is not a folder", .0.display())]
    NotFolder(PathBuf),
    #[error("there are no bars of {series} in the lake {}", lake.display())]
    NoSeries { series: Series, lake: PathBuf },
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} is no manifest", path.display())]
    Manifest { path: PathBuf, source: serde_json::Error },
    #[error("{} has schema {found}, this program knows {known}", path.display(), known = manifest::SCHEMA)]
    Schema { path: PathBuf, found: u32 },
    #[error("another program is writing {series} (it holds {})", lock.display())]
    Locked { series: Series, lock: PathBuf },
    #[error("{} is there already", .0.display())]
    OutputThere(PathBuf),
    #[error("bars to append are not ascending by time")]
    NotAscending,
    #[error("failed to {doing} {}", path.display())]
    Bucket { doing: &'static str, path: PathBuf, source: bucket::Trouble },
    #[error("another program wrote {series} at the same time")]
    Overtaken { series: Series },
    #[error("writing {series} took longer than {max}, so that its parts may have been swept up")]
    TooSlow { series: Series, max: Span },
}

impl LakeError {
    /// May it be gone in a moment? Another program writes the series, or a service is not there just now.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Overtaken { .. } => true,
            Self::Bucket { source, .. } => source.passes(),
            _ => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFolder(_) => Some("name a folder with --lake, or remove the file".to_owned()),
            Self::NoSeries { .. } => Some("tidegate data ls shows what is there; tidegate data import FILE adds bars".to_owned()),
            Self::Read { .. } => None,
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space and run the same command again; what was there is unharmed".to_owned())
            }
            Self::Write { .. } => Some("make the folder writable, or name another with --lake".to_owned()),
            Self::Damaged { path, .. } => Some(format!(
                "restore {} from a copy, or move its series' folder away and import its sources again",
                path.display()
            )),
            Self::Manifest { .. } => {
                Some("restore it from a copy, or move its folder away and import its sources again".to_owned())
            }
            Self::Schema { .. } => Some("use the newer program that wrote it".to_owned()),
            Self::Locked { .. } => Some("wait for it to finish, then run the same command again".to_owned()),
            Self::OutputThere(_) => Some("name another file with --out, or pass --replace".to_owned()),
            Self::NotAscending => None,
            Self::Bucket { source, .. } => Some(source.hint().to_owned()),
            Self::Overtaken { .. } => Some("run the same command again; what the other wrote is kept".to_owned()),
            Self::TooSlow { .. } => Some("nothing of this was taken; take in fewer bars at once".to_owned()),
        }
    }
}
