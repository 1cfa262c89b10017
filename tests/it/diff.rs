//! `diff`: which way risk moves between two profiles, and since the last run.

use std::fs;

use crate::project::Project;

const CANARY_TO_PRODUCTION: &str = "\
canary -> production

[caps]
▼ max_notional_per_order          \"1000\" -> \"500\"
▼ max_total_notional              \"4000\" -> \"2000\"

[escalation]
▲ enabled                         false -> true
? raise                           - -> \"max_notional_per_order\"
▲ target                          - -> \"500\"
▲ scale_with
    []
    -> [\"max_position_notional\", \"max_total_notional\", \"max_daily_turnover\"]
▼ gate.alerts                     - -> alerts_unresolved_critical == 0.0
▼ gate.quiet                      - -> kill_events == 0.0 over 7d
▼ gate.sharpe                     - -> sharpe > 0.0 over 30d

3 ▲ raise risk, 5 ▼ lower it, 1 ? unknown: read as ▲.
Worst case exposure 200 USDT in both.
At the last step of the ladder 200 -> 2000 USDT (+1800 USDT).
";

fn json(project: &Project, args: &[&str]) -> serde_json::Value {
    let (out, _) = project.expect(0, &[&["--json"], args].concat());
    serde_json::from_str(&out).expect("--json prints one document")
}

fn write(project: &Project, name: &str, text: &str) {
    fs::write(project.path().join(name), text).expect("a scratch file can be written");
}

#[test]
fn the_shipped_profiles_differ_as_they_read() {
    let project = Project::new();
    assert_eq!(project.expect(0, &["diff", "canary", "production"]).0, CANARY_TO_PRODUCTION);
    for line in CANARY_TO_PRODUCTION.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    project.expect(4, &["diff", "canary", "production", "--exit-code"]);
    assert_eq!(project.expect(0, &["diff", "canary", "canary", "--exit-code"]).0.lines().nth(2), Some("They mean the same."));
}

#[test]
fn the_same_for_programs() {
    let project = Project::new();
    let (there, back) = (json(&project, &["diff", "canary", "production"]), json(&project, &["diff", "production", "canary"]));
    let (there, back) = (&there["data"], &back["data"]);
    assert_eq!(there["worst_case_exposure_at_last_step"]["change"], "1800");
    assert_eq!(back["worst_case_exposure_at_last_step"]["change"], "-1800");
    assert_eq!((&there["raises"], &there["lowers"], &there["unknown"]), (&3.into(), &5.into(), &1.into()));
    assert_eq!((&back["raises"], &back["lowers"], &back["unknown"]), (&5.into(), &3.into(), &1.into()));
    let target = there["changes"].as_array().expect("changes").iter().find(|c| c["key"] == "escalation.target");
    let target = target.expect("the target changes");
    assert_eq!((&target["class"], &target["after"]["value"]), (&"raises".into(), &"500".into()));
    let origin = target["after"]["origin"].as_str().expect("an origin");
    let (file, line) = origin.split_once(':').expect("file:line");
    let text = fs::read_to_string(project.path().join(file)).expect("the origin is a file");
    assert!(text.lines().nth(line.parse::<usize>().expect("a line") - 1).expect("the line").starts_with("target"), "{origin}");
}

/// A limit of a live profile that is raised in its file is told against what ran, whatever the file says by now.
#[test]
fn one_profile_is_compared_with_what_it_ran_with() {
    let project = Project::new();
    let (_, told) = project.expect(1, &["diff", "busy"]);
    assert!(told.contains("has not run yet") && told.contains("tidegate diff busy OTHER"), "{told}");
    project.run("2025-03-02");
    let unchanged = project.expect(0, &["diff", "busy", "--exit-code"]).0;
    assert!(unchanged.ends_with("They mean the same.\nWorst case exposure 150 USDT in both.\n"), "{unchanged}");
    let file = project.path().join("profiles/busy.toml");
    let text = fs::read_to_string(&file).expect("the profile");
    write(&project, "profiles/busy.toml", &text.replace("\"150\"", "\"950\"").replace("0.01", "0.005"));
    let (out, _) = project.expect(4, &["diff", "busy", "--exit-code"]);
    assert!(out.contains("▲ max_total_notional              \"150\" -> \"950\""), "{out}");
    assert!(out.contains("▼ max_dd_daily                    0.01 -> 0.005"), "{out}");
    assert!(out.ends_with("1 ▲ raises risk, 1 ▼ lowers it.\nWorst case exposure 150 -> 950 USDT (+800 USDT).\n"), "{out}");
}

#[test]
fn a_change_that_only_a_person_can_judge_counts_as_a_raise() {
    let project = Project::new();
    let other = "[profile]\ninherits = \"busy\"\npipeline = \"busy\"\n[storage]\nruns = \"elsewhere\"\n";
    write(&project, "profiles/moved.toml", other);
    let (out, _) = project.expect(4, &["diff", "busy", "moved", "--exit-code"]);
    assert!(out.contains("? runs                            \"runs\" -> \"elsewhere\""), "{out}");
    assert!(out.contains("1 ? unknown: read as ▲"), "{out}");
}

/// What last ran is read beside a program that holds the journal.
#[test]
fn a_look_at_the_last_run_needs_no_lock() {
    let project = Project::new();
    project.run("2025-03-02");
    let held = tidegate::store::journal::Journal::open(&project.runs()).expect("the journal is free");
    project.expect(0, &["diff", "busy"]);
    drop(held);
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let project = Project::new();
    project.run("2025-03-02");
    let run = fs::read_dir(project.runs()).expect("runs").map(|entry| entry.expect("an entry").path());
    let run = run.into_iter().find(|path| path.is_dir()).expect("a run");
    let profile = run.join("profile.toml");
    fs::write(&profile, "[limits]\nmax_total_notional = 5\n").expect("a scratch file can be written");
    let (_, told) = project.expect(1, &["diff", "busy"]);
    assert!(told.contains("money must be a decimal string") && told.contains("runs/busy/"), "{told}");
    fs::remove_file(&profile).expect("a scratch file can be removed");
    let (_, told) = project.expect(1, &["diff", "busy"]);
    assert!(told.split_whitespace().collect::<Vec<_>>().join(" ").contains("profile.toml is not there"), "{told}");
}
