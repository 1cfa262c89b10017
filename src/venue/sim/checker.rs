//! Judges a record: which promises were broken. It reads the venue's log and the limits it is told, and nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::log::{Endpoint, Entry, Pair, What, Why, money};
use super::order::Status;
use crate::domain::{Bps, Money, Price, Qty, Side, Span, Time};

const MINUTE: Span = Span::from_secs(60);

/// What was promised of the orders of an account. What is `None` was not promised.
#[derive(Debug, Clone, Default)]
pub struct Promises {
    /// Of one buy.
    pub order_notional_max: Option<Money>,
    /// Of one sell: exits are sliced.
    pub exit_notional_max: Option<Money>,
    /// What is held of one symbol and bid for, at the last price.
    pub position_notional_max: Option<Money>,
    /// Of all symbols together.
    pub total_notional_max: Option<Money>,
    /// Buys that arrive within a minute, and on one UTC day.
    pub buys_per_minute_max: Option<usize>,
    pub buys_per_day_max: Option<usize>,
    /// Empty: any.
    pub symbols: Vec<String>,
    /// How far the venue's price may be from the one that was decided with.
    pub slack: Bps,
    /// Orders whose id does not begin so are somebody else's.
    pub id_prefix: String,
}

/// A time in which no order may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halted {
    pub from: Time,
    pub until: Time,
    /// Sells may come: the position is being closed.
    pub lets_exit: bool,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    pub at: Time,
    pub rule: &'static str,
    pub what: String,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.at, self.rule, self.what)
    }
}

#[derive(Debug, Clone)]
struct Seen {
    account: u16,
    side: Side,
    price: Price,
    qty: Qty,
    quote_qty: Qty,
    filled: Qty,
    has_ended: bool,
    is_ours: bool,
}

/// Reads a record entry by entry.
#[derive(Debug, Clone)]
pub struct Checker {
    promises: Promises,
    pairs: BTreeMap<Arc<str>, Pair>,
    halted: Vec<Halted>,
    /// Client ids that have had an order, by account.
    ids: BTreeSet<(u16, Arc<str>)>,
    orders: BTreeMap<(Arc<str>, u64), Seen>,
    open: BTreeSet<(Arc<str>, u64)>,
    /// What trades and deposits say an account should have.
    ledger: BTreeMap<(u16, Arc<str>), Qty>,
    prices: BTreeMap<Arc<str>, Price>,
    buys: VecDeque<Time>,
    breaches: Vec<Breach>,
    /// A script may have filled more than was asked.
    strays: bool,
    at: Time,
}

impl Checker {
    #[must_use]
    pub fn new(promises: Promises, pairs: Vec<Pair>) -> Self {
        Self {
            promises,
            pairs: pairs.into_iter().map(|pair| (pair.symbol.clone(), pair)).collect(),
            halted: Vec::new(),
            ids: BTreeSet::new(),
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            ledger: BTreeMap::new(),
            prices: BTreeMap::new(),
            buys: VecDeque::new(),
            breaches: Vec::new(),
            strays: false,
            at: Time::MIN,
        }
    }

    /// Between these times trading was to stand still. Told before the entries of that time are read.
    pub fn halt(&mut self, halted: Halted) {
        self.halted.push(halted);
    }

    /// From here on the last halt is over.
    pub fn resume(&mut self, at: Time) {
        if let Some(last) = self.halted.last_mut() {
            last.until = last.until.min(at);
        }
    }

