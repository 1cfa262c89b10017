//! `escalate plan`: writes down the rise that is due, or that would be.

use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::output::BOLD;
use super::super::standing::{Standing, told};
use super::super::table::short_time;
use super::{Of, plans, words};
use crate::domain::{Span, Time};
use crate::escalation::decide::measure;
use crate::escalation::{Change, Decision, Plan as Written, Raised, Reading, What, decide};
use crate::profile::KeyPath;
use crate::risk::LimitKey;

/// A plan without a schedule that says otherwise.
const EXPIRES_AFTER: Span = Span::from_days(1);

const EXAMPLES: &str = "\
Examples:
  tidegate escalate plan -p production
  tidegate escalate plan -p production --lift

Exit 0: the plan is written, even when a gate holds: it can be applied if all
of them pass before it expires. With --exit-code a plan that is held ends with 5.";

/// Plan the next step up: what rises, what every gate says, until when it can be applied.
///
/// Where the documents have a schedule that would raise risk, the plan is to take that over. The plan is bound to the documents, the
/// program and the step that it starts from; whatever of that changes, a kill too, makes it void.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Plan {
    #[command(flatten)]
    of: Of,
    /// Plan to give back what `limits lower` took away, instead of a step.
    #[arg(long)]
    lift: bool,
    /// End with code 5 when a gate holds, for scripts.
    #[arg(long)]
    exit_code: bool,
}

/// What a plan would do now, whether or not it may.
pub struct Draft {
    pub what: What,
    pub changes: Vec<Change>,
    pub readings: Vec<Reading>,
    /// The end of its time.
    pub expires_at: Time,
}

impl Plan {
    /// # Errors
    /// When there is nothing to plan, the documents are wrong, or the plan cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let standing = Standing::of(context, &self.of.select())?;
        let now = context.clock.now();
        let row = standing.last_row()?;
        let draft = draft(&standing, self.lift, now)?;
        let times = (now, draft.expires_at);
        let name = standing.profile.name();
        let plan = Written::sealed(name, draft.what, draft.changes, standing.bound(row), times, draft.readings);
        let path = plans::write(&standing.folder, &plan)?;
        Ok(self.report(context, &standing, &plan, &path))
    }

    fn report(&self, context: &Context, standing: &Standing, plan: &Written, path: &std::path::Path) -> Exit {
        let profile = &standing.profile;
        let mut report = words::report("escalate-plan", standing);
        let mut text = format!(
            "{BOLD}Plan {}{BOLD:#}  {}  base {}  expires {} UTC  single use\n\n{}\n{}\n",
            plan.id,
            profile.name(),
            &plan.bound.base[..6],
            short_time(plan.expires_at),
            words::changes(&plan.changes),
            words::gates(&plan.readings),
        );
        let held = words::held(&plan.readings);
        let _ = writeln!(text, "{}", words::headline(held.as_deref()));
        if held.is_some() {
            text.push_str("This plan cannot be applied until it passes; gates are asked again then.\n");
        }
        text.push_str(&worst_case(standing, plan));
        report.text = text;
        report.data = json!({ "plan": plan, "file": path.display().to_string(), "held": plan.is_held() });
        report.next.push(format!("tidegate escalate apply {} -p {}", plan.id, profile.name()));
        report.print(context, if plan.is_held() && self.exit_code { Exit::GateHolds } else { Exit::Done })
    }
}

/// What more can be lost, in the account's currency.
fn worst_case(standing: &Standing, plan: &Written) -> String {
    let profile = &standing.profile;
    let (What::Step { to, .. }, Some(ladder)) = (plan.what, profile.ladder()) else { return String::new() };
    let (now, then) = (profile.limits().max_total_notional, ladder.rungs()[to as usize].max_total_notional);
    let share = profile.limits().max_dd_daily.to_f64();
    format!(
        "If applied: exposure up to {then} instead of {now} {}; {:.0} % of that is {:.2} instead of {:.2}.\n",
        profile.currency(),
        share * 100.0,
        then.to_f64() * share,
        now.to_f64() * share,
    )
}

