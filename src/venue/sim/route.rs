//! From a request to its reply: which endpoint, may it in, who asks, what goes wrong on the way.

use std::sync::Arc;

use super::exchange::{Exchange, Twist};
use super::faults::{Fault, Garble, words};
use super::gate::{DAY, TEN_SECONDS, Turned, interval};
use super::http::{Delivery, HttpReply, HttpRequest, Method, Refusal};
use super::keys::{signed_payload, stranger};
use super::log::{Endpoint, What};
use super::order::Unit;
use super::params::{Params, lacking};
use crate::domain::{Fraction, Span, Time};

/// How far ahead of the venue's clock a request may be stamped.
const AHEAD_MAX: Span = Span::from_millis(1000);
pub(super) const WINDOW: Span = Span::from_millis(5000);
const WINDOW_MAX: Span = Span::from_millis(60_000);

/// Why a request is not answered as it was meant.
pub(super) enum Failure {
    Refusal(Refusal),
    Turned(Turned),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// What is learned of a request while it is answered.
#[derive(Debug, Default)]
pub(super) struct Note {
    pub account: Option<usize>,
    pub client_id: Option<Arc<str>>,
    pub is_order_accepted: bool,
}

/// What a request needs beside its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Nothing,
    Read,
    Trade,
}

fn endpoint_of(request: &HttpRequest) -> Endpoint {
    use Method::{Delete, Get, Post};
    match (request.method, request.path.as_str()) {
        (Get, "/api/v3/ping") => Endpoint::Ping,
        (Get, "/api/v3/time") => Endpoint::Time,
        (Get, "/api/v3/exchangeInfo") => Endpoint::Rules,
        (Get, "/api/v3/klines") => Endpoint::Bars,
        (Get, "/api/v3/ticker/price") => Endpoint::Price,
        (Get, "/api/v3/ticker/bookTicker") => Endpoint::Book,
        (Get, "/api/v3/avgPrice") => Endpoint::Average,
        (Get, "/api/v3/account") => Endpoint::Account,
        (Post, "/api/v3/order") => Endpoint::Place,
        (Post, "/api/v3/order/test") => Endpoint::Test,
        (Get, "/api/v3/order") => Endpoint::Query,
        (Delete, "/api/v3/order") => Endpoint::Cancel,
        (Get, "/api/v3/openOrders") => Endpoint::OpenOrders,
        (Delete, "/api/v3/openOrders") => Endpoint::CancelAll,
        (Get, "/api/v3/allOrders") => Endpoint::AllOrders,
        (Get, "/api/v3/myTrades") => Endpoint::MyTrades,
        (Get, "/api/v3/rateLimit/order") => Endpoint::OrderCount,
        (Get, "/sapi/v1/account/apiRestrictions") => Endpoint::KeyRights,
        _ => Endpoint::Unknown,
    }
}

impl Endpoint {
    const fn right(self) -> Right {
        match self {
            Self::Ping | Self::Time | Self::Rules | Self::Bars | Self::Price | Self::Book | Self::Average | Self::Unknown => {
                Right::Nothing
            }
            Self::Place | Self::Test | Self::Cancel | Self::CancelAll => Right::Trade,
            _ => Right::Read,
        }
    }

    /// A change that was made costs nothing; one that was not costs this.
    const fn is_free_when_done(self) -> bool {
        matches!(self, Self::Place | Self::Cancel | Self::CancelAll)
    }

    pub(super) fn weight(self, query: &str) -> u64 {
        let has = |name: &str| query.split('&').any(|pair| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        match self {
            Self::Rules | Self::Account | Self::AllOrders => 20,
            Self::Bars | Self::Average => 2,
            Self::Price | Self::Book => 2 + 2 * u64::from(!has("symbol")),
            Self::Test => 1 + 19 * u64::from(has("computeCommissionRates")),
            Self::Query => 4,
            Self::OpenOrders => 6 + 74 * u64::from(!has("symbol")),
            Self::MyTrades => 20 - 15 * u64::from(has("orderId")),
            Self::OrderCount => 40,
            _ => 1,
        }
    }
}

impl Exchange {
    /// Answers a request, and says how the answer is to get to whoever asked.
    pub fn handle(&mut self, request: &HttpRequest, now: Time) -> HttpReply {
        self.pass(now);
        let endpoint = endpoint_of(request);
        let weight = if endpoint.is_free_when_done() { 0 } else { endpoint.weight(&request.query) };
        let entered = self.enter(endpoint, weight);
        self.reply(endpoint, request, entered)
    }

    /// Lets a request in, and says what goes wrong with it; or why it is turned away.
    pub(super) fn enter(&mut self, endpoint: Endpoint, weight: u64) -> Result<Option<Fault>, Turned> {
        self.gate.enter(endpoint, weight, self.venue_time())?;
        Ok(self.script.of_request(endpoint))
    }

