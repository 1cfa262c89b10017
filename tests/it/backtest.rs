//! Whole back-tests against a program that is not ours: every fill, every kill, every mark.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tidegate::domain::{Bar, Bps, Columns, Fraction, Instrument, Interval, Money, Price, Qty, Span, Time};
use tidegate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency, PauseFor};
use tidegate::risk::{Gate, Limits, Rules};
use tidegate::runner::replay::{Outcome, replay};
use tidegate::runner::trader::TraderConfig;
use tidegate::stage::model::ModelConfig;
use tidegate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, Rule, Sizing};
use tidegate::stage::oms::DeskConfig;
use tidegate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};
use tidegate::telemetry::record::{Notice, RecordMode};
use tidegate::venue::paper::PaperConfig;

use crate::shared;

/// Money may differ by less than this.
const MONEY_TOLERANCE: f64 = 1e-6;

pub fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Wide limits: what binds is only what a test sets.
pub fn open_limits() -> Limits {
    Limits {
        max_notional_per_order: money("1000000"),
        max_position_notional: money("1000000"),
        max_total_notional: money("1000000"),
        max_daily_turnover: money("1000000000"),
        max_dd_daily: Fraction::ONE,
        max_dd_weekly: Fraction::ONE,
        latency_threshold: Span::from_secs(1),
        max_orders_per_minute: 1000,
        max_orders_per_day: 1_000_000,
        max_open_orders: 100,
        max_participation: Fraction::ONE,
        price_collar: Fraction::ONE,
    }
}

pub fn rules(action: DrawdownAction) -> Rules {
    Rules {
        symbols: Vec::new(),
        duplicate_window: Span::from_secs(2),
        max_bar_age: BarAge::Bars(2),
        data_gap: DataGap::Warn,
        max_reference_move: Fraction::ONE,
        max_repeated_orders: 1_000_000,
        on_drawdown: OnDrawdown { action, flatten: true },
        on_latency: OnLatency { window: 3, pause_for: Span::from_secs(300) },
    }
}

