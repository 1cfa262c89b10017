//! `escalate hold`: no step up until a person lets go.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::live::borrow;
use super::super::run::journal_failure;
use super::super::standing::{Standing, footing_failure};
use super::{Of, words};
use crate::escalation::Footing;
use crate::runner::footing::settle;
use crate::store::journal::{Journal, LadderEvent};
use crate::store::wish::{self, Wish};

/// Hold the ladder where it is: no step up, whatever the gates say, until it is released.
///
/// Works beside a program that runs. Releasing needs a reason, and that no other program holds the journal.
#[derive(Debug, Args)]
pub struct HoldArgs {
    #[command(flatten)]
    of: Of,
    /// Let go again.
    #[arg(long)]
    release: bool,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl HoldArgs {
    /// # Errors
    /// When the reason is empty, nothing is held, or the journal is held or unreadable.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say why, in a few words"));
        }
        let mut standing = Standing::of(context, &self.of.select())?;
        standing.schedule()?;
        let now = context.clock.now();
        let name = standing.profile.name().to_owned();
        if !self.release {
            wish::file(&standing.folder, &Wish::Hold { at: now, reason: reason.to_owned() })?;
        }
        match borrow(&standing.folder, &name, "escalate hold", Duration::ZERO) {
            // What is filed counts already; whoever holds the journal writes it down later.
            Err(failure) if failure.exit == Exit::Locked && !self.release => {}
            Err(failure) => return Err(failure),
            Ok(mut journal) => {
                settle(&mut journal, &standing.folder, &mut standing.profile, now).map_err(footing_failure)?;
                if self.release {
                    release(&mut journal, &standing, reason, now)?;
                }
                journal.seal().map_err(journal_failure)?;
            }
        }
        let mut report = words::report("escalate-hold", &standing);
        let word = if self.release { "released: its gates decide again" } else { "held: no step up until it is released" };
        report.text = format!("{name} {word}\n");
        report.data = json!({ "held": !self.release, "reason": reason });
        if !self.release {
            report.next.push(format!("tidegate escalate hold -p {name} --release --reason \"...\""));
        }
        Ok(report.print(context, Exit::Done))
    }
}

fn release(journal: &mut Journal, standing: &Standing, reason: &str, now: crate::domain::Time) -> Result<(), Failure> {
    let footing = standing.profile.footing();
    if footing.hold.is_none() {
        return Err(Failure::new(Exit::Failed, anyhow!("{} is not held", standing.profile.name())));
    }
    let free = Footing { hold: None, ..footing.clone() };
    let event = LadderEvent { cause: "release", why: reason.to_owned(), evidence: json!(footing.hold) };
    journal.set_footing(&free, &event, now).map_err(journal_failure)
}
