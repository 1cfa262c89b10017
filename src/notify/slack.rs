//! Slack, through an incoming webhook.
//!
//! The webhook's URL is all one needs to post, so it is handled as a key: never printed, never in an error.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::log::one_line;
use super::{Message, NotifyError, Receipt, Receiver, Sending};

/// Connecting takes at most this.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// One exchange takes at most this, connecting included.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);
/// One message is tried at most so often.
const ATTEMPTS_MAX: u32 = 3;
/// The pause before the second attempt; it doubles with each.
const BACKOFF: Duration = Duration::from_millis(500);
/// No pause is longer, whatever the receiver asks for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Characters of one message; Slack cuts later, and worse.
const TEXT_CHARS_MAX: usize = 3000;
/// Bytes of an answer that are looked at: the word of receipt has two.
const REPLY_BYTES_MAX: usize = 1024;
/// Characters of a transport error that are kept.
const CAUSE_CHARS_MAX: usize = 160;

const _: () = assert!(CONNECT_MAX.as_millis() < EXCHANGE_MAX.as_millis());
const _: () = assert!(BACKOFF.as_millis() < PAUSE_MAX.as_millis() && ATTEMPTS_MAX > 0);

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

/// How long things may take; the default is what the constants above say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub connect_max: Duration,
    pub exchange_max: Duration,
    pub attempts_max: u32,
    pub backoff: Duration,
    pub pause_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_max: CONNECT_MAX,
            exchange_max: EXCHANGE_MAX,
            attempts_max: ATTEMPTS_MAX,
            backoff: BACKOFF,
            pause_max: PAUSE_MAX,
        }
    }
}

/// Waits; replaced where the length of a pause is what is looked at.
pub type Pause = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

pub struct Slack {
    client: Client,
    address: SecretString,
    timing: Timing,
    pause: Pause,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// One attempt's end, when it was not a receipt.
enum Failure {
    Final(NotifyError),
    /// Worth another try, after what the receiver asks for.
    Passing {
        what: String,
        after: Option<Duration>,
    },
}

impl Slack {
    /// # Errors
    /// When `address` is not https (plain http is for this machine only), or no TLS can be had.
    pub fn new(address: SecretString, timing: Timing) -> Result<Self, NotifyError> {
        let text = address.expose_secret();
        // A URL's parser drops line ends and blanks without a word; with them it is another text than was meant.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(NotifyError::BadAddress);
        }
        let url = Url::parse(text).map_err(|_| NotifyError::BadAddress)?;
        let is_local = is_this_machine(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
            return Err(NotifyError::BadAddress);
        }
        install_tls();
        let builder = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timing.connect_max)
            .timeout(timing.exchange_max)
            // Attempts are counted here, and a redirect would hand the message to a stranger.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none());
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| NotifyError::NoTls { why: cause(error, address.expose_secret()) })?;
        Ok(Self { client, address, timing, pause: Box::new(|time| Box::pin(tokio::time::sleep(time))) })
    }

    /// The same receiver with another way to wait between attempts.
    #[must_use]
    pub fn with_pause(mut self, pause: Pause) -> Self {
        self.pause = pause;
        self
    }

    async fn deliver(&self, body: String) -> Result<Receipt, NotifyError> {
        let mut backoff = self.timing.backoff;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(body.clone()).await {
                Ok(()) => return Ok(Receipt { attempts }),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { what, .. }) if attempts >= self.timing.attempts_max => {
                    return Err(NotifyError::Exhausted { attempts, last: what });
                }
                Err(Failure::Passing { after, .. }) => {
                    (self.pause)(after.unwrap_or(backoff).min(self.timing.pause_max)).await;
                    backoff = backoff.saturating_mul(2);
                }
            }
        }
    }

    async fn attempt(&self, body: String) -> Result<(), Failure> {
        let passing = |error| Failure::Passing { what: cause(error, self.address.expose_secret()), after: None };
        let request = self.client.post(self.address.expose_secret()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(passing)?;
        let (status, after) = (response.status(), retry_after(response.headers()));
        let reply = beginning(response).await.map_err(passing)?;
        judge(status, &reply, after)
    }
}

impl Receiver for Slack {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.deliver(body(message)))
    }
}

