//! The folder of documents: finds files by name and parses each of them once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::effect;
use super::fault::nearest;
use super::layer::Layer;
use super::path::KeyPath;
use super::schema::Schema;
use super::source::{Place, Source};
use super::word::is_name;
use crate::store::home::{Home, Refused};

/// A larger file is a mistake, not a document.
const BYTES_MAX: u64 = 1 << 20;

/// One of the folders below the project's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Folder {
    Profiles,
    Pipelines,
}

impl Folder {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Pipelines => "pipelines",
        }
    }

    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Profiles => "profile",
            Self::Pipelines => "pipeline",
        }
    }
}

/// Who wants a document: the command line, or a key of another one.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The code when it is not there.
    pub code: &'static str,
    pub by: Option<(KeyPath, Place)>,
}

impl Asked {
    /// The finding, with who named the document when the finding has no better place of its own.
    fn blamed(&self, mut error: Diagnostic) -> Diagnostic {
        if error.place.is_none()
            && let Some((key, place)) = &self.by
        {
            error = error.at(place.clone()).key(key);
        }
        error
    }
}

/// The documents read so far and what was found in them by themselves.
#[derive(Debug)]
pub struct Documents {
    root: PathBuf,
    /// The root as it really lies; no document is read from elsewhere.
    home: Home,
    /// A folder whose documents stand before those of the root, and how people write its path.
    shadow: Option<(PathBuf, String)>,
    read: BTreeMap<(Folder, String), Option<Arc<Layer>>>,
    found: Diagnostics,
}

impl Documents {
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let home = Home::new(root);
        Self { root: root.to_owned(), home, shadow: None, read: BTreeMap::new(), found: Diagnostics::default() }
    }

    /// Documents of `below`, a folder below `root`, stand before those of the root that have the same name.
    #[must_use]
    pub fn shadowed(root: &Path, below: &str) -> Self {
        Self { shadow: Some((root.join(below), below.to_owned())), ..Self::new(root) }
    }

    /// The names of all documents of a folder, in the order of the alphabet.
    #[must_use]
    pub fn names(&self, folder: Folder) -> Vec<String> {
        let roots = self.shadow.iter().map(|(path, _)| path).chain([&self.root]);
        let entries = roots.filter_map(|root| fs::read_dir(root.join(folder.name())).ok()).flatten();
        let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned());
        let mut names: Vec<String> = entries.filter_map(Result::ok).filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The document of that name. `None` when it is not there or is no TOML, which is then among the findings.
    pub fn open(&mut self, folder: Folder, name: &str, schema: &Schema, asked: &Asked) -> Option<Arc<Layer>> {
        if let Some(layer) = self.read.get(&(folder, name.to_owned())) {
            return layer.clone();
        }
        let (path, shown) = self.path_of(folder, name);
        let layer = if is_name(name) && path.symlink_metadata().is_ok() {
            let source = source(&self.home, &path, &shown).map_err(|error| self.found.push(asked.blamed(*error)));
            let layer = source.ok().and_then(|source| Layer::parse(name, source, schema, &mut self.found));
            layer.inspect(|layer| effect::unread(layer, schema, &mut self.found)).map(Arc::new)
        } else {
            let error = self.absent(folder, name, &shown, asked);
            self.found.push(error);
            None
        };
        self.read.insert((folder, name.to_owned()), layer.clone());
        layer
    }

    /// Takes `text` for the document of that name, whether there is a file or not. `shown` is how messages name it.
    pub fn put(&mut self, folder: Folder, name: &str, shown: &str, text: &str, schema: &Schema) {
        let layer = Layer::parse(name, Source::new(shown, text), schema, &mut self.found).map(Arc::new);
        self.read.insert((folder, name.to_owned()), layer);
    }

    /// Where the document of that name is or should be, and how people write that.
    fn path_of(&self, folder: Folder, name: &str) -> (PathBuf, String) {
        let below = format!("{}/{name}.toml", folder.name());
        if let Some((root, shown)) = &self.shadow
            && root.join(&below).symlink_metadata().is_ok()
        {
            return (root.join(&below), format!("{shown}/{below}"));
        }
        (self.root.join(&below), below)
    }

    /// What was found since the last call.
    pub fn take_found(&mut self) -> Diagnostics {
        std::mem::take(&mut self.found)
    }

    /// The finding that a folder holds no document.
    #[must_use]
    pub fn none_at_all(&self, folder: Folder) -> Diagnostic {
        let path = self.root.join(folder.name());
        let error = Diagnostic::error("no-documents", format!("{} holds no {}", path.display(), folder.noun()));
        error.hint("go to the project's folder, or name it with --root")
    }

    fn absent(&self, folder: Folder, name: &str, shown: &str, asked: &Asked) -> Diagnostic {
        let noun = folder.noun();
        let names = self.names(folder);
        let message = if is_name(name) {
            format!("there is no {noun} \"{name}\"")
        } else {
            format!("\"{name}\" is not the name of a {noun}: names are lower case with dashes")
        };
        let mut error = Diagnostic::error(asked.code, message);
        if let Some((key, place)) = &asked.by {
            error = error.at(place.clone()).key(key).label(format!("no file {shown}"));
        } else if is_name(name) {
            error = error.note(format!("there is no file {shown}"));
        }
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean \"{near}\"? There are: {}", names.join(", "))),
            None if names.is_empty() => {
                error.hint(format!("the folder {} holds no {noun}: is --root right?", self.root.join(folder.name()).display()))
            }
            None => error.hint(format!("there are: {}", names.join(", "))),
        }
    }
}

