//! Venues: where approved orders go and what comes back.
//!
//! Enter at [`Venue`]. A venue takes orders and cancels at once and reports what became of them later: the caller drains reports,
//! so the same core is driven by a tight loop over bars or by a live stream.
//!
//! VENUE-1  Only an `Approved<OrderIntent>` is taken.
//! VENUE-2  Every order taken ends in exactly one terminal report; fills before it add up to at most what was asked.
//!
//! Not here: whether to send (`risk`), what the reports mean for the account (`stage/oms`).

pub mod binance;
pub mod paper;
pub mod router;
mod rules;
pub mod sim;
pub mod wire;

use crate::domain::{ClientOrderId, Fill, OrderIntent, RejectReason, Time};
use crate::risk::Approved;

pub use rules::{Breach, Listing, Market, OrderRules, Sizes};

/// What a venue says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderReport {
    Accepted {
        id: ClientOrderId,
        at: Time,
    },
    /// `done`: nothing of the order is left.
    Filled {
        fill: Fill,
        done: bool,
    },
    Canceled {
        id: ClientOrderId,
        at: Time,
    },
    /// Ended by its own rule or for want of volume; what was filled stays.
    Expired {
        id: ClientOrderId,
        at: Time,
    },
    Rejected {
        id: ClientOrderId,
        at: Time,
        reason: RejectReason,
    },
    /// Nobody knows what became of it; it counts at its worst case.
    Unknown {
        id: ClientOrderId,
        at: Time,
    },
    /// It never reached the venue, and never will.
    Abandoned {
        id: ClientOrderId,
        at: Time,
    },
    /// All of it was filled, by fills reported before.
    Completed {
        id: ClientOrderId,
        at: Time,
    },
    /// A fill beyond what was ordered, or after the order's end. It is true all the same.
    Excess {
        fill: Fill,
        at: Time,
    },
}

/// Takes orders, reports what becomes of them.
pub trait Venue {
    /// Takes an order. Its fate is reported later, also when it is refused.
    fn submit(&mut self, order: Approved<OrderIntent>);

    /// Asks to withdraw what is left of an order; an order already ended is left as it is.
    fn cancel(&mut self, id: ClientOrderId, at: Time);

    /// Moves the reports since the last call into `out`, oldest first.
    fn drain(&mut self, out: &mut Vec<OrderReport>);
}
