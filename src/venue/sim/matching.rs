//! Orders meet the book, each other, and a market that moves through them; balances move with them.

use std::sync::Arc;

use super::account::FeeAsset;
use super::amount::{bought_floor, fee_in_coin, quote_ceil, quote_floor, share_floor};
use super::exchange::{Due, Exchange};
use super::gate::{DAY, TEN_SECONDS, interval};
use super::log::{What, Why};
use super::market::Move;
use super::order::{Kind, Order, SelfTrade, Status, Tif, Trade};
use crate::domain::{Price, Qty, Side, Time};

/// Whom an order meets.
#[derive(Clone, Copy)]
enum Source {
    Book,
    /// A resting order, by its position.
    Resting(usize),
}

/// One execution to be booked.
#[derive(Clone, Copy)]
struct Execution {
    price: Price,
    qty: Qty,
    is_maker: bool,
    trade: u64,
}

const fn accepts(order: &Order, price: Price) -> bool {
    match (order.kind, order.side) {
        (Kind::Market, _) => true,
        (_, Side::Buy) => price.count() <= order.price.count(),
        (_, Side::Sell) => price.count() >= order.price.count(),
    }
}

impl Exchange {
    /// An order that has just come, or was held, meets what is there; what is left rests or expires.
    pub(super) fn match_order(&mut self, at: usize, order: usize) {
        if !self.listings[at].orders[order].status.is_open() {
            return;
        }
        self.listings[at].orders[order].held_until = Time::MIN;
        if self.lacks_all(at, order) {
            return self.end(at, order, Status::Expired, "UNFILLED_FOK_ORDER_EXPIRED");
        }
        while self.listings[at].orders[order].status.is_open() {
            let Some((price, there, source)) = self.best_offer(at, order) else { break };
            let qty = self.fillable(at, order, price).min(there);
            if !accepts(&self.listings[at].orders[order], price) || qty.is_zero() {
                break;
            }
            match source {
                Source::Book => {
                    let side = self.listings[at].orders[order].side;
                    self.listings[at].market.take(side, qty);
                    let trade = self.next_trade(at);
                    self.fill(at, order, Execution { price, qty, is_maker: false, trade });
                }
                Source::Resting(maker) => self.meet(at, order, maker, Execution { price, qty, is_maker: false, trade: 0 }),
            }
        }
        self.settle_rest(at, order);
    }

    /// An order that wants all or nothing, and cannot have all.
    fn lacks_all(&self, at: usize, order: usize) -> bool {
        let (listing, order) = (&self.listings[at], &self.listings[at].orders[order]);
        let there = listing.market.available(order.side, order.price, listing.filters.price_tick);
        order.tif == Tif::Fok && there.min(order.fill_max.unwrap_or(there)) < order.qty
    }

    fn best_offer(&self, at: usize, order: usize) -> Option<(Price, Qty, Source)> {
        let listing = &self.listings[at];
        let own = &listing.orders[order];
        let book = listing.market.best(own.side, listing.filters.price_tick).map(|(price, qty)| (price, qty, Source::Book));
        let others = listing.open.iter().filter(|other| **other != order);
        let others = others.filter(|other| {
            let other = &listing.orders[**other];
            other.side != own.side && other.rests() && other.held_until <= self.now
        });
        let resting = others.map(|other| {
            let order = &listing.orders[*other];
            (order.price, order.qty - order.filled, Source::Resting(*other))
        });
        // The first of equals: who rests goes before the book, the older before the younger.
        resting.chain(book).reduce(|best, next| {
            let is_better = if own.side == Side::Buy { next.0 < best.0 } else { next.0 > best.0 };
            if is_better { next } else { best }
        })
    }

    /// What of an order can be filled at `price`: what it wants, may have by the script, and can pay.
    fn fillable(&self, at: usize, order: usize, price: Price) -> Qty {
        let (listing, own) = (&self.listings[at], &self.listings[at].orders[order]);
        let mut qty = own.left_at(price);
        if let Some(most) = own.fill_max {
            qty = qty.min(most - own.filled);
        }
        let account = &self.accounts[own.account];
        qty = match own.side {
            Side::Buy => qty.min(bought_floor(account.balance(listing.quote).free + own.locked, price)),
            Side::Sell => qty.min(account.balance(listing.base).free + own.locked),
        };
        // An order that is whole may be off a step that came later.
        if qty == own.qty - own.filled { qty } else { qty.max(Qty::ZERO).truncate_to(listing.filters.qty_step) }
    }

