//! `data ls`: what the lake has.

use clap::Args;
use serde_json::json;

use super::{LakeArgs, failed};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped, short_time, size};
use crate::store::SeriesInfo;

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    lake: LakeArgs,
}

pub(super) fn run(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let lake = args.lake.open(context)?;
    let series = lake.series().map_err(|error| failed(error.into()))?;
    let mut table = Table::new(&["series", "bars#", "first", "last", "files#", "size#"]);
    for info in &series {
        let (first, last) = (short_time(info.first), short_time(info.last));
        let (bars, parts) = (grouped(info.rows), grouped(info.parts as u64));
        table.row([info.series.to_string(), bars, first, last, parts, size(info.bytes)]);
    }
    let report = Report {
        verb: "data-ls",
        data: json!({ "lake": lake.root(), "series": series.iter().map(value_of).collect::<Vec<_>>() }),
        text: if series.is_empty() { format!("The lake {} is empty.\n", lake.root().display()) } else { table.render() },
        next: if series.is_empty() { vec!["tidegate data import FILE".to_owned()] } else { Vec::new() },
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn value_of(info: &SeriesInfo) -> serde_json::Value {
    json!({
        "series": info.series.to_string(),
        "bars": info.rows,
        "first": info.first.to_string(),
        "last": info.last.to_string(),
        "files": info.parts,
        "bytes": info.bytes,
    })
}
