//! The rules of the house, one function each: a source in, complaints out.

use super::source::Source;

/// The rooms, each of which may import only those before it. `ARCHITECTURE.md` says why.
pub const ROOMS: [&str; 20] = [
    "domain",
    "clock",
    "chance",
    "perf",
    "risk",
    "escalation",
    "telemetry",
    "store",
    "secret",
    "registry",
    "feed",
    "venue",
    "notify",
    "profile",
    "stage",
    "pipeline",
    "runner",
    "web",
    "cli",
    "main",
];
/// Rooms to the left that a room does not see all the same: a stage receives its own config and limits.
const UNSEEN: [(&str, &str); 1] = [("stage", "profile")];
/// Rooms that decide, and therefore touch nothing.
const PURE: [&str; 4] = ["domain", "perf", "risk", "escalation"];
/// Where the world begins.
const EDGES: [&[&str]; 14] = [
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["tokio"],
    &["reqwest"],
    &["rusqlite"],
    &["tempfile"],
    &["tracing"],
    &["async"],
    &["await"],
];
const LINES_MAX: usize = 600;

fn place(rank: &str) -> Option<usize> {
    ROOMS.iter().position(|room| *room == rank)
}

/// Imports go to the left only, and nobody climbs out of a room with `super`.
pub fn direction(source: &Source) -> Vec<String> {
    let Some(room) = source.room().filter(|room| !matches!(*room, "lib" | "main")) else { return Vec::new() };
    let Some(mine) = place(room) else { return vec![format!("{}: there is no room called {room}", source.path)] };
    let mut wrong = Vec::new();
    for named in source.names() {
        let at = format!("{}:{}", source.path, named.line);
        match named.parts.as_slice() {
            [first, other, ..] if first == "crate" && other != room => match place(other) {
                None => wrong.push(format!("{at}: crate::{other} is no room")),
                Some(theirs) if theirs > mine => wrong.push(format!("{at}: {room} is left of {other} and cannot import it")),
                Some(_) if UNSEEN.contains(&(room, other)) => wrong.push(format!("{at}: a {room} never sees a {other}")),
                Some(_) => {}
            },
            parts => {
                // A module inside the file, like its tests, is one step further in.
                let supers = parts.iter().take_while(|part| *part == "super").count();
                if supers >= source.depth() + usize::from(source.is_test(named.line)) {
                    wrong.push(format!("{at}: super leaves the room; say crate::"));
                }
            }
        }
    }
    wrong
}

/// `lib.rs` lists the rooms in their order.
pub fn map_order(lib: &Source) -> Vec<String> {
    let listed: Vec<&str> = lib.code.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let wanted: Vec<&str> = ROOMS.into_iter().filter(|room| listed.contains(room)).collect();
    if listed == wanted && !listed.is_empty() { Vec::new() } else { vec![format!("{}: {listed:?}, not {wanted:?}", lib.path)] }
}

/// Rooms that decide open nothing; in a stage only `task.rs`, and what it is made of, touches an edge.
pub fn purity(source: &Source) -> Vec<String> {
    let is_task = source.path.ends_with("/task.rs") || source.path.contains("/task/");
    let is_pure = source.room().is_some_and(|room| PURE.contains(&room) || (room == "stage" && !is_task));
    if !is_pure {
        return Vec::new();
    }
    let touches =
        |parts: &[String]| EDGES.iter().any(|edge| parts.len() >= edge.len() && parts.iter().zip(*edge).all(|(a, b)| a == b));
    let names = source.names().into_iter().filter(|named| !source.is_test(named.line) && touches(&named.parts));
    names.map(|named| format!("{}:{}: {} in a pure file", source.path, named.line, named.parts.join("::"))).collect()
}

/// A room says what it is for, where to enter, and what is not in it.
pub fn head(source: &Source) -> Vec<String> {
    let is_mod = source.path.ends_with("/mod.rs") && source.path.starts_with("src/");
    let is_room = source.path.starts_with("src/") && source.path.matches('/').count() == if is_mod { 2 } else { 1 };
    if !is_mod && (!is_room || matches!(source.room(), Some("lib" | "main"))) {
        return Vec::new();
    }
    let head: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
    let wanted: &[&str] = if is_room { &["//!", "Enter at ", "Not here: "] } else { &["//!"] };
    let missing = wanted.iter().filter(|part| !head.contains(**part));
    missing.map(|part| format!("{}: its head lacks {part:?}", source.path)).collect()
}

