//! What of the router survives a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::order::Routed;
use crate::domain::{ClientOrderId, Span, Time};

/// Orders that have ended are remembered so long, and so many of them: a fill may come late. They are part of every snapshot.
const REMEMBER_FOR: Span = Span::from_days(1);
const REMEMBER_MAX: usize = 32;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterState {
    /// Orders that are open, and those that ended lately.
    #[serde(with = "as_list")]
    pub(super) orders: BTreeMap<ClientOrderId, Routed>,
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
        self.orders.values().filter(|order| !order.state.is_terminal())
    }

    /// Forgets ended orders that nothing will come for.
    pub(super) fn forget(&mut self, now: Time) {
        let is_old = |order: &Routed| order.ended_at.is_some_and(|at| now - at > REMEMBER_FOR);
        self.orders.retain(|_, order| !is_old(order));
        let surplus = self.orders.values().filter(|order| order.ended_at.is_some()).count().saturating_sub(REMEMBER_MAX);
        if surplus > 0 {
            let mut ended: Vec<(Option<Time>, ClientOrderId)> =
                self.orders.values().filter(|order| order.ended_at.is_some()).map(|order| (order.ended_at, order.id())).collect();
            ended.sort_unstable();
            ended.iter().take(surplus).for_each(|(_, id)| drop(self.orders.remove(id)));
        }
    }
}

/// Ids are no keys of JSON: the orders carry them.
mod as_list {
    use serde::{Deserializer, Serializer};

    use super::{BTreeMap, ClientOrderId, Deserialize, Routed};

    pub fn serialize<S: Serializer>(orders: &BTreeMap<ClientOrderId, Routed>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(orders.values())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<ClientOrderId, Routed>, D::Error> {
        let orders = Vec::<Routed>::deserialize(deserializer)?;
        Ok(orders.into_iter().map(|order| (order.id(), order)).collect())
    }
}
