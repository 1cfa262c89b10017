//! Receivers of alerts: how a message leaves the house.
//!
//! Enter at [`open`], which makes a [`Receiver`] of a profile's table, and at [`Receiver::send`].
//!
//! NOTIFY-1  Every wait has a named maximum: connecting, and one exchange. One call is one try.
//! NOTIFY-2  A message counts as delivered only on the receiver's own word for it.
//! NOTIFY-3  The address of a receiver is a secret: no error and no `Debug` shows it.
//! NOTIFY-4  What comes from outside (symbols, errors of venues) cannot become markup, a header, or call people.
//! NOTIFY-5  Nothing is posted to a private network, whatever name leads there; no redirect is followed.
//! NOTIFY-6  Mail leaves over TLS to a host whose certificate is good, or not at all.
//!
//! Not here: which alert goes where and how often (`stage/alert`), and trying again.

pub mod config;
pub mod deadman;
pub mod error;
pub mod log;
mod post;
pub mod slack;
pub mod smtp;
mod text;
pub mod webhook;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::Time;
use crate::secret::Secrets;
use crate::telemetry::Severity;

pub use config::ReceiverConfig;
pub use deadman::{Beat, Deadman};
pub use error::NotifyError;
pub use post::Timing;

/// What is said, before any receiver's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name: the same in every try and at every receiver, so that one that comes twice can be told.
    pub id: String,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    /// Particulars, in the order they are shown.
    pub fields: Vec<(String, String)>,
    pub at: Time,
}

/// A message on its way; it ends well on the receiver's word that it has the message.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), NotifyError>> + Send + 'a>>;

/// Someone, or something, that takes messages.
pub trait Receiver: Send + Sync {
    /// Tries once, within this receiver's own bounds, or says why not.
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
/// When a secret is missing or unsafe, or its address is none we send to.
pub fn open(config: &ReceiverConfig, secrets: &Secrets) -> Result<Arc<dyn Receiver>, NotifyError> {
    let timing = Timing::default();
    Ok(match config {
        ReceiverConfig::Slack { url } => Arc::new(slack::Slack::new(secrets.resolve(url)?, timing)?),
        ReceiverConfig::Webhook { url, key } => {
            let key = key.as_ref().map(|key| secrets.resolve(key)).transpose()?;
            Arc::new(webhook::Webhook::new(secrets.resolve(url)?, key, timing)?)
        }
        ReceiverConfig::Smtp(config) => {
            let (user, password) = (secrets.resolve(&config.user)?, secrets.resolve(&config.password)?);
            Arc::new(smtp::Smtp::new(config, &user, &password, timing)?)
        }
    })
}

/// Makes one for each table; one that cannot be made stands there and fails each message with the reason.
#[must_use]
pub fn open_all(configs: &BTreeMap<String, ReceiverConfig>, secrets: &Secrets) -> BTreeMap<String, Arc<dyn Receiver>> {
    let open = |config| open(config, secrets).unwrap_or_else(|error| Arc::new(Unavailable::new(&error)));
    configs.iter().map(|(name, config)| (name.clone(), open(config))).collect()
}
