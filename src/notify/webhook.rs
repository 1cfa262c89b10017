//! Any program that takes JSON: one document a message, signed where a key is given.

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::post::{Post, Timing};
use super::text::{Cut, one_line};
use super::{Message, NotifyError, Receiver, Sending};

/// Characters of a text.
const TEXT_CHARS_MAX: usize = 3000;
/// Under this name a receiver finds the message's own name, so that it can tell a double.
const ID_HEADER: &str = "idempotency-key";
/// HMAC-SHA256 of the body, in hexadecimal.
const SIGNATURE_HEADER: &str = "x-tidegate-signature";

#[derive(Debug)]
pub struct Webhook {
    post: Post,
    key: Option<SecretString>,
}

impl Webhook {
    /// # Errors
    /// When `address` is not https (plain http is for this machine only), or no TLS can be had.
    pub fn new(address: SecretString, key: Option<SecretString>, timing: Timing) -> Result<Self, NotifyError> {
        Ok(Self { post: Post::new(address, timing)?, key })
    }

    async fn deliver(&self, message: &Message) -> Result<(), NotifyError> {
        let body = body(message);
        let mut headers = vec![(ID_HEADER, message.id.clone())];
        if let Some(key) = &self.key {
            headers.push((SIGNATURE_HEADER, format!("sha256={}", signature(key, &body))));
        }
        self.post.json(body, &headers).await?.accepted()
    }
}

impl Receiver for Webhook {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.deliver(message))
    }
}

fn signature(key: &SecretString, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(message: &Message) -> String {
    let mut text = Cut::new(TEXT_CHARS_MAX);
    let mut buffer = [0; 4];
    let shown = message.text.chars().filter(|c| !c.is_control() || *c == '\n');
    shown.for_each(|c| text.put(c.encode_utf8(&mut buffer)));
    let fields: serde_json::Map<_, _> =
        message.fields.iter().map(|(name, value)| (one_line(name), one_line(value).into())).collect();
    json!({
        "schema": "tidegate/alert/1",
        "id": message.id,
        "severity": message.severity.name(),
        "title": one_line(&message.title),
        "text": text.text,
        "fields": fields,
        "at": message.at.to_string(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Severity;

    #[test]
    fn a_signature_is_what_others_compute() {
        // RFC 4231, case 2.
        let key = SecretString::from("Jefe".to_owned());
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(&key, "what do ya want for nothing?"), expected);
    }

    /// G6. NOTIFY-4.
    #[test]
    fn a_document_stays_one_and_is_cut() {
        let message = Message {
            id: "m1".to_owned(),
            severity: Severity::Warning,
            title: "a\r\nb".to_owned(),
            text: format!("\"}}, {{\"x\": \u{1b}[31m{}", "y".repeat(1 << 20)),
            fields: vec![("symbol".to_owned(), "BTC\nUSDT".to_owned())],
            at: "2026-03-29T01:00:00Z".parse().unwrap(),
        };
        let seen: serde_json::Value = serde_json::from_str(&body(&message)).unwrap();
        assert_eq!((seen["title"].as_str(), seen["fields"]["symbol"].as_str()), (Some("a  b"), Some("BTC USDT")));
        let text = seen["text"].as_str().unwrap();
        assert!(text.chars().count() <= TEXT_CHARS_MAX && text.starts_with("\"}, {\"x\": [31my"), "{}", &text[..20]);
    }
}
