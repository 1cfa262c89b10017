//! Does an order keep the rules, and what of it would.

use std::fmt;

use super::super::number::product;
use super::{Band, Bounds, SymbolRules};
use crate::domain::decimal::pow10;
use crate::domain::money::{MONEY_SCALE, PRICE_SCALE};
use crate::domain::{Money, OrderIntent, OrderKind, Price, Qty, Side, Size, TimeInForce};
use crate::venue::{Breach, Market, OrderRules, Sizes};

/// Nothing of an order would keep the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A residue that can be neither sold nor bought.
    #[error("{qty} is dust: the venue takes from {min}")]
    Dust { qty: Qty, min: Qty },
    #[error("an order of {notional} is too small: the venue takes from {min}")]
    TooSmall { notional: Money, min: Money },
    #[error(transparent)]
    Breach(#[from] Breach),
}

fn breach<T>(filter: &'static str, found: impl fmt::Display, allowed: impl fmt::Display) -> Result<T, Breach> {
    Err(Breach { filter, found: found.to_string(), allowed: allowed.to_string() })
}

/// The least common multiple; zero is no rule. `None` when it does not fit.
fn common_step(a: Qty, b: Qty) -> Option<Qty> {
    let (a, b) = (a.count(), b.count());
    if a == 0 || b == 0 {
        return Some(Qty::from_count(a.max(b)));
    }
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b).map(Qty::from_count)
}

impl SymbolRules {
    /// The grid of quantities; `None` when no quantity lies on both grids that hold.
    pub(super) fn step(&self, is_market: bool) -> Option<Qty> {
        if is_market { common_step(self.lot.step, self.market_lot.step) } else { Some(self.lot.step) }
    }

    /// What a market order is valued at.
    fn price_of(&self, intent: &OrderIntent, market: &Market) -> Price {
        intent.kind.limit_price().or(market.average).unwrap_or(intent.reference)
    }

    /// The quantity that the order asks for; where it is an amount, what that buys on the grid.
    fn quantity_of(&self, intent: &OrderIntent, market: &Market) -> Qty {
        match intent.size {
            Size::Base(qty) => qty,
            Size::Quote(amount) => amount.quantity_floor(self.price_of(intent, market)).truncate_to(self.lot.step),
        }
    }

