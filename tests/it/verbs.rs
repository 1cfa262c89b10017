//! The verbs that read documents, as a person and as a program sees them.

use assert_cmd::Command;
use serde_json::Value;

fn run(args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_clear().envs(variables.iter().copied()).current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    (output.status.code().expect("the program ends by itself"), text(output.stdout), text(output.stderr))
}

fn json(args: &[&str]) -> Value {
    let (_, out, _) = run(&[args, &["--json"]].concat(), &[]);
    serde_json::from_str(&out).expect("--json prints one document")
}

#[test]
fn the_shipped_documents_are_sound() {
    let (code, out, _) = run(&["check"], &[]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("0 errors, 1 warning"), "{out}");
    let report = json(&["check"]);
    let documents = report["data"]["documents"].as_array().expect("a list");
    let names: Vec<&str> = documents.iter().filter_map(|d| d["name"].as_str()).collect();
    assert_eq!(names, ["canary", "production", "demo", "trend"]);
    let codes = report["data"]["diagnostics"].as_array().expect("a list").iter().map(|d| d["code"].as_str());
    assert!(codes.clone().count() > 0 && codes.clone().all(|code| code == Some("not-in-effect")), "{report:#}");
}

#[test]
fn the_effective_document_is_toml_and_means_the_same() {
    let (code, text, _) = run(&["config", "-p", "canary", "--pipeline", "demo"], &[]);
    assert_eq!(code, 0);
    let table: toml::Table = text.parse().expect("config prints TOML");
    assert_eq!(table["limits"]["max_notional_per_order"].as_str(), Some("50"));
    assert_eq!(table["alerts"]["receiver"]["mail"]["password"].as_str(), Some("file:secrets/smtp_password"));
    // Written as two documents again, it resolves to the same fingerprints but for what says where it comes from.
    let root = tempfile::tempdir().expect("a scratch folder can be made");
    for (folder, of_pipeline) in [("profiles", false), ("pipelines", true)] {
        let is_pipeline = |key: &String| ["pipeline", "schedule", "stage"].contains(&key.as_str());
        let mut part: toml::Table = table.clone().into_iter().filter(|(key, _)| is_pipeline(key) == of_pipeline).collect();
        if !of_pipeline {
            part["profile"].as_table_mut().expect("a table").remove("inherits");
            part["profile"]["pipeline"] = "same".into();
            part["risk"].as_table_mut().expect("a table").retain(|key, _| key != "on_unresolved" && key != "drawdown_basis");
            part["preflight"].as_table_mut().expect("a table").remove("require_all");
        }
        std::fs::create_dir(root.path().join(folder)).expect("a scratch folder can be made");
        std::fs::write(root.path().join(folder).join("same.toml"), part.to_string()).expect("a scratch file can be written");
    }
    let folder = root.path().to_str().expect("a scratch path is UTF-8");
    let (code, again, err) = run(&["config", "-p", "same", "--root", folder], &[]);
    assert_eq!(code, 0, "{err}");
    let keep = |text: &str| -> Vec<String> {
        let is_head = |line: &str| line.starts_with('#') || line.starts_with("inherits") || line.starts_with("pipeline =");
        text.lines().filter(|line| !is_head(line)).map(str::to_owned).collect()
    };
    assert_eq!(keep(&text), keep(&again));
}

#[test]
fn a_value_names_its_origin_its_bounds_and_who_lost() {
    let (code, out, _) = run(
        &["explain", "limits.max_notional_per_order", "-p", "production"],
        &[("TIDEGATE__LIMITS__MAX_NOTIONAL_PER_ORDER", "9000")],
    );
    assert_eq!(code, 0);
    let expected = "\
limits.max_notional_per_order = 50 USDT          effective now, mode live

  means    The notional of one order that adds exposure.
  set by   profiles/production.toml:11
  bounded  500    profiles/production.toml:7
           1000   profiles/base.toml:11       looser
           10000  the hard cap                looser
  chain    \"50\"  profiles/production.toml:11
           \"0\"   profiles/base.toml:27        overridden
           \"0\"   default                      overridden
  ignored  TIDEGATE__LIMITS__MAX_NOTIONAL_PER_ORDER in the environment: env never sets limits
  ladder   step 0 of 4: 50 -> 100 -> 200 -> 400 -> 500
  wants    money as a decimal string
";
    assert_eq!(out, expected);
}

#[test]
fn every_layer_can_be_the_origin() {
    let origin = |args: &[&str], variables: &[(&str, &str)]| {
        let (code, out, err) = run(&[&["explain"], args].concat(), variables);
        assert_eq!(code, 0, "{err}");
        let line = out.lines().find_map(|line| line.trim().strip_prefix("set by").map(str::trim));
        line.expect("an origin").to_owned()
    };
    assert_eq!(origin(&["profile.schema", "-p", "canary"], &[]), "default");
    assert_eq!(origin(&["storage.runs", "-p", "canary"], &[]), "profiles/base.toml:62");
    assert_eq!(origin(&["limits.max_total_notional", "-p", "canary"], &[]), "profiles/canary.toml:9");
    let runs = [("TIDEGATE__STORAGE__RUNS", "x")];
    assert_eq!(origin(&["storage.runs", "-p", "canary"], &runs), "environment TIDEGATE__STORAGE__RUNS=x");
    assert_eq!(origin(&["storage.runs", "-p", "canary", "--set", "storage.runs=y"], &runs), "--set storage.runs=y");
    assert_eq!(origin(&["profile.mode", "-p", "canary", "--paper"], &[]), "--paper");
    assert_eq!(origin(&["stage.model.params.fast", "-p", "canary"], &[]), "pipelines/trend.toml:31");
}

#[test]
fn a_program_reads_the_same_facts() {
    let report = json(&["explain", "limits.max_dd_daily", "-p", "canary"]);
    assert_eq!(report["schema"], "tidegate/explain/1");
    assert_eq!(report["data"]["value"], 0.03);
    assert_eq!(report["data"]["origin"]["file"], "profiles/canary.toml");
    assert_eq!(report["data"]["origin"]["line"], 11);
    assert_eq!(report["data"]["bounds"][0]["value"], 0.05);
    let report = json(&["config", "-p", "canary"]);
    assert_eq!(report["data"]["profile"]["limits.max_total_notional"]["value"], "200");
}

/// CLI-2.
#[test]
fn what_is_mistyped_on_the_command_line_gets_the_nearest_name() {
    let (code, _, err) = run(&["explain", "limits.max_dd_dialy", "-p", "canary"], &[]);
    assert_eq!((code, err.contains("did you mean limits.max_dd_daily?")), (2, true), "{err}");
    let (code, _, err) = run(&["config", "-p", "canry"], &[]);
    assert_eq!((code, err.contains("did you mean \"canary\"? There are: base, canary, production")), (3, true), "{err}");
    let (code, _, err) = run(&["config"], &[]);
    assert_eq!((code, err.contains("there are: base, canary, production")), (2, true), "{err}");
    let (code, out, _) = run(&["check", "--root", "src"], &[]);
    assert_eq!((code, out.contains("src/profiles holds no profile")), (3, true), "{out}");
}

#[test]
fn without_a_terminal_there_is_no_colour() {
    let (_, out, _) = run(&["check", "-p", "none"], &[]);
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let (_, out, _) = run(&["check", "-p", "none", "--color", "always"], &[]);
    assert!(out.contains('\u{1b}'), "{out:?}");
}
