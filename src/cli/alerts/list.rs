//! `tidegate alerts list`: what stands, the gravest first.

use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::of_profile::OfProfile;
use super::super::output::Report;
use super::super::table::Table;
use super::{from_now, roughly, to_second};
use crate::domain::Time;
use crate::store::outbox::{AlertRow, AlertState, Outbox};

/// Alerts shown with --all.
const ROWS: u32 = 50;
/// Characters of a title in the table.
const TITLE_CHARS: usize = 34;

/// Show the alerts that stand, the gravest first; with --all those that are over, too.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    profile: OfProfile,
    /// Alerts that are over as well, the newest.
    #[arg(long)]
    all: bool,
}

impl List {
    /// # Errors
    /// When the outbox cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (place, now) = (self.profile.place(context)?, context.clock.now());
        let mut report = Report { verb: "alerts-list", profile: Some(place.name.clone()), mode: place.mode, ..Report::default() };
        let Some(outbox) = Outbox::look(&place.folder).map_err(outbox_failure)? else {
            report.text = format!("no alert was ever raised under {}\n", place.name);
            report.data = json!({ "alerts": [], "silences": [], "waiting": 0 });
            return Ok(report.print(context, Exit::Done));
        };
        let read = || {
            let alerts = if self.all { outbox.alerts(ROWS)? } else { outbox.standing()? };
            Ok((alerts, outbox.silences(now)?, outbox.pending()?))
        };
        let (mut alerts, silences, pending) = read().map_err(outbox_failure)?;
        if !self.all {
            alerts.retain(|alert| alert.state != AlertState::Resolved);
            alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), std::cmp::Reverse(alert.last_at)));
        }
        report.text = if alerts.is_empty() { "no alert stands\n".to_owned() } else { table(&alerts, now) };
        for alert in &alerts {
            if let Some((due, then)) = alert.consequence_due() {
                report.text.push_str(&format!(
                    "{} of alert {} {}, at {}\n",
                    then.name(),
                    alert.id,
                    from_now(due, now),
                    to_second(due)
                ));
            }
        }
        for silence in &silences {
            let left = from_now(silence.until, now);
            report.text.push_str(&format!("silence {}: {} ends {left} ({})\n", silence.id, silence.matcher, silence.reason));
        }
        for row in &pending {
            let why = row.error.as_deref().unwrap_or("not tried yet");
            report.warnings.push(format!("a message to {} waits: {why}", row.receiver));
        }
        if let Some(first) = alerts.iter().find(|alert| alert.state == AlertState::Open) {
            report.next.push(format!("tidegate alerts show {} -p {}", first.id, place.name));
        }
        report.data = json!({ "alerts": alerts, "silences": silences, "waiting": pending.len() });
        Ok(report.print(context, Exit::Done))
    }
}

fn table(alerts: &[AlertRow], now: Time) -> String {
    let mut table = Table::new(&["id#", "severity", "state", "stands#", "times#", "title"]);
    for alert in alerts {
        let title: String = alert.title.chars().take(TITLE_CHARS).collect();
        table.row([
            alert.id.to_string(),
            alert.severity.name().to_owned(),
            alert.state.name().to_owned(),
            roughly(alert.resolved_at.unwrap_or(now).max(alert.since) - alert.since),
            alert.count.to_string(),
            title,
        ]);
    }
    table.render()
}
