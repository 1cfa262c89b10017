//! Findings: what a series of bars is like as a whole, beyond rows that are wrong by themselves. Each has a name.
//!
//! The thresholds are set so that sound series of every kind at hand, from seconds to days, give no finding: see the table in
//! `tests/it/findings.rs`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::coverage::text;
use crate::domain::{Bar, Interval, Span, Time};

/// So many bars in a row that continue the step before them are filled in. One such bar happens by chance in thinly traded
/// minutes; two have not been seen, and three need six figures to agree.
const STRAIGHT_RUN_MIN: u64 = 3;
/// Steps are equal within this share of the value: rounding of the source, not of the market.
const STEP_TOLERANCE: f64 = 1e-9;
/// One or two empty bars stand where a venue halted or a market slept; three in a row are a habit of the series.
const QUIET_RUN_MIN: u64 = 3;
/// Identical bars with volume, prices and volume all: in seconds of a thin market the same round lot trades up to four times in
/// a row, which is three bars that repeat the one before. Six identical bars are a stale source.
const REPEATED_RUN_MIN: u64 = 5;
/// This share of the rows must stand off the grid by the same time to be an offset, and not single faults.
const OFFSET_SHARE: f64 = 0.9;
/// Offsets told apart; a file with more has no constant one.
const OFFSETS_MAX: usize = 64;
/// Across a gap, a price that halves or doubles is looked at…
const BREAK_RATIO_MIN: f64 = 2.0;
/// …and is a break beyond every move of the series from bar to bar, and beyond this many mean moves of so many bars: a long gap
/// may take a price far by itself. The mean of the moves, not of their squares, or one crash would hide what comes after it.
const BREAK_MOVES_MIN: f64 = 4.0;
/// Gaps with such a price that are remembered.
const BREAKS_MAX: usize = 16;

/// Something about a series that a person should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Finding {
    /// Close and volume go in equal steps: bars that were filled in, not traded.
    StraightLine(Runs),
    /// The same bar again and again, with volume.
    Repeated(Runs),
    /// Bars without a trade in a row.
    ZeroVolume(Runs),
    /// Open times stand off the interval's grid by a constant.
    WrongOffset { rows: u64, offset: Span },
    /// The whole source runs from the newest bar to the oldest; it is turned round.
    NewestFirst,
    /// Behind a gap the price is of another kind: another asset under the same symbol, or other units.
    Break {
        #[serde(with = "text")]
        after: Time,
        #[serde(with = "text")]
        before: Time,
        /// The close behind the gap for one before it.
        ratio: f64,
    },
}

/// Bars in runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    pub runs: u64,
    pub bars: u64,
    pub longest: u64,
    /// Where the longest begins; of equal ones the first.
    #[serde(with = "text")]
    pub from: Time,
}

impl Finding {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StraightLine(_) => "straight-line",
            Self::Repeated(_) => "repeated",
            Self::ZeroVolume(_) => "zero-volume",
            Self::WrongOffset { .. } => "wrong-offset",
            Self::NewestFirst => "newest-first",
            Self::Break { .. } => "break",
        }
    }

    /// Are the bars wrong, rather than of a kind worth knowing?
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::ZeroVolume(_) | Self::NewestFirst)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            Self::StraightLine(runs) => write!(f, "{runs} go in equal steps, filled in and not traded"),
            Self::Repeated(runs) => write!(f, "{runs} repeat the bar before them, volume too"),
            Self::ZeroVolume(runs) => write!(f, "{runs} have no trade"),
            Self::WrongOffset { rows, offset } => write!(f, "{rows} open times stand {offset} behind the grid of the interval"),
            Self::NewestFirst => f.write_str("the rows run from the newest to the oldest, and are turned round"),
            Self::Break { after, before, ratio } => {
                write!(f, "between {after} and {before} the price moves by a factor of {ratio:.3}, beyond all else in the series")
            }
        }
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.runs == 1 { "run" } else { "runs" };
        write!(f, "{} bars in {} {plural}, the longest of {} from {},", self.bars, self.runs, self.longest, self.from)
    }
}

/// Gathers findings from bars as they pass, ascending within each batch.
#[derive(Debug)]
pub struct Detector {
    interval: Interval,
    /// The last two bars that followed each other.
    last: Option<Bar>,
    last_but_one: Option<Bar>,
    straight: Run,
    repeated: Run,
    quiet: Run,
    rows: u64,
    /// The last time on the grid.
    on_grid: Option<Time>,
    offsets: BTreeMap<i64, u64>,
    moves: Moves,
}

