//! The router's moves: sending, hearing, withdrawing, asking.

use std::collections::{BTreeMap, BTreeSet};

use super::doubt::Doubt;
use super::fact::{Actions, Alarm, Fact, RequestId};
use super::order::{CancelCause, Routed};
use super::state::RouterState;
use crate::domain::{ClientOrderId, OrderEvent, OrderIntent, OrderState, RejectReason, Span, Symbol, Time};
use crate::risk::Approved;
use crate::venue::wire::{Answer, Failure, Owner, Request, VenueStatus};
use crate::venue::{OrderReport, Venue};

/// An order that could not leave is tried so often in all.
const SENDS_MAX: u8 = 3;
/// The venue's clock may go back while it wants nothing: nobody knocks before it has opened by any clock.
pub const CLOSED_MARGIN: Span = Span::from_secs(2);
const RESEND_AFTER: Span = Span::from_millis(500);
/// All orders of so long before the decision are looked through for one that may be absent.
const LOOK_BACK: Span = Span::from_secs(60);
const ORDERS_RANGE_MAX: Span = Span::from_days(1);

#[derive(Debug, Clone)]
pub struct RouterConfig {
    pub symbols: Vec<Symbol>,
    /// An order that could not leave so long after its decision never will.
    pub send_within: Span,
    /// How long after its time stamp the venue accepts a request.
    pub receive_window: Span,
}

/// What an answer will be an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Place { id: ClientOrderId, at: Time },
    Cancel(ClientOrderId),
    Order(ClientOrderId),
    OpenOrders(ClientOrderId),
    AllOrders(ClientOrderId),
    Fills(ClientOrderId),
}

#[derive(Debug, Clone)]
pub struct Router {
    pub(super) config: RouterConfig,
    pub(super) state: RouterState,
    /// Orders whose request is to leave, oldest first, each with the sends so far and when the next may be.
    pub(super) waiting: Vec<(ClientOrderId, u8, Option<Time>)>,
    asked: BTreeMap<RequestId, Asked>,
    next_request: u64,
    /// Nothing is placed any more.
    is_closed: bool,
    pub(super) out: Actions,
    pub(super) reports: Vec<OrderReport>,
}

impl Router {
    #[must_use]
    pub fn new(config: RouterConfig) -> Self {
        Self {
            config,
            state: RouterState::default(),
            waiting: Vec::new(),
            asked: BTreeMap::new(),
            next_request: 0,
            is_closed: false,
            out: Actions::default(),
            reports: Vec::new(),
        }
    }

    /// Goes on after a restart. `sent` are orders of which the journal says that their request may have left. What was never sent is
    /// abandoned, not sent late; about all others the venue is asked.
    #[must_use]
    pub fn restore(config: RouterConfig, state: RouterState, sent: &BTreeSet<ClientOrderId>, now: Time) -> Self {
        let mut router = Self { state, ..Self::new(config) };
        let open: Vec<ClientOrderId> = router.state.open().map(Routed::id).collect();
        for id in open {
            let order = router.state.orders.get_mut(&id).expect("it was listed just now");
            if order.state == OrderState::Approved && sent.contains(&id) {
                order.take(OrderEvent::Send).expect("an approved order can be sent: see the table");
                order.sent_at = Some(now);
            }
            match order.state {
                OrderState::Approved => router.abandon(id, now, "it had not been sent when the program ended"),
                OrderState::Sending => router.lose_sight(id, now, "the program ended while it was on its way"),
                _ => order.doubt = Some(Doubt::at_once(now)),
            }
            if let Some(doubt) = router.state.orders.get_mut(&id).and_then(|order| order.doubt.as_mut()) {
                *doubt = Doubt::at_once(now);
            }
        }
        router
    }

    #[must_use]
    pub const fn state(&self) -> &RouterState {
        &self.state
    }

    /// What is to be done since this was last taken.
    #[must_use]
    pub fn take_actions(&mut self) -> Actions {
        std::mem::take(&mut self.out)
    }

    /// Places nothing any more: what waits is abandoned. Orders at the venue go on.
    pub fn close(&mut self, now: Time) {
        self.is_closed = true;
        for (id, _, _) in std::mem::take(&mut self.waiting) {
            self.give_up(id, now, "trading was stopped");
        }
    }

    pub const fn open_again(&mut self) {
        self.is_closed = false;
    }

