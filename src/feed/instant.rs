//! Times as people's files have them: counted since 1970 in one of four units, or written out, or counted from midnight of a day that
//! the file's name says. A file keeps to one form; a row of another form is a mistake that would move its bar.

use super::kline::whole_field;
use crate::domain::Time;

/// From these on a count is milliseconds, microseconds, nanoseconds: each is beyond the year 5000 in the unit before it.
const MILLIS_FROM: i64 = 100_000_000_000;
const MICROS_FROM: i64 = 100_000_000_000_000;
const NANOS_FROM: i64 = 100_000_000_000_000_000;
/// Below this a count is of milliseconds since midnight: as seconds since 1970 it would be before October 1972.
const DAY_MILLIS: i64 = 86_400_000;
/// Longer texts are no time.
const TEXT_LEN_MAX: usize = 40;

/// The form of a file's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Seconds,
    Millis,
    Micros,
    Nanos,
    FromMidnight,
    Written { has_zone: bool },
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "in seconds",
            Self::Millis => "in milliseconds",
            Self::Micros => "in microseconds",
            Self::Nanos => "in nanoseconds",
            Self::FromMidnight => "in milliseconds since midnight",
            Self::Written { has_zone: true } => "written with a time zone",
            Self::Written { has_zone: false } => "written without a time zone",
        }
    }

    /// Microseconds of a count in this form.
    const fn micros(self, count: i64) -> i64 {
        match self {
            Self::Seconds => count.saturating_mul(1_000_000),
            Self::Millis | Self::FromMidnight => count.saturating_mul(1000),
            Self::Nanos => count.div_euclid(1000),
            Self::Micros | Self::Written { .. } => count,
        }
    }
}

/// Reads the times of one file.
#[derive(Debug)]
pub struct Instants {
    form: Option<Form>,
    /// The midnight that short counts count from, in microseconds.
    day: Option<i64>,
    /// Times from here on are a mistake.
    before: Time,
}

impl Instants {
    /// `name` is the file's: it may say the day.
    pub fn new(name: &str, before: Time) -> Self {
        Self { form: None, day: day_of(name), before }
    }

    /// The time in a field, in microseconds.
    ///
    /// # Errors
    /// In words, when it is no time, not of the form of the rows before it, or in a year that cannot be.
    pub fn read(&mut self, field: &[u8]) -> Result<i64, String> {
        let (form, micros) = match whole_field(field) {
            Some(count) => self.counted(count)?,
            None => written(field).ok_or("is neither a date nor a whole number since 1970")?,
        };
        if let Some(before) = self.form.filter(|before| *before != form) {
            return Err(format!("is {}, the rows before it are {}", form.name(), before.name()));
        }
        if micros >= self.before.micros() {
            return Err(format!("would be in the year {}", 1970 + micros / 31_556_952_000_000));
        }
        self.form = Some(form);
        Ok(micros)
    }

    fn counted(&self, count: i64) -> Result<(Form, i64), String> {
        let form = match count {
            ..DAY_MILLIS => Form::FromMidnight,
            DAY_MILLIS..MILLIS_FROM => Form::Seconds,
            MILLIS_FROM..MICROS_FROM => Form::Millis,
            MICROS_FROM..NANOS_FROM => Form::Micros,
            _ => Form::Nanos,
        };
        let micros = form.micros(count);
        if form != Form::FromMidnight {
            return Ok((form, micros));
        }
        let day = self.day.ok_or("counts from midnight, and the file's name does not say of which day (like 20161007)")?;
        Ok((form, day + micros))
    }
}

/// `2024-04-16 01:00:00+00:00`, `2024-04-16T01:00Z`, `2024-04-16`, `20240416 01:00`; without a zone it is UTC.
fn written(field: &[u8]) -> Option<(Form, i64)> {
    let text = std::str::from_utf8(field).ok().filter(|text| text.len() <= TEXT_LEN_MAX && text.is_ascii())?;
    let (text, says_utc) = text.strip_suffix(" UTC").map_or((text, false), |text| (text, true));
    let clock = text.get(10..).unwrap_or_default();
    let has_zone = says_utc || clock.contains(['Z', 'z', '+', '-']);
    let time: Time = match text.as_bytes() {
        [year @ .., b' ', _, _, b':', _, _] if year.len() == 8 => {
            format!("{}-{}-{}T{}", &text[..4], &text[4..6], &text[6..8], &text[9..]).parse().ok()?
        }
        _ => text.parse().ok()?,
    };
    Some((Form::Written { has_zone }, time.micros()))
}

