//! A script of exports becomes a profile that allows the same, and what it cannot prove it does not write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tidegate::pipeline;
use tidegate::profile::{Environment, Overrides, Profile};

use crate::shared;

/// What every small desk has.
const CANARY: &str = "\
#!/usr/bin/env bash
# Canary: extremely low exposure.
set -euo pipefail

export MAX_NOTIONAL_PER_ORDER=50
export MAX_TOTAL_NOTIONAL=200
export MAX_DD_DAILY=0.03
export LATENCY_THRESHOLD_MS=500
exec python -m quant_pipeline \"$@\"
";

/// A project with the shipped documents, and scripts to read.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for folder in ["profiles", "pipelines"] {
            fs::create_dir(desk.path(folder)).unwrap();
            for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), desk.path(folder).join(entry.file_name())).unwrap();
            }
        }
        desk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn call(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        // What the caller exports is no part of the script.
        command.env_clear().env("MAX_TOTAL_NOTIONAL", "7").env("TIDEGATE__LIMITS__MAX_OPEN_ORDERS", "7");
        let output = command.current_dir(self.0.path()).stdin(Stdio::null()).arg("from-env").args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Reads `script` and expects an exit code; gives stdout and stderr.
    #[track_caller]
    fn expect(&self, code: i32, script: impl AsRef<[u8]>, args: &[&str]) -> (String, String) {
        fs::write(self.path("canary.sh"), script).unwrap();
        let (found, out, err) = self.call(&[&["canary.sh"], args].concat());
        assert_eq!(found, code, "{args:?}\nstdout: {out}\nstderr: {err}");
        (out, err)
    }

    fn load(&self, name: &str) -> Profile {
        let loaded = pipeline::load(self.0.path(), name, None, &Overrides::default(), &Environment::default());
        loaded.unwrap_or_else(|found| panic!("{found:?}")).0
    }
}

/// Every line is in the text, whatever the blanks between its words.
#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in lines {
        assert!(text.lines().any(|there| words(there) == words(line)), "{line:?} is not in\n{text}");
    }
}

