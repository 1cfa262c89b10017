//! `preflight`: every check against the simulated exchange, the record of them, and what of it lets real money in. No test here asks a
//! real venue: what is refused is refused before anything is contacted.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{Span, Time};
use tidegate::runner::preflight::{self, Finding, Record, Verdict};
use tidegate::store::outbox::{Outbox, Raise, Word};
use tidegate::telemetry::Severity;
use tidegate::venue::sim::{Fault, Permissions, Script};

use crate::account_verbs::Desk;
use crate::alerts::{Server, say};

const PREFLIGHT: [&str; 3] = ["preflight", "-p", "practice"];

#[track_caller]
fn only<'a>(told: &'a Value, name: &str) -> &'a Value {
    let checks = told["data"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {told}"))
}

/// Makes one check, and gives its verdict and what it said.
#[track_caller]
fn check(desk: &Desk, name: &str) -> (String, String) {
    check_with(desk, name, "")
}

/// The same, with this address for Slack.
#[track_caller]
fn check_with(desk: &Desk, name: &str, slack: &str) -> (String, String) {
    let mut command = desk.command(&[&PREFLIGHT[..], &["--only", name, "--json"]].concat());
    if !slack.is_empty() {
        command.env("SLACK_WEBHOOK_URL", slack);
    }
    let output = command.output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let found = only(&told, name);
    let is_good = found["verdict"] == "ok" || found["verdict"] == "warn";
    assert_eq!(told["exit_code"], if is_good || found["verdict"] == "skip" { 0 } else { 4 }, "{told}");
    (found["verdict"].as_str().unwrap().to_owned(), found["said"].as_str().unwrap().to_owned())
}

/// Bars, and the journal of a first run.
fn ready(script: Script) -> Desk {
    let desk = Desk::new(script, "market");
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let more = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n[preflight.check.data]\nlookback = \"5d\"\n");
    std::fs::write(desk.path("profiles/practice.toml"), format!("{text}{more}")).unwrap();
    desk.buy();
    desk
}

/// P14: everything is looked at, timed, written down, and shown again.
#[test]
fn everything_is_looked_at_and_written_down() {
    let desk = ready(Script::new(1));
    let (out, err) = desk.expect(4, &PREFLIGHT);
    eprintln!("{out}{err}");
    assert!(out.contains("NO-GO: 2 of 15 not good"), "no Slack, and no secret of it: {out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(out.contains("2 open orders gone") && out.contains("quiet in"), "{out}");
    assert!(out.contains("did not take the code") && out.contains("nobody served them"), "{out}");
    assert!(out.contains("10 of 10 bars") && out.contains("taken by the venue's"), "{out}");
    assert!(err.contains("next: tidegate preflight -p practice"), "{err}");
    let before = desk.venue.with(|exchange, _| exchange.orders().count());
    assert_eq!(before, 2, "the venue has the orders of the first run and no other");
    let told = desk.json(4, &[&PREFLIGHT[..], &["--status"]].concat());
    assert_eq!(only(&told, "kill")["verdict"], "ok", "{told}");
    assert!(desk.runs().join("preflight.json").exists());
    // A record that somebody has changed by hand is none.
    let path = desk.runs().join("preflight.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"fail\"", "\"ok\"")).unwrap();
    let (_, err) = desk.expect(4, &[&PREFLIGHT[..], &["--status"]].concat());
    assert!(err.contains("changed by hand"), "{err}");
}

/// The kill drill of this very binary, within five seconds.
#[test]
fn the_kill_drill_is_real_and_timed() {
    let desk = ready(Script::new(1));
    let (verdict, said) = check(&desk, "kill");
    eprintln!("{said}");
    assert_eq!(verdict, "ok", "{said}");
    assert!(said.starts_with("2 open orders gone"), "{said}");
    // What takes longer than is allowed fails.
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    std::fs::write(desk.path("profiles/practice.toml"), format!("{text}[preflight.check.kill]\nquiet_within = \"1ms\"\n"))
        .unwrap();
    assert_eq!(check(&desk, "kill").0, "fail");
}

