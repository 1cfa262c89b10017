//! What the router makes of what the venue shows: each order as it is, each trade once.

use super::doubt::Doubt;
use super::fact::{Alarm, Fact};
use super::machine::{Asked, Router};
use super::order::{CancelCause, Routed};
use crate::domain::{
    ClientOrderId, FeeIn, Fill, Money, OrderEvent, OrderIntent, OrderKind, OrderState, Price, Qty, RejectReason, Side,
    SymbolIndex, Time,
};
use crate::venue::OrderReport;
use crate::venue::wire::{Answer, Failure, Owner, Push, Request, VenueFill, VenueOrder, VenueStatus};

impl Router {
    /// Takes what the venue says unasked.
    pub fn on_push(&mut self, push: &Push, now: Time) {
        let Push::Order { order, execution, .. } = push else { return };
        let known = match &order.owner {
            Owner::Ours(id) => Some(*id).filter(|id| self.state.orders.contains_key(id)),
            Owner::Foreign(_) => None,
        };
        let Some(id) = known else {
            let client_id = match &order.owner {
                Owner::Ours(id) => id.to_string(),
                Owner::Foreign(text) => text.clone(),
            };
            self.out.alarms.push(Alarm::Foreign { symbol: order.symbol_text.clone(), client_id });
            return;
        };
        let routed = self.order_mut(id);
        if *execution < routed.execution {
            // Overtaken: its trade still counts, what it says of the whole does not.
            let late = VenueOrder { status: None, filled: Qty::ZERO, ..order.clone() };
            return self.absorb(id, &late, now);
        }
        routed.execution = *execution;
        self.absorb(id, order, now);
    }

    /// Takes an order of a list of open ones. Gives whether it is known here.
    pub fn on_seen(&mut self, order: &VenueOrder, now: Time) -> bool {
        let Owner::Ours(id) = order.owner else { return false };
        let is_known = self.state.orders.contains_key(&id);
        if is_known {
            self.absorb(id, order, now);
        }
        is_known
    }

    /// Takes a trade of a list. Gives whether its order is known here.
    pub fn on_trade(&mut self, symbol: SymbolIndex, fill: &VenueFill, now: Time) -> bool {
        let of_it = |order: &&Routed| order.venue_id == Some(fill.order) && order.intent.symbol == symbol;
        let Some(id) = self.state.orders.values().find(of_it).map(Routed::id) else { return false };
        let before = self.state.orders[&id].clone();
        self.book(id, std::slice::from_ref(fill), now);
        self.conclude(id, now);
        if self.state.orders[&id] != before {
            self.moved(id);
        }
        true
    }

    /// The list of open orders of a symbol does not have these: the venue is asked what became of them.
    pub fn on_missing(&mut self, symbol: SymbolIndex, listed: &[VenueOrder], now: Time) {
        let is_listed = |order: &Routed| listed.iter().any(|seen| seen.owner == Owner::Ours(order.id()));
        let is_missing =
            |order: &&Routed| order.is_at_venue() && order.intent.symbol == symbol && order.doubt.is_none() && !is_listed(order);
        let missing: Vec<ClientOrderId> = self.state.open().filter(is_missing).map(Routed::id).collect();
        missing.into_iter().for_each(|id| self.order_mut(id).doubt = Some(Doubt::at_once(now)));
    }

    /// Takes an order as the venue sees it, from wherever it came. Twice is once.
    pub(super) fn absorb(&mut self, id: ClientOrderId, seen: &VenueOrder, now: Time) {
        if let Err(what) = fits(&self.state.orders[&id], seen) {
            self.out.alarms.push(Alarm::Protocol { what: what.clone() });
            if self.state.orders[&id].state == OrderState::Sending {
                self.lose_sight(id, now, &what);
            }
            return;
        }
        let order = self.order_mut(id);
        let before = order.clone();
        order.venue_id = Some(seen.venue_id);
        if seen.ordered.is_positive() {
            order.ordered = Some(seen.ordered);
        }
        order.told = order.told.max(seen.filled);
        if seen.status == Some(VenueStatus::Unheard) {
            self.out.alarms.push(Alarm::Unheard { id });
            if self.state.orders[&id].is_out() {
                self.lose_sight(id, now, "its status is a word that we do not know");
            }
        } else {
            self.accept(id, seen, now);
        }
        self.book(id, &seen.fills, now);
        self.conclude(id, now);
        self.ask_for_missing_fills(id, now);
        if self.state.orders[&id] != before {
            self.moved(id);
        }
    }

