//! The way between a machine and the venue: requests go out in bytes, or as looks where only that something is unchanged is asked.

use tidegate::domain::{Span, SymbolIndex, Time};
use tidegate::venue::binance::{self, Key, Limits as Budgets, Method, Reply, Symbols};
use tidegate::venue::sim::{Delivery, Exchange, Found, Frame, HttpReply, HttpRequest, Look};
use tidegate::venue::wire::{Account, Answer, Balance, Failure, Request};

pub const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
/// When the client gives a request up.
const TIMEOUT: Span = Span::from_secs(12);
const BTC: SymbolIndex = SymbolIndex(0);

/// How requests get to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// All of them signed, as bytes, and every answer read from bytes.
    Bytes,
    /// Those of a comparison as looks, as long as nothing is new; the rest as bytes.
    Looks,
}

/// An answer, and how long it takes; `None`: what the way takes.
pub type Answered = (Option<Span>, Result<Answer, Failure>);

/// One client's side of the way: its key, its budgets, its idea of the venue's clock.
pub struct Way {
    door: Door,
    symbols: Symbols,
    key: Key,
    pub rules: binance::Rules,
    budgets: Budgets,
    /// What the venue's clock was ahead when it was last asked.
    ahead: Span,
}

impl Way {
    pub fn new(door: Door, rules: binance::Rules) -> Self {
        let mut budgets = Budgets::default();
        budgets.adopt(rules.limits());
        let key = Key::new(&API_KEY.to_owned().into(), &SECRET.to_owned().into()).unwrap();
        Self { door, symbols: Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap(), key, rules, budgets, ahead: Span::ZERO }
    }

    /// A request and what comes back. An error says that it did not leave.
    pub fn call(&mut self, exchange: &mut Exchange, request: &Request, now: Time) -> Result<Answered, Failure> {
        if self.door == Door::Looks
            && let Some(look) = look_of(request)
        {
            self.budgets.take(request, binance::weight(request), now + self.ahead)?;
            let stamp = Time::from_millis((now + self.ahead).millis());
            let in_bytes = || self.in_bytes(request, now).expect("a look can be said in bytes");
            let answered = match exchange.look(look, API_KEY, stamp, in_bytes, now) {
                Found::Nothing { used_weight } => {
                    self.budgets.hear_weight(used_weight as u32, now + self.ahead);
                    (None, Ok(if matches!(look, Look::Open { .. }) { Answer::Orders(vec![]) } else { Answer::Fills(vec![]) }))
                }
                Found::Balances { balances, used_weight } => {
                    self.budgets.hear_weight(used_weight as u32, now + self.ahead);
                    let named =
                        |(asset, free, locked): (std::sync::Arc<str>, _, _)| Balance { asset: asset.to_string(), free, locked };
                    let balances = balances.into_iter().map(named).collect();
                    let (id, at) = ("1000001".to_owned(), now + self.ahead);
                    (None, Ok(Answer::Account(Account { id, can_trade: true, can_withdraw: false, balances, at })))
                }
                Found::Reply(reply) => self.delivered(request, &reply, now),
            };
            return Ok(self.with_clock(exchange, answered, now));
        }
        let asked = self.in_bytes(request, now)?;
        self.budgets.take(request, binance::weight(request), now + self.ahead)?;
        let reply = exchange.handle(&asked, now);
        let answered = self.delivered(request, &reply, now);
        Ok(self.with_clock(exchange, answered, now))
    }

    /// The client compares clocks and asks once more; here the next question does.
    fn with_clock(&mut self, exchange: &mut Exchange, answered: Answered, now: Time) -> Answered {
        if answered.1 == Err(Failure::Clock) {
            self.compare_clocks(exchange, now);
        }
        answered
    }

    fn in_bytes(&self, request: &Request, now: Time) -> Result<HttpRequest, Failure> {
        let call = binance::encode(request, &self.symbols, Some(&self.rules))?;
        let query = if call.is_signed {
            let signed = call.stamped(now + self.ahead).signed(&self.key).map_err(|error| Failure::NotSent(error.to_string()))?;
            signed.expose().to_owned()
        } else {
            call.params.encoded()
        };
        let method = match call.method {
            Method::Get => tidegate::venue::sim::Method::Get,
            Method::Post => tidegate::venue::sim::Method::Post,
            Method::Delete => tidegate::venue::sim::Method::Delete,
        };
        let mut asked = HttpRequest::new(method, call.path).header("X-MBX-APIKEY", API_KEY);
        if matches!(call.method, Method::Post) {
            asked.body = query;
        } else {
            asked.query = query;
        }
        Ok(asked)
    }

