use rusqlite::Connection;
use serde_json::{Value, json};

use super::*;
use crate::domain::{ClientOrderId, Time};
use crate::telemetry::record::{Notice, Records};

const ACCOUNT: &str = "trend@live";

fn at(seconds: i64) -> Time {
    Time::from_micros(1_740_000_000_000_000 + seconds * 1_000_000)
}

fn id(sequence: u16) -> ClientOrderId {
    ClientOrderId { scope: 0xa1b2_c3d4, bar: at(0), sequence }
}

fn intent(sequence: u16) -> Entry {
    Entry::Intent { account: ACCOUNT.to_owned(), id: id(sequence), body: json!({ "qty": "0.5", "n": sequence }) }
}

fn state(sequence: u16, state: &'static str, is_open: bool) -> Entry {
    Entry::Order { id: id(sequence), state, body: json!({ "state": state }), is_open }
}

fn fill(trade: u64, sequence: u16) -> Entry {
    let symbol = "BTC/USDT".to_owned();
    Entry::Fill { account: ACCOUNT.to_owned(), symbol, trade, order: id(sequence), body: json!({ "qty": "0.1" }) }
}

fn note(n: u64) -> Entry {
    Entry::Note { kind: "note", body: json!({ "n": n }) }
}

fn open(folder: &tempfile::TempDir) -> Journal {
    Journal::open(folder.path()).unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_rows_of_one_run_are_found_by_an_index() {
    let folder = folder();
    let journal = open(&folder);
    let plan = format!("EXPLAIN QUERY PLAN {}", runs::rows_query(true));
    let plan: String = journal.db.query_row(&plan, ["a", "order"], |row| row.get("detail")).unwrap();
    assert!(plan.contains("USING INDEX event_by_run (run=? AND kind=?)"), "{plan}");
}

/// A15: whole while it is short; when it has grown long, from where it was found whole.
#[test]
fn the_look_before_trading_is_bounded_and_finds_what_is_new() {
    let folder = folder();
    let mut journal = open(&folder);
    let rows: Vec<Entry> = (0..20).map(note).collect();
    journal.write(&rows, at(0)).unwrap();
    let seen = |journal: &mut Journal, rows_max| {
        let mut told = Vec::new();
        journal.verify_within(rows_max, |row| told.push(row)).map(|verified| (verified.rows, told.len()))
    };
    let damage = |journal: &Journal, row: u64| {
        journal.db.execute_batch("DROP TRIGGER IF EXISTS event_is_not_changed").unwrap();
        journal.db.execute("UPDATE event SET body = '{}' WHERE sequence = ?1", [row as i64]).unwrap();
    };
    seen(&mut journal, 10).unwrap();
    journal.write(&rows, at(1)).unwrap();
    damage(&journal, 5);
    // Found whole once, it is not looked at again until somebody asks for all of it.
    seen(&mut journal, 10).unwrap();
    assert!(matches!(seen(&mut journal, 1000), Err(JournalError::Broken { row: 5, .. })), "a short one is looked at whole");
    journal.write(&rows, at(2)).unwrap();
    damage(&journal, 45);
    assert!(matches!(seen(&mut journal, 10), Err(JournalError::Broken { row: 45, .. })));
}

#[test]
fn questions_of_every_start_are_answered_by_an_index() {
    let folder = folder();
    let journal = open(&folder);
    let plan = |sql: &str| -> String {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        journal.db.query_row(&sql, [], |row| row.get("detail")).unwrap()
    };
    let found = plan("SELECT id, manifest FROM run WHERE state = 'running' ORDER BY rowid");
    assert!(found.contains("run_cut_off"), "{found}");
    let found = plan("SELECT id FROM live_order WHERE account = 'a' AND is_open = 1 ORDER BY id");
    assert!(found.contains("live_order_open"), "{found}");
    let found = plan("SELECT id FROM live_order WHERE account = 'a' ORDER BY rowid DESC LIMIT 5");
    assert!(found.contains("live_order_by_account"), "{found}");
}

#[test]
fn an_order_is_written_from_its_intent_to_its_end() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.write(&[intent(1), intent(2)], at(1)).unwrap();
    journal.write(&[state(1, "sending", true)], at(2)).unwrap();
    assert_eq!(journal.open_orders(ACCOUNT).unwrap().iter().map(|order| order.id).collect::<Vec<_>>(), [id(1), id(2)]);
    let written = journal.write(&[fill(7, 1), fill(9, 1), state(1, "filled", false)], at(3)).unwrap();
    assert!(written.is_new(0) && written.is_new(1));
    assert_eq!(journal.last_trade(ACCOUNT, "BTC/USDT").unwrap(), Some(9));
    assert_eq!(journal.last_trade(ACCOUNT, "ETH/USDT").unwrap(), None);
    drop(journal);
    let journal = open(&folder);
    let open: Vec<_> = journal.open_orders(ACCOUNT).unwrap().into_iter().map(|order| (order.id, order.state)).collect();
    assert_eq!(open, [(id(2), "created".to_owned())]);
    let first = journal.order(id(1)).unwrap().unwrap();
    assert_eq!((first.state.as_str(), first.is_open, first.updated_at), ("filled", false, at(3)));
    assert_eq!(journal.order(id(3)).unwrap(), None);
    assert_eq!(journal.orders(ACCOUNT, 1).unwrap()[0].id, id(2), "the newest first");
    assert_eq!(journal.open_orders("other@live").unwrap(), []);
    assert_eq!(journal.fills_of(id(1)).unwrap().iter().map(|fill| fill.trade).collect::<Vec<_>>(), [7, 9]);
    assert_eq!(journal.fills(ACCOUNT).unwrap().len(), 2);
    assert_eq!(journal.verify(|_| {}).unwrap().rows, 6);
}