    /// Would the venue take the order?
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, intent: &OrderIntent, market: &Market) -> Result<(), Breach> {
        self.check_kind(intent)?;
        let qty = self.quantity_of(intent, market);
        let by_amount = matches!(intent.size, Size::Quote(_));
        let is_market = intent.kind.limit_price().is_none();
        check_qty("LOT_SIZE", self.lot, qty)?;
        if is_market {
            check_qty(
                "MARKET_LOT_SIZE",
                if by_amount { Bounds { step: Qty::ZERO, ..self.market_lot } } else { self.market_lot },
                qty,
            )?;
        }
        if let Some(price) = intent.kind.limit_price() {
            self.check_price(intent.side, price, market)?;
            if let Some(max) = self.open_orders_max.filter(|max| market.open_orders >= *max) {
                return breach("MAX_NUM_ORDERS", u64::from(market.open_orders) + 1, max);
            }
        }
        if let (Some(max), Side::Buy) = (self.position_max, intent.side)
            && market.position + qty > max
        {
            return breach("MAX_POSITION", market.position + qty, max);
        }
        self.check_notional(intent, qty, market)
    }

    /// Is the symbol traded, and in this way?
    fn check_kind(&self, intent: &OrderIntent) -> Result<(), Breach> {
        if self.status != super::TRADING {
            return breach("status", &self.status, super::TRADING);
        }
        if !self.is_spot {
            return breach("isSpotTradingAllowed", false, true);
        }
        let (kind, is_taken) = match intent.kind {
            OrderKind::Market => ("MARKET", self.takes_market),
            OrderKind::Limit { tif: TimeInForce::PostOnly, .. } => ("LIMIT_MAKER", self.takes_post_only),
            OrderKind::Limit { .. } => ("LIMIT", self.takes_limit),
        };
        if is_taken { Ok(()) } else { breach("orderTypes", kind, "others") }
    }

    fn check_price(&self, side: Side, price: Price, market: &Market) -> Result<(), Breach> {
        let Bounds { min, max, step } = self.price;
        if !price.is_positive() || price < min {
            return breach("PRICE_FILTER", price, format!("from {min}"));
        }
        if !max.is_zero() && price > max {
            return breach("PRICE_FILTER", price, format!("up to {max}"));
        }
        if !price.is_on(step) {
            return breach("PRICE_FILTER", price, format!("multiples of {step}"));
        }
        let band = if side == Side::Buy { self.buy_band } else { self.sell_band };
        match (band, market.average) {
            (Some(band), Some(average)) => check_band(band, price, average),
            _ => Ok(()),
        }
    }

    fn check_notional(&self, intent: &OrderIntent, qty: Qty, market: &Market) -> Result<(), Breach> {
        let rule = self.notional;
        let is_market = intent.kind.limit_price().is_none();
        let Some(notional) = self.notional_of(intent, qty, market) else { return breach("NOTIONAL", "more than fits", rule.max) };
        if (!is_market || rule.min_for_market) && notional < rule.min {
            return breach("NOTIONAL", notional, format!("from {}", rule.min));
        }
        if (!is_market || rule.max_for_market) && !rule.max.is_zero() && notional > rule.max {
            return breach("NOTIONAL", notional, format!("up to {}", rule.max));
        }
        Ok(())
    }

    fn notional_of(&self, intent: &OrderIntent, qty: Qty, market: &Market) -> Option<Money> {
        match intent.size {
            Size::Quote(amount) => Some(amount),
            Size::Base(_) => product(self.price_of(intent, market), qty),
        }
    }

    /// The order, made to keep the rules: less of it, at a price that is less daring. It never grows. ORDERS-5.
    ///
    /// Quantities are rounded down to the grid and cut at the largest that is taken; what was cut off is the caller's to send again.
    /// The price of a buy is rounded down and that of a sale up, away from the book.
    ///
    /// # Errors
    /// When what is left is dust or too small, or breaks a rule that no rounding mends.
    pub fn fit(&self, intent: &OrderIntent, market: &Market) -> Result<OrderIntent, Unfit> {
        let mut fitted = *intent;
        let is_market = intent.kind.limit_price().is_none();
        if let OrderKind::Limit { price, .. } = &mut fitted.kind {
            *price = if intent.side == Side::Buy { price.floor_to(self.price.step) } else { price.ceil_to(self.price.step) };
        }
        let price = self.price_of(&fitted, market);
        let caps_notional = !self.notional.max.is_zero() && (!is_market || self.notional.max_for_market);
        fitted.size = match intent.size {
            Size::Quote(amount) if is_market => {
                let capped = if caps_notional { amount.min(self.notional.max) } else { amount };
                let unit = pow10(MONEY_SCALE - self.quote_decimals);
                Size::Quote(Money::from_count(capped.count() - capped.count().rem_euclid(unit)))
            }
            size => {
                let wanted = match size {
                    Size::Base(qty) => qty,
                    Size::Quote(amount) => amount.quantity_floor(price),
                };
                let Some(step) = self.step(is_market) else {
                    return breach("MARKET_LOT_SIZE", self.market_lot.step, self.lot.step)?;
                };
                let mut qty = wanted.min(self.largest(is_market).unwrap_or(wanted));
                if caps_notional {
                    qty = qty.min(self.notional.max.quantity_floor(price));
                }
                Size::Base(qty.truncate_to(step))
            }
        };
        self.check_size(&fitted, market)?;
        self.check(&fitted, market)?;
        Ok(fitted)
    }

    /// The largest quantity that one order may have.
    fn largest(&self, is_market: bool) -> Option<Qty> {
        let maxima = [self.lot.max, if is_market { self.market_lot.max } else { Qty::ZERO }];
        maxima.into_iter().filter(|max| max.is_positive()).min()
    }

    fn check_size(&self, intent: &OrderIntent, market: &Market) -> Result<(), Unfit> {
        let is_market = intent.kind.limit_price().is_none();
        let qty = self.quantity_of(intent, market);
        let min = if is_market { self.lot.min.max(self.market_lot.min) } else { self.lot.min };
        if !qty.is_positive() || qty < min {
            return Err(Unfit::Dust { qty, min });
        }
        match self.notional_of(intent, qty, market) {
            Some(notional) if (!is_market || self.notional.min_for_market) && notional < self.notional.min => {
                Err(Unfit::TooSmall { notional, min: self.notional.min })
            }
            _ => Ok(()),
        }
    }
}

impl OrderRules for SymbolRules {
    fn check(&self, intent: &OrderIntent, market: &Market) -> Result<(), Breach> {
        Self::check(self, intent, market)
    }

    fn sizes(&self, is_market: bool, price: Price) -> Sizes {
        let caps_notional = !self.notional.max.is_zero() && (!is_market || self.notional.max_for_market);
        let by_notional = caps_notional.then(|| self.notional.max.quantity_floor(price));
        let min = if is_market { self.lot.min.max(self.market_lot.min) } else { self.lot.min };
        Sizes { min, max: [self.largest(is_market), by_notional].into_iter().flatten().min() }
    }
}

fn check_qty(filter: &'static str, bounds: Bounds<Qty>, qty: Qty) -> Result<(), Breach> {
    let Bounds { min, max, step } = bounds;
    if !qty.is_positive() || qty < min {
        return breach(filter, qty, format!("from {min}"));
    }
    if !max.is_zero() && qty > max {
        return breach(filter, qty, format!("up to {max}"));
    }
    if !qty.is_on(step) {
        return breach(filter, qty, format!("multiples of {step}"));
    }
    Ok(())
}

/// Both sides are multiplied out, so that nothing is rounded; what does not fit is outside.
fn check_band(band: Band, price: Price, average: Price) -> Result<(), Breach> {
    const FILTER: &str = "PERCENT_PRICE";
    let times = |factor: Price| average.count().checked_mul(factor.count());
    let shown = |factor: Price| format!("{factor} of the average {average}");
    let Some(scaled) = price.count().checked_mul(pow10(PRICE_SCALE)) else { return breach(FILTER, price, shown(band.up)) };
    if !band.down.is_zero() && times(band.down).is_none_or(|least| scaled < least) {
        return breach(FILTER, price, format!("from {}", shown(band.down)));
    }
    if !band.up.is_zero() && times(band.up).is_none_or(|most| scaled > most) {
        return breach(FILTER, price, format!("up to {}", shown(band.up)));
    }
    Ok(())
}
