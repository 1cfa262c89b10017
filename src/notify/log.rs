//! The log as a receiver: it is always there.

use super::{Message, Receipt, Receiver, Sending};
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
        Box::pin(std::future::ready(Ok(Receipt { attempts: 1 })))
    }
}

/// Without line breaks and other control characters: a message cannot forge a line of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(one_line("a\nERROR forged\r\u{1b}[31m"), "a ERROR forged  [31m");
    }
}
