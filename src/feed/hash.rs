//! What names a file: a hash of its bytes, taken while they are read.
//!
//! A zip, and a file with a `.CHECKSUM` beside it, has the SHA-256 that the venue publishes for it. Any other file has BLAKE3, which
//! takes a third of the time: SHA-256 was a fifth of an import.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::FeedError;
use super::input::CHUNK_BYTES;
use crate::store::disk::hex;

/// What a hash begins with that is no SHA-256.
const BLAKE3: &str = "blake3:";
/// How much of a hash tells files apart for people.
const SHORT_CHARS: usize = 12;

/// What names a file by its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub bytes: u64,
    /// Hexadecimal, and `blake3:` before it if it is one.
    pub hash: String,
}

impl Fingerprint {
    /// Enough of it to tell files of one name apart.
    #[must_use]
    pub fn short(&self) -> &str {
        let hash = self.hash.strip_prefix(BLAKE3).unwrap_or(&self.hash);
        &hash[..SHORT_CHARS]
    }
}

/// How a file is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKind {
    Blake3,
    /// Of what the venue publishes, and of every file in lakes of schema 2 and before.
    Sha256,
}

impl HashKind {
    pub const ALL: [Self; 2] = [Self::Blake3, Self::Sha256];

    /// The kind of a hash by how it is written.
    #[must_use]
    pub fn of(hash: &str) -> Self {
        if hash.starts_with(BLAKE3) { Self::Blake3 } else { Self::Sha256 }
    }

    /// For a file that is no zip.
    pub(super) fn for_file(path: &Path) -> Self {
        if stated_sum(path).is_some() { Self::Sha256 } else { Self::Blake3 }
    }
}

/// A file that is hashed as it is read.
pub(super) struct Hashed {
    file: File,
    hash: Hasher,
    bytes: u64,
}

enum Hasher {
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
}

impl Hashed {
    pub fn new(file: File, kind: HashKind) -> Self {
        let hash = match kind {
            HashKind::Blake3 => Hasher::Blake3(Box::default()),
            HashKind::Sha256 => Hasher::Sha256(Sha256::new()),
        };
        Self { file, hash, bytes: 0 }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads to the end, since bytes behind the last row or the last gzip member are also the file's.
    pub fn finish(mut self) -> io::Result<Fingerprint> {
        let mut buffer = vec![0; CHUNK_BYTES];
        while self.read(&mut buffer)? > 0 {}
        let hash = match self.hash {
            Hasher::Blake3(hash) => format!("{BLAKE3}{}", hash.finalize().to_hex()),
            Hasher::Sha256(hash) => hex(&hash.finalize()),
        };
        Ok(Fingerprint { bytes: self.bytes, hash })
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        match &mut self.hash {
            Hasher::Blake3(hash) => drop(hash.update(&buffer[..read])),
            Hasher::Sha256(hash) => hash.update(&buffer[..read]),
        }
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Names a file by its bytes.
///
/// # Errors
/// When it cannot be read.
pub fn hash(path: &Path, kind: HashKind) -> Result<Fingerprint, FeedError> {
    let found = File::open(path).and_then(|file| Hashed::new(file, kind).finish());
    found.map_err(|source| FeedError::Read { path: path.to_owned(), source })
}

/// The SHA-256 that a file should have, where `NAME.CHECKSUM` lies beside it, as the venue publishes it.
fn stated_sum(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".CHECKSUM");
    let text = std::fs::read_to_string(PathBuf::from(name)).ok()?;
    Some(text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase())
}

/// Where a checksum lies beside a file, it must be the file's.
pub(super) fn check_sum(path: &Path, found: &Fingerprint) -> Result<(), FeedError> {
    let Some(stated) = stated_sum(path) else { return Ok(()) };
    let found = match HashKind::of(&found.hash) {
        HashKind::Sha256 => found.hash.clone(),
        // The checksum was laid there while the file was read.
        HashKind::Blake3 => hash(path, HashKind::Sha256)?.hash,
    };
    if stated == found {
        return Ok(());
    }
    Err(FeedError::Checksum { path: path.to_owned(), found, stated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_of_which_kind_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(HashKind::for_file(&path), HashKind::Blake3);
        let found = HashKind::ALL.map(|kind| hash(&path, kind).unwrap());
        assert_eq!(found[0].hash, "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        assert_eq!(found[1].hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(found.each_ref().map(|found| (found.bytes, found.short())), [(3, "6437b3ac3846"), (3, "ba7816bf8f01")]);
        assert_eq!(found.map(|found| HashKind::of(&found.hash)), HashKind::ALL);
    }

    #[test]
    fn a_checksum_beside_a_file_is_held_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "abc").unwrap();
        let early = hash(&path, HashKind::for_file(&path)).unwrap();
        let sum = folder.path().join("a.csv.CHECKSUM");
        std::fs::write(&sum, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD  a.csv\n").unwrap();
        assert_eq!(HashKind::for_file(&path), HashKind::Sha256);
        check_sum(&path, &hash(&path, HashKind::Sha256).unwrap()).unwrap();
        check_sum(&path, &early).unwrap();
        std::fs::write(&sum, "00  a.csv\n").unwrap();
        for found in [early, hash(&path, HashKind::Sha256).unwrap()] {
            assert!(matches!(check_sum(&path, &found), Err(FeedError::Checksum { .. })), "{}", found.hash);
        }
    }
}
