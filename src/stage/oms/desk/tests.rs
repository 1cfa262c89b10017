//! The desk against the paper venue, bar by bar.

use super::*;
use crate::domain::{FeeIn, Fill, Fraction, Liquidity, RejectReason, TimeInForce};
use crate::risk::rules::{DrawdownAction, OnDrawdown, PauseFor};
use crate::risk::testing::{limits, rules};
use crate::risk::{HaltCause, Limits, Rules};
use crate::telemetry::record::FillRow;
use crate::venue::paper::{Paper, PaperConfig};
use crate::venue::{OrderReport, Venue};

mod account;
mod exits;
mod rows;

const HOUR: Span = Span::from_secs(3600);
const BTC: SymbolIndex = SymbolIndex(0);
const ETH: SymbolIndex = SymbolIndex(1);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}
fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

/// A desk and a venue that move bar by bar.
struct Floor {
    desk: Desk,
    paper: Paper,
    next: Time,
    /// What the model says the market moves.
    atr: f64,
    /// All rows so far.
    rows: Records,
    /// All withdrawals so far.
    cancels: Vec<ClientOrderId>,
}

struct Setup {
    limits: Limits,
    rules: Rules,
    oms: OmsConfig,
    participation: f64,
    model_window: u32,
    record: RecordMode,
}

fn setup() -> Setup {
    let oms = OmsConfig {
        order: OrderStyle::Market,
        sized_in: SizedIn::Quote,
        stop_loss_atr: 0.0,
        take_profit_atr: 0.0,
        atr_period: 14,
    };
    Setup { limits: limits(), rules: rules(), oms, participation: 1.0, model_window: 1, record: RecordMode::Changes }
}

impl Floor {
    fn new(setup: Setup) -> Self {
        let instruments = ["BTC/USDT", "ETH/USDT"].map(|name| Instrument {
            symbol: name.parse().unwrap(),
            price_tick: "0.01".parse().unwrap(),
            qty_step: qty("0.001"),
            min_notional: money("5"),
        });
        let instruments = instruments.to_vec();
        let config = DeskConfig {
            oms: setup.oms,
            gate: Gate::new(setup.limits, setup.rules),
            interval: "1h".parse().unwrap(),
            instruments: instruments.clone(),
            allowed: vec![true; 2],
            scopes: vec![7, 8],
            model_window: setup.model_window,
            fee: Bps(10),
            record: setup.record,
        };
        let max_participation = Fraction::from_f64(setup.participation).unwrap();
        let paper = PaperConfig {
            equity: money("1000"),
            maker: Bps(10),
            taker: Bps(10),
            slippage: Bps(0),
            max_participation,
            instruments,
        };
        Self {
            desk: Desk::new(config, money("1000")),
            paper: Paper::new(paper),
            next: "2026-03-02T00:00:00Z".parse().unwrap(),
            atr: 1.0,
            rows: Records::default(),
            cancels: Vec::new(),
        }
    }

    fn ohlcv(&mut self, ohlc: [f64; 4], volume: f64, target: Target) -> &mut Self {
        self.step(&[(BTC, ohlc, volume, target)])
    }

    /// One moment of the portfolio.
    fn step(&mut self, bars: &[(SymbolIndex, [f64; 4], f64, Target)]) -> &mut Self {
        let open_time = self.next;
        let bar = |[open, high, low, close]: [f64; 4], volume| Bar { open_time, open, high, low, close, volume };
        let mut out = Outbox::default();
        self.desk.open(open_time, &mut out);
        for (symbol, ohlc, volume, _) in bars {
            self.paper.on_bar(*symbol, &bar(*ohlc, *volume), "1h".parse().unwrap());
        }
        self.report(&mut out);
        for (symbol, ohlc, volume, _) in bars {
            self.desk.observe(*symbol, &bar(*ohlc, *volume), &mut out);
        }
        self.next = self.next + HOUR;
        self.desk.mark(self.next, &mut out);
        for (symbol, ohlc, volume, target) in bars {
            let advice = Advice { target: *target, prediction: 0.0, features: [None; FEATURES_MAX], atr: Some(self.atr) };
            self.desk.decide(*symbol, &bar(*ohlc, *volume), advice, &mut out);
        }
        self.cancels.extend(&out.cancels);
        out.cancels.drain(..).for_each(|id| self.paper.cancel(id, self.next));
        out.submits.drain(..).for_each(|order| self.paper.submit(order));
        self.report(&mut out);
        self.rows.decisions.append(&mut out.records.decisions);
        self.rows.orders.append(&mut out.records.orders);
        self.rows.refusals.append(&mut out.records.refusals);
        self.rows.fills.append(&mut out.records.fills);
        self.rows.notices.append(&mut out.records.notices);
        self.rows.equity.append(&mut out.records.equity);
        self
    }

