//! What the venue asks of orders on a symbol: filters, checked in order and published as they are.

use serde_json::{Value, json};

use super::amount::{Eight, quote_floor};
use super::http::Refusal;
use crate::domain::{Price, Qty, Side, Symbol};

/// Is a symbol traded?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SymbolStatus {
    Trading,
    EndOfDay,
    Halt,
    Break,
    CancelOnly,
}

impl SymbolStatus {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Trading => "TRADING",
            Self::EndOfDay => "END_OF_DAY",
            Self::Halt => "HALT",
            Self::Break => "BREAK",
            Self::CancelOnly => "CANCEL_ONLY",
        }
    }
}

/// Which form the least notional is published in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotionalForm {
    /// `NOTIONAL`, with a maximum.
    New,
    /// `MIN_NOTIONAL`, as it was.
    Old,
}

/// The filters of a symbol. A bound of zero is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters {
    pub price_min: Price,
    pub price_max: Price,
    pub price_tick: Price,
    pub qty_min: Qty,
    pub qty_max: Qty,
    pub qty_step: Qty,
    pub market_qty_min: Qty,
    pub market_qty_max: Qty,
    pub market_qty_step: Qty,
    pub notional_form: NotionalForm,
    pub notional_min: Qty,
    pub notional_max: Qty,
    pub applies_min_to_market: bool,
    pub applies_max_to_market: bool,
    /// Times the average price, in percent, for buyers and sellers alike.
    pub percent_up: u32,
    pub percent_down: u32,
    pub open_orders_max: usize,
    /// What may be held and bid for of the base currency.
    pub position_max: Qty,
}

impl Default for Filters {
    /// Those of a large symbol, as they were published in 2026.
    fn default() -> Self {
        let price = |text: &str| text.parse().expect("a literal price");
        let qty = |text: &str| text.parse().expect("a literal quantity");
        Self {
            price_min: price("0.01"),
            price_max: price("1000000"),
            price_tick: price("0.01"),
            qty_min: qty("0.00001"),
            qty_max: qty("9000"),
            qty_step: qty("0.00001"),
            market_qty_min: Qty::ZERO,
            market_qty_max: qty("165.02"),
            market_qty_step: Qty::ZERO,
            notional_form: NotionalForm::New,
            notional_min: qty("5"),
            notional_max: qty("9000000"),
            applies_min_to_market: true,
            applies_max_to_market: false,
            percent_up: 500,
            percent_down: 20,
            open_orders_max: 200,
            position_max: Qty::ZERO,
        }
    }
}

/// Figures of an order that filters look at.
pub(super) struct Candidate {
    pub side: Side,
    pub is_market: bool,
    /// Zero: a market order.
    pub price: Price,
    /// Zero: it counts in the quote currency.
    pub qty: Qty,
    pub quote_qty: Qty,
    /// What market orders are valued at.
    pub average: Price,
    pub open_orders: usize,
    /// Held, and bid for by open orders.
    pub position: Qty,
}

fn fails(name: &str) -> Refusal {
    Refusal::told(-1013, format!("Filter failure: {name}"))
}

fn is_within<T: PartialOrd + Default>(value: &T, min: &T, max: &T) -> bool {
    let zero = T::default();
    (*min == zero || value >= min) && (*max == zero || value <= max)
}

impl Filters {
    /// # Errors
    /// The first filter that the order fails.
    pub(super) fn check(&self, order: &Candidate) -> Result<(), Refusal> {
        self.check_price(order)?;
        self.check_qty(order)?;
        self.check_notional(order)?;
        if order.open_orders >= self.open_orders_max {
            return Err(fails("MAX_NUM_ORDERS"));
        }
        let bid = order.position + order.qty;
        if order.side == Side::Buy && self.position_max.is_positive() && bid > self.position_max {
            return Err(fails("MAX_POSITION"));
        }
        Ok(())
    }

