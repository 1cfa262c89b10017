//! The machine: one event, one step.

use std::collections::BTreeMap;

use super::clocks::{self, Clocks, Offset, Reading};
use super::closing::{Closed, Closing};
use super::compare::COMPARE_AGAIN_AFTER;
use super::guarded::Ask;
use super::reconcile::{self, Comparison, Question};
use super::state::{Books, LiveState};
use crate::domain::{Bar, ClientOrderId, Money, Purpose, Qty, Span, Symbol, SymbolIndex, Time};
use crate::risk::HaltCause;
use crate::runner::trader::{RestoreError, Trader, TraderConfig, TraderState};
use crate::stage::model::Model;
use crate::stage::oms::{DeskError, Outbox};
use crate::telemetry::record::{Notice, Records};
use crate::venue::Listing;
use crate::venue::router::{Actions, Alarm, Fact, RequestId, Router, RouterConfig};
use crate::venue::wire::{Account, Answer, Failure, Push, Request};

/// The account is compared so long after a fill: several fills make one comparison.
const COMPARE_AFTER_FILL: Span = Span::from_millis(500);
/// An account that has not been compared for so long is not known any more.
const COMPARED_FOR: Span = Span::from_secs(180);

const _: () = assert!(COMPARED_FOR.micros() > 2 * reconcile::EVERY.micros());

#[derive(Debug, Clone)]
pub struct LiveConfig {
    pub trader: TraderConfig,
    pub router: RouterConfig,
    /// A bar that closed longer ago makes no orders.
    pub max_lateness: Span,
}

/// Whose question an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskId {
    Router(RequestId),
    /// Of the comparison of this number.
    Compare(u64, Question),
    /// The venue's rules are read again; nobody waits for it.
    Rules,
}

#[derive(Debug, Clone)]
pub enum Event {
    /// All bars that opened at a time and have closed.
    Moment {
        open_time: Time,
        bars: Vec<(SymbolIndex, Bar)>,
    },
    Answer(AskId, Result<Answer, Failure>),
    Push(Push),
    /// What the venue's clock is ahead of ours.
    Offset(Span),
    /// The venue's rules as they were last read, symbol by symbol; `None`: it does not list one.
    Rules(Vec<Option<Listing>>),
    /// Something may have happened behind our back: the account is compared.
    Doubt,
    /// Time has passed.
    Tick,
    /// Stop: nothing new, everything withdrawn; and where a purpose is given, everything closed.
    Stop {
        close: Option<Purpose>,
    },
    /// The program is to end: nothing new, and what rests is withdrawn.
    WindDown,
    /// A person's word to go on.
    Resume,
    /// A person's word that the balances are right as the venue has them.
    Accept(Account),
}

/// What one event led to. Facts, records and the snapshot go to disk together, then requests go out.
#[derive(Debug, Default)]
pub struct Step {
    pub facts: Vec<Fact>,
    pub records: Records,
    pub asks: Vec<(AskId, Request)>,
    pub alarms: Vec<Alarm>,
    /// The open time of the last moment, when it has moved.
    pub watermark: Option<Time>,
    /// Everything was to be closed, and this is how it ended.
    pub closed: Option<Closed>,
    /// A round trip was measured: worth keeping, and not worth a commit of its own.
    pub is_measured: bool,
}

impl Step {
    /// Has anything changed that a restart must know?
    #[must_use]
    pub fn is_to_be_kept(&self) -> bool {
        !self.facts.is_empty()
            || !self.records.is_empty()
            || !self.alarms.is_empty()
            || self.watermark.is_some()
            || self.closed.is_some()
    }
}

#[derive(Debug, Clone)]
pub struct Live {
    pub(super) config: LiveConfig,
    pub(super) ask: Ask,
    pub(super) symbols: Vec<Symbol>,
    pub(super) trader: Trader,
    pub(super) books: Books,
    pub(super) comparison: Option<Comparison>,
    pub(super) comparisons: u64,
    pub(super) next_comparison: Time,
    pub(super) compared_at: Option<Time>,
    /// Orders that are absent if the balances say so.
    pub(super) maybe_absent: Vec<ClientOrderId>,
    clocks: Clocks,
    /// The venue tells what becomes of orders, unasked.
    is_listening: bool,
}

impl Live {
    /// Begins on an account that holds nothing of ours: its quote currency is the cash, the rest stays what it is.
    #[must_use]
    pub fn begin(config: LiveConfig, account: &Account, now: Time) -> Self {
        let symbols = config.router.symbols.clone();
        let quote = symbols.first().map_or("", |symbol| symbol.quote());
        let total = |asset: &str| {
            account.balances.iter().filter(|balance| balance.asset == asset).map(crate::venue::wire::Balance::total).sum::<Qty>()
        };
        let bases = symbols.iter().map(|symbol| symbol.base().to_owned());
        let books = Books {
            baseline: bases.map(|asset| (asset.clone(), total(&asset))).collect(),
            newest_trades: vec![None; symbols.len()],
            trades_since: vec![now; symbols.len()],
            ..Books::default()
        };
        let cash = Money::from_count(total(quote).count() * 10_000_000_000);
        let trader = Trader::live(config.trader.clone(), cash, Router::new(config.router.clone()));
        Self::over(config, symbols, trader, books, now)
    }

