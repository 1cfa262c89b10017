//! `diff`: what changes in meaning between two profiles, and which way it moves risk.

use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::output::{BOLD, DIM, GREEN, RED, Report, YELLOW};
use super::select::environment;
use super::standing::stand;
use crate::domain::Money;
use crate::pipeline::direction::PIPELINES;
use crate::pipeline::{self, document};
use crate::profile::difference::{self, Difference, Side};
use crate::profile::direction::{Class, PROFILES};
use crate::profile::merge::Effective;
use crate::profile::source::Source;
use crate::profile::{Diagnostics, KeyPath, Mode, Overrides, Profile, documents, resolve};
use crate::runner::folder;
use crate::store::glance::Glance;
use crate::store::home::Home;

/// Compare what two profiles mean: every value after every layer, and which way each change moves risk.
///
/// With one profile: from what it last ran with to what its files say now. Keys that only a person can judge are marked ? and count
/// as a raise.
#[derive(Debug, Args)]
pub struct Diff {
    /// The profile to start from.
    #[arg(value_name = "A", add = names::profiles())]
    before: String,
    /// The profile to end at [default: A as it stands, against what A last ran with].
    #[arg(value_name = "B", add = names::profiles())]
    after: Option<String>,
    /// List neutral changes too, and every key of an entry that came or went.
    #[arg(long)]
    all: bool,
    /// End with code 4 when anything raises risk, for scripts.
    #[arg(long)]
    exit_code: bool,
}

/// One side of the comparison.
struct Version {
    name: String,
    profile: Profile,
    pipeline: Effective,
}

/// Changes of both documents, those of the profile first.
struct Comparison {
    before: Version,
    after: Version,
    changes: Vec<Difference>,
}

impl Diff {
    /// # Errors
    /// One of the profiles is wrong, or there is no run to compare with.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (before, after) = match &self.after {
            Some(after) => (Version::written(context, &self.before)?, Version::written(context, after)?),
            None => {
                let now = Version::written(context, &self.before)?;
                (Version::last_ran(context, &now.profile)?, now)
            }
        };
        let mut changes = difference::between(before.profile.effective(), after.profile.effective(), PROFILES);
        changes.extend(difference::between(&before.pipeline, &after.pipeline, PIPELINES));
        let comparison = Comparison { before, after, changes };
        let raises = comparison.count(Class::Raises) + comparison.count(Class::Unknown);
        let exit = if self.exit_code && raises > 0 { Exit::CheckFailed } else { Exit::Done };
        Ok(comparison.report(self.all).print(context, exit))
    }
}

impl Version {
    /// What the files say.
    fn written(context: &Context, name: &str) -> Result<Self, Failure> {
        let loaded = pipeline::load(&context.root, name, None, &Overrides::default(), &environment());
        let (mut profile, plan, _) = loaded.map_err(|found| Failure::new(Exit::Configuration, found))?;
        stand(context, &mut profile)?;
        Ok(Self { name: name.to_owned(), profile, pipeline: plan.effective().clone() })
    }

    /// What the newest run of the profile went by, from the run's own folder.
    fn last_ran(context: &Context, now: &Profile) -> Result<Self, Failure> {
        let folder = context.root.join(&now.storage().runs).join(now.name());
        let run = match Glance::at(&folder)? {
            Some(glance) => glance.last_run()?,
            None => None,
        };
        let Some(run) = run else {
            let failure = Failure::new(Exit::Failed, anyhow!("profile {} has not run yet: nothing to compare with", now.name()));
            return Err(failure.hint(format!("name a second profile: tidegate diff {} OTHER", now.name())));
        };
        let mut found = Diagnostics::default();
        let home = Home::new(&folder);
        let mut read = |file: &str| -> Option<std::sync::Arc<Source>> {
            let path = folder.join(&run).join(file);
            let shown = path.strip_prefix(&context.root).unwrap_or(&path).display().to_string();
            documents::read(&home, &path, &shown, &mut found)
        };
        let sources = (read(folder::PROFILE), read(folder::PIPELINE));
        let versions = match sources {
            (Some(profile), Some(pipeline)) => {
                resolve::recorded(now.name(), profile, &mut found).zip(document::recorded(now.pipeline(), pipeline, &mut found))
            }
            _ => None,
        };
        let (mut profile, pipeline) = versions
            .ok_or_else(|| Failure::new(Exit::Failed, found).hint(format!("the record of run {run} cannot be compared with")))?;
        // The step is no part of the documents: both stand on it.
        profile.stand(now.footing().clone());
        Ok(Self { name: format!("run {run}"), profile, pipeline })
    }

