//! `init`: a project that runs, in an empty folder.

mod folder;
mod starter;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::output::{BOLD, GREEN, Report};
use super::table::size;
use crate::store::disk::Disk;
use folder::{Stopped, Survey};
use starter::StarterFile;

/// Start a project: profiles, pipelines, sample bars, a golden case.
///
/// Everything in it comes with the program, nothing is contacted. `tidegate run demo -p canary --paper` and `tidegate test` work
/// there at once. No file is ever replaced: if a path is taken by anything else, nothing is written at all and the paths are
/// named. A run that was cut off is completed by the same command.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder, made if it is not there [default: --root].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Init {
    /// # Errors
    /// When a path is taken, the folder lies in another project, or the disk fails.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let root = self.root(context)?;
        let files = starter::files();
        let survey = folder::survey(&root, &files);
        refuse_taken(&root, &survey)?;
        folder::fill(&root, &files, &survey, &Disk::default()).map_err(|stopped| cut_off(&root, stopped, files.len()))?;
        Ok(self.report(&root, &files, &survey).print(context, Exit::Done))
    }

    fn root(&self, context: &Context) -> Result<PathBuf, Failure> {
        let root = match &self.folder {
            Some(_) if context.root != Path::new(".") => {
                let error = anyhow!("DIR and --root both name the folder");
                return Err(Failure::new(Exit::Usage, error).hint("name it once"));
            }
            Some(folder) => folder.clone(),
            None => context.root.clone(),
        };
        if root.symlink_metadata().is_ok() && !root.is_dir() {
            let error = anyhow!("{} is there and is not a folder", root.display());
            return Err(Failure::new(Exit::Usage, error).hint("name another folder"));
        }
        if let Some(above) = folder::project_above(&root) {
            let error = anyhow!("{} lies inside the project {}", root.display(), above.display());
            return Err(Failure::new(Exit::Usage, error)
                .hint("a project inside another confuses both: name a folder outside of it")
                .hint(format!("to work in that project: cd {}", quoted(&above))));
        }
        Ok(root)
    }

    fn report(&self, root: &Path, files: &[StarterFile], survey: &Survey) -> Report {
        let bytes: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        let is_made = |file: &StarterFile| survey.missing.contains(&file.path);
        let list = files.iter().map(|file| json!({ "path": file.path, "bytes": file.content.len(), "made": is_made(file) }));
        let (made, there) = (survey.missing.len(), survey.there.len());
        let name = shown(root);
        let mut text = match (made, there) {
            (0, there) => format!("{BOLD}{name}{BOLD:#} is complete: all {there} files are there, nothing was written.\n"),
            (made, 0) => {
                let list: String = CONTENTS.iter().map(|(what, meaning)| format!("  {what:<22}{meaning}\n")).collect();
                format!("{GREEN}made{GREEN:#} {BOLD}{name}{BOLD:#}\n\n{list}\n{made} files, {}.\n", size(bytes))
            }
            (made, there) => {
                let list: String = survey.missing.iter().map(|path| format!("  {path}\n")).collect();
                let files = if made == 1 { "1 file was".to_owned() } else { format!("{made} files were") };
                format!("{GREEN}completed{GREEN:#} {BOLD}{name}{BOLD:#}\n\n{list}\n{files} missing, {there} were there.\n")
            }
        };
        text.truncate(text.trim_end().len());
        text.push_str(" Nothing was contacted.\n");
        let mut next: Vec<String> = Vec::new();
        if root != Path::new(".") {
            next.push(format!("cd {}", quoted(root)));
        }
        next.extend(["tidegate run demo -p canary --paper", "tidegate test", "tidegate check"].map(str::to_owned));
        let data = json!({ "folder": root, "made": made, "there": there, "bytes": bytes, "files": list.collect::<Vec<_>>() });
        Report { verb: "init", data, text, next, ..Report::default() }
    }
}

/// What a person finds in the folder.
const CONTENTS: [(&str, &str); 9] = [
    ("profiles/base.toml", "grants nothing; the others inherit it"),
    ("  canary.toml", "50 per order, 200 in all"),
    ("  production.toml", "the same, and a ladder up to 500"),
    ("pipelines/demo.toml", "trend following on the sample bars, no network"),
    ("  trend.toml", "the same on a venue's bars"),
    ("schema/", "what editors complete and mark keys by"),
    ("data/sample/", "half a year of made-up hours of two symbols"),
    ("tests/cases/", "one golden case: the canary keeps its limits"),
    (".gitignore", "data/lake, runs, secrets"),
];

fn refuse_taken(root: &Path, survey: &Survey) -> Result<(), Failure> {
    if !survey.taken.is_empty() {
        let error = anyhow!("{} holds other files under these names: {}", shown(root), survey.taken.join(", "));
        return Err(Failure::new(Exit::Usage, error)
            .hint("nothing was written; move them away, or name an empty folder: tidegate init DIR"));
    }
    if !survey.documents.is_empty() && !survey.missing.is_empty() {
        let error = anyhow!("{} is a project in use: it holds {}", shown(root), survey.documents.join(", "));
        return Err(Failure::new(Exit::Usage, error).hint("nothing was written; name an empty folder: tidegate init DIR"));
    }
    Ok(())
}

/// The disk failed on the way.
fn cut_off(root: &Path, stopped: Stopped, all: usize) -> Failure {
    let path = root.join(&stopped.path);
    let there = match stopped.there.len() {
        0 => "no file is there yet".to_owned(),
        count => format!("{count} of {all} files are there and whole: {}", stopped.there.join(", ")),
    };
    let error = anyhow::Error::new(stopped.source).context(format!("failed to write {}", path.display()));
    Failure::new(Exit::Failed, error).hint(there).hint("put that right, then the same command again completes the project")
}

/// The folder as a sentence names it.
fn shown(root: &Path) -> String {
    if root == Path::new(".") { "this folder".to_owned() } else { root.display().to_string() }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@%,:=".contains(&b));
    if is_plain && !text.starts_with('-') { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
