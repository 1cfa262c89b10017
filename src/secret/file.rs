//! Secrets in files.

use std::fs::Metadata;
use std::path::Path;

use super::{BYTES_MAX, Why};
use crate::store::home::{self, Home, Refused};

/// The bytes of the file. A relative path must not lead out of `root`. An absolute one was written on purpose, and must not lead
/// out of its own folder, within which mounts of secrets have their links.
pub fn read(root: &Path, path: &Path) -> Result<Vec<u8>, Why> {
    let folder = if path.is_absolute() { path.parent().unwrap_or(path) } else { root };
    let (file, metadata) = Home::new(folder).open(&root.join(path))?;
    ours_alone(&metadata)?;
    Ok(home::read(file, &metadata, BYTES_MAX)?)
}

/// SECRET-2, of the file that is open: its name may stand for another one by now.
#[cfg(unix)]
fn ours_alone(metadata: &Metadata) -> Result<(), Why> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let ours = rustix::process::geteuid().as_raw();
    if metadata.uid() != ours {
        return Err(Why::Foreign { owner: metadata.uid(), ours });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 { Err(Why::Exposed { mode }) } else { Ok(()) }
}

/// Systems without owners and modes have other means, which are their owner's business.
#[cfg(not(unix))]
fn ours_alone(_: &Metadata) -> Result<(), Why> {
    Ok(())
}

impl From<Refused> for Why {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Absent => Self::NoFile,
            Refused::DeadLink { to } => Self::DeadLink { to },
            Refused::Outside { to } => Self::Outside { to },
            Refused::NotPlain { what } => Self::NotPlain { what },
            Refused::TooLong { max, .. } => Self::TooLong { max },
            Refused::Swapped => Self::Unreadable { why: refused.to_string() },
            Refused::Unreadable(error) => Self::Unreadable { why: error.to_string() },
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, bytes: &[u8], mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// SECRET-2.
    #[test]
    fn a_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (name, mode) in [("good", 0o600), ("read-only", 0o400), ("group", 0o640), ("world", 0o604), ("run", 0o610)] {
            write(&root.join(name), b"hunter2\n", mode);
        }
        let read = |name: &str| read(root, Path::new(name));
        assert_eq!(read("good").unwrap(), b"hunter2\n");
        assert_eq!(read("read-only").unwrap(), b"hunter2\n");
        for (name, mode) in [("group", 0o640), ("world", 0o604), ("run", 0o610)] {
            assert_eq!(read(name), Err(Why::Exposed { mode }));
        }
    }

    /// SECRET-2: only root can give files away, so only root can see this fail.
    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("foreign"), b"hunter2\n", 0o600);
        if std::os::unix::fs::chown(folder.path().join("foreign"), Some(12345), None).is_err() {
            eprintln!("skipped: not root");
            return;
        }
        let ours = rustix::process::geteuid().as_raw();
        assert_eq!(read(folder.path(), Path::new("foreign")), Err(Why::Foreign { owner: 12345, ours }));
    }

    #[test]
    fn a_file_stays_where_its_name_says() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        write(&outer.path().join("foreign"), b"hunter2\n", 0o600);
        write(&root.join("secrets/slack"), b"inside", 0o600);
        write(&outer.path().join("mount/..data/slack"), b"mounted", 0o400);
        symlink("..data/slack", outer.path().join("mount/slack")).unwrap();
        symlink(outer.path().join("foreign"), outer.path().join("mount/leaving")).unwrap();
        symlink("secrets/slack", root.join("inner")).unwrap();
        symlink("../foreign", root.join("leaving")).unwrap();
        symlink("nowhere", root.join("dead")).unwrap();
        let read = |path: &Path| read(&root, path);
        assert_eq!(read(Path::new("inner")).unwrap(), b"inside");
        assert_eq!(read(&outer.path().join("foreign")).unwrap(), b"hunter2\n");
        assert_eq!(read(&outer.path().join("mount/slack")).unwrap(), b"mounted");
        for leaving in [Path::new("leaving"), Path::new("../foreign"), &outer.path().join("mount/leaving")] {
            assert!(matches!(read(leaving), Err(Why::Outside { .. })), "{}", leaving.display());
        }
        assert_eq!(read(Path::new("dead")), Err(Why::DeadLink { to: "nowhere".into() }));
        assert_eq!(read(Path::new("absent")), Err(Why::NoFile));
        assert_eq!(read(Path::new("secrets")), Err(Why::NotPlain { what: "a folder" }));
        assert_eq!(read(Path::new("/dev/null")), Err(Why::NotPlain { what: "a device" }));
    }

    #[test]
    fn a_long_file_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("fits"), &[b'x'; BYTES_MAX as usize], 0o600);
        write(&folder.path().join("long"), &[b'x'; BYTES_MAX as usize + 1], 0o600);
        assert!(read(folder.path(), Path::new("fits")).is_ok());
        assert_eq!(read(folder.path(), Path::new("long")), Err(Why::TooLong { max: BYTES_MAX }));
    }
}
