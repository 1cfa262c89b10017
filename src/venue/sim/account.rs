//! Accounts: balances, free and locked, keys, fees.

use super::keys::Key;
use crate::domain::{Fraction, Price, Qty};

/// In which currency a fee is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeeAsset {
    /// What the trade brings: base for a buyer, quote for a seller.
    Received,
    /// The quote currency on both sides.
    Quote,
    /// A coin at a fixed price in the quote currency.
    Coin { asset: String, price: Price },
}

/// What the venue takes of a trade. Where an account lacks the currency of the fee, it is taken from what the trade brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fees {
    pub maker: Fraction,
    pub taker: Fraction,
    pub asset: FeeAsset,
}

impl Default for Fees {
    /// A tenth of a percent of what the trade brings.
    fn default() -> Self {
        let tenth = Fraction::from_f64(0.001).expect("a literal fraction");
        Self { maker: tenth, taker: tenth, asset: FeeAsset::Received }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    pub free: Qty,
    pub locked: Qty,
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub keys: Vec<Key>,
    pub fees: Fees,
    /// By the position of the asset in the exchange's list.
    pub balances: Vec<Balance>,
    /// Accepted orders that have not yet a fill, by the start of their interval: ten seconds and a day.
    pub unfilled: [Count; 2],
}

/// A count that begins anew with each interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    interval: i64,
    count: u64,
}

impl Count {
    pub(super) const NONE: Self = Self { interval: 0, count: 0 };

    pub(super) fn at(&self, interval: i64) -> u64 {
        if self.interval == interval { self.count } else { 0 }
    }

    pub(super) fn add(&mut self, interval: i64, more: u64) -> u64 {
        if self.interval != interval {
            *self = Self { interval, count: 0 };
        }
        self.count += more;
        self.count
    }

    pub(super) fn take_back(&mut self, interval: i64) {
        if self.interval == interval {
            self.count = self.count.saturating_sub(1);
        }
    }
}

impl Account {
    pub(super) fn balance(&self, asset: usize) -> Balance {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    pub(super) fn balance_mut(&mut self, asset: usize) -> &mut Balance {
        if self.balances.len() <= asset {
            self.balances.resize(asset + 1, Balance::default());
        }
        &mut self.balances[asset]
    }

    /// Moves `amount` from free to locked.
    pub(super) fn lock(&mut self, asset: usize, amount: Qty) {
        let balance = self.balance_mut(asset);
        balance.free -= amount;
        balance.locked += amount;
        assert!(balance.free >= Qty::ZERO, "an order claims no more than there is: SIM-2");
    }

    pub(super) fn unlock(&mut self, asset: usize, amount: Qty) {
        let balance = self.balance_mut(asset);
        balance.locked -= amount;
        balance.free += amount;
        assert!(balance.locked >= Qty::ZERO, "an order gives back no more than it claimed: SIM-2");
    }
}
