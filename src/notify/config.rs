//! What a receiver of alerts is told.

use crate::domain::SecretRef;

/// One `[alerts.receiver.<name>]` table of a profile, resolved. Secrets stay references until a message is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverConfig {
    Slack {
        url: SecretRef,
    },
    Smtp(SmtpConfig),
    /// With a key, each message is signed.
    Webhook {
        url: SecretRef,
        key: Option<SecretRef>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub from: String,
    pub to: Vec<String>,
    pub user: SecretRef,
    pub password: SecretRef,
}

impl ReceiverConfig {
    /// The word that stands behind `kind`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Smtp(_) => "smtp",
            Self::Webhook { .. } => "webhook",
        }
    }
}