/// The rise that there is to plan at `now`.
///
/// # Errors
/// When there is none.
pub fn draft(standing: &Standing, lift: bool, now: Time) -> Result<Draft, Failure> {
    if lift {
        return lifted(standing, now);
    }
    if !standing.profile.terms().pending.is_empty() {
        return rescheduled(standing, now);
    }
    let schedule = standing.schedule()?;
    let decision = decide(schedule, standing.profile.footing(), &standing.evidence(now)?, now);
    let (to, slot, readings) = match decision {
        Decision::Raise { to, slot, readings } => (to, slot, readings),
        Decision::Hold { to, slot: Some(slot), readings } => (to, slot, readings),
        Decision::Hold { slot: None, .. } => return Err(Failure::new(Exit::Failed, anyhow!("there is no slot before {now}"))),
        Decision::Top => {
            let error = anyhow!("profile {} stands on the last step: there is none above", standing.profile.name());
            return Err(Failure::new(Exit::GateHolds, error));
        }
        Decision::Restart { kill } => {
            let error = anyhow!("the ladder goes back to step 0 first: killed by {}", told(&kill));
            return Err(Failure::new(Exit::GateHolds, error).hint("the next run takes it back; then gates are asked anew"));
        }
    };
    // Behind the slot's time nothing is applied; who plans for later plans for the next slot.
    let expires_at = slot.at.saturating_add(schedule.plan_expires_after);
    if now >= expires_at {
        let held = words::held(&readings).unwrap_or_default();
        let error = anyhow!("the slot of {} UTC is closed: nothing can be planned now ({held})", short_time(slot.at));
        let next = schedule.slots.following(slot).map_or_else(String::new, |next| short_time(next.at));
        return Err(Failure::new(Exit::GateHolds, error).hint(format!("the next slot opens {next} UTC")));
    }
    let what = What::Step { from: standing.profile.step(), to, slot };
    Ok(Draft { what, changes: steps(standing, to), readings, expires_at })
}

/// Limits that rise with the step `to`.
fn steps(standing: &Standing, to: u32) -> Vec<Change> {
    let profile = &standing.profile;
    let Some(ladder) = profile.ladder() else { return Vec::new() };
    let (before, after) =
        (profile.limits(), profile.footing().raised(to, &ladder.rungs()[to as usize], EPOCH, "", Time::default()));
    let after = after.limits(profile.start(), Some(ladder));
    let ratio = ladder.raise().get(&after).to_f64() / ladder.raise().get(before).to_f64();
    let rising = Raised::ALL.into_iter().filter(|raised| raised.get(&after) != raised.get(before));
    let change = |raised: Raised| Change {
        key: format!("limits.{}", raised.name()),
        now: raised.get(before).to_string(),
        planned: raised.get(&after).to_string(),
        note: if raised == ladder.raise() {
            format!("x{ratio}, step {to} of {}", ladder.rungs().len() - 1)
        } else {
            "same ratio".to_owned()
        },
    };
    rising.map(change).collect()
}

/// A slot that only fills a place.
const EPOCH: crate::escalation::Slot = crate::escalation::Slot { at: Time::from_micros(0), day: 0 };

/// Taking over the schedule that the documents have.
fn rescheduled(standing: &Standing, now: Time) -> Result<Draft, Failure> {
    let schedule = standing.schedule()?;
    let pending = &standing.profile.terms().pending;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let change = |change: &crate::profile::terms::TermChange| Change {
        key: change.key.clone(),
        now: text(&change.before),
        planned: text(&change.after),
        note: change.class.name().to_owned(),
    };
    let readings = measure(schedule, &standing.evidence(now)?, now);
    let expires_at = now.saturating_add(schedule.plan_expires_after);
    Ok(Draft { what: What::Schedule, changes: pending.iter().map(change).collect(), readings, expires_at })
}

/// Giving back what a person took away.
fn lifted(standing: &Standing, now: Time) -> Result<Draft, Failure> {
    let profile = &standing.profile;
    let footing = profile.footing();
    if footing.lowered.is_empty() {
        return Err(Failure::new(Exit::Failed, anyhow!("nothing was lowered under {}", profile.name())));
    }
    let free = crate::escalation::Footing { lowered: std::collections::BTreeMap::new(), ..footing.clone() };
    let after = free.limits(profile.start(), profile.ladder());
    let lowered = footing.lowered.keys().filter_map(|key| LimitKey::of(key));
    let change = |key: LimitKey| Change {
        key: KeyPath::dotted("limits").child(key.name()).to_string(),
        now: key.get(profile.limits()).to_string(),
        planned: key.get(&after).to_string(),
        note: "as the step allows".to_owned(),
    };
    let readings = match profile.schedule() {
        Some(schedule) => measure(schedule, &standing.evidence(now)?, now),
        None => Vec::new(),
    };
    let after = profile.schedule().map_or(EXPIRES_AFTER, |schedule| schedule.plan_expires_after);
    Ok(Draft { what: What::Lift, changes: lowered.map(change).collect(), readings, expires_at: now.saturating_add(after) })
}
