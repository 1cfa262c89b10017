//! The desk: the pure core that turns targets into approved orders and reports into an account.
//!
//! One call a step, in this order for each moment of the portfolio: [`Desk::open`], the venue's reports, [`Desk::observe`] for each
//! bar, [`Desk::mark`], [`Desk::decide`] for each bar. No clock, no I/O: what is to be done stands in the [`Outbox`].

use serde::{Deserialize, Serialize};

use crate::domain::{
    BadTransition, Bar, Bps, ClientOrderId, Instrument, Interval, Money, OrderEvent, OrderIntent, OrderKind, OrderState, Price,
    Purpose, Qty, Side, Size, Span, Symbol, SymbolIndex, Target, Time, lifecycle::transition,
};
use crate::risk::{Approved, Gate, Guard, Halt, HaltCause, Refusals, TradingState, View};

use self::slice::slice;
use self::venue::Known;
use super::book::{Book, Held, Holding, OpenOrder, Tally};
use super::config::{OmsConfig, OrderStyle, SizedIn};
use crate::telemetry::record::{Decision, EquityRow, FEATURES_MAX, Notice, OrderRow, RecordMode, Records, RefusalRow};

/// What a desk is built with; the same for replay, paper and live.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    pub oms: OmsConfig,
    pub gate: Gate,
    pub interval: Interval,
    pub instruments: Vec<Instrument>,
    /// By symbol: may it be traded?
    pub allowed: Vec<bool>,
    /// By symbol: first part of its client order ids.
    pub scopes: Vec<u32>,
    /// Bars the model's window spans.
    pub model_window: u32,
    /// What the venue takes of a fill, at most.
    pub fee: Bps,
    pub record: RecordMode,
}

/// What a restart needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeskState {
    book: Book,
    guard: Guard,
    /// The last moment that was marked.
    marked_at: Option<Time>,
    /// Its equity row has been written.
    mark_written: bool,
    /// Cash or positions moved since the last mark.
    touched: bool,
    last_targets: Vec<Option<Target>>,
}

impl DeskState {
    /// Nothing is held and no order is open.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.book.open.is_empty() && self.book.holdings.iter().all(|holding| holding.position.is_zero())
    }

    /// The latched halt, if trading is stopped.
    #[must_use]
    pub const fn halt(&self) -> Option<&Halt> {
        self.guard.standing_halt()
    }

    /// The end of a pause. It may lie behind.
    #[must_use]
    pub const fn paused_until(&self) -> Option<Time> {
        self.guard.paused_until()
    }

    /// Latches a halt: a person's word. Exits still pass.
    pub fn latch(&mut self, at: Time) {
        self.guard.halt(at, HaltCause::Operator, false);
    }

    /// Clears halt and pause: a person's word.
    pub fn resume(&mut self) {
        self.guard.resume();
    }

    /// No new exposure before `until`: a person's word.
    pub fn pause(&mut self, until: Time) {
        self.guard.pause(until);
    }

    /// What is held, in the order of the symbols.
    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.book.holdings.iter().map(Holding::held)
    }

    #[must_use]
    pub fn equity(&self) -> Money {
        self.book.equity()
    }

    #[must_use]
    pub const fn cash(&self) -> Money {
        self.book.cash
    }

    /// Forgets the symbols of a flat account; it goes on with `symbols` others.
    pub fn reset_symbols(&mut self, symbols: usize) {
        assert!(self.is_flat(), "only a flat account can change its symbols");
        self.book.holdings = vec![Holding::default(); symbols];
        self.last_targets = vec![None; symbols];
    }
}

/// What the shell is to do after a step: send, cancel, write down.
#[derive(Debug, Default)]
pub struct Outbox {
    pub submits: Vec<Approved<OrderIntent>>,
    pub cancels: Vec<ClientOrderId>,
    pub records: Records,
}

/// The venue said something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    #[error("the venue reports on order {0}, which is not open here")]
    UnknownOrder(ClientOrderId),
    #[error("order {id}: {bad}")]
    BadTransition { id: ClientOrderId, bad: BadTransition },
    #[error("order {id} was filled {filled}, more than the {ordered} ordered")]
    Overfill { id: ClientOrderId, filled: Qty, ordered: Qty },
}

