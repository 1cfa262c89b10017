//! One layer of a document: what one file, the environment or the command line says, checked alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::fault::{Fault, nearest};
use super::kind::Kind;
use super::path::KeyPath;
use super::schema::{Row, SYMBOL, Schema};
use super::source::{Place, Source};
use super::tree::{self, Body, Node, Raw};
use super::value::Value;
use super::word;
use crate::domain::Symbol;

/// Where a layer comes from, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Compiled in.
    Default,
    File,
    Environment,
    Flag,
}

/// What one place says about a document.
#[derive(Debug)]
pub struct Layer {
    pub level: Level,
    /// The document's name, or what stands in for it.
    pub name: String,
    pub source: Arc<Source>,
    pub written: BTreeMap<KeyPath, Written>,
    /// Every table that is opened, with the place of its header.
    pub tables: BTreeMap<KeyPath, Place>,
    /// Values for keys of other documents.
    pub settings: Vec<Setting>,
    /// Nothing is wrong with it by itself.
    pub sound: bool,
}

/// A value that one document gives to a key of another, as text.
#[derive(Debug, Clone)]
pub struct Setting {
    pub path: KeyPath,
    pub source: Arc<Source>,
    pub key: Range<usize>,
    pub span: Range<usize>,
}

/// One value with its place.
#[derive(Debug, Clone)]
pub struct Written {
    /// `None` when the value is wrong; that has been said, and nothing else is said about it.
    pub value: Option<Value>,
    pub key: Place,
    pub place: Place,
    /// Which row of the schema it is an instance of.
    pub row: usize,
}

impl Layer {
    #[must_use]
    pub fn empty(level: Level, name: &str) -> Self {
        let source = Source::new(name, "");
        Self::of(level, name, source)
    }

    fn of(level: Level, name: &str, source: Arc<Source>) -> Self {
        let (written, tables) = (BTreeMap::new(), BTreeMap::new());
        Self { level, name: name.to_owned(), source, written, tables, settings: Vec::new(), sound: true }
    }

    /// The compiled defaults of keys that stand under no name of a person's choice.
    #[must_use]
    pub fn defaults(schema: &Schema) -> Self {
        let mut layer = Self::empty(Level::Default, "default");
        let plain = |(_, row): &(usize, &Row)| row.named_depth() == 0 && !row.key.default.is_empty();
        for (at, row) in schema.rows.iter().enumerate().filter(plain) {
            let place = Place::new(&layer.source, 0..0);
            let value = row.key.kind.check_text(row.key.default).expect("compiled defaults fit their kind: tested");
            let written = Written { value: Some(value), key: place.clone(), place, row: at };
            layer.written.insert(KeyPath::of(row.names.iter().copied()), written);
        }
        layer
    }

    /// Parses a file's text and checks every key and value by itself. `None` when it is not TOML.
    pub fn parse(name: &str, source: Arc<Source>, schema: &Schema, found: &mut Diagnostics) -> Option<Self> {
        let Some(nodes) = tree::parse(&source, found) else {
            cover_likely_secrets(&source, schema);
            return None;
        };
        let mut layer = Self::of(Level::File, name, source);
        let before = found.errors();
        Walk { schema, found, layer: &mut layer }.table(&nodes, &KeyPath::default(), &schema.all());
        layer.sound = found.errors() == before;
        Some(layer)
    }

    /// Adds one value that came as text: `source` holds it at `span`, its key at `key`.
    pub fn add_text(
        &mut self,
        path: &KeyPath,
        text: &str,
        source: &Arc<Source>,
        spans: (Range<usize>, Range<usize>),
        schema: &Schema,
        found: &mut Diagnostics,
    ) {
        let before = found.errors();
        self.check_text(path, text, source, spans, schema, found);
        self.sound &= found.errors() == before;
    }