    fn meet(&mut self, at: usize, taker: usize, maker: usize, mut execution: Execution) {
        let (own, other) = (&self.listings[at].orders[taker], &self.listings[at].orders[maker]);
        let is_self = own.account == other.account;
        match own.self_trade {
            SelfTrade::ExpireMaker if is_self => self.end(at, maker, Status::ExpiredInMatch, "NONE"),
            SelfTrade::ExpireTaker if is_self => self.end(at, taker, Status::ExpiredInMatch, "NONE"),
            SelfTrade::ExpireBoth if is_self => {
                self.end(at, maker, Status::ExpiredInMatch, "NONE");
                self.end(at, taker, Status::ExpiredInMatch, "NONE");
            }
            _ => {
                execution.trade = self.next_trade(at);
                self.fill(at, maker, Execution { is_maker: true, ..execution });
                self.fill(at, taker, execution);
            }
        }
    }

    fn settle_rest(&mut self, at: usize, order: usize) {
        let own = &mut self.listings[at].orders[order];
        if !own.status.is_open() {
            return;
        }
        own.fill_max = None;
        match (own.kind, own.tif) {
            (Kind::Market, _) => self.end(at, order, Status::Expired, "INSUFFICIENT_LIQUIDITY"),
            (_, Tif::Ioc | Tif::Fok) => self.end(at, order, Status::Expired, "UNFILLED_IOC_QUANTITY_EXPIRED"),
            _ => {}
        }
    }

    /// Fills what the market has gone through, best price first, older first, each side on its share of the volume.
    pub(super) fn fill_resting(&mut self, at: usize, moved: Move) {
        for side in [Side::Buy, Side::Sell] {
            let listing = &self.listings[at];
            let is_through = |order: &Order| match side {
                Side::Buy => moved.low < order.price,
                Side::Sell => moved.high > order.price,
            };
            let is_met = |order: &Order| order.side == side && order.rests() && order.held_until <= self.now && is_through(order);
            let mut met: Vec<usize> = listing.open.iter().copied().filter(|order| is_met(&listing.orders[*order])).collect();
            met.sort_by_key(|order| {
                let price = listing.orders[*order].price.count();
                if side == Side::Buy { -price } else { price }
            });
            let mut pool = share_floor(moved.volume, listing.market.depth.volume_share).truncate_to(listing.filters.qty_step);
            for order in met {
                let price = self.listings[at].orders[order].price;
                let qty = self.fillable(at, order, price).min(pool);
                if qty.is_positive() {
                    pool -= qty;
                    let trade = self.next_trade(at);
                    self.fill(at, order, Execution { price, qty, is_maker: true, trade });
                }
            }
        }
    }

    fn next_trade(&self, at: usize) -> u64 {
        self.listings[at].trades.last().map_or(1, |trade| trade.id + 1)
    }

