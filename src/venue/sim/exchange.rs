//! The exchange: what it is made of, how time and the market move it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::{Account, Balance, Fees};
use super::faults::{Fault, Script};
use super::gate::{Gate, Limits};
use super::keys::Key;
use super::log::{Log, Pair, What, Why};
use super::market::{Depth, Market, Move};
use super::order::{Order, Status, Trade};
use super::rules::{Filters, SymbolStatus};
use super::streams::Streams;
use crate::domain::{Bar, Interval, Price, Qty, Side, Span, Symbol, Time};

/// A symbol that the exchange lists.
#[derive(Debug, Clone)]
pub struct Listed {
    pub symbol: Symbol,
    /// Of the bars it is fed.
    pub interval: Interval,
    pub filters: Filters,
    pub depth: Depth,
}

/// An account with its first key.
#[derive(Debug, Clone)]
pub struct Holder {
    pub key: Key,
    pub balances: Vec<(String, Qty)>,
    pub fees: Fees,
}

/// What an exchange begins with.
#[derive(Debug, Clone)]
pub struct Setup {
    pub listed: Vec<Listed>,
    pub holders: Vec<Holder>,
    pub limits: Limits,
    pub script: Script,
}

/// One symbol with its orders. Numbers of orders and trades are its own, so those of two symbols collide.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub symbol: Symbol,
    pub name: Arc<str>,
    pub base: usize,
    pub quote: usize,
    pub status: SymbolStatus,
    pub filters: Filters,
    pub market: Market,
    /// All there ever were; an order's number is its position and one.
    pub orders: Vec<Order>,
    /// Positions of those that are open, oldest first.
    pub open: Vec<usize>,
    /// The latest order of an account's client id.
    pub by_client: BTreeMap<(usize, Arc<str>), usize>,
    pub trades: Vec<Trade>,
}

/// What is done later.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// An order that was held meets the market.
    Match { listing: usize, order: usize },
    /// An order that has ended is filled all the same.
    Stray { listing: usize, order: usize, over: bool },
    /// A frame goes to a connection.
    Frame { connection: u64, text: String },
    /// A connection ends.
    Close { connection: u64 },
}

/// How the script changes what becomes of the order that is being placed.
#[derive(Debug, Clone, Default)]
pub(super) struct Twist {
    pub hidden_for: Span,
    pub held_for: Span,
    pub share: Option<crate::domain::Fraction>,
    pub stray: Option<(Span, bool)>,
    pub filled_first: bool,
}

/// A simulated exchange that speaks like Binance Spot. It knows no socket and no clock: whoever asks says what time it is.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// True time; never goes back.
    pub(super) now: Time,
    /// What the venue's clock is ahead.
    pub(super) clock_off: Span,
    pub(super) assets: Vec<Arc<str>>,
    pub(super) listings: Vec<Listing>,
    pub(super) accounts: Vec<Account>,
    pub(super) gate: Gate,
    pub(super) script: Script,
    pub(super) twist: Twist,
    pub(super) streams: Streams,
    pub(super) log: Log,
    /// What is done at a time; the second number keeps the order of those of one time.
    pub(super) due: BTreeMap<(Time, u64), Due>,
    pub(super) counter: u64,
    pub(super) execution: u64,
}

impl Exchange {
    #[must_use]
    pub fn new(setup: Setup, now: Time) -> Self {
        let mut exchange = Self {
            now,
            clock_off: Span::ZERO,
            assets: Vec::new(),
            listings: Vec::new(),
            accounts: Vec::new(),
            gate: Gate::new(setup.limits),
            script: setup.script,
            twist: Twist::default(),
            streams: Streams::default(),
            log: Log::default(),
            due: BTreeMap::new(),
            counter: 0,
            execution: 0,
        };
        for listed in setup.listed {
            exchange.list(listed);
        }
        for holder in setup.holders {
            exchange.admit(holder);
        }
        exchange
    }

