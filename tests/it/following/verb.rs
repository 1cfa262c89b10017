//! The binary follows seconds by the real clock: what it prints, how it ends, what it leaves.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use tidegate::clock::SystemClock;

use super::*;

/// Between two looks at the clock by the venue.
const TELL_EVERY: Duration = Duration::from_millis(20);

/// A venue of seconds, which tells every bar as it closes until it is dropped.
struct Seconds {
    venue: Venue,
    streams: Arc<Streams>,
    stop: Option<mpsc::Sender<()>>,
    teller: Option<std::thread::JoinHandle<()>>,
}

impl Seconds {
    fn new() -> Self {
        let clock = Arc::new(SystemClock);
        let streams = Arc::new(Streams::new(clock.clone()));
        let (stop, stopped) = mpsc::channel();
        let teller = std::thread::spawn({
            let streams = streams.clone();
            move || tell(&streams, &stopped)
        });
        Self { venue: Venue::new(clock), streams, stop: Some(stop), teller: Some(teller) }
    }

    fn follow(&self, lake: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_clear().env("NO_COLOR", "1").args(["data", "follow", "BTC/USDT", "ETH/USDT", "--interval", "1s"]).args(args);
        command.args(["--base-url", &self.venue.url(), "--stream-url", &self.streams.url()]).arg("--lake").arg(lake);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn tell(streams: &Streams, stopped: &mpsc::Receiver<()>) {
    let second: Interval = "1s".parse().unwrap();
    let mut told = SystemClock.now().micros() / 1_000_000;
    while stopped.recv_timeout(TELL_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now = SystemClock.now();
        while told < now.micros() / 1_000_000 {
            let open = Time::from_micros((told - 1) * 1_000_000) + second.span();
            streams.with(|hall| {
                for at in hall.fed() {
                    SYMBOLS.iter().for_each(|name| hall.say(at, &event(&bar(&joined(name), second, open, true), now)));
                }
            });
            told += 1;
        }
    }
}

impl Drop for Seconds {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.teller.take().map(std::thread::JoinHandle::join);
    }
}

fn seconds(lake: &Path, symbol: &str) -> Columns {
    let series = format!("binance/{symbol}/1s").parse().unwrap();
    Lake::open(lake).unwrap().read(&series, None, None, Projection::TIME).unwrap()
}

#[test]
fn a_line_a_bar_and_a_summary() {
    let (seconds_of, folder) = (Seconds::new(), tempfile::tempdir().unwrap());
    let output = seconds_of.follow(folder.path(), &["--for", "4s", "--json"]).output().unwrap();
    let (said, erred) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{erred}");
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, bars) = lines.split_last().unwrap();
    let of_streams = bars.iter().filter(|line| line["schema"] == "tidegate/data-follow-bar/1").count();
    let of_pages = bars.iter().filter(|line| line["schema"] == "tidegate/data-follow-filled/1").count();
    assert!(of_streams >= 4 && of_streams + of_pages == bars.len(), "{said}");
    assert_eq!((&last["schema"], &last["data"]["bars"]), (&"tidegate/data-follow/1".into(), &of_streams.into()));
    for symbol in ["BTC-USDT", "ETH-USDT"] {
        let there = seconds(folder.path(), symbol).open_time;
        assert!(there.len() >= 2 && there.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000), "{there:?}");
    }
    // B9: it goes on where the lake ends.
    let before = seconds(folder.path(), "BTC-USDT").open_time;
    let output = seconds_of.follow(folder.path(), &["--for", "2s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let there = seconds(folder.path(), "BTC-USDT").open_time;
    assert!(there.len() > before.len() && there.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000), "{there:?}");
}

#[test]
fn ctrl_c_ends_it_with_all_that_was_told() {
    let (seconds_of, folder) = (Seconds::new(), tempfile::tempdir().unwrap());
    let mut child = seconds_of.follow(folder.path(), &[]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let bar = lines.find(|line| line.contains("BTC/USDT")).unwrap();
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let rest: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    let erred = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{rest:?} {erred}");
    assert!(rest.iter().any(|line| line.starts_with("bars over the streams")), "{rest:?}");
    assert!(
        rest.iter().chain([&bar]).chain([&erred]).flat_map(|text| text.lines()).all(|line| line.chars().count() <= 80),
        "{rest:?}"
    );
    let closed: Time = bar.split_whitespace().next().unwrap().parse().unwrap();
    let there = seconds(folder.path(), "BTC-USDT");
    assert!(there.open_time.contains(&(closed.micros() - 1_000_000)), "{bar}");
}

#[test]
fn what_cannot_be_followed_is_refused_first() {
    let (seconds_of, folder) = (Seconds::new(), tempfile::tempdir().unwrap());
    for (args, code, word) in [
        (["BTC/USDT", "--for", "1s"], 2, "named twice"),
        (["XYZ/USDT", "--for", "1s"], 1, "does not list it"),
        (["SOL/USDT", "--from", "2999-01-01"], 2, "leave it out"),
    ] {
        let output = seconds_of.follow(folder.path(), &args).output().unwrap();
        let erred = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && erred.contains(word), "{args:?}: {erred}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["data", "follow", "BTC/USDT", "--interval", "1m", "--stream-url", "wss://stream.binance.com.evil.example"]);
    let output = command.output().unwrap();
    let erred = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && erred.contains("wss://data-stream.binance.vision"), "{erred}");
}
