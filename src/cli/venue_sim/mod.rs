//! `venue-sim`: a venue of one's own, to rehearse on.

mod account;
mod tape;
mod verdict;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure, OrExit};
use super::output::{BOLD, DIM, Report, print_out};
use super::work::stop_on_signal;
use crate::domain::{Interval, Money, Qty, Symbol, Time};
use crate::venue::sim::serve::{Floor, Served};
use crate::venue::sim::{Checker, Depth, Exchange, Filters, Limits, Listed, Promises, Script, Setup};
use account::Account;
pub(in crate::cli) use account::letters;
use tape::{Pace, Tape};
use verdict::Record;

/// How long the market's thread waits at most before it looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Serves a simulated Binance Spot on this machine, to rehearse orders on. No money, no network.
///
/// It has REST, user events and market streams on one address, matches orders itself, bans who misbehaves, and can be told to
/// fail. At Ctrl-C it says what happened, and ends with 4 if a promise was broken: two orders of one client id, a request in a
/// ban, an order above a limit, a balance that its trades do not explain.
#[derive(Debug, Args)]
pub struct VenueSim {
    /// The address to listen on; 0 takes any port that is free. Loopback only.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What is traded.
    #[arg(short, long, default_value = "BTC/USDT")]
    symbol: Symbol,
    /// The length of the bars that move the market.
    #[arg(short, long, default_value = "1m")]
    interval: Interval,
    /// Bars from a file that `data import` takes [default: synthetic ones].
    #[arg(long, value_name = "FILE", conflicts_with = "lake")]
    bars: Option<PathBuf>,
    /// Bars from a lake, as it has them of the symbol and interval.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "data/lake")]
    lake: Option<PathBuf>,
    /// Where in the bars it begins, like 2024-03-01 [default: their start].
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Bars that have closed when it begins, for models that need a past.
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    history: usize,
    /// How much faster bars pass; at 60x bars of 1m are told as bars of 1s.
    #[arg(long, default_value = "1x", value_name = "TIMES", value_parser = tape::times)]
    speed: u32,
    /// The market moves by one bar each time that Enter is pressed.
    #[arg(long, conflicts_with = "speed")]
    step: bool,
    /// What goes wrong: a number draws faults from it as a seed, a file lists them.
    #[arg(long, value_name = "SEED|FILE")]
    faults: Option<String>,
    /// What synthetic bars and a key of the venue's own making are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The API key to accept [default: one made from the seed].
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// The secret of the key [default: one made from the seed].
    #[arg(long, value_name = "TEXT")]
    secret: Option<String>,
    /// What the account has; may be given several times.
    #[arg(long, default_value = "USDT=1000", value_name = "ASSET=AMOUNT", value_parser = account::balance)]
    balance: Vec<(String, Qty)>,
    /// Judge orders by this limit of one buy, in the quote currency.
    #[arg(long, value_name = "AMOUNT")]
    max_notional_per_order: Option<Money>,
    /// Judge orders by this limit of everything held and bid for.
    #[arg(long, value_name = "AMOUNT")]
    max_total_notional: Option<Money>,
    /// Write the venue's record here, a JSON document a line.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

impl VenueSim {
    /// # Errors
    /// When the address, the bars or the faults cannot be had.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let pace = self.pace()?;
        let mut tape = Tape::open(self, context, pace)?;
        let account = Account::of(self);
        let script = self.script()?;
        let exchange = Exchange::new(self.setup(&account), context.clock.now());
        let promises = Promises {
            order_notional_max: self.max_notional_per_order,
            total_notional_max: self.max_total_notional,
            ..Promises::default()
        };
        let checker = Checker::new(promises, exchange.pairs());
        let mut record = Record::open(checker, self.log.as_deref())?;
        let floor = Floor::new(exchange, context.clock.clone());
        floor.with(|exchange, now| {
            tape.tell_history(exchange, now);
            // Nothing goes wrong in the past.
            *exchange.script_mut() = script;
            tape.advance(exchange, now, false)
        });
        let served = Served::start(floor, self.listen).or_exit(Exit::Usage);
        let served = served.map_err(|failure| failure.hint("pass --listen 127.0.0.1:0 for a port that is free"))?;
        let stop = stop_on_signal()?;
        self.greet(context, &served, &account, &tape);
        let steps = if self.step { lines() } else { silent() };
        while !stop.load(Ordering::SeqCst) {
            let is_step = match steps.1.recv_timeout(LOOK_EVERY) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                // Whoever pressed Enter has gone, and with him the rehearsal.
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let told = served.floor.with(|exchange, now| tape.advance(exchange, now, is_step));
            self.tell_bar(context, told);
            served.floor.with(|exchange, _| record.take(exchange))?;
        }
        let floor = served.floor.clone();
        drop(served);
        floor.with(|exchange, _| record.take(exchange))?;
        let (report, exit) = (record.report(tape.told()), record.exit());
        if context.json {
            print_out(&format!("{}\n", report.document(context, exit)));
            return Ok(exit);
        }
        Ok(report.print(context, exit))
    }

