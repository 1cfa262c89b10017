//! The gate: an ordered list of small checks between an intent and a venue.

use crate::domain::{Instrument, Money, OrderIntent, Price, Purpose, Qty, Side, Size, Span, Time};

use super::halt::{Halt, TradingState};
use super::limits::Limits;
use super::refusal::{Refusal, Refusals};
use super::rules::{DataGap, Rules};

/// Proof that the gate let something pass. It cannot be made elsewhere, copied, converted into or read from a file.
///
/// ```
/// # use tidegate::{domain::OrderIntent, risk::{Gate, View}, venue::Venue};
/// # fn send(gate: &Gate, intent: OrderIntent, view: &View<'_>, venue: &mut dyn Venue) {
/// // The one way to a venue.
/// if let Ok(approved) = gate.check(intent, view) {
///     venue.submit(approved);
/// }
/// # }
/// ```
///
/// ```compile_fail,E0451
/// // RISK-1: the field is private, so there is no way around the gate.
/// let forged = tidegate::risk::Approved { inner: 1 };
/// ```
///
/// ```compile_fail,E0423
/// # use tidegate::domain::OrderIntent;
/// # fn send(intent: OrderIntent, venue: &mut dyn tidegate::venue::Venue) {
/// // VENUE-1: an unchecked order is not what a venue takes.
/// venue.submit(tidegate::risk::Approved(intent));
/// # }
/// ```
///
/// ```compile_fail,E0308
/// # use tidegate::domain::OrderIntent;
/// # fn send(intent: OrderIntent, venue: &mut dyn tidegate::venue::Venue) {
/// venue.submit(intent);
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # use tidegate::{domain::OrderIntent, risk::Approved};
/// # fn twice(approved: Approved<OrderIntent>) {
/// // One approval, one order.
/// let again = approved.clone();
/// # }
/// ```
#[derive(Debug, PartialEq)]
#[must_use = "an approved order that is not sent is lost"]
pub struct Approved<T> {
    inner: T,
}

impl<T> Approved<T> {
    /// What was approved.
    #[inline]
    pub const fn get(&self) -> &T {
        &self.inner
    }

    /// Uses the approval up: a venue calls this once, when it takes the order.
    #[inline]
    pub fn consume(self) -> T {
        self.inner
    }
}

/// What the checks look at: the state of the account and the data at the moment of the decision.
#[derive(Debug, Clone)]
pub struct View<'a> {
    pub now: Time,
    pub state: TradingState,
    pub halt: Option<&'a Halt>,
    pub instrument: &'a Instrument,
    pub symbol_allowed: bool,
    /// Close of the newest bar of the symbol.
    pub data_until: Time,
    pub max_bar_age: Span,
    /// Bars since the last hole, and how many the model's window needs.
    pub bars_since_gap: u32,
    pub model_window: u32,
    /// Orders of the symbol whose fate is not known.
    pub unknown_orders: u32,
    /// The account was compared with the venue and nothing was unexplained.
    pub reconciled: bool,
    /// When an order of this symbol and side was last sent.
    pub last_same_order: Option<Time>,
    /// Orders of this symbol and side in a row, without one of the other side.
    pub repeated_orders: u32,
    /// The close before the reference; `None` on the first bar.
    pub previous_close: Option<Price>,
    /// The last closed bar's volume.
    pub bar_volume: Qty,
    pub position: Qty,
    /// Quantity that open sell orders already claim.
    pub open_sells: Qty,
    pub cash: Money,
    /// Cash that open buy orders may take.
    pub open_buys: Money,
    /// Worst-case notional of the symbol: position at the last close, plus open buys.
    pub symbol_exposure: Money,
    /// The same over all symbols.
    pub total_exposure: Money,
    /// Notional filled today, plus what is open.
    pub turnover_today: Money,
    pub open_orders: u32,
    pub orders_last_minute: u32,
    pub orders_today: u32,
    /// What the venue takes of a fill, at most.
    pub fee: crate::domain::Bps,
    /// The rule of the venue's own that the order breaks.
    pub venue_rule: Option<Refusal>,
}

