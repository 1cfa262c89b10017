//! Conditions between keys of one document, as if/then/else.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::super::schema::{ANY, Key, NAME, Only, SYMBOL, Schema, is_wild};

/// Conditions by the table they stand at.
#[derive(Debug, Default)]
pub struct Rules(BTreeMap<Vec<&'static str>, Vec<Json>>);

impl Rules {
    /// The conditions of the table at `path`.
    pub fn at(&self, path: &[&'static str]) -> &[Json] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}

/// Guarded keys under one condition, seen from the table they share with the key that decides.
struct Group {
    table: Vec<&'static str>,
    decides: Vec<&'static str>,
    only: Only,
    /// Without a word the condition holds by the default of the key that decides.
    holds_unsaid: bool,
    keys: Vec<(Vec<&'static str>, bool)>,
}

/// Every `only` of a schema whose documents are whole.
pub fn rules(schema: &Schema) -> Rules {
    let mut groups: Vec<Group> = Vec::new();
    for key in schema.rows.iter().map(|row| row.key) {
        let Some(only) = key.only else { continue };
        let names: Vec<&'static str> = key.path.split('.').collect();
        let deciding: Vec<&'static str> = only.key.split('.').collect();
        let shared = names.iter().zip(&deciding).take_while(|(a, b)| a == b).count();
        let (table, decides) = (names[..shared].to_vec(), deciding[shared..].to_vec());
        let guarded = (names[shared..].to_vec(), key.required);
        let same = |group: &&mut Group| group.table == table && group.decides == decides && group.only.words == only.words;
        match groups.iter_mut().find(same) {
            Some(group) => group.keys.push(guarded),
            None => {
                let holds_unsaid =
                    schema.rows.iter().any(|row| row.key.path == only.key && only.words.contains(&row.key.default));
                groups.push(Group { table, decides, only, holds_unsaid, keys: vec![guarded] });
            }
        }
    }
    let mut rules = Rules::default();
    for group in groups {
        let rule = group.rule();
        rules.0.entry(group.table).or_default().push(rule);
    }
    rules
}

impl Group {
    fn rule(&self) -> Json {
        let words = json!({ "enum": self.only.words });
        let condition = nested(&[(self.decides.clone(), words)], &|_| !self.holds_unsaid);
        let required: Vec<_> =
            self.keys.iter().filter(|(_, required)| *required).map(|(key, _)| (key.clone(), json!(true))).collect();
        let forbidden: Vec<_> = self.keys.iter().map(|(key, _)| (key.clone(), json!(false))).collect();
        let mut rule = json!({ "if": condition, "else": nested(&forbidden, &|_| false) });
        if !required.is_empty() {
            rule["then"] = nested(&required, &|_| true);
        }
        rule
    }
}

/// Sealed keys stand in the abstract root only: a file that is one says so itself.
pub fn sealed(schema: &Schema) -> Option<Json> {
    let sealed: Vec<&Key> = schema.rows.iter().map(|row| row.key).filter(|key| key.sealed).collect();
    if sealed.is_empty() {
        return None;
    }
    let forbidden: Vec<_> = sealed.iter().map(|key| (key.path.split('.').collect(), json!(false))).collect();
    let root = [(vec!["profile", "abstract"], json!({ "const": true })), (vec!["profile", "inherits"], json!(false))];
    let is_root = nested(&root, &|name| name != "inherits");
    Some(json!({ "if": is_root, "else": nested(&forbidden, &|_| false) }))
}

/// Adds a condition to a table.
pub fn push(table: &mut Map<String, Json>, rule: Json) {
    match table.entry("allOf").or_insert_with(|| json!([])) {
        Json::Array(rules) => rules.push(rule),
        other => unreachable!("allOf is a list, not {other}"),
    }
}

/// What is said of keys by their paths, as nested properties; `demands` says of which names presence is part of it.
fn nested(said: &[(Vec<&'static str>, Json)], demands: &dyn Fn(&str) -> bool) -> Json {
    let mut below: BTreeMap<&'static str, Vec<(Vec<&'static str>, Json)>> = BTreeMap::new();
    for (path, what) in said {
        let [name, rest @ ..] = path.as_slice() else { continue };
        below.entry(name).or_default().push((rest.to_vec(), what.clone()));
    }
    let required: Vec<&str> = below.keys().copied().filter(|name| !is_wild(name) && demands(name)).collect();
    let inner = |said: Vec<(Vec<&'static str>, Json)>| match said.as_slice() {
        [(rest, what)] if rest.is_empty() => what.clone(),
        _ => nested(&said, demands),
    };
    let (mut table, mut properties) = (json!({}), Map::new());
    for (name, what) in below.into_iter().map(|(name, said)| (name, inner(said))) {
        match name {
            _ if what == json!(true) => {}
            // Whatever it is called: a table of given names has no others.
            NAME | SYMBOL | ANY => table["additionalProperties"] = what,
            name => {
                properties.insert(name.to_owned(), what);
            }
        }
    }
    if !properties.is_empty() {
        table["properties"] = Json::Object(properties);
    }
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}
