//! The latch comes first: before any document is read, whatever is wrong with them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::of_profile::RUNS;
use super::super::select::{Select, Selected};
use crate::domain::Time;
use crate::profile::word::is_name;
use crate::store::latch::{Latch, LatchError, Latched, Set};

/// A profile that is latched, or cannot be, and what its documents say after that.
pub struct Stopped {
    pub name: String,
    /// `runs/<profile>`.
    pub folder: PathBuf,
    pub set: Result<Set, LatchError>,
    pub selected: Result<Selected, Failure>,
}

/// Latches the profile that `select` names, then resolves its documents.
///
/// # Errors
/// When no profile is named, or nothing has that name: no latch is left behind then.
pub fn latch_first(context: &Context, select: &Select, cause: &str, reason: &str, now: Time) -> Result<Stopped, Failure> {
    let Some(name) = select.profile.clone().filter(|name| is_name(name)) else {
        // Says which profiles there are, or what is wrong with the name.
        return match select.resolve(context, None) {
            Err(failure) => Err(failure),
            Ok(selected) => Err(Failure::new(Exit::Usage, anyhow!("{} is not the name of a profile", selected.profile.name()))),
        };
    };
    let latched = Latched { cause: cause.to_owned(), at: now, by: format!("tidegate {cause}"), reason: reason.to_owned() };
    let usual = context.root.join(RUNS).join(&name);
    let was_there = usual.exists();
    let set = Latch::set(&usual, &latched);
    let selected = select.resolve(context, select.pipeline.as_deref());
    let stopped = |folder, set, selected| Stopped { name: name.clone(), folder, set, selected };
    match selected {
        Ok(selected) => {
            let folder = context.root.join(&selected.profile.storage().runs).join(&name);
            if folder == usual {
                return Ok(stopped(folder, set, Ok(selected)));
            }
            let there = Latch::set(&folder, &latched);
            if !was_there {
                forget(&usual);
            }
            Ok(stopped(folder, there, Ok(selected)))
        }
        Err(failure) if !was_there && !context.root.join("profiles").join(format!("{name}.toml")).exists() => {
            // A comforting word about a profile that does not exist would be the worst of all.
            forget(&usual);
            Err(failure.hint("nothing was stopped: there is neither a profile nor a journal of this name"))
        }
        Err(failure) => Ok(stopped(usual, set, Err(failure))),
    }
}

/// Takes away a latch that we set where nothing was.
fn forget(folder: &Path) {
    // Should it stay: a latch in a folder without a journal stops nobody.
    let _ = Latch::clear(folder);
    let _ = fs::remove_dir(folder);
}
