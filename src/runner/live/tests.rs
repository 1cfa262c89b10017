//! The machine against a venue of a few lines that loses answers, and against crashes at every step.

mod endings;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::chance::Stream;
use crate::domain::{
    Bar, Bps, ClientOrderId, Fraction, Instrument, Interval, Liquidity, Money, OrderIntent, OrderState, Purpose, Qty,
    RejectReason, Side, Size, Span, SymbolIndex, Time,
};
use crate::risk::testing::{limits, rules};
use crate::risk::{Gate, HaltCause, Limits};
use crate::runner::trader::{TraderConfig, TraderState};
use crate::stage::model::ModelConfig;
use crate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use crate::stage::oms::DeskConfig;
use crate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use crate::telemetry::record::RecordMode;
use crate::venue::Listing;
use crate::venue::paper::PaperConfig;
use crate::venue::router::{Alarm, Fact, RouterConfig};
use crate::venue::wire::{
    Account, Answer, Balance, Failure, Owner, Push, Request, TradeId, VenueFill, VenueOrder, VenueOrderId, VenueStatus,
};

const HOUR: Span = Span::from_secs(3600);
const BTC: SymbolIndex = SymbolIndex(0);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn start() -> Time {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTC/USDT".parse().unwrap(),
        price_tick: "0.01".parse().unwrap(),
        qty_step: qty("0.00001"),
        min_notional: money("5"),
    }
}

fn config() -> LiveConfig {
    let limits = Limits {
        max_notional_per_order: money("60"),
        max_position_notional: money("200"),
        max_total_notional: money("200"),
        max_daily_turnover: money("100000"),
        max_dd_daily: Fraction::ONE,
        max_dd_weekly: Fraction::ONE,
        max_participation: Fraction::ONE,
        latency_threshold: HOUR,
        max_orders_per_day: 1000,
        ..limits()
    };
    let rule = Rule::EmaCross(EmaCross { fast: 2, slow: 4, signal: CrossSignal::State, seed: EmaSeed::First, warmup: 4 });
    let interval: Interval = "1h".parse().unwrap();
    let desk = DeskConfig {
        oms: OmsConfig {
            order: OrderStyle::Market,
            sized_in: SizedIn::Quote,
            stop_loss_atr: 0.0,
            take_profit_atr: 0.0,
            atr_period: 14,
        },
        gate: Gate::new(limits, rules()),
        interval,
        instruments: vec![instrument()],
        allowed: vec![true],
        scopes: vec![7],
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
        instruments: vec![instrument()],
    };
    let model = ModelConfig { rule, sizing: Sizing::FixedNotional { notional: money("50") } };
    let router =
        RouterConfig { symbols: vec![instrument().symbol], send_within: Span::from_secs(60), receive_window: Span::from_secs(5) };
    LiveConfig { trader: TraderConfig { desk, model, paper }, router, max_lateness: Span::from_secs(60) }
}

/// A venue that fills at the price it is told, and remembers what it was asked to do.
#[derive(Default)]
struct Toy {
    price: f64,
    cash: Money,
    held: Qty,
    orders: BTreeMap<ClientOrderId, (VenueOrder, Time)>,
    trades: Vec<VenueFill>,
    pushes: Vec<Push>,
    placed_again: Vec<ClientOrderId>,
    /// For so long after it was taken, an order is not found.
    lag: Span,
}

impl Toy {
    fn new() -> Self {
        Self { price: 100.0, cash: money("1000"), held: qty("2"), ..Self::default() }
    }

    fn account(&self, now: Time) -> Account {
        let cash = Qty::from_count(self.cash.count() / 10_000_000_000);
        let balance = |asset: &str, free| Balance { asset: asset.to_owned(), free, locked: Qty::ZERO };
        let balances = vec![balance("USDT", cash), balance("BTC", self.held)];
        Account { id: "1".to_owned(), can_trade: true, can_withdraw: false, balances, at: now }
    }

