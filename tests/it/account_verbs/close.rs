//! `close-all`: sliced inside the limits, with an empty book, twice, killed in the middle, and on paper.

use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Qty, Side, Span};
use tidegate::store::journal::Journal;
use tidegate::venue::sim::{Fault, On, Rule, Script, When};

use super::Desk;

const CLOSE: [&str; 6] = ["close-all", "-p", "practice", "--reason", "leaving the market", "--yes"];

impl Desk {
    /// Sizes of the sells that were filled, in their order.
    fn sells(&self) -> Vec<Qty> {
        let is_sell = |&(_, _, side, _, filled): &(&str, &str, Side, _, Qty)| side == Side::Sell && filled.is_positive();
        self.venue.with(|exchange, _| exchange.orders().filter(is_sell).map(|(.., filled)| filled).collect())
    }

    /// Nothing is left at the venue that it would let us sell: below five at a price of a hundred.
    fn is_flat(&self) -> bool {
        let is_small = |asset: &str| self.balance(asset).parse::<f64>().unwrap() < 0.05;
        is_small("BTC") && is_small("ETH") && self.open_orders() == 0
    }
}

/// C36, and P5: flat within fifteen seconds.
#[test]
fn a_position_above_the_limit_of_one_order_is_sold_in_slices() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    desk.profile("binance", "20");
    let start = SystemClock.now();
    let (out, err) = desk.expect(0, &CLOSE);
    let took = SystemClock.now() - start;
    assert!(took < Span::from_secs(15), "{took}");
    assert!(out.starts_with("CLOSED practice") && err.contains("tidegate resume"), "{out}{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let sells = desk.sells();
    let most: Qty = "0.2".parse().unwrap();
    assert!(sells.len() == 6 && sells.iter().all(|qty| *qty <= most), "{sells:?}");
    assert!(desk.is_flat());
    // Again: nothing more is sold, and it says so.
    let told = desk.json(0, &CLOSE);
    assert_eq!((told["data"]["flat"].as_bool(), told["data"]["orders"].as_u64()), (Some(true), Some(0)), "{told}");
    assert_eq!(desk.sells().len(), 6);
    desk.expect(6, &["run", "-p", "practice"]);
    desk.expect(0, &["resume", "-p", "practice", "--reason", "done"]);
    desk.expect(0, &["run", "-p", "practice"]);
}

#[test]
fn nobody_sells_without_a_yes() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let (_, err) = desk.expect(6, &CLOSE[..5]);
    assert!(err.contains("--yes") && !desk.runs().join("HALT").exists(), "{err}");
    desk.expect(2, &["close-all", "-p", "practice", "--yes"]);
    desk.expect(2, &["close-all", "-p", "practice", "--yes", "--reason", " "]);
    assert_eq!(desk.sells(), []);
}

/// C35.
#[test]
fn an_empty_book_leaves_a_residue_that_is_named() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    desk.venue
        .with(|exchange, _| *exchange.script_mut() = Script::new(1).with(Rule::new(On::Place, When::From(1), Fault::EmptyBook)));
    let (out, err) = desk.expect(11, &CLOSE);
    assert!(out.starts_with("NOT CLOSED practice") && out.contains("STILL      0.4995 BTC/USDT"), "{out}");
    assert!(out.contains("0.4995 ETH/USDT") && err.contains("tidegate close-all"), "{out}{err}");
    assert!(desk.sells().is_empty() && desk.runs().join("HALT").exists());
    desk.venue.with(|exchange, _| *exchange.script_mut() = Script::new(1));
    desk.expect(0, &CLOSE);
    assert!(desk.is_flat());
}

#[test]
fn a_kill_closes_when_it_is_told_to() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let told = desk.json(0, &["kill", "-p", "practice", "--reason", "enough", "--close"]);
    assert_eq!((&told["data"]["close"]["flat"], &told["data"]["venue"]["quiet"]), (&true.into(), &true.into()), "{told}");
    assert!(desk.is_flat());
}

/// Stops the program at a step of its journal, kills it there, and closes again.
fn killed_at(step: &str) {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let mut close = desk.stopped_at(&CLOSE, step);
    close.kill().unwrap();
    close.wait().unwrap();
    assert!(desk.runs().join("HALT").exists(), "{step}");
    let told = desk.json(0, &CLOSE);
    assert!(desk.is_flat() && told["data"]["flat"] == true, "{step}: {told}");
    let sold: Qty = desk.sells().into_iter().sum();
    assert!(sold <= "0.999".parse().unwrap(), "{step}: {sold} was sold");
    desk.expect(0, &["log", "verify", "-p", "practice"]);
}

/// P6: killed at any step and run again, the end is the same. Nothing of an order was written.
#[test]
fn closing_killed_before_an_order_is_written_ends_the_same() {
    killed_at("J1");
}

/// P6. It is written that the order may have left, and it has not: its absence has to be proven first.
#[test]
fn closing_killed_before_an_order_leaves_ends_the_same() {
    killed_at("J3");
}

/// P6. The venue has filled it, and nothing of that is written.
#[test]
fn closing_killed_before_an_answer_is_booked_ends_the_same() {
    killed_at("J5");
}

/// P6. One of two symbols is sold and booked.
#[test]
fn closing_killed_behind_a_fill_ends_the_same() {
    killed_at("J7");
}

#[test]
fn a_program_that_holds_the_account_is_waited_for_and_named() {
    let desk = Desk::new(Script::new(1), "market");
    desk.buy();
    let held = Journal::open(&desk.runs()).unwrap();
    let (_, err) = desk.expect(8, &CLOSE);
    assert!(err.contains("NOT closed") && err.contains("process ") && err.contains("tidegate kill"), "{err}");
    assert!(desk.runs().join("HALT").exists());
    let (_, err) = desk.expect(8, &["resume", "-p", "practice", "--reason", "go on"]);
    assert!(err.contains("would not hear of this"), "{err}");
    drop(held);
    desk.expect(0, &CLOSE);
    assert!(desk.is_flat());
}

/// On paper the next bar sells, latch or not, and after that no run begins.
#[test]
fn on_paper_the_next_run_sells_and_nothing_else() {
    let desk = Desk::new(Script::new(1), "market");
    desk.profile("paper", "50");
    let yesterday = (SystemClock.now() - Span::from_days(1)).to_string();
    desk.expect(0, &["run", "-p", "practice", "--at", &yesterday]);
    let held = |desk: &Desk| {
        let told = desk.json(0, &["positions", "-p", "practice"]);
        told["data"]["accounts"][0]["positions"].as_array().unwrap().len()
    };
    assert_eq!(held(&desk), 2);
    let (out, err) = desk.expect(11, &CLOSE);
    assert!(out.contains("the next run sells") && err.contains("tidegate run"), "{out}{err}");
    desk.expect(11, &CLOSE);
    desk.expect(0, &["run", "-p", "practice"]);
    assert_eq!(held(&desk), 0);
    desk.expect(6, &["run", "-p", "practice"]);
    let (out, _) = desk.expect(0, &CLOSE);
    assert!(out.starts_with("FLAT practice"), "{out}");
}

#[test]
fn an_account_that_never_traded_is_flat() {
    let desk = Desk::new(Script::new(1), "market");
    let (out, _) = desk.expect(0, &CLOSE);
    assert!(out.starts_with("FLAT practice") && !desk.runs().join("state.db").exists(), "{out}");
    std::fs::write(desk.path("profiles/practice.toml"), "no profile").unwrap();
    let (_, err) = desk.expect(11, &CLOSE);
    assert!(err.contains("NOT closed") && err.contains("tidegate kill"), "{err}");
}
