//! Texts that people wrote, and places in them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::likely;

/// Shorter words are no secrets, and may stand in any message.
const QUOTED_MIN: usize = 4;

/// One text: a file, one variable of the environment, or one `--set` argument.
#[derive(Debug)]
pub struct Source {
    /// As a person finds it again: `profiles/base.toml`, `environment`, `--set`.
    pub name: String,
    text: String,
    /// Bytes that may be a secret. They are covered wherever the text is shown.
    covered: Mutex<Vec<Range<usize>>>,
    /// What looks like a secret wherever it stands, once somebody wants to show the text.
    likely: OnceLock<Vec<Range<usize>>>,
}

impl Source {
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), covered: Mutex::default(), likely: OnceLock::new() })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// From now on the bytes of `span` are shown as stars.
    pub fn cover(&self, span: Range<usize>) {
        self.covered.lock().unwrap_or_else(PoisonError::into_inner).push(span);
    }

    /// Is there anything that is not to be shown?
    #[must_use]
    pub fn hides(&self) -> bool {
        !self.likely().is_empty() || !self.covered.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn likely(&self) -> &[Range<usize>] {
        self.likely.get_or_init(|| likely::secrets(&self.text).collect())
    }

    /// What is not to be shown, in order and possibly overlapping.
    fn hidden(&self) -> Vec<Range<usize>> {
        let mut hidden = self.covered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hidden.extend_from_slice(self.likely());
        hidden.sort_by_key(|span| (span.start, span.end));
        hidden
    }

    /// The text as it may be shown. Spans stay valid: every covered byte becomes one star.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        let hidden = self.hidden();
        if hidden.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let mut shown = String::with_capacity(self.text.len());
        let (mut next, mut until) = (0, 0);
        for (at, c) in self.text.char_indices() {
            while next < hidden.len() && hidden[next].start <= at {
                until = until.max(hidden[next].end);
                next += 1;
            }
            if c != '\n' && at < until {
                shown.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                shown.push(c);
            }
        }
        Cow::Owned(shown)
    }

    /// Words about this text as they may be shown: what is covered in it does not come back as a quotation.
    #[must_use]
    pub fn discreet<'a>(&self, words: &'a str) -> Cow<'a, str> {
        let mut words = Cow::Borrowed(words);
        for span in self.hidden() {
            let covered = self.text.get(span).unwrap_or_default();
            // Messages quote values without what stands around them.
            let bare = covered.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']'));
            for quoted in [covered.trim(), bare] {
                if quoted.len() >= QUOTED_MIN && words.contains(quoted) {
                    words = Cow::Owned(words.replace(quoted, "***"));
                }
            }
        }
        words
    }

    /// Line and column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A stretch of a text.
#[derive(Debug, Clone)]
pub struct Place {
    pub source: Arc<Source>,
    pub span: Range<usize>,
}

impl Place {
    #[must_use]
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span }
    }

    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        self.source.line_column(self.span.start)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let same = || self.source.name == other.source.name && self.source.text == other.source.text;
        self.span == other.span && (Arc::ptr_eq(&self.source, &other.source) || same())
    }
}

impl fmt::Display for Place {
    /// `profiles/base.toml:31`; what is not a file has no lines worth naming.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if std::path::Path::new(&self.source.name).extension().is_some() {
            write!(f, "{}:{}", self.source.name, self.line_column().0)
        } else if self.source.name == self.source.text {
            f.write_str(&self.source.name)
        } else {
            write!(f, "{} {}", self.source.name, self.source.shown())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a.toml", "é = 1\nöö = 2\n");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(source.text().find('2').unwrap()), (2, 6));
        assert_eq!(Place::new(&source, 7..8).to_string(), "a.toml:2");
    }

    #[test]
    fn covered_bytes_are_never_shown() {
        let source = Source::new("a.toml", "key = \"hünter2\"\nb = 1");
        source.cover(6..15);
        assert_eq!(source.shown().len(), source.text().len());
        assert_eq!(source.shown(), "key = *********\"\nb = 1");
        assert_eq!(source.discreet("hünter2 is no word"), "*** is no word");
        // In any order, over and beside each other, and nothing of no length.
        [17..19, 7..8, 3..3, 0..3].into_iter().for_each(|span| source.cover(span));
        assert_eq!(source.shown(), "*** = *********\"\n**= 1");
    }
}
