//! Why a value does not fit, and what was probably meant.

use std::ops::Range;

/// Why a value does not fit its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub code: &'static str,
    pub message: String,
    pub label: String,
    pub hint: String,
    /// The part of a list that is wrong.
    pub span: Option<Range<usize>>,
    /// The other wrong parts of the same list.
    pub more: Vec<Self>,
}

impl Fault {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self { code, message: message.into(), label: label.into(), hint: hint.into(), span: None, more: Vec::new() })
    }
}

impl Fault {
    /// A list that came as text has no places of its own.
    pub(super) fn without_spans(mut self) -> Self {
        self.span = None;
        self.more = self.more.into_iter().map(Self::without_spans).collect();
        self
    }
}

/// The known name that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase().replace('-', "_");
    let distance = |other: &str| strsim::damerau_levenshtein(&lower, &other.to_lowercase().replace('-', "_"));
    let (far, near) = known.into_iter().map(|other| (distance(other), other)).min_by_key(|(far, _)| *far)?;
    (far <= (name.chars().count() / 3).clamp(1, 4)).then_some(near)
}
