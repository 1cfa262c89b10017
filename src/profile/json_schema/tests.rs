use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::kind::Kind;
use super::super::schema::{Key, Schema, key};
use super::super::tree::Raw;
use super::super::word::Words;
use super::{document, shape};

static COLOURS: Words = Words { code: "unknown-word", what: "a colour", known: &["red", "green"], later: &["green"] };

/// Every kind whose values are texts or lists of texts.
const OF_TEXT: [Kind; 16] = [
    Kind::Money,
    Kind::Price,
    Kind::Qty,
    Kind::Span,
    Kind::SpanOrZero,
    Kind::Time,
    Kind::Interval,
    Kind::Text,
    Kind::Name,
    Kind::Word(&COLOURS),
    Kind::Secret,
    Kind::BarAge,
    Kind::PauseFor,
    Kind::Texts,
    Kind::Names,
    Kind::Symbols,
];

const OF_NUMBERS: [Kind; 6] =
    [Kind::Bool, Kind::Count(2, 9), Kind::Count(0, i64::MAX as u64), Kind::Float(-1.5, 1e9), Kind::Fraction, Kind::Bps];

fn validator(schema: &Json) -> Validator {
    jsonschema::draft7::new(schema).expect("our schema is one of draft 7")
}

fn json_of(raw: &Raw) -> Json {
    match raw {
        Raw::Text(text) => json!(text),
        Raw::Whole(n) => json!(n),
        Raw::Float(x) => json!(x),
        Raw::Bool(b) => json!(b),
        Raw::List(list) => list.iter().map(|(raw, _)| json_of(raw)).collect(),
        Raw::Huge | Raw::Date | Raw::Table => panic!("no value of these tests"),
    }
}

/// What JSON Schema cannot say: how much a fixed-point number holds, which days there are, Unicode, the text of a number.
fn is_beyond(kind: Kind, raw: &Raw, message: &str) -> bool {
    match (kind, raw) {
        (Kind::Money | Kind::Price | Kind::Qty, Raw::Text(_)) => message.ends_with("is too large"),
        (Kind::Span | Kind::SpanOrZero | Kind::BarAge | Kind::PauseFor, Raw::Text(text)) => {
            message.ends_with("is too long") || text.len() > 9 && message.ends_with("is not a number of bars")
        }
        (Kind::Time, Raw::Text(_)) => true,
        (Kind::Symbols, Raw::List(list)) => list.iter().any(|(raw, _)| matches!(raw, Raw::Text(text) if !text.is_ascii())),
        (Kind::Count(..) | Kind::Bps, Raw::Float(x)) => x.fract() == 0.0,
        (Kind::Fraction, Raw::Whole(1)) => true,
        _ => false,
    }
}

