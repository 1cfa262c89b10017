//! What comes out of the router: facts to write down, requests to make, alarms to raise.

use serde::{Deserialize, Serialize};

use super::order::Routed;
use crate::domain::{ClientOrderId, OrderState, Span, SymbolIndex, Time};
use crate::risk::HaltCause;
use crate::venue::wire::{Request, VenueFill};

/// Ties an answer to what was asked; unique within one router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that is true from here on and must survive a power cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// An order is wanted: its id is used up.
    Intended { order: Routed },
    /// An order has another state, or more of it is known.
    Moved { order: Routed },
    /// The venue filled part of an order.
    Filled { id: ClientOrderId, symbol: SymbolIndex, fill: VenueFill },
}

/// What people must hear of, and mostly a reason to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alarm", rename_all = "kebab-case")]
pub enum Alarm {
    /// The answer to an order is lost: it counts at its worst case until the venue is heard.
    Unknown { id: ClientOrderId, why: String },
    /// An order that was unknown is known.
    Resolved { id: ClientOrderId, state: OrderState },
    /// For a minute nobody has known what became of an order.
    Unresolved { id: ClientOrderId, since: Time },
    /// An order on the account that this profile did not place.
    Foreign { symbol: String, client_id: String },
    /// The venue said what cannot be.
    Protocol { what: String },
    /// More was filled than was ordered.
    Overfilled { id: ClientOrderId },
    /// A fill came for an order that had ended.
    LateFill { id: ClientOrderId, trade: u64 },
    /// A word for the status of an order that we do not know.
    Unheard { id: ClientOrderId },
    /// The key is refused.
    Key { text: String },
    /// The venue wants no orders for a while.
    Throttled { until: Time },
    /// The venue answers nobody at this address.
    Banned { until: Time },
    /// The venue's rules are others than ours: they must be read again.
    RulesStale { id: ClientOrderId, text: String },
    /// An order was not sent: too late, or trading was stopped meanwhile.
    NotSent { id: ClientOrderId, why: String },
    /// The account and the venue's differ, and nothing explains it.
    Mismatch { what: Vec<String> },
    /// The clock went back, or differs from the venue's.
    Clock { what: String },
    /// Orders took too long: nothing new before then.
    Slow { until: Time },
    /// Trading has stopped until a person resumes it.
    Halted { cause: HaltCause },
    /// A cancel cannot be brought home.
    CancelFailed { id: ClientOrderId, why: String },
}

impl Alarm {
    /// Must somebody be woken?
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        !matches!(
            self,
            Self::Resolved { .. } | Self::Throttled { .. } | Self::RulesStale { .. } | Self::NotSent { .. } | Self::Slow { .. }
        )
    }
}

/// One batch of what is to be done. All facts are durable before the first request is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Actions {
    pub facts: Vec<Fact>,
    pub asks: Vec<(RequestId, Request)>,
    pub alarms: Vec<Alarm>,
    /// Round trips of orders, for the latency guard.
    pub round_trips: Vec<Span>,
    /// Orders whose absence is proven but for the balances: the account is to be compared.
    pub compare: Vec<ClientOrderId>,
}

impl Actions {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
