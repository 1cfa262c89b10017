//! One key as JSON Schema: its type, its bounds, its words for a person.

use serde_json::{Map, Value as Json, json};

use super::super::kind::Kind;
use super::super::number::BPS_MAX;
use super::super::schema::{Effect, Key, Only};
use super::super::value::Value;
use super::super::word::{NAME_LEN_MAX, Words};
use crate::domain::{Interval, Span, money};

/// A name that people give; its length is bounded beside it.
pub const NAME_PATTERN: &str = "^[a-z0-9]+(?:-[a-z0-9]+)*$";
/// A symbol. Exchanges list currencies beyond ASCII, and dialects of patterns name those differently: all are let through.
pub const SYMBOL_PATTERN: &str = r"^[^\x00-/:-@\[-\x7f]{1,20}/[^\x00-/:-@\[-\x7f]{1,20}$";
const SECRET_PATTERN: &str =
    r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f\x7f-\x9f]+|keyring:[^/\x00-\x1f\x7f-\x9f]+/[^\x00-\x1f\x7f-\x9f]+)$";
/// The shape of a date, with a time or without: which day a month has is left to the program.
const TIME_PATTERN: &str = r"^(?:[0-9]{4}|[+-][0-9]{6})-?[0-9]{2}-?[0-9]{2}(?:[Tt ].+)?$";

/// What a value of this kind may be.
#[must_use]
pub fn shape(kind: Kind) -> Json {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Float(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Fraction => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Bps => json!({ "type": "integer", "minimum": 0, "maximum": BPS_MAX }),
        Kind::Money => text(&decimal_pattern(money::MONEY_SCALE)),
        Kind::Price => text(&decimal_pattern(money::PRICE_SCALE)),
        Kind::Qty => text(&decimal_pattern(money::QTY_SCALE)),
        Kind::Span => text(&format!("^{}$", span_pattern())),
        Kind::SpanOrZero => text(&format!("^[0-9]+{}$", units())),
        Kind::Time => text(TIME_PATTERN),
        Kind::Interval => json!({ "type": "string", "enum": Interval::names().collect::<Vec<_>>() }),
        Kind::Text => text(r"\S"),
        Kind::Name => name(),
        Kind::Word(words) => word(words),
        Kind::Texts => list(&json!({ "type": "string" })),
        Kind::Names => list(&name()),
        Kind::WordList(words) => list(&word(words)),
        Kind::Symbols => json!({ "type": "array", "items": text(SYMBOL_PATTERN), "uniqueItems": true }),
        Kind::Secret => text(SECRET_PATTERN),
        Kind::BarAge => text(&format!("^(?:[0-9]*[1-9][0-9]* bars?|{})$", span_pattern())),
        Kind::PauseFor => text(&format!("^(?:day|{})$", span_pattern())),
        Kind::Settings => json!({ "type": "object" }),
    }
}

fn text(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": pattern })
}