    /// The most that may be held at once, now and on the last step of the ladder.
    fn exposure(&self) -> (Money, Money) {
        let now = self.profile.limits().max_total_notional;
        (now, self.profile.ladder().map_or(now, |ladder| ladder.top().max_total_notional))
    }
}

impl Comparison {
    fn count(&self, class: Class) -> usize {
        self.changes.iter().filter(|change| change.class == class).count()
    }

    fn report(&self, all: bool) -> Report {
        let mut text = format!("{BOLD}{} -> {}{BOLD:#}\n", self.before.name, self.after.name);
        let shown: Vec<&Difference> = self.changes.iter().filter(|change| all || change.class != Class::Neutral).collect();
        let mut table = None;
        for change in &shown {
            let head = head_of(&change.path);
            if table.as_ref() != Some(&head) {
                let _ = write!(text, "\n[{head}]\n");
                table = Some(head);
            }
            line(&mut text, change, all);
        }
        let _ = write!(text, "\n{}", self.totals(self.changes.len() - shown.len()));
        for sentence in self.exposures() {
            let _ = writeln!(text, "{sentence}");
        }
        Report {
            verb: "diff",
            profile: Some(self.after.profile.name().to_owned()),
            mode: Some(self.after.profile.mode().name().to_owned()),
            data: self.json(),
            text,
            ..Report::default()
        }
    }

    fn totals(&self, hidden: usize) -> String {
        let [raises, unknown, lowers, neutral] =
            [Class::Raises, Class::Unknown, Class::Lowers, Class::Neutral].map(|c| self.count(c));
        if self.changes.is_empty() {
            return "They mean the same.\n".to_owned();
        }
        let verb = |n: usize, one: &'static str, many: &'static str| if n == 1 { one } else { many };
        let more = if hidden > 0 { " (--all)" } else { "" };
        let parts = [
            (raises, format!("{raises} {RED}▲{RED:#} {}", verb(raises, "raises risk", "raise risk"))),
            (lowers, format!("{lowers} {GREEN}▼{GREEN:#} {}", verb(lowers, "lowers it", "lower it"))),
            (unknown, format!("{unknown} {YELLOW}?{YELLOW:#} unknown: read as ▲")),
            (neutral, format!("{neutral} · neutral{more}")),
        ];
        let told: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, part)| part).collect();
        format!("{}.\n", told.join(", "))
    }

    /// What can be lost at once, in words.
    fn exposures(&self) -> Vec<String> {
        let (a, b) = (&self.before.profile, &self.after.profile);
        let mut told = Vec::new();
        if a.mode() != b.mode() {
            let kind = |mode: Mode| if mode == Mode::Live { "real money" } else { "paper" };
            told.push(format!("Orders go from {} to {}.", kind(a.mode()), kind(b.mode())));
        }
        if a.currency() != b.currency() {
            told.push(format!("Worst case exposure cannot be compared: {} and {}.", a.currency(), b.currency()));
            return told;
        }
        let ((now_a, top_a), (now_b, top_b)) = (self.before.exposure(), self.after.exposure());
        told.push(format!("Worst case exposure {}.", moved(now_a, now_b, a.currency())));
        if a.step() > 0 || b.step() > 0 {
            let step = |version: &Version| format!("{} on step {}", version.name, version.profile.step());
            told.push(format!("That is with {}, and {}.", step(&self.before), step(&self.after)));
        }
        if a.ladder().is_some() || b.ladder().is_some() {
            told.push(format!("At the last step of the ladder {}.", moved(top_a, top_b, a.currency())));
        }
        told
    }

    fn json(&self) -> Json {
        let (a, b) = (&self.before, &self.after);
        let ((now_a, top_a), (now_b, top_b)) = (a.exposure(), b.exposure());
        let comparable = a.profile.currency() == b.profile.currency();
        let pair = |before: Money, after: Money| {
            json!({
                "before": before.to_string(),
                "after": after.to_string(),
                "change": comparable.then(|| (after - before).to_string()),
            })
        };
        let version = |version: &Version| {
            json!({
                "name": version.name,
                "mode": version.profile.mode().name(),
                "currency": version.profile.currency(),
                "fingerprint": version.profile.fingerprint(),
            })
        };
        json!({
            "before": version(a),
            "after": version(b),
            "changes": self.changes.iter().map(change_json).collect::<Vec<_>>(),
            "raises": self.count(Class::Raises),
            "lowers": self.count(Class::Lowers),
            "neutral": self.count(Class::Neutral),
            "unknown": self.count(Class::Unknown),
            "worst_case_exposure": pair(now_a, now_b),
            "worst_case_exposure_at_last_step": pair(top_a, top_b),
        })
    }
}

