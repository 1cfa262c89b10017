//! Which way each key of a profile moves risk: the one table that comparisons go by.
//!
//! What the table does not know counts as a raise. A key stands here by its pattern in the schema, and a test fails when one is
//! missing.

use std::cmp::Ordering;

use super::bounds::compare;
use super::value::Value;
use crate::risk::rules::{BarAge, PauseFor};

/// How a change of a key moves what can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The greater, the more risk.
    Greater,
    /// The greater, the less risk.
    Less,
    /// `true` has more risk.
    On,
    /// `true` has less risk.
    Off,
    /// Words, the safest first.
    Words(&'static [&'static str]),
    /// Each entry of the list adds risk.
    Entries,
    /// Each entry of the list takes risk away.
    Guards,
    /// An allow-list: each entry adds risk, and an empty one allows everything.
    Allowed,
    /// There being a value takes risk away; one value against another says nothing.
    Present,
    /// What a gate asks for, by the operator beside it.
    Gate,
    /// What an alert rule fires at, by the operator beside it.
    Alarm,
    /// No risk in it.
    Neutral,
    /// Only a person can tell.
    Unknown,
}

/// The directions of one kind of document.
#[derive(Debug, Clone, Copy)]
pub struct Directions {
    pub keys: &'static [(&'static str, Direction)],
    /// What an entry that people named does by being there.
    pub collections: &'static [(&'static str, Direction)],
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Raises,
    Unknown,
    Lowers,
    Neutral,
}

impl Class {
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Raises => "▲",
            Self::Lowers => "▼",
            Self::Neutral => "·",
            Self::Unknown => "?",
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raises => "raises",
            Self::Lowers => "lowers",
            Self::Neutral => "neutral",
            Self::Unknown => "unknown",
        }
    }

    /// The class of the same change the other way round.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Raises => Self::Lowers,
            Self::Lowers => Self::Raises,
            other => other,
        }
    }

    /// More, less or the same of something that adds risk.
    const fn of(more: Ordering) -> Self {
        match more {
            Ordering::Greater => Self::Raises,
            Ordering::Less => Self::Lowers,
            Ordering::Equal => Self::Neutral,
        }
    }
}

/// One value that changed. `None` is a key that is not set.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub before: Option<&'a Value>,
    pub after: Option<&'a Value>,
    /// The operators beside the value, before and after, where there are any.
    pub operators: (Option<&'a str>, Option<&'a str>),
}

impl Direction {
    #[must_use]
    pub fn class(self, change: &Change<'_>) -> Class {
        let (before, after) = (change.before, change.after);
        if before == after {
            return Class::Neutral;
        }
        match self {
            Self::Neutral => Class::Neutral,
            Self::Unknown => Class::Unknown,
            Self::Greater => size(before, after).map_or(Class::Unknown, Class::of),
            Self::Less => size(before, after).map_or(Class::Unknown, |more| Class::of(more).reversed()),
            Self::On => switched(after).map_or(Class::Unknown, |on| if on { Class::Raises } else { Class::Lowers }),
            Self::Off => switched(after).map_or(Class::Unknown, |on| if on { Class::Lowers } else { Class::Raises }),
            Self::Words(words) => {
                rank(words, before).zip(rank(words, after)).map_or(Class::Unknown, |(a, b)| Class::of(b.cmp(&a)))
            }
            Self::Entries => entries(before, after),
            Self::Guards => entries(before, after).reversed(),
            Self::Allowed => allowed(before, after),
            Self::Present => match (before, after) {
                (None, Some(_)) => Class::Lowers,
                (Some(_), None) => Class::Raises,
                _ => Class::Unknown,
            },
            Self::Gate => threshold(change).reversed(),
            Self::Alarm => threshold(change),
        }
    }
}

/// Is `after` more than `before`? Not set is less than anything.
fn size(before: Option<&Value>, after: Option<&Value>) -> Option<Ordering> {
    match (before, after) {
        (None, None) => Some(Ordering::Equal),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(_), None) => Some(Ordering::Less),
        (Some(before), Some(after)) => more(before, after),
    }
}

