//! What is told, when, and what is not.

use std::collections::BTreeMap;

use super::*;
use crate::store::outbox::{Outbox, Raise, Word};

fn at(secs: i64) -> Time {
    Time::from_micros(1_700_000_000_000_000) + Span::from_secs(secs)
}

fn route(name: &str, severity: Option<Severity>, receivers: &[&str], silenceable: bool) -> Route {
    let receivers = receivers.iter().map(|&name| name.to_owned()).collect();
    Route { name: name.to_owned(), severity, receivers, silenceable }
}

fn config() -> AlertConfig {
    AlertConfig {
        repeat_every: Span::from_secs(1800),
        routes: vec![route("critical", Some(Critical), &["slack", "mail"], false), route("rest", None, &["slack"], true)],
        fallback: Some("mail".to_owned()),
        receipt_within: Span::from_secs(60),
        rules: Vec::new(),
    }
}

fn raise(key: &str, severity: Severity, secs: i64) -> Raise {
    Raise {
        key: key.to_owned(),
        rule: None,
        severity,
        title: key.to_owned(),
        text: format!("text of {key}"),
        fields: BTreeMap::new(),
        at: at(secs),
        lasts: key.starts_with("kill/") || key.starts_with("rule/"),
        source: "log 1".to_owned(),
        part: None,
        unresolved: None,
    }
}

/// An outbox and a clock: raises, and takes the messages that fall due.
struct Desk {
    outbox: Outbox,
    config: AlertConfig,
}

impl Desk {
    fn new() -> Self {
        Self { outbox: Outbox::in_memory().unwrap(), config: config() }
    }

    fn say(&mut self, secs: i64, words: &[Word]) {
        self.outbox.take(words, None, self.config.repeat_every, false, at(secs)).unwrap();
    }

    fn raise(&mut self, secs: i64, key: &str, severity: Severity) {
        self.say(secs, &[Word::Raise(raise(key, severity, secs))]);
    }

    fn over(&mut self, secs: i64, key: &str) {
        self.say(secs, &[Word::Settle { key: key.to_owned(), part: None }]);
    }

    /// The messages that are due at a second, which then count as told.
    fn told(&mut self, secs: i64) -> Vec<Telling> {
        let plan = self.plan(secs, false);
        self.outbox.queue(&plan.tellings, at(secs)).unwrap();
        plan.tellings
    }

    fn plan(&self, secs: i64, is_closing: bool) -> Plan {
        let (alerts, silences) = (self.outbox.standing().unwrap(), self.outbox.silences(at(secs)).unwrap());
        let told = self.outbox.told_since(at(secs) - GROUP_INTERVAL).unwrap();
        plan(View { alerts: &alerts, silences: &silences, told: &told }, &self.config, at(secs), is_closing)
    }

    /// Titles and kinds of what falls due in a stretch of seconds.
    fn through(&mut self, secs: std::ops::Range<i64>) -> Vec<(i64, &'static str, String)> {
        let mut seen = Vec::new();
        for sec in secs {
            seen.extend(self.told(sec).into_iter().map(|telling| (sec, telling.kind, telling.title)));
        }
        seen
    }
}

use Severity::{Critical, Info, Warning};

#[test]
fn what_is_critical_waits_two_seconds_and_the_rest_half_a_minute() {
    let mut desk = Desk::new();
    desk.raise(0, "gap/BTC", Warning);
    desk.raise(0, "excess/BTC", Critical);
    assert!(desk.told(1).is_empty());
    assert_eq!(desk.plan(0, false).wake_at, Some(at(2)));
    let told = desk.told(2);
    assert_eq!((told.len(), told[0].title.as_str(), told[0].receivers.len()), (1, "excess/BTC", 2));
    assert_eq!(desk.through(3..40), [(30, "news", "gap/BTC".to_owned())]);
}

