//! The kill drill: this very program trades, is killed and closes, in a folder and at a venue of its own, against the clock.
//!
//! A pipeline buys; another one rests two bids and waits for them. Beside it `kill` is called as a person would, and then `close-all`.

use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::Seen;
use super::bound::ourselves;
use crate::chance::Stream;
use crate::cli::venue_sim::letters;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Bar, Qty, Span, Symbol, Time};
use crate::venue::sim::serve::{Floor, Served};
use crate::venue::sim::{Depth, Exchange, Fees, Filters, Holder, Key, Limits, Listed, Lock, Permissions, Script, Setup};

const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];
/// The bids stand within this.
const BIDS_WITHIN: Span = Span::from_secs(20);
const LOOK_AGAIN: Span = Span::from_millis(20);
const DAYS: i64 = 10;

const PROFILE: &str = r#"
[profile]
schema = 1
mode = "paper"
pipeline = "buy"
[caps]
max_notional_per_order = "100"
max_total_notional = "400"
[limits]
currency = "USDT"
max_notional_per_order = "50"
max_position_notional = "100"
max_total_notional = "200"
max_daily_turnover = "1000"
max_participation = 1.0
max_orders_per_minute = 10
max_orders_per_day = 100
max_open_orders = 4
max_dd_daily = 0.03
max_dd_weekly = 0.05
latency_threshold = "5s"
price_collar = 0.05
[stages.oms]
venue = "binance"
[stages.alert]
enabled = false
[venue.binance]
api_key = "env:DRILL_KEY"
api_secret = "env:DRILL_SECRET"
"#;

const PIPELINE: &str = r#"
[pipeline]
summary = "a drill"
[schedule]
every = "1d"
max_lateness = "86399s"
[stage.ingest]
kind = "ingest"
source = "file"
path = "bars"
symbols = ["BTC/USDT", "ETH/USDT"]
interval = "1d"
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 2, slow = 4, signal = "state" }
[stage.model.sizing]
kind = "fixed-notional"
notional = "20"
[stage.oms]
kind = "oms"
needs = ["model"]
"#;

/// How one pipeline buys at once, and how the other rests.
const ORDERS: [(&str, &str); 2] =
    [("buy", "order = \"market\"\n"), ("rest", "order = \"limit\"\noffset_bps = 90\nexpire_after = \"1d\"\n")];

/// A scratch project at a venue of its own.
struct Stage {
    folder: tempfile::TempDir,
    served: Served,
    key: String,
    secret: String,
}

pub(super) fn kill(quiet_within: Span) -> Seen {
    let fix = "do not trade: `tidegate kill` would not stop this program in time";
    match drilled() {
        Ok(Drilled { sent, quiet, flat }) => {
            let secs = |span: Span| format!("{:.2} s", span.as_secs_f64());
            let said = format!(
                "{} open orders gone, last cancel {}, quiet in {} of {quiet_within}; flat {} later",
                SYMBOLS.len(),
                secs(sent),
                secs(quiet),
                secs(flat)
            );
            if quiet <= quiet_within { Seen::ok(said) } else { Seen::fail(said, fix) }
        }
        Err(why) => Seen::fail(why, fix),
    }
}

struct Drilled {
    /// From the word to the last withdrawal, and to the venue's showing nothing.
    sent: Span,
    quiet: Span,
    /// From there to a flat account.
    flat: Span,
}

fn drilled() -> Result<Drilled, String> {
    let stage = Stage::new().map_err(|why| format!("no stage for a drill: {why}"))?;
    let clock = SystemClock;
    stage.call(&["run", "-p", "drill"], 0)?;
    if !stage.holds("BTC") {
        return Err("the drill's own order was not filled".to_owned());
    }
    let mut resting = stage.command(&["run", "rest", "-p", "drill"]).spawn().map_err(|error| error.to_string())?;
    let bids = stage.await_bids(&mut resting, clock.now() + BIDS_WITHIN);
    let began = clock.now();
    let killed = stage.call(&["kill", "-p", "drill", "--reason", "a drill"], 0);
    let ended = clock.now();
    // It has seen the latch; were it not to end, it would hold the journal.
    let rested = resting.wait().map_err(|error| error.to_string())?;
    bids?;
    let told = killed?;
    let seconds = |key: &str| {
        let micros = told["data"]["venue"][key].as_f64().map(|seconds| (seconds * 1e6) as i64);
        micros.map(Span::from_micros).ok_or_else(|| format!("kill does not say {key}"))
    };
    if stage.open_orders() > 0 {
        return Err(format!("{} orders were open after the kill", stage.open_orders()));
    }
    if rested.code() != Some(10) {
        return Err(format!("the program beside the kill ended with {rested}, and not halted"));
    }
    stage.call(&["close-all", "-p", "drill", "--reason", "a drill", "--yes"], 0)?;
    if stage.holds("BTC") || stage.holds("ETH") {
        return Err("something is held after close-all".to_owned());
    }
    let whole = ended - began;
    // What the program says of itself does not count for less than what a watch beside it shows.
    let quiet = seconds("quiet_seconds")?.max(whole);
    Ok(Drilled { sent: seconds("sent_seconds")?, quiet, flat: clock.now() - ended })
}

