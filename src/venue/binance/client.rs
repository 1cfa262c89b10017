//! The edge of requests: one at a time over HTTP, every wait with a named maximum, every doubt told.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::decode::{self, Read, decode};
use super::encode::{Call, Method, encode};
use super::offset::{Offset, READINGS, VenueClock};
use super::{Class, Key, Limits, OrdersError, Reply, Rules, Symbols};
use crate::clock::Clock;
use crate::domain::{Span, Time};
use crate::feed::binance::{Address, Closure, Kept};
use crate::venue::wire::{Answer, Failure, Request};

/// Name, connection and TLS take at most this.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The venue gives its own engine 10 seconds and then says so: its verdict is waited for.
pub const ORDER_TIMEOUT: Duration = Duration::from_secs(12);
/// A thousand orders have half a megabyte.
const BODY_BYTES_MAX: usize = 4 << 20;
/// A connection that was not used for so long is not used again: the venue may have closed it, and a request that is lost on it
/// would be in doubt.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// The file of closures is looked at so often: others at this address write it too.
const LOOK_EVERY: Span = Span::from_secs(1);
/// The rules are read again after so long.
const RULES_EVERY: Span = Span::from_secs(3600);
/// Where the venue does not say for how long it wants nothing.
const CLOSED_FOR: Span = Span::from_secs(120);
const CLOSED_MAX: Span = Span::from_days(3);
const CAUSE_CHARS_MAX: usize = 160;
const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");
const USED_WEIGHT: &str = "x-mbx-used-weight-1m";
const ORDER_COUNT: &str = "x-mbx-order-count-";

const _: () = assert!(CONNECT_MAX.as_millis() < ORDER_TIMEOUT.as_millis());

/// Where orders are sent, and how long they are waited for.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub address: Address,
    pub order_timeout: Duration,
    /// The folder below which the venue's closures are kept: the lake's.
    pub lake: PathBuf,
}