    /// Books one execution: balances, fee, order, record, event.
    fn fill(&mut self, at: usize, order: usize, execution: Execution) {
        let Execution { price, qty, is_maker, trade } = execution;
        let quote = quote_floor(price, qty);
        let (fee, fee_asset) = self.pay(at, order, price, qty, quote, is_maker);
        let now = self.venue_time();
        let listing = &mut self.listings[at];
        let own = &mut listing.orders[order];
        let was_open = own.status.is_open();
        own.filled += qty;
        own.filled_quote += quote;
        own.updated = now;
        let is_done = if own.counts_quote() {
            own.left_at(price).truncate_to(listing.filters.qty_step).is_zero()
        } else {
            own.filled >= own.qty
        };
        if was_open {
            own.status = if is_done { Status::Filled } else { Status::PartiallyFilled };
            if is_done && own.counts_quote() {
                own.qty = own.filled;
            }
        }
        let is_first = std::mem::replace(&mut own.counted_unfilled, false);
        let (account, id, side) = (own.account, own.id, own.side);
        let asset = self.assets[fee_asset].clone();
        let trade =
            Trade { id: trade, account, order: id, side, price, qty, quote, fee, fee_asset: asset.clone(), at: now, is_maker };
        let symbol = listing.name.clone();
        let (base, quote_asset) = (listing.base, listing.quote);
        listing.trades.push(trade.clone());
        if is_first {
            let placed = self.listings[at].orders[order].at;
            self.accounts[account].unfilled[0].take_back(interval(placed, TEN_SECONDS));
            self.accounts[account].unfilled[1].take_back(interval(placed, DAY));
        }
        self.log_now(What::Trade {
            account: account as u16,
            symbol,
            order: id,
            trade: trade.id,
            side,
            price,
            qty,
            quote,
            fee,
            fee_asset: asset,
            is_maker,
        });
        let is_third = fee_asset != base && fee_asset != quote_asset;
        for asset in [base, quote_asset].into_iter().chain(is_third.then_some(fee_asset)) {
            self.log_balance(account, asset, Why::Trade, Qty::ZERO);
        }
        self.tell_execution(at, order, "TRADE", Some(&trade), None);
        if was_open && is_done {
            self.close(at, order);
        }
    }

    /// Moves what a trade moves, and takes the fee; says what it was and in which asset.
    fn pay(&mut self, at: usize, order: usize, price: Price, qty: Qty, quote: Qty, is_maker: bool) -> (Qty, usize) {
        let listing = &mut self.listings[at];
        let (base_asset, quote_asset) = (listing.base, listing.quote);
        let own = &mut listing.orders[order];
        let (spent_asset, spent, got_asset, got) = match own.side {
            Side::Buy => (quote_asset, quote, base_asset, qty),
            Side::Sell => (base_asset, qty, quote_asset, quote),
        };
        let still_claimed = match (own.side, own.kind) {
            _ if own.locked.is_zero() => Qty::ZERO,
            (Side::Buy, Kind::Limit | Kind::LimitMaker) => quote_ceil(own.price, own.qty - own.filled - qty),
            _ => own.locked - own.locked.min(spent),
        };
        let released = own.locked - still_claimed;
        own.locked = still_claimed;
        let account = &mut self.accounts[own.account];
        account.unlock(spent_asset, released);
        let balance = account.balance_mut(spent_asset);
        balance.free -= spent;
        assert!(balance.free >= Qty::ZERO, "a trade spends no more than there is: SIM-2");
        account.balance_mut(got_asset).free += got;
        let rate = if is_maker { account.fees.maker } else { account.fees.taker };
        let received = (share_floor(got, rate), got_asset);
        let wanted = match &account.fees.asset {
            FeeAsset::Received => received,
            FeeAsset::Quote => (share_floor(quote, rate), quote_asset),
            FeeAsset::Coin { asset, price } => match self.assets.iter().position(|known| **known == **asset) {
                Some(coin) => (fee_in_coin(quote, rate, *price), coin),
                None => received,
            },
        };
        let _ = price;
        let (fee, asset) = if account.balance(wanted.1).free >= wanted.0 { wanted } else { received };
        account.balance_mut(asset).free -= fee;
        (fee, asset)
    }

    /// Ends an order that is not filled.
    pub(super) fn end(&mut self, at: usize, order: usize, status: Status, expiry: &'static str) {
        let now = self.venue_time();
        let own = &mut self.listings[at].orders[order];
        own.status = status;
        own.expiry = expiry;
        own.updated = now;
        self.close(at, order);
        if status != Status::Canceled {
            let kind = if status == Status::ExpiredInMatch { "TRADE_PREVENTION" } else { "EXPIRED" };
            self.tell_execution(at, order, kind, None, None);
        }
    }

    /// Gives back what an ended order claims, and takes it from the open ones.
    fn close(&mut self, at: usize, order: usize) {
        let listing = &mut self.listings[at];
        listing.open.retain(|open| *open != order);
        let own = &mut listing.orders[order];
        let released = std::mem::take(&mut own.locked);
        let asset = if own.side == Side::Buy { listing.quote } else { listing.base };
        let (account, id, status, filled) = (own.account, own.id, own.status, own.filled);
        let symbol = listing.name.clone();
        self.log_now(What::Ended { account: account as u16, symbol, order: id, status, filled });
        if released.is_positive() {
            self.accounts[account].unlock(asset, released);
            self.log_balance(account, asset, Why::Order, Qty::ZERO);
        }
    }

