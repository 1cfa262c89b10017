//! Receivers of alerts: how a message leaves the house.
//!
//! Enter at [`open`], which makes a [`Receiver`] of a profile's table, and at [`Receiver::send`].
//!
//! NOTIFY-1  Every wait has a named maximum: connecting, one exchange, the number of tries, the pause between them.
//! NOTIFY-2  A message counts as delivered only on the receiver's own word for it.
//! NOTIFY-3  The address of a receiver is a secret: no error and no `Debug` shows it.
//! NOTIFY-4  What comes from outside (symbols, errors of venues) cannot become markup or call people.
//!
//! Not here: which alert goes where and how often (`stage/alert`).

pub mod config;
pub mod error;
pub mod log;
pub mod slack;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::Time;
use crate::secret::Secrets;
use crate::telemetry::Severity;

pub use config::ReceiverConfig;
pub use error::NotifyError;

/// What is said, before any receiver's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub severity: Severity,
    pub title: String,
    pub text: String,
    /// Particulars, in the order they are shown.
    pub fields: Vec<(String, String)>,
    pub at: Time,
}

/// The receiver's word that it has the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub attempts: u32,
}

/// A message on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Receipt, NotifyError>> + Send + 'a>>;

/// Someone, or something, that takes messages.
pub trait Receiver: Send + Sync {
    /// Delivers within this receiver's own bounds, or says why not.
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a>;
}

/// Stands where a receiver should: every message fails with the reason, so the lack is seen and nothing else stops.
#[derive(Debug)]
pub struct Unavailable {
    why: String,
}

impl Unavailable {
    #[must_use]
    pub fn new(error: &NotifyError) -> Self {
        Self { why: error.to_string() }
    }
}

impl Receiver for Unavailable {
    fn send<'a>(&'a self, _message: &'a Message) -> Sending<'a> {
        Box::pin(async { Err(NotifyError::Unavailable { why: self.why.clone() }) })
    }
}

/// Makes the receiver of one table. Its secrets are read here.
///
/// # Errors
/// When a secret is missing or unsafe, its address is none we send to, or the kind has no engine in this program.
pub fn open(config: &ReceiverConfig, secrets: &Secrets) -> Result<Arc<dyn Receiver>, NotifyError> {
    match config {
        ReceiverConfig::Slack { url } => {
            let address = secrets.resolve(url)?;
            Ok(Arc::new(slack::Slack::new(address, slack::Timing::default())?))
        }
        ReceiverConfig::Smtp(_) | ReceiverConfig::Webhook { .. } => Err(NotifyError::NoEngine { kind: config.kind() }),
    }
}
