//! Alerts on their way: a Slack that is well, slow, broken, gone or hostile, and a run that must not notice.

mod late;
mod mail;
mod verbs;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::SecretString;
use tidegate::clock::SystemClock;
use tidegate::domain::{Span, Time};
use tidegate::notify::log::Log;
use tidegate::notify::slack::Slack;
use tidegate::notify::webhook::Webhook;
use tidegate::notify::{Beat, Deadman, Message, NotifyError, Receiver, Timing, Unavailable};
use tidegate::secret::{Keyring, Secrets};
use tidegate::stage::alert::{Alert, AlertConfig, AlertHandle, AlertTask, Report, Route, Setup, Severity};
use tidegate::store::outbox::{AlertState, DeliveryState, Outbox};

/// Stands in the path of every address; no error may show it.
const SECRET: &str = "T000/B000/hunter2";
/// Long enough for anything on this machine; a test that needs it all has failed.
const PLENTY: Duration = Duration::from_secs(30);

/// What the server does with one request.
#[derive(Clone)]
pub enum Reply {
    Say {
        status: &'static str,
        headers: String,
        body: &'static str,
    },
    /// Says nothing until the client goes away.
    Hang,
    /// Sends body without end until the client goes away.
    Flood,
}

pub fn say(status: &'static str, body: &'static str) -> Reply {
    Reply::Say { status, headers: String::new(), body }
}