    /// Fills the rest of an open order at its own price, or at the last one: it happened while somebody asked to cancel it.
    pub(super) fn fill_now(&mut self, at: usize, order: usize) {
        let own = &self.listings[at].orders[order];
        let price = if own.kind == Kind::Market { self.listings[at].market.last } else { own.price };
        let qty = self.fillable(at, order, price);
        if own.status.is_open() && qty.is_positive() && price.is_positive() {
            let trade = self.next_trade(at);
            self.fill(at, order, Execution { price, qty, is_maker: true, trade });
        }
    }

    /// Fills an order that has ended: what it lacked, or once more what it asked for.
    pub(super) fn stray_fill(&mut self, at: usize, order: usize, over: bool) {
        let own = &self.listings[at].orders[order];
        let price = if own.price.is_positive() { own.price } else { self.listings[at].market.last };
        let wanted = if over { own.qty } else { own.qty - own.filled };
        let free = |asset| self.accounts[own.account].balance(asset).free;
        let can = match own.side {
            Side::Buy => bought_floor(free(self.listings[at].quote), price),
            Side::Sell => free(self.listings[at].base),
        };
        let qty = wanted.min(can).truncate_to(self.listings[at].filters.qty_step);
        if qty.is_positive() && price.is_positive() {
            let trade = self.next_trade(at);
            self.fill(at, order, Execution { price, qty, is_maker: true, trade });
        }
    }

    /// Takes an order that passed all checks: from here on it exists.
    pub(super) fn accept(&mut self, at: usize, mut order: Order, claim: Qty, is_foreign: bool) -> usize {
        let listing = &mut self.listings[at];
        let position = listing.orders.len();
        let asset = if order.side == Side::Buy { listing.quote } else { listing.base };
        order.id = position as u64 + 1;
        order.locked = claim;
        let (account, client_id) = (order.account, order.client_id.clone());
        let entry = What::Order {
            account: account as u16,
            symbol: listing.name.clone(),
            order: order.id,
            client_id: client_id.clone(),
            side: order.side,
            is_market: order.kind == Kind::Market,
            price: order.price,
            qty: if order.counts_quote() { Qty::ZERO } else { order.qty },
            quote_qty: order.quote_qty,
            reference: listing.market.last,
            is_foreign,
        };
        let held_until = order.held_until;
        listing.orders.push(order);
        listing.open.push(position);
        listing.by_client.insert((account, client_id), position);
        self.accounts[account].lock(asset, claim);
        self.log_now(entry);
        self.log_balance(account, asset, Why::Order, Qty::ZERO);
        self.tell_execution(at, position, "NEW", None, None);
        if held_until > self.now {
            self.later(held_until, Due::Match { listing: at, order: position });
        } else {
            self.match_order(at, position);
        }
        position
    }

    /// Somebody else's program, or a person, buys on the account.
    pub(super) fn foreign_order(&mut self, at: usize, quote: Qty) {
        let number = self.next_number();
        let client_id: Arc<str> = format!("web_{number:032x}").into();
        let free = self.accounts[0].balance(self.listings[at].quote).free;
        let claim = quote.min(free);
        let now = self.venue_time();
        let order = Order {
            id: 0,
            account: 0,
            client_id,
            side: Side::Buy,
            kind: Kind::Market,
            tif: Tif::Gtc,
            self_trade: SelfTrade::ExpireMaker,
            price: Price::ZERO,
            qty: Qty::ZERO,
            quote_qty: claim,
            filled: Qty::ZERO,
            filled_quote: Qty::ZERO,
            status: Status::New,
            expiry: "NONE",
            at: now,
            updated: now,
            locked: Qty::ZERO,
            hidden_until: Time::MIN,
            held_until: Time::MIN,
            fill_max: None,
            counted_unfilled: false,
        };
        if claim.is_positive() {
            self.accept(at, order, claim, true);
        }
    }
}
