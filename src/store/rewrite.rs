//! Making a series over: many parts become few, old bars go, wrong bars are replaced. Until the commit nobody sees any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fingerprint::Content;
use super::lake::overlapping;
use super::manifest::{Manifest, Part};
use super::notes::{self, Accepted, Disputed, NOTES_MAX, Repair, Retired};
use super::{LakeError, Writer};
use crate::domain::{Interval, Projection, Rows, Time};

/// A compacted part covers the time of so many bars: a year of minutes is one part, and making it takes 100 MB or so.
const WINDOW_BARS: i64 = 1 << 20;
const EVER: Range<i64> = i64::MIN..i64::MAX;

/// What a compaction did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Bars of the parts that are written anew.
    pub rows: u64,
    pub parts_before: usize,
    pub parts_after: usize,
    pub bytes_before: u64,
    /// None where nothing was written yet.
    pub bytes_after: Option<u64>,
}

/// Bars that were replaced, as they were and as they are; and how many were right.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replaced {
    pub before: Rows,
    pub after: Rows,
    pub same: u64,
}

impl Compacted {
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.rows > 0
    }

    /// What a compaction would do.
    #[must_use]
    pub fn planned(manifest: &Manifest, interval: Interval) -> Self {
        let plan = Plan::of(&manifest.parts, interval);
        Self {
            rows: plan.parts.iter().map(|part| part.rows).sum(),
            parts_before: manifest.parts.len(),
            parts_after: manifest.parts.len() - plan.parts.len() + plan.windows.len(),
            bytes_before: bytes(manifest),
            bytes_after: None,
        }
    }
}

fn bytes(manifest: &Manifest) -> u64 {
    manifest.parts.iter().map(|part| part.bytes).sum()
}

/// Which parts are written anew, and as what.
struct Plan {
    /// Ranges of time that become one part each, ascending.
    windows: Vec<Range<i64>>,
    parts: Vec<Part>,
}

impl Plan {
    /// Windows of which two parts have bars, and those of every part that reaches into them.
    fn of(parts: &[Part], interval: Interval) -> Self {
        let windows: Vec<Vec<i64>> = parts.iter().map(|part| windows_of(part, interval)).collect();
        let mut users: BTreeMap<i64, usize> = BTreeMap::new();
        for window in windows.iter().flatten() {
            *users.entry(*window).or_default() += 1;
        }
        let crowded = |window: &i64| users[window] > 1;
        let mut wanted: BTreeSet<i64> = users.keys().copied().filter(crowded).collect();
        wanted.extend(windows.iter().filter(|own| own.len() > 1).flatten());
        // A part that is taken apart is written anew wherever it has bars.
        loop {
            let touched = windows.iter().filter(|own| own.iter().any(|window| wanted.contains(window)));
            let all: BTreeSet<i64> = touched.flatten().copied().collect();
            if all == wanted {
                break;
            }
            wanted = all;
        }
        let is_taken = |own: &[i64]| own.iter().any(|window| wanted.contains(window));
        let taken = parts.iter().zip(&windows).filter(|(_, own)| is_taken(own));
        Self {
            parts: taken.map(|(part, _)| part.clone()).collect(),
            windows: wanted.iter().map(|start| window_at(*start, interval)).collect(),
        }
    }
}

/// Where the windows begin that a part reaches into.
fn windows_of(part: &Part, interval: Interval) -> Vec<i64> {
    let mut found = vec![window_at(part.first.micros(), interval).start];
    loop {
        let end = window_at(found[found.len() - 1], interval).end;
        if end > part.last.micros() {
            return found;
        }
        found.push(end);
    }
}

/// The window that a time lies in: cut by its length from the start of the year on.
fn window_at(time: i64, interval: Interval) -> Range<i64> {
    let year = Time::from_micros(time).year();
    let start = Time::start_of_year(year).micros();
    let length = interval.span().micros().saturating_mul(WINDOW_BARS);
    let from = start + (time - start).div_euclid(length) * length;
    from..from.saturating_add(length).min(Time::start_of_year(year.saturating_add(1)).micros())
}

