//! A9: a real SIGKILL at every step of a rollback, and once more: the end is the same.

use tidegate::venue::sim::Script;

use super::{ROLLBACK, assert_rolled_back, holding, states};

/// Stops the program at a step, kills it there, and rolls back again.
fn killed_at(steps: &[&str]) {
    for step in steps {
        let desk = holding(Script::new(1));
        let mut child = desk.stopped_at(&ROLLBACK, step);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(desk.runs().join("HALT").exists(), "{step}: ROLLBACK-1");
        let told = desk.json(0, &ROLLBACK);
        assert_eq!((&told["data"]["id"], states(&told)), (&"rb-0001".into(), vec!["done"; 4]), "{step}: {told}");
        assert_rolled_back(&desk, step);
    }
}

/// A9: nothing is written but the latch; it is written that it began.
#[test]
fn before_the_first_step() {
    killed_at(&["latched", "started"]);
}

/// A9.
#[test]
fn at_the_pause() {
    killed_at(&["pause-begun", "pause-performed", "pause-done"]);
}

/// A9: closing, before an order of it is written, before it leaves, before its answer is booked, and behind a fill.
#[test]
fn in_the_middle_of_closing() {
    killed_at(&["J1", "J3", "J5", "J7"]);
}

/// A9.
#[test]
fn around_closing() {
    killed_at(&["close-begun", "close-performed", "close-done"]);
}

/// A9: restoring twice is harmless.
#[test]
fn at_the_model() {
    killed_at(&["model-begun", "model-performed", "model-done"]);
}

/// A9: the last step is done and not written, written and not ended.
#[test]
fn at_the_ladder() {
    killed_at(&["ladder-begun", "ladder-performed", "ladder-done"]);
}
