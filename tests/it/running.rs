//! `run`: one range in one go, in three, cut off anywhere; nothing new; what the world can do to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tidegate::chance::Stream;
use tidegate::store::journal::Journal;

use crate::project::{AFTER_ALL, Project, assert_same};

/// RUN-1.
#[test]
fn three_goes_are_one_go() {
    let (whole, parts) = (Project::new(), Project::new());
    whole.run(AFTER_ALL);
    for at in ["2025-03-03T07:31", "2025-03-03T07:31:30", "2025-03-09", AFTER_ALL] {
        parts.run(at);
    }
    assert_same(&whole.records(), &parts.records());
}

/// RUN-3.
#[test]
fn a_second_run_with_nothing_new_changes_nothing() {
    let project = Project::new();
    project.run(AFTER_ALL);
    let files = || {
        let mut listed =
            Command::new("find").arg(project.path()).args(["-type", "f", "-printf", "%P %s %T@\n"]).output().unwrap().stdout;
        listed.retain(|byte| *byte != 0);
        let text = String::from_utf8(listed).unwrap();
        // SQLite's own side files come and go with the connection.
        let mut lines: Vec<String> = text.lines().filter(|l| !l.contains(".db-")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (before, records) = (files(), project.records());
    let said = project.run(AFTER_ALL);
    assert!(said.contains("nothing new"), "{said}");
    assert_eq!(files(), before);
    assert_eq!(project.records(), records);
}

/// RUN-2 and STORE-1.
#[test]
fn a_run_killed_at_twenty_moments_ends_the_same() {
    let whole = Project::new();
    whole.run(AFTER_ALL);
    let wanted = whole.records();
    let seed = 20_250_301;
    let mut chance = Stream::new(seed, "kill moments");
    let (project, mut killed) = (Project::new(), 0);
    for round in 0..20 {
        // A run says about a dozen lines; one that is killed late has few left for the next.
        killed += u32::from(kill_after(&project, chance.below(5)));
        // A few rounds must not use up all bars: each later one starts anew on the same folder's state or a fresh one.
        if round % 4 == 3 {
            project.run(AFTER_ALL);
            assert_same(&wanted, &project.records());
            std::fs::remove_dir_all(project.path().join("runs")).unwrap();
            if round % 8 == 7 {
                std::fs::remove_dir_all(project.path().join("data")).unwrap();
            }
        }
    }
    assert!(killed >= 15, "only {killed} of 20 runs were still alive when they were killed; seed {seed}");
}

/// Starts a run and kills it (SIGKILL) once it has said `lines` lines. Gives whether it was alive.
fn kill_after(project: &Project, lines: u64) -> bool {
    let mut command = project.command(&["run", "-p", "busy", "--at", AFTER_ALL]);
    command.env("TIDEGATE_LOG", "tidegate=debug").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard = said.take(usize::try_from(lines).unwrap()).count() as u64;
    child.kill().unwrap();
    let status = child.wait().unwrap();
    heard == lines && status.code().is_none()
}

/// RUN-4.
#[test]
fn every_run_leaves_a_complete_folder_and_a_cut_off_one_is_completed() {
    let project = Project::new();
    assert!(kill_after(&project, 5), "the run was over before it could be killed");
    let output = project.expect(0, &["run", "-p", "busy", "--at", AFTER_ALL]);
    let folders: Vec<_> = std::fs::read_dir(project.runs()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    assert_eq!(folders.len(), 2, "{output:?}");
    let mut fills = 0;
    for folder in &folders {
        let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        fills += manifest["files"]["fills.parquet"]["rows"].as_u64().unwrap();
        for (name, entry) in manifest["files"].as_object().unwrap() {
            let sum = Command::new("sha256sum").arg(folder.join(name)).output().unwrap().stdout;
            assert_eq!(&sum[..64], entry["sha256"].as_str().unwrap().as_bytes(), "{name}");
        }
    }
    assert_eq!(fills as usize, project.records().fills.len());
    assert!(output.1.contains("cut off"), "the user is told: {output:?}");
}

#[test]
fn ctrl_c_finishes_the_bar_records_it_and_the_next_run_goes_on() {
    let (whole, project) = (Project::new(), Project::new());
    whole.run(AFTER_ALL);
    let mut command = project.command(&["run", "-p", "busy", "--at", AFTER_ALL]);
    command.env("TIDEGATE_LOG", "tidegate=debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.by_ref().any(|line| line.unwrap().contains("committed")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    project.run(AFTER_ALL);
    assert_same(&whole.records(), &project.records());
}

/// RUN-4.
#[test]
fn a_replay_twice_is_the_same_byte_for_byte() {
    let project = Project::new();
    project.run(AFTER_ALL);
    let once = |root: &Path| {
        let args = ["replay", "-p", "busy", "--json", "--at", AFTER_ALL];
        let (out, _) = project.expect(0, &args);
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        let folder = root.join(document["data"]["record"].as_str().unwrap());
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let content: Vec<(String, Vec<u8>)> =
            files.iter().map(|f| (f.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(f).unwrap())).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        content
    };
    let (first, second) = (once(project.path()), once(project.path()));
    assert_eq!(first.len(), 9, "five tables, alerts, two documents and the manifest");
    for ((name, a), (_, b)) in first.iter().zip(&second) {
        assert!(a == b, "{name} differs");
    }
}

/// RUN-1.
#[test]
fn a_replay_makes_the_fills_of_the_run() {
    let project = Project::new();
    project.run(AFTER_ALL);
    let run = project.records();
    let (out, _) = project.expect(0, &["replay", "-p", "busy", "--json"]);
    let replay: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(replay["data"]["tally"]["fills"].as_u64().unwrap() as usize, run.fills.len());
    let last = run.fills.last().unwrap();
    assert_eq!(replay["profile"], "busy");
    let to: tidegate::domain::Time = replay["data"]["summary"]["to"].as_str().unwrap().parse().unwrap();
    assert!(to > last.fill.at);
}

/// STORE-2.
#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let project = Project::new();
    let _held = Journal::open(&project.runs()).unwrap();
    let (_, err) = project.expect(8, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(err.contains("another run holds") && err.contains("runs/busy"), "{err}");
}

#[test]
fn a_runs_folder_that_cannot_be_written_is_named_and_the_lake_is_whole() {
    let project = Project::new();
    std::fs::write(project.path().join("runs"), "a file where a folder should be").unwrap();
    let (_, err) = project.expect(1, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(err.contains("runs/busy") && err.contains("hint"), "{err}");
    std::fs::remove_file(project.path().join("runs")).unwrap();
    project.run(AFTER_ALL);
}

#[test]
fn a_full_disk_stops_the_run_and_space_lets_it_go_on() {
    let (whole, project) = (Project::new(), Project::new());
    whole.run(AFTER_ALL);
    let runs = project.path().join("runs");
    std::fs::create_dir(&runs).unwrap();
    let Some(disk) = SmallDisk::mount(&runs, "300k") else {
        eprintln!("skipped: mounting a small disk is not allowed here");
        return;
    };
    let (_, err) = project.expect(1, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(err.contains("full") || err.contains("No space"), "{err}");
    disk.grow("64m");
    project.run(AFTER_ALL);
    assert_same(&whole.records(), &project.records());
}

#[test]
fn a_read_only_disk_is_named() {
    let project = Project::new();
    let runs = project.path().join("runs");
    std::fs::create_dir(&runs).unwrap();
    let Some(disk) = SmallDisk::mount(&runs, "1m") else {
        eprintln!("skipped: mounting a small disk is not allowed here");
        return;
    };
    disk.remount("ro");
    let (_, err) = project.expect(1, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(err.contains("Read-only file system") && err.contains("runs/busy"), "{err}");
}

/// A tmpfs, gone when dropped.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub fn mount(at: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        assert!(Command::new("mount").args(["-o", &option]).arg(self.0).status().unwrap().success());
    }

    fn grow(&self, size: &str) {
        self.remount(&format!("size={size}"));
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_halted_profile_ends_with_its_own_code_and_a_person_resumes_it() {
    let project = Project::new();
    let profile = project.path().join("profiles/busy.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, text.replace("action = \"pause\"\npause_for = \"day\"", "action = \"halt\"")).unwrap();
    let (out, err) = project.expect(10, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(out.contains("HALTED") && err.contains("tidegate resume"), "{out}{err}");
    let (_, err) = project.expect(2, &["resume", "-p", "busy", "--reason", " "]);
    assert!(err.contains("reason"), "{err}");
    project.expect(0, &["resume", "-p", "busy", "--reason", "looked at it"]);
    let (_, err) = project.expect(1, &["resume", "-p", "busy", "--reason", "again"]);
    assert!(err.contains("nothing is halted"), "{err}");
}

#[test]
fn live_is_refused_and_says_what_works() {
    let project = Project::new();
    let (_, err) = project.expect(4, &["run", "demo", "-p", "canary"]);
    assert!(err.contains("preflight") && err.contains("--paper"), "{err}");
}

#[test]
fn a_symbol_that_the_pipeline_or_the_source_does_not_know_is_named() {
    let project = Project::new();
    let (_, err) = project.expect(3, &["run", "-p", "busy", "--set", "risk.symbols=[\"XXX/USDT\"]"]);
    assert!(err.contains("XXX/USDT") && err.contains("risk.symbols"), "{err}");
    std::fs::create_dir_all(project.path().join("data")).unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");
    assert!(Command::new("cp").args(["-r", sample]).arg(project.path().join("data")).status().unwrap().success());
    let (_, err) = project.expect(1, &["run", "demo", "-p", "busy", "--set", "stage.ingest.symbols=[\"XXX/USDT\"]"]);
    assert!(err.contains("XXX/USDT"), "{err}");
}

/// Takes one HTTP request on loopback, answers `reply`, and gives the request.
fn take_one_request(reply: &'static str) -> (String, std::thread::JoinHandle<String>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        // The body is JSON and ends with a brace; its length is short enough to come in a few pieces.
        while !request.ends_with(b"}") {
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "the request was cut");
            request.extend_from_slice(&piece[..read]);
        }
        stream.write_all(reply.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, thread)
}

/// A bar of the busy pipeline at which its drawdown limit trips, and the minute after it.
fn a_kill() -> (String, String) {
    let project = Project::new();
    project.run(AFTER_ALL);
    let kill = project.records().notices.into_iter().find_map(|notice| match notice {
        tidegate::telemetry::record::Notice::Killed { trip, .. } => Some(trip.at),
        _ => None,
    });
    let at = kill.expect("the busy pipeline meets its drawdown limit");
    (at.to_string(), (at + tidegate::domain::Span::from_secs(-120 + 60)).to_string())
}

#[test]
fn a_kill_is_told_to_slack_and_a_receiver_without_address_is_named() {
    let (at, before) = a_kill();
    let (address, slack) = take_one_request("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    let project = Project::new();
    project.expect(0, &["run", "-p", "busy", "--at", &before, "--set", "stages.alert.enabled=false"]);
    let output = project.command(&["run", "-p", "busy", "--at", &at]).env("SLACK_WEBHOOK_URL", address).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    let request = slack.join().unwrap();
    assert!(request.contains("high-water mark"), "{request}");
    assert!(err.contains("not delivered to mail") && err.contains("SMTP_USER is not set"), "{err}");
    let folders = std::fs::read_dir(project.runs()).unwrap().map(|e| e.unwrap().path().join("deliveries.jsonl"));
    let told: Vec<String> = folders.filter(|f| f.exists()).map(|f| std::fs::read_to_string(f).unwrap()).collect();
    assert!(told.iter().any(|rows| rows.contains("\"delivered\"")), "{told:?}");
}

#[test]
fn history_is_recorded_and_nobody_is_called_for_it() {
    let project = Project::new();
    let (_, err) = project.expect(0, &["run", "-p", "busy", "--at", AFTER_ALL]);
    assert!(!err.contains("not delivered"), "{err}");
    assert!(!project.records().notices.is_empty());
}
