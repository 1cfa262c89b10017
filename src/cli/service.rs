//! `service print`: a unit for systemd that runs `start`, to be read and put in its place by a person.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::mode_of;
use super::names;
use super::output::Report;
use super::select::Select;

/// The loop tells systemd that it turns each few seconds; one that has not for so long is killed and started again.
const WATCHDOG_SECS: u32 = 30;
/// An order in doubt is asked about for a minute before the program ends.
const STOP_SECS: u32 = 90;
/// Started again so many times within five minutes, it stays down.
const STARTS_MAX: u32 = 5;
/// More memory than this is a leak of ours.
const MEMORY_MAX: &str = "1G";

/// Make a unit for a service manager.
#[derive(Debug, Args)]
pub struct ServiceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Print(Print),
}

const EXAMPLES: &str = "\
Examples:
  tidegate service print -p canary > ~/.config/systemd/user/tidegate-canary.service
  systemctl --user daemon-reload
  systemctl --user enable --now tidegate-canary

Secrets come from the environment: put them into the file that the unit names,
readable by its owner only, one NAME=VALUE a line.";

/// Print a unit for systemd that runs `start`.
///
/// It is started again after a crash, but not after an exit code that a person has to look at: a refusal, a wrong document, positions
/// that may be open. The watchdog is fed by the loop itself.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct Print {
    /// Pipelines: names of files in pipelines/, without .toml [default: the one the profile names].
    #[arg(value_name = "PIPELINE", add = names::pipelines())]
    pipelines: Vec<String>,
    #[command(flatten)]
    select: Select,
}

/// # Errors
/// The documents are wrong, or the program does not know where it lies.
pub fn run(args: &ServiceArgs, context: &Context) -> Result<Exit, Failure> {
    let Verb::Print(print) = &args.verb;
    let (profile, _, _) = print.select.load_pipeline(context, print.pipelines.first().map(String::as_str))?;
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    let root = context.root.canonicalize().with_context(|| format!("{} is not there", context.root.display()))?;
    let mut words = vec!["start".to_owned()];
    words.extend(print.pipelines.iter().cloned());
    words.extend(["--profile".to_owned(), profile.name().to_owned(), "--root".to_owned(), text(&root)?]);
    words.extend(print.select.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
    words.extend(print.select.paper.then(|| "--paper".to_owned()));
    let unit = unit(profile.name(), &program, &root, &words)?;
    let report = Report {
        verb: "service-print",
        profile: Some(profile.name().to_owned()),
        mode: Some(mode_of(&profile).to_owned()),
        data: json!({ "unit": unit }),
        text: unit,
        next: vec![format!("put it into ~/.config/systemd/user/tidegate-{}.service", profile.name())],
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn unit(profile: &str, program: &Path, root: &Path, words: &[String]) -> Result<String, Failure> {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let (program, line) = (quoted(&text(program)?), words.join(" "));
    let secrets: PathBuf = root.join("secrets").join(format!("{profile}.env"));
    // Codes after which nothing is mended by starting again: see the list of exit codes.
    let lasting = [Exit::Usage, Exit::Configuration, Exit::CheckFailed, Exit::Refused, Exit::PlanVoid, Exit::PositionsOpen];
    let lasting: Vec<String> = lasting.iter().map(|exit| exit.code().to_string()).collect();
    Ok(format!(
        "\
[Unit]
Description=tidegate, profile {profile}
After=network-online.target time-sync.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst={STARTS_MAX}

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} {line}
# One NAME=VALUE a line, mode 0600; the minus lets it be absent.
EnvironmentFile=-{secrets}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={}
WatchdogSec={WATCHDOG_SECS}
TimeoutStopSec={STOP_SECS}
MemoryMax={MEMORY_MAX}
LimitCORE=0
UMask=0077
NoNewPrivileges=true
PrivateTmp=true

[Install]
WantedBy=default.target
",
        lasting.join(" "),
        secrets = text(&secrets)?,
    ))
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains('\n'));
    Ok(text.ok_or_else(|| anyhow!("{} is no path that a unit can name", path.display()))?.to_owned())
}

/// A word as systemd reads it: quoted where it must be, `%` and `$` for themselves.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,%$".contains(c);
    if !escaped.is_empty() && escaped.chars().all(is_plain) { escaped } else { format!("\"{escaped}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_what_they_are() {
        assert_eq!(quoted("trend"), "trend");
        assert_eq!(quoted("/home/a b/x"), "\"/home/a b/x\"");
        assert_eq!(quoted("100%"), "100%%");
        assert_eq!(quoted("a\"b\\c$d"), "\"a\\\"b\\\\c$$d\"");
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn a_unit_says_what_is_started_and_when_not_again() {
        let words: Vec<String> = ["start", "trend", "--profile", "canary"].map(str::to_owned).to_vec();
        let unit = unit("canary", Path::new("/opt/tidegate"), Path::new("/srv/desk one"), &words).expect("plain paths");
        assert!(unit.contains("ExecStart=/opt/tidegate start trend --profile canary\n"), "{unit}");
        assert!(unit.contains("EnvironmentFile=-/srv/desk one/secrets/canary.env\n"), "{unit}");
        assert!(unit.contains("RestartPreventExitStatus=2 3 4 6 7 11\n"), "{unit}");
    }
}
