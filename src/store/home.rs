//! Reading small files that people wrote, from a folder that they must not lead out of.
//!
//! A link inside the folder is fine as long as it ends inside. Anything else that a path can name, like a device or a named pipe,
//! is refused before it is opened: opening some of them waits for ever, and opening others does something.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A folder, and what its name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    real: PathBuf,
}

/// Why a file was not read. Reads on from the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("is not there")]
    Absent,
    #[error("is a link to {}, which is not there", to.display())]
    DeadLink { to: PathBuf },
    #[error("leads out of the folder, to {}", to.display())]
    Outside { to: PathBuf },
    #[error("is {what}")]
    NotPlain { what: &'static str },
    #[error("has {bytes} bytes, and {max} are the most")]
    TooLong { bytes: u64, max: u64 },
    #[error("became another file while it was opened")]
    Swapped,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
}

impl Home {
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        // What is not there holds no file either, which is told of the file.
        Self { real: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()) }
    }

    /// Every folder: for a file that a person names on the command line.
    #[must_use]
    pub fn anywhere() -> Self {
        Self { real: PathBuf::new() }
    }

    /// Opens a plain file below the folder. What is judged is the file that was opened, not what its name stands for later.
    ///
    /// # Errors
    /// When it is not there, no plain file, or elsewhere.
    pub fn open(&self, path: &Path) -> Result<(File, Metadata), Refused> {
        let real = path.canonicalize().map_err(|error| absent(path, error))?;
        if !real.starts_with(&self.real) {
            return Err(Refused::Outside { to: real });
        }
        let before = fs::metadata(&real).map_err(Refused::Unreadable)?;
        if let Some(what) = other_than_plain(&before) {
            return Err(Refused::NotPlain { what });
        }
        let file = without_waiting().open(&real).map_err(Refused::Unreadable)?;
        let metadata = file.metadata().map_err(Refused::Unreadable)?;
        if !is_same(&before, &metadata) {
            return Err(Refused::Swapped);
        }
        Ok((file, metadata))
    }

    /// The bytes of a plain file below the folder, `max` at the most.
    ///
    /// # Errors
    /// As [`Home::open`], and when it is longer.
    pub fn read(&self, path: &Path, max: u64) -> Result<Vec<u8>, Refused> {
        let (file, metadata) = self.open(path)?;
        read(file, &metadata, max)
    }
}

/// The bytes of an open file, `max` at the most.
///
/// # Errors
/// When it is longer or cannot be read.
pub fn read(file: File, metadata: &Metadata, max: u64) -> Result<Vec<u8>, Refused> {
    if metadata.len() > max {
        return Err(Refused::TooLong { bytes: metadata.len(), max });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(max + 1).read_to_end(&mut bytes).map_err(Refused::Unreadable)?;
    match bytes.len() as u64 {
        // It grew since.
        bytes if bytes > max => Err(Refused::TooLong { bytes, max }),
        _ => Ok(bytes),
    }
}

fn absent(path: &Path, error: io::Error) -> Refused {
    if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        return Refused::Unreadable(error);
    }
    match fs::read_link(path) {
        Ok(to) => Refused::DeadLink { to },
        Err(_) => Refused::Absent,
    }
}

/// What a path names when it is no plain file.
fn other_than_plain(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a named pipe");
        } else if kind.is_socket() {
            return Some("a socket");
        } else if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    Some(if kind.is_dir() { "a folder" } else { "not a plain file" })
}

/// Should something else have taken the file's place by now, opening it does not wait, and follows no link.
fn without_waiting() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY).bits().cast_signed());
    }
    options
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino()) && other.is_file()
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, other: &Metadata) -> bool {
    other.is_file()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_may_end_inside_and_nowhere_else() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        fs::create_dir_all(root.join("deep")).unwrap();
        fs::write(root.join("plain"), "inside").unwrap();
        fs::write(outer.path().join("foreign"), "outside").unwrap();
        symlink("plain", root.join("inner")).unwrap();
        symlink(outer.path().join("foreign"), root.join("leaving")).unwrap();
        symlink("../..", root.join("deep/up")).unwrap();
        symlink("/dev/zero", root.join("zero")).unwrap();
        symlink("nowhere", root.join("dead")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        let home = Home::new(&root);
        let read = |name: &str| home.read(&root.join(name), 10);
        for inside in ["plain", "inner", "deep/../plain", "deep/../../project/plain"] {
            assert_eq!(read(inside).unwrap(), b"inside", "{inside}");
        }
        for outside in ["leaving", "deep/up/foreign", "../foreign", "zero"] {
            assert!(matches!(read(outside), Err(Refused::Outside { .. })), "{outside}");
        }
        assert_eq!(Home::anywhere().read(&root.join("leaving"), 10).unwrap(), b"outside");
        assert!(matches!(Home::anywhere().read(&root.join("zero"), 10), Err(Refused::NotPlain { what: "a device" })));
        assert!(matches!(read("dead"), Err(Refused::DeadLink { to }) if to == Path::new("nowhere")));
        assert!(matches!(read("circle"), Err(Refused::Unreadable(_))));
        assert!(matches!(read("absent"), Err(Refused::Absent)));
        assert!(matches!(read("plain/below"), Err(Refused::Absent)));
    }

    /// A project reached through a link is where the link ends.
    #[test]
    fn the_folder_itself_may_be_a_link() {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("real")).unwrap();
        fs::write(outer.path().join("real/plain"), "inside").unwrap();
        symlink("real", outer.path().join("project")).unwrap();
        let root = outer.path().join("project");
        assert_eq!(Home::new(&root).read(&root.join("plain"), 10).unwrap(), b"inside");
    }

    #[test]
    fn only_plain_files_of_bounded_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let home = Home::new(root);
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        fs::write(root.join("ten"), "0123456789").unwrap();
        fs::write(root.join("eleven"), "0123456789x").unwrap();
        let what = |name: &str| match home.read(&root.join(name), 10) {
            Err(Refused::NotPlain { what }) => what,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((what("pipe"), what("socket"), what("folder")), ("a named pipe", "a socket", "a folder"));
        assert_eq!(home.read(&root.join("ten"), 10).unwrap().len(), 10);
        assert!(matches!(home.read(&root.join("eleven"), 10), Err(Refused::TooLong { bytes: 11, max: 10 })));
    }
}
