//! The steps of a rollback, each done and then looked at.

use super::Task;
use crate::cli::close_all::{Outcome, sell};
use crate::cli::exit::Failure;
use crate::cli::live::{account_of, mode_of};
use crate::cli::run::journal_failure;
use crate::cli::select::Selected;
use crate::cli::work::Workplace;
use crate::clock::{Clock, SystemClock};
use crate::domain::Span;
use crate::profile::StepKind;
use crate::runner::drill;
use crate::runner::rollback::{Rollback, Step};
use crate::runner::trader::TraderState;
use crate::store::journal::Journal;
use crate::store::latch::Latch;

/// How far it came, and what is true now.
pub(super) struct Performed {
    pub rollback: Rollback,
    /// An account each, as its closing left it.
    pub accounts: Vec<(String, Outcome)>,
    /// Something was sold, or the ladder moved.
    pub has_changed: bool,
    /// Step of the ladder; `None` where nobody can read it.
    pub ladder: Option<u32>,
}

/// Performs every step in its order, up to the first that fails.
pub(super) fn all(task: &Task<'_>, journal: &mut Journal, rollback: Rollback) -> Result<Performed, Failure> {
    let mut done = Performed { rollback, accounts: Vec::new(), has_changed: false, ladder: None };
    stop(task, "started", None);
    for at in 0..done.rollback.steps.len() {
        done.rollback.begin_step(at, journal, SystemClock.now()).map_err(journal_failure)?;
        let step = done.rollback.steps[at].clone();
        stop(task, &step.name, Some("begun"));
        let end = one(task, journal, &step, &mut done);
        stop(task, &step.name, Some("performed"));
        let is_done = end.is_ok();
        done.rollback.end_step(at, end, journal, SystemClock.now()).map_err(journal_failure)?;
        stop(task, &step.name, Some("done"));
        if !is_done {
            break;
        }
    }
    done.ladder = journal.ladder_step().ok().map(|stands| stands.map_or(0, |stands| stands.step));
    if done.rollback.is_verified() {
        done.rollback.end(journal, SystemClock.now()).map_err(journal_failure)?;
    }
    journal.seal().map_err(journal_failure)?;
    Ok(done)
}

fn stop(task: &Task<'_>, step: &str, moment: Option<&str>) {
    let name = moment.map_or_else(|| step.to_owned(), |moment| format!("{step}-{moment}"));
    drill::stop_at(&name, task.drill.as_deref());
}

/// Does one step and verifies it: what was found, or what went wrong.
fn one(task: &Task<'_>, journal: &mut Journal, step: &Step, done: &mut Performed) -> Result<String, String> {
    match step.does {
        StepKind::PauseLoop => pause(task),
        StepKind::CloseAllPositions => {
            let reason = format!("{}: {}", done.rollback.id, done.rollback.reason);
            close(task, journal, &reason, step.timeout, &mut done.accounts)?;
            done.has_changed |= done.accounts.iter().any(|(_, outcome)| outcome.orders > 0);
            Ok(closed(&done.accounts))
        }
        StepKind::RestorePreviousChampion => super::told::model(task, done.rollback.to.as_deref()),
        StepKind::ResetEscalation => {
            let why = format!("{}: {}", done.rollback.id, done.rollback.reason);
            let before = reset(journal, &why)?;
            done.has_changed |= before > 0;
            Ok(if before > 0 { format!("step {before} -> 0") } else { "stood at step 0".to_owned() })
        }
    }
}

/// The journal is ours, so no program trades; the latch keeps the next from it.
fn pause(task: &Task<'_>) -> Result<String, String> {
    if let Err(error) = &task.stopped.set {
        return Err(error.to_string());
    }
    if !Latch::is_set(&task.stopped.folder) {
        return Err("somebody has cleared the latch".to_owned());
    }
    let quiet = if task.withdrawn.is_quiet() { "nothing open" } else { "NOT SURE that nothing is open" };
    Ok(format!("latched, no program trades, {quiet}"))
}

