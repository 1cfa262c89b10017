//! `data resample`: longer bars of shorter ones.

use clap::Args;
use serde_json::{Value, json};

use super::{LakeArgs, contract, failed};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped, short_time};
use crate::cli::work;
use crate::domain::{Interval, Symbol};
use crate::stage::ingest::task::{Intake, ResampleReport};
use crate::store::{Lake, SeriesInfo};

/// Refused bars named in the text; the quarantine names all.
const SHOWN_MAX: usize = 3;

#[derive(Debug, Args)]
pub struct ResampleArgs {
    /// Symbols, like BTC/USDT [default: every symbol that has bars of --from].
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbol: Vec<Symbol>,
    /// The venue [default: every venue that has them].
    #[arg(long)]
    venue: Option<String>,
    /// The length of the bars that are there, like 1m.
    #[arg(long, value_name = "INTERVAL")]
    from: Interval,
    /// The length of the bars to make: a whole multiple of --from, or several, like 5m,15m,1h.
    #[arg(long, value_name = "INTERVAL", required = true, value_delimiter = ',')]
    to: Vec<Interval>,
    #[command(flatten)]
    lake: LakeArgs,
}

pub(super) fn run(args: &ResampleArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let contract = contract();
    let stop = work::stop_on_signal()?;
    let intake = Intake::new(&lake, &contract, context.clock.now()).until(&stop);
    let mut done = Vec::new();
    for info in args.series(&lake)? {
        for to in &args.to {
            let bar = work::progress(context, "resample", info.rows);
            let report = intake.resample(&info.series, *to, &mut |read| bar.set_position(read));
            bar.finish_and_clear();
            done.push(report.map_err(|error| match done.len() {
                0 => failed(error),
                count => failed(error).hint(format!("the bars of the {count} lengths before it are in the lake")),
            })?);
        }
    }
    let exit = if done.iter().any(|report| report.bars.faulty_rows() > 0) { Exit::CheckFailed } else { Exit::Done };
    Ok(report_of(&done).print(context, exit))
}

impl ResampleArgs {
    fn series(&self, lake: &Lake) -> Result<Vec<SeriesInfo>, Failure> {
        let there = lake.series().map_err(|error| failed(error.into()))?;
        let is_wanted = |info: &SeriesInfo| {
            let series = &info.series;
            series.interval() == self.from
                && (self.symbol.is_empty() || self.symbol.contains(series.symbol()))
                && self.venue.as_deref().is_none_or(|venue| venue == series.venue())
        };
        let found: Vec<SeriesInfo> = there.into_iter().filter(is_wanted).collect();
        let lacking = self.symbol.iter().find(|symbol| !found.iter().any(|info| info.series.symbol() == *symbol));
        if found.is_empty() || lacking.is_some() {
            let of = lacking.map(|symbol| format!(" of {symbol}")).unwrap_or_default();
            let error = anyhow::anyhow!("there are no bars of {}{of} in the lake {}", self.from, lake.root().display());
            return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
        }
        Ok(found)
    }
}

fn report_of(done: &[ResampleReport]) -> Report {
    let mut table = Table::new(&["from", "to#", "read#", "added#", "already there#", "partial#"]);
    let mut warnings = Vec::new();
    for report in done {
        let partial = report.bars.refused.get("partial").copied().unwrap_or(0);
        let [read, added, there, partial] = [report.read, report.bars.added, report.bars.already_there, partial].map(grouped);
        table.row([report.source.to_string(), report.target.interval().to_string(), read, added, there, partial]);
        warnings.extend(warnings_of(report));
    }
    let added: u64 = done.iter().map(|report| report.bars.added).sum();
    let mut text = table.render();
    match added {
        0 => text.push_str("\nNothing added: the lake has every bar that these make.\n"),
        _ => text.push_str(&format!("\n{} bars added.\n", grouped(added))),
    }
    Report {
        verb: "data-resample",
        data: json!({ "added": added, "series": done.iter().map(value_of).collect::<Vec<_>>() }),
        text,
        warnings,
        next: if added > 0 { vec!["tidegate data check".to_owned()] } else { Vec::new() },
        ..Report::default()
    }
}

fn warnings_of(report: &ResampleReport) -> Vec<String> {
    let mut warnings = Vec::new();
    let counts = &report.bars.refused;
    let place = report.bars.quarantine.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    if let Some(partial) = counts.get("partial").copied() {
        let named = report.partial.iter().take(SHOWN_MAX);
        let named: Vec<String> =
            named.map(|bar| format!("{} ({} of {})", short_time(bar.open_time), bar.present, bar.wanted)).collect();
        let rest = partial.saturating_sub(named.len() as u64);
        let rest = if rest > 0 { format!(" and {} more, in {place}", grouped(rest)) } else { String::new() };
        let partial = grouped(partial);
        warnings.push(format!(
            "{}: {partial} bars lack a bar of {}: {}{rest}",
            report.target,
            report.source.interval(),
            named.join(", ")
        ));
    }
    let others: Vec<String> =
        counts.iter().filter(|(code, _)| *code != "partial").map(|(code, count)| format!("{count} {code}")).collect();
    if counts.get("partial").is_some_and(|partial| *partial > report.bars.added + report.bars.already_there) {
        warnings.push(
            "where bars without a trade are left out, make the longer ones of the trades: tidegate data import --trades"
                .to_owned(),
        );
    }
    if !others.is_empty() {
        warnings.push(format!("{}: bars refused: {}; they are in {place}", report.target, others.join(", ")));
    }
    warnings
}

fn value_of(report: &ResampleReport) -> Value {
    let partial: Vec<Value> = report
        .partial
        .iter()
        .map(|bar| json!({ "open_time": bar.open_time.to_string(), "present": bar.present, "wanted": bar.wanted }))
        .collect();
    json!({
        "from": report.source.to_string(),
        "to": report.target.to_string(),
        "read": report.read,
        "added": report.bars.added,
        "already_there": report.bars.already_there,
        "refused": report.bars.refused,
        "first_partial": partial,
        "quarantine": report.bars.quarantine,
        "quality": report.bars.quality,
    })
}
