//! What the profile left behind: its journal, its halts, its alerts; and whether a backup of it could be put back.

use std::path::Path;

use super::{Scene, Seen};
use crate::cli::table::grouped;
use crate::clock::{Clock, SystemClock};
use crate::domain::Time;
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::store::journal::{self, Entry, FILE, Journal, JournalError};
use crate::store::latch::Latch;
use crate::store::outbox::{AlertRow, Outbox, OutboxError};

/// Every page, row and table of the journal.
pub(super) fn journal(scene: &Scene<'_>) -> Seen {
    let verified = Glance::at(&scene.place.runs).and_then(|glance| glance.map(|glance| glance.verify(|_| {})).transpose());
    match verified {
        Ok(Some(verified)) => Seen::ok(format!("{} rows of the log, whole", grouped(verified.rows))),
        Ok(None) => Seen::ok("none yet: the first run makes one"),
        Err(error) => Seen::fail(error.to_string(), error.hint().unwrap_or("tidegate log verify").to_owned()),
    }
}

/// Nothing is halted, no order is in doubt, nothing critical is open.
pub(super) fn standing(scene: &Scene<'_>) -> Seen {
    let name = scene.place.profile.name();
    if Latch::is_set(&scene.place.runs) {
        return Seen::fail("the kill latch is set", format!("tidegate resume -p {name} --reason \"...\""));
    }
    match critical(&scene.place.runs, SystemClock.now()) {
        Ok(alerts) if alerts.is_empty() => {}
        Ok(alerts) => {
            let first = &alerts[0];
            let said = format!("alert {} is critical and unresolved since {}: {}", first.id, first.since, first.title);
            return Seen::fail(format!("{said}{}", more(alerts.len())), format!("tidegate alerts list -p {name}"));
        }
        Err(error) => return Seen::fail(error.to_string(), error.hint()),
    }
    match open(&scene.place.runs) {
        Ok(open) => match open.first() {
            None => Seen::ok("no halt, no order in doubt, no critical alert"),
            Some(first) => Seen::fail(
                format!("{first}{}", more(open.len())),
                format!("tidegate positions -p {name}, tidegate orders -p {name}"),
            ),
        },
        Err(error) => Seen::fail(error.to_string(), format!("tidegate log verify -p {name}")),
    }
}

/// Critical alerts that nobody and nothing has ended; none where nobody ever raised one.
fn critical(runs: &Path, now: Time) -> Result<Vec<AlertRow>, OutboxError> {
    Outbox::look(runs)?.map_or(Ok(Vec::new()), |outbox| outbox.unresolved_critical(now))
}

fn more(count: usize) -> String {
    if count > 1 { format!(", and {} more", count - 1) } else { String::new() }
}

fn open(runs: &Path) -> Result<Vec<String>, JournalError> {
    let Some(glance) = Glance::at(runs)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for account in glance.accounts()? {
        let standing = glance.standing::<TraderState>(&account)?;
        if let Some(halt) = standing.as_ref().and_then(|standing| standing.snapshot.halt()) {
            found.push(format!("{account} is halted by {} since {}", halt.cause.name(), halt.at));
        }
        let is_doubtful = |state: &str| matches!(state, "sending" | "unknown");
        found.extend(
            glance
                .open_orders(&account)?
                .iter()
                .filter(|order| is_doubtful(&order.state))
                .map(|order| format!("nobody knows what became of {}", order.id)),
        );
    }
    Ok(found)
}

/// A backup is taken, put back elsewhere, and opened.
pub(super) fn restore(scene: &Scene<'_>) -> Seen {
    let fix = "tidegate backup, and see what it says";
    match restored(&scene.place.runs) {
        Ok(Restored { rows, is_scratch: false }) => {
            Seen::ok(format!("{} rows came back in a folder of their own", grouped(rows)))
        }
        Ok(Restored { rows, .. }) => Seen::ok(format!("{rows} rows of a scratch journal came back; the profile has none yet")),
        Err(error) => Seen::fail(error.to_string(), fix),
    }
}

struct Restored {
    rows: u64,
    /// The profile has no journal yet.
    is_scratch: bool,
}

fn restored(runs: &Path) -> Result<Restored, JournalError> {
    let scratch = tempfile::tempdir().map_err(|source| JournalError::Copy { path: std::env::temp_dir(), source })?;
    let now = SystemClock.now();
    let copy = scratch.path().join("backup.db");
    let (rows, is_scratch) = match Glance::at(runs)? {
        Some(glance) => (glance.backup(&copy, |_| {})?.rows, false),
        None => {
            let mut journal = Journal::open(&scratch.path().join("before"))?;
            let note = |at: u32| Entry::Note { kind: "drill", body: serde_json::json!({ "row": at }) };
            journal.write(&[note(1), note(2)], now)?;
            journal.seal()?;
            (journal.backup(&copy, |_| {})?.rows, true)
        }
    };
    let folder = scratch.path().join("after");
    journal::put_back(&folder, &copy, now, |_| {})?;
    let journal = Journal::recover(&folder, "a drill", "preflight", now)?;
    let verified = journal.verify(|_| {})?;
    // The word that it was recovered is a row of its own.
    if verified.rows == rows + 1 {
        return Ok(Restored { rows, is_scratch });
    }
    let problem = format!("{rows} rows were copied, and {} came back", verified.rows - 1);
    Err(JournalError::Damaged { path: folder.join(FILE), problem })
}
