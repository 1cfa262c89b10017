//! Rules over metrics: which have come to hold, which hold no more. A pure function of what was seen and when.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::{Span, Time};
use crate::store::outbox::{Raise, Word};
use crate::telemetry::watch::Rule;

/// Series that one rule tells apart; more are not looked at.
const SERIES_MAX: usize = 1000;
/// Readings of a counter that are remembered; of more, the oldest go, and the increase is counted from what is left.
const HISTORY_MAX: usize = 4096;
/// Without a reading for so long, or for as long as the rule asks, nobody knows whether it held meanwhile.
const GAP: Span = Span::from_secs(300);

/// A figure, as it was at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub metric: String,
    /// Values of the labels, in the catalogue's order.
    pub labels: Vec<String>,
    pub value: f64,
}

/// What one rule knows of one series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Watched {
    last: Option<Time>,
    holds_since: Option<Time>,
    is_firing: bool,
    /// Of a counter, within the window.
    history: VecDeque<(Time, f64)>,
}

/// How far every rule has come; kept between programs, so that a run an hour can see what lasts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleBook {
    watched: BTreeMap<String, Watched>,
}

impl RuleBook {
    /// Looks at readings of one moment. Gives what has come to hold and what holds no more; what goes on says nothing. A series without
    /// a reading stays as it was: absence ends no alert.
    pub fn observe(&mut self, rules: &[Rule], readings: &[Reading], now: Time) -> Vec<Word> {
        let mut words = Vec::new();
        for rule in rules {
            for reading in readings.iter().filter(|reading| reading.metric == rule.metric && reading.value.is_finite()) {
                let key = key(rule, reading);
                if !self.watched.contains_key(&key) && self.watched.len() >= SERIES_MAX {
                    continue;
                }
                let watched = self.watched.entry(key.clone()).or_default();
                words.extend(watched.look(rule, reading, &key, now));
            }
        }
        words
    }

    /// Rules that hold now, by the keys of their alerts.
    pub fn firing(&self) -> impl Iterator<Item = &str> {
        self.watched.iter().filter(|(_, watched)| watched.is_firing).map(|(key, _)| key.as_str())
    }
}

fn key(rule: &Rule, reading: &Reading) -> String {
    let labels: String = reading.labels.iter().map(|label| format!("/{label}")).collect();
    format!("rule/{}{labels}", rule.name)
}

impl Watched {
    fn look(&mut self, rule: &Rule, reading: &Reading, key: &str, now: Time) -> Option<Word> {
        let gap = GAP.max(rule.hold_for);
        if self.last.is_some_and(|last| now < last || now - last > gap) {
            self.holds_since = None;
        }
        self.last = Some(now);
        let seen = if rule.op.is_increase() { self.increase(rule.window, reading.value, now) } else { reading.value };
        if !rule.op.holds(seen, rule.value) {
            self.holds_since = None;
            let was_firing = std::mem::take(&mut self.is_firing);
            return was_firing.then(|| Word::Settle { key: key.to_owned(), part: None });
        }
        let since = *self.holds_since.get_or_insert(now);
        if self.is_firing || now - since < rule.hold_for {
            return None;
        }
        self.is_firing = true;
        Some(Word::Raise(raise(rule, reading, key, seen, since)))
    }

    /// What a counter has grown by within the window. One that is lower than before has begun anew.
    fn increase(&mut self, window: Span, value: f64, now: Time) -> f64 {
        self.history.retain(|(at, _)| *at <= now);
        self.history.push_back((now, value));
        // The newest reading before the window is what its growth is counted from.
        while self.history.len() > HISTORY_MAX || self.history.get(1).is_some_and(|(at, _)| now - *at >= window) {
            self.history.pop_front();
        }
        let values = self.history.iter().map(|(_, value)| *value);
        let pairs = values.clone().zip(values.skip(1));
        pairs.map(|(before, after)| if after < before { after } else { after - before }).sum()
    }
}

