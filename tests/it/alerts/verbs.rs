//! The verbs of alerts, as a person types them.

use std::process::{Command, Output};

use serde_json::Value;
use tidegate::domain::{Span, Time};
use tidegate::stage::alert::Severity;
use tidegate::store::outbox::{Outbox, Raise, Word};
use tidegate::telemetry::watch::Then;

use super::mail::{Mailer, Papers};
use super::{Server, say};

const PROFILE: &str = r#"
[profile]
schema = 1
mode = "paper"
pipeline = "demo"
[limits]
currency = "USDT"
max_notional_per_order = "50"
max_position_notional = "100"
max_total_notional = "200"
max_daily_turnover = "1000"
[alerts]
fallback = "hook"
[alerts.receiver.slack]
kind = "slack"
url = "env:SLACK"
[alerts.receiver.hook]
kind = "webhook"
url = "env:HOOK"
[alerts.route.critical]
order = 10
match = { severity = "critical" }
receivers = ["slack", "hook"]
silenceable = false
[alerts.route.rest]
order = 90
receivers = ["slack"]
[alerts.rule.venue-down]
severity = "critical"
when = { metric = "venue_up", op = "==", value = 0, for = "10s" }
unresolved_after = "15m"
then = "rollback"
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["profiles", "pipelines"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("profiles/desk.toml"), PROFILE).unwrap();
        std::fs::copy(root.join("pipelines/demo.toml"), folder.path().join("pipelines/demo.toml")).unwrap();
        Self(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(self.0.path()).arg("alerts").args(args).args(["-p", "desk", "--json"]).env("NO_COLOR", "1");
        command
    }

    fn json(&self, code: i32, args: &[&str]) -> Value {
        document(code, &self.command(args).output().unwrap())
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.0.path().join("runs/desk")).unwrap()
    }

    /// One critical condition that stands, with a rollback in a quarter of an hour.
    fn raise(&self, at: Time) {
        let raise = Raise {
            key: "rule/venue-down".to_owned(),
            rule: Some("venue-down".to_owned()),
            severity: Severity::Critical,
            title: "venue-down".to_owned(),
            text: "venue_up is 0".to_owned(),
            fields: std::collections::BTreeMap::new(),
            at,
            lasts: true,
            source: "rule".to_owned(),
            part: None,
            unresolved: Some((Span::from_secs(900), Then::Rollback)),
        };
        self.outbox().take(&[Word::Raise(raise)], None, Span::ZERO, false, at).unwrap();
    }
}

