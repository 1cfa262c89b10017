//! Pages of the venue that were not what was asked for, kept as they came so that a person can look at them.

use std::path::{Path, PathBuf};

use crate::domain::Time;
use crate::store::disk::Disk;

/// Pages kept; of more, the oldest go.
const PAGES_MAX: usize = 32;
/// Of a longer one the beginning is kept.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Where they are.
#[derive(Debug)]
pub struct Rejected {
    folder: PathBuf,
}

impl Rejected {
    pub fn of_lake(lake: &Path) -> Self {
        Self { folder: lake.join("_quarantine").join("rejected-pages") }
    }

    /// Keeps a page under the time and what was asked for; none where the disk does not take it, which is no reason to end a fetch that may
    /// still succeed.
    pub fn keep(&self, at: Time, what: &str, why: &str, body: &[u8]) -> Option<PathBuf> {
        let name: String =
            format!("{at}-{what}").chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        let name = format!("{name}.txt");
        let mut content = format!("{why}\n\n").into_bytes();
        content.extend_from_slice(&body[..body.len().min(PAGE_BYTES_MAX)]);
        Disk::default().replace(&self.folder, &name, &content).ok()?;
        self.forget_old();
        Some(self.folder.join(name))
    }

    /// Names begin with their time, so that the first are the oldest.
    fn forget_old(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let mut pages: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        pages.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
        pages.sort();
        let old = pages.len().saturating_sub(PAGES_MAX);
        for path in &pages[..old] {
            // One that stays is forgotten with the next.
            let _ = Disk::default().remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Span;

    #[test]
    fn the_newest_pages_are_kept_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let rejected = Rejected::of_lake(folder.path());
        let start: Time = "2026-03-01T12:00:00Z".parse().unwrap();
        let long = vec![b'x'; PAGE_BYTES_MAX + 5];
        for nth in 0..40 {
            let path = rejected.keep(start + Span::from_secs(nth), "../BTCUSDT 1h", "no page", &long).unwrap();
            assert!(path.starts_with(&rejected.folder) && path.is_file(), "{}", path.display());
        }
        let mut kept: Vec<PathBuf> = std::fs::read_dir(&rejected.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        kept.sort();
        assert_eq!(kept.len(), PAGES_MAX);
        assert!(kept[0].to_string_lossy().ends_with("2026-03-01T12-00-08Z-..-BTCUSDT-1h.txt"), "{}", kept[0].display());
        let content = std::fs::read(&kept[0]).unwrap();
        assert!(content.starts_with(b"no page\n\nxxx") && content.len() == PAGE_BYTES_MAX + 9);
    }
}
