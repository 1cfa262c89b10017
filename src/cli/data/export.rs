//! `data export`: bars of the lake as one file for other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{LakeArgs, failed};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{grouped, short_time, size};
use crate::cli::work;
use crate::domain::{Interval, Symbol, Time};
use crate::store::export::{Export, Exported, Format};
use crate::store::{Lake, SeriesInfo};

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The symbol, like BTC/USDT.
    #[arg(long)]
    symbol: Symbol,
    /// The length of the bars, like 1h.
    #[arg(long)]
    interval: Interval,
    /// The venue, where several have such bars.
    #[arg(long)]
    venue: Option<String>,
    /// csv: the twelve columns of a kline, which import reads back. arrow: Arrow IPC, also known as Feather.
    #[arg(long, value_enum, default_value_t = FormatName::Csv)]
    format: FormatName,
    /// The file [default: like BTCUSDT-1h.csv, here].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only bars that open at this UTC time or later.
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Only bars that open before this UTC time.
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// Replace the file if it is there.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    lake: LakeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Csv,
    Arrow,
}

pub(super) fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let info = args.series(&lake)?;
    let (format, ending) = match args.format {
        FormatName::Csv => (Format::Csv, "csv"),
        FormatName::Arrow => (Format::Arrow, "arrow"),
    };
    let name = format!("{}-{}.{ending}", args.symbol.joined(), args.interval);
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let (from, to, replaces) = (args.from, args.to, args.replace);
    let stop = work::stop_on_signal()?;
    let bar = work::progress(context, "export", info.rows);
    let was_there = path.exists();
    let export = Export { series: &info.series, from, to, format, path: &path, replaces };
    let done = lake.export(&export, &stop, &mut |rows| bar.set_position(rows));
    bar.finish_and_clear();
    let Some(done) = done.map_err(|error| failed(error.into()))? else {
        return Err(Failure::new(Exit::Interrupted, anyhow::anyhow!("stopped: {} was not written", path.display())));
    };
    Ok(report_of(&info, &path, &done, was_there).print(context, Exit::Done))
}

impl ExportArgs {
    /// The one series that is meant.
    fn series(&self, lake: &Lake) -> Result<SeriesInfo, Failure> {
        let there = lake.series().map_err(|error| failed(error.into()))?;
        let is_meant = |info: &SeriesInfo| {
            let series = &info.series;
            *series.symbol() == self.symbol
                && series.interval() == self.interval
                && self.venue.as_deref().is_none_or(|venue| venue == series.venue())
        };
        let mut found: Vec<SeriesInfo> = there.into_iter().filter(is_meant).collect();
        if found.len() > 1 {
            let venues: Vec<&str> = found.iter().map(|info| info.series.venue()).collect();
            let error = anyhow::anyhow!("several venues have bars of {} {}: {}", self.symbol, self.interval, venues.join(", "));
            return Err(Failure::new(Exit::Usage, error).hint(format!("pass --venue {}", venues[0])));
        }
        found.pop().ok_or_else(|| {
            let (symbol, interval, lake) = (&self.symbol, self.interval, lake.root().display());
            let error = anyhow::anyhow!("there are no bars of {symbol} {interval} in the lake {lake}");
            Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there")
        })
    }
}

fn report_of(info: &SeriesInfo, path: &std::path::Path, done: &Exported, was_there: bool) -> Report {
    let range = match (done.first, done.last) {
        (Some(first), Some(last)) => format!(", {} to {}", short_time(first), short_time(last)),
        _ => String::new(),
    };
    let replaced = if was_there { ", replacing the file that was there" } else { "" };
    let (rows, bytes) = (grouped(done.rows), size(done.file.bytes));
    let text = format!("{}: {rows} bars{range}\nwritten to {}, {bytes}{replaced}\n", info.series, path.display());
    let warnings = if done.rows == 0 { vec!["no bar opens in that range".to_owned()] } else { Vec::new() };
    let data = json!({
        "series": info.series.to_string(),
        "file": path,
        "rows": done.rows,
        "first": done.first.map(|time| time.to_string()),
        "last": done.last.map(|time| time.to_string()),
        "bytes": done.file.bytes,
        "sha256": done.file.sha256,
        "replaced": was_there,
    });
    Report { verb: "data-export", data, text, warnings, ..Report::default() }
}
