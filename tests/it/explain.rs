//! `explain`: every key of the shipped profiles in every kind of layer, told and checked against a plain reading of the files.
//!
//! With TIDEGATE_UPDATE_GOLDEN=1 the told texts are written instead.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::project::Project;

/// Name of the golden, variables of the environment, arguments.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const CASES: [Case; 5] = [
    ("canary", &[], &["-p", "canary"]),
    ("production", &[], &["-p", "production"]),
    ("paper", &[], &["-p", "canary", "--pipeline", "demo", "--paper"]),
    (
        "environment",
        &[
            ("TIDEGATE__STORAGE__RUNS", "elsewhere"),
            ("TIDEGATE__LIMITS__MAX_TOTAL_NOTIONAL", "9000"),
            ("TIDEGATE__STAGE__MODEL__PARAMS__FAST", "9"),
        ],
        &["-p", "canary"],
    ),
    (
        "flags",
        &[("TIDEGATE__STORAGE__RUNS", "elsewhere")],
        &[
            "-p",
            "production",
            "--paper",
            "--set",
            "storage.runs=here",
            "--set",
            "limits.max_total_notional=150",
            "--set",
            "alerts.route.rest.receivers=slack,mail",
        ],
    ),
];

fn explain(project: &Project, (_, variables, args): &Case, more: &[&str]) -> String {
    let mut command = project.command(&[&["explain"], *args, more].concat());
    let output = command.envs(variables.iter().copied()).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}