impl Detector {
    #[must_use]
    pub fn new(interval: Interval) -> Self {
        Self {
            interval,
            last: None,
            last_but_one: None,
            straight: Run::default(),
            repeated: Run::default(),
            quiet: Run::default(),
            rows: 0,
            on_grid: None,
            offsets: BTreeMap::new(),
            moves: Moves::default(),
        }
    }

    /// Looks at one bar; values that are no numbers are looked past.
    #[inline]
    pub fn push(&mut self, bar: &Bar) {
        self.rows += 1;
        self.note_offset(bar.open_time);
        let step = self.interval.span();
        if let Some(last) = self.last {
            if bar.open_time <= last.open_time {
                // Another batch of a source that is not in order: nothing follows from its neighbour.
                self.last = None;
            } else {
                let bars = (bar.open_time - last.open_time).micros() as f64 / step.micros() as f64;
                self.moves.push(&last, bar, bars);
            }
        }
        let before = self.last.filter(|last| last.open_time + step == bar.open_time);
        let before_it = self.last_but_one.filter(|_| before.is_some());
        let is_straight = before.zip(before_it).is_some_and(|(b, a)| is_straight(&a, &b, bar));
        self.straight.push(is_straight, bar.open_time, STRAIGHT_RUN_MIN);
        let is_same = |b: Bar| Bar { open_time: bar.open_time, ..b } == *bar && bar.volume > 0.0;
        self.repeated.push(before.is_some_and(is_same), bar.open_time, REPEATED_RUN_MIN);
        let is_quiet = bar.volume == 0.0;
        if before.is_none() {
            self.quiet.end(QUIET_RUN_MIN);
        }
        self.quiet.push(is_quiet, bar.open_time, QUIET_RUN_MIN);
        self.last_but_one = before;
        self.last = Some(*bar);
    }

    /// What was found so far, in a fixed order.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some((offset, rows)) = self.offsets.iter().max_by_key(|(_, rows)| **rows)
            && *rows as f64 >= OFFSET_SHARE * self.rows as f64
        {
            found.push(Finding::WrongOffset { rows: *rows, offset: Span::from_micros(*offset) });
        }
        found.extend(self.moves.breaks());
        found.extend(self.straight.total(STRAIGHT_RUN_MIN).map(Finding::StraightLine));
        found.extend(self.repeated.total(REPEATED_RUN_MIN).map(Finding::Repeated));
        found.extend(self.quiet.total(QUIET_RUN_MIN).map(Finding::ZeroVolume));
        found
    }

    fn note_offset(&mut self, time: Time) {
        // One interval after a time on the grid is on the grid: this spares a division a bar.
        let follows = self.on_grid.is_some_and(|before| before + self.interval.span() == time);
        if follows || self.interval.is_on_grid(time) {
            self.on_grid = Some(time);
            return;
        }
        let offset = time.micros().rem_euclid(self.interval.span().micros());
        if self.offsets.len() < OFFSETS_MAX || self.offsets.contains_key(&offset) {
            *self.offsets.entry(offset).or_default() += 1;
        }
    }
}

/// Do close and volume go on as they did, by a step that is not zero?
fn is_straight(a: &Bar, b: &Bar, c: &Bar) -> bool {
    let goes_on = |a: f64, b: f64, c: f64| ((c - b) - (b - a)).abs() <= STEP_TOLERANCE * c.abs();
    let moves = (c.volume - b.volume).abs() > STEP_TOLERANCE * c.volume.abs();
    moves && goes_on(a.close, b.close, c.close) && goes_on(a.volume, b.volume, c.volume)
}

/// Runs of bars of one kind.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    len: u64,
    start: Time,
    total: Option<Runs>,
}

impl Run {
    #[inline]
    fn push(&mut self, is_of_kind: bool, time: Time, min: u64) {
        if is_of_kind {
            if self.len == 0 {
                self.start = time;
            }
            self.len += 1;
        } else if self.len > 0 {
            self.end(min);
        }
    }

    fn end(&mut self, min: u64) {
        self.total = self.total(min);
        self.len = 0;
    }

