//! The binary on its way to a venue: what it looks at before it sends, and how it ends.

use std::io::Read;
use std::process::{Child, Stdio};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Span, Time};
use tidegate::venue::sim::log::{Endpoint, Entry, What};
use tidegate::venue::sim::{Fault, On, Rule, Script, SymbolStatus, When};

use crate::order_kills::{Desk, PIPELINE};

/// What a test waits for what must come.
const PATIENCE: Span = Span::from_secs(30);

fn json(desk: &Desk, args: &[&str]) -> Value {
    let output = desk.command(&[args, &["-p", "steps", "--json"]].concat()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn requests(desk: &Desk, wanted: Endpoint) -> usize {
    let is_it = |entry: &&Entry| matches!(&entry.what, What::Request { endpoint, .. } if *endpoint == wanted);
    desk.venue.with(|exchange, _| exchange.log().entries().iter().filter(is_it).count())
}

fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = SystemClock.now() + PATIENCE;
    while !is_so() {
        assert!(SystemClock.now() < end, "it never came to this: {what}");
        std::thread::yield_now();
    }
}

/// A run of the binary that a test sends a signal to.
struct Running {
    child: Child,
    asked_at: Option<Time>,
}

impl Running {
    fn of(desk: &Desk, resolve: &str) -> Self {
        let mut command = desk.command(&["run", "-p", "steps"]);
        command.env("TIDEGATE_DRILL_RESOLVE", resolve).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), asked_at: None }
    }

    fn ask_to_end(&mut self, signal: Signal) {
        self.asked_at = Some(SystemClock.now());
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, how long it took, and what was said.
    fn end(mut self) -> (Option<i32>, Span, String) {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, SystemClock.now() - self.asked_at.unwrap(), text)
    }
}

/// A desk whose orders rest below the market.
fn resting() -> Desk {
    let desk = Desk::new(Script::new(1));
    let oms = "kind = \"oms\"\norder = \"limit\"\noffset_bps = 90\nexpire_after = \"1d\"";
    desk.write("pipelines/steps.toml", &PIPELINE.replace("kind = \"oms\"", oms));
    desk
}

/// B20, C18: what the venue would refuse is denied by the name of its rule, and not one order is sent.
#[test]
fn a_rule_of_the_venue_denies_before_anything_is_sent() {
    let desk = Desk::new(Script::new(1));
    let halt = Fault::Status { symbol: None, status: SymbolStatus::Halt };
    desk.venue.with(|exchange, _| exchange.befall(&halt, None));
    let told = desk.run(0);
    assert!(told.contains("denied      1 venue-rule"), "{told}");
    assert_eq!(requests(&desk, Endpoint::Place), 0);
    let rows = json(&desk, &["log", "--kind", "refusal"]);
    assert!(rows.to_string().contains("HALT"), "{rows}");
}

/// C30, I11: what a key may do is asked at each start; on a venue for practice it is a word, and no more.
#[test]
fn a_key_that_may_do_too_much_is_named() {
    let desk = Desk::new(Script::new(1));
    desk.venue.with(|exchange, _| exchange.keys_mut(0)[0].permissions.can_withdraw = true);
    let told = desk.run(0);
    assert!(told.contains("the key may withdraw"), "{told}");
    assert_eq!(desk.at_venue().0, 1);
}

/// A15: a journal that is not whole is not traded by.
#[test]
fn nothing_is_traded_by_a_journal_that_changed() {
    let desk = Desk::new(Script::new(1));
    desk.run(0);
    let before = requests(&desk, Endpoint::Account);
    let db = Connection::open(desk.path("runs/steps/state.db")).unwrap();
    db.execute_batch("DROP TRIGGER event_is_not_changed; UPDATE event SET body = '{}' WHERE sequence = 2").unwrap();
    drop(db);
    let told = desk.run(1);
    assert!(told.contains("row 2"), "{told}");
    assert_eq!(requests(&desk, Endpoint::Account), before, "nobody was asked anything");
}

/// A10: asked to end while an order rests, it is withdrawn, and the end is orderly.
#[test]
fn asked_to_end_it_withdraws_what_rests() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let desk = resting();
        let mut run = Running::of(&desk, "60s");
        let open = || desk.venue.with(|exchange, _| exchange.open_orders("BTCUSDT"));
        await_that("an order rests", || open() == 1);
        run.ask_to_end(signal);
        let (found, took, told) = run.end();
        assert_eq!(found, Some(code), "{told}");
        assert!(took < Span::from_secs(10) && open() == 0, "{took}: {told}");
        assert!(told.contains("asked to end: nothing new was decided, and no order is open"), "{told}");
    }
}

/// A10: asked to end before it has decided, it decides nothing; the bar is the next run's.
#[test]
fn asked_to_end_it_decides_nothing_new() {
    let late = Rule::new(On::MyTrades, When::Nth(1), Fault::Late { span: Span::from_secs(3) });
    let desk = Desk::new(Script::new(1).with(late));
    let mut run = Running::of(&desk, "60s");
    await_that("the account is compared", || requests(&desk, Endpoint::MyTrades) > 0);
    run.ask_to_end(Signal::TERM);
    let (code, took, told) = run.end();
    assert!(code == Some(0) && took < Span::from_secs(10), "{code:?} {took} {told}");
    assert_eq!(requests(&desk, Endpoint::Place), 0);
    desk.run(0);
    assert_eq!(desk.at_venue().0, 1);
}

