//! One seed's world: the machine, its disk, the venue, and the time.

use std::collections::{BTreeMap, BTreeSet};

use tidegate::chance::Stream;
use tidegate::domain::{
    Bar, Bps, ClientOrderId, Fraction, Instrument, Interval, Money, OrderState, Purpose, Qty, Span, Symbol, SymbolIndex, Time,
};
use tidegate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency};
use tidegate::risk::{Gate, Limits, Rules};
use tidegate::runner::live::{AskId, Closed, Event, Live, LiveConfig, Step};
use tidegate::runner::trader::{TraderConfig, TraderState};
use tidegate::stage::model::ModelConfig;
use tidegate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use tidegate::stage::oms::DeskConfig;
use tidegate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use tidegate::telemetry::record::RecordMode;
use tidegate::venue::binance;
use tidegate::venue::paper::PaperConfig;
use tidegate::venue::router::{Alarm, Fact, RouterConfig};
use tidegate::venue::sim::{
    Breach, Checker, Depth, Exchange, Fees, Filters, Frame, Halted, Holder, HttpRequest, Key as VenueKey, Listed, Lock, Method,
    Permissions, Promises, Script, Setup,
};
use tidegate::venue::wire::{Push, Request};

use super::way::{API_KEY, Door, SECRET, Way};

pub(super) const QUARTER: Span = Span::from_secs(900);
const BTC: SymbolIndex = SymbolIndex(0);
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

/// What a world is made with.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub weather: Weather,
    pub door: Door,
    pub style: OrderStyle,
    /// Of its client order ids: another profile has another.
    pub scope: u32,
}

impl Plan {
    pub const fn new(weather: Weather) -> Self {
        Self { weather, door: Door::Looks, style: OrderStyle::Market, scope: 0x00c0_ffee }
    }

    /// Of every sixteen seeds of a kind one goes through bytes from end to end.
    pub const fn of(seed: u64) -> Self {
        let door = if (seed / 4).is_multiple_of(16) { Door::Bytes } else { Door::Looks };
        Self { door, ..Self::new(Weather::of(seed)) }
    }
}

/// What survives a crash.
struct Disk {
    /// Written down as text when somebody reads it.
    snapshot: TraderState,
    sent: BTreeSet<ClientOrderId>,
}

