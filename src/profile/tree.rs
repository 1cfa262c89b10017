//! A document as written: every key and value with its place.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Place, Source};

/// Syntax errors told of one file; a broken quote makes hundreds.
const SYNTAX_ERRORS_MAX: usize = 5;

/// A key with what stands behind it.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub key: Range<usize>,
    pub span: Range<usize>,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    Table(Vec<Node>),
    /// Tables in a list, `[[step]]`, each named by its number from 1.
    List(Vec<Node>),
    Leaf(Raw),
}

/// A value before anyone asked what it means.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    Text(String),
    Whole(i64),
    /// A whole number that no 64 bits hold.
    Huge,
    Float(f64),
    Bool(bool),
    Date,
    List(Vec<(Self, Range<usize>)>),
    /// A table inside a list.
    Table,
}

impl Raw {
    /// What it is, for a sentence.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) | Self::Huge => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Bool(_) => "true or false",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table => "a table",
        }
    }
}

/// Reads TOML. Syntax errors go to `found`, and then there is no tree: guesses about the rest would mislead.
pub fn parse(source: &Arc<Source>, found: &mut Diagnostics) -> Option<Vec<Node>> {
    let (table, mut errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        return Some(nodes(table.get_ref()));
    }
    errors.sort_by_key(|e| e.span().map_or(0, |span| span.start));
    errors.dedup_by_key(|e| e.span().map(|span| source.line_column(span.start).0));
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        found.push(syntax_error(source, error.message(), error.span()));
    }
    None
}

/// Reads one value of TOML, as on the right of an equals sign.
#[must_use]
pub fn parse_value(text: &str) -> Option<Raw> {
    let value = DeValue::parse(text).ok()?;
    Some(raw(value.get_ref()))
}

fn nodes(table: &DeTable<'_>) -> Vec<Node> {
    let node = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| Node {
        name: key.get_ref().to_string(),
        key: key.span(),
        span: value.span(),
        body: match value.get_ref() {
            DeValue::Table(inner) => Body::Table(nodes(inner)),
            DeValue::Array(list) => items(list).map_or_else(|| Body::Leaf(raw(value.get_ref())), Body::List),
            leaf => Body::Leaf(raw(leaf)),
        },
    };
    table.iter().map(node).collect()
}