/// C30: a key that may withdraw, is good from anywhere, or is revoked.
#[test]
fn a_key_that_may_do_more_than_trade_fails() {
    let desk = ready(Script::new(1));
    assert_eq!(check(&desk, "key").0, "ok");
    let change = |permissions: Permissions, is_revoked: bool| {
        desk.venue.with(|exchange, _| {
            let key = &mut exchange.keys_mut(0)[0];
            (key.permissions, key.is_revoked) = (permissions, is_revoked);
        });
        check(&desk, "key")
    };
    let good = Permissions::default();
    let (verdict, said) = change(Permissions { can_withdraw: true, ..good }, false);
    assert!(verdict == "fail" && said.contains("can empty the account"), "{said}");
    let (verdict, said) = change(Permissions { is_ip_restricted: false, ..good }, false);
    assert!(verdict == "fail" && said.contains("any address"), "{said}");
    assert_eq!(change(Permissions { can_trade: false, ..good }, false).0, "fail");
    assert_eq!(change(good, true).0, "fail");
    assert_eq!(change(good, false).0, "ok");
}

#[test]
fn what_is_wrong_is_said_with_its_numbers() {
    let desk = ready(Script::new(1));
    assert_eq!(check(&desk, "clock").0, "ok");
    let off = |millis| desk.venue.with(|exchange, _| exchange.befall(&Fault::Clock { off: Span::from_millis(millis) }, None));
    off(900);
    let (verdict, said) = check(&desk, "clock");
    assert!(verdict == "fail" && said.contains("at most 250ms"), "{said}");
    off(0);
    // A hole in the bars.
    let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
    std::fs::write(desk.path("profiles/practice.toml"), text.replace("lookback = \"5d\"", "lookback = \"30d\"")).unwrap();
    let (verdict, said) = check(&desk, "data");
    assert!(verdict == "fail" && said.contains("20 of 60 bars") && said.contains("BTC/USDT lacks 20"), "{said}");
    // A latch, and a folder that others may write.
    assert_eq!((check(&desk, "standing").0.as_str(), check(&desk, "private").0.as_str()), ("ok", "ok"));
    desk.expect(0, &["kill", "-p", "practice", "--reason", "a drill"]);
    assert_eq!(check(&desk, "standing").0, "fail");
    open_to_all(&desk.path("profiles"));
    let (verdict, said) = check(&desk, "private");
    assert!(verdict == "fail" && said.contains("profiles: others may write it"), "{said}");
    let (verdict, said) = check(&desk, "secrets");
    assert!(verdict == "fail" && said.contains("alerts.deadman.url (missing)"), "{said}");
    for name in ["restore", "journal", "disk", "limits", "model"] {
        assert_eq!(check(&desk, name).0, "ok", "{name}");
    }
    let (_, err) = desk.expect(2, &[&PREFLIGHT[..], &["--only", "weather"]].concat());
    assert!(err.contains("there are: data, metrics"), "{err}");
    // A journal that is damaged is named by its check; the others look all the same.
    std::fs::write(desk.runs().join("state.db"), "no database").unwrap();
    assert_eq!((check(&desk, "journal").0.as_str(), check(&desk, "restore").0.as_str()), ("fail", "fail"));
}

/// J6, G8, G3: a code goes out once, counts when a person has typed it back, and says when a receiver refuses it.
#[test]
fn the_alert_check_passes_when_its_code_is_typed_back() {
    let desk = ready(Script::new(1));
    let gone = Server::start(vec![say("404 Not Found", "no_service")]);
    let (verdict, said) = check_with(&desk, "alert", &gone.url());
    assert!(verdict == "fail" && said.contains("slack did not take the code"), "{said}");
    gone.stop();
    let slack = Server::start(vec![say("200 OK", "ok")]);
    for _ in 0..2 {
        let (verdict, said) = check_with(&desk, "alert", &slack.url());
        assert!(verdict == "fail" && said.contains("nobody has typed it back"), "{said}");
    }
    let bodies = slack.stop();
    assert_eq!(bodies.len(), 1, "the code that is on its way is not sent again");
    let code: String = bodies[0].split("code ").nth(1).unwrap().chars().take(8).collect();
    desk.expect(0, &["alerts", "ack", &code, "-p", "practice"]);
    let (verdict, said) = check(&desk, "alert");
    assert!(verdict == "ok" && said.starts_with("received by slack, typed back after "), "{said}");
    let record = preflight::read(&desk.runs()).unwrap().unwrap();
    let typed = Outbox::open(&desk.runs()).unwrap().confirmed(&code).unwrap().unwrap().confirmed_at;
    assert_eq!(Some(record.findings["alert"].at), typed, "it counts from when it was typed, not from when it was looked at");
}

