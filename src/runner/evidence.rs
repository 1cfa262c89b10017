//! Evidence of an account, from its journal: the same for `escalate`, `perf` and everybody else who asks.

use std::path::Path;

use super::footing::latched;
use super::trader::TraderState;
use crate::domain::Time;
use crate::escalation::Evidence;
use crate::store::journal::{Journal, JournalError};

/// What gates look at, for `account` (`pipeline@mode`) of the profile in `folder`.
///
/// A critical alert is unresolved while what raised it stands: a halt that nobody has cleared, a latch, an order that nobody knows
/// the fate of.
///
/// # Errors
/// When the journal cannot be read.
pub fn evidence(journal: &Journal, account: &str, folder: &Path, now: Time) -> Result<Evidence, JournalError> {
    let state = journal.standing::<TraderState>(account)?.map(|standing| standing.snapshot);
    let mut kills = journal.kills(0)?;
    let latch = latched(folder, now);
    let usage = state.as_ref().map(|state| state.desk().usage(now));
    let unresolved = state.as_ref().map(|state| {
        let unknown = usage.as_ref().map_or(0, |usage| u64::from(usage.unknown_orders));
        u64::from(state.halt().is_some()) + u64::from(latch.is_some()) + unknown
    });
    kills.extend(latch);
    kills.sort_by_key(|kill| kill.at);
    let curve = state.as_ref().and_then(TraderState::curve);
    // From its first bar on, whenever that was traded, every kill of the account is written down.
    let known_since = curve.map(|curve| curve.first().0).into_iter().chain(journal.begins()?).min();
    let closes = curve.map(|curve| curve.daily_closes().collect()).unwrap_or_default();
    Ok(Evidence { closes, kills, known_since, unresolved_critical: unresolved })
}
