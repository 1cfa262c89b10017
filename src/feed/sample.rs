//! The manifest beside shipped bars: where they come from, so that nobody takes them for a market's.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::FeedError;

pub const MANIFEST: &str = "MANIFEST.toml";

/// What the manifest of a folder of files must say to be read here; the rest of it is for people.
#[derive(Deserialize)]
struct Head {
    venue: String,
}

/// The venue under which the bars of `path`, a file or folder, are kept: the manifest in that folder says; none without one.
///
/// # Errors
/// When there is a manifest that cannot be read.
pub fn venue_of(path: &Path) -> Result<Option<String>, FeedError> {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let Some(manifest) = folder.map(|folder| folder.join(MANIFEST)) else { return Ok(None) };
    let text = match std::fs::read_to_string(&manifest) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(FeedError::Read { path: manifest, source }),
    };
    let unread = |why: String| FeedError::SampleManifest { path: PathBuf::from(&manifest), why };
    let head: Head = toml::from_str(&text).map_err(|error| unread(error.message().to_owned()))?;
    Ok(Some(head.venue))
}