    /// Answers a request that has entered or was turned away.
    pub(super) fn reply(
        &mut self,
        endpoint: Endpoint,
        request: &HttpRequest,
        entered: Result<Option<Fault>, Turned>,
    ) -> HttpReply {
        let mut note = Note::default();
        let at = self.venue_time();
        let (mut reply, is_our_fault, fault) = match entered {
            Err(turned) => (turned.reply, turned.is_our_fault, None),
            Ok(fault) => self.answer_or_fail(endpoint, request, &mut note, fault),
        };
        if endpoint.is_free_when_done() && reply.status != 200 {
            self.gate.weigh_more(endpoint.weight(&request.query), at);
        }
        reply.headers.push(("X-MBX-USED-WEIGHT-1M", self.gate.used(at).to_string()));
        if let Some(account) = note.account.filter(|_| note.is_order_accepted) {
            let [ten, day] = self.accounts[account].unfilled;
            reply.headers.push(("X-MBX-ORDER-COUNT-10S", ten.at(interval(at, TEN_SECONDS)).to_string()));
            reply.headers.push(("X-MBX-ORDER-COUNT-1D", day.at(interval(at, DAY)).to_string()));
        }
        self.log_now(What::Request {
            endpoint,
            account: note.account.map(|at| at as u16),
            client_id: note.client_id,
            status: reply.status,
            code: reply.code(),
            is_scripted: fault.is_some(),
            is_our_fault,
        });
        reply
    }

    fn answer_or_fail(
        &mut self,
        endpoint: Endpoint,
        request: &HttpRequest,
        note: &mut Note,
        fault: Option<Fault>,
    ) -> (HttpReply, bool, Option<Fault>) {
        if let Some(fault) = &fault {
            self.log_request_fault(fault);
        }
        self.twist = fault.as_ref().map(twist_of).unwrap_or_default();
        let lets_through = fault.as_ref().is_none_or(Fault::lets_through);
        if !lets_through {
            // What is not carried out still stands in the record under its name.
            note.client_id = Params::read(&request.query, &request.body).ok().and_then(|params| named(&params));
        }
        let answered = if lets_through { self.answer(endpoint, request, note) } else { Ok(String::new()) };
        self.twist = Twist::default();
        let (reply, is_our_fault) = match answered {
            Ok(body) => (HttpReply::json(200, body), false),
            Err(Failure::Refusal(refusal)) => (refusal.reply(), false),
            Err(Failure::Turned(turned)) => (turned.reply, turned.is_our_fault),
        };
        match &fault {
            None => (reply, is_our_fault, None),
            Some(of_script) => (self.disfigure(of_script, reply), is_our_fault, fault),
        }
    }

    fn log_request_fault(&mut self, fault: &Fault) {
        let is_of_venue = matches!(
            fault,
            Fault::Status { .. }
                | Fault::Filters { .. }
                | Fault::Clock { .. }
                | Fault::KeyRevoked
                | Fault::Moved { .. }
                | Fault::Foreign { .. }
                | Fault::CutStreams
                | Fault::Shutdown
                | Fault::Silence
        );
        if is_of_venue { self.befall(fault, None) } else { self.log_fault(fault) }
    }

    /// What the script makes of a reply.
    fn disfigure(&mut self, fault: &Fault, mut reply: HttpReply) -> HttpReply {
        let now = self.venue_time();
        match fault {
            Fault::Lost { .. } | Fault::Hidden { .. } => reply.delivery = Delivery::Never,
            Fault::Cut { after, .. } => reply.delivery = Delivery::CutAfter(*after),
            Fault::Broken { status, code, .. } => {
                return Refusal::new(*code, words(*code)).with_status(*status).reply();
            }
            Fault::Html { status, .. } => {
                let name = if *status == 403 { "403 Forbidden".to_owned() } else { format!("{status} Bad Gateway") };
                return HttpReply::html(*status, &format!("<html><head><title>{name}</title></head><body>{name}</body></html>"));
            }
            Fault::Answer { status, code, msg, .. } => return Refusal::told(*code, msg.clone()).with_status(*status).reply(),
            Fault::Garbled { garble } => reply.body = garbled(*garble, &reply.body),
            Fault::Throttled { retry_after } => return self.gate.throttle(retry_after.as_deref(), now),
            Fault::Banned { span } => return self.gate.ban(*span, now),
            Fault::Slow => reply.delivery = Delivery::Slow,
            Fault::Oversized { bytes } => reply.body = format!("[{}]", " ".repeat(*bytes)),
            Fault::Late { span } => reply.delivery = Delivery::After(*span),
            Fault::Redirect { to } => {
                let mut away = HttpReply::html(302, "");
                away.headers.push(("Location", to.clone()));
                return away;
            }
            _ => {}
        }
        reply
    }