    fn list(&mut self, listed: Listed) {
        let (base, quote) = (self.asset(listed.symbol.base()), self.asset(listed.symbol.quote()));
        self.listings.push(Listing {
            name: listed.symbol.joined().into(),
            symbol: listed.symbol,
            base,
            quote,
            status: SymbolStatus::Trading,
            filters: listed.filters,
            market: Market::new(listed.interval, listed.depth),
            orders: Vec::new(),
            open: Vec::new(),
            by_client: BTreeMap::new(),
            trades: Vec::new(),
        });
    }

    fn admit(&mut self, holder: Holder) {
        let at = self.accounts.len();
        let account = Account { keys: vec![holder.key], fees: holder.fees, balances: Vec::new(), unfilled: Default::default() };
        self.accounts.push(account);
        for (asset, amount) in holder.balances {
            let asset = self.asset(&asset);
            *self.accounts[at].balance_mut(asset) = Balance { free: amount, locked: Qty::ZERO };
            self.log_balance(at, asset, Why::Start, Qty::ZERO);
        }
    }

    /// The position of an asset, which is listed when it is new.
    pub(super) fn asset(&mut self, name: &str) -> usize {
        self.assets.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.assets.push(name.into());
            self.assets.len() - 1
        })
    }

    pub(super) fn listing_at(&self, symbol: &str) -> Option<usize> {
        self.listings.iter().position(|listing| *listing.name == *symbol)
    }

    /// The venue's own clock.
    pub(super) fn venue_time(&self) -> Time {
        self.now + self.clock_off
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn log_now(&mut self, what: What) {
        self.log.push(self.now, what);
    }

    pub(super) fn log_balance(&mut self, account: usize, asset: usize, why: Why, by: Qty) {
        let balance = self.accounts[account].balance(asset);
        let asset = self.assets[asset].clone();
        self.log_now(What::Balance { account: account as u16, asset, free: balance.free, locked: balance.locked, why, by });
    }

    pub(super) fn later(&mut self, at: Time, due: Due) {
        let number = self.next_number();
        self.due.insert((at, number), due);
    }

    /// Lets time pass: what is due by `now` is done, in its order.
    pub fn pass(&mut self, now: Time) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            self.now = self.now.max(entry.key().0);
            let due = entry.remove();
            self.perform(due);
        }
        self.now = self.now.max(now);
        if self.streams.is_due(self.now) {
            self.tick_connections();
        }
    }

    fn perform(&mut self, due: Due) {
        match due {
            Due::Match { listing, order } => self.match_order(listing, order),
            Due::Stray { listing, order, over } => self.stray_fill(listing, order, over),
            Due::Frame { connection, text } => self.streams.push(connection, text),
            Due::Close { connection } => self.end_connection(connection, "as announced"),
        }
    }

    /// When something is due next, for a shell that waits: held orders, late frames, pings.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let due = self.due.first_key_value().map(|((at, _), _)| *at);
        due.into_iter().chain(self.streams.next_due()).min()
    }

    /// Moves the market of `symbol` by a bar, or by what is new in a bar that is still open.
    ///
    /// A resting order is filled when the price goes *through* it: to touch it is not enough. Returns whether the bar was taken; an older
    /// one than the last is not.
    pub fn advance(&mut self, symbol: &str, bar: &Bar, now: Time) -> bool {
        self.pass(now);
        let Some(at) = self.listing_at(symbol) else { return false };
        let Some(moved) = self.listings[at].market.put(bar) else { return false };
        self.moved(at, moved);
        true
    }

    /// Moves the market of `symbol` by one public trade.
    pub fn trade(&mut self, symbol: &str, price: Price, qty: Qty, now: Time) -> bool {
        self.pass(now);
        let Some(at) = self.listing_at(symbol) else { return false };
        let Some(moved) = self.listings[at].market.trade(price, qty, now) else { return false };
        self.moved(at, moved);
        true
    }

    fn moved(&mut self, at: usize, moved: Move) {
        if let Some(fault) = self.script.of_move() {
            self.befall(&fault, Some(at));
        }
        if !self.listings[at].open.is_empty() && self.listings[at].status == SymbolStatus::Trading {
            self.fill_resting(at, moved);
        }
        if self.streams.has_market_listeners() {
            self.tell_bar(at);
        }
    }

    /// Lets a fault of the venue itself come to pass. Faults of one request, order or event are left to those.
    pub fn befall(&mut self, fault: &Fault, listing: Option<usize>) {
        match fault {
            Fault::Status { symbol, status } => {
                let named = symbol.as_ref().and_then(|name| self.listing_at(name));
                let all: Vec<usize> = named.or(listing).map_or_else(|| (0..self.listings.len()).collect(), |at| vec![at]);
                all.into_iter().for_each(|at| self.listings[at].status = *status);
            }
            Fault::Filters { price_tick, qty_step, notional_min } => {
                for listing in &mut self.listings {
                    let filters = &mut listing.filters;
                    filters.price_tick = price_tick.unwrap_or(filters.price_tick);
                    filters.qty_step = qty_step.unwrap_or(filters.qty_step);
                    filters.notional_min = notional_min.unwrap_or(filters.notional_min);
                }
            }
            Fault::Clock { off } => self.clock_off = *off,
            Fault::KeyRevoked => {
                self.accounts.iter_mut().flat_map(|account| &mut account.keys).for_each(|key| key.is_revoked = true);
            }
            Fault::Moved { asset, by } => self.deposit(0, asset, *by),
            Fault::Foreign { quote } => self.foreign_order(listing.unwrap_or(0), *quote),
            Fault::CutStreams => self.end_all_connections("cut by the script"),
            Fault::Shutdown => self.shut_down(),
            Fault::Silence => self.streams.silence(),
            _ => return,
        }
        self.log_fault(fault);
    }

    pub(super) fn log_fault(&mut self, fault: &Fault) {
        let fault = serde_json::to_string(fault).expect("a fault is plain data");
        self.log_now(What::Fault { fault });
    }

    /// Somebody deposits, or withdraws a negative amount; no more than is free leaves.
    pub fn deposit(&mut self, account: usize, asset: &str, by: Qty) {
        let asset = self.asset(asset);
        let balance = self.accounts[account].balance_mut(asset);
        let by = by.max(-balance.free);
        balance.free += by;
        self.log_balance(account, asset, Why::Moved, by);
        self.tell_moved(account, asset, by);
    }

    /// The price that a symbol stands at; zero before its first bar.
    #[must_use]
    pub fn price(&self, symbol: &str) -> Option<Price> {
        self.listing_at(symbol).map(|at| self.listings[at].market.last)
    }

    /// What an account has of an asset, free and locked.
    #[must_use]
    pub fn balance(&self, account: usize, asset: &str) -> (Qty, Qty) {
        let found = self.assets.iter().position(|known| **known == *asset);
        let balance = found.map(|at| self.accounts[account].balance(at)).unwrap_or_default();
        (balance.free, balance.locked)
    }

    /// Open orders of all accounts on a symbol.
    #[must_use]
    pub fn open_orders(&self, symbol: &str) -> usize {
        self.listing_at(symbol).map_or(0, |at| self.listings[at].open.len())
    }

    /// Every order ever taken, by its client id: symbol, side, where it stands, what was filled.
    pub fn orders(&self) -> impl Iterator<Item = (&str, &str, Side, Status, Qty)> {
        self.listings.iter().flat_map(|listing| {
            let told = |order: &'_ Order| (order.side, order.status, order.filled);
            listing.orders.iter().map(move |order| {
                let (side, status, filled) = told(order);
                (&*listing.name, &*order.client_id, side, status, filled)
            })
        })
    }

    /// What the symbols trade in: a checker is told it.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        let pair = |listing: &Listing| Pair {
            symbol: listing.name.clone(),
            base: self.assets[listing.base].clone(),
            quote: self.assets[listing.quote].clone(),
        };
        self.listings.iter().map(pair).collect()
    }

    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// The faults to come, for a test that adds some while the venue runs.
    pub fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    /// The keys of an account, for somebody who revokes one or takes a right from it.
    pub fn keys_mut(&mut self, account: usize) -> &mut Vec<Key> {
        &mut self.accounts[account].keys
    }
}