/// `200 -> 1000 USDT (+800 USDT)`.
fn moved(before: Money, after: Money, currency: &str) -> String {
    if before == after {
        return format!("{after} {currency} in both");
    }
    let sign = if after > before { "+" } else { "" };
    format!("{before} -> {after} {currency} ({sign}{} {currency})", after - before)
}

/// The table that a change is listed under: its first name, or two where the first says little.
fn head_of(path: &KeyPath) -> KeyPath {
    let depth = if matches!(path.first(), "venue" | "stage" | "alerts" | "preflight" | "rollback") { 2 } else { 1 };
    path.head(depth.min(path.depth() - 1))
}

/// Widest name and values that still share a line of 80 columns.
const NAME_WIDE: usize = 30;
const VALUES_WIDE: usize = 44;

fn line(text: &mut String, change: &Difference, all: bool) {
    let style = match change.class {
        Class::Raises => RED,
        Class::Lowers => GREEN,
        Class::Unknown => YELLOW,
        Class::Neutral => DIM,
    };
    let head = head_of(&change.path).depth();
    let name = KeyPath::of(change.path.names().skip(head)).to_string();
    let (before, after) = (shown(change.before.as_ref()), shown(change.after.as_ref()));
    let sign = change.class.sign();
    let values = format!("{before} -> {after}");
    if name.chars().count() <= NAME_WIDE && values.chars().count() <= VALUES_WIDE {
        let _ = writeln!(text, "{style}{sign}{style:#} {name:<NAME_WIDE$}  {values}");
    } else {
        let _ = writeln!(text, "{style}{sign}{style:#} {name}\n    {before}\n    -> {after}");
    }
    let whole = change.before.iter().chain(&change.after).filter(|side| side.value.is_none());
    for (path, value) in whole.flat_map(|side| &side.keys).filter(|_| all) {
        let inner = KeyPath::of(path.names().skip(change.path.depth()));
        let _ = writeln!(text, "    {DIM}{inner} = {value}{DIM:#}");
    }
}

/// A value as it would be written; an entry by what it consists of.
fn shown(side: Option<&Side>) -> String {
    match side {
        None => "-".to_owned(),
        Some(Side { value: Some(value), .. }) => value.to_string(),
        Some(Side { keys, .. }) => entry_in_words(keys),
    }
}

/// What an entry is, in a few words: its condition, or what it does, or how it is reached.
fn entry_in_words(keys: &[(KeyPath, crate::profile::value::Value)]) -> String {
    let get = |wanted: &str| {
        let found = keys.iter().find(|(path, _)| path.last() == wanted)?;
        Some(found.1.to_string().trim_matches('"').to_owned())
    };
    let condition = || {
        let (metric, op, value) = (get("metric")?, get("op")?, get("value")?);
        let window = get("window").or_else(|| get("for")).map_or_else(String::new, |window| format!(" over {window}"));
        Some(format!("{metric} {op} {value}{window}"))
    };
    condition().or_else(|| get("do")).or_else(|| get("kind")).unwrap_or_else(|| format!("{} keys", keys.len()))
}

fn change_json(change: &Difference) -> Json {
    let side = |side: Option<&Side>| {
        side.map(|side| {
            json!({
                "value": side.value.as_ref().map(crate::profile::value::Value::json),
                "entry": side.value.is_none().then(|| side.keys.iter().map(|(path, value)| (path.to_string(), value.json())).collect::<serde_json::Map<_, _>>()),
                "origin": side.place.as_ref().map(ToString::to_string),
            })
        })
    };
    json!({
        "key": change.path.to_string(),
        "class": change.class.name(),
        "before": side(change.before.as_ref()),
        "after": side(change.after.as_ref()),
    })
}
