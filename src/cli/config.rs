//! `config`: the effective document, as TOML.

use std::fmt::Write;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::output::{DIM, Report};
use super::select::Select;
use super::standing::stand;
use crate::profile::KeyPath;
use crate::profile::merge::{Effective, Entry};
use crate::profile::{Profile, render, text};
use crate::risk::LimitKey;

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
        let mut selected = self.select.resolve(context, self.select.pipeline.as_deref())?;
        stand(context, &mut selected.profile)?;
        let (profile, plan) = (&selected.profile, &selected.plan);
        let chain: Vec<&str> = profile.chain().iter().rev().map(String::as_str).collect();
        let mut text =
            format!("# profile {}: {}, fingerprint {:.12}\n", profile.name(), chain.join(" > "), profile.fingerprint());
        for (key, amount) in in_force(profile) {
            let _ = writeln!(text, "# in force on step {}: limits.{key} = {amount}", profile.step());
        }
        text.push_str(&self.written(profile.effective()));
        let _ = writeln!(text, "\n# pipeline {}: fingerprint {:.12}", plan.name(), plan.fingerprint());
        text.push_str(&self.written(plan.effective()));
        let report = Report {
            verb: "config",
            profile: Some(profile.name().to_owned()),
            mode: Some(profile.mode().name().to_owned()),
            data: json!({
                "profile": values(profile.effective()),
                "pipeline": values(plan.effective()),
                "ladder_step": profile.step(),
                "in_force": Json::Object(in_force(profile).map(|(key, amount)| (format!("limits.{key}"), json!(amount))).collect()),
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

impl Config {
    fn written(&self, effective: &Effective) -> String {
        let note = |path: &KeyPath| self.origin.then(|| format!("{DIM}# {}{DIM:#}", origin_of(effective, path)));
        format!("\n{}", text::toml(effective, &note))
    }
}

/// Limits that are not what the documents say, for a step of the ladder or a person's word.
fn in_force(profile: &Profile) -> impl Iterator<Item = (&'static str, String)> {
    let moved = LimitKey::ALL.into_iter().filter(|key| key.get(profile.limits()) != key.get(profile.start()));
    moved.map(|key| (key.name(), key.get(profile.limits()).to_string()))
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
