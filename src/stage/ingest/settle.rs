//! Settling: raw rows in the order of their source become bars in the order of time, and refused rows with reasons.

use std::ops::Range;

use super::config::Contract;
use super::coverage::Coverage;
use super::finding::{Detector, Finding};
use super::quality::{FileOrder, Quality, RETURN_NOTED};
use super::reason::{Reason, RowCheck, bad_prints, has_bad_print, is_non_positive, violates_ohlc};
use crate::domain::{Interval, Rows, Time};
use crate::feed::Batch;
use crate::store::RefusedRow;

/// Rows of one batch that satisfy the contract, ascending, each time once; and those that do not.
#[derive(Debug, Default)]
pub struct Settled {
    pub rows: Rows,
    /// Where each row stood in the source.
    pub places: Vec<u32>,
    pub refused: Vec<RefusedRow>,
}

/// Settles the batches of one source and gathers its figures.
#[derive(Debug)]
pub struct Settler {
    check: RowCheck,
    max_return: f64,
    refuses_open_bars: bool,
    interval: Interval,
    quality: Quality,
    coverage: Coverage,
    /// The time of the last row in the order of the source.
    last_time: Option<i64>,
    forward: u64,
    backward: u64,
    /// First and last bar of each batch, with closes: returns across batches are counted at the end.
    edges: Vec<[(i64, f64); 2]>,
    detector: Detector,
}

impl Settler {
    #[must_use]
    pub fn new(interval: Interval, contract: &Contract, now: Time) -> Self {
        Self {
            check: RowCheck::new(interval, contract, now),
            max_return: contract.max_return,
            refuses_open_bars: contract.last_bar_closed,
            interval,
            quality: Quality::default(),
            coverage: Coverage::new(interval),
            last_time: None,
            forward: 0,
            backward: 0,
            edges: Vec::new(),
            detector: Detector::new(interval),
        }
    }

    pub(super) const fn interval(&self) -> Interval {
        self.interval
    }

    /// Bars that open in these ranges are not missing.
    #[must_use]
    pub fn excusing(self, excused: Vec<Range<Time>>) -> Self {
        Self { coverage: self.coverage.excusing(excused), ..self }
    }

    /// Was a row of this time in a batch before the last one?
    #[must_use]
    pub fn has_seen(&self, time: i64) -> bool {
        self.coverage.had_before_seal(time)
    }

    /// Settles one batch. `close_before` is the close of the bar before its first one, if there is any.
    pub fn settle(&mut self, batch: Batch, close_before: Option<f64>) -> Settled {
        self.coverage.seal();
        let batch_len = batch.len() as u64;
        let faults = self.check.faults(&batch.rows);
        self.note_rows(&batch, &faults, batch_len);
        let order = self.note_order(&batch.rows);
        let mut judged = Judged { faults, batch, kept: Vec::new() };
        judged.kept = self.resolve_times(&mut judged, &order);
        if self.max_return.is_finite() {
            judged.refuse_bad_prints();
            judged.refuse_outliers(close_before, self.max_return);
        }
        judged.finish(self.refuses_open_bars)
    }

