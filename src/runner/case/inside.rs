//! Paths that a case names: inside its own folder, whatever they say.

use std::path::{Component, Path, PathBuf};

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this path is absolute, and a case reads and writes its own folder only")]
    Absolute,
    #[error("this path is not that of a file inside the case's folder")]
    Leaves,
    #[error("this path leads out of the case's folder by a link")]
    LinksOut,
}

/// The path of `text` below `folder`. What is there may be absent, but never elsewhere.
pub fn inside(folder: &Path, text: &str) -> Result<PathBuf, Refused> {
    let below = Path::new(text);
    if below.is_absolute() {
        return Err(Refused::Absolute);
    }
    let parts: Vec<Component<'_>> = below.components().filter(|part| *part != Component::CurDir).collect();
    if parts.is_empty() || parts.iter().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(Refused::Leaves);
    }
    let path: PathBuf = folder.components().chain(parts).collect();
    let home = folder.canonicalize().map_err(|_| Refused::Leaves)?;
    // The deepest part that exists tells where the path leads; a dangling link exists and leads nowhere we know.
    let there = path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(folder);
    match there.canonicalize() {
        Ok(real) if real.starts_with(&home) => Ok(path),
        _ => Err(Refused::LinksOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CASE-3.
    #[test]
    fn a_case_stays_in_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let case = root.path().join("case");
        std::fs::create_dir_all(case.join("golden")).unwrap();
        std::fs::write(root.path().join("outside.csv"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("outside.csv"), case.join("file-link.csv")).unwrap();
        std::os::unix::fs::symlink(root.path(), case.join("folder-link")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", case.join("dangling.csv")).unwrap();
        std::os::unix::fs::symlink("golden", case.join("inner-link")).unwrap();
        for fine in ["bars.csv", "./bars.csv", "golden/orders.csv", "new/folder/orders.csv", "inner-link/orders.csv"] {
            assert!(inside(&case, fine).unwrap().starts_with(&case), "{fine}");
        }
        assert_eq!(inside(&case, "/etc/passwd"), Err(Refused::Absolute));
        for leaving in ["../outside.csv", "golden/../../outside.csv", "", "."] {
            assert!(inside(&case, leaving).is_err(), "{leaving}");
        }
        for linked in ["file-link.csv", "folder-link/outside.csv", "folder-link/new.csv", "dangling.csv"] {
            assert_eq!(inside(&case, linked), Err(Refused::LinksOut), "{linked}");
        }
    }
}
