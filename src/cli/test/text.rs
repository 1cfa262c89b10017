//! How verdicts read, at 80 columns.

use std::fmt::Write;

use crate::cli::output::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::runner::case::compare::{Difference, Why};
use crate::runner::case::verdict::Failure;
use crate::runner::case::{CaseVerdict, GoldenVerdict, State, StepVerdict};

use super::review::Reviewed;

const WIDTH: usize = 80;
/// Rows that differ, shown of one golden; more are counted. A review can show all.
pub const ROWS_SHOWN_MAX: usize = 10;
/// Cells shown of a row that came or went.
const CELLS_SHOWN_MAX: usize = 8;

/// `12 cases  10 ok  1 changed  1 new        2.4 s, clock frozen, no network`.
pub fn head(verdicts: &[CaseVerdict], took: f64) -> String {
    let plural = if verdicts.len() == 1 { "case" } else { "cases" };
    let mut line = format!("{BOLD}{} {plural}{BOLD:#}", verdicts.len());
    for state in State::ALL {
        let count = verdicts.iter().filter(|verdict| verdict.state() == state).count();
        if count > 0 {
            let _ = write!(line, "  {count} {}", painted(state));
        }
    }
    format!("{line}   {DIM}{took:.1} s, clock frozen, nothing contacted{DIM:#}\n")
}

fn painted(state: State) -> String {
    let style = match state {
        State::Ok => GREEN,
        State::New => YELLOW,
        State::Changed | State::Failed => RED,
    };
    format!("{style}{}{style:#}", state.name())
}

/// All that is not right with a case; nothing when it passes.
pub fn case(verdict: &CaseVerdict) -> String {
    wrong(verdict, State::New)
}

/// What is so wrong with a case that nobody can accept it.
pub fn failed(verdict: &CaseVerdict) -> String {
    wrong(verdict, State::Failed)
}

fn wrong(verdict: &CaseVerdict, least: State) -> String {
    let mut text = String::new();
    for step in verdict.steps.iter().filter(|step| step.state() >= least) {
        text.push_str(&title(step.state(), &verdict.name, &step.name));
        text.push_str(&failures(step));
        for golden in step.goldens.iter().filter(|golden| golden.state() >= least) {
            text.push_str(&self::golden(golden, ROWS_SHOWN_MAX));
        }
    }
    text
}

/// `changed  case / step`.
pub fn title(state: State, case: &str, step: &str) -> String {
    let lead = format!("\n{}{:width$}", painted(state), "", width = 9 - state.name().len());
    lead + wrapped(9, &format!("{case} / {step}")).trim_start()
}

fn failures(step: &StepVerdict) -> String {
    let mut text = String::new();
    for failure in &step.failures {
        match failure {
            Failure::End { stage, expected, got, why } => {
                let _ = writeln!(text, "  {BOLD}{stage}{BOLD:#}  expected {expected}, got {got}");
                text.push_str(&wrapped(4, why));
            }
            Failure::UnusedSignal { signal } => {
                let _ = writeln!(text, "  {BOLD}signals{BOLD:#}  one was not used");
                text.push_str(&wrapped(4, signal));
            }
        }
    }
    text
}

