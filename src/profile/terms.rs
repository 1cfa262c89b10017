//! The terms of a schedule: `[escalation]` as it is applied, which is not always as it is written.
//!
//! What lowers risk counts as soon as it is written. What raises it, and what only a person can judge, waits for a plan; until then
//! the terms that were applied before go on. A gate changes as a whole, or half of the old one would be held to half of the new one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::direction::{Change, Class, Direction, PROFILES};
use super::keys::SCHEMA;
use super::merge::Effective;
use super::path::KeyPath;
use super::value::Value;
use crate::domain::{Money, Span};
use crate::escalation::{AfterKill, Approval, Gate, Ladder, Metric, Op, Raised, Schedule, Slots};
use crate::perf::Window;
use crate::risk::Limits;

/// Key by key, each value as a document writes it.
pub type Terms = BTreeMap<String, String>;

const TABLE: &str = "escalation";
const GATES: &str = "escalation.gate";

/// A key of the terms that is written otherwise than it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermChange {
    pub key: String,
    pub class: Class,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What becomes of terms that are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// What holds from now on.
    pub terms: Terms,
    /// Taken at once.
    pub taken: Vec<TermChange>,
    /// Waits for a plan.
    pub pending: Vec<TermChange>,
}

/// What the documents say. Gates that were removed are not among it.
#[must_use]
pub fn written(effective: &Effective) -> Terms {
    let table = KeyPath::dotted(TABLE);
    let gates = KeyPath::dotted(GATES);
    let is_gone = |path: &KeyPath| path.starts_with(&gates) && effective.is_removed(&path.head(gates.depth() + 1));
    let entries = effective.entries().filter(|(path, _)| path.starts_with(&table) && !is_gone(path));
    entries.filter_map(|(path, entry)| Some((path.to_string(), entry.value.as_ref()?.to_string()))).collect()
}

/// What holds, by what is applied and what is written. Without applied terms the written ones are taken as they are: nothing was
/// raised by others.
#[must_use]
pub fn settle(applied: &Terms, written: &Terms) -> Settled {
    if applied.is_empty() || applied == written {
        return Settled { terms: written.clone(), ..Settled::default() };
    }
    let mut settled = Settled { terms: applied.clone(), ..Settled::default() };
    for group in groups(applied, written) {
        let changes: Vec<TermChange> = group.iter().filter_map(|key| change(applied, written, key)).collect();
        let whole = presence(&group, applied, written);
        let waits = match whole {
            Some(class) => matches!(class, Class::Raises | Class::Unknown),
            None => changes.iter().any(|change| matches!(change.class, Class::Raises | Class::Unknown)),
        };
        let class = |change: TermChange| TermChange { class: whole.unwrap_or(change.class), ..change };
        if waits {
            settled.pending.extend(changes.into_iter().map(class));
            continue;
        }
        for key in &group {
            match written.get(key) {
                Some(value) => settled.terms.insert(key.clone(), value.clone()),
                None => settled.terms.remove(key),
            };
        }
        settled.taken.extend(changes.into_iter().map(class));
    }
    settled
}

/// Keys that change together: those of a gate, and every other key alone.
fn groups(applied: &Terms, written: &Terms) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let keys: BTreeSet<&String> = applied.keys().chain(written.keys()).collect();
    for key in keys {
        groups.entry(gate_of(key).unwrap_or_else(|| key.clone())).or_default().push(key.clone());
    }
    groups.into_values().collect()
}

/// The gate that a key belongs to.
fn gate_of(key: &str) -> Option<String> {
    let path = KeyPath::parse(key)?;
    let gates = KeyPath::dotted(GATES);
    (path.starts_with(&gates) && path.depth() > gates.depth() + 1).then(|| path.head(gates.depth() + 1).to_string())
}

/// What a gate does by coming or going as a whole.
fn presence(group: &[String], applied: &Terms, written: &Terms) -> Option<Class> {
    gate_of(group.first()?)?;
    let there = |terms: &Terms| group.iter().any(|key| terms.contains_key(key));
    match (there(applied), there(written)) {
        (false, true) => Some(Class::Lowers),
        (true, false) => Some(Class::Raises),
        _ => None,
    }
}

fn value(key: &str, text: &str) -> Option<Value> {
    SCHEMA.find(&KeyPath::parse(key)?)?.key.kind.check_text(text).ok()
}

