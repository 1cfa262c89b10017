//! The table of faults names tests that exist, in the order of its numbers.

use super::{assert_none, root};

/// `B12` as something to sort by.
fn rank(number: &str) -> Option<(char, u32)> {
    let letter = number.chars().next().filter(char::is_ascii_uppercase)?;
    Some((letter, number[1..].parse().ok()?))
}

/// Is there a test of this name, like `tests/it/x.rs::name` or `src/x.rs::tests::name`?
fn exists(place: &str) -> bool {
    let mut parts = place.split("::");
    let file = parts.next().unwrap_or_default();
    let Ok(text) = std::fs::read_to_string(root().join(file)) else { return false };
    let Some(name) = parts.last() else { return false };
    // A property's test is named inside of `proptest!`.
    text.contains(&format!("fn {name}()")) || text.contains(&format!("fn {name}("))
}

/// Runs over the rows of a table of faults, and complains.
fn complaints(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last = None;
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(here) = cells.get(1).and_then(|number| rank(number)) else {
            wrong.push(format!("{} is no number of a fault", cells[1]));
            continue;
        };
        if last >= Some(here) {
            wrong.push(format!("{} stands behind a later one", cells[1]));
        }
        last = Some(here);
        let named: Vec<&str> = line.split('`').skip(1).step_by(2).filter(|span| span.contains(".rs::")).collect();
        if named.is_empty() && !line.contains("with orders") {
            wrong.push(format!("{} names no test", cells[1]));
        }
        wrong.extend(named.iter().filter(|place| !exists(place)).map(|place| format!("{}: there is no test {place}", cells[1])));
    }
    wrong
}

pub fn every_test_exists() {
    let text = std::fs::read_to_string(root().join("docs/faults.md")).unwrap();
    assert!(text.lines().filter(|line| line.starts_with("| B")).count() >= 14, "the table is not read");
    assert_none(&complaints(&text));
    let wrong = "| B2 | x | y | `tests/it/tidy.rs::not_there` |\n| B1 | x | y | none |\n| Q | x | y | z |";
    assert_eq!(complaints(wrong).len(), 4, "{:?}", complaints(wrong));
}
