//! `tidegate data`: bars into the lake, and what they are like.

mod accept;
mod check;
mod compact;
mod export;
mod fetch;
mod follow;
mod import;
mod list;
mod named;
mod notes;
mod repair;
mod resample;
mod sample;
mod trades;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use super::exit::{Exit, Failure};
use crate::domain::{Interval, Series, Symbol};
use crate::feed::FeedError;
use crate::feed::binance::BinanceError;
use crate::stage::ingest::config::Contract;
use crate::stage::ingest::task::IngestError;
use crate::store::{Lake, LakeError};

#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    verb: DataVerb,
}

#[derive(Debug, Subcommand)]
enum DataVerb {
    /// Take kline files into the lake, or make bars of trades: CSV or JSON, plain, .gz or .zip.
    Import(import::ImportArgs),
    /// Fetch bars from binance or its archive. Goes on where an earlier fetch ended.
    Fetch(fetch::FetchArgs),
    /// Follow binance's streams: bars into the lake as they close, what was missed filled by asking.
    Follow(follow::FollowArgs),
    /// Say how whole and sound bars are. Ends with 4 if bars are missing or faulty.
    Check(check::CheckArgs),
    /// Ask again for bars that are missing or in doubt, and replace those that are wrong. What was there is kept.
    Repair(repair::RepairArgs),
    /// Accept a hole that the venue itself has, by name and with a reason, so that nothing waits for it.
    Accept(accept::AcceptArgs),
    /// Make few files of many; with --keep, take old bars away. No bar changes.
    Compact(compact::CompactArgs),
    /// Make longer bars of shorter ones in the lake. A bar that would lack one is refused, not made up.
    Resample(resample::ResampleArgs),
    /// Write bars of the lake to one file: CSV that import reads back, or Arrow IPC.
    Export(export::ExportArgs),
    /// List what the lake has.
    Ls(list::ListArgs),
    /// Make the shipped sample bars again, for maintainers.
    #[command(hide = true)]
    Sample(sample::SampleArgs),
}

/// Where the lake is.
#[derive(Debug, Args)]
pub struct LakeArgs {
    /// The lake: a folder, or s3://bucket/prefix with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    /// [default: data/lake below --root].
    #[arg(long, value_name = "DIR")]
    lake: Option<PathBuf>,
}

/// What files hold, where their names do not say.
#[derive(Debug, Args)]
pub struct SeriesArgs {
    /// The venue of the bars [default: as MANIFEST.toml beside the file says, else binance].
    #[arg(long)]
    venue: Option<String>,
    /// The symbol, like BTC/USDT [default: as the file's name says].
    #[arg(long)]
    symbol: Option<Symbol>,
    /// The length of a bar, like 1h [default: as the file's name says].
    #[arg(long)]
    interval: Option<Interval>,
}

/// Runs the verb.
///
/// # Errors
/// An expected failure with its exit code.
pub fn run(args: &DataArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.verb {
        DataVerb::Import(args) => import::run(args, context),
        DataVerb::Fetch(args) => fetch::run(args, context),
        DataVerb::Follow(args) => follow::run(args, context),
        DataVerb::Check(args) => check::run(args, context),
        DataVerb::Repair(args) => repair::run(args, context),
        DataVerb::Accept(args) => accept::run(args, context),
        DataVerb::Compact(args) => compact::run(args, context),
        DataVerb::Resample(args) => resample::run(args, context),
        DataVerb::Export(args) => export::run(args, context),
        DataVerb::Ls(args) => list::run(args, context),
        DataVerb::Sample(args) => sample::run(args, context),
    }
}

impl SeriesArgs {
    /// Is the series one of those that the flags name? All are, where no flag is given.
    fn matches(&self, series: &Series) -> bool {
        self.venue.as_deref().is_none_or(|venue| venue == series.venue())
            && self.symbol.as_ref().is_none_or(|symbol| symbol == series.symbol())
            && self.interval.is_none_or(|interval| interval == series.interval())
    }
}

impl LakeArgs {
    fn open(&self, context: &Context) -> Result<Lake, Failure> {
        let root = self.lake.clone().unwrap_or_else(|| context.root.join("data").join("lake"));
        crate::cli::lake::named(&root, context)
    }
}

/// What a person's own files must satisfy. How far a price may move is for a pipeline to say.
fn contract() -> Contract {
    Contract { max_return: f64::INFINITY, ..Contract::default() }
}

/// The exit code and hint of what went wrong.
fn failed(error: IngestError) -> Failure {
    let exit = match &error {
        IngestError::Lake(LakeError::Locked { .. }) => Exit::Locked,
        IngestError::Lake(LakeError::OutputThere(_)) => Exit::Refused,
        IngestError::Interrupted | IngestError::Feed(FeedError::Binance(BinanceError::Interrupted)) => Exit::Interrupted,
        IngestError::NotHole { .. } | IngestError::NotAccepted { .. } => Exit::Refused,
        IngestError::Feed(FeedError::Unnamed { .. }) | IngestError::Series(_) | IngestError::Multiple(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    let hint = error.hint();
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A bar on stderr, for people at a terminal only.
fn progress_bar(context: &Context, bytes: u64) -> ProgressBar {
    let is_wanted = !context.json && !context.quiet;
    let target = if is_wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % ") {
        bar.set_style(style);
    }
    bar
}