fn change(applied: &Terms, written: &Terms, key: &str) -> Option<TermChange> {
    let (before, after) = (applied.get(key), written.get(key));
    if before == after {
        return None;
    }
    let read = |text: Option<&String>| text.and_then(|text| value(key, text));
    let path = KeyPath::parse(key)?;
    let pattern = SCHEMA.find(&path).map_or("", |row| row.key.path);
    let direction = PROFILES.keys.iter().find(|(known, _)| *known == pattern).map_or(Direction::Unknown, |(_, d)| *d);
    let sign = |terms: &Terms| terms.get(&path.parent().child("op").to_string()).map(|text| text.trim_matches('"').to_owned());
    let signs = (sign(applied), sign(written));
    let (old, new) = (read(before), read(after));
    let whole = Change { before: old.as_ref(), after: new.as_ref(), operators: (signs.0.as_deref(), signs.1.as_deref()) };
    Some(TermChange { key: key.to_owned(), class: direction.class(&whole), before: before.cloned(), after: after.cloned() })
}

/// Reads typed values of terms.
struct Read<'a>(&'a Terms);

impl Read<'_> {
    fn at(&self, key: &str) -> Option<Value> {
        value(key, self.0.get(key)?)
    }

    fn of(&self, name: &str) -> Option<Value> {
        self.at(&format!("{TABLE}.{name}"))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.of(name)?.text().map(str::to_owned)
    }

    fn span(&self, name: &str) -> Option<Span> {
        match self.of(name)? {
            Value::Span(span) => Some(span),
            _ => None,
        }
    }

    fn money(&self, name: &str) -> Option<Money> {
        match self.of(name)? {
            Value::Money(amount) => Some(amount),
            _ => None,
        }
    }

    fn count(&self, name: &str) -> Option<u64> {
        match self.of(name)? {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }
}

/// The schedule of terms over limits to start from. `None` when it is not enabled, or leads nowhere.
#[must_use]
pub fn schedule(terms: &Terms, zone: TimeZone, start: &Limits) -> Option<Schedule> {
    let read = Read(terms);
    if read.of("enabled")? != Value::Bool(true) {
        return None;
    }
    let raise = Raised::of(&read.text("raise")?)?;
    let scale_with = read.of("scale_with").and_then(|value| value.items()).unwrap_or_default();
    let scale_with: Vec<Raised> = scale_with.iter().filter_map(|name| Raised::of(name)).collect();
    let multiply = u32::try_from(read.count("multiply")?).ok()?;
    Some(Schedule {
        ladder: Ladder::new(raise, multiply, read.money("target")?, &scale_with, start)?,
        slots: Slots::new(&read.text("at")?, zone, read.span("every")?)?,
        approval: if read.text("approval")? == "auto" { Approval::Auto } else { Approval::Manual },
        plan_expires_after: read.span("plan_expires_after")?,
        after_kill: if read.text("after_kill")? == "hold" { AfterKill::Hold } else { AfterKill::Restart },
        gates: gates(&read),
    })
}

fn gates(read: &Read<'_>) -> Vec<Gate> {
    let names: BTreeSet<String> = read.0.keys().filter_map(|key| gate_of(key)).collect();
    names.iter().filter_map(|table| gate(read, table)).collect()
}