fn raise(rule: &Rule, reading: &Reading, key: &str, seen: f64, since: Time) -> Raise {
    let labels = if reading.labels.is_empty() { String::new() } else { format!("{{{}}}", reading.labels.join(", ")) };
    let is = if rule.op.is_increase() { "has grown by" } else { "is" };
    let mut fields = BTreeMap::from([("rule".to_owned(), rule.name.clone()), ("metric".to_owned(), rule.metric.clone())]);
    if !rule.diagnose.is_empty() {
        fields.insert("diagnose".to_owned(), rule.diagnose.join(", "));
    }
    Raise {
        key: key.to_owned(),
        rule: Some(rule.name.clone()),
        severity: rule.severity,
        title: format!("{}: {}{labels} {is} {seen}", rule.name, rule.metric),
        text: format!("{}{labels} {is} {seen}; the rule is {} {}", rule.metric, rule.op.name(), rule.value),
        fields,
        at: since,
        lasts: true,
        source: "rule".to_owned(),
        part: None,
        unresolved: rule.unresolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Severity;
    use crate::telemetry::watch::{Op, Then};

    fn at(secs: i64) -> Time {
        Time::from_micros(1_700_000_000_000_000) + Span::from_secs(secs)
    }

    fn rule(op: Op, value: f64, hold_for: i64, window: i64) -> Rule {
        Rule {
            name: "r".to_owned(),
            severity: Severity::Critical,
            metric: "m".to_owned(),
            op,
            value,
            hold_for: Span::from_secs(hold_for),
            window: Span::from_secs(window),
            diagnose: Vec::new(),
            retry: 0,
            unresolved: Some((Span::from_secs(900), Then::Rollback)),
        }
    }

    /// What happens at which second: `+` fires, `-` ends.
    fn story(rule: &Rule, values: &[(i64, f64)]) -> Vec<(i64, char)> {
        let mut book = RuleBook::default();
        let mut seen = Vec::new();
        for (sec, value) in values {
            let reading = Reading { metric: "m".to_owned(), labels: vec!["x".to_owned()], value: *value };
            // A book is kept between programs.
            book = serde_json::from_str(&serde_json::to_string(&book).unwrap()).unwrap();
            for word in book.observe(std::slice::from_ref(rule), &[reading], at(*sec)) {
                seen.push((*sec, if matches!(word, Word::Raise(_)) { '+' } else { '-' }));
            }
        }
        seen
    }

    #[test]
    fn it_must_hold_for_its_time_without_a_break() {
        let down = rule(Op::Equal, 0.0, 10, 0);
        assert_eq!(story(&down, &[(0, 0.0), (9, 0.0), (10, 0.0), (20, 0.0), (25, 1.0)]), [(10, '+'), (25, '-')]);
        assert_eq!(story(&down, &[(0, 0.0), (5, 1.0), (6, 0.0), (12, 0.0), (16, 0.0)]), [(16, '+')]);
        assert_eq!(story(&rule(Op::Above, 0.5, 0, 0), &[(0, 0.5), (1, 0.6), (2, 0.7), (3, 0.5)]), [(1, '+'), (3, '-')]);
    }

    #[test]
    fn an_increase_is_counted_over_its_window() {
        let thrice = rule(Op::IncreaseAtLeast, 3.0, 0, 300);
        assert_eq!(story(&thrice, &[(0, 5.0), (100, 7.0), (200, 8.0), (299, 8.0), (500, 8.0)]), [(200, '+'), (500, '-')]);
        assert_eq!(story(&thrice, &[(0, 0.0), (301, 2.0), (602, 4.0)]), [], "two in each window");
        assert_eq!(
            story(&thrice, &[(0, 100.0), (10, 2.0), (20, 3.0)]),
            [(20, '+')],
            "a counter that began anew has grown by three"
        );
    }

    #[test]
    fn what_nobody_saw_did_not_hold_and_ends_nothing() {
        let down = rule(Op::Equal, 0.0, 60, 0);
        assert_eq!(story(&down, &[(0, 0.0), (4000, 0.0), (4059, 0.0), (4060, 0.0)]), [(4060, '+')]);
        assert_eq!(story(&down, &[(0, 0.0), (60, 0.0), (70, f64::NAN), (90, 1.0)]), [(60, '+'), (90, '-')]);
    }

    #[test]
    fn series_are_told_apart_and_an_alert_says_what_was_seen() {
        let mut book = RuleBook::default();
        let reading = |label: &str, value| Reading { metric: "m".to_owned(), labels: vec![label.to_owned()], value };
        let words = book.observe(&[rule(Op::Equal, 0.0, 0, 0)], &[reading("a", 0.0), reading("b", 1.0)], at(0));
        let [Word::Raise(raise)] = words.as_slice() else { panic!("{words:?}") };
        assert_eq!((raise.key.as_str(), raise.title.as_str()), ("rule/r/a", "r: m{a} is 0"));
        assert_eq!(raise.unresolved, Some((Span::from_secs(900), Then::Rollback)));
        assert_eq!(book.firing().collect::<Vec<_>>(), ["rule/r/a"]);
    }
}
