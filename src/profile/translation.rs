//! What a script means for a profile: which variables are keys, which are none, and what no line says.
//!
//! A script that knows four limits says nothing of the others. Two of them are zero in a root that grants nothing, and a profile
//! with a zero there cannot trade; so they follow by a rule from limits that the script has, and are never looser than it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::env_names::{EnvName, NAMES, SECRETS, SecretName, is_secretive};
use super::env_script::{Assignment, Script, Strange, What};
use super::fault::nearest;
use super::path::{KeyPath, quoted};
use super::source::{Place, Source};
use super::value::Value;
use crate::domain::Money;

/// A position may hold this many orders, as in the shipped profiles; never more than the total.
const ORDERS_PER_POSITION: i128 = 2;
/// A day may turn the total over this many times, as in the shipped profiles.
const TURNOVER_PER_TOTAL: i128 = 5;

/// A script's variables, sorted by what they mean.
#[derive(Debug, Default)]
pub struct Translation {
    /// In the order of the script; of a variable that is set more than once the last.
    pub mapped: Vec<Mapped>,
    pub secrets: Vec<(&'static SecretName, usize)>,
    pub unmapped: Vec<Unmapped>,
    pub overruled: Vec<Overruled>,
    /// Lines that are not understood: first, last, why.
    pub strange: Vec<(usize, usize, Strange)>,
}

/// A variable that means a key.
#[derive(Debug)]
pub struct Mapped {
    pub row: &'static EnvName,
    /// As the script has it, quotes and references resolved.
    pub text: String,
    pub line: usize,
    /// What the script demands.
    pub value: Value,
    pub is_default: bool,
}

/// A variable that means nothing here. Its value is nobody's business.
#[derive(Debug)]
pub struct Unmapped {
    pub name: String,
    pub line: usize,
    pub near: Option<&'static str>,
    pub is_secretive: bool,
}

/// The same variable was set again further down.
#[derive(Debug)]
pub struct Overruled {
    pub name: String,
    pub line: usize,
    pub by: usize,
}

/// A limit that the script does not have, made from those that it has.
#[derive(Debug)]
pub struct Derived {
    pub path: KeyPath,
    pub value: Money,
    pub rule: String,
}

/// One line of the profile to be.
#[derive(Debug, Clone)]
pub struct Said {
    pub path: KeyPath,
    pub value: Value,
    pub comment: String,
}

/// Sorts what a script assigns. From now on `source` shows no value that may be a secret.
pub fn translate(script: &Script, source: &Arc<Source>, found: &mut Diagnostics) -> Translation {
    let mut translation = Translation::default();
    let mut last: BTreeMap<&str, &Assignment> = BTreeMap::new();
    let assigned =
        script.entries.iter().filter_map(|entry| if let What::Assigns(list) = &entry.what { Some(list) } else { None });
    for one in assigned.flatten() {
        cover(one, source);
        if let Some(before) = last.insert(&one.name, one)
            && is_known(&one.name)
        {
            translation.overruled.push(Overruled { name: one.name.clone(), line: before.line, by: one.line });
        }
    }
    script.comments.iter().for_each(|span| source.cover(span.clone()));
    let mut last: Vec<&Assignment> = last.into_values().collect();
    last.sort_by_key(|one| (one.line, one.span.start));
    for one in last {
        translation.sort_in(one, source, found);
    }
    refuse_two_for_one(&translation.mapped, found);
    for entry in &script.entries {
        if let What::Strange(strange) = &entry.what {
            translation.strange.push((entry.first, entry.last, strange.clone()));
        }
    }
    translation
}

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|row| row.name == name) || SECRETS.iter().any(|row| row.name == name)
}

/// The value of an assignment, as it stands in the script.
fn value_span(one: &Assignment, source: &Source) -> Range<usize> {
    let text = &source.text()[one.span.clone()];
    let from = text.find('=').map_or(one.span.start, |at| one.span.start + at + 1);
    if from < one.span.end { from..one.span.end } else { one.span.clone() }
}

/// Only what is known to be no secret may be shown.
fn cover(one: &Assignment, source: &Source) {
    if !NAMES.iter().any(|row| row.name == one.name) {
        source.cover(value_span(one, source));
    }
}

