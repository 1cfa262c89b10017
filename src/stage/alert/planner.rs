//! Which messages are due: who is told what, when, and what is held back. A pure function of what stands and the time.

use std::collections::BTreeMap;

use super::compose;
use super::config::{AlertConfig, Route, Severity};
use super::message::is_kill;
use super::routing;
use super::waits::has_passed;
use crate::domain::{Span, Time};
use crate::store::outbox::{AlertRow, AlertState, Silence, Telling, Told};

/// What is critical waits so long for company. The standard of the field is five seconds, and five seconds is also what an alert may
/// take to its first receiver: the rest of them is for the way.
pub const CRITICAL_WAIT: Span = Span::from_secs(2);
/// Everything else waits so long.
pub const REST_WAIT: Span = Span::from_secs(30);
/// A route is told of what is not critical no more often than this.
pub const GROUP_INTERVAL: Span = Span::from_secs(300);
/// What is critical is repeated so often until somebody acknowledges it, or more often if the profile says so.
pub const CRITICAL_REPEAT: Span = Span::from_secs(900);
/// The end of trouble is told when it has lasted so long: what flaps has no end.
pub const CALM: Span = Span::from_secs(300);
/// In any minute a route is told of critical things at most so often; then they wait for the minute's end, together.
const BURST: usize = 3;
const BURST_WINDOW: Span = Span::from_secs(60);

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub alerts: &'a [AlertRow],
    pub silences: &'a [Silence],
    /// What routes were told in the last [`GROUP_INTERVAL`].
    pub told: &'a [Told],
}

/// Why an alert is, or is not, worth a message now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody was told of it as it is now.
    News,
    /// It is time to say it again.
    Repeat,
    /// It is over, and somebody was told of it.
    Resolved,
    /// Told, and nothing new; the next word about it is due then, if it stands.
    Quiet {
        until: Option<Time>,
    },
    /// Trading was stopped before it came: it is counted in the message about that.
    Inhibited {
        by: i64,
    },
    Silenced {
        by: i64,
    },
    /// No route takes it.
    Unrouted,
}

impl Standing {
    /// The word for the kind of message that it deserves.
    const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::News => Some("news"),
            Self::Repeat => Some("repeat"),
            Self::Resolved => Some("resolved"),
            Self::Quiet { .. } | Self::Inhibited { .. } | Self::Silenced { .. } | Self::Unrouted => None,
        }
    }
}

/// What is to be sent now, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub tellings: Vec<Telling>,
    pub wake_at: Option<Time>,
}

/// Decides. With `is_closing`, nothing waits for company: nobody will be there later.
#[must_use]
pub fn plan(view: View<'_>, config: &AlertConfig, now: Time, is_closing: bool) -> Plan {
    let mut plan = Plan::default();
    let mut by_route: BTreeMap<usize, Vec<(&AlertRow, Standing)>> = BTreeMap::new();
    for alert in view.alerts {
        let standing = standing(alert, view, config, now);
        if let Standing::Quiet { until: Some(until) } = standing {
            plan.wake_at = earliest(plan.wake_at, until);
        }
        if let (Some(_), Some(at)) = (standing.kind(), place(config, alert.severity)) {
            by_route.entry(at).or_default().push((alert, standing));
        }
    }
    // A silence that ends may let something through.
    for silence in view.silences {
        plan.wake_at = earliest(plan.wake_at, silence.until);
    }
    for (at, wanting) in by_route {
        let route = &config.routes[at];
        let due = due_at(route, &wanting, view.told, now);
        if due <= now || is_closing {
            plan.tellings.extend(tellings(route, &wanting, view, now));
        } else {
            plan.wake_at = earliest(plan.wake_at, due);
        }
    }
    plan
}

fn earliest(known: Option<Time>, other: Time) -> Option<Time> {
    Some(known.map_or(other, |known| known.min(other)))
}

fn place(config: &AlertConfig, severity: Severity) -> Option<usize> {
    config.routes.iter().position(|route| routing::takes(route, severity))
}

/// Why an alert is, or is not, worth a message: ALERT-4.
#[must_use]
pub fn standing(alert: &AlertRow, view: View<'_>, config: &AlertConfig, now: Time) -> Standing {
    let Some(route) = routing::route(&config.routes, alert.severity) else { return Standing::Unrouted };
    let wants = wants(alert, config, now);
    if wants.kind().is_none() || wants == Standing::Resolved {
        return wants;
    }
    if let Some(by) = inhibitor(alert, view.alerts) {
        return Standing::Inhibited { by };
    }
    match silence(alert, route, view.silences, now) {
        Some(by) => Standing::Silenced { by },
        None => wants,
    }
}

