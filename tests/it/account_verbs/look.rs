//! What is believed, what the venue says, and a person's word: positions, orders, reconcile, resolve, pause, resume.

use std::process::Stdio;

use tidegate::store::journal::Journal;
use tidegate::venue::sim::{Fault, On, Rule, Script, When};

use super::Desk;

const RECONCILE: [&str; 3] = ["reconcile", "-p", "practice"];

#[test]
fn positions_and_orders_are_shown_beside_a_program_that_runs() {
    let desk = Desk::new(Script::new(1), "limit");
    desk.expect(1, &["positions", "-p", "practice"]);
    let mut run = desk.command(&["run", "-p", "practice"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    desk.await_that("two bids rest", || desk.open_orders() == 2);
    let is_accepted = |desk: &Desk| desk.expect(0, &["orders", "-p", "practice"]).0.matches("accepted").count() == 2;
    desk.await_that("the journal has both", || is_accepted(&desk));
    let (out, _) = desk.expect(0, &["orders", "-p", "practice"]);
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let told = desk.json(0, &["orders", "-p", "practice"]);
    assert_eq!(told["data"]["accounts"][0]["orders"][0]["side"], "buy", "{told}");
    desk.expect(0, &["kill", "-p", "practice", "--reason", "seen enough"]);
    run.wait().unwrap();
    let (out, err) = desk.expect(0, &["positions", "-p", "practice"]);
    assert!(out.contains("nothing is held") && err.contains("latched"), "{out}{err}");
    assert_eq!(desk.expect(0, &["orders", "-p", "practice"]).0, "hold@loopback, a real venue's account: no order is open\n");
    let all = desk.json(0, &["orders", "-p", "practice", "--all"]);
    assert_eq!(all["data"]["accounts"][0]["orders"].as_array().unwrap().len(), 2, "{all}");
}

#[test]
fn a_position_is_shown_with_its_value_entry_and_share_of_the_limit() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let _held = Journal::open(&desk.runs()).unwrap();
    let (out, _) = desk.expect(0, &["positions", "-p", "practice"]);
    assert!(out.contains("BTC/USDT    0.4995  49.95  100.00  100.00      50 %"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    std::fs::write(desk.path("profiles/practice.toml"), "no profile").unwrap();
    let told = desk.json(0, &["positions", "-p", "practice"]);
    assert_eq!(told["data"]["accounts"][0]["positions"][0]["position"], "0.4995", "{told}");
}

/// C24.
#[test]
fn a_trade_by_hand_is_found_named_and_accepted() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let (out, _) = desk.expect(0, &RECONCILE);
    assert!(out.contains("no open orders on either side") && out.contains("equal: practice"), "{out}");
    desk.venue.with(|exchange, _| exchange.befall(&Fault::Foreign { quote: "30".parse().unwrap() }, None));
    let (out, err) = desk.expect(4, &RECONCILE);
    assert!(out.contains("!  BTC") && out.contains("!  USDT") && out.contains("different: practice"), "{out}");
    assert!(err.contains("somebody else trades") && err.contains("--accept"), "{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    desk.expect(2, &["reconcile", "-p", "practice", "--accept"]);
    desk.expect(2, &["reconcile", "-p", "practice", "--accept", "--reason", " "]);
    let told = desk.json(0, &["reconcile", "-p", "practice", "--accept", "--reason", "I bought by hand"]);
    assert_eq!(
        (&told["data"]["accepted"]["equal"], &told["data"]["halted"]),
        (&true.into(), &"foreign-activity".into()),
        "{told}"
    );
    desk.expect(0, &RECONCILE);
    let log = desk.json(0, &["log", "-p", "practice", "--kind", "accept"]);
    assert_eq!(log["data"]["rows"][0]["body"]["reason"], "I bought by hand");
    desk.expect(0, &["resume", "-p", "practice", "--reason", "I know of it"]);
    // What was bought by hand is not ours to sell.
    desk.expect(0, &["close-all", "-p", "practice", "--reason", "all of ours", "--yes"]);
    let left: f64 = desk.balance("BTC").parse().unwrap();
    assert!((0.25..0.35).contains(&left), "{left}");
}

/// C24: an order that rests.
#[test]
fn an_order_of_somebody_else_is_named() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    desk.bid("BTCUSDT", "web_1");
    let told = desk.json(4, &RECONCILE);
    assert!(told["data"]["foreign_orders"][0].as_str().unwrap().contains("web_1"), "{told}");
    assert_eq!(told["data"]["halted"], "foreign-activity");
}

/// J1.
#[test]
fn nobody_resumes_without_a_reason() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    desk.expect(0, &["kill", "-p", "practice", "--reason", "a drill"]);
    for args in [&["resume", "-p", "practice"][..], &["resume", "-p", "practice", "--reason", "  "]] {
        desk.expect(2, args);
        assert!(desk.runs().join("HALT").exists());
    }
    desk.expect(0, &["resume", "-p", "practice", "--reason", "the drill is over"]);
    assert!(!desk.runs().join("HALT").exists());
    let log = desk.json(0, &["log", "-p", "practice", "--kind", "unlatched"]);
    assert_eq!(log["data"]["rows"][0]["body"]["latched"]["reason"], "a drill");
    desk.expect(1, &["resume", "-p", "practice", "--reason", "once more"]);
}

#[test]
fn a_pause_holds_until_it_ends_or_a_person_resumes() {
    let desk = Desk::new(Script::new(1), "market");
    desk.expect(1, &["pause", "-p", "practice"]);
    desk.buy();
    let (out, _) = desk.expect(0, &["pause", "-p", "practice", "--for", "2h", "--reason", "figures at noon"]);
    assert!(out.contains("paused until") && out.contains("exits go on"), "{out}");
    let trading = |desk: &Desk| desk.json(0, &["positions", "-p", "practice"])["data"]["accounts"][0]["trading"].to_string();
    assert!(trading(&desk).contains("paused until"));
    desk.expect(0, &["resume", "-p", "practice", "--reason", "they were dull"]);
    assert_eq!(trading(&desk), "\"trading\"");
    desk.expect(0, &["pause", "-p", "practice"]);
    assert!(trading(&desk).contains("halted by operator"));
    desk.expect(10, &["run", "-p", "practice"]);
    desk.expect(0, &["resume", "-p", "practice", "--reason", "rested"]);
    desk.expect(0, &["run", "-p", "practice"]);
}

#[test]
fn an_order_that_nobody_knows_of_is_resolved() {
    // An event may be quicker than the answer, and then the order would be known.
    let deaf = Rule::new(On::Event, When::From(1), Fault::Dropped);
    let desk = Desk::new(Script::new(1).with(deaf), "market");
    let mut run = desk.stopped_at(&["run", "-p", "practice"], "J5");
    run.kill().unwrap();
    run.wait().unwrap();
    let (out, err) = desk.expect(0, &["orders", "-p", "practice"]);
    assert!(out.contains("sending?") && err.contains("tidegate resolve"), "{out}{err}");
    let id = &desk.venue.with(|exchange, _| exchange.orders().map(|(_, id, ..)| id.to_owned()).next().unwrap());
    assert!(out.contains(id.as_str()), "{out}");
    let (out, _) = desk.expect(0, &["resolve", "-p", "practice", id]);
    assert!(out.starts_with(&format!("{id}: filled")), "{out}");
    let (out, _) = desk.expect(0, &["resolve", "-p", "practice", id]);
    assert!(out.contains("filled"), "{out}");
    desk.expect(1, &["resolve", "-p", "practice", &desk.our_id(7)]);
    desk.expect(2, &["resolve", "-p", "practice", "no-id"]);
}

/// J7.
#[test]
fn what_was_practised_says_where() {
    let desk = Desk::new(Script::new(1), "market");
    let told = desk.json(0, &["run", "-p", "practice"]);
    let url = desk.venue.rest_url();
    assert_eq!((&told["mode"], &told["data"]["venue"]), (&"loopback".into(), &url.as_str().into()));
    let record = std::fs::read_dir(desk.runs()).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(record.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["mode"], "loopback");
    for args in [&["positions", "-p", "practice"][..], &["orders", "-p", "practice"]] {
        assert_eq!(desk.json(0, args)["data"]["accounts"][0]["venue"], "real");
        assert!(desk.expect(0, args).0.contains("a real venue's account"));
    }
    assert_eq!(desk.json(0, &RECONCILE)["mode"], "loopback");
    // On paper it is another account.
    desk.profile("paper", "50");
    assert_eq!(desk.json(0, &["run", "-p", "practice"])["mode"], "paper");
    let accounts = desk.json(0, &["positions", "-p", "practice"])["data"]["accounts"].clone();
    let venues: Vec<_> = accounts.as_array().unwrap().iter().map(|account| (&account["account"], &account["venue"])).collect();
    assert_eq!(venues, [(&"hold@loopback".into(), &"real".into()), (&"hold@paper".into(), &"paper".into())]);
}