impl Translation {
    fn sort_in(&mut self, one: &Assignment, source: &Arc<Source>, found: &mut Diagnostics) {
        if let Some(row) = SECRETS.iter().find(|row| row.name == one.name) {
            self.secrets.push((row, one.line));
            return;
        }
        let Some(row) = NAMES.iter().find(|row| row.name == one.name) else {
            let near = nearest(&one.name, NAMES.iter().map(|row| row.name));
            let (name, is_secretive) = (one.name.clone(), is_secretive(&one.name));
            self.unmapped.push(Unmapped { name, line: one.line, near, is_secretive });
            return;
        };
        let place = Place::new(source, value_span(one, source));
        if let Some(secret) = one.refers.iter().find(|name| is_secretive(name)) {
            let error = Diagnostic::error("value-of-a-secret", format!("{} takes its value from {secret}", one.name));
            found.push(error.at(place).label("may be a secret").hint("write the number itself"));
            return;
        }
        match row.read(&one.value) {
            Ok(value) => {
                let (text, line, is_default) = (one.value.clone(), one.line, one.is_default);
                self.mapped.push(Mapped { row, text, line, value, is_default });
            }
            Err(fault) => {
                let error = Diagnostic::error(fault.code, format!("{}: {}", one.name, fault.message));
                found.push(error.at(place).label(fault.label).key(&row.path()).hint(fault.hint));
            }
        }
    }

    /// What the script demands of a key.
    #[must_use]
    pub fn demanded(&self, path: &KeyPath) -> Option<&Mapped> {
        self.mapped.iter().find(|mapped| mapped.row.path() == *path)
    }

    /// Lines that may set a limit and are not understood: while there is one, nothing is proven.
    pub fn doubts(&self) -> impl Iterator<Item = &(usize, usize, Strange)> {
        let may_set = |strange: &Strange| {
            strange.why.sets_anything() || strange.mentions.iter().any(|name| NAMES.iter().any(|row| row.name == name))
        };
        self.strange.iter().filter(move |(_, _, strange)| may_set(strange))
    }

    fn money(&self, key: &str) -> Option<Money> {
        match self.demanded(&KeyPath::dotted(key))?.value {
            Value::Money(amount) => Some(amount),
            _ => None,
        }
    }

    /// Limits that the script does not have and cannot do without, from those that it has.
    #[must_use]
    pub fn derived(&self) -> Vec<Derived> {
        let order = self.money("limits.max_notional_per_order");
        let total = self.money("limits.max_total_notional");
        let times = |amount: Money, n: i128| amount.count().checked_mul(n).map(Money::from_count);
        let position = order.zip(total).and_then(|(order, total)| Some(times(order, ORDERS_PER_POSITION)?.min(total)));
        let turnover = total.and_then(|total| times(total, TURNOVER_PER_TOTAL));
        let rules = [
            ("limits.max_position_notional", position, format!("rule: {ORDERS_PER_POSITION} orders, at most the total")),
            ("limits.max_daily_turnover", turnover, format!("rule: {TURNOVER_PER_TOTAL} times the total")),
        ];
        let missing = rules.into_iter().map(|(key, value, rule)| (KeyPath::dotted(key), value, rule));
        let missing = missing.filter(|(path, ..)| self.demanded(path).is_none());
        missing.filter_map(|(path, value, rule)| Some(Derived { path, value: value?, rule })).collect()
    }
}

/// Two variables may mean one key, in two units; which of them the program read nobody can tell.
fn refuse_two_for_one(mapped: &[Mapped], found: &mut Diagnostics) {
    for (at, one) in mapped.iter().enumerate() {
        if let Some(other) = mapped[..at].iter().find(|other| other.row.key == one.row.key && other.value != one.value) {
            let message = format!(
                "{} (line {}) and {} (line {}) both mean {}, and differ: {} and {}",
                other.row.name, other.line, one.row.name, one.line, one.row.key, other.value, one.value
            );
            found.push(Diagnostic::error("two-for-one", message).key(&one.row.path()).hint("remove the one that does not count"));
        }
    }
}

