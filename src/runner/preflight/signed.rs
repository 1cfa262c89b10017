//! The record on the disk, signed with a key that stays on this machine.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::Record;
use crate::store::disk::{Disk, hex};

/// The record of a profile, beside its journal.
pub const FILE: &str = "preflight.json";
const KEY: &str = "preflight.key";
const KEY_BYTES: usize = 32;
const KEY_MODE: u32 = 0o600;
const OTHERS: u32 = 0o077;
const SCHEMA: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{path} was not signed by this machine's {KEY}: it was changed by hand, or made elsewhere")]
    Forged { path: PathBuf },
    #[error("{path} is not a record of a preflight")]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("{path} is not safe to sign with: {why}")]
    Unsafe { path: PathBuf, why: String },
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the system gives no random numbers for a key")]
    NoRandom,
}

impl RecordError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Forged { .. } | Self::Malformed { .. } => "make every check again: `tidegate preflight -p PROFILE`",
            Self::Unsafe { .. } => "take the file away, and make every check again",
            Self::Io { .. } | Self::NoRandom => "make the folder writable, and make every check again",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: u32,
    record: Record,
    /// HMAC-SHA256 over the record.
    signature: String,
}

/// The record of the profile in `folder`; `None` where none was made. PREFLIGHT-2.
///
/// # Errors
/// [`RecordError::Forged`] for one that this machine did not write as it is.
pub fn read(folder: &Path) -> Result<Option<Record>, RecordError> {
    let path = folder.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RecordError::Io { path, source }),
    };
    let document: Document = match serde_json::from_slice(&text) {
        Ok(document) => document,
        Err(source) => return Err(RecordError::Malformed { path, source }),
    };
    let Some(key) = kept_key(folder)? else { return Err(RecordError::Forged { path }) };
    let is_ours = unhex(&document.signature).is_some_and(|tag| hmac::verify(&key, &signed(&document.record), &tag).is_ok());
    if document.schema == SCHEMA && is_ours { Ok(Some(document.record)) } else { Err(RecordError::Forged { path }) }
}

/// Puts the record in its place, whole or not at all.
///
/// # Errors
/// When the key or the file cannot be written, or others may read the key.
pub fn write(folder: &Path, record: &Record) -> Result<(), RecordError> {
    let key = match kept_key(folder)? {
        Some(key) => key,
        None => make_key(folder)?,
    };
    let signature = hex(hmac::sign(&key, &signed(record)).as_ref());
    let document = Document { schema: SCHEMA, record: record.clone(), signature };
    let mut text = serde_json::to_vec_pretty(&document).expect("a record has text keys only");
    text.push(b'\n');
    let done = Disk::default().replace(folder, FILE, &text);
    done.map_err(|source| RecordError::Io { path: folder.join(FILE), source })
}

fn signed(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has text keys only")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(byte).collect() } else { None }
}

/// The key, where one was made.
fn kept_key(folder: &Path) -> Result<Option<hmac::Key>, RecordError> {
    let path = folder.join(KEY);
    let io = |source| RecordError::Io { path: path.clone(), source };
    let mut file =
        match fs::File::options().read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io(source)),
        };
    let metadata = file.metadata().map_err(io)?;
    if metadata.mode() & OTHERS != 0 {
        let why = format!("others may use it (mode {:04o})", metadata.mode() & 0o7777);
        return Err(RecordError::Unsafe { path, why });
    }
    let mut bytes = [0; KEY_BYTES];
    file.read_exact(&mut bytes).map_err(io)?;
    Ok(Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
}

/// Makes the key. Two who do so at once end with one: the second takes the first one's.
fn make_key(folder: &Path) -> Result<hmac::Key, RecordError> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| RecordError::NoRandom)?;
    let path = folder.join(KEY);
    let io = |source| RecordError::Io { path: path.clone(), source };
    let disk = Disk::default();
    disk.create_folder(folder).map_err(io)?;
    let make = fs::File::options().write(true).create_new(true).mode(KEY_MODE).open(&path);
    match make {
        Ok(mut file) => {
            file.write_all(&bytes).and_then(|()| file.sync_all()).and_then(|()| disk.sync(folder)).map_err(io)?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => kept_key(folder)?.ok_or_else(|| io(ErrorKind::NotFound.into())),
        Err(source) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::{Span, Time};
    use crate::runner::preflight::{Bound, Finding, Verdict};

    fn record() -> Record {
        let text = |text: &str| text.to_owned();
        let (binary, profile, pipeline, model, account) = (text("b"), text("p"), text("l"), text("m"), text("a"));
        let mut record = Record::new(Bound { binary, profile, pipeline, model, account }, text("7731"));
        let at = Time::from_millis(1_740_000_000_000);
        let said = text("a code was sent, and nobody typed it");
        let (fix, took, valid_until) = (None, Span::from_millis(1), at + Span::from_days(1));
        record.take("alert", Finding { verdict: Verdict::Fail, said, fix, at, took, valid_until });
        record
    }

    /// PREFLIGHT-2, J4.
    #[test]
    fn one_that_was_changed_by_hand_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (folder.path().join(FILE), folder.path().join(KEY));
        assert_eq!(read(folder.path()).unwrap(), None);
        write(folder.path(), &record()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(record()));
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o7777, KEY_MODE);
        let text = fs::read_to_string(&file).unwrap();
        for (was, is) in [("\"fail\"", "\"ok\""), ("7731", "7732"), ("\"b\"", "\"c\""), ("2025-02-20T", "2026-02-20T")] {
            assert!(text.contains(was), "{was}");
            fs::write(&file, text.replacen(was, is, 1)).unwrap();
            assert!(matches!(read(folder.path()), Err(RecordError::Forged { .. })), "{was}");
        }
        let cut = text.find("signature").unwrap();
        fs::write(&file, text.replace(&text[cut + 13..cut + 77], &"0".repeat(64))).unwrap();
        assert!(matches!(read(folder.path()), Err(RecordError::Forged { .. })));
        fs::write(&file, "{}").unwrap();
        assert!(matches!(read(folder.path()), Err(RecordError::Malformed { .. })));
        // The same words where another key is, or none.
        fs::write(&file, &text).unwrap();
        fs::write(&key, [7; KEY_BYTES]).unwrap();
        assert!(matches!(read(folder.path()), Err(RecordError::Forged { .. })));
        fs::remove_file(&key).unwrap();
        assert!(matches!(read(folder.path()), Err(RecordError::Forged { .. })));
    }

    #[test]
    fn a_key_that_others_may_read_signs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &record()).unwrap();
        fs::set_permissions(folder.path().join(KEY), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(folder.path()), Err(RecordError::Unsafe { .. })));
        assert!(matches!(write(folder.path(), &record()), Err(RecordError::Unsafe { .. })));
    }
}