    /// Codes of all refusals so far.
    fn refusals(&self) -> Vec<&'static str> {
        self.rows.refusals.iter().map(|row| row.refusal.code()).collect()
    }

    /// A bar at one price with plenty of volume.
    fn flat(&mut self, price: f64, target: Target) -> &mut Self {
        self.ohlcv([price; 4], 1e6, target)
    }

    /// So many bars in which nothing happens.
    fn rest(&mut self, bars: usize) {
        for _ in 0..bars {
            self.flat(100.0, Target::Hold);
        }
    }

    fn report(&mut self, out: &mut Outbox) {
        let mut reports = Vec::new();
        self.paper.drain(&mut reports);
        reports.into_iter().for_each(|report| self.desk.on_report(report, out).unwrap());
    }

    /// A bid for 50 that no venue has heard of.
    fn bid_unheard(&mut self) -> OrderIntent {
        let mut out = Outbox::default();
        let bar = Bar { open_time: self.next, open: 100.0, high: 100.0, low: 100.0, close: 100.0, volume: 1e6 };
        self.desk.observe(BTC, &bar, &mut out);
        self.next = self.next + HOUR;
        self.desk.enter(BTC, self.next, money("50"), None, &mut out);
        *out.submits[0].get()
    }

    /// Books that `size` of the order was filled at 100.
    fn fill(&mut self, order: OrderIntent, size: &str, out: &mut Outbox) -> Result<(), DeskError> {
        self.desk.on_report(OrderReport::Filled { fill: fill_of(order, size), done: false }, out)
    }

    fn fills(&self) -> Vec<(&'static str, String, &'static str)> {
        let row = |f: &FillRow| (f.fill.side.name(), f.fill.qty.to_string(), f.fill.purpose.name());
        self.rows.fills.iter().map(row).collect()
    }

    fn states(&self) -> Vec<&'static str> {
        self.rows.orders.iter().map(|row| row.state.name()).collect()
    }
}

fn fill_of(order: OrderIntent, size: &str) -> Fill {
    Fill {
        order: order.id,
        symbol: order.symbol,
        side: order.side,
        purpose: order.purpose,
        at: order.decided_at,
        price: "100".parse().unwrap(),
        qty: qty(size),
        fee: money("0.02"),
        fee_in: FeeIn::Quote,
        liquidity: Liquidity::Taker,
        reference: order.reference,
    }
}

fn long() -> Target {
    Target::Long { notional: money("50") }
}

#[test]
fn a_signal_is_filled_at_the_next_open_and_sold_whole() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(99.0, Target::Flat).flat(98.0, Target::Hold);
    assert_eq!(floor.fills(), [("buy", "0.5".into(), "signal"), ("sell", "0.5".into(), "signal")]);
    // 1000 - 50 - 0.05 + 49 - 0.049
    assert_eq!(floor.desk.equity(), money("998.901"));
    assert_eq!(floor.desk.cash(), floor.paper.cash());
    assert_eq!(floor.states(), ["filled", "filled"]);
}

#[test]
fn a_position_that_stands_is_not_bought_again() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, long()).flat(100.0, long()).flat(100.0, long());
    assert_eq!(floor.fills().len(), 1);
}

