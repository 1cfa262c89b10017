//! Why a message was not delivered, in words that hold no secret.

use crate::secret::SecretError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("receivers of kind {kind} are not in effect yet")]
    NoEngine { kind: &'static str },
    #[error("the receiver's address is not an https URL")]
    BadAddress,
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
    #[error("not delivered in {attempts} attempts; the last one: {last}")]
    Exhausted { attempts: u32, last: String },
}

impl NotifyError {
    /// Would every other message fare the same? Then the receiver need not be tried again.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        match self {
            Self::Secret(_)
            | Self::NoEngine { .. }
            | Self::BadAddress
            | Self::NoTls { .. }
            | Self::Unavailable { .. }
            | Self::Redirected { .. } => true,
            // 400 and 413 speak of the one message.
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 404 | 410),
            Self::NoReceipt { .. } | Self::Exhausted { .. } => false,
        }
    }
}
