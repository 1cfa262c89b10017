//! Until when the venue wants no request, kept in a file: a ban that is forgotten by a restart becomes a longer one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BinanceError;
use crate::domain::Time;
use crate::store::disk::Disk;

const FOLDER: &str = "_venue";
const FILE: &str = "binance.json";

/// The file of a lake.
#[derive(Debug, Clone)]
pub struct Closure {
    folder: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    closed_until: Time,
    why: String,
}

impl Closure {
    pub fn of_lake(root: &Path) -> Self {
        Self { folder: root.join(FOLDER) }
    }

    /// # Errors
    /// When the venue wants no request yet at `now`, or nobody can tell. BINANCE-1.
    pub fn check(&self, now: Time) -> Result<(), BinanceError> {
        match self.read()? {
            Some(Kept { closed_until, why }) if now < closed_until => Err(BinanceError::Closed { until: closed_until, why }),
            _ => Ok(()),
        }
    }

    /// Writes down that no request is wanted before `until`; a later end that stands there stays.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep(&self, until: Time, why: &str) -> Result<(), BinanceError> {
        if self.read().ok().flatten().is_some_and(|kept| kept.closed_until >= until) {
            return Ok(());
        }
        let kept = Kept { closed_until: until, why: why.to_owned() };
        let content = serde_json::to_vec_pretty(&kept).expect("a time and a text are plain values");
        let failed = |source| BinanceError::Memory { path: self.path(), source };
        Disk::default().replace(&self.folder, FILE, &content).map_err(failed)
    }

    fn read(&self) -> Result<Option<Kept>, BinanceError> {
        let path = self.path();
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BinanceError::Memory { path, source }),
            Ok(content) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(|error| BinanceError::MemoryDamaged { path, why: error.to_string() }),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Span;

    /// BINANCE-1.
    #[test]
    fn the_later_end_stays() {
        let folder = tempfile::tempdir().unwrap();
        let closure = Closure::of_lake(folder.path());
        let now: Time = "2026-03-01".parse().unwrap();
        let at = |secs| now + Span::from_secs(secs);
        closure.check(now).unwrap();
        closure.keep(at(600), "418").unwrap();
        closure.keep(at(60), "429").unwrap();
        assert!(
            matches!(Closure::of_lake(folder.path()).check(at(599)), Err(BinanceError::Closed { until, .. }) if until == at(600))
        );
        closure.check(at(600)).unwrap();
        std::fs::write(folder.path().join("_venue/binance.json"), "{").unwrap();
        assert!(matches!(closure.check(at(600)), Err(BinanceError::MemoryDamaged { .. })), "nobody can tell: no request");
    }
}
