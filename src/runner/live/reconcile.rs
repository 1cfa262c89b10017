//! Comparing the account with the venue's: orders, trades, balances.
//!
//! Orders and trades are asked for first, so that what we missed is booked; then balances, which must say the same. A balance that
//! was read while something moved proves nothing and is read again.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::state::Books;
use crate::domain::{Money, Qty, Span, Symbol, SymbolIndex, Time};
use crate::venue::wire::{Account, Request, TradeId};

/// Readings of the balances before a difference counts.
const READINGS_MAX: u8 = 3;
const READ_AGAIN_AFTER: Span = Span::from_secs(1);
/// A comparison that has not ended by then is begun anew: an answer was lost.
const GIVE_UP_AFTER: Span = Span::from_secs(30);
/// Trades come in pages; a full one has another behind it.
pub const TRADES_PAGE: usize = 1000;
/// Trades by time are asked for over at most so long.
const RANGE_MAX: Span = Span::from_days(1);
/// Every comparison is at most so old.
pub const EVERY: Span = Span::from_secs(60);

/// Something that the venue has otherwise than we.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub asset: String,
    pub ours: Qty,
    pub venue: Qty,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} here, {} at the venue", self.asset, self.ours, self.venue)
    }
}

/// What is asked for in one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    OpenOrders(SymbolIndex),
    Trades(SymbolIndex),
    Account,
}

/// Where a comparison stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub began: Time,
    /// Answers still awaited.
    pub awaited: Vec<Question>,
    pub readings: u8,
    /// All of it is asked for again at this time.
    pub begin_again_at: Option<Time>,
    /// Something moved since the balances were asked for.
    pub is_stirred: bool,
}

impl Comparison {
    #[must_use]
    pub fn new(now: Time, symbols: usize, readings: u8) -> Self {
        let all = (0..symbols).map(|at| SymbolIndex(u16::try_from(at).expect("symbols fit 16 bits")));
        let awaited = all.flat_map(|symbol| [Question::OpenOrders(symbol), Question::Trades(symbol)]).collect();
        Self { began: now, awaited, readings, begin_again_at: None, is_stirred: false }
    }

    #[must_use]
    pub fn is_lost(&self, now: Time) -> bool {
        now - self.began > GIVE_UP_AFTER
    }

    /// Marks a question as answered. Gives whether orders and trades are all in, so that balances are next.
    pub fn answered(&mut self, question: Question) -> bool {
        self.awaited.retain(|other| *other != question);
        self.awaited.is_empty()
    }

    /// Asks for the balances.
    pub fn read(&mut self) {
        self.is_stirred = false;
        self.awaited = vec![Question::Account];
        self.readings += 1;
    }

    /// The balances differ, or something moved meanwhile. Gives whether everything is asked for again: a trade may have come between.
    pub fn try_again(&mut self, now: Time) -> bool {
        let again = self.is_stirred || self.readings < READINGS_MAX;
        if again {
            self.begin_again_at = Some(now + READ_AGAIN_AFTER);
        }
        again
    }
}

/// The request that finds trades we have not booked.
#[must_use]
pub fn trades_request(books: &Books, symbol: SymbolIndex, now: Time) -> Request {
    match books.newest_trades[symbol.at()] {
        Some(TradeId(newest)) => Request::FillsFrom { symbol, first: TradeId(newest + 1) },
        None => {
            let from = books.trades_since[symbol.at()];
            Request::FillsIn { symbol, from, until: now.max(from).min(from + RANGE_MAX) }
        }
    }
}

/// What the balances of the venue should be, by currency.
#[must_use]
pub fn expected(
    baseline: &BTreeMap<String, Qty>,
    symbols: &[Symbol],
    positions: impl Iterator<Item = (SymbolIndex, Qty)>,
    cash: Money,
) -> BTreeMap<String, Qty> {
    let mut expected = baseline.clone();
    for (symbol, position) in positions {
        *expected.entry(symbols[symbol.at()].base().to_owned()).or_insert(Qty::ZERO) += position;
    }
    if let Some(first) = symbols.first() {
        // A count of 1e-18 becomes one of 1e-8; what is cut off is less than the venue counts.
        let cash = Qty::from_count(cash.count().div_euclid(10_000_000_000));
        *expected.entry(first.quote().to_owned()).or_insert(Qty::ZERO) += cash;
    }
    expected
}

/// Where the venue's balances differ from what they should be by more than rounding of so many fills can.
#[must_use]
pub fn differences(expected: &BTreeMap<String, Qty>, account: &Account, fills: u64) -> Vec<Difference> {
    let tolerance = Qty::from_count(i128::from(fills) + 1);
    let total = |asset: &str| {
        account.balances.iter().filter(|balance| balance.asset == asset).map(crate::venue::wire::Balance::total).sum::<Qty>()
    };
    let of = |(asset, ours): (&String, &Qty)| {
        let venue = total(asset);
        ((venue - *ours).abs() > tolerance).then(|| Difference { asset: asset.clone(), ours: *ours, venue })
    };
    expected.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::wire::Balance;

    fn qty(text: &str) -> Qty {
        text.parse().unwrap()
    }

    fn account(balances: &[(&str, &str, &str)]) -> Account {
        let balance = |(asset, free, locked): &(&str, &str, &str)| Balance {
            asset: (*asset).to_owned(),
            free: qty(free),
            locked: qty(locked),
        };
        let balances = balances.iter().map(balance).collect();
        Account { id: String::new(), can_trade: true, can_withdraw: false, balances, at: Time::from_millis(0) }
    }

    #[test]
    fn what_lay_there_before_and_what_we_hold_make_the_balance() {
        let symbols: Vec<Symbol> = ["BTC/USDT", "ETH/USDT"].iter().map(|s| s.parse().unwrap()).collect();
        let baseline = [("BTC".to_owned(), qty("2"))].into();
        let positions = [(SymbolIndex(0), qty("0.5")), (SymbolIndex(1), qty("3"))];
        let expected = expected(&baseline, &symbols, positions.into_iter(), "100.000000001".parse().unwrap());
        let fits = account(&[("BTC", "2", "0.5"), ("ETH", "3", "0"), ("USDT", "90", "10"), ("BNB", "7", "0")]);
        assert_eq!(differences(&expected, &fits, 0), [], "another coin is none of our business");
        let off = account(&[("BTC", "2.4", "0"), ("ETH", "3", "0"), ("USDT", "100.00000003", "0")]);
        let told: Vec<String> = differences(&expected, &off, 1).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["BTC: 2.5 here, 2.4 at the venue", "USDT: 100 here, 100.00000003 at the venue"]);
        assert_eq!(differences(&expected, &off, 2).len(), 1, "three fills may round so far");
    }
}