fn wants(alert: &AlertRow, config: &AlertConfig, now: Time) -> Standing {
    if alert.state == AlertState::Resolved && alert.told_at.is_none() {
        // It came and went before anybody was told: what is critical is told all the same.
        return if alert.severity == Severity::Critical { Standing::News } else { Standing::Quiet { until: None } };
    }
    if alert.state == AlertState::Resolved {
        let calm = alert.resolved_at.unwrap_or(now);
        return if has_passed(calm, CALM, now) { Standing::Resolved } else { Standing::Quiet { until: Some(calm + CALM) } };
    }
    if alert.state == AlertState::Acknowledged {
        return Standing::Quiet { until: None };
    }
    let (Some(told_at), Some(told_severity)) = (alert.told_at, alert.told_severity) else { return Standing::News };
    if alert.severity > told_severity {
        return Standing::News;
    }
    let is_critical = alert.severity == Severity::Critical;
    // What is over with its moment is worth a word only when it came again, unless somebody must act on it.
    let is_worth_it = is_critical || alert.lasts || alert.count > alert.told_count;
    if !is_worth_it {
        return Standing::Quiet { until: None };
    }
    let every = if is_critical { CRITICAL_REPEAT.min(config.repeat_every) } else { config.repeat_every };
    if has_passed(told_at, every, now) {
        return Standing::Repeat;
    }
    Standing::Quiet { until: Some(told_at.saturating_add(every)) }
}

/// The kill that an alert followed. What is critical is never held back.
fn inhibitor(alert: &AlertRow, all: &[AlertRow]) -> Option<i64> {
    if alert.severity == Severity::Critical {
        return None;
    }
    let stands = |kill: &&AlertRow| is_kill(&kill.key) && kill.state != AlertState::Resolved && kill.since <= alert.last_at;
    all.iter().find(stands).map(|kill| kill.id)
}

fn silence(alert: &AlertRow, route: &Route, silences: &[Silence], now: Time) -> Option<i64> {
    if !route.silenceable {
        return None;
    }
    let is_in_force = |silence: &&Silence| {
        // None lasts longer than it was meant to, whatever the clock did.
        let most = silence.until - silence.created_at;
        !super::waits::is_due(silence.until, most, now) && matches(&silence.matcher, &alert.key)
    };
    silences.iter().find(is_in_force).map(|silence| silence.id)
}

/// Does `pattern`, with `*` for anything, fit `key`?
#[must_use]
pub fn matches(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// When a route is to be told of what waits for it.
fn due_at(route: &Route, wanting: &[(&AlertRow, Standing)], told: &[Told], now: Time) -> Time {
    let ours = || told.iter().filter(|told| told.route == route.name && told.at <= now);
    let first = |is_critical: bool| {
        let of_kind = wanting.iter().filter(|(alert, standing)| (is_critical_news(alert, standing)) == is_critical);
        of_kind.map(|(alert, standing)| wanted_since(alert, standing, now)).min()
    };
    let critical = first(true).map(|since| {
        let mut burst: Vec<Time> = ours().filter(|told| now - told.at < BURST_WINDOW).map(|told| told.at).collect();
        burst.sort_unstable();
        let open = (burst.len() >= BURST).then(|| burst[burst.len() - BURST] + BURST_WINDOW);
        open.map_or(since + CRITICAL_WAIT, |open| open.max(since + CRITICAL_WAIT))
    });
    let rest = first(false).map(|since| {
        let last = ours().map(|told| told.at).max();
        last.map_or(since + REST_WAIT, |last| (last + GROUP_INTERVAL).max(since + REST_WAIT))
    });
    critical.into_iter().chain(rest).min().unwrap_or(now)
}

fn is_critical_news(alert: &AlertRow, standing: &Standing) -> bool {
    alert.severity == Severity::Critical && *standing != Standing::Resolved
}

/// Since when it has been worth a message.
fn wanted_since(alert: &AlertRow, standing: &Standing, now: Time) -> Time {
    match standing {
        Standing::News => alert.queued_at.min(now),
        // It became due by the passing of time, and has waited long enough.
        _ => now - REST_WAIT,
    }
}

/// One message of what stands, one of what is over.
fn tellings(route: &Route, wanting: &[(&AlertRow, Standing)], view: View<'_>, now: Time) -> Vec<Telling> {
    let (over, stands): (Vec<_>, Vec<_>) = wanting.iter().partition(|(_, standing)| *standing == Standing::Resolved);
    let held = held_by_kill(view.alerts);
    let mut made = Vec::new();
    for (group, is_over) in [(stands, false), (over, true)] {
        if group.is_empty() {
            continue;
        }
        let kind = match group.iter().all(|(_, standing)| *standing == Standing::Repeat) {
            _ if is_over => "resolved",
            true => "repeat",
            false => "news",
        };
        let mut alerts: Vec<&AlertRow> = group.iter().map(|(alert, _)| *alert).collect();
        alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.raised_at, alert.id));
        let held = if is_over { 0 } else { alerts.iter().filter_map(|alert| held.get(&alert.id)).sum() };
        made.push(compose::telling(route, kind, &alerts, held, now));
    }
    made
}

/// Occurrences that each kill holds back.
fn held_by_kill(alerts: &[AlertRow]) -> BTreeMap<i64, u64> {
    let mut held = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.state != AlertState::Resolved) {
        if let Some(by) = inhibitor(alert, alerts) {
            *held.entry(by).or_default() += alert.count - alert.told_count.min(alert.count);
        }
    }
    held
}

#[cfg(test)]
mod tests;
