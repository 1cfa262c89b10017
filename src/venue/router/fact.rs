//! What comes out of the router: facts to write down, requests to make, alarms to raise.

use std::fmt;

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
    /// A model panicked: it decides nothing any more.
    Model { what: String },
}

impl Alarm {
    /// A stable word for it, and what it is in a few words.
    #[must_use]
    pub const fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown { .. } => ("unknown", "nobody knows what became of an order"),
            Self::Resolved { .. } => ("resolved", "an order is known again"),
            Self::Unresolved { .. } => ("unresolved", "an order is unknown for a minute"),
            Self::Foreign { .. } => ("foreign", "somebody else trades on the account"),
            Self::Protocol { .. } => ("protocol", "the venue said what cannot be"),
            Self::Overfilled { .. } => ("overfill", "an order was filled beyond its size"),
            Self::LateFill { .. } => ("late-fill", "an order was filled after its end"),
            Self::Unheard { .. } => ("unheard", "an order has a status that nobody knows"),
            Self::Key { .. } => ("key", "the venue refuses the key"),
            Self::Throttled { .. } => ("throttled", "the venue wants no orders for now"),
            Self::Banned { .. } => ("banned", "the venue has banned this address"),
            Self::RulesStale { .. } => ("rules", "the venue's rules have changed"),
            Self::NotSent { .. } => ("not-sent", "an order was not sent"),
            Self::Mismatch { .. } => ("mismatch", "the account is not what it should be"),
            Self::Clock { .. } => ("clock", "a clock is wrong"),
            Self::Slow { .. } => ("slow", "orders are slow: nothing new for now"),
            Self::Halted { .. } => ("halted", "trading is halted until a person resumes it"),
            Self::CancelFailed { .. } => ("cancel-failed", "an order cannot be withdrawn"),
            Self::Model { .. } => ("model", "the model broke down"),
        }
    }

    /// Must somebody be woken?
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        !matches!(
            self,
            Self::Resolved { .. } | Self::Throttled { .. } | Self::RulesStale { .. } | Self::NotSent { .. } | Self::Slow { .. }
        )
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { id, why } => write!(f, "order {id} is unknown: {why}"),
            Self::Resolved { id, state } => write!(f, "order {id} is known again: {state}"),
            Self::Unresolved { id, since } => write!(f, "order {id} has been unknown since {since}"),
            Self::Foreign { symbol, client_id } => write!(f, "somebody else trades {symbol} on this account: {client_id}"),
            Self::Protocol { what } => write!(f, "the venue said what cannot be: {what}"),
            Self::Overfilled { id } => write!(f, "order {id} was filled beyond what was ordered"),
            Self::LateFill { id, trade } => write!(f, "order {id} was filled after its end, by trade {trade}"),
            Self::Unheard { id } => write!(f, "order {id} has a status that nobody knows"),
            Self::Key { text } => write!(f, "the venue refuses the key: {text}"),
            Self::Throttled { until } => write!(f, "the venue wants no orders until {until}"),
            Self::Banned { until } => write!(f, "the venue has banned this address until {until}"),
            Self::RulesStale { id, text } => write!(f, "order {id} broke a rule of the venue: {text}"),
            Self::NotSent { id, why } => write!(f, "order {id} was not sent: {why}"),
            Self::Mismatch { what } => write!(f, "the account is not what it should be: {}", what.join("; ")),
            Self::Clock { what } => f.write_str(what),
            Self::Slow { until } => write!(f, "orders are slow: nothing new until {until}"),
            Self::Halted { cause } => write!(f, "trading is halted: {}", cause.name()),
            Self::CancelFailed { id, why } => write!(f, "order {id} cannot be withdrawn: {why}"),
            Self::Model { what } => write!(f, "the model broke down, and decides nothing any more: {what}"),
        }
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
