//! `data follow`: bars into the lake as they close.

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::{LakeArgs, contract, failed, progress_bar};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Report, print_err, print_out};
use crate::cli::table::{Table, grouped};
use crate::cli::work::stop_on_signal;
use crate::domain::{Interval, Series, Span, Symbol, Time};
use crate::feed::FeedError;
use crate::feed::binance::stream::{Figures, Word};
use crate::feed::binance::{Address, Http, Reach, RestClient, Row, Service};
use crate::stage::ingest::task::follow::{Follow, Watcher};
use crate::stage::ingest::task::{IngestError, Intake};
use crate::store::Lake;

/// The venue sends no more on one connection.
const SYMBOLS_MAX: usize = 1024;

#[derive(Debug, Args)]
pub struct FollowArgs {
    /// What to follow, like BTC/USDT.
    #[arg(required = true, value_name = "SYMBOL")]
    symbols: Vec<Symbol>,
    /// The length of a bar, like 1m.
    #[arg(long)]
    interval: Interval,
    /// Open time of the first bar wanted [default: where the lake ends, else the last two].
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// End after so long, like 2h [default: at Ctrl-C].
    #[arg(long = "for", value_name = "SPAN")]
    for_: Option<Span>,
    /// Another address of the REST API: one of binance's, or loopback.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Another address of the streams: one of binance's, or loopback.
    #[arg(long, value_name = "URL")]
    stream_url: Option<String>,
    #[command(flatten)]
    lake: LakeArgs,
}

pub(super) fn run(args: &FollowArgs, context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    args.check(now)?;
    let (rest, stream) =
        (address(Service::Market, args.base_url.as_deref())?, address(Service::Stream, args.stream_url.as_deref())?);
    let (lake, contract) = (args.lake.open(context)?, contract());
    let reach = Reach::new(context.clock.clone(), stop_on_signal()?);
    let series: Result<Vec<Series>, _> =
        args.symbols.iter().map(|symbol| Series::new("binance", symbol.clone(), args.interval)).collect();
    let series = series.map_err(|error| failed(error.into()))?;
    let intake = Intake::new(&lake, &contract, now);
    let (from, before) = fill(args, context, &intake, &rest, &reach, &series).map_err(failed)?;
    let mut screen = Screen { context, interval: args.interval, lines: 0 };
    screen.begin(&series, before);
    let follow = Follow::new(&lake, &contract, &reach, (&rest, &stream), &series).until(args.for_.map(|span| now + span));
    let figures = follow.run(&from, &mut screen).map_err(failed)?;
    let exit = if reach.is_stopped() { Exit::Interrupted } else { Exit::Done };
    let text = text_of(&figures, before);
    let mut data = serde_json::to_value(&figures).expect("counts are plain values");
    data["filled_before"] = before.into();
    let report = Report { verb: "data-follow", data, text, warnings: warnings_of(&figures), ..Report::default() };
    Ok(report.print_line(context, exit))
}

impl FollowArgs {
    fn check(&self, now: Time) -> Result<(), Failure> {
        let usage = |error| Err(Failure::new(Exit::Usage, error));
        if self.from.is_some_and(|from| from >= now) {
            return usage(anyhow!("--from is not in the past")).map_err(|failure| failure.hint("leave it out to begin now"));
        }
        if self.symbols.len() > SYMBOLS_MAX {
            let error = anyhow!("{} symbols are more than the {SYMBOLS_MAX} of one connection", self.symbols.len());
            return usage(error).map_err(|failure| failure.hint("follow the others by another command"));
        }
        let mut sorted: Vec<&Symbol> = self.symbols.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return usage(anyhow!("{} is named twice", twice[0])).map_err(|failure| failure.hint("name it once"));
        }
        Ok(())
    }
}

fn address(service: Service, url: Option<&str>) -> Result<Address, Failure> {
    let Some(url) = url else { return Ok(Address::default_of(service)) };
    Address::new(service, url).map_err(|error| {
        let hint = error.hint().unwrap_or_default();
        Failure::new(Exit::Usage, error).hint(hint)
    })
}

/// Fills each series up to now; gives the first bar of each that is left for the streams, and how many bars were added.
fn fill(
    args: &FollowArgs,
    context: &Context,
    intake: &Intake<'_>,
    rest: &Address,
    reach: &Reach,
    series: &[Series],
) -> Result<(Vec<Time>, u64), IngestError> {
    let http = Http::open(rest, reach).map_err(FeedError::from)?;
    let mut client = RestClient::open(&http, intake.lake.local()).map_err(FeedError::from)?;
    let starts: Result<Vec<Time>, IngestError> = series.iter().map(|each| start(args, intake.lake, each, intake.now)).collect();
    let (starts, span) = (starts?, args.interval.span());
    let bars: i64 = starts.iter().map(|from| (intake.now - *from).micros() / span.micros()).sum();
    let bar = progress_bar(context, bars.max(0).unsigned_abs());
    let (mut next, mut added, mut before) = (Vec::new(), 0, 0);
    for (each, from) in series.iter().zip(starts) {
        bar.set_message(each.symbol().to_string());
        let wanted = from..intake.now.max(from);
        let reports = intake.fetch(&mut client, each, wanted, &mut |rows| bar.set_position(before + rows))?;
        before += reports.iter().map(|report| report.quality.rows).sum::<u64>();
        added += reports.iter().map(|report| report.added).sum::<u64>();
        let last = intake.lake.last_open_time(each)?.map(|last| last + span);
        next.push(last.map_or(from, |last| last.max(from)));
    }
    bar.finish_and_clear();
    Ok((next, added))
}