fn name() -> Json {
    json!({ "type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LEN_MAX })
}

fn word(words: &Words) -> Json {
    json!({ "type": "string", "enum": words.known })
}

fn list(items: &Json) -> Json {
    json!({ "type": "array", "items": items })
}

/// Digits and at most one point. Zero may carry a sign, and zeros behind the last decimal are fine.
fn decimal_pattern(scale: u32) -> String {
    format!(r"^(?:[0-9]+(?:\.[0-9]{{1,{scale}}}0*)?|-0+(?:\.0+)?)$")
}

fn units() -> String {
    format!("(?:{})", Span::units().collect::<Vec<_>>().join("|"))
}

fn span_pattern() -> String {
    format!("[0-9]*[1-9][0-9]*{}", units())
}

/// The key with its meaning. `is_whole`: nothing outside the file can give what it lacks.
pub(super) fn described(key: &Key, is_whole: bool) -> Map<String, Json> {
    let Json::Object(mut leaf) = shape(key.kind) else { unreachable!("every shape is an object") };
    leaf.insert("description".to_owned(), json!(description(key, is_whole)));
    if let Some(default) = default(key) {
        leaf.insert("default".to_owned(), default);
    }
    leaf
}

/// What holds when nobody writes the key, with the type it has in a document.
fn default(key: &Key) -> Option<Json> {
    if key.default.is_empty() {
        return None;
    }
    let value = key.kind.check_text(key.default).expect("compiled defaults fit their kind: tested");
    Some(match value {
        Value::Bool(_) | Value::Count(_) | Value::Float(_) | Value::Fraction(_) | Value::Bps(_) => value.json(),
        Value::Texts(_) | Value::Symbols(_) => value.json(),
        // As it is written in the table: a printed time may use another unit.
        _ => json!(key.default),
    })
}

fn description(key: &Key, is_whole: bool) -> String {
    let mut said = vec![key.doc.to_owned()];
    said.extend(unit(key.kind));
    match (key.only, key.required) {
        (Some(only), true) => said.push(format!("Required with {}, and only there.", condition(key, only))),
        (Some(only), false) => said.push(format!("Only with {}.", condition(key, only))),
        (None, true) if is_whole => said.push("Required.".to_owned()),
        (None, true) => said.push("Required, here or in a parent.".to_owned()),
        (None, false) => {}
    }
    if let Some(default) = default(key) {
        said.push(format!("Default: {default}."));
    }
    if key.sealed {
        said.push("Sealed: only the abstract root may set it.".to_owned());
    }
    said.extend(later(key));
    said.join(" ")
}

/// `kind = "ingest"`, the deciding key as it is seen from the guarded one.
fn condition(key: &Key, only: Only) -> String {
    let shared = key.path.split('.').zip(only.key.split('.')).take_while(|(a, b)| a == b).count();
    let seen: Vec<&str> = only.key.split('.').skip(shared).collect();
    let words: Vec<String> = only.words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("{} = {}", seen.join("."), words.join(" or "))
}

fn unit(kind: Kind) -> Option<String> {
    let told = match kind {
        Kind::Money => "Money in the profile's currency, as text: \"50\" or \"0.25\".",
        Kind::Price | Kind::Qty => "An exact number, as text: \"0.01\".",
        Kind::Fraction => "A fraction: 0.03 is 3 %.",
        Kind::Bps => "Basis points: 100 are 1 %.",
        Kind::Span => "A time with its unit: \"500ms\", \"3s\", \"5m\", \"24h\", \"7d\" or \"2w\".",
        Kind::SpanOrZero => "A time with its unit, \"0s\" for none: \"500ms\", \"3s\", \"5m\", \"24h\", \"7d\" or \"2w\".",
        Kind::Time => "A UTC time: \"2026-03-29T00:55:03Z\".",
        Kind::Symbols => "Symbols like \"BTC/USDT\".",
        Kind::Secret => "A reference and never the secret itself: \"env:NAME\", \"file:PATH\" or \"keyring:service/user\".",
        Kind::BarAge => "\"2 bars\", or a time with its unit: \"90m\".",
        Kind::PauseFor => "A time with its unit like \"30m\", or \"day\".",
        Kind::Count(min, max) => return Some(format!("A whole number from {min} to {max}.")),
        Kind::Float(min, max) => return Some(format!("A number from {min} to {max}.")),
        Kind::Name | Kind::Names => "Names are lower case with dashes.",
        Kind::Bool | Kind::Interval | Kind::Text | Kind::Word(_) | Kind::Texts | Kind::WordList(_) | Kind::Settings => {
            return None;
        }
    };
    Some(told.to_owned())
}

fn later(key: &Key) -> Option<String> {
    if key.effect == Effect::Later {
        return Some("Not in effect yet: checked, and nothing acts on it.".to_owned());
    }
    let (Kind::Word(words) | Kind::WordList(words)) = key.kind else { return None };
    let later: Vec<String> = words.later.iter().map(|word| format!("\"{word}\"")).collect();
    (!later.is_empty()).then(|| format!("Not in effect yet: {}.", later.join(", ")))
}
