//! Where a profile stands on its ladder, for every verb that names its limits.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::Context;
use super::alerting::outbox_failure;
use super::exit::{Exit, Failure};
use super::live::mode_of;
use super::run::journal_failure;
use super::select::Select;
use crate::domain::Time;
use crate::escalation::plan::Bound;
use crate::escalation::{Evidence, Kill, Schedule};
use crate::profile::Profile;
use crate::runner::evidence::{EvidenceError, evidence};
use crate::runner::folder::BUILD;
use crate::runner::footing::{FootingError, footing, latched};
use crate::store::glance::Glance;
use crate::store::journal::Journal;

/// The folder of a profile's journal and records.
#[must_use]
pub fn folder_of(context: &Context, profile: &Profile) -> PathBuf {
    context.root.join(&profile.storage().runs).join(profile.name())
}

/// Puts a profile where its journal says, wishes that wait beside it included.
///
/// # Errors
/// When the journal or a wish cannot be read.
pub fn stand(context: &Context, profile: &mut Profile) -> Result<(), Failure> {
    let folder = folder_of(context, profile);
    let glance = Glance::at(&folder).map_err(journal_failure)?;
    profile.stand(footing(glance.as_ref().map(Glance::journal), &folder).map_err(footing_failure)?);
    Ok(())
}

/// The step above the first that a profile was put on, as far as its journal can be read: a word beside a check of documents.
#[must_use]
pub fn applied_step(root: &Path, profile: &Profile) -> Option<u32> {
    let folder = root.join(&profile.storage().runs).join(profile.name());
    let step = Glance::at(&folder).ok()??.journal().footing().ok()?.step;
    (step > 0).then_some(step)
}

/// What to do about a footing that nobody knows.
pub fn footing_failure(error: FootingError) -> Failure {
    match error {
        FootingError::Journal(error) => journal_failure(error),
        FootingError::Wish(error) => {
            Failure::new(Exit::Failed, error).hint("mend the file or move it away, then look at `tidegate limits`")
        }
    }
}

/// A profile where it stands, and what is needed to say what is due.
pub struct Standing {
    pub profile: Profile,
    pub folder: PathBuf,
    /// `pipeline@mode`: whose evidence counts.
    pub account: String,
}

impl Standing {
    /// # Errors
    /// When the documents are wrong, or nobody can say where the profile stands.
    pub fn of(context: &Context, select: &Select) -> Result<Self, Failure> {
        let selected = select.resolve(context, select.pipeline.as_deref())?;
        let (mut profile, plan) = (selected.profile, selected.plan);
        stand(context, &mut profile)?;
        let folder = folder_of(context, &profile);
        let account = format!("{}@{}", plan.name(), mode_of(&profile));
        Ok(Self { profile, folder, account })
    }

    /// The schedule.
    ///
    /// # Errors
    /// When escalation is not enabled.
    pub fn schedule(&self) -> Result<&Schedule, Failure> {
        let none = || {
            let error = anyhow!("profile {} has no ladder: escalation.enabled is false", self.profile.name());
            Failure::new(Exit::Configuration, error).hint("`tidegate explain escalation.enabled -p PROFILE` says where it is set")
        };
        self.profile.schedule().ok_or_else(none)
    }

    /// What is known of the account; nothing before the first run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn evidence(&self, now: Time) -> Result<Evidence, Failure> {
        match Glance::at(&self.folder).map_err(journal_failure)? {
            Some(glance) => self.evidence_in(glance.journal(), now),
            None => Ok(Evidence { kills: latched(&self.folder, now).into_iter().collect(), ..Evidence::default() }),
        }
    }

    /// The same from a journal that is open.
    ///
    /// # Errors
    /// When it, or the outbox beside it, cannot be read.
    pub fn evidence_in(&self, journal: &Journal, now: Time) -> Result<Evidence, Failure> {
        evidence(journal, &self.account, &self.folder, now).map_err(|error| match error {
            EvidenceError::Journal(error) => journal_failure(error),
            EvidenceError::Outbox(error) => outbox_failure(error),
        })
    }

    /// What a plan of now is bound to. `row` is the last one of the log.
    #[must_use]
    pub fn bound(&self, row: u64) -> Bound {
        Bound {
            base: self.profile.footing().hash(),
            documents: self.profile.fingerprint().to_owned(),
            binary: BUILD.to_owned(),
            row,
        }
    }

    /// The last row of the log now.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_row(&self) -> Result<u64, Failure> {
        let glance = Glance::at(&self.folder).map_err(journal_failure)?;
        glance.map_or(Ok(0), |glance| glance.log_rows().map_err(journal_failure))
    }
}

/// A kill in a few words.
#[must_use]
pub fn told(kill: &Kill) -> String {
    format!("{} at {}", kill.cause, kill.at)
}
