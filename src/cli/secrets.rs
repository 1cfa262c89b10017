//! Which secrets the profiles name, and which of them a run would find.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::output::{DIM, RED, YELLOW};
use crate::domain::SecretRef;
use crate::profile::render::wrapped;
use crate::profile::schema::Effect;
use crate::profile::value::Value;
use crate::profile::{KeyPath, Profile, VenueKind};
use crate::secret::{SecretError, Secrets, State};

/// Where the particulars of a line begin: below the name of the document.
const INDENT: usize = 10;

/// One reference, as the profiles that share it write it.
struct Named {
    key: KeyPath,
    reference: SecretRef,
    origin: String,
    /// Does anything use it yet?
    is_in_effect: bool,
    profiles: Vec<String>,
    result: Result<(), SecretError>,
}

/// Keys of a venue are nobody's business where orders go to paper.
fn is_used(key: &KeyPath, profile: &Profile) -> bool {
    !key.starts_with(&KeyPath::dotted("venue.binance")) || profile.venue() == VenueKind::Binance
}

/// A source by its name, and the byte at which something begins: cheaper than its line, when a thousand profiles share one.
type Spot = Option<(String, usize)>;

/// Every reference of some profiles, looked up once. The values are dropped at once.
pub struct NamedSecrets {
    secrets: Secrets,
    looked_up: BTreeMap<SecretRef, Result<(), SecretError>>,
    named: BTreeMap<(KeyPath, SecretRef, Spot), Named>,
}

impl NamedSecrets {
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, looked_up: BTreeMap::new(), named: BTreeMap::new() }
    }

    /// Adds what `profile` names; what it has in common with others is one.
    pub fn add(&mut self, profile: &Profile) {
        let effective = profile.effective();
        for (key, entry) in effective.entries() {
            let Some(Value::Secret(reference)) = &entry.value else { continue };
            if effective.is_removed(&key.parent()) {
                continue;
            }
            let place = effective.place(key);
            let spot = place.as_ref().map(|place| (place.source.name.clone(), place.span.start));
            let look = || self.secrets.look(reference);
            let result = self.looked_up.entry(reference.clone()).or_insert_with(look).clone();
            let named = self.named.entry((key.clone(), reference.clone(), spot)).or_insert_with(|| Named {
                key: key.clone(),
                reference: reference.clone(),
                origin: place.map_or_else(|| "default".to_owned(), |place| place.to_string()),
                is_in_effect: is_used(key, profile)
                    && effective.schema().find(key).is_some_and(|row| row.key.effect == Effect::Now),
                profiles: Vec::new(),
                result,
            });
            named.profiles.push(profile.name().to_owned());
        }
    }

    /// What cannot be resolved, two lines each; `all` names also those that nothing uses yet.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        let mut text = String::new();
        for (one, error) in self.unresolved().filter(|(one, _)| all || one.is_in_effect) {
            let (state, style) = match error.state() {
                State::Refused => ("refused", RED),
                state => (state.name(), YELLOW),
            };
            let _ = writeln!(text, "secret    {} = \"{}\"  {style}{state}{style:#}", one.key, one.reference);
            let particulars = wrapped(&format!("{}: {}; {}", one.origin, error.why, error.hint()), INDENT);
            let line = particulars.replace('\n', &format!("\n{:INDENT$}", ""));
            let _ = writeln!(text, "{:INDENT$}{line}", "");
        }
        let hidden = self.unresolved().filter(|(one, _)| !all && !one.is_in_effect).count();
        if hidden > 0 {
            let more = if text.is_empty() { "" } else { " more" };
            let belong = if hidden == 1 { "belongs" } else { "belong" };
            let _ = writeln!(
                text,
                "{DIM}secret    {hidden}{more} {belong} to settings that are not in effect yet (--verbose){DIM:#}"
            );
        }
        text
    }

    /// How many references there are that are used, and those of them that a run would not find.
    #[must_use]
    pub fn in_effect(&self) -> (usize, Vec<String>) {
        let used = self.named.values().filter(|one| one.is_in_effect).count();
        let lacking = self.unresolved().filter(|(one, _)| one.is_in_effect);
        (used, lacking.map(|(one, error)| format!("{} ({})", one.key, error.state().name())).collect())
    }

    fn unresolved(&self) -> impl Iterator<Item = (&Named, &SecretError)> {
        self.named.values().filter_map(|one| one.result.as_ref().err().map(|error| (one, error)))
    }

    #[must_use]
    pub fn json(&self) -> Json {
        self.named.values().map(Named::json).collect()
    }
}

impl Named {
    fn json(&self) -> Json {
        let error = self.result.as_ref().err();
        json!({
            "key": self.key.to_string(),
            "reference": self.reference,
            "state": error.map_or(State::Ok, SecretError::state).name(),
            "why": error.map(|error| error.why.to_string()),
            "hint": error.map(SecretError::hint),
            "origin": self.origin,
            "in_effect": self.is_in_effect,
            "profiles": self.profiles,
        })
    }
}
