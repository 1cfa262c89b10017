//! Reading what a profile only names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::NotifyError;
use crate::domain::SecretRef;

/// Longer is not a key or an address but a wrong file.
const SECRET_BYTES_MAX: u64 = 4096;

/// The secret that `reference` names. `env` looks up a variable; relative files lie under `root`.
///
/// # Errors
/// When it is missing, empty, not one line of text, or in a file that others can read. No error shows the secret.
pub fn resolve(reference: &SecretRef, env: &dyn Fn(&str) -> Option<String>, root: &Path) -> Result<SecretString, NotifyError> {
    let text = match reference {
        SecretRef::Env(name) => env(name).ok_or_else(|| NotifyError::SecretUnset { reference: reference.clone() })?,
        SecretRef::File(path) => read(reference, &root.join(path))?,
        SecretRef::Keyring { .. } => return Err(NotifyError::NoKeyring { reference: reference.clone() }),
    };
    let secret = SecretString::from(text);
    let line = secret.expose_secret().trim();
    if line.is_empty() || line.len() as u64 > SECRET_BYTES_MAX || line.chars().any(char::is_control) {
        return Err(NotifyError::SecretMalformed { reference: reference.clone(), max: SECRET_BYTES_MAX });
    }
    Ok(SecretString::from(line.to_owned()))
}

fn read(reference: &SecretRef, path: &Path) -> Result<String, NotifyError> {
    let unreadable =
        |why: &dyn std::fmt::Display| NotifyError::SecretUnreadable { reference: reference.clone(), why: why.to_string() };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a file"));
    }
    // Of the opened file, not of the path: it cannot be swapped in between.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NotifyError::SecretExposed { reference: reference.clone(), mode });
        }
    }
    let mut text = String::new();
    let malformed = |_| NotifyError::SecretMalformed { reference: reference.clone(), max: SECRET_BYTES_MAX };
    file.take(SECRET_BYTES_MAX + 2).read_to_string(&mut text).map_err(malformed)?;
    Ok(text)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn resolved(reference: &str, root: &Path) -> Result<String, NotifyError> {
        let env = |name: &str| (name == "KNOWN").then(|| " https://example.org/x \n".to_owned());
        resolve(&reference.parse().unwrap(), &env, root).map(|secret| secret.expose_secret().to_owned())
    }

    fn write(root: &Path, name: &str, bytes: &[u8], mode: u32) {
        std::fs::write(root.join(name), bytes).unwrap();
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_variable_is_looked_up_and_trimmed() {
        let root = Path::new("/");
        assert_eq!(resolved("env:KNOWN", root).unwrap(), "https://example.org/x");
        assert!(matches!(resolved("env:UNKNOWN", root), Err(NotifyError::SecretUnset { .. })));
        assert!(matches!(resolved("keyring:a/b", root), Err(NotifyError::NoKeyring { .. })));
    }

    #[test]
    fn a_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "good", b"hunter2\n", 0o600);
        write(root, "shared", b"hunter2\n", 0o640);
        write(root, "empty", b"\n", 0o600);
        write(root, "two-lines", b"hunter2\nmore\n", 0o600);
        write(root, "binary", b"\xff\xfe", 0o600);
        write(root, "long", &[b'x'; 5000], 0o600);
        assert_eq!(resolved("file:good", root).unwrap(), "hunter2");
        assert!(matches!(resolved("file:shared", root), Err(NotifyError::SecretExposed { mode: 0o640, .. })));
        for wrong in ["empty", "two-lines", "binary", "long"] {
            let error = resolved(&format!("file:{wrong}"), root).unwrap_err();
            assert!(matches!(error, NotifyError::SecretMalformed { .. }), "{wrong}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert!(matches!(resolved("file:absent", root), Err(NotifyError::SecretUnreadable { .. })));
        assert!(matches!(resolved("file:.", root), Err(NotifyError::SecretUnreadable { .. })));
    }
}
