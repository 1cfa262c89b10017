//! One symbol's bars on their way: what has come, what lacks, what is asked for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::page::Row;
use super::figures::Figures;
use crate::domain::{Interval, Span, Symbol, Time};

/// A bar marked closed so shortly before its time is held until then; clocks tick apart.
const EARLY_MAX: Span = Span::from_secs(2);
/// So long after its close a bar that did not come is asked for.
pub const LATE_AFTER: Span = Span::from_secs(5);
/// What the venue lacks is asked for so often, over half a minute: its REST API may be behind its streams.
const FILL_ATTEMPTS_MAX: u32 = 6;
/// The pause before the second attempt; it doubles with each.
const BACKOFF: Span = Span::from_secs(1);
const BACKOFF_DOUBLINGS_MAX: u32 = 6;
/// Bars that wait while others are asked for; what comes beyond is asked for too.
const WAITING_MAX: usize = 1024;
/// Bars handed on that are remembered to tell the same again from another.
const RECENT_MAX: usize = 16;
/// Bars of one job.
const JOB_BARS_MAX: usize = 256;
/// A symbol of which nothing is heard for so long is stale.
const SILENCE_STALE: Span = Span::from_secs(90);
/// And so is one whose last bar is so many bars old.
const BARS_STALE: i64 = 2;

/// Work for whoever asks the venue and keeps bars; a line has one at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which of the symbols, in the order they were given.
    pub line: usize,
    pub task: Task,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Ask the venue for the bars of this range that are not there.
    Fill(Range<Time>),
    /// Keep these bars, ascending.
    Keep(Vec<Row>),
}

#[derive(Debug)]
pub struct Line {
    pub symbol: Symbol,
    interval: Interval,
    /// Open time of the first bar that is not settled.
    next: Time,
    /// Bars that have come and were not handed on.
    waiting: BTreeMap<Time, Row>,
    /// Bars that open before this may have passed by unseen: they are asked for before any is handed on.
    doubt: Time,
    job: Option<Task>,
    /// Fills in a row that left something out, and jobs in a row that failed.
    attempts: u32,
    failures: u32,
    retry_at: Option<Time>,
    recent: BTreeMap<Time, Row>,
    heard: Time,
    /// Close of the last bar that is there.
    seen_until: Time,
    pub is_stale: bool,
}

impl Line {
    pub fn new(symbol: Symbol, interval: Interval, next: Time, now: Time) -> Self {
        Self {
            symbol,
            interval,
            next,
            waiting: BTreeMap::new(),
            doubt: Time::MIN,
            job: None,
            attempts: 0,
            failures: 0,
            retry_at: None,
            recent: BTreeMap::new(),
            heard: now,
            seen_until: next,
            is_stale: false,
        }
    }

    pub fn next(&self) -> Time {
        self.next
    }

    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    fn close_of(&self, open: Time) -> Time {
        open + self.interval.span()
    }

    /// Bars that open before this have closed.
    fn closed(&self, settled_now: Time) -> Time {
        let span = self.interval.span().micros();
        Time::from_micros(settled_now.micros().div_euclid(span) * span)
    }

    pub fn hear(&mut self, now: Time) {
        self.heard = now;
    }

    /// A connection began: what closed before may have passed by unseen.
    pub fn doubt_until_now(&mut self, settled_now: Time) {
        self.doubt = self.doubt.max(self.closed(settled_now));
    }

    /// A bar that is marked closed.
    pub fn take(&mut self, row: Row, settled_now: Time, figures: &mut Figures) {
        let open = row.open_time;
        // STREAM-1: what is marked closed long before its time is not that bar.
        if self.close_of(open) > settled_now + EARLY_MAX {
            figures.early += 1;
            return;
        }
        if self.waiting.get(&open).or_else(|| self.recent.get(&open)) == Some(&row) {
            figures.duplicates += 1;
            return;
        }
        // Neither can be believed before the venue was asked. What is settled already is for the lake to judge.
        if self.waiting.contains_key(&open) && open >= self.next {
            figures.conflicts += 1;
            self.waiting.remove(&open);
            self.doubt = self.doubt.max(self.close_of(open));
            return;
        }
        let is_behind = self.waiting.last_key_value().is_some_and(|(last, _)| *last > open);
        figures.late += u64::from(open < self.next || is_behind);
        if self.waiting.len() >= WAITING_MAX {
            self.doubt = self.doubt.max(self.close_of(open));
            return;
        }
        self.waiting.entry(open).or_insert(row);
    }

