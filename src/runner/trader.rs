//! The trader: models, desk and paper venue, stepped one moment at a time.
//!
//! The order within a step is the contract that replay, paper and the golden cases share:
//! new day, fills at this bar's open, marks at its close, drawdown, then decisions for the next bar.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use serde::{Deserialize, Serialize};

use crate::domain::{Bar, Interval, Money, Purpose, Symbol, SymbolIndex, Time};
use crate::perf::Curve;
use crate::risk::{Halt, HaltCause};
use crate::stage::model::features::Atr;
use crate::stage::model::{BarField, Model, ModelConfig, Signal};
use crate::stage::oms::{Advice, Desk, DeskConfig, DeskError, DeskState, Outbox};
use crate::venue::paper::{Paper, PaperConfig, PaperState};
use crate::venue::router::Router;
use crate::venue::{OrderReport, Venue};

use super::live::LiveState;

/// What a trader is built with.
#[derive(Debug, Clone)]
pub struct TraderConfig {
    pub desk: DeskConfig,
    pub model: ModelConfig,
    pub paper: PaperConfig,
}

impl TraderConfig {
    /// The columns of a bar that this trader reads; the rest can stay on disk.
    #[must_use]
    pub fn fields(&self) -> Vec<BarField> {
        let mut fields = vec![BarField::Open, BarField::Close, BarField::Volume];
        fields.extend(Model::new(&self.model, self.desk.interval).columns());
        let has_stops = self.has_stops();
        let rests = matches!(self.desk.oms.order, crate::stage::oms::config::OrderStyle::Limit { .. });
        if has_stops || rests {
            fields.extend([BarField::High, BarField::Low]);
        }
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// A name for what the models' memory depends on: when it changes, they must see the past again.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let symbols: Vec<&Symbol> = self.desk.instruments.iter().map(|i| &i.symbol).collect();
        let text =
            format!("{:?} {} {symbols:?} {} {}", self.model, self.desk.interval, self.has_stops(), self.desk.oms.atr_period);
        super::folder::short_hash([text.as_str()])
    }

    fn has_stops(&self) -> bool {
        self.desk.oms.stop_loss_atr > 0.0 || self.desk.oms.take_profit_atr > 0.0
    }
}

/// All that a restart needs to go on as if nothing had happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraderState {
    symbols: Vec<Symbol>,
    models: Vec<Model>,
    atrs: Vec<Atr>,
    desk: DeskState,
    paper: PaperState,
    /// Begins with the first step.
    curve: Option<Curve>,
    /// What only an account of real money has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<LiveState>,
}

impl TraderState {
    /// The latched halt, if trading is stopped.
    #[must_use]
    pub const fn halt(&self) -> Option<&Halt> {
        self.desk.halt()
    }

    /// The end of a pause. It may lie behind.
    #[must_use]
    pub const fn paused_until(&self) -> Option<Time> {
        self.desk.paused_until()
    }

    /// Latches a halt: a person's word. Exits still pass.
    pub fn latch(&mut self, at: Time) {
        self.desk.latch(at);
    }

    /// Clears halt and pause: a person's word. A word to close everything is over with it.
    pub fn resume(&mut self) {
        self.desk.resume();
        if let Some(live) = &mut self.live {
            live.books.closing = None;
        }
    }

    /// Is something held that is being closed?
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.desk.held().any(|held| held.exiting.is_some())
    }

    /// No new exposure before `until`: a person's word.
    pub fn pause(&mut self, until: Time) {
        self.desk.pause(until);
    }

    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// What is known of cash, positions and the halt.
    #[must_use]
    pub const fn desk(&self) -> &DeskState {
        &self.desk
    }

    /// How long orders took there and back, lately. `None` on paper, and before the first order.
    #[must_use]
    pub fn round_trips(&self) -> Option<super::live::RoundTripFigures> {
        self.live.as_ref().and_then(|live| live.books.round_trips.figures())
    }

    /// The equity curve; `None` before the first bar.
    #[must_use]
    pub const fn curve(&self) -> Option<&Curve> {
        self.curve.as_ref()
    }

    /// Does the account trade on a real venue?
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live.is_some()
    }
}

