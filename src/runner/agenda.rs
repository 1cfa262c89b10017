//! The agenda: which pipelines are due now, and what became of times at which nobody was there.
//!
//! Pure. A slot is one time of a schedule; it comes once, whatever the clock does: slots only go forward. Several slots that went by
//! make one run, of the last of them, since a run takes every bar that has closed; what it may still trade is for the trader to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chance::Stream;
use crate::domain::{Span, Time};
use crate::pipeline::Schedule;
use crate::pipeline::schedule::Timing;
use crate::pipeline::wall_clock::Misfire;

/// Slots that went by are counted so far; a machine that slept for a year has missed "many".
const COUNTED_MAX: u32 = 10_000;
/// A slot by the wall clock that comes later than this was missed: waking up takes a moment on any machine.
const PUNCTUAL: Span = Span::from_secs(60);

/// One time at which a pipeline is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When the schedule wants it, without jitter.
    pub at: Time,
    /// What the wall clock shows then, or the close of the bar.
    pub local: String,
}

/// Why a slot does not become a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// A person has paused the schedule.
    Paused,
    /// The last run was still going.
    Overlap,
    /// Nobody was there, and the document says that a missed time is skipped.
    Misfire,
}

impl Skipped {
    /// The code in metrics and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Overlap => "overlap",
            Self::Misfire => "misfire",
        }
    }

    /// The same for a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Paused => "the schedule is paused; `tidegate schedule resume` lets it go on",
            Self::Overlap => "the run before was still going",
            Self::Misfire => "nobody was there at the time, and misfire = \"skip\"",
        }
    }
}

/// What is to be done about a pipeline now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub pipeline: usize,
    pub slot: Slot,
    /// Slots before this one that went by unused since the last one that was told.
    pub missed: u32,
    pub skipped: Option<Skipped>,
}

/// Until when a schedule is paused; `None`: until a person lets it go on.
pub type Pauses = BTreeMap<String, Option<Time>>;

#[derive(Debug)]
struct Entry {
    name: String,
    schedule: Schedule,
    /// The next slot and when to begin it.
    next: Option<(Slot, Time)>,
    jitter: Stream,
    /// Slots up to here fell into a run of this pipeline.
    busy_until: Time,
}

/// The schedules of the pipelines that one program runs.
#[derive(Debug)]
pub struct Agenda {
    entries: Vec<Entry>,
    pauses: Pauses,
}

impl Agenda {
    /// Begins behind `now`; a pipeline whose last slot is known begins behind that, so that what was missed is found.
    #[must_use]
    pub fn new(now: Time, pipelines: Vec<(String, Schedule, Option<Time>)>, pauses: Pauses, seed: u64) -> Self {
        let entry = |(name, schedule, last): (String, Schedule, Option<Time>)| {
            let jitter = Stream::new(seed, &format!("jitter {name}"));
            let mut entry = Entry { name, schedule, next: None, jitter, busy_until: Time::MIN };
            entry.advance(last.unwrap_or(now).min(now));
            entry
        };
        Self { entries: pipelines.into_iter().map(entry).collect(), pauses }
    }

    /// When something is due next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.entries.iter().filter_map(|entry| entry.next.as_ref().map(|(_, begin)| *begin)).min()
    }

    /// The next slot of each pipeline, in their order.
    pub fn upcoming(&self) -> impl Iterator<Item = (&str, Option<&Slot>)> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.next.as_ref().map(|(slot, _)| slot)))
    }

    /// Takes what is due, the earliest slot first; pipelines of one slot in their order.
    pub fn take(&mut self, now: Time) -> Vec<Due> {
        self.pauses.retain(|_, until| until.is_none_or(|until| until > now));
        let pauses = &self.pauses;
        let mut due: Vec<Due> = Vec::new();
        for (pipeline, entry) in self.entries.iter_mut().enumerate() {
            due.extend(entry.take(now, pauses.contains_key(&entry.name)).map(|(slot, missed, skipped)| Due {
                pipeline,
                slot,
                missed,
                skipped,
            }));
        }
        due.sort_by_key(|due| (due.slot.at, due.pipeline));
        due
    }

    /// A run has ended: what was due while it went on is skipped, as `overlap = "skip"` says.
    pub fn finished(&mut self, pipeline: usize, now: Time) {
        if let Some(entry) = self.entries.get_mut(pipeline) {
            entry.busy_until = entry.busy_until.max(now);
        }
    }

    #[must_use]
    pub const fn pauses(&self) -> &Pauses {
        &self.pauses
    }

    pub fn set_pauses(&mut self, pauses: Pauses) {
        self.pauses = pauses;
    }
}

