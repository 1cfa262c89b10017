//! The command line: parses, chooses the concrete clock, feed, venue and store, calls, prints.
//!
//! Enter at [`main`]. One file a verb; each verb's arguments and its `run` live together.
//!
//! CLI-1  Under `--json` stdout carries one document and nothing else; progress and hints go to stderr.
//! CLI-2  Every expected failure has its own exit code ([`exit::Exit`]).
//!
//! Not here: anything a library user would miss.

mod check;
mod config;
mod data;
pub mod exit;
mod explain;
pub mod output;
mod replay;
mod run;
pub mod select;
pub mod summary;
pub mod table;
mod test;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::clock::{Clock, ManualClock, SystemClock};
use crate::domain::Time;
use exit::{Exit, Failure};

/// Runs a quant trading pipeline declared in TOML: bars in, model, risk-gated orders, alerts.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Print results only: no progress, no hints.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// When to use colour; NO_COLOR is obeyed.
    #[arg(long, global = true, value_enum, default_value_t = ColorWhen::Auto, value_name = "WHEN")]
    color: ColorWhen,
    /// The project's folder: where profiles/, pipelines/ and data/ are.
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// Ask nothing: what would need an answer fails instead.
    #[arg(long, global = true)]
    no_input: bool,
    /// Take this UTC time for now, in verbs that only read or replay.
    #[arg(long, global = true, value_name = "TIME")]
    at: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Replay(replay::Replay),
    Test(test::Test),
    Check(check::Check),
    Config(config::Config),
    Explain(explain::Explain),
    /// Bars: import, check, list.
    Data(data::DataArgs),
}

/// What every verb is given.
pub struct Context {
    pub root: PathBuf,
    pub json: bool,
    pub quiet: bool,
    pub no_input: bool,
    pub clock: Box<dyn Clock>,
}

impl Context {
    fn new(global: &Global) -> Self {
        match global.color {
            ColorWhen::Always => anstream::ColorChoice::Always.write_global(),
            ColorWhen::Never => anstream::ColorChoice::Never.write_global(),
            ColorWhen::Auto => {}
        }
        Self {
            root: global.root.clone(),
            json: global.json,
            quiet: global.quiet,
            no_input: global.no_input,
            clock: match global.at {
                Some(time) => Box::new(ManualClock(time)),
                None => Box::new(SystemClock),
            },
        }
    }
}

/// Parses the command line, runs the verb, and turns its end into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints them to stdout itself.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    let context = Context::new(&cli.global);
    let end: Result<Exit, Failure> = match cli.verb {
        Verb::Run(verb) => verb.run(&context),
        Verb::Replay(verb) => verb.run(&context),
        Verb::Test(verb) => verb.run(&context),
        Verb::Check(verb) => verb.run(&context),
        Verb::Config(verb) => verb.run(&context),
        Verb::Explain(verb) => verb.run(&context),
        Verb::Data(args) => data::run(&args, &context),
    };
    match end {
        Ok(exit) => exit.into(),
        Err(failure) => output::print_failure(&context, &failure).into(),
    }
}