/// Reads a whole document below `home`, if it is one that a person may have written. `shown` is its path as people write it.
pub fn read(home: &Home, path: &Path, shown: &str, found: &mut Diagnostics) -> Option<Arc<Source>> {
    source(home, path, shown).map_err(|error| found.push(*error)).ok()
}

fn source(home: &Home, path: &Path, shown: &str) -> Result<Arc<Source>, Box<Diagnostic>> {
    let bytes = home.read(path, BYTES_MAX).map_err(|refused| Box::new(unreadable(&refused, shown)))?;
    match String::from_utf8(bytes) {
        Ok(text) if text.starts_with('\u{feff}') => {
            let source = Source::new(shown, text);
            let error = Diagnostic::error("byte-order-mark", "the file begins with a byte order mark");
            Err(Box::new(error.at(Place::new(&source, 0..3)).hint("save it as UTF-8 without BOM")))
        }
        Ok(text) => Ok(Source::new(shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let source = Source::new(shown, String::from_utf8_lossy(error.as_bytes()));
            let byte = error.as_bytes()[at];
            let place = Place::new(&source, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
            let error = Diagnostic::error("not-utf8", format!("the file is not UTF-8: byte 0x{byte:02x} fits nowhere"));
            Err(Box::new(error.at(place).label("this byte").hint("save it as UTF-8")))
        }
    }
}

fn unreadable(refused: &Refused, shown: &str) -> Diagnostic {
    let hint = match refused {
        Refused::Outside { to } => {
            let error = Diagnostic::error("outside-project", format!("{shown} leads out of the project"));
            let hint = "documents are part of the project: copy it here, or link to one that is inside";
            return error.note(format!("it leads to {}", to.display())).hint(hint);
        }
        Refused::Absent => "write it, or correct the name",
        Refused::DeadLink { .. } => "correct or remove the link",
        Refused::NotPlain { .. } => "a document is a plain file",
        Refused::TooLong { bytes, .. } => {
            let error = Diagnostic::error("unreadable-file", format!("{shown} has {bytes} bytes, more than 1 MiB"));
            return error.hint("no document needs that much: is it the right file?");
        }
        Refused::Swapped => "run the same command again",
        Refused::Unreadable(_) => "check the file's owner and mode",
    };
    Diagnostic::error("unreadable-file", format!("{shown} {refused}")).hint(hint)
}