fn more(before: &Value, after: &Value) -> Option<Ordering> {
    match (after, before) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bps(a), Value::Bps(b)) => Some(a.cmp(b)),
        (Value::Price(a), Value::Price(b)) => Some(a.cmp(b)),
        (Value::Qty(a), Value::Qty(b)) => Some(a.cmp(b)),
        (Value::BarAge(BarAge::Bars(a)), Value::BarAge(BarAge::Bars(b))) => Some(a.cmp(b)),
        (Value::BarAge(BarAge::Span(a)), Value::BarAge(BarAge::Span(b))) => Some(a.cmp(b)),
        (Value::PauseFor(PauseFor::Span(a)), Value::PauseFor(PauseFor::Span(b))) => Some(a.cmp(b)),
        (after, before) => compare(after, before),
    }
}

fn switched(after: Option<&Value>) -> Option<bool> {
    match after {
        Some(Value::Bool(on)) => Some(*on),
        _ => None,
    }
}

fn rank(words: &[&str], value: Option<&Value>) -> Option<usize> {
    let word = value?.text()?;
    words.iter().position(|known| *known == word)
}

fn list(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::items).unwrap_or_default()
}

/// Which entries came and went, if each of them adds risk. Both at once is for a person to judge.
fn entries(before: Option<&Value>, after: Option<&Value>) -> Class {
    let (before, after) = (list(before), list(after));
    let came = after.iter().any(|entry| !before.contains(entry));
    let went = before.iter().any(|entry| !after.contains(entry));
    match (came, went) {
        (true, false) => Class::Raises,
        (false, true) => Class::Lowers,
        (false, false) => Class::Neutral,
        (true, true) => Class::Unknown,
    }
}

fn allowed(before: Option<&Value>, after: Option<&Value>) -> Class {
    match (list(before).is_empty(), list(after).is_empty()) {
        (true, false) => Class::Lowers,
        (false, true) => Class::Raises,
        _ => entries(before, after),
    }
}

/// Does the number ask for more? For `>` a greater one does, for `<` a smaller one, for equality nobody knows.
fn threshold(change: &Change<'_>) -> Class {
    let more = size(change.before, change.after);
    match change.operators {
        (Some(before), Some(after)) if before == after => match after {
            ">" | ">=" | "increase>" | "increase>=" => more.map_or(Class::Unknown, Class::of),
            "<" | "<=" => more.map_or(Class::Unknown, |more| Class::of(more).reversed()),
            _ => Class::Unknown,
        },
        _ => Class::Unknown,
    }
}

use Direction::{Alarm, Allowed, Entries, Gate, Greater, Guards, Less, Neutral, Off, On, Present, Unknown, Words};

/// Everything a comparison of profiles goes by.
pub const PROFILES: Directions = Directions { keys: DIRECTIONS, collections: COLLECTIONS };

/// What an entry that people named does by being there: gates, checks, steps, receivers and rules guard.
const COLLECTIONS: &[(&str, Direction)] = &[
    ("escalation.gate.*", Present),
    ("preflight.check.*", Present),
    ("rollback.step.*", Present),
    ("alerts.receiver.*", Present),
    ("alerts.rule.*", Present),
    // A new route may take what another one told more people.
    ("alerts.route.*", Unknown),
    ("venue.paper.instrument.@", Neutral),
];