    /// Asks to withdraw everything that is open.
    pub fn cancel_all(&mut self, now: Time) {
        let open: Vec<ClientOrderId> = self.state.open().map(Routed::id).collect();
        for id in open {
            // Whoever asks for this waits neither for the next try nor for an answer that may never come.
            let has_no_answer = self.is_asked(Asked::Cancel(id));
            self.order_mut(id).withdrawal = None;
            self.withdraw(id, now, CancelCause::Wanted);
            let order = &self.state.orders[&id];
            if has_no_answer && order.is_out() {
                let symbol = order.intent.symbol;
                self.ask(Asked::Cancel(id), Request::Cancel { symbol, id });
            }
        }
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let opens = self.state.throttled_until.unwrap_or(Time::MIN);
        let waiting = self.waiting.iter().map(|(id, _, next)| {
            // Too late to be sent, it is given up without the venue.
            let too_late = self.state.orders[id].intent.decided_at + self.config.send_within + Span::from_micros(1);
            next.unwrap_or(Time::MIN).max(opens).min(too_late)
        });
        let orders = self.state.open().flat_map(|order| {
            let expiry = order.expires_at().filter(|_| order.is_at_venue() && order.withdrawal.is_none());
            let withdrawal = order.withdrawal.filter(|_| order.is_out()).map(|withdrawal| withdrawal.next);
            [order.doubt.as_ref().map(|doubt| doubt.next), withdrawal, expiry]
        });
        waiting.chain(orders.flatten()).min()
    }

    /// Does what is due: sends, asks, withdraws.
    pub fn tick(&mut self, now: Time) {
        self.send_waiting(now);
        let open: Vec<ClientOrderId> = self.state.open().map(Routed::id).collect();
        for id in open {
            self.ask_if_doubtful(id, now);
            let order = &self.state.orders[&id];
            let has_expired = order.is_at_venue() && order.expires_at().is_some_and(|at| at <= now);
            if has_expired && order.withdrawal.is_none() {
                self.withdraw(id, now, CancelCause::Expiry);
            } else if order.withdrawal.is_some_and(|withdrawal| withdrawal.next <= now) {
                self.ask_to_cancel(id, now);
            }
        }
        self.state.orders.forget(now);
    }

    fn send_waiting(&mut self, now: Time) {
        let is_throttled = self.state.throttled_until.is_some_and(|until| now < until);
        for (id, sends, next) in std::mem::take(&mut self.waiting) {
            let intent = self.state.orders[&id].intent;
            if now - intent.decided_at > self.config.send_within {
                self.give_up(id, now, "it could not be sent in time");
            } else if is_throttled || next.is_some_and(|next| now < next) {
                self.waiting.push((id, sends, next));
            } else {
                self.send(id, now);
            }
        }
    }

    /// ROUTE-1: the fact stands in the same batch as the request, and facts go first.
    fn send(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        if order.state == OrderState::Approved {
            order.take(OrderEvent::Send).expect("an approved order can be sent: see the table");
        }
        order.sent_at = Some(now);
        let intent = order.intent;
        self.moved(id);
        self.ask(Asked::Place { id, at: now }, Request::Place(intent));
    }

    /// An order that never left, or of which the venue said that nothing was done.
    fn abandon(&mut self, id: ClientOrderId, now: Time, why: &str) {
        let order = self.order_mut(id);
        order.take(OrderEvent::Abandon).expect("what is not at the venue can be abandoned: see the table");
        (order.ended_at, order.doubt, order.withdrawal) = (Some(now), None, None);
        self.moved(id);
        self.reports.push(OrderReport::Abandoned { id, at: now });
        self.out.alarms.push(Alarm::NotSent { id, why: why.to_owned() });
    }

    pub(super) fn give_up(&mut self, id: ClientOrderId, now: Time, why: &str) {
        if !self.order_mut(id).state.is_terminal() {
            self.abandon(id, now, why);
        }
    }

    pub(super) fn ask(&mut self, asked: Asked, request: Request) {
        let number = RequestId(self.next_request);
        self.next_request += 1;
        self.asked.insert(number, asked);
        self.out.asks.push((number, request));
    }

    pub(super) fn is_asked(&self, asked: Asked) -> bool {
        self.asked.values().any(|other| *other == asked)
    }

    pub(super) fn order_mut(&mut self, id: ClientOrderId) -> &mut Routed {
        self.state.orders.get_mut(&id).expect("orders on their way are remembered until they have ended")
    }

    pub(super) fn moved(&mut self, id: ClientOrderId) {
        let order = self.state.orders[&id].clone();
        self.out.facts.push(Fact::Moved { order });
    }

    /// Takes the answer to a request of an earlier batch.
    pub fn on_answer(&mut self, number: RequestId, result: Result<Answer, Failure>, now: Time) {
        let Some(asked) = self.asked.remove(&number) else { return };
        match asked {
            Asked::Place { id, at } => {
                // A request that never left measures nothing.
                if !matches!(result, Err(Failure::NotSent(_))) {
                    self.out.round_trips.push(now - at);
                }
                self.on_placed(id, result, now);
            }
            Asked::Cancel(id) => self.on_canceled(id, result, now),
            Asked::Order(id) => self.on_order(id, result, now),
            Asked::OpenOrders(id) => self.on_list(id, result, now, true),
            Asked::AllOrders(id) => self.on_list(id, result, now, false),
            Asked::Fills(id) => self.on_fills(id, result, now),
        }
    }

