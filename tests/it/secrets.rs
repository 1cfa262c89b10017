//! A secret is planted wherever one may be, rightly or by mistake; then everything that came out is searched for it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use parquet::file::reader::{FileReader, SerializedFileReader};
use sha2::{Digest, Sha256};

use super::project::Project;

/// Nobody else writes this. Its signs are such that each encoding below changes it.
const CANARY: &str = "kQ7xVb2+mWz9RtLp4sD8f";
/// Any part of the secret of this length counts as the secret.
const WINDOW: usize = 8;
/// Shortly after the last bar of the busy pipeline, so that what happened near its end is news.
const AT: &str = "2025-03-03";

/// What the secret may look like when it has come out.
struct Search(BTreeSet<Vec<u8>>);

impl Search {
    fn new(secrets: &[&str]) -> Self {
        let mut needles = BTreeSet::new();
        let mut windows = |text: &str| {
            let bytes = text.to_lowercase().into_bytes();
            needles.extend(bytes.windows(WINDOW.min(bytes.len())).map(<[u8]>::to_vec));
        };
        let reversed: String = CANARY.chars().rev().collect();
        let percent: String = CANARY.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
        [CANARY, &reversed, &CANARY.replace('+', "%2b")].into_iter().for_each(&mut windows);
        needles.extend([percent.into_bytes(), hex.into_bytes()]);
        needles.insert(CANARY.to_lowercase().encode_utf16().flat_map(u16::to_le_bytes).collect());
        // The three ways in which a text can lie across the groups of base64; what depends on its neighbours is cut off.
        for skip in 0..3 {
            let inner = &CANARY.as_bytes()[skip..];
            needles.insert(base64(&inner[..inner.len() / 3 * 3]).to_lowercase().into_bytes());
        }
        for secret in secrets {
            let hash = Sha256::digest(secret.as_bytes());
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            needles.extend([hex.into_bytes(), base64(&hash).to_lowercase().into_bytes()]);
        }
        Self(needles)
    }

    /// Complains if `bytes` hold it.
    #[track_caller]
    fn assert_absent(&self, bytes: &[u8], whence: &str) {
        let lower = bytes.to_ascii_lowercase();
        // By their first bytes, so that long files are read once.
        let mut by_start: Vec<Vec<&[u8]>> = vec![Vec::new(); 1 << 16];
        for needle in &self.0 {
            by_start[usize::from(u16::from_be_bytes([needle[0], needle[1]]))].push(needle);
        }
        for (at, pair) in lower.windows(2).enumerate() {
            for needle in &by_start[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] {
                if lower[at..].starts_with(needle) {
                    let near = &bytes[at.saturating_sub(80)..(at + 80).min(bytes.len())];
                    panic!("the secret came out: {whence}\n…{}…", String::from_utf8_lossy(near));
                }
            }
        }
    }

    /// Searches every file below `folder`, as it lies there and, where it is packed, unpacked. Files of `planted` are left out.
    fn assert_no_file(&self, folder: &Path, planted: &[&str]) -> usize {
        let mut seen = 0;
        let mut left = vec![folder.to_owned()];
        while let Some(below) = left.pop() {
            for entry in fs::read_dir(&below).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    left.push(path);
                    continue;
                }
                self.assert_absent(name.as_bytes(), "in a file's name");
                if planted.contains(&name.as_str()) {
                    continue;
                }
                seen += 1;
                self.assert_absent(&fs::read(&path).unwrap(), &name);
                if name.ends_with(".parquet") {
                    self.assert_absent(unpacked(&path).as_bytes(), &format!("{name}, unpacked"));
                }
            }
        }
        seen
    }
}

/// Everything a Parquet file says, as text.
fn unpacked(path: &Path) -> String {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut text = format!("{:?}", reader.metadata().file_metadata());
    for row in reader.get_row_iter(None).unwrap() {
        text.push_str(&row.unwrap().to_string());
    }
    text
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        (0..=group.len()).map(move |at| char::from(SIGNS[bits >> (18 - 6 * at) & 63]))
    };
    bytes.chunks(3).flat_map(group).collect()
}

/// A receiver on this machine that answers each request with the same words.
struct Receiver {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<String>>,
    thread: JoinHandle<()>,
}

