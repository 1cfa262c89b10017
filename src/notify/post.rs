//! One POST to an address that is a secret: what Slack, webhooks and the dead man's switch share.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::NotifyError;
use super::text::one_line;

/// Connecting takes at most this.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// One exchange takes at most this, connecting included.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer that are looked at: a word of receipt is short.
const REPLY_BYTES_MAX: usize = 1024;
/// Characters of a transport error that are kept.
const CAUSE_CHARS_MAX: usize = 160;

const _: () = assert!(CONNECT_MAX.as_millis() < EXCHANGE_MAX.as_millis());

/// How long things may take; the default is what the constants above say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub connect_max: Duration,
    pub exchange_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { connect_max: CONNECT_MAX, exchange_max: EXCHANGE_MAX }
    }
}

/// Where things are posted.
pub struct Post {
    client: Client,
    address: SecretString,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

/// An answer, as far as it is read.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub beginning: Vec<u8>,
    pub after: Option<Duration>,
}

impl Reply {
    /// # Errors
    /// When it asks to come again, or sends us elsewhere.
    pub fn passing_or_redirect(&self) -> Result<(), NotifyError> {
        let code = self.status.as_u16();
        if self.status.is_redirection() {
            return Err(NotifyError::Redirected { status: code });
        }
        let is_passing =
            self.status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&self.status);
        if is_passing { Err(NotifyError::Passing { what: format!("it answered {code}"), after: self.after }) } else { Ok(()) }
    }

    /// Any success is a receipt.
    ///
    /// # Errors
    /// When it is none.
    pub fn accepted(&self) -> Result<(), NotifyError> {
        if self.status.is_success() {
            return Ok(());
        }
        self.passing_or_redirect()?;
        Err(NotifyError::Refused { status: self.status.as_u16(), word: "not accepted" })
    }
}

impl Post {
    /// # Errors
    /// When `address` is not https (plain http is for this machine only) or names a private address, or no TLS can be had.
    pub fn new(address: SecretString, timing: Timing) -> Result<Self, NotifyError> {
        let text = address.expose_secret();
        // A URL's parser drops line ends and blanks without a word; with them it is another text than was meant.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(NotifyError::BadAddress);
        }
        let url = Url::parse(text).map_err(|_| NotifyError::BadAddress)?;
        let ip = ip_of(&url);
        let is_local = ip.is_some_and(|ip| ip.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
            return Err(NotifyError::BadAddress);
        }
        if ip.is_some_and(|ip| !ip.is_loopback() && !is_public(ip)) {
            return Err(NotifyError::PrivateAddress);
        }
        install_tls();
        let builder = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timing.connect_max)
            .timeout(timing.exchange_max)
            .dns_resolver(std::sync::Arc::new(PublicOnly))
            // Tries are counted elsewhere, and a redirect would hand the message to a stranger.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none());
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| NotifyError::NoTls { why: cause(error, address.expose_secret()) })?;
        Ok(Self { client, address })
    }

    /// Posts JSON, with headers of names and values.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn json(&self, body: String, headers: &[(&'static str, String)]) -> Result<Reply, NotifyError> {
        self.to(self.address.expose_secret(), body, headers).await
    }

    /// Posts nothing to a place below the address.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn below(&self, place: &str) -> Result<Reply, NotifyError> {
        let address = format!("{}{place}", self.address.expose_secret().trim_end_matches('/'));
        self.to(&address, String::new(), &[]).await
    }

    async fn to(&self, address: &str, body: String, headers: &[(&'static str, String)]) -> Result<Reply, NotifyError> {
        let passing = |error| NotifyError::Passing { what: cause(error, self.address.expose_secret()), after: None };
        let mut request = self.client.post(address).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(passing)?;
        let (status, after) = (response.status(), retry_after(response.headers()));
        let beginning = beginning(response).await.map_err(passing)?;
        Ok(Reply { status, beginning, after })
    }
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

fn ip_of(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// One TLS provider for the whole process; a second one is refused, and not needed.
pub fn install_tls() {
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}

/// Names lead to addresses of the public network or nowhere: NOTIFY-5. What is looked at is what is connected to.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotifyError::PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Is it an address that anybody may reach?
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            let embedded = ip.to_ipv4_mapped().or_else(|| {
                // 64:ff9b::/96 leads to the version 4 address in it.
                let [a, b, .., high, low] = ip.segments();
                let [(a1, a2), (b1, b2)] = [high, low].map(|word| ((word >> 8) as u8, (word & 0xff) as u8));
                (a == 0x64 && b == 0xff9b).then(|| Ipv4Addr::new(a1, a2, b1, b2))
            });
            match embedded {
                Some(ip) => is_public_v4(ip),
                None => {
                    !(ip.is_loopback()
                        || ip.is_unspecified()
                        || ip.is_multicast()
                        || first & 0xfe00 == 0xfc00
                        || first & 0xffc0 == 0xfe80)
                }
            }
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && b & 0xc0 == 64;
    let is_reserved = a == 0 || a >= 240 || (a, b, c) == (192, 0, 0) || (a == 198 && b & 0xfe == 18);
    !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || is_shared || is_reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NOTIFY-3.
    #[test]
    fn an_error_that_quotes_the_address_is_not_repeated() {
        let address = "https://user:hunter2@hooks.slack.com/services/T000/B000?key=word";
        for quoting in ["no route to /services/T000", "cannot use hunter2", "bad key=word", "services"] {
            assert!(quotes(quoting, address), "{quoting}");
        }
        assert!(!quotes("connection refused by hooks.slack.com:443", address));
    }

    /// I8. NOTIFY-5.
    #[test]
    fn private_addresses_are_none() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "198.18.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        let open = |url: &str| Post::new(SecretString::from(url.to_owned()), Timing::default()).err();
        for url in ["https://169.254.169.254/latest", "https://[fd00::1]/", "https://10.0.0.8/hook"] {
            assert_eq!(open(url), Some(NotifyError::PrivateAddress), "{url}");
        }
        assert_eq!(open("file:///etc/passwd"), Some(NotifyError::BadAddress));
    }

    /// I8. NOTIFY-5.
    #[test]
    fn a_name_that_leads_home_leads_nowhere() {
        let post = Post::new(SecretString::from("https://localhost:1/hook".to_owned()), Timing::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(post.json(String::new(), &[])).unwrap_err();
        let NotifyError::Passing { what, .. } = &error else { panic!("{error:?}") };
        assert!(what.contains("private network"), "{what}");
    }
}
