//! The orders that a router knows: the open ones at hand, and those that ended lately.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::order::Routed;
use crate::domain::{ClientOrderId, Span, Time};

/// Orders that have ended are remembered so long, and so many of them: a fill may come late. They are part of every snapshot.
const REMEMBER_FOR: Span = Span::from_days(1);
const REMEMBER_MAX: usize = 32;

/// Orders by their ids. Nearly every minute none is open: then nothing is looked through.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    all: BTreeMap<ClientOrderId, Routed>,
    /// Every order that has not ended, by its id, and those that ended since [`Self::forget`] was last called.
    unended: Vec<ClientOrderId>,
    /// No ended order is too old before then.
    forget_at: Option<Time>,
}

impl Orders {
    pub(super) fn get(&self, id: &ClientOrderId) -> Option<&Routed> {
        self.all.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ClientOrderId) -> Option<&mut Routed> {
        self.all.get_mut(id)
    }

    pub(super) fn contains_key(&self, id: &ClientOrderId) -> bool {
        self.all.contains_key(id)
    }

    pub(super) fn insert(&mut self, order: Routed) {
        let id = order.id();
        if let Err(place) = self.unended.binary_search(&id) {
            self.unended.insert(place, id);
        }
        self.all.insert(id, order);
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Routed> {
        self.all.values()
    }

    /// Orders that have not ended, by their ids.
    pub(super) fn open(&self) -> impl Iterator<Item = &Routed> {
        self.unended.iter().map(|id| &self.all[id]).filter(|order| !order.state.is_terminal())
    }

    /// Forgets ended orders that nothing will come for.
    pub(super) fn forget(&mut self, now: Time) {
        let Self { all, unended, forget_at } = self;
        unended.retain(|id| {
            let ended_at = all[id].ended_at.filter(|_| all[id].state.is_terminal());
            let old_at = ended_at.map(|at| at + REMEMBER_FOR);
            *forget_at = [*forget_at, old_at].into_iter().flatten().min();
            old_at.is_none()
        });
        let surplus = (all.len() - unended.len()).saturating_sub(REMEMBER_MAX);
        if surplus == 0 && forget_at.is_none_or(|at| now <= at) {
            return;
        }
        let ended_at = |order: &Routed| order.ended_at.filter(|_| order.state.is_terminal());
        let mut ended: Vec<(Time, ClientOrderId)> =
            all.values().filter_map(|order| ended_at(order).map(|at| (at, order.id()))).collect();
        ended.sort_unstable();
        for (place, (at, id)) in ended.iter().enumerate() {
            if place < surplus || now - *at > REMEMBER_FOR {
                all.remove(id);
            }
        }
        *forget_at = all.values().filter_map(ended_at).min().map(|at| at + REMEMBER_FOR);
    }
}

impl std::ops::Index<&ClientOrderId> for Orders {
    type Output = Routed;

    fn index(&self, id: &ClientOrderId) -> &Routed {
        &self.all[id]
    }
}

impl PartialEq for Orders {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl FromIterator<Routed> for Orders {
    fn from_iter<I: IntoIterator<Item = Routed>>(orders: I) -> Self {
        let mut all = Self::default();
        orders.into_iter().for_each(|order| all.insert(order));
        all
    }
}

/// Ids are no keys of JSON: the orders carry them.
impl Serialize for Orders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all.values())
    }
}

impl<'de> Deserialize<'de> for Orders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Routed>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OrderIntent, OrderKind, OrderState, Purpose, Side, Size, SymbolIndex};

    fn order(sequence: u16, ended_at: Option<Time>) -> Routed {
        let bar = Time::from_millis(0);
        let id = ClientOrderId { scope: 7, bar, sequence };
        let (symbol, side, kind, size) = (SymbolIndex(0), Side::Buy, OrderKind::Market, Size::Base("1".parse().unwrap()));
        let reference = "100".parse().unwrap();
        let intent = OrderIntent { id, symbol, side, kind, size, purpose: Purpose::Signal, decided_at: bar, reference };
        let state = if ended_at.is_some() { OrderState::Filled } else { OrderState::Accepted };
        Routed { state, ended_at, ..Routed::new(intent) }
    }

    fn at(secs: i64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn sequences(orders: &Orders) -> Vec<u16> {
        orders.values().map(|order| order.id().sequence).collect()
    }

    #[test]
    fn an_order_is_open_until_it_has_ended_and_after_being_read_back() {
        let mut orders: Orders = [order(2, None), order(1, None), order(3, Some(at(5)))].into_iter().collect();
        let open = |orders: &Orders| -> Vec<u16> { orders.open().map(|order| order.id().sequence).collect() };
        assert_eq!(open(&orders), [1, 2]);
        let ended = orders.get_mut(&order(1, None).id()).unwrap();
        (ended.state, ended.ended_at) = (OrderState::Canceled, Some(at(6)));
        assert_eq!(open(&orders), [2], "at once");
        orders.forget(at(7));
        let again: Orders = serde_json::from_str(&serde_json::to_string(&orders).unwrap()).unwrap();
        assert_eq!((open(&orders), open(&again)), (vec![2], vec![2]));
        assert_eq!(orders, again);
    }

    #[test]
    fn a_day_after_its_end_an_order_is_forgotten_and_an_open_one_never() {
        let mut orders: Orders = [order(1, None), order(2, Some(at(10))), order(3, Some(at(20)))].into_iter().collect();
        let day = REMEMBER_FOR.micros() / 1_000_000;
        for (secs, left) in [(11, vec![1, 2, 3]), (10 + day, vec![1, 2, 3]), (11 + day, vec![1, 3]), (99 + day, vec![1])] {
            orders.forget(at(secs));
            assert_eq!(sequences(&orders), left, "after {secs} s");
        }
    }

    #[test]
    fn of_many_that_ended_the_oldest_go() {
        let many = (0..40).map(|n| order(n, Some(at(100 - i64::from(n))))).chain([order(90, None)]);
        let mut orders: Orders = many.collect();
        orders.forget(at(200));
        assert_eq!(sequences(&orders), (0..32).chain([90]).collect::<Vec<u16>>());
    }
}