/// STORE-5 and C8.
#[test]
fn an_id_is_used_once_for_ever() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.write(&[intent(1)], at(1)).unwrap();
    journal.write(&[state(1, "filled", false)], at(2)).unwrap();
    drop(journal);
    let mut journal = open(&folder);
    let before = journal.head();
    let again = journal.write(&[note(1), intent(1)], at(3));
    assert!(matches!(again, Err(JournalError::OrderIdUsed(used)) if used == id(1)), "{again:?}");
    let other = Entry::Intent { account: "other@live".to_owned(), id: id(1), body: Value::Null };
    assert!(matches!(journal.write(&[other], at(3)), Err(JournalError::OrderIdUsed(_))), "of whatever account");
    assert_eq!(journal.head(), before, "all or nothing");
    assert!(journal.db.execute("DELETE FROM live_order", []).is_err(), "an id cannot be made free");
    journal.write(&[intent(2)], at(4)).unwrap();
}

#[test]
fn an_order_without_an_intent_has_no_state() {
    let folder = folder();
    let mut journal = open(&folder);
    let refused = journal.write(&[intent(1), state(2, "sending", true)], at(1));
    assert!(matches!(refused, Err(JournalError::NoSuchOrder(missing)) if missing == id(2)), "{refused:?}");
    assert_eq!(journal.order(id(1)).unwrap(), None);
}

#[test]
fn a_fill_that_comes_again_is_one_fill() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.write(&[intent(1), fill(5, 1)], at(1)).unwrap();
    let written = journal.write(&[fill(5, 1), fill(6, 1), fill(6, 1)], at(2)).unwrap();
    assert_eq!(written, Written { known: vec![0, 2] });
    assert_eq!(journal.fills(ACCOUNT).unwrap().len(), 2);
    assert_eq!(journal.head().sequence, 3, "what is known is no news");
}