    /// What the venue knows of is not unknown.
    fn accept(&mut self, id: ClientOrderId, seen: &VenueOrder, now: Time) {
        let order = self.order_mut(id);
        if order.state.is_terminal() {
            return;
        }
        if let Some(status) = seen.status.filter(|status| status.is_terminal()) {
            order.ended.get_or_insert(status);
        }
        order.doubt = None;
        let was_unknown = order.state == OrderState::Unknown;
        if matches!(order.state, OrderState::Sending | OrderState::Unknown) && seen.status != Some(VenueStatus::Rejected) {
            order.take(OrderEvent::Accept).expect("an order on its way can be accepted: see the table");
            let state = order.state;
            self.reports.push(OrderReport::Accepted { id, at: seen.at });
            if was_unknown {
                self.out.alarms.push(Alarm::Resolved { id, state });
            }
        }
        let order = self.order_mut(id);
        if let Some(withdrawal) = &mut order.withdrawal {
            withdrawal.next = withdrawal.next.min(now);
        }
    }

    /// ROUTE-4, ROUTE-5.
    fn book(&mut self, id: ClientOrderId, fills: &[VenueFill], now: Time) {
        let mut fresh: Vec<Fill> = Vec::new();
        for seen in fills {
            let order = self.order_mut(id);
            if !order.trades.insert(seen.trade) {
                continue;
            }
            let (was_ended, most, symbol) = (order.state.is_terminal(), order.most(), order.intent.symbol);
            order.filled += seen.qty;
            order.told = order.told.max(order.filled);
            let is_over = most.is_some_and(|most| order.filled > most);
            let intent = order.intent;
            let fill = self.fill(&intent, seen);
            self.out.alarms.extend(beyond_limit(&intent, seen));
            self.out.facts.push(Fact::Filled { id, symbol, fill: seen.clone() });
            if was_ended || is_over {
                self.reports.push(OrderReport::Excess { fill, at: now });
                self.out.alarms.push(if is_over {
                    Alarm::Overfilled { id }
                } else {
                    Alarm::LateFill { id, trade: seen.trade.0 }
                });
            } else {
                fresh.push(fill);
            }
        }
        let order = &self.state.orders[&id];
        let is_whole = order.ended == Some(VenueStatus::Filled) && order.filled >= order.told;
        let count = fresh.len();
        for (place, fill) in fresh.into_iter().enumerate() {
            let done = is_whole && place + 1 == count;
            let order = self.order_mut(id);
            let event = if done { OrderEvent::FillRest } else { OrderEvent::FillPart };
            order.take(event).expect("an order at the venue can be filled: see the table");
            if done {
                (order.ended_at, order.doubt, order.withdrawal) = (Some(now), None, None);
            }
            self.reports.push(OrderReport::Filled { fill, done });
        }
    }

    /// ROUTE-5: ends an order whose end the venue has told, once its trades add up.
    pub(super) fn conclude(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        let Some(ended) = order.ended.filter(|_| !order.state.is_terminal() && order.filled >= order.told) else { return };
        let is_expiry = order.withdrawal.is_some_and(|withdrawal| withdrawal.cause == CancelCause::Expiry);
        let (event, report) = match ended {
            VenueStatus::Filled => (OrderEvent::FillRest, OrderReport::Completed { id, at: now }),
            VenueStatus::Canceled if !is_expiry => (OrderEvent::Cancel, OrderReport::Canceled { id, at: now }),
            VenueStatus::Canceled | VenueStatus::Expired => (OrderEvent::Expire, OrderReport::Expired { id, at: now }),
            VenueStatus::Rejected => (OrderEvent::Reject, OrderReport::Rejected { id, at: now, reason: RejectReason::Other }),
            VenueStatus::New | VenueStatus::PartiallyFilled | VenueStatus::Unheard => return,
        };
        if let Err(bad) = order.take(event) {
            self.out.alarms.push(Alarm::Protocol { what: format!("order {id}: {bad}") });
            return;
        }
        (order.ended_at, order.doubt, order.withdrawal) = (Some(now), None, None);
        self.reports.push(report);
    }