/// What the model stage says of one bar.
#[derive(Debug, Clone, Copy)]
pub struct Advice {
    pub target: Target,
    pub prediction: f64,
    pub features: [Option<f64>; FEATURES_MAX],
    /// For stops; `None` before it is warm or when no stop is set.
    pub atr: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct Desk {
    config: DeskConfig,
    state: DeskState,
    /// The account was compared with the venue's and nothing was unexplained. On paper they are one.
    reconciled: bool,
    /// By symbol: what the venue takes; nothing on paper.
    listings: Vec<Known>,
}

impl Desk {
    #[must_use]
    pub fn new(config: DeskConfig, cash: Money) -> Self {
        let symbols = config.instruments.len();
        let state = DeskState {
            book: Book::new(cash, symbols),
            guard: Guard::new(cash),
            marked_at: None,
            mark_written: true,
            touched: false,
            last_targets: vec![None; symbols],
        };
        Self { config, state, reconciled: true, listings: Vec::new() }
    }

    #[must_use]
    pub const fn restore(config: DeskConfig, state: DeskState) -> Self {
        Self { config, state, reconciled: true, listings: Vec::new() }
    }

    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        self.config.instruments.iter().map(|instrument| instrument.symbol.clone()).collect()
    }

    #[must_use]
    pub const fn state(&self) -> &DeskState {
        &self.state
    }

    #[must_use]
    pub fn equity(&self) -> Money {
        self.state.book.equity()
    }

    #[must_use]
    pub const fn cash(&self) -> Money {
        self.state.book.cash
    }

    #[must_use]
    pub fn position(&self, symbol: SymbolIndex) -> Qty {
        self.state.book.holding(symbol).position
    }

