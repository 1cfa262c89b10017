//! `explain`: who set a value, who lost, what bounds it, and what stands on top of it now.

use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::config::origin_of;
use super::exit::{Exit, Failure};
use super::names;
use super::output::{BOLD, DIM, Report};
use super::select::{Select, Selected};
use super::standing::stand;
use super::state::State;
use crate::escalation::Raised;
use crate::pipeline;
use crate::profile::bounds;
use crate::profile::explained::{self, Explained};
use crate::profile::fault::nearest;
use crate::profile::merge::Effective;
use crate::profile::overlay::Ignored;
use crate::profile::rules::MERGE_RULES;
use crate::profile::value::Value;
use crate::profile::{KeyPath, Profile, keys};
use crate::risk::LimitKey;

/// Explain one value: where it was set, what it overrides, what bounds it.
#[derive(Debug, Args)]
pub struct Explain {
    /// The key, like limits.max_notional_per_order; or a table, for all its keys.
    #[arg(value_name = "KEY", required_unless_present_any = ["all", "rules"], add = names::key_paths())]
    key: Option<String>,
    /// Explain every key of the profile and its pipeline.
    #[arg(long, conflicts_with = "key")]
    all: bool,
    /// Print the rules by which layers become one document.
    #[arg(long, conflicts_with_all = ["key", "all"])]
    rules: bool,
    #[command(flatten)]
    select: Select,
}

impl Explain {
    /// # Errors
    /// The documents are wrong, or know no such key.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if self.rules {
            return Ok(rules().print(context, Exit::Done));
        }
        let mut selected = self.select.resolve(context, self.select.pipeline.as_deref())?;
        stand(context, &mut selected.profile)?;
        let selected = selected;
        let documents = [selected.profile.effective(), selected.plan.effective()];
        let ignored = selected.profile.ignored();
        let mut report = Report {
            verb: "explain",
            profile: Some(selected.profile.name().to_owned()),
            mode: Some(selected.profile.mode().name().to_owned()),
            ..Report::default()
        };
        let Some(key) = &self.key else {
            let all = documents.into_iter().map(|effective| below(effective, &KeyPath::default(), ignored)).collect();
            list(&mut report, all, None);
            return Ok(report.print(context, Exit::Done));
        };
        let path = KeyPath::parse(key).ok_or_else(|| unknown_key(key))?;
        if let Some(explained) = documents.into_iter().find_map(|effective| Explained::of(effective, &path, ignored)) {
            let state = State::of(context, &selected.profile)?;
            report.text = text(&explained, &selected, &state);
            report.data = explained.json();
            report.data["state"] = state.json();
            report.data["in_force"] = json!(in_force(&path, &selected.profile).map(|(amount, _)| amount));
            return Ok(report.print(context, Exit::Done));
        }
        let tables: Vec<_> = documents.into_iter().map(|effective| below(effective, &path, ignored)).collect();
        if tables.iter().all(|(text, _)| text.is_empty()) {
            return Err(unknown_key(key));
        }
        list(&mut report, tables, Some(&path));
        Ok(report.print(context, Exit::Done))
    }
}

fn unknown_key(key: &str) -> Failure {
    let known: Vec<&str> = keys::KEYS.iter().chain(pipeline::keys::KEYS).map(|key| key.path).collect();
    let last = key.rsplit('.').next().unwrap_or_default();
    let by_name = || {
        let near = nearest(last, known.iter().filter_map(|path| path.rsplit('.').next()))?;
        known.iter().copied().find(|path| path.rsplit('.').next() == Some(near))
    };
    let hint = match nearest(key, known.iter().copied()).or_else(by_name) {
        Some(near) => format!("did you mean {near}?"),
        None => "`tidegate config -p PROFILE` prints every key".to_owned(),
    };
    Failure::new(Exit::Usage, anyhow!("there is no key {key}")).hint(hint)
}

fn text(explained: &Explained<'_>, selected: &Selected, state: &State) -> String {
    let mut text = String::new();
    let force = in_force(explained.path, &selected.profile);
    let head = match explained.value {
        Some(Value::Money(_)) if force.is_some() => {
            let amount = force.as_ref().map(|(amount, _)| amount.as_str()).unwrap_or_default();
            format!("{} = {amount} {}", explained.path, selected.profile.currency())
        }
        Some(_) if force.is_some() => {
            format!("{} = {}", explained.path, force.as_ref().map(|(amount, _)| amount.as_str()).unwrap_or_default())
        }
        Some(value) => format!("{} = {}", explained.path, shown(value, selected.profile.currency())),
        None => format!("{} is not set", explained.path),
    };
    let mode = selected.profile.mode().name();
    let effect = if explained.is_in_effect() { "effective now" } else { "not in effect yet" };
    let _ = writeln!(text, "{BOLD}{head:<48}{BOLD:#} {effect}, mode {mode}\n");
    let _ = writeln!(text, "  means    {}", explained.row.key.doc);
    if let Some((_, why)) = &force {
        let _ = writeln!(text, "  held by  {why}");
    }
    if let Some(winner) = explained.chain.first().filter(|_| explained.value.is_some()) {
        let _ = writeln!(text, "  set by   {}", winner.origin());
    }
    let bounds: Vec<_> = explained.bounds.iter().map(|b| (bounds::plain(&b.value), explained::origin_of(b))).collect();
    columns(&mut text, "bounded", &bounds, "looser");
    let said = |said: &explained::Said| (said.value.as_ref().map(ToString::to_string).unwrap_or_default(), said.origin());
    let chain: Vec<_> = explained.chain.iter().map(said).collect();
    columns(&mut text, "chain", &chain, "overridden");
    for variable in &explained.ignored {
        let _ = writeln!(text, "  ignored  {variable} in the environment: env never sets {}", explained.path.first());
    }
    if explained.row.key.sealed {
        let _ = writeln!(text, "  sealed   only the abstract root may set it");
    }
    if explained.path.first() == "limits" {
        ladder(&mut text, explained.path, selected);
    }
    if matches!(explained.path.first(), "limits" | "risk" | "escalation") {
        for line in state.lines() {
            let _ = writeln!(text, "  state    {line}");
        }
    }
    let _ = writeln!(text, "  wants    {}", explained.row.key.kind.wants());
    text
}