/// A venue that takes requests. Calls may run side by side.
pub struct Client {
    http: reqwest::Client,
    base: String,
    is_practice: bool,
    key: Arc<Key>,
    api_key: HeaderValue,
    symbols: Symbols,
    clock: Arc<VenueClock>,
    closure: Closure,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    rules: Option<Arc<Rules>>,
    /// When they were read, by our clock; nothing where they are due to be read.
    rules_at: Option<Time>,
    looked_at: Option<Time>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Client {
    /// Opens nothing yet: the first request connects.
    ///
    /// # Errors
    /// When no TLS can be had, or nobody can tell whether the venue may be asked.
    pub fn open(config: &ClientConfig, key: Arc<Key>, symbols: Symbols, clock: Arc<dyn Clock>) -> Result<Self, OrdersError> {
        // One provider for the whole process; a second one is refused, and not needed.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .timeout(config.order_timeout)
            .pool_idle_timeout(IDLE_MAX)
            // A second attempt may be a second order, a redirect leads off the list, and a proxy is nobody's business.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let http = http.build().map_err(|error| OrdersError::NoTls { why: cause(error) })?;
        let mut api_key = HeaderValue::from_str(key.api_key()).expect("an API key is letters and digits");
        // ORDERS-2: whoever prints headers prints no key.
        api_key.set_sensitive(true);
        let closure = Closure::of_lake(&config.lake);
        closure.read()?;
        let (base, clock) = (config.address.as_str().to_owned(), Arc::new(VenueClock::new(clock)));
        let is_practice = config.address.is_practice();
        Ok(Self { http, base, is_practice, key, api_key, symbols, clock, closure, state: Mutex::default() })
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<VenueClock> {
        &self.clock
    }

    #[must_use]
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The rules as they were last read.
    #[must_use]
    pub fn rules(&self) -> Option<Arc<Rules>> {
        self.state().rules.clone()
    }

    /// Does the venue have a page on what a key may do?
    pub(super) const fn tells_rights(&self) -> bool {
        !self.is_practice
    }

    /// Until when nothing may be asked and no connection be opened, by our clock.
    #[must_use]
    pub fn closed_until(&self) -> Option<Time> {
        self.look();
        self.state().limits.closed_until(self.clock.now()).map(|until| until - self.clock.ahead())
    }

    /// Counts what goes another way.
    pub(super) fn spend(&self, weight: u32) {
        self.state().limits.spend(weight, self.clock.now());
    }

    /// The venue said elsewhere that it wants nothing before `until`, or for a while.
    pub(super) fn close(&self, until: Option<Time>, is_ban: bool) {
        let now = self.clock.now();
        // ORDERS-7: a time of the venue's that has passed already is no leave to go on.
        let until = until.unwrap_or(now + CLOSED_FOR).clamp(now + Span::from_secs(1), now + CLOSED_MAX);
        let failure = if is_ban { Failure::Banned { until } } else { Failure::Throttled { until } };
        self.obey(&failure, &Reply { status: if is_ban { 418 } else { 429 }, ..Reply::default() }, now);
    }

    /// Makes one request, and once more if the clocks were apart. ORDERS-8.
    ///
    /// # Errors
    /// What is certain about a request that has no answer to act on. ORDERS-3.
    pub async fn call(&self, request: &Request) -> Result<Answer, Failure> {
        if self.clock.offset().is_none() && !matches!(request, Request::Time | Request::Rules) {
            self.compare_clocks().await.map_err(|failure| before(&failure))?;
        }
        match self.once(request).await {
            Err(Failure::Clock) => {
                // Nothing was done: the venue looks at the time first.
                self.compare_clocks().await.map_err(|_| Failure::Clock)?;
                self.once(request).await
            }
            other => other,
        }
    }

    /// Compares clocks where that is due, and reads the rules where that is.
    ///
    /// # Errors
    /// As [`Self::call`]; the rest is done next time.
    pub async fn maintain(&self) -> Result<(), Failure> {
        if self.clock.is_due() {
            self.compare_clocks().await?;
        }
        let now = self.clock.local_now();
        let is_due = self.state().rules_at.is_none_or(|at| now < at || now - at >= RULES_EVERY);
        if is_due {
            self.call(&Request::Rules).await?;
        }
        Ok(())
    }

    /// Reads the venue's clock a few times. The middle reading counts.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn compare_clocks(&self) -> Result<Offset, Failure> {
        let mut readings = Vec::with_capacity(READINGS);
        for _ in 0..READINGS {
            let sent = self.clock.local_now();
            let Answer::Time(said) = self.once(&Request::Time).await? else {
                return Err(Failure::Protocol("another answer than a time".to_owned()));
            };
            readings.push((sent, self.clock.local_now(), said));
        }
        Ok(self.clock.set(&readings).expect("there are readings"))
    }

    async fn once(&self, request: &Request) -> Result<Answer, Failure> {
        let rules = self.rules();
        let call = encode(request, &self.symbols, rules.as_deref())?;
        self.look();
        self.state().limits.take(request, call.weight, self.clock.now())?;
        let answer = self.exchange(request, &call).await;
        if Class::of(request) == Class::Withdrawal {
            let is_answered = !matches!(answer, Err(Failure::NotSent(_) | Failure::Ambiguous(_)));
            self.state().limits.withdrawn(is_answered);
        }
        answer
    }

    async fn exchange(&self, request: &Request, call: &Call) -> Result<Answer, Failure> {
        let reply = self.send(call).await?;
        let now = self.clock.now();
        self.hear(&reply, now);
        match decode(request, &self.symbols, &reply, now) {
            Ok(Read::Answer(answer)) => Ok(answer),
            Ok(Read::Rules(rules)) => {
                let mut state = self.state();
                state.limits.adopt(rules.limits());
                state.rules = Some(Arc::new(rules));
                state.rules_at = Some(self.clock.local_now());
                Ok(Answer::Done)
            }
            Err(failure) => {
                self.obey(&failure, &reply, now);
                Err(failure)
            }
        }
    }

    /// ORDERS-3: what failed before a byte left is not sent; what failed later is in doubt.
    async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let wire = self.worded(call)?;
        let in_doubt = |why: String| Failure::Ambiguous(why);
        let mut response = match self.http.execute(wire).await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => return Err(Failure::NotSent(cause(error))),
            Err(error) => return Err(in_doubt(cause(error))),
        };
        let mut reply = Reply { status: response.status().as_u16(), ..Reply::default() };
        read_headers(response.headers(), &mut reply);
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if reply.body.len() + piece.len() > BODY_BYTES_MAX => {
                    return Err(in_doubt(format!("its body has more than {} MiB", BODY_BYTES_MAX >> 20)));
                }
                Ok(Some(piece)) => reply.body.extend_from_slice(&piece),
                Ok(None) => return Ok(reply),
                // A status that says enough does not need its body.
                Err(_) if matches!(reply.status, 403 | 418 | 429) => return Ok(reply),
                Err(error) => return Err(in_doubt(cause(error))),
            }
        }
    }

    /// The request as it is sent: the parameters of an order in the body, so that no address holds a signature.
    fn worded(&self, call: &Call) -> Result<reqwest::Request, Failure> {
        let not_sent = |why: String| Failure::NotSent(why);
        let query = if call.is_signed {
            let signed = call.stamped(self.clock.now()).signed(&self.key).map_err(|error| not_sent(error.to_string()))?;
            signed.expose().to_owned()
        } else {
            call.params.encoded()
        };
        let url = format!("{}{}", self.base, call.path);
        let with_query = || if query.is_empty() { url.clone() } else { format!("{url}?{query}") };
        let request = match call.method {
            Method::Get => self.http.get(with_query()),
            Method::Delete => self.http.delete(with_query()),
            Method::Post => self.http.post(&url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(query),
        };
        let request = if call.is_signed { request.header(API_KEY, self.api_key.clone()) } else { request };
        request.build().map_err(|error| not_sent(cause(error)))
    }

    fn hear(&self, reply: &Reply, now: Time) {
        let mut state = self.state();
        if let Some(used) = reply.used_weight {
            state.limits.hear_weight(used, now);
        }
        for (window, used) in &reply.order_counts {
            state.limits.hear_orders(*window, *used, now);
        }
    }

    /// ORDERS-7: what the venue asks for is written down before anybody hears of it.
    fn obey(&self, failure: &Failure, reply: &Reply, now: Time) {
        let local = |until: Time| until - self.clock.ahead();
        let kept = match failure {
            Failure::Banned { until } => {
                self.state().limits.ban(*until, now);
                self.closure.keep(local(*until), "it has banned this address, 418", true, self.clock.local_now())
            }
            Failure::Throttled { until } if decode::is_order_limit(&reply.body) => {
                self.state().limits.stop_orders(*until, now);
                self.closure.keep_orders(local(*until))
            }
            Failure::Throttled { until } => {
                self.state().limits.slow_down(*until, now);
                self.closure.keep(local(*until), &format!("too many requests, {}", reply.status), false, self.clock.local_now())
            }
            // C18: our rules are others than the venue's.
            Failure::Rejected { code: -1013 | -1111, .. } => {
                self.state().rules_at = None;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = kept {
            // The limits in memory hold all the same.
            crate::telemetry::event::ClosureLost { why: &error.to_string() }.emit();
        }
    }

    /// Takes up what others at this address were told by the venue, and what we were told before a restart.
    fn look(&self) {
        let local = self.clock.local_now();
        let mut state = self.state();
        if state.looked_at.is_some_and(|at| at <= local && local - at < LOOK_EVERY) {
            return;
        }
        state.looked_at = Some(local);
        // A file that cannot be read was found at the start; what is in memory holds meanwhile.
        let Ok(Some(Kept { closed_until, is_ban, orders_until, .. })) = self.closure.read() else { return };
        let (now, ahead) = (self.clock.now(), self.clock.ahead());
        let is_on = |until: &Time| local < *until;
        match Some(closed_until).filter(is_on) {
            Some(until) if is_ban => state.limits.ban(until + ahead, now),
            // What we wrote ourselves is known, and says nothing new.
            Some(until) if state.limits.closed_until(now).is_none_or(|known| known < until + ahead) => {
                state.limits.slow_down_elsewhere(until + ahead, now);
            }
            _ => {}
        }
        if let Some(until) = orders_until.filter(is_on) {
            state.limits.stop_orders(until + ahead, now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a failure to prepare means for the request itself: not a byte of it has left.
fn before(failure: &Failure) -> Failure {
    match failure {
        Failure::Throttled { .. } | Failure::Banned { .. } => failure.clone(),
        other => Failure::NotSent(format!("the venue's clock could not be read: {other}")),
    }
}

fn read_headers(headers: &HeaderMap, reply: &mut Reply) {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    reply.retry_after = headers.get(RETRY_AFTER).and_then(text);
    reply.used_weight = headers.get(USED_WEIGHT).and_then(|value| value.to_str().ok()?.parse().ok());
    for (name, value) in headers {
        let window = name.as_str().strip_prefix(ORDER_COUNT).and_then(window);
        if let (Some(window), Some(count)) = (window, value.to_str().ok().and_then(|value| value.parse().ok())) {
            reply.order_counts.push((window, count));
        }
    }
}

/// `10s`, `1m`, `1d`.
fn window(text: &str) -> Option<Span> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: i64 = number.parse().ok().filter(|number| (1..10_000).contains(number))?;
    Some(Span::from_secs(number * unit))
}

/// What went wrong on the way, in the words of the innermost error. ORDERS-2: never the address, which holds the signed request.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return if error.is_connect() { "it could not be reached in time" } else { "it did not answer in time" }.to_owned();
    }
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().filter(|c| !c.is_control()).take(CAUSE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_headers() {
        assert_eq!((window("10s"), window("1d")), (Some(Span::from_secs(10)), Some(Span::from_days(1))));
        for wrong in ["", "s", "10", "10x", "-1s", "99999999999999999999d", "é"] {
            assert_eq!(window(wrong), None, "{wrong}");
        }
    }
}
