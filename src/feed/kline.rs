//! What CSV and JSON klines have in common: twelve fields, and times in milliseconds or microseconds.

use std::path::Path;

use super::number::{strict, whole};
use super::{Batch, Expected, FeedError, Unread};
use crate::domain::{Interval, Span, TRADES_UNKNOWN};

/// Fields of a kline: open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume, taker buy
/// quote volume, and one that is unused.
pub const FIELDS: usize = 12;
/// What other programs keep of them: the first six.
pub const SHORT_FIELDS: usize = 6;
/// Rows that cannot be read are kept as text up to here.
pub const TEXT_LEN_MAX: usize = 300;

/// Numbers below this are seconds (until the year 5138), up to the next limit milliseconds, above it microseconds.
const SECONDS_BELOW: i64 = 100_000_000_000;
const MILLIS_BELOW: i64 = 100_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Millis,
    Micros,
}

impl Unit {
    /// The unit of a time by its size; none if it counts seconds.
    pub const fn of(time: i64) -> Option<Self> {
        match time {
            ..SECONDS_BELOW => None,
            SECONDS_BELOW..MILLIS_BELOW => Some(Self::Millis),
            _ => Some(Self::Micros),
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
        }
    }

    pub const fn micros(self) -> i64 {
        match self {
            Self::Millis => 1000,
            Self::Micros => 1,
        }
    }
}

/// The values of a row that was read without a fault.
pub struct Kline {
    pub open_time: i64,
    pub prices: [f64; 5],
    pub close_time: i64,
    pub quote_volume: f64,
    pub trades: i64,
    pub taker: [f64; 2],
}

/// Puts rows of one file into batches, and refuses the file when its times cannot be right.
#[derive(Debug)]
pub struct Rows {
    expected: Expected,
    unit: Option<Unit>,
    /// Times within these, as the file writes them, need no second look.
    plausible: std::ops::Range<i64>,
    /// What a row's number counts: `line` or `row`.
    counted: &'static str,
    is_first: bool,
    /// How many fields a row has: all, or the first six.
    fields: usize,
}

impl Rows {
    pub fn new(expected: Expected, counted: &'static str) -> Self {
        Self { expected, unit: None, plausible: 0..0, counted, is_first: true, fields: FIELDS }
    }

    pub fn place(&self, number: u32) -> String {
        format!("{} {number}", self.counted)
    }

    /// Takes a row that was read without a fault.
    #[inline]
    pub fn push(&mut self, path: &Path, place: u32, kline: &Kline, into: &mut Batch) -> Result<(), FeedError> {
        if !self.plausible.contains(&kline.open_time) {
            self.check_time(path, place, kline.open_time)?;
        }
        let unit = self.unit.unwrap_or(Unit::Millis).micros();
        self.check_close(path, place, kline, unit, into)?;
        into.place.push(place);
        let (bars, extras) = (&mut into.rows.bars, &mut into.rows.extras);
        bars.open_time.push(kline.open_time * unit);
        let [open, high, low, close, volume] = kline.prices;
        bars.open.push(open);
        bars.high.push(high);
        bars.low.push(low);
        bars.close.push(close);
        bars.volume.push(volume);
        extras.quote_volume.push(kline.quote_volume);
        extras.trades.push(kline.trades);
        extras.taker_buy_volume.push(kline.taker[0]);
        extras.taker_buy_quote_volume.push(kline.taker[1]);
        Ok(())
    }

