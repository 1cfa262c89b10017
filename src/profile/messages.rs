//! Rules of `[alerts]`, `[preflight]` and `[rollback]`: names that must exist, orders that must differ.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::fault::nearest;
use super::merge::Effective;
use super::path::KeyPath;
use super::source::Place;
use crate::telemetry::metrics::{self, Moves};

/// Runs every rule.
pub(super) fn check(effective: &Effective, found: &mut Diagnostics) {
    known_receivers(effective, found);
    for table in ["alerts.route", "preflight.check", "rollback.step"] {
        distinct_orders(effective, table, found);
    }
    reachable_routes(effective, found);
    for rule in effective.names_below("alerts.rule") {
        counted_increase(effective, &KeyPath::dotted("alerts.rule").child(&rule), found);
    }
}

fn known_receivers(effective: &Effective, found: &mut Diagnostics) {
    let known = effective.names_below("alerts.receiver");
    let lists = ["alerts.route", "preflight.check"].into_iter().flat_map(|table| {
        let names = effective.names_below(table);
        names.into_iter().map(move |name| KeyPath::dotted(table).child(&name).child("receivers"))
    });
    for path in lists {
        for name in effective.texts_at(&path).unwrap_or_default() {
            if !known.contains(name) {
                found.push(unknown_receiver(effective, &path, name, &known));
            }
        }
    }
    let fallback = KeyPath::dotted("alerts.fallback");
    if let Some(name) = effective.text_at(&fallback)
        && !known.iter().any(|k| k == name)
    {
        found.push(unknown_receiver(effective, &fallback, name, &known));
    }
}

fn unknown_receiver(effective: &Effective, path: &KeyPath, name: &str, known: &[String]) -> Diagnostic {
    let removed = effective.table_place(&KeyPath::dotted("alerts.receiver").child(name)).is_some();
    let message = if removed {
        format!("{path} names the receiver \"{name}\", which is not enabled")
    } else {
        format!("{path} names the unknown receiver \"{name}\"")
    };
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => format!("add [alerts.receiver.{name}]"),
        None => format!("receivers: {}; or add [alerts.receiver.{name}]", known.join(", ")),
    };
    Diagnostic::error("unknown-receiver", message)
        .at(effective.place_of_item(path, name))
        .label("no such receiver")
        .key(path)
        .hint(hint)
}

/// An increase is of something that only grows, over some time.
fn counted_increase(effective: &Effective, rule: &KeyPath, found: &mut Diagnostics) {
    let path = rule.join("when.metric");
    let Some(metric) = effective.text_at(&path).and_then(metrics::find) else { return };
    let (op, window) = (rule.join("when.op"), rule.join("when.window"));
    let counts_increase = effective.text_at(&op).is_some_and(|op| op.starts_with("increase"));
    if counts_increase && metric.moves == Moves::Gauge {
        let error =
            Diagnostic::error("increase-of-a-gauge", format!("{} goes up and down: it has no increase to count", metric.name));
        let error = error
            .at(effective.place(&op))
            .label("only for counters")
            .key(&op)
            .note_at(format!("{path} = \"{}\"", metric.name), effective.place(&path));
        found.push(error.hint("compare its value: one of >, >=, <, <=, ==, !="));
    }
    if counts_increase && effective.span_at(&window).is_none() && !effective.is_written(&window) {
        let error = Diagnostic::error("missing-key", format!("{window} is missing")).at(effective.place(&op)).key(&window);
        found.push(error.label("an increase over what time?").hint("add window, like window = \"5m\""));
    }
}

/// Two entries of one order would run in an order nobody chose.
fn distinct_orders(effective: &Effective, table: &str, found: &mut Diagnostics) {
    let mut seen: Vec<(u64, KeyPath)> = Vec::new();
    for name in effective.names_below(table) {
        let path = KeyPath::dotted(table).child(&name).child("order");
        let Some(order) = effective.count_at(&path) else { continue };
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == order) {
            let error =
                Diagnostic::error("duplicate-order", format!("{path} is {order}, and so is {first}")).at(effective.place(&path));
            let error = error.label("used twice").key(&path).note_at(format!("{first} = {order}"), effective.place(first));
            found.push(error.hint("give each entry its own number"));
        }
        seen.push((order, path));
    }
}

/// A route behind one that takes everything never sees an alert.
fn reachable_routes(effective: &Effective, found: &mut Diagnostics) {
    let mut routes: Vec<(u64, String)> = Vec::new();
    for name in effective.names_below("alerts.route") {
        let order = effective.count_at(&KeyPath::dotted("alerts.route").child(&name).child("order"));
        routes.extend(order.map(|order| (order, name)));
    }
    routes.sort();
    let severity = |name: &str| effective.text_at(&KeyPath::dotted("alerts.route").child(name).join("match.severity"));
    for (at, (_, name)) in routes.iter().enumerate() {
        let takes_all = |other: &&(u64, String)| severity(&other.1).is_none() || severity(&other.1) == severity(name);
        let Some((order, other)) = routes[..at].iter().find(takes_all) else { continue };
        let table = |name: &str| KeyPath::dotted("alerts.route").child(name);
        let place: Option<Place> = effective.table_place(&table(name));
        let warning = Diagnostic::warning("unreachable-route", format!("alerts.route.{name} can never match")).at(place);
        let warning = warning.key(&table(name)).note_at(
            format!("alerts.route.{other} (order {order}) takes everything first"),
            effective.table_place(&table(other)),
        );
        found.push(warning.hint(format!("give it an order below {order}, or a severity that is still free")));
    }
}
