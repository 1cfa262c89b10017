//! The types of the language: what a value must look like, and what is wrong when it does not.

use super::fault::Fault;
use super::number::{bar_age, bps, count, decimal, float, fraction, pause_for, read_decimal, span, whole_fraction};
use super::tree::Raw;
use super::value::Value;
use super::word::{Words, each, name, not_empty, parsed, secret, symbols};

/// The type of a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Bool,
    /// A whole number between two bounds, both included.
    Count(u64, u64),
    /// A float between two bounds, both included.
    Float(f64, f64),
    /// A part of a whole in [0, 1].
    Fraction,
    Bps,
    /// A decimal text, not negative.
    Money,
    Price,
    Qty,
    /// A length of time with its unit, above zero.
    Span,
    /// The same; zero is allowed.
    SpanOrZero,
    Time,
    Interval,
    Text,
    /// A name that people give: kebab-case.
    Name,
    /// One of a closed set.
    Word(&'static Words),
    /// Texts of any content.
    Texts,
    Names,
    WordList(&'static Words),
    Symbols,
    Secret,
    /// `"2 bars"` or a length of time.
    BarAge,
    /// A length of time or `"day"`.
    PauseFor,
    /// A table of values for keys of other documents, as on the command line; see [`super::layer::Setting`].
    Settings,
}

impl Kind {
    /// Checks a value as it stands in a document.
    ///
    /// # Errors
    /// The fault, with its fix.
    pub fn check(self, raw: &Raw) -> Result<Value, Box<Fault>> {
        match (self, raw) {
            (Self::Secret, Raw::Text(text)) => secret(text),
            (Self::Secret, _) => secret(""),
            (Self::Bool, Raw::Bool(b)) => Ok(Value::Bool(*b)),
            (Self::Count(min, max), Raw::Whole(n)) => count(*n, min, max),
            (Self::Bps, Raw::Whole(n)) => bps(*n),
            (Self::Float(min, max), Raw::Float(x)) => float(*x, min, max),
            (Self::Float(min, max), Raw::Whole(n)) => float(*n as f64, min, max),
            (Self::Fraction, Raw::Float(x)) => fraction(*x),
            (Self::Fraction, Raw::Whole(n)) => whole_fraction(*n),
            (Self::Money, Raw::Text(text)) => decimal(text, "money").and_then(|t| read_decimal(t, "money", Value::Money)),
            (Self::Price, Raw::Text(text)) => decimal(text, "a price").and_then(|t| read_decimal(t, "a price", Value::Price)),
            (Self::Qty, Raw::Text(text)) => decimal(text, "a quantity").and_then(|t| read_decimal(t, "a quantity", Value::Qty)),
            (Self::Span, Raw::Text(text)) => span(text, false).map(Value::Span),
            (Self::SpanOrZero, Raw::Text(text)) => span(text, true).map(Value::Span),
            (Self::BarAge, Raw::Text(text)) => bar_age(text),
            (Self::PauseFor, Raw::Text(text)) => pause_for(text),
            (Self::Time, Raw::Text(text)) => parsed(text, "bad-time", Value::Time, "write a UTC time, like \"2026-03-29T00:00\""),
            (Self::Interval, Raw::Text(text)) => parsed(text, "bad-interval", Value::Interval, "write \"1m\", \"1h\" or \"1d\""),
            (Self::Text, Raw::Text(text)) => not_empty(text),
            (Self::Name, Raw::Text(text)) => name(text).map(Value::Text),
            (Self::Word(words), Raw::Text(text)) => words.check(text).map(Value::Text),
            (Self::Names, Raw::List(list)) => each(list, "a name", name).map(Value::Texts),
            (Self::Texts, Raw::List(list)) => each(list, "a text", |t| Ok(t.to_owned())).map(Value::Texts),
            (Self::WordList(words), Raw::List(list)) => each(list, words.what, |t| words.check(t)).map(Value::Texts),
            (Self::Symbols, Raw::List(list)) => symbols(list),
            (_, raw) => Err(self.wrong_type(raw)),
        }
    }

    /// Checks a value that came as bare text: a variable of the environment, `--set`, a compiled default.
    ///
    /// # Errors
    /// The fault, with its fix.
    pub fn check_text(self, text: &str) -> Result<Value, Box<Fault>> {
        let as_text = || Raw::Text(text.to_owned());
        let raw = match self {
            Self::Bool | Self::Count(..) | Self::Float(..) | Self::Fraction | Self::Bps => {
                super::tree::parse_value(text).unwrap_or_else(as_text)
            }
            Self::Names | Self::Texts | Self::WordList(_) | Self::Symbols => match super::tree::parse_value(text) {
                Some(list @ Raw::List(_)) => list,
                _ => Raw::List(text.split(',').map(|t| (Raw::Text(t.trim().to_owned()), 0..0)).collect()),
            },
            // On a command line nobody writes the inner quotes; those who do mean the same.
            _ => match super::tree::parse_value(text) {
                Some(Raw::Text(inner)) if text.starts_with(['"', '\'']) => Raw::Text(inner),
                _ => as_text(),
            },
        };
        self.check(&raw).map_err(|fault| Box::new(fault.without_spans()))
    }

    /// What the key wants, for a sentence.
    #[must_use]
    pub fn wants(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Float(..) => "a number".to_owned(),
            Self::Fraction => "a fraction between 0 and 1".to_owned(),
            Self::Bps => "a whole number of basis points".to_owned(),
            Self::Money => "money as a decimal string".to_owned(),
            Self::Price | Self::Qty => "a decimal string".to_owned(),
            Self::Span | Self::SpanOrZero => "a time with its unit".to_owned(),
            Self::Time => "a UTC time in quotes".to_owned(),
            Self::Interval => "a bar interval in quotes".to_owned(),
            Self::Text => "a text in quotes".to_owned(),
            Self::Name => "a name in quotes".to_owned(),
            Self::Word(words) => format!("one of {}", words.quoted()),
            Self::Names => "a list of names".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::WordList(words) => format!("a list of {}", words.quoted()),
            Self::Symbols => "a list of symbols".to_owned(),
            Self::Secret => "a reference to a secret".to_owned(),
            Self::BarAge => "a number of bars or a time, in quotes".to_owned(),
            Self::PauseFor => "a time with its unit, or \"day\"".to_owned(),
            Self::Settings => "a table of keys and values".to_owned(),
        }
    }

    /// Would the text be right without its quotes?
    fn is_quoted(self, text: &str) -> bool {
        let bare = super::tree::parse_value(text).filter(|raw| !matches!(raw, Raw::Text(_)));
        bare.is_some_and(|raw| self.check(&raw).is_ok())
    }

    fn wrong_type(self, raw: &Raw) -> Box<Fault> {
        let number = match raw {
            Raw::Whole(n) => Some(n.to_string()),
            Raw::Float(x) if x.is_finite() => Some(x.to_string()),
            _ => None,
        };
        match (self, number) {
            (Self::Money, Some(n)) => {
                let hint = format!("write \"{n}\"");
                return Fault::new("money-not-string", "money must be a decimal string", "a bare number", hint);
            }
            (Self::Price | Self::Qty, Some(n)) => {
                let hint = format!("write \"{n}\"");
                return Fault::new("decimal-not-string", "an exact number must be a decimal string", "a bare number", hint);
            }
            (Self::Span | Self::SpanOrZero | Self::PauseFor, Some(n)) => {
                let hint = format!("write \"{n}s\" for seconds, or another of ms, s, m, h, d, w");
                return Fault::new("time-without-unit", "a time needs its unit", "no unit", hint);
            }
            (Self::BarAge, Some(n)) => {
                let hint = format!("write \"{n} bars\", or a time like \"{n}m\"");
                return Fault::new("time-without-unit", "an age needs its unit", "no unit", hint);
            }
            _ => {}
        }
        let hint = match (self, raw) {
            (Self::Bool | Self::Count(..) | Self::Float(..) | Self::Fraction | Self::Bps, Raw::Text(text))
                if self.is_quoted(text) =>
            {
                format!("write {text} without quotes")
            }
            (Self::Bps, Raw::Float(_)) => "write whole basis points: 1 % is 100".to_owned(),
            (Self::Names | Self::Texts, Raw::Text(text)) => format!("write [\"{text}\"]"),
            (Self::Symbols | Self::WordList(_), Raw::Text(text)) => format!("write [\"{text}\"]"),
            _ => format!("write {}", self.wants()),
        };
        Fault::new("wrong-type", format!("wrong type: this key wants {}", self.wants()), format!("this is {}", raw.noun()), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::nearest;
    use super::*;

    fn fault(kind: Kind, raw: &Raw) -> Box<Fault> {
        kind.check(raw).expect_err("a fault")
    }

    #[test]
    fn the_classic_slips_name_their_fix() {
        assert_eq!(fault(Kind::Money, &Raw::Whole(50)).hint, "write \"50\"");
        assert_eq!(fault(Kind::Fraction, &Raw::Whole(3)).hint, "did you mean 0.03?");
        assert_eq!(fault(Kind::Fraction, &Raw::Float(2.5)).hint, "did you mean 0.025?");
        assert_eq!(fault(Kind::Span, &Raw::Text("7 d".into())).hint, "did you mean \"7d\"?");
        assert_eq!(fault(Kind::Span, &Raw::Text("1M".into())).hint, "did you mean \"1m\"?");
        assert_eq!(fault(Kind::Money, &Raw::Text("50 USDT".into())).code, "bad-decimal");
        assert_eq!(fault(Kind::Money, &Raw::Text("-1".into())).code, "out-of-range");
        assert_eq!(fault(Kind::Bool, &Raw::Text("true".into())).hint, "write true without quotes");
    }

    #[test]
    fn a_text_that_is_no_number_either_comes_to_an_end() {
        assert_eq!(fault(Kind::Bool, &Raw::Text("yes".into())).code, "wrong-type");
        assert_eq!(fault(Kind::Count(0, 9), &Raw::Text("\"\"4\"\"".into())).code, "wrong-type");
    }

    #[test]
    fn odd_numbers_are_refused() {
        assert_eq!(fault(Kind::Float(0.0, 9.0), &Raw::Float(f64::INFINITY)).code, "not-finite");
        assert_eq!(fault(Kind::Fraction, &Raw::Float(f64::NAN)).code, "not-finite");
        for text in ["0x10", "1_000", "1e3", "", " 1", "+1"] {
            assert_eq!(fault(Kind::Money, &Raw::Text(text.into())).code, "bad-decimal", "{text}");
        }
        assert_eq!(Kind::Float(-1.0, 1.0).check(&Raw::Float(-0.0)).unwrap().to_string(), "0.0");
    }

    #[test]
    fn bare_text_is_read_by_its_kind() {
        assert_eq!(Kind::Money.check_text("50").unwrap().to_string(), "\"50\"");
        assert_eq!(Kind::Money.check_text("\"50\"").unwrap().to_string(), "\"50\"");
        assert_eq!(Kind::Fraction.check_text("0.03").unwrap().to_string(), "0.03");
        assert_eq!(Kind::Symbols.check_text("BTC/USDT,ETH/USDT").unwrap().to_string(), "[\"BTC/USDT\", \"ETH/USDT\"]");
        assert_eq!(Kind::Symbols.check_text("[]").unwrap().to_string(), "[]");
    }

    /// PROFILE-4.
    #[test]
    fn a_secret_is_never_repeated() {
        let fault = fault(Kind::Secret, &Raw::Text("hunter2".into()));
        assert!(!format!("{fault:?}").contains("hunter2"));
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(
            nearest("max_notional_per_ordr", ["max_total_notional", "max_notional_per_order"]),
            Some("max_notional_per_order")
        );
        assert_eq!(nearest("MaxAge", ["max-age"]), None.or(Some("max-age")));
        assert_eq!(nearest("banana", ["limits", "risk"]), None);
    }
}