#[test]
fn the_four_limits_give_a_canary_equal_to_the_shipped_one() {
    let desk = Desk::new();
    let (out, err) = desk.expect(0, CANARY, &["--profile", "mine"]);
    assert_lines(
        &out,
        &[
            "5 MAX_NOTIONAL_PER_ORDER 50 limits.max_notional_per_order = \"50\"",
            "8 LATENCY_THRESHOLD_MS 500 limits.latency_threshold = \"500ms\"",
            "9 runs exec",
            "latency_threshold 500ms 500ms equal",
            "max_position_notional - 100 rule: 2 orders, at most the total",
            "max_daily_turnover - 1000 rule: 5 times the total",
            "max_dd_weekly - 0.05 profiles/base.toml:32",
            "proven: 4 of 4 equal",
            "equal to profiles/canary.toml: all 13 limits, and every cap,",
            "▼ profile.mode \"paper\" here, \"live\" in canary",
            "wrote profiles/mine.toml",
        ],
    );
    assert!(err.contains("next: tidegate check -p mine"), "{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    // Not only said: the file resolves to the same limits and rules, and grants no live venue.
    let (mine, canary) = (desk.load("mine"), desk.load("canary"));
    assert_eq!((mine.limits(), mine.rules()), (canary.limits(), canary.rules()));
    assert_eq!(mine.mode().name(), "paper");
}

#[test]
fn like_canary_is_the_canary_in_every_value() {
    let desk = Desk::new();
    let (out, _) = desk.expect(0, CANARY, &["--profile", "mine", "--like", "canary"]);
    assert!(out.contains("equal to profiles/canary.toml") && !out.contains("apart from"), "{out}");
    let (mine, canary) = (desk.load("mine"), desk.load("canary"));
    assert_eq!(mine.fingerprint(), canary.fingerprint());
    assert_ne!(mine.fingerprint(), desk.load("production").fingerprint(), "fingerprints tell profiles apart");
    // A whole other profile can stand behind the script, ladder and all.
    desk.expect(0, CANARY, &["--profile", "other", "--like", "production"]);
    let (other, production) = (desk.load("other"), desk.load("production"));
    assert_eq!(other.limits(), production.limits());
    assert_eq!(other.effective().text_at(&tidegate::profile::KeyPath::dotted("escalation.at")), Some("Mon 09:00"));
}

/// The numbers of the document that the shipped canary was made from.
#[test]
fn the_numbers_of_the_runbook_give_the_canary() {
    let Some(path) = shared::path("reference/runbook-today.md") else { return };
    let runbook = fs::read_to_string(path).unwrap();
    let spans = runbook.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    let script: String = spans.filter(|span| span.contains('=')).map(|span| format!("export {span}\n")).collect();
    assert_eq!(script.lines().count(), 4, "{script}");
    let desk = Desk::new();
    let (out, _) = desk.expect(0, script, &[]);
    assert_lines(&out, &["proven: 4 of 4 equal", "equal to profiles/canary.toml: all 13 limits, and every cap,"]);
}

#[test]
fn a_script_that_differs_is_not_called_equal() {
    let desk = Desk::new();
    let (out, _) = desk.expect(0, CANARY.replace("=200", "=150"), &[]);
    assert_lines(
        &out,
        &[
            "proven: 4 of 4 equal",
            "not equal to profiles/canary.toml:",
            "▼ limits.max_total_notional \"150\" here, \"200\" in canary",
            "▼ limits.max_daily_turnover \"750\" here, \"1000\" in canary",
            "profile.toml, not written:",
        ],
    );
}

/// What may set a limit and is not understood leaves the proof open, and nothing is written.
#[test]
fn what_is_not_proven_is_not_written() {
    let desk = Desk::new();
    for (line, told) in [
        ("if [ \"$X\" ]; then export MAX_TOTAL_NOTIONAL=9; fi", "opens an if may set a limit"),
        ("source other.sh", "runs source, which can set any variable may set a limit"),
        ("export MAX_OPEN_ORDERS=$(cat orders)", "takes a value from a command may set a limit"),
        ("unset MAX_DD_DAILY", "runs unset may set a limit"),
    ] {
        let script = CANARY.replace("exec", &format!("{line}\nexec"));
        let (out, err) = desk.expect(4, script, &["--profile", "mine"]);
        assert_lines(&out, &[&format!("9 {told}"), "NOT PROVEN: 1 line that is not understood may set a limit"]);
        assert!(err.contains("take those lines out of a copy"), "{err}");
        assert!(!desk.path("profiles/mine.toml").exists());
    }
    // Behind `exec` nothing is believed, and a line that sets a limit there is a doubt.
    let (out, _) = desk.expect(4, format!("{CANARY}export MAX_TOTAL_NOTIONAL=9000\n"), &[]);
    assert_lines(&out, &["10 behind exec on line 9: it may never run may set a limit"]);
}

#[test]
fn every_variable_is_listed_and_nothing_is_dropped() {
    let desk = Desk::new();
    let script = "MAX_NOTIONAL_PER_ORDER=${MAX_NOTIONAL_PER_ORDER:-20}\n: \"${MAX_TOTAL_NOTIONAL:=300}\"\n\
                  export MAX_NOTIONL_PER_ORDER=10 LOG_LEVEL=debug PAUSE_MINUTES='10'\nMAX_TOTAL_NOTIONAL=250 # less\n\
                  LATENCY_WINDOW=4; MAX_DD_WEEKLY=.04\r\ncurl x\n";
    let (out, err) = desk.expect(0, script, &["--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    let data = &report["data"];
    let column = |list: &str, key: &str| -> Vec<String> {
        data[list].as_array().unwrap().iter().map(|one| one[key].to_string().replace('"', "")).collect()
    };
    let names = ["MAX_NOTIONAL_PER_ORDER", "PAUSE_MINUTES", "MAX_TOTAL_NOTIONAL", "LATENCY_WINDOW", "MAX_DD_WEEKLY"];
    assert_eq!(column("mapped", "variable"), names);
    assert_eq!(column("mapped", "value"), ["20", "10m", "250", "4", "0.04"]);
    assert_eq!(column("mapped", "line"), ["1", "3", "4", "5", "5"]);
    assert_eq!(column("unmapped", "variable"), ["MAX_NOTIONL_PER_ORDER", "LOG_LEVEL"]);
    assert_eq!(column("unmapped", "near"), ["MAX_NOTIONAL_PER_ORDER", "null"]);
    assert_eq!(column("not_understood", "why"), ["runs curl"]);
    let warnings = report["warnings"].to_string();
    for told in
        ["MAX_TOTAL_NOTIONAL is set on line 2 and again on line 4", "is a default that the environment", "line ends of Windows"]
    {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }
    assert_eq!(data["proof"]["complete"], true);
    assert_eq!(err, "");
}

/// PROFILE-4: neither on the screen nor in the file, whatever goes wrong.
#[test]
fn secrets_are_named_and_never_repeated() {
    let desk = Desk::new();
    let secrets = "export BINANCE_API_KEY=hunter2 BINANCE_API_SECRET='hunter2'\nSMTP_PASSWORD=hunter2 # hunter2\nDB_URL=x://a:hunter2@b\n\
                   hunter2=hunter2 curl -H hunter2\ncat <<E\nhunter2\nE\n";
    let script = CANARY.replace("exec", &format!("{secrets}exec"));
    let (out, err) = desk.expect(0, &script, &["--profile", "mine"]);
    assert_lines(
        &out,
        &[
            "9 BINANCE_API_KEY venue.binance.api_key = \"env:BINANCE_API_KEY\"",
            "10 SMTP_PASSWORD alerts.receiver.mail.password = \"env:SMTP_PASSWORD\"",
            "11 DB_URL",
        ],
    );
    let file = fs::read_to_string(desk.path("profiles/mine.toml")).unwrap();
    assert!(file.contains("password = \"env:SMTP_PASSWORD\"") && !file.contains("api_key"), "{file}");
    let (json, _) = desk.expect(0, &script, &["--json"]);
    let (_, bad) = desk.expect(3, format!("{script}\n").replace("=0.03", "=3% AUTH=hunter2"), &[]);
    let (_, open) = desk.expect(3, format!("{script}A=\"hunter2\n"), &[]);
    for text in [out, err, file, json, bad, open] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn values_that_are_not_clear_are_refused_with_their_place() {
    let desk = Desk::new();
    for (line, place, hint) in [
        ("MAX_DD_DAILY=3%", "canary.sh:5:14", "did you mean 0.03?"),
        ("export MAX_DD_DAILY=3", "canary.sh:5:21", "did you mean 0.03?"),
        ("LATENCY_THRESHOLD=500", "canary.sh:5:19", "write \"500s\" for seconds"),
        ("MAX_OPEN_ORDERS=\"4 \"", "canary.sh:5:17", "write a whole number from 0 to 10000"),
        ("MAX_POSITION_NOTIONAL=1e3", "canary.sh:5:23", "write digits and at most one point"),
        ("MAX_POSITION_NOTIONAL=", "canary.sh:5:1", "write money as a decimal string"),
    ] {
        let script = format!("MAX_NOTIONAL_PER_ORDER=50\nMAX_TOTAL_NOTIONAL=200\n\n\n{line}\n");
        let (_, err) = desk.expect(3, script, &["--profile", "mine"]);
        assert!(err.contains(place) && err.contains(hint), "{line}: {err}");
        assert!(!desk.path("profiles/mine.toml").exists());
    }
    let (_, err) = desk.expect(3, CANARY.replace("=50\n", "=5000\n"), &["--profile", "mine"]);
    assert!(err.contains("5000 > 1000") && err.contains("profiles/base.toml:11") && err.contains("line 5"), "{err}");
    let (_, err) = desk.expect(3, format!("LATENCY_THRESHOLD=1s\n{CANARY}"), &[]);
    assert!(err.contains("both mean limits.latency_threshold"), "{err}");
}

#[test]
fn files_that_are_no_scripts_are_named() {
    let desk = Desk::new();
    for (script, told) in [
        (b"A=\xff\n".to_vec(), "the file is not UTF-8"),
        ("\u{feff}A=1\n".into(), "byte order mark"),
        (vec![b'#'; (1 << 20) + 1], "more than 1 MiB"),
        (b"A=1\nB='x\n".to_vec(), "canary.sh: the quote opened on line 2, column 3"),
        (b"A=1\0\n".to_vec(), "line 1 holds a zero byte"),
        (b"FOO=1\nMAX_DD_DALY=3\n./x\n".to_vec(), "did you mean MAX_DD_DAILY?"),
        (Vec::new(), "canary.sh sets no limit"),
    ] {
        let (_, err) = desk.expect(3, script, &[]);
        assert!(err.split_whitespace().collect::<Vec<_>>().join(" ").contains(told), "{told}: {err}");
    }
    let (code, _, err) = desk.call(&["nowhere.sh"]);
    assert_eq!((code, err.contains("nowhere.sh is not there")), (3, true), "{err}");
    let empty = tempfile::tempdir().unwrap();
    let root = empty.path().to_str().unwrap();
    let (_, err) = desk.expect(3, CANARY, &["--root", root]);
    assert!(err.contains("there is no profile base to inherit from") && err.contains("tidegate init"), "{err}");
}

#[test]
fn nothing_that_is_there_is_replaced() {
    let desk = Desk::new();
    let before = fs::read(desk.path("profiles/canary.toml")).unwrap();
    let (_, err) = desk.expect(2, CANARY, &["--profile", "canary"]);
    assert!(err.contains("profiles/canary.toml is there, and nothing is ever replaced"), "{err}");
    assert_eq!(fs::read(desk.path("profiles/canary.toml")).unwrap(), before);
    desk.expect(2, CANARY, &["--out", "canary.sh"]);
    desk.expect(2, CANARY, &["--profile", "Not A Name"]);
    desk.expect(0, CANARY, &["--out", "made/one.toml"]);
    assert!(desk.path("made/one.toml").is_file());
}
