//! `explain`: who set a value, who lost, what bounds it.

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
use crate::pipeline;
use crate::profile::bounds::{self, Bounding};
use crate::profile::fault::nearest;
use crate::profile::layer::Level;
use crate::profile::merge::Effective;
use crate::profile::schema::Row;
use crate::profile::source::Place;
use crate::profile::value::Value;
use crate::profile::{KeyPath, keys};

/// Explain one value: where it was set, what it overrides, what bounds it.
#[derive(Debug, Args)]
pub struct Explain {
    /// The key, like limits.max_notional_per_order; or a table, for all its keys.
    #[arg(value_name = "KEY", add = names::key_paths())]
    key: String,
    #[command(flatten)]
    select: Select,
}

/// Everything there is to say about one key.
struct Explained<'a> {
    path: &'a KeyPath,
    row: &'a Row,
    value: Option<&'a Value>,
    effective: &'a Effective,
    /// What each layer says, the winner first.
    chain: Vec<(String, String)>,
    /// Tightest first.
    bounds: Vec<Bounding>,
    ignored: Vec<String>,
}

impl Explain {
    /// # Errors
    /// The documents are wrong, or know no such key.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selected = self.select.resolve(context, self.select.pipeline.as_deref())?;
        let path = KeyPath::parse(&self.key).ok_or_else(|| self.unknown_key())?;
        let documents = [selected.profile.effective(), selected.plan.effective()];
        let mut report = Report {
            verb: "explain",
            profile: Some(selected.profile.name().to_owned()),
            mode: Some(selected.profile.mode().name().to_owned()),
            ..Report::default()
        };
        let Some(explained) = documents.into_iter().find_map(|effective| explain(&selected, effective, &path)) else {
            let below: Vec<_> = documents.into_iter().flat_map(|effective| table(effective, &path)).collect();
            if below.is_empty() {
                return Err(self.unknown_key());
            }
            report.text = below.iter().map(|(line, _)| line.as_str()).collect();
            report.data = json!({ "key": path.to_string(), "keys": below.into_iter().map(|(_, json)| json).collect::<Vec<_>>() });
            return Ok(report.print(context, Exit::Done));
        };
        report.text = explained.text(&selected);
        report.data = explained.json();
        Ok(report.print(context, Exit::Done))
    }

    fn unknown_key(&self) -> Failure {
        let known: Vec<&str> = keys::KEYS.iter().chain(pipeline::keys::KEYS).map(|key| key.path).collect();
        let last = self.key.rsplit('.').next().unwrap_or_default();
        let by_name = || {
            let near = nearest(last, known.iter().filter_map(|path| path.rsplit('.').next()))?;
            known.iter().copied().find(|path| path.rsplit('.').next() == Some(near))
        };
        let hint = match nearest(&self.key, known.iter().copied()).or_else(by_name) {
            Some(near) => format!("did you mean {near}?"),
            None => "`tidegate config -p PROFILE` prints every key".to_owned(),
        };
        Failure::new(Exit::Usage, anyhow!("there is no key {}", self.key)).hint(hint)
    }
}

fn explain<'a>(selected: &Selected, effective: &'a Effective, path: &'a KeyPath) -> Option<Explained<'a>> {
    let row = effective.schema().find(path)?;
    let entry = effective.entry(path);
    let written = effective.layers().iter().rev().filter_map(|layer| {
        let written = layer.written.get(path)?;
        let value = written.value.as_ref().map(ToString::to_string).unwrap_or_default();
        let origin = if layer.level == Level::Default { "default".to_owned() } else { written.place.to_string() };
        Some((value, origin))
    });
    let mut chain: Vec<(String, String)> = written.collect();
    if chain.is_empty()
        && let Some(value) = entry.and_then(|entry| entry.value.as_ref())
    {
        chain.push((value.to_string(), "default".to_owned()));
    }
    let mut bounding = match path.first() {
        "limits" | "caps" => bounds::bounds(effective, &KeyPath::dotted("caps").child(path.last())),
        "floors" => bounds::bounds(effective, path),
        _ => Vec::new(),
    };
    bounding.reverse();
    if matches!(path.first(), "caps" | "floors") {
        // A bound is bounded by those below it, not by itself.
        bounding.retain(|bound| bound.place != effective.place(path));
    }
    let ignored = selected.profile.ignored().iter().filter(|ignored| ignored.key == *path);
    Some(Explained {
        path,
        row,
        value: entry.and_then(|entry| entry.value.as_ref()),
        effective,
        chain,
        bounds: bounding,
        ignored: ignored.map(|ignored| ignored.variable.clone()).collect(),
    })
}

