//! What may be asked of a venue: intents and the ids they are known by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::instrument::SymbolIndex;
use super::money::{Money, Price, Qty};
use super::time::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// How an order meets the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OrderKind {
    /// At the next price there is.
    Market,
    /// At `price` or better, until `expires_at`.
    Limit {
        price: Price,
        expires_at: Time,
        #[serde(default, skip_serializing_if = "TimeInForce::is_default")]
        tif: TimeInForce,
    },
}

/// What becomes of the part of a limit order that cannot be filled at once, or can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeInForce {
    /// Good till canceled: it rests.
    #[default]
    Gtc,
    /// Immediate or cancel: it expires.
    Ioc,
    /// Rests only: rejected when it would take from the book.
    PostOnly,
}

impl TimeInForce {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "gtc",
            Self::Ioc => "ioc",
            Self::PostOnly => "post-only",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_default(&self) -> bool {
        *self == Self::Gtc
    }
}

impl OrderKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit { .. } => "limit",
        }
    }

    #[must_use]
    pub const fn limit_price(self) -> Option<Price> {
        match self {
            Self::Market => None,
            Self::Limit { price, .. } => Some(price),
        }
    }
}

/// What an order's size counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// Units of the base currency, fixed at the decision.
    Base(Qty),
    /// An amount of the quote currency; the quantity is known at the fill (the venue's `quoteOrderQty`).
    Quote(Money),
}

/// Why an order is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The model's target moved.
    Signal,
    StopLoss,
    TakeProfit,
    /// A drawdown limit tripped with `flatten = true`.
    KillSwitch,
    /// A step of a rollback: the only purpose that passes a halt that allows cancels alone.
    Rollback,
}

impl Purpose {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::StopLoss => "stop-loss",
            Self::TakeProfit => "take-profit",
            Self::KillSwitch => "kill-switch",
            Self::Rollback => "rollback",
        }
    }
}

/// The id we give an order: derived from what it is for, so that a restart names it the same, and never reused.
///
/// Written `tg` + scope (8 hex digits: profile, pipeline, mode and symbol hashed) + bar (12 hex digits of its close in
/// milliseconds) + sequence (4 hex digits), joined by dashes: 28 characters of the venue's `^[a-zA-Z0-9-_]{1,36}$`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    pub scope: u32,
    /// Close time of the bar that decided.
    pub bar: Time,
    /// Counts the orders of one scope at one bar.
    pub sequence: u16,
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tg{:08x}-{:012x}-{:04x}", self.scope, self.bar.millis(), self.sequence)
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no client order id of ours: the order is foreign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a client order id of tidegate")]
pub struct ClientOrderIdError(String);

/// Hexadecimal digits of a bar's close in milliseconds.
const BAR_DIGITS: usize = 12;

impl FromStr for ClientOrderId {
    type Err = ClientOrderIdError;

    fn from_str(text: &str) -> Result<Self, ClientOrderIdError> {
        let read = || {
            let (scope, rest) = text.strip_prefix("tg")?.split_once('-')?;
            let (bar, sequence) = rest.split_once('-')?;
            // Anybody may name an order on the account: a longer number would not fit a time.
            let bar = Some(bar).filter(|bar| bar.len() == BAR_DIGITS)?;
            Some(Self {
                scope: u32::from_str_radix(scope, 16).ok()?,
                bar: Time::from_millis(i64::from_str_radix(bar, 16).ok()?),
                sequence: u16::from_str_radix(sequence, 16).ok()?,
            })
        };
        // Comparing the printed form refuses other spellings of the same numbers.
        read().filter(|id| id.to_string() == text).ok_or_else(|| ClientOrderIdError(text.to_owned()))
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An order we would like to send. It reaches a venue only as `risk::Approved<OrderIntent>`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OrderIntent {
    pub id: ClientOrderId,
    pub symbol: SymbolIndex,
    pub side: Side,
    pub kind: OrderKind,
    pub size: Size,
    pub purpose: Purpose,
    /// The close that decided; the paper venue fills against the bars after it.
    pub decided_at: Time,
    /// The price the decision saw, for the collar and for worst-case exposure.
    pub reference: Price,
}

impl OrderIntent {
    /// What the order is worth at its limit or, for a market order, at the reference: the figure that limits are checked with.
    #[must_use]
    pub fn notional(&self) -> Money {
        match self.size {
            Size::Quote(amount) => amount,
            Size::Base(qty) => self.kind.limit_price().unwrap_or(self.reference).notional(qty),
        }
    }

    /// The quantity asked for, or what the amount would buy at the limit or the reference.
    #[must_use]
    pub fn quantity(&self) -> Qty {
        match self.size {
            Size::Base(qty) => qty,
            Size::Quote(amount) => amount.quantity_floor(self.kind.limit_price().unwrap_or(self.reference)),
        }
    }
}

/// Why a venue rejected an order, as far as we tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    InsufficientBalance,
    /// The amount buys less than one step at the price of the fill.
    QuantityZero,
    MinNotional,
    /// A post-only order would have taken from the book.
    WouldTake,
    /// Another of the venue's rules on prices, quantities or counts.
    Filter,
    /// The symbol is not traded now, or not by this account.
    NotTradable,
    /// Too many orders or requests.
    Throttled,
    /// The key may not do this.
    NotPermitted,
    Other,
}

impl RejectReason {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InsufficientBalance => "insufficient-balance",
            Self::QuantityZero => "quantity-zero",
            Self::MinNotional => "min-notional",
            Self::WouldTake => "would-take",
            Self::Filter => "filter",
            Self::NotTradable => "not-tradable",
            Self::Throttled => "throttled",
            Self::NotPermitted => "not-permitted",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_fits_the_venue() {
        let id = ClientOrderId { scope: 0xdead_beef, bar: "2026-03-29T01:00:00Z".parse().unwrap(), sequence: 3 };
        let text = id.to_string();
        assert!(text.len() <= 36 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
        assert_eq!(text.parse(), Ok(id));
        for foreign in ["", "tg", "web_123", "tgdeadbeef-19d3728c280-3", "tg00000001-7fffffffffffffff-0003", &text.to_uppercase()]
        {
            assert!(foreign.parse::<ClientOrderId>().is_err(), "{foreign}");
        }
    }
}