fn document(code: i32, output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// G8.
#[test]
fn a_test_counts_when_its_code_is_typed_back() {
    let desk = Desk::new();
    let (slack, gone) = (Server::start(vec![say("200 OK", "ok")]), Server::start(vec![say("404 Not Found", "no_service")]));
    let output = desk.command(&["test"]).env("SLACK", slack.url()).env("HOOK", gone.url()).output().unwrap();
    let report = document(1, &output);
    assert_eq!(report["data"]["failed"], 1, "{report}");
    gone.stop();
    let body = slack.stop().remove(0);
    let code: String = body.split("code ").nth(1).unwrap().chars().take(8).collect();
    assert!(!report.to_string().contains(&code), "only who got the message knows it");
    let unknown = desk.json(1, &["ack", "NOSUCHCO"]);
    assert!(unknown["data"]["error"].as_str().unwrap().contains("NOSUCHCO"), "{unknown}");
    assert!(desk.outbox().confirmed(&code).unwrap().unwrap().confirmed_at.is_none());
    desk.json(0, &["ack", &code.to_lowercase()]);
    assert!(desk.outbox().confirmed(&code).unwrap().unwrap().confirmed_at.is_some());
    assert_eq!(desk.json(2, &["test", "--receiver", "pager"])["exit_code"], 2);
}

#[test]
fn an_ack_stops_paging_and_not_the_timer() {
    let desk = Desk::new();
    assert_eq!(desk.json(0, &["list"])["data"]["alerts"], Value::Array(Vec::new()));
    let at: Time = "2026-03-02T10:00:00Z".parse().unwrap();
    desk.raise(at);
    let listed = desk.json(0, &["list", "--at", "2026-03-02T10:05"]);
    assert_eq!(listed["data"]["alerts"][0]["state"], "open");
    let acked = desk.json(0, &["ack", "1", "--by", "me", "--at", "2026-03-02T10:06"]);
    assert_eq!(acked["data"]["alert"]["state"], "acknowledged");
    let shown = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(desk.0.path())
        .args(["alerts", "show", "1", "-p", "desk", "--at", "2026-03-02T10:07"])
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("rollback  in 8m, at 2026-03-02T10:15:00Z; an ack does not stop it"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(desk.outbox().due_rollbacks(at + Span::from_secs(900)).unwrap().len(), 1);
    let missing = desk.json(1, &["show", "99"]);
    assert!(missing["data"]["error"].as_str().unwrap().contains("has no alert 99"), "{missing}");
    desk.json(1, &["ack", "99"]);
}

#[test]
fn a_silence_is_made_shown_and_ended() {
    let desk = Desk::new();
    let made = desk.json(0, &["silence", "gap/*", "--for", "2h", "--reason", "maintenance"]);
    assert_eq!(made["data"]["id"], 1);
    assert_eq!(desk.json(0, &["list"])["data"]["silences"][0]["matcher"], "gap/*");
    desk.json(0, &["unsilence", "1"]);
    desk.json(1, &["unsilence", "1"]);
    for wrong in [["gap/*", "--for", "9d", "--reason", "x"], ["gap/*", "--for", "1h", "--reason", " "]] {
        desk.json(2, &[&["silence"], wrong.as_slice()].concat());
    }
}

#[test]
fn a_route_says_who_and_why() {
    let desk = Desk::new();
    let by_rule = desk.json(0, &["route", "--rule", "venue-down"]);
    assert_eq!((&by_rule["data"]["route"], &by_rule["data"]["silenceable"]), (&"critical".into(), &false.into()));
    let warning = desk.json(0, &["route", "--severity", "warning"]);
    assert_eq!(warning["data"]["receivers"], serde_json::json!(["slack"]));
    desk.json(2, &["route", "--rule", "none"]);
}

#[test]
fn recorded_figures_show_what_would_have_been_told() {
    let desk = Desk::new();
    let mut figures = String::from("time,metric,labels,value\n");
    for minute in 0..30 {
        for second in ["00", "30"] {
            let value = u8::from(!(2..25).contains(&minute));
            figures.push_str(&format!("2026-03-02T10:{minute:02}:{second}Z,venue_up,binance,{value}\n"));
        }
    }
    std::fs::write(desk.0.path().join("figures.csv"), figures).unwrap();
    let report = desk.json(0, &["simulate", "figures.csv"]);
    let events: Vec<&str> = report["data"]["events"].as_array().unwrap().iter().map(|e| e["what"].as_str().unwrap()).collect();
    assert_eq!(events, ["raised", "told", "rollback", "told", "over", "told"], "{report}");
    std::fs::write(desk.0.path().join("wrong.csv"), "time,metric,labels,value\n2026-03-02,no_such,,1\n").unwrap();
    let wrong = desk.json(1, &["simulate", "wrong.csv"]);
    assert!(wrong["data"]["error"].as_str().unwrap().contains("wrong.csv:2: there is no metric no_such"), "{wrong}");
}

/// The whole way: a profile with a real mail server, whose certificate is by an authority that the system is told of.
#[test]
fn a_test_reaches_a_mail_server() {
    let desk = Desk::new();
    let papers = Papers::new();
    let Some(mut mailer) = Mailer::start(&papers, "well") else { return };
    let set = |key: &str, value: &str| ["--set".to_owned(), format!("alerts.receiver.mail.{key}={value}")];
    let port = mailer.port.to_string();
    let settings = [
        ("kind", "smtp"),
        ("host", "localhost"),
        ("port", &port),
        ("from", "a@example.org"),
        ("to", "[\"b@example.org\"]"),
        ("user", "env:WHO"),
        ("password", "env:WORD"),
    ];
    let mut command = desk.command(&["test", "--receiver", "mail"]);
    command.args(settings.iter().flat_map(|(key, value)| set(key, value)));
    command.env("WHO", "user").env("WORD", "hunter2").env("SSL_CERT_FILE", papers.path("ca.pem"));
    let report = document(0, &command.output().unwrap());
    assert_eq!(report["data"]["sent"][0]["ok"], true, "{report}");
    assert!(mailer.mail()["content"].as_str().unwrap().contains("tidegate alerts ack"));
    assert!(!report.to_string().contains("hunter2"));
}