impl Explained<'_> {
    fn text(&self, selected: &Selected) -> String {
        let mut text = String::new();
        let head = match self.value {
            Some(value) => format!("{} = {}", self.path, shown(value, selected.profile.currency())),
            None => format!("{} is not set", self.path),
        };
        let mode = selected.profile.mode().name();
        let effect =
            if self.row.key.effect == crate::profile::schema::Effect::Later { "not in effect yet" } else { "effective now" };
        let _ = writeln!(text, "{BOLD}{head:<48}{BOLD:#} {effect}, mode {mode}\n");
        let _ = writeln!(text, "  means    {}", self.row.key.doc);
        if self.value.is_some() {
            let _ = writeln!(text, "  set by   {}", origin_of(self.effective, self.path));
        }
        let bounds: Vec<_> = self.bounds.iter().map(|b| (bounds::plain(&b.value), place(b))).collect();
        columns(&mut text, "bounded", &bounds, "looser");
        columns(&mut text, "chain", &self.chain, "overridden");
        for variable in &self.ignored {
            let _ = writeln!(text, "  ignored  {variable} in the environment: env never sets {}", self.path.first());
        }
        if self.row.key.sealed {
            let _ = writeln!(text, "  sealed   only the abstract root may set it");
        }
        let _ = writeln!(text, "  wants    {}", self.row.key.kind.wants());
        text
    }

    fn json(&self) -> Json {
        let at = |place: Option<&Place>| {
            place.map(|place| {
                let (line, column) = place.line_column();
                json!({ "file": place.source.name, "line": line, "column": column })
            })
        };
        json!({
            "key": self.path.to_string(),
            "value": self.value.map(Value::json),
            "doc": self.row.key.doc,
            "wants": self.row.key.kind.wants(),
            "in_effect": self.row.key.effect == crate::profile::schema::Effect::Now,
            "sealed": self.row.key.sealed,
            "origin": at(self.effective.place(self.path).as_ref()),
            "chain": self.chain.iter().map(|(value, origin)| json!({ "value": value, "origin": origin })).collect::<Vec<_>>(),
            "bounds": self.bounds.iter().map(|b| json!({ "value": b.value.json(), "origin": place(b) })).collect::<Vec<_>>(),
            "ignored": self.ignored,
        })
    }
}

/// Values beside their places; all but the first one have lost.
fn columns(text: &mut String, name: &str, rows: &[(String, String)], lost: &str) {
    let wide = rows.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0);
    let long = rows.iter().map(|(_, origin)| origin.chars().count()).max().unwrap_or(0);
    for (at, (value, origin)) in rows.iter().enumerate() {
        let (name, lost) = if at == 0 { (name, "") } else { ("", lost) };
        let line = format!("  {name:<8} {value:<wide$}  {origin:<long$}  {DIM}{lost}{DIM:#}");
        let _ = writeln!(text, "{}", if lost.is_empty() { format!("  {name:<8} {value:<wide$}  {origin}") } else { line });
    }
}

fn place(bound: &Bounding) -> String {
    bound.place.as_ref().map_or_else(|| "the hard cap".to_owned(), ToString::to_string)
}

/// Money with its currency, anything else as it would be written.
fn shown(value: &Value, currency: &str) -> String {
    match value {
        Value::Money(amount) => format!("{amount} {currency}"),
        other => other.to_string(),
    }
}

/// Every key below a table, one line each.
fn table(effective: &Effective, table: &KeyPath) -> Vec<(String, Json)> {
    let below = effective.entries().filter(|(path, entry)| path.starts_with(table) && entry.value.is_some());
    let rows: Vec<_> = below.collect();
    let wide = rows.iter().map(|(path, _)| path.to_string().chars().count()).max().unwrap_or(0);
    let line = |(path, entry): (&KeyPath, &crate::profile::merge::Entry)| {
        let value = entry.value.as_ref().map(ToString::to_string).unwrap_or_default();
        let origin = origin_of(effective, path);
        let line = format!("{:<wide$}  {value:<12}  {DIM}{origin}{DIM:#}\n", path.to_string());
        (line, json!({ "key": path.to_string(), "value": entry.value.as_ref().map(Value::json), "origin": origin }))
    };
    rows.into_iter().map(line).collect()
}
