//! `escalate status`: where a profile stands, and what is due.

use std::fmt::Write;

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::output::BOLD;
use super::super::standing::{Standing, told};
use super::super::table::short_time;
use super::{Of, words};
use crate::escalation::{Decision, decide};
use crate::runner::footing::shown;

/// Show the step that a profile stands on, what every gate says now, and what is due.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    of: Of,
    /// End with code 5 when a gate holds, for scripts.
    #[arg(long)]
    exit_code: bool,
}

impl Status {
    /// # Errors
    /// When the documents are wrong, there is no ladder, or the journal cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let standing = Standing::of(context, &self.of.select())?;
        let now = context.clock.now();
        let schedule = standing.schedule()?;
        let profile = &standing.profile;
        let decision = decide(schedule, profile.footing(), &standing.evidence(now)?, now);
        let footing = profile.footing();
        let mut text = format!(
            "{BOLD}{}  {}  step {} of {}{BOLD:#}{}\n\n{}\n",
            profile.name(),
            standing.account,
            profile.step(),
            schedule.last_step(),
            footing.since.map_or_else(String::new, |since| format!("  since {} UTC", short_time(since))),
            words::ladder(profile),
        );
        for (key, value) in &footing.lowered {
            let _ = writeln!(text, "lowered by a person: limits.{key} = {value}");
        }
        for change in &profile.terms().pending {
            let _ = writeln!(text, "file differs from applied, and waits for a plan: {}", shown(change));
        }
        text.push_str(&words::gates(decision.readings()));
        let mut report = words::report("escalate-status", &standing);
        let word = match &decision {
            Decision::Restart { kill } => {
                let _ = writeln!(text, "BACK to step 0 with the next run: killed by {}", told(kill));
                "restart"
            }
            Decision::Top => {
                text.push_str("TOP: there is no step above this one\n");
                "top"
            }
            Decision::Raise { to, .. } => {
                let _ = writeln!(text, "{}; step {to} may be planned", words::headline(None));
                report.next.push(format!("tidegate escalate plan -p {}", profile.name()));
                "raise"
            }
            Decision::Hold { to, .. } => {
                let held = words::held(decision.readings()).unwrap_or_default();
                let _ = writeln!(text, "{}; step {to} waits", words::headline(Some(&held)));
                "hold"
            }
        };
        let next = schedule.slots.next(now).map(|slot| slot.at);
        if let Some(next) = next {
            let _ = writeln!(text, "next slot {} UTC", short_time(next));
        }
        report.text = text;
        report.data = json!({
            "account": standing.account,
            "step": profile.step(),
            "last_step": schedule.last_step(),
            "since": footing.since.map(|since| since.to_string()),
            "decision": word,
            "held_by": decision.held_by(),
            "readings": words::readings_json(decision.readings()),
            "lowered": footing.lowered,
            "hold": footing.hold,
            "pending": profile.terms().pending.iter().map(shown).collect::<Vec<_>>(),
            "next_slot": next.map(|at| at.to_string()),
        });
        let holds = matches!(decision, Decision::Hold { .. } | Decision::Restart { .. });
        Ok(report.print(context, if holds && self.exit_code { Exit::GateHolds } else { Exit::Done }))
    }
}
