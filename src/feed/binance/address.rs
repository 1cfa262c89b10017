//! Which addresses are asked for bars and sent orders: a list, so that no document sends the program elsewhere.

use super::BinanceError;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Market,
    Archive,
    /// Bars as they close, over WebSocket.
    Stream,
    /// Orders, with money.
    Orders,
    /// Orders, without.
    Practice,
    /// What becomes of orders with money, over WebSocket.
    Events,
    /// And of those without.
    PracticeEvents,
}

/// The first is the default: it serves public data only and takes no key. Hosts of the testnet are left out, whose prices would
/// lie among those of the market.
const MARKET: [&str; 7] = [
    "https://data-api.binance.vision",
    "https://api.binance.com",
    "https://api-gcp.binance.com",
    "https://api1.binance.com",
    "https://api2.binance.com",
    "https://api3.binance.com",
    "https://api4.binance.com",
];
const ARCHIVE: [&str; 1] = ["https://data.binance.vision"];
/// The first serves public data only.
const STREAM: [&str; 3] = ["wss://data-stream.binance.vision", "wss://stream.binance.com:9443", "wss://stream.binance.com:443"];
const ORDERS: [&str; 6] = [
    "https://api.binance.com",
    "https://api-gcp.binance.com",
    "https://api1.binance.com",
    "https://api2.binance.com",
    "https://api3.binance.com",
    "https://api4.binance.com",
];
const PRACTICE: [&str; 2] = ["https://testnet.binance.vision", "https://demo-api.binance.com"];
const EVENTS: [&str; 2] = ["wss://ws-api.binance.com:443", "wss://ws-api.binance.com:9443"];
const PRACTICE_EVENTS: [&str; 2] = ["wss://ws-api.testnet.binance.vision", "wss://demo-ws-api.binance.com"];
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
const LOOPBACK_STREAM: [&str; 3] = ["ws://127.0.0.1", "ws://localhost", "ws://[::1]"];

impl Service {
    #[must_use]
    pub const fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Market => &MARKET,
            Self::Archive => &ARCHIVE,
            Self::Stream => &STREAM,
            Self::Orders => &ORDERS,
            Self::Practice => &PRACTICE,
            Self::Events => &EVENTS,
            Self::PracticeEvents => &PRACTICE_EVENTS,
        }
    }

    const fn loopback(self) -> &'static [&'static str] {
        match self {
            Self::Market | Self::Archive | Self::Orders | Self::Practice => &LOOPBACK,
            Self::Stream | Self::Events | Self::PracticeEvents => &LOOPBACK_STREAM,
        }
    }
}

/// A base URL on the list, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    is_loopback: bool,
}

impl Address {
    /// # Errors
    /// When `text` is neither on the list nor loopback.
    pub fn new(service: Service, text: &str) -> Result<Self, BinanceError> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let is_loopback = is_below(service.loopback(), bare);
        if is_loopback || service.hosts().contains(&bare) {
            return Ok(Self { text: bare.to_owned(), is_loopback });
        }
        Err(BinanceError::Address { text: text.to_owned(), allowed: service.hosts().join(", ") })
    }

    /// Where the service is.
    #[must_use]
    pub fn default_of(service: Service) -> Self {
        Self { text: service.hosts()[0].to_owned(), is_loopback: false }
    }

    /// Where the events of an account are told whose orders are sent here.
    ///
    /// # Errors
    /// When no orders are sent here.
    pub fn events(&self) -> Result<Self, BinanceError> {
        let text = self.text.as_str();
        if self.is_loopback {
            return Self::new(Service::Events, &text.replacen("http", "ws", 1));
        }
        match PRACTICE.iter().position(|host| *host == text) {
            Some(at) => Self::new(Service::PracticeEvents, PRACTICE_EVENTS[at]),
            None if ORDERS.contains(&text) => Self::new(Service::Events, EVENTS[0]),
            None => Err(BinanceError::Address { text: text.to_owned(), allowed: ORDERS.join(", ") }),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is it a host of the venue's for practice, without money?
    #[must_use]
    pub fn is_practice(&self) -> bool {
        PRACTICE.contains(&self.text.as_str())
    }

    /// Is it this machine, where no proxy is asked?
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

/// Does the address, without a slash at its end, name this machine? A port may follow and nothing else: what comes before an `@` is
/// no host.
#[must_use]
pub fn is_loopback(text: &str) -> bool {
    is_below(&LOOPBACK, text)
}

fn is_below(hosts: &[&str], text: &str) -> bool {
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    hosts.iter().any(|host| text.strip_prefix(host).is_some_and(|rest| rest.is_empty() || is_port(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_are_asked() {
        for good in ["https://data-api.binance.vision", "https://api.binance.com/", "http://127.0.0.1:8080", "http://[::1]:1"] {
            assert!(Address::new(Service::Market, good).is_ok(), "{good}");
        }
        for wrong in [
            "http://api.binance.com",
            "https://api.binance.com.evil.example",
            "https://api.binance.com@evil.example",
            "http://127.0.0.1:80@evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost:99999",
            "https://testnet.binance.vision",
            "https://data.binance.vision",
            "file:///etc/passwd",
            "",
        ] {
            assert!(Address::new(Service::Market, wrong).is_err(), "{wrong}");
        }
        assert!(Address::new(Service::Archive, "https://data.binance.vision").is_ok());
        let events = |service, text: &str| Address::new(service, text).unwrap().events().unwrap().as_str().to_owned();
        assert_eq!(events(Service::Orders, "https://api3.binance.com"), "wss://ws-api.binance.com:443");
        assert_eq!(events(Service::Practice, "https://testnet.binance.vision"), "wss://ws-api.testnet.binance.vision");
        assert_eq!(events(Service::Practice, "https://demo-api.binance.com"), "wss://demo-ws-api.binance.com");
        assert_eq!(events(Service::Practice, "http://127.0.0.1:81"), "ws://127.0.0.1:81");
        assert!(Address::new(Service::Market, "https://data-api.binance.vision").unwrap().events().is_err());
        assert!(Address::new(Service::Practice, "https://api.binance.com").is_err(), "money is not for practice");
        assert!(Address::new(Service::Orders, "https://testnet.binance.vision").is_err());
        for good in ["wss://stream.binance.com:9443", "wss://data-stream.binance.vision/", "ws://127.0.0.1:9", "ws://[::1]:1"] {
            assert!(Address::new(Service::Stream, good).is_ok(), "{good}");
        }
        for wrong in
            ["ws://stream.binance.com:9443", "wss://stream.binance.com.evil.example", "http://127.0.0.1:9", "wss://127.0.0.1"]
        {
            assert!(Address::new(Service::Stream, wrong).is_err(), "{wrong}");
        }
    }
}