    /// Goes on from a snapshot. `sent` are orders whose request may have left, by the journal.
    ///
    /// # Errors
    /// When the snapshot does not fit the pipeline any more.
    pub fn restore(
        config: LiveConfig,
        mut snapshot: TraderState,
        sent: &std::collections::BTreeSet<ClientOrderId>,
        cold: bool,
        now: Time,
    ) -> Result<Self, RestoreError> {
        let live = snapshot.live.take().ok_or(RestoreError::NotLive)?;
        let symbols = config.router.symbols.clone();
        let router = Router::restore(config.router.clone(), live.router, sent, now);
        let trader = Trader::restore_live(config.trader.clone(), snapshot, cold, router)?;
        let mut books = live.books;
        books.newest_trades.resize(symbols.len(), None);
        books.trades_since.resize(symbols.len(), now);
        Ok(Self::over(config, symbols, trader, books, now))
    }

    fn over(config: LiveConfig, symbols: Vec<Symbol>, mut trader: Trader, books: Books, now: Time) -> Self {
        // LIVE-2.
        trader.desk_mut().set_reconciled(false);
        Self {
            config,
            ask: Model::on_bar,
            symbols,
            trader,
            books,
            comparison: None,
            comparisons: 0,
            next_comparison: now,
            compared_at: None,
            maybe_absent: Vec::new(),
            clocks: Clocks::default(),
            is_listening: false,
        }
    }

    #[must_use]
    pub const fn trader(&self) -> &Trader {
        &self.trader
    }

    pub const fn trader_mut(&mut self) -> &mut Trader {
        &mut self.trader
    }

    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    #[must_use]
    pub fn snapshot(&self) -> TraderState {
        let router = self.router().state().clone();
        let mut snapshot = self.trader.snapshot();
        snapshot.live = Some(LiveState { router, books: self.books.clone() });
        snapshot
    }

    #[must_use]
    pub fn router(&self) -> &Router {
        self.trader.router().expect("a live trader has a router: see begin and restore")
    }

    pub(super) fn router_mut(&mut self) -> &mut Router {
        self.trader.router_mut().expect("a live trader has a router: see begin and restore")
    }

    #[must_use]
    pub const fn is_reconciled(&self) -> bool {
        self.trader.desk().is_reconciled()
    }