#[test]
fn what_the_volume_does_not_cover_is_sold_at_the_bars_after() {
    let mut floor = Floor::new(Setup { participation: 0.01, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Flat);
    for volume in [20.0, 0.0, 20.0, 20.0] {
        floor.ohlcv([100.0; 4], volume, Target::Hold);
    }
    let sold = [("sell", "0.2".to_owned(), "signal"), ("sell", "0.2".to_owned(), "signal"), ("sell", "0.1".to_owned(), "signal")];
    assert_eq!(floor.fills()[1..], sold, "OMS-4");
    assert_eq!(floor.states(), ["filled", "expired", "expired", "expired", "filled"]);
    assert!(floor.desk.position(BTC).is_zero());
}

#[test]
fn an_exit_above_the_order_limit_is_sliced_under_it() {
    let tight = Limits { max_notional_per_order: money("50"), max_position_notional: money("1000"), ..limits() };
    let mut floor = Floor::new(Setup { limits: tight, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(230.0, Target::Flat).flat(230.0, Target::Hold);
    let sold: Vec<_> = floor.rows.fills.iter().skip(1).map(|row| row.fill).collect();
    assert_eq!(sold.len(), 3, "115 in parts of at most 50");
    assert!(sold.iter().all(|fill| fill.notional() <= money("50")));
    assert!(floor.desk.position(BTC).is_zero());
    let ids: std::collections::BTreeSet<_> = floor.rows.orders.iter().map(|row| row.intent.id).collect();
    assert_eq!(ids.len(), floor.rows.orders.len(), "OMS-3");
}

#[test]
fn a_limit_order_fills_through_its_price_and_not_at_a_touch() {
    let order = OrderStyle::Limit { offset: Bps(100), expire_after: Span::from_secs(3 * 3600), tif: TimeInForce::Gtc };
    let mut floor = Floor::new(Setup { oms: OmsConfig { order, ..setup().oms }, ..setup() });
    floor.flat(100.0, long()).ohlcv([100.0, 100.0, 99.0, 100.0], 1e6, Target::Hold);
    assert!(floor.fills().is_empty(), "99.00 is only touched");
    floor.ohlcv([100.0, 100.0, 98.99, 100.0], 1e6, Target::Hold);
    let fill = floor.rows.fills[0].fill;
    assert_eq!((fill.price, fill.liquidity.name()), ("99".parse().unwrap(), "maker"));
    assert_eq!(fill.qty, qty("0.505"), "50 / 99 on the step");
}

#[test]
fn a_limit_order_expires_and_a_flat_signal_withdraws_it() {
    let order = OrderStyle::Limit { offset: Bps(100), expire_after: HOUR, tif: TimeInForce::Gtc };
    let mut floor = Floor::new(Setup { oms: OmsConfig { order, ..setup().oms }, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(100.0, Target::Hold);
    assert_eq!(floor.states(), ["expired"]);
    floor.flat(100.0, long()).flat(100.0, Target::Flat);
    assert_eq!(floor.states(), ["expired", "canceled"]);
}

#[test]
fn stops_measure_from_the_entry_in_atr() {
    let oms = OmsConfig { stop_loss_atr: 2.0, take_profit_atr: 3.0, ..setup().oms };
    let mut floor = Floor::new(Setup { oms: oms.clone(), ..setup() });
    floor.flat(100.0, long()).flat(98.01, Target::Hold).flat(98.0, Target::Hold).flat(98.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().2, "signal", "bought at 98.01, so 98 is no stop");
    floor.flat(96.01, Target::Hold).flat(96.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().2, "stop-loss");
    let mut floor = Floor::new(Setup { oms, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(103.0, long()).flat(103.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().2, "take-profit");
}

#[test]
fn a_kill_sells_all_withdraws_bids_and_lets_nothing_in() {
    let mut floor =
        Floor::new(Setup { limits: Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() }, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(79.0, long()).flat(79.0, long()).flat(79.0, long());
    assert_eq!(floor.desk.halt().unwrap().cause, HaltCause::DrawdownDaily);
    assert_eq!(floor.fills().last().unwrap().2, "kill-switch");
    assert!(floor.desk.position(BTC).is_zero());
    let tally = floor.desk.tally();
    assert_eq!((tally.denied, tally.refusals["halted"]), (2, 2), "every denial counts");
    let denied = floor.rows.orders.iter().filter(|row| row.state == OrderState::Denied).count();
    assert_eq!(denied, 1, "and is written when it changes");
    floor.desk.state.resume();
    floor.flat(79.0, long()).flat(79.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().0, "buy");
}

#[test]
fn without_flatten_a_kill_keeps_the_position_and_exits_still_pass() {
    let on_drawdown = OnDrawdown { action: DrawdownAction::Pause(PauseFor::UtcDay), flatten: false };
    let limits = Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() };
    let mut floor = Floor::new(Setup { limits, rules: Rules { on_drawdown, ..rules() }, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(79.0, Target::Hold).flat(79.0, Target::Hold);
    assert_eq!(floor.desk.trading_state(), TradingState::Reducing);
    assert_eq!(floor.fills().len(), 1);
    floor.flat(79.0, Target::Flat).flat(79.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().2, "signal");
}

#[test]
fn dust_is_told_once_and_does_not_block_the_next_entry() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, Target::Long { notional: money("6") }).flat(100.0, Target::Hold).flat(80.0, Target::Flat);
    floor.flat(80.0, Target::Flat).flat(80.0, Target::Flat);
    let dust = floor.rows.notices.iter().filter(|n| matches!(n, Notice::Dust { .. })).count();
    assert_eq!(dust, 1, "0.06 at 80 is below the least notional of 5");
    floor.flat(80.0, long()).flat(80.0, Target::Flat).flat(80.0, Target::Hold);
    assert_eq!(floor.fills().last().unwrap().0, "sell");
    assert!(floor.desk.position(BTC).is_zero(), "the dust goes with the next exit");
}

#[test]
fn a_report_that_cannot_be_is_refused_and_books_nothing() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, long());
    let id = ClientOrderId { scope: 9, bar: floor.next, sequence: 0 };
    let mut out = Outbox::default();
    let foreign = OrderReport::Expired { id, at: floor.next };
    assert_eq!(floor.desk.on_report(foreign, &mut out), Err(DeskError::UnknownOrder(id)));
    floor.flat(100.0, Target::Flat);
    let open = floor.desk.open_orders()[0].intent;
    let fill = fill_of(open, "0.501");
    let before = floor.desk.state().clone();
    let overfill = floor.desk.on_report(OrderReport::Filled { fill, done: true }, &mut out);
    assert!(matches!(overfill, Err(DeskError::Overfill { .. })), "OMS-1");
    assert_eq!(floor.desk.state(), &before);
}

#[test]
fn a_desk_read_back_goes_on_the_same() {
    let prices = [100.0, 101.0, 99.0, 98.0, 103.0, 97.0, 96.0, 99.0, 104.0, 101.0];
    let target = |k: usize| [long(), Target::Hold, Target::Flat][k % 3];
    let mut whole = Floor::new(setup());
    let mut cut = Floor::new(setup());
    for (k, &price) in prices.iter().enumerate() {
        whole.flat(price, target(k));
        cut.flat(price, target(k));
        let text = serde_json::to_string(cut.desk.state()).unwrap();
        cut.desk = Desk::restore(cut.desk.config.clone(), serde_json::from_str(&text).unwrap());
        let text = serde_json::to_string(cut.paper.state()).unwrap();
        cut.paper = Paper::restore(cut.paper.config().clone(), serde_json::from_str(&text).unwrap());
    }
    assert_eq!(whole.rows, cut.rows);
    assert_eq!(whole.desk.state(), cut.desk.state());
}

/// A limit order that nobody fills.
fn resting() -> OmsConfig {
    OmsConfig { order: OrderStyle::Limit { offset: Bps(100), expire_after: HOUR, tif: TimeInForce::Gtc }, ..setup().oms }
}

#[test]
fn a_jump_of_the_reference_is_not_bought_into() {
    let mut floor = Floor::new(setup());
    floor.flat(100.0, Target::Hold).flat(111.0, long());
    assert_eq!(floor.refusals(), ["reference-moved"]);
}

#[test]
fn a_hole_keeps_new_exposure_out_for_a_window() {
    let mut floor = Floor::new(Setup { model_window: 3, ..setup() });
    floor.flat(100.0, Target::Hold);
    floor.next = floor.next + HOUR;
    floor.flat(100.0, long()).flat(100.0, long());
    assert_eq!(floor.refusals(), ["data-gap"], "written once, it is the same no");
    let gaps: Vec<_> = floor.rows.notices.iter().filter(|n| matches!(n, Notice::BarGap { .. })).collect();
    assert!(matches!(gaps[..], [Notice::BarGap { missing: 1, .. }]), "{gaps:?}");
    floor.flat(100.0, long());
    assert_eq!(floor.desk.tally().refusals["data-gap"], 2);
    assert_eq!(floor.desk.tally().orders, 1, "three whole bars after the hole");
}

#[test]
fn the_same_order_again_and_again_is_stopped() {
    let rules = Rules { max_repeated_orders: 2, ..rules() };
    let mut floor = Floor::new(Setup { rules, oms: resting(), ..setup() });
    for _ in 0..6 {
        floor.flat(100.0, long());
    }
    assert_eq!(floor.desk.tally().orders, 2);
    assert_eq!(floor.refusals(), ["repeated-orders"]);
}

#[test]
fn an_order_inside_the_duplicate_window_is_refused() {
    let rules = Rules { duplicate_window: Span::from_secs(3 * 3600), ..rules() };
    let mut floor = Floor::new(Setup { rules, oms: resting(), ..setup() });
    for _ in 0..4 {
        floor.flat(100.0, long());
    }
    assert_eq!(floor.refusals(), ["duplicate-intent"]);
    assert_eq!(floor.desk.tally().orders, 2, "the second when three hours have passed");
}

#[test]
fn orders_count_by_the_day_and_a_new_day_starts_at_zero() {
    let limits = Limits { max_orders_per_day: 3, ..limits() };
    let rules = Rules { max_repeated_orders: 100, ..rules() };
    let mut floor = Floor::new(Setup { limits, rules, oms: resting(), ..setup() });
    for _ in 0..30 {
        floor.flat(100.0, long());
    }
    assert_eq!(floor.refusals()[0], "max-orders-per-day");
    assert_eq!(floor.desk.tally().orders, 3 + 3, "three on each of two days");
}

/// What is open counts at once: in exposure, in cash, in turnover, in the number of orders.
#[test]
fn an_order_that_is_open_takes_its_room() {
    let oms = OmsConfig {
        order: OrderStyle::Limit { offset: Bps(100), expire_after: Span::from_days(9), tif: TimeInForce::Gtc },
        ..setup().oms
    };
    let mut floor = Floor::new(Setup { oms, ..setup() });
    floor.step(&[(BTC, [100.0; 4], 1e6, long()), (ETH, [100.0; 4], 1e6, Target::Hold)]);
    let open = floor.desk.open_orders()[0].intent;
    let same = floor.desk.view(&open);
    assert_eq!(same.open_buys, open.notional());
    assert_eq!(same.symbol_exposure, open.notional());
    assert_eq!(same.turnover_today, open.notional());
    assert_eq!((same.open_orders, same.orders_last_minute, same.orders_today), (1, 1, 1));
    assert_eq!(same.last_same_order, Some(open.decided_at));
    let other = OrderIntent { symbol: ETH, ..open };
    let view = floor.desk.view(&other);
    assert_eq!((view.symbol_exposure, view.total_exposure), (Money::ZERO, open.notional()));
    assert_eq!((view.last_same_order, view.repeated_orders), (None, 0));
}

/// C21.
#[test]
fn two_symbols_share_one_limit() {
    let limits = Limits { max_total_notional: money("80"), ..limits() };
    let mut floor = Floor::new(Setup { limits, ..setup() });
    floor.step(&[(BTC, [100.0; 4], 1e6, long()), (ETH, [100.0; 4], 1e6, long())]);
    assert_eq!(floor.refusals(), ["max-total-notional"], "both fit alone, together they do not");
}

#[test]
fn a_kill_withdraws_the_bids_of_other_symbols() {
    let limits = Limits { max_dd_daily: Fraction::from_f64(0.01).unwrap(), ..limits() };
    let order = OrderStyle::Limit { offset: Bps(100), expire_after: Span::from_days(9), tif: TimeInForce::Gtc };
    let mut floor = Floor::new(Setup { limits, oms: OmsConfig { order, ..setup().oms }, ..setup() });
    let rest = [100.0; 4];
    floor.step(&[(BTC, rest, 1e6, long()), (ETH, rest, 1e6, Target::Hold)]);
    floor.step(&[(BTC, [100.0, 100.0, 98.0, 100.0], 1e6, Target::Hold), (ETH, rest, 1e6, long())]);
    floor.step(&[(BTC, [70.0; 4], 1e6, Target::Hold), (ETH, rest, 1e6, Target::Hold)]);
    assert!(floor.desk.halt().is_some());
    assert_eq!(floor.states(), ["filled", "canceled"], "the bid on ETH is withdrawn at the kill");
    floor.step(&[(BTC, [70.0; 4], 1e6, Target::Hold), (ETH, [90.0; 4], 1e6, Target::Hold)]);
    assert!(floor.desk.position(BTC).is_zero() && floor.desk.position(ETH).is_zero());
}

#[test]
fn orders_of_one_bar_share_its_volume() {
    let tight = Limits { max_notional_per_order: money("50"), max_position_notional: money("1000"), ..limits() };
    let mut floor = Floor::new(Setup { limits: tight, ..setup() });
    floor.flat(100.0, long()).flat(100.0, Target::Hold).flat(230.0, Target::Flat);
    floor.ohlcv([230.0; 4], 0.3, Target::Hold);
    let sold: Qty = floor.rows.fills.iter().skip(1).map(|row| row.fill.qty).sum();
    assert_eq!(sold, qty("0.3"), "three slices, one volume");
}

#[test]
fn a_fill_that_the_cash_does_not_cover_is_rejected_by_the_venue() {
    let wide = money("5000");
    let limits = Limits {
        max_notional_per_order: wide,
        max_position_notional: wide,
        max_total_notional: wide,
        max_daily_turnover: wide,
        ..limits()
    };
    let oms = OmsConfig { sized_in: SizedIn::Base, ..setup().oms };
    let mut floor = Floor::new(Setup { limits, oms, ..setup() });
    floor.flat(100.0, Target::Long { notional: money("995") }).flat(101.0, Target::Hold);
    assert_eq!(floor.states(), ["rejected"]);
    assert_eq!((floor.desk.cash(), floor.desk.tally().rejected), (money("1000"), 1));
}
