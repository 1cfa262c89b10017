//! Layers become one document, and every value keeps its origin.
//!
//! Figment merges; each of its values carries the tag of the layer it came from, and the layer knows the place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use figment::value::{Dict, Map, Tag, Value as Merged};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::layer::{Layer, Level, Written};
use super::path::KeyPath;
use super::schema::{Only, Row, Schema};
use super::source::Place;
use super::value::Value;
use crate::domain::{Bps, Fraction, Money, SecretRef, Span};

/// A document with every layer merged and every default filled in.
#[derive(Debug, Clone)]
pub struct Effective {
    schema: &'static Schema,
    /// Lowest first; the first one holds the compiled defaults.
    layers: Vec<Arc<Layer>>,
    /// What each layer keeps to itself.
    hidden: Vec<Vec<KeyPath>>,
    entries: BTreeMap<KeyPath, Entry>,
    tables: BTreeSet<KeyPath>,
}

/// One value and the layer that set it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `None` when what was written is wrong.
    pub value: Option<Value>,
    layer: usize,
}

/// A layer as figment wants it: nested, with its number as the name.
struct Provided<'a> {
    number: usize,
    layer: &'a Layer,
    hides: &'a dyn Fn(&KeyPath) -> bool,
}

impl Provider for Provided<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.number.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut root = Dict::new();
        for path in self.layer.written.keys().filter(|path| !(self.hides)(path)) {
            insert(&mut root, path.names());
        }
        Ok(Profile::Default.collect(root))
    }
}