    fn place(&mut self, intent: &OrderIntent, part: f64, now: Time) -> Result<Answer, Failure> {
        if self.orders.contains_key(&intent.id) {
            self.placed_again.push(intent.id);
            return Err(Failure::Duplicate);
        }
        let price = crate::domain::Price::from_f64((self.price * 100.0).round() / 100.0).unwrap();
        let ordered = match intent.size {
            Size::Base(qty) => qty,
            Size::Quote(amount) => amount.quantity_floor(price).truncate_to(qty("0.00001")),
        };
        let filled = Qty::from_f64_floor(ordered.to_f64() * part).unwrap().min(ordered).truncate_to(qty("0.00001"));
        let filled = if part >= 1.0 { ordered } else { filled };
        if intent.side == Side::Sell && filled > self.held - qty("2") {
            let text = "Account has insufficient balance for requested action.".to_owned();
            return Err(Failure::Rejected { code: -2010, reason: RejectReason::InsufficientBalance, text });
        }
        let venue_id = VenueOrderId(1000 + self.orders.len() as u64);
        let fee = Qty::from_count(price.notional(filled).bps_ceil(Bps(10)).count() / 10_000_000_000);
        let mut fills = Vec::new();
        if filled.is_positive() {
            let trade = TradeId(self.trades.len() as u64 + 1);
            let liquidity = Liquidity::Taker;
            fills.push(VenueFill {
                trade,
                order: venue_id,
                price,
                qty: filled,
                fee,
                fee_asset: "USDT".to_owned(),
                liquidity,
                at: now,
            });
        }
        for fill in &fills {
            let (worth, fee) = (price.notional(fill.qty), Money::from_count(fee.count() * 10_000_000_000));
            match intent.side {
                Side::Buy => (self.cash, self.held) = (self.cash - worth - fee, self.held + fill.qty),
                Side::Sell => (self.cash, self.held) = (self.cash + worth - fee, self.held - fill.qty),
            }
        }
        self.trades.extend(fills.clone());
        let order = VenueOrder {
            symbol: Some(BTC),
            symbol_text: "BTCUSDT".to_owned(),
            venue_id,
            owner: Owner::Ours(intent.id),
            side: intent.side,
            status: Some(if filled == ordered { VenueStatus::Filled } else { VenueStatus::Expired }),
            ordered,
            filled,
            filled_quote: None,
            at: now,
            fills,
        };
        self.orders.insert(intent.id, (VenueOrder { fills: Vec::new(), ..order.clone() }, now));
        self.pushes.push(Push::Order { order: order.clone(), execution: venue_id.0, last_filled: filled });
        Ok(Answer::Order(order))
    }

    fn answer(&mut self, request: &Request, part: f64, now: Time) -> Result<Answer, Failure> {
        match request {
            Request::Place(intent) => self.place(intent, part, now),
            Request::Order { id, .. } | Request::Cancel { id, .. } => match self.orders.get(id) {
                Some((order, since)) if now - *since >= self.lag => {
                    if matches!(request, Request::Cancel { .. }) {
                        Err(Failure::NotOpen)
                    } else {
                        Ok(Answer::Order(order.clone()))
                    }
                }
                _ => Err(Failure::NoSuchOrder),
            },
            Request::Orders { .. } => Ok(Answer::Orders(self.orders.values().map(|(order, _)| order.clone()).collect())),
            Request::OpenOrders { .. } => Ok(Answer::Orders(Vec::new())),
            Request::FillsOf { order, .. } => {
                Ok(Answer::Fills(self.trades.iter().filter(|t| t.order == *order).cloned().collect()))
            }
            Request::FillsFrom { first, .. } => {
                Ok(Answer::Fills(self.trades.iter().filter(|t| t.trade >= *first).cloned().collect()))
            }
            Request::FillsIn { from, until, .. } => {
                Ok(Answer::Fills(self.trades.iter().filter(|t| t.at >= *from && t.at <= *until).cloned().collect()))
            }
            Request::Account => Ok(Answer::Account(self.account(now))),
            Request::Time => Ok(Answer::Time(now)),
            Request::Test(_) | Request::Rules | Request::Restrictions => Ok(Answer::Done),
            Request::CancelAll { .. } => Ok(Answer::Orders(Vec::new())),
        }
    }
}

/// What survives a crash.
#[derive(Default)]
struct Disk {
    snapshot: Option<TraderState>,
    sent: BTreeSet<ClientOrderId>,
}

