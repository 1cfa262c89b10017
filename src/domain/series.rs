//! Which bars: a venue's symbol at an interval.

use std::fmt;
use std::str::FromStr;

use super::instrument::{Symbol, SymbolError};
use super::time::{Interval, IntervalError};

/// The longest name of a venue.
const VENUE_LEN_MAX: usize = 32;

/// The bars of one symbol at one venue, of one length: what the lake keeps in one folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    venue: Box<str>,
    symbol: Symbol,
    interval: Interval,
}

/// A text names no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    #[error("\"{0}\" is not a venue: use at most {VENUE_LEN_MAX} small letters, digits, \"-\" and \"_\", a letter first")]
    Venue(String),
    #[error("\"{0}\" is not a series: write VENUE/BASE-QUOTE/INTERVAL, like binance/BTC-USDT/1h")]
    Shape(String),
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    #[error(transparent)]
    Interval(#[from] IntervalError),
}

impl Series {
    /// # Errors
    /// `venue` becomes a folder's name, so it is kept to small letters, digits, `-` and `_`.
    pub fn new(venue: &str, symbol: Symbol, interval: Interval) -> Result<Self, SeriesError> {
        let is_word = venue.len() <= VENUE_LEN_MAX
            && venue.starts_with(|c: char| c.is_ascii_lowercase())
            && venue.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if !is_word {
            return Err(SeriesError::Venue(venue.to_owned()));
        }
        Ok(Self { venue: venue.into(), symbol, interval })
    }

    #[must_use]
    pub fn venue(&self) -> &str {
        &self.venue
    }

    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }
}

impl FromStr for Series {
    type Err = SeriesError;

    fn from_str(text: &str) -> Result<Self, SeriesError> {
        let mut words = text.split('/');
        let (Some(venue), Some(symbol), Some(interval), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(SeriesError::Shape(text.to_owned()));
        };
        Self::new(venue, symbol.parse()?, interval.parse()?)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}/{}", self.venue, self.symbol.dashed(), self.interval))
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_read_and_print() {
        let series: Series = "binance/BTC-USDT/1h".parse().unwrap();
        assert_eq!(series.to_string(), "binance/BTC-USDT/1h");
        assert_eq!(series.symbol().to_string(), "BTC/USDT");
        for wrong in
            ["BTC-USDT/1h", "binance/BTC-USDT", "../BTC-USDT/1h", "Binance/BTC-USDT/1h", "binance/BTC-USDT/1w", "b/A-B/1h/x"]
        {
            assert!(wrong.parse::<Series>().is_err(), "{wrong}");
        }
    }
}
