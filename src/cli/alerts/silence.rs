//! `tidegate alerts silence` and `unsilence`: nobody is told of some alerts for a while.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::of_profile::OfProfile;
use super::super::output::Report;
use super::{open, to_second};
use crate::domain::Span;
use crate::stage::alert::planner;

/// A silence that outlives a week is a change of the profile.
const SILENCE_MAX: Span = Span::from_days(7);

/// Tell nobody of alerts whose keys match, for a while. Routes with `silenceable = false` are told all the same.
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// Keys of alerts, with * for anything, like "gap/*" or "rule/timeout*".
    #[arg(value_name = "MATCHER")]
    matcher: String,
    /// How long, like 2h; at most 7d.
    #[arg(long = "for", value_name = "SPAN")]
    span: Span,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    profile: OfProfile,
}

/// End a silence now.
#[derive(Debug, Args)]
pub struct Unsilence {
    /// The silence's number, from `alerts list`.
    #[arg(value_name = "ID")]
    id: i64,
    #[command(flatten)]
    profile: OfProfile,
}

impl SilenceArgs {
    /// # Errors
    /// When the time or the reason is none, or the outbox cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let usage = |why: String| Failure::new(Exit::Usage, anyhow!(why));
        if self.reason.trim().is_empty() {
            return Err(usage("the reason is empty".to_owned()).hint("say what is going on, for whoever looks next"));
        }
        if self.span <= Span::ZERO || self.span > SILENCE_MAX {
            return Err(usage(format!("a silence lasts more than nothing and at most {SILENCE_MAX}, not {}", self.span)));
        }
        if self.matcher.trim().is_empty() {
            return Err(usage("the matcher is empty".to_owned()).hint("\"*\" silences everything that may be silenced"));
        }
        let now = context.clock.now();
        let until = now.saturating_add(self.span);
        let mut outbox = open(&place)?;
        let id = outbox.silence(self.matcher.trim(), self.reason.trim(), until, now).map_err(outbox_failure)?;
        let standing = outbox.standing().map_err(outbox_failure)?;
        let matched = standing.iter().filter(|alert| planner::matches(self.matcher.trim(), &alert.key)).count();
        let report = Report {
            verb: "alerts-silence",
            profile: Some(place.name.clone()),
            mode: place.mode,
            text: format!(
                "silence {id}: {} until {}; {matched} of the alerts that stand match\n",
                self.matcher.trim(),
                to_second(until)
            ),
            data: json!({ "id": id, "matcher": self.matcher.trim(), "until": until.to_string(), "matched": matched }),
            next: vec![format!("tidegate alerts unsilence {id} -p {}", place.name)],
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

impl Unsilence {
    /// # Errors
    /// When no such silence is in force, or the outbox cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        if !open(&place)?.unsilence(self.id, context.clock.now()).map_err(outbox_failure)? {
            let error = anyhow!("no silence {} is in force under {}", self.id, place.name);
            return Err(Failure::new(Exit::Failed, error).hint(format!("`tidegate alerts list -p {}` shows those", place.name)));
        }
        let report = Report {
            verb: "alerts-unsilence",
            profile: Some(place.name),
            mode: place.mode,
            text: format!("silence {} is over\n", self.id),
            data: json!({ "id": self.id }),
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}