/// A server on this machine that gives one reply a connection, the last one over and over.
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
    flooded: Arc<Mutex<usize>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, seen, heads, flooded) = (
            Arc::<AtomicBool>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Mutex<usize>>::default(),
        );
        let (theirs, requests, tops, bytes) = (Arc::clone(&stop), Arc::clone(&seen), Arc::clone(&heads), Arc::clone(&flooded));
        let thread = thread::spawn(move || {
            for at in 0.. {
                let (stream, _) = listener.accept().unwrap();
                if theirs.load(Ordering::SeqCst) {
                    return;
                }
                let reply = replies[at.min(replies.len() - 1)].clone();
                serve(stream, &reply, &requests, &tops, &bytes);
            }
        });
        Self { address, stop, seen, heads, flooded, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/services/{SECRET}", self.address)
    }

    fn slack(&self, timing: Timing) -> Slack {
        Slack::new(SecretString::from(self.url()), timing).unwrap()
    }

    /// The heads of the requests so far.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The bodies of the requests, after the server has stopped.
    pub fn stop(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, seen: &Mutex<Vec<String>>, heads: &Mutex<Vec<String>>, flooded: &Mutex<usize>) {
    let Some((head, body)) = read_request(&mut stream) else { return };
    heads.lock().unwrap().push(head);
    seen.lock().unwrap().push(body);
    match reply {
        Reply::Say { status, headers, body } => {
            let length = body.len();
            let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _gone = stream.write_all(text.as_bytes());
        }
        Reply::Hang => {
            let _gone = stream.read(&mut [0; 16]);
        }
        Reply::Flood => {
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
            let block = [b'x'; 1 << 16];
            while *flooded.lock().unwrap() < 1 << 30 && stream.write_all(&block).is_ok() {
                *flooded.lock().unwrap() += block.len();
            }
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    assert!(head.starts_with("post /services/") && head.contains("content-type: application/json"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// Bounds that a test can reach.
fn short() -> Timing {
    Timing { exchange_max: Duration::from_millis(100), connect_max: Duration::from_millis(90) }
}

fn message() -> Message {
    let at: Time = "2026-03-29T01:00:00Z".parse().unwrap();
    let (title, text) = ("kill switch <!channel>".to_owned(), String::new());
    Message { id: "m-1".to_owned(), severity: Severity::Critical, title, text, fields: Vec::new(), at }
}

fn alert(key: &str, severity: Severity) -> Alert {
    let at: Time = "2026-03-29T01:00:00Z".parse().unwrap();
    Alert { key: key.to_owned(), severity, title: key.to_owned(), text: String::new(), at, fields: BTreeMap::new() }
}

/// Tries once.
fn send(receiver: &dyn Receiver) -> Result<(), NotifyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(receiver.send(&message()));
    if let Err(error) = &result {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "a secret is shown: {error:?}");
    }
    result
}

/// One try against a server that answers so; gives the requests as well.
fn tried(reply: Reply, timing: Timing) -> (Result<(), NotifyError>, Vec<String>) {
    let server = Server::start(vec![reply]);
    let result = send(&server.slack(timing));
    (result, server.stop())
}

/// NOTIFY-2 and NOTIFY-4.
#[test]
fn a_message_is_delivered_on_slacks_word() {
    let (result, bodies) = tried(say("200 OK", "ok\n"), Timing::default());
    assert_eq!(result, Ok(()));
    let json: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(json["text"], "*CRITICAL kill switch &lt;!channel&gt;*\n\n2026-03-29T01:00:00Z");
    assert_eq!(bodies.len(), 1);
}

/// G2. NOTIFY-1, NOTIFY-2.
#[test]
fn what_slack_may_answer() {
    let passing =
        |what: &str, after: Option<u64>| NotifyError::Passing { what: what.to_owned(), after: after.map(Duration::from_secs) };
    let slow_down =
        Reply::Say { status: "429 Too Many Requests", headers: "retry-after: 7\r\n".to_owned(), body: "rate_limited" };
    let cases = [
        (say("500 Internal Server Error", "oops"), passing("it answered 500", None)),
        (slow_down, passing("it answered 429", Some(7))),
        (say("404 Not Found", "no_service"), NotifyError::Refused { status: 404, word: "no_service" }),
        (say("200 OK", "<html>please log in</html>"), NotifyError::NoReceipt { status: 200 }),
        (Reply::Hang, passing("it did not answer in time", None)),
    ];
    for (reply, expected) in cases {
        let (result, bodies) = tried(reply, short());
        assert_eq!((result, bodies.len()), (Err(expected), 1));
    }
    let gone = NotifyError::Refused { status: 404, word: "no_service" };
    assert!(gone.is_for_good() && gone.is_final(), "another receiver is told at once, and this one not again");
}

/// I8. NOTIFY-5.
#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![say("200 OK", "ok")]);
    let headers = format!("location: {}\r\n", elsewhere.url());
    let (result, _) = tried(Reply::Say { status: "307 Temporary Redirect", headers, body: "" }, Timing::default());
    assert_eq!(result, Err(NotifyError::Redirected { status: 307 }));
    assert!(elsewhere.stop().is_empty(), "the message was handed to a stranger");
}

#[test]
fn an_endless_answer_is_not_read() {
    let server = Server::start(vec![Reply::Flood]);
    let timing = Timing { exchange_max: PLENTY, ..Timing::default() };
    assert_eq!(send(&server.slack(timing)), Err(NotifyError::NoReceipt { status: 200 }));
    let flooded = Arc::clone(&server.flooded);
    server.stop();
    let sent = *flooded.lock().unwrap();
    assert!(sent < 64 << 20, "{sent} bytes went out before the connection was dropped");
}

#[test]
fn nobody_listening_is_a_failure_with_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/{SECRET}", listener.local_addr().unwrap());
    drop(listener);
    let result = send(&Slack::new(SecretString::from(url), Timing::default()).unwrap());
    let Err(NotifyError::Passing { what, .. }) = result else { panic!("{result:?}") };
    assert!(what.contains("refused"), "{what}");
}

#[test]
fn a_webhook_gets_a_document_and_a_signature() {
    let server = Server::start(vec![say("202 Accepted", "")]);
    let secret = |text: String| SecretString::from(text);
    let hook = Webhook::new(secret(server.url()), Some(secret("key".to_owned())), Timing::default()).unwrap();
    assert_eq!(send(&hook), Ok(()));
    let heads = server.heads();
    let bodies = server.stop();
    let json: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!((json["schema"].as_str(), json["id"].as_str()), (Some("tidegate/alert/1"), Some("m-1")));
    assert!(heads[0].contains("idempotency-key: m-1") && heads[0].contains("x-tidegate-signature: sha256="), "{heads:?}");
}

/// What a dispatcher works with, in a folder of its own.
struct Desk {
    folder: tempfile::TempDir,
    receivers: BTreeMap<String, Arc<dyn Receiver>>,
    deadman: Option<Arc<Deadman>>,
    fallback: Option<String>,
}

impl Desk {
    fn new(receivers: Vec<(&str, Arc<dyn Receiver>)>) -> Self {
        let receivers = receivers.into_iter().map(|(name, receiver)| (name.to_owned(), receiver)).collect();
        Self { folder: tempfile::tempdir().unwrap(), receivers, deadman: None, fallback: None }
    }

    fn start(&self) -> AlertHandle {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let route = |name: &str, severity, receivers: &[&str]| Route {
            name: name.to_owned(),
            severity: Some(severity),
            receivers: names(receivers),
            silenceable: true,
        };
        let routes =
            vec![route("critical", Severity::Critical, &["slack", "log"]), route("warning", Severity::Warning, &["slack"])];
        let config = AlertConfig {
            repeat_every: Span::from_secs(1800),
            routes,
            fallback: self.fallback.clone(),
            receipt_within: Span::from_secs(60),
            rules: Vec::new(),
        };
        let setup = Setup {
            config,
            receivers: self.receivers.clone(),
            deadman: self.deadman.clone(),
            folder: self.folder.path().to_owned(),
            symbols: Vec::new(),
            labels: Vec::new(),
            news_from: Time::MIN,
            clock: Arc::new(SystemClock),
        };
        AlertTask::spawn(setup).unwrap()
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(self.folder.path()).unwrap()
    }
}

fn outcomes(report: &Report) -> Vec<(&str, &str, DeliveryState)> {
    let mut rows: Vec<_> = report.rows.iter().map(|row| (row.title.as_str(), row.receiver.as_str(), row.state)).collect();
    rows.sort_by_key(|(title, receiver, _)| (*title, *receiver));
    rows
}

use DeliveryState::{Delivered, Failed, Pending};

/// ALERT-2.
#[test]
fn every_alert_is_accounted_for() {
    let server = Server::start(vec![say("200 OK", "ok")]);
    let desk = Desk::new(vec![("slack", Arc::new(server.slack(Timing::default()))), ("log", Arc::new(Log))]);
    let handle = desk.start();
    for (key, severity) in
        [("kill", Severity::Critical), ("kill", Severity::Critical), ("note", Severity::Info), ("gap", Severity::Warning)]
    {
        handle.raise(&alert(key, severity));
    }
    let report = handle.finish(PLENTY);
    assert_eq!(outcomes(&report), [("gap", "slack", Delivered), ("kill", "log", Delivered), ("kill", "slack", Delivered)]);
    let kept: Vec<_> = desk.outbox().alerts(9).unwrap().into_iter().map(|row| (row.key, row.count, row.told_count)).collect();
    assert_eq!(kept, [("gap".to_owned(), 1, 1), ("note".to_owned(), 1, 0), ("kill".to_owned(), 2, 2)]);
    let next_run = desk.start();
    next_run.raise(&alert("kill", Severity::Critical));
    assert_eq!(next_run.finish(PLENTY).rows.len(), 0, "the next run remembers");
    assert_eq!(server.stop().len(), 2);
}

/// ALERT-1.
#[test]
fn a_slack_that_hangs_delays_nobody_and_the_end_only_until_its_deadline() {
    let server = Server::start(vec![Reply::Hang]);
    let timing = Timing { exchange_max: PLENTY, ..Timing::default() };
    let desk = Desk::new(vec![("slack", Arc::new(server.slack(timing))), ("log", Arc::new(Log))]);
    let handle = desk.start();
    // `raise` is an ordinary function, so this loop is the core's view.
    (0..3000).for_each(|i| handle.raise(&alert(&format!("w{i:04}"), Severity::Warning)));
    handle.raise(&alert("kill", Severity::Critical));
    let report = handle.finish(Duration::from_secs(8));
    server.stop();
    let seen = outcomes(&report);
    assert!(seen.contains(&("kill", "log", Delivered)) && seen.contains(&("kill", "slack", Pending)), "{seen:?}");
    assert_eq!(desk.outbox().alerts(9999).unwrap().len(), 3001, "each is written down");
}

/// G7. ALERT-6.
#[test]
fn what_was_queued_when_the_program_ended_goes_out_with_the_next() {
    let server = Server::start(vec![Reply::Hang, say("200 OK", "ok")]);
    let timing = Timing { exchange_max: PLENTY, ..Timing::default() };
    let desk = Desk::new(vec![("slack", Arc::new(server.slack(timing)))]);
    let handle = desk.start();
    handle.raise(&alert("gap", Severity::Warning));
    assert_eq!(outcomes(&handle.finish(Duration::from_secs(1))), [("gap", "slack", Pending)]);
    let report = desk.start().finish(PLENTY);
    assert_eq!(outcomes(&report), [("gap", "slack", Delivered)]);
    assert_eq!(report.rows[0].at, "2026-03-29T01:00:00Z".parse().unwrap(), "its own time");
    let bodies = server.stop();
    assert!(bodies[1].contains("2026-03-29T01:00:00Z") && bodies[0] == bodies[1], "the same message: {bodies:?}");
}

/// G2.
#[test]
fn a_receiver_that_is_gone_is_asked_once_and_the_fallback_is_told_at_once() {
    let server = Server::start(vec![say("404 Not Found", "no_service")]);
    let mut desk = Desk::new(vec![("slack", Arc::new(server.slack(Timing::default()))), ("mail", Arc::new(Log))]);
    desk.fallback = Some("mail".to_owned());
    let handle = desk.start();
    handle.raise(&alert("gap", Severity::Warning));
    let report = handle.finish(PLENTY);
    assert_eq!(outcomes(&report), [("gap", "mail", Delivered), ("gap", "slack", Failed)]);
    assert_eq!(report.rows[0].error.as_deref(), Some("the receiver answered 404 (no_service)"));
    assert_eq!(server.stop().len(), 1);
}

#[test]
fn a_receiver_without_its_secret_fails_messages_and_nothing_else() {
    let config = tidegate::notify::ReceiverConfig::Slack { url: "env:SLACK_WEBHOOK_URL".parse().unwrap() };
    let secrets = Secrets::new(std::path::Path::new("/"), Box::new(|_| None), Keyring::none());
    let error = tidegate::notify::open(&config, &secrets).err().unwrap();
    let desk = Desk::new(vec![("slack", Arc::new(Unavailable::new(&error)))]);
    let handle = desk.start();
    handle.raise(&alert("gap", Severity::Warning));
    let report = handle.finish(PLENTY);
    let why = "the receiver is not available: env:SLACK_WEBHOOK_URL is not set";
    assert_eq!((report.rows.len(), report.rows[0].state, report.rows[0].error.as_deref()), (1, Pending, Some(why)));
}

/// A receiver with a bug.
struct Broken;

impl Receiver for Broken {
    fn send<'a>(&'a self, _message: &'a Message) -> tidegate::notify::Sending<'a> {
        Box::pin(async { panic!("a bug in a receiver") })
    }
}

#[test]
fn a_bug_in_a_receiver_is_a_failure_of_its_messages() {
    let desk = Desk::new(vec![("slack", Arc::new(Broken)), ("log", Arc::new(Log))]);
    let handle = desk.start();
    handle.raise(&alert("kill", Severity::Critical));
    let report = handle.finish(PLENTY);
    assert_eq!(outcomes(&report), [("kill", "log", Delivered), ("kill", "slack", Pending)]);
    assert_eq!(report.undelivered().next().unwrap().error.as_deref(), Some("a bug in the receiver"));
}

/// G3.
#[test]
fn nobody_hears_that_all_is_well_while_no_receiver_takes_anything() {
    let service = Server::start(vec![say("200 OK", "OK")]);
    let gone = || Server::start(vec![say("404 Not Found", "no_service")]);
    let (slack, log) = (gone(), gone());
    let mut desk =
        Desk::new(vec![("slack", Arc::new(slack.slack(Timing::default()))), ("log", Arc::new(log.slack(Timing::default())))]);
    desk.deadman = Some(Arc::new(Deadman::new(SecretString::from(service.url()), Timing::default()).unwrap()));
    let handle = desk.start();
    handle.beat(Beat::Start);
    handle.beat(Beat::Well);
    handle.raise(&alert("kill", Severity::Critical));
    assert_eq!(handle.finish(PLENTY).undelivered().count(), 2);
    let handle = desk.start();
    handle.beat(Beat::Well);
    handle.beat(Beat::Failure);
    let _report = handle.finish(PLENTY);
    let mut seen: Vec<String> = service.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    seen.sort();
    let place = format!("post /services/{}", SECRET.to_lowercase());
    assert_eq!(
        seen,
        [" http/1.1", "/fail http/1.1", "/start http/1.1"].map(|end| format!("{place}{end}")),
        "one well is missing"
    );
    [service, slack, log].into_iter().for_each(|server| drop(server.stop()));
    assert_eq!(desk.outbox().unresolved_critical(Time::MAX).unwrap()[0].state, AlertState::Open);
}

/// P10: a disk that takes nothing keeps nobody from hearing what is critical.
#[test]
fn what_cannot_be_written_down_is_sent_all_the_same() {
    let server = Server::start(vec![say("200 OK", "ok")]);
    let desk = Desk::new(vec![("slack", Arc::new(server.slack(Timing::default()))), ("log", Arc::new(Log))]);
    let handle = desk.start();
    let held = rusqlite::Connection::open(desk.folder.path().join("alerts.db")).unwrap();
    held.execute_batch("DROP TABLE alert").unwrap();
    handle.raise(&alert("run/failed", Severity::Critical));
    handle.raise(&alert("gap", Severity::Warning));
    let report = handle.finish(Duration::from_secs(10));
    assert!(report.stuck.is_some_and(|why| why.contains("alerts.db")), "and it is said");
    let bodies = server.stop();
    assert!(bodies.len() == 1 && bodies[0].contains("run/failed"), "{bodies:?}");
}
