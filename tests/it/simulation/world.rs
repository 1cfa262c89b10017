//! One seed's world: the machine, its disk, the venue, the way between them, and the time.

use std::collections::{BTreeMap, BTreeSet};

use tidegate::chance::Stream;
use tidegate::domain::{
    Bar, Bps, ClientOrderId, Fraction, Instrument, Interval, Money, OrderState, Qty, Span, Symbol, SymbolIndex, Time,
};
use tidegate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency};
use tidegate::risk::{Gate, Limits, Rules};
use tidegate::runner::live::{AskId, Event, Live, LiveConfig, Step};
use tidegate::runner::trader::{TraderConfig, TraderState};
use tidegate::stage::model::ModelConfig;
use tidegate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use tidegate::stage::oms::DeskConfig;
use tidegate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use tidegate::telemetry::record::RecordMode;
use tidegate::venue::binance::{self, Key, Limits as Budgets, Method, Reply, Symbols};
use tidegate::venue::paper::PaperConfig;
use tidegate::venue::router::{Alarm, Fact, RouterConfig};
use tidegate::venue::sim::log::What;
use tidegate::venue::sim::{
    Breach, Checker, Delivery, Depth, Exchange, Fees, Filters, Frame, Holder, HttpReply, HttpRequest, Key as VenueKey, Listed,
    Lock, Permissions, Promises, Script, Setup,
};
use tidegate::venue::wire::{Answer, Failure, Push, Request};

const QUARTER: Span = Span::from_secs(900);
const BTC: SymbolIndex = SymbolIndex(0);
const TIMEOUT: Span = Span::from_secs(12);
const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

fn start() -> Time {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// How much goes wrong in a world.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Of the venue's script; 1 is a request of orders in seven.
    strength: f64,
    /// A crash at an effect.
    crashes: f64,
}

impl Weather {
    pub const fn calm() -> Self {
        Self { strength: 0.0, crashes: 0.0 }
    }

    /// Every fourth seed has faults only, every fourth crashes only, the rest both.
    pub const fn of(seed: u64) -> Self {
        match seed % 4 {
            0 => Self { strength: 1.0, crashes: 0.0 },
            1 => Self { strength: 0.0, crashes: 0.10 },
            2 => Self { strength: 1.0, crashes: 0.05 },
            _ => Self { strength: 3.0, crashes: 0.05 },
        }
    }
}

/// What survives a crash.
struct Disk {
    snapshot: String,
    sent: BTreeSet<ClientOrderId>,
}

pub struct World {
    seed: u64,
    live: Live,
    disk: Disk,
    exchange: Exchange,
    connection: Option<u64>,
    symbols: Symbols,
    key: Key,
    rules: binance::Rules,
    budgets: Budgets,
    /// What the venue's clock was ahead when it was last asked.
    ahead: Span,
    now: Time,
    chance: Stream,
    weather: Weather,
    /// What will happen, by time; the second number keeps the order of what happens at once.
    coming: BTreeMap<(Time, u64), Event>,
    counter: u64,
    alarms: Vec<Alarm>,
    intents: BTreeSet<ClientOrderId>,
    promises: Promises,
    crashes: u64,
    price: f64,
}

fn limits() -> Limits {
    Limits {
        max_notional_per_order: money("60"),
        max_position_notional: money("130"),
        max_total_notional: money("130"),
        max_daily_turnover: money("100000"),
        max_dd_daily: Fraction::from_f64(0.10).unwrap(),
        max_dd_weekly: Fraction::from_f64(0.10).unwrap(),
        latency_threshold: Span::from_secs(60),
        max_orders_per_minute: 10,
        max_orders_per_day: 200,
        max_open_orders: 4,
        max_participation: Fraction::ONE,
        price_collar: Fraction::from_f64(0.05).unwrap(),
    }
}

fn risk_rules() -> Rules {
    Rules {
        symbols: Vec::new(),
        duplicate_window: Span::from_secs(2),
        max_bar_age: BarAge::Bars(2),
        data_gap: DataGap::Deny,
        max_reference_move: Fraction::from_f64(0.10).unwrap(),
        max_repeated_orders: 5,
        on_drawdown: OnDrawdown { action: DrawdownAction::Halt, flatten: true },
        on_latency: OnLatency { window: 3, pause_for: Span::from_secs(300) },
    }
}

