//! References to secrets: documents name a secret, they never hold one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where a secret is kept. Holding one of these reveals nothing; resolving it is the business of whoever connects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// `env:NAME`, a variable of the environment.
    Env(String),
    /// `file:PATH`, a file that only its owner can read.
    File(PathBuf),
    /// `keyring:service/user`, an entry of the system's keyring.
    Keyring { service: String, user: String },
}

/// A text refers to no secret. The text is not repeated: it may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefError {
    #[error("a secret must be a reference, never the secret itself")]
    Literal,
    #[error("the name behind env: must be a variable's name: letters, digits and underscores")]
    BadVariable,
    #[error("the path behind file: is empty")]
    NoPath,
    #[error("keyring: needs a service and a user, like keyring:service/user")]
    BadKeyring,
    #[error("a reference to a secret holds no line end and no other control character")]
    Control,
}

impl FromStr for SecretRef {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        if text.chars().any(char::is_control) {
            return Err(SecretRefError::Control);
        }
        if let Some(name) = text.strip_prefix("env:") {
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let is_name = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            return if is_name { Ok(Self::Env(name.to_owned())) } else { Err(SecretRefError::BadVariable) };
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = Path::new(path);
            return if path.as_os_str().is_empty() { Err(SecretRefError::NoPath) } else { Ok(Self::File(path.to_owned())) };
        }
        if let Some(entry) = text.strip_prefix("keyring:") {
            return match entry.split_once('/') {
                Some((service, user)) if !service.is_empty() && !user.is_empty() => {
                    Ok(Self::Keyring { service: service.to_owned(), user: user.to_owned() })
                }
                _ => Err(SecretRefError::BadKeyring),
            };
        }
        Err(SecretRefError::Literal)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Keyring { service, user } => write!(f, "keyring:{service}/{user}"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back() {
        for text in ["env:SLACK_WEBHOOK_URL", "file:secrets/smtp_password", "keyring:tidegate/slack"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_literal_is_refused_and_not_repeated() {
        let wrong = [
            "hunter2-literal",
            "env:hunter2-literal",
            "keyring:hunter2-literal",
            "file:",
            "env:",
            "env:1A",
            "",
            "file:a\nhunter2",
            "keyring:a/b\u{0}",
        ];
        for text in wrong {
            let error = text.parse::<SecretRef>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
