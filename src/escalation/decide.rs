//! The decision: what is due for a profile now, by where it stands and what is known.

use super::evidence::{Evidence, Kill};
use super::footing::Footing;
use super::gate::{Reading, Verdict};
use super::schedule::{AfterKill, Schedule};
use super::slots::Slot;
use crate::domain::Time;
use crate::perf::rolling::date;

/// What is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A kill takes the ladder back to its start.
    Restart { kill: Kill },
    /// There is no step above this one.
    Top,
    /// Every gate passes: the next step may be planned and applied now.
    Raise { to: u32, slot: Slot, readings: Vec<Reading> },
    /// Something fails or is not known.
    Hold { to: u32, slot: Option<Slot>, readings: Vec<Reading> },
}

impl Decision {
    /// What every gate said; none where there was nothing to ask.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        match self {
            Self::Raise { readings, .. } | Self::Hold { readings, .. } => readings,
            Self::Restart { .. } | Self::Top => &[],
        }
    }

    /// Names of the gates that keep the step from happening.
    #[must_use]
    pub fn held_by(&self) -> Vec<&str> {
        self.readings().iter().filter(|reading| reading.verdict != Verdict::Pass).map(|reading| reading.gate.as_str()).collect()
    }
}

/// What every gate of the schedule says now.
#[must_use]
pub fn measure(schedule: &Schedule, evidence: &Evidence, now: Time) -> Vec<Reading> {
    schedule.gates.iter().map(|gate| gate.read(evidence, now)).collect()
}

/// The first kill that takes this footing back to the start.
#[must_use]
pub fn restarts<'a>(schedule: &Schedule, footing: &Footing, evidence: &'a Evidence, now: Time) -> Option<&'a Kill> {
    if footing.step == 0 || schedule.after_kill == AfterKill::Hold {
        return None;
    }
    let since = footing.since.unwrap_or(Time::MIN);
    evidence.kills.iter().find(|kill| kill.at >= since && kill.at <= now)
}

/// Decides. ESCALATION-2.
#[must_use]
pub fn decide(schedule: &Schedule, footing: &Footing, evidence: &Evidence, now: Time) -> Decision {
    if let Some(kill) = restarts(schedule, footing, evidence, now) {
        return Decision::Restart { kill: kill.clone() };
    }
    let step = footing.step_on(Some(&schedule.ladder));
    if step >= schedule.last_step() {
        return Decision::Top;
    }
    let to = step + 1;
    let slot = schedule.slots.latest(now);
    let mut readings = measure(schedule, evidence, now);
    readings.push(spacing(schedule, footing, slot));
    readings.push(window(schedule, slot, now));
    if let Some(hold) = &footing.hold {
        let reason: String = hold.reason.chars().take(40).collect();
        let said = format!("since {}: {reason}", date(hold.at.utc_day()));
        readings.push(Reading::of_schedule("hold", said, "no hold".to_owned(), false, None));
    }
    match slot.filter(|_| readings.iter().all(|reading| reading.verdict == Verdict::Pass)) {
        Some(slot) => Decision::Raise { to, slot, readings },
        None => Decision::Hold { to, slot, readings },
    }
}

/// From the slot of the last step to this one.
fn spacing(schedule: &Schedule, footing: &Footing, slot: Option<Slot>) -> Reading {
    let (Some(last), Some(slot)) = (footing.slot, slot) else {
        let measured = if slot.is_some() { "no step before" } else { "no slot" };
        return Reading::of_schedule("spacing", measured.to_owned(), "a slot".to_owned(), slot.is_some(), None);
    };
    let apart = schedule.slots.is_apart(last, slot);
    let due = schedule.slots.due_after(last);
    let measured = format!("{} d since {}", slot.day - last.day, date(last.day));
    let needs = format!(">= {} d", schedule.slots.every_days());
    Reading::of_schedule("spacing", measured, needs, apart, due.filter(|_| !apart).map(|due| due.at))
}