    fn ask_for_missing_fills(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        let Some(venue_id) = order.venue_id.filter(|_| order.told > order.filled && !order.state.is_terminal()) else { return };
        let symbol = order.intent.symbol;
        order.doubt.get_or_insert_with(|| Doubt::new(now));
        if !self.is_asked(Asked::Fills(id)) {
            self.ask(Asked::Fills(id), Request::FillsOf { symbol, order: venue_id });
        }
    }

    pub(super) fn on_fills(&mut self, id: ClientOrderId, result: Result<Answer, Failure>, now: Time) {
        let Ok(Answer::Fills(fills)) = result else { return };
        let order = &self.state.orders[&id];
        let before = order.clone();
        let of_this = |fill: &&VenueFill| Some(fill.order) == order.venue_id;
        let fills: Vec<VenueFill> = fills.iter().filter(of_this).cloned().collect();
        self.book(id, &fills, now);
        self.conclude(id, now);
        let order = self.order_mut(id);
        if order.filled >= order.told && order.state != OrderState::Unknown {
            order.doubt = None;
        }
        if self.state.orders[&id] != before {
            self.moved(id);
        }
    }

    /// A fill in the account's terms: the fee's worth and what it was taken from.
    fn fill(&self, intent: &OrderIntent, seen: &VenueFill) -> Fill {
        let symbol = &self.config.symbols[intent.symbol.at()];
        let (fee, fee_in) = if seen.fee_asset == symbol.quote() || seen.fee.is_zero() {
            (ONE.notional(seen.fee), FeeIn::Quote)
        } else if seen.fee_asset == symbol.base() {
            (seen.price.notional(seen.fee), FeeIn::Base(seen.fee))
        } else {
            (Money::ZERO, FeeIn::Other)
        };
        let OrderIntent { id, symbol, side, purpose, reference, .. } = *intent;
        let VenueFill { price, qty, liquidity, at, .. } = *seen;
        Fill { order: id, symbol, side, purpose, at, price, qty, fee, fee_in, liquidity, reference }
    }
}

/// A limit order is never filled at a worse price, on any venue that keeps its word.
fn beyond_limit(intent: &OrderIntent, seen: &VenueFill) -> Option<Alarm> {
    let OrderKind::Limit { price: limit, .. } = intent.kind else { return None };
    let is_worse = if intent.side == Side::Buy { seen.price > limit } else { seen.price < limit };
    let what = || format!("order {} was filled at {}, beyond its limit of {limit}", intent.id, seen.price);
    is_worse.then(|| Alarm::Protocol { what: what() })
}

/// A price of one: an amount of quote currency times it is money.
const ONE: Price = Price::from_count(10_000_000_000);

/// Is what the venue shows the order that we mean?
fn fits(order: &Routed, seen: &VenueOrder) -> Result<(), String> {
    let id = order.id();
    if seen.owner != Owner::Ours(id) {
        return Err(format!("an answer about order {id} is about {:?}", seen.owner));
    }
    if seen.symbol != Some(order.intent.symbol) {
        return Err(format!("order {id} is on another symbol at the venue: {}", seen.symbol_text));
    }
    if seen.side != order.intent.side {
        return Err(format!("order {id} is a {} at the venue", if seen.side == Side::Buy { "buy" } else { "sell" }));
    }
    if order.venue_id.is_some_and(|known| known != seen.venue_id) {
        return Err(format!("order {id} has two numbers at the venue: {:?} and {:?}", order.venue_id, seen.venue_id));
    }
    Ok(())
}
