//! Rules of `[escalation]`: a ladder stays under every cap and never climbs faster than the floors allow.

use crate::domain::Money;
use crate::risk::limits::hard;

use super::bounds::{self, Bounding, compare};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::merge::Effective;
use super::path::KeyPath;
use super::value::Value;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn key(name: &str) -> KeyPath {
    KeyPath::dotted("escalation").join(name)
}

/// Runs every rule of the ladder; one that is not enabled must still be sound.
pub(super) fn check(effective: &Effective, found: &mut Diagnostics) {
    if effective.bool_at(&key("enabled")) == Some(true) {
        complete(effective, found);
    }
    multiply(effective, found);
    slot(effective, found);
    spacing(effective, found);
    target(effective, found);
    for gate in effective.names_below("escalation.gate") {
        gate_floors(effective, &key("gate").child(&gate), found);
    }
}

fn complete(effective: &Effective, found: &mut Diagnostics) {
    let table = effective.table_place(&KeyPath::dotted("escalation"));
    for name in ["raise", "target"] {
        if effective.entry(&key(name)).is_none() {
            let error = Diagnostic::error("missing-key", format!("{} is missing", key(name))).at(table.clone());
            let error = error.label(format!("no {name} below this")).key(&key(name));
            found.push(
                error
                    .note_at("escalation.enabled = true", effective.place(&key("enabled")))
                    .hint("add it, or write enabled = false"),
            );
        }
    }
    if effective.names_below("escalation.gate").is_empty() {
        let error = Diagnostic::error("no-gate", "the ladder has no gate: it would raise limits without evidence").at(table);
        found.push(
            error.key(&key("gate")).hint("add [escalation.gate.sharpe] and [escalation.gate.quiet], or write enabled = false"),
        );
    }
}

fn multiply(effective: &Effective, found: &mut Diagnostics) {
    let Some(n) = effective.count_at(&key("multiply")) else { return };
    let most = u64::from(hard::LADDER_MULTIPLY);
    if n > most {
        let error = Diagnostic::error("hard-cap", "escalation.multiply is above the hard cap compiled into the program");
        let error = error.at(effective.place(&key("multiply"))).label(format!("{n} > {most}")).key(&key("multiply"));
        found.push(error.hint(format!("write at most {most}")));
    }
    if n < 2 {
        let error = Diagnostic::error("ladder-stands-still", "a step that multiplies by 1 raises nothing");
        let error = error.at(effective.place(&key("multiply"))).label("no step").key(&key("multiply"));
        found.push(error.hint("write 2, or set escalation.enabled = false"));
    }
}

fn slot(effective: &Effective, found: &mut Diagnostics) {
    let Some(text) = effective.text_at(&key("at")) else { return };
    let good = text.split_once(' ').is_some_and(|(day, time)| {
        let clock = time.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2);
        let below =
            |part: &str, most: u32| part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u32>().is_ok_and(|n| n < most);
        WEEKDAYS.contains(&day) && clock.is_some_and(|(h, m)| below(h, 24) && below(m, 60))
    });
    if !good {
        let error =
            Diagnostic::error("bad-slot", format!("\"{text}\" is not a weekday and a time")).at(effective.place(&key("at")));
        found.push(error.label("not understood").key(&key("at")).hint("write it like \"Mon 09:00\""));
    }
}

fn spacing(effective: &Effective, found: &mut Diagnostics) {
    above_floor(effective, &key("every"), "escalation_every", found);
}

/// Is the value at `path` at least the tightest `floor` of the chain?
fn above_floor(effective: &Effective, path: &KeyPath, floor: &str, found: &mut Diagnostics) {
    let value = effective.entry(path).and_then(|entry| entry.value.as_ref());
    let (Some(value), Some(floor)) = (value, bounds::tightest_floor(effective, floor)) else { return };
    if compare(value, &floor.value).is_some_and(std::cmp::Ordering::is_lt) {
        let error = Diagnostic::error("below-floor", format!("{path} is below the floor of the chain"))
            .at(effective.place(path))
            .label(format!("{} < {}", bounds::plain(value), bounds::plain(&floor.value)))
            .key(path)
            .note_at(format!("bounded by {}", floor.told()), floor.place.clone());
        found.push(error.hint(format!("write at least {}", floor.value)));
    }
}