impl Receiver {
    fn start(reply: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<String>>::default());
        let (stopped, requests) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let mut bytes = vec![0; 1 << 16];
                let read = stream.read(&mut bytes).unwrap_or(0);
                requests.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
                let _gone = stream.write_all(reply.as_bytes());
            }
        });
        Self { address, stop, seen, thread }
    }

    /// What it was asked, after it has stopped.
    fn stop(self) -> String {
        self.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        self.thread.join().unwrap();
        Arc::into_inner(self.seen).unwrap().into_inner().unwrap()
    }
}

fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn address(host: SocketAddr) -> String {
    format!("http://{host}/services/{CANARY}")
}

/// A small project whose busy profile tells what happened, also when it happened some hours ago.
fn project() -> Project {
    let project = Project::new();
    let file = project.path().join("pipelines/busy.toml");
    let pipeline = fs::read_to_string(&file).unwrap();
    fs::write(&file, pipeline.replace("bars = 20000", "bars = 2000")).unwrap();
    let file = project.path().join("profiles/busy.toml");
    let profile = fs::read_to_string(&file).unwrap();
    fs::write(&file, profile.replace("[risk]\n", "[risk]\nmax_bar_age = \"30d\"\n")).unwrap();
    project
}

/// Every way to look at a project, in words and as JSON, with all that the libraries have to say.
fn look_everywhere(project: &Project, search: &Search, extra: &[&str], variables: &[(&str, &str)]) {
    let verbs: [&[&str]; 10] = [
        &["run", "-p", "busy", "--at", AT],
        &["replay", "-p", "busy", "--at", AT],
        &["check"],
        &["check", "-p", "busy", "--verbose"],
        &["config", "-p", "busy", "--origin"],
        &["explain", "alerts.receiver.slack.url", "-p", "busy"],
        &["explain", "alerts", "-p", "busy"],
        &["explain", "--all", "-p", "busy"],
        &["diff", "busy", "canary"],
        &["test"],
    ];
    for (at, verb) in verbs.into_iter().enumerate() {
        let form: &[&str] = if at % 2 == 0 { &["--json"] } else { &["--color", "always"] };
        let mut command = project.command(&[verb, extra, form].concat());
        command
            .envs(variables.iter().copied())
            .env("TIDEGATE_LOG", "trace")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        let output = command.output().unwrap();
        let code = output.status.code().unwrap_or(-1);
        assert!((0..=12).contains(&code), "{verb:?}: {}", String::from_utf8_lossy(&output.stderr));
        search.assert_absent(&output.stdout, &format!("stdout of {verb:?} {extra:?}"));
        search.assert_absent(&output.stderr, &format!("stderr of {verb:?} {extra:?}"));
    }
}