#[test]
fn what_comes_together_is_told_together_the_gravest_first() {
    let mut desk = Desk::new();
    for key in ["a", "b", "c"] {
        desk.raise(0, key, Info);
    }
    desk.raise(5, "d", Warning);
    let told = desk.told(30);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].title.as_str(), told[0].alerts.len(), told[0].severity), ("4 alerts: d and others", 4, Warning));
    assert!(told[0].text.starts_with("warning d [4]: text of d\ninfo a [1]"), "{}", told[0].text);
    desk.raise(31, "e", Warning);
    assert_eq!(desk.through(31..340), [(330, "news", "e".to_owned())], "the next message waits five minutes");
}

#[test]
fn at_the_end_nothing_waits_for_company() {
    let mut desk = Desk::new();
    desk.raise(0, "a", Info);
    assert_eq!(desk.plan(0, true).tellings.len(), 1);
}

/// ALERT-4.
#[test]
fn the_same_is_told_again_only_after_a_while() {
    let mut desk = Desk::new();
    for sec in 0..4000 {
        if sec % 10 == 0 {
            desk.raise(sec, "denied/BTC", Info);
        }
        let told = desk.told(sec);
        let expected = match sec {
            30 => Some("denied/BTC"),
            1830 | 3630 => Some("still: denied/BTC"),
            _ => None,
        };
        assert_eq!(told.first().map(|telling| telling.title.as_str()), expected, "second {sec}");
    }
    let mut desk = Desk::new();
    desk.raise(0, "denied/BTC", Info);
    assert_eq!(desk.through(0..8000).len(), 1, "what happened once is told once");
}

/// ALERT-4.
#[test]
fn what_gets_worse_is_told_at_once() {
    let mut desk = Desk::new();
    desk.raise(0, "a", Warning);
    assert_eq!(desk.through(0..60).len(), 1);
    desk.raise(60, "a", Critical);
    assert_eq!(desk.through(60..70), [(62, "news", "a".to_owned())]);
}

#[test]
fn what_is_critical_is_repeated_until_somebody_acknowledges_it() {
    let mut desk = Desk::new();
    desk.raise(0, "kill/drawdown", Critical);
    let seen = desk.through(0..2000);
    assert_eq!(
        seen.iter().map(|(sec, kind, _)| (*sec, *kind)).collect::<Vec<_>>(),
        [(2, "news"), (902, "repeat"), (1802, "repeat")]
    );
    desk.outbox.acknowledge(1, "me", at(2000)).unwrap();
    assert!(desk.through(2000..6000).is_empty());
    desk.raise(6000, "kill/other", Critical);
    desk.outbox.acknowledge(2, "me", at(6001)).unwrap();
    assert!(desk.through(6001..6100).is_empty(), "somebody has seen it already");
}

/// G4. ALERT-7.
#[test]
fn a_kill_swallows_what_follows_and_says_how_many() {
    let mut desk = Desk::new();
    desk.raise(0, "gap/before", Warning);
    desk.raise(1, "kill/drawdown", Critical);
    for i in 0..40 {
        desk.raise(2, &format!("denied/{i}"), Info);
    }
    desk.raise(2, "excess/BTC", Critical);
    let seen = desk.told(3);
    assert_eq!((seen.len(), seen[0].alerts.len()), (1, 2), "both critical ones, in one message");
    assert!(seen[0].fields.iter().any(|(name, value)| name == "held back" && value.starts_with("40 alerts")), "{seen:?}");
    assert_eq!(desk.through(4..500), [(30, "news", "gap/before".to_owned())], "what came before is no consequence");
    let view = desk.outbox.standing().unwrap();
    let view = View { alerts: &view, silences: &[], told: &[] };
    assert_eq!(standing(&view.alerts[2], view, &desk.config, at(500)), Standing::Inhibited { by: 2 });
}

#[test]
fn a_silence_holds_for_its_time_and_not_where_a_route_takes_none() {
    let mut desk = Desk::new();
    desk.outbox.silence("*BTC*", "maintenance", at(600), at(0)).unwrap();
    desk.raise(0, "gap/BTC/USDT", Warning);
    desk.raise(0, "gap/ETH/USDT", Warning);
    desk.raise(0, "excess/BTC/USDT", Critical);
    let seen = desk.through(0..1000);
    let titles: Vec<_> = seen.iter().map(|(sec, _, title)| (*sec, title.as_str())).collect();
    assert_eq!(titles, [(2, "excess/BTC/USDT"), (30, "gap/ETH/USDT"), (600, "gap/BTC/USDT"), (902, "still: excess/BTC/USDT")]);
}