/// A profile as a person would write it: tables in the order of `said`, values in line, a comment where each comes from.
#[must_use]
pub fn document(head: &str, parent: &str, said: &[Said]) -> String {
    let mut text = String::new();
    for line in head.lines() {
        let _ = writeln!(text, "# {line}");
    }
    let inherits =
        Said { path: KeyPath::dotted("profile.inherits"), value: Value::Text(parent.to_owned()), comment: String::new() };
    let mut tables: Vec<(KeyPath, Vec<&Said>)> = Vec::new();
    for one in std::iter::once(&inherits).chain(said) {
        let table = one.path.parent();
        match tables.iter_mut().find(|(path, _)| *path == table) {
            Some((_, list)) => list.push(one),
            None => tables.push((table, vec![one])),
        }
    }
    for (table, list) in tables {
        let _ = writeln!(text, "\n[{table}]");
        let names: Vec<String> = list.iter().map(|one| quoted(one.path.last())).collect();
        let wide = names.iter().map(String::len).max().unwrap_or(0);
        let long = list.iter().map(|one| one.value.to_string().chars().count()).max().unwrap_or(0);
        for (name, one) in names.iter().zip(list) {
            let value = one.value.to_string();
            let _ = match one.comment.as_str() {
                "" => writeln!(text, "{name:<wide$} = {value}"),
                comment => writeln!(text, "{name:<wide$} = {value:<long$}   # {comment}"),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::env_script::read;
    use super::*;

    fn of(text: &str) -> (Translation, Diagnostics, Arc<Source>) {
        let source = Source::new("canary.sh", text);
        let mut found = Diagnostics::default();
        let translation = translate(&read(text).unwrap(), &source, &mut found);
        (translation, found, source)
    }

    #[test]
    fn the_rules_give_the_shipped_ratios_and_are_never_looser_than_the_script() {
        let derived = |text: &str| -> Vec<String> {
            of(text).0.derived().iter().map(|one| format!("{} {}", one.path.last(), one.value)).collect()
        };
        let both = derived("MAX_NOTIONAL_PER_ORDER=50\nMAX_TOTAL_NOTIONAL=200\n");
        assert_eq!(both, ["max_position_notional 100", "max_daily_turnover 1000"]);
        assert_eq!(derived("MAX_NOTIONAL_PER_ORDER=50\nMAX_TOTAL_NOTIONAL=60\n")[0], "max_position_notional 60");
        assert_eq!(derived("MAX_NOTIONAL_PER_ORDER=50\n"), Vec::<String>::new(), "without a total nothing follows");
        let own = "MAX_NOTIONAL_PER_ORDER=50\nMAX_TOTAL_NOTIONAL=200\nMAX_POSITION_NOTIONAL=7\nMAX_DAILY_TURNOVER=8\n";
        assert_eq!(derived(own), Vec::<String>::new(), "what the script says is not derived");
        let vast = format!("MAX_NOTIONAL_PER_ORDER=1\nMAX_TOTAL_NOTIONAL={}\n", "9".repeat(20));
        assert_eq!(derived(&vast), ["max_position_notional 2"], "what does not fit is left out");
    }

    /// PROFILE-4.
    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        let text = "export BINANCE_API_KEY=hunter2 MAX_DD_DAILY=3% # hunter2\nDB=hunter2\nA=$DB\nMAX_OPEN_ORDERS=$MY_TOKEN\n";
        let text = format!("MY_TOKEN=hunter2\n{text}");
        let (translation, found, source) = of(&text);
        let shown = super::super::render::text(&found, super::super::render::Paint::Plain);
        assert_eq!(found.errors(), 2, "{shown}");
        assert!(
            shown.contains("did you mean 0.03?") && shown.contains("MAX_OPEN_ORDERS takes its value from MY_TOKEN"),
            "{shown}"
        );
        let debug = format!("{translation:?}");
        assert!(
            !shown.contains("hunter2") && !source.shown().contains("hunter2") && !debug.contains("hunter2"),
            "{shown}{debug}"
        );
    }

    #[test]
    fn the_last_one_wins_and_two_names_for_one_key_must_agree() {
        let (translation, found, _) = of("MAX_OPEN_ORDERS=4\nMAX_OPEN_ORDERS=2\n");
        assert!(found.is_empty());
        assert_eq!((translation.mapped[0].text.as_str(), translation.mapped[0].line), ("2", 2));
        assert_eq!((translation.overruled[0].line, translation.overruled[0].by), (1, 2));
        let (_, found, _) = of("LATENCY_THRESHOLD_MS=500\nLATENCY_THRESHOLD=1s\n");
        assert_eq!(found.errors(), 1);
        let (_, found, _) = of("LATENCY_THRESHOLD_MS=1000\nLATENCY_THRESHOLD=1s\n");
        assert!(found.is_empty(), "the same in two units");
    }

    #[test]
    fn a_doubt_is_a_line_that_may_set_a_limit() {
        let doubts = |text: &str| of(text).0.doubts().count();
        assert_eq!(doubts("MAX_OPEN_ORDERS=4\nexec ./bot\n"), 0);
        assert_eq!(doubts("if x; then\n  MAX_OPEN_ORDERS=4\nfi\n"), 1);
        assert_eq!(doubts("source venv/bin/activate\n"), 1);
        assert_eq!(doubts("MAX_OPEN_ORDERS=4\necho $MAX_OPEN_ORDERS\n"), 0);
    }

    #[test]
    fn a_document_lines_up() {
        let said = |path: &str, value: Value, comment: &str| Said {
            path: KeyPath::parse(path).unwrap(),
            value,
            comment: comment.into(),
        };
        let text = document(
            "made\nhere",
            "base",
            &[
                said("limits.max_open_orders", Value::Count(4), "line 1"),
                said("venue.paper.instrument.\"BTC/USDT\".qty_step", Value::Count(1), ""),
                said("limits.max_orders_per_day", Value::Count(10), "line 2"),
            ],
        );
        let expected = "# made\n# here\n\n[profile]\ninherits = \"base\"\n\n[limits]\nmax_open_orders    = 4    # line 1\n\
                        max_orders_per_day = 10   # line 2\n\n[venue.paper.instrument.\"BTC/USDT\"]\nqty_step = 1\n";
        assert_eq!(text, expected);
    }
}
