//! Alerts on their way: a Slack that is well, slow, broken, gone or hostile, and a run that must not notice.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::SecretString;
use tidegate::domain::{Span, Time};
use tidegate::notify::log::Log;
use tidegate::notify::slack::{Slack, Timing};
use tidegate::notify::{Message, NotifyError, Receipt, Receiver, Unavailable};
use tidegate::secret::{Keyring, Secrets};
use tidegate::stage::alert::{Alert, AlertConfig, AlertHandle, AlertTask, Dedup, Delivery, Raised, Route, Severity};

/// Stands in the path of every address; no error may show it.
const SECRET: &str = "T000/B000/hunter2";
/// Long enough for anything on this machine; a test that needs it all has failed.
const PLENTY: Duration = Duration::from_secs(30);

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
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

fn say(status: &'static str, body: &'static str) -> Reply {
    Reply::Say { status, headers: String::new(), body }
}

/// A server on this machine that gives one reply a connection, the last one over and over.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    flooded: Arc<Mutex<usize>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, seen, flooded) =
            (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<usize>>::default());
        let (theirs, requests, bytes) = (Arc::clone(&stop), Arc::clone(&seen), Arc::clone(&flooded));
        let thread = thread::spawn(move || {
            for at in 0.. {
                let (stream, _) = listener.accept().unwrap();
                if theirs.load(Ordering::SeqCst) {
                    return;
                }
                let reply = replies[at.min(replies.len() - 1)].clone();
                serve(stream, &reply, &requests, &bytes);
            }
        });
        Self { address, stop, seen, flooded, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}/services/{SECRET}", self.address)
    }

    fn slack(&self, timing: Timing) -> Slack {
        Slack::new(SecretString::from(self.url()), timing).unwrap()
    }

    /// The bodies of the requests, after the server has stopped.
    fn stop(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, seen: &Mutex<Vec<String>>, flooded: &Mutex<usize>) {
    let Some(body) = read_request(&mut stream) else { return };
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

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    assert!(head.starts_with("post /services/") && head.contains("content-type: application/json"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(String::from_utf8(body).unwrap())
}

/// Bounds that a test can reach.
fn short() -> Timing {
    Timing { exchange_max: Duration::from_millis(100), connect_max: Duration::from_millis(90), ..Timing::default() }
}

fn message() -> Message {
    alert("kill/drawdown-daily", Severity::Critical).to_message()
}

fn alert(key: &str, severity: Severity) -> Alert {
    let at: Time = "2026-03-29T01:00:00Z".parse().unwrap();
    Alert {
        key: key.to_owned(),
        severity,
        title: "kill switch <!channel>".to_owned(),
        text: String::new(),
        at,
        fields: BTreeMap::new(),
    }
}

/// Sends one message; gives back what came of it and the pauses that were asked for. Nothing is waited for.
fn send(slack: Slack) -> (Result<Receipt, NotifyError>, Vec<Duration>) {
    let pauses = Arc::<Mutex<Vec<Duration>>>::default();
    let asked = Arc::clone(&pauses);
    let slack = slack.with_pause(Box::new(move |time| {
        asked.lock().unwrap().push(time);
        Box::pin(std::future::ready(()))
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(slack.send(&message()));
    if let Err(error) = &result {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "the address is shown: {error:?}");
    }
    let pauses = pauses.lock().unwrap().clone();
    (result, pauses)
}

/// NOTIFY-2 and NOTIFY-4.
#[test]
fn a_message_is_delivered_on_slacks_word() {
    let server = Server::start(vec![say("200 OK", "ok")]);
    let (result, pauses) = send(server.slack(Timing::default()));
    assert_eq!((result, pauses), (Ok(Receipt { attempts: 1 }), vec![]));
    let bodies = server.stop();
    let json: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(json["text"], "*CRITICAL kill switch &lt;!channel&gt;*\n\n2026-03-29T01:00:00Z");
    assert_eq!(bodies.len(), 1);
}

#[test]
fn a_passing_failure_is_tried_again() {
    let server = Server::start(vec![say("500 Internal Server Error", "oops"), say("200 OK", "ok\n")]);
    let (result, pauses) = send(server.slack(Timing::default()));
    assert_eq!((result, pauses), (Ok(Receipt { attempts: 2 }), vec![Duration::from_millis(500)]));
    assert_eq!(server.stop().len(), 2);
}

/// NOTIFY-1.
#[test]
fn tries_and_pauses_are_bounded() {
    let server = Server::start(vec![say("503 Service Unavailable", "")]);
    let (result, pauses) = send(server.slack(Timing::default()));
    assert_eq!(result, Err(NotifyError::Exhausted { attempts: 3, last: "it answered 503".to_owned() }));
    assert_eq!(pauses, [500, 1000].map(Duration::from_millis));
    assert_eq!(server.stop().len(), 3);
}

#[test]
fn slack_says_how_long_to_wait_up_to_a_cap() {
    let slow_down = |seconds: &str| Reply::Say {
        status: "429 Too Many Requests",
        headers: format!("retry-after: {seconds}\r\n"),
        body: "rate_limited",
    };
    let server = Server::start(vec![slow_down("7"), slow_down("86400"), say("200 OK", "ok")]);
    let (result, pauses) = send(server.slack(Timing::default()));
    assert_eq!((result, pauses), (Ok(Receipt { attempts: 3 }), vec![Duration::from_secs(7), Duration::from_secs(30)]));
    server.stop();
}

#[test]
fn a_webhook_that_is_gone_is_not_tried_again() {
    let server = Server::start(vec![say("404 Not Found", "no_service")]);
    let (result, pauses) = send(server.slack(Timing::default()));
    assert_eq!((result, pauses), (Err(NotifyError::Refused { status: 404, word: "no_service" }), vec![]));
    assert_eq!(server.stop().len(), 1);
}

/// NOTIFY-2.
#[test]
fn a_page_that_looks_well_is_no_receipt() {
    let server = Server::start(vec![say("200 OK", "<html>please log in</html>")]);
    assert_eq!(send(server.slack(Timing::default())).0, Err(NotifyError::NoReceipt { status: 200 }));
    assert_eq!(server.stop().len(), 1);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![say("200 OK", "ok")]);
    let headers = format!("location: {}\r\n", elsewhere.url());
    let server = Server::start(vec![Reply::Say { status: "307 Temporary Redirect", headers, body: "" }]);
    assert_eq!(send(server.slack(Timing::default())).0, Err(NotifyError::Redirected { status: 307 }));
    server.stop();
    assert!(elsewhere.stop().is_empty(), "the message was handed to a stranger");
}

#[test]
fn an_endless_answer_is_not_read() {
    let server = Server::start(vec![Reply::Flood]);
    let timing = Timing { exchange_max: PLENTY, ..Timing::default() };
    assert_eq!(send(server.slack(timing)).0, Err(NotifyError::NoReceipt { status: 200 }));
    let flooded = Arc::clone(&server.flooded);
    server.stop();
    let sent = *flooded.lock().unwrap();
    assert!(sent < 64 << 20, "{sent} bytes went out before the connection was dropped");
}

/// NOTIFY-1.
#[test]
fn silence_ends_with_the_bound_of_the_exchange() {
    let server = Server::start(vec![Reply::Hang]);
    let (result, _) = send(server.slack(short()));
    assert_eq!(result, Err(NotifyError::Exhausted { attempts: 3, last: "it did not answer in time".to_owned() }));
    server.stop();
}

#[test]
fn nobody_listening_is_a_failure_with_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/{SECRET}", listener.local_addr().unwrap());
    drop(listener);
    let (result, _) = send(Slack::new(SecretString::from(url), Timing::default()).unwrap());
    let Err(NotifyError::Exhausted { attempts: 3, last }) = result else { panic!("{result:?}") };
    assert!(last.contains("refused"), "{last}");
}

fn dispatcher(receivers: Vec<(&str, Arc<dyn Receiver>)>, dedup: Dedup) -> AlertHandle {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let routes = vec![
        Route { name: "critical".to_owned(), severity: Some(Severity::Critical), receivers: names(&["slack", "log"]) },
        Route { name: "warning".to_owned(), severity: Some(Severity::Warning), receivers: names(&["slack"]) },
    ];
    let receivers: BTreeMap<String, Arc<dyn Receiver>> = receivers.into_iter().map(|(name, r)| (name.to_owned(), r)).collect();
    AlertTask::spawn(AlertConfig { repeat_every: Span::from_secs(1800), routes }, dedup, &receivers).unwrap()
}

fn outcomes(report: &tidegate::stage::alert::Report) -> Vec<(&str, &str, &Delivery)> {
    let mut rows: Vec<_> =
        report.rows.iter().map(|row| (row.alert.key.as_str(), row.receiver.as_deref().unwrap_or("-"), &row.delivery)).collect();
    rows.sort_by_key(|(key, receiver, _)| (*key, *receiver));
    rows
}

/// ALERT-2.
#[test]
fn every_alert_is_accounted_for() {
    let server = Server::start(vec![say("200 OK", "ok")]);
    let handle = dispatcher(vec![("slack", Arc::new(server.slack(Timing::default()))), ("log", Arc::new(Log))], Dedup::default());
    assert_eq!(handle.raise(alert("kill", Severity::Critical)), Raised::Queued);
    assert_eq!(handle.raise(alert("kill", Severity::Critical)), Raised::Repeated);
    assert_eq!(handle.raise(alert("note", Severity::Info)), Raised::Unrouted);
    assert_eq!(handle.raise(alert("gap", Severity::Warning)), Raised::Queued);
    let report = handle.finish(PLENTY);
    let delivered = Delivery::Delivered { attempts: 1 };
    let unrouted = Delivery::Dropped { why: "no route takes this severity".to_owned() };
    let wanted =
        [("gap", "slack", &delivered), ("kill", "log", &delivered), ("kill", "slack", &delivered), ("note", "-", &unrouted)];
    assert_eq!(outcomes(&report), wanted);
    assert_eq!((report.repeated, report.rows_lost, report.undelivered().count()), (1, 0, 1));
    assert_eq!(server.stop().len(), 2);

    let line = serde_json::to_string(&report.rows[0]).unwrap();
    assert_eq!(serde_json::from_str::<tidegate::stage::alert::DeliveryRow>(&line).unwrap(), report.rows[0]);
    let next_run = dispatcher(vec![("log", Arc::new(Log))], report.dedup);
    assert_eq!(next_run.raise(alert("kill", Severity::Critical)), Raised::Repeated, "the next run remembers");
}

/// ALERT-1.
#[test]
fn a_slack_that_hangs_delays_nobody_and_the_end_only_until_its_deadline() {
    let server = Server::start(vec![Reply::Hang]);
    let timing = Timing { exchange_max: PLENTY, ..Timing::default() };
    let handle = dispatcher(vec![("slack", Arc::new(server.slack(timing))), ("log", Arc::new(Log))], Dedup::default());
    // More than the queue holds, all at once: `raise` is an ordinary function, so this loop is the core's view.
    let raised: Vec<Raised> = (0..3000).map(|i| handle.raise(alert(&format!("w{i:04}"), Severity::Warning))).collect();
    assert!(raised.iter().all(|r| *r == Raised::Queued));
    handle.raise(alert("kill", Severity::Critical));
    let report = handle.finish(Duration::from_millis(200));
    server.stop();

    let count = |wanted: fn(&Delivery) -> bool| report.rows.iter().filter(|row| wanted(&row.delivery)).count();
    let dropped = count(|d| matches!(d, Delivery::Dropped { why } if why == "1000 alerts were waiting"));
    let failed = count(|d| matches!(d, Delivery::Failed { .. }));
    // 3001 for Slack, of which 1000 wait and at most one is on its way; one for the log.
    assert_eq!(report.rows.len(), 3002);
    assert!((2000..=2001).contains(&dropped) && failed + dropped == 3001, "{dropped} dropped, {failed} failed");
    let kill: Vec<_> = outcomes(&report).into_iter().filter(|(key, ..)| *key == "kill").collect();
    assert_eq!(kill[0], ("kill", "log", &Delivery::Delivered { attempts: 1 }), "the other lane went on");
    assert_eq!(kill[1], ("kill", "slack", &Delivery::Failed { why: "the run ended".to_owned() }));
    let unconfirmed = Delivery::Failed { why: "the run ended before the receiver confirmed it".to_owned() };
    assert_eq!(report.rows.iter().filter(|row| row.delivery == unconfirmed).count(), 1);
}

#[test]
fn a_receiver_that_is_gone_is_asked_once() {
    let server = Server::start(vec![say("404 Not Found", "no_service")]);
    let handle = dispatcher(vec![("slack", Arc::new(server.slack(Timing::default())))], Dedup::default());
    for i in 0..5 {
        handle.raise(alert(&format!("w{i}"), Severity::Warning));
    }
    handle.raise(alert("kill", Severity::Critical));
    let report = handle.finish(PLENTY);
    let gone = Delivery::Failed { why: "the receiver answered 404 (no_service)".to_owned() };
    let absent = Delivery::Failed { why: "there is no such receiver".to_owned() };
    let seen = outcomes(&report);
    assert_eq!(seen.len(), 7);
    assert_eq!(seen[0], ("kill", "log", &absent));
    assert!(seen[1..].iter().all(|(_, receiver, delivery)| *receiver == "slack" && *delivery == &gone), "{seen:?}");
    assert_eq!(server.stop().len(), 1);
}

#[test]
fn a_receiver_without_its_secret_fails_alerts_and_nothing_else() {
    let config = tidegate::notify::ReceiverConfig::Slack { url: "env:SLACK_WEBHOOK_URL".parse().unwrap() };
    let secrets = Secrets::new(std::path::Path::new("/"), Box::new(|_| None), Keyring::none());
    let error = tidegate::notify::open(&config, &secrets).err().unwrap();
    let handle = dispatcher(vec![("slack", Arc::new(Unavailable::new(&error)))], Dedup::default());
    handle.raise(alert("gap", Severity::Warning));
    let report = handle.finish(PLENTY);
    let why = "the receiver is not available: env:SLACK_WEBHOOK_URL is not set".to_owned();
    assert_eq!(outcomes(&report), [("gap", "slack", &Delivery::Failed { why })]);
}

/// A receiver with a bug.
struct Broken;

impl Receiver for Broken {
    fn send<'a>(&'a self, _message: &'a Message) -> tidegate::notify::Sending<'a> {
        Box::pin(async { panic!("a bug in a receiver") })
    }
}

#[test]
fn a_bug_in_a_receiver_is_a_failure_of_its_alerts() {
    let handle = dispatcher(vec![("slack", Arc::new(Broken)), ("log", Arc::new(Log))], Dedup::default());
    handle.raise(alert("kill", Severity::Critical));
    let report = handle.finish(PLENTY);
    let why = "the run ended before the receiver confirmed it".to_owned();
    assert_eq!(
        outcomes(&report),
        [("kill", "log", &Delivery::Delivered { attempts: 1 }), ("kill", "slack", &Delivery::Failed { why })]
    );
}
