//! The journal against what happens to machines: kills, power cuts, full and failing disks, flipped bits, old copies.

mod cut;
mod story;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::json;
use tidegate::chance::Stream;
use tidegate::domain::{ClientOrderId, Time};
use tidegate::store::glance::Glance;
use tidegate::store::journal::{self, Entry, Journal, JournalError, LogQuery};

pub const ACCOUNT: &str = "trend@live";
/// Set for a copy of this program that writes until something stops it: how many orders are there already.
const WRITER: &str = "TIDEGATE_TEST_WRITER";

pub fn at(seconds: u64) -> Time {
    Time::from_micros(1_740_000_000_000_000 + seconds as i64 * 1_000_000)
}

pub fn id(n: u64) -> ClientOrderId {
    ClientOrderId { scope: 7, bar: at(n), sequence: 0 }
}

/// What one order needs before it is sent, with a body of some length.
pub fn intent(n: u64, letters: usize) -> [Entry; 2] {
    let body = json!({ "n": n, "text": "x".repeat(letters) });
    [
        Entry::Intent { account: ACCOUNT.to_owned(), id: id(n), body },
        Entry::Order { id: id(n), state: "sending", body: json!({ "n": n }), is_open: true },
    ]
}

pub fn copy(from: &Path, to: &Path, names: &[&str]) {
    std::fs::create_dir_all(to).unwrap();
    for name in names {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Writes one order after the other, and says each that was acknowledged.
fn write_until_stopped(folder: &Path, first: u64) {
    let mut journal = Journal::open(folder).unwrap();
    let mut out = std::io::stdout();
    for n in first.. {
        match journal.write(&intent(n, 100), at(n)) {
            Ok(_) => writeln!(out, "acknowledged {n}").unwrap(),
            Err(error) => {
                let again = journal.write(&intent(n + 1, 1), at(n)).unwrap_err();
                writeln!(out, "failed {error}\nagain {again}").unwrap();
                return;
            }
        }
    }
}

/// This test program once more, as a writer in `folder`.
fn writer(test: &str, folder: &Path, first: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(WRITER, first.to_string()).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Is this the copy? Then it writes.
fn is_writer() -> bool {
    let Ok(first) = std::env::var(WRITER) else { return false };
    write_until_stopped(Path::new("."), first.parse().unwrap());
    true
}

/// STORE-6 and A13: SIGKILL, as when memory runs out, at any moment of writing.
#[test]
fn a_program_killed_while_it_writes_keeps_what_was_acknowledged() {
    if is_writer() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (seed, mut next) = (31, 0);
    let mut chance = Stream::new(seed, "kills of a writer");
    for _ in 0..8 {
        let test = "journal::a_program_killed_while_it_writes_keeps_what_was_acknowledged";
        let mut child = writer(test, folder.path(), next).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The harness of the tests may have begun the line.
        let mut heard =
            said.filter_map(|line| line.split_once("acknowledged ")?.1.parse::<u64>().ok()).take(1 + chance.below(40) as usize);
        let mut last = heard.by_ref().last().expect("the writer acknowledged something");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(heard);
        let journal = Journal::open(folder.path()).unwrap();
        journal.verify(|_| {}).unwrap();
        assert!((0..=last).all(|n| journal.order(id(n)).unwrap().is_some()), "seed {seed}: one of {last} orders is gone");
        while journal.order(id(last + 1)).unwrap().is_some() {
            last += 1;
        }
        assert_eq!(journal.open_orders(ACCOUNT).unwrap().len() as u64, last + 1);
        next = last + 1;
    }
}

/// A library that lets the disk fail when a write-ahead log is synced.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int left = -1;
static int fails(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 0) return 0;
    name[n] = 0;
    if (!strstr(name, "state.db-wal")) return 0;
    if (left < 0) left = atoi(getenv("SYNCS_LEFT"));
    if (left == 0) { errno = EIO; return 1; }
    left--;
    return 0;
}
int fsync(int fd) { return fails(fd) ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"#;

/// A19: what a failed sync leaves is unknown; the same connection is never asked again.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fails_to_sync_ends_the_journal() {
    if is_writer() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, shim) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(&source).arg("-ldl").status();
    assert!(built.unwrap().success(), "the compiler that SQLite needs is there");
    let runs = folder.path().join("runs");
    std::fs::create_dir(&runs).unwrap();
    let mut command = writer("journal::a_disk_that_fails_to_sync_ends_the_journal", &runs, 0);
    let output = command.env("LD_PRELOAD", &shim).env("SYNCS_LEFT", "9").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let acknowledged = said.matches("acknowledged").count() as u64;
    assert!((3..9).contains(&acknowledged), "{said}");
    assert!(said.contains("failed the disk failed under the journal"), "{said}");
    assert!(said.contains("again the journal ./state.db failed before; nothing more is written to it"), "{said}");
    let journal = Journal::open(&runs).unwrap();
    journal.verify(|_| {}).unwrap();
    assert!((0..acknowledged).all(|n| journal.order(id(n)).unwrap().is_some()));
    assert_eq!(journal.order(id(acknowledged + 1)).unwrap(), None, "what came behind the failure was not written");
}

/// A journal of some orders, closed.
fn written(folder: &Path, orders: u64) {
    let mut journal = Journal::open(folder).unwrap();
    for n in 0..orders {
        journal.write(&intent(n, 200), at(n)).unwrap();
    }
}

/// A15: a journal with a flipped bit is found to be damaged, or says what it said before.
#[test]
fn a_flipped_bit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 120);
    let bytes = std::fs::read(folder.path().join("state.db")).unwrap();
    let truth = |path: &Path| -> Option<String> {
        let db = Connection::open(path).unwrap();
        let mut told = String::new();
        for sql in [
            "SELECT body, kind, at FROM event ORDER BY sequence",
            "SELECT id, state || body, is_open FROM live_order ORDER BY id",
        ] {
            let mut statement = db.prepare(sql).ok()?;
            let mut rows = statement.query([]).ok()?;
            while let Some(row) = rows.next().ok()? {
                let (one, two): (String, String) = (row.get(0).ok()?, row.get(1).ok()?);
                told.push_str(&format!("{one} {two} {}\n", row.get::<_, i64>(2).ok()?));
            }
        }
        Some(told)
    };
    let whole = truth(&folder.path().join("state.db")).unwrap();
    let (seed, mut found, flips) = (15, 0, 250);
    let mut chance = Stream::new(seed, "flipped bits");
    for _ in 0..flips {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("state.db");
        let mut damaged = bytes.clone();
        let place = chance.below(bytes.len() as u64) as usize;
        damaged[place] ^= 1 << chance.below(8);
        std::fs::write(&path, &damaged).unwrap();
        std::fs::copy(folder.path().join("log.head"), copy.path().join("log.head")).unwrap();
        match Journal::open(copy.path()).and_then(|journal| journal.verify(|_| {})) {
            Err(_) => found += 1,
            Ok(_) => {
                assert_eq!(truth(&path).as_deref(), Some(&*whole), "seed {seed}, byte {place}: it is believed, and is not true");
            }
        }
    }
    assert!(found > flips / 2, "only {found} of {flips} flips were found");
}

