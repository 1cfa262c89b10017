//! The house keeps its own rules: this reads the sources and the documents as they lie in the folder.

mod documents;
mod faults;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rules::Label;
use source::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with this ending, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// Our own Rust: the program, its tests, its benches.
fn sources() -> Vec<Source> {
    let folders = ["src", "tests", "benches"];
    let paths = folders.iter().flat_map(|folder| files(&root().join(folder), "rs"));
    let all: Vec<Source> = paths.map(|path| Source::new(&relative(&path), &std::fs::read_to_string(&path).unwrap())).collect();
    assert!(all.len() > 100, "{} sources: the walk is broken", all.len());
    all
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn judge(rule: fn(&Source) -> Vec<String>) {
    let wrong: Vec<String> = sources().iter().filter(|source| source.path.starts_with("src/")).flat_map(rule).collect();
    assert_none(&wrong);
}

#[test]
fn imports_go_to_the_left() {
    judge(rules::direction);
}

#[test]
fn the_map_lists_the_rooms_in_their_order() {
    let lib = Source::new("src/lib.rs", &std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    assert_none(&rules::map_order(&lib));
}

#[test]
fn pure_files_touch_no_edge() {
    judge(rules::purity);
}

#[test]
fn every_room_has_a_head() {
    judge(rules::head);
}

#[test]
fn nothing_is_left_for_later() {
    let wrong: Vec<String> = sources().iter().flat_map(rules::leftovers).collect();
    assert_none(&wrong);
}

/// TELEMETRY-2: what an event cannot name it cannot carry.
#[test]
fn no_event_can_carry_a_secret() {
    let secrets = ["secrecy", "SecretString", "SecretRef", "ExposeSecret", "Url"];
    let all = sources();
    let voice: Vec<&Source> = all.iter().filter(|source| source.room() == Some("telemetry")).collect();
    assert!(voice.len() > 3, "the room is not read");
    let wrong = voice
        .iter()
        .flat_map(|source| source.names())
        .filter(|named| named.parts.iter().any(|part| secrets.contains(&part.as_str())));
    assert_eq!(wrong.collect::<Vec<_>>(), []);
}

/// The invariants of all heads, in the order of the sources.
fn stated() -> Vec<Label> {
    sources().iter().filter(|source| source.path.starts_with("src/")).flat_map(rules::stated).collect()
}

#[test]
fn every_invariant_is_stated_once_and_cited_where_it_can_fail() {
    let stated = stated();
    assert!(stated.len() > 50, "{} invariants: the heads are not read", stated.len());
    let cited: BTreeSet<String> =
        sources().iter().filter(|source| !source.path.starts_with("tests/it/tidy/")).flat_map(rules::cited).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for Label { name, path } in &stated {
        if !seen.insert(name) {
            wrong.push(format!("{path}: {name} is stated twice"));
        }
        if !cited.contains(name) {
            wrong.push(format!("{path}: no test and no assertion cites {name}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_architecture_names_every_invariant_and_no_other() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let stated: BTreeSet<String> = stated().into_iter().map(|label| label.name).collect();
    let rooms: BTreeSet<&str> = stated.iter().filter_map(|name| name.split('-').next()).collect();
    let of_ours = |name: &&str| name.split('-').next().is_some_and(|room| rooms.contains(room));
    let told: BTreeSet<String> = rules::labels_in(&text).filter(of_ours).map(str::to_owned).collect();
    let missing: Vec<&String> = stated.difference(&told).collect();
    let invented: Vec<&String> = told.difference(&stated).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:?}, invented {invented:?}");
}

/// Where an invariant is held must be a place that is there.
#[test]
fn the_architecture_names_files_that_exist() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let files: Vec<&str> = spans.filter(|span| span.ends_with(".rs") && span.contains('/') && !span.contains('{')).collect();
    let missing: Vec<&&str> =
        files.iter().filter(|file| !root().join(file).is_file() && !root().join("src").join(file).is_file()).collect();
    assert!(missing.is_empty() && files.len() > 30, "not there: {missing:?}, of {}", files.len());
}

#[test]
fn the_table_of_faults_names_tests_that_exist() {
    faults::every_test_exists();
}

/// A row says which line of which function, changed how, no test minds. A function that went away takes its row with it.
#[test]
fn the_list_of_mutants_names_functions_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/mutants.md")).unwrap();
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| line.starts_with("| `src/")).map(|line| line.split('`').collect()).collect();
    assert!(!rows.is_empty(), "the table is not read");
    for row in rows {
        let (file, change) = (row[1], row[3]);
        let path =
            change.rsplit_once(" in ").map_or_else(|| change.split_whitespace().nth(1).unwrap_or_default(), |(_, path)| path);
        let name = path.rsplit("::").next().unwrap();
        let source = std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file} is not there"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no function {name}");
    }
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let main = Source::new("tests/it/main.rs", &std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap());
    let listed: BTreeSet<&str> = main.code.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let there = std::fs::read_dir(root().join("tests/it")).unwrap().map(|entry| entry.unwrap().path());
    let there = there.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let stems: BTreeSet<String> = there.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let orphans: Vec<&String> = stems.iter().filter(|stem| *stem != "main" && !listed.contains(stem.as_str())).collect();
    assert!(orphans.is_empty(), "never run: {orphans:?}");
}

#[test]
fn every_case_has_what_it_is_compared_with() {
    let cases = root().join("tests/cases");
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    let mut wrong = Vec::new();
    for case in folders(&cases) {
        if case.ends_with("diagnostics") {
            // `_common` holds what the documents of every case lie over.
            let own = folders(&case).into_iter().filter(|case| !case.ends_with("_common"));
            let lacking = own.filter(|case| !case.join("expected.txt").is_file());
            wrong.extend(lacking.map(|case| format!("{} holds no expected.txt", relative(&case))));
        } else if !case.join("case.toml").is_file() {
            wrong.push(format!("{} holds no case.toml", relative(&case)));
        }
    }
    assert_none(&wrong);
}
