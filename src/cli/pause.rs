//! `tidegate pause`: no new exposure for a while, or until a person resumes; exits go on.

use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{mode_of, wait_for_journal};
use super::output::Report;
use super::select::Select;
use super::work::Workplace;
use crate::domain::{Span, Time};
use crate::runner::trader::TraderState;

const EXAMPLES: &str = "\
Examples:
  tidegate pause -p canary --for 2h
  tidegate pause -p canary --reason \"a release of figures\"

Open orders stay, and positions are still closed when the model or a stop says
so. `tidegate kill` withdraws orders, `tidegate close-all` sells.";

/// Pause a profile: no new exposure, exits go on.
///
/// With --for it lifts by itself; without, it is a halt that `resume` clears.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Pause {
    #[command(flatten)]
    select: Select,
    /// For how long, like 30m or 2h [default: until a person resumes].
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
}

impl Pause {
    /// # Errors
    /// When the profile is wrong or has not run, or another program holds its journal.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (profile, plan, _) = self.select.load(context)?;
        let place = Workplace::new(context, profile, plan)?;
        let name = place.profile.name();
        if !place.runs.join(crate::store::journal::FILE).exists() {
            let error = anyhow::anyhow!("profile {name} has not run yet: nothing can be paused");
            return Err(
                Failure::new(Exit::Failed, error).hint(format!("`tidegate kill -p {name} --reason TEXT` keeps it from running"))
            );
        }
        let mut journal = wait_for_journal(&place, "pause")?;
        let now = context.clock.now();
        let until: Option<Time> = self.span.map(|span| now.saturating_add(span));
        let (mut text, mut paused) = (String::new(), Vec::new());
        for account in journal.accounts()? {
            let Some(mut standing) = journal.standing::<TraderState>(&account)? else { continue };
            let (kind, what) = match until {
                Some(until) => {
                    standing.snapshot.pause(until);
                    ("pause", format!("paused until {until}"))
                }
                None => {
                    standing.snapshot.latch(now);
                    ("halt", "paused until a person resumes".to_owned())
                }
            };
            let halted = standing.snapshot.halt().copied();
            journal.amend(&account, &standing, now, kind, &what, self.reason.trim())?;
            let before = halted
                .filter(|halt| halt.at < now)
                .map_or_else(String::new, |halt| format!("; it is halted by {} since {} anyway", halt.cause.name(), halt.at));
            text.push_str(&format!("{account}: {what}; exits go on{before}\n"));
            paused.push(json!({ "account": account, "until": until.map(|until| until.to_string()) }));
        }
        journal.seal()?;
        let report = Report {
            verb: "pause",
            profile: Some(name.to_owned()),
            mode: Some(mode_of(&place.profile).to_owned()),
            data: json!({ "paused": paused, "reason": self.reason.trim() }),
            text,
            next: vec![format!("tidegate resume -p {name} --reason \"...\"")],
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}
