//! What a preflight says: a line a check, then GO or NO-GO and the next command.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::live::mode_of;
use crate::cli::output::{BOLD, GREEN, RED, Report, YELLOW};
use crate::cli::table::wrapped;
use crate::cli::work::Workplace;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Span, Time};
use crate::profile::Mode;
use crate::runner::preflight::{Bound, Finding, Lack, Record, RecordError, Verdict, Why};

/// Where the words of a check begin, and how wide they may be.
const INDENT: usize = 18;
const WIDTH: usize = 50;

/// What was just seen, and what that leaves of the whole.
pub(super) fn made(
    context: &Context,
    place: &Workplace,
    record: &Record,
    wanted: &[&String],
    names: &[String],
    undeclared: Vec<Lack>,
) -> Exit {
    let mut lacks = undeclared;
    lacks.extend(record.lacks(names, &record.bound, SystemClock.now()));
    let is_part = wanted.len() < names.len();
    let counts = |lack: &&Lack| !is_part || wanted.iter().any(|name| **name == lack.check);
    let bad = lacks.iter().filter(counts).filter(|lack| blocks(place, lack)).count();
    let exit = if bad == 0 { Exit::Done } else { Exit::CheckFailed };
    let mut report = report(context, place, Some(record), &record.bound, &lacks);
    let shown = names.iter().filter(|name| wanted.contains(name));
    shown
        .filter_map(|name| record.findings.get_key_value(name))
        .for_each(|(name, finding)| line(&mut report.text, name, finding));
    verdict(&mut report, place, &lacks, names.len(), is_part);
    report.print(context, exit)
}

/// What was seen before.
pub(super) fn status(
    context: &Context,
    place: &Workplace,
    kept: Option<&Record>,
    why_not: Option<&RecordError>,
    names: &[String],
    undeclared: Vec<Lack>,
    bound: &Bound,
) -> Exit {
    let mut lacks = undeclared;
    match kept {
        Some(record) => lacks.extend(record.lacks(names, bound, SystemClock.now())),
        None => lacks.extend(names.iter().map(|name| Lack { check: name.clone(), why: Why::NotMade })),
    }
    let mut report = report(context, place, kept, bound, &lacks);
    for name in names {
        match kept.and_then(|record| record.findings.get(name)) {
            Some(finding) => line(&mut report.text, name, finding),
            None => report.text.push_str(&format!(" -     {name:<9}  not made\n")),
        }
    }
    if let Some(error) = why_not {
        report.warnings.push(error.to_string());
    }
    verdict(&mut report, place, &lacks, names.len(), false);
    let is_go = !lacks.iter().any(|lack| blocks(place, lack));
    report.print(context, if is_go { Exit::Done } else { Exit::CheckFailed })
}

/// On paper a check that could not be asked, and a kind that is not declared, keep nobody.
fn blocks(place: &Workplace, lack: &Lack) -> bool {
    let is_skipped = matches!(lack.why, Why::NotDeclared | Why::NotGood { verdict: Verdict::Skip, .. });
    place.profile.mode() == Mode::Live || !is_skipped
}

fn report(context: &Context, place: &Workplace, record: Option<&Record>, bound: &Bound, lacks: &[Lack]) -> Report {
    let mode = mode_of(&place.profile);
    let suffix = record.map(|record| record.suffix.as_str()).filter(|suffix| !suffix.is_empty());
    let account = suffix.map_or_else(String::new, |suffix| format!(" · account ····{suffix}"));
    let venue = place.profile.venue().name();
    Report {
        verb: "preflight",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(mode.to_owned()),
        data: json!({
            "go": lacks.is_empty(),
            "pipeline": place.plan.name(),
            "bound": record.map(|record| &record.bound),
            "wanted": bound,
            "account_suffix": suffix,
            "checks": record.map(|record| record.findings.iter().map(|(name, finding)| check_json(name, finding)).collect::<Vec<_>>()),
            "lacks": lacks.iter().map(|lack| json!({ "check": lack.check, "why": lack.why.to_string() })).collect::<Vec<_>>(),
            "at": context.clock.now().to_string(),
        }),
        text: format!("Preflight {} with {} · {mode} · {venue}{account}\n\n", place.profile.name(), place.plan.name()),
        ..Report::default()
    }
}

