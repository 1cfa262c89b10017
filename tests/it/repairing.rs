//! The binary repairs a lake: holes, disputes, replaced files; what the venue lacks is accepted; records of runs become stale.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tidegate::clock::ManualClock;
use tidegate::domain::{Projection, Time};
use tidegate::store::{Lake, Manifest};

use crate::project::Project;
use crate::venue::Venue;

const AT: &str = "2025-03-05T10:00:30Z";
const SERIES: &str = "binance/BTC-USDT/1h";
const FETCH: [&str; 6] = ["fetch", "BTC/USDT", "--interval", "1h", "--from", "2025-03-01"];

/// A lake in a folder, and a venue that it comes from.
struct Desk {
    folder: tempfile::TempDir,
    venue: Venue,
}

impl Desk {
    fn new() -> Self {
        let venue = Venue::new(Arc::new(ManualClock(AT.parse().unwrap())));
        Self { folder: tempfile::tempdir().unwrap(), venue }
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_clear().env("NO_COLOR", "1").args(["data"]).args(args).args(["--at", AT, "--no-input"]);
        command.arg("--root").arg(self.folder.path()).arg("--lake").arg(self.lake());
        command
    }

    fn expect(&self, code: i32, args: &[&str]) -> String {
        let mut command = self.command(args);
        if matches!(args[0], "fetch" | "repair") {
            command.args(["--base-url", &self.venue.url()]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", told(&output));
        told(&output)
    }

    fn json(&self, code: i32, args: &[&str]) -> Value {
        let said = self.expect(code, &[args, &["--json"]].concat());
        serde_json::from_str::<Value>(&said).unwrap_or_else(|error| panic!("{error}: {said}"))["data"].take()
    }

    fn manifest(&self) -> Manifest {
        Lake::open(self.lake()).unwrap().manifest(&SERIES.parse().unwrap()).unwrap().unwrap()
    }

    fn volume(&self, at: &str) -> f64 {
        let from: Time = at.parse().unwrap();
        let bars = Lake::open(self.lake()).unwrap().read(&SERIES.parse().unwrap(), Some(from), None, Projection::VOLUME).unwrap();
        bars.volume[0]
    }

    /// A file that says otherwise about one bar.
    fn file_with(&self, name: &str, times: &[&str]) -> PathBuf {
        let path = self.folder.path().join(name);
        let row = |at: &&str| format!("{},1,2,0.5,1.5,7,0,0,0,0,0,0\n", micros(at) / 1000);
        std::fs::write(&path, times.iter().map(row).collect::<String>()).unwrap();
        path
    }
}

fn micros(time: &str) -> i64 {
    time.parse::<Time>().unwrap().micros()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn quarantined(folder: &Path) -> String {
    let (mut left, mut text) = (vec![folder.join("_quarantine")], String::new());
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// B6: of two bars of one time the first stays, the second is set aside, and the venue is asked who is right.
#[test]
fn a_dispute_is_named_and_the_venue_settles_it() {
    let desk = Desk::new();
    // The file comes first, and is wrong about one bar.
    let file = desk.file_with("BTCUSDT-1h-2025-03.csv", &["2025-03-02T05:00"]);
    desk.expect(0, &["import", file.to_str().unwrap()]);
    // The venue has the others; the page brings the disputed one too.
    let said = desk.expect(4, &FETCH);
    assert!(said.contains("1 rows refused"), "{said}");
    assert_eq!(desk.volume("2025-03-02T05:00"), 7.0, "LAKE-2: what is there stays");
    assert!(quarantined(&desk.lake()).contains("the lake has another bar of 2025-03-02T05:00:00Z, which stays"));
    let disputed = desk.manifest().disputed;
    assert_eq!((disputed.len(), disputed[0].from.micros()), (1, micros("2025-03-02T05:00")));
    let said = desk.expect(0, &["check", SERIES]);
    assert!(said.contains("disputed:") && said.contains(&format!("tidegate data repair {SERIES}")), "{said}");
    let said = desk.expect(0, &["repair", SERIES, "--dry-run"]);
    assert!(said.contains("disputed") && said.contains("Nothing was contacted"), "{said}");
    desk.venue.calls("");
    let data = desk.json(0, &["repair", SERIES]);
    assert_eq!((&data["series"][0]["replaced"], &data["series"][0]["confirmed"]), (&1.into(), &0.into()), "{data}");
    assert_eq!(desk.venue.calls("klines"), 1, "only what is in doubt is asked for");
    assert!(desk.volume("2025-03-02T05:00") > 10.0);
    let manifest = desk.manifest();
    assert_eq!((manifest.disputed.len(), manifest.repairs.len(), manifest.repairs[0].rows), (0, 1, 1));
    assert_ne!(manifest.repairs[0].before, manifest.repairs[0].after);
    let kept = quarantined(&desk.lake());
    assert!(kept.contains("\"reason\":\"replaced\"") && kept.contains(",1,2,0.5,1.5,7\""), "{kept}");
    let said = desk.expect(0, &["repair", SERIES]);
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert_eq!(desk.manifest(), manifest, "a second repair changes nothing");
}

/// B6: where both rows stand in one file, neither is a bar.
#[test]
fn two_bars_of_one_time_in_one_file_are_both_set_aside() {
    let desk = Desk::new();
    let file = desk.file_with("BTCUSDT-1h-2025-03.csv", &["2025-03-01T00:00", "2025-03-01T01:00", "2025-03-01T02:00"]);
    let text = std::fs::read_to_string(&file).unwrap();
    let second = text.lines().nth(1).unwrap().replacen(",7,", ",8,", 1);
    std::fs::write(&file, format!("{text}{second}\n")).unwrap();
    desk.expect(4, &["import", file.to_str().unwrap()]);
    assert_eq!(desk.manifest().rows(), 2);
    assert_eq!(quarantined(&desk.lake()).matches("\"conflict\"").count(), 2);
    let data = desk.json(0, &["repair", SERIES]);
    assert_eq!(data["series"][0]["missing_bars"], 0, "the hole that is left is filled: {data}");
}

#[test]
fn every_bar_is_verified_on_demand() {
    let desk = Desk::new();
    desk.expect(0, &FETCH);
    let changed = ["2025-03-01T07:00", "2025-03-03T00:00"];
    desk.venue.with(|book| book.changed.extend(changed.map(micros)));
    desk.expect(0, &["repair", SERIES]);
    assert_eq!(desk.manifest().repairs.len(), 0, "nobody said that anything is in doubt");
    let data = desk.json(0, &["repair", SERIES, "--verify", "--from", "2025-03-02"]);
    assert_eq!((&data["series"][0]["replaced"], &data["series"][0]["confirmed"]), (&1.into(), &81.into()), "{data}");
    assert!(desk.volume(changed[0]).fract() == 0.5 && desk.volume(changed[1]).fract() == 0.75);
    assert!(desk.expect(0, &["repair", SERIES, "--verify"]).contains("1 bars from 2025-03-01 07:00 to 2025-03-01 08:00"));
    desk.expect(0, &["check", SERIES]);
}

/// B17: a file of the archive is published anew, with another checksum.
#[test]
fn a_replaced_file_of_the_archive_is_found_and_taken_in_anew() {
    let desk = Desk::new();
    desk.venue.with(|book| ["2024-11", "2024-12", "2025-01"].into_iter().for_each(|month| book.publish("BTCUSDT", month)));
    let fetch =
        ["fetch", "BTC/USDT", "--interval", "1h", "--from", "2024-11-01", "--to", "2025-02-01", "--source", "binance-archive"];
    desk.expect(0, &fetch);
    let data = desk.json(0, &["repair", SERIES, "--archive", "--to", "2025-02-01"]);
    assert_eq!((&data["series"][0]["files_compared"], &data["series"][0]["replaced"]), (&3.into(), &0.into()), "{data}");
    desk.venue.with(|book| {
        book.changed.insert(micros("2024-12-24T12:00"));
        book.publish("BTCUSDT", "2024-12");
    });
    let old = desk.manifest();
    let said = desk.expect(0, &["repair", SERIES, "--archive", "--to", "2025-02-01"]);
    assert!(said.contains("1 bars from 2024-12-24 12:00") && said.contains("BTCUSDT-1h-2024-12.zip"), "{said}");
    assert_eq!(desk.volume("2024-12-24T12:00").fract(), 0.75);
    let new = desk.manifest();
    let hash = |manifest: &Manifest| {
        manifest.imports.iter().find(|import| import.source.contains("2024-12")).map(|import| import.hash.clone()).unwrap()
    };
    assert_eq!(new.repairs[0].file, Some([hash(&old), hash(&new)]));
    assert_ne!(hash(&old), hash(&new));
    let said = desk.expect(0, &["repair", SERIES, "--archive", "--to", "2025-02-01"]);
    assert!(!said.contains("replaced by"), "{said}");
    assert_eq!(desk.manifest(), new);
}

#[test]
fn a_hole_of_the_venue_is_accepted_by_name() {
    let desk = Desk::new();
    let hole = ["2025-03-02T05:00", "2025-03-02T06:00"];
    desk.venue.with(|book| book.holes.extend(hole.map(micros)));
    desk.expect(4, &FETCH);
    let range = ["accept", SERIES, "--from", hole[0], "--to", "2025-03-02T07:00"];
    let reasoned = [&range[..], &["--reason", "maintenance", "--by", "Ada"]].concat();
    let wrong = |args: &[&str], code: i32, word: &str| {
        let said = desk.expect(code, args);
        assert!(said.contains(word), "{args:?}: {said}");
    };
    wrong(&range, 2, "--reason");
    wrong(&[&range[..], &["--reason", " ", "--by", "Ada"]].concat(), 2, "the reason is empty");
    wrong(&[&range[..], &["--reason", "maintenance"]].concat(), 2, "--by NAME");
    let with =
        |from: &'static str, to: &'static str| ["accept", SERIES, "--from", from, "--to", to, "--reason", "x", "--by", "Ada"];
    wrong(&with("2025-03-02T04:00", "2025-03-02T07:00"), 6, "1 of its bars are there, the first opens 2025-03-02T04:00:00Z");
    wrong(&with("2025-02-01T00:00", "2025-02-02T00:00"), 6, "a hole lies between");
    wrong(&with("2025-03-02T05:30", "2025-03-02T07:00"), 6, "do not open there");
    wrong(&[&range[..], &["--revoke"]].concat(), 6, "none is");
    assert!(desk.expect(0, &reasoned).contains("2 bars are missing no more"));
    wrong(&reasoned, 6, "it was accepted at 2025-03-05T10:00:30Z by Ada");
    // Nobody misses them, and nobody is asked.
    desk.venue.calls("");
    desk.expect(0, &FETCH);
    desk.expect(0, &["repair", SERIES]);
    assert_eq!(desk.venue.calls("klines"), 0);
    let said = desk.expect(0, &["check", SERIES]);
    assert!(
        said.contains("accepted: no bars from 2025-03-02 05:00 to 2025-03-02 07:00:") && said.contains("maintenance (Ada)"),
        "{said}"
    );
    assert!(desk.expect(0, &["accept", SERIES, "--list"]).contains("maintenance"));
    // One of them comes after all.
    let late = desk.file_with("BTCUSDT-1h-2025-03.csv", &[hole[0]]);
    desk.expect(0, &["import", late.to_str().unwrap()]);
    let said = desk.expect(0, &["check", SERIES]);
    assert!(said.contains("obsolete, 1 bars came after all"), "{said}");
    assert!(desk.expect(0, &[&range[..], &["--revoke"]].concat()).contains("missing again"));
    assert!(desk.expect(4, &["check", SERIES]).contains("1 bar is missing"));
}

#[test]
fn old_bars_go_only_when_someone_says_so_and_stay_away() {
    let desk = Desk::new();
    desk.expect(0, &["fetch", "BTC/USDT", "--interval", "1h", "--from", "2024-12-20"]);
    let compact = ["compact", SERIES, "--keep", "10d"];
    let said = desk.expect(0, &[&compact[..], &["--dry-run"]].concat());
    assert!(said.contains("1,560 bars before 2025-02-23 00:00 would go"), "{said}");
    assert!(desk.expect(6, &compact).contains("would go for good"));
    assert_eq!(desk.manifest().retired.len(), 0);
    let rows = desk.manifest().rows();
    assert!(desk.expect(0, &[&compact[..], &["--yes"]].concat()).contains("are gone"));
    let manifest = desk.manifest();
    assert_eq!((manifest.rows() + manifest.retired[0].rows, manifest.first().unwrap().micros()), (rows, micros("2025-02-23")));
    // They are not missed, and not fetched again.
    desk.venue.calls("");
    let said = desk.expect(0, &["fetch", "BTC/USDT", "--interval", "1h", "--from", "2024-12-20"]);
    assert!(said.contains("Nothing added") && desk.venue.calls("klines") == 0, "{said}");
    assert!(desk.expect(0, &["check", SERIES]).contains("retired: 1,560 bars"));
    assert!(desk.expect(0, &[&compact[..], &["--yes"]].concat()).contains("Nothing to do"));
    assert_eq!(desk.manifest(), manifest);
    for wrong in ["3", "y", "12h", "1000000y"] {
        desk.expect(2, &["compact", "--keep", wrong]);
    }
}

#[test]
fn compaction_is_told_in_a_table() {
    let desk = Desk::new();
    desk.expect(0, &["fetch", "BTC/USDT", "--interval", "1m", "--from", "2024-12-20"]);
    let minutes = "binance/BTC-USDT/1m";
    let data = desk.json(0, &["compact", minutes, "--dry-run"]);
    let plan = &data["series"][0];
    assert!(plan["files_before"].as_u64() > plan["files_after"].as_u64() && plan["bytes_after"].is_null(), "{data}");
    let lake = Lake::open(desk.lake()).unwrap();
    let name = || lake.fingerprint(&minutes.parse().unwrap(), None, None).unwrap();
    let before = name();
    let said = desk.expect(0, &["compact"]);
    assert!(said.contains("No bar changed") && said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert_eq!(name(), before);
    assert_eq!(lake.info(&minutes.parse().unwrap()).unwrap().unwrap().parts as u64, plan["files_after"].as_u64().unwrap());
    assert!(desk.expect(0, &["compact"]).contains("Nothing to do"));
    assert!(desk.expect(1, &["compact", "XYZ/USDT"]).contains("no bars of XYZ/USDT"));
}

/// B20: a symbol that the venue trades no more has no new bars, and that breaks the contract.
#[test]
fn a_symbol_that_is_not_traded_is_named() {
    let desk = Desk::new();
    desk.venue.with(|book| {
        (0..12).for_each(|hour| _ = book.holes.insert(micros("2025-03-05T00:00") + hour * 3_600_000_000));
    });
    let said = desk.expect(0, &FETCH);
    assert!(!said.contains("does not trade"), "the venue is late, and trades: {said}");
    desk.venue.with(|book| _ = book.stopped.insert("BTCUSDT".to_owned(), "BREAK"));
    let said = desk.expect(4, &FETCH);
    assert!(said.contains("does not trade BTC/USDT (its status is BREAK)"), "{said}");
    let project = Project::new();
    pipeline(&project, &desk.venue.url());
    let (out, err) = project.expect(4, &["run", "-p", "busy", "--at", AT]);
    assert!(format!("{out}{err}").contains("its status is BREAK"), "{out}{err}");
    desk.venue.with(|book| book.holes.clear());
    desk.venue.calls("");
    desk.expect(0, &FETCH);
    assert_eq!(desk.venue.calls("exchangeInfo"), 0, "where the bars are there, nobody asks");
    assert!(desk.expect(1, &["fetch", "XYZ/USDT", "--interval", "1h", "--from", "2025-03-01"]).contains("does not list it"));
}

/// A pipeline on hours of the venue.
fn pipeline(project: &Project, url: &str) {
    let path = project.path().join("pipelines/busy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = text.find("[stage.ingest.contract]").unwrap();
    let ingest = format!(
        "[pipeline]\nsummary = \"hours of the venue\"\n[stage.ingest]\nkind = \"ingest\"\nsource = \"binance\"\nbase_url = \"{url}\"\nhistory = \"20d\"\nsymbols = [\"BTC/USDT\"]\ninterval = \"1h\"\n"
    );
    std::fs::write(&path, format!("{ingest}{}", &text[cut..])).unwrap();
}

/// B17.
#[test]
fn a_run_on_bars_that_were_repaired_is_stale() {
    let (desk, project) = (Desk::new(), Project::new());
    pipeline(&project, &desk.venue.url());
    project.expect(0, &["run", "-p", "busy", "--at", AT]);
    let repair = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(["data", "repair", SERIES, "--at", AT, "--base-url", &desk.venue.url(), "--root"])
            .arg(project.path())
            .args(args);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        told(&output)
    };
    assert!(!repair(&["--verify"]).contains("stale"));
    desk.venue.with(|book| _ = book.changed.insert(micros("2025-03-02T05:00")));
    let said = repair(&["--verify"]);
    assert!(said.contains("marked stale") && said.contains("stays traded"), "{said}");
    let marks: Vec<PathBuf> = std::fs::read_dir(project.path().join("runs/busy"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("stale.json"))
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(marks.len(), 1);
    let text = std::fs::read(&marks[0]).unwrap();
    let mark: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(mark[0]["series"], SERIES);
    assert_ne!(mark[0]["before"], mark[0]["after"]);
    // A repair that was killed before it marked anything does so the next time; a mark that is there stays.
    repair(&[]);
    assert_eq!(std::fs::read(&marks[0]).unwrap(), text);
    std::fs::remove_file(&marks[0]).unwrap();
    repair(&[]);
    assert_eq!(std::fs::read(&marks[0]).unwrap(), text);
    let (_, said) = project.expect(0, &["run", "-p", "busy", "--at", AT]);
    assert!(said.contains("stale"), "{said}");
}

#[test]
fn a_run_goes_on_over_an_accepted_hole() {
    let (desk, project) = (Desk::new(), Project::new());
    pipeline(&project, &desk.venue.url());
    desk.venue.with(|book| _ = book.holes.insert(micros("2025-03-02T05:00")));
    let (out, err) = project.expect(4, &["run", "-p", "busy", "--at", AT]);
    assert!(format!("{out}{err}").contains("1 bar is missing"), "{out}{err}");
    let mut accept = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    accept.args(["data", "accept", SERIES, "--from", "2025-03-02T05:00", "--to", "2025-03-02T06:00", "--reason", "maintenance"]);
    let output = accept.args(["--by", "Ada", "--at", AT, "--root"]).arg(project.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let (out, _) = project.expect(0, &["run", "-p", "busy", "--at", AT, "--json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["data"]["bars"], 479, "{out}");
}
