//! Caps, floors and the limits under them: the rules that no document can loosen.

use std::cmp::Ordering;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::layer::Level;
use super::merge::Effective;
use super::path::KeyPath;
use super::source::Place;
use super::value::Value;

/// Keys that stand both in `[caps]` and in `[limits]`.
pub const CAPPED: [&str; 7] = [
    "max_notional_per_order",
    "max_total_notional",
    "max_dd_daily",
    "max_dd_weekly",
    "latency_threshold",
    "max_orders_per_minute",
    "price_collar",
];

const FLOORS: [&str; 4] = ["escalation_every", "escalation_quiet", "sharpe_window", "sharpe_min_samples"];

/// Which way is looser.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Upper,
    Lower,
}

impl Bound {
    fn is_looser(self, value: &Value, than: &Value) -> bool {
        let wanted = if self == Self::Upper { Ordering::Greater } else { Ordering::Less };
        compare(value, than) == Some(wanted)
    }
}

/// Orders two values of one kind.
#[must_use]
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Money(a), Value::Money(b)) => Some(a.cmp(b)),
        (Value::Fraction(a), Value::Fraction(b)) => Some(a.cmp(b)),
        (Value::Span(a), Value::Span(b)) => Some(a.cmp(b)),
        (Value::Count(a), Value::Count(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A value that bounds another one.
#[derive(Debug, Clone)]
pub struct Bounding {
    pub value: Value,
    /// `None` when it is compiled in.
    pub place: Option<Place>,
    pub key: KeyPath,
}

impl Bounding {
    /// The value as a sentence of a note.
    #[must_use]
    pub fn told(&self) -> String {
        match self.place {
            Some(_) => format!("{} = {}", self.key, self.value),
            None => format!("{} = {}, compiled in", self.key, self.value),
        }
    }
}

/// Every value of `key` along the chain with the compiled one first; the last one is the tightest when nothing is wrong.
#[must_use]
pub fn bounds(effective: &Effective, key: &KeyPath) -> Vec<Bounding> {
    let written = effective.layers().iter().filter_map(|layer| {
        let written = layer.written.get(key)?;
        let place = (layer.level != Level::Default).then(|| written.place.clone());
        Some(Bounding { value: written.value.clone()?, place, key: key.clone() })
    });
    written.collect()
}

/// The bound of a limit: the tightest cap.
#[must_use]
pub fn tightest_cap(effective: &Effective, limit: &str) -> Option<Bounding> {
    let caps = bounds(effective, &KeyPath::dotted("caps").child(limit));
    caps.into_iter().reduce(|a, b| if Bound::Upper.is_looser(&b.value, &a.value) { a } else { b })
}

/// The tightest value of a floor.
#[must_use]
pub fn tightest_floor(effective: &Effective, floor: &str) -> Option<Bounding> {
    let floors = bounds(effective, &KeyPath::dotted("floors").child(floor));
    floors.into_iter().reduce(|a, b| if Bound::Lower.is_looser(&b.value, &a.value) { a } else { b })
}

/// Along the chain a cap may only sink and a floor only rise.
pub fn check_tightening(effective: &Effective, found: &mut Diagnostics) {
    let caps = CAPPED.iter().map(|name| (KeyPath::dotted("caps").child(name), Bound::Upper));
    let floors = FLOORS.iter().map(|name| (KeyPath::dotted("floors").child(name), Bound::Lower));
    for (key, bound) in caps.chain(floors) {
        let mut tightest: Option<Bounding> = None;
        for next in bounds(effective, &key) {
            match &tightest {
                Some(bound_by) if bound.is_looser(&next.value, &bound_by.value) => found.push(looser(&next, bound_by, bound)),
                _ => tightest = Some(next),
            }
        }
    }
}

fn looser(value: &Bounding, than: &Bounding, bound: Bound) -> Diagnostic {
    let (what, far, fix) = match bound {
        Bound::Upper => ("cap", "above", "at most"),
        Bound::Lower => ("floor", "below", "at least"),
    };
    let (code, message) = match (&than.place, bound) {
        (None, Bound::Upper) => ("hard-cap", format!("{} is above the hard cap compiled into the program", value.key)),
        (None, Bound::Lower) => ("hard-floor", format!("{} is below the floor compiled into the program", value.key)),
        (Some(_), Bound::Upper) => ("cap-looser", format!("{} loosens the cap it inherits", value.key)),
        (Some(_), Bound::Lower) => ("floor-looser", format!("{} loosens the floor it inherits", value.key)),
    };
    let whose = if than.place.is_some() { "its parent's" } else { "a compiled" };
    let sign = if bound == Bound::Upper { ">" } else { "<" };
    Diagnostic::error(code, message)
        .at(value.place.clone())
        .label(format!("{} {sign} {}", plain(&value.value), plain(&than.value)))
        .key(&value.key)
        .note_at(than.told(), than.place.clone())
        .hint(format!("write {fix} {}, or remove the line: no profile may go {far} {whose} {what}", than.value))
}

/// Every limit lies under its cap: an error, never a silent clamp.
pub fn check_limits(effective: &Effective, found: &mut Diagnostics) {
    for name in CAPPED {
        let key = KeyPath::dotted("limits").child(name);
        let Some(value) = effective.entry(&key).and_then(|entry| entry.value.as_ref()) else { continue };
        check_under_cap(effective, &key, &key, value, name, found);
    }
}

/// Is `value`, set at `key` and meant for the limit `name`, under the cap of that limit? `shown` names it in the message.
pub fn check_under_cap(
    effective: &Effective,
    key: &KeyPath,
    shown: &KeyPath,
    value: &Value,
    name: &str,
    found: &mut Diagnostics,
) {
    let Some(cap) = tightest_cap(effective, name) else { return };
    if !Bound::Upper.is_looser(value, &cap.value) {
        return;
    }
    let mut error = Diagnostic::error("cap-exceeded", format!("{shown} is above its cap"))
        .at(effective.place(key))
        .label(format!("{} > {}", plain(value), plain(&cap.value)))
        .key(key)
        .note_at(format!("bounded by {}", cap.told()), cap.place.clone());
    for other in bounds(effective, &cap.key).into_iter().rev().filter(|other| other.place.is_some() && other.place != cap.place) {
        error = error.note_at(other.told(), other.place.clone());
    }
    found.push(error.hint(format!("write at most {}, or raise the cap in its own reviewed change", cap.value)));
}

/// A value without quotes, for a label.
#[must_use]
pub fn plain(value: &Value) -> String {
    value.to_string().trim_matches('"').to_owned()
}
