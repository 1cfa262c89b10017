//! A pipeline as written, with every rule checked that needs no profile.

use std::sync::Arc;

use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::documents::{Asked, Documents, Folder};
use crate::profile::effect;
use crate::profile::fault::nearest;
use crate::profile::layer::Layer;
use crate::profile::merge::Effective;
use crate::profile::overlay::Overlay;
use crate::profile::path::KeyPath;
use crate::profile::source::{Place, Source};

use super::graph::{self, Joint, StageKind};
use super::keys::{DEFAULTS, SCHEMA, stage_table};

/// A pipeline's document, sound by itself.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) name: String,
    pub(super) effective: Arc<Effective>,
    /// In the order in which they run.
    pub(super) stages: Vec<Joint>,
}

impl Document {
    /// Every value with its origin.
    #[must_use]
    pub fn effective(&self) -> &Effective {
        &self.effective
    }
}

/// The values that a run went by, from what the run wrote down.
pub fn recorded(name: &str, source: Arc<Source>, found: &mut Diagnostics) -> Option<Effective> {
    let layer = Layer::parse(name, source, &SCHEMA, found).filter(|layer| layer.sound)?;
    Some(Effective::merge(&SCHEMA, vec![Arc::clone(&DEFAULTS), Arc::new(layer)], &|_, _| false))
}

/// Reads the pipeline `name` and checks it by itself. `None` when anything is wrong; the findings say what.
pub fn read(documents: &mut Documents, name: &str, asked: &Asked, overlay: Overlay, found: &mut Diagnostics) -> Option<Document> {
    let file = documents.open(Folder::Pipelines, name, &SCHEMA, asked);
    found.extend(documents.take_found());
    let layers = vec![Arc::clone(&DEFAULTS), file?, Arc::new(overlay.environment), Arc::new(overlay.flags)];
    let effective = Effective::merge(&SCHEMA, layers, &|_, _| false);
    let before = found.errors();
    effective.check_presence(found);
    let stages = stages(&effective, found);
    one_of_each_kind(&effective, &stages, found);
    let joined = known_needs(&effective, &stages, found);
    let order = match graph::order(&stages) {
        Ok(order) => {
            if joined {
                orders_pass_the_gate(&effective, &stages, found);
            }
            order
        }
        Err(circle) => {
            found.push(circular(&effective, &circle));
            Vec::new()
        }
    };
    one_model(&effective, &stages, found);
    super::params::check(&effective, &stages, found);
    super::schedule::check(&effective, &stages, found);
    effect::disobeyed(&effective, found);
    let sound = found.errors() == before && effective.layers().iter().all(|layer| layer.sound);
    let stages = order.into_iter().map(|at| stages[at].clone()).collect();
    sound.then(|| Document { name: name.to_owned(), effective: Arc::new(effective), stages })
}

/// The stages whose kind is known.
fn stages(effective: &Effective, found: &mut Diagnostics) -> Vec<Joint> {
    let names = effective.names_below("stage");
    if names.is_empty() {
        let place = effective
            .layers()
            .get(1)
            .map(|file| Place::new(&file.source, 0..file.source.text().lines().next().map_or(0, str::len)));
        let error = Diagnostic::error("no-stages", "the pipeline has no stages").at(place);
        found.push(error.hint("add [stage.ingest], [stage.model] and [stage.oms]"));
    }
    let joint = |name: String| {
        let kind = StageKind::of(effective.text_at(&stage_table(&name).child("kind"))?)?;
        let needs = effective.texts_at(&stage_table(&name).child("needs")).map(<[String]>::to_vec).unwrap_or_default();
        Some(Joint { name, kind, needs })
    };
    names.into_iter().filter_map(joint).collect()
}

fn one_of_each_kind(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    for kind in StageKind::ALL {
        let mut of_kind = stages.iter().filter(|stage| stage.kind == kind);
        let first = of_kind.next();
        for second in of_kind {
            let first = first.expect("there is a first before a second");
            let key = stage_table(&second.name).child("kind");
            let error = Diagnostic::error("duplicate-stage", format!("two stages are of the kind {}", kind.name()))
                .at(effective.place(&key))
                .label("the second one")
                .key(&key)
                .note_at(format!("stage.{} is the first", first.name), effective.place(&stage_table(&first.name).child("kind")));
            found.push(error.hint("remove one of the two"));
        }
        // With a stage of unknown kind about, nobody can tell that this one is missing.
        let all_known = stages.len() == effective.names_below("stage").len() && !stages.is_empty();
        if first.is_none() && kind != StageKind::Alert && all_known {
            let place =
                effective.table_place(&KeyPath::dotted("stage")).or_else(|| effective.table_place(&stage_table(&stages[0].name)));
            let error = Diagnostic::error("missing-stage", format!("the pipeline has no stage of the kind {}", kind.name()));
            found.push(error.at(place).hint(format!("add [stage.{0}] with kind = \"{0}\"", kind.name())));
        }
    }
}

