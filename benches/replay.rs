//! Back-tests against a bare loop, as ratios: machines differ and are shared, ratios less so.
//!
//! `cargo bench --bench replay` makes its own bars: 1,051,200 minutes of one symbol, and ten symbols of 525,600 minutes.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench measures real time and may panic")]

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tidegate::chance::Stream;
use tidegate::domain::{Bar, Bps, Columns, Fraction, Instrument, Interval, Money, Price, Projection, Series, Span, Symbol, Time};
use tidegate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency, Rules};
use tidegate::risk::{Gate, Limits};
use tidegate::runner::replay::{Outcome, replay};
use tidegate::runner::trader::TraderConfig;
use tidegate::stage::model::ModelConfig;
use tidegate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use tidegate::stage::oms::DeskConfig;
use tidegate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use tidegate::store::Lake;
use tidegate::store::record::{Encoded, Tables};
use tidegate::telemetry::record::{RecordMode, Records};
use tidegate::venue::paper::PaperConfig;

const MINUTES: usize = 1_051_200;
const MINUTES_OF_MANY: usize = 525_600;
const SYMBOLS: usize = 10;
/// Bars before the first trade: by then the means have forgotten their seed.
const WARMUP: u32 = 500;
/// Runs of each measurement; the best counts, the others met the machine's other work.
const RUNS: usize = 9;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn minute() -> Interval {
    "1m".parse().unwrap()
}

/// A random walk with 60 % volatility a year, printed with two decimals.
fn walk(bars: usize, seed: u64) -> Columns {
    let mut chance = Stream::new(seed, "bench walk");
    let sigma = 0.6 / 525_600_f64.sqrt();
    let cents = |x: f64| (x * 100.0).round() / 100.0;
    let mut close = 30_000.0_f64;
    let start: Time = "2023-01-01".parse().unwrap();
    (0..bars)
        .map(|k| {
            let open = close * (1.0 + 1e-4 * chance.normal());
            close *= 1.0 + sigma * chance.normal();
            let high = open.max(close) * (1.0 + 0.4 * sigma * chance.normal().abs());
            let low = open.min(close) * (1.0 - 0.4 * sigma * chance.normal().abs());
            Bar {
                open_time: start + Span::from_secs(60 * k as i64),
                open: cents(open),
                high: cents(high).max(cents(open)).max(cents(close)),
                low: cents(low).min(cents(open)).min(cents(close)),
                close: cents(close),
                volume: (5.0 * (chance.normal().abs() + 0.1) * 1e5).round() / 1e5,
            }
        })
        .collect()
}

fn symbol(k: usize) -> Symbol {
    format!("C{k}/USDT").parse().unwrap()
}

