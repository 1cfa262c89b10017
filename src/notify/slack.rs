//! Slack, through an incoming webhook.
//!
//! The webhook's URL is all one needs to post, so it is handled as a key: never printed, never in an error.

use secrecy::SecretString;

use super::post::{Post, Reply, Timing};
use super::text::{Cut, one_line};
use super::{Message, NotifyError, Receiver, Sending};

/// Characters of one message; Slack cuts later, and worse.
const TEXT_CHARS_MAX: usize = 3000;

/// The words Slack gives with a refusal. Any other text of an answer is not repeated: it may quote the address.
const REFUSALS: [&str; 14] = [
    "no_service",
    "no_active_hooks",
    "no_team",
    "no_text",
    "invalid_payload",
    "invalid_token",
    "user_not_found",
    "channel_not_found",
    "channel_is_archived",
    "action_prohibited",
    "posting_to_general_channel_denied",
    "team_disabled",
    "too_many_attachments",
    "rollup_error",
];

#[derive(Debug)]
pub struct Slack(Post);

impl Slack {
    /// # Errors
    /// When `address` is not https (plain http is for this machine only), or no TLS can be had.
    pub fn new(address: SecretString, timing: Timing) -> Result<Self, NotifyError> {
        Post::new(address, timing).map(Self)
    }

    async fn deliver(&self, body: String) -> Result<(), NotifyError> {
        judge(&self.0.json(body, &[]).await?)
    }
}

impl Receiver for Slack {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.deliver(body(message)))
    }
}

/// What an answer means: NOTIFY-2.
fn judge(reply: &Reply) -> Result<(), NotifyError> {
    let (code, word) = (reply.status.as_u16(), reply.beginning.trim_ascii());
    if reply.status.is_success() {
        return if word == b"ok" { Ok(()) } else { Err(NotifyError::NoReceipt { status: code }) };
    }
    reply.passing_or_redirect()?;
    let word = REFUSALS.into_iter().find(|known| known.as_bytes() == word).unwrap_or("no word we know");
    Err(NotifyError::Refused { status: code, word })
}

/// The JSON that Slack takes. Links are not unfurled: nothing but the message is shown or fetched.
fn body(message: &Message) -> String {
    serde_json::json!({ "text": text(message), "unfurl_links": false, "unfurl_media": false }).to_string()
}

/// The message in Slack's markup, cut to [`TEXT_CHARS_MAX`] without cutting an escape.
fn text(message: &Message) -> String {
    let mut out = Cut::new(TEXT_CHARS_MAX);
    let severity = message.severity.name().to_uppercase();
    out.put("*");
    slack(&mut out, &format!("{severity} {}", one_line(&message.title)));
    out.put("*\n");
    slack(&mut out, &message.text);
    for (name, value) in &message.fields {
        out.put("\n• ");
        slack(&mut out, &one_line(&format!("{name}: {value}")));
    }
    out.put("\n");
    slack(&mut out, &message.at.to_string());
    out.text
}

/// Slack's three control characters are escaped, so no text can make a link or call a channel: NOTIFY-4.
fn slack(out: &mut Cut, text: &str) {
    let mut buffer = [0; 4];
    for c in text.chars() {
        match c {
            '&' => out.put("&amp;"),
            '<' => out.put("&lt;"),
            '>' => out.put("&gt;"),
            '\n' | '\t' => out.put(c.encode_utf8(&mut buffer)),
            c if c.is_control() => {}
            c => out.put(c.encode_utf8(&mut buffer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Severity;
    use reqwest::StatusCode;

    fn message(title: &str, text: &str) -> Message {
        let fields = vec![("symbol".to_owned(), "BTC/USDT".to_owned())];
        let at = "2026-03-29T01:00:00Z".parse().unwrap();
        Message { id: "m1".to_owned(), severity: Severity::Critical, title: title.to_owned(), text: text.to_owned(), fields, at }
    }

    #[test]
    fn a_message_reads_as_one_thing() {
        let shown = text(&message("kill switch", "equity fell 3.1 % below its mark"));
        assert_eq!(shown, "*CRITICAL kill switch*\nequity fell 3.1 % below its mark\n• symbol: BTC/USDT\n2026-03-29T01:00:00Z");
    }

    /// NOTIFY-4.
    #[test]
    fn nobody_is_called_and_nothing_links() {
        let shown = text(&message("a\nb <!channel>", "<!here> <@U123> <https://evil.example|click> & \u{7} done"));
        assert!(!shown.contains('<') && !shown.contains('\u{7}'), "{shown}");
        assert!(shown.starts_with("*CRITICAL a b &lt;!channel&gt;*\n&lt;!here&gt;"), "{shown}");
    }

    #[test]
    fn a_long_text_is_cut_between_escapes() {
        for extra in 0..6 {
            let long = format!("{}{}", "x".repeat(extra), "<".repeat(1 << 20));
            let shown = text(&message("t", &long));
            assert!(shown.chars().count() <= TEXT_CHARS_MAX);
            assert!(shown.ends_with("&lt;…"), "{}", &shown[shown.len() - 20..]);
        }
    }

    #[test]
    fn only_https_leaves_this_machine() {
        let open = |url: &str| Slack::new(SecretString::from(url.to_owned()), Timing::default());
        for good in ["https://hooks.slack.com/services/T0/B0/x", "http://127.0.0.1:1/x", "http://[::1]:1/x"] {
            assert!(open(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://hooks.slack.com/services/x",
            "file:///etc/passwd",
            "http://localhost/",
            "hunter2",
            "",
            "https://hooks.slack.com/services/T0\n/B0",
            " https://hooks.slack.com/services/T0/B0",
            "http://169.254.169.254/",
        ] {
            assert_eq!(open(wrong).err(), Some(NotifyError::BadAddress), "{wrong}");
        }
    }

    /// NOTIFY-3.
    #[test]
    fn the_address_is_not_shown() {
        let slack =
            Slack::new(SecretString::from("https://hooks.slack.com/services/hunter2".to_owned()), Timing::default()).unwrap();
        assert!(!format!("{slack:?}").contains("hunter2"));
    }

    #[test]
    fn a_refusal_repeats_known_words_only() {
        let refused =
            |reply: &[u8]| judge(&Reply { status: StatusCode::NOT_FOUND, beginning: reply.to_vec(), after: None }).unwrap_err();
        assert_eq!(refused(b"no_service\n"), NotifyError::Refused { status: 404, word: "no_service" });
        assert_eq!(refused(b"/services/hunter2"), NotifyError::Refused { status: 404, word: "no word we know" });
        assert!(refused(b"no_service").is_for_good() && refused(b"no_service").is_final());
    }
}