/// The rules of the reference back-tests.
fn config(interval: Interval, signal: CrossSignal, kill: bool) -> TraderConfig {
    let mut limits = open_limits();
    if kill {
        limits.max_dd_daily = Fraction::from_f64(0.03).unwrap();
    }
    let instruments = vec![Instrument {
        symbol: "BTC/USDT".parse().unwrap(),
        price_tick: Price::ZERO,
        qty_step: "0.00001".parse().unwrap(),
        min_notional: Money::ZERO,
    }];
    let rule = Rule::EmaCross(EmaCross { fast: 12, slow: 26, signal, seed: EmaSeed::Sma, warmup: 26 });
    let model = ModelConfig { rule, sizing: Sizing::FixedNotional { notional: money("50") } };
    TraderConfig {
        desk: DeskConfig {
            oms: OmsConfig {
                order: OrderStyle::Market,
                sized_in: SizedIn::Quote,
                stop_loss_atr: 0.0,
                take_profit_atr: 0.0,
                atr_period: 14,
            },
            gate: Gate::new(limits, rules(DrawdownAction::Pause(PauseFor::UtcDay))),
            interval,
            instruments: instruments.clone(),
            allowed: vec![true],
            scopes: vec![1],
            model_window: 26,
            fee: Bps(10),
            record: RecordMode::All,
        },
        model,
        paper: PaperConfig {
            equity: money("100"),
            maker: Bps(10),
            taker: Bps(10),
            slippage: Bps(5),
            max_participation: Fraction::ONE,
            instruments,
        },
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

/// Reads the first six columns of a kline file. The product's own reader is tested elsewhere.
fn bars(path: &Path) -> Columns {
    let text = std::fs::read_to_string(path).unwrap();
    let number = |text: &str| text.parse::<f64>().unwrap();
    text.lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|row| Bar {
            open_time: Time::from_millis(row[0].parse().unwrap()),
            open: number(row[1]),
            high: number(row[2]),
            low: number(row[3]),
            close: number(row[4]),
            volume: number(row[5]),
        })
        .collect()
}

#[track_caller]
fn assert_close(what: &str, ours: f64, theirs: &str) {
    let theirs: f64 = theirs.parse().unwrap();
    assert!((ours - theirs).abs() < MONEY_TOLERANCE, "{what}: {ours} instead of {theirs}");
}

fn check_fills(name: &str, outcome: &Outcome, text: &str) {
    let wanted: Vec<Vec<&str>> = lines(text).filter(|row| !row[2].starts_with("rejected")).collect();
    assert_eq!(outcome.records.fills.len(), wanted.len(), "{name}: fills");
    for (ours, row) in outcome.records.fills.iter().zip(&wanted) {
        let at = format!("{name} at {}", row[1]);
        assert_eq!(ours.fill.at.to_string(), row[1], "{at}: time");
        assert_eq!(ours.fill.side.name(), row[2], "{at}: side");
        assert_eq!(ours.fill.qty, row[3].parse::<Qty>().unwrap(), "{at}: quantity");
        assert_eq!(ours.fill.reference, row[4].parse::<Price>().unwrap(), "{at}: open");
        assert_eq!(ours.fill.price, row[5].parse::<Price>().unwrap(), "{at}: price");
        assert_close(&format!("{at}: fee"), ours.fill.fee.to_f64(), row[6]);
        assert_close(&format!("{at}: cash"), ours.cash_after.to_f64(), row[7]);
        assert_eq!(ours.position_after, row[8].parse::<Qty>().unwrap(), "{at}: position");
        assert_eq!(ours.fill.purpose.name().replace('-', "_"), row[9], "{at}: purpose");
    }
}

fn check_kills(name: &str, outcome: &Outcome, text: &str, interval: Interval) {
    let wanted: Vec<Vec<&str>> = lines(text).collect();
    let kills = outcome.records.notices.iter().filter_map(|notice| match notice {
        Notice::Killed { trip, had_position } => Some((trip, had_position)),
        _ => None,
    });
    let kills: Vec<_> = kills.collect();
    assert_eq!(kills.len(), wanted.len(), "{name}: kills");
    assert_eq!(outcome.kills as usize, wanted.len());
    for ((trip, had_position), row) in kills.into_iter().zip(&wanted) {
        assert_eq!((trip.at - interval.span()).to_string(), row[1], "{name}: time of the kill");
        assert_close(&format!("{name}: equity"), trip.equity.to_f64(), row[2]);
        assert_close(&format!("{name}: high-water mark"), trip.high_water_mark.to_f64(), row[3]);
        assert!((trip.drawdown() - row[4].parse::<f64>().unwrap()).abs() < 1e-9, "{name}: drawdown");
        assert_eq!(u8::from(*had_position).to_string(), row[5], "{name}: position at the kill");
    }
}

fn check_equity(name: &str, outcome: &Outcome, path: &Path, interval: Interval) {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let (equity, cash) = (column("equity"), column("cash"));
    let wanted: Vec<Vec<&str>> = lines(&text).collect();
    assert_eq!(outcome.records.equity.len(), wanted.len(), "{name}: marks");
    for (ours, row) in outcome.records.equity.iter().zip(&wanted) {
        assert_eq!((ours.at - interval.span()).millis().to_string(), row[0], "{name}: time of the mark");
        assert_close(&format!("{name} {}: equity", ours.at), ours.equity.to_f64(), row[equity]);
        assert_close(&format!("{name} {}: cash", ours.at), ours.cash.to_f64(), row[cash]);
    }
}

/// MODEL-1: what is bought after a kill is what a model asks for that went on learning through the pause.
#[test]
fn seven_reference_back_tests_are_reproduced() {
    let Some(folder) = shared::path("oracles/backtest") else { return };
    let Some(klines) = shared::path("data/klines") else { return };
    let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    let summaries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(summaries.len(), 7);
    let interval: Interval = "1h".parse().unwrap();
    for summary in summaries {
        let name = summary["name"].as_str().unwrap();
        let file = Path::new(summary["bars_file"].as_str().unwrap()).file_name().unwrap().to_owned();
        let signal = if summary["mode"] == "cross" { CrossSignal::Cross } else { CrossSignal::State };
        let config = config(interval, signal, summary["kill_switch"].as_bool().unwrap());
        let columns = [bars(&klines.join(file))];
        let outcome = replay(config, &columns, None, &AtomicBool::new(false), |_, _| {}).unwrap();

        let read = |kind: &str| std::fs::read_to_string(folder.join(format!("{name}.{kind}.csv"))).unwrap();
        check_fills(name, &outcome, &read("trades"));
        check_kills(name, &outcome, &read("kills"), interval);
        check_equity(name, &outcome, &folder.join(format!("{name}.equity.csv.gz")), interval);
        let figures = outcome.summary.as_ref().unwrap();
        assert_close(name, figures.end_equity.to_f64(), summary["final_equity"].as_str().unwrap());
        assert_close(name, outcome.tally.fees.to_f64(), summary["fees"].as_str().unwrap());
        assert_close(name, figures.max_drawdown.unwrap().depth, summary["max_drawdown"].as_str().unwrap());
        // An order that the account does not cover is denied by our gate before a venue can reject it.
        let short = outcome.tally.refusals.get("insufficient-balance").copied().unwrap_or(0) + outcome.tally.rejected;
        assert_eq!(short, summary["rejected"].as_u64().unwrap(), "{name}: orders the account did not cover");
    }
}