    /// Is any position open?
    #[inline]
    #[must_use]
    pub const fn is_exposed(&self) -> bool {
        !self.state.book.value.is_zero()
    }

    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.state.book.tally
    }

    #[must_use]
    pub const fn kills(&self) -> u32 {
        self.state.guard.kills()
    }

    #[must_use]
    pub const fn trading_state(&self) -> TradingState {
        self.state.guard.state()
    }

    #[must_use]
    pub const fn halt(&self) -> Option<&Halt> {
        self.state.guard.standing_halt()
    }

    /// Says whether the account is known to be what the venue has; until it is, nothing passes the gate.
    pub const fn set_reconciled(&mut self, reconciled: bool) {
        self.reconciled = reconciled;
    }

    #[must_use]
    pub const fn is_reconciled(&self) -> bool {
        self.reconciled
    }

    /// Latches a halt and withdraws what would add exposure. Gives whether it is new.
    pub fn latch(&mut self, at: Time, cause: HaltCause, cancels_only: bool, out: &mut Outbox) -> bool {
        let is_new = self.state.guard.halt(at, cause, cancels_only);
        if is_new {
            self.withdraw_all_buys(out);
        }
        is_new
    }

    /// Clears halt and pause: a person's word.
    pub fn resume(&mut self) {
        self.state.guard.resume();
    }

    /// Takes one order round trip. Gives the end of the pause that it begins.
    pub fn latency(&mut self, at: Time, reading: Span) -> Option<Time> {
        let (threshold, rule) = (self.config.gate.limits().latency_threshold, self.config.gate.rules().on_latency);
        self.state.guard.latency(at, reading, threshold, rule)
    }

    /// No new exposure before `until`.
    pub fn pause(&mut self, until: Time) {
        self.state.guard.pause(until);
    }

    /// What is held, by symbol.
    pub fn positions(&self) -> impl Iterator<Item = (SymbolIndex, Qty)> {
        self.state.book.holdings.iter().enumerate().map(|(at, holding)| {
            let symbol = SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"));
            (symbol, holding.position)
        })
    }

    /// Wants every position closed; [`Self::exit_rest`] sends the orders.
    pub fn flatten(&mut self, purpose: Purpose) {
        for holding in self.state.book.holdings.iter_mut().filter(|h| !h.position.is_zero() && !h.dust) {
            holding.exiting = Some(purpose);
        }
    }

    /// Goes on with an exit between two closes, when nothing of the symbol is open: what the last orders left.
    pub fn exit_rest(&mut self, symbol: SymbolIndex, now: Time, out: &mut Outbox) {
        let has_open = self.state.book.open.iter().any(|order| order.intent.symbol == symbol);
        if let Some(purpose) = self.state.book.holding(symbol).exiting.filter(|_| !has_open) {
            // An id is written with milliseconds: one of a finer time would not be known again when the venue names it.
            let at = Time::from_millis(now.millis());
            // Not 0: these go on with an exit that was decided, and are no second one.
            self.exit(symbol, at, purpose, 1, out);
        }
    }

    /// Ends exits of which only dust is left: it counts as flat from here on.
    pub fn end_exits_in_dust(&mut self) {
        for at in 0..self.state.book.holdings.len() {
            let symbol = SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"));
            if self.is_negligible(symbol) {
                let holding = self.state.book.holding_mut(symbol);
                (holding.dust, holding.exiting) = (!holding.position.is_zero(), None);
            }
        }
    }

    /// Begins the moment whose bars open at `open_time`.
    #[inline]
    pub fn open(&mut self, open_time: Time, out: &mut Outbox) {
        if !self.state.mark_written
            && let Some(marked_at) = self.state.marked_at
            // A mark belongs to the day of the instant before it.
            && open_time.utc_day() > (marked_at - Span::from_micros(1)).utc_day()
        {
            self.write_mark(marked_at, out);
        }
        self.state.guard.open(open_time);
    }

    /// Takes a closed bar of one symbol.
    #[inline]
    pub fn observe(&mut self, symbol: SymbolIndex, bar: &Bar, out: &mut Outbox) {
        let missing = self.state.book.observe(symbol, bar, self.config.interval);
        if missing > 0 {
            out.records.notices.push(Notice::BarGap { symbol, at: bar.open_time, missing });
        }
    }

    /// Marks the account at a close: equity, high-water marks, limits of drawdown. Gives the equity.
    #[inline]
    pub fn mark(&mut self, at: Time, out: &mut Outbox) -> Money {
        let equity = self.state.book.equity();
        let book = &mut self.state.book;
        book.tally.exposure_peak = book.tally.exposure_peak.max(book.value);
        self.state.marked_at = Some(at);
        let changed = std::mem::take(&mut self.state.touched) || self.config.record == RecordMode::All;
        self.state.mark_written = false;
        let trip = self.state.guard.mark(at, equity, self.config.gate.limits(), self.config.gate.rules());
        if let Some(trip) = trip {
            self.kill(trip, out);
        }
        if changed || trip.is_some() {
            self.write_mark(at, out);
        }
        equity
    }

    fn write_mark(&mut self, at: Time, out: &mut Outbox) {
        self.state.mark_written = true;
        out.records.equity.push(EquityRow {
            at,
            equity: self.state.book.equity(),
            cash: self.state.book.cash,
            exposure: self.state.book.value,
            day_high_water_mark: self.state.guard.day_high(),
            state: self.state.guard.state(),
        });
    }

    /// Writes the last mark if it has not been: the end of a run.
    pub fn close(&mut self, out: &mut Outbox) {
        if let (false, Some(at)) = (self.state.mark_written, self.state.marked_at) {
            self.write_mark(at, out);
            // The next run may stand in the same day: its last mark is the day's, so this one is not final.
            self.state.mark_written = false;
        }
    }

    /// A drawdown limit was reached: withdraw what would add exposure, and close what is open if the rule says so.
    #[cold]
    fn kill(&mut self, trip: crate::risk::Trip, out: &mut Outbox) {
        let had_position = self.state.book.holdings.iter().any(|h| !h.position.is_zero());
        out.records.notices.push(Notice::Killed { trip, had_position });
        self.withdraw_all_buys(out);
        if trip.flatten {
            for holding in self.state.book.holdings.iter_mut().filter(|h| !h.position.is_zero()) {
                holding.exiting = Some(Purpose::KillSwitch);
            }
        }
    }

    /// Turns the model's advice on one closed bar into orders.
    #[inline]
    pub fn decide(&mut self, symbol: SymbolIndex, bar: &Bar, advice: Advice, out: &mut Outbox) {
        let at = bar.open_time + self.config.interval.span();
        let last = &mut self.state.last_targets[symbol.at()];
        if self.config.record == RecordMode::All || (advice.target != Target::Hold && *last != Some(advice.target)) {
            *last = Some(advice.target);
            let Advice { target, prediction, features, .. } = advice;
            let state = self.state.guard.state();
            out.records.decisions.push(Decision { at, symbol, close: bar.close, prediction, target, features, state });
        }
        let holding = self.state.book.holding(symbol);
        if holding.position.is_zero() || holding.dust {
            if let Target::Long { notional } = advice.target
                && !self.state.book.is_buying(symbol)
            {
                self.enter(symbol, at, notional, advice.atr, out);
            } else if advice.target == Target::Flat {
                self.withdraw_buys(symbol, out);
            }
            return;
        }
        if let Some(purpose) = self.exit_purpose(symbol, bar, &advice) {
            self.withdraw_buys(symbol, out);
            self.exit(symbol, at, purpose, 0, out);
        }
    }

    /// Why the position should be closed now, if it should: an unfinished exit first, then stops, then the model.
    #[inline]
    fn exit_purpose(&self, symbol: SymbolIndex, bar: &Bar, advice: &Advice) -> Option<Purpose> {
        let holding = self.state.book.holding(symbol);
        if holding.exiting.is_some() {
            return holding.exiting;
        }
        if let Some((entry, atr)) = holding.entry.and_then(|entry| Some((entry, entry.atr?))) {
            let moved = bar.close - entry.price();
            let OmsConfig { stop_loss_atr, take_profit_atr, .. } = self.config.oms;
            if stop_loss_atr > 0.0 && moved <= -stop_loss_atr * atr {
                return Some(Purpose::StopLoss);
            }
            if take_profit_atr > 0.0 && moved >= take_profit_atr * atr {
                return Some(Purpose::TakeProfit);
            }
        }
        (advice.target == Target::Flat).then_some(Purpose::Signal)
    }

    fn withdraw_all_buys(&self, out: &mut Outbox) {
        let buys = self.state.book.open.iter().filter(|order| order.intent.side == Side::Buy);
        out.cancels.extend(buys.map(|order| order.intent.id));
    }

    fn withdraw_buys(&self, symbol: SymbolIndex, out: &mut Outbox) {
        let buys = self.state.book.open.iter().filter(|o| o.intent.symbol == symbol && o.intent.side == Side::Buy);
        out.cancels.extend(buys.map(|order| order.intent.id).filter(|id| !out.cancels.contains(id)).collect::<Vec<_>>());
    }

    fn reference(&self, symbol: SymbolIndex) -> Price {
        self.state.book.holding(symbol).close.and_then(Price::from_f64).unwrap_or_default()
    }

    /// An order that adds exposure.
    fn enter(&mut self, symbol: SymbolIndex, at: Time, notional: Money, atr: Option<f64>, out: &mut Outbox) {
        let reference = self.reference(symbol);
        let instrument = &self.config.instruments[symbol.at()];
        let (kind, price) = match self.config.oms.order {
            OrderStyle::Market => (OrderKind::Market, reference),
            OrderStyle::Limit { offset, expire_after, tif } => {
                let price = reference.lowered_floor(offset).floor_to(instrument.price_tick);
                (OrderKind::Limit { price, expires_at: at.saturating_add(expire_after), tif }, price)
            }
        };
        // The venue takes an amount of quote currency for market orders only.
        let in_quote = self.config.oms.sized_in == SizedIn::Quote && kind == OrderKind::Market;
        let size = if in_quote {
            Size::Quote(notional)
        } else {
            Size::Base(notional.quantity_floor(price).truncate_to(instrument.qty_step))
        };
        let id = ClientOrderId { scope: self.config.scopes[symbol.at()], bar: at, sequence: 0 };
        let intent = OrderIntent { id, symbol, side: Side::Buy, kind, size, purpose: Purpose::Signal, decided_at: at, reference };
        self.submit(intent, atr, out);
    }

    /// Orders that close the position, each within the limit of one order.
    fn exit(&mut self, symbol: SymbolIndex, at: Time, purpose: Purpose, first: u16, out: &mut Outbox) {
        let reference = self.reference(symbol);
        let instrument = &self.config.instruments[symbol.at()];
        let holding = self.state.book.holding(symbol);
        let qty = (holding.position - self.state.book.open_sells(symbol)).truncate_to(instrument.qty_step);
        let claimed = qty < holding.position.truncate_to(instrument.qty_step);
        if self.is_too_small(symbol, qty) {
            if !claimed {
                out.records.notices.push(Notice::Dust { symbol, at, qty: holding.position });
                let holding = self.state.book.holding_mut(symbol);
                (holding.dust, holding.exiting) = (true, None);
            }
            return;
        }
        let kind = match (self.config.oms.order, purpose) {
            (OrderStyle::Limit { offset, expire_after, tif }, Purpose::Signal | Purpose::TakeProfit) => OrderKind::Limit {
                price: reference.raised_ceil(offset).ceil_to(instrument.price_tick),
                expires_at: at.saturating_add(expire_after),
                tif,
            },
            _ => OrderKind::Market,
        };
        let slices = slice(qty, reference, self.largest_exit(symbol, &kind), instrument.qty_step);
        let scope = self.config.scopes[symbol.at()];
        self.state.book.holding_mut(symbol).exiting = Some(purpose);
        for (sequence, qty) in slices.into_iter().enumerate() {
            let sequence = first + u16::try_from(sequence).expect("SLICES_MAX fits 16 bits");
            let id = ClientOrderId { scope, bar: at, sequence };
            let size = Size::Base(qty);
            self.submit(OrderIntent { id, symbol, side: Side::Sell, kind, size, purpose, decided_at: at, reference }, None, out);
        }
    }

    /// Asks the gate, and writes down what it says.
    fn submit(&mut self, intent: OrderIntent, atr: Option<f64>, out: &mut Outbox) {
        match self.config.gate.check(intent, &self.view(&intent)) {
            Ok(approved) => {
                let state = [OrderEvent::Approve, OrderEvent::Send].into_iter().try_fold(OrderState::Created, transition);
                let state = state.expect("a new order can be approved and sent: see the table");
                self.state.book.count_order(&intent);
                let (filled, filled_notional, fees) = (Qty::ZERO, Money::ZERO, Money::ZERO);
                self.state.book.open.push(OpenOrder { intent, state, filled, filled_notional, fees, atr });
                out.submits.push(approved);
            }
            Err(refusals) => self.deny(&intent, &refusals, out),
        }
    }

    fn view(&self, intent: &OrderIntent) -> View<'_> {
        let (book, symbol, now) = (&self.state.book, intent.symbol, intent.decided_at);
        let holding = book.holding(symbol);
        let last_same_order = match intent.side {
            Side::Buy => holding.last_buy,
            Side::Sell => holding.last_sell,
        };
        View {
            now,
            state: self.state.guard.state(),
            halt: self.state.guard.standing_halt(),
            instrument: &self.config.instruments[symbol.at()],
            symbol_allowed: self.config.allowed[symbol.at()],
            data_until: holding.last_open_time.map_or(Time::MIN, |open| open + self.config.interval.span()),
            max_bar_age: self.config.gate.rules().max_bar_age.span(self.config.interval),
            bars_since_gap: holding.bars_since_gap,
            model_window: self.config.model_window,
            unknown_orders: book.unknown_orders(symbol),
            reconciled: self.reconciled,
            last_same_order,
            repeated_orders: holding.in_a_row.filter(|(side, _)| *side == intent.side).map_or(0, |(_, count)| count),
            previous_close: holding.previous_close.and_then(Price::from_f64),
            bar_volume: Qty::from_f64_floor(holding.volume).unwrap_or_default(),
            position: holding.position,
            open_sells: book.open_sells(symbol),
            cash: book.cash,
            open_buys: book.open_buys(None),
            symbol_exposure: holding.value + book.open_buys(Some(symbol)),
            total_exposure: book.value + book.open_buys(None),
            turnover_today: book.turnover_today(now),
            open_orders: u32::try_from(book.open.len()).unwrap_or(u32::MAX),
            orders_last_minute: book.orders_last_minute(now),
            orders_today: book.orders_today(now),
            fee: self.config.fee,
            venue_rule: self.venue_rule(intent),
        }
    }

    fn deny(&mut self, intent: &OrderIntent, refusals: &Refusals, out: &mut Outbox) {
        let (headline, at, symbol) = (*refusals.headline(), intent.decided_at, intent.symbol);
        let tally = &mut self.state.book.tally;
        tally.denied += 1;
        for refusal in refusals.iter() {
            *tally.refusals.entry(refusal.code().to_owned()).or_default() += 1;
        }
        // The same no at bar after bar is one event; every one is counted, and written under `record = "all"`.
        let holding = self.state.book.holding_mut(symbol);
        let again = holding.denied.as_deref() == Some(headline.code());
        if again && self.config.record == RecordMode::Changes {
            return;
        }
        holding.denied = Some(headline.code().to_owned());
        out.records.refusals.extend(refusals.iter().map(|&refusal| RefusalRow { order: intent.id, symbol, at, refusal }));
        out.records.notices.push(Notice::OrderDenied { order: intent.id, symbol, at, refusal: headline });
        out.records.orders.push(OrderRow {
            intent: *intent,
            state: OrderState::Denied,
            ended_at: Some(at),
            filled_qty: Qty::ZERO,
            filled_notional: Money::ZERO,
            fees: Money::ZERO,
            denied: Some(headline),
            rejected: None,
        });
    }
}

mod reports;
mod shown;
mod slice;
pub mod usage;
#[cfg(test)]
mod tests;
mod venue;
