//! Until when the venue wants no request, kept in a file: a ban that is forgotten by a restart becomes a longer one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BinanceError;
use crate::domain::Time;
use crate::store::disk::Disk;

const FOLDER: &str = "_venue";
const FILE: &str = "binance.json";

/// The file of a lake. Bars and orders share it: the venue counts by address.
#[derive(Debug, Clone)]
pub struct Closure {
    folder: PathBuf,
}

/// What the venue has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub closed_until: Time,
    pub why: String,
    /// It answers nobody at this address, where else it only wants less. What does not say so is taken for the worse.
    #[serde(default = "yes")]
    pub is_ban: bool,
    /// Until when it wants no new orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_until: Option<Time>,
}

const fn yes() -> bool {
    true
}

impl Closure {
    #[must_use]
    pub fn of_lake(root: &Path) -> Self {
        Self { folder: root.join(FOLDER) }
    }

    /// # Errors
    /// When the venue wants no request yet at `now`, or nobody can tell. BINANCE-1.
    pub fn check(&self, now: Time) -> Result<(), BinanceError> {
        match self.read()? {
            Some(Kept { closed_until, why, .. }) if now < closed_until => Err(BinanceError::Closed { until: closed_until, why }),
            _ => Ok(()),
        }
    }

    /// Writes down at `now` that no request is wanted before `until`; a later end that stands there stays, and so does a ban.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep(&self, until: Time, why: &str, is_ban: bool, now: Time) -> Result<(), BinanceError> {
        let there = self.read().ok().flatten();
        let orders_until = there.as_ref().and_then(|kept| kept.orders_until);
        let kept = Kept { closed_until: until, why: why.to_owned(), is_ban, orders_until };
        match there.filter(|there| now < there.closed_until) {
            Some(there) if there.closed_until >= until && (there.is_ban || !is_ban) => Ok(()),
            Some(there) => {
                let closed_until = there.closed_until.max(until);
                self.write(&Kept { closed_until, is_ban: is_ban || there.is_ban, ..kept })
            }
            None => self.write(&kept),
        }
    }

    /// Writes down that no new orders are wanted before `until`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_orders(&self, until: Time) -> Result<(), BinanceError> {
        let none =
            Kept { closed_until: Time::from_micros(0), why: "too many orders".to_owned(), is_ban: false, orders_until: None };
        let there = self.read().ok().flatten().unwrap_or(none);
        if there.orders_until >= Some(until) {
            return Ok(());
        }
        self.write(&Kept { orders_until: Some(until), ..there })
    }

    fn write(&self, kept: &Kept) -> Result<(), BinanceError> {
        let content = serde_json::to_vec_pretty(kept).expect("times and a text are plain values");
        let failed = |source| BinanceError::Memory { path: self.path(), source };
        Disk::default().replace(&self.folder, FILE, &content).map_err(failed)
    }

    /// # Errors
    /// When the file cannot be read: nobody can tell whether the venue may be asked.
    pub fn read(&self) -> Result<Option<Kept>, BinanceError> {
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

    fn at(secs: i64) -> Time {
        "2026-03-01".parse::<Time>().unwrap() + Span::from_secs(secs)
    }

    /// BINANCE-1.
    #[test]
    fn the_later_end_stays() {
        let folder = tempfile::tempdir().unwrap();
        let closure = Closure::of_lake(folder.path());
        closure.check(at(0)).unwrap();
        closure.keep(at(600), "418", true, at(0)).unwrap();
        closure.keep(at(60), "429", false, at(0)).unwrap();
        assert!(
            matches!(Closure::of_lake(folder.path()).check(at(599)), Err(BinanceError::Closed { until, .. }) if until == at(600))
        );
        closure.check(at(600)).unwrap();
        std::fs::write(folder.path().join("_venue/binance.json"), "{").unwrap();
        assert!(matches!(closure.check(at(600)), Err(BinanceError::MemoryDamaged { .. })), "nobody can tell: no request");
    }

    #[test]
    fn a_ban_and_a_pause_of_orders_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let closure = Closure::of_lake(folder.path());
        closure.keep_orders(at(60)).unwrap();
        closure.check(at(0)).unwrap();
        closure.keep(at(30), "429", false, at(0)).unwrap();
        closure.keep(at(20), "418", true, at(0)).unwrap();
        closure.keep_orders(at(50)).unwrap();
        let kept = closure.read().unwrap().unwrap();
        assert_eq!((kept.closed_until, kept.is_ban, kept.orders_until), (at(30), true, Some(at(60))));
        closure.keep(at(90), "429", false, at(30)).unwrap();
        assert!(!closure.read().unwrap().unwrap().is_ban, "a ban that is over is over");
        // What an earlier version wrote is taken for a ban.
        let old = format!("{{\"closed_until\":\"{}\",\"why\":\"x\"}}", at(600));
        std::fs::write(folder.path().join("_venue/binance.json"), old).unwrap();
        assert!(closure.read().unwrap().unwrap().is_ban);
    }
}
