//! `data repair`: bars that are missing or wrong, asked for once more.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::{LakeArgs, contract, failed, fetch, named, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped, short_time};
use crate::cli::work::stop_on_signal;
use crate::domain::{Series, Time};
use crate::feed::FeedError;
use crate::feed::binance::{Http, Reach, RestClient};
use crate::runner::stale;
use crate::stage::ingest::Verdict;
use crate::stage::ingest::task::{IngestError, Intake, RepairReport};

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Series of the lake (binance/BTC-USDT/1h, or BTC/USDT for all of a symbol).
    #[arg(required = true, value_name = "SERIES")]
    series: Vec<String>,
    /// Open time of the first bar to look at [default: the first in the lake].
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Bars that open before this [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// Ask for every bar of the range again, not only for those that are missing or in doubt.
    #[arg(long, conflicts_with = "archive")]
    verify: bool,
    /// Find files of the archive that were replaced since they were taken in, and take them in anew.
    #[arg(long)]
    archive: bool,
    /// Another address: one of binance's, or loopback.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Where records of runs lie, to be marked if their bars changed [default: runs below --root].
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Say what would be asked for, and contact nobody.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    lake: LakeArgs,
}

/// What came of one series, or would.
struct Repaired {
    report: RepairReport,
    verdict: Verdict,
    /// Disputes that are left.
    disputed: usize,
    stale: Vec<PathBuf>,
}

pub(super) fn run(args: &RepairArgs, context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let lake = args.lake.open(context)?;
    let (contract, address) = (contract(), fetch::address(args.base_url.as_deref(), args.archive)?);
    let mut wanted = Vec::new();
    for series in named::series(&lake, &args.series)? {
        if series.venue() != "binance" {
            let error = anyhow!("{series} is not of binance, and no other venue can be asked");
            return Err(Failure::new(Exit::Usage, error).hint("tidegate data import FILE fills holes from files"));
        }
        let first = lake.info(&series).map_err(|error| failed(error.into()))?.map_or(now, |info| info.first);
        let range = args.from.unwrap_or(first)..args.to.unwrap_or(now).min(now);
        if range.start >= range.end {
            let error = anyhow!("--from {} is not before {}", range.start, range.end);
            return Err(Failure::new(Exit::Usage, error).hint("name an earlier --from"));
        }
        wanted.push((series, range));
    }
    let stop = stop_on_signal()?;
    let intake = Intake::new(&lake, &contract, now).until(&stop);
    if args.dry_run {
        return dry_run(args, context, &intake, &wanted);
    }
    let reach = Reach::new(context.clock.clone(), stop.clone());
    let http = Http::open(&address, &reach).map_err(|error| failed(FeedError::from(error).into()))?;
    let mut done = Vec::new();
    for (series, range) in &wanted {
        done.push(args.repair(context, &intake, &http, series, range)?);
    }
    let is_whole = done.iter().all(|repaired| repaired.verdict.is_kept() && repaired.disputed == 0);
    Ok(report_of(&done).print(context, if is_whole { Exit::Done } else { Exit::CheckFailed }))
}

impl RepairArgs {
    fn repair(
        &self,
        context: &Context,
        intake: &Intake<'_>,
        http: &Http,
        series: &Series,
        range: &Range<Time>,
    ) -> Result<Repaired, Failure> {
        let bars = (range.end - range.start).micros() / series.interval().span().micros();
        let bar = progress_bar(context, bars.unsigned_abs());
        bar.set_message(series.to_string());
        let report = self.ask(intake, http, series, range, &mut |bars| bar.set_position(bars));
        bar.finish_and_clear();
        let report = report.map_err(failed)?;
        // Also what an earlier repair changed: it may have been killed before it marked anything.
        let manifest = intake.lake.manifest(series).map_err(|error| failed(error.into()))?.unwrap_or_default();
        let mut touched: Vec<Range<Time>> = manifest.repairs.iter().map(|repair| repair.from..repair.to).collect();
        if report.added() > 0 {
            touched.push(range.clone());
        }
        let runs = self.runs.clone().unwrap_or_else(|| context.root.join("runs"));
        let stale = stale::mark(&runs, intake.lake, series, &touched, intake.now)?;
        let disputed = intake.disputed(series, range).map_err(failed)?.len();
        Ok(Repaired { report, verdict: intake.verdict(series, range.clone()).map_err(failed)?, disputed, stale })
    }

