//! One message of one alert, or of many.

use super::config::{Route, Severity};
use crate::domain::Time;
use crate::store::outbox::{AlertRow, Telling};

/// Alerts that one message names; the others are counted.
const NAMED_MAX: usize = 20;

/// The message about `alerts`, the gravest first. `held` occurrences were held back because of a kill among them.
#[must_use]
pub fn telling(route: &Route, kind: &'static str, alerts: &[&AlertRow], held: u64, now: Time) -> Telling {
    let (title, text, mut fields) = match alerts {
        [one] => of_one(one, kind),
        many => of_many(many, kind),
    };
    if held > 0 {
        let are = if held == 1 { "alert that followed is" } else { "alerts that followed are" };
        fields.push(("held back".to_owned(), format!("{held} {are} not told one by one")));
    }
    let late = alerts.iter().filter(|alert| alert.late && kind == "news").map(|alert| alert.raised_at).min();
    if let Some(since) = late {
        fields.push(("late".to_owned(), format!("happened at {since}, told at {now}: the program had stopped")));
    }
    Telling {
        route: route.name.clone(),
        receivers: route.receivers.clone(),
        kind,
        severity: alerts.iter().map(|alert| alert.severity).max().unwrap_or(Severity::Info),
        title,
        text,
        fields,
        at: alerts.iter().map(|alert| alert.last_at).max().unwrap_or(now),
        alerts: alerts.iter().map(|alert| alert.id).collect(),
    }
}

fn of_one(alert: &AlertRow, kind: &str) -> (String, String, Vec<(String, String)>) {
    let mut fields: Vec<(String, String)> = alert.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.push(("alert".to_owned(), alert.id.to_string()));
    let again = alert.count - alert.told_count.min(alert.count);
    if alert.count > 1 && kind != "resolved" {
        fields.push(("times".to_owned(), format!("{}, {again} since it was last told", alert.count)));
    }
    if let Some(over) = alert.resolved_at.filter(|_| kind == "news") {
        fields.push(("over".to_owned(), format!("since {over}")));
    }
    if let Some((due, then)) = alert.consequence_due().filter(|_| kind != "resolved") {
        fields.push((then.name().to_owned(), format!("at {due} unless it is resolved before")));
    }
    (format!("{}{}", prefix(kind), alert.title), alert.text.clone(), fields)
}

fn of_many(alerts: &[&AlertRow], kind: &str) -> (String, String, Vec<(String, String)>) {
    let title = format!("{}{} alerts: {} and others", prefix(kind), alerts.len(), alerts[0].title);
    let mut text = String::new();
    for alert in alerts.iter().take(NAMED_MAX) {
        let times = if alert.count > 1 { format!(" ({} times)", alert.count) } else { String::new() };
        text.push_str(&format!("{} {} [{}]{times}: {}\n", alert.severity, alert.title, alert.id, first_line(&alert.text)));
    }
    let more = alerts.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        text.push_str(&format!("and {more} more: tidegate alerts list shows them\n"));
    }
    (title, text, Vec::new())
}

const fn prefix(kind: &str) -> &'static str {
    match kind.as_bytes() {
        b"resolved" => "resolved: ",
        b"repeat" => "still: ",
        _ => "",
    }
}

/// Enough to know what it is; `alerts show` has the rest.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}
