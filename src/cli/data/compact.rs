//! `data compact`: few files instead of many, and no bars older than wanted.

use std::io::{IsTerminal, Write};
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::{LakeArgs, failed, named};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped, short_time, size};
use crate::cli::work;
use crate::domain::{Series, Span, Time};
use crate::store::{Compacted, Lake, LakeError, Manifest, Retired};

const YEAR_DAYS: i64 = 365;

#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Series of the lake (binance/BTC-USDT/1h, or BTC/USDT for all of a symbol) [default: every series].
    #[arg(value_name = "SERIES")]
    series: Vec<String>,
    /// Take away bars older than this, like 3y (of 365 days) or 90d; counted from the start of today.
    #[arg(long, value_name = "AGE", value_parser = age)]
    keep: Option<Span>,
    /// Take old bars away without asking.
    #[arg(long, requires = "keep")]
    yes: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    lake: LakeArgs,
}

/// What was done to one series, or would be.
struct Done {
    series: Series,
    compacted: Compacted,
    retired: Option<Retired>,
}

fn age(text: &str) -> Result<Span, String> {
    let span = match text.strip_suffix('y').map(str::parse::<i64>) {
        Some(Ok(years)) => years.checked_mul(YEAR_DAYS).filter(|days| *days < 100_000).map(Span::from_days),
        _ => text.parse::<Span>().ok(),
    };
    let span = span.ok_or_else(|| "write a number and a unit, like 3y, 90d or 12w".to_owned())?;
    if span >= Span::from_days(1) { Ok(span) } else { Err("keep a day at least".to_owned()) }
}

pub(super) fn run(args: &CompactArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let now = context.clock.now();
    let before = args.keep.map(|keep| Time::start_of_day(now.utc_day()) - keep);
    let mut planned = Vec::new();
    for series in named::series(&lake, &args.series)? {
        planned.push(plan(&lake, series, before, now)?);
    }
    if args.dry_run {
        return Ok(report_of(&planned, args, before).print(context, Exit::Done));
    }
    if let Some(before) = before
        && !args.yes
        && planned.iter().any(|done| done.retired.is_some())
    {
        confirm(context, &planned, before)?;
    }
    let stop = work::stop_on_signal()?;
    let mut done = Vec::new();
    for Done { series, .. } in planned {
        let Some(compacted) = compact(&lake, &series, before, &stop, context).map_err(|error| failed(error.into()))? else {
            let error = anyhow!("stopped: {series} and what comes after it are as they were");
            return Err(Failure::new(Exit::Interrupted, error).hint("run the same command again"));
        };
        done.push(compacted);
    }
    Ok(report_of(&done, args, before).print(context, Exit::Done))
}

/// What would be done, without writing anything.
fn plan(lake: &Lake, series: Series, before: Option<Time>, now: Time) -> Result<Done, Failure> {
    let failed = |error: LakeError| failed(error.into());
    let manifest = lake.manifest(&series).map_err(failed)?.unwrap_or_default();
    let retired = match (before, manifest.first()) {
        (Some(before), Some(first)) if first < before => {
            let rows = lake.read(&series, None, Some(before), crate::domain::Projection::TIME).map_err(failed)?.len() as u64;
            Some(Retired { from: first, to: before, rows, content: String::new(), at: now })
        }
        _ => None,
    };
    let left = match before {
        Some(before) => {
            Manifest { parts: manifest.parts.into_iter().filter(|part| part.last >= before).collect(), ..Manifest::default() }
        }
        None => manifest,
    };
    let whole = lake.info(&series).map_err(failed)?;
    let planned = Compacted::planned(&left, series.interval());
    let (parts_before, bytes_before) = whole.map_or((0, 0), |info| (info.parts, info.bytes));
    // Where nothing is to be done, the size is known.
    let bytes_after = (!planned.is_needed() && retired.is_none()).then_some(bytes_before);
    Ok(Done { series, compacted: Compacted { parts_before, bytes_before, bytes_after, ..planned }, retired })
}