/// STORE-1: an intent stands together with the state that decided it, or neither does.
#[test]
fn an_intent_and_the_snapshot_of_its_moment_stand_together() {
    let folder = folder();
    let mut journal = open(&folder);
    let standing = |watermark| Standing { watermark, fingerprint: "f".to_owned(), snapshot: json!({ "cash": "1" }) };
    journal.begin("r", "{}").unwrap();
    journal.commit_with("r", ACCOUNT, &standing(at(1)), &Records::default(), &[intent(1)], at(2)).unwrap();
    let refused = journal.commit_with("r", ACCOUNT, &standing(at(9)), &Records::default(), &[intent(1)], at(10));
    assert!(matches!(refused, Err(JournalError::OrderIdUsed(_))));
    assert_eq!(journal.standing::<Value>(ACCOUNT).unwrap().unwrap().watermark, at(1));
    assert_eq!(journal.open_orders(ACCOUNT).unwrap().len(), 1);
    assert_eq!(journal.verify(|_| {}).unwrap().intents, 1);
}

/// STORE-3.
#[test]
fn the_log_cannot_be_changed_and_a_changed_byte_is_found_by_its_row() {
    let folder = folder();
    let mut journal = open(&folder);
    for n in 0..40 {
        journal.write(&[note(n)], at(1)).unwrap();
    }
    assert!(journal.db.execute("UPDATE event SET body = '' WHERE sequence = 7", []).is_err());
    assert!(journal.db.execute("DELETE FROM event WHERE sequence = 40", []).is_err());
    assert_eq!(journal.verify_log(|_| {}).unwrap().rows, 40);
    journal.db.execute_batch("DROP TRIGGER event_is_not_changed; DROP TRIGGER event_is_not_removed").unwrap();
    let changes = [
        "UPDATE event SET body = replace(body, '6', '8') WHERE sequence = 7",
        "UPDATE event SET at = at + 1 WHERE sequence = 7",
        "UPDATE event SET kind = 'nota' WHERE sequence = 7",
        "UPDATE event SET hash = zeroblob(32) WHERE sequence = 7",
        "DELETE FROM event WHERE sequence = 7",
    ];
    for change in changes {
        let undo = journal.db.unchecked_transaction().unwrap();
        assert_eq!(undo.execute(change, []).unwrap(), 1);
        let found = log::verify(&undo, true, |_| {}).unwrap().unwrap_err();
        assert_eq!(found.row, 7, "{change}: {found:?}");
        undo.rollback().unwrap();
    }
    // One who can compute hashes changes all that follow; the head outside of the database still knows.
    let known = journal.head();
    let mut head = Head { sequence: 6, hash: log::hash_at(&journal.db, 6).unwrap().unwrap() };
    let forged = journal.db.transaction().unwrap();
    forged.execute("DELETE FROM event WHERE sequence > 6", []).unwrap();
    for n in 6..40 {
        log::append(&forged, &mut head, at(2), "note", None, &json!({ "n": n }).to_string()).unwrap();
    }
    forged.commit().unwrap();
    assert_eq!((known.sequence, head.sequence), (40, 40));
    drop(journal);
    assert!(matches!(Journal::open(folder.path()), Err(JournalError::Older { .. })));
}

/// What anyone can compute with nothing but the description in the head of `log.rs`.
#[test]
fn the_hash_is_what_its_description_says() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.write(&[Entry::Note { kind: "note", body: json!({}) }], Time::from_micros(5)).unwrap();
    let mut bytes = vec![0; 32];
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(5_i64.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend(b"note");
    bytes.extend([0xff; 8]);
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend(b"{}");
    let sum: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    assert_eq!(journal.head(), Head { sequence: 1, hash: Hash(sum) });
}

