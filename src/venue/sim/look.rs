//! A look at an account: what is asked most, answered as values where bytes would say "nothing new".
//!
//! A simulated day asks thousands of times whether anything is open, was traded, or lies on the account, and mostly nothing is new. A
//! look passes the same gate, draws the same faults and stands in the record as the same request does. Wherever the answer is not
//! plain (a closed door, a fault, a refusal, an order or trade to tell) it is a request in bytes after all.

use std::sync::Arc;

use super::exchange::Exchange;
use super::http::{HttpReply, HttpRequest};
use super::log::{Endpoint, What};
use crate::domain::{Qty, Time};

/// What is asked, of the account of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look<'a> {
    /// Open orders of a symbol.
    Open {
        symbol: &'a str,
    },
    /// Trades of a symbol from a number on; without one, in some range of time.
    Trades {
        symbol: &'a str,
        from: Option<u64>,
    },
    Balances,
}

/// What a look finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An empty list.
    Nothing { used_weight: u64 },
    /// Name, free, locked.
    Balances { balances: Vec<(Arc<str>, Qty, Qty)>, used_weight: u64 },
    /// It is no plain answer.
    Reply(HttpReply),
}

impl Look<'_> {
    const fn endpoint(self) -> Endpoint {
        match self {
            Self::Open { .. } => Endpoint::OpenOrders,
            Self::Trades { .. } => Endpoint::MyTrades,
            Self::Balances => Endpoint::Account,
        }
    }
}

impl Exchange {
    /// Looks at the account of `key`. `stamp` is when the request was made, by whoever asks; `request` is the same in bytes.
    pub fn look(&mut self, look: Look<'_>, key: &str, stamp: Time, request: impl FnOnce() -> HttpRequest, now: Time) -> Found {
        self.pass(now);
        let endpoint = look.endpoint();
        let entered = self.enter(endpoint, endpoint.weight("symbol="));
        let plain = matches!(entered, Ok(None)).then(|| self.seen(look, key, stamp)).flatten();
        let Some((account, found)) = plain else { return Found::Reply(self.reply(endpoint, &request(), entered)) };
        self.log_now(What::Request {
            endpoint,
            account: Some(account as u16),
            client_id: None,
            status: 200,
            code: None,
            is_scripted: false,
            is_our_fault: false,
        });
        found
    }

    /// The plain answer, if it is one.
    fn seen(&self, look: Look<'_>, key: &str, stamp: Time) -> Option<(usize, Found)> {
        let (account, key) = self.key_of(Some(key)).ok()?;
        self.check_stamp(stamp, super::route::WINDOW).ok()?;
        if !key.permissions.can_read || key.is_revoked {
            return None;
        }
        let used_weight = self.gate.used(self.venue_time());
        let found = match look {
            Look::Open { symbol } => {
                let listing = &self.listings[self.listing_at(symbol)?];
                let is_own = |order: &usize| listing.orders[*order].account == account;
                (!listing.open.iter().any(is_own)).then_some(Found::Nothing { used_weight })
            }
            Look::Trades { symbol, from } => {
                let listing = &self.listings[self.listing_at(symbol)?];
                let first = from.map_or(0, |from| listing.trades.partition_point(|trade| trade.id < from));
                let is_own = listing.trades[first..].iter().any(|trade| trade.account == account);
                (!is_own).then_some(Found::Nothing { used_weight })
            }
            Look::Balances => {
                let balance = |(at, asset): (usize, &Arc<str>)| {
                    let balance = self.accounts[account].balance(at);
                    (asset.clone(), balance.free, balance.locked)
                };
                let balances = self.assets.iter().enumerate().map(balance).collect();
                Some(Found::Balances { balances, used_weight })
            }
        };
        found.map(|found| (account, found))
    }
}
