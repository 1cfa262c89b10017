//! Instants, lengths of time and bar intervals. All of it UTC, all of it whole microseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// An instant: microseconds since 1970-01-01T00:00Z.
///
/// In JSON it is its text, `2026-03-29T00:55:03Z`; the two ends of time, which have none, are their count.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1000)
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Days since the epoch: the UTC day this instant lies in.
    #[inline]
    #[must_use]
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// ISO weeks (Monday first) since the one that holds the epoch.
    #[inline]
    #[must_use]
    pub const fn iso_week(self) -> i64 {
        // The epoch was a Thursday: three days after its Monday.
        (self.utc_day() + 3).div_euclid(7)
    }

    /// The first instant of a UTC day.
    #[must_use]
    pub const fn start_of_day(day: i64) -> Self {
        Self(day * MICROS_PER_DAY)
    }

    /// The calendar year in UTC.
    #[must_use]
    pub fn year(self) -> i16 {
        self.civil().map_or(0, |t| t.to_zoned(jiff::tz::TimeZone::UTC).year())
    }

    /// The first instant of a calendar year in UTC; the end of time beyond the calendar.
    #[must_use]
    pub fn start_of_year(year: i16) -> Self {
        let start = jiff::civil::Date::new(year, 1, 1).ok().and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        start.map_or(Self::MAX, |start| Self(start.timestamp().as_microsecond()))
    }

    /// Later by `span`, at most the end of time.
    #[must_use]
    pub const fn saturating_add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    fn civil(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }
}

impl Add<Span> for Time {
    type Output = Self;
    #[inline]
    fn add(self, span: Span) -> Self {
        Self(self.0 + span.0)
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    #[inline]
    fn sub(self, span: Span) -> Self {
        Self(self.0 - span.0)
    }
}

impl Sub for Time {
    type Output = Span;
    #[inline]
    fn sub(self, other: Self) -> Span {
        Span(self.0 - other.0)
    }
}

impl fmt::Display for Time {
    /// `2026-03-29T00:55:03Z`, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(stamp) => f.pad(&stamp.to_string()),
            None => write!(f, "{} µs since 1970", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({self})")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.civil() {
            Some(stamp) => serializer.collect_str(&stamp),
            None => serializer.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UTC time")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E>(self, micros: i64) -> Result<Time, E> {
                Ok(Time(micros))
            }
            fn visit_u64<E: serde::de::Error>(self, micros: u64) -> Result<Time, E> {
                i64::try_from(micros).map(Time).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A text is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a UTC time: write 2026-03-29, 2026-03-29T00:55 or 2026-03-29T00:55:03Z")]
pub struct TimeError(String);

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned());
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(stamp.as_microsecond()));
        }
        let civil = match text.parse::<jiff::civil::DateTime>() {
            Ok(civil) if text.contains(':') || !text.contains('T') => civil,
            _ => return Err(wrong()),
        };
        let stamp = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp();
        Ok(Self(stamp.as_microsecond()))
    }
}

/// A length of time, never months or years.
///
/// In JSON it is its text in the largest unit that says it exactly: `5m`, `1500ms`, `7us`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1000)
    }

    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000)
    }

    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        Self(days * MICROS_PER_DAY)
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The units that a length of time may be written in, largest first.
    pub fn units() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|(name, _)| *name)
    }
}

/// Units a [`Span`] may be written in, largest first.
const UNITS: [(&str, i64); 6] =
    [("w", 7 * MICROS_PER_DAY), ("d", MICROS_PER_DAY), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000)];

/// A text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("\"{0}\" has no unit: write it like \"500ms\", \"3s\", \"5m\", \"24h\", \"7d\" or \"2w\"")]
    NoUnit(String),
    #[error("\"{text}\" has the unknown unit \"{unit}\": use ms, s, m, h, d or w (no months, no years)")]
    UnknownUnit { text: String, unit: String },
    #[error("\"{0}\" is not a whole number and a unit, like \"500ms\" or \"7d\"")]
    NotSpan(String),
    #[error("\"{0}\" is too long")]
    TooLong(String),
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SpanError::NotSpan(text.to_owned()));
        }
        if unit.is_empty() {
            return Err(SpanError::NoUnit(text.to_owned()));
        }
        if !unit.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(SpanError::NotSpan(text.to_owned()));
        }
        let Some((_, micros)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(SpanError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() });
        };
        number
            .parse::<i64>()
            .ok()
            .and_then(|n| n.checked_mul(*micros))
            .map(Self)
            .ok_or_else(|| SpanError::TooLong(text.to_owned()))
    }
}

impl fmt::Display for Span {
    /// In the largest unit that says it exactly: `90m`, `7d`, `1500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().filter(|(name, _)| *name != "w").find(|(_, micros)| self.0 != 0 && self.0 % micros == 0);
        match exact {
            Some((unit, micros)) => f.pad(&format!("{}{unit}", self.0 / micros)),
            None if self.0 == 0 => f.pad("0s"),
            None => f.pad(&format!("{}us", self.0)),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({self})")
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let (sign, text) = text.strip_prefix('-').map_or((1, &*text), |rest| (-1, rest));
        // Microseconds are written by programs only; documents stop at milliseconds.
        let micros = text.strip_suffix("us").and_then(|n| n.parse::<i64>().ok()).map(Ok);
        let span = micros.unwrap_or_else(|| text.parse::<Self>().map(|span| span.0)).map_err(serde::de::Error::custom)?;
        Ok(Self(sign * span))
    }
}