#[test]
fn a_table_that_says_other_than_the_log_is_found() {
    let folder = folder();
    let mut journal = open(&folder);
    let standing = Standing { watermark: at(1), fingerprint: "f".to_owned(), snapshot: json!({ "cash": "1" }) };
    journal.begin("r", "{}").unwrap();
    let entries = [intent(1), state(1, "accepted", true), fill(3, 1), intent(2)];
    journal.commit_with("r", ACCOUNT, &standing, &Records::default(), &entries, at(2)).unwrap();
    journal.db.execute_batch("DROP TRIGGER live_fill_is_not_changed").unwrap();
    journal.verify_log(|_| {}).unwrap();
    let changes = [
        ("UPDATE watermark SET snapshot = replace(snapshot, '1', '9')", "stands"),
        ("UPDATE watermark SET open_time = open_time + 1", "stands"),
        ("UPDATE live_order SET is_open = 0 WHERE state = 'accepted'", "order"),
        ("UPDATE live_order SET body = '{}' WHERE state = 'created'", "order"),
        ("UPDATE live_order SET state = 'filled'", "order"),
        ("UPDATE live_fill SET body = '{}'", "fill"),
        ("UPDATE live_fill SET trade = 4", "fill"),
        ("INSERT INTO live_fill SELECT account, symbol, 8, order_id, body, logged FROM live_fill", "live_fill has 2 rows"),
    ];
    for (change, word) in changes {
        journal.db.execute_batch("SAVEPOINT trial").unwrap();
        assert!(journal.db.execute(change, []).unwrap() > 0, "{change}");
        let verified = log::verify(&journal.db, true, |_| {}).unwrap().unwrap();
        let found = verify::tables(&journal.db, &verified).unwrap();
        assert!(found.as_ref().is_some_and(|found| found.contains(word)), "{change}: {found:?}");
        journal.db.execute_batch("ROLLBACK TO trial; RELEASE trial").unwrap();
    }
}

/// A15: a bit of the snapshot that flips does not become another amount of money.
#[test]
fn a_snapshot_that_changed_is_not_read() {
    let folder = folder();
    let mut journal = open(&folder);
    let standing = Standing { watermark: at(1), fingerprint: "f".to_owned(), snapshot: json!({ "cash": "100" }) };
    journal.begin("r", "{}").unwrap();
    journal.commit("r", "a@paper", &standing, &Records::default()).unwrap();
    assert_eq!(journal.standing::<Value>("a@paper").unwrap(), Some(standing));
    journal.db.execute("UPDATE watermark SET snapshot = replace(snapshot, '100', '900')", []).unwrap();
    assert!(matches!(journal.standing::<Value>("a@paper"), Err(JournalError::Damaged { .. })));
}

/// A17 and A18: a full disk refuses the write, changes nothing, and takes the next one when there is room.
#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.write(&[intent(1), state(1, "sending", true)], at(1)).unwrap();
    let pages: i64 = journal.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    journal.db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let before = journal.head();
    let big = json!({ "text": "x".repeat(20_000) });
    let place = Entry::Intent { account: ACCOUNT.to_owned(), id: id(2), body: big.clone() };
    for _ in 0..3 {
        let refused = journal.write(std::slice::from_ref(&place), at(2));
        assert!(matches!(refused, Err(JournalError::Full { .. })), "A17, at the intent: {refused:?}");
        let accepted = Entry::Order { id: id(1), state: "accepted", body: big.clone(), is_open: true };
        let refused = journal.write(&[accepted, fill(1, 1)], at(2));
        assert!(matches!(refused, Err(JournalError::Full { .. })), "A18, behind the venue's word: {refused:?}");
    }
    assert_eq!((journal.head(), journal.order(id(2)).unwrap(), journal.fills(ACCOUNT).unwrap().len()), (before, None, 0));
    journal.db.pragma_update_and_check(None, "max_page_count", 100_000, |_| Ok(())).unwrap();
    journal.write(&[place, fill(1, 1)], at(3)).unwrap();
    assert_eq!(journal.verify(|_| {}).unwrap().rows, before.sequence + 2);
}

