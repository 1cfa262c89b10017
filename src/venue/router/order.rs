//! One order on its way, and what is known of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::doubt::Doubt;
use crate::domain::{
    BadTransition, ClientOrderId, OrderEvent, OrderIntent, OrderKind, OrderState, Qty, Size, Time, lifecycle::transition,
};
use crate::venue::wire::{TradeId, VenueOrderId, VenueStatus};

/// Why an order is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelCause {
    /// The desk does not want it any more.
    Wanted,
    /// It has rested as long as it should.
    Expiry,
}

/// A withdrawal that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    pub cause: CancelCause,
    pub tries: u8,
    /// Not asked again before then.
    pub next: Time,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    pub intent: OrderIntent,
    pub state: OrderState,
    pub sent_at: Option<Time>,
    /// Attempts that did not leave.
    pub sends: u8,
    pub venue_id: Option<VenueOrderId>,
    /// What the venue says was ordered: the quantity of an order in quote currency is the venue's.
    pub ordered: Option<Qty>,
    /// Sum of the trades.
    pub filled: Qty,
    /// The greatest cumulative quantity the venue has told.
    pub told: Qty,
    /// The newest execution seen on the stream.
    pub execution: u64,
    /// The end that the venue has told; the order ends when its trades add up.
    pub ended: Option<VenueStatus>,
    pub trades: BTreeSet<TradeId>,
    pub withdrawal: Option<Withdrawal>,
    pub doubt: Option<Doubt>,
    /// When it ended here.
    pub ended_at: Option<Time>,
}

impl Routed {
    #[must_use]
    pub const fn new(intent: OrderIntent) -> Self {
        Self {
            intent,
            state: OrderState::Approved,
            sent_at: None,
            sends: 0,
            venue_id: None,
            ordered: None,
            filled: Qty::ZERO,
            told: Qty::ZERO,
            execution: 0,
            ended: None,
            trades: BTreeSet::new(),
            withdrawal: None,
            doubt: None,
            ended_at: None,
        }
    }

    #[must_use]
    pub const fn id(&self) -> ClientOrderId {
        self.intent.id
    }

    /// Has the request left, and has the order not ended?
    #[must_use]
    pub const fn is_out(&self) -> bool {
        matches!(self.state, OrderState::Sending | OrderState::Unknown | OrderState::Accepted | OrderState::PartiallyFilled)
    }

    /// Is it in the venue's book, as far as is known?
    #[must_use]
    pub const fn is_at_venue(&self) -> bool {
        matches!(self.state, OrderState::Accepted | OrderState::PartiallyFilled)
    }

    /// The most that may be filled, as far as it is known in base units.
    #[must_use]
    pub const fn most(&self) -> Option<Qty> {
        match self.intent.size {
            Size::Base(qty) => Some(qty),
            Size::Quote(_) => self.ordered,
        }
    }

    /// The instant after which a resting order is withdrawn.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Time> {
        match self.intent.kind {
            OrderKind::Market => None,
            OrderKind::Limit { expires_at, .. } => Some(expires_at),
        }
    }

    /// # Errors
    /// When the table of states does not allow it; nothing has changed then.
    pub(super) fn take(&mut self, event: OrderEvent) -> Result<(), BadTransition> {
        self.state = transition(self.state, event)?;
        Ok(())
    }
}