impl Stage {
    fn new() -> Result<Self, String> {
        let clock = Arc::new(SystemClock);
        let now = clock.now();
        let mut chance = Stream::new(now.micros().unsigned_abs(), "kill drill");
        let (key, secret) = (letters(&mut chance), letters(&mut chance));
        let mut exchange = Exchange::new(setup(&key, &secret), now);
        let minute = Span::from_secs(60).micros();
        let open_time = Time::from_micros((now.micros().div_euclid(minute) - 1) * minute);
        let bar = Bar { open_time, open: 100.0, high: 100.0, low: 100.0, close: 100.0, volume: 10.0 };
        for symbol in symbols() {
            exchange.advance(&symbol.joined(), &bar, now);
        }
        let served = Served::start(Floor::new(exchange, clock), SocketAddr::from(([127, 0, 0, 1], 0)));
        let served = served.map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let stage = Self { folder, served, key, secret };
        stage.lay_out(now).map_err(|error| error.to_string())?;
        Ok(stage)
    }

    /// The documents, and bars that rise to the venue's price, the last of which closed at midnight.
    fn lay_out(&self, now: Time) -> std::io::Result<()> {
        let root = self.folder.path();
        for folder in ["profiles", "pipelines", "bars"] {
            std::fs::create_dir(root.join(folder))?;
        }
        let url = self.served.rest_url();
        std::fs::write(root.join("profiles/drill.toml"), format!("{PROFILE}base_url = \"{url}\"\n"))?;
        for (name, order) in ORDERS {
            std::fs::write(root.join(format!("pipelines/{name}.toml")), format!("{PIPELINE}{order}"))?;
        }
        let row = |back: i64| {
            let close = 101 - back;
            let open = Time::start_of_day(now.utc_day() - back).millis();
            format!("{open},{close},{close},{close},{close},100\n")
        };
        let rows: String = (1..=DAYS).rev().map(row).collect();
        for symbol in symbols() {
            let path = root.join(format!("bars/{}-1d.csv", symbol.joined()));
            std::fs::write(path, format!("open_time,open,high,low,close,volume\n{rows}"))?;
        }
        Ok(())
    }

    /// Nothing of the environment but the key: no setting of this run is one of the drill.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(ourselves());
        command.env_clear().env("DRILL_KEY", &self.key).env("DRILL_SECRET", &self.secret);
        command.current_dir(self.folder.path()).args(args).args(["--json", "--no-input"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, args: &[&str], code: i32) -> Result<Value, String> {
        let Output { status, stdout, stderr } = self.command(args).output().map_err(|error| error.to_string())?;
        if status.code() != Some(code) {
            let text = String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr }).into_owned();
            let last = text.lines().last().unwrap_or_default().to_owned();
            return Err(format!("{} of the drill ended with {status}: {last}", args[0]));
        }
        serde_json::from_slice(&stdout).map_err(|error| format!("{} of the drill: {error}", args[0]))
    }

    fn open_orders(&self) -> usize {
        self.served.floor.with(|exchange, _| symbols().iter().map(|symbol| exchange.open_orders(&symbol.joined())).sum())
    }

    /// More than what is too small to sell.
    fn holds(&self, asset: &str) -> bool {
        let (free, locked) = self.served.floor.with(|exchange, _| exchange.balance(0, asset));
        (free + locked).to_f64() > 0.05
    }

    /// Waits until both bids rest.
    fn await_bids(&self, resting: &mut Child, deadline: Time) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
        runtime.block_on(async {
            while self.open_orders() < SYMBOLS.len() {
                if let Ok(Some(status)) = resting.try_wait() {
                    return Err(format!("the program that rests bids ended with {status}"));
                }
                if SystemClock.now() > deadline {
                    return Err(format!("no bids stood within {BIDS_WITHIN}"));
                }
                tokio::time::sleep(LOOK_AGAIN.to_std()).await;
            }
            Ok(())
        })
    }
}

fn symbols() -> [Symbol; 2] {
    SYMBOLS.map(|symbol| symbol.parse().expect("a symbol of ours"))
}

fn setup(key: &str, secret: &str) -> Setup {
    let listed = symbols().map(|symbol| Listed {
        symbol,
        interval: "1m".parse().expect("an interval of ours"),
        filters: Filters::default(),
        depth: Depth::of_a_large_symbol(),
    });
    let amount = |asset: &str, qty: &str| (asset.to_owned(), qty.parse::<Qty>().expect("an amount of ours"));
    let key = Key { name: key.to_owned(), lock: Lock::hmac(secret), permissions: Permissions::default(), is_revoked: false };
    let balances = vec![amount("USDT", "1000"), amount("BTC", "0"), amount("ETH", "0"), amount("BNB", "0")];
    let holder = Holder { key, balances, fees: Fees::default() };
    Setup { listed: listed.into(), holders: vec![holder], limits: Limits::default(), script: Script::new(1) }
}
