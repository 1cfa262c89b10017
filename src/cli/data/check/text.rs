//! The result for a person: a line for each subject, and what there is to say about some of them.

use super::subject::{Checked, Subject};
use crate::cli::output::{BOLD, DIM, RED, YELLOW};
use crate::cli::table::{Table, grouped, short_time, wrapped};
use crate::stage::ingest::Quality;
use crate::web::heat_map::{LETTERS, letters};

/// Longer names are cut at their front, so that a line stays within 80 columns.
const NAME_LEN_MAX: usize = 30;

/// The table, then what is worth telling.
pub fn whole(done: &[Checked], with_calendar: bool) -> String {
    if done.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["", "series", "bars#", "due#", "missing#", "late#", "dup#", "outl#", "refused#"]);
    for checked in done {
        let total = checked.calendar.total();
        let figures = [total.there, total.due, total.missing, total.late];
        let [there, due, missing, late] = figures.map(grouped);
        let [dup, outliers, refused] = [checked.sources.duplicates, checked.outliers(), checked.sources.refused].map(grouped);
        table.row([checked.verdict().to_owned(), name(&checked.subject), there, due, missing, late, dup, outliers, refused]);
    }
    let mut text = format!("{}\n", table.render());
    for checked in done {
        text.push_str(&block(checked, with_calendar));
    }
    if with_calendar {
        text.push_str(&format!("{DIM}{LETTERS}{DIM:#}\n\n"));
    }
    text
}

/// Sentences about a subject: what breaks the contract, then what is worth knowing.
pub fn notes(checked: &Checked) -> Vec<String> {
    let quality = &checked.report.quality;
    let findings = quality.findings.iter().filter(|finding| !finding.is_fault()).map(ToString::to_string);
    let in_step = checked.lag.as_ref().filter(|(_, lag)| !lag.is_certain);
    let in_step = in_step.map(|(against, lag)| format!("in step with {against}: its returns agree by {:.4}", lag.as_it_stands));
    let mut figures: Vec<String> = figures(quality).iter().map(|(name, count)| format!("{name}: {}", grouped(*count))).collect();
    figures.extend(gaps(quality));
    checked.breaches.iter().cloned().chain(findings).chain(checked.notes.lines()).chain(in_step).chain(figures).collect()
}

/// `2,148 bars, 2004-08-19 00:00 to 2013-03-01 00:00`.
pub fn range(quality: &Quality) -> String {
    let rows = grouped(quality.rows);
    match (quality.first, quality.last) {
        (Some(first), Some(last)) => format!("{rows} rows, {} to {}", short_time(first), short_time(last)),
        _ => format!("{rows} rows"),
    }
}

fn name(subject: &Subject) -> String {
    let name = match subject {
        Subject::Series(series) => series.to_string(),
        Subject::File(path, _) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    let len = name.chars().count();
    if len <= NAME_LEN_MAX {
        return name;
    }
    format!("…{}", name.chars().skip(len + 1 - NAME_LEN_MAX).collect::<String>())
}

/// A few lines about one subject: figures of zero are left out, and so is a subject with nothing to tell.
fn block(checked: &Checked, with_calendar: bool) -> String {
    let quality = &checked.report.quality;
    let mut lines = String::new();
    for (name, count) in figures(quality) {
        lines.push_str(&format!("  {name:<26}{:>10}\n", grouped(count)));
    }
    for gap in gaps(quality) {
        lines.push_str(&format!("  {gap}\n"));
    }
    for finding in quality.findings.iter().filter(|finding| !finding.is_fault()) {
        lines.push_str(&format!("  {YELLOW}notes{YELLOW:#}  {}\n", hanging(&finding.to_string())));
    }
    for line in checked.notes.lines() {
        lines.push_str(&format!("  {YELLOW}notes{YELLOW:#}  {}\n", hanging(&line)));
    }
    if let Some((against, lag)) = checked.lag.as_ref().filter(|(_, lag)| !lag.is_certain) {
        lines.push_str(&format!("  in step with {against}: its returns agree by {:.4}\n", lag.as_it_stands));
    }
    for breach in &checked.breaches {
        lines.push_str(&format!("  {RED}breaks{RED:#} {}\n", hanging(breach)));
    }
    if with_calendar {
        lines.push_str(&letters(&checked.calendar).lines().map(|line| format!("  {line}\n")).collect::<String>());
    }
    if lines.is_empty() {
        return lines;
    }
    format!("{BOLD}{}{BOLD:#}\n  {}\n{lines}\n", checked.subject, range(quality))
}

fn figures(quality: &Quality) -> Vec<(&'static str, u64)> {
    quality.counts().into_iter().filter(|(_, count)| *count > 0).collect()
}

fn gaps(quality: &Quality) -> impl Iterator<Item = String> {
    quality.largest_gaps.iter().map(|gap| {
        let (after, before) = (short_time(gap.after), short_time(gap.before));
        format!("gap of {} between {after} and {before}", gap.missing_bars)
    })
}

/// Text behind the word that it hangs on, in lines of 80 columns.
fn hanging(text: &str) -> String {
    wrapped(text, 70).join("\n         ")
}
