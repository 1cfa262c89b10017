//! Key paths: how a value of a document is named.

use std::fmt;
use std::sync::Arc;

/// The path of a key from the root of a document: `venue.paper.instrument."BTC/USDT".qty_step`.
///
/// One text for all names, so that a copy costs nothing and a comparison reads memory once: thousands of paths are looked up for
/// each document. The joint sorts below every character that a name may hold, and so paths sort by their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Arc<str>);

/// Stands between two names.
const JOINT: char = '\0';

impl Default for KeyPath {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl KeyPath {
    /// The path that `names` make, outermost first.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for name in names {
            push(&mut text, name);
        }
        Self(text.into())
    }

    /// A path written in the source code, where no name holds a point.
    #[must_use]
    pub fn dotted(text: &str) -> Self {
        Self::of(text.split('.'))
    }

    /// Reads what a person typed, with quotes around names that hold points. `None` when it is no path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        let mut rest = text.trim();
        loop {
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if name.is_empty() {
                return None;
            }
            names.push(name);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Some(Self::of(names)),
                None => return None,
            }
        }
    }

    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + 1 + name.len());
        text.push_str(&self.0);
        push(&mut text, name);
        Self(text.into())
    }

    /// This path followed by one written in the source code.
    #[must_use]
    pub fn join(&self, dotted: &str) -> Self {
        Self::of(self.names().chain(dotted.split('.')))
    }

    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0.rfind(JOINT).map_or("", |at| &self.0[..at]).into())
    }

    /// The first `depth` names.
    #[must_use]
    pub fn head(&self, depth: usize) -> Self {
        Self::of(self.names().take(depth))
    }

    /// Outermost first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split(JOINT).filter(|name| !name.is_empty())
    }

    /// How many names it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    #[must_use]
    pub fn first(&self) -> &str {
        self.names().next().unwrap_or_default()
    }

    #[must_use]
    pub fn last(&self) -> &str {
        self.names().next_back().unwrap_or_default()
    }

    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        let rest = self.0.strip_prefix(&*prefix.0);
        rest.is_some_and(|rest| prefix.is_root() || rest.is_empty() || rest.starts_with(JOINT))
    }

    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// Adds a name. TOML lets a quoted name be empty or hold the joint; no key of ours has such a name, and it must not look like one.
fn push(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push(JOINT);
    }
    match name {
        "" => text.push(char::REPLACEMENT_CHARACTER),
        name if name.contains(JOINT) => text.push_str(&name.replace(JOINT, "\u{fffd}")),
        name => text.push_str(name),
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, name) in self.names().enumerate() {
            if k > 0 {
                f.write_str(".")?;
            }
            if is_bare(name) { f.write_str(name) } else { write!(f, "{name:?}") }?;
        }
        Ok(())
    }
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A name as TOML wants it in a key: bare when it can be.
#[must_use]
pub fn quoted(name: &str) -> String {
    if is_bare(name) { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_sort_by_their_names_and_end_where_a_name_ends() {
        let mut paths = ["a-b", "a.z", "a", "ab", "a.b.c"].map(KeyPath::dotted);
        paths.sort();
        assert_eq!(paths, ["a", "a.b.c", "a.z", "a-b", "ab"].map(KeyPath::dotted));
        assert!(paths[1].starts_with(&paths[0]) && !paths[4].starts_with(&paths[0]) && paths[4].starts_with(&KeyPath::default()));
        assert_eq!((paths[1].parent(), paths[1].head(1), paths[1].depth()), (KeyPath::dotted("a.b"), KeyPath::dotted("a"), 3));
    }

    #[test]
    fn no_name_passes_for_two() {
        let odd = KeyPath::of(["limits\0max_dd_daily"]);
        assert!(odd.depth() == 1 && odd != KeyPath::dotted("limits.max_dd_daily"));
        assert_eq!((KeyPath::of(["a", ""]).depth(), KeyPath::of([""]).is_root()), (2, false));
    }

    #[test]
    fn paths_read_back() {
        for text in ["limits.max_dd_daily", "venue.paper.instrument.\"BTC/USDT\".qty_step", "a.\"b.c\""] {
            assert_eq!(KeyPath::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b"] {
            assert_eq!(KeyPath::parse(wrong), None, "{wrong}");
        }
    }
}
