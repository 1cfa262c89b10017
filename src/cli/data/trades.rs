//! `data import --trades`: files of trades become bars in the lake.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::import::{self, ImportArgs};
use super::{contract, failed, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped};
use crate::cli::work::stop_on_signal;
use crate::domain::{Interval, Series, Time};
use crate::stage::ingest::task::{Intake, TradeReport};
use crate::stage::ingest::{Reason, TradeTerms};

/// What is known about files of trades.
#[derive(Debug, Args)]
pub struct TradeArgs {
    /// The files hold trades: make bars of --interval of them. Minutes without a trade have no bar.
    #[arg(long, requires = "interval")]
    trades: bool,
    /// Every trade from this UTC time on is in the file; unsaid, its first bar is refused.
    #[arg(long, value_name = "TIME", requires = "trades")]
    complete_from: Option<Time>,
    /// Every trade up to this UTC time is in the file; unsaid, its last bar is refused.
    #[arg(long, value_name = "TIME", requires = "trades")]
    complete_to: Option<Time>,
    /// Each file holds whole UTC days, as the venue's archive does.
    #[arg(long, requires = "trades", conflicts_with_all = ["complete_from", "complete_to"])]
    whole_days: bool,
    /// The venue does not number the symbol's trades by one: holes in the numbers mean nothing.
    #[arg(long, requires = "trades")]
    sparse_ids: bool,
}

impl TradeArgs {
    pub(super) fn are_trades(&self) -> bool {
        self.trades
    }

    fn terms(&self, interval: Interval) -> TradeTerms {
        TradeTerms {
            interval,
            complete_from: self.complete_from,
            complete_to: self.complete_to,
            whole_days: self.whole_days,
            consecutive_ids: !self.sparse_ids,
        }
    }
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let contract = contract();
    let stop = stop_on_signal()?;
    let intake = Intake::new(&lake, &contract, context.clock.now()).until(&stop);
    let mut done = Vec::new();
    for (path, series) in args.files()? {
        let bar = progress_bar(context, std::fs::metadata(&path).map_or(0, |found| found.len()));
        let terms = args.trades.terms(series.interval());
        let report = intake.import_trades(&series, &path, terms, &mut |bytes| bar.set_position(bytes));
        bar.finish_and_clear();
        let report = report.map_err(|error| match done.len() {
            0 => failed(error),
            count => failed(error).hint(format!("the bars of the {count} files before it are in the lake")),
        })?;
        done.push((series, report));
    }
    let exit = if done.iter().any(|(_, report)| report.bars.faulty_rows() > 0) { Exit::CheckFailed } else { Exit::Done };
    Ok(report_of(&done).print(context, exit))
}

fn report_of(done: &[(Series, TradeReport)]) -> Report {
    let mut table = Table::new(&["file", "series", "trades#", "added#", "already there#", "refused#"]);
    let mut warnings = Vec::new();
    for (series, report) in done {
        let (trades, bars) = (&report.trades, &report.bars);
        let name = Path::new(&bars.source).file_name().map_or_else(|| bars.source.clone(), |n| n.to_string_lossy().into_owned());
        let refused: u64 = bars.refused.values().sum();
        let counts = [trades.trades, bars.added, bars.already_there, refused].map(grouped);
        let [trades, added, there, refused] = counts;
        table.row([name, series.to_string(), trades, added, there, refused]);
        warnings.extend(warnings_of(report));
    }
    let added: u64 = done.iter().map(|(_, report)| report.bars.added).sum();
    let nothing = "the lake has every whole bar of these trades";
    import::report(added, &table, nothing, &done.iter().map(value_of).collect::<Vec<_>>(), warnings)
}

fn warnings_of(report: &TradeReport) -> Vec<String> {
    let (trades, bars) = (&report.trades, &report.bars);
    let mut warnings = Vec::new();
    let counts = [
        (trades.duplicates_same, "trades are repeated and count once"),
        (trades.duplicates_different, "rows disagree with an earlier row about the same trade"),
        (trades.out_of_order, "trades are out of order, which makes no difference"),
        (trades.missing_trades, "trades are missing, by their numbers (--sparse-ids if the venue leaves numbers out)"),
    ];
    warnings.extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
        let count = grouped(*count);
        format!("{}: {count} {what}", bars.source)
    }));
    warnings.extend(import::refused_warning(bars));
    if bars.quality.missing_bars > 0 {
        let missing = grouped(bars.quality.missing_bars);
        warnings.push(format!("{}: {missing} intervals between the bars have no bar, and none is made up", bars.source));
    }
    if bars.refused.contains_key(Reason::Partial.code()) {
        warnings.push(
            "partial bars: say --complete-from and --complete-to, or --whole-days, if their trades are all there".to_owned(),
        );
    }
    warnings
}

fn value_of((series, report): &(Series, TradeReport)) -> Value {
    let mut value = serde_json::to_value(&report.bars).unwrap_or_default();
    value["series"] = json!(series.to_string());
    value["trades"] = serde_json::to_value(&report.trades).unwrap_or_default();
    value
}