fn write_secret(project: &Project, secret: &str) {
    let folder = project.path().join("secrets");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("slack"), format!("{secret}\n")).unwrap();
    fs::set_permissions(folder.join("slack"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// The search finds what it is for; otherwise the tests below would prove nothing.
#[test]
fn the_search_finds_every_form() {
    let search = Search::new(&[CANARY]);
    let hash = Sha256::digest(CANARY.as_bytes());
    let forms = [
        format!("x{CANARY}x"),
        CANARY[5..14].to_owned(),
        CANARY.to_uppercase(),
        base64(format!("a{CANARY}").as_bytes()),
        base64(format!("ab{CANARY}xyz").as_bytes()),
        base64(CANARY.as_bytes()),
        hash.iter().map(|byte| format!("{byte:02X}")).collect(),
        CANARY.bytes().map(|byte| format!("%{byte:02X}")).collect(),
    ];
    for form in forms {
        assert!(std::panic::catch_unwind(|| search.assert_absent(form.as_bytes(), "here")).is_err(), "{form}");
    }
    search.assert_absent(b"nothing of the kind", "here");
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
}

/// SECRET-1, NOTIFY-3: from a variable and from a file, to a receiver that is well, and to all that are not.
#[test]
fn a_secret_in_use_leaves_no_trace() {
    let elsewhere = format!("location: /services/{CANARY}\r\n");
    let replies = [
        answer("200 OK", "", "ok"),
        answer("404 Not Found", "", &format!("no hook at /services/{CANARY}")),
        answer("307 Temporary Redirect", &elsewhere, ""),
        format!("no HTTP at all, but /services/{CANARY}\r\n\r\n"),
    ];
    for (at, reply) in replies.into_iter().enumerate() {
        let receiver = Receiver::start(reply);
        let secret = address(receiver.address);
        let search = Search::new(&[&secret, CANARY, &format!("/services/{CANARY}")]);
        let project = project();
        if at % 2 == 0 {
            look_everywhere(&project, &search, &[], &[("SLACK_WEBHOOK_URL", &secret)]);
        } else {
            write_secret(&project, &secret);
            look_everywhere(&project, &search, &["--set", "alerts.receiver.slack.url=file:secrets/slack"], &[]);
        }
        let seen = search.assert_no_file(project.path(), &["secrets/slack"]);
        assert!(seen > 20, "{seen} files: the run has left nothing to search");
        assert!(receiver.stop().contains(CANARY), "the secret was never used");
    }
}

/// The same while nobody listens, and with references that cannot be resolved although the secret is there.
#[test]
fn a_secret_that_fails_leaves_no_trace() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let secret = address(listener.local_addr().unwrap());
    drop(listener);
    let insecure = secret.replace("127.0.0.1", "192.0.2.1");
    let broken = format!("{secret} {secret}");
    let search = Search::new(&[&secret, CANARY, &insecure, &broken]);
    for value in [&secret, &insecure, &broken, CANARY] {
        let project = project();
        look_everywhere(&project, &search, &[], &[("SLACK_WEBHOOK_URL", value)]);
        assert!(search.assert_no_file(project.path(), &[]) > 20);
    }
    let project = project();
    write_secret(&project, &secret);
    fs::set_permissions(project.path().join("secrets/slack"), fs::Permissions::from_mode(0o644)).unwrap();
    look_everywhere(&project, &search, &["--set", "alerts.receiver.slack.url=file:secrets/slack"], &[]);
    assert!(search.assert_no_file(project.path(), &["secrets/slack"]) > 20);
}

/// References are listed with what is known of them, and `check` passes; what is refused as it is says what to do.
#[test]
fn check_lists_what_a_run_would_not_find() {
    let project = project();
    write_secret(&project, "https://example.org/x");
    let states = |reference: &str, variables: &[(&str, &str)]| {
        let set = format!("alerts.receiver.slack.url={reference}");
        let output = project.command(&["check", "-p", "busy", "--json", "--set", &set]).envs(variables.iter().copied()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let secrets = document["data"]["secrets"].as_array().unwrap().clone();
        secrets.into_iter().find(|secret| secret["key"] == "alerts.receiver.slack.url").unwrap()
    };
    assert_eq!(states("env:HOOK", &[("HOOK", "x")])["state"], "ok");
    let missing = states("env:HOOK", &[]);
    assert_eq!((&missing["state"], &missing["reference"]), (&"missing".into(), &"env:HOOK".into()));
    assert_eq!((&missing["why"], &missing["hint"]), (&"is not set".into(), &"set HOOK for the run".into()));
    assert_eq!(states("file:secrets/slack", &[])["state"], "ok");
    fs::set_permissions(project.path().join("secrets/slack"), fs::Permissions::from_mode(0o640)).unwrap();
    let refused = states("file:secrets/slack", &[]);
    assert_eq!((&refused["state"], &refused["hint"]), (&"refused".into(), &"chmod 600 secrets/slack".into()));

    let (told, _) = project.expect(0, &["check", "-p", "busy"]);
    let is_first = |line: &&str| !line.starts_with("secret    alerts.receiver.slack");
    let lines: Vec<&str> = told.lines().skip_while(is_first).take(3).collect();
    assert_eq!(
        lines,
        [
            "secret    alerts.receiver.slack.url = \"env:SLACK_WEBHOOK_URL\"  missing",
            "          profiles/base.toml:163: is not set; set SLACK_WEBHOOK_URL for the run",
            "secret    2 more belong to settings that are not in effect yet (--verbose)",
        ]
    );
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

/// PROFILE-4: a literal in a document, however it came there and whatever else is wrong with its line.
#[test]
fn a_literal_in_a_document_is_not_repeated() {
    let hook = format!("https://hooks.slack.com/services/T0/B0/{CANARY}");
    let search = Search::new(&[&hook, CANARY]);
    let slack = "[alerts.receiver.slack]\n";
    for secret in [hook.as_str(), CANARY] {
        let mistakes = [
            format!("{slack}url = \"{secret}\"\n"),
            format!("{slack}url = \"env:{secret}\"\n"),
            format!("{slack}url = {secret}\n"),
            format!("{slack}url = \"{secret}\n"),
            format!("{slack}url = '{secret}\" # {secret}\n"),
            format!("{slack}url = \"\"\"\n{secret}\n"),
            format!("{slack}url = \"{secret}\"\nurl = \"{secret}\"\n"),
            format!("{slack}url = [\"{secret}\"]\n"),
            format!("{slack}url = {{ value = \"{secret}\" }}\n"),
            format!("{slack}ulr = \"{secret}\"\n"),
            format!("{slack}token = \"{secret}\" oops\n"),
            format!("{slack}kind = \"{secret}\"\n"),
            format!("{slack}\"{secret}\" = 1\n"),
            format!("[alerts.receiver]\nslack = \"{secret}\"\n"),
            format!("[alerts.receivers]\nslack.url = \"{secret}\"\n"),
            format!("[alerts.receiver.\"{secret}\"]\nkind = \"slack\"\n"),
            format!("[alerts]\nreceiver = {{ slack = {{ url = \"{secret}\", }}\n"),
            format!("[alerts]\nreceiver.slack = {{ kind = 'slack', url = \"a,{secret},b\"\n"),
            format!("[venue.binance]\napi_secret = \"{secret}\"\napi_key = {secret}\n"),
            format!("[risk]\nsymbols = [\"{secret}\"]\non_unresolved = \"{secret}\"\n"),
            format!("[limits]\nmax_open_orders = \"{secret}\"\nlatency_threshold = \"{secret}\"\n"),
            format!("[alerts.route.critical]\nreceivers = [\"{secret}\"]\n"),
        ];
        for mistake in mistakes {
            let project = Project::new();
            let profile = format!("[profile]\ninherits = \"base\"\npipeline = \"busy\"\n{mistake}");
            fs::write(project.path().join("profiles/busy.toml"), &profile).unwrap();
            let output = project.call(&["check", "-p", "busy"]);
            assert_eq!(output.status.code(), Some(3), "nothing is wrong with:\n{profile}");
            look_everywhere(&project, &search, &[], &[]);
            search.assert_no_file(project.path(), &["profiles/busy.toml"]);
        }
    }
}

/// PROFILE-4: the same in a pipeline and in a case, which sets keys of both.
#[test]
fn a_literal_in_another_document_is_not_repeated() {
    let hook = format!("https://hooks.slack.com/services/T0/B0/{CANARY}");
    let search = Search::new(&[&hook, CANARY]);
    for secret in [hook.as_str(), CANARY] {
        let project = Project::new();
        let pipeline = project.path().join("pipelines/busy.toml");
        let text = fs::read_to_string(&pipeline).unwrap();
        fs::write(&pipeline, format!("{text}url = \"{secret}\"\nsymbols = [\"{secret}\"]\nparams = \"{secret}\"\n")).unwrap();
        let case = project.path().join("tests/cases/leak/case.toml");
        fs::create_dir_all(case.parent().unwrap()).unwrap();
        let set = format!("\"alerts.receiver.slack.url\" = \"{secret}\"\n\"slack.url\" = \"{secret}\"\n");
        fs::write(&case, format!("profile = \"busy\"\npipeline = \"demo\"\nurl = \"{secret}\"\n[set]\n{set}")).unwrap();
        look_everywhere(&project, &search, &[], &[]);
        search.assert_no_file(project.path(), &["pipelines/busy.toml", "tests/cases/leak/case.toml"]);
    }
}

/// PROFILE-4: the same on the command line and in the environment.
#[test]
fn a_literal_beside_the_documents_is_not_repeated() {
    let hook = format!("https://hooks.slack.com/services/T0/B0/{CANARY}");
    let search = Search::new(&[&hook, CANARY]);
    for secret in [hook.as_str(), CANARY] {
        let keys =
            ["alerts.receiver.slack.url", "alerts.receiver.slack.ulr", "alerts.recever.slack.url", "slack.url", "risk.symbols"];
        for key in keys {
            let project = Project::new();
            look_everywhere(&project, &search, &["--set", &format!("{key}={secret}")], &[]);
            look_everywhere(&project, &search, &["--set", &format!("{key} {secret}")], &[]);
            let variable = format!("TIDEGATE__{}", key.to_uppercase().replace('.', "__"));
            look_everywhere(&project, &search, &[], &[(&variable, secret)]);
            search.assert_no_file(project.path(), &[]);
        }
    }
}