/// Files stay readable in one sitting, and nothing is left for later or put to sleep.
pub fn leftovers(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = source.text.lines().count();
    if source.path.starts_with("src/") && lines > LINES_MAX {
        wrong.push(format!("{}: {lines} lines, more than {LINES_MAX}: usually two nouns", source.path));
    }
    for (number, line) in source.code.lines().enumerate() {
        for banned in ["todo!(", "unimplemented!(", "#[ignore", "thread::sleep(", "HashMap<", "HashSet<"] {
            if line.contains(banned) {
                wrong.push(format!("{}:{}: {banned}…", source.path, number + 1));
            }
        }
    }
    wrong
}

/// An invariant like `RISK-2`, and the words of its head.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    pub name: String,
    pub path: String,
}

/// Is this word a label: capitals, a hyphen, digits?
fn is_label(word: &str) -> bool {
    word.split_once('-').is_some_and(|(letters, digits)| {
        letters.len() > 1
            && letters.chars().all(|c| c.is_ascii_uppercase())
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit())
    })
}

/// The labels in a text, wherever they stand.
pub fn labels_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| is_label(word))
}

/// The invariants that a head states.
pub fn stated(source: &Source) -> Vec<Label> {
    let head = source.text.lines().map_while(|line| line.strip_prefix("//!"));
    let first_words = head.filter_map(|line| line.trim().split_once(' ')).map(|(word, _)| word);
    first_words.filter(|word| is_label(word)).map(|word| Label { name: word.to_owned(), path: source.path.clone() }).collect()
}

/// The labels cited where something can fail: in a test, in the words of an assertion, in a documentation test.
pub fn cited(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let plain = line.trim_start();
        let in_doc_test = plain.starts_with("/// // ");
        let in_words = !plain.starts_with("//") && !plain.contains("// ");
        if source.is_test(number + 1) || in_doc_test || in_words {
            found.extend(labels_in(line).map(str::to_owned));
        }
    }
    found
}

