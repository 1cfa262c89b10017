//! The layers above the files: the environment and the command line.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::effect;
use super::fault::nearest;
use super::layer::{Layer, Level, Setting};
use super::path::KeyPath;
use super::schema::Schema;
use super::source::{Place, Source};

/// What a variable of the environment must begin with to be meant for us.
pub const PREFIX: &str = "TIDEGATE__";

/// Tables that the environment never touches: how much is allowed is reviewed in files.
const ENVIRONMENT_NEVER: [&str; 5] = ["limits", "caps", "floors", "risk", "escalation"];

/// The variables of the environment that may mean us, as the caller saw them.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Keeps the variables that begin with [`PREFIX`], in the order of the alphabet.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        Self(ours)
    }
}

/// What the command line says, or a document in its place.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `key=value`, in order; the last one wins.
    pub set: Vec<String>,
    /// The same, written in a document; below `set`.
    pub written: Vec<Setting>,
    /// Forces the paper venue: lowering risk is always allowed.
    pub paper: bool,
}

/// The overlays of one kind of document, lowest first.
#[derive(Debug)]
pub struct Overlay {
    pub environment: Layer,
    pub flags: Layer,
}

impl Overlay {
    fn new() -> Self {
        Self { environment: Layer::empty(Level::Environment, "environment"), flags: Layer::empty(Level::Flag, "--set") }
    }
}

/// A variable that was set and does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Ignored {
    pub key: KeyPath,
    pub variable: String,
}

/// Reads the environment and the command line for documents of the given kinds; a key belongs to the kind that knows its first
/// name.
pub fn read<const N: usize>(
    schemas: [&Schema; N],
    environment: &Environment,
    overrides: &Overrides,
    found: &mut Diagnostics,
) -> ([Overlay; N], Vec<Ignored>) {
    let mut overlays = std::array::from_fn(|_| Overlay::new());
    let mut ignored = Vec::new();
    for (name, value) in &environment.0 {
        let path = KeyPath::of(name[PREFIX.len()..].to_lowercase().split("__"));
        let source = Source::new("environment", format!("{name}={value}"));
        let (key, span) = (0..name.len(), name.len() + 1..source.text().len());
        if is_closed_to_environment(&path) {
            let warning = Diagnostic::warning("environment-ignored", format!("the environment never sets {path}: ignored"));
            let warning = warning.at(Place::new(&source, key)).label("ignored").key(&path);
            found.push(warning.hint(format!("unset {name}, and set {path} in the profile's file")));
            ignored.push(Ignored { key: path, variable: name.clone() });
            continue;
        }
        if let Some(at) = owner(&schemas, &path, &source, (&key, &span), found) {
            overlays[at].environment.add_text(&path, value, &source, (key, span), schemas[at], found);
        }
    }
    for Setting { path, source, key, span } in &overrides.written {
        let text = source.text().get(span.clone()).unwrap_or_default();
        if let Some(at) = owner(&schemas, path, source, (key, span), found) {
            overlays[at].flags.add_text(path, text, source, (key.clone(), span.clone()), schemas[at], found);
        }
    }
    for argument in &overrides.set {
        let source = Source::new("--set", argument.clone());
        let Some((path, equals)) = argument.find('=').and_then(|at| Some((KeyPath::parse(&argument[..at])?, at))) else {
            let place = Place::new(&source, 0..argument.len());
            let error = Diagnostic::error("bad-set", "--set wants key=value").at(place);
            // Neither a key nor a pair: it may be anything.
            if !KeyPath::parse(argument).is_some_and(|path| schemas.iter().any(|schema| schema.knows(&path))) {
                source.cover(argument.find('=').map_or(0, |equals| equals + 1)..argument.len());
            }
            found.push(error.hint("write it like --set storage.runs=runs"));
            continue;
        };
        let (key, span) = (0..equals, equals + 1..argument.len());
        if let Some(at) = owner(&schemas, &path, &source, (&key, &span), found) {
            overlays[at].flags.add_text(&path, &argument[equals + 1..], &source, (key, span), schemas[at], found);
        }
    }
    for (schema, overlay) in schemas.iter().zip(&overlays) {
        effect::unread(&overlay.environment, schema, found);
        effect::unread(&overlay.flags, schema, found);
    }
    (overlays, ignored)
}

fn is_closed_to_environment(path: &KeyPath) -> bool {
    ENVIRONMENT_NEVER.contains(&path.first()) || (path.first() == "profile" && path.last() != "pipeline")
}

/// Which of the kinds knows the first name of `path`, which stands in `source` at `key` with its value at `span`.
fn owner(
    schemas: &[&Schema],
    path: &KeyPath,
    source: &Arc<Source>,
    (key, span): (&Range<usize>, &Range<usize>),
    found: &mut Diagnostics,
) -> Option<usize> {
    let knows = |schema: &&Schema| schema.rows.iter().any(|row| row.names[0] == path.first());
    let at = schemas.iter().position(knows);
    if at.is_none() {
        let mut firsts: Vec<&str> = schemas.iter().flat_map(|schema| schema.rows.iter().map(|row| row.names[0])).collect();
        firsts.dedup();
        // What is no key of ours may be anything: a name and a secret of another program.
        source.cover(span.clone());
        let place = Place::new(source, key.clone());
        let error = Diagnostic::error("unknown-key", format!("unknown key {path}")).at(place).label("not known").key(path);
        found.push(error.hint(match nearest(path.first(), firsts.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("a key begins with one of {}", firsts.join(", ")),
        }));
    }
    at
}
