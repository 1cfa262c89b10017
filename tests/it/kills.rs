//! SIGKILL at random moments of import, fetch, compaction and repair: nobody ever sees a bar twice, and the lake ends as one that
//! nobody disturbed, byte for byte.
//!
//! The moment is a random share of the time that the same command takes when nobody disturbs it; where a venue is asked, it is also a
//! random one of its answers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tidegate::chance::Stream;
use tidegate::clock::{Clock, ManualClock, SystemClock};
use tidegate::domain::{Span, Time};

use crate::rewrite::glob;
use crate::venue::{Venue, Victim};

const AT: &str = "2025-03-05T10:00:30Z";
/// Kills of each kind.
const KILLS: u32 = if cfg!(debug_assertions) { 6 } else { 25 };
/// Kills that come too late are tried again, so often in all.
const TRIES_MAX: u32 = KILLS * 4;
const MINUTE: i64 = 60_000_000;

/// What is struck down: a lake as it is before, and a command that changes it.
struct Trial<'a> {
    name: &'static str,
    before: &'a Path,
    args: Vec<String>,
    venue: Option<&'a Venue>,
}

fn copy(from: &Path, to: &Path) {
    for (path, content) in files(from) {
        std::fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        std::fs::write(to.join(path), content).unwrap();
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.retain(|(path, _)| !path.ends_with(".lock"));
    found.sort();
    found
}

impl Trial<'_> {
    fn command(&self, lake: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_clear().env("NO_COLOR", "1").args(["data", "--at", AT, "--no-input", "--quiet"]).args(&self.args);
        command.arg("--root").arg(lake).arg("--lake").arg(lake);
        if let Some(venue) = self.venue {
            command.args(["--base-url", &venue.url()]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn forgive(&self) -> u64 {
        let Some(venue) = self.venue else { return 0 };
        venue.with(|book| {
            book.victim = None;
            book.forget_weight();
            std::mem::take(&mut book.calls).len() as u64
        })
    }

    /// Runs the command to its end; gives how long it took and how often the venue was called.
    fn whole(&self, lake: &Path) -> (Span, u64) {
        let started = SystemClock.now();
        let status = self.command(lake).status().unwrap();
        assert!(matches!(status.code(), Some(0 | 4)), "{}: {status:?}", self.name);
        (SystemClock.now() - started, self.forgive())
    }

    /// Strikes the command at a random moment; false if it was done by then.
    fn struck(&self, lake: &Path, took: Span, calls: u64, chance: &mut Stream) -> bool {
        // A program begins with reading; what it does to the lake comes later.
        let share = 0.4 + 0.7 * chance.uniform();
        let mut child = match self.venue {
            // While the venue answers: that moment is exact.
            Some(venue) if chance.happens(0.5) => {
                let mut command = self.command(lake);
                let (calls_left, is_waiting) = (chance.below(calls), chance.happens(0.5));
                venue.with(|book| {
                    let child = command.spawn().unwrap();
                    book.victim = Some(Victim { pid: child.id(), signal: "-KILL", calls_left, is_waiting });
                    child
                })
            }
            _ => {
                let mut child = self.command(lake).spawn().unwrap();
                let started = SystemClock.now();
                let wait = Span::from_micros((took.micros() as f64 * share) as i64);
                while SystemClock.now() - started < wait && child.try_wait().unwrap().is_none() {
                    std::thread::yield_now();
                }
                let _ = child.kill();
                child
            }
        };
        let status = child.wait().unwrap();
        self.forgive();
        status.code().is_none()
    }

    fn run(&self, chance: &mut Stream) {
        let (whole, mut killed, mut changed) = (tempfile::tempdir().unwrap(), 0, 0);
        copy(self.before, whole.path());
        let (took, calls) = self.whole(whole.path());
        let (old, new) = (glob(self.before), glob(whole.path()));
        let known: BTreeSet<(i64, u64)> = old.iter().chain(&new).copied().collect();
        let wanted = files(whole.path());
        for nth in 0..TRIES_MAX {
            if killed == KILLS {
                break;
            }
            let lake = tempfile::tempdir().unwrap();
            copy(self.before, lake.path());
            if !self.struck(lake.path(), took, calls, chance) {
                continue;
            }
            killed += 1;
            let seen = glob(lake.path());
            assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "{} {nth}: a bar is seen twice", self.name);
            assert!(seen.iter().all(|bar| known.contains(bar)), "{} {nth}: a bar is seen that nobody has", self.name);
            assert!(seen.len() >= old.len().min(new.len()), "{} {nth}: bars are not seen at all", self.name);
            changed += u32::from(files(lake.path()) != files(self.before));
            self.whole(lake.path());
            let left = files(lake.path());
            let names = |all: &[(PathBuf, Vec<u8>)]| all.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
            assert_eq!(names(&left), names(&wanted), "{} {nth}", self.name);
            let other = left.iter().zip(&wanted).find(|(a, b)| a != b).map(|((path, _), _)| path);
            assert_eq!(other, None, "{} {nth}: not the same to the byte", self.name);
        }
        println!("{}: {killed} kills while it ran, {changed} of them left something to do or done", self.name);
        assert!(killed * 3 >= KILLS, "{}: only {killed} kills hit a program that ran", self.name);
        assert!(changed > 0, "{}: every kill came before the lake was touched", self.name);
    }
}

fn venue() -> Venue {
    Venue::new(Arc::new(ManualClock(AT.parse().unwrap())))
}

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

const FETCH: [&str; 6] = ["fetch", "BTC/USDT", "--interval", "1m", "--from", "2024-12-20"];

/// A lake with the minutes of the venue from 20 December on, fetched up to `to`.
fn fetched(venue: &Venue, lake: &Path, to: &str) {
    let args = strings(&[&FETCH[..], &["--to", to]].concat());
    Trial { name: "fetch", before: lake, args, venue: Some(venue) }.whole(lake);
}

/// Minutes as a file: more than one part, of two years.
fn file(folder: &Path, from: &str, bars: i64, volume: i64) -> PathBuf {
    let start = from.parse::<Time>().unwrap().micros() / 1000;
    let path = folder.join(format!("BTCUSDT-1m-{}.csv", &from[..7]));
    let row = |nth: i64| format!("{},1,2,0.5,1.5,{volume},{},1,1,1,1,0\n", start + nth * 60_000, start + nth * 60_000 + 59_999);
    std::fs::write(&path, (0..bars).map(row).collect::<String>()).unwrap();
    path
}

/// LAKE-6, A28.
#[test]
fn imports_killed_at_random_moments() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, source) = (folder.path().join("lake"), folder.path().join("source"));
    std::fs::create_dir_all(&source).unwrap();
    let first = file(&source, "2024-12-01", 40_000, 3);
    let args = strings(&["import", first.to_str().unwrap()]);
    Trial { name: "import", before: &lake, args, venue: None }.whole(&lake);
    // A part is merged with what comes, and a part is new.
    let second = file(&source, "2024-12-28", 20_000, 3);
    let args = strings(&["import", second.to_str().unwrap()]);
    Trial { name: "import", before: &lake, args, venue: None }.run(&mut Stream::new(1, "kills"));
}

