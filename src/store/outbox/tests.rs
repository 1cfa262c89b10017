//! What is written down, and what becomes of it over time.

use std::collections::BTreeMap;

use super::*;
use crate::telemetry::watch::Then;

fn at(secs: i64) -> Time {
    Time::from_micros(1_700_000_000_000_000) + Span::from_secs(secs)
}

fn raise(key: &str, severity: Severity, secs: i64) -> Raise {
    Raise {
        key: key.to_owned(),
        rule: None,
        severity,
        title: format!("title of {key}"),
        text: "text".to_owned(),
        fields: BTreeMap::new(),
        at: at(secs),
        lasts: false,
        source: "log 1".to_owned(),
        part: None,
        unresolved: None,
    }
}

fn lasting(key: &str, secs: i64) -> Raise {
    Raise { lasts: true, ..raise(key, Severity::Critical, secs) }
}

fn half_hour() -> Span {
    Span::from_secs(1800)
}

fn take(outbox: &mut Outbox, words: &[Word], secs: i64) {
    outbox.take(words, None, half_hour(), false, at(secs)).unwrap();
}

fn telling(receivers: &[&str], severity: Severity, alerts: &[i64]) -> Telling {
    Telling {
        route: "critical".to_owned(),
        receivers: receivers.iter().map(|&name| name.to_owned()).collect(),
        kind: "news",
        severity,
        title: "t".to_owned(),
        text: String::new(),
        fields: vec![("a".to_owned(), "b".to_owned())],
        at: at(0),
        alerts: alerts.to_vec(),
    }
}