/// What an answer means: NOTIFY-2.
fn judge(status: StatusCode, reply: &[u8], after: Option<Duration>) -> Result<(), Failure> {
    let (code, reply) = (status.as_u16(), reply.trim_ascii());
    if status.is_success() {
        return if reply == b"ok" { Ok(()) } else { Err(Failure::Final(NotifyError::NoReceipt { status: code })) };
    }
    if status.is_redirection() {
        return Err(Failure::Final(NotifyError::Redirected { status: code }));
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT {
        return Err(Failure::Passing { what: format!("it answered {code}"), after });
    }
    let word = REFUSALS.into_iter().find(|word| word.as_bytes() == reply).unwrap_or("no word we know");
    Err(Failure::Final(NotifyError::Refused { status: code, word }))
}

/// Whole seconds to wait; the form with a date is not honoured.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The first bytes of an answer. The rest is never read: the connection is dropped with it.
async fn beginning(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = REPLY_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if bytes.len() == REPLY_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

/// What went wrong on the way, without the address.
fn cause(error: reqwest::Error, address: &str) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text: String = one_line(&innermost.to_string()).chars().take(CAUSE_CHARS_MAX).collect();
    // No transport error known quotes more than the host. Should one come to, NOTIFY-3 goes before a good message.
    if quotes(&text, address) { "the connection failed".to_owned() } else { text }
}

/// Does `text` hold a part of the address that is not for everybody? That is all but scheme, host and port.
fn quotes(text: &str, address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return true };
    let parts = url.path_segments().into_iter().flatten().chain([url.username()]);
    let parts = parts.chain(url.password()).chain(url.query()).chain(url.fragment());
    parts.filter(|part| part.len() > 3).any(|part| text.contains(part))
}

fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    ip.is_ok_and(|ip| ip.is_loopback())
}

/// One TLS provider for the whole process; a second one is refused, and not needed.
fn install_tls() {
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}

/// The JSON that Slack takes. Links are not unfurled: nothing but the message is shown or fetched.
fn body(message: &Message) -> String {
    serde_json::json!({ "text": text(message), "unfurl_links": false, "unfurl_media": false }).to_string()
}

/// The message in Slack's markup, cut to [`TEXT_CHARS_MAX`] without cutting an escape.
fn text(message: &Message) -> String {
    let mut out = Cut::default();
    let severity = message.severity.name().to_uppercase();
    out.markup("*");
    out.say(&format!("{severity} {}", one_line(&message.title)));
    out.markup("*\n");
    out.say(&message.text);
    for (name, value) in &message.fields {
        out.markup("\n• ");
        out.say(&one_line(&format!("{name}: {value}")));
    }
    out.markup("\n");
    out.say(&message.at.to_string());
    out.text
}

/// Text that stops growing at its bound.
#[derive(Default)]
struct Cut {
    text: String,
    chars: usize,
    full: bool,
}

impl Cut {
    fn put(&mut self, piece: &str) {
        let chars = piece.chars().count();
        // One place is kept for the sign that there was more.
        if !self.full && self.chars + chars < TEXT_CHARS_MAX {
            self.text.push_str(piece);
            self.chars += chars;
        } else if !self.full {
            self.text.push('…');
            self.full = true;
        }
    }

    fn markup(&mut self, markup: &str) {
        self.put(markup);
    }

    /// Slack's three control characters are escaped, so no text can make a link or call a channel: NOTIFY-4.
    fn say(&mut self, text: &str) {
        let mut buffer = [0; 4];
        for c in text.chars() {
            match c {
                '&' => self.put("&amp;"),
                '<' => self.put("&lt;"),
                '>' => self.put("&gt;"),
                '\n' | '\t' => self.put(c.encode_utf8(&mut buffer)),
                c if c.is_control() => {}
                c => self.put(c.encode_utf8(&mut buffer)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Severity;

    fn message(title: &str, text: &str) -> Message {
        let fields = vec![("symbol".to_owned(), "BTC/USDT".to_owned())];
        let at = "2026-03-29T01:00:00Z".parse().unwrap();
        Message { severity: Severity::Critical, title: title.to_owned(), text: text.to_owned(), fields, at }
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

    /// NOTIFY-3.
    #[test]
    fn an_error_that_quotes_the_address_is_not_repeated() {
        let address = "https://user:hunter2@hooks.slack.com/services/T000/B000?key=word";
        for quoting in ["no route to /services/T000", "cannot use hunter2", "bad key=word", "services"] {
            assert!(quotes(quoting, address), "{quoting}");
        }
        assert!(!quotes("connection refused by hooks.slack.com:443", address));
    }

    #[test]
    fn a_refusal_repeats_known_words_only() {
        let refused = |reply: &[u8]| match judge(StatusCode::NOT_FOUND, reply, None) {
            Err(Failure::Final(error)) => error,
            _ => panic!("a refusal is final"),
        };
        assert_eq!(refused(b"no_service\n"), NotifyError::Refused { status: 404, word: "no_service" });
        assert_eq!(refused(b"/services/hunter2"), NotifyError::Refused { status: 404, word: "no word we know" });
        assert!(refused(b"no_service").is_for_good());
    }
}
