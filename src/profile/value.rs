//! A value whose meaning is checked.

use std::fmt;

use crate::domain::{Bps, Fraction, Interval, Money, Price, Qty, SecretRef, Span, Symbol, Time};
use crate::risk::rules::{BarAge, PauseFor};

/// What a key may hold, after its [`super::kind::Kind`] has accepted it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Count(u64),
    Float(f64),
    Fraction(Fraction),
    Bps(Bps),
    Money(Money),
    Price(Price),
    Qty(Qty),
    Span(Span),
    Time(Time),
    Interval(Interval),
    Text(String),
    Texts(Vec<String>),
    Symbols(Vec<Symbol>),
    Secret(SecretRef),
    BarAge(BarAge),
    PauseFor(PauseFor),
}

impl fmt::Display for Value {
    /// As it would be written in a document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Count(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Fraction(part) if *part == Fraction::ZERO || *part == Fraction::ONE => write!(f, "{part}.0"),
            Self::Fraction(part) => write!(f, "{part}"),
            Self::Bps(bps) => write!(f, "{}", bps.0),
            Self::Money(amount) => write!(f, "\"{amount}\""),
            Self::Price(price) => write!(f, "\"{price}\""),
            Self::Qty(qty) => write!(f, "\"{qty}\""),
            Self::Span(span) | Self::BarAge(BarAge::Span(span)) | Self::PauseFor(PauseFor::Span(span)) => write!(f, "\"{span}\""),
            Self::Time(time) => write!(f, "\"{time}\""),
            Self::Interval(interval) => write!(f, "\"{interval}\""),
            Self::Text(text) => write_text(f, text),
            Self::Texts(texts) => write_list(f, texts, |f, text| write_text(f, text)),
            Self::Symbols(symbols) => write_list(f, symbols, |f, symbol| write!(f, "\"{symbol}\"")),
            Self::Secret(reference) => write_text(f, &reference.to_string()),
            Self::BarAge(BarAge::Bars(n)) => write!(f, "\"{n} bars\""),
            Self::PauseFor(PauseFor::UtcDay) => write!(f, "\"day\""),
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(toml::Value::from(text).to_string().as_str())
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("[")?;
    for (k, item) in items.iter().enumerate() {
        if k > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    f.write_str("]")
}

impl Value {
    /// The entries of a list, as texts.
    #[must_use]
    pub fn items(&self) -> Option<Vec<String>> {
        match self {
            Self::Texts(texts) => Some(texts.clone()),
            Self::Symbols(symbols) => Some(symbols.iter().map(ToString::to_string).collect()),
            _ => None,
        }
    }

    /// What it says, when it is a text or a word.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value for a program: money and times as text, as in a document.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(b) => serde_json::json!(b),
            Self::Count(n) => serde_json::json!(n),
            Self::Float(x) => serde_json::json!(x),
            Self::Fraction(part) => serde_json::json!(part.to_f64()),
            Self::Bps(bps) => serde_json::json!(bps.0),
            Self::Text(text) => serde_json::json!(text),
            Self::Texts(texts) => serde_json::json!(texts),
            Self::Symbols(symbols) => serde_json::json!(symbols),
            quoted => serde_json::json!(quoted.to_string().trim_matches('"')),
        }
    }
}