/// Who wrote a key is all that figment has to know: the values stay in the layers, typed.
fn insert<'a>(dict: &mut Dict, mut names: impl Iterator<Item = &'a str>) {
    let Some(name) = names.next() else { return };
    let mut rest = names.peekable();
    if rest.peek().is_none() {
        dict.insert(name.to_owned(), Merged::from(true));
    } else if let Merged::Dict(_, inner) = dict.entry(name.to_owned()).or_insert_with(|| Merged::from(Dict::new())) {
        insert(inner, &mut rest as &mut dyn Iterator<Item = &'a str>);
    }
}

fn flatten(dict: &Dict, path: &KeyPath, each: &mut impl FnMut(KeyPath, Tag)) {
    for (name, value) in dict {
        match value {
            Merged::Dict(_, inner) => flatten(inner, &path.child(name), each),
            leaf => each(path.child(name), leaf.tag()),
        }
    }
}

/// A doc sentence as part of a message: lower case, without its full stop.
fn said(doc: &str) -> String {
    let mut chars = doc.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl Effective {
    /// Merges `layers`, lowest first; `hides(level of the file layer from the top, path)` says what a parent keeps to itself.
    #[must_use]
    pub fn merge(schema: &'static Schema, layers: Vec<Arc<Layer>>, hides: &dyn Fn(&Layer, &KeyPath) -> bool) -> Self {
        let mut figment = Figment::new();
        for (number, layer) in layers.iter().enumerate() {
            let hides = |path: &KeyPath| hides(layer, path);
            figment = figment.merge(Provided { number, layer, hides: &hides });
        }
        let data = figment.data().expect("our providers do not fail");
        let mut entries = BTreeMap::new();
        let mut take = |path: KeyPath, tag: Tag| {
            let name = &figment.get_metadata(tag).expect("every provider has metadata").name;
            let layer: usize = name.parse().expect("layers are named by number");
            let value = layers[layer].written[&path].value.clone();
            entries.insert(path, Entry { value, layer });
        };
        for dict in data.values() {
            flatten(dict, &KeyPath::default(), &mut take);
        }
        let mut tables: BTreeSet<KeyPath> = layers.iter().flat_map(|layer| layer.tables.keys().cloned()).collect();
        for path in entries.keys() {
            let mut table = path.parent();
            while !table.is_root() && tables.insert(table.clone()) {
                table = table.parent();
            }
        }
        let hidden = |layer: &Arc<Layer>| layer.written.keys().filter(|path| hides(layer, path)).cloned().collect();
        let hidden = layers.iter().map(hidden).collect();
        let mut effective = Self { schema, layers, hidden, entries, tables };
        effective.fill_defaults();
        effective
    }

    /// Gives keys below names of a person's choice their defaults, once it is known that they have a meaning.
    fn fill_defaults(&mut self) {
        for row in self.schema.rows.iter().filter(|row| row.named_depth() > 0 && !row.key.default.is_empty()) {
            for (_, path) in self.instances(row) {
                if !self.entries.contains_key(&path) && self.has_meaning(row, &path) == Some(true) {
                    let value = row.key.kind.check_text(row.key.default).expect("compiled defaults fit their kind: tested");
                    self.entries.insert(path, Entry { value: Some(value), layer: 0 });
                }
            }
        }
    }

    /// The paths a row makes below the tables that exist, each with its table.
    fn instances(&self, row: &Row) -> Vec<(KeyPath, KeyPath)> {
        let depth = row.named_depth();
        if depth == 0 {
            return vec![(KeyPath::default(), KeyPath::of(row.names.iter().copied()))];
        }
        let tables = self.below(&row.prefix).filter(|table| table.depth() == depth);
        tables.filter_map(|table| row.bind(table).map(|path| (table.clone(), path))).collect()
    }

    /// The tables from `table` on down.
    fn below<'a>(&'a self, table: &'a KeyPath) -> impl Iterator<Item = &'a KeyPath> {
        self.tables.range(table.clone()..).take_while(|other| other.starts_with(table))
    }

    /// Has the row a meaning at `path`? `None` when what decides is absent or wrong, which is told elsewhere.
    fn has_meaning(&self, row: &Row, path: &KeyPath) -> Option<bool> {
        let Some(only) = row.key.only else { return Some(true) };
        let word = self.text_at(&only.bind(path))?;
        Some(only.words.contains(&word))
    }

    /// Tells of keys that must be there and are not, and of keys that have no meaning where they are.
    pub fn check_presence(&self, found: &mut Diagnostics) {
        for row in &self.schema.rows {
            if row.key.required {
                for (table, path) in self.instances(row) {
                    let missing = !self.entries.contains_key(&path) && self.has_meaning(row, &path) == Some(true);
                    if missing && !self.is_removed(&table) {
                        found.push(self.missing(row, &table, &path));
                    }
                }
            }
        }
        for (path, written) in self.winners() {
            if let Some(only) = self.broken_guard(&self.schema.rows[written.row], path) {
                found.push(self.misplaced(path, written, only));
            }
        }
    }

    /// The condition that takes a key its meaning. None when it has one, or when what decides is wrong and that is told.
    fn broken_guard(&self, row: &Row, path: &KeyPath) -> Option<Only> {
        let only = row.key.only?;
        let guard = only.bind(path);
        if self.entries.contains_key(&guard) {
            return (self.has_meaning(row, path) == Some(false)).then_some(only);
        }
        let guard_row = self.schema.find(&guard)?;
        match self.has_meaning(guard_row, &guard) {
            // The key that decides is missing, and that is told.
            Some(true) if guard_row.key.required => None,
            Some(_) => Some(only),
            None => None,
        }
    }

    fn misplaced(&self, path: &KeyPath, written: &Written, only: Only) -> Diagnostic {
        let guard = only.bind(path);
        let words = only.words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        let why = match self.text_at(&guard) {
            Some(word) => format!("while {} is \"{word}\"", guard.last()),
            None => format!("without {}", guard.last()),
        };
        let mut error = Diagnostic::error("misplaced-key", format!("{} has no meaning {why}", path.last()));
        error = error.at(written.key.clone()).label("not used").key(path);
        if let (Some(word), Some(place)) = (self.text_at(&guard), self.place(&guard)) {
            error = error.note_at(format!("{guard} = \"{word}\""), place);
        }
        error.hint(format!("remove it; it belongs to {} = {words}", guard.last()))
    }

    fn missing(&self, row: &Row, table: &KeyPath, path: &KeyPath) -> Diagnostic {
        let error = Diagnostic::error("missing-key", format!("{path} is missing")).key(path);
        // The deepest table that somebody opened on the way.
        let mut opened = path.parent();
        while self.table_place(&opened).is_none() && !opened.is_root() {
            opened = opened.parent();
        }
        let place = self.table_place(&opened).or_else(|| self.table_place(table)).or_else(|| self.top_of_file());
        let label = if opened.is_root() { "nowhere in the chain".to_owned() } else { format!("no {} below this", path.last()) };
        error.at(place).label(label).note(said(row.key.doc)).hint(format!("add it: {path} wants {}", row.key.kind.wants()))
    }

    fn top_of_file(&self) -> Option<Place> {
        let file = self.layers.iter().rev().find(|layer| layer.level == Level::File)?;
        let end = file.source.text().find('\n').unwrap_or(file.source.text().len());
        Some(Place::new(&file.source, 0..end))
    }

    /// Was the collection's entry removed with `enabled = false`?
    #[must_use]
    pub fn is_removed(&self, table: &KeyPath) -> bool {
        self.schema.removes && self.bool_at(&table.child("enabled")) == Some(false)
    }

    #[must_use]
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    #[must_use]
    pub fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }

    pub fn entries(&self) -> impl Iterator<Item = (&KeyPath, &Entry)> {
        self.entries.iter()
    }

    #[must_use]
    pub fn entry(&self, path: &KeyPath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The layer that set a value.
    #[must_use]
    pub fn layer_of(&self, entry: &Entry) -> &Layer {
        &self.layers[entry.layer]
    }

    /// Everything said about a key, the winner first; what a parent keeps to itself is not among it.
    pub fn chain(&self, path: &KeyPath) -> impl Iterator<Item = (&Layer, &Written)> {
        let layers = self.layers.iter().zip(&self.hidden).rev();
        let open = layers.filter(|(_, hidden)| !hidden.contains(path));
        open.filter_map(|(layer, _)| Some((&**layer, layer.written.get(path)?)))
    }

    /// What was written at `path` by the layer that won. `None` for defaults.
    #[must_use]
    pub fn winner(&self, path: &KeyPath) -> Option<&Written> {
        let entry = self.entries.get(path)?;
        (entry.layer > 0).then(|| self.layers[entry.layer].written.get(path)).flatten()
    }

    /// Everything that somebody wrote and nobody above wrote again, defaults apart.
    pub fn winners(&self) -> impl Iterator<Item = (&KeyPath, &Written)> {
        let above_defaults = self.entries.iter().filter(|(_, entry)| entry.layer > 0);
        above_defaults.filter_map(|(path, entry)| Some((path, self.layers[entry.layer].written.get(path)?)))
    }

    /// Where the value at `path` was written.
    #[must_use]
    pub fn place(&self, path: &KeyPath) -> Option<Place> {
        self.winner(path).map(|written| written.place.clone())
    }

    #[must_use]
    pub fn key_place(&self, path: &KeyPath) -> Option<Place> {
        self.winner(path).map(|written| written.key.clone())
    }

    /// Where one text of a list was written; the whole list when it cannot be told.
    #[must_use]
    pub fn place_of_item(&self, path: &KeyPath, item: &str) -> Option<Place> {
        let list = self.place(path)?;
        let quoted = format!("\"{item}\"");
        let start = list.source.text().get(list.span.clone()).and_then(|text| text.find(&quoted));
        Some(start.map_or(list.clone(), |at| Place::new(&list.source, list.span.start + at..list.span.start + at + quoted.len())))
    }

    /// Where a table was opened last.
    #[must_use]
    pub fn table_place(&self, path: &KeyPath) -> Option<Place> {
        self.layers.iter().rev().find_map(|layer| layer.tables.get(path).cloned())
    }

    /// The names below a table of names that people give, in the order of the alphabet; removed ones are left out.
    #[must_use]
    pub fn names_below(&self, table: &str) -> Vec<String> {
        let table = KeyPath::dotted(table);
        let depth = table.depth() + 1;
        let below = self.below(&table).filter(|t| t.depth() == depth);
        below.filter(|t| !self.is_removed(t)).map(|t| t.last().to_owned()).collect()
    }

    /// Was the key written by anyone, defaults apart?
    #[must_use]
    pub fn is_written(&self, path: &KeyPath) -> bool {
        self.entries.get(path).is_some_and(|entry| entry.layer > 0)
    }

    fn value(&self, path: &KeyPath) -> Option<&Value> {
        self.entries.get(path)?.value.as_ref()
    }

    #[must_use]
    pub fn text_at(&self, path: &KeyPath) -> Option<&str> {
        self.value(path)?.text()
    }

    #[must_use]
    pub fn texts_at(&self, path: &KeyPath) -> Option<&[String]> {
        match self.value(path)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Every value as text, in the order of the paths: what a fingerprint is made of. References to secrets only by name.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for (path, entry) in &self.entries {
            if let Some(value) = &entry.value {
                let _ = writeln!(text, "{path} = {value}");
            }
        }
        text
    }
}

macro_rules! copied_at {
    ($($name:ident: $variant:ident => $type:ty),* $(,)?) => {
        impl Effective {
            $(
                #[must_use]
                pub fn $name(&self, path: &KeyPath) -> Option<$type> {
                    match self.value(path)? {
                        Value::$variant(value) => Some(value.clone()),
                        _ => None,
                    }
                }
            )*
        }
    };
}

copied_at! {
    bool_at: Bool => bool,
    count_at: Count => u64,
    float_at: Float => f64,
    fraction_at: Fraction => Fraction,
    bps_at: Bps => Bps,
    money_at: Money => Money,
    price_at: Price => crate::domain::Price,
    qty_at: Qty => crate::domain::Qty,
    span_at: Span => Span,
    time_at: Time => crate::domain::Time,
    interval_at: Interval => crate::domain::Interval,
    symbols_at: Symbols => Vec<crate::domain::Symbol>,
    secret_at: Secret => SecretRef,
    bar_age_at: BarAge => crate::risk::rules::BarAge,
    pause_for_at: PauseFor => crate::risk::rules::PauseFor,
}
