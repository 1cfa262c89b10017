//! Secrets: the one place where what a document only names becomes a value.
//!
//! Enter at [`Secrets::resolve`] to use a secret, at [`Secrets::look`] to learn whether it could be used.
//!
//! SECRET-1  A secret leaves this room as a `SecretString` and in no other way: no error and no `Debug` shows it.
//! SECRET-2  A file holds a secret only if it is plain, ours, and open to nobody else.
//! SECRET-3  Nobody waits longer for a keyring than a named maximum.
//!
//! Not here: how a reference is written (`domain`), which keys hold one (`profile`), what a secret is good for (`notify`).

mod error;
mod file;
mod keyring;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::domain::SecretRef;

pub use error::{SecretError, State, Why};
pub use keyring::Keyring;

/// Longer is no key and no address but a wrong file.
pub const BYTES_MAX: u64 = 64 << 10;

/// Looks up a variable of the environment.
pub type Environment = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Everywhere that a project's secrets may be.
pub struct Secrets {
    root: PathBuf,
    environment: Environment,
    keyring: Keyring,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Relative files lie under `root`, the project's folder.
    #[must_use]
    pub fn new(root: &Path, environment: Environment, keyring: Keyring) -> Self {
        Self { root: root.to_owned(), environment, keyring }
    }

    /// The environment of this process and the keyring of this system.
    #[must_use]
    pub fn of_this_process(root: &Path) -> Self {
        Self::new(root, Box::new(|name| std::env::var_os(name)), Keyring::of_this_system())
    }

    /// The secret that `reference` names, without the line end that editors and `echo` put behind it.
    ///
    /// # Errors
    /// When it is missing, empty, no text, or where others can read it.
    pub fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        let bytes = match reference {
            SecretRef::Env(name) => (self.environment)(name).ok_or(Why::Unset).map(OsString::into_encoded_bytes),
            SecretRef::File(path) => file::read(&self.root, path),
            SecretRef::Keyring { service, user } => self.keyring.read(service, user),
        };
        bytes.and_then(text).map_err(|why| SecretError { reference: reference.clone(), why })
    }

    /// Whether `reference` could be resolved now. A keyring that may ask a person is left alone, and the answer is then
    /// [`State::Unknown`].
    ///
    /// # Errors
    /// As [`Secrets::resolve`].
    pub fn look(&self, reference: &SecretRef) -> Result<(), SecretError> {
        if matches!(reference, SecretRef::Keyring { .. }) && !self.keyring.is_quick() {
            return Err(SecretError { reference: reference.clone(), why: Why::NotAsked });
        }
        self.resolve(reference).map(drop)
    }
}

fn text(bytes: Vec<u8>) -> Result<SecretString, Why> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Why::TooLong { max: BYTES_MAX });
    }
    // The error would hold the bytes, and with them the secret.
    let mut text = String::from_utf8(bytes).map_err(|_| Why::NotText)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.trim().is_empty() { Err(Why::Empty) } else { Ok(SecretString::from(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn secrets(value: &'static [u8]) -> Secrets {
        let environment = move |name: &str| {
            // Any bytes may stand in a variable; this is how the system would hand them over.
            (name == "KNOWN").then(|| os_string(value))
        };
        Secrets::new(Path::new("/"), Box::new(environment), Keyring::none())
    }

    #[cfg(unix)]
    fn os_string(bytes: &[u8]) -> OsString {
        use std::os::unix::ffi::OsStringExt;
        OsString::from_vec(bytes.to_vec())
    }

    fn resolved(value: &'static [u8]) -> Result<String, Why> {
        let secret = secrets(value).resolve(&"env:KNOWN".parse().unwrap());
        secret.map(|secret| secret.expose_secret().to_owned()).map_err(|error| error.why)
    }

    #[test]
    fn one_line_end_is_dropped_and_nothing_else() {
        assert_eq!(resolved(b"https://example.org/x").unwrap(), "https://example.org/x");
        assert_eq!(resolved(b" pass word \n").unwrap(), " pass word ");
        assert_eq!(resolved(b"a\r\n").unwrap(), "a");
        assert_eq!(resolved(b"-----BEGIN\nkey\n-----END\n\n").unwrap(), "-----BEGIN\nkey\n-----END\n");
        for empty in [&b""[..], b"\n", b"  \r\n"] {
            assert_eq!(resolved(empty), Err(Why::Empty));
        }
        assert_eq!(resolved(b"\xff\xfe"), Err(Why::NotText));
        assert_eq!(resolved(&[b'x'; BYTES_MAX as usize + 1]), Err(Why::TooLong { max: BYTES_MAX }));
    }

    /// SECRET-1.
    #[test]
    fn nothing_shows_a_secret() {
        let secrets = secrets(b"hunter2\xff");
        let error = secrets.resolve(&"env:KNOWN".parse().unwrap()).unwrap_err();
        assert!(!format!("{error} {error:?} {secrets:?}").contains("hunter2"));
        let secret = self::secrets(b"hunter2").resolve(&"env:KNOWN".parse().unwrap()).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_missing_says_so() {
        let state = |reference: &str| secrets(b"x").look(&reference.parse().unwrap()).unwrap_err().state();
        assert_eq!(state("env:UNKNOWN"), State::Missing);
        assert_eq!(state("file:/no/such/file"), State::Missing);
        assert_eq!(state("keyring:a/b"), State::Unknown);
        assert!(secrets(b"x").look(&"env:KNOWN".parse().unwrap()).is_ok());
    }
}
