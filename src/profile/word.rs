//! Texts: closed sets of words, names, symbols, references to secrets.

use std::ops::Range;

use crate::domain::{SecretRef, Symbol};

use super::fault::{Fault, nearest};
use super::tree::Raw;
use super::value::Value;

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

impl Words {
    pub(super) fn quoted(&self) -> String {
        self.known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn check(&self, text: &str) -> Result<String, Box<Fault>> {
        if self.known.contains(&text) {
            return Ok(text.to_owned());
        }
        let hint = match nearest(text, self.known.iter().copied()) {
            // A long list would bury the answer.
            Some(near) if self.known.len() > 12 => format!("did you mean \"{near}\"?"),
            Some(near) => format!("did you mean \"{near}\"? Known: {}", self.quoted()),
            None if self.known.len() == 1 => format!("write {}", self.quoted()),
            None => format!("write one of {}", self.quoted()),
        };
        Err(Fault::new(self.code, format!("\"{text}\" is not {}", self.what), "unknown", hint))
    }
}

pub(super) fn secret(text: &str) -> Result<Value, Box<Fault>> {
    text.parse::<SecretRef>().map(Value::Secret).map_err(|error| {
        let hint = "write \"env:NAME\", \"file:PATH\" or \"keyring:service/user\", and change this secret: it has been in a file";
        Fault::new("secret-literal", error.to_string(), "covered", hint)
    })
}

pub(super) fn parsed<T: std::str::FromStr>(
    text: &str,
    code: &'static str,
    make: fn(T) -> Value,
    hint: &str,
) -> Result<Value, Box<Fault>>
where
    T::Err: std::fmt::Display,
{
    text.parse().map(make).map_err(|error: T::Err| {
        let message = error.to_string();
        let message = message.split_once(": ").map_or(message.as_str(), |(head, _)| head).to_owned();
        Fault::new(code, message, "not understood", hint)
    })
}

pub(super) fn not_empty(text: &str) -> Result<Value, Box<Fault>> {
    if text.trim().is_empty() {
        return Err(Fault::new("empty-text", "this text must not be empty", "empty", "write a value, or remove the key"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// A longer name is a slip, and file systems would begin to mind.
pub const NAME_LEN_MAX: usize = 64;

/// Is it a name as people give them: kebab-case?
#[must_use]
pub fn is_name(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= NAME_LEN_MAX && text.split('-').all(part)
}

pub(super) fn name(text: &str) -> Result<String, Box<Fault>> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(bad_name(text))
}

/// The fault of a name that is not kebab-case.
#[must_use]
pub fn bad_name(text: &str) -> Box<Fault> {
    let kebab: String = text.to_lowercase().replace([' ', '_', '.'], "-");
    let hint = if is_name(&kebab) {
        format!("write \"{kebab}\"")
    } else {
        "write letters a to z, digits and dashes, like \"my-name\"".to_owned()
    };
    Fault::new("bad-name", format!("\"{text}\" is not a name: names are lower case with dashes"), "not a name", hint)
}

pub(super) fn each<T>(
    list: &[(Raw, Range<usize>)],
    what: &str,
    mut read: impl FnMut(&str) -> Result<T, Box<Fault>>,
) -> Result<Vec<T>, Box<Fault>> {
    let one = |(raw, span): &(Raw, Range<usize>)| {
        let result = match raw {
            Raw::Text(text) => read(text),
            other => {
                let message = format!("wrong type: this list holds {what} per entry");
                Err(Fault::new("wrong-type", message, format!("this is {}", other.noun()), "write it in quotes"))
            }
        };
        result.map_err(|fault| Box::new(Fault { span: Some(span.clone()), ..*fault }))
    };
    let mut good = Vec::with_capacity(list.len());
    let mut wrong: Option<Box<Fault>> = None;
    for item in list.iter().map(one) {
        match (item, &mut wrong) {
            (Ok(value), _) => good.push(value),
            (Err(fault), Some(first)) => first.more.push(*fault),
            (Err(fault), none) => *none = Some(fault),
        }
    }
    wrong.map_or(Ok(good), Err)
}

pub(super) fn symbols(list: &[(Raw, Range<usize>)]) -> Result<Value, Box<Fault>> {
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