impl Writer<'_> {
    /// Makes one part of the many that hold the bars of a stretch of time. The bars stay as they are. `None` once `stop` is set: drop
    /// the writer, and the series is as it was. `progress` hears how many bars were written.
    ///
    /// # Errors
    /// When a part cannot be read or the disk fails.
    pub fn compact(&mut self, stop: &AtomicBool, progress: &mut dyn FnMut(u64)) -> Result<Option<Compacted>, LakeError> {
        let interval = self.series.interval();
        let mut done = Compacted::planned(&self.next, interval);
        let plan = Plan::of(&self.next.parts, interval);
        if !done.is_needed() {
            return Ok(Some(Compacted { bytes_after: Some(done.bytes_before), ..done }));
        }
        let before = content(&self.next.parts);
        self.begin()?;
        let mut written = 0;
        for window in &plan.windows {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let rows = self.read_of(&plan.parts, window, Projection::ALL)?;
            if !rows.is_empty() {
                self.add_part(&rows, 0..rows.len())?;
            }
            written += rows.len() as u64;
            progress(written);
        }
        for part in &plan.parts {
            self.drop_part(&part.file)?;
        }
        assert!(content(&self.next.parts) == before, "LAKE-2: compaction changes no bar");
        done.parts_after = self.next.parts.len();
        done.bytes_after = Some(bytes(&self.next));
        Ok(Some(done))
    }

    /// Takes away the bars that open before `before`, and remembers that they were there.
    ///
    /// # Errors
    /// When a part cannot be read or the disk fails.
    pub fn retire(&mut self, before: Time, at: Time) -> Result<Option<Retired>, LakeError> {
        let old = i64::MIN..before.micros();
        let Some(first) = self.next.first().filter(|first| *first < before) else { return Ok(None) };
        self.begin()?;
        let (mut gone, mut rows_gone) = (Content::default(), 0);
        let parts: Vec<Part> = overlapping(&self.next.parts, &old).cloned().collect();
        for part in parts {
            let one = std::slice::from_ref(&part);
            let rows = self.read_of(one, &EVER, Projection::ALL)?;
            let kept = rows.bars.lower_bound(before);
            gone = gone.and(Content::of(&rows.bars, 0..kept));
            rows_gone += kept as u64;
            if kept < rows.len() {
                self.add_part(&rows, kept..rows.len())?;
            }
            self.drop_part(&part.file)?;
        }
        let retired = Retired { from: first, to: before, rows: rows_gone, content: gone.to_hex(), at };
        notes::retire(&mut self.next.retired, retired.clone());
        notes::settle(&mut self.next.disputed, &(Time::MIN..before));
        Ok(Some(retired))
    }

    /// Gives bars that are there the values of `rows`, which ascend. Rows of bars that are not there are passed over.
    ///
    /// # Errors
    /// When they do not ascend, a part cannot be read, or the disk fails.
    pub fn replace(&mut self, rows: &Rows) -> Result<Replaced, LakeError> {
        if !rows.is_ascending() {
            return Err(LakeError::NotAscending);
        }
        let (Some(&first), Some(&last)) = (rows.bars.open_time.first(), rows.bars.open_time.last()) else {
            return Ok(Replaced::default());
        };
        let mut done = Replaced::default();
        let parts: Vec<Part> = overlapping(&self.next.parts, &(first..last + 1)).cloned().collect();
        for part in parts {
            let there = self.read_of(std::slice::from_ref(&part), &EVER, Projection::ALL)?;
            let pairs = pairs(&there, rows);
            let (same, wrong): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(at, new)| there.same_values(*at, rows, *new));
            done.same += same.len() as u64;
            if wrong.is_empty() {
                continue;
            }
            let olds: Vec<u32> = wrong.iter().map(|(at, _)| *at as u32).collect();
            let news: Vec<u32> = wrong.iter().map(|(_, new)| *new as u32).collect();
            let (mut before, mut after) = (there.take(&olds), rows.take(&news));
            let right = put(there, after.clone(), &olds);
            done.before.append(&mut before);
            done.after.append(&mut after);
            self.begin()?;
            self.add_part(&right, 0..right.len())?;
            self.drop_part(&part.file)?;
        }
        (done.before, done.after) = (sorted(&done.before), sorted(&done.after));
        Ok(done)
    }

    /// Remembers that bars were replaced.
    pub fn note_repair(&mut self, repair: Repair) {
        self.next.repairs.push(repair);
        let surplus = self.next.repairs.len().saturating_sub(NOTES_MAX);
        self.next.repairs.drain(..surplus);
    }

    /// Accepts a hole. One that lies within an accepted one changes nothing.
    pub fn accept(&mut self, accepted: Accepted) {
        self.next.accepted.push(accepted);
        self.next.accepted.sort_by_key(|accepted| accepted.from);
    }

    /// Takes back what was accepted of exactly this range; false if nothing was.
    pub fn revoke(&mut self, range: &Range<Time>) -> bool {
        let before = self.next.accepted.len();
        self.next.accepted.retain(|accepted| accepted.range() != *range);
        self.next.accepted.len() < before
    }

    /// Remembers that a source says otherwise about bars of this range.
    pub fn dispute(&mut self, disputed: Disputed) {
        notes::dispute(&mut self.next.disputed, disputed);
    }

    /// Ends every dispute about this range.
    pub fn settle_disputes(&mut self, range: &Range<Time>) {
        notes::settle(&mut self.next.disputed, range);
    }
}

fn content(parts: &[Part]) -> (u64, Option<Content>) {
    let sum = parts.iter().try_fold(Content::default(), |sum, part| Some(sum.and(Content::from_hex(&part.content)?)));
    (parts.iter().map(|part| part.rows).sum(), sum)
}

/// Where both have a bar of the same time: the places in `there` and in `rows`. Both ascend.
fn pairs(there: &Rows, rows: &Rows) -> Vec<(usize, usize)> {
    let times = &rows.bars.open_time;
    let mut found = Vec::new();
    let mut next = 0;
    for (at, time) in there.bars.open_time.iter().enumerate() {
        while times.get(next).is_some_and(|other| other < time) {
            next += 1;
        }
        if times.get(next) == Some(time) {
            found.push((at, next));
        }
    }
    found
}

/// `there` with the rows at `places` replaced.
fn put(mut there: Rows, mut new: Rows, places: &[u32]) -> Rows {
    let len = there.len() as u32;
    let mut order: Vec<u32> = (0..len).collect();
    for (nth, place) in places.iter().enumerate() {
        order[*place as usize] = len + nth as u32;
    }
    there.append(&mut new);
    there.take(&order)
}

fn sorted(rows: &Rows) -> Rows {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_by_key(|&at| rows.bars.open_time[at as usize]);
    rows.take(&order)
}
