//! `data import`: files into the lake.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::trades::{self, TradeArgs};
use super::{LakeArgs, SeriesArgs, contract, failed, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped};
use crate::cli::work::stop_on_signal;
use crate::domain::Series;
use crate::feed::names;
use crate::stage::ingest::task::{Intake, SourceReport, series_of_file};

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Kline files, or folders of them; with --trades, files of trades.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) trades: TradeArgs,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    pub(super) lake: LakeArgs,
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    if args.trades.are_trades() {
        return trades::run(args, context);
    }
    let lake = args.lake.open(context)?;
    let contract = contract();
    let stop = stop_on_signal()?;
    let intake = Intake::new(&lake, &contract, context.clock.now()).until(&stop);
    let files = args.files()?;
    let bytes = files.iter().filter_map(|(path, _)| std::fs::metadata(path).ok()).map(|found| found.len()).sum();
    let bar = progress_bar(context, bytes);
    let mut done = Vec::new();
    for (path, series) in files {
        let report = import(&intake, &series, &path, &bar).map_err(|failure| {
            bar.finish_and_clear();
            match done.len() {
                0 => failure,
                count => failure.hint(format!("the {count} files before it are in the lake")),
            }
        })?;
        done.push((series, report));
    }
    bar.finish_and_clear();
    let exit = if done.iter().any(|(_, report)| report.faulty_rows() > 0) { Exit::CheckFailed } else { Exit::Done };
    Ok(report_of(&done).print(context, exit))
}

impl ImportArgs {
    /// Every file with its series, known before the first is read.
    pub(super) fn files(&self) -> Result<Vec<(PathBuf, Series)>, Failure> {
        let mut files = Vec::new();
        for path in &self.files {
            let found = if path.is_dir() { names::kline_files(path) } else { Ok(vec![path.clone()]) };
            for file in found.map_err(|error| failed(error.into()))? {
                let series = self.series.series_of(&file)?;
                files.push((file, series));
            }
        }
        Ok(files)
    }
}

impl SeriesArgs {
    pub(super) fn series_of(&self, file: &Path) -> Result<Series, Failure> {
        if !file.exists() {
            return Err(failed(crate::feed::FeedError::NoFile(file.to_owned()).into()));
        }
        series_of_file(file, self.venue.as_deref(), self.symbol.as_ref(), self.interval).map_err(failed)
    }
}

fn import(intake: &Intake<'_>, series: &Series, path: &Path, bar: &ProgressBar) -> Result<SourceReport, Failure> {
    bar.set_message(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
    let before = bar.position();
    let report = intake.import(series, path, &mut |bytes| bar.set_position(before + bytes)).map_err(failed)?;
    let size = std::fs::metadata(path).map_or(0, |found| found.len());
    bar.set_position(before + size);
    Ok(report)
}

fn report_of(done: &[(Series, SourceReport)]) -> Report {
    let mut table = Table::new(&["file", "series", "rows#", "added#", "already there#", "refused#", ""]);
    let mut warnings = Vec::new();
    for (series, report) in done {
        let refused: u64 = report.refused.values().sum();
        let already_there = if report.is_unchanged { report.quality.rows - refused } else { report.already_there };
        let name =
            Path::new(&report.source).file_name().map_or_else(|| report.source.clone(), |n| n.to_string_lossy().into_owned());
        let note = if report.is_unchanged { "unchanged since its last import" } else { "" };
        let (rows, added) = (grouped(report.quality.rows), grouped(report.added));
        table.row([name, series.to_string(), rows, added, grouped(already_there), grouped(refused), note.to_owned()]);
        warnings.extend(warnings_of(report));
    }
    let added: u64 = done.iter().map(|(_, report)| report.added).sum();
    let nothing = "the lake has every bar of these files";
    report(added, &table, nothing, &done.iter().map(value_of).collect::<Vec<_>>(), warnings)
}

/// What an import says at its end; `nothing` is why no bar was added.
pub(super) fn report(added: u64, table: &Table, nothing: &str, files: &[Value], warnings: Vec<String>) -> Report {
    let end = if added == 0 { format!("Nothing added: {nothing}.") } else { format!("{} bars added.", grouped(added)) };
    Report {
        verb: "data-import",
        data: json!({ "added": added, "files": files }),
        text: format!(
            "{}
{end}
",
            table.render()
        ),
        warnings,
        next: if added > 0 { vec!["tidegate data check".to_owned()] } else { Vec::new() },
        ..Report::default()
    }
}

pub(super) fn refused_warning(report: &SourceReport) -> Option<String> {
    let reasons: Vec<String> = report.refused.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let place = report.quarantine.as_ref().map(|path| format!("; they are in {}", path.display())).unwrap_or_default();
    (!reasons.is_empty()).then(|| format!("{}: rows refused: {}{place}", report.source, reasons.join(", ")))
}

fn warnings_of(report: &SourceReport) -> Vec<String> {
    let mut warnings: Vec<String> = refused_warning(report).into_iter().collect();
    if report.quality.missing_bars > 0 {
        let (missing, gaps) = (report.quality.missing_bars, report.quality.gaps);
        warnings.push(format!("{}: {missing} bars are missing in {gaps} gaps, and stay missing", report.source));
    }
    warnings.extend(report.quality.findings.iter().map(|finding| format!("{}: {finding}", report.source)));
    warnings
}

fn value_of((series, report): &(Series, SourceReport)) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    value["series"] = json!(series.to_string());
    value
}
