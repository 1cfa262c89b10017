//! The binary against a venue of ours: `data fetch` and `run`, cut off anywhere.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use tidegate::chance::Stream;
use tidegate::clock::ManualClock;
use tidegate::domain::Projection;
use tidegate::store::Lake;

use crate::project::Project;
use crate::venue::{Act, Venue, Victim};

const AT: &str = "2025-03-05T10:00:30Z";
/// Three legs of minutes.
const MINUTES: [&str; 6] = ["BTC/USDT", "--interval", "1m", "--from", "2024-12-20", "--no-input"];
const HOURS: [&str; 7] = ["BTC/USDT", "--interval", "1h", "--from", "2024-11-01", "--source", "binance-archive"];

fn venue() -> Venue {
    let venue = Venue::new(Arc::new(ManualClock(AT.parse().unwrap())));
    venue.with(|book| {
        for month in ["2024-11", "2024-12", "2025-01"] {
            book.publish("BTCUSDT", month);
        }
        for day in (1..=28).map(|day| format!("2025-02-{day:02}")).chain((1..=4).map(|day| format!("2025-03-{day:02}"))) {
            book.publish("BTCUSDT", &day);
        }
    });
    venue
}

fn fetch(venue: &Venue, lake: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_clear().env("NO_COLOR", "1").args(["data", "fetch", "--at", AT]).args(args);
    command.args(["--base-url", &venue.url()]).arg("--lake").arg(lake);
    command
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every file below a folder but manifests, which say when.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let listed = Command::new("find").arg(folder).args(["-type", "f", "-printf", "%P\n"]).output().unwrap();
    let mut names: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    names.retain(|name| !name.ends_with("_manifest.json") && !name.ends_with(".lock"));
    names.sort();
    names.into_iter().map(|name| (PathBuf::from(&name), std::fs::read(folder.join(&name)).unwrap())).collect()
}

fn bars(lake: &Path, interval: &str) -> usize {
    let series = format!("binance/BTC-USDT/{interval}").parse().unwrap();
    Lake::open(lake).unwrap().read(&series, None, None, Projection::TIME).map_or(0, |bars| bars.len())
}

#[test]
fn a_fetch_says_what_it_did() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    let lake = folder.path().join("lake");
    let output = fetch(&venue, &lake, &["BTC/USDT", "ETH/USDT", "--interval", "1h", "--from", "2025-03-01"]).output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("212 bars added") && said.contains("next: tidegate data check"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    let output = fetch(&venue, &lake, &["BTC/USDT", "--interval", "1h", "--from", "2025-03-01", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["data"]["added"], &document["schema"]), (&0.into(), &"tidegate/data-fetch/1".into()));
    let refused = |args: &[&str], code: i32, word: &str| {
        let output = fetch(&venue, &lake, args).output().unwrap();
        assert!(output.status.code() == Some(code) && told(&output).contains(word), "{args:?}: {}", told(&output));
    };
    refused(&["XYZ/USDT", "--interval", "1h", "--from", "2025-03-01"], 1, "does not list it");
    refused(&["BTC/USDT", "--interval", "1h", "--from", "2025-03-07"], 2, "is not before");
    refused(&["BTC/USDT", "--interval", "1w", "--from", "2025-03-01"], 2, "no");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["data", "fetch", "BTC/USDT", "--interval", "1h", "--from", "2025-03-01", "--base-url", "http://evil.example"]);
    let output = command.output().unwrap();
    assert!(output.status.code() == Some(2) && told(&output).contains("no address of Binance"), "{}", told(&output));
}

