//! `kill`: with open orders, beside a run, with a broken profile, with a broken journal, with no venue.

use std::process::Stdio;

use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::Span;
use tidegate::venue::sim::log::Endpoint;
use tidegate::venue::sim::{Fault, On, Rule, Script, When};

use super::Desk;

const KILL: [&str; 5] = ["kill", "-p", "practice", "--reason", "a drill"];

fn with_fifty_bids() -> Desk {
    let desk = Desk::new(Script::new(1), "market");
    for sequence in 0..50 {
        desk.bid(if sequence % 2 == 0 { "BTCUSDT" } else { "ETHUSDT" }, &desk.our_id(sequence));
    }
    assert_eq!(desk.open_orders(), 50);
    desk
}

/// P5.
#[test]
fn fifty_open_orders_are_withdrawn_within_two_seconds() {
    let desk = with_fifty_bids();
    let before = SystemClock.now();
    let told = desk.json(0, &KILL);
    assert_eq!(desk.open_orders(), 0);
    let last = *desk.requests(Endpoint::CancelAll).last().unwrap();
    assert!(last - before <= Span::from_secs(2), "the last withdrawal came after {}", last - before);
    assert_eq!(told["data"]["venue"]["quiet"], true, "{told}");
    assert!(desk.runs().join("HALT").exists());
    let (out, _) = desk.expect(0, &KILL);
    assert!(out.contains("was set before") && out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let (_, err) = desk.expect(6, &["run", "-p", "practice"]);
    assert!(err.contains("a drill") && err.contains("tidegate resume"), "{err}");
}

#[test]
fn a_kill_beside_a_run_stops_it() {
    let desk = Desk::new(Script::new(1), "limit");
    let mut run = desk.command(&["run", "-p", "practice"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    desk.await_that("two bids rest", || desk.open_orders() == 2);
    let told = desk.json(0, &KILL);
    assert_eq!((desk.open_orders(), &told["data"]["venue"]["quiet"]), (0, &true.into()), "{told}");
    let code = run.wait().unwrap().code();
    assert_eq!(code, Some(10), "the run saw the latch");
    let placed = desk.requests(Endpoint::Place).len();
    desk.expect(6, &["run", "-p", "practice"]);
    assert_eq!(desk.requests(Endpoint::Place).len(), placed);
}

/// The venue is found by what the last run kept: in the journal, and without it in the folder of the run.
#[test]
fn a_broken_profile_and_a_broken_journal_keep_nobody_from_killing() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let cases: [(&str, &[&str]); 3] = [
        ("the profile", &["profiles/practice.toml"]),
        ("the journal", &["runs/practice/state.db"]),
        ("both", &["profiles/practice.toml", "runs/practice/state.db"]),
    ];
    for (number, (what, broken)) in (0..).zip(cases) {
        let kept: Vec<(std::path::PathBuf, Vec<u8>)> =
            broken.iter().map(|path| (desk.path(path), std::fs::read(desk.path(path)).unwrap())).collect();
        for (path, _) in &kept {
            std::fs::write(path, "neither TOML nor a database").unwrap();
        }
        desk.bid("BTCUSDT", &desk.our_id(number));
        let told = desk.json(0, &KILL);
        assert_eq!(desk.open_orders(), 0, "{what}: {told}");
        assert!(desk.runs().join("HALT").exists(), "{what}");
        let found_by = told["data"]["venue"]["found_by"].as_str();
        assert_eq!(found_by.is_some(), broken.len() == 2 || number == 0, "{what}: {told}");
        for (path, content) in kept {
            std::fs::write(path, content).unwrap();
        }
    }
}

#[test]
fn a_venue_that_cannot_be_reached_is_told_with_its_page() {
    let desk = Desk::new(
        Script::new(1).with(Rule::new(On::CancelAll, When::From(1), Fault::Html { accepted: false, status: 503 })),
        "market",
    );
    desk.bid("BTCUSDT", &desk.our_id(1));
    let (out, err) = desk.expect(11, &KILL);
    assert!(out.contains("NOT QUIET") && out.contains(&desk.our_id(1)), "{out}");
    assert!(err.contains(&desk.venue.rest_url()) && err.contains("tidegate kill"), "{err}");
    assert!(desk.runs().join("HALT").exists());
    // Nobody listens at all.
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    std::fs::write(desk.path("profiles/practice.toml"), text.replace(&desk.venue.rest_url(), "http://127.0.0.1:9")).unwrap();
    let (out, _) = desk.expect(11, &KILL);
    assert!(out.contains("orders may be"), "{out}");
}

#[test]
fn on_paper_the_latch_is_all_and_every_run_obeys_it() {
    let desk = Desk::new(Script::new(1), "market");
    desk.profile("paper", "50");
    desk.expect(0, &["run", "-p", "practice"]);
    let (out, _) = desk.expect(0, &KILL);
    assert!(out.contains("the latch is all"), "{out}");
    desk.expect(6, &["run", "-p", "practice"]);
    desk.expect(0, &["replay", "-p", "practice"]);
    desk.expect(0, &["resume", "-p", "practice", "--reason", "the drill is over"]);
    desk.expect(0, &["run", "-p", "practice"]);
}

#[test]
fn a_name_that_nothing_has_is_no_kill() {
    let desk = Desk::new(Script::new(1), "market");
    let (_, err) = desk.expect(3, &["kill", "-p", "practise", "--reason", "a slip"]);
    assert!(err.contains("Nothing was contacted") && !desk.path("runs/practise").exists(), "{err}");
    desk.expect(3, &["kill", "-p", "../practice", "--reason", "a slip"]);
    desk.expect(2, &["kill", "-p", "practice", "--reason", " "]);
    desk.expect(2, &["kill", "-p", "practice"]);
    assert!(!desk.runs().exists());
}
