//! The life of an order: states, events and the one table that joins them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// Wanted, not yet checked.
    Created,
    /// Passed the gate, written down, not yet sent.
    Approved,
    /// On its way: the request has left or is about to.
    Sending,
    /// Sent, and the answer was ambiguous. Counts at its worst case until the venue is asked.
    Unknown,
    Accepted,
    PartiallyFilled,
    Filled,
    Canceled,
    Expired,
    /// By the venue.
    Rejected,
    /// By our gate; never sent.
    Denied,
    /// Approved and never sent, found after a restart.
    Abandoned,
}

impl OrderState {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Denied | Self::Abandoned)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Approved => "approved",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::PartiallyFilled => "partially-filled",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Denied => "denied",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderEvent {
    Approve,
    Deny,
    Send,
    Accept,
    /// Part of it was filled.
    FillPart,
    /// The rest of it was filled.
    FillRest,
    Cancel,
    Expire,
    Reject,
    /// No clear answer came.
    LoseSight,
    /// It was proven never to have reached the venue.
    Abandon,
}

/// An event that the order's state does not allow: a bug of ours or a protocol error of the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {state} cannot take the event {event:?}")]
pub struct BadTransition {
    pub state: OrderState,
    pub event: OrderEvent,
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The table. What is not listed is an error.
///
/// # Errors
/// Both sides of a move that is not allowed.
pub const fn transition(state: OrderState, event: OrderEvent) -> Result<OrderState, BadTransition> {
    use OrderEvent as E;
    use OrderState as S;
    Ok(match (state, event) {
        (S::Created, E::Approve) => S::Approved,
        (S::Created, E::Deny) => S::Denied,
        (S::Approved, E::Send) => S::Sending,
        (S::Approved | S::Sending | S::Unknown, E::Abandon) => S::Abandoned,
        // Also of one that was known: its status may be a word that nobody has heard.
        (S::Sending | S::Accepted | S::PartiallyFilled, E::LoseSight) => S::Unknown,
        // An unknown order takes whatever the venue says of it once asked.
        (S::Sending | S::Unknown, E::Accept) => S::Accepted,
        (S::Sending | S::Unknown, E::Reject) => S::Rejected,
        // Events may overtake the reply to the request.
        (S::Sending | S::Unknown | S::Accepted | S::PartiallyFilled, E::FillPart) => S::PartiallyFilled,
        (S::Sending | S::Unknown | S::Accepted | S::PartiallyFilled, E::FillRest) => S::Filled,
        (S::Sending | S::Unknown | S::Accepted | S::PartiallyFilled, E::Cancel) => S::Canceled,
        (S::Sending | S::Unknown | S::Accepted | S::PartiallyFilled, E::Expire) => S::Expired,
        // The paper venue knows only at the fill that the account does not cover an order it has taken.
        (S::Accepted | S::PartiallyFilled, E::Reject) => S::Rejected,
        _ => return Err(BadTransition { state, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrderEvent as E;
    use OrderState as S;

    const STATES: [S; 12] = [
        S::Created,
        S::Approved,
        S::Sending,
        S::Unknown,
        S::Accepted,
        S::PartiallyFilled,
        S::Filled,
        S::Canceled,
        S::Expired,
        S::Rejected,
        S::Denied,
        S::Abandoned,
    ];
    const EVENTS: [E; 11] = [
        E::Approve,
        E::Deny,
        E::Send,
        E::Accept,
        E::FillPart,
        E::FillRest,
        E::Cancel,
        E::Expire,
        E::Reject,
        E::LoseSight,
        E::Abandon,
    ];

    /// OMS-2.
    #[test]
    fn what_has_ended_stays_ended() {
        for state in STATES.into_iter().filter(|s| s.is_terminal()) {
            for event in EVENTS {
                assert_eq!(transition(state, event), Err(BadTransition { state, event }));
            }
        }
    }

    #[test]
    fn nothing_is_filled_that_was_not_sent() {
        for state in [S::Created, S::Approved] {
            for event in [E::Accept, E::FillPart, E::FillRest, E::Expire, E::Reject, E::LoseSight] {
                assert!(transition(state, event).is_err(), "{state} {event:?}");
            }
        }
    }

    #[test]
    fn every_state_that_lives_can_end() {
        for start in STATES.into_iter().filter(|s| !s.is_terminal()) {
            let mut reached = vec![start];
            for _ in 0..STATES.len() {
                let next: Vec<S> =
                    reached.iter().flat_map(|&s| EVENTS.into_iter().filter_map(move |e| transition(s, e).ok())).collect();
                reached.extend(next);
                reached.dedup();
                reached.truncate(400);
            }
            assert!(reached.iter().any(|s| s.is_terminal()), "{start}");
        }
    }
}