    /// All runs that are long enough, with the one that may not have ended yet.
    fn total(&self, min: u64) -> Option<Runs> {
        if self.len < min {
            return self.total;
        }
        let this = Runs { runs: 1, bars: self.len, longest: self.len, from: self.start };
        let Some(before) = self.total else { return Some(this) };
        let longest = if before.longest >= this.longest { before } else { this };
        Some(Runs { runs: before.runs + 1, bars: before.bars + this.bars, ..longest })
    }
}

/// How far prices move from bar to bar, and across gaps.
#[derive(Debug, Clone, Default)]
struct Moves {
    count: u64,
    sum: f64,
    /// The greatest factor between neighbours, either way.
    factor_max: f64,
    across_gaps: Vec<Jump>,
}

#[derive(Debug, Clone, Copy)]
struct Jump {
    after: Time,
    before: Time,
    ratio: f64,
    bars: f64,
}

impl Moves {
    #[inline]
    fn push(&mut self, last: &Bar, bar: &Bar, bars: f64) {
        let ratio = bar.close / last.close;
        let is_price = ratio > 0.0 && ratio.is_finite();
        if !is_price {
            return;
        }
        let factor = ratio.max(1.0 / ratio);
        if bars <= 1.0 {
            self.count += 1;
            self.sum += factor - 1.0;
            self.factor_max = self.factor_max.max(factor);
        } else if factor >= BREAK_RATIO_MIN && self.across_gaps.len() < BREAKS_MAX {
            self.across_gaps.push(Jump { after: last.open_time, before: bar.open_time, ratio, bars });
        }
    }