/// The schema refuses nothing that the program takes, and takes nothing that the program refuses unless it cannot say so.
fn agrees(kind: Kind, validator: &Validator, raw: &Raw) -> Result<(), String> {
    let is_valid = validator.is_valid(&json_of(raw));
    match (kind.check(raw), is_valid) {
        (Ok(_), true) | (Err(_), false) => Ok(()),
        (Ok(_), false) => Err(format!("{kind:?}: {raw:?} is taken by the program and refused by the schema")),
        (Err(fault), true) if is_beyond(kind, raw, &fault.message) => Ok(()),
        (Err(fault), true) => Err(format!("{kind:?}: {raw:?} is refused ({}) and taken by the schema", fault.message)),
    }
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn one(kind: Kind, text: &str) -> Raw {
    match kind {
        Kind::Texts | Kind::Names | Kind::Symbols | Kind::WordList(_) => Raw::List(vec![(Raw::Text(text.to_owned()), 0..0)]),
        _ => Raw::Text(text.to_owned()),
    }
}

/// Texts around each border of the language.
const TEXTS: [&str; 92] = [
    "",
    " ",
    "0",
    "-0",
    "-0.0",
    "-0.",
    "-1",
    "-0.1",
    "+1",
    "1",
    "01",
    "1.",
    ".5",
    "0.25",
    "1.10",
    "1e3",
    "1_000",
    "0x10",
    "50 USDT",
    " 1",
    "1 ",
    "1\n",
    "1.2.3",
    "NaN",
    "inf",
    "0.12345678",
    "0.123456789",
    "0.1234567890",
    "0.12345678901",
    "0.123456789012345678",
    "0.1234567890123456789",
    "0.100000000000000000000",
    "0s",
    "00s",
    "1s",
    "007s",
    "500ms",
    "5m",
    "24h",
    "7d",
    "2w",
    "1us",
    "1M",
    "7 d",
    "1.5h",
    "-1s",
    "+1s",
    "s",
    "d7",
    "1S",
    "1h30m",
    "day",
    "days",
    "Day",
    "0 bars",
    "2 bars",
    "1 bar",
    "2bars",
    "+2 bars",
    "-2 bars",
    "2  bars",
    "02 bars",
    "2 Bars",
    "name",
    "my-name",
    "my_name",
    "-name",
    "name-",
    "a--b",
    "9",
    "Name",
    "é",
    "red",
    "green",
    "Red",
    "red ",
    "BTC/USDT",
    "BTC-USDT",
    "btc/usdt",
    "BTC/",
    "/USDT",
    "BTC/USDT/X",
    "1INCH/USDT",
    "env:A",
    "env:_a9",
    "env:9A",
    "env:A-B",
    "file:",
    "file:x\ny",
    "keyring:a/b",
    "keyring:/b",
    "hunter2",
];

#[test]
fn every_pattern_agrees_with_the_parser_at_each_border() {
    for kind in OF_TEXT {
        let validator = validator(&shape(kind));
        let long = [
            "9".repeat(400),
            "a".repeat(64),
            "a".repeat(65),
            format!("{}/USDT", "A".repeat(20)),
            format!("{}/USDT", "A".repeat(21)),
        ];
        for candidate in TEXTS.into_iter().chain(long.iter().map(String::as_str)) {
            agrees(kind, &validator, &one(kind, candidate)).unwrap();
        }
        for raw in [Raw::Whole(1), Raw::Float(0.5), Raw::Bool(true), Raw::List(Vec::new()), text("2026-03-29T00:55:03Z")] {
            agrees(kind, &validator, &raw).unwrap();
        }
    }
    let twice = Raw::List(vec![(text("BTC/USDT"), 0..0), (text("BTC/USDT"), 0..0)]);
    agrees(Kind::Symbols, &validator(&shape(Kind::Symbols)), &twice).unwrap();
}

#[test]
fn every_range_agrees_with_the_parser_at_each_border() {
    let floats = [-0.0, 0.0, 0.03, 1.0, 1.000_000_1, -1e-9, -1.5, -1.6, 1e9, 1.1e9, 1e300];
    let wholes = [-1, 0, 1, 2, 3, 9, 10, 10_000, 10_001, i64::MAX, i64::MIN];
    for kind in OF_NUMBERS {
        let validator = validator(&shape(kind));
        let numbers = floats.into_iter().map(Raw::Float).chain(wholes.into_iter().map(Raw::Whole));
        for raw in numbers.chain([Raw::Bool(true), text("true"), text("1")]) {
            agrees(kind, &validator, &raw).unwrap();
        }
    }
}

/// The shapes that a time has in a document, and slips that a pattern can see.
#[test]
fn a_time_is_recognised() {
    let validator = validator(&shape(Kind::Time));
    for good in ["2026-03-29", "2026-03-29T00:55:03Z", "2026-03-29T00:55", "2026-03-29 00:55:03.5Z", "20260329T005503Z"] {
        assert!(Kind::Time.check(&text(good)).is_ok() && validator.is_valid(&json!(good)), "{good}");
    }
    for wrong in ["", "29.03.2026", "2026", "2026-3-29", "tomorrow", "00:55", "2026-03-29T", "7d"] {
        assert!(Kind::Time.check(&text(wrong)).is_err() && !validator.is_valid(&json!(wrong)), "{wrong}");
    }
}

fn near_the_language() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9.+-]{1,24}",
        "[0-9]{0,12}(us|ms|s|m|h|d|w|M| bars?|day)",
        "[A-Za-z0-9é_-]{0,9}[/-][A-Z0-9]{0,22}",
        "(env|file|keyring):[A-Za-z0-9_/ .-]{0,9}",
        "[a-z0-9_-]{0,12}",
        "[+-]?[0-9]{4,6}-?[0-9]{2}-?[0-9]{2}([Tt ][0-9:.]{2,9}[Zz+]?([0-9:]{2,5})?)?",
        "[ -~]{0,9}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_pattern_disagrees_with_the_parser(candidate in near_the_language()) {
        for (kind, validator) in text_validators() {
            agrees(*kind, validator, &one(*kind, &candidate)).map_err(TestCaseError::fail)?;
        }
    }
}

fn text_validators() -> &'static [(Kind, Validator)] {
    static ALL: std::sync::LazyLock<Vec<(Kind, Validator)>> =
        std::sync::LazyLock::new(|| OF_TEXT.into_iter().map(|kind| (kind, validator(&shape(kind)))).collect());
    &ALL
}