    fn pace(&self) -> Result<Pace, Failure> {
        Pace::new(self.interval, self.speed, self.step).map_err(|error| {
            let hint = "choose a speed by which the interval becomes one that the venue has, like 1m at 60x";
            Failure::new(Exit::Usage, error).hint(hint)
        })
    }

    fn script(&self) -> Result<Script, Failure> {
        let Some(what) = &self.faults else { return Ok(Script::new(self.seed)) };
        if let Ok(seed) = what.parse() {
            return Ok(Script::weather(seed, 1.0));
        }
        let hint = "write rules like: [[rule]] on = \"place\", when = { nth = 3 }, fault = \"lost\", accepted = true";
        let text = std::fs::read_to_string(what).map_err(|error| anyhow!(error).context(format!("failed to read {what}")));
        let text = text.or_exit(Exit::Usage).map_err(|failure| failure.hint("pass a number as a seed, or a file of rules"))?;
        let script = Script::from_toml(&text, self.seed);
        script.map_err(|error| Failure::new(Exit::Usage, anyhow!("{what}: {error}")).hint(hint))
    }

    fn setup(&self, account: &Account) -> Setup {
        let depth = Depth::of_a_large_symbol();
        let listed = Listed {
            symbol: self.symbol.clone(),
            interval: self.pace().map_or(self.interval, |pace| pace.shown),
            filters: Filters::default(),
            depth,
        };
        Setup {
            listed: vec![listed],
            holders: vec![account.holder(self)],
            limits: Limits::default(),
            script: Script::new(self.seed),
        }
    }

    fn greet(&self, context: &Context, served: &Served, account: &Account, tape: &Tape) {
        let (rest, api, stream) = (served.rest_url(), served.api_url(), served.stream_url());
        let shown = tape.pace().shown;
        if context.json {
            let document = json!({
                "schema": "tidegate/venue-sim-ready/1", "rest": rest, "api": api, "stream": stream,
                "symbol": self.symbol.to_string(), "interval": shown.to_string(), "key": account.key, "secret": account.shown_secret(),
            });
            return print_out(&format!("{document}\n"));
        }
        let moves = match (self.step, self.speed) {
            (true, _) => ", moved by Enter".to_owned(),
            (false, 1) => String::new(),
            (false, speed) => format!(", made of {} at {speed}x", self.interval),
        };
        print_out(&format!(
            "A simulated Binance Spot for this machine. No money, no network.\n\n\
             {BOLD}REST{BOLD:#}         {rest}\n\
             {BOLD}user events{BOLD:#}  {api}\n\
             {BOLD}streams{BOLD:#}      {stream}\n\
             {BOLD}market{BOLD:#}       {} in bars of {shown}{moves}; {} before now\n\
             {BOLD}key{BOLD:#}          {}\n\
             {BOLD}secret{BOLD:#}       {}\n\n\
             In a profile of mode \"paper\", with key and secret in the environment:\n\n\
             {DIM}[stages.oms]\nvenue      = \"binance\"\n\n[venue.binance]\nbase_url   = \"{rest}\"\napi_key    = \"env:SIM_KEY\"\napi_secret = \"env:SIM_SECRET\"{DIM:#}\n\n\
             In the pipeline's ingest stage:\n\n\
             {DIM}source     = \"binance\"\nbase_url   = \"{rest}\"\ninterval   = \"{shown}\"{DIM:#}\n\n\
             Ctrl-C ends with a verdict.\n",
            self.symbol,
            tape.told(),
            account.key,
            account.shown_secret(),
        ));
    }

    fn tell_bar(&self, context: &Context, told: Option<tape::Told>) {
        let Some(told) = told.filter(|_| !context.json && !context.quiet) else { return };
        let text = match told {
            tape::Told::Bar { closed_at, close } => format!("{closed_at}  {close}\n"),
            tape::Told::Over => "the bars are over: the market stands still\n".to_owned(),
        };
        super::output::print_err(&text);
    }
}

type Steps = (Option<mpsc::Sender<()>>, Receiver<()>);

/// A step for each line of the input.
fn lines() -> Steps {
    let (send, receive) = mpsc::channel();
    // The thread ends with the input, or with the process: nothing has to wait for it.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || send.send(()).is_err() {
                return;
            }
        }
    });
    (None, receive)
}

/// No steps, and no end of them.
fn silent() -> Steps {
    let (send, receive) = mpsc::channel();
    (Some(send), receive)
}

/// A number with the name of what is counted.
fn counted(count: usize, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", super::table::grouped(count as u64))
}

impl Record {
    /// What the venue says at the end.
    fn report(&self, bars: usize) -> Report {
        let text = self.text(bars);
        Report { verb: "venue-sim", data: self.data(bars), text, ..Report::default() }
    }
}
