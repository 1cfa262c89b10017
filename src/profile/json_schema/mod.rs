//! The language as JSON Schema draft 7, for editors and for programs that check TOML.
//!
//! Made from the same rows that the program reads documents by, so that the two cannot drift apart. It says less than `check`:
//! what several keys or several files mean together is not in it. What it refuses, the program refuses.

mod guard;
mod leaf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

pub use leaf::shape;

use super::schema::{ANY, ITEM, Key, NAME, SYMBOL, Schema};
use super::word::NAME_LEN_MAX;

/// The version of JSON Schema: what editors know.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The JSON Schema of the documents that `schema` describes.
///
/// Documents that inherit may be partial, since a parent may give what one lacks or decides: there nothing is demanded. Others
/// are whole, and their required keys and the conditions between their keys hold in each file.
#[must_use]
pub fn document(schema: &Schema, title: &str, id: &str) -> Json {
    let is_whole = !schema.removes;
    let mut root = Node::default();
    for row in &schema.rows {
        root.add(&row.names, row.key);
    }
    let rules = if is_whole { guard::rules(schema) } else { guard::Rules::default() };
    let mut document = Writer { is_whole, rules }.table(&root, &mut Vec::new());
    if let Some(sealed) = guard::sealed(schema) {
        guard::push(&mut document, sealed);
    }
    let head = [("$schema", DRAFT), ("$id", id), ("title", title)];
    document.extend(head.map(|(name, value)| (name.to_owned(), json!(value))));
    Json::Object(document)
}

/// The name of a table or key on the way to the rows below it.
#[derive(Default)]
struct Node {
    key: Option<&'static Key>,
    below: BTreeMap<&'static str, Node>,
}

impl Node {
    fn add(&mut self, names: &[&'static str], key: &'static Key) {
        match names {
            [] => self.key = Some(key),
            [name, rest @ ..] => self.below.entry(name).or_default().add(rest, key),
        }
    }
}

struct Writer {
    is_whole: bool,
    rules: guard::Rules,
}

impl Writer {
    fn node(&self, node: &Node, path: &mut Vec<&'static str>) -> Json {
        match (node.key, node.below.get(ITEM)) {
            (Some(key), _) if node.below.is_empty() => Json::Object(self.leaf(key)),
            (Some(key), _) => {
                let mut one = self.leaf(key);
                let description = one.remove("description");
                json!({ "description": description, "anyOf": [one, self.table(node, path)] })
            }
            (None, Some(item)) => {
                path.push(ITEM);
                let items = self.table(item, path);
                path.pop();
                json!({ "type": "array", "minItems": 1, "items": items })
            }
            (None, None) => Json::Object(self.table(node, path)),
        }
    }

    fn leaf(&self, key: &Key) -> Map<String, Json> {
        leaf::described(key, self.is_whole)
    }

    fn table(&self, node: &Node, path: &mut Vec<&'static str>) -> Map<String, Json> {
        let mut table = Map::new();
        let mut properties = Map::new();
        let mut others = json!(false);
        for (name, below) in &node.below {
            path.push(name);
            let written = self.node(below, path);
            path.pop();
            match *name {
                NAME => {
                    table.insert("patternProperties".to_owned(), json!({ leaf::NAME_PATTERN: written }));
                    table.insert("propertyNames".to_owned(), json!({ "maxLength": NAME_LEN_MAX }));
                }
                SYMBOL => {
                    table.insert("patternProperties".to_owned(), json!({ leaf::SYMBOL_PATTERN: written }));
                }
                ANY => others = written,
                name => {
                    properties.insert(name.to_owned(), written);
                }
            }
        }
        table.insert("type".to_owned(), json!("object"));
        table.insert("additionalProperties".to_owned(), others);
        if !properties.is_empty() {
            table.insert("properties".to_owned(), Json::Object(properties));
        }
        let required: Vec<&str> = node.below.iter().filter(|(_, below)| self.is_demanded(below)).map(|(name, _)| *name).collect();
        if !required.is_empty() {
            table.insert("required".to_owned(), json!(required));
        }
        for rule in self.rules.at(path) {
            guard::push(&mut table, rule.clone());
        }
        table
    }

    fn is_demanded(&self, node: &Node) -> bool {
        self.is_whole && node.key.is_some_and(|key| key.required && key.only.is_none())
    }
}