    /// What is to be done now, if anything is.
    pub fn work(&mut self, settled_now: Time, now: Time, figures: &mut Figures) -> Option<Task> {
        if self.job.is_some() || self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let task = self.late_bars().or_else(|| self.due(settled_now))?;
        match &task {
            Task::Keep(rows) => rows.iter().for_each(|row| {
                self.waiting.remove(&row.open_time);
            }),
            Task::Fill(_) => figures.gaps += u64::from(self.attempts == 0 && self.failures == 0),
        }
        self.job = Some(task.clone());
        Some(task)
    }

    /// Bars that came when theirs was settled: the lake says whether they are new, the same or others.
    fn late_bars(&self) -> Option<Task> {
        let rows: Vec<Row> = self.waiting.range(..self.next).map(|(_, row)| *row).take(JOB_BARS_MAX).collect();
        (!rows.is_empty()).then_some(Task::Keep(rows))
    }

    fn due(&self, settled_now: Time) -> Option<Task> {
        let closed = self.closed(settled_now);
        if self.next >= closed {
            return None;
        }
        if self.doubt > self.next {
            return Some(Task::Fill(self.next..self.doubt.min(closed)));
        }
        let (mut run, mut open) = (Vec::new(), self.next);
        while open < closed && run.len() < JOB_BARS_MAX {
            let Some(row) = self.waiting.get(&open) else { break };
            run.push(*row);
            open = self.close_of(open);
        }
        if !run.is_empty() {
            return Some(Task::Keep(run));
        }
        // STREAM-2: what lies before the first that came is asked for first.
        let later = self.waiting.range(self.next..closed).next().map(|(open, _)| *open);
        match later {
            Some(open) => Some(Task::Fill(self.next..open)),
            None => (self.close_of(self.next) + LATE_AFTER <= settled_now).then_some(Task::Fill(self.next..closed)),
        }
    }

    /// The venue was asked; `added` bars came, and the `holes` of the range are still there. Gives the range.
    pub fn filled(&mut self, added: u64, holes: &[Range<Time>], now: Time, figures: &mut Figures) -> Option<Range<Time>> {
        let Some(Task::Fill(range)) = self.job.take() else { return None };
        (self.failures, self.retry_at) = (0, None);
        figures.filled += added;
        let there = match holes.last() {
            Some(hole) if hole.end >= range.end => hole.start,
            _ => range.end,
        };
        if there > range.start {
            self.seen_until = self.seen_until.max(there);
        }
        let lacking = self.lacking(holes);
        self.attempts += 1;
        if lacking == 0 || self.attempts >= FILL_ATTEMPTS_MAX {
            figures.holes += lacking;
            self.attempts = 0;
            self.next = self.next.max(range.end);
            return Some(range);
        }
        self.next = holes.first().map_or(self.next, |hole| hole.start.max(self.next));
        self.retry_at = Some(now + backoff(self.attempts));
        Some(range)
    }

    /// Bars of the holes that have not come over the stream either.
    fn lacking(&self, holes: &[Range<Time>]) -> u64 {
        let mut lacking = 0;
        for hole in holes {
            let bars = (hole.end - hole.start).micros() / self.interval.span().micros();
            let came = self.waiting.range(hole.clone()).count() as u64;
            lacking += bars.unsigned_abs().saturating_sub(came);
        }
        lacking
    }

    /// The bars of the job are in the lake, or were judged by it.
    pub fn kept(&mut self) -> Vec<Row> {
        let Some(Task::Keep(rows)) = self.job.take() else { return Vec::new() };
        (self.failures, self.retry_at) = (0, None);
        for row in &rows {
            // STREAM-3: bars of one job follow one another, and the first is the next or was settled before.
            if row.open_time == self.next {
                self.next = self.close_of(row.open_time);
            }
            self.seen_until = self.seen_until.max(self.close_of(row.open_time));
            self.recent.insert(row.open_time, *row);
        }
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
        rows
    }

    /// The job came to nothing, and is done again later: at `until` if that is known.
    pub fn failed(&mut self, until: Option<Time>, now: Time, figures: &mut Figures) {
        if let Some(Task::Keep(rows)) = self.job.take() {
            for row in rows {
                self.waiting.entry(row.open_time).or_insert(row);
            }
        }
        figures.retries += 1;
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(until.unwrap_or_else(|| now + backoff(self.failures)).max(now + BACKOFF));
    }

    /// B15: is it so long that nothing was heard, or that no bar came, that its prices are old?
    pub fn is_stale_at(&self, settled_now: Time, now: Time) -> bool {
        let old = Span::from_micros(self.interval.span().micros() * BARS_STALE);
        now - self.heard >= SILENCE_STALE || settled_now - self.seen_until >= old
    }
}

fn backoff(attempts: u32) -> Span {
    Span::from_micros(BACKOFF.micros() << attempts.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX))
}

const _: () = assert!(EARLY_MAX.micros() < LATE_AFTER.micros() && RECENT_MAX < WAITING_MAX);