    pub fn read_all<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) {
        entries.into_iter().for_each(|entry| self.read(entry));
    }

    /// What was broken so far.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    fn breach(&mut self, rule: &'static str, what: String) {
        self.breaches.push(Breach { at: self.at, rule, what });
    }

    pub fn read(&mut self, entry: &Entry) {
        if entry.at < self.at {
            self.breach("time", "the record goes back in time".to_owned());
        }
        self.at = entry.at;
        match &entry.what {
            What::Request { endpoint, status, is_our_fault, .. } => self.request(*endpoint, *status, *is_our_fault),
            What::Order { .. } => self.order(&entry.what),
            What::Trade { .. } => self.trade(&entry.what),
            What::Ended { symbol, order, status, filled, .. } => self.ended(symbol, *order, *status, *filled),
            What::Balance { account, asset, free, locked, why, by } => self.balance(*account, asset, *free, *locked, *why, *by),
            What::Offence { offence } => self.breach("manners", offence.clone()),
            What::Fault { fault } => self.strays |= fault.contains("stray-fill"),
            What::Connected { .. } | What::Disconnected { .. } | What::Event { .. } => {}
        }
    }

    fn request(&mut self, endpoint: Endpoint, status: u16, is_our_fault: bool) {
        if is_our_fault {
            self.breach("manners", format!("a request of {endpoint:?} was answered {status}, and it was our doing"));
        }
        // Also when it was refused: what leaves after a latch was held is one too many.
        if endpoint == Endpoint::Place && self.halted_now(None) {
            self.breach("halt", "a request to place an order came after a halt".to_owned());
        }
    }

    /// Is trading to stand still, for an order of this side? Without one: for any order.
    fn halted_now(&self, side: Option<Side>) -> bool {
        let is_now = |halted: &&Halted| halted.from < self.at && self.at < halted.until;
        self.halted.iter().filter(is_now).any(|halted| !halted.lets_exit || side == Some(Side::Buy))
    }

    fn order(&mut self, what: &What) {
        let What::Order { account, symbol, order, client_id, side, price, qty, quote_qty, reference, is_foreign, .. } = what
        else {
            return;
        };
        let is_ours = !is_foreign && client_id.starts_with(&self.promises.id_prefix);
        self.prices.insert(symbol.clone(), *reference);
        if !self.ids.insert((*account, client_id.clone())) {
            self.breach("once", format!("two orders have the client id {client_id}"));
        }
        let seen = Seen {
            account: *account,
            side: *side,
            price: if price.is_zero() { *reference } else { *price },
            qty: *qty,
            quote_qty: *quote_qty,
            filled: Qty::ZERO,
            has_ended: false,
            is_ours,
        };
        let notional = worst(&seen, seen.price);
        self.orders.insert((symbol.clone(), *order), seen);
        self.open.insert((symbol.clone(), *order));
        if !is_ours {
            return;
        }
        if !self.promises.symbols.is_empty() && !self.promises.symbols.iter().any(|known| **known == **symbol) {
            self.breach("symbol", format!("{client_id} is for {symbol}"));
        }
        if self.halted_now(Some(*side)) {
            self.breach("halt", format!("{client_id} came after a halt"));
        }
        let most = if *side == Side::Buy { self.promises.order_notional_max } else { self.promises.exit_notional_max };
        self.compare("order", client_id, notional, most);
        if *side == Side::Buy {
            self.count_buy(client_id);
            self.expose(*account, symbol, client_id);
        }
    }

    fn compare(&mut self, rule: &'static str, id: &str, figure: Money, most: Option<Money>) {
        let Some(most) = most else { return };
        let with_slack = most + most.bps_ceil(self.promises.slack);
        if figure > with_slack {
            self.breach(rule, format!("{id} comes to {figure}, more than {most}"));
        }
    }

    fn count_buy(&mut self, id: &str) {
        self.buys.push_back(self.at);
        let day = self.at.utc_day();
        while self.buys.front().is_some_and(|at| at.utc_day() < day && self.at - *at >= MINUTE) {
            self.buys.pop_front();
        }
        // They came in order of time.
        let since = |is_before: &dyn Fn(Time) -> bool| self.buys.len() - self.buys.partition_point(|at| is_before(*at));
        let of_minute = since(&|at| self.at - at >= MINUTE);
        let of_day = since(&|at| at.utc_day() < day);
        for (rule, count, most) in
            [("rate", of_minute, self.promises.buys_per_minute_max), ("rate", of_day, self.promises.buys_per_day_max)]
        {
            if most.is_some_and(|most| count > most) {
                self.breach(rule, format!("{id} is buy number {count}"));
            }
        }
    }

    /// What is held and bid for, if everything open is filled.
    fn expose(&mut self, account: u16, symbol: &Arc<str>, id: &str) {
        let mut total = Money::ZERO;
        let mut of_symbol = Money::ZERO;
        for (name, pair) in &self.pairs {
            let price = self.prices.get(name).copied().unwrap_or_default();
            let held = self.ledger.get(&(account, pair.base.clone())).copied().unwrap_or_default();
            let bids = self.open.iter().filter(|(of, _)| of == name).map(|key| &self.orders[key]);
            let bids = bids.filter(|order| order.account == account && order.side == Side::Buy);
            let figure = price.notional(held) + bids.map(|order| worst(order, price.max(order.price))).sum();
            total += figure;
            if name == symbol {
                of_symbol = figure;
            }
        }
        self.compare("position", id, of_symbol, self.promises.position_notional_max);
        self.compare("total", id, total, self.promises.total_notional_max);
    }

    fn trade(&mut self, what: &What) {
        let What::Trade { account, symbol, order, side, price, qty, quote, fee, fee_asset, .. } = what else { return };
        self.prices.insert(symbol.clone(), *price);
        let Some(pair) = self.pairs.get(symbol).cloned() else {
            return self.breach("record", format!("a trade of {symbol}, which is not listed"));
        };
        let (base, spent) = if *side == Side::Buy { (*qty, -*quote) } else { (-*qty, *quote) };
        for (asset, by) in [(&pair.base, base), (&pair.quote, spent), (fee_asset, -*fee)] {
            *self.ledger.entry((*account, asset.clone())).or_default() += by;
        }
        let strays = self.strays;
        let Some(seen) = self.orders.get_mut(&(symbol.clone(), *order)) else {
            return self.breach("record", format!("a trade of order {order}, which never came"));
        };
        seen.filled += *qty;
        let (is_over, is_late) = (seen.qty.is_positive() && seen.filled > seen.qty, seen.has_ended);
        if (is_over || is_late) && !strays {
            self.breach("record", format!("order {order} of {symbol} was filled beyond its end"));
        }
    }

    fn ended(&mut self, symbol: &Arc<str>, order: u64, status: Status, filled: Qty) {
        self.open.remove(&(symbol.clone(), order));
        let Some(seen) = self.orders.get_mut(&(symbol.clone(), order)) else {
            return self.breach("record", format!("order {order} ended and never came"));
        };
        let (had_ended, sum) = (std::mem::replace(&mut seen.has_ended, true), seen.filled);
        if had_ended {
            self.breach("record", format!("order {order} of {symbol} ended twice"));
        }
        // The end is written before the trade that brought it, or behind it; both are the same sum.
        if status != Status::Filled && sum != filled {
            self.breach("record", format!("order {order} of {symbol} ended with {filled}, its trades say {sum}"));
        }
    }

    fn balance(&mut self, account: u16, asset: &Arc<str>, free: Qty, locked: Qty, why: Why, by: Qty) {
        let key = (account, asset.clone());
        match why {
            Why::Start => {
                self.ledger.insert(key.clone(), free + locked);
            }
            Why::Moved => *self.ledger.entry(key.clone()).or_default() += by,
            Why::Order | Why::Trade => {}
        }
        let wanted = self.ledger.get(&key).copied().unwrap_or_default();
        if free + locked != wanted {
            self.breach("balance", format!("{asset} is {}, trades and fees say {wanted}", free + locked));
        }
        if free < Qty::ZERO || locked < Qty::ZERO {
            self.breach("balance", format!("{asset} is negative: {free} free, {locked} locked"));
        }
    }

    /// Of our orders: how many came, and how many are open still.
    #[must_use]
    pub fn orders(&self) -> (usize, usize) {
        let ours = self.orders.iter().filter(|(_, order)| order.is_ours);
        (ours.clone().count(), ours.filter(|(_, order)| !order.has_ended).count())
    }
}

