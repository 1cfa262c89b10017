//! `start` as a process: slots, verbs beside it, signals, edited documents, taken ports.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::Span;
use tidegate::runner::control;
use tidegate::venue::sim::Script;

use crate::account_verbs::Desk;
use crate::heat_map::promtool_is_there;
use crate::project::Project;

/// What a test waits for comes within this, or the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// Any port that is free.
const FREE_PORT: &str = "metrics.listen=127.0.0.1:0";

/// A program that runs, and what it says. It is killed when the test ends.
struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

fn reader(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let lines = reader(child.stdout.take().expect("piped"));
        let errors = reader(child.stderr.take().expect("piped"));
        Self { child, lines, errors }
    }

    /// The next line on stdout with these words.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => before.push(line),
                Err(_) => {
                    panic!("it never says {words:?}; it said {before:?} and {:?}", self.errors.try_iter().collect::<Vec<_>>())
                }
            }
        }
    }

    /// The next line on stderr with these words.
    #[track_caller]
    fn complains(&self, words: &str) -> String {
        loop {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(_) => {}
                Err(_) => panic!("it never complains {words:?}"),
            }
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it is there");
    }

    /// Asks it to end, and gives its exit code.
    fn end(mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn busy(project: &Project) -> Running {
    let running = Running::new(project.command(&["start", "-p", "busy", "--set", FREE_PORT]));
    running.says("busy on paper; metrics at http://127.0.0.1:");
    running
}

fn status(folder: &Path) -> Value {
    control::status(folder).expect("it answers").expect("it listens")
}

#[track_caller]
fn expect(mut command: Command, code: i32) -> String {
    let output = command.output().expect("started");
    let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{out}");
    out
}

#[test]
fn a_slot_is_run_at_once_and_verbs_work_beside() {
    let project = Project::new();
    let running = busy(&project);
    let line = running.says("busy ");
    assert!(line.contains("first due"), "{line}");
    let line = running.says("busy ");
    assert!(line.contains("traded, 60,000 bars"), "{line}");
    let out = expect(project.command(&["pause", "-p", "busy", "--for", "2h"]), 0);
    assert!(out.contains("busy@paper: paused until"), "{out}");
    running.says("lent to `pause`");
    let out = expect(project.command(&["schedule", "pause", "-p", "busy", "--reason", "lunch"]), 0);
    assert!(out.contains("the schedule of busy is paused"), "{out}");
    running.says("lent to `schedule-pause`");
    let out = expect(project.command(&["status", "-p", "busy"]), 0);
    for words in ["program   running", "PAUSED until resumed", "last      ", "busy@paper", "paused until"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let out = expect(project.command(&["schedule", "why", "-p", "busy"]), 0);
    assert!(out.contains("traded, 60,000 bars"), "{out}");
    // A second one, and a run, are refused: neither asks for the account.
    for verb in ["run", "start"] {
        assert!(expect(project.command(&[verb, "-p", "busy", "--set", FREE_PORT]), 8).contains("another run holds"));
    }
    assert_eq!(running.end(), Some(0));
    assert!(!project.path().join("runs/busy/control.sock").exists());
}

#[test]
fn metrics_and_health_are_served_while_it_runs() {
    let project = Project::new();
    let running = Running::new(project.command(&["start", "-p", "busy", "--set", FREE_PORT]));
    let address = metrics_address(&running);
    running.says("traded");
    let ask = |path: &str| get(&address, path);
    let metrics = ask("/metrics");
    for line in ["orders_sent_total{pipeline=\"busy\"}", "equity{pipeline=\"busy\"}", "heartbeat_timestamp_seconds", "halted{"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(ask("/healthz").contains("the loop turns"));
    // Somebody else who wants the port is told whose it is.
    let other = Project::new();
    let set = format!("metrics.listen={address}");
    let out = expect(other.command(&["start", "-p", "busy", "--set", &set]), 1);
    assert!(out.contains(&format!("cannot listen on {address}")) && out.contains("another program has port"), "{out}");
    assert_eq!(running.end(), Some(0));
}

/// E9: what is edited has no effect, but for what is tighter.
#[test]
fn documents_edited_while_it_runs_may_only_tighten() {
    let project = Project::new();
    let running = busy(&project);
    running.says("traded");
    let path = project.path().join("profiles/busy.toml");
    let text = std::fs::read_to_string(&path).expect("a profile");
    let edit = |from: &str, to: &str| std::fs::write(&path, text.replace(from, to)).expect("written");
    // Any verb that borrows the account makes it look.
    let look = || drop(expect(project.command(&["schedule", "resume", "-p", "busy"]), 0));
    edit("max_total_notional = \"150\"", "max_total_notional = \"400\"");
    look();
    running.complains("were edited: nothing in it is tighter; whatever else was changed waits for the next start");
    edit("max_notional_per_order = \"50\"", "max_notional_per_order = \"20\"");
    look();
    running.complains("tighter from now on: max_notional_per_order 50 -> 20;");
    std::fs::write(&path, text.replace("max_total_notional", "max_totl_notional")).expect("written");
    // The verb itself cannot read it any more; whoever borrows the account makes the program look.
    let out = expect(project.command(&["schedule", "resume", "-p", "busy"]), 3);
    assert!(out.contains("max_totl_notional"), "{out}");
    drop(control::borrow(&project.path().join("runs/busy"), "look").expect("it lends").expect("it listens"));
    running.complains("the documents of busy are wrong now; what runs goes on as it began");
    assert_eq!(status(&project.path().join("runs/busy"))["state"], "running");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn what_cannot_be_started_is_refused() {
    let project = Project::new();
    let out = expect(project.command(&["start", "-p", "busy", "--at", "2026-03-01T00:00:00Z"]), 2);
    assert!(out.contains("lives in real time"), "{out}");
    assert!(expect(project.command(&["start", "busy", "busy", "-p", "busy"]), 2).contains("named twice"));
    assert!(expect(project.command(&["start", "-p", "canary"]), 4).contains("real money"));
    drop(expect(project.command(&["kill", "-p", "busy", "--reason", "drill"]), 0));
    assert!(expect(project.command(&["start", "-p", "busy", "--set", FREE_PORT]), 6).contains("is halted"));
}

/// A verb that dies while it has the account gives it back all the same.
#[test]
fn an_account_comes_back_from_a_verb_that_was_killed() {
    let project = Project::new();
    let running = busy(&project);
    running.says("traded");
    let folder = project.path().join("runs/busy");
    let lent = control::borrow(&folder, "a verb").expect("it lends").expect("it listens");
    running.says("lent to `a verb`");
    assert_eq!(status(&folder)["state"], "lent");
    drop(lent);
    while status(&folder)["state"] != "running" {
        std::thread::yield_now();
    }
    assert_eq!(running.end(), Some(0));
}

/// A SIGTERM ends it within its bound, with nothing in doubt and the record whole.
#[test]
fn an_account_on_a_venue_lives_between_its_bars_and_ends_in_order() {
    let desk = Desk::new(Script::new(1), "market");
    let running = Running::new(desk.command(&["start", "-p", "practice", "--set", FREE_PORT]));
    let line = running.says("traded, ");
    assert!(line.contains("2 orders, 2 fills"), "{line}");
    desk.await_that("it is compared again", || {
        let said = status(&desk.runs());
        said["venue"]["answers"] == true && said["venue"]["reconciled"] == true
    });
    // Beside it: the account is borrowed, everything sold, and given back.
    desk.expect(0, &["close-all", "-p", "practice", "--reason", "drill", "--yes"]);
    running.says("lent to `close-all`");
    desk.await_that("it has its account again", || status(&desk.runs())["state"] == "running");
    let (out, _) = desk.expect(0, &["status", "-p", "practice"]);
    assert!(out.contains("halted    ") && out.contains("program   running"), "{out}");
    desk.expect(0, &["resume", "-p", "practice", "--reason", "drill is over"]);
    running.says("lent to `resume`");
    assert_eq!(running.end(), Some(0));
    let (out, _) = desk.expect(0, &["log", "verify", "-p", "practice"]);
    assert!(out.contains("whole"), "{out}");
}

/// Orders that rest are withdrawn by the verb, and the program learns of it.
#[test]
fn a_kill_is_seen_by_a_program_that_runs() {
    let desk = Desk::new(Script::new(1), "limit");
    let running = Running::new(desk.command(&["start", "-p", "practice", "--set", FREE_PORT]));
    running.says("traded, ");
    assert_eq!(desk.open_orders(), 2);
    desk.expect(0, &["kill", "-p", "practice", "--reason", "drill"]);
    assert_eq!(desk.open_orders(), 0);
    desk.await_that("it knows that nothing is open", || status(&desk.runs())["venue"]["open_orders"] == 0);
    assert_eq!(running.end(), Some(0));
}

/// A rule over the program's own figures holds, nobody resolves it, and its rollback is begun: everything is sold.
#[test]
fn an_alert_that_nobody_resolves_rolls_back() {
    let desk = Desk::new(Script::new(1), "market");
    append(&desk.path("pipelines/hold.toml"), "[stage.alert]\nkind = \"alert\"\nneeds = [\"oms\"]\n");
    let rule = "[alerts.rule.sent]\nseverity = \"critical\"\nwhen = { metric = \"orders_sent_total\", op = \">\", value = 0 }\n\
                unresolved_after = \"1s\"\nthen = \"rollback\"\n";
    append(&desk.path("profiles/practice.toml"), rule);
    let running = Running::new(desk.command(&["start", "-p", "practice", "--set", FREE_PORT]));
    running.says("traded, ");
    let line = running.complains("rollback begins");
    assert!(line.contains("alert rule/sent/hold was unresolved since"), "{line}");
    running.says("lent to `rollback`");
    running.complains("the rollback that an alert began has ended");
    assert_eq!((desk.balance("BTC").as_str(), desk.open_orders()), ("0", 0));
    let (out, _) = desk.expect(0, &["status", "-p", "practice"]);
    assert!(out.contains("halted    "), "{out}");
    assert_eq!(running.end(), Some(0));
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).expect("it is there");
    std::fs::write(path, before + text).expect("written");
}

/// The address at which metrics are served, by the program's first line.
fn metrics_address(running: &Running) -> String {
    let line = running.says("metrics at http://");
    line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned()
}

fn get(address: &str, path: &str) -> String {
    use std::io::Write;
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    // Who is not there yet, or is ending, says nothing.
    let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// A Prometheus that is none of ours takes the rules, scrapes the metrics, and has no complaint about either.
#[test]
fn a_real_prometheus_scrapes_it() {
    if !promtool_is_there() {
        return;
    }
    let project = Project::new();
    let running = Running::new(project.command(&["start", "-p", "busy", "--set", FREE_PORT]));
    let address = metrics_address(&running);
    running.says("traded");
    let metrics = get(&address, "/metrics");
    let body = metrics.split_once("\r\n\r\n").expect("a body").1;
    let mut promtool = Command::new("promtool");
    let mut child = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), body.as_bytes()).expect("read");
    let said = String::from_utf8(child.wait_with_output().expect("it ends").stderr).expect("text");
    assert!(said.is_empty(), "{said}");
    drop(expect(project.command(&["dashboards", "export", "-p", "busy", "--out", "ops"]), 0));
    let folder = project.path().join("ops");
    let scrape = format!(
        "global:\n  scrape_interval: 1s\nrule_files: [\"rules.yml\"]\nscrape_configs:\n  - job_name: tidegate-busy\n    \
         static_configs:\n      - targets: [\"{address}\"]\n"
    );
    std::fs::write(folder.join("prometheus.yml"), scrape).expect("written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let listen = format!("127.0.0.1:{port}");
    let prometheus = Running::new({
        let mut command = Command::new("prometheus");
        command.current_dir(&folder).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={listen}"));
        command
    });
    let asked = |query: &str| get(&listen, &format!("/api/v1/query?query={query}"));
    let end = SystemClock.now() + Span::from_secs(60);
    while !asked("orders_sent_total").contains("\"pipeline\":\"busy\"") {
        assert!(SystemClock.now() < end, "{:?}", prometheus.errors.try_iter().collect::<Vec<_>>());
    }
    assert!(asked("up").contains("\"1\"]"), "{}", asked("up"));
    assert!(asked("heartbeat_timestamp_seconds").contains("tidegate-busy"));
    drop(prometheus);
    assert_eq!(running.end(), Some(0));
}
