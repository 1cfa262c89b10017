//! Orders and trades as the venue keeps them, and as it tells them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::amount::Eight;
use crate::domain::{Price, Qty, Side, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Market,
    Limit,
    LimitMaker,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Market => "MARKET",
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tif {
    Gtc,
    Ioc,
    Fok,
}

impl Tif {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
        }
    }
}

/// What happens when an order meets another of the same account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SelfTrade {
    Allowed,
    ExpireTaker,
    ExpireMaker,
    ExpireBoth,
}

impl SelfTrade {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Expired,
    ExpiredInMatch,
}

impl Status {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }

    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub id: u64,
    pub account: usize,
    pub client_id: Arc<str>,
    pub side: Side,
    pub kind: Kind,
    pub tif: Tif,
    pub self_trade: SelfTrade,
    pub price: Price,
    /// Of an order that counts in the quote currency: what was filled, once it has ended.
    pub qty: Qty,
    pub quote_qty: Qty,
    pub filled: Qty,
    pub filled_quote: Qty,
    pub status: Status,
    /// Why it expired; `NONE` while it has not.
    pub expiry: &'static str,
    pub at: Time,
    pub updated: Time,
    /// What it claims: quote for a buyer, base for a seller.
    pub locked: Qty,
    /// Questions do not find it before then.
    pub hidden_until: Time,
    /// It does not meet the market before then.
    pub held_until: Time,
    /// The book has no more than this for it.
    pub fill_max: Option<Qty>,
    pub counted_unfilled: bool,
}

impl Order {
    /// What may still be filled; of an order in the quote currency, what its rest buys or is sold for at `price`.
    pub(super) fn left_at(&self, price: Price) -> Qty {
        if self.counts_quote() {
            super::amount::bought_floor(self.quote_qty - self.filled_quote, price)
        } else {
            self.qty - self.filled
        }
    }

    pub(super) fn counts_quote(&self) -> bool {
        self.quote_qty.is_positive()
    }

    pub(super) fn rests(&self) -> bool {
        self.status.is_open() && self.kind != Kind::Market && self.tif == Tif::Gtc
    }
}

#[derive(Debug, Clone)]
pub(super) struct Trade {
    pub id: u64,
    pub account: usize,
    pub order: u64,
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
    pub quote: Qty,
    pub fee: Qty,
    pub fee_asset: Arc<str>,
    pub at: Time,
    pub is_maker: bool,
}

/// The answer to a new order; what lacks is not in the shorter forms.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placed<'a> {
    pub symbol: &'a str,
    pub order_id: u64,
    pub order_list_id: i64,
    pub client_order_id: &'a str,
    pub transact_time: i64,
    #[serde(flatten)]
    pub result: Option<PlacedResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fills: Option<Vec<PlacedFill<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacedResult {
    pub price: Eight,
    pub orig_qty: Eight,
    pub executed_qty: Eight,
    pub orig_quote_order_qty: Eight,
    pub cummulative_quote_qty: Eight,
    pub status: &'static str,
    pub time_in_force: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub side: &'static str,
    pub working_time: i64,
    pub self_trade_prevention_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacedFill<'a> {
    pub price: Eight,
    pub qty: Eight,
    pub commission: Eight,
    pub commission_asset: &'a str,
    pub trade_id: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Canceled<'a> {
    pub symbol: &'a str,
    pub orig_client_order_id: &'a str,
    pub order_id: u64,
    pub order_list_id: i64,
    pub client_order_id: &'a str,
    pub transact_time: i64,
    pub price: Eight,
    pub orig_qty: Eight,
    pub executed_qty: Eight,
    pub orig_quote_order_qty: Eight,
    pub cummulative_quote_qty: Eight,
    pub status: &'static str,
    pub time_in_force: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub side: &'static str,
    pub self_trade_prevention_mode: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queried<'a> {
    pub symbol: &'a str,
    pub order_id: u64,
    pub order_list_id: i64,
    pub client_order_id: &'a str,
    pub price: Eight,
    pub orig_qty: Eight,
    pub executed_qty: Eight,
    pub cummulative_quote_qty: Eight,
    pub status: &'static str,
    pub time_in_force: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub side: &'static str,
    pub stop_price: Eight,
    pub iceberg_qty: Eight,
    pub time: i64,
    pub update_time: i64,
    pub is_working: bool,
    pub working_time: i64,
    pub orig_quote_order_qty: Eight,
    pub self_trade_prevention_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traded<'a> {
    pub symbol: &'a str,
    pub id: u64,
    pub order_id: u64,
    pub order_list_id: i64,
    pub price: Eight,
    pub qty: Eight,
    pub quote_qty: Eight,
    pub commission: Eight,
    pub commission_asset: &'a str,
    pub time: i64,
    pub is_buyer: bool,
    pub is_maker: bool,
    pub is_best_match: bool,
}