    fn check_price(&self, order: &Candidate) -> Result<(), Refusal> {
        if order.is_market {
            return Ok(());
        }
        if !is_within(&order.price, &self.price_min, &self.price_max) || !order.price.is_on(self.price_tick) {
            return Err(fails("PRICE_FILTER"));
        }
        let hundredfold = order.price.count() * 100;
        let (up, down) =
            (order.average.count() * i128::from(self.percent_up), order.average.count() * i128::from(self.percent_down));
        if order.average.is_positive() && ((up > 0 && hundredfold > up) || hundredfold < down) {
            return Err(fails("PERCENT_PRICE_BY_SIDE"));
        }
        Ok(())
    }

    fn check_qty(&self, order: &Candidate) -> Result<(), Refusal> {
        if order.qty.is_zero() {
            return Ok(());
        }
        if !is_within(&order.qty, &self.qty_min, &self.qty_max) || !order.qty.is_on(self.qty_step) {
            return Err(fails("LOT_SIZE"));
        }
        let is_market_size =
            is_within(&order.qty, &self.market_qty_min, &self.market_qty_max) && order.qty.is_on(self.market_qty_step);
        if order.is_market && !is_market_size { Err(fails("MARKET_LOT_SIZE")) } else { Ok(()) }
    }

    fn check_notional(&self, order: &Candidate) -> Result<(), Refusal> {
        let price = if order.is_market { order.average } else { order.price };
        let notional = if order.qty.is_zero() { order.quote_qty } else { quote_floor(price, order.qty) };
        let is_too_small = (!order.is_market || self.applies_min_to_market) && notional < self.notional_min;
        let is_new = self.notional_form == NotionalForm::New;
        let is_too_large = is_new
            && (!order.is_market || self.applies_max_to_market)
            && self.notional_max.is_positive()
            && notional > self.notional_max;
        if is_too_small || is_too_large {
            return Err(fails(if is_new { "NOTIONAL" } else { "MIN_NOTIONAL" }));
        }
        Ok(())
    }

