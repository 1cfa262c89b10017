//! Power cuts: every acknowledged write is there, whatever part of those that were under way reached the disk.
//!
//! A commit is acknowledged when the write-ahead log is synced. So the files as they lie after each commit are what the disk holds for
//! sure, and of what changes until the next commit any set of sectors may have been written.

use std::path::Path;

use rusqlite::Connection;
use tidegate::chance::Stream;
use tidegate::store::journal::Journal;

use super::{at, id, intent};

/// What a disk writes whole.
const SECTOR: usize = 512;

/// The files as they lie.
#[derive(Clone)]
struct Disk {
    db: Vec<u8>,
    wal: Vec<u8>,
    head: Vec<u8>,
}

impl Disk {
    fn read(folder: &Path) -> Self {
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
        Self { db: file("state.db"), wal: file("state.db-wal"), head: file("log.head") }
    }

    /// In a folder of its own, as after the next start.
    fn write(&self, folder: &Path) {
        for (name, content) in [("state.db", &self.db), ("state.db-wal", &self.wal), ("log.head", &self.head)] {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
}

/// `new` as far as the sectors that `is_written` names, else `old`.
fn mix(old: &[u8], new: &[u8], mut is_written: impl FnMut(usize) -> bool) -> Vec<u8> {
    let mut mixed = old.to_vec();
    for (nth, sector) in new.chunks(SECTOR).enumerate() {
        let from = nth * SECTOR;
        let is_same = old.get(from..from + sector.len()) == Some(sector);
        if !is_same && is_written(nth) {
            // A file that grew has zeros where nothing was written.
            mixed.resize(mixed.len().max(from + sector.len()), 0);
            mixed[from..from + sector.len()].copy_from_slice(sector);
        }
    }
    mixed
}

/// Starts on a disk. `acknowledged` orders must be there, and at most one more, whole: gives whether it is.
fn check(disk: &Disk, acknowledged: u64, told: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    disk.write(folder.path());
    let journal = Journal::open(folder.path()).unwrap_or_else(|error| panic!("{told}: {error}"));
    let verified = journal.verify(|_| {}).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert!([acknowledged, acknowledged + 1].contains(&verified.intents), "{told}: {} intents", verified.intents);
    assert_eq!(verified.rows, 2 * verified.intents, "{told}: a write is there by half");
    assert!((0..acknowledged).all(|n| journal.order(id(n)).unwrap().is_some()), "{told}");
    verified.intents > acknowledged
}

/// Writes orders; gives the disk behind each, and where a checkpoint moved the write-ahead log into the database.
fn record(folder: &Path, chance: &mut Stream) -> Vec<(Disk, u64)> {
    let mut journal = Journal::open(folder).unwrap();
    let mut disks = vec![(Disk::read(folder), 0)];
    for n in 0..24 {
        journal.write(&intent(n, 50 + chance.below(6000) as usize), at(n)).unwrap();
        disks.push((Disk::read(folder), n + 1));
        if n % 9 == 5 {
            let other = Connection::open(folder.join("state.db")).unwrap();
            other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            disks.push((Disk::read(folder), n + 1));
        }
    }
    disks
}

/// STORE-6 and A14.
#[test]
fn what_was_acknowledged_survives_every_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let seed = 14;
    let mut chance = Stream::new(seed, "power cuts");
    let disks = record(folder.path(), &mut chance);
    let (mut cases, mut more) = (0, 0);
    for pair in disks.windows(2) {
        let [(before, acknowledged), (after, _)] = pair else { unreachable!("windows of two") };
        // The head of the log is written behind the sync, and may have reached the disk or not.
        let head = if chance.happens(0.5) { before.head.clone() } else { disks[0].0.head.clone() };
        let changed = |old: &[u8], new: &[u8]| {
            (0..new.len().div_ceil(SECTOR)).filter(|n| old.get(n * SECTOR..) != new.get(n * SECTOR..)).count()
        };
        let sectors = changed(&before.wal, &after.wal).max(changed(&before.db, &after.db));
        let mut cut = |told: &str, is_written: &mut dyn FnMut(usize) -> bool| {
            let disk = Disk {
                wal: mix(&before.wal, &after.wal, &mut *is_written),
                db: mix(&before.db, &after.db, &mut *is_written),
                head: head.clone(),
            };
            more += u32::from(check(&disk, *acknowledged, &format!("seed {seed}, behind order {acknowledged}, {told}")));
            cases += 1;
        };
        for k in (0..=sectors).step_by(sectors.div_ceil(6).max(1)) {
            let mut left = k + 1;
            cut(&format!("the first {k} sectors"), &mut |_| {
                left -= usize::from(left > 0);
                left > 0
            });
        }
        for _ in 0..4 {
            let share = 0.1 + 0.8 * chance.uniform();
            cut("any sectors", &mut |_| chance.happens(share));
        }
        // Pages of 4096 bytes with frames between them: a cut within one.
        let mut torn = Disk { head: head.clone(), ..after.clone() };
        if after.wal.len() > before.wal.len() && after.db == before.db {
            let grown = after.wal.len() - before.wal.len();
            torn.wal.truncate(before.wal.len() + chance.below(grown as u64) as usize);
            more += u32::from(check(&torn, *acknowledged, "cut within a frame"));
            cases += 1;
        }
    }
    assert!(cases >= 200 && more >= 10 && cases - more >= 10, "{cases} cases, of which {more} had the commit under way");
}

/// A14: the last page of the write-ahead log, cut at every byte.
#[test]
fn a_last_page_cut_at_every_byte_is_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    (0..3).for_each(|n| drop(journal.write(&intent(n, 2000), at(n)).unwrap()));
    let disk = Disk::read(folder.path());
    drop(journal);
    let place = tempfile::tempdir().unwrap();
    for cut in 1..=4096 {
        let torn = Disk { wal: disk.wal[..disk.wal.len() - cut].to_vec(), ..disk.clone() };
        torn.write(place.path());
        let db = Connection::open(place.path().join("state.db")).unwrap();
        // Nothing is to last here: closing would wait for the disk four thousand times.
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        let rows = |table: &str| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((rows("event"), rows("live_order")), (4, 2), "{cut} bytes are missing: the commit is there as a whole or not");
        drop(db);
    }
    Disk { head: line_of(&disk, 4), wal: disk.wal[..disk.wal.len() - 1].to_vec(), ..disk }.write(place.path());
    Journal::open(place.path()).unwrap().verify(|_| {}).unwrap();
}

/// The head as it stood at an earlier row: what is not synced is not behind the rows.
fn line_of(disk: &Disk, sequence: i64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    disk.write(folder.path());
    let db = Connection::open(folder.path().join("state.db")).unwrap();
    let hash: String =
        db.query_row("SELECT lower(hex(hash)) FROM event WHERE sequence = ?1", [sequence], |row| row.get(0)).unwrap();
    format!("{sequence:020} {hash}\n").into_bytes()
}