pub(super) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// How times are counted in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
}

impl Unit {
    pub(super) const fn count(self, time: Time) -> i64 {
        match self {
            Self::Millis => time.millis(),
            Self::Micros => time.micros(),
        }
    }
}

impl Order {
    fn expiry_told(&self) -> Option<&'static str> {
        (self.expiry != "NONE").then_some(self.expiry)
    }

    pub(super) fn placed<'a>(&'a self, symbol: &'a str, form: Form, fills: &'a [Trade], unit: Unit) -> Placed<'a> {
        let result = (form != Form::Ack).then(|| PlacedResult {
            price: self.price.into(),
            orig_qty: self.qty.into(),
            executed_qty: self.filled.into(),
            orig_quote_order_qty: self.quote_qty.into(),
            cummulative_quote_qty: self.filled_quote.into(),
            status: self.status.name(),
            time_in_force: self.tif.name(),
            kind: self.kind.name(),
            side: side_name(self.side),
            working_time: unit.count(self.at),
            self_trade_prevention_mode: self.self_trade.name(),
            expiry_reason: self.expiry_told(),
        });
        let fill = |trade: &'a Trade| PlacedFill {
            price: trade.price.into(),
            qty: trade.qty.into(),
            commission: trade.fee.into(),
            commission_asset: &trade.fee_asset,
            trade_id: trade.id,
        };
        let own = fills.iter().filter(|trade| trade.order == self.id);
        Placed {
            symbol,
            order_id: self.id,
            order_list_id: -1,
            client_order_id: &self.client_id,
            transact_time: unit.count(self.at),
            result,
            fills: (form == Form::Full).then(|| own.map(fill).collect()),
        }
    }

    pub(super) fn canceled<'a>(&'a self, symbol: &'a str, cancel_id: &'a str, unit: Unit) -> Canceled<'a> {
        Canceled {
            symbol,
            orig_client_order_id: &self.client_id,
            order_id: self.id,
            order_list_id: -1,
            client_order_id: cancel_id,
            transact_time: unit.count(self.updated),
            price: self.price.into(),
            orig_qty: self.qty.into(),
            executed_qty: self.filled.into(),
            orig_quote_order_qty: self.quote_qty.into(),
            cummulative_quote_qty: self.filled_quote.into(),
            status: self.status.name(),
            time_in_force: self.tif.name(),
            kind: self.kind.name(),
            side: side_name(self.side),
            self_trade_prevention_mode: self.self_trade.name(),
        }
    }

    pub(super) fn queried<'a>(&'a self, symbol: &'a str, unit: Unit) -> Queried<'a> {
        Queried {
            symbol,
            order_id: self.id,
            order_list_id: -1,
            client_order_id: &self.client_id,
            price: self.price.into(),
            orig_qty: self.qty.into(),
            executed_qty: self.filled.into(),
            cummulative_quote_qty: self.filled_quote.into(),
            status: self.status.name(),
            time_in_force: self.tif.name(),
            kind: self.kind.name(),
            side: side_name(self.side),
            stop_price: Eight::ZERO,
            iceberg_qty: Eight::ZERO,
            time: unit.count(self.at),
            update_time: unit.count(self.updated),
            is_working: true,
            working_time: unit.count(self.at),
            orig_quote_order_qty: self.quote_qty.into(),
            self_trade_prevention_mode: self.self_trade.name(),
            expiry_reason: self.expiry_told(),
        }
    }
}

impl Trade {
    pub(super) fn told<'a>(&'a self, symbol: &'a str, unit: Unit) -> Traded<'a> {
        Traded {
            symbol,
            id: self.id,
            order_id: self.order,
            order_list_id: -1,
            price: self.price.into(),
            qty: self.qty.into(),
            quote_qty: self.quote.into(),
            commission: self.fee.into(),
            commission_asset: &self.fee_asset,
            time: unit.count(self.at),
            is_buyer: self.side == Side::Buy,
            is_maker: self.is_maker,
            is_best_match: true,
        }
    }
}

/// How much the answer to a new order tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Ack,
    Result,
    Full,
}
