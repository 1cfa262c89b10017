//! The schemas in `schema/` are those of the program, and they agree with it about every document we have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use jsonschema::Validator;
use serde_json::Value as Json;

const KINDS: [&str; 3] = ["profile", "pipeline", "case"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(kind: &str) -> Json {
    let text = fs::read_to_string(root().join(format!("schema/{kind}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn validator(kind: &str) -> Validator {
    jsonschema::draft7::new(&schema(kind)).unwrap()
}

/// A document as a validator sees it. `None` when it is no TOML.
fn read(path: &Path) -> Option<Json> {
    let table: toml::Table = toml::from_str(&fs::read_to_string(path).ok()?).ok()?;
    Some(serde_json::to_value(table).unwrap())
}

fn complaints(validator: &Validator, document: &Json) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Which schema a document has, by its place.
fn kind_of(path: &Path) -> &'static str {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match folder {
        Some("profiles") => "profile",
        Some("pipelines") => "pipeline",
        _ => "case",
    }
}

fn tomls(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("diagnostics") {
            tomls(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
}

/// Everything that people may start from.
fn shipped() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["profiles", "pipelines", "tests/cases"] {
        tomls(&root().join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 15, "the walk is broken: {found:?}");
    found
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["schema", "--out"]).arg(folder.path()).assert().success();
    for kind in KINDS {
        let made = fs::read_to_string(folder.path().join(format!("{kind}.json"))).unwrap();
        let committed = fs::read_to_string(root().join(format!("schema/{kind}.json"))).unwrap_or_default();
        assert!(made == committed, "schema/{kind}.json is out of date: run `tidegate schema --out schema` and commit it");
        let mut printed = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        printed.args(["schema", kind]).assert().success().stdout(made);
    }
    assert_eq!(fs::read_dir(root().join("schema")).unwrap().count(), KINDS.len(), "a schema of nothing");
}

#[test]
fn the_schemas_are_draft_7() {
    for kind in KINDS {
        assert_eq!(schema(kind)["$schema"], "http://json-schema.org/draft-07/schema#");
        jsonschema::draft7::meta::validate(&schema(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[test]
fn every_shipped_document_is_valid_and_leads_to_its_schema() {
    let validators: BTreeMap<&str, Validator> = KINDS.map(|kind| (kind, validator(kind))).into();
    for path in shipped() {
        let (text, shown) = (fs::read_to_string(&path).unwrap(), path.display());
        let schema = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
        let schema = schema.unwrap_or_else(|| panic!("{shown} does not begin with #:schema"));
        let wanted = root().join(format!("schema/{}.json", kind_of(&path)));
        let named = path.parent().unwrap().join(schema).canonicalize().unwrap_or_default();
        assert_eq!(named, wanted.canonicalize().unwrap(), "{shown}: {schema}");
        let errors = complaints(&validators[kind_of(&path)], &read(&path).expect("TOML"));
        assert!(errors.is_empty(), "{shown}: {errors:?}");
    }
}

/// Faults of one value or one file, which a schema sees.
const SEEN: [&str; 36] = [
    "array-of-tables",
    "bad-decimal",
    "bad-interval",
    "bad-name",
    "bad-symbol",
    "bad-time",
    "decimal-not-string",
    "duplicate-symbol",
    "empty-text",
    "fraction-above-one",
    "money-not-string",
    "not-a-list",
    "not-a-table",
    "sealed-key",
    "secret-literal",
    "time-without-unit",
    "unknown-check",
    "unknown-diagnosis",
    "unknown-end",
    "unknown-key",
    "unknown-limit",
    "unknown-metric",
    "unknown-model",
    "unknown-operator",
    "unknown-order",
    "unknown-receiver-kind",
    "unknown-seed",
    "unknown-severity",
    "unknown-signal",
    "unknown-sizing",
    "unknown-source",
    "unknown-stage-kind",
    "unknown-table",
    "unknown-weekday",
    "unknown-word",
    "wrong-type",
];

/// Codes of faults that a schema sees in one place and not in another: where a rule over several keys says the same.
const HALF_SEEN: [&str; 4] = ["gate-bypass", "misplaced-key", "missing-key", "out-of-range"];

/// The findings of a case: code, file and line. Findings that stand in no file come with none.
fn findings(expected: &str) -> Vec<(String, Option<(String, usize)>)> {
    let mut found: Vec<(String, Option<(String, usize)>)> = Vec::new();
    for line in expected.lines() {
        if let Some(rest) = line.strip_prefix("error[") {
            found.push((rest.split(']').next().unwrap().to_owned(), None));
        } else if let (Some(place), Some(last)) = (line.trim_start().strip_prefix("--> "), found.last_mut()) {
            let mut parts = place.split(':');
            let (file, number) = (parts.next().unwrap().to_owned(), parts.next().and_then(|n| n.parse().ok()));
            last.1 = last.1.take().or_else(|| Some((file, number?)));
        }
    }
    found
}

/// The wrong documents of `tests/cases/diagnostics`: the schema refuses those whose fault it can see, and no other one.
#[test]
fn the_schemas_refuse_what_they_can_see_and_nothing_that_is_right() {
    let validators: BTreeMap<&str, Validator> = KINDS.map(|kind| (kind, validator(kind))).into();
    let (mut refused, mut passed, mut wrong) = (BTreeSet::new(), 0, Vec::new());
    for case in fs::read_dir(root().join("tests/cases/diagnostics")).unwrap() {
        let case = case.unwrap().path();
        let expected = findings(&fs::read_to_string(case.join("expected.txt")).unwrap_or_default());
        for folder in ["profiles", "pipelines"] {
            let Ok(entries) = fs::read_dir(case.join(folder)) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                let Some(document) = read(&path) else { continue };
                let shown = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
                let here = expected.iter().filter(|(_, place)| place.as_ref().is_some_and(|(file, _)| *file == shown));
                let codes: BTreeSet<&str> = here.map(|(code, _)| code.as_str()).collect();
                let errors = complaints(&validators[kind_of(&path)], &document);
                let is_seen = codes.iter().any(|code| SEEN.contains(code));
                match (is_seen, errors.is_empty()) {
                    (false, _) if HALF_SEEN.iter().any(|code| codes.contains(code)) => {}
                    (true, true) => wrong.push(format!("{}: taken in spite of {codes:?}", path.display())),
                    (false, false) => wrong.push(format!("{}: {errors:?}, and the program says {codes:?}", path.display())),
                    (true, false) => refused.extend(codes.into_iter().map(str::to_owned)),
                    (false, true) => passed += 1,
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused.len() > 20 && passed > 20, "{} codes refused, {passed} documents passed: the walk is broken", refused.len());
}
