//! Which cases a project has.

use std::fs;
use std::io;
use std::path::Path;

/// Where cases are, below the project's folder.
pub const FOLDER: &str = "tests/cases";
/// The document that makes a folder a case.
pub const DOCUMENT: &str = "case.toml";

/// What stands in the folder of cases.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Names of cases, in the order of the alphabet.
    pub cases: Vec<String>,
    /// Folders with a TOML file that is not called `case.toml`: probably a slip.
    pub strays: Vec<String>,
}

/// The cases of the project at `root`; a project without the folder has none.
///
/// # Errors
/// When a folder cannot be read.
pub fn names(root: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let entries = match fs::read_dir(root.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_dir()) else { continue };
        if path.join(DOCUMENT).symlink_metadata().is_ok() {
            found.cases.push(name.to_owned());
        } else if holds_toml(&path)? {
            found.strays.push(name.to_owned());
        }
    }
    found.cases.sort();
    found.strays.sort();
    Ok(found)
}

fn holds_toml(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.path().extension().is_some_and(|ending| ending == "toml") {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_folder_with_its_document() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(names(root.path()).unwrap(), Found::default());
        for file in ["b/case.toml", "a/case.toml", "slip/cases.toml", "other/deep/case.toml", "notes/readme.md"] {
            let path = root.path().join(FOLDER).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = names(root.path()).unwrap();
        assert_eq!((found.cases, found.strays), (vec!["a".to_owned(), "b".to_owned()], vec!["slip".to_owned()]));
    }
}
