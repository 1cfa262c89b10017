//! The language as data: one row for every key that may be written.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::kind::Kind;
use super::path::KeyPath;

/// Stands in a pattern for a name that people give.
pub const NAME: &str = "*";
/// Stands in a pattern for a symbol.
pub const SYMBOL: &str = "@";
/// Stands in a pattern for the number of a table in a list: `[[step]]`.
pub const ITEM: &str = "#";
/// Stands in a pattern for a name that the document's reader checks.
pub const ANY: &str = "?";

/// One key of the language.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path, names that people give as [`NAME`] or [`SYMBOL`].
    pub path: &'static str,
    pub kind: Kind,
    /// What holds when nobody writes it, as text; empty when nothing does.
    pub default: &'static str,
    pub required: bool,
    /// The key has a meaning only while another one holds one of these words.
    pub only: Option<Only>,
    pub effect: Effect,
    pub sealed: bool,
    /// One sentence for a person.
    pub doc: &'static str,
}

/// `key`, its names bound as in the path it guards, holds one of `words`.
#[derive(Debug, Clone, Copy)]
pub struct Only {
    pub key: &'static str,
    pub words: &'static [&'static str],
}

/// Does anything act upon the key?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Now,
    /// Checked, and nothing more yet.
    Later,
}

/// A row of the table; an empty `default` is none.
#[must_use]
pub const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, required: false, only: None, effect: Effect::Now, sealed: false, doc }
}

impl Key {
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    #[must_use]
    pub const fn only(mut self, key: &'static str, words: &'static [&'static str]) -> Self {
        self.only = Some(Only { key, words });
        self
    }

    #[must_use]
    pub const fn later(mut self) -> Self {
        self.effect = Effect::Later;
        self
    }

    /// Only the abstract root may write it.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }
}

/// A row with its path taken apart.
#[derive(Debug)]
pub struct Row {
    pub key: &'static Key,
    pub names: Vec<&'static str>,
    /// The names before the first one that people give.
    pub prefix: KeyPath,
}

impl Row {
    /// The path this row makes below `table`, whose names bind the first ones of the pattern. `None` when it does not fit.
    #[must_use]
    pub fn bind(&self, table: &KeyPath) -> Option<KeyPath> {
        let bound = table.depth();
        let fits = bound < self.names.len() && table.names().zip(&self.names).all(|(name, pattern)| matches(pattern, name));
        fits.then(|| KeyPath::of(table.names().chain(self.names[bound..].iter().copied())))
    }

    /// Names up to and with the last one that people give: the table that must exist before the row has a meaning.
    #[must_use]
    pub fn named_depth(&self) -> usize {
        self.names.iter().rposition(|name| is_wild(name)).map_or(0, |k| k + 1)
    }
}

impl Only {
    /// The path of the key that decides, for a guarded key at `path`.
    #[must_use]
    pub fn bind(&self, path: &KeyPath) -> KeyPath {
        let mut given = path.names();
        KeyPath::of(self.key.split('.').map(|name| {
            let same_depth = given.next();
            if is_wild(name) { same_depth.unwrap_or(name) } else { name }
        }))
    }
}

/// Does the pattern stand for any name?
#[must_use]
pub fn is_wild(pattern: &str) -> bool {
    matches!(pattern, NAME | SYMBOL | ITEM | ANY)
}

/// Does `name` fit one name of a pattern? Whether it is well formed is asked elsewhere.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    is_wild(pattern) || pattern == name
}

/// A kind of document: its rows and what it says of keys that belong elsewhere.
#[derive(Debug)]
pub struct Schema {
    pub rows: Vec<Row>,
    /// The rows whose paths hold no name of a person's choice.
    plain: BTreeMap<KeyPath, usize>,
    /// Another message for some unknown keys, with the table's path and the name.
    pub stranger: fn(&KeyPath) -> Option<Fault>,
    /// Does `enabled = false` remove an inherited entry? Otherwise it stays, and only does not run.
    pub removes: bool,
}

impl Schema {
    #[must_use]
    pub fn new(keys: &'static [Key], stranger: fn(&KeyPath) -> Option<Fault>, removes: bool) -> Self {
        let row = |key: &'static Key| {
            let names: Vec<&str> = key.path.split('.').collect();
            let prefix = KeyPath::of(names.iter().copied().take_while(|name| !is_wild(name)));
            Row { key, names, prefix }
        };
        let rows: Vec<Row> = keys.iter().map(row).collect();
        let plain = rows.iter().enumerate().filter(|(_, row)| row.named_depth() == 0);
        let plain = plain.map(|(at, row)| (KeyPath::dotted(row.key.path), at)).collect();
        Self { rows, plain, stranger, removes }
    }

    /// The row of a path.
    #[must_use]
    pub fn find(&self, path: &KeyPath) -> Option<&Row> {
        // An exact name beats one that people give.
        if let Some(at) = self.plain.get(path) {
            return Some(&self.rows[*at]);
        }
        let depth = path.depth();
        let fits =
            |row: &&Row| row.names.len() == depth && path.names().zip(&row.names).all(|(name, pattern)| matches(pattern, name));
        self.rows.iter().filter(fits).min_by_key(|row| row.names.iter().filter(|name| is_wild(name)).count())
    }

    /// Is it the path of a key or of a table?
    #[must_use]
    pub fn knows(&self, path: &KeyPath) -> bool {
        let walk = path.names().enumerate().try_fold(self.all(), |open, (depth, name)| {
            let next = self.step(&open, depth, name);
            (!next.is_empty()).then_some(next)
        });
        walk.is_some()
    }

    /// The index of every row, for a walk from the root.
    #[must_use]
    pub fn all(&self) -> Vec<usize> {
        (0..self.rows.len()).collect()
    }

    /// The rows of `open` that go on with `name` at `depth`.
    #[must_use]
    pub fn step(&self, open: &[usize], depth: usize, name: &str) -> Vec<usize> {
        let fits = |at: &usize, exact: bool| {
            self.rows[*at].names.get(depth).is_some_and(|pattern| if exact { *pattern == name } else { is_wild(pattern) })
        };
        let exact: Vec<usize> = open.iter().copied().filter(|at| fits(at, true)).collect();
        if exact.is_empty() { open.iter().copied().filter(|at| fits(at, false)).collect() } else { exact }
    }

    /// Do the rows of `open` go on with a list of tables at `depth`?
    #[must_use]
    pub fn is_list(&self, open: &[usize], depth: usize) -> bool {
        open.iter().any(|at| self.rows[*at].names.get(depth) == Some(&ITEM))
    }

    /// The names that may stand at `depth` among `open`, without those that people give.
    #[must_use]
    pub fn names_at(&self, open: &[usize], depth: usize) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for name in open.iter().filter_map(|at| self.rows[*at].names.get(depth).copied()) {
            if !is_wild(name) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
