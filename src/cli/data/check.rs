//! `data check`: figures about bars, and whether they keep the contract.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::notes::{self, Notes};
use super::{LakeArgs, SeriesArgs, contract, failed, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{GREEN, RED, Report, YELLOW};
use crate::cli::table::{grouped, short_time, wrapped};
use crate::domain::{Projection, Series, Symbol};
use crate::stage::ingest::task::{Intake, SourceReport};
use crate::stage::ingest::{Lag, Quality, lag};
use crate::store::Lake;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Series of the lake (binance/BTC-USDT/1h, or BTC/USDT for all of a symbol), or kline files [default: every series].
    #[arg(value_name = "SERIES|FILE")]
    subjects: Vec<String>,
    /// A series of the lake that is known to be right: finds bars labelled by their end, and times off by hours.
    #[arg(long, value_name = "SERIES")]
    against: Option<Series>,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    lake: LakeArgs,
}

/// What is checked: bars in the lake, or a file that may never get there.
enum Subject {
    Series(Series),
    File(PathBuf, Series),
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let contract = contract();
    let intake = Intake::new(&lake, &contract, context.clock.now());
    let subjects = args.subjects(&lake)?;
    let mut done = Vec::new();
    for subject in &subjects {
        let report = match subject {
            Subject::Series(series) => intake.inspect_series(series),
            Subject::File(path, series) => {
                let bar = progress_bar(context, std::fs::metadata(path).map_or(0, |found| found.len()));
                let report = intake.inspect_file(series, path, &mut |bytes| bar.set_position(bytes));
                bar.finish_and_clear();
                report
            }
        };
        let report = report.map_err(failed)?;
        let mut breaches = intake.breaches(&report);
        let lag = args.lag(&intake, subject)?;
        breaches.extend(lag.as_ref().and_then(lag_breach));
        let notes = match subject {
            Subject::Series(series) => notes::of(&intake, series)?,
            Subject::File(..) => Notes::default(),
        };
        done.push(Checked { subject, report, breaches, lag, notes });
    }
    let broken = done.iter().filter(|checked| !checked.breaches.is_empty()).count();
    let exit = if broken > 0 { Exit::CheckFailed } else { Exit::Done };
    let mut text: String = done.iter().map(block).collect();
    text.push_str(&match (done.len(), broken) {
        (0, _) => format!("The lake {} is empty.\n", lake.root().display()),
        (count, 0) => format!("{count} checked, all keep the contract.\n"),
        (count, broken) => format!("{count} checked, {broken} break the contract.\n"),
    });
    let values: Vec<_> = done.iter().map(value_of).collect();
    let report = Report { verb: "data-check", data: json!({ "checked": values }), text, ..Report::default() };
    Ok(report.print(context, exit))
}

/// A subject with all that is known about it.
struct Checked<'a> {
    subject: &'a Subject,
    report: SourceReport,
    breaches: Vec<String>,
    /// How it lies beside the series that it was held against.
    lag: Option<(Series, Lag)>,
    notes: Notes,
}

fn lag_breach((against, lag): &(Series, Lag)) -> Option<String> {
    let (code, meaning) = match lag.is_end_labelled {
        true => ("end-labelled", "each bar is named by its end"),
        false => ("wrong-offset", "its times are off"),
    };
    let (before, after) = (lag.as_it_stands, lag.shifted);
    let shift = lag.shift;
    lag.is_certain.then(|| {
        format!(
            "{code}: {meaning}; shifted by {shift} its returns agree with {against} by {after:.4}, as it stands by {before:.4}"
        )
    })
}

impl CheckArgs {
    /// How the subject lies beside the series it is held against, if there is one.
    fn lag(&self, intake: &Intake<'_>, subject: &Subject) -> Result<Option<(Series, Lag)>, Failure> {
        let Some(against) = &self.against else { return Ok(None) };
        let read =
            |series: &Series| intake.lake.read(series, None, None, Projection::CLOSE).map_err(|error| failed(error.into()));
        let (closes, interval) = match subject {
            Subject::Series(series) if series == against => return Ok(None),
            Subject::Series(series) => (read(series)?, series.interval()),
            Subject::File(path, series) => (intake.closes_of_file(series, path).map_err(failed)?, series.interval()),
        };
        match lag(&closes, interval, &read(against)?, against.interval()) {
            Some(lag) => Ok(Some((against.clone(), lag))),
            None => {
                let error = anyhow::anyhow!("{subject} and {against} cannot be held against each other");
                Err(Failure::new(Exit::Failed, error).hint(
                    "name a series of the same symbol, of the same bar length or a multiple, with 48 bars and more in common",
                ))
            }
        }
    }

