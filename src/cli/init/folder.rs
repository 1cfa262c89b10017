//! The folder of a new project: looked at whole, then filled. Nothing that is there is ever replaced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::starter::StarterFile;
use crate::profile::Folder;
use crate::store::disk::{Disk, TEMPORARY};

/// What a folder holds of what is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Paths that are taken by something else.
    pub taken: Vec<String>,
    /// Files that are there already, byte for byte.
    pub there: Vec<String>,
    pub missing: Vec<String>,
    /// Documents of somebody's own: the folder is a project in use.
    pub documents: Vec<String>,
}

/// Why filling stopped, and what is there by then.
#[derive(Debug)]
pub struct Stopped {
    pub path: String,
    pub source: io::Error,
    pub there: Vec<String>,
}

/// The nearest folder at or above `folder` that is a project, `folder` itself left out.
#[must_use]
pub fn project_above(folder: &Path) -> Option<PathBuf> {
    // A folder that is to be made lies in the nearest one that exists.
    let absolute = std::path::absolute(folder).ok()?;
    let real = absolute.ancestors().find_map(|part| part.canonicalize().ok().map(|real| (part.to_owned(), real)));
    let (part, real) = real?;
    let start = if part == absolute { real.parent().map(Path::to_owned)? } else { real };
    start.ancestors().find(|above| is_project(above)).map(Path::to_owned)
}

/// Profiles and pipelines side by side are a project; one of them alone may be anybody's folder.
fn is_project(folder: &Path) -> bool {
    [Folder::Profiles, Folder::Pipelines].iter().all(|kind| !documents(folder, *kind).is_empty())
}

/// The TOML files of one folder of documents, by name.
fn documents(root: &Path, kind: Folder) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.join(kind.name())) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".toml")).map(|name| format!("{}/{name}", kind.name())).collect()
}

/// Looks at every path before one is written.
#[must_use]
pub fn survey(root: &Path, files: &[StarterFile]) -> Survey {
    let mut found = Survey::default();
    for file in files {
        let into = match state(root, file) {
            State::Free => &mut found.missing,
            State::Same => &mut found.there,
            State::Taken => &mut found.taken,
        };
        into.push(file.path.clone());
    }
    for kind in [Folder::Profiles, Folder::Pipelines] {
        found.documents.extend(documents(root, kind).into_iter().filter(|path| files.iter().all(|file| file.path != *path)));
    }
    found.documents.sort();
    found
}

enum State {
    Free,
    Same,
    Taken,
}

fn state(root: &Path, file: &StarterFile) -> State {
    let below = Path::new(&file.path);
    // A folder on the way must be a folder, and not a link to somewhere else.
    let parents: Vec<&Path> = below.ancestors().skip(1).filter(|part| !part.as_os_str().is_empty()).collect();
    for part in parents.into_iter().rev() {
        match root.join(part).symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return State::Taken,
            Err(_) => return State::Free,
        }
    }
    match root.join(below).symlink_metadata() {
        // What cannot be looked at cannot be written either, and that says why; nothing is replaced in any case.
        Err(_) => State::Free,
        // The length first: a pipe or a device must not be read.
        Ok(found) if found.is_file() && found.len() == file.content.len() as u64 => match fs::read(root.join(below)) {
            Ok(content) if content == file.content => State::Same,
            _ => State::Taken,
        },
        _ => State::Taken,
    }
}

/// Writes what is missing, each file whole or not at all.
///
/// # Errors
/// At the first file that cannot be written, with what is there by then.
pub fn fill(root: &Path, files: &[StarterFile], survey: &Survey, disk: &Disk) -> Result<(), Stopped> {
    let mut there = survey.there.clone();
    for file in files.iter().filter(|file| survey.missing.contains(&file.path)) {
        let path = root.join(&file.path);
        let (folder, name) = path
            .parent()
            .zip(path.file_name().and_then(|name| name.to_str()))
            .expect("paths of a new project have a folder and a name");
        let written = sweep(folder).and_then(|()| disk.create_new(folder, name, &file.content));
        match written {
            Ok(()) => there.push(file.path.clone()),
            Err(source) => return Err(Stopped { path: file.path.clone(), source, there }),
        }
    }
    Ok(())
}