/// A step belongs to its slot: it is taken while a plan of that slot would not have expired.
fn window(schedule: &Schedule, slot: Option<Slot>, now: Time) -> Reading {
    let Some(slot) = slot else {
        return Reading::of_schedule("slot", "none".to_owned(), "a slot".to_owned(), false, None);
    };
    let end = slot.at.saturating_add(schedule.plan_expires_after);
    let open = now < end;
    let measured = if open { format!("open until {end}") } else { format!("closed since {end}") };
    let next = schedule.slots.following(slot).map(|next| next.at).filter(|_| !open);
    Reading::of_schedule("slot", measured, format!("within {} of it", schedule.plan_expires_after), open, next)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Money, Span};
    use crate::escalation::{Approval, Gate, Hold, Ladder, Metric, Op, Raised, Slots};
    use crate::perf::{DayClose, Window};
    use crate::risk::Limits;
    use crate::risk::testing::limits;
    use jiff::tz::TimeZone;

    pub fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    /// The shipped production ladder.
    pub fn schedule() -> Schedule {
        let gate = |name: &str, metric, op, value| Gate { name: name.to_owned(), metric, op, value };
        let start: Limits = limits();
        let follow = [Raised::PositionNotional, Raised::TotalNotional, Raised::DailyTurnover];
        Schedule {
            ladder: Ladder::new(Raised::NotionalPerOrder, 2, "500".parse().unwrap(), &follow, &start).unwrap(),
            slots: Slots::new("Mon 09:00", TimeZone::UTC, Span::from_days(7)).unwrap(),
            approval: Approval::Manual,
            plan_expires_after: Span::from_days(1),
            after_kill: AfterKill::Restart,
            gates: vec![
                gate("alerts", Metric::AlertsUnresolvedCritical, Op::Equal, 0.0),
                gate("quiet", Metric::KillEvents { window: Span::from_days(7) }, Op::Equal, 0.0),
                gate("sharpe", Metric::Sharpe(Window::MONTH), Op::Greater, 0.0),
            ],
        }
    }

    /// Equity that grows, every day of `days` marked but those that are missing.
    pub fn growing(days: std::ops::Range<i64>, missing: &[i64]) -> Vec<DayClose> {
        let equity = |day: i64| Money::from_count(i128::from(100_000 + 10 * day + day % 3) * 1_000_000_000_000_000_000);
        days.filter(|day| !missing.contains(day)).map(|day| DayClose { day, equity: equity(day) }).collect()
    }

    pub fn good() -> Evidence {
        let day = at("2026-11-23").utc_day();
        Evidence {
            closes: growing(day - 60..day + 30, &[]),
            kills: Vec::new(),
            known_since: Some(at("2026-01-01")),
            unresolved_critical: Some(0),
            criticals: Vec::new(),
        }
    }

    fn kill(time: &str) -> Kill {
        Kill { at: at(time), cause: "drawdown-daily".to_owned(), row: Some(7) }
    }

    #[test]
    fn all_gates_pass_and_the_step_is_due() {
        let now = at("2026-11-23T09:00:00Z");
        let decision = decide(&schedule(), &Footing::default(), &good(), now);
        assert!(matches!(&decision, Decision::Raise { to: 1, slot, .. } if slot.at == now), "{decision:?}");
        let early = decide(&schedule(), &Footing::default(), &good(), at("2026-11-23T08:59:59Z"));
        assert_eq!(early.held_by(), ["slot"], "the window of the slot before is closed");
    }

    /// A day without a mark is no day with a return of zero.
    #[test]
    fn a_missing_day_holds() {
        let now = at("2026-11-23T09:00:00Z");
        let day = now.utc_day();
        let evidence = Evidence { closes: growing(day - 60..day, &[day - 12]), ..good() };
        let decision = decide(&schedule(), &Footing::default(), &evidence, now);
        assert_eq!(decision.held_by(), ["sharpe"]);
        let sharpe = &decision.readings()[2];
        assert_eq!((sharpe.verdict, sharpe.measured.as_str()), (Verdict::Unknown, "no mark on 2026-11-11"));
        assert_eq!(sharpe.earliest, Some(at("2026-12-13")));
    }

    #[test]
    fn a_step_approved_23_hours_late_costs_no_week() {
        let schedule = schedule();
        let slot = schedule.slots.latest(at("2026-11-16T09:00:00Z")).unwrap();
        let applied = at("2026-11-17T08:00:00Z");
        let late = decide(&schedule, &Footing::default(), &good(), applied);
        assert!(matches!(late, Decision::Raise { slot: of, .. } if of == slot), "{late:?}");
        let footing = Footing::default().raised(1, &schedule.ladder.rungs()[1], slot, "p", applied);
        let again = decide(&schedule, &footing, &good(), at("2026-11-17T08:30:00Z"));
        assert_eq!(again.held_by(), ["spacing"], "one step a slot");
        let next = decide(&schedule, &footing, &good(), at("2026-11-23T09:00:00Z"));
        assert!(matches!(next, Decision::Raise { to: 2, .. }), "six days and one hour behind: {next:?}");
    }

    #[test]
    fn a_kill_takes_the_ladder_back_and_hold_keeps_it() {
        let schedule = schedule();
        let slot = schedule.slots.latest(at("2026-11-16T09:00:00Z")).unwrap();
        let footing = Footing::default().raised(2, &schedule.ladder.rungs()[2], slot, "p", at("2026-11-16T09:30:00Z"));
        let evidence = |time: &str| Evidence { kills: vec![kill(time)], ..good() };
        let now = at("2026-11-23T09:00:00Z");
        assert!(matches!(decide(&schedule, &footing, &evidence("2026-11-18T00:00:00Z"), now), Decision::Restart { .. }));
        let before = decide(&schedule, &footing, &evidence("2026-11-16T09:29:00Z"), now);
        assert_eq!(before.held_by(), ["quiet"], "a kill before the step was applied is no reason to take it back");
        let holding = Schedule { after_kill: AfterKill::Hold, ..schedule.clone() };
        assert_eq!(decide(&holding, &footing, &evidence("2026-11-18T00:00:00Z"), now).held_by(), ["quiet"]);
        let held = Footing { hold: Some(Hold { at: now, reason: "a release".to_owned() }), ..footing };
        assert_eq!(decide(&schedule, &held, &good(), now).held_by(), ["hold"]);
    }

    #[test]
    fn the_last_step_is_the_top() {
        let schedule = schedule();
        let footing = Footing { step: 4, ..Footing::default() };
        assert_eq!(decide(&schedule, &footing, &good(), at("2026-11-23T09:00:00Z")), Decision::Top);
    }
}