/// A snapshot does not fit the pipeline as it is now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error("the pipeline's symbols were {before}, now they are {now}, and the account is not flat")]
    SymbolsChanged { before: String, now: String },
    #[error("the account has never traded with real money")]
    NotLive,
}

fn listed(symbols: &[Symbol]) -> String {
    symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Where approved orders go.
#[derive(Debug, Clone)]
enum Outlet {
    Paper(Paper),
    Router(Box<Router>),
}

impl Outlet {
    fn venue(&mut self) -> &mut dyn Venue {
        match self {
            Self::Paper(paper) => paper,
            Self::Router(router) => &mut **router,
        }
    }
}

/// One pipeline at work.
#[derive(Debug, Clone)]
pub struct Trader {
    interval: Interval,
    models: Vec<Model>,
    /// One a symbol when stops are set, else none.
    atrs: Vec<Atr>,
    desk: Desk,
    outlet: Outlet,
    /// Equity at the start of the account.
    start: Money,
    curve: Option<Curve>,
    /// Reports of the venue on their way to the desk; reused.
    reports: Vec<OrderReport>,
}

impl Trader {
    #[must_use]
    pub fn new(config: TraderConfig) -> Self {
        let symbols = config.desk.instruments.len();
        let interval = config.desk.interval;
        let stops = if config.has_stops() { symbols } else { 0 };
        Self {
            interval,
            models: vec![Model::new(&config.model, interval); symbols],
            atrs: vec![Atr::new(config.desk.oms.atr_period); stops],
            curve: None,
            desk: Desk::new(config.desk, config.paper.equity),
            start: config.paper.equity,
            outlet: Outlet::Paper(Paper::new(config.paper)),
            reports: Vec::new(),
        }
    }

    /// The same trader with a real venue behind `router`, on an account of `cash` that holds nothing of ours.
    #[must_use]
    pub fn live(config: TraderConfig, cash: Money, router: Router) -> Self {
        let desk = Desk::new(config.desk.clone(), cash);
        Self { desk, start: cash, outlet: Outlet::Router(Box::new(router)), ..Self::new(config) }
    }

    /// As [`Self::restore`], with a real venue behind `router`.
    ///
    /// # Errors
    /// As [`Self::restore`].
    pub fn restore_live(config: TraderConfig, state: TraderState, cold: bool, router: Router) -> Result<Self, RestoreError> {
        let start = state.curve.as_ref().map_or(config.paper.equity, |curve| curve.first().1);
        Ok(Self { start, outlet: Outlet::Router(Box::new(router)), ..Self::restore(config, state, cold)? })
    }

    /// Goes on from a snapshot. With `cold` models the account is kept and the models start anew: the caller warms them.
    ///
    /// # Errors
    /// When the symbols are others and the account still holds something: its positions would lose their names.
    pub fn restore(config: TraderConfig, mut state: TraderState, cold: bool) -> Result<Self, RestoreError> {
        let symbols: Vec<Symbol> = config.desk.instruments.iter().map(|i| i.symbol.clone()).collect();
        if symbols != state.symbols {
            if !state.desk.is_flat() {
                return Err(RestoreError::SymbolsChanged { before: listed(&state.symbols), now: listed(&symbols) });
            }
            state.desk.reset_symbols(symbols.len());
            state.paper.reset_symbols(symbols.len());
        }
        let fresh = Self::new(config.clone());
        let (models, atrs) = if cold { (fresh.models, fresh.atrs) } else { (state.models, state.atrs) };
        Ok(Self {
            interval: config.desk.interval,
            models,
            atrs,
            desk: Desk::restore(config.desk, state.desk),
            start: config.paper.equity,
            outlet: Outlet::Paper(Paper::restore(config.paper, state.paper)),
            curve: state.curve,
            reports: Vec::new(),
        })
    }

    #[must_use]
    pub fn snapshot(&self) -> TraderState {
        TraderState {
            symbols: self.desk.symbols(),
            models: self.models.clone(),
            atrs: self.atrs.clone(),
            desk: self.desk.state().clone(),
            paper: match &self.outlet {
                Outlet::Paper(paper) => paper.state().clone(),
                Outlet::Router(_) => PaperState::default(),
            },
            curve: self.curve.clone(),
            live: None,
        }
    }

    /// Takes a bar that came before trading begins: the model learns from it, nothing is decided.
    pub fn warm(&mut self, symbol: SymbolIndex, bar: &Bar) {
        self.models[symbol.at()].on_bar(bar);
        self.warm_stops(symbol, bar);
    }

    fn warm_stops(&mut self, symbol: SymbolIndex, bar: &Bar) {
        if let Some(atr) = self.atrs.get_mut(symbol.at()) {
            atr.push(bar);
        }
    }

    /// Takes the bars that open at `open_time`, as they stand at their close.
    ///
    /// # Errors
    /// When the venue reports what cannot be; nothing more may be traded then.
    #[inline]
    pub fn step(&mut self, open_time: Time, bars: &[(SymbolIndex, Bar)], out: &mut Outbox) -> Result<(), DeskError> {
        self.step_by(open_time, bars, |_, _, own| own, out)
    }

    /// Asks the models about the bars of a moment. Where one panics, all are as they were before.
    ///
    /// # Errors
    /// What it panicked with.
    pub(super) fn ask_models(
        &mut self,
        bars: &[(SymbolIndex, Bar)],
        ask: fn(&mut Model, &Bar) -> Signal,
    ) -> Result<Vec<Signal>, Box<dyn Any + Send>> {
        let before = self.models.clone();
        let models = &mut self.models;
        let asked = || bars.iter().map(|(symbol, bar)| ask(&mut models[symbol.at()], bar)).collect();
        // Nothing that a panic left half done is used: the models are put back.
        std::panic::catch_unwind(AssertUnwindSafe(asked)).inspect_err(|_| self.models = before)
    }

    /// As [`Self::step`], by what the models said when they were asked.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn step_with(
        &mut self,
        open_time: Time,
        bars: &[(SymbolIndex, Bar)],
        signals: &[Signal],
        out: &mut Outbox,
    ) -> Result<(), DeskError> {
        let mut signals = signals.iter().copied();
        let next = |_: &mut Model, _: SymbolIndex, _: &Bar, _: Time| signals.next().unwrap_or(Signal::NONE);
        self.step_asking(open_time, bars, next, out)
    }

    /// As [`Self::catch_up`], when the models have seen the bars.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn catch_up_with(
        &mut self,
        open_time: Time,
        bars: &[(SymbolIndex, Bar)],
        out: &mut Outbox,
    ) -> Result<(), DeskError> {
        self.desk.open(open_time, out);
        self.take_reports(out)?;
        let close_time = self.mark(open_time, bars, out);
        bars.iter().for_each(|(symbol, bar)| self.warm_stops(*symbol, bar));
        self.send(close_time, out)
    }

    /// The same with the last word on what the models say: `decide` is given symbol, close and the model's own signal. Models see
    /// every bar all the same.
    ///
    /// # Errors
    /// As [`Self::step`].
    #[inline]
    pub fn step_by(
        &mut self,
        open_time: Time,
        bars: &[(SymbolIndex, Bar)],
        mut decide: impl FnMut(SymbolIndex, Time, Signal) -> Signal,
        out: &mut Outbox,
    ) -> Result<(), DeskError> {
        self.step_asking(open_time, bars, |model, symbol, bar, close| decide(symbol, close, model.on_bar(bar)), out)
    }

    #[inline(always)]
    fn step_asking(
        &mut self,
        open_time: Time,
        bars: &[(SymbolIndex, Bar)],
        mut ask: impl FnMut(&mut Model, SymbolIndex, &Bar, Time) -> Signal,
        out: &mut Outbox,
    ) -> Result<(), DeskError> {
        self.desk.open(open_time, out);
        if let Outlet::Paper(paper) = &mut self.outlet {
            for (symbol, bar) in bars {
                paper.on_bar(*symbol, bar, self.interval);
            }
        }
        self.take_reports(out)?;
        let close_time = self.mark(open_time, bars, out);
        for (symbol, bar) in bars {
            let signal = ask(&mut self.models[symbol.at()], *symbol, bar, close_time);
            let atr = self.atrs.get_mut(symbol.at()).and_then(|atr| atr.push(bar));
            let advice = Advice { target: signal.target, prediction: signal.prediction, features: signal.features, atr };
            self.desk.decide(*symbol, bar, advice, out);
        }
        if out.submits.is_empty() && out.cancels.is_empty() { Ok(()) } else { self.send(close_time, out) }
    }

    /// Takes the bars of a moment that is past trading: the account is marked and the models learn; nothing is decided.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn catch_up(&mut self, open_time: Time, bars: &[(SymbolIndex, Bar)], out: &mut Outbox) -> Result<(), DeskError> {
        for (symbol, bar) in bars {
            self.models[symbol.at()].on_bar(bar);
        }
        self.catch_up_with(open_time, bars, out)
    }

    /// A person's word to close everything, between two bars of the paper venue: halts, withdraws what would add exposure, and sends
    /// orders for every position, which the next bar fills. `at` is the last close, by which they are named.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn close_all(&mut self, purpose: Purpose, at: Time, out: &mut Outbox) -> Result<(), DeskError> {
        self.desk.latch(at, HaltCause::Operator, false, out);
        self.send(at, out)?;
        self.desk.flatten(purpose);
        for symbol in 0..self.models.len() {
            self.desk.exit_rest(SymbolIndex(u16::try_from(symbol).expect("symbols fit 16 bits")), at, out);
        }
        self.send(at, out)
    }

    #[inline]
    fn mark(&mut self, open_time: Time, bars: &[(SymbolIndex, Bar)], out: &mut Outbox) -> Time {
        for (symbol, bar) in bars {
            self.desk.observe(*symbol, bar, out);
        }
        let close_time = open_time + self.interval.span();
        let equity = self.desk.mark(close_time, out);
        let curve = self.curve.get_or_insert_with(|| Curve::new(open_time, self.start));
        curve.mark(close_time, equity);
        if self.desk.is_exposed() {
            curve.count_exposed();
        }
        close_time
    }

    /// Withdraws before it sends: an exit must not meet our own bid.
    pub(super) fn send(&mut self, at: Time, out: &mut Outbox) -> Result<(), DeskError> {
        let venue = self.outlet.venue();
        for id in out.cancels.drain(..) {
            venue.cancel(id, at);
        }
        for order in out.submits.drain(..) {
            venue.submit(order);
        }
        self.take_reports(out)
    }

    #[inline]
    pub(super) fn take_reports(&mut self, out: &mut Outbox) -> Result<(), DeskError> {
        match &mut self.outlet {
            Outlet::Paper(paper) => paper.drain(&mut self.reports),
            Outlet::Router(router) => router.drain(&mut self.reports),
        }
        if self.reports.is_empty() {
            return Ok(());
        }
        let mut reports = std::mem::take(&mut self.reports);
        let taken = reports.drain(..).try_for_each(|report| self.desk.on_report(report, out));
        self.reports = reports;
        taken
    }

    /// Ends a run: the last mark and the orders still open go into the record.
    pub fn close(&mut self, out: &mut Outbox) {
        self.desk.close(out);
        if let Outlet::Paper(paper) = &self.outlet {
            assert_eq!(self.desk.cash(), paper.cash(), "OMS-5: the desk's cash is the venue's");
        }
    }

    #[must_use]
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The way to a real venue, where there is one.
    #[must_use]
    pub fn router(&self) -> Option<&Router> {
        match &self.outlet {
            Outlet::Paper(_) => None,
            Outlet::Router(router) => Some(router),
        }
    }

    pub(super) fn router_mut(&mut self) -> Option<&mut Router> {
        match &mut self.outlet {
            Outlet::Paper(_) => None,
            Outlet::Router(router) => Some(router),
        }
    }

    pub const fn desk_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// `None` before the first step.
    #[must_use]
    pub const fn curve(&self) -> Option<&Curve> {
        self.curve.as_ref()
    }

    #[must_use]
    pub fn equity(&self) -> Money {
        self.desk.equity()
    }

    /// A name for each feature of a decision; `None` where the model puts nothing.
    #[must_use]
    pub fn feature_names(&self) -> Vec<&'static str> {
        self.models.first().map(|m| m.feature_names().into_iter().flatten().collect()).unwrap_or_default()
    }
}