pub struct World {
    seed: u64,
    pub(super) live: Live,
    disk: Disk,
    pub(super) exchange: Exchange,
    connection: Option<u64>,
    pub(super) way: Way,
    pub(super) now: Time,
    chance: Stream,
    plan: Plan,
    /// What will happen, by time; the second number keeps the order of what happens at once.
    coming: BTreeMap<(Time, u64), Event>,
    counter: u64,
    pub(super) alarms: Vec<Alarm>,
    intents: BTreeSet<ClientOrderId>,
    promises: Promises,
    pub(super) crashes: u64,
    price: f64,
    /// When everything was closed that was to be closed, and how.
    pub(super) closed: Option<(Time, Closed)>,
    halted: Option<Halted>,
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

fn config(instrument: &Instrument, plan: &Plan) -> LiveConfig {
    let interval: Interval = "15m".parse().unwrap();
    let rule = Rule::EmaCross(EmaCross { fast: 2, slow: 4, signal: CrossSignal::State, seed: EmaSeed::First, warmup: 4 });
    let oms = OmsConfig { order: plan.style, sized_in: SizedIn::Quote, stop_loss_atr: 0.0, take_profit_atr: 0.0, atr_period: 14 };
    let desk = DeskConfig {
        oms,
        gate: Gate::new(limits(), risk_rules()),
        interval,
        instruments: vec![instrument.clone()],
        allowed: vec![true],
        scopes: vec![plan.scope],
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
    pub fn new(seed: u64, plan: Plan) -> Self {
        let mut exchange = exchange(seed);
        let price = 40_000.0;
        let bar = Bar { open_time: start() - QUARTER, open: price, high: price, low: price, close: price, volume: 100.0 };
        exchange.advance("BTCUSDT", &bar, start());
        // What a program has before it begins: the rules and the account, read in quiet.
        let info = exchange.handle(&HttpRequest::new(Method::Get, "/api/v3/exchangeInfo?symbol=BTCUSDT"), start());
        let rules = binance::Rules::read(info.body.as_bytes()).unwrap();
        if plan.weather.strength > 0.0 {
            *exchange.script_mut() = Script::weather(seed, plan.weather.strength);
        }
        let instrument = rules.instrument(&"BTC/USDT".parse().unwrap()).unwrap();
        let balances = ["USDT", "BTC"].map(|asset| {
            let (free, locked) = exchange.balance(0, asset);
            tidegate::venue::wire::Balance { asset: asset.to_owned(), free, locked }
        });
        let account = tidegate::venue::wire::Account {
            id: String::new(),
            can_trade: true,
            can_withdraw: false,
            balances: balances.to_vec(),
            at: start(),
        };
        let live = Live::begin(config(&instrument, &plan), &account, start());
        let disk = Disk { snapshot: live.snapshot(), sent: BTreeSet::new() };
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
            way: Way::new(plan.door, rules),
            now: start(),
            chance: Stream::new(seed, "simulated world"),
            plan,
            coming: BTreeMap::new(),
            counter: 0,
            alarms: Vec::new(),
            intents: BTreeSet::new(),
            promises,
            crashes: 0,
            price,
            closed: None,
            halted: None,
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
        self.way.rules.instrument(&"BTC/USDT".parse().unwrap()).unwrap()
    }

    /// Opens the stream of events, or tries again later.
    fn listen(&mut self) {
        self.connection = self.way.connect(&mut self.exchange, self.now);
        match self.connection {
            Some(_) => self.later(Span::from_millis(50), Event::Push(Push::Up)),
            None => self.later(Span::from_secs(30), Event::Push(Push::Down { why: "no connection".to_owned() })),
        }
    }

    /// Takes what came over the stream.
    fn hear(&mut self) {
        let Some(connection) = self.connection.filter(|connection| self.exchange.has_news(*connection)) else { return };
        for frame in self.exchange.take_frames(connection, self.now) {
            match frame {
                Frame::Text(text) => {
                    if let Some(push) = self.way.heard(&text) {
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
            (false, _) => self.plan.weather.crashes,
            (true, false) => self.plan.weather.crashes * 0.01,
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
        if let Some(closed) = &step.closed {
            self.closed = Some((self.now, closed.clone()));
        }
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
            self.disk.snapshot = self.live.snapshot();
        }
    }

    /// One request, there and back.
    fn ask(&mut self, id: AskId, request: &Request) {
        let there = Span::from_millis(5 + self.chance.below(40) as i64);
        let (after, result) = match self.way.call(&mut self.exchange, request, self.now) {
            Ok((taken, result)) => {
                let back = Span::from_millis(5 + self.chance.below(40) as i64);
                (Span::from_micros(there.micros() + taken.unwrap_or(back).micros()), result)
            }
            Err(failure) => (there, Err(failure)),
        };
        self.later(after, Event::Answer(id, result));
    }

    /// Nothing is left but the disk.
    fn die(&mut self) {
        self.crashes += 1;
        self.coming.clear();
        if let Some(connection) = self.connection.take() {
            self.exchange.receive(connection, Frame::Cut, self.now);
        }
    }

    fn crash(&mut self) {
        self.die();
        let down = Span::from_millis(1000 + self.chance.below(90_000) as i64);
        self.pass_at_venue(down);
        self.start_again();
    }

    /// What a start does: it reads the disk, compares clocks and listens.
    fn start_again(&mut self) {
        let text = serde_json::to_string(&self.disk.snapshot).unwrap();
        let snapshot: TraderState = serde_json::from_str(&text).unwrap();
        self.live = Live::restore(config(&self.instrument(), &self.plan), snapshot, &self.disk.sent, false, self.now).unwrap();
        self.way.compare_clocks(&mut self.exchange, self.now);
        self.listen();
    }

    fn pass_at_venue(&mut self, span: Span) {
        self.now = self.now + span;
        self.exchange.pass(self.now);
    }

    /// Lets time pass up to `end`.
    pub(super) fn pass(&mut self, end: Time) {
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

    /// The bar of a number, as the market makes it.
    pub(super) fn next_bar(&mut self, number: i64) -> Bar {
        let open_time = start() + Span::from_micros(QUARTER.micros() * number);
        let open = self.price;
        let close = (open * (1.0 + 0.004 * self.chance.normal()) * 100.0).round() / 100.0;
        self.price = close;
        Bar { open_time, open, high: open.max(close), low: open.min(close), close, volume: 100.0 }
    }

    fn bar(&mut self, number: i64) {
        let bar = self.next_bar(number);
        let closed = bar.open_time + QUARTER;
        self.pass(closed);
        self.exchange.advance("BTCUSDT", &bar, self.now.max(closed));
        self.pass(closed + Span::from_secs(3));
        self.decide(&bar);
    }

    /// A bar that has closed reaches the machine.
    pub(super) fn decide(&mut self, bar: &Bar) {
        let (open_time, closed) = (bar.open_time, bar.open_time + QUARTER);
        let is_late = self.now - closed > Span::from_secs(60);
        let before = self.intents.len();
        self.handle(Event::Moment { open_time, bars: vec![(BTC, *bar)] });
        assert!(!is_late || self.intents.len() == before, "seed {}: an order on a bar that is past", self.seed);
        self.handle(Event::Tick);
    }

    /// Lives through so many bars, and then for as long as anything can take, in calm.
    pub fn run(&mut self, bars: i64) {
        for number in 0..bars {
            self.bar(number);
        }
        self.settle();
    }

    /// Lives until orders are open or on their way, for so many bars at most, each to a random moment of it. Gives whether they are.
    pub fn run_to_orders(&mut self, bars: i64) -> bool {
        let mut dice = Stream::new(self.seed, "moment");
        for number in 0..bars {
            // Just behind a decision, or anywhere.
            let span = if dice.happens(0.5) { 150 } else { 880_000 };
            self.bar(number);
            self.pass(self.now + Span::from_millis(dice.below(span) as i64));
            if self.live.router().state().open().next().is_some() && dice.happens(0.5) {
                return true;
            }
        }
        false
    }

    /// A person's word to stop, and to close everything where a purpose is given. With `is_dead` nothing runs just then: what carries
    /// it out begins from the disk.
    pub fn kill(&mut self, close: Option<Purpose>, is_dead: bool) {
        self.plan.weather.crashes = 0.0;
        if is_dead {
            self.die();
            self.start_again();
        }
        self.halted = Some(Halted { from: self.now, until: Time::MAX, lets_exit: close.is_some() });
        self.handle(Event::Stop { close });
    }

    /// Lets everything end that can, in calm.
    pub fn settle(&mut self) {
        self.plan.weather.crashes = 0.0;
        self.exchange.script_mut().clear();
        self.pass(self.now + Span::from_secs(900));
    }

    pub fn breaches(&self) -> Vec<Breach> {
        let mut checker = Checker::new(self.promises.clone(), self.exchange.pairs());
        self.halted.into_iter().for_each(|halted| checker.halt(halted));
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

    /// Leaves its own venue for another's: the same account on one more machine.
    pub(super) fn join(&mut self, other: &mut Self) {
        self.coming.clear();
        self.connection = None;
        std::mem::swap(&mut self.exchange, &mut other.exchange);
        self.listen();
        std::mem::swap(&mut self.exchange, &mut other.exchange);
    }

    /// All that happened at the venue.
    pub fn record(&self) -> Vec<String> {
        self.exchange.log().entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect()
    }
}