    fn subjects(&self, lake: &Lake) -> Result<Vec<Subject>, Failure> {
        let there = lake.series().map_err(|error| failed(error.into()))?;
        if self.subjects.is_empty() {
            return Ok(there.into_iter().map(|info| Subject::Series(info.series)).collect());
        }
        let mut subjects = Vec::new();
        for text in &self.subjects {
            let path = Path::new(text);
            if path.exists() {
                subjects.push(Subject::File(path.to_owned(), self.series.series_of(path)?));
            } else if let Ok(series) = text.parse::<Series>() {
                subjects.push(Subject::Series(series));
            } else if let Ok(symbol) = text.parse::<Symbol>() {
                let found: Vec<Subject> = there
                    .iter()
                    .filter(|info| *info.series.symbol() == symbol)
                    .map(|info| Subject::Series(info.series.clone()))
                    .collect();
                if found.is_empty() {
                    let error = anyhow::anyhow!("there are no bars of {symbol} in the lake {}", lake.root().display());
                    return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
                }
                subjects.extend(found);
            } else {
                let error = anyhow::anyhow!("\"{text}\" is neither a file nor a series");
                return Err(Failure::new(Exit::Usage, error).hint("tidegate data ls shows the series of the lake"));
            }
        }
        Ok(subjects)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Series(series) => write!(f, "{series}"),
            Self::File(path, _) => write!(f, "{}", path.display()),
        }
    }
}

/// A few lines about one subject: figures of zero are left out.
fn block(checked: &Checked<'_>) -> String {
    let Checked { subject, report, breaches, lag, notes } = checked;
    let quality = &report.quality;
    let verdict = if breaches.is_empty() { format!("{GREEN}ok{GREEN:#}") } else { format!("{RED}broken{RED:#}") };
    let mut text = format!("{subject}  {verdict}\n  {} rows{}\n", grouped(quality.rows), range(quality));
    let mut figures: Vec<_> = quality.counts().into_iter().filter(|(_, count)| *count > 0).collect();
    figures.sort_by_key(|(name, _)| *name);
    for (name, count) in figures {
        text.push_str(&format!("  {name:<26}{:>10}\n", grouped(count)));
    }
    for gap in &quality.largest_gaps {
        let (after, before) = (short_time(gap.after), short_time(gap.before));
        text.push_str(&format!("  gap of {} between {after} and {before}\n", gap.missing_bars));
    }
    for finding in quality.findings.iter().filter(|finding| !finding.is_fault()) {
        text.push_str(&format!("  {YELLOW}notes{YELLOW:#}  {}\n", hanging(&finding.to_string())));
    }
    for line in notes.lines() {
        text.push_str(&format!("  {YELLOW}notes{YELLOW:#}  {}\n", hanging(&line)));
    }
    if let Some((against, lag)) = lag.as_ref().filter(|(_, lag)| !lag.is_certain) {
        text.push_str(&format!("  in step with {against}: its returns agree by {:.4}\n", lag.as_it_stands));
    }
    for breach in breaches {
        text.push_str(&format!("  {RED}breaks{RED:#} {}\n", hanging(breach)));
    }
    text.push('\n');
    text
}

/// Text behind the word that it hangs on, in lines of 80 columns.
fn hanging(text: &str) -> String {
    wrapped(text, 70).join("\n         ")
}

fn range(quality: &Quality) -> String {
    match (quality.first, quality.last) {
        (Some(first), Some(last)) => format!(", {} to {}", short_time(first), short_time(last)),
        _ => String::new(),
    }
}

fn value_of(checked: &Checked<'_>) -> serde_json::Value {
    let Checked { subject, report, breaches, lag, notes } = checked;
    json!({
        "subject": subject.to_string(),
        "quality": report.quality,
        "refused": report.refused,
        "breaches": breaches,
        "against": lag.as_ref().map(|(against, lag)| json!({ "series": against.to_string(), "lag": lag })),
        "accepted": notes.accepted(),
        "retired": notes.retired(),
        "disputed": notes.disputed(),
        "ok": breaches.is_empty(),
    })
}
