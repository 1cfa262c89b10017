//! Key paths: how a value of a document is named.

use std::fmt;

/// The path of a key from the root of a document: `venue.paper.instrument."BTC/USDT".qty_step`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path that `names` make, outermost first.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
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
            names.push(name.to_owned());
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Some(Self(names)),
                None => return None,
            }
        }
    }

    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut names = Vec::with_capacity(self.0.len() + 1);
        names.extend_from_slice(&self.0);
        names.push(name.to_owned());
        Self(names)
    }

    /// This path followed by one written in the source code.
    #[must_use]
    pub fn join(&self, dotted: &str) -> Self {
        let mut names = self.0.clone();
        names.extend(dotted.split('.').map(str::to_owned));
        Self(names)
    }

    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    #[must_use]
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    #[must_use]
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, name) in self.0.iter().enumerate() {
            if k > 0 {
                f.write_str(".")?;
            }
            f.write_str(&quoted(name))?;
        }
        Ok(())
    }
}

/// A name as TOML wants it in a key: bare when it can be.
#[must_use]
pub fn quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
