//! One gate: what it measures, what it wants, and one of three answers. What is not known does not pass.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use crate::domain::{Span, Time};
use crate::perf::rolling::{self, Lack, Window};

/// What a gate measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    Sharpe(Window),
    KillEvents { window: Span },
    AlertsUnresolvedCritical,
}

/// How a reading is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Greater,
    AtLeast,
    Less,
    AtMost,
    Equal,
    Other,
}

impl Op {
    /// By its sign in a document.
    #[must_use]
    pub fn of(sign: &str) -> Option<Self> {
        [Self::Greater, Self::AtLeast, Self::Less, Self::AtMost, Self::Equal, Self::Other]
            .into_iter()
            .find(|op| op.sign() == sign)
    }

    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::Other => "!=",
        }
    }

    #[must_use]
    #[expect(clippy::float_cmp, reason = "a document that says == means it")]
    pub fn holds(self, seen: f64, wanted: f64) -> bool {
        match self {
            Self::Greater => seen > wanted,
            Self::AtLeast => seen >= wanted,
            Self::Less => seen < wanted,
            Self::AtMost => seen <= wanted,
            Self::Equal => seen == wanted,
            Self::Other => seen != wanted,
        }
    }
}

/// A gate of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    pub name: String,
    pub metric: Metric,
    pub op: Op,
    pub value: f64,
}

/// One of three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    /// Nobody knows: it holds as a failure does.
    Unknown,
    Fail,
}

impl Verdict {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "FAIL",
        }
    }
}

/// What a gate said, with its numbers as people read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub gate: String,
    pub measured: String,
    pub needs: String,
    pub verdict: Verdict,
    /// When it could become known, or pass, if nothing else happens.
    pub earliest: Option<Time>,
    /// It passes, and chance alone could have made it.
    pub weak: bool,
}

impl Reading {
    /// A gate of the schedule itself.
    #[must_use]
    pub fn of_schedule(gate: &str, measured: String, needs: String, passes: bool, earliest: Option<Time>) -> Self {
        let verdict = if passes { Verdict::Pass } else { Verdict::Fail };
        Self { gate: gate.to_owned(), measured, needs, verdict, earliest, weak: false }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}, needs {}", self.gate, self.verdict.name(), self.measured, self.needs)
    }
}

impl Gate {
    /// Measures at `now`. What happened later does not count.
    #[must_use]
    pub fn read(&self, evidence: &Evidence, now: Time) -> Reading {
        match self.metric {
            Metric::Sharpe(window) => self.sharpe(&window, evidence, now),
            Metric::KillEvents { window } => self.kills(window, evidence, now),
            Metric::AlertsUnresolvedCritical => self.alerts(evidence),
        }
    }

    fn reading(&self, measured: String, over: Option<Span>, verdict: Verdict) -> Reading {
        let over = over.map_or_else(String::new, |span| format!(" over {span}"));
        let needs = format!("{} {}{over}", self.op.sign(), self.value);
        Reading { gate: self.name.clone(), measured, needs, verdict, earliest: None, weak: false }
    }

    fn sharpe(&self, window: &Window, evidence: &Evidence, now: Time) -> Reading {
        let over = Some(Span::from_days(i64::from(window.days)));
        match rolling::sharpe(&evidence.closes, now, window) {
            Ok(seen) => {
                let passes = self.op.holds(seen.value, self.value);
                let measured = format!("{:.2} (95 %: {:.1} .. {:.1}, n={})", seen.value, seen.low, seen.high, seen.n);
                let weak = passes && !(self.op.holds(seen.low, self.value) && self.op.holds(seen.high, self.value));
                Reading { weak, ..self.reading(measured, over, if passes { Verdict::Pass } else { Verdict::Fail }) }
            }
            Err(unknown) => {
                let said = rolling::Unknown { earliest: None, ..unknown }.to_string();
                let said = if matches!(unknown.lack, Lack::Behind { .. }) { format!("{said}; a run brings more") } else { said };
                Reading { earliest: unknown.earliest, ..self.reading(said, over, Verdict::Unknown) }
            }
        }
    }