/// The midnight of the one day in a name, like `20161007_trade.zip` or `btcusd-2022-12-13.csv`.
fn day_of(name: &str) -> Option<i64> {
    let digits: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).collect();
    let joined = digits.iter().filter(|part| part.len() == 8).map(|part| [&part[..4], &part[4..6], &part[6..]]);
    let apart = digits.windows(3).filter(|parts| [4, 2, 2].iter().zip(*parts).all(|(len, part)| part.len() == *len));
    let days = joined.chain(apart.map(|parts| [parts[0], parts[1], parts[2]]));
    let mut found = days.filter_map(|[year, month, day]| format!("{year}-{month}-{day}").parse::<Time>().ok());
    let day = found.next()?;
    found.next().is_none().then_some(day.micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<Vec<String>, String> {
        let mut instants = Instants::new("20161007_trade.csv", Time::start_of_year(2030));
        fields.iter().map(|field| instants.read(field.as_bytes()).map(|micros| Time::from_micros(micros).to_string())).collect()
    }

    #[test]
    fn one_instant_in_every_form() {
        let forms = [
            "1713229200",
            "1713229200000",
            "1713229200000000",
            "1713229200000000000",
            "2024-04-16 01:00:00+00:00",
            "2024-04-16 03:00:00+02:00",
            "2024-04-16T01:00:00Z",
            "2024-04-16 01:00:00",
            "2024-04-16 01:00:00.000000",
            "2024-04-16 01:00",
            "2024-04-16 01:00:00 UTC",
            "20240416 01:00",
        ];
        for form in forms {
            assert_eq!(read(&[form]).unwrap(), ["2024-04-16T01:00:00Z"], "{form}");
        }
        assert_eq!(read(&["2004-08-19"]).unwrap(), ["2004-08-19T00:00:00Z"]);
        assert_eq!(read(&["0", "86399000"]).unwrap(), ["2016-10-07T00:00:00Z", "2016-10-07T23:59:59Z"]);
    }

    #[test]
    fn a_file_keeps_to_one_form() {
        for (fields, said) in [
            (["1713229200", "1713232800000"], "is in milliseconds, the rows before it are in seconds"),
            (["1735689600000", "1735693200000000"], "is in microseconds, the rows before it are in milliseconds"),
            (
                ["2024-04-16 01:00:00", "2024-04-16 02:00:00Z"],
                "is written with a time zone, the rows before it are written without",
            ),
            (["2024-04-16 01:00:00", "1713232800"], "is in seconds, the rows before it are written without a time zone"),
            (["2024-04-16 01:00:00", "2049-04-16 02:00:00"], "would be in the year 2049"),
            (["2024-04-16 01:00:00", "16.04.2024"], "is neither a date nor a whole number"),
            (["2024-04-16 01:00:00", ""], "is neither a date nor a whole number"),
        ] {
            let error = read(&fields).unwrap_err();
            assert!(error.contains(said), "{fields:?}: {error}");
        }
    }

    #[test]
    fn names_say_one_day_or_none() {
        let day = |name: &str| day_of(name).map(|micros| Time::from_micros(micros).to_string());
        for name in ["20161007_btcusd_second_trade.csv", "btcbusd-minute-2016-10-07.csv", "lean_second_20161007_trade.zip"] {
            assert_eq!(day(name).as_deref(), Some("2016-10-07T00:00:00Z"), "{name}");
        }
        for name in ["BTCUSDT-1h-2016-10.csv", "20161007-20161008.csv", "bars.csv", "20161399.csv"] {
            assert_eq!(day(name), None, "{name}");
        }
    }
}
