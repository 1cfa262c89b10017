//! The verbs of a journal, as a person uses them: look, check, copy, put back.

use serde_json::Value;
use tidegate::store::journal::Journal;

use crate::project::{AFTER_ALL, Project, assert_same};

const EARLY: &str = "2025-03-02";
const LATER: &str = "2025-03-04";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rows(project: &Project, args: &[&str]) -> Vec<Value> {
    let args = [&["log", "-p", "busy", "--json"], args].concat();
    json(&project.expect(0, &args).0)["data"]["rows"].as_array().unwrap().clone()
}

#[test]
fn the_log_is_shown_the_newest_last_and_in_bounds() {
    let project = Project::new();
    let (_, err) = project.expect(1, &["log", "-p", "busy"]);
    assert!(err.contains("it has not run yet"), "{err}");
    project.run(EARLY);
    let (out, _) = project.expect(0, &["log", "-p", "busy"]);
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert_eq!(out.lines().count(), 1 + 50 + 2, "{out}");
    let newest = rows(&project, &[]);
    assert_eq!(newest.len(), 50);
    assert!(newest.windows(2).all(|pair| pair[0]["sequence"].as_u64() < pair[1]["sequence"].as_u64()));
    let fills = rows(&project, &["--kind", "fill", "-n", "3"]);
    assert!(fills.len() == 3 && fills.iter().all(|row| row["kind"] == "fill"), "{fills:?}");
    let order = fills[0]["body"]["fill"]["order"].as_str().unwrap();
    let told: Vec<Value> = rows(&project, &["--order", order]).iter().map(|row| row["kind"].clone()).collect();
    assert!(told.contains(&"fill".into()) && told.contains(&"order".into()), "{told:?}");
    let since = rows(&project, &["--since", "2025-03-01T23:00:00Z", "-n", "100000"]);
    assert!(!since.is_empty() && since.iter().all(|row| row["at"].as_str().unwrap() >= "2025-03-01T23"));
    let run = newest.iter().find_map(|row| row["run"].as_str()).unwrap();
    assert!(rows(&project, &["--run", run, "-n", "7"]).iter().all(|row| row["run"] == *run));
    let (out, _) = project.expect(0, &["log", "-p", "busy", "--kind", "nothing"]);
    assert!(out.starts_with("no such row among"), "{out}");
}

/// A15: found, put back, halted, resumed; the end is that of an account that never was damaged.
#[test]
fn a_damaged_journal_is_found_and_a_backup_takes_its_place() {
    let (whole, project) = (Project::new(), Project::new());
    [EARLY, LATER, AFTER_ALL].iter().for_each(|at| drop(whole.run(at)));
    project.run(EARLY);
    let backup = project.path().join("backup.db");
    let to = backup.to_str().unwrap();
    let (out, _) = project.expect(0, &["backup", "-p", "busy", "--to", to]);
    assert!(out.contains("a whole copy"), "{out}");
    let (_, err) = project.expect(1, &["backup", "-p", "busy", "--to", to]);
    assert!(err.contains("is there already"), "{err}");
    project.run(LATER);
    let (out, _) = project.expect(0, &["log", "verify", "-p", "busy"]);
    assert!(out.starts_with("whole: "), "{out}");
    let at_row = damage(&project);
    let (_, err) = project.expect(4, &["log", "verify", "-p", "busy"]);
    assert!(err.contains(&format!("is broken at row {at_row}")) && err.contains("tidegate recover"), "{err}");
    let (_, err) = project.expect(4, &["backup", "-p", "busy", "--to", project.path().join("b").to_str().unwrap()]);
    assert!(err.contains("is broken at row"), "{err}");
    assert!(!project.path().join("b").exists());
    let args = ["recover", "-p", "busy", "--from", to, "--at", LATER, "--reason"];
    project.expect(2, &[&args[..], &[" "]].concat());
    let (out, err) = project.expect(0, &[&args[..], &["the disk was bad"]].concat());
    assert!(out.contains("HALTED") && out.contains("is kept") && err.contains("tidegate resume"), "{out}{err}");
    assert!(project.runs().join("HALT").exists(), "the latch is set");
    project.expect(0, &["log", "verify", "-p", "busy"]);
    let told = rows(&project, &["--kind", "recovered"]);
    assert_eq!(told[0]["body"]["reason"], "the disk was bad");
    project.expect(0, &["resume", "-p", "busy", "--reason", "compared with the venue", "--at", LATER]);
    assert!(!project.runs().join("HALT").exists());
    assert_eq!(rows(&project, &["--kind", "unlatched"])[0]["body"]["latched"]["cause"], "recover");
    [LATER, AFTER_ALL].iter().for_each(|at| drop(project.run(at)));
    assert_eq!(whole.records().orders.len(), project.records().orders.len());
    project.expect(0, &["log", "verify", "-p", "busy"]);
}

