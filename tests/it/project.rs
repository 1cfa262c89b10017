//! A project of its own for one test: profiles, a pipeline on generated bars, and the binary to run on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tidegate::store::journal::Journal;
use tidegate::telemetry::record::Records;

/// A folder with the shipped profiles, a `busy` profile and a `busy` pipeline.
pub struct Project {
    folder: tempfile::TempDir,
}

/// Limits wide enough for a busy strategy; a short pause at a drawdown keeps it in the game.
const PROFILE: &str = r#"
[profile]
inherits = "base"
pipeline = "busy"
[limits]
max_notional_per_order = "50"
max_position_notional = "100"
max_total_notional = "150"
max_daily_turnover = "100000"
max_orders_per_day = 2000
max_dd_daily = 0.01
max_participation = 0.5
[risk]
max_reference_move = 1.0
max_repeated_orders = 1000
data_gap = "warn"
[risk.on_drawdown]
action = "pause"
pause_for = "day"
[venue.paper]
equity = "200"
"#;

/// Three symbols of generated minutes: many signals, fills, refusals.
const PIPELINE: &str = r#"
[pipeline]
summary = "three generated symbols that trade a lot"
[stage.ingest]
kind = "ingest"
source = "synthetic"
seed = 7
start = "2025-03-01"
bars = 20000
symbols = ["AAA/USDT", "BBB/USDT", "CCC/USDT"]
interval = "1m"
[stage.ingest.contract]
missing_bars = 0
max_return = 0.9
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 5, slow = 12, signal = "state" }
[stage.model.sizing]
kind = "fixed-notional"
notional = "50"
[stage.oms]
kind = "oms"
needs = ["model"]
order = "market"
on_exit = { stop_loss_atr = 3.0, take_profit_atr = 5.0 }
[stage.alert]
kind = "alert"
needs = ["oms"]
when = "always"
"#;

/// After the last generated bar has closed.
pub const AFTER_ALL: &str = "2025-03-20";

impl Project {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["profiles", "pipelines"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            for file in std::fs::read_dir(source.join(name)).unwrap() {
                let file = file.unwrap().path();
                std::fs::copy(&file, folder.path().join(name).join(file.file_name().unwrap())).unwrap();
            }
        }
        std::fs::write(folder.path().join("profiles/busy.toml"), PROFILE).unwrap();
        std::fs::write(folder.path().join("pipelines/busy.toml"), PIPELINE).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn runs(&self) -> PathBuf {
        self.path().join("runs/busy")
    }

    /// The binary, in this project, without the environment of whoever runs the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_clear().env("NO_COLOR", "1").args(["--root"]).arg(self.path()).args(args);
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

    /// Runs the busy pipeline as of `at`.
    #[track_caller]
    pub fn run(&self, at: &str) -> String {
        self.expect(0, &["run", "-p", "busy", "--at", at]).0
    }

    /// Every row of every run.
    pub fn records(&self) -> Records {
        Journal::open(&self.runs()).unwrap().records(None).unwrap()
    }
}

/// Writes what differs in a form that fits a screen.
#[track_caller]
pub fn assert_same(wanted: &Records, got: &Records) {
    assert!(!wanted.fills.is_empty() && !wanted.orders.is_empty() && !wanted.equity.is_empty(), "an empty record proves nothing");
    assert_eq!(wanted.fills.len(), got.fills.len(), "number of fills");
    assert_eq!(wanted.orders.len(), got.orders.len(), "number of orders");
    let differing = wanted.fills.iter().zip(&got.fills).find(|(a, b)| a != b);
    assert!(differing.is_none(), "fills differ: {differing:?}");
    let differing = wanted.equity.iter().zip(&got.equity).find(|(a, b)| a != b);
    assert!(differing.is_none(), "equity differs: {differing:?}");
    assert!(wanted == got, "other rows differ");
}