    /// Takes the fields of a row that has a fault, and `text`, the whole of it.
    pub fn push_faulty(
        &mut self,
        path: &Path,
        place: u32,
        fields: &[&[u8]],
        text: &[u8],
        into: &mut Batch,
    ) -> Result<(), FeedError> {
        if fields.len() != self.fields {
            return Err(self.wrong_columns(path, place, fields.len()));
        }
        let text = String::from_utf8_lossy(&text[..text.len().min(TEXT_LEN_MAX)]).into_owned();
        let Some(open_time) = whole_field(fields[0]) else {
            if self.is_first {
                let text = String::from_utf8_lossy(fields[0]).into_owned();
                return Err(FeedError::Time { path: path.to_owned(), place: self.place(place), text: format!("\"{text}\"") });
            }
            into.unread.push(Unread { place, has_time: false, text });
            return Ok(());
        };
        let float = |at: usize| fields.get(at).and_then(|field| strict(field)).unwrap_or(f64::NAN);
        let prices = [1, 2, 3, 4, 5].map(float);
        if prices.iter().any(|value| value.is_nan()) {
            into.unread.push(Unread { place, has_time: true, text });
        }
        let kline = Kline {
            open_time,
            prices,
            close_time: fields.get(6).and_then(|field| whole_field(field)).unwrap_or(0),
            quote_volume: float(7),
            trades: fields.get(8).and_then(|field| strict(field)).map_or(TRADES_UNKNOWN, |count| count as i64),
            taker: [float(9), float(10)],
        };
        self.push(path, place, &kline, into)
    }

    /// Rows have their first six fields only, and no close time to check.
    pub fn short(&mut self) {
        self.fields = SHORT_FIELDS;
    }

    pub fn is_short(&self) -> bool {
        self.fields == SHORT_FIELDS
    }

    pub fn interval(&self) -> Interval {
        self.expected.interval
    }

    /// The length that the bars have by how they stand, if it is another than the expected one.
    pub fn other_interval(&self, times: &[i64]) -> Option<Interval> {
        super::spacing::other_interval(times, self.expected.interval)
    }

    fn wrong_columns(&self, path: &Path, place: u32, found: usize) -> FeedError {
        let (path, place) = (path.to_owned(), self.place(place));
        if self.is_first && !self.is_short() {
            return FeedError::NoHeader { path, place, found };
        }
        FeedError::Columns { path, place, found, expected: self.fields }
    }

    /// The unit by the size of the number, for each row; a file has one.
    #[cold]
    fn check_time(&mut self, path: &Path, place: u32, text: i64) -> Result<(), FeedError> {
        let (path, place) = (path.to_owned(), self.place(place));
        let Some(found) = Unit::of(text) else { return Err(FeedError::Seconds { path, place, text }) };
        if let Some(before) = self.unit.filter(|before| *before != found) {
            return Err(FeedError::MixedUnits { path, place, text, found: found.name(), before: before.name() });
        }
        let micros = text.saturating_mul(found.micros());
        if micros >= self.expected.before.micros() {
            // Beyond the calendar's end a mean year is near enough.
            let year = 1970 + micros / 31_556_952_000_000;
            return Err(FeedError::TooLate { path, place, text, year });
        }
        self.unit = Some(found);
        self.plausible = match found {
            Unit::Millis => SECONDS_BELOW..MILLIS_BELOW.min(self.expected.before.micros() / 1000),
            Unit::Micros => MILLIS_BELOW..self.expected.before.micros(),
        };
        Ok(())
    }

    #[inline]
    fn check_close(&mut self, path: &Path, place: u32, kline: &Kline, unit: i64, into: &mut Batch) -> Result<(), FeedError> {
        if self.is_short() {
            self.is_first = false;
            return Ok(());
        }
        let span = self.expected.interval.span().micros();
        let lasts = kline.close_time.wrapping_sub(kline.open_time).wrapping_add(1).wrapping_mul(unit);
        if lasts != span {
            into.odd_close_times += 1;
            if self.is_first
                && let Some(found) = other_length(lasts, self.expected.interval)
            {
                let place = self.place(place);
                return Err(FeedError::Interval { path: path.to_owned(), place, found, expected: self.expected.interval });
            }
        }
        self.is_first = false;
        Ok(())
    }
}

pub fn whole_field(field: &[u8]) -> Option<i64> {
    whole(field).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// How long a bar that lasts `micros` is meant to be, where that is not `expected`: a length that bars have, or a whole multiple. Venues
/// cut bars short, but never make them longer.
pub fn other_length(micros: i64, expected: Interval) -> Option<Span> {
    let known = Interval::names().filter_map(|name| name.parse::<Interval>().ok()).map(Interval::span);
    let is_longer = micros > expected.span().micros() && micros % expected.span().micros() == 0;
    let lasts = Span::from_micros(micros);
    let is_other = is_longer || known.into_iter().any(|known| known == lasts);
    (is_other && lasts != expected.span()).then_some(lasts)
}
