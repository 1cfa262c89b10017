//! The rules of a venue for one symbol, as the core asks them: no dialect of any venue.
//!
//! They are data: whoever talks to the venue reads them and hands them on; whoever decides asks them and does no more.

use std::fmt;
use std::sync::Arc;

use crate::domain::{Brief, Instrument, OrderIntent, Price, Qty};
use crate::risk::Refusal;

/// What an order is judged by beside itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Market {
    /// The venue's reference price, or its average; `None`: the price that the decision saw has to do, and no band is judged.
    pub average: Option<Price>,
    /// Open orders on the symbol.
    pub open_orders: u32,
    /// Held, locked, and on its way by open buys.
    pub position: Qty,
}

/// A rule that an order breaks, with both numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{filter}: {found}, where the venue takes {allowed}")]
pub struct Breach {
    /// The venue's name of the rule.
    pub filter: &'static str,
    pub found: String,
    pub allowed: String,
}

/// The quantities that one order may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    pub min: Qty,
    /// `None`: there is no rule.
    pub max: Option<Qty>,
}

/// Judges orders as a venue does.
pub trait OrderRules: fmt::Debug + Send + Sync {
    /// Would the venue take the order?
    ///
    /// # Errors
    /// The first rule that it breaks.
    fn check(&self, intent: &OrderIntent, market: &Market) -> Result<(), Breach>;

    /// What one order may have, at this price.
    fn sizes(&self, is_market: bool, price: Price) -> Sizes;
}

/// A symbol as the venue lists it.
#[derive(Debug, Clone)]
pub struct Listing {
    pub instrument: Instrument,
    pub rules: Arc<dyn OrderRules>,
}

impl From<Breach> for Refusal {
    fn from(breach: Breach) -> Self {
        Self::VenueRule { rule: Brief::of(breach.filter), found: Brief::of(breach.found), allowed: Brief::of(breach.allowed) }
    }
}
