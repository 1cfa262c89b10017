//! The paper venue: fills orders against the bars that follow, with fees, slippage and a cap on volume.
//!
//! - A market order fills at the next bar's open, worse by the slippage; what the volume cap leaves over expires, as on a venue
//!   whose book runs out.
//! - A limit order fills at its price when a bar trades *through* it; a touch is not a fill. What the cap leaves over rests on. One that may
//!   not rest fills at the next open or expires; one that may only rest is rejected when that open would fill it.
//! - The account's cash and holdings are the venue's own: an order that they do not cover is rejected at the fill.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Bar, Bps, ClientOrderId, FeeIn, Fill, Fraction, Instrument, Interval, Liquidity, Money, OrderIntent, OrderKind, Price, Qty,
    RejectReason, Side, Size, SymbolIndex, Time, TimeInForce,
};
use crate::risk::Approved;

use super::{OrderReport, Venue};

/// The `[venue.paper]` table, resolved for the symbols of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperConfig {
    /// Cash at the start.
    pub equity: Money,
    pub maker: Bps,
    pub taker: Bps,
    pub slippage: Bps,
    /// Share of a bar's volume that our orders may fill in it together.
    pub max_participation: Fraction,
    /// One for each symbol of the pipeline, in its order.
    pub instruments: Vec<Instrument>,
}

/// An order in the book, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Resting {
    intent: OrderIntent,
    filled: Qty,
    /// It has stood in the book for a bar.
    #[serde(default)]
    rested: bool,
}

/// The state a restart needs; the configuration is given anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PaperState {
    cash: Money,
    holdings: Vec<Qty>,
    resting: Vec<Resting>,
}

impl PaperState {
    /// Forgets the symbols of an account that holds nothing; it goes on with `symbols` others.
    pub fn reset_symbols(&mut self, symbols: usize) {
        assert!(self.resting.is_empty() && self.holdings.iter().all(|held| held.is_zero()), "only a flat account can");
        self.holdings = vec![Qty::ZERO; symbols];
    }
}

/// A simulated account and its book.
#[derive(Debug, Clone)]
pub struct Paper {
    config: PaperConfig,
    state: PaperState,
    reports: Vec<OrderReport>,
}

/// What one order does in one bar.
struct Execution {
    price: Price,
    qty: Qty,
    liquidity: Liquidity,
}

impl Paper {
    #[must_use]
    pub fn new(config: PaperConfig) -> Self {
        let state = PaperState { cash: config.equity, holdings: vec![Qty::ZERO; config.instruments.len()], resting: Vec::new() };
        Self::restore(config, state)
    }

    /// Continues from a snapshot. Symbols that the configuration has gained start without holdings.
    #[must_use]
    pub fn restore(config: PaperConfig, mut state: PaperState) -> Self {
        state.holdings.resize(config.instruments.len(), Qty::ZERO);
        Self { config, state, reports: Vec::new() }
    }

    #[must_use]
    pub const fn state(&self) -> &PaperState {
        &self.state
    }

    #[must_use]
    pub const fn config(&self) -> &PaperConfig {
        &self.config
    }

    #[must_use]
    pub const fn cash(&self) -> Money {
        self.state.cash
    }

    /// Lets the market of one symbol move by one bar: what rests is filled, expires or stays.
    #[inline]
    pub fn on_bar(&mut self, symbol: SymbolIndex, bar: &Bar, interval: Interval) {
        if !self.state.resting.is_empty() {
            self.match_bar(symbol, bar, interval);
        }
    }

    fn match_bar(&mut self, symbol: SymbolIndex, bar: &Bar, interval: Interval) {
        let Some(open) = Price::from_f64(bar.open) else { return };
        let volume = Qty::from_f64_floor(bar.volume).unwrap_or(Qty::ZERO);
        let mut room = volume.fraction_floor(self.config.max_participation);
        let mut resting = std::mem::take(&mut self.state.resting);
        resting.retain_mut(|order| order.intent.symbol != symbol || self.match_order(order, bar, open, &mut room, interval));
        self.state.resting = resting;
    }

    /// Gives whether the order rests on.
    fn match_order(&mut self, order: &mut Resting, bar: &Bar, open: Price, room: &mut Qty, interval: Interval) -> bool {
        let id = order.intent.id;
        if let OrderKind::Limit { expires_at, .. } = order.intent.kind
            && bar.open_time >= expires_at
        {
            self.reports.push(OrderReport::Expired { id, at: bar.open_time });
            return false;
        }
        // A market order is done at the open; a limit order somewhere in the bar, known only at its close.
        let at = match order.intent.kind {
            OrderKind::Market | OrderKind::Limit { tif: TimeInForce::Ioc, .. } => bar.open_time,
            OrderKind::Limit { .. } => bar.open_time + interval.span(),
        };
        if would_take(order, open) {
            let (at, reason) = (bar.open_time, RejectReason::WouldTake);
            self.reports.push(OrderReport::Rejected { id, at, reason });
            return false;
        }
        order.rested = true;
        let is_immediate = matches!(order.intent.kind, OrderKind::Market | OrderKind::Limit { tif: TimeInForce::Ioc, .. });
        let Some(wanted) = self.execution(order, bar, open) else {
            if is_immediate {
                self.reports.push(OrderReport::Expired { id, at });
            }
            return !is_immediate;
        };
        if wanted.qty.is_zero() {
            self.reports.push(OrderReport::Rejected { id, at, reason: RejectReason::QuantityZero });
            return false;
        }
        let step = self.config.instruments[order.intent.symbol.at()].qty_step;
        let qty = wanted.qty.min(room.truncate_to(step));
        if qty.is_positive() {
            match self.book(order, &Execution { qty, ..wanted }, open, at, qty == wanted.qty) {
                Ok(()) => *room -= qty,
                Err(reason) => {
                    self.reports.push(OrderReport::Rejected { id, at, reason });
                    return false;
                }
            }
        }
        let done = qty == wanted.qty;
        if is_immediate && !done {
            self.reports.push(OrderReport::Expired { id, at });
        }
        !done && !is_immediate
    }

