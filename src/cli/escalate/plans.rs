//! The files of plans: `runs/<profile>/plans/<id>.json`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::super::exit::{Exit, Failure};
use crate::escalation::{Plan, Void};
use crate::store::disk::Disk;
use crate::store::home::Home;

const FOLDER: &str = "plans";
/// A plan is a page of text.
const BYTES_MAX: u64 = 1 << 20;
/// What a person must type of a plan's name.
const TYPED_MIN: usize = 4;

/// Writes a plan to its file.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Path, plan: &Plan) -> Result<PathBuf, Failure> {
    let (disk, folder) = (Disk::default(), folder.join(FOLDER));
    let name = format!("{}.json", plan.id);
    disk.create_folder(&folder).and_then(|()| disk.replace(&folder, &name, plan.text().as_bytes()))?;
    Ok(folder.join(name))
}

/// Reads the plan whose name begins so.
///
/// # Errors
/// When there is none, or more than one; when it is not what was written.
pub fn read(folder: &Path, typed: &str) -> Result<Plan, Failure> {
    let folder = folder.join(FOLDER);
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.retain(|name| name.starts_with(typed));
    names.sort();
    let is_name = typed.len() >= TYPED_MIN && typed.bytes().all(|b| b.is_ascii_hexdigit());
    match names.as_slice() {
        [name] if is_name => {
            let content = Home::new(&folder).read(&folder.join(format!("{name}.json")), BYTES_MAX);
            let content = content.map_err(|refused| anyhow!("the file of plan {name} {refused}"))?;
            Plan::read(name, &String::from_utf8_lossy(&content)).map_err(void)
        }
        [_, _, ..] if is_name => Err(Failure::new(Exit::Usage, anyhow!("{typed} begins the names of {} plans", names.len()))),
        _ => {
            let error = anyhow!("there is no plan {typed} in {}", folder.display());
            Err(Failure::new(Exit::Usage, error).hint("`tidegate escalate plan -p PROFILE` makes one and names it"))
        }
    }
}

/// A plan that is never applied again.
pub fn void(void: Void) -> Failure {
    Failure::new(Exit::PlanVoid, void).hint("`tidegate escalate plan -p PROFILE` makes a new one, when everything passes")
}
