//! `tidegate alerts`: what stands, who was told, and what a person says to it. Works beside a program that runs, and without one.

mod ack;
mod list;
mod route;
mod show;
mod silence;
mod simulate;
mod test;

use clap::{Args, Subcommand};

use super::Context;
use super::alerting::outbox_failure;
use super::exit::{Exit, Failure};
use super::of_profile::Place;
use crate::domain::{Span, Time};
use crate::store::outbox::Outbox;

const EXAMPLES: &str = "\
Examples:
  tidegate alerts list -p canary
  tidegate alerts show 12 -p canary
  tidegate alerts ack 12 -p canary
  tidegate alerts silence \"gap/*\" --for 2h --reason maintenance -p canary
  tidegate alerts test -p canary
  tidegate alerts route --severity critical -p canary";

/// Show alerts, acknowledge and silence them; send a test; say who would be told.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct AlertsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Show(show::Show),
    Ack(ack::Ack),
    Silence(silence::SilenceArgs),
    Unsilence(silence::Unsilence),
    Test(test::Test),
    Route(route::RouteArgs),
    Simulate(simulate::Simulate),
}

/// # Errors
/// When the profile or its outbox is wrong, or there is nothing of the name that was given.
pub fn run(args: &AlertsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List(verb) => verb.run(context),
        Verb::Show(verb) => verb.run(context),
        Verb::Ack(verb) => verb.run(context),
        Verb::Silence(verb) => verb.run(context),
        Verb::Unsilence(verb) => verb.run(context),
        Verb::Test(verb) => verb.run(context),
        Verb::Route(verb) => verb.run(context),
        Verb::Simulate(verb) => verb.run(context),
    }
}

/// The outbox of a profile, to write.
fn open(place: &Place) -> Result<Outbox, Failure> {
    Outbox::open(&place.folder).map_err(outbox_failure)
}

/// `3h`, `12m`, `45s`: the largest unit that says it roughly.
fn roughly(span: Span) -> String {
    let secs = span.micros() / 1_000_000;
    match secs {
        ..120 => format!("{secs}s"),
        120..7200 => format!("{}m", secs / 60),
        7200..172_800 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}

/// A moment to the second.
pub(super) fn to_second(at: Time) -> Time {
    Time::from_micros(at.micros().div_euclid(1_000_000) * 1_000_000)
}

/// How far a moment lies before or behind `now`.
fn from_now(at: Time, now: Time) -> String {
    if at >= now { format!("in {}", roughly(at - now)) } else { format!("{} ago", roughly(now - at)) }
}
