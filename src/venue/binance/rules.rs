//! What the venue takes for each symbol, and how much of it: read from `exchangeInfo`.
//!
//! A part of a filter that is zero is no rule. A filter whose kind we do not know is left out and counted: the venue judges by it
//! all the same, and a rejection says so.

mod check;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::number::Digits;
use crate::domain::{Instrument, Money, Price, Qty, Span, Symbol};
use crate::feed::binance::TRADING;
use crate::venue::Listing;

pub use check::Unfit;

/// Characters of the venue's words that are repeated.
const WORD_CHARS_MAX: usize = 32;
/// Decimals of the amounts that `quoteOrderQty` takes, where the venue does not say.
pub const QUOTE_DECIMALS: u32 = 8;

/// Bounds of a value and the grid that it lies on; zero is no rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds<T> {
    pub min: T,
    pub max: T,
    pub step: T,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notional {
    pub min: Money,
    /// Zero is no rule.
    pub max: Money,
    pub min_for_market: bool,
    pub max_for_market: bool,
}

/// How far a price may be from the average: the average times the lower factor to the average times the upper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Factors, on the grid of prices.
    pub down: Price,
    pub up: Price,
}

/// What the venue takes for one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRules {
    pub base: String,
    pub quote: String,
    /// `TRADING`, or why not.
    pub status: String,
    pub is_spot: bool,
    pub takes_limit: bool,
    pub takes_market: bool,
    pub takes_post_only: bool,
    /// Market orders by an amount of the quote currency.
    pub takes_quote_amounts: bool,
    /// Our resting order gives way when we would trade with ourselves.
    pub expires_maker: bool,
    pub quote_decimals: u32,
    pub price: Bounds<Price>,
    pub lot: Bounds<Qty>,
    pub market_lot: Bounds<Qty>,
    pub notional: Notional,
    pub buy_band: Option<Band>,
    pub sell_band: Option<Band>,
    /// Open orders of the account on the symbol.
    pub open_orders_max: Option<u32>,
    /// Of the base currency: free, locked, and on its way by open buys.
    pub position_max: Option<Qty>,
    /// Kinds of filters that we do not know.
    pub unknown: Vec<String>,
}

/// What may not be asked more often than so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitKind {
    Weight,
    Orders,
    Requests,
}

/// So many in each window of the venue's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub kind: LimitKind,
    pub window: Span,
    pub limit: u32,
}

/// The rules of all symbols that were asked for, and the limits on requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    symbols: BTreeMap<String, SymbolRules>,
    limits: Vec<RateLimit>,
    /// Symbols whose rules cannot be read, and why: none of them is traded.
    refused: Vec<String>,
}

impl Rules {
    /// Reads an answer to `GET /api/v3/exchangeInfo`.
    ///
    /// # Errors
    /// When it is no such answer. A symbol whose rules cannot be read is left out and named by [`Self::refused`].
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let info: Info = serde_json::from_slice(body).map_err(|_| "rules that cannot be read".to_owned())?;
        let mut rules = Self { limits: info.rate_limits.iter().filter_map(limit).collect(), ..Self::default() };
        for raw in &info.symbols {
            let name = raw.get("symbol").and_then(Value::as_str).unwrap_or_default();
            match Listed::deserialize(raw).map_err(|error| error.to_string()).and_then(Listed::rules) {
                Ok(symbol) => drop(rules.symbols.insert(name.to_owned(), symbol)),
                Err(why) => rules.refused.push(format!("{}: {why}", word(name))),
            }
        }
        Ok(rules)
    }

    /// By the venue's spelling.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&SymbolRules> {
        self.symbols.get(name)
    }

    #[must_use]
    pub fn limits(&self) -> &[RateLimit] {
        &self.limits
    }

    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Filters of kinds that we do not know, over all symbols.
    #[must_use]
    pub fn unknown_filters(&self) -> usize {
        self.symbols.values().map(|rules| rules.unknown.len()).sum()
    }

    /// The rules as the rest of the program knows them. `None`: the venue does not list the symbol, or splits it in another way.
    #[must_use]
    pub fn instrument(&self, symbol: &Symbol) -> Option<Instrument> {
        let rules = self.of(&symbol.joined()).filter(|rules| rules.base == symbol.base() && rules.quote == symbol.quote())?;
        Some(Instrument {
            symbol: symbol.clone(),
            price_tick: rules.price.step,
            qty_step: rules.step(true)?,
            min_notional: rules.notional.min,
        })
    }

    /// The same with the rules by which the venue judges its orders.
    #[must_use]
    pub fn listing(&self, symbol: &Symbol) -> Option<Listing> {
        let (instrument, rules) = (self.instrument(symbol)?, self.of(&symbol.joined())?);
        Some(Listing { instrument, rules: Arc::new(rules.clone()) })
    }
}

