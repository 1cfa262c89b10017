//! The way in: from a project's folder to a profile and a plan.

use std::collections::BTreeMap;
use std::path::Path;

use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::documents::{Asked, Documents};
use crate::profile::overlay::{self, Environment, Overrides};
use crate::profile::path::KeyPath;
use crate::profile::{Profile, keys as profile_keys, resolve};

use super::document::Document;
use super::plan::Plan;
use super::{compile, document, keys};

/// Resolves `profile` and compiles its pipeline, or the one named, for the project at `root`.
///
/// Reads files below `root` and nothing else; the findings come sorted. The list holds warnings only.
///
/// # Errors
/// Everything that is wrong, warnings included.
pub fn load(
    root: &Path,
    profile: &str,
    pipeline: Option<&str>,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<(Profile, Plan, Vec<Diagnostic>), Diagnostics> {
    let mut found = Diagnostics::default();
    let loaded =
        load_from(&mut Documents::new(root), &mut Sound::default(), profile, pipeline, overrides, environment, &mut found);
    let found = found.sorted();
    match loaded {
        Some((profile, plan)) if found.errors() == 0 => Ok((profile, plan, found.into_iter().collect())),
        _ => Err(found),
    }
}

/// Pipelines that were read and are sound, for a caller that wants them under many profiles.
#[derive(Debug, Default)]
pub struct Sound(BTreeMap<String, Document>);

/// The same with documents that may already be read, and findings of all kinds in `found`. Overrides and environment must be those
/// that `sound` was filled with.
pub fn load_from(
    documents: &mut Documents,
    sound: &mut Sound,
    profile: &str,
    pipeline: Option<&str>,
    overrides: &Overrides,
    environment: &Environment,
    found: &mut Diagnostics,
) -> Option<(Profile, Plan)> {
    let schemas = [&*profile_keys::SCHEMA, &*keys::SCHEMA];
    let ([for_profile, for_pipeline], ignored) = overlay::read(schemas, environment, overrides, found);
    let resolved = resolve(documents, profile, for_profile, overrides, ignored, found);
    // Who named the pipeline is known even when the profile is wrong elsewhere, so its faults are told in the same pass.
    let named = pipeline.map(str::to_owned).or_else(|| resolved.as_ref().map(|p| p.pipeline().to_owned()));
    let named = named.or_else(|| pipeline_of(documents, profile));
    let asked =
        Asked { code: "missing-pipeline", by: pipeline.is_none().then(|| resolved.as_ref().and_then(named_at)).flatten() };
    let document = named.and_then(|name| match sound.0.remove(&name) {
        Some(document) => Some(document),
        None => document::read(documents, &name, &asked, for_pipeline, found),
    });
    let (resolved, document) = (resolved?, document?);
    let plan = compile(&resolved, &document, found);
    sound.0.insert(document.name.clone(), document);
    Some((resolved, plan?))
}

fn named_at(profile: &Profile) -> Option<(KeyPath, crate::profile::source::Place)> {
    let key = KeyPath::dotted("profile.pipeline");
    let place = profile.effective().place(&key)?;
    Some((key, place))
}

/// The pipeline that the profile's own chain names, as far as it can be read.
fn pipeline_of(documents: &mut Documents, profile: &str) -> Option<String> {
    let mut quiet = Diagnostics::default();
    let chain = crate::profile::chain::chain(documents, profile, &mut quiet)?;
    let key = KeyPath::dotted("profile.pipeline");
    chain.files.iter().find_map(|layer| layer.text(&key).map(str::to_owned))
}

/// Checks a pipeline by itself, for no profile in particular. Is it sound?
pub fn read_alone(
    documents: &mut Documents,
    pipeline: &str,
    overrides: &Overrides,
    environment: &Environment,
    found: &mut Diagnostics,
) -> bool {
    let schemas = [&*profile_keys::SCHEMA, &*keys::SCHEMA];
    let ([_, overlay], _) = overlay::read(schemas, environment, overrides, found);
    document::read(documents, pipeline, &Asked { code: "missing-pipeline", by: None }, overlay, found).is_some()
}