    fn answer(&mut self, endpoint: Endpoint, request: &HttpRequest, note: &mut Note) -> Result<String, Failure> {
        if endpoint == Endpoint::Unknown {
            return Err(Refusal::new(-1099, "Not found, unauthenticated, or unauthorized.").with_status(404).into());
        }
        let unit = match request.header_value("X-MBX-TIME-UNIT") {
            Some("MICROSECOND" | "microsecond") => Unit::Micros,
            _ => Unit::Millis,
        };
        let params = Params::read(&request.query, &request.body)?;
        note.client_id = named(&params);
        let account = match endpoint.right() {
            Right::Nothing => return Ok(self.answer_public(endpoint, &params, unit)?),
            right => self.authorize(request, &params, right)?,
        };
        note.account = Some(account);
        self.answer_account(endpoint, account, &params, unit, note)
    }

    /// Whose the request is: its key, its time, its signature, in this order.
    fn authorize(&self, request: &HttpRequest, params: &Params<'_>, right: Right) -> Result<usize, Refusal> {
        let name = request.header_value("X-MBX-APIKEY");
        let (account, key) = self.key_of(name)?;
        let may = if right == Right::Trade { key.permissions.can_trade } else { key.permissions.can_read };
        if !may || key.is_revoked {
            return Err(Refusal::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401));
        }
        self.check_time(params)?;
        let (payload, sign) = signed_payload(&request.query, &request.body)?;
        if key.lock.fits(payload.as_bytes(), &sign) {
            Ok(account)
        } else {
            Err(Refusal::new(-1022, "Signature for this request is not valid."))
        }
    }

    pub(super) fn key_of(&self, name: Option<&str>) -> Result<(usize, &super::keys::Key), Refusal> {
        let all = self.accounts.iter().enumerate().flat_map(|(at, account)| account.keys.iter().map(move |key| (at, key)));
        all.into_iter().find(|(_, key)| Some(key.name.as_str()) == name).ok_or_else(|| stranger(name))
    }

    /// Is the stamp within the window, and not ahead?
    pub(super) fn check_time(&self, params: &Params<'_>) -> Result<(), Refusal> {
        let stamp = params.time("timestamp")?.ok_or_else(|| lacking("timestamp"))?;
        let window = params.millis("recvWindow")?.unwrap_or(WINDOW);
        if window > WINDOW_MAX {
            return Err(Refusal::new(-1131, "Parameter 'recvWindow' must be less than 60000."));
        }
        self.check_stamp(stamp, window)
    }

    pub(super) fn check_stamp(&self, stamp: Time, window: Span) -> Result<(), Refusal> {
        let now = self.venue_time();
        if stamp >= now + AHEAD_MAX {
            return Err(Refusal::new(-1021, "Timestamp for this request was 1000ms ahead of the server's time."));
        }
        if now - stamp > window {
            return Err(Refusal::new(-1021, "Timestamp for this request is outside of the recvWindow."));
        }
        Ok(())
    }
}

/// The client id of the order that a request is about.
fn named(params: &Params<'_>) -> Option<Arc<str>> {
    ["newClientOrderId", "origClientOrderId"].iter().find_map(|name| params.text(name)).map(Into::into)
}

fn twist_of(fault: &Fault) -> Twist {
    let none = Twist::default();
    match fault {
        Fault::Hidden { span } => Twist { hidden_for: *span, ..none },
        Fault::LateFill { span } => Twist { held_for: *span, ..none },
        Fault::Partial { share } => Twist { share: Some(*share), ..none },
        Fault::EmptyBook => Twist { share: Some(Fraction::ZERO), ..none },
        Fault::StrayFill { span, over } => Twist { stray: Some((*span, *over)), ..none },
        Fault::FilledFirst => Twist { filled_first: true, ..none },
        _ => none,
    }
}

fn garbled(garble: Garble, body: &str) -> String {
    let with = |name: &str, value: &str| {
        let Ok(mut read) = serde_json::from_str::<serde_json::Value>(body) else { return body.to_owned() };
        if let Some(object) = read.as_object_mut().filter(|object| object.contains_key(name)) {
            object.insert(name.to_owned(), value.into());
        }
        read.to_string()
    };
    match garble {
        Garble::Empty => String::new(),
        Garble::Html => "<html><body>Please wait.</body></html>".to_owned(),
        Garble::Status => with("status", "PENDING_REVIEW"),
        Garble::Symbol => with("symbol", "OTHERUSDT"),
        Garble::Side => with("side", if body.contains("\"side\":\"BUY\"") { "SELL" } else { "BUY" }),
        Garble::ClientId => with("clientOrderId", "not-the-one-you-sent"),
    }
}