impl SymbolRules {
    #[must_use]
    pub fn is_trading(&self) -> bool {
        self.status == TRADING && self.is_spot
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    rate_limits: Vec<Value>,
    symbols: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLimit {
    rate_limit_type: String,
    interval: String,
    interval_num: u32,
    limit: u32,
}

/// `None` for kinds and windows that we do not know.
fn limit(raw: &Value) -> Option<RateLimit> {
    let raw = RawLimit::deserialize(raw).ok()?;
    let kind = match raw.rate_limit_type.as_str() {
        "REQUEST_WEIGHT" => LimitKind::Weight,
        "ORDERS" => LimitKind::Orders,
        "RAW_REQUESTS" => LimitKind::Requests,
        _ => return None,
    };
    let unit = match raw.interval.as_str() {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3600,
        "DAY" => 86_400,
        _ => return None,
    };
    (raw.interval_num > 0).then(|| RateLimit {
        kind,
        window: Span::from_secs(unit * i64::from(raw.interval_num)),
        limit: raw.limit,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    status: String,
    base_asset: String,
    quote_asset: String,
    #[serde(default)]
    quote_asset_precision: Option<u32>,
    #[serde(default)]
    order_types: Vec<String>,
    #[serde(default)]
    quote_order_qty_market_allowed: bool,
    #[serde(default)]
    is_spot_trading_allowed: bool,
    #[serde(default)]
    allowed_self_trade_prevention_modes: Vec<String>,
    #[serde(default)]
    filters: Vec<Value>,
}

/// The filters that we obey; the rest by name.
#[derive(Deserialize)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum Filter {
    #[serde(rename = "PRICE_FILTER")]
    Price {
        min_price: Digits,
        max_price: Digits,
        tick_size: Digits,
    },
    LotSize {
        min_qty: Digits,
        max_qty: Digits,
        step_size: Digits,
    },
    MarketLotSize {
        min_qty: Digits,
        max_qty: Digits,
        step_size: Digits,
    },
    Notional {
        min_notional: Digits,
        apply_min_to_market: bool,
        max_notional: Digits,
        apply_max_to_market: bool,
    },
    MinNotional {
        min_notional: Digits,
        apply_to_market: bool,
    },
    PercentPriceBySide {
        bid_multiplier_up: Digits,
        bid_multiplier_down: Digits,
        ask_multiplier_up: Digits,
        ask_multiplier_down: Digits,
    },
    PercentPrice {
        multiplier_up: Digits,
        multiplier_down: Digits,
    },
    MaxNumOrders {
        max_num_orders: u32,
    },
    MaxPosition {
        max_position: Digits,
    },
}

/// Kinds that we obey.
const OBEYED: [&str; 9] = [
    "PRICE_FILTER",
    "LOT_SIZE",
    "MARKET_LOT_SIZE",
    "NOTIONAL",
    "MIN_NOTIONAL",
    "PERCENT_PRICE_BY_SIDE",
    "PERCENT_PRICE",
    "MAX_NUM_ORDERS",
    "MAX_POSITION",
];
/// Kinds about orders that we never send.
const NOT_OURS: [&str; 8] = [
    "ICEBERG_PARTS",
    "TRAILING_DELTA",
    "MAX_NUM_ALGO_ORDERS",
    "MAX_NUM_ICEBERG_ORDERS",
    "MAX_NUM_ORDER_LISTS",
    "MAX_NUM_ORDER_AMENDS",
    "MAX_ASSET",
    "T_PLUS_SELL",
];

fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '_').take(WORD_CHARS_MAX).collect()
}

impl Listed {
    fn rules(self) -> Result<SymbolRules, String> {
        let takes = |kind: &str| self.order_types.iter().any(|known| known == kind);
        let mut rules = SymbolRules {
            status: word(&self.status),
            is_spot: self.is_spot_trading_allowed,
            takes_limit: takes("LIMIT"),
            takes_market: takes("MARKET"),
            takes_post_only: takes("LIMIT_MAKER"),
            takes_quote_amounts: self.quote_order_qty_market_allowed,
            expires_maker: self.allowed_self_trade_prevention_modes.iter().any(|mode| mode == "EXPIRE_MAKER"),
            quote_decimals: self.quote_asset_precision.unwrap_or(QUOTE_DECIMALS).min(QUOTE_DECIMALS),
            price: Bounds::default(),
            lot: Bounds::default(),
            market_lot: Bounds::default(),
            notional: Notional::default(),
            buy_band: None,
            sell_band: None,
            open_orders_max: None,
            position_max: None,
            unknown: Vec::new(),
            base: self.base_asset,
            quote: self.quote_asset,
        };
        for raw in &self.filters {
            let kind = raw.get("filterType").and_then(Value::as_str).unwrap_or_default();
            if OBEYED.contains(&kind) {
                // A filter that we know and cannot read is not one to trade without.
                let filter = Filter::deserialize(raw).map_err(|_| format!("its {kind} cannot be read"))?;
                rules.obey(&filter).map_err(|why| format!("its {kind} has {why}"))?;
            } else if !NOT_OURS.contains(&kind) {
                rules.unknown.push(word(kind));
            }
        }
        Ok(rules)
    }
}

impl SymbolRules {
    fn obey(&mut self, filter: &Filter) -> Result<(), String> {
        let lot = |min: &Digits, max: &Digits, step: &Digits| -> Result<Bounds<Qty>, String> {
            Ok(Bounds { min: min.qty()?, max: max.qty()?, step: step.qty()? })
        };
        match filter {
            Filter::Price { min_price, max_price, tick_size } => {
                self.price = Bounds { min: min_price.price()?, max: max_price.price()?, step: tick_size.price()? };
            }
            Filter::LotSize { min_qty, max_qty, step_size } => self.lot = lot(min_qty, max_qty, step_size)?,
            Filter::MarketLotSize { min_qty, max_qty, step_size } => self.market_lot = lot(min_qty, max_qty, step_size)?,
            Filter::Notional { min_notional, apply_min_to_market, max_notional, apply_max_to_market } => {
                let (min, max) = (min_notional.money()?, max_notional.money()?);
                self.notional = Notional { min, max, min_for_market: *apply_min_to_market, max_for_market: *apply_max_to_market };
            }
            Filter::MinNotional { min_notional, apply_to_market } => {
                (self.notional.min, self.notional.min_for_market) = (min_notional.money()?, *apply_to_market);
            }
            Filter::PercentPriceBySide { bid_multiplier_up, bid_multiplier_down, ask_multiplier_up, ask_multiplier_down } => {
                self.buy_band = Some(Band { down: bid_multiplier_down.price()?, up: bid_multiplier_up.price()? });
                self.sell_band = Some(Band { down: ask_multiplier_down.price()?, up: ask_multiplier_up.price()? });
            }
            Filter::PercentPrice { multiplier_up, multiplier_down } => {
                let band = Band { down: multiplier_down.price()?, up: multiplier_up.price()? };
                (self.buy_band, self.sell_band) = (Some(band), Some(band));
            }
            Filter::MaxNumOrders { max_num_orders } => self.open_orders_max = Some(*max_num_orders),
            Filter::MaxPosition { max_position } => self.position_max = Some(max_position.qty()?),
        }
        Ok(())
    }
}
