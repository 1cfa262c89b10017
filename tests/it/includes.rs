//! Documents that are no files of the project: each is refused with a word, and none is waited for.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};

use super::project::Project;

/// Long enough for anything on this machine; a program that needs it all waits for ever.
const PLENTY: Duration = Duration::from_secs(60);

/// Calls the binary and ends it when it does not end itself.
fn call(project: &Project, args: &[&str]) -> Output {
    let mut command = project.command(args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output().unwrap()));
    end.recv_timeout(PLENTY).unwrap_or_else(|_| {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("{args:?} waits for ever")
    })
}

#[track_caller]
fn assert_refused(project: &Project, args: &[&str], words: &[&str]) {
    let output = call(project, args);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{args:?}\n{told}");
    let plain = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(plain.contains(word), "{word:?} is not in what {args:?} tells:\n{told}");
    }
}

/// Puts something where a document should be.
type Put = Box<dyn Fn(&Path)>;

/// What may stand where a document should, and what is told of it. The first names a file outside the project.
fn wrong_files(outside: &Path) -> Vec<(&'static str, Put)> {
    let outside = outside.to_owned();
    vec![
        ("leads out of the project", Box::new(move |path: &Path| symlink(&outside, path).unwrap())),
        ("leads out of the project", Box::new(|path: &Path| symlink("/dev/zero", path).unwrap())),
        ("is a link to nowhere.toml, which is not there", Box::new(|path: &Path| symlink("nowhere.toml", path).unwrap())),
        ("cannot be read: Too many levels", Box::new(|path: &Path| symlink(path.file_name().unwrap(), path).unwrap())),
        ("is a named pipe", Box::new(|path: &Path| mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap())),
        ("is a socket", Box::new(|path: &Path| drop(UnixListener::bind(path).unwrap()))),
        ("is a folder", Box::new(|path: &Path| fs::create_dir(path).unwrap())),
        ("has 1048577 bytes, more than 1 MiB", Box::new(|path: &Path| fs::write(path, "#".repeat((1 << 20) + 1)).unwrap())),
    ]
}

/// A project with a document of each kind, all sound, and where each of them lies.
fn project() -> Project {
    let project = Project::new();
    let case = project.path().join("tests/cases/story");
    fs::create_dir_all(&case).unwrap();
    let text =
        "clock = \"2025-03-20T00:00:00Z\"\nprofile = \"busy\"\n[[step]]\nname = \"a\"\nexpect = { ingest = \"skipped\" }\n";
    fs::write(case.join("case.toml"), text).unwrap();
    project
}

#[test]
fn only_files_of_the_project_are_documents() {
    let checks: [(&str, &[&str]); 4] = [
        ("profiles/busy.toml", &["check", "-p", "busy"]),
        ("profiles/base.toml", &["config", "-p", "busy"]),
        ("pipelines/busy.toml", &["run", "-p", "busy"]),
        ("tests/cases/story/case.toml", &["test", "story"]),
    ];
    for (document, args) in checks {
        let elsewhere = tempfile::tempdir().unwrap();
        let foreign = elsewhere.path().join("foreign.toml");
        for (words, put) in wrong_files(&foreign) {
            let project = project();
            let path = project.path().join(document);
            fs::copy(&path, &foreign).unwrap();
            fs::remove_file(&path).unwrap();
            put(&path);
            assert_refused(&project, args, &[document, words]);
        }
    }
}

/// Who named it is told with it: here a parent, by the line of its child.
#[test]
fn a_parent_outside_is_told_where_it_is_named() {
    let (project, elsewhere) = (project(), tempfile::tempdir().unwrap());
    let foreign = elsewhere.path().join("base.toml");
    fs::rename(project.path().join("profiles/base.toml"), &foreign).unwrap();
    symlink(&foreign, project.path().join("profiles/base.toml")).unwrap();
    let real = foreign.canonicalize().unwrap();
    assert_refused(
        &project,
        &["check", "-p", "busy"],
        &["profiles/busy.toml:3", "inherits", "leads out", real.to_str().unwrap()],
    );
}

#[test]
fn a_folder_of_documents_must_be_inside_too() {
    for (folder, args) in [("profiles", &["check", "-p", "busy"][..]), ("tests/cases/story", &["test", "story"])] {
        let (project, elsewhere) = (project(), tempfile::tempdir().unwrap());
        let foreign = elsewhere.path().join("foreign");
        let path = project.path().join(folder);
        // Copied, as the scratch folders may lie on different disks.
        fs::create_dir(&foreign).unwrap();
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), foreign.join(entry.file_name())).unwrap();
        }
        fs::remove_dir_all(&path).unwrap();
        symlink(&foreign, &path).unwrap();
        let output = call(&project, args);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("leads out of the project"), "{told}");
    }
}

#[test]
fn a_link_that_stays_inside_is_a_document() {
    let project = project();
    let shared = project.path().join("shared");
    fs::create_dir(&shared).unwrap();
    for document in ["profiles/busy.toml", "pipelines/busy.toml"] {
        let to = shared.join(document.replace('/', "-"));
        fs::rename(project.path().join(document), &to).unwrap();
        symlink(Path::new("../shared").join(to.file_name().unwrap()), project.path().join(document)).unwrap();
    }
    let output = call(&project, &["check", "-p", "busy"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A golden is not read either when reading it would wait.
#[test]
fn a_golden_is_a_plain_file() {
    let project = project();
    let case = project.path().join("tests/cases/story");
    let text = fs::read_to_string(case.join("case.toml")).unwrap();
    fs::write(case.join("case.toml"), format!("{text}golden = {{ orders = \"orders.csv\" }}\n")).unwrap();
    mkfifoat(CWD, case.join("orders.csv"), Mode::RUSR | Mode::WUSR).unwrap();
    assert_refused(&project, &["test", "story"], &["orders.csv is not a plain file", "case.toml:6"]);
}
