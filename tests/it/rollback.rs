//! `rollback`: each step verified before the next, killed at every one of them, twice at once, with nothing to do, with broken
//! documents; the binary against the simulated exchange.

mod killed;

use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Qty, Side, Span};
use tidegate::store::journal::Journal;
use tidegate::venue::sim::{Fault, On, Rule, Script, When};

use crate::account_verbs::Desk;

const ROLLBACK: [&str; 5] = ["rollback", "-p", "practice", "--reason", "a drill"];

/// A desk that holds both symbols and stands on the second step of its ladder.
fn holding(script: Script) -> Desk {
    let desk = Desk::new(script, "market");
    desk.buy();
    Journal::open(&desk.runs()).unwrap().set_ladder_step(2, "a test", SystemClock.now()).unwrap();
    desk
}

fn ladder(desk: &Desk) -> u32 {
    Journal::open(&desk.runs()).unwrap().ladder_step().unwrap().unwrap().step
}

fn sold(desk: &Desk) -> Qty {
    let is_sell = |&(_, _, side, _, filled): &(&str, &str, Side, _, Qty)| side == Side::Sell && filled.is_positive();
    desk.venue.with(|exchange, _| exchange.orders().filter(is_sell).map(|(.., filled)| filled).sum())
}

/// Nothing is held that the venue would let us sell, nothing is open, and no program may trade.
#[track_caller]
fn assert_rolled_back(desk: &Desk, what: &str) {
    let is_small = |asset: &str| desk.balance(asset).parse::<f64>().unwrap() < 0.05;
    assert!(is_small("BTC") && is_small("ETH") && desk.open_orders() == 0, "{what}: something is held");
    assert!(sold(desk) <= "0.999".parse().unwrap(), "{what}: {} was sold", sold(desk));
    assert_eq!(ladder(desk), 0, "{what}");
    assert!(desk.runs().join("HALT").exists(), "{what}");
    desk.expect(0, &["log", "verify", "-p", "practice"]);
    desk.expect(6, &["run", "-p", "practice"]);
}