    fn published(&self) -> Vec<Value> {
        let eight = |qty: Qty| Eight::from(qty);
        let times = |percent: u32| format!("{}.{:02}", percent / 100, percent % 100);
        let mut filters = vec![
            json!({ "filterType": "PRICE_FILTER", "minPrice": Eight::from(self.price_min), "maxPrice": Eight::from(self.price_max),
                "tickSize": Eight::from(self.price_tick) }),
            json!({ "filterType": "LOT_SIZE", "minQty": eight(self.qty_min), "maxQty": eight(self.qty_max),
                "stepSize": eight(self.qty_step) }),
            json!({ "filterType": "ICEBERG_PARTS", "limit": 100 }),
            json!({ "filterType": "MARKET_LOT_SIZE", "minQty": eight(self.market_qty_min), "maxQty": eight(self.market_qty_max),
                "stepSize": eight(self.market_qty_step) }),
            json!({ "filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
                "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000 }),
            json!({ "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": times(self.percent_up),
                "bidMultiplierDown": times(self.percent_down), "askMultiplierUp": times(self.percent_up),
                "askMultiplierDown": times(self.percent_down), "avgPriceMins": 5 }),
            match self.notional_form {
                NotionalForm::New => json!({ "filterType": "NOTIONAL", "minNotional": eight(self.notional_min),
                    "applyMinToMarket": self.applies_min_to_market, "maxNotional": eight(self.notional_max),
                    "applyMaxToMarket": self.applies_max_to_market, "avgPriceMins": 5 }),
                NotionalForm::Old => json!({ "filterType": "MIN_NOTIONAL", "minNotional": eight(self.notional_min),
                    "applyToMarket": self.applies_min_to_market, "avgPriceMins": 5 }),
            },
            json!({ "filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.open_orders_max }),
            json!({ "filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20 }),
            json!({ "filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5 }),
            json!({ "filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10 }),
        ];
        if self.position_max.is_positive() {
            filters.push(json!({ "filterType": "MAX_POSITION", "maxPosition": eight(self.position_max) }));
        }
        filters
    }
}

/// The entry of a symbol in `exchangeInfo`.
pub(super) fn listing_json(symbol: &Symbol, status: SymbolStatus, filters: &Filters) -> Value {
    json!({
        "symbol": symbol.joined(), "status": status.name(),
        "baseAsset": symbol.base(), "baseAssetPrecision": 8, "quoteAsset": symbol.quote(), "quotePrecision": 8,
        "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true, "allowTrailingStop": false, "cancelReplaceAllowed": false, "amendAllowed": false,
        "pegInstructionsAllowed": false, "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
        "filters": filters.published(), "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(price: &str, qty: &str) -> Candidate {
        Candidate {
            side: Side::Buy,
            is_market: false,
            price: price.parse().unwrap(),
            qty: qty.parse().unwrap(),
            quote_qty: Qty::ZERO,
            average: "100".parse().unwrap(),
            open_orders: 0,
            position: Qty::ZERO,
        }
    }

    fn market(qty: &str) -> Candidate {
        Candidate { is_market: true, price: Price::ZERO, ..limit("100", qty) }
    }

    fn failing(filters: &Filters, order: &Candidate) -> String {
        let text = filters.check(order).err().map(|refusal| refusal.msg.into_owned()).unwrap_or_default();
        text.trim_start_matches("Filter failure: ").to_owned()
    }

    #[test]
    fn each_filter_passes_at_its_bound_and_fails_beyond() {
        let filters = Filters { position_max: "10".parse().unwrap(), ..Filters::default() };
        let cases = [
            (limit("100", "1"), ""),
            (limit("100.001", "1"), "PRICE_FILTER"),
            (limit("1000000.01", "1"), "PRICE_FILTER"),
            (limit("500", "1"), ""),
            (limit("500.01", "1"), "PERCENT_PRICE_BY_SIDE"),
            (limit("20", "1"), ""),
            (limit("19.99", "1"), "PERCENT_PRICE_BY_SIDE"),
            (limit("100", "0.000001"), "LOT_SIZE"),
            (limit("100", "0.000015"), "LOT_SIZE"),
            (limit("100", "9000.00001"), "LOT_SIZE"),
            (limit("100", "0.05"), ""),
            (limit("100", "0.04999"), "NOTIONAL"),
            (limit("100", "10"), ""),
            (limit("100", "10.00001"), "MAX_POSITION"),
            (market("0.05"), ""),
            (market("0.04999"), "NOTIONAL"),
            (market("165.03"), "MARKET_LOT_SIZE"),
            (Candidate { open_orders: 200, ..limit("100", "1") }, "MAX_NUM_ORDERS"),
            (Candidate { open_orders: 199, ..limit("100", "1") }, ""),
            (Candidate { qty: Qty::ZERO, quote_qty: "4.99999999".parse().unwrap(), ..market("0") }, "NOTIONAL"),
            (Candidate { qty: Qty::ZERO, quote_qty: "5".parse().unwrap(), ..market("0") }, ""),
        ];
        for (at, (order, wanted)) in cases.iter().enumerate() {
            assert_eq!(failing(&filters, order), *wanted, "case {at}");
        }
    }

    #[test]
    fn the_older_form_has_its_own_name_and_a_rule_of_zero_is_none() {
        let old = Filters { notional_form: NotionalForm::Old, ..Filters::default() };
        assert_eq!(failing(&old, &limit("100", "0.04999")), "MIN_NOTIONAL");
        let free = Filters { price_tick: Price::ZERO, qty_step: Qty::ZERO, qty_min: Qty::ZERO, ..Filters::default() };
        assert_eq!(failing(&free, &limit("100.00000001", "0.05000001")), "");
    }
}