impl View<'_> {
    /// Quantity that may still be sold.
    fn sellable(&self) -> Qty {
        self.position - self.open_sells
    }

    /// Can this order only make exposure smaller? Spot has no short side: a sale of what is held.
    #[must_use]
    pub fn reduces(&self, intent: &OrderIntent) -> bool {
        intent.side == Side::Sell && matches!(intent.size, Size::Base(qty) if qty <= self.sellable())
    }
}

/// One check: `None` is a pass.
type Check = fn(&Gate, &OrderIntent, &View<'_>) -> Option<Refusal>;

/// Checks of every order, in the order they are reported.
const ALWAYS: [Check; 6] = [halted, unknown_order_open, not_reconciled, duplicate_intent, lot_or_tick, insufficient_balance];

/// Checks of an order that adds exposure (RISK-4 keeps them from exits).
const ADDING: [Check; 15] = [
    symbol_not_allowed,
    stale_data,
    data_gap,
    price_collar,
    reference_moved,
    min_notional,
    max_notional_per_order,
    max_position_notional,
    max_total_notional,
    max_daily_turnover,
    max_participation,
    max_open_orders,
    max_orders,
    repeated_orders,
    venue_rule,
];

/// Holds the limits and rules; the only maker of [`Approved`].
#[derive(Debug, Clone)]
pub struct Gate {
    limits: Limits,
    rules: Rules,
}

impl Gate {
    #[must_use]
    pub const fn new(limits: Limits, rules: Rules) -> Self {
        Self { limits, rules }
    }

    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Runs every check.
    ///
    /// # Errors
    /// All refusals, the headline first.
    pub fn check(&self, intent: OrderIntent, view: &View<'_>) -> Result<Approved<OrderIntent>, Refusals> {
        let adding: &[Check] = if view.reduces(&intent) { &[] } else { &ADDING };
        // No allocation while every check passes.
        let refusals: Vec<Refusal> = ALWAYS.iter().chain(adding).filter_map(|check| check(self, &intent, view)).collect();
        match Refusals::new(refusals) {
            None => Ok(Approved { inner: intent }),
            Some(refusals) => Err(refusals),
        }
    }
}

fn halted(_: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let reduces = view.reduces(intent);
    match (view.state, view.halt) {
        (_, Some(halt)) => {
            let passes = reduces && (!halt.cancels_only || intent.purpose == Purpose::Rollback);
            (!passes).then_some(Refusal::Halted { cause: halt.cause })
        }
        (TradingState::Active, None) => None,
        (TradingState::Reducing | TradingState::Halted, None) => (!reduces).then_some(Refusal::Paused),
    }
}

fn symbol_not_allowed(_: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    (!view.symbol_allowed).then_some(Refusal::SymbolNotAllowed)
}

fn stale_data(_: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let age = view.now - view.data_until;
    (age > view.max_bar_age).then_some(Refusal::StaleData { age, max: view.max_bar_age })
}

fn data_gap(gate: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (bars_since, window) = (view.bars_since_gap, view.model_window);
    (gate.rules.data_gap == DataGap::Deny && bars_since < window).then_some(Refusal::DataGap { bars_since, window })
}

fn unknown_order_open(_: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    (view.unknown_orders > 0).then_some(Refusal::UnknownOrderOpen { orders: view.unknown_orders })
}

fn not_reconciled(_: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    // A person who closes everything sells what we believe to hold; the venue knows whether it is there.
    let is_way_out = intent.purpose == Purpose::Rollback && view.reduces(intent);
    (!view.reconciled && !is_way_out).then_some(Refusal::NotReconciled)
}

fn duplicate_intent(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    // The slices of one exit share their moment and differ in sequence; they are one intent.
    if view.reduces(intent) && intent.id.sequence > 0 {
        return None;
    }
    let since = view.now - view.last_same_order?;
    let window = gate.rules.duplicate_window;
    (since < window).then_some(Refusal::DuplicateIntent { since, window })
}

fn price_collar(gate: &Gate, intent: &OrderIntent, _: &View<'_>) -> Option<Refusal> {
    let (reference, max) = (intent.reference, gate.limits.price_collar);
    let price = intent.kind.limit_price().unwrap_or(reference);
    let refusal = Refusal::PriceCollar { price, reference, max };
    if !reference.is_positive() || !price.is_positive() {
        return Some(refusal);
    }
    let distance = (price - reference).abs();
    distance.exceeds(max, reference).then_some(refusal)
}

fn reference_moved(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (from, to, max) = (view.previous_close?, intent.reference, gate.rules.max_reference_move);
    let distance = (to - from).abs();
    distance.exceeds(max, from).then_some(Refusal::ReferenceMoved { from, to, max })
}

fn lot_or_tick(_: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (step, tick) = (view.instrument.qty_step, view.instrument.price_tick);
    let price = intent.kind.limit_price();
    let (qty, size_fits) = match intent.size {
        Size::Base(qty) => (qty, qty.is_positive() && qty.is_on(step)),
        Size::Quote(amount) => (intent.quantity(), amount.is_positive()),
    };
    let fits = size_fits && price.is_none_or(|p| p.is_on(tick));
    (!fits).then_some(Refusal::LotOrTick { qty, step, price, tick })
}

fn min_notional(_: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (notional, min) = (intent.notional(), view.instrument.min_notional);
    (notional < min).then_some(Refusal::MinNotional { notional, min })
}

fn max_notional_per_order(gate: &Gate, intent: &OrderIntent, _: &View<'_>) -> Option<Refusal> {
    let (notional, max) = (intent.notional(), gate.limits.max_notional_per_order);
    (notional > max).then_some(Refusal::MaxNotionalPerOrder { notional, max })
}

fn max_position_notional(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (would_be, max) = (view.symbol_exposure + intent.notional(), gate.limits.max_position_notional);
    (would_be > max).then_some(Refusal::MaxPositionNotional { would_be, max })
}

fn max_total_notional(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (would_be, max) = (view.total_exposure + intent.notional(), gate.limits.max_total_notional);
    (would_be > max).then_some(Refusal::MaxTotalNotional { would_be, max })
}

fn max_daily_turnover(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (would_be, max) = (view.turnover_today + intent.notional(), gate.limits.max_daily_turnover);
    (would_be > max).then_some(Refusal::MaxDailyTurnover { would_be, max })
}

fn max_participation(gate: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (qty, share) = (intent.quantity(), gate.limits.max_participation);
    qty.exceeds(share, view.bar_volume).then(|| Refusal::MaxParticipation { qty, max: view.bar_volume.fraction_floor(share) })
}

fn max_open_orders(gate: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (open, max) = (view.open_orders, gate.limits.max_open_orders);
    (open >= max).then_some(Refusal::MaxOpenOrders { open, max })
}

fn max_orders(gate: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    if view.orders_last_minute >= gate.limits.max_orders_per_minute {
        let (sent, max) = (view.orders_last_minute, gate.limits.max_orders_per_minute);
        return Some(Refusal::MaxOrdersPerMinute { sent, max });
    }
    let (sent, max) = (view.orders_today, gate.limits.max_orders_per_day);
    (sent >= max).then_some(Refusal::MaxOrdersPerDay { sent, max })
}

fn repeated_orders(gate: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    let (in_a_row, max) = (view.repeated_orders, gate.rules.max_repeated_orders);
    (in_a_row >= max).then_some(Refusal::RepeatedOrders { in_a_row, max })
}

/// What the venue would refuse is not sent. An exit is, all the same: our knowledge of the rules may be older than the venue's.
fn venue_rule(_: &Gate, _: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    view.venue_rule
}

fn insufficient_balance(_: &Gate, intent: &OrderIntent, view: &View<'_>) -> Option<Refusal> {
    if intent.side == Side::Sell {
        let (qty, available) = (intent.quantity(), view.sellable());
        return (qty > available).then_some(Refusal::PositionTooSmall { qty, available });
    }
    let notional = intent.notional();
    let (needed, available) = (notional + notional.bps_ceil(view.fee), view.cash - view.open_buys);
    (needed > available).then_some(Refusal::InsufficientBalance { needed, available })
}

#[cfg(test)]
mod tests;
