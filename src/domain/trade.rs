//! A public trade at a venue: what bars are made of.

use super::money::{Price, Qty};
use super::order::Side;
use super::time::Time;

/// One trade that a venue published. It is nobody's fill: ours are [`super::Fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The venue's number for it, which ascends by one a trade at most venues.
    pub id: u64,
    pub time: Time,
    pub price: Price,
    pub qty: Qty,
    /// Which side took; none if the source does not say.
    pub taker: Option<Side>,
}
