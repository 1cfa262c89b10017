//! Golden cases: ours pass, and each way in which a case can be wrong is shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const OURS: &str = env!("CARGO_MANIFEST_DIR");

/// A project with our documents and some of our cases, to be changed at will.
struct Project(TempDir);

impl Project {
    fn with(cases: &[&str]) -> Self {
        let project = Self(TempDir::new().unwrap());
        for folder in ["profiles", "pipelines"] {
            copy(&Path::new(OURS).join(folder), &project.path(folder));
        }
        for case in cases {
            copy(&Path::new(OURS).join("tests/cases").join(case), &project.case(case, ""));
        }
        project
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn case(&self, name: &str, file: &str) -> PathBuf {
        self.path("tests/cases").join(name).join(file)
    }

    fn write(&self, case: &str, file: &str, text: &str) -> &Self {
        let path = self.case(case, file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn read(&self, case: &str, file: &str) -> String {
        fs::read_to_string(self.case(case, file)).unwrap()
    }

    /// Replaces the one place of `from` in a file.
    fn edit(&self, case: &str, file: &str, from: &str, to: &str) -> &Self {
        let text = self.read(case, file);
        assert_eq!(text.matches(from).count(), 1, "{from} in {case}/{file}");
        self.write(case, file, &text.replace(from, to))
    }

    fn test(&self, arguments: &[&str]) -> Ended {
        run(self.0.path(), arguments, &[])
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// How `tidegate test` ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn run(root: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("--root").arg(root).arg("test").args(arguments).envs(variables.iter().copied()).env("NO_COLOR", "1");
    let Output { status, stdout, stderr } = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

impl Ended {
    #[track_caller]
    fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    fn saying(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

const SMALL: &str = "sized-in-base";
const STOPS: &str = "stop-loss-by-atr";

#[test]
fn every_case_of_ours_passes() {
    let ended = run(Path::new(OURS), &["--json"], &[]).with(0);
    let document = ended.json();
    assert_eq!((&document["schema"], &document["ok"]), (&"tidegate/test/1".into(), &true.into()));
    let cases = document["data"]["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    for case in &cases {
        assert_eq!((&case["state"], &case["unreferenced"]), (&"ok".into(), &Value::Array(Vec::new())), "{case:#}");
    }
    let goldens: usize =
        cases.iter().flat_map(|case| case["steps"].as_array().unwrap()).map(|s| s["goldens"].as_array().unwrap().len()).sum();
    assert!(goldens >= 40, "{goldens} goldens");
}

/// CASE-1.
#[test]
fn a_project_is_left_as_it_was_and_the_environment_counts_for_nothing() {
    let project = Project::with(&[SMALL, STOPS]);
    let before = files(project.0.path());
    let variables = [("TIDEGATE__VENUE__PAPER__EQUITY", "7"), ("TIDEGATE__STAGE__OMS__SIZED_IN", "quote")];
    run(project.0.path(), &[], &variables).with(0).saying(&["2 cases  2 ok"]);
    assert_eq!(files(project.0.path()), before);
}

/// CASE-4.
#[test]
fn a_changed_cell_is_shown_and_can_be_accepted() {
    let project = Project::with(&[SMALL, STOPS]);
    let golden = project.read(SMALL, "fills.csv");
    project.edit(SMALL, "fills.csv", "52.026,", "52.025,");
    let ended = project.test(&[]).with(4).saying(&[
        "2 cases  1 ok  1 changed",
        "changed  sized-in-base / 50 are ordered at 100 and fill at 104",
        "fills.csv  changed: 1 difference",
        "row 1  2026-03-02T02:00:00Z  buy  BTC/USDT",
        "notional  52.025 -> 52.026   exact column: the numbers must be equal",
        "next: tidegate test sized-in-base --review",
    ]);
    assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
    let cell = &project.test(&["--json", SMALL]).with(4).json()["data"]["cases"][0]["steps"][0]["goldens"][1]["differences"][0];
    assert_eq!((&cell["column"], &cell["golden"], &cell["output"]), (&"notional".into(), &"52.025".into(), &"52.026".into()));
    assert_eq!((&cell["row"], &cell["why"]), (&1.into(), &"exact".into()));
    project.test(&["--accept"]).with(0).saying(&["1 golden accepted"]);
    assert_eq!(project.read(SMALL, "fills.csv"), golden);
    project.test(&[]).with(0);
}

#[test]
fn rows_and_columns_that_are_gone_and_goldens_that_are_none_are_shown() {
    let project = Project::with(&[STOPS]);
    let lines: Vec<String> = project.read(STOPS, "fills.csv").lines().map(str::to_owned).collect();
    project.write(STOPS, "fills.csv", &format!("{}\n{}\n", lines[0], lines[2]));
    project.test(&[]).with(4).saying(&["row 1 of the output is extra", "at=2026-03-02T05:00:00Z symbol=SOL/USDT side=buy"]);
    project.write(STOPS, "fills.csv", &format!("{}\n{}\n{}\n{}\n", lines[0], lines[1], lines[1].replace("T05", "T06"), lines[2]));
    project.test(&[]).with(4).saying(&["row 2 of the golden is missing", "at=2026-03-02T06:00:00Z"]);
    project.write(STOPS, "fills.csv", "at,colour\n");
    project.test(&[]).with(4).saying(&["the output has no column colour"]);
    project.write(STOPS, "fills.csv", "at,symbol\n1\n");
    project.test(&[]).with(4).saying(&["the golden is no table: line 2 has 1 cells where the header has 2"]);
    fs::remove_file(project.case(STOPS, "fills.csv")).unwrap();
    project.test(&[]).with(4).saying(&["1 case  1 new", "fills.csv  new: 2 rows, no golden yet"]);
    project.edit(STOPS, "summary.txt", "kills: 0", "kills: 9");
    project.test(&[]).with(4).saying(&["1 case  1 changed", "row 9", "- kills: 9", "+ kills: 0"]);
}

/// CASE-2.
#[test]
fn an_empty_output_never_passes() {
    let project = Project::with(&[SMALL]);
    project.edit(SMALL, "signals.csv", "long", "hold").write(SMALL, "fills.csv", "at,symbol\n").write(
        SMALL,
        "orders.csv",
        "state\n",
    );
    let told = "fills.csv  failed: 0 rows, fewer than min_rows = 1";
    project.test(&[]).with(4).saying(&["1 case  1 failed", told]);
    project.test(&["--accept"]).with(4).saying(&[told]);
    assert_eq!(project.read(SMALL, "fills.csv"), "at,symbol\n");
    fs::remove_file(project.case(SMALL, "fills.csv")).unwrap();
    project.test(&["--accept"]).with(4);
    assert!(!project.case(SMALL, "fills.csv").exists(), "nothing empty is accepted");
    project.edit(SMALL, "case.toml", "exact ", "min_rows = 0\nexact ");
    project.test(&["--accept"]).with(0);
    project.test(&[]).with(0);
}

#[test]
fn an_end_that_was_not_expected_names_stage_and_reason() {
    let project = Project::with(&[SMALL]);
    project.edit(SMALL, "case.toml", "signals =", "expect  = { ingest = \"failed\", oms = \"halted\" }\nsignals =");
    project.test(&[]).with(4).saying(&[
        "failed   sized-in-base / ",
        "ingest  expected failed, got ok",
        "5 bars added",
        "oms  expected halted, got ok",
        "1 orders, 1 fills",
    ]);
    project.edit(SMALL, "bars.csv", "1772409600000,", "1772409600000,,");
    project.test(&[]).with(4).saying(&["oms  expected halted, got blocked", "ingest failed"]);
}

#[test]
fn a_signal_that_meets_no_bar_fails_the_step() {
    let project = Project::with(&[SMALL]);
    project.edit(
        SMALL,
        "signals.csv",
        "2026-03-02T02:00:00Z,BTC/USDT,long",
        "2026-03-02T02:00:00Z,BTC/USDT,long\n2026-03-09T02:00:00Z,BTC/USDT,flat",
    );
    project.test(&[]).with(4).saying(&["signals  one was not used", "signals.csv:3: no bar of BTC/USDT that closes at"]);
}

#[test]
fn a_name_nobody_knows_is_a_slip_of_the_command_line() {
    let project = Project::with(&[SMALL]);
    project.test(&["sized-in-bass"]).with(2).saying(&["there is no case sized-in-bass", "did you mean sized-in-base?"]);
    project.test(&["banana"]).with(2).saying(&["there are: sized-in-base"]);
    Project::with(&[]).test(&[]).with(2).saying(&["there are no cases in", "is --root right?"]);
    project.test(&["--review"]).with(2).saying(&["stdin is no terminal, so nobody can answer"]);
    project.test(&["--review", "--json"]).with(2).saying(&["--json has no place for questions"]);
    project.test(&["--review", "--no-input"]).with(2).saying(&["--no-input forbids questions"]);
    project.test(&["--review", "--accept"]).with(2);
}

#[test]
fn files_that_nothing_names_are_listed() {
    let project = Project::with(&[SMALL]);
    project.write(SMALL, "old/orders.csv", "a\n").write(SMALL, "notes.md", "fine\n").write("slip", "cases.toml", "");
    project
        .test(&[])
        .with(0)
        .saying(&["no case names these files:\n  sized-in-base/old/orders.csv", "tests/cases/slip holds no case.toml"]);
}

/// Every finding of one case, as `code line`.
fn findings(project: &Project, case: &str) -> Vec<String> {
    let document = project.test(&["--json", case]).with(3).json();
    let found = document["data"]["diagnostics"].as_array().unwrap().clone();
    found.iter().map(|d| format!("{} {}", d["code"].as_str().unwrap(), d["line"])).collect()
}

const HEAD: &str = "clock = \"2026-03-02T05:00:03Z\"\nprofile = \"canary\"\npipeline = \"demo\"\n";

#[test]
fn a_wrong_document_is_told_in_one_pass_with_its_lines() {
    let project = Project::with(&[SMALL]);
    let case = "wrong";
    let text = "clock = 5\n\
                profil = \"canary\"\n\
                [[step]]\n\
                bars = \"no.csv\"\n\
                expect = { ingest = \"fine\", omss = \"ok\" }\n";
    project.write(case, "case.toml", text);
    let found =
        ["missing-key 1", "wrong-type 1", "unknown-key 2", "missing-key 3", "missing-file 4", "unknown-end 5", "unknown-key 5"];
    let mut seen = findings(&project, case);
    seen.sort_by_key(|finding| finding.rsplit_once(' ').map(|(code, line)| (line.to_owned(), code.to_owned())));
    assert_eq!(seen, found);
    project.test(&[]).with(3).saying(&["tests/cases/wrong/case.toml:2", "did you mean profile?", "Nothing was contacted"]);
    let step = |lines: &str| format!("{HEAD}[[step]]\nname = \"x\"\nexpect = {{ model = \"skipped\" }}\n{lines}\n");
    for (text, found) in [
        (HEAD.replace("canary", "canry"), "missing-profile 2"),
        (HEAD.replace("demo", "domo"), "missing-pipeline 3"),
        (HEAD.to_owned(), "no-steps 1"),
        (format!("{HEAD}step = 3\n"), "not-a-list 4"),
        (format!("{HEAD}[step]\nname = \"x\"\n"), "not-a-list 4"),
        (step("").replacen("[[step]]", "set = { \"limits.max_notional_per_ordr\" = \"5\" }\n[[step]]", 1), "unknown-key 4"),
        (step("").replacen("[[step]]", "set = { limits = { max_total_notional = \"9999\" } }\n[[step]]", 1), "cap-exceeded 4"),
        (step("").replace("{ model = \"skipped\" }", "{}"), "nothing-to-check 4"),
        (step("clock = \"2026-03-01\""), "clock-goes-back 7"),
        (step("bars = \"../sized-in-base/bars.csv\""), "path-outside-case 7"),
        (step("bars = \"/etc/passwd\""), "path-outside-case 7"),
        (step("golden = { fills = \"../fills.csv\" }"), "path-outside-case 7"),
        (step("golden = { fills = \"a.csv\", orders = \"a.csv\" }"), "golden-twice 7"),
        (step("golden = { fills = \"case.toml\" }"), "golden-is-input 7"),
        (step("golden = { fills = \"./\" }"), "path-outside-case 7"),
        (step("golden = { fills = \"folder\" }"), "golden-is-folder 7"),
        (step("bars = { \"SOL/USDT\" = \"case.toml\" }"), "unknown-symbol 7"),
        (step("bars = { sol = \"case.toml\" }"), "bad-symbol 7"),
        (step("bars = \"case.toml\""), "which-symbol 7"),
        (step("exact = [\"qty\"]"), "unknown-column 7"),
        (step("golden = { fills = \"a.csv\" }\ntolerance = { pric = 0.1 }"), "unknown-column 8"),
        (step("golden = { fills = \"a.csv\" }\nexact = [\"qty\"]\ntolerance = { qty = 0.1 }"), "exact-and-tolerance 8"),
        (step("golden = { fills = \"a.csv\" }\ntolerance = { qty = -1 }"), "out-of-range 8"),
        (step("bars = 5"), "wrong-type 7"),
        (step("signals = \"signals.csv\""), "bad-header 1"),
    ] {
        project.write(case, "case.toml", &text).write(case, "signals.csv", "when,what\n").write(case, "folder/x", "");
        let seen = findings(&project, case);
        assert!(seen.contains(&found.to_owned()), "{found} is not in {seen:?} of\n{text}");
    }
}

#[test]
fn a_link_out_of_the_case_is_refused() {
    let project = Project::with(&[SMALL]);
    fs::remove_file(project.case(SMALL, "bars.csv")).unwrap();
    std::os::unix::fs::symlink(Path::new(OURS).join("tests/cases").join(SMALL).join("bars.csv"), project.case(SMALL, "bars.csv"))
        .unwrap();
    assert_eq!(findings(&project, SMALL), ["path-outside-case 10"]);
}
