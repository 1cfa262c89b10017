//! Numbers, decimals and times: what each may look like.

use crate::domain::decimal::DecimalError;
use crate::domain::{Bps, Fraction, Span};
use crate::risk::rules::{BarAge, PauseFor};

use super::fault::Fault;
use super::value::Value;

/// A whole of basis points.
pub(super) const BPS_MAX: i64 = 10_000;

pub(super) fn count(n: i64, min: u64, max: u64) -> Result<Value, Box<Fault>> {
    match u64::try_from(n) {
        Ok(n) if (min..=max).contains(&n) => Ok(Value::Count(n)),
        _ => Err(out_of_range(&n.to_string(), &min.to_string(), &max.to_string())),
    }
}

pub(super) fn out_of_range(value: &str, min: &str, max: &str) -> Box<Fault> {
    Fault::new(
        "out-of-range",
        format!("{value} is outside {min} to {max}"),
        "out of range",
        format!("write a value from {min} to {max}"),
    )
}

pub(super) fn bps(n: i64) -> Result<Value, Box<Fault>> {
    match u32::try_from(n) {
        Ok(bps) if n <= BPS_MAX => Ok(Value::Bps(Bps(bps))),
        _ => Err(out_of_range(&n.to_string(), "0", "10000 basis points")),
    }
}

pub(super) fn float(x: f64, min: f64, max: f64) -> Result<Value, Box<Fault>> {
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

pub(super) fn fraction(x: f64) -> Result<Value, Box<Fault>> {
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

pub(super) fn whole_fraction(n: i64) -> Result<Value, Box<Fault>> {
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

pub(super) fn above_one(x: f64) -> Box<Fault> {
    if x < 0.0 {
        return Fault::new("out-of-range", "a fraction cannot be negative", "below zero", "write a fraction between 0 and 1");
    }
    let label = format!("{x} would be {} %", x * 100.0);
    let hint =
        if x <= 100.0 { format!("did you mean {}?", shortest(x / 100.0)) } else { "write a fraction, like 0.03".to_owned() };
    Fault::new("fraction-above-one", "a fraction must lie between 0 and 1", label, hint)
}

/// The quotient without the noise of binary division.
pub(super) fn shortest(x: f64) -> String {
    Fraction::from_f64(x).map_or_else(|| x.to_string(), |part| part.to_string())
}

pub(super) fn decimal<'a>(text: &'a str, what: &str) -> Result<&'a str, Box<Fault>> {
    let negative = text.strip_prefix('-').is_some_and(|rest| rest.bytes().any(|b| (b'1'..=b'9').contains(&b)));
    if negative {
        return Err(Fault::new("out-of-range", format!("{what} must not be negative"), "below zero", "write zero or more"));
    }
    Ok(text)
}

pub(super) fn read_decimal<T: std::str::FromStr<Err = DecimalError>>(
    text: &str,
    what: &str,
    make: fn(T) -> Value,
) -> Result<Value, Box<Fault>> {
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

pub(super) fn span(text: &str, zero: bool) -> Result<Span, Box<Fault>> {
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

pub(super) fn bar_age(text: &str) -> Result<Value, Box<Fault>> {
    let bars = text.strip_suffix(" bars").or_else(|| text.strip_suffix(" bar"));
    // The parser of numbers would take a plus sign; a span does not, and nobody means anything by it.
    let digits = |text: &str| text.parse::<u32>().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
    match bars.map(digits) {
        Some(Some(n)) if n > 0 => Ok(Value::BarAge(BarAge::Bars(n))),
        Some(_) => {
            let hint = "write it like \"2 bars\"";
            Err(Fault::new("bad-time", format!("\"{text}\" is not a number of bars"), "not an age", hint))
        }
        None => span(text, false).map(|span| Value::BarAge(BarAge::Span(span))),
    }
}

pub(super) fn pause_for(text: &str) -> Result<Value, Box<Fault>> {
    if text == "day" {
        return Ok(Value::PauseFor(PauseFor::UtcDay));
    }
    span(text, false).map(|span| Value::PauseFor(PauseFor::Span(span)))
}
