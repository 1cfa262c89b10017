//! `tidegate alerts ack`: somebody has seen an alert, or has received a test.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::of_profile::{OfProfile, Place};
use super::super::output::Report;
use super::{from_now, open, show, to_second};
use crate::store::outbox::AlertState;

/// A number with more digits is no alert's; codes have eight characters.
const ID_DIGITS_MAX: usize = 7;

/// Say that you have seen an alert, or that you received a test by typing its code.
///
/// Paging stops. A condition stands until it ends, and what follows if it stands too long is not put off.
#[derive(Debug, Args)]
pub struct Ack {
    /// The alert's number, or the code of a test.
    #[arg(value_name = "ID|CODE")]
    what: String,
    #[command(flatten)]
    profile: OfProfile,
    /// Who says so [default: the user's name].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Ack {
    /// # Errors
    /// When there is no such alert and no such code, or the outbox cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let what = self.what.trim();
        let id = what.parse::<i64>().ok().filter(|_| what.len() <= ID_DIGITS_MAX);
        match id {
            Some(id) => self.alert(context, place, id),
            None => code(context, place, what),
        }
    }

    fn alert(&self, context: &Context, place: Place, id: i64) -> Result<Exit, Failure> {
        let now = context.clock.now();
        let by = self.by.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "operator".to_owned());
        let mut outbox = open(&place)?;
        let Some(alert) = outbox.acknowledge(id, &by, now).map_err(outbox_failure)? else {
            return Err(show::unknown(id, &place.name));
        };
        let mut text = match alert.state {
            AlertState::Resolved => format!("alert {id} is over: {}\n", alert.title),
            _ => format!("alert {id} is acknowledged and stands: {}\n", alert.title),
        };
        if let Some((due, then)) = alert.consequence_due() {
            text.push_str(&format!(
                "{} follows {} unless it ends before, at {}\n",
                then.name(),
                from_now(due, now),
                to_second(due)
            ));
        }
        let data = json!({ "alert": alert });
        let report = Report { verb: "alerts-ack", profile: Some(place.name), mode: place.mode, text, data, ..Report::default() };
        Ok(report.print(context, Exit::Done))
    }
}

/// A code typed back.
fn code(context: &Context, place: Place, code: &str) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let Some(confirmed) = open(&place)?.confirm(code, now).map_err(outbox_failure)? else {
        let error = anyhow!("no test of {} went out with the code {code}", place.name);
        return Err(Failure::new(Exit::Failed, error)
            .hint("look at the newest test message: it names its profile and its code")
            .hint(format!("`tidegate alerts test -p {}` sends another", place.name)));
    };
    let report = Report {
        verb: "alerts-ack",
        profile: Some(place.name),
        mode: place.mode,
        text: format!("received: the test of {} has reached a person\n", confirmed.created_at),
        data: json!({
            "code_issued_at": confirmed.created_at.to_string(),
            "confirmed_at": confirmed.confirmed_at.map(|at| at.to_string()),
        }),
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}