    /// Does the venue tell what becomes of orders? Without, they are asked about.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        self.is_listening
    }

    /// Nothing is open or in doubt, and nothing is being compared or closed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.router().state().open().next().is_none()
            && self.books.closing.is_none()
            && self.comparison.is_none()
            && self.is_reconciled()
            && self.next_comparison > self.compared_at.unwrap_or(Time::MIN) + reconcile::EVERY - Span::from_micros(1)
    }

    /// Is a word to close everything being carried out?
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.books.closing.is_some()
    }

    /// Has a comparison come to an end, so that the next is not due soon?
    #[must_use]
    pub fn has_compared(&self, now: Time) -> bool {
        self.comparison.is_none() && self.next_comparison > now + COMPARE_AGAIN_AFTER
    }

    /// What the venue's balances should be, by currency.
    #[must_use]
    pub fn expected(&self) -> BTreeMap<String, Qty> {
        let desk = self.trader.desk();
        reconcile::expected(&self.books.baseline, &self.symbols, desk.positions(), desk.cash())
    }

    /// When a [`Event::Tick`] has something to do.
    #[must_use]
    pub fn next_wake(&self) -> Time {
        let comparison = match &self.comparison {
            None => self.next_comparison,
            Some(comparison) => comparison.begin_again_at.unwrap_or(comparison.began + Span::from_secs(31)),
        };
        let closing = self.books.closing.as_ref().map(|closing| closing.next);
        [self.router().next_wake(), closing].into_iter().flatten().fold(comparison, Time::min)
    }

    /// Takes one event.
    pub fn handle(&mut self, event: Event, now: Time) -> Step {
        let (mut step, mut out) = (Step::default(), Outbox::default());
        self.look_at_clock(now, &mut step, &mut out);
        let is_moment = matches!(event, Event::Moment { .. });
        let taken = self.take(event, now, &mut step, &mut out);
        self.note_error(taken, now, &mut step, &mut out);
        // What a moment wants is on disk before its first request is written down: a step of its own.
        if !is_moment {
            self.go_on(now, &mut step, &mut out);
        }
        self.settle(now, &mut step, &mut out);
        step.records = out.records;
        step
    }

    fn take(&mut self, event: Event, now: Time, step: &mut Step, out: &mut Outbox) -> Result<(), DeskError> {
        match event {
            Event::Moment { open_time, bars } => return self.on_moment(open_time, &bars, now, step, out),
            Event::Answer(AskId::Router(number), result) => self.router_mut().on_answer(number, result, now),
            Event::Answer(AskId::Compare(number, question), result) => self.on_compared(number, question, result, now, step, out),
            Event::Answer(AskId::Rules, _) | Event::Tick => {}
            Event::Push(push) => self.on_push(&push, now),
            Event::Offset(offset) => self.on_offset(offset, now, step, out),
            Event::Rules(listings) => self.obey(&listings),
            Event::Stop { close } => self.stop(close, now, step, out),
            Event::Doubt => self.doubt_account(now),
            Event::WindDown => self.wind_down(now),
            Event::Resume => {
                self.trader.desk_mut().resume();
                self.books.closing = None;
                self.doubt_account(now);
            }
            Event::Accept(account) => self.accept(&account, now),
        }
        Ok(())
    }

    /// C18: the next order is held to them.
    fn obey(&mut self, listings: &[Option<Listing>]) {
        let aside = |symbol: &Symbol| self.books.baseline.get(symbol.base()).copied().unwrap_or(Qty::ZERO);
        let all: Vec<(Option<Listing>, Qty)> =
            listings.iter().zip(&self.symbols).map(|(listing, symbol)| (listing.clone(), aside(symbol))).collect();
        self.trader.desk_mut().obey(&all);
    }

    fn on_push(&mut self, push: &Push, now: Time) {
        match push {
            // Events were lost: nothing is known until it was compared. D1.
            Push::Up | Push::Down { .. } => {
                self.is_listening = matches!(push, Push::Up);
                self.doubt_account(now);
            }
            Push::Moved { .. } => self.doubt_account(now),
            Push::Order { .. } => self.router_mut().on_push(push, now),
            Push::Balances { .. } => {}
        }
    }

    /// The account must be compared before anything is traded again.
    pub(super) fn doubt_account(&mut self, now: Time) {
        self.trader.desk_mut().set_reconciled(false);
        (self.comparison, self.next_comparison) = (None, now);
    }

    fn look_at_clock(&mut self, now: Time, step: &mut Step, out: &mut Outbox) {
        let due = self.next_wake();
        match self.clocks.read(now, due) {
            Reading::Fine => {}
            Reading::Slept(_) => self.doubt_account(now),
            Reading::WentBack(by) => {
                step.alarms.push(Alarm::Clock { what: format!("the clock went back by {by}") });
                self.halt(HaltCause::Clock, now, step, out);
            }
        }
    }

    fn on_offset(&mut self, offset: Span, now: Time, step: &mut Step, out: &mut Outbox) {
        let what = || format!("the venue's clock is {offset} ahead of ours");
        match clocks::judge(offset) {
            Offset::Fine => {}
            Offset::Pause => {
                self.trader.desk_mut().pause(now + reconcile::EVERY);
                step.alarms.push(Alarm::Clock { what: what() });
            }
            Offset::Halt => {
                step.alarms.push(Alarm::Clock { what: what() });
                self.halt(HaltCause::Clock, now, step, out);
            }
        }
    }

    pub(super) fn halt(&mut self, cause: HaltCause, now: Time, step: &mut Step, out: &mut Outbox) {
        if self.trader.desk_mut().latch(now, cause, false, out) {
            step.alarms.push(Alarm::Halted { cause });
        }
    }

    fn stop(&mut self, close: Option<Purpose>, now: Time, step: &mut Step, out: &mut Outbox) {
        self.halt(HaltCause::Operator, now, step, out);
        self.router_mut().close(now);
        self.router_mut().open_again();
        self.router_mut().cancel_all(now);
        if let Some(purpose) = close {
            self.books.closing = Some(Closing::new(purpose, now));
        }
    }

    /// What is due by time: withdrawals, questions, comparisons, closing.
    fn go_on(&mut self, now: Time, step: &mut Step, out: &mut Outbox) {
        self.router_mut().tick(now);
        if self.compared_at.is_some_and(|at| now - at > COMPARED_FOR) {
            self.trader.desk_mut().set_reconciled(false);
        }
        match &self.comparison {
            Some(comparison) if comparison.is_lost(now) => {
                (self.comparison, self.next_comparison) = (None, now + COMPARE_AGAIN_AFTER);
            }
            Some(comparison) if comparison.begin_again_at.is_some_and(|at| at <= now) => {
                let readings = comparison.readings;
                self.compare(now, readings, step);
            }
            Some(_) => {}
            None if self.next_comparison <= now => self.compare(now, 0, step),
            None => {}
        }
        let closed = self.go_on_closing(now, out);
        self.note_error(closed.map(|closed| step.closed = closed), now, step, out);
    }

    fn go_on_closing(&mut self, now: Time, out: &mut Outbox) -> Result<Option<Closed>, DeskError> {
        let Some(mut closing) = self.books.closing.clone() else { return Ok(None) };
        let has_open = self.router().state().open().next().is_some();
        let desk = self.trader.desk_mut();
        if !has_open {
            desk.flatten(closing.purpose);
        }
        let is_exiting = (0..self.symbols.len()).any(|at| !desk.is_negligible(index(at)));
        if has_open || (is_exiting && !closing.is_out_of_rounds()) {
            if !has_open && closing.take_round(now) {
                (0..self.symbols.len()).for_each(|at| desk.exit_rest(index(at), now, out));
                self.trader.send(now, out)?;
            }
            closing.next = closing.next.max(now + Span::from_millis(100));
            self.books.closing = Some(closing);
            return Ok(None);
        }
        if now < closing.next && is_exiting {
            self.books.closing = Some(closing);
            return Ok(None);
        }
        self.trader.desk_mut().end_exits_in_dust();
        self.books.closing = None;
        let residue = self.trader.desk().positions().filter(|(_, position)| !position.is_zero()).collect();
        Ok(Some(Closed { residue, is_flat: !is_exiting }))
    }

    /// Moves what the router says to the desk and out, until nothing is left to move.
    fn settle(&mut self, now: Time, step: &mut Step, out: &mut Outbox) {
        loop {
            let sent = self.trader.send(now, out);
            self.note_error(sent, now, step, out);
            self.note_kills(now, out);
            let actions = self.router_mut().take_actions();
            if actions.is_empty() && out.cancels.is_empty() && out.submits.is_empty() {
                return;
            }
            self.perform(actions, now, step, out);
        }
    }

    fn perform(&mut self, actions: Actions, now: Time, step: &mut Step, out: &mut Outbox) {
        for fact in &actions.facts {
            if let Fact::Filled { symbol, fill, .. } = fact {
                let newest = &mut self.books.newest_trades[symbol.at()];
                *newest = (*newest).max(Some(fill.trade));
                self.books.fills += 1;
                if let Some(comparison) = &mut self.comparison {
                    comparison.is_stirred = true;
                }
                self.next_comparison = self.next_comparison.min(now + COMPARE_AFTER_FILL);
            }
        }
        step.facts.extend(actions.facts);
        step.asks.extend(actions.asks.into_iter().map(|(number, request)| (AskId::Router(number), request)));
        for reading in actions.round_trips {
            self.books.round_trips.push(reading);
            step.is_measured = true;
            if let Some(until) = self.trader.desk_mut().latency(now, reading) {
                step.alarms.push(Alarm::Slow { until });
            }
        }
        if !actions.compare.is_empty() {
            self.maybe_absent.extend(actions.compare);
            self.next_comparison = now;
        }
        for alarm in actions.alarms {
            let cause = match &alarm {
                Alarm::Foreign { .. } => Some(HaltCause::ForeignActivity),
                Alarm::Protocol { .. } => Some(HaltCause::VenueProtocol),
                Alarm::Overfilled { .. } => Some(HaltCause::Overfill),
                Alarm::Key { .. } => Some(HaltCause::VenueKey),
                Alarm::Unresolved { .. } => Some(HaltCause::UnresolvedOrder),
                _ => None,
            };
            if matches!(alarm, Alarm::LateFill { .. }) {
                self.doubt_account(now);
            }
            if matches!(alarm, Alarm::RulesStale { .. }) {
                step.asks.push((AskId::Rules, Request::Rules));
            }
            step.alarms.push(alarm);
            if let Some(cause) = cause {
                self.halt(cause, now, step, out);
            }
        }
    }

    /// A kill switch that tripped with `flatten` closes everything, round by round.
    fn note_kills(&mut self, now: Time, out: &Outbox) {
        let is_flattening = |notice: &Notice| matches!(notice, Notice::Killed { trip, .. } if trip.flatten);
        if self.books.closing.is_none() && out.records.notices.iter().any(is_flattening) {
            self.books.closing = Some(Closing::new(Purpose::KillSwitch, now));
        }
    }

    fn note_error(&mut self, result: Result<(), DeskError>, now: Time, step: &mut Step, out: &mut Outbox) {
        if let Err(error) = result {
            step.alarms.push(Alarm::Protocol { what: error.to_string() });
            self.halt(HaltCause::VenueProtocol, now, step, out);
        }
    }
}

fn index(at: usize) -> SymbolIndex {
    SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"))
}