impl Entry {
    /// Finds the slot behind `after`.
    fn advance(&mut self, after: Time) {
        let jitter = self.schedule.jitter.micros().max(0).unsigned_abs();
        self.next = self.schedule.next(after, 1).pop().map(|fire| {
            let late = if jitter == 0 { 0 } else { self.jitter.below(jitter) };
            let begin = fire.at.saturating_add(Span::from_micros(i64::try_from(late).unwrap_or(0)));
            (Slot { at: fire.at, local: fire.local }, begin)
        });
    }

    fn take(&mut self, now: Time, is_paused: bool) -> Option<(Slot, u32, Option<Skipped>)> {
        let (_, begin) = self.next.as_ref()?;
        if *begin > now {
            return None;
        }
        let mut slot = self.next.take()?.0;
        let mut missed = 0;
        // The last one that has passed is the one that runs; bars of the others are taken with it.
        loop {
            self.advance(slot.at);
            match &self.next {
                Some((next, _)) if next.at <= now && missed < COUNTED_MAX => {
                    missed += 1;
                    slot = next.clone();
                }
                // More than anybody counts: go on from here.
                Some((next, _)) if next.at <= now => {
                    self.advance(now);
                    break;
                }
                _ => break,
            }
        }
        let skipped = self.skip(&slot, now, is_paused);
        Some((slot, missed, skipped))
    }

