//! What the venue takes, beside what the profile allows.

use std::sync::Arc;

use super::Desk;
use crate::domain::{Brief, Money, OrderIntent, OrderKind, Qty, SymbolIndex};
use crate::risk::Refusal;
use crate::venue::{Listing, Market, OrderRules};

/// What is known of the venue's rules for a symbol.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// With what lies on the account and is not ours.
    Listed {
        rules: Arc<dyn OrderRules>,
        aside: Qty,
    },
    Unlisted,
}

impl Desk {
    /// Takes the rules of the venue for all symbols, each with what lies on the account and is not ours. `None`: it does not list the
    /// symbol, and nothing is added to it. C18.
    pub fn obey(&mut self, listings: &[(Option<Listing>, Qty)]) {
        assert_eq!(listings.len(), self.config.instruments.len(), "every symbol has its rules");
        let known = |(listing, aside): &(Option<Listing>, Qty)| match listing {
            Some(listing) => Known::Listed { rules: listing.rules.clone(), aside: *aside },
            None => Known::Unlisted,
        };
        self.listings = listings.iter().map(known).collect();
        for (instrument, (listing, _)) in self.config.instruments.iter_mut().zip(listings) {
            if let Some(listing) = listing {
                *instrument = listing.instrument.clone();
            }
        }
    }

    /// The rule of the venue that an order would break, as far as it is known.
    pub(super) fn venue_rule(&self, intent: &OrderIntent) -> Option<Refusal> {
        match self.listings.get(intent.symbol.at())? {
            Known::Unlisted => {
                let [rule, found, allowed] = ["listing", "none", "listed"].map(Brief::of);
                Some(Refusal::VenueRule { rule, found, allowed })
            }
            Known::Listed { rules, aside } => rules.check(intent, &self.market(intent, *aside)).err().map(Refusal::from),
        }
    }

    /// The close that the decision saw stands for the venue's average of the last minutes.
    fn market(&self, intent: &OrderIntent, aside: Qty) -> Market {
        let book = &self.state.book;
        let of_symbol = book.open.iter().filter(|order| order.intent.symbol == intent.symbol);
        let bids = of_symbol.clone().filter(|order| order.intent.side == crate::domain::Side::Buy);
        let on_its_way: Qty = bids.map(|order| order.intent.quantity() - order.filled).sum();
        Market {
            average: Some(intent.reference).filter(|price| price.is_positive()),
            open_orders: u32::try_from(of_symbol.count()).unwrap_or(u32::MAX),
            position: aside + book.holding(intent.symbol).position + on_its_way,
        }
    }

    /// What one order of an exit may be worth at the last close. `None`: anything.
    pub(super) fn largest_exit(&self, symbol: SymbolIndex, kind: &OrderKind) -> Option<Money> {
        // A limit of zero does not hold an exit back.
        let limit = Some(self.config.gate.limits().max_notional_per_order).filter(|max| max.is_positive());
        let (reference, price) = (self.reference(symbol), kind.limit_price());
        let of_venue = match self.listings.get(symbol.at()) {
            Some(Known::Listed { rules, .. }) => rules.sizes(price.is_none(), price.unwrap_or(reference)).max,
            _ => None,
        };
        [limit, of_venue.map(|qty| reference.notional(qty))].into_iter().flatten().filter(|max| max.is_positive()).min()
    }

    /// Is it less than the venue lets anybody sell?
    pub(super) fn is_too_small(&self, symbol: SymbolIndex, qty: Qty) -> bool {
        let (instrument, reference) = (&self.config.instruments[symbol.at()], self.reference(symbol));
        let min = match self.listings.get(symbol.at()) {
            Some(Known::Listed { rules, .. }) => rules.sizes(true, reference).min,
            _ => Qty::ZERO,
        };
        !qty.is_positive() || qty < min || reference.notional(qty) < instrument.min_notional
    }

    /// Is nothing held of the symbol that the venue would let us sell?
    #[must_use]
    pub fn is_negligible(&self, symbol: SymbolIndex) -> bool {
        let held = self.state.book.holding(symbol).position;
        self.is_too_small(symbol, held.truncate_to(self.config.instruments[symbol.at()].qty_step))
    }
}