    fn ask(
        &self,
        intake: &Intake<'_>,
        http: &Http,
        series: &Series,
        range: &Range<Time>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RepairReport, IngestError> {
        if self.archive {
            return intake.repair_files(http, series, range, progress);
        }
        let mut client = RestClient::open(http, intake.lake.local()).map_err(FeedError::from)?;
        intake.repair(&mut client, series, range, self.verify, progress)
    }
}

fn dry_run(args: &RepairArgs, context: &Context, intake: &Intake<'_>, wanted: &[(Series, Range<Time>)]) -> Result<Exit, Failure> {
    let mut table = Table::new(&["series", "what", "from", "to", "bars#"]);
    let mut values = Vec::new();
    for (series, range) in wanted {
        let asked = match args.archive {
            true => vec![("checksums", vec![range.clone()])],
            false if args.verify => vec![("all", vec![range.clone()])],
            false => vec![
                ("missing", intake.holes(series, range.clone()).map_err(failed)?),
                ("disputed", intake.disputed(series, range).map_err(failed)?),
            ],
        };
        for (what, ranges) in asked {
            for range in ranges {
                let bars = ((range.end - range.start).micros() / series.interval().span().micros()).unsigned_abs();
                let (from, to) = (short_time(range.start), short_time(range.end));
                table.row([series.to_string(), what.to_owned(), from, to, grouped(bars)]);
                let (from, to) = (range.start.to_string(), range.end.to_string());
                values.push(json!({ "series": series.to_string(), "what": what, "from": from, "to": to, "bars": bars }));
            }
        }
    }
    let idle = "Nothing is missing or in doubt.\n".to_owned();
    let text = if values.is_empty() { idle } else { format!("{}\nNothing was contacted.\n", table.render()) };
    let report = Report { verb: "data-repair", data: json!({ "dry_run": true, "asked": values }), text, ..Report::default() };
    Ok(report.print(context, Exit::Done))
}

fn report_of(done: &[Repaired]) -> Report {
    let mut table = Table::new(&["series", "added#", "replaced#", "right#", "missing#", "in doubt#"]);
    for repaired in done {
        let report = &repaired.report;
        let figures = [report.added(), report.replaced(), report.confirmed, repaired.verdict.missing_bars];
        let [added, replaced, right, missing] = figures.map(grouped);
        table.row([report.series.to_string(), added, replaced, right, missing, grouped(repaired.disputed as u64)]);
    }
    let stale: usize = done.iter().map(|repaired| repaired.stale.len()).sum();
    let mut text = table.render();
    if stale > 0 {
        text.push_str("\nRecords made of bars that have changed since, now marked stale:\n");
        for path in done.iter().flat_map(|repaired| &repaired.stale) {
            text.push_str(&format!("  {}\n", path.display()));
        }
        text.push_str("What was traded on them stays traded; replay them for what it should have been.\n");
    }
    Report {
        verb: "data-repair",
        data: json!({ "dry_run": false, "series": done.iter().map(value_of).collect::<Vec<_>>() }),
        text,
        warnings: done.iter().flat_map(warnings_of).collect(),
        next: vec!["tidegate data check".to_owned()],
        ..Report::default()
    }
}

fn warnings_of(repaired: &Repaired) -> Vec<String> {
    let series = &repaired.report.series;
    let mut warnings: Vec<String> = repaired.verdict.breaches.iter().map(|breach| format!("{series}: {breach}")).collect();
    if !warnings.is_empty() {
        warnings.push(format!("where binance has no bars, accept the hole: tidegate data accept {series} --help"));
    }
    for fixed in &repaired.report.fixed {
        let repair = &fixed.repair;
        let place = fixed.quarantine.as_ref().map(|path| format!("; as they were: {}", path.display())).unwrap_or_default();
        let (from, to) = (short_time(repair.from), short_time(repair.to));
        warnings.push(format!("{series}: {} bars from {from} to {to} replaced by {}{place}", repair.rows, repair.source));
    }
    if repaired.disputed > 0 {
        warnings.push(format!("{series}: binance has no bar for {} disputed ranges, so they stay", repaired.disputed));
    }
    warnings
}

fn value_of(repaired: &Repaired) -> Value {
    let report = &repaired.report;
    let fixed: Vec<Value> =
        report.fixed.iter().map(|fixed| json!({ "repair": fixed.repair, "quarantine": fixed.quarantine })).collect();
    json!({
        "series": report.series.to_string(),
        "added": report.added(),
        "replaced": report.replaced(),
        "confirmed": report.confirmed,
        "files_compared": report.files,
        "missing_bars": repaired.verdict.missing_bars,
        "disputed": repaired.disputed,
        "repairs": fixed,
        "stale": repaired.stale,
    })
}
