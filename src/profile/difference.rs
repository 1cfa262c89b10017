//! What changes in meaning between two documents of one kind, whatever each of them is made of.

use std::collections::BTreeSet;

use super::direction::{Change, Class, Direction, Directions};
use super::merge::Effective;
use super::path::KeyPath;
use super::schema::Schema;
use super::source::Place;
use super::value::Value;

/// One change.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The key, or the table of an entry that came or went as a whole.
    pub path: KeyPath,
    pub class: Class,
    pub before: Option<Side>,
    pub after: Option<Side>,
}

/// A value on one side, and who set it. `value` is `None` for a whole entry.
#[derive(Debug, Clone)]
pub struct Side {
    pub value: Option<Value>,
    pub place: Option<Place>,
    /// Keys of a whole entry.
    pub keys: Vec<(KeyPath, Value)>,
}

/// The changes from `before` to `after`, in the order of the schema.
#[must_use]
pub fn between(before: &Effective, after: &Effective, directions: Directions) -> Vec<Difference> {
    let entries = entries(before, after, directions);
    let of_entry = |path: &KeyPath| entries.iter().any(|entry| path.starts_with(&entry.path));
    let paths: BTreeSet<&KeyPath> = before.entries().chain(after.entries()).map(|(path, _)| path).collect();
    let values = paths.into_iter().filter(|path| !of_entry(path)).filter_map(|path| value(before, after, path, directions));
    let mut found: Vec<(usize, Difference)> =
        values.chain(entries.iter().cloned()).map(|one| (rank(before.schema(), &one.path), one)).collect();
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.path.cmp(&other.path)));
    found.into_iter().map(|(_, difference)| difference).collect()
}

/// Where a key or a table stands in the schema. Entries of one name stay together.
fn rank(schema: &Schema, path: &KeyPath) -> usize {
    let first =
        |row: &super::schema::Row| row.bind(path).is_some() || row.names.len() == path.depth() && row.prefix.starts_with(path);
    let exact = schema.find(path).and_then(|row| schema.rows.iter().position(|other| std::ptr::eq(row, other)));
    exact.or_else(|| schema.rows.iter().position(first)).unwrap_or(usize::MAX)
}

/// Entries that people named and that only one side has.
fn entries(before: &Effective, after: &Effective, directions: Directions) -> Vec<Difference> {
    let mut found = Vec::new();
    for (pattern, direction) in directions.collections {
        let table = pattern.rsplit_once('.').map_or("", |(table, _)| table);
        let (old, new) = (before.names_below(table), after.names_below(table));
        let names: BTreeSet<&String> = old.iter().chain(&new).collect();
        for name in names {
            if old.contains(name) == new.contains(name) {
                continue;
            }
            let path = KeyPath::dotted(table).child(name);
            let side = |effective: &Effective, there: bool| there.then(|| whole(effective, &path));
            let came = new.contains(name);
            let class = match direction {
                Direction::Present if came => Class::Lowers,
                Direction::Present => Class::Raises,
                Direction::Neutral => Class::Neutral,
                _ => Class::Unknown,
            };
            let (before, after) = (side(before, !came), side(after, came));
            found.push(Difference { path, class, before, after });
        }
    }
    found
}

fn whole(effective: &Effective, table: &KeyPath) -> Side {
    let below = effective.entries().filter(|(path, _)| path.starts_with(table));
    let keys = below.filter_map(|(path, entry)| Some((path.clone(), entry.value.clone()?))).collect();
    Side { value: None, place: effective.table_place(table), keys }
}

fn value(before: &Effective, after: &Effective, path: &KeyPath, directions: Directions) -> Option<Difference> {
    let side = |effective: &Effective| {
        let value = effective.entry(path)?.value.clone()?;
        Some(Side { value: Some(value), place: effective.place(path), keys: Vec::new() })
    };
    let (old, new) = (side(before), side(after));
    let value = |side: &Option<Side>| side.as_ref().and_then(|side| side.value.clone());
    let (a, b) = (value(&old), value(&new));
    if a == b {
        return None;
    }
    let pattern = before.schema().find(path).map_or("", |row| row.key.path);
    let direction = directions.keys.iter().find(|(key, _)| *key == pattern).map_or(Direction::Unknown, |(_, d)| *d);
    let operator = path.parent().child("op");
    let change =
        Change { before: a.as_ref(), after: b.as_ref(), operators: (before.text_at(&operator), after.text_at(&operator)) };
    Some(Difference { path: path.clone(), class: direction.class(&change), before: old, after: new })
}
