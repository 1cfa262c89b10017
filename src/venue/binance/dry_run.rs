//! An order that the venue checks and does not place.

use super::Client;
use crate::domain::{ClientOrderId, Money, OrderIntent, OrderKind, Price, Purpose, Side, Size, SymbolIndex, Time};
use crate::venue::wire::{Failure, Request};

/// No account has it: the id of a rehearsal is never that of an order.
const NO_SCOPE: u32 = 0;

impl Client {
    /// Has a market order for `notional` checked as if it were placed: signature, clock, permissions, filters. `reference` is about the
    /// price, for a symbol that takes no amounts. Nothing is placed, and nothing has to be undone.
    ///
    /// # Errors
    /// What the venue said instead of yes: [`Failure::Rejected`] and [`Failure::Key`] are its word on the order and the key.
    pub async fn dry_run(&self, symbol: SymbolIndex, side: Side, notional: Money, reference: Price) -> Result<(), Failure> {
        let decided_at = Time::from_millis(self.clock().local_now().millis());
        let intent = OrderIntent {
            id: ClientOrderId { scope: NO_SCOPE, bar: decided_at, sequence: 0 },
            symbol,
            side,
            kind: OrderKind::Market,
            size: Size::Quote(notional),
            purpose: Purpose::Signal,
            decided_at,
            reference,
        };
        self.call(&Request::Test(intent)).await.map(drop)
    }
}