fn gate(read: &Read<'_>, table: &str) -> Option<Gate> {
    let name = KeyPath::parse(table)?.last().to_owned();
    let at = |key: &str| read.at(&format!("{table}.{key}"));
    let window = match at("window") {
        Some(Value::Span(span)) => Some(span),
        _ => None,
    };
    let count = |key: &str| match at(key) {
        Some(Value::Count(count)) => u32::try_from(count).ok(),
        _ => None,
    };
    let metric = match at("metric")?.text()? {
        "sharpe" => {
            let days = u32::try_from(window?.micros() / Span::from_days(1).micros()).ok()?;
            let annualise_days = f64::from(count("annualise_days")?);
            Metric::Sharpe(Window { days, min_samples: count("min_samples")?, annualise_days })
        }
        "kill_events" => Metric::KillEvents { window: window? },
        _ => Metric::AlertsUnresolvedCritical,
    };
    let Some(Value::Float(value)) = at("value") else { return None };
    Some(Gate { name, metric, op: Op::of(at("op")?.text()?)?, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::testing::limits;

    fn shipped() -> Terms {
        let lines = [
            ("enabled", "true"),
            ("raise", "\"max_notional_per_order\""),
            ("multiply", "2"),
            ("target", "\"500\""),
            ("scale_with", "[\"max_total_notional\"]"),
            ("every", "\"7d\""),
            ("at", "\"Mon 09:00\""),
            ("approval", "\"manual\""),
            ("plan_expires_after", "\"24h\""),
            ("after_kill", "\"restart\""),
            ("gate.sharpe.metric", "\"sharpe\""),
            ("gate.sharpe.window", "\"30d\""),
            ("gate.sharpe.op", "\">\""),
            ("gate.sharpe.value", "0.0"),
            ("gate.sharpe.min_samples", "30"),
            ("gate.sharpe.annualise_days", "365"),
            ("gate.quiet.metric", "\"kill_events\""),
            ("gate.quiet.window", "\"7d\""),
            ("gate.quiet.op", "\"==\""),
            ("gate.quiet.value", "0.0"),
        ];
        lines.into_iter().map(|(key, text)| (format!("{TABLE}.{key}"), text.to_owned())).collect()
    }

    fn with(changes: &[(&str, &str)]) -> Terms {
        let mut terms = shipped();
        for (key, text) in changes {
            let key = format!("{TABLE}.{key}");
            if *text == "-" {
                terms.remove(&key)
            } else {
                terms.insert(key, (*text).to_owned())
            };
        }
        terms
    }

    fn pending(changes: &[(&str, &str)]) -> Vec<String> {
        let settled = settle(&shipped(), &with(changes));
        settled.pending.iter().map(|change| change.key.trim_start_matches("escalation.").to_owned()).collect()
    }

    #[test]
    fn what_raises_waits_and_what_lowers_is_taken() {
        for raises in [
            ("every", "\"1d\""),
            ("target", "\"800\""),
            ("approval", "\"auto\""),
            ("after_kill", "\"hold\""),
            ("plan_expires_after", "\"48h\""),
            ("gate.sharpe.value", "-1.0"),
            ("gate.sharpe.window", "\"10d\""),
            ("raise", "\"max_total_notional\""),
            ("scale_with", "[\"max_total_notional\", \"max_daily_turnover\"]"),
        ] {
            assert_eq!(pending(&[raises]), [raises.0]);
            assert_eq!(settle(&shipped(), &with(&[raises])).terms, shipped(), "{raises:?}");
        }
        for lowers in [
            ("every", "\"14d\""),
            ("target", "\"400\""),
            ("enabled", "false"),
            ("gate.sharpe.value", "0.5"),
            ("gate.quiet.window", "\"14d\""),
            ("scale_with", "[]"),
            ("at", "\"Tue 10:00\""),
        ] {
            assert_eq!(pending(&[lowers]), [""; 0], "{lowers:?}");
            assert_eq!(settle(&shipped(), &with(&[lowers])).terms, with(&[lowers]), "{lowers:?}");
        }
    }

    #[test]
    fn one_edit_lowers_at_once_and_raises_later() {
        let written = with(&[("every", "\"14d\""), ("target", "\"800\"")]);
        let settled = settle(&shipped(), &written);
        assert_eq!(settled.terms, with(&[("every", "\"14d\"")]));
        assert_eq!((settled.taken.len(), settled.pending.len()), (1, 1));
        assert_eq!(settle(&settled.terms, &written).taken, []);
        assert_eq!(settle(&Terms::new(), &written).terms, written, "nothing was applied yet");
    }

    #[test]
    fn a_gate_changes_as_a_whole() {
        let halves = with(&[("gate.sharpe.value", "0.5"), ("gate.sharpe.window", "\"10d\"")]);
        assert_eq!(settle(&shipped(), &halves).terms, shipped(), "the higher value does not pay for the shorter window");
        let gone =
            with(&[("gate.quiet.metric", "-"), ("gate.quiet.window", "-"), ("gate.quiet.op", "-"), ("gate.quiet.value", "-")]);
        assert_eq!(settle(&shipped(), &gone).terms, shipped());
        assert!(settle(&shipped(), &gone).pending.iter().all(|change| change.class == Class::Raises));
        assert_eq!(settle(&gone, &shipped()).terms, shipped(), "one gate more is taken at once");
    }

    #[test]
    fn terms_become_a_schedule() {
        let schedule = |terms: &Terms| schedule(terms, TimeZone::UTC, &limits());
        let shipped_one = schedule(&shipped()).unwrap();
        assert_eq!((shipped_one.last_step(), shipped_one.gates.len()), (4, 2));
        assert_eq!(shipped_one.gates[1].metric, Metric::Sharpe(Window::MONTH));
        assert!(schedule(&with(&[("enabled", "false")])).is_none());
        assert!(schedule(&with(&[("target", "\"10\"")])).is_none());
    }
}