    /// The price and whole remaining quantity at which the bar would do the order; `None` when it does not trade through.
    fn execution(&self, order: &Resting, bar: &Bar, open: Price) -> Option<Execution> {
        let intent = &order.intent;
        let instrument = &self.config.instruments[intent.symbol.at()];
        let (price, liquidity) = match (intent.kind, intent.side) {
            (OrderKind::Market, Side::Buy) => {
                (open.raised_ceil(self.config.slippage).ceil_to(instrument.price_tick), Liquidity::Taker)
            }
            (OrderKind::Market, Side::Sell) => {
                (open.lowered_floor(self.config.slippage).floor_to(instrument.price_tick), Liquidity::Taker)
            }
            (OrderKind::Limit { price, tif: TimeInForce::Ioc, .. }, side) => {
                (self.at_once(instrument, side, price, open)?, Liquidity::Taker)
            }
            (OrderKind::Limit { price, .. }, Side::Buy) => {
                (Price::from_f64(bar.low).is_some_and(|low| low < price).then_some(price)?, Liquidity::Maker)
            }
            (OrderKind::Limit { price, .. }, Side::Sell) => {
                (Price::from_f64(bar.high).is_some_and(|high| high > price).then_some(price)?, Liquidity::Maker)
            }
        };
        let qty = match intent.size {
            Size::Base(qty) => qty,
            Size::Quote(amount) => amount.quantity_floor(price).truncate_to(instrument.qty_step),
        };
        Some(Execution { price, qty: qty - order.filled, liquidity })
    }

    /// What an order that may not rest gets at the open: the market's price, never worse than its own.
    fn at_once(&self, instrument: &Instrument, side: Side, limit: Price, open: Price) -> Option<Price> {
        let (slippage, tick) = (self.config.slippage, instrument.price_tick);
        match side {
            Side::Buy => (open <= limit).then(|| open.raised_ceil(slippage).ceil_to(tick).min(limit)),
            Side::Sell => (open >= limit).then(|| open.lowered_floor(slippage).floor_to(tick).max(limit)),
        }
    }

    /// Moves cash and holdings, or says why they do not cover it.
    fn book(
        &mut self,
        order: &mut Resting,
        execution: &Execution,
        open: Price,
        at: Time,
        done: bool,
    ) -> Result<(), RejectReason> {
        let Execution { price, qty, liquidity } = *execution;
        let OrderIntent { id, symbol, side, purpose, .. } = order.intent;
        let rate = if liquidity == Liquidity::Maker { self.config.maker } else { self.config.taker };
        let fee = price.notional(qty).bps_ceil(rate);
        let fill =
            Fill { order: id, symbol, side, purpose, at, price, qty, fee, fee_in: FeeIn::Quote, liquidity, reference: open };
        let cash = self.state.cash + fill.cash_change();
        let holding = self.state.holdings[symbol.at()] + fill.position_change();
        if (side == Side::Buy && cash.is_negative()) || holding < Qty::ZERO {
            return Err(RejectReason::InsufficientBalance);
        }
        self.state.cash = cash;
        self.state.holdings[symbol.at()] = holding;
        order.filled += qty;
        self.reports.push(OrderReport::Filled { fill, done });
        Ok(())
    }
}

/// Would a post-only order meet the other side where the market opens?
fn would_take(order: &Resting, open: Price) -> bool {
    let OrderKind::Limit { price, tif: TimeInForce::PostOnly, .. } = order.intent.kind else { return false };
    !order.rested
        && match order.intent.side {
            Side::Buy => open <= price,
            Side::Sell => open >= price,
        }
}

impl Venue for Paper {
    fn submit(&mut self, order: Approved<OrderIntent>) {
        let intent = order.consume();
        let (id, at) = (intent.id, intent.decided_at);
        if intent.notional() < self.config.instruments[intent.symbol.at()].min_notional {
            self.reports.push(OrderReport::Rejected { id, at, reason: RejectReason::MinNotional });
            return;
        }
        self.reports.push(OrderReport::Accepted { id, at });
        self.state.resting.push(Resting { intent, filled: Qty::ZERO, rested: false });
    }

    fn cancel(&mut self, id: ClientOrderId, at: Time) {
        let before = self.state.resting.len();
        self.state.resting.retain(|order| order.intent.id != id);
        if self.state.resting.len() < before {
            self.reports.push(OrderReport::Canceled { id, at });
        }
    }

    fn drain(&mut self, out: &mut Vec<OrderReport>) {
        out.append(&mut self.reports);
    }
}

#[cfg(test)]
mod tests;