/// What is left of an order, if it is filled at `price`.
fn worst(order: &Seen, price: Price) -> Money {
    if order.qty.is_positive() { price.notional(order.qty - order.filled) } else { money(order.quote_qty) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> Arc<str> {
        name.into()
    }

    fn pairs() -> Vec<Pair> {
        vec![Pair { symbol: text("BTCUSDT"), base: text("BTC"), quote: text("USDT") }]
    }

    fn at(secs: i64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn start(asset: &str, amount: &str) -> What {
        let free = amount.parse().unwrap();
        What::Balance { account: 0, asset: text(asset), free, locked: Qty::ZERO, why: Why::Start, by: Qty::ZERO }
    }

    fn order(number: u64, id: &str, side: Side, qty: &str) -> What {
        What::Order {
            account: 0,
            symbol: text("BTCUSDT"),
            order: number,
            client_id: text(id),
            side,
            is_market: true,
            price: Price::ZERO,
            qty: qty.parse().unwrap(),
            quote_qty: Qty::ZERO,
            reference: "100".parse().unwrap(),
            is_foreign: false,
        }
    }

    fn trade(number: u64, qty: &str, fee: &str) -> What {
        let qty: Qty = qty.parse().unwrap();
        What::Trade {
            account: 0,
            symbol: text("BTCUSDT"),
            order: number,
            trade: 1,
            side: Side::Buy,
            price: "100".parse().unwrap(),
            qty,
            quote: Qty::from_count(qty.count() * 100),
            fee: fee.parse().unwrap(),
            fee_asset: text("BTC"),
            is_maker: false,
        }
    }

    fn balance(asset: &str, amount: &str) -> What {
        let free = amount.parse().unwrap();
        What::Balance { account: 0, asset: text(asset), free, locked: Qty::ZERO, why: Why::Trade, by: Qty::ZERO }
    }

    fn ended(number: u64, filled: &str) -> What {
        let filled = filled.parse().unwrap();
        What::Ended { account: 0, symbol: text("BTCUSDT"), order: number, status: Status::Canceled, filled }
    }

    fn request(status: u16, is_our_fault: bool) -> What {
        let (account, client_id, code) = (None, None, None);
        What::Request { endpoint: Endpoint::Place, account, client_id, status, code, is_scripted: false, is_our_fault }
    }

    /// The rules that a record breaks, one entry a second.
    fn broken(promises: Promises, halted: Option<Halted>, entries: Vec<What>) -> Vec<&'static str> {
        let mut checker = Checker::new(promises, pairs());
        halted.into_iter().for_each(|halted| checker.halt(halted));
        for (second, what) in (0..).zip(entries) {
            checker.read(&Entry { at: at(second), what });
        }
        checker.breaches().iter().map(|breach| breach.rule).collect()
    }

    fn usual() -> Promises {
        Promises {
            order_notional_max: Some("50".parse().unwrap()),
            exit_notional_max: Some("50".parse().unwrap()),
            position_notional_max: Some("80".parse().unwrap()),
            total_notional_max: Some("80".parse().unwrap()),
            buys_per_minute_max: Some(2),
            ..Promises::default()
        }
    }

    #[test]
    fn an_honest_record_breaks_nothing() {
        let record = vec![
            start("USDT", "1000"),
            start("BTC", "0"),
            request(200, false),
            order(1, "a", Side::Buy, "0.5"),
            trade(1, "0.5", "0.0005"),
            balance("BTC", "0.4995"),
            balance("USDT", "950"),
            ended(1, "0.5"),
            order(2, "b", Side::Sell, "0.4995"),
        ];
        assert_eq!(broken(usual(), None, record), [""; 0]);
    }

    #[test]
    fn each_promise_can_be_broken() {
        let buy = |id, qty| order(if id == "a" { 1 } else { 2 }, id, Side::Buy, qty);
        let cases: Vec<(Vec<What>, &[&str])> = vec![
            (vec![buy("a", "0.1"), order(2, "a", Side::Buy, "0.1")], &["once"]),
            (vec![buy("a", "0.50001")], &["order"]),
            (vec![order(1, "a", Side::Sell, "0.50001")], &["order"]),
            (vec![buy("a", "0.4"), buy("b", "0.4")], &[]),
            (vec![buy("a", "0.4"), buy("b", "0.41")], &["position", "total"]),
            (vec![start("BTC", "0.8"), buy("a", "0.01")], &["position", "total"]),
            (vec![buy("a", "0.1"), buy("b", "0.1"), order(3, "c", Side::Buy, "0.1")], &["rate"]),
            (vec![request(429, true)], &["manners"]),
            (vec![request(429, false)], &[]),
            (vec![What::Offence { offence: "x".to_owned() }], &["manners"]),
            (vec![buy("a", "0.1"), trade(1, "0.2", "0")], &["record"]),
            (vec![buy("a", "0.1"), ended(1, "0"), ended(1, "0")], &["record"]),
            (vec![buy("a", "0.1"), ended(1, "0.1")], &["record"]),
            (vec![buy("a", "0.1"), ended(1, "0"), trade(1, "0.1", "0")], &["record"]),
            (vec![trade(7, "0.1", "0")], &["record"]),
            (vec![start("BTC", "1"), balance("BTC", "1.00000001")], &["balance"]),
            (vec![start("BTC", "-1")], &["balance"]),
        ];
        for (number, (record, wanted)) in cases.into_iter().enumerate() {
            assert_eq!(broken(usual(), None, record), wanted, "case {number}");
        }
    }

    #[test]
    fn after_a_halt_nothing_comes_but_exits_where_they_may() {
        let halted = |lets_exit| Some(Halted { from: at(1), until: at(100), lets_exit });
        let buy = || vec![request(200, false), request(200, false), order(1, "a", Side::Buy, "0.1")];
        let sell = || vec![request(200, false), request(200, false), order(1, "a", Side::Sell, "0.1")];
        assert_eq!(broken(usual(), halted(true), buy()), ["halt"]);
        assert_eq!(broken(usual(), halted(true), sell()), [""; 0]);
        assert_eq!(broken(usual(), halted(false), sell()), ["halt"]);
        let late = vec![request(200, false), request(200, false), request(200, false), request(400, false)];
        assert_eq!(broken(usual(), halted(false), late), ["halt", "halt"], "also when it is refused");
    }

    #[test]
    fn a_foreign_order_is_nobody_s_breach() {
        let promises = Promises { id_prefix: "tg".to_owned(), ..usual() };
        assert_eq!(broken(promises, None, vec![order(1, "web_1", Side::Buy, "9")]), [""; 0]);
    }
}