/// Closes every account of the profile on its venue.
fn close(
    task: &Task<'_>,
    journal: &mut Journal,
    reason: &str,
    within: Span,
    accounts: &mut Vec<(String, Outcome)>,
) -> Result<(), String> {
    let selected = task.stopped.selected.as_ref();
    let selected =
        selected.map_err(|failure| format!("the documents are wrong, so nobody knows the limits ({:#})", failure.error))?;
    accounts.clear();
    for pipeline in pipelines(selected, journal).map_err(|error| error.to_string())? {
        let place = workplace(task, &pipeline).map_err(|failure| format!("{pipeline}: {:#}", failure.error))?;
        let account = account_of(&place);
        if !journal.accounts().map_err(|error| error.to_string())?.contains(&account) {
            continue;
        }
        let outcome = sell(task.context, &place, journal, reason, within);
        let outcome = outcome.map_err(|failure| format!("{account}: {:#}", failure.error))?;
        accounts.push((account, outcome));
    }
    let open: Vec<String> = accounts.iter().filter(|(_, outcome)| !outcome.is_flat).map(|(name, one)| left(name, one)).collect();
    if open.is_empty() { Ok(()) } else { Err(open.join("; ")) }
}

/// What is in doubt about an account.
fn left(account: &str, outcome: &Outcome) -> String {
    let held = outcome.lines.iter().filter(|line| !line.after.is_zero() && !line.is_dust);
    let mut parts: Vec<String> = held.map(|line| format!("{} {} open", line.after, line.symbol)).collect();
    parts.extend(outcome.open.iter().map(|order| format!("order {order}")));
    if parts.is_empty() {
        parts.push(outcome.compared.clone());
    }
    format!("{account}: {}", parts.join(", "))
}

fn closed(accounts: &[(String, Outcome)]) -> String {
    let orders: u64 = accounts.iter().map(|(_, outcome)| outcome.orders).sum();
    match (accounts.len(), orders) {
        (0, _) => "flat: it has never traded".to_owned(),
        (_, 0) => "flat: there was nothing to close".to_owned(),
        (_, 1) => "flat, by the venue; 1 order".to_owned(),
        (_, orders) => format!("flat, by the venue; {orders} orders"),
    }
}

/// Pipelines with an account on the profile's venue, the profile's own first.
fn pipelines(selected: &Selected, journal: &Journal) -> Result<Vec<String>, crate::store::journal::JournalError> {
    let mut names = vec![selected.plan.name().to_owned()];
    let here = format!("@{}", mode_of(&selected.profile));
    for account in journal.accounts()? {
        let holds = match journal.standing::<TraderState>(&account) {
            Ok(standing) => standing.is_some_and(|standing| standing.snapshot.desk().held().any(|held| !held.position.is_zero())),
            Err(_) => true,
        };
        match account.strip_suffix(&here) {
            Some(pipeline) if holds && !names.iter().any(|name| name == pipeline) => names.push(pipeline.to_owned()),
            _ => {}
        }
    }
    Ok(names)
}

fn workplace(task: &Task<'_>, pipeline: &str) -> Result<Workplace, Failure> {
    let selected = task.select.resolve(task.context, Some(pipeline))?;
    Workplace::new(task.context, selected.profile, selected.plan)
}

/// Puts the ladder on its first step and reads it again; gives where it stood.
fn reset(journal: &mut Journal, why: &str) -> Result<u32, String> {
    let stands = |journal: &Journal| journal.ladder_step().map(|stands| stands.map_or(0, |stands| stands.step));
    // What nobody can read is overwritten: the first step is the lowest.
    let before = stands(journal).unwrap_or(u32::MAX);
    if before > 0 {
        journal.set_ladder_step(0, why, SystemClock.now()).map_err(|error| error.to_string())?;
    }
    match stands(journal) {
        Ok(0) => Ok(before),
        Ok(step) => Err(format!("the ladder stands at step {step}")),
        Err(error) => Err(error.to_string()),
    }
}