/// A11: an order in doubt is asked about for as long as there is time, and then named; the next run finds out.
#[test]
fn asked_to_end_in_doubt_it_waits_and_names_the_order() {
    let broken = Rule::new(On::Place, When::Nth(1), Fault::Broken { accepted: false, status: 504, code: -1007 });
    let desk = Desk::new(Script::new(1).with(broken));
    let mut run = Running::of(&desk, "2s");
    await_that("an order is sent", || requests(&desk, Endpoint::Place) == 1);
    run.ask_to_end(Signal::TERM);
    let (code, took, told) = run.end();
    assert!(code == Some(11) && took >= Span::from_secs(2), "{code:?} after {took}: {told}");
    assert!(told.contains("asked to end while these were open: tg"), "{told}");
    let orders = json(&desk, &["orders"]);
    assert_eq!(orders["data"]["accounts"][0]["orders"][0]["in_doubt"], true, "{orders}");
}

/// A17, A18, A21: what cannot be written down is the end of trading: what is open is withdrawn, the latch is set, and the next start
/// finds out what happened meanwhile.
#[test]
fn a_journal_that_cannot_be_written_ends_trading_and_withdraws_what_is_open() {
    let desk = resting();
    let mut run = Running::of(&desk, "60s");
    let open = || desk.venue.with(|exchange, _| exchange.open_orders("BTCUSDT"));
    await_that("an order rests", || open() == 1);
    let db = Connection::open(desk.path("runs/steps/state.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Part of it is filled, and nobody can write that down.
    let (price, qty) = ("99".parse().unwrap(), "0.1".parse().unwrap());
    desk.venue.with(|exchange, now| exchange.trade("BTCUSDT", price, qty, now));
    run.asked_at = Some(SystemClock.now());
    let (code, _, told) = run.end();
    assert_eq!((code, open()), (Some(11), 0), "{told}");
    assert!(told.contains("the journal cannot be written") && told.contains("3 times in a row"), "{told}");
    assert!(desk.path("runs/steps/HALT").exists());
    drop(db);
    let resumed = desk.command(&["resume", "-p", "steps", "--reason", "the file is free again"]).output().unwrap();
    assert!(resumed.status.success(), "{resumed:?}");
    desk.write("pipelines/steps.toml", PIPELINE);
    desk.command(&["reconcile", "-p", "steps"]).output().unwrap();
    let held = desk.at_venue().1;
    let positions = json(&desk, &["positions"]);
    assert_eq!(positions["data"]["accounts"][0]["positions"][0]["position"], held.to_string(), "{positions}");
}

/// A30: a log that cannot be written holds nothing up.
#[test]
fn a_full_disk_of_logs_does_not_touch_trading() {
    let desk = Desk::new(Script::new(1));
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = desk.command(&["run", "-p", "steps"]);
    command.env("TIDEGATE_LOG", "trace");
    let status = command.stderr(full()).stdout(Stdio::null()).status().unwrap();
    assert_eq!((status.code(), desk.at_venue().0), (Some(0), 1));
    assert_eq!(json(&desk, &["positions"])["data"]["accounts"][0]["flat"], false);
}

/// Whatever alarms stands in the log, in the same commit as what it is about: whoever tells it later finds it there.
#[test]
fn an_alarm_stands_in_the_log_beside_what_caused_it() {
    let broken = Rule::new(On::Place, When::Nth(1), Fault::Broken { accepted: true, status: 504, code: -1007 });
    let desk = Desk::new(Script::new(1).with(broken));
    desk.run(0);
    let db = Connection::open(desk.path("runs/steps/state.db")).unwrap();
    let mut rows = db.prepare("SELECT kind, at, body FROM event ORDER BY sequence").unwrap();
    let rows: Vec<(String, i64, String)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect();
    for alarm in ["unknown", "resolved"] {
        let told = rows.iter().position(|(kind, _, body)| kind == "alarm" && body.contains(alarm)).unwrap();
        // One commit begins behind the standing of the one before, and ends with its own.
        let is_end = |(kind, ..): &(String, i64, String)| kind == "standing";
        let first = rows[..told].iter().rposition(is_end).map_or(0, |at| at + 1);
        let last = told + rows[told..].iter().position(is_end).unwrap_or(rows.len() - told - 1);
        let is_cause = |(kind, at, _): &(String, i64, String)| kind == "order-state" && *at == rows[told].1;
        assert!(rows[first..=last].iter().any(is_cause), "{alarm}: {:?}", &rows[first..=last]);
    }
}

/// How long orders take is kept with the account and shown.
#[test]
fn the_round_trip_of_orders_is_shown() {
    let desk = Desk::new(Script::new(1));
    assert_eq!(json(&desk, &["run"])["data"]["round_trip"]["readings"], 1);
    for verb in ["positions", "orders"] {
        let account = &json(&desk, &[verb])["data"]["accounts"][0];
        let figure = |name: &str| account["round_trip"][name].as_f64().unwrap();
        assert!(
            figure("last_ms") > 0.0 && figure("p50_ms") <= figure("p99_ms") && account["paused_until"].is_null(),
            "{account}"
        );
    }
}
