//! `case.toml`: from a document to a case that can run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::find::{DOCUMENT, FOLDER};
use super::keys::SCHEMA;
use super::step::Reader;
use super::story::Case;
use crate::pipeline::Plan;
use crate::pipeline::load::{Sound, load_from};
use crate::profile::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::profile::documents::{self, Documents};
use crate::profile::layer::Layer;
use crate::profile::merge::Effective;
use crate::profile::path::KeyPath;
use crate::profile::source::Place;
use crate::profile::{Environment, Overrides, Profile, effect};
use crate::runner::setup;
use crate::runner::trader::TraderConfig;
use crate::store::home::Home;

/// Reads the case `name` of the project at `root`, with its profile and pipeline. A case's own `profiles/` and `pipelines/` stand
/// before the project's. The environment counts for nothing here.
///
/// # Errors
/// Everything that is wrong with it, sorted.
pub fn load(root: &Path, name: &str) -> Result<Case, Diagnostics> {
    let mut found = Diagnostics::default();
    let case = read(root, name, &mut found);
    let mut errors = Diagnostics::default();
    // What a profile or a pipeline warns of is `check`'s matter: a case may well be about it.
    errors.extend(found.into_iter().filter(|d| d.severity == Severity::Error));
    case.filter(|_| errors.is_empty()).ok_or_else(|| errors.sorted())
}

fn read(root: &Path, name: &str, found: &mut Diagnostics) -> Option<Case> {
    let shown = format!("{FOLDER}/{name}");
    let folder = root.join(&shown);
    let source = documents::read(&Home::new(root), &folder.join(DOCUMENT), &format!("{shown}/{DOCUMENT}"), found)?;
    let file = Arc::new(Layer::parse(name, source, &SCHEMA, found)?);
    let effective = Effective::merge(&SCHEMA, vec![Arc::new(Layer::defaults(&SCHEMA)), Arc::clone(&file)], &|_, _| false);
    effective.check_presence(found);
    let resolved = resolve(root, &shown, &effective, &file, found);
    let mut reader = Reader::new(&folder, &shown, &effective, resolved.as_ref().map(|(_, plan, trader)| (plan, trader)), found);
    let steps = reader.steps();
    let named = reader.named();
    // Steps without a plan were read for their faults alone.
    let (profile, plan, trader) = resolved?;
    let unreferenced = unreferenced(&folder, &named);
    Some(Case { name: name.to_owned(), folder, profile, plan, trader, steps: steps?, unreferenced })
}

/// The profile and the plan of the case, and what a trader makes of them.
fn resolve(
    root: &Path,
    shown: &str,
    effective: &Effective,
    file: &Layer,
    found: &mut Diagnostics,
) -> Option<(Profile, Plan, TraderConfig)> {
    let (profile_key, pipeline_key) = (KeyPath::dotted("profile"), KeyPath::dotted("pipeline"));
    let profile = effective.text_at(&profile_key)?;
    let overrides = Overrides { written: file.settings.clone(), paper: true, ..Overrides::default() };
    let mut documents = Documents::shadowed(root, shown);
    let mut inner = Diagnostics::default();
    let pipeline = effective.text_at(&pipeline_key);
    let loaded =
        load_from(&mut documents, &mut Sound::default(), profile, pipeline, &overrides, &Environment::default(), &mut inner);
    found.extend(inner.into_iter().map(|error| match error.code {
        "missing-profile" | "abstract-profile" if error.place.is_none() => {
            error.at(effective.place(&profile_key)).key(&profile_key)
        }
        "missing-pipeline" if error.place.is_none() => error.at(effective.place(&pipeline_key)).key(&pipeline_key),
        _ => error,
    }));
    let (profile, plan) = loaded?;
    match setup::trader(&profile, &plan) {
        Ok(trader) => Some((profile, plan, trader)),
        Err(error) => {
            let place: Option<Place> = effective.place(&pipeline_key).or_else(|| effective.place(&profile_key));
            found.push(
                Diagnostic::error(effect::CODE, error.to_string()).at(place).hint("use a rule, like model = \"ema-cross\""),
            );
            None
        }
    }
}

/// Files below `folder` that are neither named nor documents.
fn unreferenced(folder: &Path, named: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(folder.join(&below)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let path = below.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_document = path == Path::new(DOCUMENT) || path == Path::new("profiles") || path == Path::new("pipelines");
            if is_document || name.starts_with('.') || name.ends_with(".md") {
                continue;
            }
            if is_folder {
                waiting.push(path);
            } else if !named.contains(&folder.join(&path)) {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}
