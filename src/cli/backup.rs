//! `tidegate backup`: a copy of a profile's journal, also while it runs.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::{OfProfile, unsound};
use super::output::Report;
use super::table::grouped;
use super::work;

/// Copy the journal of a profile, also while a run writes it, and check the copy.
///
/// The copy is one file that holds one state of the journal. `recover` puts it back.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    profile: OfProfile,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    to: PathBuf,
}

impl Backup {
    /// # Errors
    /// When there is no journal, the file is there already or cannot be written, or the journal is not what was written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let glance = place.look()?;
        let bar = work::progress(context, "verify", glance.log_rows()?);
        let verified = glance.backup(&self.to, |rows| bar.set_position(rows)).map_err(unsound);
        bar.finish_and_clear();
        let verified = verified?;
        let report = Report {
            verb: "backup",
            profile: Some(place.name),
            mode: place.mode,
            data: json!({ "file": self.to, "rows": verified.rows, "head": verified.head.hash.to_string() }),
            text: format!("{}: a whole copy, {} rows of the log\n", self.to.display(), grouped(verified.rows)),
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}
