//! Wrong documents and the whole message each of them gets.
//!
//! A case is a folder of `tests/cases/diagnostics`: its documents lie over those of `_common`, `args.txt` and `env.txt` say how the
//! program is called, `expected.txt` holds what it prints. With TIDEGATE_UPDATE_GOLDEN=1 that file is written instead.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/diagnostics")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a scratch folder can be made");
    for entry in fs::read_dir(from).expect("a case's folder can be read") {
        let entry = entry.expect("a case's folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a case's file can be copied");
        }
    }
}

/// The case's documents over the common ones, in a folder of their own.
fn prepare(case: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a scratch folder can be made");
    for from in [&cases().join("_common"), case] {
        for folder in ["profiles", "pipelines"] {
            if from.join(folder).is_dir() {
                copy(&from.join(folder), &root.path().join(folder));
            }
        }
    }
    root
}

fn command(case: &Path, root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_clear().current_dir(root);
    if let Ok(variables) = fs::read_to_string(case.join("env.txt")) {
        command.envs(variables.lines().filter_map(|line| line.split_once('=')));
    }
    let args = fs::read_to_string(case.join("args.txt")).unwrap_or_else(|_| "check -p mine".to_owned());
    command.args(args.split_whitespace());
    command
}

/// What the program prints for the case, and its exit code.
fn told(case: &Path) -> String {
    let root = prepare(case);
    let output = command(case, root.path()).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8");
    let as_json = command(case, root.path()).arg("--json").output().expect("the program runs");
    assert_eq!(as_json.status.code(), output.status.code());
    let document: serde_json::Value = serde_json::from_slice(&as_json.stdout).expect("--json prints one document");
    let found = document["data"]["diagnostics"].as_array().expect("a list of findings");
    assert!(!found.is_empty(), "{document:#}");
    for one in found {
        assert!(one["code"].is_string() && one["message"].is_string() && one["severity"].is_string(), "{one:#}");
    }
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!told.contains("hunter2") && !document.to_string().contains("hunter2"), "a secret was shown:\n{told}");
    format!("{told}exit {}\n", output.status.code().expect("the program ends by itself"))
}

/// PROFILE-3 by `two_layers_at_once`, PIPELINE-1 by `orders_bypass_the_gate` and `pipeline_sets_limits`, PIPELINE-3 by
/// `no_allowed_symbol` and `symbols_in_another_currency`; CLI-1 by every case, which is asked for as JSON too.
#[test]
fn every_wrong_document_gets_its_whole_message() {
    let update = std::env::var_os("TIDEGATE_UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let mut names: Vec<PathBuf> = fs::read_dir(cases()).expect("cases").map(|entry| entry.expect("a case").path()).collect();
    names.retain(|case| !case.ends_with("_common"));
    names.sort();
    assert!(names.len() >= 25, "only {} cases", names.len());
    let mut wrong = Vec::new();
    for case in &names {
        let told = told(case);
        let file = case.join("expected.txt");
        if update {
            fs::write(&file, &told).expect("a golden can be written");
            continue;
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected.trim().is_empty() || expected != told {
            let name = case.file_name().unwrap_or_default().to_string_lossy();
            wrong.push(format!("== {name}: expected\n{expected}\n== {name}: told\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} of {} cases differ", wrong.join("\n"), wrong.len(), names.len());
}

#[test]
fn no_message_is_wider_than_a_terminal() {
    for case in fs::read_dir(cases()).expect("cases") {
        let file = case.expect("a case").path().join("expected.txt");
        for line in fs::read_to_string(&file).unwrap_or_default().lines() {
            // A line of the document itself may be as wide as its author wrote it.
            let is_source = line.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '|');
            assert!(is_source || line.chars().count() <= 80, "{}: {line}", file.display());
        }
    }
}

/// The text of a case's document, its own before the common one.
fn document(case: &Path, file: &str) -> Option<String> {
    [case, &cases().join("_common")]
        .iter()
        .find_map(|root| fs::read(root.join(file)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Does the place of a finding lie where a reader would look for its key? Worked out from the text alone: at the key itself, at the
/// value behind it, or at the header of a table on the way to it.
fn lies_at(text: &str, line: usize, column: usize, key: &str) -> bool {
    let parts = key.split('"').enumerate();
    let names: Vec<&str> = parts
        .flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split('.').collect() })
        .filter(|name| !name.is_empty())
        .collect();
    let line = text.lines().nth(line - 1).unwrap_or_default();
    let at = line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
    let (before, here) = line.split_at(at);
    let here = here.trim_start_matches(['"', '\'', '[']);
    let is_name = |name: &str| {
        here.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-'))
    };
    let last = names.last().copied().unwrap_or_default();
    // Behind `last =`, be it alone, in an inline table or inside a list.
    let value_of = |name: &str| {
        before.rfind(name).is_some_and(|start| {
            let between = before[start + name.len()..].trim_matches(['"', '\'']).trim_start();
            between.starts_with('=') && !between.contains('}')
        })
    };
    is_name(last) || value_of(last) || (line.trim_start().starts_with('[') && names.iter().any(|name| is_name(name)))
}

#[test]
fn every_finding_lies_at_its_line_and_column() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for case in fs::read_dir(cases()).expect("cases").map(|entry| entry.expect("a case").path()) {
        if case.ends_with("_common") {
            continue;
        }
        let root = prepare(&case);
        let output = command(&case, root.path()).arg("--json").output().expect("the program runs");
        let document_of: serde_json::Value = serde_json::from_slice(&output.stdout).expect("--json prints one document");
        for found in document_of["data"]["diagnostics"].as_array().expect("a list of findings") {
            let (Some(file), Some(line), Some(column)) =
                (found["file"].as_str(), found["line"].as_u64(), found["column"].as_u64())
            else {
                continue;
            };
            let (Some(key), Some(text)) = (found["key"].as_str(), document(&case, file)) else { continue };
            // What is missing has no place of its own.
            if ["missing-key", "no-gate", "missing-stage"].contains(&found["code"].as_str().unwrap_or_default()) {
                continue;
            }
            // A default that does not fit is blamed on what chose it.
            let key = if key == "venue.binance.base_url" && !text.contains("base_url") { "stages.oms.venue" } else { key };
            checked += 1;
            if !lies_at(&text, line as usize, column as usize, key) {
                let shown = text.lines().nth(line as usize - 1).unwrap_or_default();
                wrong.push(format!("{}: {file}:{line}:{column} {key}: {shown}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "only {checked} findings have a place");
}