/// The length of a bar, as venues spell it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(Span);

/// Every interval a bar may have. Weeks are left out: they do not divide from the epoch the way venues cut them.
const INTERVALS: [(&str, i64); 14] = [
    ("1s", 1_000_000),
    ("1m", 60_000_000),
    ("3m", 3 * 60_000_000),
    ("5m", 5 * 60_000_000),
    ("15m", 15 * 60_000_000),
    ("30m", 30 * 60_000_000),
    ("1h", 3_600_000_000),
    ("2h", 2 * 3_600_000_000),
    ("4h", 4 * 3_600_000_000),
    ("6h", 6 * 3_600_000_000),
    ("8h", 8 * 3_600_000_000),
    ("12h", 12 * 3_600_000_000),
    ("1d", MICROS_PER_DAY),
    ("3d", 3 * MICROS_PER_DAY),
];

/// A text is no bar interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a bar interval: use one of {names}", names = INTERVALS.map(|(name, _)| name).join(", "))]
pub struct IntervalError {
    text: String,
}

impl Interval {
    #[inline]
    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }

    /// Every interval's spelling, shortest first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        INTERVALS.iter().map(|(name, _)| *name)
    }

    /// Does `open_time` lie on this interval's grid since the epoch?
    #[inline]
    #[must_use]
    pub const fn is_on_grid(self, open_time: Time) -> bool {
        open_time.0.rem_euclid(self.0.0) == 0
    }

    /// Bars of this length in a year of 365 days: what annualises a figure counted per bar.
    #[must_use]
    pub fn per_year(self) -> f64 {
        365.0 * MICROS_PER_DAY as f64 / self.0.0 as f64
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let found = INTERVALS.iter().find(|(name, _)| *name == text);
        found.map(|(_, micros)| Self(Span(*micros))).ok_or_else(|| IntervalError { text: text.to_owned() })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = INTERVALS.iter().find(|(_, micros)| *micros == self.0.0).expect("an interval is made from its name").0;
        f.pad(name)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interval({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(at("2025-02-23T23:59:59Z").iso_week() + 1, at("2025-02-24").iso_week());
        assert_eq!(at("2025-02-24").iso_week(), at("2025-03-02T23:59:59Z").iso_week());
        assert_eq!(at("1969-12-29").iso_week(), 0);
        assert_eq!(at("1969-12-28").utc_day(), -4);
    }

    #[test]
    fn times_read_and_print() {
        assert_eq!(at("2026-03-29").to_string(), "2026-03-29T00:00:00Z");
        assert_eq!(at("2026-03-29T00:55:03Z").to_string(), "2026-03-29T00:55:03Z");
        assert_eq!(at("2026-03-29T00:55").to_string(), "2026-03-29T00:55:00Z");
        assert_eq!(at("2024-02-29").year(), 2024);
        assert_eq!(Time::start_of_year(2025), at("2025-01-01"));
        assert_eq!(Time::start_of_year(i16::MAX), Time::MAX);
        for wrong in ["", "yesterday", "2026-13-01", "57000-01-01", "2026"] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_need_a_unit() {
        assert_eq!("500ms".parse(), Ok(Span::from_millis(500)));
        assert_eq!("2w".parse(), Ok(Span::from_days(14)));
        assert!(matches!("7".parse::<Span>(), Err(SpanError::NoUnit(_))));
        assert!(matches!("1M".parse::<Span>(), Err(SpanError::UnknownUnit { .. })));
        assert!(matches!("7 d".parse::<Span>(), Err(SpanError::NotSpan(_))));
        assert!(matches!("-7d".parse::<Span>(), Err(SpanError::NotSpan(_))));
        assert!(matches!("9999999999999999999d".parse::<Span>(), Err(SpanError::TooLong(_))));
        assert_eq!(Span::from_secs(5400).to_string(), "90m");
        assert_eq!(Span::from_days(14).to_string(), "14d");
        assert_eq!(Span::ZERO.to_string(), "0s");
    }

    #[test]
    fn times_and_spans_read_back_from_json() {
        for time in [at("2026-03-29T00:55:03.000001Z"), at("1969-12-28"), Time::MIN, Time::MAX, Time::default()] {
            let text = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), time, "{text}");
        }
        assert_eq!(serde_json::to_string(&at("2026-03-29")).unwrap(), "\"2026-03-29T00:00:00Z\"");
        for micros in [0, 7, -7, 1_500_000, -60_000_000, 604_800_000_000, i64::MAX] {
            let text = serde_json::to_string(&Span::from_micros(micros)).unwrap();
            assert_eq!(serde_json::from_str::<Span>(&text).unwrap(), Span::from_micros(micros), "{text}");
        }
    }

    #[test]
    fn intervals_know_their_grid() {
        let hour: Interval = "1h".parse().unwrap();
        assert!(hour.is_on_grid(at("2026-03-29T05:00:00Z")));
        assert!(!hour.is_on_grid(at("2026-03-29T05:00:01Z")));
        assert_eq!(hour.to_string(), "1h");
        assert!("1M".parse::<Interval>().is_err());
    }
}
