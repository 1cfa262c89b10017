//! `tidegate recover`: puts a backup in the place of a damaged journal, or takes an older one as it is; by a person with a reason.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, ValueHint};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::{OfProfile, Place, unsound};
use super::output::Report;
use super::run::journal_failure;
use super::table::grouped;
use super::work;
use crate::domain::Time;
use crate::runner::trader::TraderState;
use crate::store::journal::{self, Journal, JournalError};
use crate::store::latch::{Latch, Latched};

/// Put a backup in the place of a damaged journal, and halt the profile.
///
/// What happened since the backup is not known any more, so nothing is traded before a person has compared positions and orders with
/// the venue and says `resume`. The damaged files stay beside it.
#[derive(Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    profile: OfProfile,
    /// The backup to put in place.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "accept_older", conflicts_with = "accept_older")]
    from: Option<PathBuf>,
    /// Take the journal that is there, although it is older than what was written last.
    #[arg(long)]
    accept_older: bool,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Recover {
    /// # Errors
    /// When the backup is not whole, then nothing has changed; when another program holds the profile, or the disk fails.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say what happened to the journal"));
        }
        let place = self.profile.place(context)?;
        let now = context.clock.now();
        let (mut journal, what, kept) = match &self.from {
            Some(from) => from_backup(context, &place, from, reason, now)?,
            None => {
                let what = "the older journal was accepted";
                (accept_older(&place, what, reason, now)?, what.to_owned(), None)
            }
        };
        let halted = halt(&mut journal, now, reason)?;
        let shown = |path: &Path| path.strip_prefix(&context.root).unwrap_or(path).display().to_string();
        let mut text = format!("{}: {what}; its log goes on at row {}\n", place.name, grouped(journal.head().sequence));
        if let Some(kept) = &kept {
            text.push_str(&format!("the journal of before is kept: {}\n", shown(kept)));
        }
        text.push_str("HALTED: compare positions and open orders with the venue before you resume\n");
        let report = Report {
            verb: "recover",
            profile: Some(place.name.clone()),
            mode: place.mode,
            data: json!({
                "what": what,
                "reason": reason,
                "kept": kept.as_deref().map(shown),
                "rows": journal.head().sequence,
                "halted": halted,
            }),
            text,
            next: vec![format!("tidegate resume -p {} --reason \"...\"", place.name)],
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

/// Set before anything is changed: a program that dies half way leaves a profile that does not trade.
fn latch(folder: &Path, reason: &str, now: Time) -> Result<(), Failure> {
    let latched = Latched { cause: "recover".to_owned(), at: now, by: "tidegate recover".to_owned(), reason: reason.to_owned() };
    match Latch::set(folder, &latched) {
        Ok(_) => Ok(()),
        Err(error) => {
            let hint = error.hint();
            Err(Failure::new(Exit::Failed, error).hint(hint))
        }
    }
}

fn from_backup(
    context: &Context,
    place: &Place,
    from: &Path,
    reason: &str,
    now: Time,
) -> Result<(Journal, String, Option<PathBuf>), Failure> {
    let bar = work::progress(context, "verify", 0);
    let verified = journal::verify_file(from, |rows| bar.set_position(rows)).map_err(unsound);
    bar.finish_and_clear();
    let rows = verified?.rows;
    latch(&place.folder, reason, now)?;
    let aside = journal::put_back(&place.folder, from, now, |_| {}).map_err(journal_failure)?;
    let what = format!("{} was put in place, {} rows of the log", from.display(), grouped(rows));
    let journal = Journal::recover(&place.folder, &what, reason, now).map_err(journal_failure)?;
    Ok((journal, what, aside.kept))
}

fn accept_older(place: &Place, what: &str, reason: &str, now: Time) -> Result<Journal, Failure> {
    match Journal::open(&place.folder) {
        Err(JournalError::Older { .. }) => {}
        Ok(_) => {
            let error = anyhow!("the journal of {} is as new as it was known to be: there is nothing to accept", place.name);
            return Err(Failure::new(Exit::Refused, error));
        }
        Err(error) => return Err(journal_failure(error)),
    }
    latch(&place.folder, reason, now)?;
    Journal::recover(&place.folder, what, reason, now).map_err(journal_failure)
}

/// Halts every account of the journal. One whose state this program does not read is held by the latch alone.
fn halt(journal: &mut Journal, now: Time, reason: &str) -> Result<Vec<String>, Failure> {
    let mut halted = Vec::new();
    for account in journal.accounts()? {
        let mut standing = match journal.standing::<TraderState>(&account) {
            Ok(Some(standing)) => standing,
            Ok(None) | Err(JournalError::Body { .. }) => continue,
            Err(error) => return Err(unsound(error)),
        };
        standing.snapshot.latch(now);
        journal.amend(&account, &standing, now, "halt", "halted: the journal was recovered", reason)?;
        halted.push(account);
    }
    journal.seal()?;
    Ok(halted)
}
