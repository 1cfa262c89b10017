//! `config`: the effective document, as TOML.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::output::{DIM, Report};
use super::select::Select;
use crate::profile::KeyPath;
use crate::profile::merge::{Effective, Entry};
use crate::profile::path::quoted;
use crate::profile::render;

/// Print the effective profile and pipeline as TOML: every value after every layer, secrets as references.
#[derive(Debug, Args)]
pub struct Config {
    #[command(flatten)]
    select: Select,
    /// Say behind each value where it comes from.
    #[arg(long)]
    origin: bool,
}

impl Config {
    /// # Errors
    /// The documents are wrong.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selected = self.select.resolve(context, self.select.pipeline.as_deref())?;
        let (profile, plan) = (&selected.profile, &selected.plan);
        let chain: Vec<&str> = profile.chain().iter().rev().map(String::as_str).collect();
        let mut text =
            format!("# profile {}: {}, fingerprint {:.12}\n", profile.name(), chain.join(" > "), profile.fingerprint());
        write_document(&mut text, profile.effective(), self.origin);
        let _ = write!(text, "\n# pipeline {}: fingerprint {:.12}\n", plan.name(), plan.fingerprint());
        write_document(&mut text, plan.effective(), self.origin);
        let report = Report {
            verb: "config",
            profile: Some(profile.name().to_owned()),
            mode: Some(profile.mode().name().to_owned()),
            data: json!({
                "profile": values(profile.effective()),
                "pipeline": values(plan.effective()),
                "fingerprint": profile.fingerprint(),
                "pipeline_fingerprint": plan.fingerprint(),
                "diagnostics": render::json(&selected.warnings),
            }),
            text,
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

/// Writes tables in the order of the schema, so that it reads like the shipped files.
fn write_document(text: &mut String, effective: &Effective, origin: bool) {
    let rows = &effective.schema().rows;
    let row = |path: &KeyPath| {
        let found = effective.schema().find(path).expect("entries are in the schema");
        rows.iter().position(|row| std::ptr::eq(row, found)).expect("the row is one of the schema's")
    };
    let mut tables: BTreeMap<KeyPath, Vec<(usize, &KeyPath, &Entry)>> = BTreeMap::new();
    for (path, entry) in effective.entries() {
        tables.entry(path.parent()).or_default().push((row(path), path, entry));
    }
    let mut tables: Vec<_> = tables.into_iter().collect();
    for (_, keys) in &mut tables {
        keys.sort_by_key(|(row, ..)| *row);
    }
    // Keys of one named entry stay together although their rows are spread.
    let place = |table: &KeyPath, keys: &[(usize, &KeyPath, &Entry)]| {
        let named = effective.schema().rows[keys[0].0].named_depth();
        let head = table.head(named);
        let first = rows.iter().position(|row| row.bind(&head).is_some()).unwrap_or(keys[0].0);
        if named == 0 { (keys[0].0, KeyPath::default(), 0) } else { (first, head, keys[0].0) }
    };
    tables.sort_by_cached_key(|(table, keys)| place(table, keys));
    for (table, keys) in tables {
        let _ = write!(text, "\n[{table}]\n");
        for (_, path, entry) in keys {
            let Some(value) = &entry.value else { continue };
            let line = format!("{} = {value}", quoted(path.last()));
            if origin {
                let _ = writeln!(text, "{line:<40} {DIM}# {}{DIM:#}", origin_of(effective, path));
            } else {
                let _ = writeln!(text, "{line}");
            }
        }
    }
}

/// Where a value comes from, in a few words.
#[must_use]
pub fn origin_of(effective: &Effective, path: &KeyPath) -> String {
    effective.place(path).map_or_else(|| "default".to_owned(), |place| place.to_string())
}

fn values(effective: &Effective) -> Json {
    let one = |(path, entry): (&KeyPath, &Entry)| {
        let value = entry.value.as_ref()?;
        Some((path.to_string(), json!({ "value": value.json(), "origin": origin_of(effective, path) })))
    };
    Json::Object(effective.entries().filter_map(one).collect::<Map<_, _>>())
}
