//! What it costs to write an order down: `cargo bench --bench journal`.
//!
//! Each line is one kind of work, on memory (`/dev/shm`) and on the disk of the temporary folder: half of the calls were faster than the
//! first figure, all but one in a hundred faster than the second. On a disk nearly all of it is the wait for the sync.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench measures real time and may panic")]

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate::domain::{ClientOrderId, Time};
use tidegate::store::journal::{Entry, Holder, Journal, LogQuery, Standing, verify_file};
use tidegate::store::latch::Latch;
use tidegate::telemetry::record::Records;

const ACCOUNT: &str = "trend@live";
const CALLS: u64 = 3000;

fn id(n: u64) -> ClientOrderId {
    ClientOrderId { scope: 1, bar: Time::from_millis(n as i64), sequence: 0 }
}

fn now(n: u64) -> Time {
    Time::from_millis(1_740_000_000_000 + n as i64)
}

/// About what the router says of an order.
fn body(n: u64) -> Value {
    json!({
        "intent": { "id": id(n), "symbol": 0, "side": "buy", "kind": { "kind": "limit", "price": "60307.26", "tif": "ioc" },
            "size": { "base": "0.00082" }, "purpose": "signal", "decided_at": now(n), "reference": "60307.26" },
        "state": "sending", "venue_id": null, "filled_qty": "0", "filled_notional": "0", "fees": "0", "sent_at": now(n),
    })
}

fn intent(n: u64) -> Entry {
    Entry::Intent { account: ACCOUNT.to_owned(), id: id(n), body: body(n) }
}

fn state(n: u64) -> Entry {
    Entry::Order { id: id(n), state: "accepted", body: body(n), is_open: false }
}

/// Runs `work` and prints the median and the 99th of a hundred.
fn measure(what: &str, calls: u64, mut work: impl FnMut(u64)) {
    let mut times: Vec<Duration> = (0..calls)
        .map(|n| {
            let begun = Instant::now();
            work(n);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let micros = |at: u64| times[(at as usize).min(times.len() - 1)].as_secs_f64() * 1e6;
    println!("  {what:<58} p50 {:>9.1} µs   p99 {:>9.1} µs", micros(calls / 2), micros(calls * 99 / 100));
}

fn writes(folder: &Path) {
    let mut journal = Journal::open(folder).unwrap();
    measure("one intent", CALLS, |n| drop(journal.write(&[intent(n)], now(n)).unwrap()));
    measure("one state of an order", CALLS, |n| drop(journal.write(&[state(n)], now(n)).unwrap()));
    let lease = journal.claim(ACCOUNT, &Holder::this_process(now(0)), now(0)).unwrap();
    measure("one intent under a lease", CALLS, |n| {
        drop(journal.write(&[intent(1_000_000 + n)], now(n)).unwrap());
        if n % 1000 == 0 {
            journal.renew(&lease, now(n)).unwrap();
        }
    });
    journal.claim(ACCOUNT, &Holder::this_process(now(0)), now(0)).unwrap();
    for kib in [4, 32] {
        let snapshot = json!({ "text": "x".repeat(kib << 10) });
        measure(&format!("one intent with a snapshot of {kib} KiB"), CALLS / 3, |n| {
            let standing = Standing { watermark: now(n), fingerprint: "f".to_owned(), snapshot: &snapshot };
            let entries = [intent((kib as u64) << 32 | n)];
            journal.commit_with("r", ACCOUNT, &standing, &Records::default(), &entries, now(n)).unwrap();
        });
    }
    let file = std::fs::File::create(folder.join("head")).unwrap();
    let line = [b'x'; 86];
    measure("the head of the log, overwritten in place", CALLS, |_| file.write_all_at(&line, 0).unwrap());
    measure("the same with a sync of its own", CALLS / 3, |_| {
        file.write_all_at(&line, 0).and_then(|()| file.sync_data()).unwrap();
    });
    measure("a look at the latch", CALLS, |_| assert!(!Latch::is_set(folder)));
}

/// What a start asks, with many orders that ended long ago and a long log.
fn starts(folder: &Path) {
    let mut journal = Journal::open(folder).unwrap();
    for chunk in 0..100 {
        let entries: Vec<Entry> = (chunk * 100..(chunk + 1) * 100).flat_map(|n| [intent(n), state(n)]).collect();
        journal.write(&entries, now(chunk)).unwrap();
    }
    journal.write(&[intent(1 << 40)], now(0)).unwrap();
    measure("open orders, one of 10,001", 200, |_| assert_eq!(journal.open_orders(ACCOUNT).unwrap().len(), 1));
    for rows in [100_000, 1_000_000] {
        while journal.head().sequence < rows {
            let notes = (0..2000).map(|n| Entry::Note { kind: "note", body: body(n) });
            journal.write(&notes.collect::<Vec<_>>(), now(0)).unwrap();
        }
        drop(journal);
        println!("  with {rows} rows in the log:");
        measure("opening", 20, |_| drop(Journal::open(folder).unwrap()));
        journal = Journal::open(folder).unwrap();
        measure("the chain and the tables", 3, |_| assert!(journal.verify_log(|_| {}).is_ok()));
        measure("every page, the chain and the tables", 3, |_| assert!(journal.verify(|_| {}).is_ok()));
        let rare = LogQuery { kind: Some("lease-claimed".to_owned()), limit: 50, ..LogQuery::default() };
        measure("a question for rows of a kind that is rare", 3, |_| drop(journal.log(&rare).unwrap()));
        let copy = folder.join("copy");
        measure("a backup", 1, |_| assert!(journal.backup(&copy, |_| {}).is_ok()));
        measure("looking over a backup", 1, |_| assert!(verify_file(&copy, |_| {}).is_ok()));
        std::fs::remove_file(copy).unwrap();
    }
}

fn main() {
    for (name, place) in [("memory", Path::new("/dev/shm").to_owned()), ("disk", std::env::temp_dir())] {
        println!("{name}: {}", place.display());
        let folder = tempfile::tempdir_in(&place).unwrap();
        writes(&folder.path().join("writes"));
        starts(&folder.path().join("starts"));
        std::io::stdout().flush().unwrap();
    }
}