/// How much goes wrong.
#[derive(Clone, Copy, Default)]
struct Weather {
    loses: f64,
    drops: f64,
    rejects: f64,
    crashes: f64,
    partial: f64,
}

struct World {
    live: Live,
    toy: Toy,
    disk: Disk,
    now: Time,
    chance: Stream,
    weather: Weather,
    /// Answers and events on their way.
    coming: Vec<(Time, Event)>,
    alarms: Vec<Alarm>,
    refusals: Vec<crate::risk::Refusal>,
    intents: BTreeSet<ClientOrderId>,
    closed: Option<Closed>,
    crashes: u32,
}

impl World {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut toy = Toy::new();
        toy.lag = if seed.is_multiple_of(3) { Span::from_secs(8) } else { Span::from_micros(0) };
        let live = Live::begin(config(), &toy.account(start()), start());
        let disk = Disk { snapshot: Some(live.snapshot()), ..Disk::default() };
        let chance = Stream::new(seed, "live");
        let (coming, alarms, intents) = (Vec::new(), Vec::new(), BTreeSet::new());
        let refusals = Vec::new();
        Self { live, toy, disk, now: start(), chance, weather, coming, alarms, refusals, intents, closed: None, crashes: 0 }
    }

    fn handle(&mut self, event: Event) {
        let step = self.live.handle(event, self.now);
        if self.chance.happens(self.weather.crashes) {
            return self.crash();
        }
        self.commit(&step);
        if self.chance.happens(self.weather.crashes) {
            return self.crash();
        }
        let asks = step.asks.len() as u64;
        let cut = if self.chance.happens(self.weather.crashes) { Some(self.chance.below(asks + 1)) } else { None };
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
        self.refusals.extend(step.records.refusals.iter().map(|row| row.refusal));
        for fact in &step.facts {
            match fact {
                Fact::Intended { order } => assert!(self.intents.insert(order.id()), "an id was used twice"),
                Fact::Moved { order } if order.state == OrderState::Sending => drop(self.disk.sent.insert(order.id())),
                _ => {}
            }
        }
        self.closed = step.closed.clone().or(self.closed.take());
        let only_sending = |fact: &Fact| matches!(fact, Fact::Moved { order } if order.state == OrderState::Sending);
        // What is on its way stands in a row of its own; the snapshot need not be written for it.
        if step.is_to_be_kept() && !(step.records.is_empty() && step.alarms.is_empty() && step.facts.iter().all(only_sending)) {
            self.disk.snapshot = Some(self.live.snapshot());
        }
    }

    fn ask(&mut self, id: AskId, request: &Request) {
        let part = if self.chance.happens(self.weather.partial) { self.chance.uniform() } else { 1.0 };
        let slow = Span::from_millis(20 + self.chance.below(400) as i64);
        let result = if matches!(request, Request::Place(_)) && self.chance.happens(self.weather.rejects) {
            Err(Failure::NotSent("refused".to_owned()))
        } else if self.chance.happens(self.weather.drops) {
            Err(Failure::Ambiguous("dropped before".to_owned()))
        } else {
            self.toy.answer(request, part, self.now)
        };
        let lost = self.chance.happens(self.weather.loses);
        let (result, after) =
            if lost { (Err(Failure::Ambiguous("lost".to_owned())), Span::from_secs(12)) } else { (result, slow) };
        self.coming.push((self.now + after, Event::Answer(id, result)));
        for push in std::mem::take(&mut self.toy.pushes) {
            for _ in 0..self.chance.below(3) {
                let after = Span::from_millis(self.chance.below(30_000) as i64);
                self.coming.push((self.now + after, Event::Push(push.clone())));
            }
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        // Requests that had left arrive; whoever asked is gone.
        self.coming.clear();
        self.toy.pushes.clear();
        self.now = self.now + Span::from_secs(1 + self.chance.below(90) as i64);
        let text = serde_json::to_string(self.disk.snapshot.as_ref().unwrap()).unwrap();
        let snapshot: TraderState = serde_json::from_str(&text).unwrap();
        self.live = Live::restore(config(), snapshot, &self.disk.sent, false, self.now).unwrap();
        self.coming.push((self.now + Span::from_secs(1), Event::Push(Push::Up)));
    }

    /// Lets time pass up to `end`.
    fn pass(&mut self, end: Time) {
        loop {
            let wake = self.live.next_wake().max(self.now);
            let first = self.coming.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(place, (at, _))| (*at, place));
            let next = first.map_or(wake, |(at, _)| at.min(wake));
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            match first.filter(|(at, _)| *at <= wake) {
                Some((_, place)) => {
                    let (_, event) = self.coming.remove(place);
                    self.handle(event);
                }
                None => self.handle(Event::Tick),
            }
        }
        self.now = self.now.max(end);
    }

    fn bar(&mut self, hour: i64) {
        let open_time = start() + Span::from_micros(HOUR.micros() * hour);
        let open = self.toy.price;
        let close = (open * (1.0 + 0.02 * self.chance.normal()) * 100.0).round() / 100.0;
        self.toy.price = close;
        self.pass(open_time + HOUR + Span::from_secs(3));
        let bar = Bar { open_time, open, high: open.max(close), low: open.min(close), close, volume: 1e6 };
        let late = self.now - (open_time + HOUR) > Span::from_secs(60);
        let before = self.intents.len();
        self.handle(Event::Moment { open_time, bars: vec![(BTC, bar)] });
        assert!(!late || self.intents.len() == before, "LIVE-4: no order on a bar that is past");
        self.handle(Event::Tick);
    }

    fn run(&mut self, hours: i64) {
        for hour in 0..hours {
            self.bar(hour);
        }
        self.weather = Weather::default();
        self.pass(self.now + Span::from_secs(600));
    }

    fn check(&self, seed: u64) {
        let desk = self.live.trader().desk();
        assert_eq!(self.toy.placed_again, [], "seed {seed}: an id was placed twice");
        assert_eq!(desk.position(BTC), self.toy.held - qty("2"), "seed {seed}: the position is the venue's");
        let off = (desk.cash() - self.toy.cash).abs();
        assert!(off.is_zero(), "seed {seed}: cash {} here, {} there", desk.cash(), self.toy.cash);
        assert_eq!(self.live.router().state().open().count(), 0, "seed {seed}: everything has ended");
        assert!(self.live.is_reconciled(), "seed {seed}: reconciled at the end; {:?}", self.alarms);
        let unlikely = |alarm: &&Alarm| {
            matches!(
                alarm,
                Alarm::Foreign { .. }
                    | Alarm::Mismatch { .. }
                    | Alarm::Protocol { .. }
                    | Alarm::Overfilled { .. }
                    | Alarm::LateFill { .. }
            )
        };
        assert_eq!(self.alarms.iter().find(unlikely), None, "seed {seed}");
    }
}

