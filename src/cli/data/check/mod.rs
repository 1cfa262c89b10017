//! `data check`: figures about bars, and whether they keep the contract; as a table, in detail, as a calendar, for a scraper.

mod output;
mod subject;
mod text;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{LakeArgs, SeriesArgs, contract, failed};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::names;
use crate::cli::output::Report;
use crate::cli::select::Select;
use crate::domain::{Series, Time};
use crate::stage::ingest::config::Contract;
use crate::stage::ingest::task::{Intake, series_of};
use subject::Checked;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Series of the lake (binance/BTC-USDT/1h, or BTC/USDT for all of a symbol), or files of bars [default: every series that --venue, --symbol and
    /// --interval leave].
    #[arg(value_name = "SERIES|FILE")]
    subjects: Vec<String>,
    /// Only bars that open at this UTC time or later; those missing before the first count.
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Only bars that open before this UTC time; those missing behind the last are late.
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// A series of the lake that is known to be right: finds bars labelled by their end, and times off by hours.
    #[arg(long, value_name = "SERIES")]
    against: Option<Series>,
    /// Check what this profile's pipeline takes in, by its contract.
    #[arg(short, long, value_name = "PROFILE", add = names::profiles())]
    profile: Option<String>,
    /// With -p, another pipeline than the profile names.
    #[arg(long, value_name = "NAME", requires = "profile", add = names::pipelines())]
    pipeline: Option<String>,
    /// Show each series day by day.
    #[arg(long)]
    calendar: bool,
    /// Write a page with a calendar of every series.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the calendars as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the figures as metrics, for node_exporter's textfile collector.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    lake: LakeArgs,
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let (contract, of_pipeline) = args.contract(context)?;
    let intake = Intake::new(&lake, &contract, context.clock.now());
    let mut done = Vec::new();
    for subject in args.subjects(&lake, of_pipeline)? {
        done.push(args.look(&intake, subject, context)?);
    }
    let broken = done.iter().filter(|checked| !checked.is_kept()).count();
    let exit = if broken > 0 { Exit::CheckFailed } else { Exit::Done };
    let mut said = text::whole(&done, args.calendar);
    said.push_str(&match (done.len(), broken) {
        (0, _) => format!("The lake {} is empty.\n", lake.root().display()),
        (1, 0) => "1 checked, it keeps the contract.\n".to_owned(),
        (1, _) => "1 checked, it breaks the contract.\n".to_owned(),
        (count, 0) => format!("{count} checked, all keep the contract.\n"),
        (count, broken) => format!("{count} checked, {broken} break the contract.\n"),
    });
    let written = args.write(&done, context)?;
    for (what, path) in &written {
        said.push_str(&format!("{what}: {}\n", path.display()));
    }
    let files: Vec<_> = written.iter().map(|(what, path)| json!({ "what": what, "path": path })).collect();
    let values: Vec<_> = done.iter().map(Checked::value).collect();
    let data = json!({ "checked": values, "written": files });
    let report = Report { verb: "data-check", profile: args.profile.clone(), data, text: said, ..Report::default() };
    Ok(report.print(context, exit))
}

impl CheckArgs {
    /// The contract to judge by, and the series that come with it where a profile is named.
    fn contract(&self, context: &Context) -> Result<(Contract, Option<Vec<Series>>), Failure> {
        if self.profile.is_none() {
            return Ok((contract(), None));
        }
        let set = Vec::new();
        let select = Select { profile: self.profile.clone(), pipeline: self.pipeline.clone(), set, paper: true };
        let plan = select.resolve(context, self.pipeline.as_deref())?.plan;
        let series = series_of(plan.ingest(), &context.root).map_err(failed)?;
        Ok((plan.ingest().contract, Some(series)))
    }

    fn write(&self, done: &[Checked], context: &Context) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
        let mut written = Vec::new();
        let pages = [("page", &self.html), ("picture", &self.svg), ("metrics", &self.metrics)];
        for (what, path) in pages.into_iter().filter_map(|(what, path)| Some((what, path.as_ref()?))) {
            let content = match what {
                "page" => output::page(done, context.clock.now()),
                "picture" => output::picture(done),
                _ => output::metrics(done),
            };
            output::write(path, &content)?;
            written.push((what, path.clone()));
        }
        Ok(written)
    }
}
