//! What of the router survives a restart.

use serde::{Deserialize, Serialize};

use super::order::Routed;
use super::orders::Orders;
use crate::domain::{ClientOrderId, Time};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterState {
    /// Orders that are open, and those that ended lately.
    pub(super) orders: Orders,
    /// No order is placed before then.
    pub(super) throttled_until: Option<Time>,
}

impl RouterState {
    #[must_use]
    pub fn order(&self, id: ClientOrderId) -> Option<&Routed> {
        self.orders.get(&id)
    }

    /// Orders that have not ended, by their ids.
    pub fn open(&self) -> impl Iterator<Item = &Routed> {
        self.orders.open()
    }
}
