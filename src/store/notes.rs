//! What a manifest says about times beyond the bars that are there: holes that were accepted, bars that were taken away, bars that
//! two sources disagree about, and bars that were replaced.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fingerprint::Content;
use super::manifest::text;
use crate::domain::Time;

/// So many notes of a kind are kept; beyond it the two oldest become one.
pub const NOTES_MAX: usize = 2048;

/// A hole that is the venue's own, accepted by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    #[serde(with = "text")]
    pub from: Time,
    /// The first open time behind it.
    #[serde(with = "text")]
    pub to: Time,
    pub reason: String,
    pub by: String,
    #[serde(with = "text")]
    pub at: Time,
}

/// Bars that were taken away because nobody keeps them for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    #[serde(with = "text")]
    pub from: Time,
    #[serde(with = "text")]
    pub to: Time,
    pub rows: u64,
    /// Sum of the fingerprints of the bars.
    pub content: String,
    #[serde(with = "text")]
    pub at: Time,
}

/// Bars about which a source said otherwise than the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disputed {
    #[serde(with = "text")]
    pub from: Time,
    #[serde(with = "text")]
    pub to: Time,
    /// Who said otherwise last.
    pub source: String,
    #[serde(with = "text")]
    pub at: Time,
}

/// Bars that were replaced; as they were they lie in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    #[serde(with = "text")]
    pub from: Time,
    #[serde(with = "text")]
    pub to: Time,
    /// Bars replaced.
    pub rows: u64,
    /// Sum of the fingerprints of those bars as they were, and as they are.
    pub before: String,
    pub after: String,
    /// Who said what they are now.
    pub source: String,
    /// Where they were a file of an archive: its SHA-256 as it was taken in first, and now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<[String; 2]>,
    #[serde(with = "text")]
    pub at: Time,
}

impl Accepted {
    #[must_use]
    pub fn range(&self) -> Range<Time> {
        self.from..self.to
    }
}

impl Retired {
    #[must_use]
    pub fn range(&self) -> Range<Time> {
        self.from..self.to
    }
}

impl Disputed {
    #[must_use]
    pub fn range(&self) -> Range<Time> {
        self.from..self.to
    }
}

impl Repair {
    #[must_use]
    pub fn range(&self) -> Range<Time> {
        self.from..self.to
    }
}

/// Adds a dispute. One that lies beside another, or within it, is the same.
pub(super) fn dispute(list: &mut Vec<Disputed>, new: Disputed) {
    if list.iter().any(|old| old.from <= new.from && new.to <= old.to) {
        return;
    }
    let mut new = new;
    list.retain(|old| {
        let is_apart = old.to < new.from || new.to < old.from;
        if !is_apart {
            (new.from, new.to) = (new.from.min(old.from), new.to.max(old.to));
        }
        is_apart
    });
    list.push(new);
    list.sort_by_key(|disputed| disputed.from);
    while list.len() > NOTES_MAX {
        let second = list.remove(1);
        list[0].to = list[0].to.max(second.to);
    }
}

/// Takes a range out of every dispute: somebody was asked who is right.
pub(super) fn settle(list: &mut Vec<Disputed>, range: &Range<Time>) {
    let cut = |disputed: Disputed| {
        let before = Disputed { to: disputed.to.min(range.start), ..disputed.clone() };
        let behind = Disputed { from: disputed.from.max(range.end), ..disputed };
        [before, behind].into_iter().filter(|part| part.from < part.to)
    };
    *list = std::mem::take(list).into_iter().flat_map(cut).collect();
}

/// Adds bars that were taken away.
pub(super) fn retire(list: &mut Vec<Retired>, new: Retired) {
    list.push(new);
    while list.len() > NOTES_MAX {
        let second = list.remove(1);
        let sum = |a: &str, b: &str| Some(Content::from_hex(a)?.and(Content::from_hex(b)?).to_hex());
        let first = &mut list[0];
        (first.from, first.to) = (first.from.min(second.from), first.to.max(second.to));
        first.rows += second.rows;
        first.content = sum(&first.content, &second.content).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hour: i64) -> Time {
        Time::from_micros(hour * 3_600_000_000)
    }

    fn disputed(from: i64, to: i64) -> Disputed {
        Disputed { from: time(from), to: time(to), source: "a".to_owned(), at: time(0) }
    }

    fn hours(list: &[Disputed]) -> Vec<(i64, i64)> {
        list.iter().map(|d| (d.from.micros() / 3_600_000_000, d.to.micros() / 3_600_000_000)).collect()
    }

    #[test]
    fn disputes_that_touch_are_one_and_settling_cuts_them() {
        let mut list = Vec::new();
        for (from, to) in [(5, 6), (7, 8), (6, 7), (6, 7), (20, 21), (1, 2)] {
            dispute(&mut list, disputed(from, to));
        }
        assert_eq!(hours(&list), [(1, 2), (5, 8), (20, 21)]);
        settle(&mut list, &(time(6)..time(7)));
        assert_eq!(hours(&list), [(1, 2), (5, 6), (7, 8), (20, 21)]);
        settle(&mut list, &(time(0)..time(30)));
        assert_eq!(hours(&list), []);
    }

    #[test]
    fn the_list_of_disputes_has_an_end_and_loses_none() {
        let mut list = Vec::new();
        (0..NOTES_MAX as i64 + 10).for_each(|nth| dispute(&mut list, disputed(nth * 2, nth * 2 + 1)));
        assert_eq!(list.len(), NOTES_MAX);
        assert_eq!((list[0].from, list[0].to), (time(0), time(21)));
    }
}
