//! Slots: the weekday and time at which a step may be taken, by the clock of a zone.
//!
//! Time between steps is counted from slot to slot and in days of the calendar: a step that is approved a day late costs no week,
//! and neither does a night in which the clock jumps.

use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::domain::{Span, Time};

const DAYS_OF_WEEK: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// One slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    pub at: Time,
    /// Days since 1970-01-01 by the calendar of the zone.
    pub day: i64,
}

/// The rule that slots follow.
#[derive(Debug, Clone)]
pub struct Slots {
    weekday: Weekday,
    hour: i8,
    minute: i8,
    zone: TimeZone,
    every_days: i64,
}

impl Slots {
    /// Slots at `at`, like `Mon 09:00`, by the clock of `zone`; two steps are at least `every` apart. `None` when `at` is no slot.
    #[must_use]
    pub fn new(at: &str, zone: TimeZone, every: Span) -> Option<Self> {
        let (day, time) = at.split_once(' ')?;
        let (hour, minute) = time.split_once(':')?;
        let place = DAYS_OF_WEEK.iter().position(|name| *name == day)?;
        let weekday = Weekday::from_monday_one_offset(i8::try_from(place).ok()? + 1).ok()?;
        let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
        date(1970, 1, 1).at(0, 0, 0, 0).with().hour(hour).minute(minute).build().ok()?;
        // A part of a day counts as a whole one: never closer than was written.
        let every_days = (every.micros() + MICROS_PER_DAY - 1).div_euclid(MICROS_PER_DAY);
        Some(Self { weekday, hour, minute, zone, every_days })
    }

    /// The slot of the week that `now` lies in: the last one at or before it. `None` beyond the calendar.
    #[must_use]
    pub fn latest(&self, now: Time) -> Option<Slot> {
        let local = self.local(now)?;
        let back = self.weekday.until(local.weekday()).rem_euclid(7);
        let day = local.checked_sub(i32::from(back).days()).ok()?;
        match self.on(day)? {
            slot if slot.at <= now => Some(slot),
            _ => self.on(day.checked_sub(7.days()).ok()?),
        }
    }

    /// The first slot behind `now`.
    #[must_use]
    pub fn next(&self, now: Time) -> Option<Slot> {
        let latest = self.latest(now)?;
        self.following(latest)
    }

    /// The slot a week behind `slot`.
    #[must_use]
    pub fn following(&self, slot: Slot) -> Option<Slot> {
        self.on(date_of(slot.day)?.checked_add(7.days()).ok()?)
    }

    /// The first slot that is far enough from that of the last step.
    #[must_use]
    pub fn due_after(&self, last: Slot) -> Option<Slot> {
        let mut slot = self.latest(last.at)?;
        while slot.day - last.day < self.every_days || slot.at <= last.at {
            slot = self.following(slot)?;
        }
        Some(slot)
    }

    /// Is `slot` far enough from the slot of the last step?
    #[must_use]
    pub const fn is_apart(&self, last: Slot, slot: Slot) -> bool {
        slot.day - last.day >= self.every_days
    }

    /// Days of the calendar between two steps, at least.
    #[must_use]
    pub const fn every_days(&self) -> i64 {
        self.every_days
    }

    fn local(&self, now: Time) -> Option<Date> {
        let stamp = Timestamp::from_microsecond(now.micros()).ok()?;
        Some(self.zone.to_datetime(stamp).date())
    }

    fn on(&self, day: Date) -> Option<Slot> {
        let local: DateTime = day.at(self.hour, self.minute, 0, 0);
        // In a gap the first instant behind it, in a fold the first of both.
        let stamp = local.to_zoned(self.zone.clone()).ok()?.timestamp();
        let days = i64::from((day - date(1970, 1, 1)).get_days());
        Some(Slot { at: Time::from_micros(stamp.as_microsecond()), day: days })
    }
}

fn date_of(day: i64) -> Option<Date> {
    date(1970, 1, 1).checked_add(i32::try_from(day).ok()?.days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn slots(rule: &str, zone: &str, every: &str) -> Slots {
        Slots::new(rule, TimeZone::get(zone).unwrap(), every.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_slot_is_the_last_of_its_weekday() {
        let slots = slots("Mon 09:00", "UTC", "7d");
        for (now, wanted) in [
            ("2026-11-16T09:00:00Z", "2026-11-16T09:00:00Z"),
            ("2026-11-16T08:59:59Z", "2026-11-09T09:00:00Z"),
            ("2026-11-22T23:00:00Z", "2026-11-16T09:00:00Z"),
            ("2026-11-17T00:00:00Z", "2026-11-16T09:00:00Z"),
        ] {
            assert_eq!(slots.latest(at(now)).unwrap().at, at(wanted), "{now}");
        }
        assert_eq!(slots.next(at("2026-11-16T09:00:00Z")).unwrap().at, at("2026-11-23T09:00:00Z"));
    }

    #[test]
    fn a_night_that_jumps_costs_no_week() {
        let gap = slots("Sun 02:30", "Europe/Berlin", "7d");
        assert_eq!(gap.latest(at("2026-03-29T12:00:00Z")).unwrap().at, at("2026-03-29T01:30:00Z"), "behind the gap");
        let slots = slots("Mon 09:00", "Europe/Berlin", "7d");
        let before = slots.latest(at("2026-03-23T12:00:00Z")).unwrap();
        let behind = slots.following(before).unwrap();
        assert_eq!((before.at, behind.at), (at("2026-03-23T08:00:00Z"), at("2026-03-30T07:00:00Z")));
        assert!(slots.is_apart(before, behind), "an hour less than seven days, and seven days of the calendar");
        assert_eq!(slots.due_after(before), Some(behind));
    }

    #[test]
    fn days_between_steps_are_rounded_up_to_slots() {
        let ten = slots("Mon 09:00", "UTC", "10d");
        let first = ten.latest(at("2026-11-02T10:00:00Z")).unwrap();
        assert_eq!(ten.due_after(first).unwrap().at, at("2026-11-16T09:00:00Z"));
        let odd = slots("Mon 09:00", "UTC", "169h");
        assert_eq!(odd.due_after(first).unwrap().at, at("2026-11-16T09:00:00Z"));
        // The rule moved from Sunday to Monday: one day is no week.
        let sunday = slots("Sun 09:00", "UTC", "7d").latest(at("2026-11-08T10:00:00Z")).unwrap();
        let monday = slots("Mon 09:00", "UTC", "7d");
        assert_eq!(monday.due_after(sunday).unwrap().at, at("2026-11-16T09:00:00Z"));
    }

    #[test]
    fn what_is_no_slot_is_none() {
        for text in ["Mon", "Mon 9", "Mon 24:00", "Mon 09:60", "Moon 09:00", "09:00"] {
            assert!(Slots::new(text, TimeZone::UTC, Span::from_days(7)).is_none(), "{text}");
        }
    }
}