/// Removes what a run that was killed left half written.
fn sweep(folder: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.filter_map(Result::ok) {
        let is_ours = entry.file_name().to_str().and_then(|name| name.strip_prefix(TEMPORARY)).is_some_and(is_number);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<StarterFile> {
        let file = |path: &str| StarterFile { path: path.to_owned(), content: format!("content of {path}\n").into() };
        vec![file(".gitignore"), file("profiles/base.toml"), file("profiles/canary.toml"), file("a/b/c.csv")]
    }

    /// Whatever moment the program dies at: no file is half there, and the next run completes the folder.
    #[test]
    fn a_run_that_was_killed_is_completed_by_the_next() {
        let mut steps = 0;
        loop {
            let root = tempfile::tempdir().unwrap();
            let disk = Disk::killed_after(steps);
            let stopped = fill(root.path(), &files(), &survey(root.path(), &files()), &disk);
            if !disk.has_failed() {
                assert!(steps > 15 && stopped.is_ok(), "{steps} steps");
                return;
            }
            let stopped = stopped.unwrap_err();
            let again = survey(root.path(), &files());
            assert!(again.taken.is_empty(), "after {steps} steps: {again:?}");
            // What was named as there is there; the last step of a file, its folder's sync, may fail when it already has its name.
            assert!(stopped.there.iter().all(|path| again.there.contains(path)), "{stopped:?} {again:?}");
            fill(root.path(), &files(), &again, &Disk::default()).unwrap();
            assert_eq!(survey(root.path(), &files()).there.len(), 4);
            let left = walk(root.path());
            assert_eq!(left.len(), 4, "{left:?}");
            steps += 1;
        }
    }

    fn walk(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn a_full_disk_says_which_file_and_leaves_no_part_of_it() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::failing_after(9, io::ErrorKind::StorageFull);
        let stopped = fill(root.path(), &files(), &survey(root.path(), &files()), &disk).unwrap_err();
        assert_eq!((stopped.path.as_str(), stopped.there.len()), ("profiles/base.toml", 1));
        assert_eq!(walk(root.path()).len(), 1);
    }

    #[test]
    fn whatever_has_a_name_keeps_it() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join("profiles/base.toml");
        fs::create_dir(root.path().join("profiles")).unwrap();
        fs::write(&base, "content of someone else's\n").unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", root.path().join(".gitignore")).unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("a")).unwrap();
        fs::create_dir(root.path().join("profiles/canary.toml")).unwrap();
        let found = survey(root.path(), &files());
        assert_eq!((found.taken.len(), found.missing.len(), found.there.len()), (4, 0, 0), "{found:?}");
        // Someone takes the name between the look and the writing.
        let late = Survey { missing: vec!["profiles/base.toml".to_owned()], ..Survey::default() };
        let stopped = fill(root.path(), &files(), &late, &Disk::default()).unwrap_err();
        assert_eq!(stopped.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&base).unwrap(), "content of someone else's\n");
        assert_eq!(walk(&root.path().join("profiles")).len(), 1, "no draft is left");
    }

    #[test]
    fn a_project_above_is_found_and_the_folder_itself_is_none() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("desk/deep");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(project_above(&inner), None);
        for folder in ["desk/profiles", "desk/pipelines"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            assert_eq!(project_above(&inner), None, "an empty folder is no project");
            fs::write(root.path().join(folder).join("mine.toml"), "").unwrap();
        }
        let desk = root.path().join("desk").canonicalize().unwrap();
        assert_eq!(project_above(&inner), Some(desk.clone()));
        assert_eq!(project_above(&inner.join("not/yet/there")), Some(desk));
        assert_eq!(project_above(&root.path().join("desk")), None);
        assert_eq!(survey(&root.path().join("desk"), &files()).documents, ["pipelines/mine.toml", "profiles/mine.toml"]);
    }
}