fn compact(
    lake: &Lake,
    series: &Series,
    before: Option<Time>,
    stop: &AtomicBool,
    context: &Context,
) -> Result<Option<Done>, LakeError> {
    let info = lake.info(series)?;
    let mut writer = lake.writer(series)?;
    let retired = match before {
        Some(before) => writer.retire(before, context.clock.now())?,
        None => None,
    };
    let bar = work::progress(context, "compact", info.as_ref().map_or(0, |info| info.rows));
    let compacted = writer.compact(stop, &mut |rows| bar.set_position(rows));
    bar.finish_and_clear();
    let Some(compacted) = compacted? else { return Ok(None) };
    writer.commit()?;
    let (parts_before, bytes_before) = info.map_or((0, 0), |info| (info.parts, info.bytes));
    Ok(Some(Done { series: series.clone(), compacted: Compacted { parts_before, bytes_before, ..compacted }, retired }))
}

/// Bars go for good: a person types how many.
fn confirm(context: &Context, planned: &[Done], before: Time) -> Result<(), Failure> {
    let rows: u64 = planned.iter().filter_map(|done| done.retired.as_ref()).map(|retired| retired.rows).sum();
    let ask = !context.json && !context.no_input && std::io::stdin().is_terminal();
    let error = |why: &str| {
        let error = anyhow!("{} bars before {} would go for good: {why}", grouped(rows), short_time(before));
        Failure::new(Exit::Refused, error).hint("look with --dry-run, then say --yes")
    };
    if !ask {
        return Err(error("nobody can be asked"));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{} bars before {} go for good. Type their number to continue: ", grouped(rows), short_time(before));
    let _ = stderr.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim().replace(',', "") == rows.to_string() { Ok(()) } else { Err(error("another number was typed")) }
}

fn report_of(done: &[Done], args: &CompactArgs, before: Option<Time>) -> Report {
    let mut table = Table::new(&["series", "files#", "->", "files#", "size#", "->", "size#", "gone#"]);
    for Done { series, compacted, retired } in done {
        let bytes = compacted.bytes_after.map_or_else(|| "?".to_owned(), size);
        let gone = grouped(retired.as_ref().map_or(0, |retired| retired.rows));
        let (parts_before, parts_after) = (grouped(compacted.parts_before as u64), grouped(compacted.parts_after as u64));
        let arrow = "->".to_owned();
        table.row([
            series.to_string(),
            parts_before,
            arrow.clone(),
            parts_after,
            size(compacted.bytes_before),
            arrow,
            bytes,
            gone,
        ]);
    }
    let is_idle = done.iter().all(|done| !done.compacted.is_needed() && done.retired.is_none());
    let gone: u64 = done.iter().filter_map(|done| done.retired.as_ref()).map(|retired| retired.rows).sum();
    let before = before.map(short_time).unwrap_or_default();
    let mut text = if done.is_empty() { String::new() } else { table.render() };
    text.push_str(&match (is_idle, args.dry_run, gone) {
        (true, ..) => "\nNothing to do.\n".to_owned(),
        (false, true, 0) => "\nNothing was done. No bar would change.\n".to_owned(),
        (false, true, gone) => format!("\nNothing was done. {} bars before {before} would go.\n", grouped(gone)),
        (false, false, 0) => "\nDone. No bar changed.\n".to_owned(),
        (false, false, gone) => format!("\n{} bars before {before} are gone.\n", grouped(gone)),
    });
    Report {
        verb: "data-compact",
        data: json!({ "dry_run": args.dry_run, "series": done.iter().map(value_of).collect::<Vec<_>>() }),
        text,
        ..Report::default()
    }
}

fn value_of(done: &Done) -> Value {
    let compacted = &done.compacted;
    json!({
        "series": done.series.to_string(),
        "files_before": compacted.parts_before,
        "files_after": compacted.parts_after,
        "bytes_before": compacted.bytes_before,
        "bytes_after": compacted.bytes_after,
        "bars_rewritten": compacted.rows,
        "retired": done.retired.as_ref().map(|retired| json!({
            "from": retired.from.to_string(),
            "to": retired.to.to_string(),
            "bars": retired.rows,
        })),
    })
}