    fn check_text(
        &mut self,
        path: &KeyPath,
        text: &str,
        source: &Arc<Source>,
        (key, span): (Range<usize>, Range<usize>),
        schema: &Schema,
        found: &mut Diagnostics,
    ) {
        let mut open = schema.all();
        for (depth, name) in path.names().enumerate() {
            let next = schema.step(&open, depth, name);
            if next.is_empty() {
                let place = Place::new(source, key);
                let known = schema.names_at(&open, depth);
                let mut walk = Walk { schema, found, layer: self };
                walk.unknown(&path.head(depth), name, place, Some(&span), &known);
                return;
            }
            open = next;
        }
        let Some(at) = open.iter().copied().find(|at| schema.rows[*at].names.len() == path.depth()) else {
            let error = Diagnostic::error("not-a-value", format!("{path} is a table, not one value")).at(Place::new(source, key));
            let first = open.first().map_or("", |at| schema.rows[*at].key.path);
            found.push(error.key(path).hint(format!("name one key of it, like {first}")));
            return;
        };
        let place = Place::new(source, span);
        let kind = schema.rows[at].key.kind;
        let value = match kind.check_text(text) {
            Ok(value) => Some(value),
            Err(fault) => {
                if matches!(kind, Kind::Secret) {
                    source.cover(place.span.clone());
                }
                told(&fault, &place, path, found);
                None
            }
        };
        self.written.insert(path.clone(), Written { value, key: Place::new(source, key), place, row: at });
    }

    /// The value written at `path`, if it is sound.
    #[must_use]
    pub fn value(&self, path: &KeyPath) -> Option<&Value> {
        self.written.get(path)?.value.as_ref()
    }

    /// The text written at `path`.
    #[must_use]
    pub fn text(&self, path: &KeyPath) -> Option<&str> {
        self.value(path)?.text()
    }
}

/// A fault, and those that came with it, as findings at their places.
fn told(fault: &Fault, place: &Place, path: &KeyPath, found: &mut Diagnostics) {
    let at = match &fault.span {
        Some(span) if !span.is_empty() => Place::new(&place.source, span.clone()),
        _ => place.clone(),
    };
    let error = Diagnostic::error(fault.code, fault.message.as_str()).at(at).label(fault.label.as_str());
    found.push(error.key(path).hint(fault.hint.as_str()));
    for other in &fault.more {
        told(other, place, path, found);
    }
}

/// The walk through a document along the schema.
struct Walk<'a> {
    schema: &'a Schema,
    found: &'a mut Diagnostics,
    layer: &'a mut Layer,
}

