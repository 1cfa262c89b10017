//! The log as a receiver: it is always there.

use super::text::one_line;
use super::{Message, Receiver, Sending};
use crate::telemetry::Severity;

#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

impl Receiver for Log {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        let fields: Vec<String> = message.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (at, title, text, fields) =
            (message.at, one_line(&message.title), one_line(&message.text), one_line(&fields.join(" ")));
        match message.severity {
            Severity::Info => tracing::info!(%at, title, text, fields, "alert"),
            Severity::Warning => tracing::warn!(%at, title, text, fields, "alert"),
            Severity::Critical => tracing::error!(%at, title, text, fields, "alert"),
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
