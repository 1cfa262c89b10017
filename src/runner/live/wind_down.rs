//! The end of a program that was asked to end: nothing new, what rests is withdrawn, what is in doubt is asked about.

use super::machine::Live;
use crate::domain::{ClientOrderId, OrderState, Time};
use crate::venue::router::Routed;

fn is_in_doubt(order: &Routed) -> bool {
    order.doubt.is_some() || matches!(order.state, OrderState::Sending | OrderState::Unknown)
}

impl Live {
    /// Nothing halts, so the next start goes on; until then nobody would look after an order that rests. An exit that is withdrawn is
    /// wanted again by the next run.
    pub(super) fn wind_down(&mut self, now: Time) {
        self.router_mut().close(now);
        self.router_mut().cancel_all(now);
    }

    /// Orders of which nobody knows what became.
    pub fn in_doubt(&self) -> impl Iterator<Item = ClientOrderId> {
        self.router().state().open().filter(|order| is_in_doubt(order)).map(Routed::id)
    }

    /// Has every order ended?
    #[must_use]
    pub fn has_none_open(&self) -> bool {
        self.router().state().open().next().is_none()
    }
}
