//! `tidegate doctor`: is this machine fit to trade on?

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::output::{BOLD, GREEN, RED, Report, YELLOW};
use super::preflight::{DISK_FLOOR, complaint, free_bytes};
use super::table::wrapped;
use crate::domain::Span;
use crate::feed::binance::{Address, Http, Reach, RestClient, Service};

const EXAMPLES: &str = "\
Examples:
  tidegate doctor
  tidegate doctor --online

Exit 0: fit. Exit 4: something has to be mended first.";

/// Files and sockets that a program of many symbols may need at once.
const OPEN_FILES: u64 = 1024;
/// Our clock may be this far from the venue's before orders are refused.
const SKEW_MAX: Span = Span::from_millis(250);
/// Where systems keep the certificates that they trust.
const ROOTS: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"];
const GIB: f64 = (1_u64 << 30) as f64;

/// Look at the machine: clock, disk, permissions, certificates, time zones, limits; nothing of a profile.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Doctor {
    /// Ask the venue too: whether it is reached, and what its clock says.
    #[arg(long)]
    online: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What was found: a state, what was seen, and what to do about it.
type Found = (State, String, &'static str);

impl Doctor {
    /// # Errors
    /// Never: what is wrong is part of what is told.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let context = &context.in_real_time();
        let mut found = vec![
            ("clock", clock()),
            ("disk", disk(&context.root)),
            ("folders", folders(&context.root)),
            ("tls", tls()),
            ("zones", zones()),
            ("files", files()),
            ("core", core()),
        ];
        if self.online {
            found.push(("venue", venue(context)));
        }
        Ok(told(context, &found))
    }
}

/// Whether something keeps the clock right. Only a comparison says that it is (`--online`).
fn clock() -> Found {
    let mend = "install chrony or turn on systemd-timesyncd; `--online` compares with the venue";
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return (State::Ok, "kept by systemd-timesyncd".to_owned(), "");
    }
    let asked = Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).stdin(Stdio::null()).output();
    match asked.ok().filter(|output| output.status.success()).map(|output| output.stdout) {
        Some(said) if said.starts_with(b"yes") => return (State::Ok, "synchronized, says timedatectl".to_owned(), ""),
        Some(said) if said.starts_with(b"no") => {
            return (State::Fail, "NOT synchronized, says timedatectl".to_owned(), mend);
        }
        _ => {}
    }
    let daemons = [("/run/chrony/chronyd.pid", "chronyd"), ("/run/chronyd.pid", "chronyd"), ("/run/ntpd.pid", "ntpd")];
    match daemons.into_iter().find(|(path, _)| Path::new(path).exists()) {
        Some((_, name)) => (State::Ok, format!("{name} runs"), ""),
        None => (State::Warn, "nobody says whether it is kept by NTP".to_owned(), mend),
    }
}

fn disk(root: &Path) -> Found {
    let Some(free) = free_bytes(&root.join(super::of_profile::RUNS)) else {
        return (State::Fail, "cannot be asked for its room".to_owned(), "look at the disk");
    };
    let said = format!("{:.1} GiB free where runs are kept, at least {:.0} GiB", free as f64 / GIB, DISK_FLOOR as f64 / GIB);
    if free >= DISK_FLOOR { (State::Ok, said, "") } else { (State::Fail, said, "make room") }
}

/// Whoever may write profiles or records may move money.
fn folders(root: &Path) -> Found {
    let ours = rustix::process::geteuid().as_raw();
    let mut paths: Vec<PathBuf> = ["profiles", "pipelines", "secrets"].iter().map(|name| root.join(name)).collect();
    let runs = root.join(super::of_profile::RUNS);
    paths.extend(std::fs::read_dir(&runs).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()));
    paths.push(runs);
    let (mut count, mut wrong) = (0, None);
    for path in paths {
        let Ok(found) = std::fs::metadata(&path) else { continue };
        count += 1;
        if let Some(why) = complaint(&found, ours) {
            wrong.get_or_insert(format!("{}: {why}", path.strip_prefix(root).unwrap_or(&path).display()));
        }
    }
    match wrong {
        None => (State::Ok, format!("{count} looked at, only this user may write them"), ""),
        Some(wrong) => (State::Fail, wrong, "chmod go-w, or chown to the user that trades"),
    }
}