/// STORE-4 and A16: what was put back or taken away is noticed.
#[test]
fn a_journal_older_than_it_was_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (live, old, crashed) = (folder.path().join("live"), folder.path().join("old"), folder.path().join("crashed"));
    written(&live, 5);
    copy(&live, &old, &["state.db", "log.head"]);
    let mut journal = Journal::open(&live).unwrap();
    journal.write(&intent(5, 10), at(5)).unwrap();
    copy(&live, &crashed, &["state.db", "state.db-wal", "state.db-shm", "log.head"]);
    drop(journal);
    let refused = |name: &str, change: &dyn Fn(&Path)| {
        let place = folder.path().join(name);
        copy(&crashed, &place, &["state.db", "state.db-wal", "state.db-shm", "log.head"]);
        change(&place);
        let error = Journal::open(&place).unwrap_err();
        assert!(matches!(error, JournalError::Older { .. }), "{name}: {error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--accept-older")), "{name}");
        assert!(matches!(Journal::open(&place), Err(JournalError::Older { .. })), "{name}: it stays refused");
        place
    };
    let remove = |name: &'static str| move |place: &Path| std::fs::remove_file(place.join(name)).unwrap();
    let without_wal = refused("without its log", &remove("state.db-wal"));
    refused("without a head", &remove("log.head"));
    refused("with half a head", &|place| std::fs::write(place.join("log.head"), "000001").unwrap());
    let back = refused("put back", &|place| {
        std::fs::remove_file(place.join("state.db-wal")).unwrap();
        std::fs::copy(old.join("state.db"), place.join("state.db")).unwrap();
    });
    let gone = refused("gone", &remove("state.db"));
    assert!(!gone.join("state.db").exists(), "no empty journal takes its place");
    // The index that SQLite keeps in shared memory is made anew.
    let place = folder.path().join("without an index");
    copy(&crashed, &place, &["state.db", "state.db-wal", "log.head"]);
    assert_eq!(Journal::open(&place).unwrap().orders(ACCOUNT, 10).unwrap().len(), 6);
    for place in [without_wal, back] {
        let mut journal = Journal::recover(&place, "accepted", "the disk was replaced", at(9)).unwrap();
        let rows = journal.log(&LogQuery { kind: Some("recovered".to_owned()), limit: 9, ..LogQuery::default() }).unwrap();
        assert!(rows[0].body.contains("the disk was replaced") && rows[0].body.contains("older"), "{rows:?}");
        journal.write(&intent(77, 1), at(77)).unwrap();
        drop(journal);
        Journal::open(&place).unwrap().verify(|_| {}).unwrap();
    }
}

