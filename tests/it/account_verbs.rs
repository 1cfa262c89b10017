//! The verbs of an account on a real venue, the binary against the simulated exchange: kill, close-all, resume, reconcile.

mod close;
mod kill;
mod look;

use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{ClientOrderId, Span, Time};
use tidegate::venue::sim::log::{Endpoint, Entry, What};
use tidegate::venue::sim::{Promises, Script};

use crate::project::Project;
use crate::rehearsal::{exchange, signed};
use crate::venue::orders::{KEY, Orders, SECRET};

/// What a test waits for comes within this, or the test fails.
const PATIENCE: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400_000;

const PIPELINE: &str = r#"
[pipeline]
summary = "always wants to hold both"
[schedule]
every = "1d"
max_lateness = "86399s"
[stage.ingest]
kind = "ingest"
source = "file"
path = "data/bars"
symbols = ["BTC/USDT", "ETH/USDT"]
interval = "1d"
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 2, slow = 4, signal = "state" }
[stage.model.sizing]
kind = "fixed-notional"
notional = "50"
[stage.oms]
kind = "oms"
needs = ["model"]
order = "ORDER"
"#;

/// A project under which a profile practises on a venue of its own.
pub struct Desk {
    pub project: Project,
    pub venue: Orders,
}

impl Desk {
    /// `order` is how the pipeline buys: `market`, or `limit` with bids that rest far below.
    pub fn new(script: Script, order: &str) -> Self {
        let promises = Promises { order_notional_max: Some("50".parse().unwrap()), ..Promises::default() };
        let venue = Orders::new(Arc::new(SystemClock), script, promises);
        let desk = Self { project: Project::new(), venue };
        let limit = "limit\"\noffset_bps = 90\nexpire_after = \"1d";
        let pipeline = PIPELINE.replace("ORDER", if order == "limit" { limit } else { order });
        std::fs::write(desk.project.path().join("pipelines/hold.toml"), pipeline).unwrap();
        desk.profile("binance", "50");
        desk.bars();
        desk
    }

    /// Writes the profile, with this limit of one order.
    pub fn profile(&self, venue: &str, max_notional_per_order: &str) {
        let text = format!(
            r#"
[profile]
inherits = "base"
pipeline = "hold"
[limits]
max_notional_per_order = "{max_notional_per_order}"
max_position_notional = "100"
max_total_notional = "200"
max_daily_turnover = "10000"
max_participation = 0.5
latency_threshold = "1s"
[stages.oms]
venue = "{venue}"
[venue.binance]
base_url = "{}"
api_key = "env:TEST_KEY"
api_secret = "env:TEST_SECRET"
"#,
            self.venue.rest_url()
        );
        std::fs::write(self.path("profiles/practice.toml"), text).unwrap();
    }

    /// Days that rise to 100, the last of which closed at midnight.
    fn bars(&self) {
        let today = SystemClock.now().millis().div_euclid(DAY) * DAY;
        std::fs::create_dir_all(self.path("data/bars")).unwrap();
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let row = |back: i64| {
                let (open, close) = (today - back * DAY, 100 - (back - 1));
                format!("{open},{0},{close},{0},{close},1000,{1},100000,10,500,50000,0\n", close - 1, open + DAY - 1)
            };
            let rows: String = (1..=10).rev().map(row).collect();
            std::fs::write(self.path(&format!("data/bars/{symbol}-1d-2026.csv")), rows).unwrap();
        }
    }

    pub fn path(&self, below: &str) -> std::path::PathBuf {
        self.project.path().join(below)
    }

    pub fn runs(&self) -> std::path::PathBuf {
        self.path("runs/practice")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.project.command(args);
        command.env("TEST_KEY", KEY).env("TEST_SECRET", SECRET).env("RUST_BACKTRACE", "1");
        command
    }

    pub fn call(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Calls the binary and expects an exit code; gives stdout and stderr.
    #[track_caller]
    pub fn expect(&self, code: i32, args: &[&str]) -> (String, String) {
        let output = self.call(args);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}\nstdout: {out}\nstderr: {err}");
        (out, err)
    }

    /// The document that the binary prints with `--json`.
    #[track_caller]
    pub fn json(&self, code: i32, args: &[&str]) -> Value {
        serde_json::from_str(&self.expect(code, &[args, &["--json"]].concat()).0).unwrap()
    }

    /// Buys both symbols.
    #[track_caller]
    pub fn buy(&self) {
        let told = self.json(0, &["run", "-p", "practice"]);
        assert_eq!(told["data"]["positions"].as_array().unwrap().len(), 2, "{told}");
    }

    /// Places a resting bid that carries one of our ids, or any other.
    pub fn bid(&self, symbol: &str, id: &str) {
        let query = format!("symbol={symbol}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=95&newClientOrderId={id}");
        let target = signed("/api/v3/order", &query, SECRET, SystemClock.now());
        let answer = exchange(self.venue.address(), "POST", &target, KEY, PATIENCE);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// One of our ids.
    pub fn our_id(&self, sequence: u16) -> String {
        ClientOrderId { scope: 0xabcd_0123, bar: Time::from_millis(1_772_000_000_000), sequence }.to_string()
    }

    pub fn open_orders(&self) -> usize {
        self.venue.with(|exchange, _| exchange.open_orders("BTCUSDT") + exchange.open_orders("ETHUSDT"))
    }

    /// What the venue has of an asset.
    pub fn balance(&self, asset: &str) -> String {
        self.venue.with(|exchange, _| exchange.balance(0, asset).0.to_string())
    }

    /// When requests of a kind came to the venue.
    pub fn requests(&self, wanted: Endpoint) -> Vec<Time> {
        let is_it = |entry: &&Entry| matches!(&entry.what, What::Request { endpoint, .. } if *endpoint == wanted);
        self.venue.with(|exchange, _| exchange.log().entries().iter().filter(is_it).map(|entry| entry.at).collect())
    }

    /// Starts the binary and waits until it stands still at a step.
    pub fn stopped_at(&self, args: &[&str], step: &str) -> Child {
        let mut command = self.command(args);
        command.env("TIDEGATE_DRILL_STOP", step).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let state = format!("/proc/{}/stat", child.id());
        self.await_that(step, || std::fs::read_to_string(&state).unwrap().contains(") T "));
        child
    }

    /// Waits until `is_so`.
    pub fn await_that(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let patience = Span::from_micros(i64::try_from(PATIENCE.as_micros()).unwrap());
        let end = SystemClock.now() + patience;
        while !is_so() {
            assert!(SystemClock.now() < end, "it never came to this: {what}");
            std::thread::yield_now();
        }
    }
}
