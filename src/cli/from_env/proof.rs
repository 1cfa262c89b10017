//! What the script demands beside what the profile resolves to, and the profile beside another one.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::cli::config::origin_of;
use crate::profile::difference::{self, Difference, Side};
use crate::profile::direction::PROFILES;
use crate::profile::env_names::NAMES;
use crate::profile::translation::{Derived, Translation};
use crate::profile::value::Value;
use crate::profile::{KeyPath, Profile};

/// Tables that say how much is allowed.
const ALLOWED: [&str; 4] = ["limits", "caps", "floors", "risk"];

/// One key that scripts have names for.
#[derive(Debug)]
pub struct Row {
    pub path: KeyPath,
    /// What the script demands; `None` when it says nothing.
    pub demanded: Option<(Value, usize)>,
    pub effective: Option<Value>,
    /// Where the profile has it from.
    pub origin: String,
}

impl Row {
    /// Is what is demanded what is in effect? `None` when nothing is demanded.
    #[must_use]
    pub fn is_equal(&self) -> Option<bool> {
        self.demanded.as_ref().map(|(value, _)| self.effective.as_ref() == Some(value))
    }

    pub fn json(&self) -> Json {
        json!({
            "key": self.path.to_string(),
            "demanded": self.demanded.as_ref().map(|(value, _)| value.json()),
            "line": self.demanded.as_ref().map(|(_, line)| line),
            "effective": self.effective.as_ref().map(Value::json),
            "equal": self.is_equal(),
            "origin": self.origin,
        })
    }
}

/// Every key of the table of names, those that the script sets first.
pub fn rows(translation: &Translation, derived: &[Derived], profile: &Profile) -> Vec<Row> {
    let effective = profile.effective();
    let mut rows: Vec<Row> = Vec::new();
    for row in NAMES {
        let path = row.path();
        if rows.iter().any(|row| row.path == path) {
            continue;
        }
        let demanded = translation.demanded(&path).map(|mapped| (mapped.value.clone(), mapped.line));
        let origin = match derived.iter().find(|one| one.path == path) {
            Some(one) => one.rule.clone(),
            None => origin_of(effective, &path),
        };
        let effective = effective.entry(&path).and_then(|entry| entry.value.clone());
        rows.push(Row { path, demanded, effective, origin });
    }
    rows.sort_by_key(|row| row.demanded.as_ref().map_or(usize::MAX, |(_, line)| *line));
    rows
}

/// The profile beside another one.
#[derive(Debug)]
pub struct Comparison {
    pub with: String,
    /// Keys of limits, caps, floors and risk, and how many of them are limits.
    pub allowed: usize,
    pub limits: usize,
    /// From the other one to ours: a raise is a looser profile than that.
    pub differing: Vec<Difference>,
}

impl Comparison {
    pub fn of(ours: &Profile, theirs: &Profile) -> Self {
        let (a, b) = (ours.effective(), theirs.effective());
        let keys: BTreeSet<&KeyPath> = a.entries().chain(b.entries()).map(|(path, _)| path).collect();
        Self {
            with: theirs.name().to_owned(),
            allowed: keys.iter().filter(|path| is_allowance(path)).count(),
            limits: keys.iter().filter(|path| path.first() == "limits").count(),
            differing: difference::between(b, a, PROFILES),
        }
    }

    /// Do both allow the same? Where orders go, and who is told, is another matter.
    pub fn allows_the_same(&self) -> bool {
        self.differing.iter().all(|one| !is_allowance(&one.path))
    }

    pub fn json(&self) -> Json {
        let value = |side: &Option<Side>| side.as_ref().and_then(|side| side.value.as_ref()).map(Value::json);
        let one = |one: &Difference| {
            let (here, there) = (value(&one.after), value(&one.before));
            json!({ "key": one.path.to_string(), "here": here, "there": there, "sign": one.class.sign() })
        };
        json!({
            "profile": self.with,
            "limits_equal": self.allows_the_same(),
            "compared": self.allowed,
            "differing": self.differing.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

pub fn is_allowance(path: &KeyPath) -> bool {
    ALLOWED.contains(&path.first())
}