/// Nobody serves them: the check does. Somebody else's figures are none of ours.
#[test]
fn the_metrics_check_proves_the_port_and_knows_its_own() {
    let desk = ready(Script::new(1));
    let (verdict, said) = check(&desk, "metrics");
    assert!(verdict == "ok" && said.contains("nobody served them, so this check did"), "{said}");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let _head = stream.read(&mut [0; 512]).unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n# HELP node_load1 x\nnode_load1 1\n").unwrap();
    });
    let mut command = desk.command(&[&PREFLIGHT[..], &["--only", "metrics", "--json", "--set"]].concat());
    let output = command.arg(format!("metrics.listen={address}")).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(4) && out.contains("are not the metrics of"), "{out}");
    serving.join().unwrap();
}

#[test]
fn an_open_critical_alert_keeps_everybody() {
    let desk = ready(Script::new(1));
    let mut outbox = Outbox::open(&desk.runs()).unwrap();
    critical(&mut outbox, "rule/venue-down", SystemClock.now());
    let (verdict, said) = check(&desk, "standing");
    assert!(verdict == "fail" && said.contains("is critical and unresolved since"), "{said}");
    let row = outbox.unresolved_critical(SystemClock.now()).unwrap().remove(0);
    outbox.acknowledge(row.id, "me", SystemClock.now()).unwrap();
    assert_eq!(check(&desk, "standing").0, "ok");
}

/// Raises a critical alert that is over with its moment.
pub fn critical(outbox: &mut Outbox, key: &str, at: Time) {
    let raise = Raise {
        key: key.to_owned(),
        rule: None,
        severity: Severity::Critical,
        title: "the venue is down".to_owned(),
        text: String::new(),
        fields: BTreeMap::new(),
        at,
        lasts: false,
        source: "a test".to_owned(),
        part: None,
        unresolved: None,
    };
    outbox.take(&[Word::Raise(raise)], None, Span::ZERO, false, at).unwrap();
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// A live profile on the real host, and a record of every check, signed as a preflight would; nothing of it is ever asked.
struct Live {
    desk: Desk,
    names: Vec<String>,
}

const RUN: [&str; 5] = ["run", "-p", "money", "--confirm", "7731"];

impl Live {
    fn new() -> Self {
        let desk = Desk::new(Script::new(1), "market");
        let text = std::fs::read_to_string(desk.path("profiles/practice.toml")).unwrap();
        let url = desk.venue.rest_url();
        let text = text.replace(&url, "https://api.binance.com").replace("[profile]", "[profile]\nmode = \"live\"");
        std::fs::write(desk.path("profiles/money.toml"), text).unwrap();
        let told = desk.json(4, &["preflight", "-p", "money", "--status"]);
        let lacks = told["data"]["lacks"].as_array().unwrap().iter();
        let names = lacks.map(|lack| lack["check"].as_str().unwrap().to_owned()).collect();
        Self { desk, names }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.desk.path("runs/money")
    }

    /// A record in which every check was good a minute ago.
    fn record(&self) -> Record {
        let told = self.desk.json(4, &["preflight", "-p", "money", "--status"]);
        let bound = serde_json::from_value(told["data"]["wanted"].clone()).unwrap();
        let mut record = Record::new(bound, "7731".to_owned());
        let at = SystemClock.now() - Span::from_secs(60);
        let (said, took) = ("as it should be".to_owned(), Span::from_millis(1));
        let good = Finding { verdict: Verdict::Ok, said, fix: None, at, took, valid_until: at + Span::from_secs(3600) };
        self.names.iter().for_each(|name| record.take(name, good.clone()));
        record
    }

    /// Says why the run is refused, which it is before anything is contacted.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str]) -> String {
        let (out, err) = self.desk.expect(code, args);
        assert!(!err.contains("does not help"), "it went to the venue: {out}{err}");
        err
    }
}

