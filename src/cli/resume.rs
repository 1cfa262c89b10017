//! `tidegate resume`: clears a latched halt, by a person with a reason.

use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{LOCK_WITHIN, borrow};
use super::output::Report;
use super::select::Select;
use crate::domain::Time;
use crate::runner::trader::TraderState;
use crate::store::journal::{Entry, Journal};
use crate::store::latch::{Latch, LatchError};

const EXAMPLES: &str = "\
Examples:
  tidegate resume -p canary --reason \"the feed was wrong, it is mended\"

A program that works on the profile would not hear of it: end it first (exit 8).
On a real venue the next run compares the account before it trades.";

/// Clear a halt: let the profile add exposure again.
///
/// Clears what `kill`, `close-all`, `pause` and the kill switches have set: the latch, halts and pauses. The high-water marks of the
/// day and the week restart at the last equity, or the same loss would halt it again at once.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Resume {
    #[command(flatten)]
    select: Select,
    /// Why it is right to trade again; written into the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Resume {
    /// # Errors
    /// When the profile is wrong, its journal is held or unreadable, or nothing is halted.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say what was found and mended"));
        }
        let (profile, _, _) = self.select.load(context)?;
        let folder = context.root.join(&profile.storage().runs).join(profile.name());
        if !folder.join("state.db").exists() {
            return Err(Failure::new(Exit::Failed, anyhow!("profile {} has not run yet: nothing is halted", profile.name())));
        }
        let mut journal = borrow(&folder, profile.name(), "resume", LOCK_WITHIN)?;
        let now = context.clock.now();
        let mut resumed = Vec::new();
        for account in journal.accounts()? {
            if let Some(told) = resume(&mut journal, &account, now, reason)? {
                resumed.push((account, told));
            }
        }
        if let Some(told) = unlatch(&mut journal, &folder, now, reason)? {
            resumed.push((profile.name().to_owned(), told));
        }
        if resumed.is_empty() {
            return Err(Failure::new(Exit::Failed, anyhow!("nothing is halted under {}", profile.name())));
        }
        let lines = resumed.iter().map(|(account, halt)| format!("{account}: trading again; it was {halt}\n"));
        let report = Report {
            verb: "resume",
            profile: Some(profile.name().to_owned()),
            mode: Some(profile.mode().name().to_owned()),
            text: lines.collect(),
            data: json!({ "resumed": resumed.iter().map(|(account, _)| account).collect::<Vec<_>>(), "reason": reason }),
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

/// Clears one account's halt. Gives what it was, if there was one.
fn resume(journal: &mut Journal, account: &str, now: Time, reason: &str) -> Result<Option<String>, Failure> {
    let Some(mut standing) = journal.standing::<TraderState>(account)? else { return Ok(None) };
    let what = match (standing.snapshot.halt(), standing.snapshot.paused_until()) {
        (Some(halt), _) => format!("halted by {} at {}", halt.cause.name(), halt.at),
        (None, Some(until)) if standing.watermark < until => format!("paused until {until}"),
        (None, _) => return Ok(None),
    };
    standing.snapshot.resume();
    journal.resume(account, &standing, now, &format!("resume after {what}"), reason)?;
    Ok(Some(what))
}

/// Clears the latch beside the journal, which keeps what it said. Gives that, if there was one.
fn unlatch(journal: &mut Journal, folder: &Path, now: Time, reason: &str) -> Result<Option<String>, Failure> {
    let (latched, told) = match Latch::read(folder) {
        Ok(None) => return Ok(None),
        Ok(Some(latched)) => {
            let told = format!("latched by {} at {} ({})", latched.by, latched.at, latched.cause);
            (json!(latched), told)
        }
        Err(error @ LatchError::Unreadable { .. }) => (json!(error.to_string()), "latched, nobody knows why".to_owned()),
        Err(error) => return Err(error.into()),
    };
    // Were the program to die in between, the latch would still be set.
    journal.write(&[Entry::Note { kind: "unlatched", body: json!({ "latched": latched, "reason": reason }) }], now)?;
    Latch::clear(folder)?;
    Ok(Some(told))
}