    /// What the client makes of a reply, and when.
    fn delivered(&mut self, request: &Request, reply: &HttpReply, now: Time) -> Answered {
        let lost = || Err(Failure::Ambiguous("no answer came".to_owned()));
        match reply.delivery {
            Delivery::Now => (None, self.decoded(request, reply, now)),
            Delivery::After(span) if span < TIMEOUT => (Some(span), self.decoded(request, reply, now)),
            Delivery::After(_) | Delivery::Never | Delivery::Slow => (Some(TIMEOUT), lost()),
            Delivery::CutAfter(bytes) if bytes < reply.body.len() => (None, lost()),
            Delivery::CutAfter(_) => (None, self.decoded(request, reply, now)),
        }
    }

    fn decoded(&mut self, request: &Request, reply: &HttpReply, now: Time) -> Result<Answer, Failure> {
        let (venue_now, reply) = (now + self.ahead, read(reply));
        if let Some(used) = reply.used_weight {
            self.budgets.hear_weight(used, venue_now);
        }
        match binance::decode(request, &self.symbols, &reply, venue_now) {
            Ok(binance::Read::Answer(answer)) => Ok(answer),
            Ok(binance::Read::Rules(rules)) => {
                self.rules = rules;
                Ok(Answer::Done)
            }
            Err(failure) => {
                match &failure {
                    Failure::Banned { until } => self.budgets.ban(*until, venue_now),
                    Failure::Throttled { until } => self.budgets.slow_down(*until, venue_now),
                    _ => {}
                }
                Err(failure)
            }
        }
    }

    /// Does the venue want no request at all?
    pub fn is_closed(&self, now: Time) -> bool {
        self.budgets.closed_until(now + self.ahead).is_some()
    }

    /// Asks the venue what time it is, if it may be asked.
    pub fn compare_clocks(&mut self, exchange: &mut Exchange, now: Time) {
        if self.is_closed(now) {
            return;
        }
        // A refusal is heard like any other.
        if let Ok((_, Ok(Answer::Time(said)))) = self.call(exchange, &Request::Time, now) {
            self.ahead = said - now;
        }
    }

    /// Opens the stream of events. `None`: not now.
    pub fn connect(&self, exchange: &mut Exchange, now: Time) -> Option<u64> {
        if self.is_closed(now) {
            return None;
        }
        let connection = exchange.connect("/ws-api/v3", now).ok()?;
        let at = (now + self.ahead).millis();
        let payload = format!("apiKey={API_KEY}&timestamp={at}");
        let signature = self.key.sign(payload.as_bytes()).unwrap();
        let text = format!(
            "{{\"id\":1,\"method\":\"userDataStream.subscribe.signature\",\"params\":{{\"apiKey\":\"{API_KEY}\",\"timestamp\":{at},\"signature\":\"{signature}\"}}}}"
        );
        exchange.receive(connection, Frame::Text(text), now);
        Some(connection)
    }

    /// What a frame of the stream says, if it is an event.
    pub fn heard(&self, text: &str) -> Option<tidegate::venue::wire::Push> {
        match binance::Frame::read(text, &self.symbols) {
            Ok(binance::Frame::Push(push)) => Some(push),
            _ => None,
        }
    }
}

/// The same as a look, if it is a question of the comparison that can be asked at all.
fn look_of(request: &Request) -> Option<Look<'static>> {
    let symbol = "BTCUSDT";
    match request {
        Request::OpenOrders { symbol: Some(BTC) } => Some(Look::Open { symbol }),
        Request::FillsFrom { symbol: BTC, first } => Some(Look::Trades { symbol, from: Some(first.0) }),
        Request::FillsIn { symbol: BTC, from, until } if *until - *from > Span::from_millis(2) => {
            Some(Look::Trades { symbol, from: None })
        }
        Request::Account => Some(Look::Balances),
        _ => None,
    }
}

fn read(reply: &HttpReply) -> Reply {
    let header = |name: &str| reply.header_value(name).map(str::to_owned);
    Reply {
        status: reply.status,
        retry_after: header("Retry-After"),
        used_weight: header("X-MBX-USED-WEIGHT-1M").and_then(|text| text.parse().ok()),
        order_counts: Vec::new(),
        body: reply.body.clone().into_bytes(),
    }
}
