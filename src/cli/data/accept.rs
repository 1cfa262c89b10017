//! `data accept`: a hole that is the venue's own.

use std::ops::Range;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::{LakeArgs, contract, failed};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped, short_time};
use crate::domain::{Series, Time};
use crate::stage::ingest::task::Intake;

#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The series, like binance/BTC-USDT/1h.
    #[arg(value_name = "SERIES")]
    series: Series,
    /// Open time of the first bar that is not there.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<Time>,
    /// Open time of the first bar behind the hole.
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Time>,
    /// Why there are no bars, like "maintenance of the exchange".
    #[arg(long, value_name = "TEXT", requires = "from", required_unless_present_any = ["revoke", "list"])]
    reason: Option<String>,
    /// Who accepts it [default: the user's name].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Take it back: the bars are missing again.
    #[arg(long, requires = "from", conflicts_with = "reason")]
    revoke: bool,
    /// List what was accepted of the series.
    #[arg(long, conflicts_with_all = ["from", "revoke", "reason"])]
    list: bool,
    #[command(flatten)]
    lake: LakeArgs,
}

pub(super) fn run(args: &AcceptArgs, context: &Context) -> Result<Exit, Failure> {
    let (lake, contract) = (args.lake.open(context)?, contract());
    let intake = Intake::new(&lake, &contract, context.clock.now());
    if lake.manifest(&args.series).map_err(|e| failed(e.into()))?.is_none() {
        let error = anyhow!("there are no bars of {} in the lake {}", args.series, lake.root().display());
        return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
    }
    let (Some(from), Some(to)) = (args.from, args.to) else { return list(args, context, &intake) };
    if from >= to {
        return Err(Failure::new(Exit::Usage, anyhow!("--from {from} is not before --to {to}")));
    }
    if args.revoke { revoke(args, context, &intake, &(from..to)) } else { accept(args, context, &intake, &(from..to)) }
}

fn accept(args: &AcceptArgs, context: &Context, intake: &Intake<'_>, range: &Range<Time>) -> Result<Exit, Failure> {
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say why the venue has no bars there"));
    }
    let by = args.by.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    if by.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, anyhow!("nobody accepts it")).hint("name a person: --by NAME"));
    }
    let accepted = intake.accept(&args.series, range, reason, by.trim()).map_err(failed)?;
    let bars = (range.end - range.start).micros() / args.series.interval().span().micros();
    let are = if bars == 1 { "1 bar is".to_owned() } else { format!("{} bars are", grouped(bars.unsigned_abs())) };
    let text = format!(
        "{}: {are} missing no more\n  from    {}\n  to      {}\n  reason  {reason}\n  by      {}\n",
        args.series,
        short_time(range.start),
        short_time(range.end),
        accepted.by
    );
    let report = Report {
        verb: "data-accept",
        data: json!({ "series": args.series.to_string(), "bars": bars, "accepted": accepted }),
        text,
        next: vec![format!("tidegate data check {}", args.series)],
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn revoke(args: &AcceptArgs, context: &Context, intake: &Intake<'_>, range: &Range<Time>) -> Result<Exit, Failure> {
    intake.revoke(&args.series, range).map_err(failed)?;
    let (from, to) = (short_time(range.start), short_time(range.end));
    let report = Report {
        verb: "data-accept",
        data: json!({ "series": args.series.to_string(), "revoked": { "from": range.start.to_string(), "to": range.end.to_string() } }),
        text: format!("{}: bars from {from} to {to} are missing again\n", args.series),
        next: vec![format!("tidegate data repair {}", args.series)],
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn list(args: &AcceptArgs, context: &Context, intake: &Intake<'_>) -> Result<Exit, Failure> {
    let accepted = intake.accepted(&args.series).map_err(failed)?;
    let mut table = Table::new(&["from", "to", "by", "came after all#", "reason"]);
    for (hole, came) in &accepted {
        table.row([short_time(hole.from), short_time(hole.to), hole.by.clone(), grouped(*came), hole.reason.clone()]);
    }
    let none = format!("No hole of {} is accepted.\n", args.series);
    let values: Vec<_> = accepted.iter().map(|(hole, came)| json!({ "accepted": hole, "bars_that_came": came })).collect();
    let report = Report {
        verb: "data-accept",
        data: json!({ "series": args.series.to_string(), "accepted": values }),
        text: if accepted.is_empty() { none } else { table.render() },
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}
