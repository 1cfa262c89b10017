//! Names that a shell may offer: the profiles, pipelines and cases of the project, and keys of the language.
//!
//! Whatever goes wrong here is silence: a person is in the middle of a command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use crate::pipeline;
use crate::profile::documents::Asked;
use crate::profile::layer::Layer;
use crate::profile::schema::{Schema, is_wild};
use crate::profile::word::is_name;
use crate::profile::{Documents, Folder, KeyPath, chain, keys};
use crate::risk::LimitKey;
use crate::runner::case::find;

/// In a folder with more documents, names come without what the documents say: the answer must come at once.
const READ_MAX: usize = 64;

/// For an argument that names a profile.
pub(super) fn profiles() -> ArgValueCandidates {
    ArgValueCandidates::new(|| documents(Folder::Profiles, &keys::SCHEMA, of_profile))
}

/// For an argument that names a pipeline.
pub(super) fn pipelines() -> ArgValueCandidates {
    ArgValueCandidates::new(|| documents(Folder::Pipelines, &pipeline::keys::SCHEMA, of_pipeline))
}

/// For an argument that names a case.
pub(super) fn cases() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let names = find::names(&root()).unwrap_or_default().cases;
        names.into_iter().filter(|name| is_name(name)).map(CompletionCandidate::new).collect()
    })
}

/// For an argument that names a key.
pub(super) fn key_paths() -> ArgValueCandidates {
    ArgValueCandidates::new(|| keys_with(""))
}

/// For an argument that names a limit.
pub(super) fn limits() -> ArgValueCandidates {
    let limit = |key: LimitKey| CompletionCandidate::new(key.name()).help(Some(key.basis().into()));
    ArgValueCandidates::new(move || LimitKey::ALL.into_iter().map(limit).collect())
}

/// For an argument that gives a key a value.
pub(super) fn settings() -> ArgValueCandidates {
    ArgValueCandidates::new(|| keys_with("="))
}

/// Keys that stand under no name of a person's choice, each with `end` behind it.
fn keys_with(end: &str) -> Vec<CompletionCandidate> {
    let rows = keys::SCHEMA.rows.iter().chain(&pipeline::keys::SCHEMA.rows);
    let fixed = rows.filter(|row| !row.names.iter().any(|name| is_wild(name)));
    fixed.map(|row| CompletionCandidate::new(format!("{}{end}", row.key.path)).help(Some(row.key.doc.into()))).collect()
}

/// The documents of a folder, each with what it says of itself; `None` leaves one out.
fn documents(folder: Folder, schema: &Schema, told: fn(&Layer) -> Option<String>) -> Vec<CompletionCandidate> {
    let mut documents = Documents::new(&root());
    // A file may have any name; what is no name of ours no verb takes, and no shell should see.
    let names: Vec<String> = documents.names(folder).into_iter().filter(|name| is_name(name)).collect();
    let is_read = names.len() <= READ_MAX;
    let asked = Asked { code: "missing-document", by: None };
    let candidate = |name: String| {
        let layer = if is_read { documents.open(folder, &name, schema, &asked) } else { None };
        let told = match layer {
            Some(layer) => told(&layer)?,
            None => String::new(),
        };
        // What a document says must not reach a terminal as anything but words.
        let told: String = told.chars().filter(|c| !c.is_control()).collect();
        Some(CompletionCandidate::new(name).help((!told.is_empty()).then(|| told.into())))
    };
    names.into_iter().filter_map(candidate).collect()
}

/// An abstract profile cannot be picked.
fn of_profile(layer: &Layer) -> Option<String> {
    let text = |key: &str| layer.text(&KeyPath::dotted(key));
    let parts = [text("profile.mode").map(str::to_owned), text("profile.inherits").map(|parent| format!("inherits {parent}"))];
    (!chain::is_abstract(layer)).then(|| parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn of_pipeline(layer: &Layer) -> Option<String> {
    Some(layer.text(&KeyPath::dotted("pipeline.summary")).unwrap_or_default().to_owned())
}

/// The project's folder as the unfinished command line says.
fn root() -> PathBuf {
    root_in(std::env::args_os().skip_while(|arg| arg != "--").skip(1), std::env::var_os("HOME").as_deref())
}

/// The last `--root`. Shells hand over words as they were typed: bash parts them at `=`, and none has put a home for `~` yet.
fn root_in(words: impl Iterator<Item = OsString>, home: Option<&OsStr>) -> PathBuf {
    let mut root = OsString::from(".");
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if word == "--root" {
            words.next_if(|next| next == "=");
            root = words.next().unwrap_or(root);
        } else if let Some(path) = word.to_str().and_then(|word| word.strip_prefix("--root=")) {
            root = path.into();
        }
    }
    let path = PathBuf::from(root);
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => PathBuf::from(home).join(below),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_read_from_an_unfinished_line() {
        let root = |line: &str| root_in(line.split(' ').map(OsString::from), Some(OsStr::new("/home/me")));
        assert_eq!(root("tidegate run"), PathBuf::from("."));
        assert_eq!(root("tidegate --root /a run -p"), PathBuf::from("/a"));
        assert_eq!(root("tidegate --root=/a run"), PathBuf::from("/a"));
        assert_eq!(root("tidegate --root = /a run"), PathBuf::from("/a"));
        assert_eq!(root("tidegate --root /a run --root ~/b"), PathBuf::from("/home/me/b"));
        assert_eq!(root("tidegate run --root"), PathBuf::from("."));
    }

    #[test]
    fn keys_are_offered_with_their_meaning() {
        let all = keys_with("=");
        let found = all.iter().find(|key| key.get_value() == "limits.max_total_notional=").expect("a key of the language");
        assert!(found.get_help().is_some_and(|help| help.to_string().starts_with("Positions plus")));
        assert!(all.iter().all(|key| !key.get_value().to_string_lossy().contains('*')));
    }
}
