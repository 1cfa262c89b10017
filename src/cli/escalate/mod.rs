//! `escalate`: let limits grow by one step, on evidence, when a person says so.

mod apply;
mod history;
mod hold;
mod plan;
mod plans;
mod simulate;
mod status;
mod words;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::select::Select;

/// Let limits grow step by step: on evidence, once a slot, when a person says so.
///
/// A plan is made while a slot is open, and applied once. A kill takes the ladder back to its start.
#[derive(Debug, Args)]
pub struct Escalate {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::Status),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Hold(hold::HoldArgs),
    History(history::History),
    Simulate(simulate::Simulate),
}

/// Which profile. Evidence is that of the venue that it declares: nothing forces it onto paper here.
#[derive(Debug, Clone, Args)]
pub struct Of {
    /// The profile: the name of a file in profiles/, without .toml.
    #[arg(short, long, value_name = "PROFILE", add = names::profiles())]
    profile: Option<String>,
    /// The pipeline whose account is judged [default: the one the profile names].
    #[arg(long, value_name = "NAME", add = names::pipelines())]
    pipeline: Option<String>,
}

impl Of {
    fn select(&self) -> Select {
        Select { profile: self.profile.clone(), pipeline: self.pipeline.clone(), set: Vec::new(), paper: false }
    }
}

impl Escalate {
    /// # Errors
    /// As the verb below.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Status(verb) => verb.run(context),
            Verb::Plan(verb) => verb.run(context),
            Verb::Apply(verb) => verb.run(context),
            Verb::Hold(verb) => verb.run(context),
            Verb::History(verb) => verb.run(context),
            Verb::Simulate(verb) => verb.run(context),
        }
    }
}
