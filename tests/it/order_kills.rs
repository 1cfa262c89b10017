//! A real process, a real SIGKILL, at each step of an order's journal; then the program again. One order an intent, whatever dies.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, WaitOptions, waitpid};
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Qty, Time};
use tidegate::store::journal::Journal;
use tidegate::venue::sim::log::What;
use tidegate::venue::sim::{Fault, On, Promises, Rule, Script, When};

use crate::venue::orders::{KEY, Orders, SECRET};

const DAY: i64 = 86_400_000_000;

const PROFILE: &str = r#"
[profile]
schema = 1
mode = "paper"
pipeline = "steps"
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
api_key = "env:STEPS_KEY"
api_secret = "env:STEPS_SECRET"
"#;

/// Days that rise to the venue's price: the model wants to be long on the last one.
pub const PIPELINE: &str = r#"
[pipeline]
summary = "one decision a day"
[schedule]
every = "1d"
align = "bar-close"
max_lateness = "1439m"
[stage.ingest]
kind = "ingest"
source = "file"
path = "bars"
symbols = ["BTC/USDT"]
interval = "1d"
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 2, slow = 4, signal = "state" }
[stage.model.sizing]
kind = "fixed-notional"
notional = "40"
[stage.oms]
kind = "oms"
needs = ["model"]
[stage.alert]
kind = "alert"
needs = ["oms"]
"#;

/// A project whose orders go to a venue of ours.
pub struct Desk {
    folder: tempfile::TempDir,
    pub venue: Orders,
}

impl Desk {
    pub fn new(script: Script) -> Self {
        let promises = Promises {
            order_notional_max: Some("50".parse().unwrap()),
            total_notional_max: Some("100".parse().unwrap()),
            buys_per_day_max: Some(1),
            id_prefix: "tg".to_owned(),
            ..Promises::default()
        };
        let venue = Orders::new(Arc::new(SystemClock), script, promises);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("profiles/steps.toml", &format!("{PROFILE}base_url = \"{}\"\n", venue.rest_url()));
        write("pipelines/steps.toml", PIPELINE);
        let today = SystemClock.now().micros().div_euclid(DAY);
        let row = |day: i64| {
            let close = 100.0 - 0.2 * (today - 1 - day) as f64;
            format!("{},{close},{close},{close},{close},100\n", Time::from_micros(day * DAY).millis())
        };
        let bars: String = (today - 20..today).map(row).collect();
        write("bars/BTCUSDT-1d.csv", &format!("open_time,open,high,low,close,volume\n{bars}"));
        Self { folder, venue }
    }

    /// Replaces a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(self.folder.path()).args(args).env("STEPS_KEY", KEY).env("STEPS_SECRET", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("NO_COLOR", "1");
        command
    }

    /// Runs to the end; gives what it said.
    pub fn run(&self, code: i32) -> String {
        let output = self.command(&["run", "-p", "steps"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    }

    /// Runs up to a step of the journal and is killed there.
    fn killed_at(&self, step: &str) {
        let mut child = self.command(&["run", "-p", "steps"]).env("TIDEGATE_DRILL_STOP", step).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{step}: it ended before: {status:?}");
        kill(&mut child);
    }

    /// Orders at the venue, and what is held there.
    pub fn at_venue(&self) -> (usize, Qty) {
        self.venue.with(|exchange, _| {
            let orders = exchange.log().entries().iter().filter(|entry| matches!(entry.what, What::Order { .. })).count();
            let (free, locked) = exchange.balance(0, "BTC");
            (orders, free + locked)
        })
    }

    /// What the journal says of orders: states, and how many fills.
    fn journal(&self) -> (Vec<String>, usize) {
        let journal = Journal::open(&self.folder.path().join("runs/steps")).unwrap();
        let account = "steps@loopback";
        let states = journal.orders(account, 10).unwrap().into_iter().map(|order| order.state).collect();
        (states, journal.fills(account).unwrap().len())
    }
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn without_a_kill_there_is_one_order_and_a_second_run_changes_nothing() {
    let desk = Desk::new(Script::new(1));
    let told = desk.run(0);
    assert!(told.contains("compared with the venue's: equal"), "{told}");
    let (orders, held) = desk.at_venue();
    assert!(orders == 1 && held.is_positive(), "{orders} orders, {held} held\n{told}");
    assert_eq!(desk.journal(), (vec!["filled".to_owned()], 1));
    desk.run(0);
    assert_eq!(desk.at_venue(), (orders, held));
}

/// A1: nothing was sent; the bar is still current, so it may be decided again.
#[test]
fn killed_before_the_intent_is_written() {
    let desk = Desk::new(Script::new(1));
    desk.killed_at("J1");
    assert_eq!(desk.at_venue().0, 0);
    desk.run(0);
    assert_eq!((desk.at_venue().0, desk.journal().0), (1, vec!["filled".to_owned()]));
}

/// A2: wanted and never on its way: abandoned, not sent late.
#[test]
fn killed_between_the_intent_and_its_way() {
    let desk = Desk::new(Script::new(1));
    desk.killed_at("J2");
    desk.run(0);
    assert_eq!((desk.at_venue().0, desk.journal().0), (0, vec!["abandoned".to_owned()]));
}

/// A3: on its way in the journal, and no byte has left: the venue is asked until its absence is proven.
#[test]
fn killed_before_the_first_byte() {
    let desk = Desk::new(Script::new(1));
    desk.killed_at("J3");
    desk.run(0);
    assert_eq!((desk.at_venue().0, desk.journal().0), (0, vec!["abandoned".to_owned()]));
}

/// A4: the venue took the order and nobody heard of it: adopted by its id, one order.
#[test]
fn killed_while_the_answer_is_awaited() {
    let lost = Rule::new(On::Place, When::Nth(1), Fault::Lost { accepted: true });
    let desk = Desk::new(Script::new(1).with(lost));
    let mut child = desk.command(&["run", "-p", "steps"]).spawn().unwrap();
    while desk.at_venue().0 == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::yield_now();
    }
    kill(&mut child);
    desk.run(0);
    let (orders, held) = desk.at_venue();
    assert_eq!((orders, held.is_positive(), desk.journal()), (1, true, (vec!["filled".to_owned()], 1)));
}

/// A5 to A7: the answer is there and not written; written, with its fill; each time one order and one fill.
#[test]
fn killed_around_the_answer() {
    for step in ["J5", "J6", "J7"] {
        let desk = Desk::new(Script::new(1));
        desk.killed_at(step);
        let (orders, held) = desk.at_venue();
        assert_eq!((orders, held.is_positive()), (1, true), "{step}");
        desk.run(0);
        assert_eq!(desk.at_venue(), (orders, held), "{step}");
        assert_eq!(desk.journal(), (vec!["filled".to_owned()], 1), "{step}");
    }
}