/// A26: a backup beside a program that writes is one state of the journal, whole, and can be put back.
#[test]
fn a_backup_beside_a_writer_is_whole_and_can_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let mut journal = Journal::open(&live).unwrap();
    journal.write(&intent(0, 100), at(0)).unwrap();
    let (stop, done) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    let relaxed = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1.. {
                if stop.load(relaxed) {
                    break;
                }
                journal.write(&intent(n, 100), at(n)).unwrap();
                done.store(n, relaxed);
            }
        });
        let look = Glance::at(&live).unwrap().unwrap();
        for n in 0..12 {
            let path = folder.path().join(format!("backup-{n}"));
            let before = done.load(relaxed);
            let verified = look.backup(&path, |_| {}).unwrap();
            assert_eq!(verified.rows, 2 * verified.intents, "an order is two rows, together or not at all");
            assert!(verified.intents > before && verified.intents <= done.load(relaxed) + 2);
            assert!(matches!(look.backup(&path, |_| {}), Err(JournalError::OutputThere(_))));
        }
        stop.store(true, relaxed);
    });
    drop(journal);
    assert!(done.load(relaxed) > 20, "the writer was held up: {done:?}");
    // The drill: on another machine, and in the place of what is there.
    let backup = folder.path().join("backup-11");
    for place in [folder.path().join("elsewhere"), live] {
        let aside = journal::put_back(&place, &backup, at(1_000_000), |_| {}).unwrap();
        let journal = Journal::recover(&place, "drill", "a drill", at(1_000_001)).unwrap();
        assert_eq!(journal.verify(|_| {}).unwrap().rows, aside.verified.rows + 1);
        assert_eq!(aside.kept.is_some(), place.ends_with("live"));
        assert!(aside.kept.is_none_or(|kept| journal::verify_file(&kept, |_| {}).unwrap().rows > aside.verified.rows));
    }
}

/// A20.
#[test]
fn a_folder_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("runs");
    written(&place, 1);
    let mode = |path: &Path, mode: u32| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(&place, 0o777);
    let error = Journal::open(&place).unwrap_err().to_string();
    assert!(error.contains("runs is not safe") && error.contains("everybody may write"), "{error}");
    mode(&place, 0o755);
    mode(&place.join("state.db"), 0o666);
    let error = Journal::open(&place).unwrap_err().to_string();
    assert!(error.contains("state.db is not safe"), "{error}");
    mode(&place.join("state.db"), 0o644);
    Journal::open(&place).unwrap();
}

#[test]
fn ten_thousand_ended_orders_do_not_stand_in_the_way_of_two_open_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    for chunk in 0..10 {
        let ended = |n: u64| {
            let [intent, _] = intent(n, 10);
            [intent, Entry::Order { id: id(n), state: "filled", body: json!({}), is_open: false }]
        };
        let entries: Vec<Entry> = (chunk * 1000..(chunk + 1) * 1000).flat_map(ended).collect();
        journal.write(&entries, at(chunk)).unwrap();
    }
    journal.write(&intent(20_000, 10), at(20_000)).unwrap();
    journal.write(&intent(20_001, 10), at(20_001)).unwrap();
    let open = journal.open_orders(ACCOUNT).unwrap();
    assert_eq!(open.iter().map(|order| order.id).collect::<Vec<_>>(), [id(20_000), id(20_001)]);
    assert_eq!(journal.orders(ACCOUNT, 3).unwrap()[2].id, id(9999));
}
