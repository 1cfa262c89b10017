//! Keys and words that are valid and that nothing acts upon yet: never accepted in silence.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::kind::Kind;
use super::layer::Layer;
use super::merge::Effective;
use super::path::KeyPath;
use super::schema::{Effect, Schema};
use super::value::Value;

/// The code of these findings.
pub const CODE: &str = "not-in-effect";

/// One warning for every key of a layer that nothing reads, told where it is written: once, however many inherit it.
pub fn unread(layer: &Layer, schema: &Schema, found: &mut Diagnostics) {
    for (path, written) in &layer.written {
        if schema.rows[written.row].key.effect == Effect::Later {
            let message = format!("{path} is not in effect yet: nothing reads it");
            found.push(Diagnostic::warning(CODE, message).at(written.key.clone()).key(path));
        }
    }
}

/// One warning for every effective word that nothing obeys.
pub fn disobeyed(effective: &Effective, found: &mut Diagnostics) {
    for (path, written) in effective.winners() {
        let Some(text) = written.value.as_ref().and_then(Value::text) else { continue };
        let row = &effective.schema().rows[written.row];
        let is_later = match row.key.kind {
            Kind::Word(words) => words.later.contains(&text),
            _ => false,
        };
        if is_later && row.key.effect == Effect::Now {
            let warning = Diagnostic::warning(CODE, format!("{path} = \"{text}\" is not in effect yet"));
            found.push(warning.at(written.key.clone()).key(path));
        }
    }
}

/// The same findings with those of this kind drawn together, counted by table.
#[must_use]
pub fn summarised(found: Diagnostics) -> Diagnostics {
    let mut others = Diagnostics::default();
    let mut tables: BTreeMap<String, usize> = BTreeMap::new();
    let mut words = Vec::new();
    let mut count = 0;
    for diagnostic in found {
        if diagnostic.code != CODE {
            others.push(diagnostic);
            continue;
        }
        count += 1;
        match diagnostic.message.strip_suffix(" is not in effect yet") {
            Some(head) => words.push((head.to_owned(), diagnostic.place)),
            None => *tables.entry(diagnostic.key.as_ref().map_or_else(String::new, table_name)).or_default() += 1,
        }
    }
    if count == 0 {
        return others;
    }
    let message = match count {
        1 => "1 setting is not in effect yet: checked, and nothing acts on it".to_owned(),
        n => format!("{n} settings are not in effect yet: checked, and nothing acts on them"),
    };
    let mut summary = Diagnostic::warning(CODE, message);
    for (head, place) in words {
        summary = summary.note_at(head, place);
    }
    if !tables.is_empty() {
        let counted: Vec<String> = tables.iter().map(|(table, n)| format!("[{table}] {n}")).collect();
        summary = summary.note(format!("keys of {}", counted.join(", ")));
    }
    others.push(summary.hint("`tidegate check --verbose` lists them all"));
    others
}

/// The table a summary counts a key under: its first name, or two where the first alone says little.
fn table_name(path: &KeyPath) -> String {
    let depth = if matches!(path.first(), "venue" | "stage" | "alerts") { 2 } else { 1 };
    path.head(depth.min(path.depth() - 1)).to_string()
}