/// LAKE-6.
#[test]
fn incremental_fetches_killed_at_random_moments() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    fetched(&venue, folder.path(), "2025-01-02T03:00");
    // Two legs, each of which counts by itself.
    let args = strings(&FETCH);
    Trial { name: "fetch", before: folder.path(), args, venue: Some(&venue) }.run(&mut Stream::new(2, "kills"));
}

/// LAKE-6.
#[test]
fn compactions_killed_at_random_moments() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    for to in ["2024-12-27", "2025-01-08", "2025-01-15"] {
        fetched(&venue, folder.path(), to);
    }
    let args = strings(&["compact", "--keep", "70d", "--yes"]);
    Trial { name: "compact", before: folder.path(), args, venue: None }.run(&mut Stream::new(3, "kills"));
}

/// LAKE-2, LAKE-6.
#[test]
fn repairs_killed_at_random_moments() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    let start = "2024-12-25".parse::<Time>().unwrap().micros();
    venue.with(|book| book.holes.extend((0..500).map(|nth| start + nth * MINUTE)));
    fetched(&venue, folder.path(), "2025-01-05");
    venue.with(|book| {
        book.holes.clear();
        book.changed.extend((0..300).map(|nth| start + nth * 31 * MINUTE));
    });
    let args = strings(&["repair", "BTC/USDT", "--verify", "--to", "2025-01-05"]);
    Trial { name: "repair", before: folder.path(), args, venue: Some(&venue) }.run(&mut Stream::new(4, "kills"));
}
