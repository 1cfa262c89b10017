//! Why a message was not delivered, in words that hold no secret.

use std::time::Duration;

use crate::secret::SecretError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the receiver's address is not an https URL")]
    BadAddress,
    #[error("the receiver's address lies in a private network")]
    PrivateAddress,
    #[error("no connection can be made safe: {why}")]
    NoTls { why: String },
    #[error("the receiver is not available: {why}")]
    Unavailable { why: String },
    /// The receiver does not want this, and would not a second time.
    #[error("the receiver answered {status} ({word})")]
    Refused { status: u16, word: &'static str },
    #[error("the receiver answered {status}, a redirect; redirects are not followed")]
    Redirected { status: u16 },
    /// An answer that looks well but is not the receiver's word.
    #[error("the receiver answered {status} without its word of receipt")]
    NoReceipt { status: u16 },
    /// Worth another try, after what the receiver asks for.
    #[error("{what}")]
    Passing { what: String, after: Option<Duration> },
    #[error("the message cannot be written as a mail: {why}")]
    BadMail { why: String },
}

impl NotifyError {
    /// Would the same message be refused again? Then this receiver is not tried again with it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Redirected { .. } | Self::BadMail { .. })
    }

    /// Does it look as if the receiver could take nothing until a person has done something? Then another one is told at once.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        !matches!(self, Self::Passing { .. } | Self::NoReceipt { .. })
    }

    /// How long the receiver asks us to wait.
    #[must_use]
    pub const fn after(&self) -> Option<Duration> {
        match self {
            Self::Passing { after, .. } => *after,
            _ => None,
        }
    }
}
