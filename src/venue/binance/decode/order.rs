//! One order, in any of the forms in which the REST API tells it.

use serde::Deserialize;

use super::super::Symbols;
use super::super::number::{Digits, Signed, product, time};
use super::{said, side};
use crate::domain::{Liquidity, Price, Qty, Side, Time};
use crate::venue::wire::{Owner, TradeId, VenueFill, VenueOrder, VenueOrderId, VenueStatus};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawOrder {
    pub symbol: String,
    order_id: u64,
    client_order_id: String,
    /// In answers to a withdrawal: the order's own id, where `clientOrderId` is the withdrawal's.
    #[serde(default)]
    orig_client_order_id: Option<String>,
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    orig_qty: Option<Digits>,
    #[serde(default)]
    executed_qty: Option<Digits>,
    /// The venue's spelling.
    #[serde(default)]
    cummulative_quote_qty: Option<Signed>,
    #[serde(default)]
    transact_time: Option<i64>,
    #[serde(default)]
    update_time: Option<i64>,
    #[serde(default)]
    time: Option<i64>,
    #[serde(default)]
    fills: Vec<RawFill>,
    /// What was asked for, where the answer does not repeat it.
    #[serde(skip)]
    asked: Option<(Side, Qty)>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFill {
    price: Digits,
    qty: Digits,
    commission: Signed,
    #[serde(default)]
    commission_asset: Option<String>,
    trade_id: u64,
}

impl RawOrder {
    /// Side and quantity as they were asked for, where the answer has none.
    pub fn or_asked(self, side: Side, qty: Qty) -> Self {
        Self { asked: Some((side, qty)), ..self }
    }

    /// Under its own id, not under that of its withdrawal.
    pub fn by_original_id(self) -> Self {
        match self.orig_client_order_id.clone().filter(|id| !id.is_empty()) {
            Some(id) => Self { client_order_id: id, ..self },
            None => self,
        }
    }

    /// # Errors
    /// When a part is no such thing, or lacks where the answer says how far the order is.
    pub fn order(&self, symbols: &Symbols, now: Time) -> Result<VenueOrder, String> {
        let side = match (&self.side, self.asked) {
            (Some(text), _) => side(text).ok_or_else(|| format!("the side {}", said(text)))?,
            (None, Some((side, _))) => side,
            (None, None) => return Err("an order without its side".to_owned()),
        };
        let at = match self.transact_time.or(self.update_time).or(self.time) {
            Some(millis) => time(millis)?,
            None => now,
        };
        let ordered = match (&self.orig_qty, self.asked) {
            (Some(qty), _) => qty.qty()?,
            (None, Some((_, qty))) => qty,
            (None, None) => return Err("an order without its quantity".to_owned()),
        };
        let status = self.status.as_deref().map(status);
        let filled = match &self.executed_qty {
            Some(qty) => qty.qty()?,
            None if status.is_none() => Qty::ZERO,
            None => return Err("an order that does not say how much of it was filled".to_owned()),
        };
        let venue_id = VenueOrderId(self.order_id);
        let fills: Result<Vec<VenueFill>, String> = self.fills.iter().map(|raw| raw.fill(venue_id, at)).collect();
        Ok(VenueOrder {
            symbol: symbols.index(&self.symbol),
            symbol_text: said(&self.symbol),
            venue_id,
            owner: Owner::of(&said(&self.client_order_id)),
            side,
            status,
            ordered,
            filled,
            filled_quote: self.cummulative_quote_qty.as_ref().map(Signed::available_money).transpose()?.flatten(),
            at,
            fills: fills?,
        })
    }
}

impl RawFill {
    /// Fills that come with the answer to an order took from the book.
    fn fill(&self, order: VenueOrderId, at: Time) -> Result<VenueFill, String> {
        let (price, qty) = (self.price.price()?, self.qty.qty()?);
        fits(price, qty)?;
        Ok(VenueFill {
            trade: TradeId(self.trade_id),
            order,
            price,
            qty,
            fee: self.commission.qty()?,
            fee_asset: said(self.commission_asset.as_deref().unwrap_or_default()),
            liquidity: Liquidity::Taker,
            at,
        })
    }
}

/// A fill is worth something that can be counted.
pub fn fits(price: Price, qty: Qty) -> Result<(), String> {
    product(price, qty).map(drop).ok_or_else(|| "a fill that is too large".to_owned())
}

/// C14: a word that we do not know is held as unknown.
pub fn status(text: &str) -> VenueStatus {
    match text {
        // A leg of a list that waits is placed, and not filled.
        "NEW" | "PENDING_NEW" => VenueStatus::New,
        "PARTIALLY_FILLED" => VenueStatus::PartiallyFilled,
        "FILLED" => VenueStatus::Filled,
        "CANCELED" => VenueStatus::Canceled,
        "REJECTED" => VenueStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => VenueStatus::Expired,
        _ => VenueStatus::Unheard,
    }
}