/// Every key of a profile.
#[rustfmt::skip] // A table.
const DIRECTIONS: &[(&str, Direction)] = &[
    ("profile.schema", Neutral),
    ("profile.abstract", Neutral),
    ("profile.inherits", Neutral), // what it brings is compared key by key
    ("profile.mode", Words(&["paper", "live"])),
    ("profile.pipeline", Unknown),

    ("caps.max_notional_per_order", Greater),
    ("caps.max_total_notional", Greater),
    ("caps.max_dd_daily", Greater),
    ("caps.max_dd_weekly", Greater),
    ("caps.latency_threshold", Greater),
    ("caps.max_orders_per_minute", Greater),
    ("caps.price_collar", Greater),

    ("floors.escalation_every", Less),
    ("floors.escalation_quiet", Less),
    ("floors.sharpe_window", Less),
    ("floors.sharpe_min_samples", Less),

    ("limits.currency", Unknown),
    ("limits.max_notional_per_order", Greater),
    ("limits.max_position_notional", Greater),
    ("limits.max_total_notional", Greater),
    ("limits.max_daily_turnover", Greater),
    ("limits.max_dd_daily", Greater),
    ("limits.max_dd_weekly", Greater),
    ("limits.latency_threshold", Greater),
    ("limits.max_orders_per_minute", Greater),
    ("limits.max_orders_per_day", Greater),
    ("limits.max_open_orders", Greater),
    ("limits.max_participation", Greater),
    ("limits.price_collar", Greater),

    ("risk.symbols", Allowed),
    ("risk.on_unresolved", Words(&["deny"])),
    ("risk.duplicate_window", Less),
    ("risk.max_bar_age", Greater),
    ("risk.data_gap", Words(&["deny", "warn"])),
    ("risk.drawdown_basis", Words(&["equity"])),
    ("risk.max_reference_move", Greater),
    ("risk.max_repeated_orders", Greater),
    ("risk.on_drawdown.action", Words(&["halt", "pause"])),
    ("risk.on_drawdown.pause_for", Less),
    ("risk.on_drawdown.flatten", Off),
    ("risk.on_latency.window", Greater),
    ("risk.on_latency.action", Words(&["pause"])),
    ("risk.on_latency.pause_for", Less),

    ("storage.root", Neutral),
    ("storage.runs", Unknown), // another folder knows of no halt and of no position
    ("storage.compression", Neutral),
    ("storage.s3.endpoint", Neutral),
    ("storage.s3.region", Neutral),
    ("storage.s3.access_key", Neutral),
    ("storage.s3.secret_key", Neutral),
    ("storage.s3.token", Neutral),
    ("models.registry", Unknown),
    ("models.use", Unknown),
    ("models.verify_hash", Off),
    ("models.max_age", Greater),
    ("metrics.listen", Unknown), // may open the page to a network
    ("clock.tz", Unknown), // moves slots and schedules
    ("clock.max_skew", Greater),

    ("stages.ingest.enabled", Unknown), // off: no new bars, and no contract that stops the rest
    ("stages.model.enabled", On),
    ("stages.oms.enabled", On),
    ("stages.oms.venue", Words(&["paper", "binance"])),
    ("stages.alert.enabled", Off),

    ("venue.paper.equity", Neutral),
    ("venue.paper.maker_bps", Neutral),
    ("venue.paper.taker_bps", Neutral),
    ("venue.paper.slippage_bps", Neutral),
    ("venue.paper.price_tick", Neutral),
    ("venue.paper.qty_step", Neutral),
    ("venue.paper.min_notional", Neutral),
    ("venue.paper.instrument.@.price_tick", Neutral),
    ("venue.paper.instrument.@.qty_step", Neutral),
    ("venue.paper.instrument.@.min_notional", Neutral),
    ("venue.binance.base_url", Unknown),
    ("venue.binance.api_key", Unknown),
    ("venue.binance.api_secret", Unknown),
    ("venue.binance.order_timeout", Greater),

    ("escalation.enabled", On),
    ("escalation.raise", Unknown),
    ("escalation.multiply", Greater),
    ("escalation.target", Greater),
    ("escalation.scale_with", Entries),
    ("escalation.every", Less),
    ("escalation.at", Neutral),
    ("escalation.approval", Words(&["manual", "auto"])),
    ("escalation.plan_expires_after", Greater),
    ("escalation.after_kill", Words(&["restart", "hold"])),
    ("escalation.gate.*.enabled", Off),
    ("escalation.gate.*.metric", Unknown),
    ("escalation.gate.*.window", Less),
    ("escalation.gate.*.op", Unknown),
    ("escalation.gate.*.value", Gate),
    ("escalation.gate.*.min_samples", Less),
    ("escalation.gate.*.annualise_days", Greater),

    ("preflight.require_all", Off),
    ("preflight.check.*.enabled", Off),
    ("preflight.check.*.order", Neutral),
    ("preflight.check.*.kind", Unknown),
    ("preflight.check.*.valid_for", Greater),
    ("preflight.check.*.timeout", Greater),
    ("preflight.check.*.lookback", Less),
    ("preflight.check.*.missing_bars", Greater),
    ("preflight.check.*.target", Unknown),
    ("preflight.check.*.receivers", Guards),
    ("preflight.check.*.ack_within", Greater),
    ("preflight.check.*.notional", Neutral),
    ("preflight.check.*.quiet_within", Greater),

    ("rollback.on", Guards),
    ("rollback.step.*.enabled", Off),
    ("rollback.step.*.order", Unknown), // closing before pausing is another rollback
    ("rollback.step.*.do", Unknown),
    ("rollback.step.*.timeout", Neutral),

    ("alerts.repeat_every", Greater),
    ("alerts.fallback", Present),
    ("alerts.receipt_within", Greater),
    ("alerts.receiver.*.enabled", Off),
    ("alerts.receiver.*.kind", Unknown),
    ("alerts.receiver.*.url", Unknown),
    ("alerts.receiver.*.key", Unknown),
    ("alerts.receiver.*.host", Unknown),
    ("alerts.receiver.*.port", Unknown),
    ("alerts.receiver.*.from", Neutral),
    ("alerts.receiver.*.to", Guards),
    ("alerts.receiver.*.user", Unknown),
    ("alerts.receiver.*.password", Unknown),
    ("alerts.route.*.enabled", Unknown),
    ("alerts.route.*.order", Unknown),
    ("alerts.route.*.match.severity", Unknown),
    ("alerts.route.*.receivers", Guards),
    ("alerts.route.*.silenceable", On),
    ("alerts.rule.*.enabled", Off),
    ("alerts.rule.*.severity", Words(&["critical", "warning", "info"])),
    ("alerts.rule.*.when.metric", Unknown),
    ("alerts.rule.*.when.op", Unknown),
    ("alerts.rule.*.when.value", Alarm),
    ("alerts.rule.*.when.for", Greater),
    ("alerts.rule.*.when.window", Unknown),
    ("alerts.rule.*.diagnose", Guards),
    ("alerts.rule.*.retry", Neutral),
    ("alerts.rule.*.unresolved_after", Greater),
    ("alerts.rule.*.then", Words(&["rollback", "halt", "none"])),
    ("alerts.deadman.url", Present),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::keys::KEYS;
    use crate::profile::kind::Kind;

    #[test]
    fn every_key_has_one_direction_and_every_direction_a_key() {
        let declared: Vec<&str> = DIRECTIONS.iter().map(|(path, _)| *path).collect();
        let written: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(declared, written, "the table follows the schema, key by key");
    }

    #[test]
    fn every_word_of_a_key_is_ranked_once() {
        for ((path, direction), key) in DIRECTIONS.iter().zip(KEYS) {
            if let (Words(ranked), Kind::Word(words)) = (direction, key.kind) {
                let (mut ranked, mut known) = (ranked.to_vec(), words.known.to_vec());
                ranked.sort_unstable();
                known.sort_unstable();
                assert_eq!(ranked, known, "{path}");
            }
            assert_eq!(
                matches!(direction, On | Off),
                matches!(key.kind, Kind::Bool) && !matches!(direction, Unknown | Neutral),
                "{path}"
            );
        }
    }

    fn class(direction: Direction, kind: Kind, before: &str, after: &str) -> Class {
        let value = |text: &str| (text != "-").then(|| kind.check_text(text).expect("a test writes values right"));
        let (before, after) = (value(before), value(after));
        direction.class(&Change { before: before.as_ref(), after: after.as_ref(), operators: (Some(">"), Some(">")) })
    }

    #[test]
    fn each_direction_tells_more_from_less() {
        assert_eq!(class(Greater, Kind::Money, "50", "100"), Class::Raises);
        assert_eq!(class(Greater, Kind::Money, "50.00", "50"), Class::Neutral);
        assert_eq!(class(Greater, Kind::Money, "-", "500"), Class::Raises);
        assert_eq!(class(Less, Kind::Span, "7d", "1w"), Class::Neutral);
        assert_eq!(class(Less, Kind::Span, "7d", "1d"), Class::Raises);
        assert_eq!(class(Less, Kind::PauseFor, "day", "5m"), Class::Unknown, "a day may end in a minute");
        assert_eq!(class(Allowed, Kind::Symbols, "[]", "BTC/USDT"), Class::Lowers);
        assert_eq!(class(Allowed, Kind::Symbols, "BTC/USDT", "[]"), Class::Raises);
        assert_eq!(class(Allowed, Kind::Symbols, "BTC/USDT", "ETH/USDT"), Class::Unknown);
        assert_eq!(class(Guards, Kind::Names, "a,b", "a"), Class::Raises);
        assert_eq!(class(Gate, Kind::Float(-9.0, 9.0), "0.5", "0.0"), Class::Raises);
        assert_eq!(class(Alarm, Kind::Float(-9.0, 9.0), "0.5", "0.0"), Class::Lowers);
        assert_eq!(class(Off, Kind::Bool, "true", "false"), Class::Raises);
    }

    #[test]
    fn a_change_of_the_operator_is_for_a_person() {
        let (zero, one) = (Value::Float(0.0), Value::Float(1.0));
        let change = Change { before: Some(&zero), after: Some(&one), operators: (Some(">"), Some("<")) };
        assert_eq!(Gate.class(&change), Class::Unknown);
    }
}
