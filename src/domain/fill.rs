//! A fill: the venue's word that part of an order was done.

use serde::{Deserialize, Serialize};

use super::instrument::SymbolIndex;
use super::money::{Money, Price, Qty};
use super::order::{ClientOrderId, Purpose, Side};
use super::time::Time;

/// Did the order rest in the book or take from it?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liquidity {
    Maker,
    Taker,
}

impl Liquidity {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }
}

/// What a fee was taken from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeeIn {
    /// The account's quote currency.
    #[default]
    Quote,
    /// The base currency itself: this much less is held than was bought, or more is gone than was sold.
    Base(Qty),
    /// Another currency, which this account does not count (the venue's own coin).
    Other,
}

impl FeeIn {
    fn is_quote(&self) -> bool {
        *self == Self::Quote
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    pub order: ClientOrderId,
    pub symbol: SymbolIndex,
    pub side: Side,
    pub purpose: Purpose,
    pub at: Time,
    pub price: Price,
    pub qty: Qty,
    /// Its worth in the quote currency, as far as it is known; positive is a cost.
    pub fee: Money,
    #[serde(default, skip_serializing_if = "FeeIn::is_quote")]
    pub fee_in: FeeIn,
    pub liquidity: Liquidity,
    /// The open of the bar that filled it: what slippage is measured from.
    pub reference: Price,
}

impl Fill {
    #[must_use]
    pub fn notional(&self) -> Money {
        self.price.notional(self.qty)
    }

    /// What the fill does to cash: a buy takes notional and fee, a sale brings notional less fee. A fee in another currency takes none.
    #[must_use]
    pub fn cash_change(&self) -> Money {
        let fee = if self.fee_in == FeeIn::Quote { self.fee } else { Money::ZERO };
        match self.side {
            Side::Buy => -(self.notional() + fee),
            Side::Sell => self.notional() - fee,
        }
    }

    /// What the fill does to the position.
    #[must_use]
    pub fn position_change(&self) -> Qty {
        let fee = if let FeeIn::Base(qty) = self.fee_in { qty } else { Qty::ZERO };
        match self.side {
            Side::Buy => self.qty - fee,
            Side::Sell => -(self.qty + fee),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C23: what is held is what came in.
    #[test]
    fn a_fee_in_base_leaves_less_and_one_in_another_coin_leaves_cash() {
        let id = ClientOrderId { scope: 1, bar: Time::from_millis(0), sequence: 0 };
        let fill = |side, fee_in| Fill {
            order: id,
            symbol: SymbolIndex(0),
            side,
            purpose: Purpose::Signal,
            at: Time::from_millis(0),
            price: "100".parse().unwrap(),
            qty: "1".parse().unwrap(),
            fee: "0.1".parse().unwrap(),
            fee_in,
            liquidity: Liquidity::Taker,
            reference: "100".parse().unwrap(),
        };
        let changes = |side, fee_in| {
            let fill = fill(side, fee_in);
            (fill.cash_change().to_string(), fill.position_change().to_string())
        };
        let text = |cash: &str, qty: &str| (cash.to_owned(), qty.to_owned());
        let base = FeeIn::Base("0.001".parse().unwrap());
        assert_eq!(changes(Side::Buy, FeeIn::Quote), text("-100.1", "1"));
        assert_eq!(changes(Side::Buy, base), text("-100", "0.999"));
        assert_eq!(changes(Side::Buy, FeeIn::Other), text("-100", "1"));
        assert_eq!(changes(Side::Sell, FeeIn::Quote), text("99.9", "-1"));
        assert_eq!(changes(Side::Sell, base), text("100", "-1.001"));
        assert_eq!(changes(Side::Sell, FeeIn::Other), text("100", "-1"));
    }
}