/// A21: another program holds the database; each refusal is counted, and the first success starts the count anew.
#[test]
fn a_database_that_another_program_holds_refuses_in_time_and_counts() {
    let folder = folder();
    let mut journal = open(&folder);
    journal.db.busy_timeout(Duration::from_millis(20)).unwrap();
    let other = Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for wanted in 1..=3 {
        let refused = journal.write(&[intent(1)], at(1));
        assert!(matches!(refused, Err(JournalError::Busy { times, .. }) if times == wanted), "{refused:?}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    journal.write(&[intent(1)], at(2)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(journal.write(&[intent(2)], at(3)), Err(JournalError::Busy { times: 1, .. })));
}

/// A25: an older journal is brought up to date in one go, with a copy of what it was.
#[test]
fn an_older_journal_is_migrated_with_a_copy_beside_it() {
    let folder = folder();
    let path = folder.path().join(FILE);
    let mut old = Connection::open(&path).unwrap();
    old.pragma_update(None, "journal_mode", "WAL").unwrap();
    migrations::apply_until(&mut old, 1);
    let gap = Notice::BarGap { symbol: crate::domain::SymbolIndex(0), at: at(77), missing: 3 };
    old.execute("INSERT INTO run VALUES ('r', 'done', '{}')", []).unwrap();
    for _ in 0..3 {
        let body = serde_json::to_string(&gap).unwrap();
        old.execute("INSERT INTO event (run, kind, body) VALUES ('r', 'notice', ?1)", [body]).unwrap();
    }
    old.execute("INSERT INTO watermark VALUES ('a@paper', 5, 'f', '{\"cash\":1}')", []).unwrap();
    old.execute("INSERT INTO halt_log (at, what, reason) VALUES (9, 'a: resume', 'looked')", []).unwrap();
    drop(old);
    let journal = open(&folder);
    assert_eq!(journal.records(None).unwrap().notices, [gap, gap, gap]);
    assert_eq!(journal.standing::<Value>("a@paper").unwrap().unwrap().snapshot, json!({ "cash": 1 }));
    assert_eq!(journal.verify(|_| {}).unwrap().rows, 5);
    let rows = journal.log(&LogQuery { limit: 10, ..LogQuery::default() }).unwrap();
    assert_eq!((rows[0].at, rows[0].run.as_deref()), (at(77), Some("r")));
    assert_eq!((rows[3].kind.as_str(), rows[3].at), ("resume", Time::from_micros(9)));
    let before = Connection::open(folder.path().join("state.db.before-2")).unwrap();
    assert_eq!(migrations::version(&before).unwrap(), 1);
    let kept: i64 = before.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 3);
    drop((journal, before));
    // The copy of before, put back by hand under the head of after, is no older journal: the same rows make the same log.
    std::fs::copy(folder.path().join("state.db.before-2"), &path).unwrap();
    open(&folder).verify(|_| {}).unwrap();
}

/// A25: a downgrade is refused.
#[test]
fn a_newer_journal_is_refused_and_stays_as_it_is() {
    let folder = folder();
    drop(open(&folder));
    let newer = Connection::open(folder.path().join(FILE)).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let bytes = std::fs::read(folder.path().join(FILE)).unwrap();
    assert!(matches!(Journal::open(folder.path()), Err(JournalError::Newer { found: 99, .. })));
    assert!(matches!(Journal::look(folder.path()), Err(JournalError::Newer { .. })));
    assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap(), bytes);
}

/// A20.
#[test]
fn whose_folder_it_is_and_who_may_write() {
    assert_eq!(complaint(0o40755, 1000, 1000), None);
    assert_eq!(complaint(0o40775, 1000, 0), None, "root in a container");
    assert!(complaint(0o40777, 1000, 1000).is_some_and(|why| why.contains("everybody")));
    assert!(complaint(0o40777, 0, 0).is_some(), "root is no excuse");
    assert!(complaint(0o40755, 1001, 1000).is_some_and(|why| why.contains("1001")));
}

