//! The types of the language: what a value must look like, and what is wrong when it does not.

use std::ops::Range;

use crate::domain::decimal::DecimalError;
use crate::domain::{Bps, Fraction, SecretRef, Span, Symbol};
use crate::risk::rules::{BarAge, PauseFor};

use super::tree::Raw;
use super::value::Value;

/// A whole of basis points.
const BPS_MAX: i64 = 10_000;

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

/// A closed set of words.
#[derive(Debug)]
pub struct Words {
    /// The code of the diagnostic for another word.
    pub code: &'static str,
    /// What the words name, with its article: `a stage kind`.
    pub what: &'static str,
    pub known: &'static [&'static str],
    /// The known ones that nothing acts upon yet.
    pub later: &'static [&'static str],
}

/// Why a value does not fit its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub code: &'static str,
    pub message: String,
    pub label: String,
    pub hint: String,
    /// The part of a list that is wrong.
    pub span: Option<Range<usize>>,
}

impl Fault {
    fn new(code: &'static str, message: impl Into<String>, label: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), label: label.into(), hint: hint.into(), span: None }
    }
}

impl Kind {
    /// Checks a value as it stands in a document.
    ///
    /// # Errors
    /// The fault, with its fix.
    pub fn check(self, raw: &Raw) -> Result<Value, Fault> {
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
    pub fn check_text(self, text: &str) -> Result<Value, Fault> {
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
        self.check(&raw).map_err(|fault| Fault { span: None, ..fault })
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

    fn wrong_type(self, raw: &Raw) -> Fault {
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
                if self.check_text(text).is_ok() =>
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

impl Words {
    fn quoted(&self) -> String {
        self.known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    }

    fn check(&self, text: &str) -> Result<String, Fault> {
        if self.known.contains(&text) {
            return Ok(text.to_owned());
        }
        let hint = match nearest(text, self.known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"? Known: {}", self.quoted()),
            None if self.known.len() == 1 => format!("write {}", self.quoted()),
            None => format!("write one of {}", self.quoted()),
        };
        Err(Fault::new(self.code, format!("\"{text}\" is not {}", self.what), "unknown", hint))
    }
}

/// The known name that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase().replace('-', "_");
    let distance = |other: &str| strsim::damerau_levenshtein(&lower, &other.to_lowercase().replace('-', "_"));
    let (far, near) = known.into_iter().map(|other| (distance(other), other)).min_by_key(|(far, _)| *far)?;
    (far <= (name.chars().count() / 3).clamp(1, 4)).then_some(near)
}

fn count(n: i64, min: u64, max: u64) -> Result<Value, Fault> {
    match u64::try_from(n) {
        Ok(n) if (min..=max).contains(&n) => Ok(Value::Count(n)),
        _ => Err(out_of_range(&n.to_string(), &min.to_string(), &max.to_string())),
    }
}

fn out_of_range(value: &str, min: &str, max: &str) -> Fault {
    Fault::new(
        "out-of-range",
        format!("{value} is outside {min} to {max}"),
        "out of range",
        format!("write a value from {min} to {max}"),
    )
}

fn bps(n: i64) -> Result<Value, Fault> {
    match u32::try_from(n) {
        Ok(bps) if n <= BPS_MAX => Ok(Value::Bps(Bps(bps))),
        _ => Err(out_of_range(&n.to_string(), "0", "10000 basis points")),
    }
}

fn float(x: f64, min: f64, max: f64) -> Result<Value, Fault> {
    if !x.is_finite() {
        return Err(Fault::new("not-finite", "the number is not finite", "too large or no number", "write a finite number"));
    }
    // Minus zero compares equal to zero but prints otherwise, and fingerprints are made of print.
    let x = if x == 0.0 { 0.0 } else { x };
    if (min..=max).contains(&x) {
        Ok(Value::Float(x))
    } else {
        Err(out_of_range(&x.to_string(), &min.to_string(), &max.to_string()))
    }
}

fn fraction(x: f64) -> Result<Value, Fault> {
    if let Some(part) = Fraction::from_f64(x) {
        return Ok(Value::Fraction(part));
    }
    if !x.is_finite() {
        return Err(Fault::new(
            "not-finite",
            "the number is not finite",
            "too large or no number",
            "write a fraction, like 0.03",
        ));
    }
    Err(above_one(x))
}

fn whole_fraction(n: i64) -> Result<Value, Fault> {
    match n {
        0 => Ok(Value::Fraction(Fraction::ZERO)),
        // Someone who writes 1 may mean all of it or one percent.
        1 => Err(Fault::new(
            "fraction-above-one",
            "1 could mean all of it or one percent",
            "ambiguous",
            "write 0.01 for 1 %, or 1.0 for 100 %",
        )),
        n => Err(above_one(n as f64)),
    }
}

fn above_one(x: f64) -> Fault {
    if x < 0.0 {
        return Fault::new("out-of-range", "a fraction cannot be negative", "below zero", "write a fraction between 0 and 1");
    }
    let label = format!("{x} would be {} %", x * 100.0);
    let hint =
        if x <= 100.0 { format!("did you mean {}?", shortest(x / 100.0)) } else { "write a fraction, like 0.03".to_owned() };
    Fault::new("fraction-above-one", "a fraction must lie between 0 and 1", label, hint)
}

/// The quotient without the noise of binary division.
fn shortest(x: f64) -> String {
    Fraction::from_f64(x).map_or_else(|| x.to_string(), |part| part.to_string())
}

fn decimal<'a>(text: &'a str, what: &str) -> Result<&'a str, Fault> {
    let negative = text.strip_prefix('-').is_some_and(|rest| rest.bytes().any(|b| (b'1'..=b'9').contains(&b)));
    if negative {
        return Err(Fault::new("out-of-range", format!("{what} must not be negative"), "below zero", "write zero or more"));
    }
    Ok(text)
}

