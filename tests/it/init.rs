//! A new project: it runs at once, and nothing that is there is ever replaced.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The binary in `folder`, without the environment of whoever runs the tests.
fn call(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.env_clear().current_dir(folder).stdin(Stdio::null()).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn expect(code: i32, folder: &Path, args: &[&str]) -> (String, String) {
    let (found, out, err) = call(folder, args);
    assert_eq!(found, code, "{args:?}\nstdout: {out}\nstderr: {err}");
    (out, err)
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

#[test]
fn a_new_project_runs_and_passes_its_own_case() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = expect(0, folder.path(), &["init"]);
    assert!(out.starts_with("made this folder\n") && out.contains("19 files"), "{out}");
    assert!(err.contains("next: tidegate run demo -p canary --paper") && !err.contains("cd "), "{err}");
    assert!(!folder.path().join("secrets").exists());
    let (out, _) = expect(0, folder.path(), &["run", "demo", "-p", "canary", "--paper"]);
    assert!(out.contains("bars       8,736") && out.contains("orders     372 sent"), "{out}");
    let (out, _) = expect(0, folder.path(), &["test"]);
    assert!(out.starts_with("1 case  1 ok"), "{out}");
    let (out, _) = expect(0, folder.path(), &["check"]);
    assert!(out.contains("0 errors"), "{out}");
    let ignored = fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    assert!(["/data/lake/", "/runs/", "/secrets/"].iter().all(|line| ignored.lines().any(|there| there == *line)));
}

/// The case is worth its place: a looser limit fails it.
#[test]
fn the_case_of_a_new_project_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    expect(0, folder.path(), &["init"]);
    let canary = folder.path().join("profiles/canary.toml");
    let loose =
        fs::read_to_string(&canary).unwrap().replace("max_notional_per_order = \"50\"", "max_notional_per_order = \"60\"");
    fs::write(&canary, loose).unwrap();
    let (out, _) = expect(4, folder.path(), &["test"]);
    assert!(out.contains("changed"), "{out}");
}

#[test]
fn the_sample_is_the_shipped_one_and_the_folder_is_made() {
    let above = tempfile::tempdir().unwrap();
    let (_, err) = expect(0, above.path(), &["init", "my desk/one"]);
    assert!(err.contains("next: cd 'my desk/one'"), "{err}");
    let shipped = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample"));
    let made = files(&above.path().join("my desk/one/data/sample"));
    assert_eq!(shipped.len(), 5);
    assert!(shipped.values().eq(made.values()), "the sample's bytes differ");
}

#[test]
fn the_same_command_again_changes_nothing_and_completes_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = expect(0, folder.path(), &["init", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["schema"], &report["data"]["made"]), (&"tidegate/init/1".into(), &19.into()));
    let whole = files(folder.path());
    assert_eq!(report["data"]["files"].as_array().unwrap().len(), whole.len());
    let (out, _) = expect(0, folder.path(), &["init"]);
    assert!(out.contains("complete: all 19 files are there, nothing was written"), "{out}");
    fs::remove_file(folder.path().join("pipelines/trend.toml")).unwrap();
    fs::write(folder.path().join("profiles/.writing-4711"), "half").unwrap();
    let (out, _) = expect(0, folder.path(), &["init"]);
    assert!(out.contains("pipelines/trend.toml") && out.contains("1 file was missing, 18 were there"), "{out}");
    fs::remove_file(folder.path().join("profiles/.writing-4711")).unwrap();
    assert_eq!(files(folder.path()), whole);
}

#[test]
fn what_is_there_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("profiles")).unwrap();
    fs::write(folder.path().join("profiles/canary.toml"), "# mine\n").unwrap();
    fs::write(folder.path().join(".gitignore"), "/target\n").unwrap();
    let before = files(folder.path());
    let (_, err) = expect(2, folder.path(), &["init"]);
    assert!(err.contains("this folder holds other files under these names: .gitignore, profiles/canary.toml"), "{err}");
    assert!(err.contains("nothing was written"), "{err}");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_project_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["profiles", "pipelines"] {
        fs::create_dir(folder.path().join(kind)).unwrap();
        fs::write(folder.path().join(kind).join("mine.toml"), "").unwrap();
    }
    let before = files(folder.path());
    let (_, err) = expect(2, folder.path(), &["init"]);
    assert!(err.contains("this folder is a project in use: it holds pipelines/mine.toml, profiles/mine.toml"), "{err}");
    let (_, err) = expect(2, folder.path(), &["init", "inner/deep"]);
    assert!(err.contains("inner/deep lies inside the project"), "{err}");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let (_, err) = expect(2, folder.path(), &["init", "file"]);
    assert!(err.contains("file is there and is not a folder"), "{err}");
    let (_, err) = expect(1, folder.path(), &["init", "file/below"]);
    assert!(err.contains("failed to write file/below/.gitignore") && err.contains("no file is there yet"), "{err}");
    // Root may write anywhere, so only others can see this.
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_err() {
        let (_, err) = expect(1, folder.path(), &["init", "closed"]);
        assert!(err.contains("failed to write closed/.gitignore") && err.contains("completes the project"), "{err}");
    }
    let (_, err) = expect(2, folder.path(), &["init", "one", "--root", "two"]);
    assert!(err.contains("DIR and --root both name the folder"), "{err}");
}
