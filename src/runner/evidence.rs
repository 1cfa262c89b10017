//! Evidence of an account, from its journal: the same for `escalate`, `perf` and everybody else who asks.

use std::path::Path;

use super::footing::latched;
use super::trader::TraderState;
use crate::domain::Time;
use crate::escalation::{Critical, Evidence};
use crate::stage::alert::message::is_kill;
use crate::store::journal::{Journal, JournalError};
use crate::store::outbox::{Outbox, OutboxError};

/// The alert that stands while nobody knows what became of an order.
const UNKNOWN_ORDERS: &str = "orders/unknown";

#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// What gates look at, for `account` (`pipeline@mode`) of the profile in `folder`.
///
/// Critical alerts that are unresolved are those of the outbox, and what stands in the journal and has no alert there: a halt that
/// nobody has cleared, a latch, an order that nobody knows the fate of.
///
/// # Errors
/// When the journal or the outbox cannot be read.
pub fn evidence(journal: &Journal, account: &str, folder: &Path, now: Time) -> Result<Evidence, EvidenceError> {
    let state = journal.standing::<TraderState>(account)?.map(|standing| standing.snapshot);
    let mut kills = journal.kills(0)?;
    let latch = latched(folder, now);
    let usage = state.as_ref().map(|state| state.desk().usage(now));
    let (open, criticals) = alerts(folder, now)?;
    let untold = state.as_ref().map(|state| {
        let stops = u64::from(state.halt().is_some()) + u64::from(latch.is_some());
        let unknown = usage.as_ref().map_or(0, |usage| u64::from(usage.unknown_orders));
        let is_told = |of: fn(&str) -> bool| open.iter().any(|key| of(key));
        (if is_told(is_kill) { 0 } else { stops }) + if is_told(|key| key == UNKNOWN_ORDERS) { 0 } else { unknown }
    });
    let told = u64::try_from(open.len()).unwrap_or(u64::MAX);
    // Before the first run nobody has kept count, unless something was raised all the same.
    let unresolved_critical = untold.map(|untold| untold.saturating_add(told)).or((told > 0).then_some(told));
    kills.extend(latch);
    kills.sort_by_key(|kill| kill.at);
    let curve = state.as_ref().and_then(TraderState::curve);
    // From its first bar on, whenever that was traded, every kill of the account is written down.
    let known_since = curve.map(|curve| curve.first().0).into_iter().chain(journal.begins()?).min();
    let closes = curve.map(|curve| curve.daily_closes().collect()).unwrap_or_default();
    Ok(Evidence { closes, kills, known_since, unresolved_critical, criticals })
}

/// The keys of critical alerts that stand, and when every one of the history was raised.
fn alerts(folder: &Path, now: Time) -> Result<(Vec<String>, Vec<Critical>), OutboxError> {
    let Some(outbox) = Outbox::look(folder)? else { return Ok((Vec::new(), Vec::new())) };
    let open = outbox.unresolved_critical(now)?.into_iter().map(|alert| alert.key).collect();
    let criticals = outbox.criticals(now)?.into_iter().map(|(key, at)| Critical { at, key }).collect();
    Ok((open, criticals))
}