/// G9.
#[test]
fn a_clock_set_back_makes_no_silence_longer() {
    let mut desk = Desk::new();
    desk.outbox.silence("gap/*", "maintenance", at(3600), at(0)).unwrap();
    desk.raise(-7200, "gap/BTC", Warning);
    assert_eq!(desk.through(-7200..-7100).len(), 1, "it was meant for an hour, not for three");
}

/// G5.
#[test]
fn what_flaps_is_told_once_and_its_end_when_it_is_calm() {
    let mut desk = Desk::new();
    let mut seen = Vec::new();
    for sec in 0..1500 {
        match sec % 60 {
            0 => desk.raise(sec, "rule/timeout", Warning),
            30 => desk.over(sec, "rule/timeout"),
            _ => {}
        }
        seen.extend(desk.told(sec).into_iter().map(|telling| (sec, telling.kind)));
    }
    // It never stands for half a minute, and has been there for one: told when it comes back, then nothing.
    assert_eq!(seen, [(60, "news")]);
    let calm = desk.through(1500..2400);
    assert_eq!(calm, [(1770, "resolved", "resolved: rule/timeout".to_owned())]);
}

/// G4. ALERT-7. P11.
#[test]
fn a_storm_makes_ten_messages_and_loses_nothing_critical() {
    let mut desk = Desk::new();
    let mut tellings = Vec::new();
    let mut told = std::collections::BTreeSet::new();
    for i in 0..10_000_i64 {
        let sec = i * 60 / 10_000;
        let (key, severity) = match i {
            i if i % 1000 == 7 => (format!("excess/{i}"), Critical),
            i if i % 3 == 0 => (format!("gap/{}", i % 500), Warning),
            i => (format!("denied/{}", i % 2000), Info),
        };
        desk.raise(sec, &key, severity);
        if i % 167 == 0 {
            tellings.extend(desk.told(sec));
        }
    }
    tellings.extend(desk.told(60));
    let messages: usize = tellings.iter().map(|telling| telling.receivers.len()).sum();
    assert!(messages <= 10, "{messages} messages");
    tellings.extend((61..130).flat_map(|sec| desk.told(sec)));
    tellings.iter().filter(|t| t.route == "critical").for_each(|telling| told.extend(telling.alerts.iter().copied()));
    assert_eq!(told.len(), 10, "every critical alert is in a message");
    let named: String = tellings.iter().map(|telling| format!("{} {}", telling.title, telling.text)).collect();
    assert!((0..10).all(|i| named.contains(&format!("excess/{}", i * 1000 + 7))), "and named");
}

/// ALERT-7.
#[test]
fn what_is_critical_and_over_before_anybody_was_told_is_told() {
    let mut desk = Desk::new();
    desk.raise(0, "rule/venue", Critical);
    desk.raise(0, "rule/slow", Warning);
    ["rule/venue", "rule/slow"].iter().for_each(|key| desk.over(1, key));
    let seen = desk.told(2);
    assert_eq!((seen.len(), seen[0].title.as_str()), (1, "rule/venue"));
    assert!(seen[0].fields.iter().any(|(name, value)| name == "over" && value.starts_with("since")), "{seen:?}");
    assert!(desk.through(3..1000).is_empty());
}

#[test]
fn patterns_fit_whole_keys() {
    for (pattern, key) in
        [("*", "a/b"), ("a/b", "a/b"), ("a*", "a/b"), ("*b", "a/b"), ("a*c*e", "abcde"), ("*b*", "abc"), ("**", "")]
    {
        assert!(matches(pattern, key), "{pattern} {key}");
    }
    for (pattern, key) in [("a", "a/b"), ("b*", "a/b"), ("a*c*f", "abcde"), ("", "a"), ("ab*ba", "aba")] {
        assert!(!matches(pattern, key), "{pattern} {key}");
    }
}
