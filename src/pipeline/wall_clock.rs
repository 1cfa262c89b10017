//! Wall-clock schedules: a cron pattern or a time of day, in a time zone whose clock may jump.
//!
//! A local time is found first, and only then the instants that it names: none when the clock jumps over it, two when the clock
//! goes back. Which of them count is said in the document, so that no two machines and no two years differ.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::domain::Time;

/// When local times are due.
#[derive(Debug, Clone)]
pub enum Pattern {
    Cron(Box<Cron>),
    /// A time of day on some days; on every day when there are none.
    Daily {
        hour: i8,
        minute: i8,
        days: Vec<Weekday>,
    },
}

/// What happens at a local time that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    Skip,
    /// At the first instant behind the gap.
    After,
}

/// What happens at a local time that comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    First,
    Second,
    Both,
}

/// What a program does that was not there at the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    Skip,
    /// Once, however many times went by.
    RunOnce,
}

/// A wall-clock schedule.
#[derive(Debug, Clone)]
pub struct WallClock {
    pub pattern: Pattern,
    pub zone: TimeZone,
    pub gap: Gap,
    pub fold: Fold,
    pub misfire: Misfire,
}

/// One time a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    pub at: Time,
    /// What the wall clock shows then, or should have shown.
    pub local: String,
    pub note: Option<&'static str>,
}

/// Reads a cron pattern of five fields: minute, hour, day, month, weekday.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn cron(text: &str) -> Result<Cron, String> {
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(format!("{fields} fields, and cron has five: minute hour day month weekday"));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| error.to_string().trim_end_matches('.').to_lowercase())?;
    let any = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
    cron.find_next_occurrence(&any, true).map_err(|_| "a day that no month has: it is never due".to_owned())?;
    Ok(cron)
}