fn keys(rows: &[AlertRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

/// STORE-9.
#[test]
fn the_log_and_its_alerts_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    assert_eq!(outbox.followed().unwrap(), None);
    let followed = Followed { sequence: 7, news_from: at(0) };
    outbox.take(&[Word::Raise(raise("a", Severity::Info, 1))], Some(followed), half_hour(), true, at(60)).unwrap();
    let beside = Outbox::look(folder.path()).unwrap().unwrap();
    assert_eq!(beside.followed().unwrap(), Some(followed));
    let row = &beside.standing().unwrap()[0];
    assert_eq!((row.raised_at, row.queued_at, row.late, row.count), (at(1), at(60), true, 1));
    drop(outbox);
    assert_eq!(Outbox::open(folder.path()).unwrap().followed().unwrap(), Some(followed));
    assert!(Outbox::look(&folder.path().join("none")).unwrap().is_none());
}

#[test]
fn the_same_trouble_is_one_alert() {
    let mut outbox = Outbox::in_memory().unwrap();
    take(&mut outbox, &[Word::Raise(raise("a", Severity::Warning, 0)), Word::Raise(raise("a", Severity::Info, 5))], 6);
    let row = &outbox.standing().unwrap()[0];
    assert_eq!((row.count, row.severity, row.raised_at, row.last_at), (2, Severity::Warning, at(0), at(5)));
    take(&mut outbox, &[Word::Raise(raise("a", Severity::Critical, 7))], 7);
    let row = &outbox.standing().unwrap()[0];
    assert_eq!((row.count, row.severity, row.queued_at), (3, Severity::Critical, at(6)), "nobody was told before");
}

#[test]
fn an_acknowledged_event_is_over_and_a_condition_stands() {
    let mut outbox = Outbox::in_memory().unwrap();
    take(&mut outbox, &[Word::Raise(raise("event", Severity::Critical, 0)), Word::Raise(lasting("kill/x", 0))], 0);
    assert_eq!(keys(&outbox.unresolved_critical(at(0)).unwrap()), ["event", "kill/x"]);
    let state = |row: Option<AlertRow>| row.map(|row| (row.state, row.acked_by));
    assert_eq!(state(outbox.acknowledge(1, "me", at(1)).unwrap()), Some((AlertState::Resolved, Some("me".to_owned()))));
    assert_eq!(state(outbox.acknowledge(2, "me", at(1)).unwrap()), Some((AlertState::Acknowledged, Some("me".to_owned()))));
    assert_eq!(state(outbox.acknowledge(3, "me", at(1)).unwrap()), None);
    assert_eq!(keys(&outbox.unresolved_critical(at(2)).unwrap()), ["kill/x"], "an ack ends no condition");
    take(&mut outbox, &[Word::SettleAll { prefix: "kill/" }], 3);
    assert!(outbox.unresolved_critical(at(3)).unwrap().is_empty());
}

#[test]
fn what_comes_back_soon_is_the_same_alert_unless_its_end_was_told() {
    let mut outbox = Outbox::in_memory().unwrap();
    take(&mut outbox, &[Word::Raise(lasting("rule/x", 0))], 0);
    outbox.queue(&[telling(&["log"], Severity::Critical, &[1])], at(2)).unwrap();
    let over = Word::Settle { key: "rule/x".to_owned(), part: None };
    take(&mut outbox, std::slice::from_ref(&over), 60);
    take(&mut outbox, &[Word::Raise(lasting("rule/x", 70))], 70);
    let row = outbox.alert(1).unwrap().unwrap();
    assert_eq!((row.state, row.count, row.since, row.told_at), (AlertState::Open, 2, at(70), Some(at(2))));
    take(&mut outbox, &[over], 80);
    let resolved = Telling { kind: "resolved", ..telling(&["log"], Severity::Critical, &[1]) };
    outbox.queue(&[resolved], at(400)).unwrap();
    assert!(outbox.standing().unwrap().is_empty());
    take(&mut outbox, &[Word::Raise(lasting("rule/x", 410))], 410);
    assert_eq!(outbox.standing().unwrap()[0].id, 2, "people believe that it is over: this is news");
}

#[test]
fn several_of_one_kind_end_with_the_last() {
    let mut outbox = Outbox::in_memory().unwrap();
    let of = |part: &str| Word::Raise(Raise { part: Some(part.to_owned()), ..lasting("orders/unknown", 0) });
    let over = |part: &str| Word::Settle { key: "orders/unknown".to_owned(), part: Some(part.to_owned()) };
    take(&mut outbox, &[of("a"), of("b"), over("a")], 1);
    assert_eq!(outbox.alert(1).unwrap().unwrap().state, AlertState::Open);
    take(&mut outbox, &[over("b")], 2);
    assert_eq!(outbox.alert(1).unwrap().unwrap().state, AlertState::Resolved);
}

#[test]
fn events_expire_and_what_is_critical_does_not() {
    let mut outbox = Outbox::in_memory().unwrap();
    take(&mut outbox, &[Word::Raise(raise("a", Severity::Warning, 0)), Word::Raise(raise("b", Severity::Critical, 0))], 0);
    let day = Span::from_days(1);
    assert_eq!(outbox.expire(day, at(90_000)).unwrap(), 0, "nobody was told yet");
    outbox.queue(&[telling(&["log"], Severity::Critical, &[1, 2])], at(1)).unwrap();
    assert_eq!(outbox.expire(day, at(90_000)).unwrap(), 1);
    assert_eq!(keys(&outbox.standing().unwrap()), ["b"]);
}

#[test]
fn what_stands_is_bounded_and_nothing_critical_goes() {
    let mut outbox = Outbox::in_memory().unwrap();
    let mut words = vec![Word::Raise(raise("worst", Severity::Critical, 0))];
    words.extend((0..alerts::STANDING_MAX).map(|i| Word::Raise(raise(&format!("w{i}"), Severity::Warning, 0))));
    take(&mut outbox, &words, 0);
    let standing = outbox.standing().unwrap();
    assert_eq!(standing.len() as i64, alerts::STANDING_MAX);
    assert_eq!((standing[0].key.as_str(), standing[1].key.as_str()), ("worst", "w1"));
}

/// ALERT-3.
#[test]
fn a_full_queue_loses_the_oldest_that_is_not_critical() {
    let mut outbox = Outbox::in_memory().unwrap();
    outbox.queue(&[telling(&["slack"], Severity::Critical, &[])], at(0)).unwrap();
    let many: Vec<Telling> = (1..DELIVERIES_MAX).map(|_| telling(&["slack"], Severity::Info, &[])).collect();
    assert_eq!(outbox.queue(&many, at(1)).unwrap(), 0);
    assert_eq!(outbox.queue(&[telling(&["slack", "mail"], Severity::Critical, &[])], at(2)).unwrap(), 2);
    let pending = outbox.pending().unwrap();
    assert_eq!(pending.len() as i64, DELIVERIES_MAX);
    let critical: Vec<i64> = pending.iter().take_while(|row| row.severity == Severity::Critical).map(|row| row.id).collect();
    assert_eq!(critical, [1, DELIVERIES_MAX + 1, DELIVERIES_MAX + 2], "the critical ones stand first");
    assert_eq!(pending[3].id, 4, "two and three went");
}

#[test]
fn a_delivery_is_tried_settled_and_stood_in_for() {
    let mut outbox = Outbox::in_memory().unwrap();
    outbox.queue(&[telling(&["slack", "mail"], Severity::Critical, &[])], at(0)).unwrap();
    let later = Outcome::Later { why: "it answered 500".to_owned(), next_try_at: at(5) };
    outbox.settle_delivery(1, &later, at(1)).unwrap();
    let row = &outbox.pending().unwrap()[0];
    assert_eq!((row.tries, row.next_try_at, row.error.as_deref()), (1, at(5), Some("it answered 500")));
    assert!(!outbox.fall_back(1, "mail", at(2)).unwrap(), "mail has the message already");
    assert!(outbox.fall_back(1, "pager", at(2)).unwrap());
    assert!(!outbox.fall_back(1, "pager", at(2)).unwrap(), "once");
    outbox.settle_delivery(1, &Outcome::Failed { why: "gone".to_owned() }, at(6)).unwrap();
    outbox.settle_delivery(3, &Outcome::Delivered, at(6)).unwrap();
    let rows = outbox.deliveries_since(at(0)).unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.receiver.as_str(), row.state, row.fallback_of)).collect();
    use DeliveryState::{Delivered, Failed, Pending};
    assert_eq!(seen, [("slack", Failed, None), ("mail", Pending, None), ("pager", Delivered, Some(1))]);
    assert!(rows.iter().all(|row| row.message == rows[0].message), "one name, so that a receiver can tell a double");
    assert_eq!(outbox.told_since(at(0)).unwrap().len(), 1);
    let well = outbox.receivers_well().unwrap();
    assert_eq!((well.get("slack"), well.get("mail"), well.get("pager")), (Some(&false), None, Some(&true)));
}

