//! From a bar's close to the signed bytes of its order: our own share, and with the journal synced. Then a start by the journal that came
//! of it, with all these orders in it: opened, looked over, and the account compared with a venue on loopback.
//!
//! `cargo bench --bench orders [FOLDER]`: the journal lies in FOLDER (default: the system's folder for temporary files, which is a disk
//! on most machines); give one on tmpfs to leave the disk out. Prints the median and the 99th percentile in microseconds.

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Bar, Bps, Fraction, Instrument, Interval, Liquidity, Money, OrderState, Qty, Span, SymbolIndex, Time};
use tidegate::feed::binance::{Address, Service};
use tidegate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency};
use tidegate::risk::{Gate, Limits, Rules};
use tidegate::runner::drive::{Driver, Job};
use tidegate::runner::live::{AskId, Event, Live, LiveConfig, Step};
use tidegate::runner::trader::{TraderConfig, TraderState};
use tidegate::stage::model::ModelConfig;
use tidegate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use tidegate::stage::oms::DeskConfig;
use tidegate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use tidegate::store::journal::{Entry, Journal, Standing};
use tidegate::telemetry::record::RecordMode;
use tidegate::venue::binance::{self, Client, ClientConfig, Key, Symbols};
use tidegate::venue::paper::PaperConfig;
use tidegate::venue::router::{Fact, RouterConfig};
use tidegate::venue::sim::serve::{Floor, Served};
use tidegate::venue::sim::{self, Depth, Exchange, Fees, Filters, Holder, Listed, Lock, Permissions, Script, Setup};
use tidegate::venue::wire::{
    Account, Answer, Balance, Owner, Request, TradeId, VenueFill, VenueOrder, VenueOrderId, VenueStatus,
};

const BARS: i64 = 10_000;
/// Starts that are measured.
const STARTS: usize = 5;
const MINUTE: i64 = 60_000_000;
const ACCOUNT: &str = "bench@loopback";
const RUN: &str = "bench";
/// A published example, nobody's key.
const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

fn money(text: &str) -> Money {
    text.parse().expect("a literal amount")
}