fn states(told: &Value) -> Vec<&str> {
    told["data"]["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect()
}

/// P6: within thirty seconds, each step verified.
#[test]
fn everything_is_sold_and_the_ladder_begins_anew() {
    let desk = holding(Script::new(1));
    desk.bid("BTCUSDT", &desk.our_id(7));
    let (out, err) = desk.expect(0, &["rollback", "-p", "practice", "--plan"]);
    assert!(out.contains("0.4995 BTC/USDT") && out.contains("from step 2 to 0"), "{out}{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80) && !desk.runs().join("HALT").exists(), "{out}");
    let start = SystemClock.now();
    let (out, err) = desk.expect(0, &ROLLBACK);
    let took = SystemClock.now() - start;
    assert!(took < Span::from_secs(30), "{took}");
    eprintln!("a rollback took {took}\n{out}{err}");
    assert!(out.contains("ROLLED BACK practice") && out.contains("step 2 -> 0") && out.contains("rb-0001"), "{out}");
    assert!(out.contains("the rule of hold stays") && err.contains("tidegate resume"), "{out}{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert_rolled_back(&desk, "without a kill");
    let log = desk.json(0, &["log", "-p", "practice", "--kind", "rollback"]);
    let rows = log["data"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10, "{log}");
    assert_eq!((&rows[0]["body"]["what"], &rows[9]["body"]["what"]), (&"started".into(), &"ended".into()), "{log}");
    desk.expect(0, &["resume", "-p", "practice", "--reason", "the drill is over"]);
}

/// J3: flat already, and no model before: success that says so.
#[test]
fn a_second_one_has_nothing_to_do() {
    let desk = holding(Script::new(1));
    desk.expect(0, &ROLLBACK);
    let before = sold(&desk);
    let (out, _) = desk.expect(0, &ROLLBACK);
    assert!(out.contains("NOTHING TO DO practice") && out.contains("rb-0002"), "{out}");
    assert_eq!(sold(&desk), before);
    let (out, _) = desk.expect(0, &["rollback", "-p", "practice", "--resume", "rb-0002"]);
    assert!(out.contains("rb-0002 was complete"), "{out}");
    let (_, err) = desk.expect(2, &["rollback", "-p", "practice", "--resume", "rb-0009"]);
    assert!(err.contains("the last one is rb-0002"), "{err}");
    // Where nothing was ever traded as well.
    let fresh = Desk::new(Script::new(1), "market");
    let told = fresh.json(0, &ROLLBACK);
    assert_eq!((states(&told), &told["data"]["held"]), (vec!["done"; 4], &serde_json::json!([])), "{told}");
}

/// J2: the second says that one is in progress, and changes nothing.
#[test]
fn two_at_once_are_one() {
    let desk = holding(Script::new(1));
    let mut first = desk.stopped_at(&ROLLBACK, "close-begun");
    let (_, err) = desk.expect(8, &ROLLBACK);
    assert!(err.contains("a rollback of practice is in progress"), "{err}");
    assert_eq!(sold(&desk), Qty::ZERO);
    // The first one goes on as if nothing had been.
    let pid = rustix::process::Pid::from_child(&first);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_rolled_back(&desk, "two at once");
}

/// J2: a program that is just beginning is waited for, and named where it does not end.
#[test]
fn a_program_that_goes_on_is_named() {
    let desk = holding(Script::new(1));
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    std::fs::write(desk.path("profiles/practice.toml"), format!("{text}[rollback.step.pause]\ntimeout = \"1s\"\n")).unwrap();
    let held = Journal::open(&desk.runs()).unwrap();
    let (out, err) = desk.expect(11, &ROLLBACK);
    assert!(out.contains("INCOMPLETE practice") && out.contains("works on practice"), "{out}{err}");
    assert!(desk.runs().join("HALT").exists(), "latched first");
    drop(held);
    desk.expect(0, &ROLLBACK);
    assert_rolled_back(&desk, "after the program ended");
}

/// What cannot be sold is named; the same one goes on when the market is back.
#[test]
fn what_is_left_is_named_and_the_same_one_goes_on() {
    let desk = holding(Script::new(1));
    desk.venue
        .with(|exchange, _| *exchange.script_mut() = Script::new(1).with(Rule::new(On::Place, When::From(1), Fault::EmptyBook)));
    let (out, err) = desk.expect(11, &ROLLBACK);
    assert!(out.contains("INCOMPLETE practice: positions may be open") && out.contains("0.4995 BTC/USDT open"), "{out}");
    assert!(err.contains("--resume rb-0001") && out.lines().all(|line| line.chars().count() <= 80), "{out}{err}");
    assert_eq!(ladder(&desk), 2, "a later step waits");
    desk.venue.with(|exchange, _| *exchange.script_mut() = Script::new(1));
    let told = desk.json(0, &["rollback", "-p", "practice", "--resume", "rb-0001"]);
    assert_eq!((&told["data"]["id"], states(&told)), (&"rb-0001".into(), vec!["done"; 4]), "{told}");
    assert_rolled_back(&desk, "resumed");
}

/// F8: the model to go back to is not there. Everything is sold, and the profile stays halted.
#[test]
fn without_the_model_to_go_back_to_it_is_flat_and_halted() {
    let desk = holding(Script::new(1));
    let (out, err) = desk.expect(1, &[&ROLLBACK[..], &["--to", "m-0138"]].concat());
    assert!(out.contains("flat and halted") && out.contains("there is no model m-0138"), "{out}{err}");
    let is_small = |asset: &str| desk.balance(asset).parse::<f64>().unwrap() < 0.05;
    assert!(is_small("BTC") && is_small("ETH") && desk.runs().join("HALT").exists());
    assert_eq!(ladder(&desk), 2);
}

/// Documents that are wrong keep nobody from latching and withdrawing; it ends incomplete, and goes on when they are mended.
#[test]
fn broken_documents_latch_and_withdraw() {
    let desk = holding(Script::new(1));
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    std::fs::write(desk.path("profiles/practice.toml"), "neither a profile").unwrap();
    desk.bid("BTCUSDT", &desk.our_id(7));
    let (out, err) = desk.expect(11, &ROLLBACK);
    assert!(out.contains("nobody knows the limits") && err.contains("are wrong"), "{out}{err}");
    assert!(desk.runs().join("HALT").exists() && desk.open_orders() == 0);
    std::fs::write(desk.path("profiles/practice.toml"), text).unwrap();
    desk.expect(0, &ROLLBACK);
    assert_rolled_back(&desk, "mended");
}

/// A journal that cannot be used: latched and withdrawn, and nobody is told that it is flat.
#[test]
fn a_broken_journal_is_no_rollback() {
    let desk = holding(Script::new(1));
    std::fs::write(desk.runs().join("state.db"), "no database").unwrap();
    desk.bid("BTCUSDT", &desk.our_id(7));
    let (out, err) = desk.expect(11, &ROLLBACK);
    assert!(out.contains("positions may be open") && err.contains("tidegate recover"), "{out}{err}");
    assert!(desk.runs().join("HALT").exists() && desk.open_orders() == 0);
}

#[test]
fn a_name_that_nothing_has_is_not_rolled_back() {
    let desk = Desk::new(Script::new(1), "market");
    desk.expect(3, &["rollback", "-p", "practise"]);
    desk.expect(2, &["rollback", "-p", "practice", "--reason", " "]);
    assert!(!desk.path("runs/practise").exists() && !desk.runs().exists());
}
