//! `tidegate rollback`: stop, close everything, go back to the model before, begin the ladder anew; each verified before the next.

mod perform;
mod plan;
mod told;

use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure};
use super::kill::{self, Done};
use super::live::{Stopped, latch_first, wait_for_journal_in};
use super::run::journal_failure;
use super::select::Select;
use crate::clock::{Clock, SystemClock};
use crate::domain::Span;
use crate::profile::{RollbackStep, StepKind, VenueKind};
use crate::runner::drill;
use crate::runner::rollback::{self, Cause, Order, Rollback, RollbackError};
use crate::store::journal::Journal;

const EXAMPLES: &str = "\
Examples:
  tidegate rollback -p canary --plan
  tidegate rollback -p canary --reason \"alert 219 is not resolved\"

It works while no program runs, and latches and withdraws with documents that
are broken. Cut off anywhere, it is run again; done, it is harmless.
Exit 0: done and verified. Exit 8: one is in progress. Exit 11: positions may
be open. Exit 1: flat, and a later step failed; the profile stays halted.";

/// Roll back: stop, withdraw, close all positions, restore the model before, begin the ladder anew.
///
/// The steps are those of [rollback.step.*] in the profile. Each is verified at the venue or in the journal before the next begins,
/// and written down, so that one that was cut off goes on. The profile stays halted until `resume`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct RollbackArgs {
    #[command(flatten)]
    select: Select,
    /// Why; written into the latch and the log.
    #[arg(long, value_name = "TEXT", default_value = "by hand")]
    reason: String,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with_all = ["resume", "to"])]
    plan: bool,
    /// Go on with this one, which was cut off or failed.
    #[arg(long, value_name = "ID", conflicts_with = "to")]
    resume: Option<String>,
    /// Restore this model [default: the champion before].
    #[arg(long, value_name = "MODEL")]
    to: Option<String>,
}

/// What is done to a profile, and with what.
pub(super) struct Task<'a> {
    pub context: &'a Context,
    pub select: &'a Select,
    pub stopped: &'a Stopped,
    /// What was withdrawn before anything else.
    pub withdrawn: &'a Done,
    /// The step to stand still at, where no money is.
    pub drill: Option<String>,
}

impl RollbackArgs {
    /// # Errors
    /// When nothing has the name of the profile, one is in progress, or the one to resume is not there.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if self.plan {
            return plan::show(context, &self.select);
        }
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say what went wrong"));
        }
        // It happens now, whatever --at says.
        let context = &context.in_real_time();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = clock.now();
        let stopped = latch_first(context, &self.select, "rollback", reason, now)?;
        let drill = drill_of(&stopped);
        drill::stop_at("latched", drill.as_deref());
        let _alone = rollback::alone(&stopped.folder).map_err(|error| not_alone(&stopped, error))?;
        let withdrawn = kill::withdraw(context, &stopped, &clock, now);
        let task = Task { context, select: &self.select, stopped: &stopped, withdrawn: &withdrawn, drill };
        let patience = pause_within(&stopped).to_std();
        let mut journal = match wait_for_journal_in(&stopped.name, &stopped.folder, patience) {
            Ok(journal) => journal,
            Err(failure) => return Ok(told::not_begun(&task, &failure)),
        };
        if let Some(told) = self.not_to_resume(&task, &journal)? {
            return Ok(told);
        }
        let order = Order { steps: steps(&stopped), cause: Cause::Manual, reason: reason.to_owned(), to: self.to.clone() };
        let began = rollback::begin(&mut journal, &stopped.folder, order, clock.now());
        match began.map_err(failure).and_then(|began| perform::all(&task, &mut journal, began)) {
            Ok(performed) => Ok(told::end(&task, &performed)),
            Err(failure) => Ok(told::not_begun(&task, &failure)),
        }
    }

    /// Says that there is nothing to go on with, where one is named that is over.
    fn not_to_resume(&self, task: &Task<'_>, journal: &Journal) -> Result<Option<Exit>, Failure> {
        let Some(id) = &self.resume else { return Ok(None) };
        let last = rollback::last(journal).map_err(journal_failure)?;
        match last {
            Some(last) if last.id == *id && last.ended.is_none() => Ok(None),
            Some(last) if last.id == *id => Ok(Some(told::over(task, &last))),
            last => Err(unknown(task.stopped, id, last.as_ref())),
        }
    }
}

/// Where no money is, a drill may stop the process in the middle.
fn drill_of(stopped: &Stopped) -> Option<String> {
    let profile = &stopped.selected.as_ref().ok()?.profile;
    let is_practice = match profile.venue() {
        VenueKind::Paper => true,
        VenueKind::Binance => profile.binance().is_some_and(|venue| crate::feed::binance::is_loopback(&venue.base_url)),
    };
    std::env::var(drill::VARIABLE).ok().filter(|_| is_practice)
}

fn steps(stopped: &Stopped) -> Vec<RollbackStep> {
    stopped.selected.as_ref().map_or_else(|_| RollbackStep::usual(), |selected| selected.profile.rollback_steps())
}

/// A program that runs is waited for as long as the step that pauses it may take.
fn pause_within(stopped: &Stopped) -> Span {
    let steps = steps(stopped);
    let pause = steps.iter().find(|step| step.does == StepKind::PauseLoop);
    pause.map_or(Span::from_secs(10), |step| step.timeout)
}

fn failure(error: RollbackError) -> Failure {
    match error {
        RollbackError::Journal(error) => journal_failure(error),
        RollbackError::Latch(error) => {
            let hint = error.hint();
            Failure::new(Exit::PositionsOpen, error).hint(hint)
        }
        other => Failure::from(other),
    }
}

fn not_alone(stopped: &Stopped, error: RollbackError) -> Failure {
    let name = &stopped.name;
    match error {
        RollbackError::InProgress => Failure::new(Exit::Locked, anyhow!("a rollback of {name} is in progress; it goes on"))
            .hint("wait for it; if its program dies, run the same command again: it goes on where that one was")
            .hint(format!("tidegate log -p {name} --kind rollback   shows how far it is")),
        other => {
            let failure = Failure::new(Exit::PositionsOpen, other);
            failure.hint("make the folder writable, then run the same command again: positions may be open")
        }
    }
}

fn unknown(stopped: &Stopped, id: &str, last: Option<&Rollback>) -> Failure {
    let there = last.map_or_else(|| "there never was one".to_owned(), |last| format!("the last one is {}", last.id));
    Failure::new(Exit::Usage, anyhow!("{} has no rollback {id} to go on with: {there}", stopped.name))
        .hint("the profile is halted all the same")
        .hint(format!("to begin one, or go on with the last: tidegate rollback -p {} --reason \"...\"", stopped.name))
}
