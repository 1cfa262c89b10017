//! `data fetch`: bars from the venue or its archive into the lake.

use std::ops::Range;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{LakeArgs, contract, failed, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Report;
use crate::cli::table::{Table, grouped};
use crate::cli::work::stop_on_signal;
use crate::domain::{Interval, Series, Symbol, Time};
use crate::feed::FeedError;
use crate::feed::binance::{Address, Http, Reach, RestClient, Service};
use crate::stage::ingest::Verdict;
use crate::stage::ingest::task::{IngestError, Intake, SourceReport};

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// What to fetch, like BTC/USDT.
    #[arg(required = true, value_name = "SYMBOL")]
    symbols: Vec<Symbol>,
    /// The length of a bar, like 1h.
    #[arg(long)]
    interval: Interval,
    /// Open time of the first bar wanted, like 2024-01-01.
    #[arg(long, value_name = "TIME")]
    from: Time,
    /// Bars that open before this [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// The archive is faster for long ranges; it has every day but today and perhaps yesterday.
    #[arg(long, value_enum, default_value_t = From::Binance)]
    source: From,
    /// Another address of the source: one of binance's, or loopback.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    lake: LakeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// The REST API, in pages of 1000 bars.
    Binance,
    /// Monthly and daily files, with their checksums.
    BinanceArchive,
}

/// What came of one series.
struct Fetched {
    series: Series,
    sources: Vec<SourceReport>,
    absent: Vec<String>,
    verdict: Verdict,
}

pub(super) fn run(args: &FetchArgs, context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let range = args.from..args.to.unwrap_or(now).min(now);
    if range.start >= range.end {
        let error = anyhow::anyhow!("--from {} is not before {}", range.start, range.end);
        return Err(Failure::new(Exit::Usage, error).hint("name an earlier --from"));
    }
    let (lake, contract, address) =
        (args.lake.open(context)?, contract(), address(args.base_url.as_deref(), args.source == From::BinanceArchive)?);
    let intake = Intake::new(&lake, &contract, now);
    let reach = Reach::new(context.clock.clone(), stop_on_signal()?);
    let bars = (range.end - range.start).micros() / args.interval.span().micros();
    let bar = progress_bar(context, bars.unsigned_abs() * args.symbols.len() as u64);
    let http = Http::open(&address, &reach).map_err(|error| failed(FeedError::from(error).into()))?;
    let done = args.fetch(&intake, &http, &range, &mut |name, done| {
        bar.set_message(name.to_owned());
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let done = done.map_err(failed)?;
    let is_whole = done.iter().all(Fetched::is_whole);
    Ok(report_of(&done).print(context, if is_whole { Exit::Done } else { Exit::CheckFailed }))
}

impl FetchArgs {
    fn fetch(
        &self,
        intake: &Intake<'_>,
        http: &Http,
        range: &Range<Time>,
        progress: &mut dyn FnMut(&str, u64),
    ) -> Result<Vec<Fetched>, IngestError> {
        let mut client = match self.source {
            From::Binance => Some(RestClient::open(http, intake.lake.local()).map_err(FeedError::from)?),
            From::BinanceArchive => None,
        };
        let mut done = Vec::new();
        let mut before = 0;
        for symbol in &self.symbols {
            let series = Series::new("binance", symbol.clone(), self.interval)?;
            let mut seen = |bars: u64| progress(&symbol.to_string(), before + bars);
            let (sources, absent) = match &mut client {
                Some(client) => (intake.fetch(client, &series, range.clone(), &mut seen)?, Vec::new()),
                None => intake.fetch_files(http, &series, range.clone(), &mut seen)?,
            };
            before += sources.iter().map(|source| source.quality.rows).sum::<u64>();
            let mut verdict = intake.verdict(&series, range.clone())?;
            if let Some(client) = &mut client {
                verdict.breaches.extend(intake.not_trading(client, &series, range)?);
            }
            done.push(Fetched { series, sources, absent, verdict });
        }
        Ok(done)
    }
}

/// Where binance or its archive is asked.
pub(super) fn address(url: Option<&str>, is_archive: bool) -> Result<Address, Failure> {
    let service = if is_archive { Service::Archive } else { Service::Market };
    match url {
        None => Ok(Address::default_of(service)),
        Some(url) => Address::new(service, url).map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            Failure::new(Exit::Usage, error).hint(hint)
        }),
    }
}

impl Fetched {
    fn added(&self) -> u64 {
        self.sources.iter().map(|source| source.added).sum()
    }

    fn refused(&self) -> u64 {
        self.sources.iter().map(SourceReport::faulty_rows).sum()
    }

    fn is_whole(&self) -> bool {
        self.verdict.is_kept() && self.refused() == 0 && self.absent.is_empty()
    }

    fn warnings(&self) -> Vec<String> {
        let series = &self.series;
        let mut warnings: Vec<String> = self.verdict.breaches.iter().map(|breach| format!("{series}: {breach}")).collect();
        warnings.extend(self.absent.iter().map(|name| format!("{series}: binance has no file {name}")));
        for source in self.sources.iter().filter(|source| source.faulty_rows() > 0) {
            let place = source.quarantine.as_ref().map(|path| format!("; they are in {}", path.display())).unwrap_or_default();
            warnings.push(format!("{series}: {} rows refused{place}", source.faulty_rows()));
        }
        warnings
    }

    fn value(&self) -> Value {
        json!({
            "series": self.series.to_string(),
            "added": self.added(),
            "refused": self.refused(),
            "missing_bars": self.verdict.missing_bars,
            "breaches": self.verdict.breaches.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "absent_files": self.absent,
            "sources": self.sources,
        })
    }
}

fn report_of(done: &[Fetched]) -> Report {
    let mut table = Table::new(&["series", "added#", "refused#", "missing#"]);
    for fetched in done {
        let missing = grouped(fetched.verdict.missing_bars);
        table.row([fetched.series.to_string(), grouped(fetched.added()), grouped(fetched.refused()), missing]);
    }
    let added: u64 = done.iter().map(Fetched::added).sum();
    let mut text = table.render();
    match added {
        0 => text.push_str("\nNothing added: the lake has every bar of this range that binance has.\n"),
        _ => text.push_str(&format!("\n{} bars added.\n", grouped(added))),
    }
    Report {
        verb: "data-fetch",
        data: json!({ "added": added, "series": done.iter().map(Fetched::value).collect::<Vec<_>>() }),
        text,
        warnings: done.iter().flat_map(Fetched::warnings).collect(),
        next: if added > 0 { vec!["tidegate data check".to_owned()] } else { Vec::new() },
        ..Report::default()
    }
}
