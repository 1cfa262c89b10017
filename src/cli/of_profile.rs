//! The flag of verbs that work on the journal of a profile, and need nothing else of the profile to be right.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::output::print_err;
use super::select::Select;
use crate::profile::word::is_name;
use crate::store::glance::Glance;
use crate::store::journal::{FILE, JournalError};

/// Where records lie unless a profile says otherwise.
pub const RUNS: &str = "runs";

/// Which profile.
#[derive(Debug, Clone, Args)]
pub struct OfProfile {
    /// The profile: the name of a file in profiles/, without .toml.
    #[arg(short, long, value_name = "PROFILE", add = names::profiles())]
    pub profile: Option<String>,
}

/// A profile's name and its folder.
#[derive(Debug)]
pub struct Place {
    pub name: String,
    pub mode: Option<String>,
    pub folder: PathBuf,
}

impl OfProfile {
    /// The profile's folder. A journal can be looked at and mended although the documents are wrong: then it is where journals are
    /// unless a profile says otherwise.
    ///
    /// # Errors
    /// When no profile is named, or it is wrong and there is no journal of its name.
    pub fn place(&self, context: &Context) -> Result<Place, Failure> {
        let select = Select { profile: self.profile.clone(), pipeline: None, set: Vec::new(), paper: false };
        match select.resolve(context, None) {
            Ok(selected) => {
                let profile = selected.profile;
                let folder = context.root.join(&profile.storage().runs).join(profile.name());
                Ok(Place { name: profile.name().to_owned(), mode: Some(profile.mode().name().to_owned()), folder })
            }
            Err(failure) => {
                let named = self.profile.as_deref().filter(|name| is_name(name)).unwrap_or_default();
                let folder = context.root.join(RUNS).join(named);
                if failure.exit != Exit::Configuration || named.is_empty() || !folder.join(FILE).exists() {
                    return Err(failure);
                }
                if !context.quiet && !context.json {
                    print_err(&format!("warning: the documents of {named} are wrong; taking the journal in {RUNS}/{named}\n"));
                }
                Ok(Place { name: named.to_owned(), mode: None, folder })
            }
        }
    }
}

impl Place {
    /// A look at the journal, whoever holds it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn look(&self) -> Result<Glance, Failure> {
        match Glance::at(&self.folder) {
            Ok(Some(glance)) => Ok(glance),
            Ok(None) => {
                let error = anyhow!("profile {} has no journal that this version can read: it has not run yet", self.name);
                Err(Failure::new(Exit::Failed, error).hint(format!("tidegate run -p {} makes one", self.name)))
            }
            Err(error) => Err(super::run::journal_failure(error)),
        }
    }
}

/// What is wrong with a journal: a check that failed, and what to do about it.
pub fn unsound(error: JournalError) -> Failure {
    let failure = super::run::journal_failure(error);
    let is_about_content = failure.error.downcast_ref::<JournalError>().is_some_and(|error| {
        matches!(error, JournalError::Broken { .. } | JournalError::Damaged { .. } | JournalError::Older { .. })
    });
    if is_about_content { Failure { exit: Exit::CheckFailed, ..failure } } else { failure }
}
