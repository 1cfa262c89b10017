//! The command line: parses, chooses the concrete clock, feed, venue and store, calls, prints.
//!
//! Enter at [`main`]. One file a verb; each verb's arguments and its `run` live together.
//!
//! CLI-1  Under `--json` stdout carries one document and nothing else (`data follow`, `venue-sim`: one a line); progress and hints go to stderr.
//! CLI-2  Every expected failure has its own exit code ([`exit::Exit`]).
//!
//! Not here: anything a library user would miss.

mod alerting;
mod alerts;
mod backup;
mod check;
mod close_all;
mod completions;
mod config;
mod dashboards;
mod data;
mod diff;
mod doctor;
mod escalate;
pub mod exit;
mod explain;
mod from_env;
mod init;
mod kill;
mod lake;
mod limits;
mod live;
mod log;
mod man;
mod names;
mod of_profile;
mod orders;
pub mod output;
mod pause;
mod perf;
mod positions;
mod preflight;
mod receipt;
mod reconcile;
mod recover;
mod replay;
mod resolve;
mod resume;
mod rollback;
mod round_trip;
mod run;
mod schedule;
mod schema;
mod secrets;
pub mod select;
mod service;
mod start;
mod standing;
mod state;
mod status;
pub mod summary;
pub mod table;
mod test;
mod turn;
mod venue_sim;
mod why;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::clock::{Clock, ManualClock, SystemClock};
use crate::domain::Time;
use crate::telemetry::logging::{self, Logging};
use exit::{Exit, Failure};

/// Runs a quant trading pipeline declared in TOML: bars in, model, risk-gated orders, alerts.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten, next_help_heading = "Options of every command")]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Print the result only: no progress, no hints.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// When to use colour; NO_COLOR is obeyed.
    #[arg(long, global = true, value_enum, default_value_t = ColorWhen::Auto, value_name = "WHEN")]
    color: ColorWhen,
    /// The project's folder: where profiles/, pipelines/ and data/ are.
    #[arg(long, global = true, default_value = ".", value_name = "DIR", value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Ask nothing: what would need an answer fails instead.
    #[arg(long, global = true)]
    no_input: bool,
    /// Act as if it were this UTC time, like 2025-03-01T06:00:00Z; never on a live venue.
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
    Init(init::Init),
    Run(run::Run),
    Start(start::Start),
    Status(status::Status),
    Replay(replay::Replay),
    Kill(kill::Kill),
    CloseAll(close_all::CloseAll),
    Rollback(rollback::RollbackArgs),
    Preflight(preflight::Preflight),
    Doctor(doctor::Doctor),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Positions(positions::Positions),
    Orders(orders::Orders),
    Reconcile(reconcile::Reconcile),
    Limits(limits::Limits),
    Escalate(escalate::Escalate),
    Perf(perf::Perf),
    Why(why::Why),
    Resolve(resolve::Resolve),
    Log(log::LogArgs),
    Alerts(alerts::AlertsArgs),
    Backup(backup::Backup),
    Recover(recover::Recover),
    Test(test::Test),
    Check(check::Check),
    Config(config::Config),
    Explain(explain::Explain),
    Diff(diff::Diff),
    Schedule(schedule::ScheduleArgs),
    Service(service::ServiceArgs),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
    FromEnv(from_env::FromEnv),
    Dashboards(dashboards::DashboardsArgs),
    VenueSim(venue_sim::VenueSim),
    /// Take bars into the lake, check them, list them.
    Data(data::DataArgs),
}

/// What every verb is given.
#[derive(Clone)]
pub struct Context {
    pub root: PathBuf,
    pub json: bool,
    pub quiet: bool,
    pub no_input: bool,
    pub clock: Arc<dyn Clock>,
    /// It stands where `--at` has set it.
    pub is_clock_set: bool,
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
                Some(time) => Arc::new(ManualClock(time)),
                None => Arc::new(SystemClock),
            },
            is_clock_set: global.at.is_some(),
        }
    }
}

impl Context {
    /// The same by the machine's clock, whatever --at says.
    fn in_real_time(&self) -> Self {
        Self { clock: Arc::new(SystemClock), is_clock_set: false, ..self.clone() }
    }
}

/// Log lines go to stderr; results have stdout to themselves.
fn start_logging(context: &Context) -> Result<(), logging::LoggingError> {
    let choice = anstream::AutoStream::choice(&std::io::stderr());
    let settings = Logging {
        json: context.json,
        color: choice != anstream::ColorChoice::Never,
        filter: if context.quiet { "error" } else { "warn" },
    };
    logging::start(settings, std::env::var(logging::FILTER_VARIABLE).ok().as_deref(), context.clock.clone())
}

/// Parses the command line, runs the verb, and turns its end into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = completions::answer() {
        return code;
    }
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
    if let Err(error) = start_logging(&context) {
        return output::print_failure(&context, &Failure::new(Exit::Usage, error)).into();
    }
    let end: Result<Exit, Failure> = match cli.verb {
        Verb::Init(verb) => verb.run(&context),
        Verb::Run(verb) => verb.run(&context),
        Verb::Start(verb) => verb.run(&context),
        Verb::Status(verb) => verb.run(&context),
        Verb::Replay(verb) => verb.run(&context),
        Verb::Kill(verb) => verb.run(&context),
        Verb::CloseAll(verb) => verb.run(&context),
        Verb::Rollback(verb) => verb.run(&context),
        Verb::Preflight(verb) => verb.run(&context),
        Verb::Doctor(verb) => verb.run(&context),
        Verb::Pause(verb) => verb.run(&context),
        Verb::Resume(verb) => verb.run(&context),
        Verb::Positions(verb) => verb.run(&context),
        Verb::Orders(verb) => verb.run(&context),
        Verb::Reconcile(verb) => verb.run(&context),
        Verb::Limits(verb) => verb.run(&context),
        Verb::Escalate(verb) => verb.run(&context),
        Verb::Perf(verb) => verb.run(&context),
        Verb::Why(verb) => verb.run(&context),
        Verb::Resolve(verb) => verb.run(&context),
        Verb::Log(args) => log::run(&args, &context),
        Verb::Alerts(args) => alerts::run(&args, &context),
        Verb::Backup(verb) => verb.run(&context),
        Verb::Recover(verb) => verb.run(&context),
        Verb::Test(verb) => verb.run(&context),
        Verb::Check(verb) => verb.run(&context),
        Verb::Config(verb) => verb.run(&context),
        Verb::Explain(verb) => verb.run(&context),
        Verb::Diff(verb) => verb.run(&context),
        Verb::Schedule(args) => schedule::run(&args, &context),
        Verb::Service(args) => service::run(&args, &context),
        Verb::Schema(verb) => verb.run(&context),
        Verb::Completions(verb) => verb.run(&context),
        Verb::Man(verb) => verb.run(&context),
        Verb::FromEnv(verb) => verb.run(&context),
        Verb::Dashboards(args) => dashboards::run(&args, &context),
        Verb::VenueSim(verb) => verb.run(&context),
        Verb::Data(args) => data::run(&args, &context),
    };
    match end {
        Ok(exit) => exit.into(),
        Err(failure) => output::print_failure(&context, &failure).into(),
    }
}