/// J4: a record that is too old, of another binary, profile or account, or changed by hand.
#[test]
fn a_record_that_does_not_fit_lets_no_money_in() {
    let live = Live::new();
    let err = live.refused(4, &RUN);
    assert!(err.contains("nobody has made its preflight") && err.contains("tidegate preflight -p money"), "{err}");
    let whole = live.record();
    // It fits: what is refused next is that nobody named the account.
    preflight::write(&live.folder(), &whole).unwrap();
    let err = live.refused(6, &RUN[..3]);
    assert!(err.contains("whose account"), "{err}");
    let mut old = whole.clone();
    for finding in old.findings.values_mut() {
        (finding.at, finding.valid_until) = (finding.at - Span::from_days(8), finding.at + Span::from_days(365));
    }
    preflight::write(&live.folder(), &old).unwrap();
    assert!(live.refused(4, &RUN).contains("it was good until"));
    for what in ["binary", "profile", "pipeline", "model", "account"] {
        let mut other = serde_json::to_value(&whole).unwrap();
        other["bound"][what] = "0".repeat(64).into();
        preflight::write(&live.folder(), &serde_json::from_value(other).unwrap()).unwrap();
        let err = live.refused(4, &RUN);
        assert!(err.contains(&format!("another {what} than")), "{what}: {err}");
    }
    preflight::write(&live.folder(), &old).unwrap();
    let path = live.folder().join("preflight.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let year = (SystemClock.now() - Span::from_secs(60)).to_string();
    let at = old.findings.values().next().unwrap().at.to_string();
    assert!(text.contains(&at), "{text}");
    std::fs::write(&path, text.replace(&at, &year)).unwrap();
    assert!(live.refused(4, &RUN).contains("changed by hand"));
    // A line more in the profile, and what was seen was of another one.
    preflight::write(&live.folder(), &whole).unwrap();
    let profile = live.desk.path("profiles/money.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, text.replace("\"10000\"", "\"9999\"")).unwrap();
    assert!(live.refused(4, &RUN).contains("another profile than"));
}

/// J6: each check blocks by itself, and is named with the command that makes it.
#[test]
fn each_check_that_is_missing_blocks_by_itself() {
    let live = Live::new();
    let whole = live.record();
    assert_eq!(live.names.len(), 15, "{:?}", live.names);
    for wanted in ["clock", "disk", "key", "private", "limits", "alert", "restore", "kill"] {
        assert!(live.names.iter().any(|name| name == wanted), "{wanted}");
    }
    for name in &live.names {
        let mut record = whole.clone();
        record.findings.remove(name);
        preflight::write(&live.folder(), &record).unwrap();
        let err = live.refused(4, &RUN);
        assert!(err.contains(&format!("lacks {name} (not made)")), "{name}: {err}");
        assert!(err.contains(&format!("tidegate preflight -p money --only {name}")), "{name}: {err}");
    }
    // One that the profile has taken out blocks as well.
    let profile = live.desk.path("profiles/money.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, format!("{text}[preflight.check.kill]\nenabled = false\n")).unwrap();
    preflight::write(&live.folder(), &live.record()).unwrap();
    assert!(live.refused(4, &RUN).contains("kill-drill (the profile declares no check of this kind)"));
}

/// J5: a yes is no name of an account, and another account's is none either.
#[test]
fn a_script_that_says_yes_trades_no_money() {
    let live = Live::new();
    preflight::write(&live.folder(), &live.record()).unwrap();
    for args in [&["run", "-p", "money", "--yes"][..], &["run", "-p", "money"], &["run", "-p", "money", "--json"]] {
        let (out, err) = live.desk.expect(6, args);
        assert!((out + &err).contains("real money"), "{args:?}");
    }
    assert!(live.refused(6, &["run", "-p", "money", "--confirm", "7732"]).contains("does not end with 7732"));
    // Real money is for real hosts: a live profile of a practice venue is none.
    let text = std::fs::read_to_string(live.desk.path("profiles/money.toml")).unwrap();
    for host in ["https://testnet.binance.vision", &live.desk.venue.rest_url()] {
        std::fs::write(live.desk.path("profiles/money.toml"), text.replace("https://api.binance.com", host)).unwrap();
        live.refused(3, &RUN);
    }
}

#[test]
fn the_doctor_looks_at_the_machine() {
    let desk = Desk::new(Script::new(1), "market");
    let output = desk.call(&["doctor", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = told["data"]["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["clock", "disk", "folders", "tls", "zones", "files", "core"]);
    open_to_all(&desk.path("profiles"));
    let (out, _) = desk.expect(4, &["doctor"]);
    assert!(out.contains("others may write it (mode 0777)") && out.contains("Not fit"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}