fn trader(symbols: usize) -> TraderConfig {
    let wide = money("1000000000");
    let limits = Limits {
        max_notional_per_order: money("1000"),
        max_position_notional: wide,
        max_total_notional: wide,
        max_daily_turnover: wide,
        max_dd_daily: Fraction::ONE,
        max_dd_weekly: Fraction::ONE,
        latency_threshold: Span::from_secs(1),
        max_orders_per_minute: 1000,
        max_orders_per_day: 1_000_000,
        max_open_orders: 100,
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
    let instruments: Vec<Instrument> = (0..symbols)
        .map(|k| Instrument {
            symbol: symbol(k),
            price_tick: Price::ZERO,
            qty_step: "0.000001".parse().unwrap(),
            min_notional: Money::ZERO,
        })
        .collect();
    let cross = EmaCross { fast: 12, slow: 26, signal: CrossSignal::State, seed: EmaSeed::First, warmup: WARMUP + 1 };
    TraderConfig {
        desk: DeskConfig {
            oms: OmsConfig {
                order: OrderStyle::Market,
                sized_in: SizedIn::Base,
                stop_loss_atr: 0.0,
                take_profit_atr: 0.0,
                atr_period: 14,
            },
            gate: Gate::new(limits, rules),
            interval: minute(),
            instruments: instruments.clone(),
            allowed: vec![true; symbols],
            scopes: (1..=symbols as u32).collect(),
            model_window: WARMUP,
            fee: Bps(10),
            record: RecordMode::Changes,
        },
        model: ModelConfig { rule: Rule::EmaCross(cross), sizing: Sizing::FixedNotional { notional: money("50") } },
        paper: PaperConfig {
            equity: money("10000"),
            maker: Bps(10),
            taker: Bps(10),
            slippage: Bps(0),
            max_participation: Fraction::ONE,
            instruments,
        },
    }
}

/// The least program that gives the same fills: two means, floats, no gate, no record. Gives fills and equity.
fn bare(columns: &Columns) -> (u64, f64) {
    let (fast, slow) = (2.0 / 13.0, 2.0 / 27.0);
    let (mut cash, mut position, mut fills) = (10_000.0, 0.0, 0);
    let (mut a, mut b) = (columns.close[0], columns.close[0]);
    let mut pending = 0.0;
    for (k, (&open, &close)) in columns.open.iter().zip(&columns.close).enumerate() {
        if pending != 0.0 {
            cash -= pending * open + (pending * open).abs() * 0.001;
            position += pending;
            if pending < 0.0 {
                position = 0.0;
            }
            pending = 0.0;
            fills += 1;
        }
        if k > 0 {
            a = fast * close + (1.0 - fast) * a;
            b = slow * close + (1.0 - slow) * b;
        }
        if k >= WARMUP as usize {
            if a > b && position == 0.0 {
                pending = (50.0 / close * 1e6).floor() / 1e6;
            } else if a < b && position > 0.0 {
                pending = -position;
            }
        }
    }
    (fills, cash + position * columns.close.last().unwrap())
}

fn run(config: &TraderConfig, columns: &[Columns]) -> Outcome {
    replay(config.clone(), columns, None, &AtomicBool::new(false), |_, _| {}).unwrap()
}

/// A replay that encodes its record on the way, as the command does.
fn recorded(config: &TraderConfig, columns: &[Columns]) -> Vec<Encoded> {
    let mut tables = Tables::new(&[symbol(0)], &["ema_fast".to_owned(), "ema_slow".to_owned()]).unwrap();
    let sink = |records: &mut Records, _| {
        tables.append(records).unwrap();
        records.clear();
    };
    let outcome = replay(config.clone(), columns, None, &AtomicBool::new(false), sink).unwrap();
    tables.append(&outcome.records).unwrap();
    tables.finish().unwrap()
}

/// The best of some runs.
fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let once = |work: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..RUNS).map(|_| once(&mut work)).min().unwrap()
}

fn line(what: &str, time: Duration, bars: usize, base: Duration) {
    let per_second = bars as f64 / time.as_secs_f64() / 1e6;
    let ratio = time.as_secs_f64() / base.as_secs_f64();
    println!("{what:<44} {:>8.1} ms {per_second:>8.1} M bars/s {ratio:>7.2} x bare loop", time.as_secs_f64() * 1e3);
}

fn one_symbol() {
    let columns = [walk(MINUTES, 42)];
    let config = trader(1);
    let (fills, equity) = bare(&columns[0]);
    let outcome = run(&config, &columns);
    assert_eq!(outcome.tally.fills, fills, "both programs trade the same");
    let ours = outcome.summary.as_ref().unwrap().end_equity.to_f64();
    assert!((ours - equity).abs() < 1e-6, "{ours} and {equity}");
    println!("one symbol, {MINUTES} bars, {fills} fills, final equity {ours:.6}");

    let base = best(|| bare(&columns[0]));
    line("bare loop, in memory", base, MINUTES, base);
    line("replay, in memory", best(|| run(&config, &columns)), MINUTES, base);
    line("replay, in memory, with its record encoded", best(|| recorded(&config, &columns)), MINUTES, base);

    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let series = Series::new("binance", symbol(0), minute()).unwrap();
    let [column] = columns;
    lake.append(&series, &column.into()).unwrap();
    let needed = Projection::OPEN | Projection::CLOSE | Projection::VOLUME;
    let read = || lake.read(&series, None, None, needed).unwrap();
    line("lake, the columns a replay needs", best(read), MINUTES, base);
    line("lake to record", best(|| recorded(&config, &[read()])), MINUTES, base);
}

fn many_symbols() {
    let columns: Vec<Columns> = (0..SYMBOLS).map(|k| walk(MINUTES_OF_MANY, 1000 + k as u64)).collect();
    let config = trader(SYMBOLS);
    let bars = SYMBOLS * MINUTES_OF_MANY;
    let fills = run(&config, &columns).tally.fills;
    println!("{SYMBOLS} symbols in one portfolio, {bars} bars, {fills} fills");
    let base = best(|| columns.iter().map(bare).map(|(fills, _)| fills).sum::<u64>());
    line("bare loops, one after the other, in memory", base, bars, base);
    line("replay of all, in memory", best(|| run(&config, &columns)), bars, base);
}

fn main() {
    one_symbol();
    many_symbols();
}
