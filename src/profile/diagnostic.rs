//! What is wrong with a document: gathered in one pass, told with place and fix.

use std::borrow::Cow;
use std::fmt;

use super::path::KeyPath;
use super::source::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    /// Nothing is wrong; somebody may not have meant it.
    Note,
}

impl Severity {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Stable: scripts may match on it.
    pub code: &'static str,
    pub message: String,
    pub place: Option<Place>,
    /// Stands at the caret.
    pub label: String,
    pub key: Option<KeyPath>,
    /// Facts that led here, with the other place involved.
    pub notes: Vec<Note>,
    /// What to write instead.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub text: String,
    pub place: Option<Place>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{}, {place}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl Diagnostic {
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: None,
            label: String::new(),
            key: None,
            notes: Vec::new(),
            hint: None,
        }
    }

    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn remark(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.place = place.into();
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn key(mut self, key: &KeyPath) -> Self {
        self.key = Some(key.clone());
        self
    }

    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(Note { text: text.into(), place: None });
        self
    }

    #[must_use]
    pub fn note_at(mut self, text: impl Into<String>, place: impl Into<Option<Place>>) -> Self {
        self.notes.push(Note { text: text.into(), place: place.into() });
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Diagnostic {
    /// The finding as it may be shown: what is covered at its places is not quoted in its words either. PROFILE-4.
    #[must_use]
    pub fn discreet(&self) -> Cow<'_, Self> {
        if !self.places().any(|place| place.source.hides()) {
            return Cow::Borrowed(self);
        }
        let mut shown = self.clone();
        let notes = shown.notes.iter_mut().map(|note| &mut note.text);
        for words in [&mut shown.message, &mut shown.label].into_iter().chain(&mut shown.hint).chain(notes) {
            *words = self.without_covered(std::mem::take(words));
        }
        Cow::Owned(shown)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.place.iter().chain(self.notes.iter().filter_map(|note| note.place.as_ref()))
    }

    /// The key that is spoken of, as it may be shown.
    #[must_use]
    pub fn shown_key(&self) -> Option<String> {
        self.key.as_ref().map(|key| self.without_covered(key.to_string()))
    }

    fn without_covered(&self, words: String) -> String {
        self.places().fold(words, |words, place| match place.source.discreet(&words) {
            Cow::Owned(discreet) => discreet,
            Cow::Borrowed(_) => words,
        })
    }
}

/// Everything found in one pass, errors and warnings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, found: Diagnostic) {
        self.0.push(found);
    }

    pub fn extend(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(found);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|d| d.severity == Severity::Error).count()
    }

    #[must_use]
    pub fn warnings(&self) -> usize {
        self.0.iter().filter(|d| d.severity == Severity::Warning).count()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Errors first, then by file and line; nothing twice.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let rank = |d: &Diagnostic| {
            let place = d.place.as_ref();
            (d.severity, place.is_some(), place.map(|p| p.source.name.clone()), place.map(|p| p.span.start), d.code)
        };
        self.0.sort_by_key(rank);
        self.0.dedup();
        self
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    /// The first error and how many follow, for a chain of causes; [`super::render`] shows them whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.iter().find(|d| d.severity == Severity::Error).or_else(|| self.0.first()) else {
            return f.write_str("nothing was found");
        };
        if let Some(place) = &first.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&first.discreet().message)?;
        match self.errors() {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for Diagnostics {}