/// Where the limit stands on the ladder, and what the next step would make of it.
fn ladder(text: &mut String, path: &KeyPath, selected: &Selected) {
    let (Some(ladder), Some(raised)) = (selected.profile.ladder(), Raised::of(path.last())) else { return };
    let rungs: Vec<String> = ladder.rungs().iter().map(|limits| raised.get(limits).to_string()).collect();
    let last = rungs.len() - 1;
    let _ = writeln!(text, "  ladder   step {} of {last}: {}", selected.profile.step(), rungs.join(" -> "));
}

/// What a limit is now where that is not what the documents say, and why.
fn in_force(path: &KeyPath, profile: &Profile) -> Option<(String, String)> {
    let key = LimitKey::of(path.last()).filter(|_| path.first() == "limits" && path.depth() == 2)?;
    let (start, now) = (key.get(profile.start()), key.get(profile.limits()));
    let footing = profile.footing();
    let why = match footing.lowered.get(key.name()) {
        Some(lowered) if *lowered == now.to_string() => "a person who lowered it; a plan gives it back".to_owned(),
        _ => {
            let since = footing.since.map_or_else(String::new, |since| format!(", since {since}"));
            format!("step {} of the ladder{since}", profile.step())
        }
    };
    (start != now).then(|| (now.to_string(), why))
}

/// Values beside their places; all but the first one have lost.
fn columns(text: &mut String, name: &str, rows: &[(String, String)], lost: &str) {
    let wide = rows.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0);
    let long = rows.iter().map(|(_, origin)| origin.chars().count()).max().unwrap_or(0);
    for (at, (value, origin)) in rows.iter().enumerate() {
        let line = match at {
            0 => format!("  {name:<8} {value:<wide$}  {origin}"),
            _ => format!("  {:<8} {value:<wide$}  {origin:<long$}  {DIM}{lost}{DIM:#}", ""),
        };
        let _ = writeln!(text, "{line}");
    }
}

/// Money with its currency, anything else as it would be written.
fn shown(value: &Value, currency: &str) -> String {
    match value {
        Value::Money(amount) => format!("{amount} {currency}"),
        other => other.to_string(),
    }
}

/// Every key below a table, one line each, and everything there is to say about them for programs.
fn below(effective: &Effective, table: &KeyPath, ignored: &[Ignored]) -> (String, Vec<Json>) {
    let below = effective.entries().filter(|(path, entry)| path.starts_with(table) && entry.value.is_some());
    let rows: Vec<_> = below.collect();
    let wide = rows.iter().map(|(path, _)| path.to_string().chars().count()).max().unwrap_or(0);
    let line = |(path, entry): &(&KeyPath, &crate::profile::merge::Entry)| {
        let value = entry.value.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{:<wide$}  {value:<12}  {DIM}{}{DIM:#}\n", path.to_string(), origin_of(effective, path))
    };
    let json = |(path, _): &(&KeyPath, _)| Explained::of(effective, path, ignored).map(|explained| explained.json());
    (rows.iter().map(line).collect(), rows.iter().filter_map(json).collect())
}

fn list(report: &mut Report, documents: Vec<(String, Vec<Json>)>, table: Option<&KeyPath>) {
    let (texts, keys): (Vec<String>, Vec<Vec<Json>>) = documents.into_iter().unzip();
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    report.text = texts.join("\n");
    report.data = json!({ "key": table.map(ToString::to_string), "keys": keys.into_iter().flatten().collect::<Vec<_>>() });
}

/// The merge rules, from the lowest layer to what no layer can do.
fn rules() -> Report {
    let mut text = String::new();
    for (name, rule) in MERGE_RULES {
        let _ = writeln!(text, "{BOLD}{name}{BOLD:#}");
        for line in super::table::wrapped(rule, 76) {
            let _ = writeln!(text, "    {line}");
        }
    }
    let rules: Vec<Json> = MERGE_RULES.iter().map(|(name, rule)| json!({ "name": name, "rule": rule })).collect();
    Report { verb: "explain", data: json!({ "rules": rules }), text, ..Report::default() }
}