    fn skip(&self, slot: &Slot, now: Time, is_paused: bool) -> Option<Skipped> {
        let is_missed = match &self.schedule.timing {
            Timing::WallClock(clock) => clock.misfire == Misfire::Skip && now > slot.at + PUNCTUAL + self.schedule.jitter,
            // A bar that has closed is taken in whenever somebody is there.
            Timing::BarClose { .. } => false,
        };
        match () {
            () if is_paused => Some(Skipped::Paused),
            () if slot.at <= self.busy_until => Some(Skipped::Overlap),
            () if is_missed => Some(Skipped::Misfire),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::schedule::Overlap;
    use crate::pipeline::wall_clock::{Fold, Gap, Pattern, WallClock};
    use jiff::tz::TimeZone;

    fn time(text: &str) -> Time {
        text.parse().expect("a time")
    }

    fn hourly(jitter: Span) -> Schedule {
        let timing = Timing::BarClose { every: Span::from_secs(3600), settle: Span::from_secs(3) };
        Schedule { timing, max_lateness: Span::from_secs(60), jitter, overlap: Overlap::Skip }
    }

    fn nightly(misfire: Misfire, zone: &str) -> Schedule {
        let pattern = Pattern::Daily { hour: 2, minute: 30, days: Vec::new() };
        let zone = TimeZone::get(zone).expect("the zone is bundled");
        let clock = WallClock { pattern, zone, gap: Gap::After, fold: Fold::First, misfire };
        Schedule { timing: Timing::WallClock(clock), ..hourly(Span::ZERO) }
    }

    fn agenda(now: &str, schedule: Schedule) -> Agenda {
        Agenda::new(time(now), vec![("one".to_owned(), schedule, None)], Pauses::new(), 1)
    }

    fn told(due: &[Due]) -> Vec<(String, u32, Option<Skipped>)> {
        due.iter().map(|due| (due.slot.at.to_string(), due.missed, due.skipped)).collect()
    }

    #[test]
    fn a_slot_comes_once_and_behind_its_close() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::ZERO));
        assert_eq!(agenda.next_wake(), Some(time("2026-03-01T11:00:03Z")));
        assert_eq!(agenda.take(time("2026-03-01T11:00:02Z")), []);
        assert_eq!(told(&agenda.take(time("2026-03-01T11:00:03Z"))), [("2026-03-01T11:00:03Z".to_owned(), 0, None)]);
        assert_eq!(agenda.take(time("2026-03-01T11:00:03Z")), [], "once");
        assert_eq!(agenda.take(time("2026-03-01T10:30:00Z")), [], "a clock that goes back makes no slot come again");
        assert_eq!(agenda.next_wake(), Some(time("2026-03-01T12:00:03Z")));
    }

    /// A laptop asleep for a day: one run, of the last slot, that says how many went by.
    #[test]
    fn a_day_of_sleep_is_one_run() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::ZERO));
        assert_eq!(told(&agenda.take(time("2026-03-02T10:30:00Z"))), [("2026-03-02T10:00:03Z".to_owned(), 23, None)]);
        assert_eq!(agenda.next_wake(), Some(time("2026-03-02T11:00:03Z")));
    }

    #[test]
    fn a_century_of_sleep_ends() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::ZERO));
        let due = agenda.take(time("2126-03-01T10:30:00Z"));
        assert_eq!((due.len(), due[0].missed), (1, COUNTED_MAX));
        assert_eq!(agenda.next_wake(), Some(time("2126-03-01T11:00:03Z")));
    }

    #[test]
    fn what_was_due_during_a_run_is_skipped_and_the_next_is_not() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::ZERO));
        agenda.take(time("2026-03-01T11:00:03Z"));
        agenda.finished(0, time("2026-03-01T13:10:00Z"));
        let skipped = Some(Skipped::Overlap);
        assert_eq!(told(&agenda.take(time("2026-03-01T13:10:00Z"))), [("2026-03-01T13:00:03Z".to_owned(), 1, skipped)]);
        assert_eq!(told(&agenda.take(time("2026-03-01T14:00:03Z"))), [("2026-03-01T14:00:03Z".to_owned(), 0, None)]);
    }

    #[test]
    fn a_missed_night_is_skipped_or_run_once_as_the_document_says() {
        for (misfire, skipped) in [(Misfire::Skip, Some(Skipped::Misfire)), (Misfire::RunOnce, None)] {
            let mut agenda = agenda("2026-03-01T10:00:00Z", nightly(misfire, "UTC"));
            assert_eq!(told(&agenda.take(time("2026-03-04T08:00:00Z"))), [("2026-03-04T02:30:00Z".to_owned(), 2, skipped)]);
            assert_eq!(told(&agenda.take(time("2026-03-05T02:30:01Z"))), [("2026-03-05T02:30:00Z".to_owned(), 0, None)]);
        }
    }

    /// Nights of the change, in two zones that change on different days and by another length.
    #[test]
    fn nights_when_the_clock_changes_in_two_zones() {
        let of = |zone, from: &str, to: &str| {
            let mut agenda = agenda(from, nightly(Misfire::RunOnce, zone));
            let mut seen = Vec::new();
            while let Some(wake) = agenda.next_wake().filter(|wake| *wake < time(to)) {
                seen.extend(agenda.take(wake).into_iter().map(|due| due.slot.at.to_string()));
            }
            seen
        };
        let berlin = of("Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-31T00:00:00Z");
        assert_eq!(berlin, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        // Lord Howe: half an hour, and not at two but from 02:00 to 02:30.
        let howe = of("Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-05T00:00:00Z");
        assert_eq!(howe, ["2026-10-02T16:00:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:30:00Z"]);
        let new_york = of("America/New_York", "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z");
        assert_eq!(new_york, ["2026-10-31T06:30:00Z", "2026-11-01T07:30:00Z", "2026-11-02T07:30:00Z"]);
    }

    #[test]
    fn what_nobody_saw_before_the_start_is_found() {
        let last = time("2026-03-01T02:30:00Z");
        let pipelines = vec![("nightly".to_owned(), nightly(Misfire::RunOnce, "UTC"), Some(last))];
        let mut agenda = Agenda::new(time("2026-03-03T09:00:00Z"), pipelines, Pauses::new(), 1);
        assert_eq!(told(&agenda.take(time("2026-03-03T09:00:00Z"))), [("2026-03-03T02:30:00Z".to_owned(), 1, None)]);
    }

    #[test]
    fn a_paused_schedule_is_skipped_until_its_time() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::ZERO));
        agenda.set_pauses(Pauses::from([("one".to_owned(), Some(time("2026-03-01T11:30:00Z")))]));
        let due = agenda.take(time("2026-03-01T11:00:03Z"));
        assert_eq!(told(&due), [("2026-03-01T11:00:03Z".to_owned(), 0, Some(Skipped::Paused))]);
        assert_eq!(told(&agenda.take(time("2026-03-01T12:00:03Z")))[0].2, None);
        assert!(agenda.pauses().is_empty(), "it has lifted by itself");
    }

    #[test]
    fn jitter_delays_the_beginning_within_its_bound_and_differs_from_slot_to_slot() {
        let mut agenda = agenda("2026-03-01T10:20:00Z", hourly(Span::from_secs(30)));
        let mut delays = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let wake = agenda.next_wake().expect("a schedule without an end");
            let due = agenda.take(wake);
            let delay = wake - due[0].slot.at;
            assert!(delay >= Span::ZERO && delay < Span::from_secs(30), "{delay}");
            delays.insert(delay.micros());
        }
        assert!(delays.len() > 10);
    }

    #[test]
    fn pipelines_of_one_slot_come_in_their_order() {
        let pipelines = vec![("b".to_owned(), hourly(Span::ZERO), None), ("a".to_owned(), hourly(Span::ZERO), None)];
        let mut agenda = Agenda::new(time("2026-03-01T10:20:00Z"), pipelines, Pauses::new(), 1);
        let due: Vec<usize> = agenda.take(time("2026-03-01T11:00:03Z")).iter().map(|due| due.pipeline).collect();
        assert_eq!(due, [0, 1]);
    }
}
