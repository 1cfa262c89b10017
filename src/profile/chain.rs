//! Who inherits from whom.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::documents::{Asked, Documents, Folder};
use super::keys::SCHEMA;
use super::layer::Layer;
use super::path::KeyPath;
use super::value::Value;

/// Profiles in one chain, the picked one included. A reader must be able to keep them all in mind.
const DEPTH_MAX: usize = 3;

/// The files a profile is made of.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The picked profile first, its root last.
    pub files: Vec<Arc<Layer>>,
    /// False when the chain breaks further up; what it holds can still be checked.
    pub whole: bool,
}

/// Follows `inherits` from the profile `name`. `None` when there is none to begin with.
pub fn chain(documents: &mut Documents, name: &str, found: &mut Diagnostics) -> Option<Chain> {
    let asked = Asked { code: "missing-profile", by: None };
    let mut chain = vec![documents.open(Folder::Profiles, name, &SCHEMA, &asked)?];
    let inherits = KeyPath::dotted("profile.inherits");
    loop {
        let child = Arc::clone(chain.last().expect("the chain begins with the picked profile"));
        let Some(parent) = child.text(&inherits).map(str::to_owned) else { return Some(Chain { files: chain, whole: true }) };
        let place = child.written[&inherits].place.clone();
        if let Some(at) = chain.iter().position(|layer| layer.name == parent) {
            let names: Vec<&str> = chain[at..].iter().map(|layer| layer.name.as_str()).chain([parent.as_str()]).collect();
            let message = match names.as_slice() {
                [_, _] => format!("{parent} inherits from itself"),
                _ => format!("profiles inherit in a circle: {}", names.join(" -> ")),
            };
            let mut error = Diagnostic::error("cyclic-parent", message).at(place).label("closes the circle").key(&inherits);
            for pair in chain[at..].windows(2) {
                let place = pair[0].written[&inherits].place.clone();
                error = error.note_at(format!("{} inherits {}", pair[0].name, pair[1].name), place);
            }
            found.push(error.hint("one of them must not inherit: remove this line, or name another parent"));
            return Some(Chain { files: chain, whole: false });
        }
        if chain.len() == DEPTH_MAX {
            let names: Vec<&str> = chain.iter().rev().map(|layer| layer.name.as_str()).collect();
            let message = format!("the chain {parent} > {} has more than {DEPTH_MAX} profiles", names.join(" > "));
            let error = Diagnostic::error("too-deep", message).at(place).label("one too many").key(&inherits);
            found.push(error.hint("merge two of them into one file"));
            return Some(Chain { files: chain, whole: false });
        }
        let asked = Asked { code: "missing-parent", by: Some((inherits.clone(), place)) };
        match documents.open(Folder::Profiles, &parent, &SCHEMA, &asked) {
            Some(layer) => chain.push(layer),
            None => return Some(Chain { files: chain, whole: false }),
        }
    }
}

/// Is the profile one that cannot be picked?
#[must_use]
pub fn is_abstract(layer: &Layer) -> bool {
    layer.value(&KeyPath::dotted("profile.abstract")) == Some(&Value::Bool(true))
}
