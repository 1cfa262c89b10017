//! `case.toml`: from a document to a case that can run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compare::Rules;
use super::find::{DOCUMENT, FOLDER};
use super::keys::SCHEMA;
use super::output::Output;
use super::signals::Signals;
use super::step::Reader;
use crate::domain::{SymbolIndex, Time};
use crate::pipeline::load::load_from;
use crate::pipeline::{Plan, StageKind};
use crate::profile::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::profile::documents::{self, Documents};
use crate::profile::layer::Layer;
use crate::profile::merge::Effective;
use crate::profile::path::KeyPath;
use crate::profile::source::Place;
use crate::profile::{Environment, Overrides, Profile, effect};
use crate::runner::setup;
use crate::runner::trader::TraderConfig;

/// A case, sound by itself.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub profile: Profile,
    pub plan: Plan,
    pub trader: TraderConfig,
    pub steps: Vec<Step>,
    /// Files of the folder that nothing names: goldens that nobody compares, perhaps.
    pub unreferenced: Vec<String>,
}

/// One step: what comes in, how it must end, what must come out.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    pub clock: Time,
    pub bars: Vec<(SymbolIndex, NamedFile)>,
    /// In the model's place, with the name of their file.
    pub signals: Option<(String, Signals)>,
    pub expect: Vec<(StageKind, End)>,
    pub goldens: Vec<Golden>,
    pub rules: Rules,
}

/// A file of the case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedFile {
    /// As the document names it.
    pub name: String,
    pub path: PathBuf,
}

/// What an output is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    pub output: Output,
    pub file: NamedFile,
    pub min_rows: u64,
}

/// How a stage of a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Ok,
    /// The data cannot be read or breaks its contract.
    Failed,
    /// A stage that it needs has failed.
    Blocked,
    /// It is disabled, or there was nothing to do.
    Skipped,
    /// The kill switch is latched.
    Halted,
}

impl End {
    const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Blocked, Self::Skipped, Self::Halted];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
            Self::Halted => "halted",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == word)
    }
}

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
    let source = documents::read(&folder.join(DOCUMENT), &format!("{shown}/{DOCUMENT}"), found)?;
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
    let loaded = load_from(&mut documents, profile, pipeline, &overrides, &Environment::default(), &mut inner);
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