#[test]
fn in_fine_weather_every_order_is_answered_and_the_books_agree() {
    let mut world = World::new(1, Weather::default());
    world.run(200);
    world.check(1);
    assert!(world.intents.len() > 20, "{} orders", world.intents.len());
    assert_eq!(world.toy.orders.len(), world.intents.len());
    assert_eq!(world.alarms, []);
}

/// A1 to A8, C1 to C7, D6, LIVE-1, LIVE-2: whatever dies and whatever is lost, at most one order an intent, and the position is known.
#[test]
fn whatever_is_lost_and_whoever_dies_nothing_is_sent_twice() {
    let seeds = std::env::var("TIDEGATE_LIVE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let (mut crashes, mut orders) = (0, 0);
    for seed in 0..seeds {
        let weather = match seed % 4 {
            0 => Weather { crashes: 0.02, ..Weather::default() },
            1 => Weather { loses: 0.2, ..Weather::default() },
            2 => Weather { drops: 0.2, partial: 0.3, rejects: 0.1, ..Weather::default() },
            _ => Weather { loses: 0.1, drops: 0.1, partial: 0.2, rejects: 0.1, crashes: 0.01 },
        };
        let mut world = World::new(seed, weather);
        world.run(60);
        world.check(seed);
        (crashes, orders) = (crashes + world.crashes, orders + world.toy.orders.len());
    }
    assert!(crashes > seeds as u32 && orders > 5 * seeds as usize, "{crashes} crashes, {orders} orders");
}

/// C24, LIVE-3: somebody else's trade is named and stops trading; a person's word makes it the baseline.
#[test]
fn a_trade_by_hand_stops_trading_until_a_person_has_looked() {
    let mut world = World::new(1, Weather::default());
    world.run(10);
    world.toy.held += qty("0.5");
    world.toy.cash -= money("50");
    world.pass(world.now + Span::from_secs(120));
    assert!(!world.live.is_reconciled());
    assert_eq!(world.live.trader().desk().halt().map(|halt| halt.cause), Some(HaltCause::ReconcileMismatch));
    let told =
        world.alarms.iter().find_map(|alarm| if let Alarm::Mismatch { what } = alarm { Some(what.join("; ")) } else { None });
    let told = told.unwrap();
    assert!(told.contains("BTC: ") && told.contains("USDT: "), "{told}");
    let position = world.live.trader().desk().position(BTC);
    world.handle(Event::Accept(world.toy.account(world.now)));
    world.handle(Event::Resume);
    world.pass(world.now + Span::from_secs(120));
    assert!(world.live.is_reconciled() && world.live.trader().desk().halt().is_none());
    assert_eq!(world.live.trader().desk().position(BTC), position, "nothing was invented");
}

/// C36, C13: closing everything goes in slices inside the limits, and on with what a thin book left.
#[test]
fn closing_everything_is_sliced_and_goes_on_with_the_rest() {
    for part in [1.0, 0.5] {
        let mut world = World::new(3, Weather::default());
        let mut hour = 0;
        while world.live.trader().desk().position(BTC).is_zero() {
            world.bar(hour);
            world.pass(world.now + Span::from_secs(30));
            hour += 1;
        }
        // Worth more than one order may be.
        world.toy.price *= 1.0;
        world.weather.partial = if part < 1.0 { 1.0 } else { 0.0 };
        world.handle(Event::Stop { close: Some(Purpose::Rollback) });
        world.pass(world.now + Span::from_secs(60));
        let closed = world.closed.clone().expect("closing ends");
        let rest = world.live.trader().desk().position(BTC).to_f64() * world.toy.price;
        assert_eq!(closed.is_flat, rest < 5.0, "{closed:?}, worth {rest}");
        assert!(closed.is_flat || part < 1.0);
        let kept = serde_json::to_string(&world.live.snapshot()).unwrap();
        assert_eq!(closed.is_flat, kept.contains("\"exiting\":null"), "dust is no exit that goes on: {kept}");
        let sells = world.toy.orders.values().filter(|(order, _)| order.side == Side::Sell);
        assert!(sells.clone().count() > 0 && sells.clone().all(|(order, _)| order.ordered.to_f64() * world.toy.price < 61.0));
        let before = world.intents.len();
        world.bar(hour);
        world.bar(hour + 1);
        assert_eq!(world.intents.len(), before, "halted: nothing new");
    }
}

/// The venue's own words: its status, and the largest and the least market order.
fn listings(status: &str, least: &str, largest: &str) -> Vec<Option<Listing>> {
    let text = format!(
        r#"{{"rateLimits":[],"symbols":[{{"symbol":"BTCUSDT","status":"{status}","baseAsset":"BTC","quoteAsset":"USDT",
        "orderTypes":["MARKET"],"quoteOrderQtyMarketAllowed":true,"isSpotTradingAllowed":true,"filters":[
        {{"filterType":"LOT_SIZE","minQty":"{least}","maxQty":"9000","stepSize":"0.00001"}},
        {{"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"{largest}","stepSize":"0"}},
        {{"filterType":"NOTIONAL","minNotional":"5","applyMinToMarket":true,"maxNotional":"9000000","applyMaxToMarket":false}}]}}]}}"#
    );
    vec![crate::venue::binance::Rules::read(text.as_bytes()).unwrap().listing(&instrument().symbol)]
}