fn read_decimal<T: std::str::FromStr<Err = DecimalError>>(text: &str, what: &str, make: fn(T) -> Value) -> Result<Value, Fault> {
    text.parse().map(make).map_err(|error| {
        let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        let hint = if text.ends_with(char::is_alphabetic) && digits.parse::<f64>().is_ok() && text.starts_with(&digits) {
            format!("write \"{digits}\"; the currency is limits.currency")
        } else {
            "write digits and at most one point, like \"50\" or \"0.25\"".to_owned()
        };
        Fault::new("bad-decimal", format!("\"{text}\" {error}"), format!("not {what}"), hint)
    })
}

fn span(text: &str, zero: bool) -> Result<Span, Fault> {
    use crate::domain::time::SpanError;
    match text.parse::<Span>() {
        Ok(span) if span == Span::ZERO && !zero => {
            Err(Fault::new("out-of-range", "this time must be longer than zero", "zero", "write a time like \"3s\""))
        }
        Ok(span) => Ok(span),
        Err(SpanError::NoUnit(_)) => {
            let hint = format!("write \"{text}s\" for seconds, or another of ms, s, m, h, d, w");
            Err(Fault::new("time-without-unit", "a time needs its unit", "no unit", hint))
        }
        Err(error) => {
            let hint = match text.replace(' ', "").to_lowercase() {
                near if near != text && near.parse::<Span>().is_ok() => format!("did you mean \"{near}\"?"),
                _ => "write it like \"500ms\", \"3s\", \"5m\", \"24h\", \"7d\" or \"2w\"".to_owned(),
            };
            let message = error.to_string();
            let message = message.split_once(": ").map_or(message.as_str(), |(head, _)| head);
            Err(Fault::new("bad-time", message, "not a time", hint))
        }
    }
}

fn bar_age(text: &str) -> Result<Value, Fault> {
    let bars = text.strip_suffix(" bars").or_else(|| text.strip_suffix(" bar"));
    match bars.map(str::parse::<u32>) {
        Some(Ok(n)) if n > 0 => Ok(Value::BarAge(BarAge::Bars(n))),
        Some(_) => {
            let hint = "write it like \"2 bars\"";
            Err(Fault::new("bad-time", format!("\"{text}\" is not a number of bars"), "not an age", hint))
        }
        None => span(text, false).map(|span| Value::BarAge(BarAge::Span(span))),
    }
}

fn pause_for(text: &str) -> Result<Value, Fault> {
    if text == "day" {
        return Ok(Value::PauseFor(PauseFor::UtcDay));
    }
    span(text, false).map(|span| Value::PauseFor(PauseFor::Span(span)))
}

fn secret(text: &str) -> Result<Value, Fault> {
    text.parse::<SecretRef>().map(Value::Secret).map_err(|error| {
        let hint = "write \"env:NAME\", \"file:PATH\" or \"keyring:service/user\", and change this secret: it has been in a file";
        Fault::new("secret-literal", error.to_string(), "covered", hint)
    })
}

fn parsed<T: std::str::FromStr>(text: &str, code: &'static str, make: fn(T) -> Value, hint: &str) -> Result<Value, Fault>
where
    T::Err: std::fmt::Display,
{
    text.parse().map(make).map_err(|error: T::Err| {
        let message = error.to_string();
        let message = message.split_once(": ").map_or(message.as_str(), |(head, _)| head).to_owned();
        Fault::new(code, message, "not understood", hint)
    })
}

fn not_empty(text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("empty-text", "this text must not be empty", "empty", "write a value, or remove the key"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// Is it a name as people give them: kebab-case?
#[must_use]
pub fn is_name(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 64 && text.split('-').all(part)
}

fn name(text: &str) -> Result<String, Fault> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(bad_name(text))
}

/// The fault of a name that is not kebab-case.
#[must_use]
pub fn bad_name(text: &str) -> Fault {
    let kebab: String = text.to_lowercase().replace([' ', '_', '.'], "-");
    let hint = if is_name(&kebab) {
        format!("write \"{kebab}\"")
    } else {
        "write letters a to z, digits and dashes, like \"my-name\"".to_owned()
    };
    Fault::new("bad-name", format!("\"{text}\" is not a name: names are lower case with dashes"), "not a name", hint)
}

fn each<T>(list: &[(Raw, Range<usize>)], what: &str, mut read: impl FnMut(&str) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    let one = |(raw, span): &(Raw, Range<usize>)| {
        let result = match raw {
            Raw::Text(text) => read(text),
            other => {
                let message = format!("wrong type: this list holds {what} per entry");
                Err(Fault::new("wrong-type", message, format!("this is {}", other.noun()), "write it in quotes"))
            }
        };
        result.map_err(|fault| Fault { span: Some(span.clone()), ..fault })
    };
    list.iter().map(one).collect()
}

fn symbols(list: &[(Raw, Range<usize>)]) -> Result<Value, Fault> {
    let mut seen: Vec<Symbol> = Vec::with_capacity(list.len());
    let read = |text: &str| {
        let hint = "write BASE/QUOTE in capitals, like \"BTC/USDT\"";
        let symbol = match text.parse::<Symbol>() {
            Ok(symbol) if text.contains('/') => symbol,
            _ => return Err(Fault::new("bad-symbol", format!("\"{text}\" is not a symbol"), "not a symbol", hint)),
        };
        if seen.contains(&symbol) {
            return Err(Fault::new("duplicate-symbol", format!("{symbol} is listed twice"), "again", "remove one of the two"));
        }
        seen.push(symbol.clone());
        Ok(symbol)
    };
    each(list, "a symbol", read).map(Value::Symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: Kind, raw: &Raw) -> Fault {
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