fn config(instrument: &Instrument) -> LiveConfig {
    let interval: Interval = "15m".parse().unwrap();
    let rule = Rule::EmaCross(EmaCross { fast: 2, slow: 4, signal: CrossSignal::State, seed: EmaSeed::First, warmup: 4 });
    let oms = OmsConfig {
        order: OrderStyle::Market,
        sized_in: SizedIn::Quote,
        stop_loss_atr: 0.0,
        take_profit_atr: 0.0,
        atr_period: 14,
    };
    let desk = DeskConfig {
        oms,
        gate: Gate::new(limits(), risk_rules()),
        interval,
        instruments: vec![instrument.clone()],
        allowed: vec![true],
        scopes: vec![0x00c0_ffee],
        model_window: 4,
        fee: Bps(10),
        record: RecordMode::Changes,
    };
    let paper = PaperConfig {
        equity: money("1000"),
        maker: Bps(10),
        taker: Bps(10),
        slippage: Bps(0),
        max_participation: Fraction::ONE,
        instruments: vec![instrument.clone()],
    };
    let model = ModelConfig { rule, sizing: Sizing::FixedNotional { notional: money("50") } };
    let router = RouterConfig {
        symbols: vec![instrument.symbol.clone()],
        send_within: Span::from_secs(60),
        receive_window: Span::from_secs(5),
    };
    LiveConfig { trader: TraderConfig { desk, model, paper }, router, max_lateness: Span::from_secs(60) }
}