/// B20, C17, C18: what the venue would refuse is denied by the name of its rule and never sent; new rules count for the next order.
#[test]
fn what_the_venue_would_refuse_is_denied_by_its_name() {
    for (rules, why) in [
        (listings("HALT", "0.00001", "9000"), "status HALT"),
        (listings("TRADING", "0.00001", "0.1"), "MARKET_LOT_SIZE 0."),
        (vec![None], "listing none"),
    ] {
        let mut world = World::new(1, Weather::default());
        world.handle(Event::Rules(rules));
        (0..30).for_each(|hour| world.bar(hour));
        let refusals = &world.refusals;
        assert!(world.intents.is_empty() && world.toy.orders.is_empty(), "{why}");
        assert!(refusals.iter().any(|refusal| refusal.to_string().starts_with(&format!("venue-rule: {why}"))), "{refusals:?}");
        world.handle(Event::Rules(listings("TRADING", "0.00001", "9000")));
        (30..60).for_each(|hour| world.bar(hour));
        assert!(!world.intents.is_empty(), "{why}");
    }
}

/// C17, C36: an exit is cut to what the venue takes of one order, and what is less than it takes is dust.
#[test]
fn an_exit_obeys_the_sizes_of_the_venue() {
    for (least, largest, sales) in [("0.00001", "0.2", 3), ("0.00001", "9000", 1), ("9", "9000", 0)] {
        let mut world = World::new(3, Weather::default());
        let mut hour = 0;
        while world.live.trader().desk().position(BTC).is_zero() {
            world.bar(hour);
            world.pass(world.now + Span::from_secs(30));
            hour += 1;
        }
        world.handle(Event::Rules(listings("TRADING", least, largest)));
        world.handle(Event::Stop { close: Some(Purpose::Rollback) });
        world.pass(world.now + Span::from_secs(60));
        let sold = world.toy.orders.values().filter(|(order, _)| order.side == Side::Sell);
        assert!(sold.clone().all(|(order, _)| order.ordered <= qty(largest)));
        assert_eq!(
            (sold.count(), world.closed.clone().map(|closed| closed.is_flat)),
            (sales, Some(true)),
            "{least} to {largest}"
        );
    }
}