/// Changes a letter of a row in the middle of the log, as a bad disk would; gives the row's number.
fn damage(project: &Project) -> u64 {
    let db = rusqlite::Connection::open(project.runs().join("state.db")).unwrap();
    let row: i64 = db.query_row("SELECT max(sequence) / 2 FROM event", [], |row| row.get(0)).unwrap();
    db.execute_batch("DROP TRIGGER event_is_not_changed").unwrap();
    assert_eq!(db.execute("UPDATE event SET body = replace(body, '\"', '''') WHERE sequence = ?1", [row]).unwrap(), 1);
    row as u64
}

/// A16: an older copy is not worked with, unless a person says so.
#[test]
fn an_older_copy_is_refused_until_a_person_accepts_it() {
    let project = Project::new();
    project.run(EARLY);
    let (db, copy) = (project.runs().join("state.db"), project.path().join("copy.db"));
    std::fs::copy(&db, &copy).unwrap();
    let args = ["recover", "-p", "busy", "--accept-older", "--reason", "the newer one is gone"];
    let (_, err) = project.expect(6, &args);
    assert!(err.contains("nothing to accept") && !project.runs().join("HALT").exists(), "{err}");
    project.run(LATER);
    std::fs::copy(&copy, &db).unwrap();
    let (_, err) = project.expect(1, &["run", "-p", "busy", "--at", LATER]);
    assert!(err.contains("older than what was written last") && err.contains("--accept-older"), "{err}");
    project.expect(4, &["log", "verify", "-p", "busy"]);
    project.expect(0, &args);
    let (_, err) = project.expect(6, &["run", "-p", "busy", "--at", LATER]);
    assert!(err.contains("busy is halted (recover"), "{err}");
}

#[test]
fn a_journal_can_be_looked_at_although_the_profile_is_wrong_and_a_run_holds_it() {
    let project = Project::new();
    project.run(EARLY);
    std::fs::write(project.path().join("profiles/busy.toml"), "not a profile").unwrap();
    let _held = Journal::open(&project.runs()).unwrap();
    let (out, err) = project.expect(0, &["log", "verify", "-p", "busy"]);
    assert!(out.starts_with("whole") && err.contains("the documents of busy are wrong"), "{out}{err}");
    project.expect(3, &["log", "-p", "nobody"]);
    let copy = project.path().join("copy.db");
    let from = copy.to_str().unwrap();
    project.expect(0, &["backup", "-p", "busy", "--to", from]);
    let (_, err) = project.expect(8, &["recover", "-p", "busy", "--from", from, "--reason", "a drill"]);
    assert!(err.contains("another run holds"), "{err}");
}

/// RUN-3: looking changes nothing.
#[test]
fn looking_leaves_the_record_as_it_is() {
    let project = Project::new();
    project.run(EARLY);
    let before = project.records();
    project.expect(0, &["log", "-p", "busy"]);
    project.expect(0, &["log", "verify", "-p", "busy"]);
    assert_same(&before, &project.records());
}