/// Documents for people do not speak of the tracker.
pub fn tracker(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        let numbered = |mark: &str| {
            lower.match_indices(mark).any(|(at, _)| lower[at + mark.len()..].starts_with(|c: char| c.is_ascii_digit()))
        };
        if numbered("issue ") || numbered("issue #") || numbered(" #") || numbered("(#") {
            wrong.push(format!("{path}:{}: {line}", number + 1));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
        rule(&Source::new(path, text)).len()
    }

    #[test]
    fn a_room_imports_from_its_left() {
        let wrong = |path, text| complaints(direction, path, text);
        assert_eq!(wrong("src/risk/gate.rs", "use crate::domain::Money;\nuse crate::risk::Limits;\nuse super::halt::Halt;"), 0);
        assert_eq!(wrong("src/risk/gate.rs", "use crate::store::Lake;"), 1);
        assert_eq!(wrong("src/risk/gate.rs", "use crate::{domain::Money, cli};"), 1);
        assert_eq!(wrong("src/risk/gate.rs", "fn f() { crate::feed::open() }"), 1);
        assert_eq!(wrong("src/risk/gate.rs", "// crate::feed\n/// [`crate::feed`]\nconst A: &str = \"crate::feed::x\";"), 0);
        assert_eq!(wrong("src/risk/gate.rs", "use crate::nowhere::X;"), 1);
        assert_eq!(wrong("src/stage/oms/desk.rs", "use crate::profile::Profile;"), 1, "a stage never sees a profile");
        assert_eq!(wrong("src/nowhere/mod.rs", ""), 1);
    }

    #[test]
    fn nobody_climbs_out_of_a_room() {
        let wrong = |path, text| complaints(direction, path, text);
        assert_eq!(wrong("src/risk/gate.rs", "use super::super::store::Lake;"), 1);
        assert_eq!(wrong("src/stage/oms/desk.rs", "use super::super::model::Signal;"), 0);
        assert_eq!(wrong("src/stage/oms/desk.rs", "use super::super::super::cli;"), 1);
        assert_eq!(wrong("src/clock.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"), 0);
        assert_eq!(wrong("src/clock.rs", "use super::cli;"), 1);
    }

    #[test]
    fn the_map_is_in_order() {
        assert_eq!(complaints(map_order, "src/lib.rs", "pub mod domain;\npub mod cli;\n"), 0);
        assert_eq!(complaints(map_order, "src/lib.rs", "pub mod cli;\npub mod domain;\n"), 1);
        assert_eq!(complaints(map_order, "src/lib.rs", "pub mod domain;\npub mod attic;\n"), 1);
        assert_eq!(complaints(map_order, "src/lib.rs", ""), 1);
    }

    #[test]
    fn a_pure_file_touches_no_edge() {
        let wrong = |path, text| complaints(purity, path, text);
        assert_eq!(wrong("src/risk/gate.rs", "use std::{fmt, fs};"), 1);
        assert_eq!(wrong("src/stage/oms/desk.rs", "async fn f() { g().await }"), 2);
        assert_eq!(wrong("src/stage/oms/desk.rs", "use tokio::sync::Notify;\nuse tracing::info;"), 2);
        assert_eq!(wrong("src/stage/oms/task.rs", "async fn f() {}"), 0);
        assert_eq!(wrong("src/stage/oms/task/send.rs", "async fn f() {}"), 0);
        assert_eq!(wrong("src/store/disk.rs", "use std::fs;"), 0);
        assert_eq!(wrong("src/perf/mod.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}"), 0, "a test may read a file");
        assert_eq!(wrong("src/domain/bar.rs", "let build = env!(\"X\");\nuse std::time::Duration;"), 0);
    }

    #[test]
    fn a_room_has_a_head() {
        let whole = "//! Risk.\n//!\n//! Enter at [`Gate`].\n//!\n//! Not here: orders.\n\nmod gate;\n";
        assert_eq!(complaints(head, "src/risk/mod.rs", whole), 0);
        assert_eq!(complaints(head, "src/clock.rs", whole), 0);
        assert_eq!(complaints(head, "src/risk/mod.rs", "mod gate;\n// Enter at x. Not here: y.\n"), 3);
        assert_eq!(complaints(head, "src/clock.rs", "//! Time.\n"), 2);
        assert_eq!(complaints(head, "src/cli/data/mod.rs", "//! Verbs.\n"), 0);
        assert_eq!(complaints(head, "src/cli/data/mod.rs", "mod x;\n"), 1);
        assert_eq!(complaints(head, "src/risk/gate.rs", ""), 0);
    }

    #[test]
    fn nothing_is_left_for_later() {
        assert_eq!(complaints(leftovers, "src/a.rs", &"\n".repeat(600)), 0);
        assert_eq!(complaints(leftovers, "src/a.rs", &"\n".repeat(601)), 1);
        assert_eq!(complaints(leftovers, "tests/it/a.rs", "    #[ignore]\n"), 1);
        assert_eq!(complaints(leftovers, "tests/it/a.rs", "std::thread::sleep(x);\nunimplemented!()\n"), 2);
        assert_eq!(complaints(leftovers, "src/a.rs", "// todo!()\nlet text = \"#[ignore\";\n"), 0);
    }

    #[test]
    fn a_label_counts_where_something_can_fail() {
        let head = "//! Risk.\n//!\n//! RISK-1  One.\n//! RISK-2  Two.\n//! See OMS-9, or SHA-256.\n\n// RISK-3 x\n";
        let names: Vec<String> = stated(&Source::new("src/risk/mod.rs", head)).into_iter().map(|label| label.name).collect();
        assert_eq!(names, ["RISK-1", "RISK-2"]);
        let text =
            "// A-1\nB-1 AB-1: told\n/// // CD-1: told\n/// EF-1\nx(); // GH-1\n#[cfg(test)]\nmod tests {\n    // IJ-1\n}\n";
        assert_eq!(cited(&Source::new("src/risk/gate.rs", text)), ["AB-1", "CD-1", "IJ-1"]);
    }

    #[test]
    fn documents_do_not_speak_of_the_tracker() {
        assert_eq!(tracker("a.md", "as issue 2 says\nsee #17\n(#3)\n").len(), 3);
        assert_eq!(tracker("a.md", "# 1. Issues\n## Exit codes\n#4 is no heading of ours\n").len(), 0);
    }
}