/// D1: nothing is decided while events may be missing.
#[test]
fn a_stream_that_drops_stops_orders_until_the_account_was_compared() {
    let mut world = World::new(1, Weather::default());
    world.run(5);
    assert!(world.live.is_reconciled());
    let down = Push::Down { why: "cut".to_owned() };
    let step = world.live.handle(Event::Push(down), world.now);
    assert!(!world.live.is_reconciled() && step.asks.iter().any(|(id, _)| matches!(id, AskId::Compare(..))));
}

/// B1, B4.
#[test]
fn a_clock_that_goes_back_or_differs_stops_trading() {
    let mut world = World::new(1, Weather::default());
    world.run(5);
    world.handle(Event::Tick);
    world.now = world.now - Span::from_secs(2);
    world.handle(Event::Tick);
    assert_eq!(world.live.trader().desk().halt().map(|halt| halt.cause), Some(HaltCause::Clock));
    let mut world = World::new(1, Weather::default());
    world.run(5);
    world.handle(Event::Offset(Span::from_secs(600)));
    assert_eq!(world.live.trader().desk().halt().map(|halt| halt.cause), Some(HaltCause::Clock));
}

/// Replay, paper and a real venue over the same bars want the same orders at the same closes.
#[test]
fn paper_and_a_venue_want_the_same() {
    let mut world = World::new(1, Weather::default());
    let mut paper = crate::runner::trader::Trader::new(config().trader);
    let mut wanted = Vec::new();
    for hour in 0..120 {
        let open_time = start() + Span::from_micros(HOUR.micros() * hour);
        let open = world.toy.price;
        world.bar(hour);
        // Its orders are done before the next bar opens, as on paper.
        world.pass(world.now + Span::from_secs(60));
        let close = world.toy.price;
        let bar = Bar { open_time, open, high: open.max(close), low: open.min(close), close, volume: 1e6 };
        let mut out = crate::stage::oms::Outbox::default();
        paper.step(open_time, &[(BTC, bar)], &mut out).unwrap();
        wanted.extend(out.records.orders.iter().filter(|row| row.denied.is_none()).map(|row| row.intent.id));
    }
    wanted.extend(paper.desk().open_orders().iter().map(|row| row.intent.id));
    wanted.sort();
    wanted.dedup();
    assert!(wanted.len() > 10);
    assert_eq!(world.intents.iter().copied().collect::<Vec<_>>(), wanted);
}