/// The last step, and every limit that follows it, under their caps.
fn target(effective: &Effective, found: &mut Diagnostics) {
    let (Some(target), Some(raise)) = (effective.money_at(&key("target")), effective.text_at(&key("raise"))) else { return };
    bounds::check_under_cap(effective, &key("target"), &key("target"), &Value::Money(target), raise, found);
    let limit = |name: &str| effective.money_at(&KeyPath::dotted("limits").child(name));
    let Some(start) = limit(raise) else { return };
    if target < start {
        let start_key = KeyPath::dotted("limits").child(raise);
        let error = Diagnostic::error("target-below-start", "escalation.target is below the limit it starts from")
            .at(effective.place(&key("target")))
            .label(format!("{target} < {start}"))
            .key(&key("target"))
            .note_at(format!("{start_key} = \"{start}\""), effective.place(&start_key));
        found.push(error.hint(format!("write at least \"{start}\"")));
        return;
    }
    if start == Money::ZERO {
        if effective.bool_at(&key("enabled")) == Some(true) {
            let start_key = KeyPath::dotted("limits").child(raise);
            let error = Diagnostic::error("ladder-from-zero", "the ladder starts at zero, and no step makes more of it")
                .at(effective.place(&key("raise")))
                .label("nothing to multiply")
                .key(&key("raise"))
                .note_at(format!("{start_key} = \"0\""), effective.place(&start_key));
            found.push(error.hint(format!("give {raise} in [limits] the size that the ladder starts with")));
        }
        return;
    }
    for name in effective.texts_at(&key("scale_with")).unwrap_or_default() {
        let Some(limit) = limit(name) else { continue };
        let Some(last) = limit.ratio_trunc(target, start) else {
            let error = Diagnostic::error("out-of-range", format!("the ladder takes limits.{name} to more than money can count"));
            let error = error.at(effective.place(&key("target"))).label("too far from the start").key(&key("target"));
            found.push(error.hint("lower target, or start higher"));
            continue;
        };
        if let Some(cap) = bounds::tightest_cap(effective, name)
            && compare(&Value::Money(last), &cap.value).is_some_and(std::cmp::Ordering::is_gt)
        {
            found.push(scaled_above_cap(effective, name, last, &cap));
        }
    }
}

fn scaled_above_cap(effective: &Effective, name: &str, last: Money, cap: &Bounding) -> Diagnostic {
    let limit = KeyPath::dotted("limits").child(name);
    Diagnostic::error("cap-exceeded", format!("the last step of the ladder takes {limit} above its cap"))
        .at(effective.place(&key("target")))
        .label(format!("makes it {last} > {}", bounds::plain(&cap.value)))
        .key(&key("target"))
        .note_at(format!("bounded by {}", cap.told()), cap.place.clone())
        .note_at(
            format!("{limit} = \"{}\" at the start", effective.money_at(&limit).unwrap_or_default()),
            effective.place(&limit),
        )
        .hint(format!("lower target, or start {name} lower"))
}

/// Keys of a gate on `metric`, each with its floor.
fn floors_of(metric: Option<&str>) -> &'static [(&'static str, &'static str)] {
    match metric {
        Some("sharpe") => &[("window", "sharpe_window"), ("min_samples", "sharpe_min_samples")],
        Some("kill_events") => &[("window", "escalation_quiet")],
        _ => &[],
    }
}

/// What no value of a ladder's key may go beyond, tightest first.
pub(super) fn bounds_of(effective: &Effective, path: &KeyPath) -> Vec<Bounding> {
    let table = |table: &str, name: &str| {
        let mut bounds = bounds::bounds(effective, &KeyPath::dotted(table).child(name));
        bounds.reverse();
        bounds
    };
    match path.names().nth(1) {
        Some("target") => effective.text_at(&key("raise")).map(|raise| table("caps", raise)).unwrap_or_default(),
        Some("every") => table("floors", "escalation_every"),
        Some("multiply") => {
            vec![Bounding { value: Value::Count(u64::from(hard::LADDER_MULTIPLY)), place: None, key: path.clone() }]
        }
        Some("gate") => {
            let metric = effective.text_at(&path.parent().child("metric"));
            let floor = floors_of(metric).iter().find(|(name, _)| *name == path.last());
            floor.map(|(_, floor)| table("floors", floor)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// What a gate measures, over no less than the floors say.
fn gate_floors(effective: &Effective, gate: &KeyPath, found: &mut Diagnostics) {
    for (name, floor) in floors_of(effective.text_at(&gate.child("metric"))) {
        let path = gate.child(name);
        if effective.entry(&path).is_some() {
            above_floor(effective, &path, floor, found);
        } else {
            let metric = effective.text_at(&gate.child("metric")).unwrap_or_default();
            let error = Diagnostic::error("missing-key", format!("{path} is missing")).at(effective.table_place(gate)).key(&path);
            found.push(error.label(format!("no {name} below this")).hint(format!("add it: the metric \"{metric}\" needs it")));
        }
    }
}