    /// The figures of all batches so far.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let mut quality = self.quality.clone();
        quality.file_order = match (self.forward, self.backward) {
            (_, 0) => FileOrder::Ascending,
            (0, _) => FileOrder::Descending,
            _ => FileOrder::Mixed,
        };
        quality.out_of_order = if quality.file_order == FileOrder::Mixed { self.backward } else { 0 };
        let gaps = self.coverage.gaps();
        quality.gaps = gaps.gaps;
        quality.missing_bars = gaps.missing_bars;
        quality.largest_gaps = gaps.largest;
        quality.distinct_times = gaps.distinct_times;
        let mut edges = self.edges.clone();
        edges.sort_by_key(|[first, _]| first.0);
        let jumps = edges.windows(2).filter(|pair| is_noted(pair[0][1].1, pair[1][0].1));
        quality.large_returns += jumps.count() as u64;
        quality.findings = self.detector.findings();
        if quality.file_order == FileOrder::Descending {
            quality.findings.push(Finding::NewestFirst);
        }
        quality
    }

    /// A row that an earlier batch of the same source had, with the same values or with others.
    pub fn note_duplicate(&mut self, is_same: bool) {
        if is_same {
            self.quality.duplicates_same += 1;
        } else {
            self.quality.duplicates_different += 1;
        }
    }

    fn note_rows(&mut self, batch: &Batch, faults: &[Option<Reason>], len: u64) {
        let (rows, quality) = (&batch.rows, &mut self.quality);
        quality.rows += len;
        quality.odd_close_times += batch.odd_close_times;
        quality.unparsable += batch.unread.len() as u64;
        let bars = &rows.bars;
        quality.zero_volume += count(&bars.volume, |volume| *volume == 0.0);
        quality.negative_volume += count(&bars.volume, |volume| *volume < 0.0);
        quality.bad_prints += bad_prints(rows);
        // A row without a fault stands on the grid and has sound prices.
        for (at, _) in faults.iter().enumerate().filter(|(_, fault)| fault.is_some()) {
            quality.ohlc_violations += u64::from(violates_ohlc(rows, at));
            quality.non_positive += u64::from(is_non_positive(rows, at));
            quality.off_grid += u64::from(!self.interval.is_on_grid(bars.time(at)));
        }
        let times = &bars.open_time;
        if let (Some(before), Some(&first)) = (self.last_time, times.first()) {
            self.forward += u64::from(first > before);
            self.backward += u64::from(first < before);
        }
        self.forward += times.windows(2).filter(|pair| pair[1] > pair[0]).count() as u64;
        self.backward += times.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
        self.last_time = times.last().copied().or(self.last_time);
    }

    /// The order of time, equal times in the order of the source; and what it says about gaps and returns.
    fn note_order(&mut self, rows: &Rows) -> Vec<u32> {
        let bars = &rows.bars;
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        if !bars.open_time.is_sorted() {
            order.sort_by_key(|&at| bars.open_time[at as usize]);
        }
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else { return order };
        let mut before: Option<(i64, f64)> = None;
        for &at in &order {
            let (time, close) = (bars.open_time[at as usize], bars.close[at as usize]);
            match before {
                Some((t, _)) if t == time => continue,
                Some((_, before)) => self.quality.large_returns += u64::from(is_noted(before, close)),
                None => self.edges.push([(time, close); 2]),
            }
            before = Some((time, close));
            self.detector.push(&bars.bar(at as usize));
        }
        if let (Some(edge), Some(before)) = (self.edges.last_mut(), before) {
            edge[1] = before;
        }
        let (first, last) = (bars.time(first as usize), bars.time(last as usize));
        self.quality.first = Some(self.quality.first.map_or(first, |other| other.min(first)));
        self.quality.last = Some(self.quality.last.map_or(last, |other| other.max(last)));
        order
    }

    /// Of rows with one time, keeps the first if all that are sound agree, else refuses them all. Gives the kept rows in order.
    fn resolve_times(&mut self, judged: &mut Judged, order: &[u32]) -> Vec<u32> {
        let rows = &judged.batch.rows;
        let times = &rows.bars.open_time;
        self.coverage.add(order.iter().map(|&at| times[at as usize]));
        let mut kept = Vec::with_capacity(order.len());
        for group in order.chunk_by(|&a, &b| times[a as usize] == times[b as usize]) {
            if let &[only] = group {
                if judged.faults[only as usize].is_none() {
                    kept.push(only);
                }
                continue;
            }
            for (nth, &at) in group.iter().enumerate().skip(1) {
                let is_same = group[..nth].iter().any(|&other| rows.same_values(at as usize, rows, other as usize));
                if is_same {
                    self.quality.duplicates_same += 1;
                } else {
                    self.quality.duplicates_different += 1;
                }
            }
            let sound: Vec<u32> = group.iter().copied().filter(|&at| judged.faults[at as usize].is_none()).collect();
            let Some((&first, others)) = sound.split_first() else { continue };
            if others.iter().all(|&other| rows.same_values(first as usize, rows, other as usize)) {
                kept.push(first);
            } else {
                sound.iter().for_each(|&at| judged.faults[at as usize] = Some(Reason::Conflict));
            }
        }
        kept
    }
}

/// A batch on its way.
struct Judged {
    batch: Batch,
    faults: Vec<Option<Reason>>,
    /// Rows to keep, in the order of time.
    kept: Vec<u32>,
}

impl Judged {
    /// Refuses a bar with a print that no market made: an order sized or priced by it would be wrong.
    fn refuse_bad_prints(&mut self) {
        let (rows, faults) = (&self.batch.rows, &mut self.faults);
        self.kept.retain(|&at| {
            let is_bad = has_bad_print(rows, at as usize);
            if is_bad {
                faults[at as usize] = Some(Reason::BadPrint);
            }
            !is_bad
        });
    }

