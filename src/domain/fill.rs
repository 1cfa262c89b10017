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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    pub order: ClientOrderId,
    pub symbol: SymbolIndex,
    pub side: Side,
    pub purpose: Purpose,
    pub at: Time,
    pub price: Price,
    pub qty: Qty,
    /// In the quote currency; positive is a cost.
    pub fee: Money,
    pub liquidity: Liquidity,
    /// The open of the bar that filled it: what slippage is measured from.
    pub reference: Price,
}

impl Fill {
    #[must_use]
    pub fn notional(&self) -> Money {
        self.price.notional(self.qty)
    }

    /// What the fill does to cash: a buy takes notional and fee, a sale brings notional less fee.
    #[must_use]
    pub fn cash_change(&self) -> Money {
        match self.side {
            Side::Buy => -(self.notional() + self.fee),
            Side::Sell => self.notional() - self.fee,
        }
    }

    /// What the fill does to the position.
    #[must_use]
    pub fn position_change(&self) -> Qty {
        match self.side {
            Side::Buy => self.qty,
            Side::Sell => -self.qty,
        }
    }
}