    fn kills(&self, window: Span, evidence: &Evidence, now: Time) -> Reading {
        let begin = now - window;
        let inside = || evidence.kills.iter().filter(|kill| kill.at >= begin && kill.at <= now);
        let (count, last) = (inside().count(), inside().next_back());
        let passes = self.op.holds(count as f64, self.value);
        let is_whole = evidence.known_since.is_some_and(|since| since <= begin);
        let behind = |time: Time| time.saturating_add(window).saturating_add(Span::from_micros(1));
        let measured = match last {
            Some(kill) => format!("{count}, last {} ({})", rolling::date(kill.at.utc_day()), kill.cause),
            None => "0 events".to_owned(),
        };
        // What was not written down may have been a kill.
        let (verdict, earliest) = match (passes, is_whole) {
            (true, true) => (Verdict::Pass, None),
            (true, false) => (Verdict::Unknown, evidence.known_since.map(|since| since.saturating_add(window))),
            (false, _) => (Verdict::Fail, last.map(|kill| behind(kill.at))),
        };
        let measured = match (verdict, evidence.known_since) {
            (Verdict::Unknown, Some(since)) => format!("{measured}, known since {}", rolling::date(since.utc_day())),
            (Verdict::Unknown, None) => "nothing was written down yet".to_owned(),
            _ => measured,
        };
        Reading { earliest, ..self.reading(measured, Some(window), verdict) }
    }

    fn alerts(&self, evidence: &Evidence) -> Reading {
        match evidence.unresolved_critical {
            None => self.reading("nobody keeps count of alerts".to_owned(), None, Verdict::Unknown),
            Some(count) => {
                let passes = self.op.holds(count as f64, self.value);
                self.reading(format!("{count} unresolved"), None, if passes { Verdict::Pass } else { Verdict::Fail })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn quiet() -> Gate {
        Gate { name: "quiet".to_owned(), metric: Metric::KillEvents { window: Span::from_days(7) }, op: Op::Equal, value: 0.0 }
    }

    fn with_kill(at: Time) -> Evidence {
        let kill = Kill { at, cause: "drawdown-daily".to_owned(), row: Some(1) };
        Evidence { kills: vec![kill], known_since: Some(Time::from_micros(0)), ..Evidence::default() }
    }

    use super::super::evidence::Kill;

    #[test]
    fn a_kill_six_days_and_23_hours_ago_holds_and_one_of_7_days_and_a_second_does_not() {
        let now = at("2026-11-16T09:00:00Z");
        let verdict = |text: &str| quiet().read(&with_kill(at(text)), now).verdict;
        assert_eq!(verdict("2026-11-09T10:00:00Z"), Verdict::Fail);
        assert_eq!(verdict("2026-11-09T09:00:00Z"), Verdict::Fail, "exactly seven days are not more than seven");
        assert_eq!(verdict("2026-11-09T08:59:59Z"), Verdict::Pass);
        let reading = quiet().read(&with_kill(at("2026-11-09T10:00:00Z")), now);
        assert_eq!(quiet().read(&with_kill(at("2026-11-09T10:00:00Z")), reading.earliest.unwrap()).verdict, Verdict::Pass);
    }

    #[test]
    fn days_that_nobody_wrote_down_are_unknown() {
        let now = at("2026-11-16T09:00:00Z");
        let evidence = Evidence { known_since: Some(at("2026-11-12T00:00:00Z")), ..Evidence::default() };
        let reading = quiet().read(&evidence, now);
        assert_eq!((reading.verdict, reading.earliest), (Verdict::Unknown, Some(at("2026-11-19T00:00:00Z"))));
        assert_eq!(quiet().read(&Evidence::default(), now).verdict, Verdict::Unknown);
        let killed = Evidence { known_since: evidence.known_since, ..with_kill(at("2026-11-13T00:00:00Z")) };
        assert_eq!(quiet().read(&killed, now).verdict, Verdict::Fail, "one kill is enough to know");
    }

    #[test]
    fn alerts_that_nobody_counts_are_unknown() {
        let gate = Gate { name: "alerts".to_owned(), metric: Metric::AlertsUnresolvedCritical, op: Op::Equal, value: 0.0 };
        let verdict = |count| gate.read(&Evidence { unresolved_critical: count, ..Evidence::default() }, Time::default()).verdict;
        assert_eq!([verdict(None), verdict(Some(1)), verdict(Some(0))], [Verdict::Unknown, Verdict::Fail, Verdict::Pass]);
    }

    #[test]
    fn signs_are_read_back_and_compare() {
        for (sign, below, same, above) in [
            (">", false, false, true),
            (">=", false, true, true),
            ("<", true, false, false),
            ("<=", true, true, false),
            ("==", false, true, false),
            ("!=", true, false, true),
        ] {
            let op = Op::of(sign).unwrap();
            assert_eq!([op.holds(-1.0, 0.0), op.holds(0.0, 0.0), op.holds(1.0, 0.0)], [below, same, above], "{sign}");
        }
        assert_eq!(Op::of("=>"), None);
    }
}
