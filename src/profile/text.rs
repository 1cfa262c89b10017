//! A resolved document written down again: what somebody would have written in one file to mean the same.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::merge::{Effective, Entry};
use super::path::{KeyPath, quoted};

/// The document as TOML, tables in the order of the schema, so that it reads like the shipped files. `note` gives what stands
/// behind a value.
#[must_use]
pub fn toml(effective: &Effective, note: &dyn Fn(&KeyPath) -> Option<String>) -> String {
    let mut text = String::new();
    for (table, keys) in in_order(effective) {
        let _ = writeln!(text, "{}[{table}]", if text.is_empty() { "" } else { "\n" });
        for (path, entry) in keys {
            let Some(value) = &entry.value else { continue };
            let line = format!("{} = {value}", quoted(path.last()));
            let _ = match note(path) {
                Some(note) => writeln!(text, "{line:<40} {note}"),
                None => writeln!(text, "{line}"),
            };
        }
    }
    text
}

type Keys<'a> = Vec<(&'a KeyPath, &'a Entry)>;

fn in_order(effective: &Effective) -> Vec<(KeyPath, Keys<'_>)> {
    let rows = &effective.schema().rows;
    let row = |path: &KeyPath| {
        let found = effective.schema().find(path).expect("entries are in the schema");
        rows.iter().position(|row| std::ptr::eq(row, found)).expect("the row is one of the schema's")
    };
    let mut tables: BTreeMap<KeyPath, Vec<(usize, &KeyPath, &Entry)>> = BTreeMap::new();
    for (path, entry) in effective.entries() {
        tables.entry(path.parent()).or_default().push((row(path), path, entry));
    }
    let mut tables: Vec<_> = tables.into_iter().collect();
    for (_, keys) in &mut tables {
        keys.sort_by_key(|(row, ..)| *row);
    }
    // Keys of one named entry stay together although their rows are spread.
    let place = |table: &KeyPath, keys: &[(usize, &KeyPath, &Entry)]| {
        let named = rows[keys[0].0].named_depth();
        let head = table.head(named);
        let first = rows.iter().position(|row| row.bind(&head).is_some()).unwrap_or(keys[0].0);
        if named == 0 { (keys[0].0, KeyPath::default(), 0) } else { (first, head, keys[0].0) }
    };
    tables.sort_by_cached_key(|(table, keys)| place(table, keys));
    tables.into_iter().map(|(table, keys)| (table, keys.into_iter().map(|(_, path, entry)| (path, entry)).collect())).collect()
}