fn config() -> LiveConfig {
    let instrument = Instrument {
        symbol: "BTC/USDT".parse().expect("a literal symbol"),
        price_tick: "0.01".parse().expect("a literal tick"),
        qty_step: "0.00001".parse().expect("a literal step"),
        min_notional: money("5"),
    };
    let wide = money("9000");
    let limits = Limits {
        max_notional_per_order: wide,
        max_position_notional: wide,
        max_total_notional: wide,
        max_daily_turnover: money("100000000"),
        max_dd_daily: Fraction::ONE,
        max_dd_weekly: Fraction::ONE,
        latency_threshold: Span::from_secs(60),
        max_orders_per_minute: 30,
        max_orders_per_day: 100_000,
        max_open_orders: 4,
        max_participation: Fraction::ONE,
        price_collar: Fraction::ONE,
    };
    let rules = Rules {
        symbols: Vec::new(),
        duplicate_window: Span::from_secs(2),
        max_bar_age: BarAge::Bars(2),
        data_gap: DataGap::Deny,
        max_reference_move: Fraction::ONE,
        max_repeated_orders: 1000,
        on_drawdown: OnDrawdown { action: DrawdownAction::Halt, flatten: true },
        on_latency: OnLatency { window: 3, pause_for: Span::from_secs(300) },
    };
    let interval: Interval = "1m".parse().expect("a literal interval");
    let desk = DeskConfig {
        oms: OmsConfig {
            order: OrderStyle::Market,
            sized_in: SizedIn::Quote,
            stop_loss_atr: 0.0,
            take_profit_atr: 0.0,
            atr_period: 14,
        },
        gate: Gate::new(limits, rules),
        interval,
        instruments: vec![instrument.clone()],
        allowed: vec![true],
        scopes: vec![7],
        model_window: 2,
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
    let rule = Rule::EmaCross(EmaCross { fast: 1, slow: 2, signal: CrossSignal::State, seed: EmaSeed::First, warmup: 2 });
    let model = ModelConfig { rule, sizing: Sizing::FixedNotional { notional: money("50") } };
    let router =
        RouterConfig { symbols: vec![instrument.symbol], send_within: Span::from_secs(60), receive_window: Span::from_secs(5) };
    LiveConfig { trader: TraderConfig { desk, model, paper }, router, max_lateness: Span::from_secs(60) }
}

/// A venue that fills every order at 100 and charges nothing.
#[derive(Default)]
struct Toy {
    cash: Qty,
    held: Qty,
    trades: u64,
}

impl Toy {
    fn answer(&mut self, request: &Request, now: Time) -> Answer {
        let balance = |asset: &str, free: Qty| Balance { asset: asset.to_owned(), free, locked: Qty::ZERO };
        match request {
            Request::Place(intent) => {
                self.trades += 1;
                let (qty, venue_id) = (intent.quantity(), VenueOrderId(self.trades));
                let worth = Qty::from_count(intent.reference.notional(qty).count() / 10_000_000_000);
                (self.cash, self.held) = match intent.side {
                    tidegate::domain::Side::Buy => (self.cash - worth, self.held + qty),
                    tidegate::domain::Side::Sell => (self.cash + worth, self.held - qty),
                };
                let fill = VenueFill {
                    trade: TradeId(self.trades),
                    order: venue_id,
                    price: intent.reference,
                    qty,
                    fee: Qty::ZERO,
                    fee_asset: String::new(),
                    liquidity: Liquidity::Taker,
                    at: now,
                };
                Answer::Order(VenueOrder {
                    symbol: Some(intent.symbol),
                    symbol_text: "BTCUSDT".to_owned(),
                    venue_id,
                    owner: Owner::Ours(intent.id),
                    side: intent.side,
                    status: Some(VenueStatus::Filled),
                    ordered: qty,
                    filled: qty,
                    filled_quote: None,
                    at: now,
                    fills: vec![fill],
                })
            }
            Request::FillsIn { .. } | Request::FillsFrom { .. } | Request::FillsOf { .. } => Answer::Fills(Vec::new()),
            Request::Account => Answer::Account(Account {
                id: String::new(),
                can_trade: true,
                can_withdraw: false,
                balances: vec![balance("USDT", self.cash), balance("BTC", self.held)],
                at: now,
            }),
            _ => Answer::Orders(Vec::new()),
        }
    }
}

struct Bench {
    live: Live,
    journal: Journal,
    toy: Toy,
    now: Time,
    watermark: Time,
}

impl Bench {
    fn keep(&mut self, step: &Step) {
        if !step.is_to_be_kept() {
            return;
        }
        let entries: Vec<Entry> = step.facts.iter().map(entry).collect();
        let is_sending = |fact: &Fact| matches!(fact, Fact::Moved { order } if order.state == OrderState::Sending);
        self.watermark = step.watermark.unwrap_or(self.watermark);
        if step.records.is_empty() && step.watermark.is_none() && step.facts.iter().all(is_sending) {
            self.journal.write(&entries, self.now).expect("the bench's folder takes rows");
            return;
        }
        let standing: Standing<TraderState> =
            Standing { watermark: self.watermark, fingerprint: String::new(), snapshot: self.live.snapshot() };
        let written = self.journal.commit_with(RUN, ACCOUNT, &standing, &step.records, &entries, self.now);
        written.expect("the bench's folder takes rows");
    }

    /// Answers everything until nothing is asked.
    fn settle(&mut self, mut asks: Vec<(AskId, Request)>) {
        while !asks.is_empty() {
            for (id, request) in std::mem::take(&mut asks) {
                let answer = self.toy.answer(&request, self.now);
                let step = self.live.handle(Event::Answer(id, Ok(answer)), self.now);
                self.keep(&step);
                asks.extend(step.asks);
            }
        }
    }

    fn tick_to(&mut self, end: Time) {
        while self.live.next_wake() < end {
            self.now = self.now.max(self.live.next_wake());
            let step = self.live.handle(Event::Tick, self.now);
            self.keep(&step);
            self.settle(step.asks);
        }
        self.now = end;
    }
}

fn entry(fact: &Fact) -> Entry {
    let json = |order| serde_json::to_value(order).expect("an order has text keys only");
    match fact {
        Fact::Intended { order } => Entry::Intent { account: ACCOUNT.to_owned(), id: order.id(), body: json(order) },
        Fact::Moved { order } => {
            Entry::Order { id: order.id(), state: order.state.name(), body: json(order), is_open: !order.state.is_terminal() }
        }
        Fact::Filled { id, fill, .. } => Entry::Fill {
            account: ACCOUNT.to_owned(),
            symbol: "BTCUSDT".to_owned(),
            trade: fill.trade.0,
            order: *id,
            body: serde_json::to_value(fill).expect("a fill has text keys only"),
        },
    }
}

fn told(what: &str, mut micros: Vec<f64>) {
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    println!("{what:<28} median {:8.1} µs   p99 {:8.1} µs   of {} orders", at(0.5), at(0.99), micros.len());
}

fn main() {
    // `cargo bench` passes an argument of its own.
    let folder = std::env::args().skip(1).find(|text| !text.starts_with('-')).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written");
    let mut journal = Journal::open(folder.path()).expect("an empty folder takes a journal");
    journal.begin(RUN, "{}").expect("a new journal takes a run");
    let start = Time::from_micros(29_600_000 * MINUTE);
    let mut toy = Toy { cash: "10000".parse().expect("a literal amount"), ..Toy::default() };
    let Answer::Account(account) = toy.answer(&Request::Account, start) else { unreachable!("an account was asked for") };
    let live = Live::begin(config(), &account, start);
    let mut bench = Bench { live, journal, toy, now: start, watermark: start };
    let symbols = Symbols::new(&config().router.symbols).expect("one symbol is spelled once");
    let key = Key::new(&KEY.to_owned().into(), &SECRET.to_owned().into()).expect("a published key");
    let (mut ours, mut whole) = (Vec::new(), Vec::new());
    let micros = |span: Duration| span.as_secs_f64() * 1e6;
    for number in 0..BARS {
        let open_time = Time::from_micros(start.micros() + number * MINUTE);
        bench.tick_to(Time::from_micros(open_time.micros() + MINUTE));
        let close = if number % 2 == 0 { 100.0 } else { 101.0 };
        let bars = vec![(SymbolIndex(0), Bar { open_time, open: close, high: close, low: close, close, volume: 1e9 })];
        let begin = Instant::now();
        let decided = bench.live.handle(Event::Moment { open_time, bars }, bench.now);
        let first = begin.elapsed();
        bench.keep(&decided);
        let again = Instant::now();
        let sending = bench.live.handle(Event::Tick, bench.now);
        let second = again.elapsed();
        bench.keep(&sending);
        let last = Instant::now();
        let orders = sending.asks.iter().filter(|(_, request)| matches!(request, Request::Place(_)));
        let mut sent = 0;
        for (_, request) in orders {
            let call = binance::encode(request, &symbols, None).expect("an order can be worded");
            let signed = call.stamped(bench.now).signed(&key).expect("the key signs");
            sent += signed.expose().len();
        }
        let third = last.elapsed();
        if sent > 0 {
            ours.push(micros(first) + micros(second) + micros(third));
            whole.push(micros(begin.elapsed()));
        }
        bench.settle(sending.asks);
    }
    println!("journal in {}", folder.path().display());
    told("our share", ours);
    told("with the journal synced", whole);
    let Bench { journal, toy, .. } = bench;
    drop(journal);
    (0..STARTS).for_each(|_| begin_again(folder.path(), &toy));
}

/// An exchange on loopback that has what the account should have, and no order of it.
fn venue(toy: &Toy) -> Served {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let interval: Interval = "1m".parse().expect("a literal interval");
    let symbol = config().router.symbols.remove(0);
    let depth = Depth::of_a_large_symbol();
    let listed = vec![Listed { symbol, interval, filters: Filters::default(), depth }];
    let key = sim::Key { name: KEY.to_owned(), lock: Lock::hmac(SECRET), permissions: Permissions::default(), is_revoked: false };
    let balances = vec![("USDT".to_owned(), toy.cash), ("BTC".to_owned(), toy.held)];
    let holders = vec![Holder { key, balances, fees: Fees::default() }];
    let setup = Setup { listed, holders, limits: sim::Limits::default(), script: Script::new(1) };
    let floor = Floor::new(Exchange::new(setup, clock.now()), clock);
    Served::start(floor, "127.0.0.1:0".parse().expect("a literal address")).expect("loopback has a port")
}

/// Opens the journal, looks it over, and drives the account until it was compared.
fn begin_again(folder: &Path, toy: &Toy) {
    let venue = venue(toy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let begin = Instant::now();
    let mut journal = Journal::open(folder).expect("the journal is whole");
    let opened = begin.elapsed();
    let verified = journal.verify_before_trading(|_| {}).expect("the journal is whole");
    let looked = begin.elapsed();
    let address = Address::new(Service::Practice, &venue.rest_url()).expect("loopback is on the list");
    let lake = folder.join("lake");
    let client = ClientConfig { address, order_timeout: Duration::from_secs(12), lake };
    let key = Arc::new(Key::new(&KEY.to_owned().into(), &SECRET.to_owned().into()).expect("a published key"));
    let symbols = Symbols::new(&config().router.symbols).expect("one symbol is spelled once");
    let client = Arc::new(Client::open(&client, key, symbols, clock.clone()).expect("loopback needs no more"));
    let job = Job {
        live: config(),
        account: ACCOUNT.to_owned(),
        run: RUN.to_owned(),
        fingerprint: String::new(),
        folder: folder.to_owned(),
        resolve_within: Span::from_secs(60),
        drill: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    let is_equal = runtime.block_on(async {
        client.maintain().await.expect("loopback answers");
        let mut driver =
            Driver::open(job, &mut journal, client, clock.clone(), None, Box::new(|_| {})).await.expect("the account is there");
        let deadline = clock.now() + Span::from_secs(30);
        driver.run_until(deadline, &AtomicBool::new(false), Live::is_reconciled).await.expect("loopback answers")
    });
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    println!(
        "start with {} orders, {} rows: opened {:.0} ms, looked over {:.0} ms, compared with the venue {:.0} ms; in all {:.0} ms{}",
        verified.intents,
        verified.rows,
        ms(opened),
        ms(looked - opened),
        ms(begin.elapsed() - looked),
        ms(begin.elapsed()),
        if is_equal { "" } else { " (NOT equal)" }
    );
}