fn check_json(name: &str, finding: &Finding) -> Json {
    json!({
        "name": name,
        "verdict": finding.verdict,
        "said": finding.said,
        "fix": finding.fix,
        "at": finding.at.to_string(),
        "seconds": finding.took.as_secs_f64(),
        "valid_until": finding.valid_until.to_string(),
    })
}

/// ` ok    data       2 symbols, 30d, 1,440 of 1,440 bars   valid 59m`.
fn line(text: &mut String, name: &str, finding: &Finding) {
    let style = match finding.verdict {
        Verdict::Ok => GREEN,
        Verdict::Warn | Verdict::Skip => YELLOW,
        Verdict::Fail => RED,
    };
    let mut lines = wrapped(&finding.said, WIDTH).into_iter();
    let valid = if finding.verdict.is_good() { left(finding.valid_until, SystemClock.now()) } else { String::new() };
    let first = lines.next().unwrap_or_default();
    let mut row = format!(" {style}{:<4}{style:#}  {name:<9}  {first:<WIDTH$} {valid:>10}", finding.verdict.word());
    row.truncate(row.trim_end().len());
    let _ = writeln!(text, "{row}");
    for line in lines {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
    for (at, line) in finding.fix.iter().flat_map(|fix| wrapped(fix, WIDTH + 6)).enumerate() {
        let _ = writeln!(text, "{:INDENT$}{}{line}", "", if at == 0 { "fix: " } else { "     " });
    }
}

/// How long something still counts.
fn left(until: Time, now: Time) -> String {
    let minutes = (until - now).micros().max(0) / Span::from_secs(60).micros();
    match minutes {
        0 if until <= now => "expired".to_owned(),
        0..60 => format!("valid {}m", minutes.max(1)),
        60..2880 => format!("valid {}h", minutes / 60),
        _ => format!("valid {}d", minutes / 1440),
    }
}

fn verdict(report: &mut Report, place: &Workplace, lacks: &[Lack], of: usize, is_part: bool) {
    let name = place.profile.name();
    let blocking: Vec<&Lack> = lacks.iter().filter(|lack| blocks(place, lack)).collect();
    let skipped = lacks.len() - blocking.len();
    report.text.push('\n');
    report.text.push_str(&match (blocking.len(), skipped) {
        (0, 0) => format!("{BOLD}GO{BOLD:#}: {of} of {of} good. Nothing was traded.\n"),
        (0, skipped) => format!("{BOLD}GO{BOLD:#}, on paper: {skipped} of {of} could not be asked. Nothing was traded.\n"),
        (bad, _) => format!("{RED}NO-GO{RED:#}: {bad} of {of} not good. Nothing was traded.\n"),
    });
    let others: Vec<&str> = blocking.iter().map(|lack| lack.check.as_str()).collect();
    if is_part && !others.is_empty() {
        wrapped(&format!("missing: {}", others.join(", ")), 78)
            .iter()
            .for_each(|line| report.text.push_str(&format!("{line}\n")));
    }
    for lack in blocking.iter().filter(|lack| matches!(lack.why, Why::Other(_) | Why::NotDeclared)) {
        report.warnings.push(format!("{}: {}", lack.check, lack.why));
    }
    let pipeline = if place.plan.name() == place.profile.pipeline() { String::new() } else { format!(" {}", place.plan.name()) };
    match blocking.as_slice() {
        [] if place.profile.mode() == Mode::Live => {
            report.next.push(format!("tidegate run{pipeline} -p {name} --confirm SUFFIX"));
        }
        [] => report.next.push(format!("tidegate run{pipeline} -p {name}")),
        [one] => report.next.push(format!("tidegate preflight{pipeline} -p {name} --only {}", one.check)),
        _ => report.next.push(format!("tidegate preflight{pipeline} -p {name}")),
    }
}
