//! `tidegate alerts show`: one alert in full, who was told, and what follows.

use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::of_profile::OfProfile;
use super::super::output::Report;
use super::super::table::wrapped;
use super::{from_now, to_second};
use crate::domain::Time;
use crate::store::outbox::{AlertRow, AlertState, DeliveryRow, Outbox};

/// Characters behind the names.
const WIDTH: usize = 68;

/// Show one alert: what it says, who was told when, and what follows if it stands.
#[derive(Debug, Args)]
pub struct Show {
    /// The alert's number, from `alerts list`.
    #[arg(value_name = "ID")]
    id: i64,
    #[command(flatten)]
    profile: OfProfile,
}

impl Show {
    /// # Errors
    /// When there is no such alert, or the outbox cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (place, now) = (self.profile.place(context)?, context.clock.now());
        let outbox = Outbox::look(&place.folder).map_err(outbox_failure)?;
        let read = |outbox: &Outbox| Ok((outbox.alert(self.id)?, outbox.deliveries_of(self.id)?));
        let found = outbox.as_ref().map(read).transpose().map_err(outbox_failure)?;
        let Some((Some(alert), deliveries)) = found else { return Err(unknown(self.id, &place.name)) };
        let mut report = Report {
            verb: "alerts-show",
            profile: Some(place.name.clone()),
            mode: place.mode,
            text: text(&alert, &deliveries, now),
            data: json!({ "alert": alert, "deliveries": deliveries }),
            ..Report::default()
        };
        if alert.state == AlertState::Open {
            report.next.push(format!("tidegate alerts ack {} -p {}", alert.id, place.name));
        }
        Ok(report.print(context, Exit::Done))
    }
}

/// There is no alert of this number.
pub fn unknown(id: i64, profile: &str) -> Failure {
    Failure::new(Exit::Failed, anyhow!("profile {profile} has no alert {id}"))
        .hint(format!("`tidegate alerts list -p {profile} --all` shows those there are"))
}

fn text(alert: &AlertRow, deliveries: &[DeliveryRow], now: Time) -> String {
    let mut text = format!("alert {}  {}  {}\n{}\n", alert.id, alert.severity, alert.state.name(), alert.title);
    if !alert.text.is_empty() {
        let _ = writeln!(text, "{}", alert.text.trim_end());
    }
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    line("key", alert.key.clone());
    line("from", alert.source.clone());
    line("stands", format!("since {} ({})", to_second(alert.since), from_now(alert.since, now)));
    if alert.count > 1 {
        line("times", format!("{}, last {}", alert.count, to_second(alert.last_at)));
    }
    if alert.late {
        line("late", format!("taken up at {}: the program had stopped before", to_second(alert.queued_at)));
    }
    for (name, value) in &alert.fields {
        line(name, value.clone());
    }
    if let Some((at, by)) = alert.acked_at.zip(alert.acked_by.as_ref()) {
        line("seen", format!("by {by} at {}", to_second(at)));
    }
    if let Some(at) = alert.resolved_at {
        line("over", format!("since {}", to_second(at)));
    }
    if let Some((due, then)) = alert.consequence_due() {
        line(then.name(), format!("{}, at {}; an ack does not stop it", from_now(due, now), to_second(due)));
    }
    for row in deliveries {
        let end = row.ended_at.map_or_else(|| next_try(row, now), |at| to_second(at).to_string());
        let tries = if row.tries == 1 { "1 try".to_owned() } else { format!("{} tries", row.tries) };
        line("told", format!("{} {}: {} after {tries}, {end}", row.receiver, row.kind, row.state.name()));
        if let Some(why) = &row.error {
            wrapped(why, WIDTH).into_iter().for_each(|part| line("", part));
        }
    }
    if deliveries.is_empty() {
        line("told", "nobody".to_owned());
    }
    text
}

/// A time that has passed waits for a program that sends.
fn next_try(row: &DeliveryRow, now: Time) -> String {
    match row.next_try_at > now {
        true => format!("next try {}", from_now(row.next_try_at, now)),
        false => "next try with the next run".to_owned(),
    }
}