/// What is not right with one golden, up to `rows` rows of it.
pub fn golden(verdict: &GoldenVerdict, rows: usize) -> String {
    let GoldenVerdict { file, rows: there, min_rows, .. } = verdict;
    let count = counted(*there, "row");
    let about = if verdict.is_empty() {
        format!("failed: {count}, fewer than min_rows = {min_rows}")
    } else if verdict.is_new {
        format!("new: {count}, no golden yet")
    } else {
        format!("changed: {}", counted(verdict.differences.len() as u64, "difference"))
    };
    let mut text = format!("  {BOLD}{file}{BOLD:#}  {about}\n");
    if file.chars().count() + about.chars().count() + 4 > WIDTH {
        text = wrapped(2, file) + &wrapped(4, &about);
    }
    let (mut shown, mut last) = (0, None);
    for (at, difference) in verdict.differences.iter().enumerate() {
        let row = row_of(difference);
        let same_row = row == last && row.is_some();
        if !same_row {
            if shown == rows {
                let _ = writeln!(text, "    … and {}", counted((verdict.differences.len() - at) as u64, "more difference"));
                break;
            }
            shown += 1;
        }
        told(difference, same_row, &mut text);
        last = row;
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn row_of(difference: &Difference) -> Option<usize> {
    match difference {
        Difference::Cell { row, .. } => Some(*row),
        _ => None,
    }
}

fn told(difference: &Difference, same_row: bool, text: &mut String) {
    match difference {
        Difference::Cell { row, key, column, golden, output, why } => {
            if !same_row {
                let key: Vec<&str> = key.values().map(String::as_str).filter(|value| !value.is_empty()).collect();
                text.push_str(&wrapped(4, format!("row {row}  {}", key.join("  ")).trim_end()));
            }
            text.push_str(&cell(column, golden, output, *why));
        }
        Difference::Missing { row, cells } => text.push_str(&whole(&format!("row {row} of the golden is missing"), cells)),
        Difference::Extra { row, cells } => text.push_str(&whole(&format!("row {row} of the output is extra"), cells)),
        Difference::NoColumn { column } => {
            let _ = writeln!(text, "    the output has no column {column}");
        }
        Difference::Unreadable { problem } => text.push_str(&wrapped(4, &format!("the golden is no table: {problem}"))),
    }
}

/// One line where it fits, else the golden's value above the output's.
fn cell(column: &str, golden: &str, output: &str, why: Why) -> String {
    let empty = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
    let (golden, output, reason) = (empty(golden), empty(output), reason(why));
    let (name, change) = if column == "line" { ("", String::new()) } else { (column, format!("{golden} -> {output}")) };
    let line = format!("      {name}  {change}   {reason}");
    if !change.is_empty() && line.chars().count() <= WIDTH {
        return format!("      {BOLD}{name}{BOLD:#}  {change}   {DIM}{reason}{DIM:#}\n");
    }
    let mut text = if name.is_empty() { String::new() } else { format!("      {BOLD}{name}{BOLD:#}  {DIM}{reason}{DIM:#}\n") };
    text.push_str(&hanging("      - ", &golden));
    text.push_str(&hanging("      + ", &output));
    text
}

fn reason(why: Why) -> String {
    match why {
        Why::Text => "not the same".to_owned(),
        Why::Exact => "exact column: the numbers must be equal".to_owned(),
        Why::Beyond { off, allowed } => format!("off by {off:.3e}, allowed {allowed:.3e}"),
        Why::NoNumber => "has a tolerance, and one is no number".to_owned(),
    }
}

/// A row that came or went, by its first cells that are not empty.
fn whole(what: &str, cells: &[(String, String)]) -> String {
    let told: Vec<&(String, String)> = cells.iter().filter(|(_, value)| !value.is_empty()).collect();
    let one = |(column, value): &&(String, String)| if column == "line" { value.clone() } else { format!("{column}={value}") };
    let mut line = told.iter().take(CELLS_SHOWN_MAX).map(one).collect::<Vec<_>>().join(" ");
    if told.len() > CELLS_SHOWN_MAX {
        let _ = write!(line, " … and {} more cells", told.len() - CELLS_SHOWN_MAX);
    }
    format!("    {what}\n") + &hanging("      ", &line)
}

/// What remains to be said: files nobody names, and what became of changes.
pub fn tail(verdicts: &[CaseVerdict], reviewed: &Reviewed) -> String {
    let mut text = String::new();
    let files =
        verdicts.iter().flat_map(|verdict| verdict.unreferenced.iter().map(move |file| format!("{}/{file}", verdict.name)));
    let files: Vec<String> = files.collect();
    if !files.is_empty() {
        text.push_str("\nno case names these files:\n");
        files.iter().for_each(|file| text.push_str(&wrapped(2, file)));
    }
    if let Some(line) = reviewed.told() {
        let _ = writeln!(text, "\n{line}");
    }
    text
}

/// The commands that make sense now.
pub fn next(verdicts: &[CaseVerdict]) -> Vec<String> {
    let with = |state: &dyn Fn(State) -> bool| {
        let names: Vec<&str> = verdicts.iter().filter(|v| state(v.state())).map(|v| v.name.as_str()).collect();
        // Three names are a command that somebody types; more are all that need it.
        if names.len() > 3 { Some(String::new()) } else { (!names.is_empty()).then(|| format!(" {}", names.join(" "))) }
    };
    let pending = with(&|state| matches!(state, State::Changed | State::New));
    let failed = with(&|state| state == State::Failed);
    let mend = failed.map(|names| format!("mend what failed, then `tidegate test{names}`"));
    mend.into_iter().chain(pending.map(|names| format!("tidegate test{names} --review"))).collect()
}

fn wrapped(indent: usize, text: &str) -> String {
    hanging(&" ".repeat(indent), text)
}

/// Lines of at most [`WIDTH`] columns; the first begins with `first`, the others with as many blanks.
fn hanging(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let room = WIDTH - indent;
    let (mut out, mut line) = (String::new(), String::new());
    let mut lead = first.to_owned();
    let mut flush = |line: &mut String, lead: &mut String| {
        out.push_str(format!("{lead}{line}").trim_end());
        out.push('\n');
        line.clear();
        *lead = " ".repeat(indent);
    };
    for word in text.split(' ') {
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > room {
            flush(&mut line, &mut lead);
        } else if used > 0 {
            line.push(' ');
        }
        // A word that fits no line is cut: a hash or a path shows its rest below.
        for c in word.chars() {
            if line.chars().count() == room {
                flush(&mut line, &mut lead);
            }
            line.push(c);
        }
    }
    flush(&mut line, &mut lead);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_screen() {
        let long = "word ".repeat(40) + &"x".repeat(200);
        for line in wrapped(9, &long).lines().chain(cell("equity", &"1".repeat(70), &"2".repeat(70), Why::Exact).lines()) {
            let bare = anstream::adapter::strip_str(line).to_string();
            assert!(bare.chars().count() <= WIDTH, "{bare}");
        }
        assert_eq!(hanging("- ", "a b"), "- a b\n");
    }

    #[test]
    fn a_changed_cell_reads_as_old_and_new() {
        let text = anstream::adapter::strip_str(&cell("notional", "50", "49.98", Why::Exact)).to_string();
        assert_eq!(text, "      notional  50 -> 49.98   exact column: the numbers must be equal\n");
        let text = anstream::adapter::strip_str(&cell("line", "kills: 0", "kills: 1", Why::Text)).to_string();
        assert_eq!(text, "      - kills: 0\n      + kills: 1\n");
    }
}