#[test]
fn a_code_is_confirmed_once_and_an_unknown_one_is_none() {
    let mut outbox = Outbox::in_memory().unwrap();
    let (code, other) = (outbox.issue_code(at(0)).unwrap(), outbox.issue_code(at(0)).unwrap());
    assert!(code.len() == 8 && code != other && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{code}");
    assert_eq!(outbox.confirmed(&code).unwrap(), Some(Confirmed { created_at: at(0), confirmed_at: None }));
    let typed = format!(" {} ", code.to_lowercase());
    let confirmed = Some(Confirmed { created_at: at(0), confirmed_at: Some(at(9)) });
    assert_eq!(outbox.confirm(&typed, at(9)).unwrap(), confirmed);
    assert_eq!(outbox.confirm(&code, at(20)).unwrap(), confirmed, "the first time counts");
    assert_eq!(outbox.confirm("NOTACODE", at(9)).unwrap(), None);
}

#[test]
fn a_code_is_a_receipt_of_the_only_one_who_took_it() {
    let mut outbox = Outbox::in_memory().unwrap();
    let mut send = |receivers: &[(&str, bool)], second: i64| {
        let code = outbox.issue_code(at(second)).unwrap();
        for (receiver, is_taken) in receivers {
            let title = format!("a test, code {code}");
            let telling =
                Telling { receivers: vec![(*receiver).to_owned()], kind: "test", title, ..telling(&[], Severity::Info, &[]) };
            let outcome = if *is_taken { Outcome::Delivered } else { Outcome::Failed { why: "no".to_owned() } };
            outbox.note_sent(&telling, &outcome, at(second)).unwrap();
        }
        code
    };
    let alone = send(&[("slack", true), ("mail", false)], 1);
    send(&[("slack", true), ("mail", true)], 2);
    send(&[("mail", false)], 3);
    send(&[("mail", true)], 4);
    outbox.confirm(&alone, at(9)).unwrap();
    let receipt = |receiver: &str, created: i64, confirmed: Option<i64>| Receipt {
        receiver: receiver.to_owned(),
        created_at: at(created),
        confirmed_at: confirmed.map(at),
    };
    assert_eq!(outbox.receipts(at(0)).unwrap(), [receipt("slack", 1, Some(9)), receipt("mail", 4, None)]);
    assert_eq!(outbox.receipts(at(2)).unwrap(), [receipt("mail", 4, None)]);
}

/// A plan asks what was raised since it was made, whatever became of it.
#[test]
fn critical_alerts_are_told_with_the_time_they_came_last() {
    let mut outbox = Outbox::in_memory().unwrap();
    take(&mut outbox, &[Word::Raise(raise("a", Severity::Critical, 0)), Word::Raise(raise("b", Severity::Warning, 0))], 1);
    let found = |outbox: &Outbox, second: i64| outbox.criticals(at(second)).unwrap();
    assert_eq!(found(&outbox, 0), []);
    outbox.acknowledge(1, "me", at(2)).unwrap();
    assert_eq!(found(&outbox, 3), [("a".to_owned(), at(1))], "resolved, and still raised");
    take(&mut outbox, &[Word::Raise(raise("a", Severity::Critical, 7))], 8);
    assert_eq!(found(&outbox, 9).last(), Some(&("a".to_owned(), at(8))), "it came back");
}

#[test]
fn a_rollback_is_due_by_its_time_whoever_acknowledged_it() {
    let mut outbox = Outbox::in_memory().unwrap();
    let unresolved = Some((Span::from_secs(900), Then::Rollback));
    take(&mut outbox, &[Word::Raise(Raise { unresolved, ..lasting("rule/x", 0) })], 0);
    outbox.acknowledge(1, "me", at(1)).unwrap();
    assert!(outbox.due_rollbacks(at(899)).unwrap().is_empty());
    assert_eq!(keys(&outbox.due_rollbacks(at(900)).unwrap()), ["rule/x"]);
    assert_eq!(outbox.alert(1).unwrap().unwrap().consequence_due(), Some((at(900), Then::Rollback)));
    assert!(outbox.take_up(1, at(901)).unwrap() && !outbox.take_up(1, at(901)).unwrap(), "one program takes it up");
    assert!(outbox.due_rollbacks(at(2000)).unwrap().is_empty());
}

#[test]
fn silences_end_by_themselves_or_by_hand() {
    let mut outbox = Outbox::in_memory().unwrap();
    outbox.silence("gap/*", "maintenance", at(100), at(0)).unwrap();
    outbox.silence("dust/*", "noise", at(200), at(0)).unwrap();
    assert_eq!(outbox.silences(at(99)).unwrap().len(), 2);
    assert!(outbox.unsilence(2, at(50)).unwrap() && !outbox.unsilence(2, at(50)).unwrap());
    assert!(outbox.silences(at(100)).unwrap().is_empty());
}

#[test]
fn a_newer_file_is_refused_and_texts_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    let huge = Raise { title: "x".repeat(1 << 20), text: "y".repeat(1 << 20), ..raise("a", Severity::Info, 0) };
    take(&mut outbox, &[Word::Raise(huge)], 0);
    let row = &outbox.standing().unwrap()[0];
    assert_eq!((row.title.chars().count(), row.text.chars().count()), (200, 3000));
    outbox.db.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Outbox::open(folder.path()), Err(OutboxError::Newer { found: 99, .. })));
}