impl Walk<'_> {
    fn table(&mut self, nodes: &[Node], path: &KeyPath, open: &[usize]) {
        let depth = path.depth();
        for node in nodes {
            let next = self.schema.step(open, depth, &node.name);
            let key = Place::new(&self.layer.source, node.key.clone());
            if next.is_empty() {
                let value = (!matches!(node.body, Body::Table(_))).then_some(&node.span);
                self.cover_below(node, false);
                let known = self.schema.names_at(open, depth);
                self.unknown(path, &node.name, key, value, &known);
                continue;
            }
            let given = self.schema.rows[next[0]].names[depth];
            if let Some(fault) = bad_given_name(given, &node.name) {
                told(&fault, &key, &path.child(&node.name), self.found);
                continue;
            }
            let here = path.child(&node.name);
            let leaf = next.iter().copied().find(|at| self.schema.rows[*at].names.len() == depth + 1);
            let has_more = next.iter().any(|at| self.schema.rows[*at].names.len() > depth + 1);
            let is_list = self.schema.is_list(&next, depth + 1);
            self.cover_misplaced(node, leaf, &next);
            match (&node.body, leaf) {
                (Body::List(items), None) if is_list => self.table(items, &here, &next),
                (_, None) if is_list => self.not_a_list(node, &here),
                (Body::Table(inner), Some(at)) if matches!(self.kind(at), Kind::Settings) => {
                    self.settings(inner, &KeyPath::default());
                }
                (Body::Table(inner), _) if has_more => {
                    self.layer.tables.insert(here.clone(), key);
                    self.table(inner, &here, &next);
                }
                (Body::Table(_), at) => self.not_a_leaf(node, &here, self.kind(at.expect("a row that has no more ends here"))),
                (Body::Leaf(raw), Some(at)) => self.leaf(node, raw, here, at),
                (Body::Leaf(raw), None) => self.not_a_table(node, raw, &here),
                (Body::List(items), at) => {
                    let raw = Raw::List(items.iter().map(|item| (Raw::Table, item.span.clone())).collect());
                    match at {
                        Some(at) => self.leaf(node, &raw, here, at),
                        None => self.not_a_table(node, &raw, &here),
                    }
                }
            }
        }
    }

    /// Takes the values that a document gives to keys of others; what they mean is checked there.
    fn settings(&mut self, nodes: &[Node], table: &KeyPath) {
        for node in nodes {
            let Some(inner) = KeyPath::parse(&node.name) else {
                let place = Place::new(&self.layer.source, node.key.clone());
                let error = Diagnostic::error("bad-set", "this is not the path of a key").at(place).label("not a path");
                self.found.push(error.hint("write it like \"limits.max_total_notional\" = \"100\""));
                continue;
            };
            let path = KeyPath::of(table.names().chain(inner.names()));
            match &node.body {
                Body::Table(inner) => self.settings(inner, &path),
                Body::Leaf(_) | Body::List(_) => {
                    let source = Arc::clone(&self.layer.source);
                    self.layer.settings.push(Setting { path, source, key: node.key.clone(), span: node.span.clone() });
                }
            }
        }
    }

    /// Covers what may be a secret at or below a key that is not known, or everything there.
    fn cover_below(&self, node: &Node, everything: bool) {
        match &node.body {
            Body::Table(inner) | Body::List(inner) => inner.iter().for_each(|node| self.cover_below(node, everything)),
            Body::Leaf(_) if everything || is_secret_name(self.schema, &node.name) => self.layer.source.cover(node.span.clone()),
            Body::Leaf(_) => {}
        }
    }

    /// Covers a table where a secret is wanted, and a value where secrets are further down.
    fn cover_misplaced(&self, node: &Node, leaf: Option<usize>, open: &[usize]) {
        match (&node.body, leaf) {
            (Body::Table(inner), Some(row)) if self.holds_secret(row) => {
                inner.iter().for_each(|node| self.cover_below(node, true));
            }
            (Body::Leaf(_) | Body::List(_), None) if open.iter().any(|row| self.holds_secret(*row)) => {
                self.layer.source.cover(node.span.clone());
            }
            _ => {}
        }
    }

    fn holds_secret(&self, row: usize) -> bool {
        matches!(self.schema.rows[row].key.kind, Kind::Secret)
    }

    fn not_a_list(&mut self, node: &Node, path: &KeyPath) {
        let place = Place::new(&self.layer.source, node.key.clone());
        let error = Diagnostic::error("not-a-list", format!("{path} is a list of tables")).at(place).label("one of its own");
        self.found.push(error.key(path).hint(format!("write [[{path}]] for each of them")));
    }

    fn kind(&self, at: usize) -> Kind {
        self.schema.rows[at].key.kind
    }

    fn leaf(&mut self, node: &Node, raw: &Raw, path: KeyPath, at: usize) {
        let kind = self.kind(at);
        let place = Place::new(&self.layer.source, node.span.clone());
        let value = match kind.check(raw) {
            Ok(value) => Some(value),
            Err(fault) => {
                if matches!(kind, Kind::Secret) {
                    self.layer.source.cover(node.span.clone());
                }
                told(&fault, &place, &path, self.found);
                None
            }
        };
        let key = Place::new(&self.layer.source, node.key.clone());
        self.layer.written.insert(path, Written { value, key, place, row: at });
    }

    fn not_a_table(&mut self, node: &Node, raw: &Raw, path: &KeyPath) {
        let place = Place::new(&self.layer.source, node.span.clone());
        let (code, message, hint) = if matches!(raw, Raw::List(list) if list.iter().any(|(item, _)| *item == Raw::Table)) {
            let hint = format!("write [{path}] or, for entries that a child may change, [{path}.<name>] with order = N");
            ("array-of-tables", format!("{path} is a table, not a list of tables"), hint)
        } else {
            (
                "not-a-table",
                format!("{path} is a table and cannot become {}", raw.noun()),
                format!("write [{path}] and its keys below"),
            )
        };
        self.found.push(Diagnostic::error(code, message).at(place).label(format!("this is {}", raw.noun())).key(path).hint(hint));
    }

    fn not_a_leaf(&mut self, node: &Node, path: &KeyPath, kind: Kind) {
        let place = Place::new(&self.layer.source, node.key.clone());
        let error = Diagnostic::error("wrong-type", format!("wrong type: {path} wants {}", kind.wants()));
        self.found.push(error.at(place).label("this is a table").key(path).hint(format!(
            "write {} = <value> in [{}]",
            path.last(),
            path.parent()
        )));
    }

    /// Tells of a name that the schema does not know; `value` is the span of what stands behind it.
    fn unknown(&mut self, table: &KeyPath, name: &str, place: Place, value: Option<&Range<usize>>, known: &[&str]) {
        let path = table.child(name);
        let near = nearest(name, known.iter().copied());
        if let Some(span) = value.cloned()
            && (is_secret_name(self.schema, name) || near.is_some_and(|near| is_secret_name(self.schema, near)))
        {
            place.source.cover(span);
        }
        if let Some(fault) = (self.schema.stranger)(&path) {
            told(&fault, &place, &path, self.found);
            return;
        }
        let scope = if table.is_root() { String::new() } else { format!(" in [{table}]") };
        let (code, what) = if value.is_some() { ("unknown-key", "key") } else { ("unknown-table", "table") };
        let error = Diagnostic::error(code, format!("unknown {what} {}{scope}", super::path::quoted(name)));
        let elsewhere = || {
            let row = self.schema.rows.iter().find(|row| row.names.last() == Some(&name))?;
            Some(format!("{name} belongs in [{}]", row.key.path.rsplit_once('.')?.0.replace('*', "<name>")))
        };
        let dotted = || self.schema.knows(&KeyPath::parse(format!("{table}.{name}").trim_start_matches('.'))?).then_some(name);
        let hint = match near {
            _ if name.contains('.') && dotted().is_some() => {
                format!("write {name} without quotes: each part is a name of its own")
            }
            Some(near) => format!("did you mean {near}?"),
            None => elsewhere().unwrap_or_else(|| match known.len() {
                0 => "remove it".to_owned(),
                _ => format!("known{scope}: {}", known.join(", ")),
            }),
        };
        self.found.push(error.at(place).label("not known").key(&path).hint(hint));
    }
}