static KEYS: [Key; 8] = [
    key("title", Kind::Text, "", "What it is about.").required(),
    key("box.*.kind", Kind::Word(&COLOURS), "", "Its colour.").required(),
    key("box.*.size", Kind::Money, "50", "How large.").required().only("box.*.kind", &["red"]),
    key("box.*.lid.form", Kind::Word(&COLOURS), "red", "Its form."),
    key("box.*.lid.depth", Kind::Bps, "", "How deep.").required().only("box.*.lid.form", &["green"]).later(),
    key("box.*.lid.at.@", Kind::Fraction, "0.5", "Where.").only("box.*.kind", &["green"]),
    key("row.#.name", Kind::Names, "a,b", "Names.").required(),
    key("row.#.name.?", Kind::Bool, "", "Or by column."),
];

fn toml(text: &str) -> Json {
    serde_json::to_value(toml::from_str::<toml::Table>(text).expect("a test writes TOML right"))
        .expect("TOML without dates is JSON")
}

#[test]
fn a_whole_document_keeps_its_conditions() {
    let validator = validator(&document(&Schema::new(&KEYS, |_| None, false), "Boxes", "urn:boxes"));
    let good = [
        "title = 'a'",
        "title = 'a'\nbox.b = { kind = 'red', size = '1' }",
        "title = 'a'\nbox.b = { kind = 'green', lid = { form = 'green', depth = 3 } }",
        "title = 'a'\nbox.b = { kind = 'green', lid = { at = { 'A/B' = 0.5 } } }",
        "title = 'a'\nbox.b = { kind = 'green', lid = {} }",
        "title = 'a'\n[[row]]\nname = ['x']\n[[row]]\nname = { a = true }",
    ];
    for text in good {
        let errors: Vec<String> = validator.iter_errors(&toml(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}\n{errors:?}");
    }
    let wrong = [
        "",
        "title = 'a'\nother = 1",
        "title = 'a'\nbox = 3",
        "title = 'a'\nbox.B = { kind = 'green' }",
        "title = 'a'\nbox.b = {}",
        "title = 'a'\nbox.b = { kind = 'red' }",
        "title = 'a'\nbox.b = { kind = 'green', size = '1' }",
        "title = 'a'\nbox.b = { kind = 'green', lid = { form = 'green' } }",
        "title = 'a'\nbox.b = { kind = 'green', lid = { depth = 3 } }",
        "title = 'a'\nbox.b = { kind = 'red', size = '1', lid = { at = { 'A/B' = 0.5 } } }",
        "title = 'a'\nbox.b = { kind = 'green', lid = { at = { AB = 0.5 } } }",
        "title = 'a'\nrow = []",
        "title = 'a'\n[row]\nname = ['x']",
        "title = 'a'\n[[row]]\nname = { a = 1 }",
        "title = 'a'\n[[row]]",
    ];
    for text in wrong {
        assert!(!validator.is_valid(&toml(text)), "{text}");
    }
}

#[test]
fn a_document_that_inherits_may_be_partial() {
    let validator = validator(&document(&Schema::new(&KEYS, |_| None, true), "Boxes", "urn:boxes"));
    for good in ["", "box.b = { size = '1' }", "box.b = { kind = 'green', size = '1' }", "[[row]]"] {
        assert!(validator.is_valid(&toml(good)), "{good}");
    }
    assert!(!validator.is_valid(&toml("box.b = { size = 1 }")));
}

#[test]
fn a_key_says_all_that_is_known_of_it() {
    let document = document(&Schema::new(&KEYS, |_| None, false), "Boxes", "urn:boxes");
    let r#box = &document["properties"]["box"]["patternProperties"][super::leaf::NAME_PATTERN]["properties"];
    let size = "How large. Money in the profile's currency, as text: \"50\" or \"0.25\". Required with kind = \"red\", and only \
                there. Default: \"50\".";
    assert_eq!((&r#box["size"]["description"], &r#box["size"]["default"]), (&json!(size), &json!("50")));
    let depth = r#box["lid"]["properties"]["depth"]["description"].as_str().unwrap();
    assert!(
        depth.ends_with("Required with form = \"green\", and only there. Not in effect yet: checked, and nothing acts on it.")
    );
    assert_eq!(r#box["kind"]["description"], json!("Its colour. Required. Not in effect yet: \"green\"."));
    assert_eq!(document["properties"]["row"]["items"]["properties"]["name"]["anyOf"][0]["default"], json!(["a", "b"]));
}
