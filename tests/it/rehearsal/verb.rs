//! `venue-sim` as a person starts it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};

use super::{PATIENCE, body, exchange, signed};

struct Venue {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    ready: Value,
}

fn start(args: &[&str]) -> Venue {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["venue-sim", "--json"]).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        panic!("{line}{error}")
    });
    Venue { child, out, ready }
}

impl Venue {
    fn address(&self) -> SocketAddr {
        self.ready["rest"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn ask(&self, method: &str, path: &str, query: &str) -> Value {
        let text = |name: &str| self.ready[name].as_str().unwrap();
        let target = signed(path, query, text("secret"), SystemClock.now());
        let answer = exchange(self.address(), method, &target, text("key"), PATIENCE);
        serde_json::from_str(body(&answer)).unwrap_or_else(|_| panic!("{answer}"))
    }

    /// Ctrl-C; the last document and the exit code.
    fn end(mut self) -> (Value, Option<i32>) {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (serde_json::from_str(&rest).unwrap_or_else(|_| panic!("{rest}")), code)
    }
}

#[test]
fn orders_are_rehearsed_and_the_verdict_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("venue.jsonl");
    let venue = start(&["--balance", "USDT=500", "--speed", "60x", "--log", log.to_str().unwrap()]);
    assert_eq!(venue.ready["interval"], "1s");
    let account = venue.ask("GET", "/api/v3/account", "");
    let usdt = account["balances"].as_array().unwrap().iter().find(|balance| balance["asset"] == "USDT").unwrap();
    assert_eq!(usdt["free"], "500.00000000");
    let order = venue.ask("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=50&newClientOrderId=mine");
    assert_eq!(order["status"], "FILLED", "{order}");
    let bars = exchange(venue.address(), "GET", "/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1000", "", PATIENCE);
    let bars: Vec<Value> = serde_json::from_str(body(&bars)).unwrap();
    assert!(bars.len() > 500, "{} bars", bars.len());
    let steps = bars.windows(2).map(|pair| pair[1][0].as_i64().unwrap() - pair[0][0].as_i64().unwrap());
    assert!(steps.into_iter().all(|step| step == 1000), "no hole between the past and the present");
    let (end, code) = venue.end();
    assert_eq!((code, &end["data"]["orders"], end["data"]["breaches"].as_array().map(Vec::len)), (Some(0), &1.into(), Some(0)));
    let log = std::fs::read_to_string(log).unwrap();
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for what in ["order", "trade", "balance", "request", "ended"] {
        assert!(entries.iter().any(|entry| entry["what"] == what), "{what} in {log}");
    }
}

#[test]
fn a_broken_promise_ends_with_four() {
    let venue = start(&["--max-notional-per-order", "20", "--seed", "7"]);
    venue.ask("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=50&newClientOrderId=mine");
    let (end, code) = venue.end();
    assert_eq!((code, &end["exit_code"], &end["data"]["breaches"][0]["rule"]), (Some(4), &4.into(), &"order".into()));
}

#[test]
fn faults_come_from_a_file_and_bars_from_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let faults = folder.path().join("faults.toml");
    let rule = "[[rule]]\non = \"place\"\nwhen = { nth = 1 }\nfault = \"broken\"\naccepted = true\nstatus = 504\ncode = -1007\n";
    std::fs::write(&faults, rule).unwrap();
    let sample = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample")).unwrap();
    let sample = sample.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().contains("BTCUSDT-1h")).unwrap();
    let (sample, faults) = (sample.to_str().unwrap(), faults.to_str().unwrap());
    let venue = start(&["--bars", sample, "--interval", "1h", "--speed", "3600x", "--faults", faults, "--history", "50"]);
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=50&newClientOrderId=mine";
    assert_eq!(venue.ask("POST", "/api/v3/order", order)["code"], -1007);
    assert_eq!(venue.ask("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine")["status"], "FILLED");
    let (end, code) = venue.end();
    assert_eq!((code, &end["data"]["faults"]), (Some(0), &1.into()));
}

#[test]
fn what_cannot_be_served_is_said() {
    let refused = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("venue-sim").args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (args, words) in [
        (vec!["--listen", "0.0.0.0:0"], "is not a loopback address"),
        (vec!["--speed", "7x"], "no interval is 7 times shorter than 1m"),
        (vec!["--faults", "nowhere.toml"], "failed to read nowhere.toml"),
        (vec!["--balance", "USDT"], "write it like USDT=1000"),
    ] {
        let (code, error) = refused(&args);
        assert!(code == Some(2) && error.contains(words), "{args:?}: {code:?} {error}");
    }
}