#[test]
fn a_checkpoint_moves_the_rows_into_the_database_and_loses_none() {
    let folder = folder();
    let mut journal = open(&folder);
    for n in 0..20 {
        journal.write(&[intent(n)], at(1)).unwrap();
    }
    let before = std::fs::metadata(folder.path().join(FILE)).unwrap().len();
    journal.checkpoint().unwrap();
    assert!(std::fs::metadata(folder.path().join(FILE)).unwrap().len() > before);
    journal.write(&[intent(20)], at(2)).unwrap();
    assert_eq!(journal.verify(|_| {}).unwrap().rows, 21);
}

#[test]
fn a_journal_in_memory_is_a_journal() {
    let mut journal = Journal::in_memory().unwrap();
    journal.write(&[intent(1), fill(1, 1)], at(1)).unwrap();
    assert!(matches!(journal.write(&[intent(1)], at(1)), Err(JournalError::OrderIdUsed(_))));
    assert_eq!(journal.verify(|_| {}).unwrap().rows, 2);
}

mod leases {
    use super::*;

    fn holder(host: &str) -> Holder {
        Holder { host: host.to_owned(), pid: 7, started_at: at(0) }
    }

    /// STORE-8 and A22.
    #[test]
    fn the_token_grows_with_each_claim_and_stands_in_the_intent() {
        let folder = folder();
        let mut journal = open(&folder);
        assert_eq!(journal.claim(ACCOUNT, &holder("one"), at(0)).unwrap().token, 1);
        journal.write(&[intent(1)], at(1)).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(JournalError::Locked(_))), "A22: one host has the lock");
        drop(journal);
        let mut journal = open(&folder);
        let refused = journal.write(&[intent(2)], at(2));
        assert!(matches!(refused, Err(JournalError::Lost { .. })), "not without a claim: {refused:?}");
        assert_eq!(journal.claim(ACCOUNT, &holder("one"), at(2)).unwrap().token, 2, "the lock says that the other is gone");
        journal.write(&[intent(2)], at(3)).unwrap();
        let tokens: Vec<_> = journal.open_orders(ACCOUNT).unwrap().iter().map(|order| order.token).collect();
        assert_eq!(tokens, [Some(1), Some(2)]);
        assert_eq!(journal.verify_log(|_| {}).unwrap().intents, 2);
    }

    #[test]
    fn another_machine_waits_for_the_end_of_the_lease() {
        let folder = folder();
        let mut journal = open(&folder);
        let ours = journal.claim(ACCOUNT, &holder("one"), at(0)).unwrap();
        journal.renew(&ours, at(10)).unwrap();
        let refused = journal.claim(ACCOUNT, &holder("two"), at(39));
        assert!(matches!(refused, Err(JournalError::Held { until, .. }) if until == at(40)), "{refused:?}");
        let theirs = journal.claim(ACCOUNT, &holder("two"), at(40)).unwrap();
        assert!(matches!(journal.renew(&ours, at(41)), Err(JournalError::Lost { .. })));
        journal.renew(&theirs, at(41)).unwrap();
        journal.claim("other@live", &holder("one"), at(41)).unwrap();
    }

    /// A24: a program that slept for two minutes acts on nothing before it has claimed anew.
    #[test]
    fn a_lease_that_ran_out_while_we_slept_is_lost() {
        let folder = folder();
        let mut journal = open(&folder);
        let lease = journal.claim(ACCOUNT, &holder("one"), at(0)).unwrap();
        journal.write(&[intent(1)], at(29)).unwrap();
        let refused = journal.write(&[intent(2)], at(120));
        assert!(matches!(refused, Err(JournalError::Lost { .. })), "{refused:?}");
        assert!(matches!(journal.renew(&lease, at(120)), Err(JournalError::Lost { .. })));
        journal.write(&[state(1, "accepted", true), fill(1, 1)], at(121)).unwrap();
        let lease = journal.claim(ACCOUNT, &holder("one"), at(122)).unwrap();
        assert_eq!(lease.token, 2);
        journal.write(&[intent(2)], at(123)).unwrap();
    }
}
