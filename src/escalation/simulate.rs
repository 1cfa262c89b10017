//! The rules over a history: what the ladder would have done, week by week, and why.

use serde::Serialize;

use super::decide::{Decision, decide, restarts};
use super::evidence::{Evidence, Kill};
use super::footing::Footing;
use super::gate::Reading;
use super::schedule::Schedule;
use crate::domain::{Money, Time};
use crate::perf::DayClose;

/// What happened, as far as the rules look at it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    pub closes: Vec<DayClose>,
    pub kills: Vec<Kill>,
    /// Kills before this are not known.
    pub known_since: Option<Time>,
}

/// One slot of the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Week {
    pub slot: Time,
    /// Where it stood when the slot came, and behind it.
    pub before: u32,
    pub after: u32,
    /// A kill since the slot before took it back.
    pub restarted: Option<Time>,
    /// Gates that held it; none where it rose or stood at the top.
    pub held_by: Vec<String>,
    pub readings: Vec<Reading>,
    /// The raised limit behind the slot.
    pub limit: Money,
}

/// Walks over the slots of `from..=to`. Every step is taken at its slot, as if somebody had applied it at once; alerts that nobody
/// recorded count as none.
#[must_use]
pub fn simulate(schedule: &Schedule, history: &History, from: Time, to: Time) -> Vec<Week> {
    let (mut footing, mut weeks) = (Footing::default(), Vec::new());
    let evidence = Evidence {
        closes: history.closes.clone(),
        kills: history.kills.clone(),
        known_since: history.known_since,
        unresolved_critical: Some(0),
        criticals: Vec::new(),
    };
    let mut next =
        schedule.slots.latest(from).and_then(|slot| if slot.at >= from { Some(slot) } else { schedule.slots.following(slot) });
    while let Some(slot) = next.filter(|slot| slot.at <= to) {
        let before = footing.step;
        let kill = restarts(schedule, &footing, &evidence, slot.at).map(|kill| kill.at);
        if kill.is_some() {
            footing = footing.restarted(slot.at);
        }
        let decision = decide(schedule, &footing, &evidence, slot.at);
        if let Decision::Raise { to, slot, .. } = &decision {
            footing = footing.raised(*to, &schedule.ladder.rungs()[*to as usize], *slot, "simulated", slot.at);
        }
        weeks.push(Week {
            slot: slot.at,
            before,
            after: footing.step,
            restarted: kill,
            held_by: decision.held_by().into_iter().map(str::to_owned).collect(),
            readings: decision.readings().to_vec(),
            limit: schedule.ladder.raise().get(&schedule.ladder.rungs()[footing.step as usize]),
        });
        next = schedule.slots.following(slot);
    }
    weeks
}

#[cfg(test)]
mod tests {
    use super::super::decide::tests::{at, growing, schedule};
    use super::*;
    use crate::domain::Span;
    use proptest::prelude::*;

    const FIRST_MONDAY: &str = "2026-01-05T09:00:00Z";
    const WEEKS: i64 = 52;

    fn history(missing: &[i64], kills: &[i64]) -> History {
        let start = at(FIRST_MONDAY).utc_day() - 31;
        let kill = |hour: &i64| Kill {
            at: at(FIRST_MONDAY) + Span::from_secs(3600 * hour + 1800),
            cause: "drawdown-daily".to_owned(),
            row: None,
        };
        let mut kills: Vec<Kill> = kills.iter().map(kill).collect();
        kills.sort_by_key(|kill| kill.at);
        let missing: Vec<i64> = missing.iter().map(|day| at(FIRST_MONDAY).utc_day() + day).collect();
        History { closes: growing(start..start + 500, &missing), kills, known_since: Some(Time::from_micros(0)) }
    }

    fn run(history: &History) -> Vec<Week> {
        simulate(&schedule(), history, at(FIRST_MONDAY), at(FIRST_MONDAY) + Span::from_days(7 * (WEEKS - 1)))
    }

    #[test]
    fn a_good_year_climbs_in_four_weeks_and_stays() {
        let weeks = run(&history(&[], &[]));
        let limits: Vec<String> = weeks.iter().take(6).map(|week| week.limit.to_string()).collect();
        assert_eq!(limits, ["100", "200", "400", "500", "500", "500"]);
        assert_eq!(weeks.len(), WEEKS as usize);
        assert!(weeks[4..].iter().all(|week| week.held_by.is_empty()));
    }

    /// What the rules come to, written a second time with whole numbers only: hours since the first slot, days since its day.
    /// Equity always grows, so the ratio passes whenever it is known.
    fn table(missing: &[i64], kills: &[i64]) -> Vec<(u32, &'static str)> {
        const LADDER: [&str; 5] = ["50/200", "100/400", "200/800", "400/1600", "500/2000"];
        let (mut step, mut raised_at, mut rows) = (0_usize, i64::MIN, Vec::new());
        for week in 0..WEEKS {
            let hour = week * 168;
            // Half past the hour: it came before the slot when its hour is below the slot's.
            if step > 0 && kills.iter().any(|kill| *kill >= raised_at && *kill < hour) {
                step = 0;
                raised_at = hour;
            }
            let is_quiet = !kills.iter().any(|kill| *kill >= hour - 168 && *kill < hour);
            let today = week * 7;
            let is_whole = !missing.iter().any(|day| (today - 31..today).contains(day));
            if is_quiet && is_whole && step < 4 {
                step += 1;
                raised_at = hour;
            }
            rows.push((step as u32, LADDER[step]));
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

        /// ESCALATION-2: a year of weeks with random kills and missing days against a table that was written apart.
        #[test]
        fn a_year_of_weeks_follows_the_table(
            missing in prop::collection::vec(0_i64..364, 0..4), kills in prop::collection::vec(0_i64..8736, 0..6),
        ) {
            let weeks = run(&history(&missing, &kills));
            let schedule = schedule();
            let seen: Vec<(u32, String)> = weeks
                .iter()
                .map(|week| {
                    let rung = &schedule.ladder.rungs()[week.after as usize];
                    (week.after, format!("{}/{}", rung.max_notional_per_order, rung.max_total_notional))
                })
                .collect();
            let wanted: Vec<(u32, String)> =
                table(&missing, &kills).into_iter().map(|(step, limits)| (step, limits.to_owned())).collect();
            prop_assert_eq!(seen, wanted);
        }
    }
}