fn exchange(seed: u64) -> Exchange {
    let symbol: Symbol = "BTC/USDT".parse().unwrap();
    let listed =
        Listed { symbol, interval: "15m".parse().unwrap(), filters: Filters::default(), depth: Depth::of_a_large_symbol() };
    let holder = Holder {
        key: VenueKey {
            name: API_KEY.to_owned(),
            lock: Lock::hmac(SECRET),
            permissions: Permissions::default(),
            is_revoked: false,
        },
        balances: vec![("USDT".to_owned(), "1000".parse().unwrap()), ("BTC".to_owned(), Qty::ZERO)],
        fees: Fees::default(),
    };
    Exchange::new(
        Setup { listed: vec![listed], holders: vec![holder], limits: Default::default(), script: Script::new(seed) },
        start(),
    )
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> Self {
        let mut exchange = exchange(seed);
        let price = 40_000.0;
        let bar = Bar { open_time: start() - QUARTER, open: price, high: price, low: price, close: price, volume: 100.0 };
        exchange.advance("BTCUSDT", &bar, start());
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        let symbols = Symbols::new(std::slice::from_ref(&symbol)).unwrap();
        let key = Key::new(&API_KEY.to_owned().into(), &SECRET.to_owned().into()).unwrap();
        // What a program has before it begins: the rules and the account, read in quiet.
        let info =
            exchange.handle(&HttpRequest::new(tidegate::venue::sim::Method::Get, "/api/v3/exchangeInfo?symbol=BTCUSDT"), start());
        let rules = binance::Rules::read(info.body.as_bytes()).unwrap();
        if weather.strength > 0.0 {
            *exchange.script_mut() = Script::weather(seed, weather.strength);
        }
        let instrument = rules.instrument(&symbol).unwrap();
        let mut budgets = Budgets::default();
        budgets.adopt(rules.limits());
        let account = tidegate::venue::wire::Account {
            id: String::new(),
            can_trade: true,
            can_withdraw: false,
            balances: ["USDT", "BTC"]
                .map(|asset| {
                    let (free, locked) = exchange.balance(0, asset);
                    tidegate::venue::wire::Balance { asset: asset.to_owned(), free, locked }
                })
                .to_vec(),
            at: start(),
        };
        let live = Live::begin(config(&instrument), &account, start());
        let disk = Disk { snapshot: serde_json::to_string(&live.snapshot()).unwrap(), sent: BTreeSet::new() };
        let promises = Promises {
            // An exit sells what rose meanwhile; a buy is what it is.
            order_notional_max: Some(money("60")),
            exit_notional_max: Some(money("60")),
            position_notional_max: Some(money("130")),
            total_notional_max: Some(money("130")),
            buys_per_minute_max: Some(10),
            buys_per_day_max: Some(200),
            symbols: vec!["BTCUSDT".to_owned()],
            slack: Bps(1000),
            id_prefix: "tg".to_owned(),
        };
        let mut world = Self {
            seed,
            live,
            disk,
            exchange,
            connection: None,
            symbols,
            key,
            rules,
            budgets,
            ahead: Span::ZERO,
            now: start(),
            chance: Stream::new(seed, "simulated world"),
            weather,
            coming: BTreeMap::new(),
            counter: 0,
            alarms: Vec::new(),
            intents: BTreeSet::new(),
            promises,
            crashes: 0,
            price,
        };
        world.listen();
        world
    }

    /// Promises what the limits do not keep.
    pub fn promise_less(&mut self) {
        self.promises.order_notional_max = Some(money("10"));
    }

    fn later(&mut self, after: Span, event: Event) {
        self.counter += 1;
        self.coming.insert((self.now + after, self.counter), event);
    }

    fn instrument(&self) -> Instrument {
        self.rules.instrument(&"BTC/USDT".parse().unwrap()).unwrap()
    }

    /// Opens the stream of events, or tries again later.
    fn listen(&mut self) {
        let wait = Event::Push(Push::Down { why: "no connection".to_owned() });
        if self.is_closed() {
            return self.later(Span::from_secs(30), wait);
        }
        let Ok(connection) = self.exchange.connect("/ws-api/v3", self.now) else {
            return self.later(Span::from_secs(30), wait);
        };
        let at = (self.now + self.ahead).millis();
        let payload = format!("apiKey={API_KEY}&timestamp={at}");
        let signature = self.key.sign(payload.as_bytes()).unwrap();
        let text = format!(
            "{{\"id\":1,\"method\":\"userDataStream.subscribe.signature\",\"params\":{{\"apiKey\":\"{API_KEY}\",\"timestamp\":{at},\"signature\":\"{signature}\"}}}}"
        );
        self.exchange.receive(connection, Frame::Text(text), self.now);
        self.connection = Some(connection);
        self.later(Span::from_millis(50), Event::Push(Push::Up));
    }

    /// Takes what came over the stream.
    fn hear(&mut self) {
        let Some(connection) = self.connection else { return };
        for frame in self.exchange.take_frames(connection, self.now) {
            match frame {
                Frame::Text(text) => {
                    if let Ok(binance::Frame::Push(push)) = binance::Frame::read(&text, &self.symbols) {
                        let after = Span::from_millis(5 + self.chance.below(60) as i64);
                        self.later(after, Event::Push(push));
                    }
                }
                Frame::Ping(payload) => self.exchange.receive(connection, Frame::Pong(payload), self.now),
                Frame::Pong(_) => {}
                Frame::Close(_) | Frame::Cut => self.connection = None,
            }
        }
        if self.connection.is_none() || self.exchange.is_over(connection) {
            self.connection = None;
            self.later(Span::from_secs(1), Event::Push(Push::Down { why: "cut".to_owned() }));
            self.counter += 1;
        }
    }

    fn handle(&mut self, event: Event) {
        if matches!(event, Event::Push(Push::Down { .. })) && self.connection.is_none() {
            self.listen();
        }
        let step = self.live.handle(event, self.now);
        // Where an order is on its way a crash says most; a step without an effect is none.
        let crashes = match (step.facts.is_empty(), step.asks.is_empty() && !step.is_to_be_kept()) {
            (false, _) => self.weather.crashes,
            (true, false) => self.weather.crashes * 0.01,
            (true, true) => 0.0,
        };
        if self.chance.happens(crashes) {
            return self.crash();
        }
        self.commit(&step);
        if self.chance.happens(crashes) {
            return self.crash();
        }
        let asks = step.asks.len() as u64;
        let cut = self.chance.happens(crashes).then(|| self.chance.below(asks + 1));
        for (at, (id, request)) in (0_u64..).zip(step.asks) {
            if cut == Some(at) {
                return self.crash();
            }
            self.ask(id, &request);
        }
        if cut.is_some() {
            self.crash();
        }
    }

    fn commit(&mut self, step: &Step) {
        self.alarms.extend(step.alarms.iter().cloned());
        let is_sending = |fact: &Fact| matches!(fact, Fact::Moved { order } if order.state == OrderState::Sending);
        for fact in &step.facts {
            match fact {
                Fact::Intended { order } => assert!(self.intents.insert(order.id()), "seed {}: an id twice", self.seed),
                Fact::Moved { order } if is_sending(fact) => drop(self.disk.sent.insert(order.id())),
                _ => {}
            }
        }
        // As the driver does it: what is only on its way makes a row of its own and no snapshot.
        if step.is_to_be_kept() && !(step.records.is_empty() && step.alarms.is_empty() && step.facts.iter().all(is_sending)) {
            self.disk.snapshot = serde_json::to_string(&self.live.snapshot()).unwrap();
        }
    }

    /// One request, as bytes, there and back.
    fn ask(&mut self, id: AskId, request: &Request) {
        let there = Span::from_millis(5 + self.chance.below(40) as i64);
        match self.exchanged(request) {
            Ok(reply) => {
                let back = Span::from_millis(5 + self.chance.below(40) as i64);
                let cut =
                    |bytes: usize| Reply { body: reply.body.as_bytes()[..bytes.min(reply.body.len())].to_vec(), ..read(&reply) };
                let lost = || Err(Failure::Ambiguous("no answer came".to_owned()));
                let (after, result) = match reply.delivery {
                    Delivery::Now => (back, self.decoded(request, &read(&reply))),
                    Delivery::After(span) if span < TIMEOUT => (span, self.decoded(request, &read(&reply))),
                    Delivery::After(_) | Delivery::Never | Delivery::Slow => (TIMEOUT, lost()),
                    Delivery::CutAfter(0) => (back, lost()),
                    Delivery::CutAfter(bytes) if bytes < reply.body.len() => {
                        let _never_whole = cut(bytes);
                        (back, lost())
                    }
                    Delivery::CutAfter(_) => (back, self.decoded(request, &read(&reply))),
                };
                self.later(Span::from_micros(there.micros() + after.micros()), Event::Answer(id, result));
            }
            Err(failure) => self.later(there, Event::Answer(id, Err(failure))),
        }
    }

    fn exchanged(&mut self, request: &Request) -> Result<HttpReply, Failure> {
        let call = binance::encode(request, &self.symbols, Some(&self.rules))?;
        let venue_now = self.now + self.ahead;
        self.budgets.take(request, call.weight, venue_now)?;
        let query = if call.is_signed {
            let signed = call.stamped(venue_now).signed(&self.key).map_err(|error| Failure::NotSent(error.to_string()))?;
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
        Ok(self.exchange.handle(&asked, self.now))
    }

    fn decoded(&mut self, request: &Request, reply: &Reply) -> Result<Answer, Failure> {
        let now = self.now + self.ahead;
        if let Some(used) = reply.used_weight {
            self.budgets.hear_weight(used, now);
        }
        match binance::decode(request, &self.symbols, reply, now) {
            Ok(binance::Read::Answer(answer)) => Ok(answer),
            Ok(binance::Read::Rules(rules)) => {
                self.rules = rules;
                Ok(Answer::Done)
            }
            Err(failure) => {
                match &failure {
                    Failure::Banned { until } => self.budgets.ban(*until, now),
                    Failure::Throttled { until } => self.budgets.slow_down(*until, now),
                    // The client compares clocks and asks once more; here the next question does.
                    Failure::Clock => self.ahead = self.clock_difference(),
                    _ => {}
                }
                Err(failure)
            }
        }
    }

    /// Does the venue want no request at all?
    fn is_closed(&self) -> bool {
        self.budgets.closed_until(self.now + self.ahead).is_some()
    }

    fn clock_difference(&mut self) -> Span {
        if self.is_closed() {
            return self.ahead;
        }
        // A refusal is heard like any other.
        let Ok(reply) = self.exchanged(&Request::Time) else { return self.ahead };
        match self.decoded(&Request::Time, &read(&reply)) {
            Ok(Answer::Time(said)) => said - self.now,
            _ => self.ahead,
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.coming.clear();
        if let Some(connection) = self.connection.take() {
            self.exchange.receive(connection, Frame::Cut, self.now);
        }
        let down = Span::from_millis(1000 + self.chance.below(90_000) as i64);
        self.pass_at_venue(down);
        let snapshot: TraderState = serde_json::from_str(&self.disk.snapshot).unwrap();
        self.live = Live::restore(config(&self.instrument()), snapshot, &self.disk.sent, false, self.now).unwrap();
        self.ahead = self.clock_difference();
        self.listen();
    }

    fn pass_at_venue(&mut self, span: Span) {
        self.now = self.now + span;
        self.exchange.pass(self.now);
    }

    /// Lets time pass up to `end`.
    fn pass(&mut self, end: Time) {
        loop {
            self.exchange.pass(self.now);
            self.hear();
            let wake = self.live.next_wake().max(self.now);
            let first = self.coming.first_key_value().map(|(key, _)| *key);
            let due = self.exchange.next_due().filter(|due| *due > self.now);
            let next = [first.map(|(at, _)| at), due, Some(wake)].into_iter().flatten().fold(end, Time::min);
            self.now = self.now.max(next);
            match first.filter(|(at, _)| *at <= self.now) {
                Some(key) => {
                    let event = self.coming.remove(&key).expect("it is the first");
                    self.handle(event);
                }
                None if wake <= self.now && self.now < end => self.handle(Event::Tick),
                None => {}
            }
            if self.now >= end {
                return;
            }
        }
    }

    fn bar(&mut self, number: i64) {
        let open_time = start() + Span::from_micros(QUARTER.micros() * number);
        let open = self.price;
        let close = (open * (1.0 + 0.004 * self.chance.normal()) * 100.0).round() / 100.0;
        self.price = close;
        let bar = Bar { open_time, open, high: open.max(close), low: open.min(close), close, volume: 100.0 };
        self.pass(open_time + QUARTER);
        self.exchange.advance("BTCUSDT", &bar, self.now.max(open_time + QUARTER));
        self.pass(open_time + QUARTER + Span::from_secs(3));
        let closed = open_time + QUARTER;
        let is_late = self.now - closed > Span::from_secs(60);
        let before = self.intents.len();
        self.handle(Event::Moment { open_time, bars: vec![(BTC, bar)] });
        assert!(!is_late || self.intents.len() == before, "seed {}: an order on a bar that is past", self.seed);
        self.handle(Event::Tick);
    }

    /// Lives through so many bars, and then for as long as anything can take, in calm.
    pub fn run(&mut self, bars: i64) {
        for number in 0..bars {
            self.bar(number);
        }
        self.weather.crashes = 0.0;
        self.exchange.script_mut().clear();
        self.pass(self.now + Span::from_secs(900));
    }

    pub fn breaches(&self) -> Vec<Breach> {
        let mut checker = Checker::new(self.promises.clone(), self.exchange.pairs());
        checker.read_all(self.exchange.log().entries());
        checker.breaches().to_vec()
    }

    pub fn check(&self) {
        let seed = self.seed;
        assert_eq!(self.breaches(), [], "seed {seed}: promises broken, by the venue's record");
        let desk = self.live.trader().desk();
        assert_eq!(self.live.router().state().open().count(), 0, "seed {seed}: everything has ended; {:?}", self.alarms);
        let total = |asset: &str| {
            let (free, locked) = self.exchange.balance(0, asset);
            free + locked
        };
        assert_eq!(desk.position(BTC), total("BTC"), "seed {seed}: the position is the venue's; {:?}", self.alarms);
        let cash = Qty::from_count(desk.cash().count().div_euclid(10_000_000_000));
        assert_eq!(cash, total("USDT"), "seed {seed}: the cash is the venue's");
        assert!(self.live.is_reconciled(), "seed {seed}: compared at the end; {:?}", self.alarms);
        let false_alarm = |alarm: &&Alarm| {
            matches!(alarm, Alarm::Foreign { .. } | Alarm::Mismatch { .. } | Alarm::Protocol { .. } | Alarm::Overfilled { .. })
        };
        assert_eq!(self.alarms.iter().find(false_alarm), None, "seed {seed}: a false alarm");
    }

    /// Orders at the venue, crashes, scripted answers, orders that were unknown.
    pub fn figures(&self) -> [u64; 4] {
        let entries = self.exchange.log().entries();
        let scripted = entries.iter().filter(|entry| matches!(entry.what, What::Request { is_scripted: true, .. })).count();
        let unknown = self.alarms.iter().filter(|alarm| matches!(alarm, Alarm::Unknown { .. })).count();
        let orders = entries.iter().filter(|entry| matches!(entry.what, What::Order { .. })).count();
        [orders as u64, self.crashes, scripted as u64, unknown as u64]
    }

    /// All that happened at the venue.
    pub fn record(&self) -> Vec<String> {
        self.exchange.log().entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect()
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
