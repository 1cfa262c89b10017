//! The report of `from-env` for people.

use std::fmt::Write;

use super::Told;
use super::proof::{Comparison, is_allowance};
use crate::cli::output::{BOLD, GREEN, RED, YELLOW};
use crate::cli::table::Table;
use crate::profile::bounds::plain;
use crate::profile::difference::{Difference, Side};
use crate::profile::value::Value;

/// Lines that are not understood and shown; a script may have thousands.
const STRANGE_MAX: usize = 20;

/// The last part of a path, without what could break a comment.
pub fn file_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

pub fn text(told: &Told<'_>) -> String {
    let mut text = String::new();
    mapping(told, &mut text);
    secrets(told, &mut text);
    unmapped(told, &mut text);
    strange(told, &mut text);
    proof(told, &mut text);
    if let Some(comparison) = &told.comparison {
        compared(comparison, told.is_proven, &mut text);
    }
    ending(told, &mut text);
    text
}

fn mapping(told: &Told<'_>, text: &mut String) {
    let mut table = Table::new(&["line#", "variable", "value", "becomes"]);
    for one in &told.translation.mapped {
        let becomes = format!("{} = {}", one.row.key, one.value);
        table.row([one.line.to_string(), one.row.name.to_owned(), one.text.clone(), becomes]);
    }
    text.push_str(&table.render());
}

fn secrets(told: &Told<'_>, text: &mut String) {
    if told.translation.secrets.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{BOLD}secrets{BOLD:#}: keep their values out of the project; the profile only names them");
    for ((row, line), (path, reference, _)) in told.translation.secrets.iter().zip(&told.draft.references) {
        let has_key = told.draft.profile.effective().entry(path).is_some();
        let becomes = if has_key { format!("{path} = \"{reference}\"") } else { format!("{path} has no table here: left out") };
        let _ = writeln!(text, "{line:>4}  {:<20}  {becomes}", row.name);
    }
}

fn unmapped(told: &Told<'_>, text: &mut String) {
    if told.translation.unmapped.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{BOLD}no key here{BOLD:#}: left out, values not shown");
    for one in &told.translation.unmapped {
        let hint = match one.near {
            Some(near) => format!("  {YELLOW}did you mean {near}?{YELLOW:#}"),
            None if one.is_secretive => "  may be a secret".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(text, "{:>4}  {}{hint}", one.line, one.name);
    }
}

fn strange(told: &Told<'_>, text: &mut String) {
    let strange = &told.translation.strange;
    if strange.is_empty() {
        return;
    }
    let doubts: Vec<usize> = told.translation.doubts().map(|(first, ..)| *first).collect();
    let _ = writeln!(text, "\n{BOLD}not understood{BOLD:#}, and not run");
    // Those that may set a limit first: they decide.
    let (grave, harmless): (Vec<_>, Vec<_>) = strange.iter().partition(|(first, ..)| doubts.contains(first));
    for (first, last, strange) in grave.iter().chain(&harmless).take(STRANGE_MAX) {
        let lines = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let mark = if doubts.contains(first) { format!("  {RED}may set a limit{RED:#}") } else { String::new() };
        let _ = writeln!(text, "{lines:>4}  {}{mark}", strange.why);
    }
    if strange.len() > STRANGE_MAX {
        let _ = writeln!(text, "      … and {} more; --json has all", strange.len() - STRANGE_MAX);
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "-".to_owned(), plain)
}

fn proof(told: &Told<'_>, text: &mut String) {
    let _ = writeln!(text, "\n{BOLD}proof{BOLD:#}: what the script demands, what the profile resolves to");
    let mut table = Table::new(&["key", "script#", "profile#", ""]);
    for row in told.rows {
        let name = row.path.to_string();
        let name = name.strip_prefix("limits.").unwrap_or(&name).to_owned();
        let verdict = match row.is_equal() {
            Some(true) => "equal".to_owned(),
            Some(false) => "DIFFERS".to_owned(),
            None => row.origin.clone(),
        };
        table.row([name, shown(row.demanded.as_ref().map(|(value, _)| value)), shown(row.effective.as_ref()), verdict]);
    }
    for line in table.render().lines() {
        let _ = writeln!(text, "  {line}");
    }
    let demanded = told.rows.iter().filter(|row| row.demanded.is_some()).count();
    let equal = told.rows.iter().filter(|row| row.is_equal() == Some(true)).count();
    let count = told.translation.doubts().count();
    let lines = if count == 1 { "1 line that is" } else { "lines that are" };
    let number = if count > 1 { format!("{count} ") } else { String::new() };
    let _ = match (told.is_proven, count) {
        (true, _) => writeln!(text, "{GREEN}proven{GREEN:#}: {equal} of {demanded} equal"),
        (false, 0) => writeln!(text, "{RED}NOT EQUAL{RED:#}: {equal} of {demanded} equal"),
        (false, _) => writeln!(text, "{RED}NOT PROVEN{RED:#}: {number}{lines} not understood may set a limit"),
    };
}

fn compared(comparison: &Comparison, is_proven: bool, text: &mut String) {
    let with = format!("profiles/{}.toml", comparison.with);
    let (allowed, apart): (Vec<&Difference>, Vec<&Difference>) =
        comparison.differing.iter().partition(|one| is_allowance(&one.path));
    if allowed.is_empty() {
        let so_far = if is_proven { "" } else { ", as far as it is understood" };
        let _ = writeln!(text, "{GREEN}equal{GREEN:#} to {with}{so_far}: all {} limits, and every cap,", comparison.limits);
        let _ = writeln!(text, "  floor and risk rule, {} values in all", comparison.allowed);
    } else {
        let _ = writeln!(text, "{YELLOW}not equal{YELLOW:#} to {with}:");
        differences(&allowed, &comparison.with, text);
    }
    if !apart.is_empty() {
        let _ = writeln!(text, "apart from what is allowed, it differs from {}:", comparison.with);
        differences(&apart, &comparison.with, text);
    }
}

fn differences(list: &[&Difference], with: &str, text: &mut String) {
    let value = |side: &Side| side.value.as_ref().map_or_else(|| "a table".to_owned(), ToString::to_string);
    let written = |side: &Option<Side>| side.as_ref().map_or_else(|| "nothing".to_owned(), value);
    let wide = list.iter().map(|one| one.path.to_string().chars().count()).max().unwrap_or(0);
    for one in list {
        let (path, sign) = (one.path.to_string(), one.class.sign());
        let _ = writeln!(text, "  {sign} {path:<wide$}  {} here, {} in {with}", written(&one.after), written(&one.before));
    }
}

fn ending(told: &Told<'_>, text: &mut String) {
    if told.written.is_some() {
        let _ = writeln!(text, "\n{GREEN}wrote{GREEN:#} {BOLD}{}{BOLD:#}", told.draft.shown);
        return;
    }
    let _ = writeln!(text, "\n{}, not written:\n", told.draft.shown);
    for line in told.draft.text.lines() {
        let _ = if line.is_empty() { writeln!(text) } else { writeln!(text, "  {line}") };
    }
}