fn bad_given_name(pattern: &str, name: &str) -> Option<Box<Fault>> {
    match pattern {
        super::schema::NAME if !word::is_name(name) => Some(word::bad_name(name)),
        SYMBOL if !name.contains('/') || name.parse::<Symbol>().is_err() => Some(Box::new(Fault {
            code: "bad-symbol",
            message: format!("{name:?} is not a symbol"),
            label: "not a symbol".to_owned(),
            hint: "write BASE/QUOTE in capitals and in quotes, like \"BTC/USDT\"".to_owned(),
            span: None,
            more: Vec::new(),
        })),
        _ => None,
    }
}

/// Could a key of this name hold a secret, be it misspelt or misplaced?
fn is_secret_name(schema: &Schema, name: &str) -> bool {
    let lower = name.to_lowercase();
    let known = || schema.rows.iter().any(|row| matches!(row.key.kind, Kind::Secret) && row.names.last() == Some(&name));
    ["secret", "passw", "token", "key", "webhook"].iter().any(|part| lower.contains(part)) || known()
}

/// A file that is no TOML is shown line by line all the same, so whatever stands behind a secret's name is covered to the end of
/// its line, and further where a text of several lines begins.
fn cover_likely_secrets(source: &Arc<Source>, schema: &Schema) {
    let text = source.text();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        for (equals, _) in line.match_indices('=') {
            let before = line[..equals].trim_end().trim_end_matches(['"', '\'']);
            let name = before.rsplit(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).next().unwrap_or_default();
            let value = line[equals + 1..].trim_start();
            let bare = value.trim_start_matches(['"', '\'']);
            let is_reference = ["env:", "file:", "keyring:"].iter().any(|prefix| bare.starts_with(prefix));
            if !is_secret_name(schema, name) || is_reference {
                continue;
            }
            let start = at + equals + 1;
            let several = ["\"\"\"", "\'\'\'"].into_iter().find(|quotes| value.starts_with(quotes));
            let end = several.map_or(at + line.len(), |quotes| {
                let inner = start + text[start..].find(quotes).map_or(0, |n| n + quotes.len());
                text[inner..].find(quotes).map_or(text.len(), |n| inner + n)
            });
            source.cover(start..end.max(at + line.len()));
            break;
        }
        at += line.len();
    }
}