#[test]
fn a_hole_of_the_venue_ends_with_four() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    venue.with(|book| {
        book.holes.insert("2025-03-02T05:00".parse::<tidegate::domain::Time>().unwrap().micros());
        book.files.retain(|path, _| !path.contains("2025-02-10"));
    });
    let output = fetch(&venue, folder.path(), &["BTC/USDT", "--interval", "1h", "--from", "2025-03-01"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(told(&output).contains("1 bar is missing"), "{}", told(&output));
    let output = fetch(&venue, folder.path(), &HOURS).output().unwrap();
    assert!(told(&output).contains("binance has no file BTCUSDT-1h-2025-02-10.zip"), "{}", told(&output));
}

#[test]
fn a_ban_outlives_the_process() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    venue.plays([Act::Status(418, Some("3600"), "{\"code\":-1003}")]);
    for _ in 0..2 {
        let output = fetch(&venue, folder.path(), &["BTC/USDT", "--interval", "1h", "--from", "2025-03-01"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told(&output).contains("2025-03-05T11:00:30Z"), "{}", told(&output));
    }
    assert_eq!(venue.calls("klines"), 1);
}

/// Starts a command that is struck later; the venue answers nobody before it knows whom to strike.
fn struck(venue: &Venue, command: &mut Command, victim: impl FnOnce(u32) -> Victim) -> Child {
    venue.with(|book| {
        let child = command.spawn().unwrap();
        book.victim = Some(victim(child.id()));
        child
    })
}

/// Here the program waits by the real clock: a second after the first answer, and a minute that nobody has to sit out.
#[test]
fn a_pause_passes_and_ctrl_c_ends_it() {
    let (venue, folder) = (venue(), tempfile::tempdir().unwrap());
    let args = ["BTC/USDT", "--interval", "1h", "--from", "2025-03-01"];
    venue.plays([Act::Status(503, None, "")]);
    let output = fetch(&venue, folder.path(), &args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let other = tempfile::tempdir().unwrap();
    venue.plays([Act::Status(429, Some("60"), "")]);
    let mut command = fetch(&venue, other.path(), &args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = struck(&venue, &mut command, |pid| Victim { pid, signal: "-INT", calls_left: 3, is_waiting: false });
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    assert!(told(&output).contains("interrupted") && told(&output).contains("run the same command again"), "{}", told(&output));
}

/// Fetches until a fetch ends by itself, each cut off by `signal` after a random number of calls; gives how often it was.
fn cut_off(venue: &Venue, lake: &Path, args: &[&str], signal: &'static str, chance: &mut Stream, calls: u64) -> u32 {
    for cut in 0.. {
        assert!(cut < 60, "a fetch that is cut off must get on");
        // Later ones are left in peace for longer: a leg must end for the next to go on behind it.
        let calls_left = chance.below(calls + 6 * u64::from(cut));
        let is_waiting = chance.happens(0.5);
        let mut command = fetch(venue, lake, args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = struck(venue, &mut command, |pid| Victim { pid, signal, calls_left, is_waiting });
        let status = child.wait().unwrap();
        venue.with(|book| {
            book.victim = None;
            book.calls.clear();
            book.forget_weight();
        });
        match status.code() {
            Some(0) => return cut,
            Some(130) if signal == "-INT" => {}
            None if signal == "-KILL" => {}
            other => panic!("{other:?}"),
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn a_fetch_killed_at_random_moments_ends_the_same() {
    let (venue, whole) = (venue(), tempfile::tempdir().unwrap());
    assert_eq!(fetch(&venue, whole.path(), &MINUTES).output().unwrap().status.code(), Some(0));
    venue.with(|book| book.calls.clear());
    let seed = 20_250_305;
    let mut chance = Stream::new(seed, "kill moments");
    for signal in ["-KILL", "-INT"] {
        let parts = tempfile::tempdir().unwrap();
        let cuts = cut_off(&venue, parts.path(), &MINUTES, signal, &mut chance, 40);
        println!("{cuts} cuts by {signal}");
        assert!(cuts >= 3, "only {cuts} cuts; seed {seed}");
        assert!(bars(parts.path(), "1m") > 100_000 && files(parts.path()) == files(whole.path()), "seed {seed}, {signal}");
    }
}

#[test]
fn an_archive_download_killed_at_random_moments_ends_the_same() {
    let (venue, whole) = (venue(), tempfile::tempdir().unwrap());
    assert_eq!(fetch(&venue, whole.path(), &HOURS).output().unwrap().status.code(), Some(0));
    assert_eq!(bars(whole.path(), "1h"), (30 + 31 + 31 + 28 + 4) * 24);
    let seed = 20_250_306;
    let mut chance = Stream::new(seed, "kill moments");
    for signal in ["-KILL", "-INT"] {
        let parts = tempfile::tempdir().unwrap();
        let cuts = cut_off(&venue, parts.path(), &HOURS, signal, &mut chance, 20);
        println!("{cuts} cuts by {signal}");
        assert!(cuts >= 2, "only {cuts} cuts; seed {seed}");
        assert_eq!(bars(parts.path(), "1h"), bars(whole.path(), "1h"), "seed {seed}, {signal}");
        let left: Vec<_> = files(&parts.path().join("_archive")).into_iter().map(|(name, _)| name).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A single run takes from the streams' source what the REST API has.
#[test]
fn a_run_takes_in_what_has_closed_at_the_venue() {
    for (source, key) in [("binance", "base_url"), ("binance-ws", "stream_url")] {
        run_from(source, key);
    }
}

fn run_from(source: &str, key: &str) {
    let (venue, project) = (venue(), Project::new());
    let path = project.path().join("pipelines/busy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = text.find("[stage.ingest.contract]").unwrap();
    let ingest = format!(
        "[pipeline]\nsummary = \"hours of the venue\"\n[stage.ingest]\nkind = \"ingest\"\nsource = \"{source}\"\nbase_url = \"{}\"\nhistory = \"20d\"\nsymbols = [\"BTC/USDT\", \"ETH/USDT\"]\ninterval = \"1h\"\n",
        venue.url()
    );
    std::fs::write(&path, format!("{ingest}{}", &text[cut..])).unwrap();
    let (out, _) = project.expect(0, &["run", "-p", "busy", "--at", AT, "--json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["data"]["bars"], 960, "{out}");
    assert_eq!(venue.calls("klines"), 2);
    assert!(project.run(AT).contains("nothing new"));
    assert_eq!(venue.calls("klines"), 0);
    let wrong = std::fs::read_to_string(&path).unwrap().replace("history", &format!("{key} = \"https://example.org\"\nhistory"));
    let wrong = if key == "base_url" { wrong.replacen(&format!("base_url = \"{}\"\n", venue.url()), "", 1) } else { wrong };
    std::fs::write(&path, wrong).unwrap();
    let (_, err) = project.expect(3, &["run", "-p", "busy", "--at", AT]);
    let allowed = if key == "base_url" { "https://data-api.binance.vision" } else { "wss://data-stream.binance.vision" };
    assert!(err.contains("base-url") && err.contains(allowed), "{err}");
}
