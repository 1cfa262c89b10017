//! What a rollback would do, by what the journal says now. Nothing is contacted and nothing is changed.

use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::live::mode_of;
use crate::cli::output::{BOLD, Report};
use crate::cli::run::journal_failure;
use crate::cli::select::Select;
use crate::cli::table::wrapped;
use crate::profile::{RollbackStep, StepKind};
use crate::runner::rollback;
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::store::latch::Latch;

/// # Errors
/// When the documents are wrong or the journal cannot be looked at.
pub(super) fn show(context: &Context, select: &Select) -> Result<Exit, Failure> {
    let (profile, plan, _) = select.load(context)?;
    let folder = context.root.join(&profile.storage().runs).join(profile.name());
    let glance = Glance::at(&folder).map_err(journal_failure)?;
    let here = format!("@{}", mode_of(&profile));
    let (mut held, mut step, mut cut_off) = (Vec::new(), 0, None);
    if let Some(glance) = &glance {
        for account in glance.accounts()?.into_iter().filter(|account| account.ends_with(&here)) {
            let Some(standing) = glance.standing::<TraderState>(&account)? else { continue };
            let state = standing.snapshot;
            let of = state.symbols().iter().zip(state.desk().held()).filter(|(_, held)| !held.position.is_zero());
            held.extend(of.map(|(symbol, held)| format!("{} {symbol}", held.position)));
        }
        step = glance.ladder_step()?.map_or(0, |stands| stands.step);
        cut_off = rollback::seen(glance)?.filter(|last| last.ended.is_none());
    }
    let steps = profile.rollback_steps();
    let mut text = format!("{BOLD}A rollback of {}{BOLD:#} would, in this order:\n\n", profile.name());
    for (at, one) in steps.iter().enumerate() {
        let words = would(one, plan.name(), &held, step);
        let mut lines = wrapped(&words, 62).into_iter();
        text.push_str(&format!("{:>2}  {:<8}  {}\n", at + 1, one.name, lines.next().unwrap_or_default()));
        lines.for_each(|line| text.push_str(&format!("{:14}{line}\n", "")));
    }
    text.push_str("\nNothing was contacted and nothing was changed.\n");
    let name = profile.name();
    let mut report = Report {
        verb: "rollback",
        profile: Some(name.to_owned()),
        mode: Some(mode_of(&profile).to_owned()),
        data: json!({
            "plan": steps.iter().map(|step| json!({ "name": step.name, "do": step.does, "timeout": step.timeout.to_string() })).collect::<Vec<_>>(),
            "held": held,
            "ladder_step": step,
            "latched": Latch::is_set(&folder),
            "cut_off": cut_off.as_ref().map(|last| &last.id),
        }),
        text,
        ..Report::default()
    };
    if let Some(last) = &cut_off {
        report.warnings.push(format!("{} of {} was cut off or failed: the next one goes on with it", last.id, last.began));
    }
    report.next.push(format!("tidegate rollback -p {name} --reason \"...\""));
    Ok(report.print(context, Exit::Done))
}

/// What a step would do.
fn would(step: &RollbackStep, pipeline: &str, held: &[String], ladder: u32) -> String {
    match step.does {
        StepKind::PauseLoop => {
            format!("latch the profile, withdraw every open order, wait {} for a program to end", step.timeout)
        }
        StepKind::CloseAllPositions if held.is_empty() => "ask the venue; by the journal nothing is held".to_owned(),
        StepKind::CloseAllPositions => format!("sell {} inside the limits, then ask the venue", held.join(", ")),
        StepKind::RestorePreviousChampion => format!("no registered model: the rule of {pipeline} stays"),
        StepKind::ResetEscalation if ladder == 0 => "the ladder stands at step 0".to_owned(),
        StepKind::ResetEscalation => format!("put the ladder from step {ladder} to 0"),
    }
}