    /// Refuses a bar whose close is too far from the last kept one. A bar that agrees with the refused one before it is kept:
    /// then the level has moved, and refusing for ever after would be worse than the one hole.
    fn refuse_outliers(&mut self, close_before: Option<f64>, max_return: f64) {
        let closes = &self.batch.rows.bars.close;
        let is_far = |from: f64, to: f64| (to / from - 1.0).abs() > max_return;
        let (mut level, mut refused) = (close_before, None);
        let faults = &mut self.faults;
        self.kept.retain(|&at| {
            let close = closes[at as usize];
            let departs = level.is_some_and(|level| is_far(level, close)) && refused.is_none_or(|refused| is_far(refused, close));
            if departs {
                refused = Some(close);
                faults[at as usize] = Some(Reason::Outlier);
            } else {
                (level, refused) = (Some(close), None);
            }
            !departs
        });
    }

    fn finish(self, refuses_open_bars: bool) -> Settled {
        let Self { mut batch, faults, kept } = self;
        let mut refused = Vec::new();
        for (at, fault) in faults.iter().enumerate() {
            match fault {
                None | Some(Reason::Unparsable) => {}
                Some(Reason::NotClosed) if !refuses_open_bars => {}
                Some(reason) => refused.push(refuse(&batch, at, *reason)),
            }
        }
        refused.extend(batch.unread.iter().map(|unread| RefusedRow {
            place: unread.place,
            open_time: batch.place.binary_search(&unread.place).ok().map(|at| batch.rows.bars.time(at)),
            reason: Reason::Unparsable.code(),
            detail: "a value is no number".to_owned(),
            row: unread.text.clone(),
        }));
        refused.sort_by_key(|row| row.place);
        if kept.is_sorted() {
            if kept.len() < batch.rows.len() {
                batch.rows.keep(&kept);
                batch.place = kept.iter().map(|&at| batch.place[at as usize]).collect();
            }
            return Settled { rows: batch.rows, places: batch.place, refused };
        }
        let places = kept.iter().map(|&at| batch.place[at as usize]).collect();
        Settled { rows: batch.rows.take(&kept), places, refused }
    }
}

fn count(values: &[f64], is_counted: impl Fn(&f64) -> bool) -> u64 {
    values.iter().filter(|value| is_counted(value)).count() as u64
}

fn is_noted(before: f64, close: f64) -> bool {
    (close / before - 1.0).abs() > RETURN_NOTED
}

fn refuse(batch: &Batch, at: usize, reason: Reason) -> RefusedRow {
    let bars = &batch.rows.bars;
    let (open, high, low, close, volume) = (bars.open[at], bars.high[at], bars.low[at], bars.close[at], bars.volume[at]);
    let detail = match reason {
        Reason::NonPositive => format!("the lowest price is {}", open.min(high).min(low).min(close)),
        Reason::Ohlc => format!("open {open}, high {high}, low {low}, close {close}"),
        Reason::NegativeVolume => format!("the volume is {volume}"),
        Reason::TakerVolume => format!("{} was bought of a volume of {volume}", batch.rows.extras.taker_buy_volume[at]),
        Reason::OffGrid => format!("the open time {} is not on the grid", bars.time(at)),
        Reason::NotClosed => format!("the bar of {} is still open", bars.time(at)),
        Reason::Conflict => format!("another row says otherwise about {}", bars.time(at)),
        Reason::Outlier => format!("the close {close} is too far from the one before"),
        Reason::BadPrint => format!("high {high}, low {low}, but open {open}, close {close}"),
        Reason::Partial | Reason::TradesMissing => "not all that it is made of is there".to_owned(),
        Reason::Unparsable => "a value is no number".to_owned(),
    };
    let row = format!("{},{open},{high},{low},{close},{volume}", bars.open_time[at]);
    RefusedRow { place: batch.place[at], open_time: Some(bars.time(at)), reason: reason.code(), detail, row }
}

/// A row that the lake, or an earlier batch, contradicts.
#[must_use]
pub fn refuse_contradicted(settled: &Settled, at: usize) -> RefusedRow {
    let bar = settled.rows.bars.bar(at);
    RefusedRow {
        place: settled.places[at],
        open_time: Some(bar.open_time),
        reason: Reason::Conflict.code(),
        detail: format!("the lake has another bar of {}, which stays", bar.open_time),
        row: format!("{},{},{},{},{},{}", bar.open_time.micros(), bar.open, bar.high, bar.low, bar.close, bar.volume),
    }
}