    fn on_placed(&mut self, id: ClientOrderId, result: Result<Answer, Failure>, now: Time) {
        let failure = match result {
            Ok(Answer::Order(order)) => return self.absorb(id, &order, now),
            Ok(other) => Failure::Protocol(format!("{other:?} to an order")),
            Err(failure) => failure,
        };
        let order = self.order_mut(id);
        if order.state != OrderState::Sending {
            // The stream was quicker: the order is known to be there, whatever became of the answer.
            if order.is_out() && order.doubt.is_none() {
                order.doubt = Some(Doubt::at_once(now));
            }
            return;
        }
        match failure {
            Failure::NotSent(why) => self.send_again(id, now, &why),
            Failure::Clock => self.give_up(id, now, "the venue's clock differs from ours"),
            Failure::Rejected { reason, text, .. } => {
                if reason == RejectReason::Filter {
                    self.out.alarms.push(Alarm::RulesStale { id, text });
                }
                self.rejected(id, now, reason);
            }
            Failure::Key { text, .. } => {
                self.out.alarms.push(Alarm::Key { text });
                self.rejected(id, now, RejectReason::NotPermitted);
            }
            Failure::Throttled { until } | Failure::Banned { until } => {
                self.throttle(&failure, until);
                self.rejected(id, now, RejectReason::Throttled);
            }
            // The id is taken: by ourselves, before an answer was lost.
            Failure::Duplicate => self.lose_sight_and_ask(id, now, &failure.to_string()),
            Failure::Protocol(what) => {
                self.lose_sight(id, now, &what);
                self.out.alarms.push(Alarm::Protocol { what });
            }
            // The last three are no answers to an order: nobody knows.
            Failure::Ambiguous(_) | Failure::NoSuchOrder | Failure::NotOpen | Failure::Archived => {
                self.lose_sight(id, now, &failure.to_string());
            }
        }
    }

    /// ROUTE-2: only where not a byte has left, under the same id.
    fn send_again(&mut self, id: ClientOrderId, now: Time, why: &str) {
        let sends = self.order_mut(id).sends.saturating_add(1);
        self.order_mut(id).sends = sends;
        if sends >= SENDS_MAX || self.is_closed {
            self.give_up(id, now, why);
        } else {
            self.waiting.push((id, sends, Some(now + RESEND_AFTER)));
        }
    }

    pub(super) fn throttle(&mut self, failure: &Failure, until: Time) {
        self.state.throttled_until = self.state.throttled_until.max(Some(until + CLOSED_MARGIN));
        self.out.alarms.push(match failure {
            Failure::Banned { .. } => Alarm::Banned { until },
            _ => Alarm::Throttled { until },
        });
    }

    fn rejected(&mut self, id: ClientOrderId, now: Time, reason: RejectReason) {
        let order = self.order_mut(id);
        order.take(OrderEvent::Reject).expect("an order on its way can be rejected: see the table");
        (order.ended_at, order.doubt, order.withdrawal) = (Some(now), None, None);
        self.moved(id);
        self.reports.push(OrderReport::Rejected { id, at: now, reason });
    }

    /// ROUTE-3.
    pub(super) fn lose_sight(&mut self, id: ClientOrderId, now: Time, why: &str) {
        let order = self.order_mut(id);
        if order.state == OrderState::Unknown {
            return;
        }
        order.take(OrderEvent::LoseSight).expect("an order that is out can be lost sight of: see the table");
        order.doubt = Some(Doubt::new(now));
        self.moved(id);
        self.reports.push(OrderReport::Unknown { id, at: now });
        self.out.alarms.push(Alarm::Unknown { id, why: why.to_owned() });
    }

    fn lose_sight_and_ask(&mut self, id: ClientOrderId, now: Time, why: &str) {
        self.lose_sight(id, now, why);
        self.order_mut(id).doubt = Some(Doubt::at_once(now));
    }

    fn ask_if_doubtful(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        let (symbol, venue_id) = (order.intent.symbol, order.venue_id);
        let lacks_fills = order.told > order.filled && !order.state.is_terminal();
        let Some(doubt) = &mut order.doubt else { return };
        if !doubt.is_paged && doubt.is_old(now) {
            doubt.is_paged = true;
            let since = doubt.since;
            self.out.alarms.push(Alarm::Unresolved { id, since });
        }
        let Some(doubt) = self.order_mut(id).doubt.as_mut().filter(|doubt| doubt.next <= now) else { return };
        doubt.ask(now);
        if let Some(order) = venue_id.filter(|_| lacks_fills)
            && !self.is_asked(Asked::Fills(id))
        {
            self.ask(Asked::Fills(id), Request::FillsOf { symbol, order });
        }
        if !self.is_asked(Asked::Order(id)) {
            self.ask(Asked::Order(id), Request::Order { symbol, id });
        }
    }

