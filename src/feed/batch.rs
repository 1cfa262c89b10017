//! Raw rows on their way from a source to the checks.

use crate::domain::Rows;

/// Rows as the source has them: in its order, with its faults.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Where each row stands in its source, counted from 1.
    pub place: Vec<u32>,
    /// Their values. A price or volume that is no number is NaN.
    pub rows: Rows,
    /// Text of the rows that have a value which is no number, ascending by place.
    pub unread: Vec<Unread>,
    /// Rows whose close time is not that of their interval: venues cut bars short when they stop.
    pub odd_close_times: u64,
}

/// A row that could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub place: u32,
    /// Whether its time could be read, so that its values stand in the columns; if not, it is here only.
    pub has_time: bool,
    pub text: String,
}

impl Batch {
    /// Rows in the columns and beside them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.place.len() + self.unread.iter().filter(|unread| !unread.has_time).count()
    }

    /// An empty batch in the memory of rows that are done with, whose pages need not be asked for again.
    #[must_use]
    pub fn reusing(mut rows: Rows, mut place: Vec<u32>) -> Self {
        rows.clear();
        place.clear();
        Self { place, rows, ..Self::default() }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.place.is_empty() && self.unread.is_empty()
    }
}
