//! What is traded and the venue's rules for its prices and quantities.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::money::{Money, Price, Qty};

/// The longest name of one currency; longer is a mistake, not a coin.
pub const CURRENCY_LEN_MAX: usize = 20;

/// A pair of currencies, `BASE/QUOTE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    base: Box<str>,
    quote: Box<str>,
}

impl Symbol {
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    #[must_use]
    pub fn quote(&self) -> &str {
        &self.quote
    }

    /// The spelling of folders in the lake: `BTC-USDT`.
    #[must_use]
    pub fn dashed(&self) -> String {
        format!("{}-{}", self.base, self.quote)
    }

    /// The spelling of the venue: `BTCUSDT`.
    #[must_use]
    pub fn joined(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }
}

/// A text is no symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a symbol: write BASE/QUOTE in capitals, like \"BTC/USDT\"")]
pub struct SymbolError(String);

impl FromStr for Symbol {
    type Err = SymbolError;

    /// Reads `BTC/USDT` and the folder form `BTC-USDT`.
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let wrong = || SymbolError(text.to_owned());
        let (base, quote) = text.split_once(['/', '-']).ok_or_else(wrong)?;
        let is_currency = |name: &str| {
            !name.is_empty() && name.len() <= CURRENCY_LEN_MAX && name.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase())
        };
        if !is_currency(base) || !is_currency(quote) {
            return Err(wrong());
        }
        Ok(Self { base: base.into(), quote: quote.into() })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.base, self.quote))
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({self})")
    }
}

impl Serialize for Symbol {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Position of a symbol in its pipeline's list: what the inner loop carries instead of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SymbolIndex(pub u16);

impl SymbolIndex {
    #[inline]
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A symbol with the venue's rules; a rule of zero is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    pub symbol: Symbol,
    /// Prices of limit orders are multiples of this.
    pub price_tick: Price,
    /// Quantities are multiples of this.
    pub qty_step: Qty,
    /// An order below this notional is rejected.
    pub min_notional: Money,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_two_sides() {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        assert_eq!((symbol.base(), symbol.quote()), ("BTC", "USDT"));
        assert_eq!((symbol.dashed().as_str(), symbol.joined().as_str()), ("BTC-USDT", "BTCUSDT"));
        assert_eq!("BTC-USDT".parse::<Symbol>().unwrap(), symbol);
        assert!("这是测试币456/USDT".parse::<Symbol>().is_ok());
        for wrong in ["BTCUSDT", "btc/usdt", "BTC/", "/USDT", "BTC/US/DT", "../X", "BTC/U SDT"] {
            assert!(wrong.parse::<Symbol>().is_err(), "{wrong}");
        }
    }
}
