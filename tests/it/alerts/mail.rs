//! Mail to a real server, which is well, greylists, refuses, has lost its TLS, is somebody else, or falls silent.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tidegate::notify::config::SmtpConfig;
use tidegate::notify::smtp::Smtp;
use tidegate::notify::{NotifyError, Timing};

use super::{Delivered, Desk, PLENTY, Severity, alert, outcomes, send};
use crate::python;

/// An authority made for the test, and a server's certificate by it.
pub struct Papers {
    folder: tempfile::TempDir,
}

impl Papers {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &str| {
            let output = Command::new("openssl").args(args.split(' ')).current_dir(folder.path()).output();
            let output = output.expect("openssl makes the certificates of this test");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ours");
        run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.csr -subj /CN=localhost");
        std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        run("x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem -extfile names");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A mail server; it dies with this.
pub struct Mailer {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    pub port: u16,
}

impl Mailer {
    /// `None`, said aloud, where there is no Python for it.
    pub fn start(papers: &Papers, manner: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/alerts/smtpd.py");
        let mut command = Command::new(python::interpreter()?);
        command.arg(script).arg(papers.path("cert.pem")).arg(papers.path("key.pem")).arg(manner);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Some(Self { child, lines, port: port.trim().parse().expect("the server says its port") })
    }

    fn smtp(&self, papers: &Papers, timing: Timing) -> Smtp {
        let authority = std::fs::read(papers.path("ca.pem")).unwrap();
        Smtp::trusting(&self.config(), &secret("user"), &secret("hunter2"), timing, Some(&authority)).unwrap()
    }

    fn config(&self) -> SmtpConfig {
        SmtpConfig {
            host: "localhost".to_owned(),
            port: self.port,
            from: "tidegate@example.org".to_owned(),
            to: vec!["oncall@example.org".to_owned()],
            user: "env:SMTP_USER".parse().unwrap(),
            password: "env:SMTP_PASSWORD".parse().unwrap(),
        }
    }

    /// The next mail that was taken.
    pub fn mail(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// NOTIFY-2 and NOTIFY-6.
#[test]
fn a_mail_goes_over_tls_and_is_one_mail() {
    let papers = Papers::new();
    let Some(mut mailer) = Mailer::start(&papers, "well") else { return };
    assert_eq!(send(&mailer.smtp(&papers, Timing::default())), Ok(()));
    let mail = mailer.mail();
    assert_eq!((mail["tls"].as_bool(), mail["to"][0].as_str()), (Some(true), Some("oncall@example.org")));
    let content = mail["content"].as_str().unwrap();
    assert!(content.contains("Subject: [tidegate] CRITICAL kill switch <!channel>"), "{content}");
    assert!(content.contains("Message-ID: <m-1@example.org>"), "{content}");
}

/// G1. NOTIFY-6.
#[test]
fn a_mail_server_that_is_not_well() {
    let papers = Papers::new();
    let quick = Timing { connect_max: Duration::from_secs(2), exchange_max: Duration::from_secs(3) };
    for (manner, expected) in [
        ("greylist", NotifyError::Passing { what: "the mail server answered 450".to_owned(), after: None }),
        ("refuse", NotifyError::Refused { status: 550, word: "the mail server refuses it" }),
        ("hang", NotifyError::Passing { what: "it did not answer in time".to_owned(), after: None }),
    ] {
        let Some(mailer) = Mailer::start(&papers, manner) else { return };
        assert_eq!(send(&mailer.smtp(&papers, quick)), Err(expected), "{manner}");
    }
    let Some(stripped) = Mailer::start(&papers, "stripped") else { return };
    let error = send(&stripped.smtp(&papers, quick)).unwrap_err();
    assert!(matches!(error, NotifyError::NoTls { .. }) && error.is_for_good(), "no TLS, no mail: {error:?}");
    let down = Mailer::start(&papers, "well").unwrap().smtp(&papers, quick);
    let error = send(&down).unwrap_err();
    let NotifyError::Passing { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("refused"), "{what}");
}

/// G1. NOTIFY-6.
#[test]
fn a_server_with_a_strangers_certificate_gets_nothing() {
    let papers = Papers::new();
    let Some(mailer) = Mailer::start(&papers, "well") else { return };
    let smtp = Smtp::new(&mailer.config(), &secret("user"), &secret("hunter2"), Timing::default()).unwrap();
    let error = send(&smtp).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error:?}");
    let wrong = SmtpConfig { host: "127.0.0.1".to_owned(), ..mailer.config() };
    let authority = std::fs::read(papers.path("ca.pem")).unwrap();
    let smtp = Smtp::trusting(&wrong, &secret("user"), &secret("hunter2"), Timing::default(), Some(&authority)).unwrap();
    assert!(send(&smtp).is_err(), "the certificate is another host's");
}

/// G1: the queue on disk tries again, and the other receiver has it meanwhile.
#[test]
fn a_greylisted_mail_is_tried_again_and_the_other_receiver_told() {
    let papers = Papers::new();
    let Some(mut mailer) = Mailer::start(&papers, "greylist") else { return };
    let mut desk = Desk::new(vec![
        ("slack", Arc::new(mailer.smtp(&papers, Timing::default()))),
        ("log", Arc::new(tidegate::notify::log::Log)),
    ]);
    desk.fallback = Some("log".to_owned());
    let handle = desk.start();
    handle.raise(&alert("gap", Severity::Warning));
    let report = handle.finish(PLENTY);
    assert_eq!(outcomes(&report), [("gap", "log", Delivered), ("gap", "slack", Delivered)]);
    assert_eq!(report.rows.iter().find(|row| row.receiver == "slack").unwrap().tries, 2);
    assert!(mailer.mail()["content"].as_str().unwrap().contains("WARNING gap"));
}
