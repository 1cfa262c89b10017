//! `tidegate start`: runs pipelines on their schedules until somebody asks it to stop.

mod account;
mod beat;
mod daemon;
pub mod meters;
pub mod outcome;
mod reload;
mod slot;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure, OrExit};
use super::live;
use super::names;
use super::output::{print_err, print_out};
use super::run::{journal_failure, look_over, refuse_live};
use super::select::Select;
use super::table::to_second;
use super::work::{self, Workplace};
use crate::domain::Time;
use crate::profile::VenueKind;
use crate::runner::agenda::{Agenda, Pauses};
use crate::runner::control::Door;
use crate::store::journal::Journal;
use crate::web::endpoint::Endpoint;
use beat::Beat;
pub use daemon::PAUSES;
use daemon::{Daemon, SLOTS};
use meters::Meters;
use reload::Documents;

const EXAMPLES: &str = "\
Examples:
  tidegate start -p canary --paper            the profile's pipeline
  tidegate start trend nightly -p production  two of them
  tidegate service print -p production        a unit for systemd

While it runs, every verb works beside it: what needs the account (pause,
resume, close-all, reconcile) is lent it and gives it back. `tidegate status`
shows it, metrics are at [metrics] listen.";

/// Run pipelines on their schedules until Ctrl-C or SIGTERM.
///
/// At each close of a bar it takes in what has closed and trades it, as `run` does once. What was missed is taken in and teaches the
/// models; on a real venue a bar that closed longer ago than max_lateness is not traded. Between bars the account on a real venue is
/// listened to and compared each minute.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Start {
    /// Pipelines: names of files in pipelines/, without .toml [default: the one the profile names].
    #[arg(value_name = "PIPELINE", add = names::pipelines())]
    names: Vec<String>,
    #[command(flatten)]
    select: Select,
    /// For real money: where the account's name ends, as `preflight` shows it.
    #[arg(long, value_name = "SUFFIX")]
    confirm: Option<String>,
}

impl Start {
    /// # Errors
    /// When a document is wrong, another program holds the profile, a port is taken, or the venue is not there at the start.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if context.is_clock_set {
            let error = anyhow!("--at cannot be used with start, which lives in real time");
            return Err(Failure::new(Exit::Usage, error).hint("`tidegate run --at TIME` takes one turn at another time"));
        }
        let places = self.places(context)?;
        let profile = &places[0].profile;
        let folder = places[0].runs.clone();
        for place in &places {
            admit(context, place, self.confirm.as_deref())?;
        }
        let signals = work::signals()?;
        let mut journal = Journal::open(&folder).map_err(journal_failure)?;
        look_over(context, &mut journal)?;
        let door = Door::open(&folder)?;
        let meters = Arc::new(Meters::new(context.clock.clone(), profile.name(), live::mode_of(profile)));
        let endpoint = Endpoint::start(profile.listen(), meters.clone()).map_err(|error| {
            let hint = error.hint();
            Failure::new(Exit::Failed, error).hint(hint)
        })?;
        let slots: BTreeMap<String, Time> = journal.kept(SLOTS)?.unwrap_or_default();
        let began = context.clock.now();
        let agenda = agenda(&places, &slots, began);
        let address = format!("http://{}/metrics", endpoint.address());
        announce(context, &places, &agenda, &address);
        let mut daemon = Daemon {
            context,
            folder,
            stop: signals.stop,
            door,
            meters,
            agenda,
            beat: Beat::of_this_process(),
            lasts: BTreeMap::new(),
            documents: places.iter().map(|_| Documents::default()).collect(),
            select: &self.select,
            rollback: None,
            began,
            endpoint: address,
            places: places.into_iter().map(Arc::new).collect(),
        };
        let exit = daemon.run(journal)?;
        if !context.json && !context.quiet {
            print_err("stopped: what was finished is recorded\n");
        }
        // Whoever runs services takes an orderly end for a success; whoever pressed Ctrl-C sees that it was one.
        let is_pressed = exit == Exit::Done && !signals.is_terminated.load(Ordering::SeqCst);
        Ok(if is_pressed { Exit::Interrupted } else { exit })
    }

    fn places(&self, context: &Context) -> Result<Vec<Workplace>, Failure> {
        let mut names: Vec<Option<&str>> = self.names.iter().map(|name| Some(name.as_str())).collect();
        if names.is_empty() {
            names.push(self.select.pipeline.as_deref());
        }
        let mut places: Vec<Workplace> = Vec::new();
        for name in names {
            let (profile, plan, _) = self.select.load_pipeline(context, name)?;
            if places.iter().any(|place| place.plan.name() == plan.name()) {
                return Err(anyhow!("pipeline {} is named twice", plan.name())).or_exit(Exit::Usage);
            }
            places.push(Workplace::new(context, profile, plan)?);
        }
        let trading: Vec<&str> = places.iter().filter(|place| place.trades_on_venue()).map(|place| place.plan.name()).collect();
        if trading.len() > 1 {
            let error =
                anyhow!("{} would trade on one account, and neither could tell its own from the other's", trading.join(" and "));
            return Err(
                Failure::new(Exit::Usage, error).hint("give each a profile with a key of its own, and start each by itself")
            );
        }
        Ok(places)
    }
}

/// Refuses what must not trade.
fn admit(context: &Context, place: &Workplace, confirmed: Option<&str>) -> Result<(), Failure> {
    match place.profile.venue() {
        VenueKind::Binance => live::admit(context, place, confirmed),
        VenueKind::Paper => {
            refuse_live(&place.profile)?;
            live::refuse_latched(place.profile.name(), &place.runs)
        }
    }
}

/// A pipeline that goes by bars is due at once: what closed while nobody was there is taken in.
fn agenda(places: &[Workplace], slots: &BTreeMap<String, Time>, now: Time) -> Agenda {
    use crate::pipeline::schedule::Timing;
    let entry = |place: &Workplace| {
        let schedule = place.plan.schedule().clone();
        let last = slots.get(place.plan.name()).copied();
        let last = match &schedule.timing {
            Timing::BarClose { every, .. } => Some(last.unwrap_or(now - *every).min(now - *every)),
            Timing::WallClock(_) => last,
        };
        (place.plan.name().to_owned(), schedule, last)
    };
    Agenda::new(now, places.iter().map(entry).collect(), Pauses::new(), now.micros().unsigned_abs())
}

fn announce(context: &Context, places: &[Workplace], agenda: &Agenda, endpoint: &str) {
    if context.json || context.quiet {
        return;
    }
    let profile = &places[0].profile;
    let mut text = format!("{} on {}; metrics at {endpoint}; Ctrl-C ends\n", profile.name(), live::mode_of(profile));
    for (name, slot) in agenda.upcoming() {
        let place = places.iter().find(|place| place.plan.name() == name);
        let what = place.map_or_else(String::new, |place| format!("{} {}", place.symbols(), place.plan.interval()));
        let when = slot.map_or_else(|| "never".to_owned(), |slot| to_second(slot.at));
        text.push_str(&format!("  {name:<12} {what}, first due {when}\n"));
    }
    print_out(&text);
}