/// Where a series begins to be wanted, on the grid.
fn start(args: &FollowArgs, lake: &Lake, series: &Series, now: Time) -> Result<Time, IngestError> {
    let span = args.interval.span();
    let wanted = match args.from {
        Some(from) => Time::from_micros(from.micros() + span.micros() - 1),
        // Two bars that have closed, so that the venue is asked: its streams say nothing of a symbol that it does not list.
        None => lake.last_open_time(series)?.map_or(now - span - span, |last| last + span),
    };
    Ok(Time::from_micros(wanted.micros().div_euclid(span.micros()) * span.micros()))
}

/// What people and programs see while it goes on.
struct Screen<'a> {
    context: &'a Context,
    interval: Interval,
    lines: u64,
}

impl Screen<'_> {
    fn begin(&self, series: &[Series], before: u64) {
        if self.context.json || self.context.quiet {
            return;
        }
        let names: Vec<String> = series.iter().take(3).map(|each| each.symbol().to_string()).collect();
        let more = if series.len() > 3 { format!(" and {} more", series.len() - 3) } else { String::new() };
        print_err(&format!(
            "{} bars filled by asking. Following {}{more} {}; Ctrl-C ends.\n",
            grouped(before),
            names.join(", "),
            self.interval
        ));
    }

    fn bar(&mut self, symbol: &Symbol, row: &Row, now: Time) {
        let close_time = row.open_time + self.interval.span();
        let late = now - close_time;
        if self.context.json {
            let [open, high, low, close, volume] = row.prices.map(|price| price.to_string());
            let line = json!({
                "schema": "tidegate/data-follow-bar/1", "symbol": symbol.to_string(), "interval": self.interval.to_string(),
                "open_time": row.open_time.to_string(), "open": open, "high": high, "low": low, "close": close, "volume": volume,
                "late_ms": late.micros() / 1000,
            });
            return print_out(&format!("{line}\n"));
        }
        if self.lines.is_multiple_of(40) && !self.context.quiet {
            print_out(&format!("{:<22}{:<14}{:>16}{:>12}\n", "closed at", "symbol", "close", "late by"));
        }
        self.lines += 1;
        let late = format!("{:.1} s", late.as_secs_f64());
        print_out(&format!("{:<22}{:<14}{:>16}{late:>12}\n", close_time.to_string(), symbol.to_string(), row.prices[3]));
    }
}

impl Watcher for Screen<'_> {
    fn hear(&mut self, word: &Word, now: Time) {
        match word {
            Word::Kept(symbol, rows) => rows.iter().for_each(|row| self.bar(symbol, row, now)),
            Word::Filled(symbol, range, bars) if self.context.json => print_out(&format!(
                "{}\n",
                json!({
                    "schema": "tidegate/data-follow-filled/1", "symbol": symbol.to_string(), "interval": self.interval.to_string(),
                    "from": range.start.to_string(), "to": range.end.to_string(), "bars": bars,
                })
            )),
            Word::Filled(symbol, range, bars) if !self.context.quiet => {
                let plural = if *bars == 1 { "" } else { "s" };
                print_err(&format!("{symbol}: {} bar{plural} from {} on asked for\n", grouped(*bars), range.start));
            }
            _ => {}
        }
    }
}

fn text_of(figures: &Figures, before: u64) -> String {
    let mut table = Table::new(&["what", "count#"]);
    let rows: [(&str, u64); 9] = [
        ("bars filled before", before),
        ("bars over the streams", figures.bars),
        ("bars filled since", figures.filled),
        ("bars the venue lacks", figures.holes),
        ("duplicates", figures.duplicates),
        ("refused, conflicts included", figures.refused + figures.conflicts + figures.early),
        ("messages not understood", figures.wrong_frames),
        ("connections", figures.connections),
        ("reconnects", figures.reconnects),
    ];
    for (what, count) in rows {
        table.row([what.to_owned(), grouped(count)]);
    }
    format!("\n{}", table.render())
}

fn warnings_of(figures: &Figures) -> Vec<String> {
    let mut warnings = Vec::new();
    if figures.holes > 0 {
        warnings.push(format!("{} bars are missing: binance has them neither in its streams nor in its pages", figures.holes));
    }
    if figures.refused + figures.conflicts > 0 {
        warnings.push("bars were refused; those that the lake judged are in its _quarantine".to_owned());
    }
    warnings
}

impl Report {
    /// As [`Report::print`], but under `--json` on one line, since others were printed before.
    fn print_line(self, context: &Context, exit: Exit) -> Exit {
        if !context.json {
            return self.print(context, exit);
        }
        let document: Value = self.document(context, exit);
        print_out(&format!("{document}\n"));
        exit
    }
}