/// Tells of needs that nobody answers; are all known?
fn known_needs(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) -> bool {
    let names = effective.names_below("stage");
    let mut all = true;
    for stage in stages {
        for need in stage.needs.iter().filter(|need| !names.contains(need)) {
            all = false;
            let key = stage_table(&stage.name).child("needs");
            let near = nearest(need, names.iter().map(String::as_str));
            let message = format!("stage.{} needs the unknown stage \"{need}\"", stage.name);
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("stages: {}", names.join(", ")),
            };
            let error = Diagnostic::error("unknown-need", message).at(effective.place_of_item(&key, need)).key(&key);
            found.push(error.label("no such stage").hint(hint));
        }
    }
    all
}

fn circular(effective: &Effective, circle: &[String]) -> Diagnostic {
    let key = stage_table(&circle[0]).child("needs");
    let message = match circle {
        [own, _] => format!("stage.{own} needs itself"),
        _ => format!("stages need each other in a circle: {}", circle.join(" -> ")),
    };
    let mut error = Diagnostic::error("cyclic-needs", message)
        .at(effective.place_of_item(&key, &circle[1]))
        .label("closes the circle")
        .key(&key);
    for pair in circle.windows(2).skip(1) {
        let place = effective.place_of_item(&stage_table(&pair[0]).child("needs"), &pair[1]);
        error = error.note_at(format!("stage.{} needs {}", pair[0], pair[1]), place);
    }
    error.hint("remove one of these needs")
}

/// Orders come from a model's decision on ingested bars, or they do not come.
fn orders_pass_the_gate(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    for oms in stages.iter().filter(|stage| stage.kind == StageKind::Oms) {
        let (missing, from) = match graph::reaches(stages, &oms.name, StageKind::Model) {
            None => (StageKind::Model, &oms.name),
            Some(model) => match graph::reaches(stages, &model, StageKind::Ingest) {
                None => (StageKind::Ingest, &model.clone()),
                Some(_) => continue,
            },
        };
        let Some(wanted) = stages.iter().find(|stage| stage.kind == missing) else { continue };
        let key = stage_table(from).child("needs");
        let place = effective.place(&key).or_else(|| effective.table_place(&stage_table(from)));
        let message =
            format!("orders of stage.{} would bypass the risk gate: stage.{from} needs no {} stage", oms.name, missing.name());
        let error =
            Diagnostic::error("gate-bypass", message).at(place).label(format!("does not lead to {}", missing.name())).key(&key);
        let error = error.note("the gate checks orders that a model decides on ingested bars");
        found.push(error.hint(format!("write needs = [\"{}\"] in [stage.{from}]", wanted.name)));
    }
}

/// A model stage has a rule or a registered model, never both and never neither.
fn one_model(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    for stage in stages.iter().filter(|stage| stage.kind == StageKind::Model) {
        let (rule, registry) = (stage_table(&stage.name).child("model"), stage_table(&stage.name).child("registry"));
        match (effective.entry(&rule).is_some(), effective.entry(&registry).is_some()) {
            (true, true) => {
                let error = Diagnostic::error("two-models", "a stage has either a rule or a registered model")
                    .at(effective.place(&registry))
                    .key(&registry)
                    .note_at(format!("{rule} = \"{}\"", effective.text_at(&rule).unwrap_or_default()), effective.place(&rule));
                found.push(error.hint("remove one of the two"));
            }
            (false, false) => {
                let error = Diagnostic::error("missing-key", format!("{rule} is missing"))
                    .at(effective.table_place(&stage_table(&stage.name)));
                let error = error.label("no model below this").key(&rule);
                found.push(error.hint("add model = \"ema-cross\" with params, or registry = \"<name>\""));
            }
            _ => {}
        }
    }
}