/// The tables of a list; `None` when it holds anything else, or nothing.
fn items(list: &[toml::Spanned<DeValue<'_>>]) -> Option<Vec<Node>> {
    let item = |(at, value): (usize, &toml::Spanned<DeValue<'_>>)| match value.get_ref() {
        DeValue::Table(inner) => {
            let body = Body::Table(nodes(inner));
            Some(Node { name: (at + 1).to_string(), key: value.span(), span: value.span(), body })
        }
        _ => None,
    };
    if list.is_empty() { None } else { list.iter().enumerate().map(item).collect() }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(Raw::Huge, Raw::Whole),
        DeValue::Float(x) => Raw::Float(x.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(b) => Raw::Bool(*b),
        DeValue::Datetime(_) => Raw::Date,
        DeValue::Array(list) => Raw::List(list.iter().map(|v| (raw(v.get_ref()), v.span())).collect()),
        DeValue::Table(_) => Raw::Table,
    }
}

fn syntax_error(source: &Arc<Source>, message: &str, span: Option<Range<usize>>) -> Diagnostic {
    let span = span.unwrap_or(0..0);
    let place = Place::new(source, visible(source.text(), span.clone()));
    if message == "duplicate key" {
        return duplicate(source, place);
    }
    let (message, hint) = match message {
        "string values must be quoted, expected literal string" if span.is_empty() => {
            ("a value is missing behind the equals sign".to_owned(), Some("write a value, or remove the key".to_owned()))
        }
        "string values must be quoted, expected literal string" => {
            ("a text needs quotes".to_owned(), source.text().get(span).map(|text| format!("write \"{text}\"")))
        }
        "key with no value, expected `=`" => {
            ("a key needs an equals sign and a value".to_owned(), Some("write key = value, or [key] for a table".to_owned()))
        }
        "unexpected leading zero, expected nothing" => {
            ("a number must not begin with a zero".to_owned(), Some("remove the zero".to_owned()))
        }
        "cannot recurse further; max recursion depth met" => {
            ("values are nested too deeply".to_owned(), Some("no key here nests that deep: remove brackets".to_owned()))
        }
        "invalid basic string, expected `\"`" | "invalid literal string, expected `'`" => {
            ("a text is not closed".to_owned(), Some("write its second quote on the same line".to_owned()))
        }
        other => (format!("not TOML: {other}"), None),
    };
    let mut error = Diagnostic::error("toml-syntax", message).at(place);
    error.hint = hint;
    error
}

fn duplicate(source: &Arc<Source>, place: Place) -> Diagnostic {
    let text = source.text();
    let name = text.get(place.span.clone()).unwrap_or_default();
    let line_start = text[..place.span.start].rfind('\n').map_or(0, |n| n + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let first = first_use(&text[..line_start], line, name).map(|at| Place::new(source, at..at + 1));
    let what = if line.trim_start().starts_with('[') { "table" } else { "key" };
    let mut error = Diagnostic::error("duplicate-key", format!("the {what} {name} is written twice")).at(place);
    if let Some(first) = first {
        error = error.note_at("first written here", first);
    }
    error.hint(format!("keep one {name}: merge the two, or remove one"))
}

/// Where `line`'s header, or its key within the same table, stood before.
fn first_use(before: &str, line: &str, name: &str) -> Option<usize> {
    let is_header = |l: &str| l.trim_start().starts_with('[');
    let uncommented = |l: &str| l.split('#').next().unwrap_or_default().trim().to_owned();
    let mut found = None;
    let mut at = 0;
    for earlier in before.split_inclusive('\n') {
        if is_header(line) {
            if uncommented(earlier) == uncommented(line) {
                found = found.or(Some(at));
            }
        } else if is_header(earlier) {
            found = None;
        } else if earlier.split('=').next().is_some_and(|key| key.trim() == name) {
            found = found.or(Some(at));
        }
        at += earlier.len();
    }
    found
}

/// A span that a caret can stand under: on one line, never empty, never past the end of the text.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let is_break = |c: char| c == '\n' || c == '\r';
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let before = text[..start].char_indices().next_back();
    if text[start..].chars().next().is_none_or(is_break)
        && let Some((at, c)) = before
        && (!is_break(c) || start == text.len())
    {
        start = at;
    }
    let one = start + text[start..].chars().next().map_or(0, char::len_utf8);
    let line_end = text[start..].find(is_break).map_or(text.len(), |n| start + n);
    let end = span.end.min(line_end);
    if end > one && text.is_char_boundary(end) { start..end } else { start..one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<Diagnostic> {
        let mut found = Diagnostics::default();
        assert!(parse(&Source::new("a.toml", text), &mut found).is_none(), "{text}");
        found.into_iter().collect()
    }

    #[test]
    fn a_duplicate_names_the_first_one() {
        let found = errors("[a]\nx = 1\n[b]\nx = 1\ny = 2\nx = 3\n");
        assert_eq!(found[0].code, "duplicate-key");
        assert_eq!(found[0].notes[0].to_string(), "first written here, a.toml:4");
        let found = errors("[a]\nx = 1\n[b]\n[a]  # again\ny = 1\n");
        assert_eq!(found[0].notes[0].to_string(), "first written here, a.toml:1");
    }

    #[test]
    fn tables_in_a_list_are_named_by_number() {
        let source = Source::new("a.toml", "a = [1, 2]\n[[step]]\nx = 1\n\n[[step]]\ny = { z = 2 }\n");
        let found = parse(&source, &mut Diagnostics::default()).unwrap();
        assert!(matches!(&found[0].body, Body::Leaf(Raw::List(list)) if list.len() == 2));
        let Body::List(steps) = &found[1].body else { panic!("{found:?}") };
        let places: Vec<_> = steps.iter().map(|step| (step.name.as_str(), source.line_column(step.key.start).0)).collect();
        assert_eq!(places, [("1", 2), ("2", 5)]);
    }

    #[test]
    fn any_broken_text_has_a_place_inside_it() {
        for text in ["a =", "a = \n", "[a", "a = \"é", "é", "=", "[[", "a = [1,\n", "\"", "a = 'x\n\n", "\r\n=", "x=\"\"\"é"] {
            for error in errors(text) {
                let span = error.place.unwrap().span;
                assert!(text.get(span.clone()).is_some_and(|t| !t.is_empty()), "{text:?} {span:?}");
            }
        }
    }
}