/// Reads a time of day like `09:00`.
#[must_use]
pub fn time_of_day(text: &str) -> Option<(i8, i8)> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok())?;
    let (hour, minute) = (two(hour)?, two(minute)?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// Reads a weekday like `Mon`.
#[must_use]
pub fn weekday(text: &str) -> Option<Weekday> {
    let at = WEEKDAYS.iter().position(|name| *name == text)?;
    Weekday::from_monday_one_offset(i8::try_from(at).ok()? + 1).ok()
}

/// Days of the week as documents write them.
pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Is it a zone whose clock never jumps? Then there is nothing to say about jumps.
#[must_use]
pub fn is_steady(zone: &TimeZone) -> bool {
    zone.following(Timestamp::UNIX_EPOCH).next().is_none()
}

/// No schedule waits longer for its next time: a 29 February that is a Sunday comes within 28 years, or 40 around 2100.
const YEARS_MAX: i16 = 41;

impl WallClock {
    /// The next `count` times after `after`.
    #[must_use]
    pub fn next(&self, after: Time, count: usize) -> Vec<Fire> {
        let Ok(start) = Timestamp::from_microsecond(after.micros()) else { return Vec::new() };
        // The hour of a fold stands twice on the clock: begin before both.
        let local = self.zone.to_datetime(start);
        let mut local = local.checked_sub(1.day()).unwrap_or(local);
        let end = local.checked_add(i32::from(YEARS_MAX).years()).unwrap_or(DateTime::MAX);
        let mut fires: Vec<Fire> = Vec::new();
        while let Some(due) = self.pattern.next(local, end) {
            local = due;
            let ready = fires.len() >= count && self.instants(due).iter().all(|fire| fire.at > fires[count - 1].at);
            if ready || count == 0 {
                break;
            }
            for fire in self.instants(due) {
                // Behind a gap two local times may name one instant.
                if fire.at > after && fires.iter().all(|other| other.at != fire.at) {
                    fires.push(fire);
                }
            }
        }
        fires.sort_by_key(|fire| fire.at);
        fires.truncate(count);
        fires
    }

    /// The instants that a local time names.
    fn instants(&self, due: DateTime) -> Vec<Fire> {
        let ambiguous = self.zone.to_ambiguous_timestamp(due);
        let (offset, early, late) = (ambiguous.offset(), ambiguous.earlier(), ambiguous.later());
        let (Ok(early), Ok(late)) = (early, late) else { return Vec::new() };
        let fire = |at: Timestamp, note| Fire {
            at: Time::from_micros(at.as_microsecond()),
            local: due.strftime("%a %Y-%m-%d %H:%M").to_string(),
            note,
        };
        match offset {
            AmbiguousOffset::Unambiguous { .. } => vec![fire(early, None)],
            AmbiguousOffset::Gap { .. } if self.gap == Gap::Skip => Vec::new(),
            AmbiguousOffset::Gap { .. } => {
                // In a gap `earlier` lies before the jump.
                let jump = self.zone.following(early).next().map_or(late, |transition| transition.timestamp());
                vec![fire(jump, Some("the clock jumps over this time: due right behind the jump"))]
            }
            AmbiguousOffset::Fold { .. } => {
                let (first, second) = (fire(early, Some("the first of two")), fire(late, Some("the second of two")));
                match self.fold {
                    Fold::First => vec![first],
                    Fold::Second => vec![second],
                    Fold::Both => vec![first, second],
                }
            }
        }
    }
}

impl Pattern {
    /// The first local time after `local`, up to `end`.
    fn next(&self, local: DateTime, end: DateTime) -> Option<DateTime> {
        let next = match self {
            Self::Cron(cron) => cron.find_next_occurrence(&local, false).ok()?,
            Self::Daily { hour, minute, days } => {
                let today = local.date().at(*hour, *minute, 0, 0);
                let mut next = if today > local { today } else { today.checked_add(1.day()).ok()? };
                while !(days.is_empty() || days.contains(&next.weekday())) {
                    next = next.checked_add(1.day()).ok()?;
                }
                next
            }
        };
        (next <= end).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(at: &str, days: &[&str], gap: Gap, fold: Fold) -> WallClock {
        let (hour, minute) = time_of_day(at).expect("a time of day");
        let days = days.iter().map(|day| weekday(day).expect("a weekday")).collect();
        let zone = TimeZone::get("Europe/Berlin").expect("the zone is bundled");
        WallClock { pattern: Pattern::Daily { hour, minute, days }, zone, gap, fold, misfire: Misfire::Skip }
    }

    fn due(clock: &WallClock, after: &str, count: usize) -> Vec<String> {
        clock.next(after.parse().expect("a time"), count).iter().map(|fire| fire.at.to_string()).collect()
    }

    #[test]
    fn a_day_keeps_its_local_time_over_the_jump() {
        let clock = daily("09:00", &["Mon"], Gap::Skip, Fold::First);
        assert_eq!(due(&clock, "2026-10-20", 2), ["2026-10-26T08:00:00Z", "2026-11-02T08:00:00Z"]);
        assert_eq!(due(&clock, "2026-10-10", 1), ["2026-10-12T07:00:00Z"]);
        assert_eq!(due(&clock, "2026-10-26T08:00", 1), ["2026-11-02T08:00:00Z"], "after means after");
    }

    /// Berlin, 29 March 2026: 02:00 becomes 03:00.
    #[test]
    fn a_time_that_does_not_exist_is_skipped_or_due_behind_the_gap() {
        let skip = daily("02:30", &[], Gap::Skip, Fold::First);
        assert_eq!(due(&skip, "2026-03-28T12:00", 1), ["2026-03-30T00:30:00Z"]);
        let after = daily("02:30", &[], Gap::After, Fold::First);
        assert_eq!(due(&after, "2026-03-28T12:00", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    /// Berlin, 25 October 2026: 03:00 becomes 02:00.
    #[test]
    fn a_time_that_comes_twice_counts_as_the_document_says() {
        let of = |fold| daily("02:30", &[], Gap::Skip, fold);
        assert_eq!(due(&of(Fold::First), "2026-10-24T12:00", 1), ["2026-10-25T00:30:00Z"]);
        assert_eq!(due(&of(Fold::Second), "2026-10-24T12:00", 1), ["2026-10-25T01:30:00Z"]);
        assert_eq!(due(&of(Fold::Both), "2026-10-24T12:00", 2), ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
        assert_eq!(due(&of(Fold::Both), "2026-10-25T00:30", 1), ["2026-10-25T01:30:00Z"], "between the two");
    }

    #[test]
    fn an_hourly_pattern_is_due_each_hour_that_there_is() {
        let mut clock = daily("00:00", &[], Gap::After, Fold::Both);
        clock.pattern = Pattern::Cron(Box::new(cron("0 * * * *").expect("a pattern")));
        let hours = due(&clock, "2026-10-24T23:30", 4);
        assert_eq!(hours, ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"]);
        let spring = due(&clock, "2026-03-29T00:00", 2);
        assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"], "no instant twice");
    }

    #[test]
    fn patterns_that_are_none_are_told_apart() {
        for text in ["* * * *", "0 0 30 2 *", "60 * * * *", "0 0 * * * *", "@daily", ""] {
            assert!(cron(text).is_err(), "{text}");
        }
        assert!(cron("30 2 * * Mon-Fri").is_ok() && cron("*/5 0-6 1,15 * *").is_ok());
        for text in ["9:00", "24:00", "09:60", "09:00:00", "0900", "-1:00", ""] {
            assert_eq!(time_of_day(text), None, "{text}");
        }
        assert!(is_steady(&TimeZone::UTC) && !is_steady(&TimeZone::get("Europe/Berlin").expect("bundled")));
    }
}
