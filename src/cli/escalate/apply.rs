//! `escalate apply`: a plan happens, once, if everything still holds.

use std::io::{BufRead, IsTerminal};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::live::{LOCK_WITHIN, borrow};
use super::super::output::{BOLD, print_err};
use super::super::run::journal_failure;
use super::super::standing::{Standing, footing_failure};
use super::plan::{Draft, draft};
use super::{Of, plans, words};
use crate::domain::Time;
use crate::escalation::{Approval, Footing, Plan, Void, What};
use crate::profile::terms;
use crate::runner::footing::settle;
use crate::store::journal::LadderEvent;

const EXAMPLES: &str = "\
Examples:
  tidegate escalate apply 7f3a9c -p production
  tidegate escalate apply 7f3a9c -p production --confirm production

Exit 5: a gate holds, and the plan stays usable until it expires.
Exit 7: the plan was used, expired, is stale, edited, or voided by a kill or a critical alert.";

/// Apply a plan: measure every gate again, look whether anything changed, then take the step.
///
/// The step, who took it and on what evidence are one row of the log. It counts from the next run on.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Apply {
    /// The plan's name, or how it begins.
    #[arg(value_name = "PLAN")]
    plan: String,
    #[command(flatten)]
    of: Of,
    /// The profile's name, typed: instead of being asked for it.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
}

impl Apply {
    /// # Errors
    /// When the plan is void, a gate holds, nobody confirms it, or another program holds the journal.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut standing = Standing::of(context, &self.of.select())?;
        let now = context.clock.now();
        let plan = plans::read(&standing.folder, &self.plan)?;
        let mut journal = borrow(&standing.folder, standing.profile.name(), "escalate apply", LOCK_WITHIN)?;
        let evidence = standing.evidence_in(&journal, now)?;
        // Where it was made from, before a kill or an edit moves it: those are the better reasons.
        let before = standing.bound(journal.head().sequence);
        plan.check(standing.profile.name(), standing.profile.footing(), &before, &evidence, now).map_err(plans::void)?;
        settle(&mut journal, &standing.folder, &mut standing.profile, now).map_err(footing_failure)?;
        let draft = self.again(&standing, &plan, now)?;
        if let Some(held) = words::held(&draft.readings) {
            let error = anyhow!("plan {} is not applied: {held}", plan.id);
            let told = draft.readings.iter().filter(|reading| reading.verdict != crate::escalation::Verdict::Pass);
            let failure = Failure::new(Exit::GateHolds, error);
            return Err(told.fold(failure, |failure, reading| failure.hint(reading.to_string())));
        }
        self.confirmed(context, &standing, &plan)?;
        let next = applied(&standing, &plan, now);
        let why = format!("plan {}: {}", plan.id, self.reason.trim());
        let evidence = json!({ "plan": plan, "readings": draft.readings });
        journal.set_footing(&next, &LadderEvent { cause: "plan", why, evidence }, now).map_err(journal_failure)?;
        journal.seal().map_err(journal_failure)?;
        standing.profile.stand(next);
        Ok(report(context, &standing, &plan, &draft))
    }

    /// The same rise, worked out again: a plan that would do something else now is stale.
    fn again(&self, standing: &Standing, plan: &Plan, now: Time) -> Result<Draft, Failure> {
        let draft = draft(standing, plan.what == What::Lift, now)?;
        if draft.what != plan.what || draft.changes != plan.changes {
            return Err(plans::void(Void::Stale { id: plan.id.clone(), what: "what it would do" }));
        }
        Ok(draft)
    }

    /// A person types the profile's name, unless the schedule says that nobody has to.
    fn confirmed(&self, context: &Context, standing: &Standing, plan: &Plan) -> Result<(), Failure> {
        let name = standing.profile.name();
        let is_auto = standing.profile.schedule().is_some_and(|schedule| schedule.approval == Approval::Auto);
        if is_auto && matches!(plan.what, What::Step { .. }) {
            return Ok(());
        }
        let typed = match &self.confirm {
            Some(typed) => typed.clone(),
            None if context.no_input || context.json || !std::io::stdin().is_terminal() => {
                let error = anyhow!("plan {} raises risk, and nobody is there to confirm it", plan.id);
                return Err(Failure::new(Exit::Usage, error).hint(format!("add --confirm {name}")));
            }
            None => {
                print_err(&format!("{}\nType the profile's name to continue: ", words::changes(&plan.changes)));
                let mut line = String::new();
                std::io::stdin().lock().read_line(&mut line)?;
                line
            }
        };
        if typed.trim() == name {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, anyhow!("\"{}\" is not {name}: nothing was applied", typed.trim())))
    }
}

/// Where the profile stands behind the plan.
fn applied(standing: &Standing, plan: &Plan, now: Time) -> Footing {
    let profile = &standing.profile;
    let footing = profile.footing();
    match plan.what {
        What::Step { to, slot, .. } => {
            let ladder = profile.ladder().expect("a step was drafted on a ladder");
            footing.raised(to, &ladder.rungs()[to as usize], slot, &plan.id, now)
        }
        What::Schedule => Footing { terms: terms::written(profile.effective()), ..footing.with_used(&plan.id) },
        What::Lift => Footing { lowered: std::collections::BTreeMap::new(), ..footing.with_used(&plan.id) },
    }
}

fn report(context: &Context, standing: &Standing, plan: &Plan, draft: &Draft) -> Exit {
    let profile = &standing.profile;
    let mut report = words::report("escalate-apply", standing);
    let gates = match draft.readings.len() {
        0 => "no gate is declared".to_owned(),
        count => format!("{count} of {count} gates pass, measured again"),
    };
    report.text = format!("Applied plan {} to {}: {gates}.\n{}", plan.id, profile.name(), words::changes(&plan.changes));
    report.text.push_str(&format!("{BOLD}Step {}{BOLD:#}. It counts from the next run on.\n", profile.step()));
    if let (What::Step { .. }, Some(change)) = (plan.what, plan.changes.first()) {
        let key = change.key.trim_start_matches("limits.");
        report.text.push_str(&format!(
            "Undo, which needs no plan: tidegate limits lower {key} {} -p {}\n",
            change.now,
            profile.name()
        ));
    }
    report.data = json!({ "plan": plan.id, "step": profile.step(), "changes": plan.changes, "readings": draft.readings });
    report.next.push(format!("tidegate limits -p {}", profile.name()));
    report.print(context, Exit::Done)
}