fn tls() -> Found {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let place = named.into_iter().chain(ROOTS.map(PathBuf::from)).find(|path| path.is_file());
    let Some(path) = place else {
        return (State::Fail, "no file of trusted certificates is where systems keep one".to_owned(), "install ca-certificates");
    };
    let text = std::fs::read(&path).unwrap_or_default();
    let count = String::from_utf8_lossy(&text).matches("-----BEGIN CERTIFICATE-----").count();
    let said = format!("{count} trusted roots in {}", path.display());
    if count > 0 { (State::Ok, said, "") } else { (State::Fail, said, "install ca-certificates") }
}

fn zones() -> Found {
    let count = jiff::tz::db().available().count();
    match jiff::tz::TimeZone::get("Europe/Berlin") {
        Ok(_) => (State::Ok, format!("{count} time zones"), ""),
        Err(error) => (State::Fail, error.to_string(), "install tzdata"),
    }
}

fn files() -> Found {
    let limit = getrlimit(Resource::Nofile).current;
    let said =
        limit.map_or_else(|| "no limit of open files".to_owned(), |limit| format!("{limit} open files, at least {OPEN_FILES}"));
    if limit.is_none_or(|limit| limit >= OPEN_FILES) {
        (State::Ok, said, "")
    } else {
        (State::Warn, said, "raise it: ulimit -n 4096, LimitNOFILE= in a unit")
    }
}

/// I9: a dump of memory holds keys.
fn core() -> Found {
    match getrlimit(Resource::Core).current {
        Some(0) => (State::Ok, "no dumps of memory, which holds keys".to_owned(), ""),
        limit => {
            let size = limit.map_or_else(|| "of any size".to_owned(), |bytes| format!("up to {bytes} bytes"));
            (State::Warn, format!("dumps of memory {size} are allowed, and it holds keys"), "ulimit -c 0, LimitCORE=0 in a unit")
        }
    }
}

/// Public data, without a key.
fn venue(context: &Context) -> Found {
    let reach = Reach::new(context.clock.clone(), Arc::new(AtomicBool::new(false)));
    let address = Address::default_of(Service::Market);
    let asked = || -> Result<Span, crate::feed::binance::BinanceError> {
        let http = Http::open(&address, &reach)?;
        let client = RestClient::open(&http, &context.root.join("data/lake"))?;
        Ok(client.offset())
    };
    let mend = "see whether a firewall or a proxy lies between";
    match asked() {
        Ok(offset) => {
            let size = Span::from_micros(offset.micros().abs());
            let said = format!(
                "{} is reached; its clock is {:.0} ms off, at most {SKEW_MAX}",
                address.as_str(),
                size.as_secs_f64() * 1000.0
            );
            if size <= SKEW_MAX { (State::Ok, said, "") } else { (State::Fail, said, "set the machine's clock by NTP") }
        }
        Err(error) => (State::Fail, format!("{}: {error}", address.as_str()), mend),
    }
}

fn told(context: &Context, found: &[(&'static str, Found)]) -> Exit {
    let mut report = Report { verb: "doctor", text: format!("{BOLD}This machine{BOLD:#}\n\n"), ..Report::default() };
    let mut rows = Vec::new();
    for (name, (state, said, mend)) in found {
        let (word, style) = match state {
            State::Ok => ("ok", GREEN),
            State::Warn => ("warn", YELLOW),
            State::Fail => ("fail", RED),
        };
        let mut lines = wrapped(said, 62).into_iter();
        report.text.push_str(&format!(" {style}{word:<4}{style:#}  {name:<8}  {}\n", lines.next().unwrap_or_default()));
        lines.for_each(|line| report.text.push_str(&format!("{:17}{line}\n", "")));
        if !mend.is_empty() {
            wrapped(&format!("fix: {mend}"), 62).iter().for_each(|line| report.text.push_str(&format!("{:17}{line}\n", "")));
        }
        rows.push(json!({ "name": name, "state": word, "said": said, "fix": Some(mend).filter(|mend| !mend.is_empty()) }));
    }
    let count = |wanted: State| found.iter().filter(|(_, (state, ..))| *state == wanted).count();
    let (fails, warns) = (count(State::Fail), count(State::Warn));
    report.text.push_str(&match (fails, warns) {
        (0, 0) => "\nFit to trade on.\n".to_owned(),
        (0, warns) => format!("\nFit to trade on; {warns} to look at.\n"),
        (fails, _) => format!("\nNot fit to trade on: {fails} to mend.\n"),
    });
    report.data = json!({ "checks": rows, "fit": fails == 0 });
    report.print(context, if fails == 0 { Exit::Done } else { Exit::CheckFailed })
}
