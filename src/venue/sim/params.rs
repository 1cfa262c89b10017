//! The parameters of a request: decoded, each once, and only those that the endpoint knows.

use std::borrow::Cow;

use super::http::Refusal;
use crate::domain::{Price, Qty, Span, Time, decimal};

/// More digits than this are no number.
const DIGITS_MAX: usize = 20;
/// Decimals that amounts and prices may have at all.
const DECIMALS_MAX: usize = 8;
/// Integers from here on are microseconds, below they are milliseconds.
const MICROS_FROM: i64 = 100_000_000_000_000;

/// Names that every signed request may have.
const OF_SIGNED: [&str; 3] = ["timestamp", "recvWindow", "signature"];

#[derive(Debug)]
pub(super) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    /// Reads query and body; what is in both counts as the query has it.
    pub(super) fn read(query: &'a str, body: &'a str) -> Result<Self, Refusal> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(12);
        let mut of_query = 0;
        for (part, is_body) in [(query, false), (body, true)] {
            for pair in part.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let (name, value) = (decode(name)?, decode(value)?);
                match pairs.iter().position(|(known, _)| *known == name) {
                    None => pairs.push((name, value)),
                    Some(at) if is_body && at < of_query => {}
                    Some(_) => return Err(Refusal::told(-1101, format!("Duplicate values for parameter '{name}' detected."))),
                }
            }
            if !is_body {
                of_query = pairs.len();
            }
        }
        Ok(Self { pairs })
    }

    /// From the members of a JSON object.
    pub(super) fn of_json(object: &serde_json::Map<String, serde_json::Value>) -> Params<'static> {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Params { pairs: object.iter().map(|(name, value)| (Cow::Owned(name.clone()), Cow::Owned(text(value)))).collect() }
    }

    /// Refuses what the endpoint does not know and what is empty.
    pub(super) fn only(&self, known: &[&str], is_signed: bool) -> Result<(), Refusal> {
        let is_known = |name: &str| known.contains(&name) || (is_signed && OF_SIGNED.contains(&name));
        let read = self.pairs.iter().filter(|(name, _)| is_known(name)).count();
        if read < self.pairs.len() {
            let sent = self.pairs.len();
            return Err(Refusal::told(
                -1104,
                format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."),
            ));
        }
        match self.pairs.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(Refusal::told(-1105, format!("Parameter '{name}' was empty."))),
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| lacking(name))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if text.is_empty() || text.len() > DIGITS_MAX || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(illegal(name, "^[0-9]{1,20}$"));
        }
        text.parse().map(Some).map_err(|_| illegal(name, "^[0-9]{1,20}$"))
    }

    /// A time in either unit.
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Refusal> {
        let read = |n| if n >= MICROS_FROM { Time::from_micros(n) } else { Time::from_millis(n) };
        Ok(self.integer(name)?.map(read))
    }

    /// A length of time in milliseconds, with at most three decimals.
    pub(super) fn millis(&self, name: &str) -> Result<Option<Span>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let micros = decimal::parse(text, 3).ok().and_then(|n| i64::try_from(n).ok()).filter(|n| *n >= 0);
        micros.map(|n| Some(Span::from_micros(n))).ok_or_else(|| illegal(name, "^[0-9]{1,5}(\\.[0-9]{1,3})?$"))
    }

    pub(super) fn amount(&self, name: &str) -> Result<Option<Qty>, Refusal> {
        self.decimal(name, 8).map(|found| found.map(Qty::from_count))
    }

    pub(super) fn price(&self, name: &str) -> Result<Option<Price>, Refusal> {
        self.decimal(name, 10).map(|found| found.map(Price::from_count))
    }

    fn decimal(&self, name: &str, scale: u32) -> Result<Option<i128>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_part = |part: &str| (1..=DIGITS_MAX).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !is_part(whole) || !is_part(decimals) {
            return Err(illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$"));
        }
        // Zeros count too.
        if decimals.len() > DECIMALS_MAX {
            return Err(too_precise(name));
        }
        decimal::parse(text, scale).map(Some).map_err(|_| too_precise(name))
    }
}

pub(super) fn lacking(name: &str) -> Refusal {
    Refusal::told(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
}

pub(super) fn illegal(name: &str, legal: &str) -> Refusal {
    Refusal::told(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{legal}'."))
}

pub(super) fn too_precise(name: &str) -> Refusal {
    Refusal::told(-1111, format!("Parameter '{name}' has too much precision."))
}

pub(super) fn not_wanted(name: &str) -> Refusal {
    Refusal::told(-1106, format!("Parameter '{name}' sent when not required."))
}

fn decode(text: &str) -> Result<Cow<'_, str>, Refusal> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let wrong = || Refusal::new(-1100, "Illegal characters found in a parameter.");
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(left.next()).ok_or_else(wrong)?, digit(left.next()).ok_or_else(wrong)?);
                u8::try_from(high * 16 + low).map_err(|_| wrong())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Refusal>) -> i64 {
        result.err().map_or(0, |refusal| refusal.code)
    }

    #[test]
    fn the_query_wins_over_the_body_and_nothing_comes_twice() {
        let params = Params::read("a=1&b=x%2Fy", "b=2&c=3").unwrap();
        assert_eq!((params.text("a"), params.text("b"), params.text("c")), (Some("1"), Some("x/y"), Some("3")));
        assert_eq!(code(Params::read("a=1&a=2", "")), -1101);
        assert_eq!(code(Params::read("", "a=1&a=2")), -1101);
        assert_eq!(code(Params::read("a=%zz", "")), -1100);
    }

    #[test]
    fn what_is_unknown_or_empty_is_refused() {
        let params = Params::read("symbol=A&other=1", "").unwrap();
        let refusal = params.only(&["symbol"], false).unwrap_err();
        assert_eq!(refusal.msg, "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.");
        assert_eq!(code(params.only(&["symbol", "other"], false)), 0);
        assert_eq!(code(Params::read("symbol=", "").unwrap().only(&["symbol"], false)), -1105);
        assert_eq!(code(Params::read("timestamp=1", "").unwrap().only(&[], true)), 0);
    }

    #[test]
    fn numbers_are_plain_decimals_of_eight_places() {
        let read = |text: &str| {
            let query = format!("quantity={text}");
            Params::read(&query, "").unwrap().amount("quantity").map_err(|refusal| refusal.code)
        };
        assert_eq!(read("0.5"), Ok(Some(Qty::from_count(50_000_000))));
        assert_eq!(read("0.123456789"), Err(-1111));
        assert_eq!(read("0.500000000"), Err(-1111), "zeros count too");
        for wrong in ["-1", "1e3", "NaN", ".5", "5.", "0x1", "1,5", "٣"] {
            assert_eq!(read(wrong), Err(-1100), "{wrong}");
        }
    }

    #[test]
    fn times_come_in_either_unit() {
        let params = Params::read("a=1499827319559&b=1499827319559123&recvWindow=100.5", "").unwrap();
        assert_eq!(params.time("a").unwrap(), Some(Time::from_millis(1_499_827_319_559)));
        assert_eq!(params.time("b").unwrap(), Some(Time::from_micros(1_499_827_319_559_123)));
        assert_eq!(params.millis("recvWindow").unwrap(), Some(Span::from_micros(100_500)));
    }
}
