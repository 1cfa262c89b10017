//! What only an account of real money has to remember.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::closing::Closing;
use super::round_trips::RoundTrips;
use crate::domain::{Qty, Time};
use crate::venue::router::RouterState;
use crate::venue::wire::TradeId;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveState {
    pub router: RouterState,
    pub books: Books,
}

/// The account beside what the desk counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// What lay on the account before we came, by currency: it is not ours, and does not move.
    pub baseline: BTreeMap<String, Qty>,
    /// By symbol: the newest trade that is booked.
    pub newest_trades: Vec<Option<TradeId>>,
    /// By symbol: where no trade is booked yet, those before this are not ours.
    pub trades_since: Vec<Time>,
    /// An order to close everything that is being carried out, with the rounds so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// Fills of the account, for what rounding may make of a balance.
    pub fills: u64,
    /// How long orders took there and back.
    #[serde(default, skip_serializing_if = "RoundTrips::is_empty")]
    pub round_trips: RoundTrips,
}
