//! Everything there is to say about one key of a document: who set it, who lost, what bounds it.

use serde_json::{Value as Json, json};

use super::bounds::{self, Bounding};
use super::layer::Level;
use super::merge::Effective;
use super::overlay::Ignored;
use super::path::KeyPath;
use super::schema::{Effect, Row};
use super::source::Place;
use super::value::Value;

/// One key, explained.
#[derive(Debug)]
pub struct Explained<'a> {
    pub path: &'a KeyPath,
    pub row: &'a Row,
    /// `None` when nothing sets it.
    pub value: Option<&'a Value>,
    /// What each layer says, the winner first.
    pub chain: Vec<Said>,
    /// What the value may not go beyond, tightest first.
    pub bounds: Vec<Bounding>,
    /// Variables of the environment that were set and do not count.
    pub ignored: Vec<String>,
}

/// What one layer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// `None` when what is written is wrong.
    pub value: Option<Value>,
    /// `None` for a compiled default.
    pub place: Option<Place>,
}

impl Said {
    /// Where it is said, in a few words.
    #[must_use]
    pub fn origin(&self) -> String {
        self.place.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
    }
}

impl<'a> Explained<'a> {
    /// Explains the key at `path`. `None` when the document knows no such key.
    #[must_use]
    pub fn of(effective: &'a Effective, path: &'a KeyPath, ignored: &[Ignored]) -> Option<Self> {
        let row = effective.schema().find(path)?;
        let value = effective.entry(path).and_then(|entry| entry.value.as_ref());
        let said = effective.chain(path).map(|(layer, written)| Said {
            value: written.value.clone(),
            place: (layer.level != Level::Default).then(|| written.place.clone()),
        });
        let mut chain: Vec<Said> = said.collect();
        // Defaults below names of a person's choice stand in no layer.
        let is_filled_in = chain.is_empty() && value.is_some();
        chain.extend(is_filled_in.then(|| Said { value: value.cloned(), place: None }));
        let ignored = ignored.iter().filter(|ignored| ignored.key == *path).map(|ignored| ignored.variable.clone());
        Some(Self { path, row, value, chain, bounds: bounds_of(effective, path), ignored: ignored.collect() })
    }

    /// Does anything act upon the key?
    #[must_use]
    pub fn is_in_effect(&self) -> bool {
        self.row.key.effect == Effect::Now
    }

    /// The same for a program.
    #[must_use]
    pub fn json(&self) -> Json {
        let at = |place: Option<&Place>| {
            place.map(|place| {
                let (line, column) = place.line_column();
                json!({ "file": place.source.name, "line": line, "column": column })
            })
        };
        let said = |said: &Said| json!({ "value": said.value.as_ref().map(Value::json), "origin": said.origin() });
        let bound = |bound: &Bounding| json!({ "value": bound.value.json(), "origin": origin_of(bound) });
        json!({
            "key": self.path.to_string(),
            "value": self.value.map(Value::json),
            "doc": self.row.key.doc,
            "wants": self.row.key.kind.wants(),
            "in_effect": self.is_in_effect(),
            "sealed": self.row.key.sealed,
            "origin": at(self.chain.first().and_then(|said| said.place.as_ref())),
            "chain": self.chain.iter().map(said).collect::<Vec<_>>(),
            "bounds": self.bounds.iter().map(bound).collect::<Vec<_>>(),
            "ignored": self.ignored,
        })
    }
}

/// Where a bound comes from, in a few words.
#[must_use]
pub fn origin_of(bound: &Bounding) -> String {
    bound.place.as_ref().map_or_else(|| "the hard cap".to_owned(), ToString::to_string)
}

fn bounds_of(effective: &Effective, path: &KeyPath) -> Vec<Bounding> {
    let mut bounding = match path.first() {
        "limits" | "caps" => bounds::bounds(effective, &KeyPath::dotted("caps").child(path.last())),
        "floors" => bounds::bounds(effective, path),
        "escalation" => return super::ladder::bounds_of(effective, path),
        _ => Vec::new(),
    };
    bounding.reverse();
    if matches!(path.first(), "caps" | "floors") {
        // A bound is bounded by those below it, not by itself.
        bounding.retain(|bound| bound.place != effective.place(path));
    }
    bounding
}