#[test]
fn every_key_is_told_as_reviewed() {
    let update = std::env::var_os("TIDEGATE_UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let (project, mut wrong) = (Project::new(), Vec::new());
    for case in &CASES {
        let told = explain(&project, case, &["--all"]);
        assert!(told.lines().count() > 150, "{told}");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/explain/{}.txt", case.0));
        if update {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder can be made");
            fs::write(&file, &told).expect("a golden can be written");
        } else if fs::read_to_string(&file).unwrap_or_default() != told {
            wrong.push(format!("== {}\n{told}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} goldens differ", wrong.join("\n"), wrong.len());
}

/// Every leaf of a TOML file by its path, with the number of its line.
fn leaves(file: &Path) -> BTreeMap<Vec<String>, String> {
    fn walk(table: &toml::Table, at: &[String], found: &mut BTreeMap<Vec<String>, String>) {
        for (name, value) in table {
            let path = [at, std::slice::from_ref(name)].concat();
            match value {
                toml::Value::Table(inner) => walk(inner, &path, found),
                leaf => {
                    found.insert(path, leaf.to_string());
                }
            }
        }
    }
    let text = fs::read_to_string(file).expect("a shipped file");
    let mut found = BTreeMap::new();
    walk(&text.parse().expect("a shipped file is TOML"), &[], &mut found);
    found
}

/// A path as the program writes it, taken apart again.
fn names(key: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for (at, quoted) in key.split('"').enumerate() {
        let names = quoted.split('.').filter(|name| !name.is_empty());
        if at % 2 == 1 { parts.push(quoted.to_owned()) } else { parts.extend(names.map(str::to_owned)) }
    }
    parts
}

/// Who sets the key, by the order of layers and nothing else: the last of `files` that holds it, unless a variable or a flag does.
fn winner<'a>(files: &'a [(String, BTreeMap<Vec<String>, String>)], path: &[String]) -> Option<&'a str> {
    let head = path[0] == "profile" && path[1] != "pipeline";
    let picked = files.len() - 1;
    let holds = |(at, (_, leaves)): &(usize, &(String, BTreeMap<Vec<String>, String>))| {
        leaves.contains_key(path) && (!head || *at == picked)
    };
    files.iter().enumerate().rfind(holds).map(|(_, (name, _))| name.as_str())
}

/// PROFILE-2: the origin that is told is the one that the files, the environment and the command line give.
#[test]
fn every_origin_is_the_one_that_the_layers_give() {
    let project = Project::new();
    for case in &CASES {
        let document: Json = serde_json::from_str(&explain(&project, case, &["--all", "--json"])).expect("one document");
        let profile = document["profile"].as_str().expect("a profile");
        let pipeline = if case.2.contains(&"demo") { "demo" } else { "trend" };
        let read = |name: String| (name.clone(), leaves(&project.path().join(&name)));
        let of_profile = ["base", profile].map(|name| read(format!("profiles/{name}.toml")));
        let of_pipeline = [read(format!("pipelines/{pipeline}.toml"))];
        let keys = document["data"]["keys"].as_array().expect("keys");
        for key in keys {
            let name = key["key"].as_str().expect("a key");
            let path = names(name);
            let files: &[_] =
                if matches!(path[0].as_str(), "pipeline" | "schedule" | "stage") { &of_pipeline } else { &of_profile };
            let variable = format!("TIDEGATE__{}", path.join("__").to_uppercase());
            let is_limit = ["limits", "caps", "floors", "risk", "escalation"].contains(&path[0].as_str());
            let flag = case.2.iter().find(|arg| arg.starts_with(&format!("{name}=")));
            let by_variable = case.1.iter().any(|(known, _)| *known == variable) && !is_limit;
            let forced = case.2.contains(&"--paper") && ["profile.mode", "stages.oms.venue"].contains(&name);
            let wanted = match (flag, winner(files, &path)) {
                _ if forced => Some("--paper"),
                (Some(_), _) => Some("--set"),
                _ if by_variable => Some("environment"),
                (None, file) => file,
            };
            assert_eq!(key["origin"]["file"].as_str(), wanted, "{}: {name}", case.0);
            // Exactly one origin, and its value is the effective one.
            assert_eq!(key["chain"][0]["value"], key["value"], "{}: {name}", case.0);
            if let Some(file) = wanted.filter(|file| file.ends_with(".toml")) {
                let text = fs::read_to_string(project.path().join(file)).expect("a shipped file");
                let line = text.lines().nth(key["origin"]["line"].as_u64().expect("a line") as usize - 1).expect("the line");
                let last = path.last().expect("a name");
                assert!(line.contains(last.as_str()) || line.contains("params"), "{name}: {file}: {line}");
            }
            let ignored = key["ignored"].as_array().expect("a list");
            assert_eq!(ignored.len(), usize::from(is_limit && case.1.iter().any(|(known, _)| *known == variable)), "{name}");
        }
        // Nothing that a file says is missing from what is told.
        let told: Vec<Vec<String>> = keys.iter().map(|key| names(key["key"].as_str().expect("a key"))).collect();
        for (file, leaves) in of_profile.iter().chain(&of_pipeline) {
            let inherited = |path: &&Vec<String>| path[0] != "profile" || !file.ends_with("base.toml");
            for path in leaves.keys().filter(inherited) {
                assert!(told.contains(path), "{file}: {path:?}");
            }
        }
    }
}

#[test]
fn what_stands_on_top_of_a_limit_is_told() {
    let project = Project::new();
    let (told, _) = project.expect(0, &["explain", "limits.max_total_notional", "-p", "production"]);
    assert!(told.contains("  ladder   step 0 of 4: 200 -> 400 -> 800 -> 1600 -> 2000\n"), "{told}");
    let (told, _) = project.expect(0, &["explain", "limits.max_dd_daily", "-p", "production"]);
    assert!(!told.contains("ladder"), "{told}");
    let (before, _) = project.expect(0, &["explain", "limits.max_dd_daily", "-p", "busy"]);
    assert!(!before.contains("state"), "{before}");
    project.run("2025-03-02");
    let (told, _) = project.expect(0, &["explain", "limits.max_dd_daily", "-p", "busy"]);
    assert!(
        told.contains("  state    busy@paper is paused until 2025-03-02T00:00:00Z: no new exposure, exits go on\n"),
        "{told}"
    );
}

/// A halt that latched stands above what the file says, and the way out of it is named.
#[test]
fn a_halt_is_told_with_its_way_out() {
    let project = Project::new();
    let file = project.path().join("profiles/busy.toml");
    let text = fs::read_to_string(&file).expect("the profile");
    fs::write(&file, text.replace("action = \"pause\"", "action = \"halt\"")).expect("a scratch file can be written");
    project.expect(10, &["run", "-p", "busy", "--at", "2025-03-20"]);
    let (told, _) = project.expect(0, &["explain", "limits.max_dd_daily", "-p", "busy"]);
    assert!(told.contains("busy@paper is halted by drawdown-daily since 2025-03-"), "{told}");
    assert!(told.contains("`tidegate resume -p busy --reason TEXT` clears it"), "{told}");
    let (out, _) = project.expect(0, &["--json", "explain", "limits.max_dd_daily", "-p", "busy"]);
    let document: Json = serde_json::from_str(&out).expect("one document");
    assert_eq!(document["data"]["state"]["accounts"][0]["trading"], "halted");
}

#[test]
fn bounds_of_the_ladder_are_told() {
    let project = Project::new();
    let bounded = |key: &str| {
        let (out, _) = project.expect(0, &["--json", "explain", key, "-p", "production"]);
        let document: Json = serde_json::from_str(&out).expect("one document");
        let bounds = document["data"]["bounds"].as_array().expect("bounds").clone();
        bounds.iter().map(|bound| bound["value"].to_string().trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bounded("escalation.target"), ["500", "1000", "10000"]);
    assert_eq!(bounded("escalation.every"), ["7d", "7d"]);
    assert_eq!(bounded("escalation.multiply"), ["2"]);
    assert_eq!(bounded("escalation.gate.sharpe.window"), ["30d", "30d"]);
    assert_eq!(bounded("limits.max_notional_per_order"), ["500", "1000", "10000"]);
    assert!(bounded("escalation.at").is_empty());
}

#[test]
fn the_rules_are_printed_and_fit_a_terminal() {
    let project = Project::new();
    let (told, _) = project.expect(0, &["explain", "--rules"]);
    assert!(told.contains("Sealed keys\n    Only the abstract root may write"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    project.expect(2, &["explain", "-p", "canary"]);
}