    fn breaks(&self) -> impl Iterator<Item = Finding> {
        let typical = self.sum / self.count.max(1) as f64;
        self.across_gaps.iter().filter_map(move |jump| {
            let factor = jump.ratio.max(1.0 / jump.ratio);
            let is_far = factor.ln() > BREAK_MOVES_MIN * typical * jump.bars.sqrt();
            let (after, before, ratio) = (jump.after, jump.before, jump.ratio);
            (factor > self.factor_max && is_far).then_some(Finding::Break { after, before, ratio })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// A bar that wanders without a pattern.
    fn bar(hour: i64) -> Bar {
        let close = 100.0 + (hour * 7919 % 13) as f64 / 8.0;
        let volume = 1.0 + (hour * hour * 7919 % 101) as f64;
        Bar { open_time: Time::from_micros(hour * HOUR), open: close, high: close + 1.0, low: close - 1.0, close, volume }
    }

    fn found(bars: impl IntoIterator<Item = Bar>) -> Vec<Finding> {
        let mut detector = Detector::new("1h".parse().unwrap());
        bars.into_iter().for_each(|bar| detector.push(&bar));
        detector.findings()
    }

    fn codes(bars: impl IntoIterator<Item = Bar>) -> Vec<&'static str> {
        found(bars).iter().map(Finding::code).collect()
    }

    #[test]
    fn a_sound_series_gives_no_finding() {
        assert_eq!(found((0..500).map(bar)), []);
        assert_eq!(found((0..500).filter(|hour| hour % 97 > 20).map(bar)), []);
        assert_eq!(found([]), []);
    }

    #[test]
    fn filled_bars_lie_on_a_line() {
        let fill = |from: i64, to: i64, hour: i64| {
            let (a, b, share) = (bar(from), bar(to), (hour - from) as f64 / (to - from) as f64);
            let at = |a: f64, b: f64| a + (b - a) * share;
            Bar { close: at(a.close, b.close), volume: at(a.volume, b.volume), ..bar(hour) }
        };
        let filled = |len: i64| (0..60).map(move |h| if (21..21 + len).contains(&h) { fill(20, 21 + len, h) } else { bar(h) });
        let from = Time::from_micros(22 * HOUR);
        assert_eq!(found(filled(5)), [Finding::StraightLine(Runs { runs: 1, bars: 5, longest: 5, from })]);
        assert_eq!(codes(filled(3)), ["straight-line"], "three need six figures to agree");
        assert_eq!(found(filled(2)), [], "two may happen");
        let nearly =
            filled(5).map(|bar| Bar { close: bar.close * (1.0 + (bar.open_time.micros() / HOUR % 2) as f64 * 1e-6), ..bar });
        assert_eq!(found(nearly), [], "a millionth off is no line");
    }

    #[test]
    fn empty_and_repeated_bars_are_named_from_some_on() {
        let empty = |hours: [i64; 3]| {
            (0..30).map(move |hour| if hours.contains(&hour) { Bar { volume: 0.0, ..bar(hour) } } else { bar(hour) })
        };
        assert_eq!(codes(empty([4, 5, 6])), ["zero-volume"]);
        assert_eq!(found(empty([4, 5, 8])), []);
        let stale = |len: i64| (0..30).map(move |hour| Bar { open_time: bar(hour).open_time, ..bar(hour.min(30 - len)) });
        assert_eq!(codes(stale(6)), ["repeated"]);
        assert_eq!(found(stale(5)), []);
    }

    #[test]
    fn a_constant_offset_is_told_from_single_faults() {
        let shift = |bar: Bar| Bar { open_time: bar.open_time + Span::from_secs(1800), ..bar };
        let all = found((0..50).map(bar).map(shift));
        assert_eq!(all, [Finding::WrongOffset { rows: 50, offset: Span::from_secs(1800) }]);
        assert_eq!(found((0..50).map(|hour| if hour == 7 { shift(bar(hour)) } else { bar(hour) })), []);
        let all_but = |sound: i64| (0..100).map(move |hour| if hour < sound { bar(hour) } else { shift(bar(hour)) });
        assert_eq!(codes(all_but(10)), ["wrong-offset"]);
        assert_eq!(codes(all_but(11)), [""; 0], "one in ten that stands right is no constant offset");
    }

    #[test]
    fn another_asset_behind_a_gap_is_a_break() {
        let replaced = |factor: f64, gap: i64| {
            (0..100).map(bar).chain((100 + gap..200).map(move |hour| {
                let bar = bar(hour);
                Bar { close: bar.close * factor, ..bar }
            }))
        };
        assert_eq!(codes(replaced(40.0, 24)), ["break"]);
        assert_eq!(codes(replaced(0.01, 24)), ["break"]);
        assert_eq!(found(replaced(1.9, 24)), [], "a crash through a halt");
        assert_eq!(found(replaced(40.0, 0)), [], "without a gap it is a return, which the contract judges");
    }

    /// Closes that swing by 5 % a bar, then a gap of `gap` bars and a close of `ratio` times the last; and one neighbour `jump` times the other.
    fn swinging(gap: i64, ratio: f64, jump: f64) -> Vec<Finding> {
        let closes = (0..40).map(|hour| if hour % 2 == 0 { 100.0 } else { 105.0 } * if hour == 0 { 1.0 / jump } else { 1.0 });
        let before = closes.enumerate().map(|(hour, close)| Bar { close, ..bar(hour as i64) });
        let behind = [0, 1, 2].map(|hour| Bar { close: 105.0 * ratio, ..bar(39 + gap + hour) });
        found(before.chain(behind)).into_iter().filter(|finding| finding.code() == "break").collect()
    }

    #[test]
    fn a_break_is_beyond_what_the_gap_and_the_series_explain() {
        assert_eq!(swinging(2, 2.1, 1.0).len(), 1);
        assert_eq!(swinging(2, 1.0 / 2.1, 1.0).len(), 1, "either way");
        assert_eq!(swinging(2, 1.95, 1.0), [], "a price that does not double is a crash or a rally");
        // ln 2.5 is 0.92; four moves of 5 % over 16 bars are 0.8, over 25 bars 1.0.
        assert_eq!(swinging(16, 2.5, 1.0).len(), 1);
        assert_eq!(swinging(25, 2.5, 1.0), [], "so long a gap may take a price so far");
        assert_eq!(swinging(2, 2.5, 3.0), [], "the series itself has moved further from bar to bar");
        assert_eq!(swinging(2, 3.5, 3.0).len(), 1);
        let Finding::Break { after, before, ratio } = &swinging(2, 2.5, 1.0)[0] else { panic!("a break") };
        assert_eq!((after.micros() / HOUR, before.micros() / HOUR), (39, 41));
        assert!((ratio - 2.5).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn findings_read_back() {
        let runs = Runs { runs: 1, bars: 3, longest: 3, from: Time::from_millis(0) };
        let all = vec![
            Finding::StraightLine(runs),
            Finding::ZeroVolume(runs),
            Finding::WrongOffset { rows: 3, offset: Span::from_secs(1800) },
            Finding::NewestFirst,
            Finding::Break { after: Time::from_millis(0), before: Time::from_millis(9), ratio: 0.5 },
        ];
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Finding>>(&text).unwrap(), all);
        assert!(text.contains("{\"code\":\"straight-line\",\"runs\":1"), "{text}");
    }
}
