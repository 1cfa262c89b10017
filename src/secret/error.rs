//! Why a secret cannot be used, in words that hold none, and what to do about it.

use std::path::PathBuf;

use super::keyring;
use crate::domain::SecretRef;

/// A reference that could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {why}")]
pub struct SecretError {
    pub reference: SecretRef,
    pub why: Why,
}

/// Reads on from the reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is not set")]
    Unset,
    #[error("is not there")]
    NoFile,
    #[error("is not in the keyring")]
    NoEntry,
    #[error("is a link to {}, which is not there", to.display())]
    DeadLink { to: PathBuf },
    #[error("is empty")]
    Empty,
    #[error("is not UTF-8 text")]
    NotText,
    #[error("is longer than {max} bytes")]
    TooLong { max: u64 },
    #[error("is {what}, not a plain file")]
    NotPlain { what: &'static str },
    #[error("leads out of its folder, to {}", to.display())]
    Outside { to: PathBuf },
    #[error("can be read by others (mode {mode:04o})")]
    Exposed { mode: u32 },
    #[error("belongs to user {owner}, and this program runs as user {ours}")]
    Foreign { owner: u32, ours: u32 },
    #[error("cannot be read: {why}")]
    Unreadable { why: String },
    #[error("cannot be looked up: {why}")]
    NoKeyring { why: String },
    #[error("was not given within {seconds} s: the keyring does not answer")]
    Slow { seconds: u64 },
    #[error("was not looked up: this keyring may ask a person")]
    NotAsked,
}

/// What is known of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Ok,
    /// It names something that is not there.
    Missing,
    /// It is there and not to be used as it is.
    Refused,
    /// Whoever keeps it did not say.
    Unknown,
}

impl State {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl SecretError {
    #[must_use]
    pub const fn state(&self) -> State {
        match self.why {
            Why::Unset | Why::NoFile | Why::NoEntry | Why::DeadLink { .. } => State::Missing,
            Why::Empty
            | Why::NotText
            | Why::TooLong { .. }
            | Why::NotPlain { .. }
            | Why::Outside { .. }
            | Why::Exposed { .. }
            | Why::Foreign { .. }
            | Why::Unreadable { .. } => State::Refused,
            Why::NoKeyring { .. } | Why::Slow { .. } | Why::NotAsked => State::Unknown,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match (&self.reference, &self.why) {
            (SecretRef::Env(name), _) => format!("set {name} for the run"),
            (SecretRef::File(path), Why::Exposed { .. }) => format!("chmod 600 {}", path.display()),
            (SecretRef::File(path), Why::Foreign { ours, .. }) => format!("chown {ours} {}", path.display()),
            (SecretRef::File(_), Why::Outside { .. }) => {
                "keep the file in the project, or name it by its absolute path".to_owned()
            }
            (SecretRef::File(_), Why::Unreadable { .. }) => {
                "make the file and its folders readable for whoever runs this".to_owned()
            }
            (SecretRef::File(path), Why::NoFile | Why::Empty) => {
                format!("write the secret into {0}, then chmod 600 {0}", path.display())
            }
            (SecretRef::File(_), _) => "name a plain file that holds the secret and nothing else".to_owned(),
            (SecretRef::Keyring { .. }, Why::NotAsked) => "nothing, if the entry is there: a run asks for it".to_owned(),
            (SecretRef::Keyring { .. }, Why::Slow { .. }) => "unlock the keyring, or use a file: or env: reference".to_owned(),
            (SecretRef::Keyring { service, user }, Why::NoKeyring { .. }) => {
                format!("{}; or use a file: or env: reference", keyring::how_to_add(service, user))
            }
            (SecretRef::Keyring { service, user }, _) => keyring::how_to_add(service, user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_names_the_next_step() {
        let error = |reference: &str, why: Why| SecretError { reference: reference.parse().unwrap(), why };
        let exposed = error("file:secrets/slack", Why::Exposed { mode: 0o644 });
        assert_eq!(exposed.to_string(), "file:secrets/slack can be read by others (mode 0644)");
        assert_eq!((exposed.state(), exposed.hint().as_str()), (State::Refused, "chmod 600 secrets/slack"));
        let unset = error("env:SLACK", Why::Unset);
        assert_eq!((unset.to_string().as_str(), unset.hint().as_str()), ("env:SLACK is not set", "set SLACK for the run"));
        assert!(error("keyring:tidegate/slack", Why::NoEntry).hint().contains("tidegate"));
    }
}