    fn on_order(&mut self, id: ClientOrderId, result: Result<Answer, Failure>, now: Time) {
        match result {
            Ok(Answer::Order(order)) => self.absorb(id, &order, now),
            Err(Failure::NoSuchOrder) => self.on_denied(id, now),
            Err(Failure::Archived) => self.on_archived(id, now),
            Err(failure @ (Failure::Throttled { until } | Failure::Banned { until })) => {
                self.throttle(&failure, until);
                if let Some(doubt) = &mut self.order_mut(id).doubt {
                    doubt.next = doubt.next.max(until + CLOSED_MARGIN);
                }
            }
            Err(Failure::Key { text, .. }) => self.out.alarms.push(Alarm::Key { text }),
            Err(Failure::Protocol(what)) => self.out.alarms.push(Alarm::Protocol { what }),
            // Asked again when it is time.
            Ok(_) | Err(_) => {}
        }
    }

    /// It ended long ago without a fill: as final as an end can be.
    fn on_archived(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        order.ended.get_or_insert(VenueStatus::Expired);
        self.conclude(id, now);
        self.moved(id);
    }

    fn on_denied(&mut self, id: ClientOrderId, now: Time) {
        let window = self.config.receive_window;
        let order = self.order_mut(id);
        let (symbol, decided_at) = (order.intent.symbol, order.intent.decided_at);
        let sent_at = order.sent_at.unwrap_or(now);
        let Some(doubt) = order.doubt.as_mut().filter(|_| !order.state.is_terminal()) else { return };
        if doubt.deny(now, sent_at, window) && !self.is_asked(Asked::OpenOrders(id)) && !self.is_asked(Asked::AllOrders(id)) {
            let from = decided_at - LOOK_BACK;
            let until = now.min(from + ORDERS_RANGE_MAX);
            self.ask(Asked::OpenOrders(id), Request::OpenOrders { symbol: Some(symbol) });
            self.ask(Asked::AllOrders(id), Request::Orders { symbol, from, until });
        }
    }

    /// Takes one of the two lists that are looked through before an order counts as absent.
    fn on_list(&mut self, id: ClientOrderId, result: Result<Answer, Failure>, now: Time, is_open: bool) {
        let Ok(Answer::Orders(list)) = result else { return };
        if let Some(found) = list.iter().find(|order| order.owner == Owner::Ours(id)) {
            return self.absorb(id, found, now);
        }
        let order = self.order_mut(id);
        let Some(doubt) = order.doubt.as_mut().filter(|_| !order.state.is_terminal()) else { return };
        if is_open {
            doubt.lacking.open = true;
        } else {
            doubt.lacking.all = true;
        }
        if doubt.lacking.open && doubt.lacking.all {
            self.out.compare.push(id);
        }
    }

    /// The last word on an order that may be absent: do the balances fit an order that was never there?
    pub fn on_compared(&mut self, id: ClientOrderId, fits: bool, now: Time) {
        let Some(order) = self.state.orders.get_mut(&id).filter(|order| !order.state.is_terminal()) else { return };
        let Some(doubt) = &mut order.doubt else { return };
        if !fits {
            doubt.interrupt();
        } else if order.state == OrderState::Unknown {
            self.abandon(id, now, "the venue never had it");
        } else {
            // It was there and is gone without an end: the venue has lost it (a testnet that was wiped).
            order.ended = Some(VenueStatus::Canceled);
            order.told = order.filled;
            self.out.alarms.push(Alarm::Protocol { what: format!("order {id} has vanished from the venue") });
            self.conclude(id, now);
        }
    }
}

impl Venue for Router {
    fn submit(&mut self, order: Approved<OrderIntent>) {
        let intent = order.consume();
        let id = intent.id;
        assert!(!self.state.orders.contains_key(&id), "ROUTE-2: order id {id} was used before");
        let order = Routed::new(intent);
        self.out.facts.push(Fact::Intended { order: order.clone() });
        self.state.orders.insert(order);
        if self.is_closed {
            self.give_up(id, intent.decided_at, "trading was stopped");
        } else {
            self.waiting.push((id, 0, None));
        }
    }

    fn cancel(&mut self, id: ClientOrderId, at: Time) {
        self.withdraw(id, at, CancelCause::Wanted);
    }

    fn drain(&mut self, out: &mut Vec<OrderReport>) {
        out.append(&mut self.reports);
    }
}
