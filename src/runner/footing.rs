//! Where a profile stands now: what its journal says, what people asked for beside it, and what follows from kills and documents.

use std::path::Path;

use serde_json::json;

use crate::domain::Time;
use crate::escalation::decide::restarts;
use crate::escalation::{Evidence, Footing, Hold, Kill};
use crate::profile::Profile;
use crate::profile::terms::TermChange;
use crate::risk::LimitKey;
use crate::store::journal::{Journal, JournalError, LadderEvent};
use crate::store::latch::{Latch, LatchError};
use crate::store::wish::{self, Wish, WishError};

#[derive(Debug, thiserror::Error)]
pub enum FootingError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Wish(#[from] WishError),
}

/// The footing with wishes that nobody has taken up: they count from the moment they are filed.
///
/// # Errors
/// When the journal says something else than its log, or a wish cannot be read.
pub fn footing(journal: Option<&Journal>, folder: &Path) -> Result<Footing, FootingError> {
    let stands = journal.map_or(Ok(Footing::default()), Journal::footing)?;
    Ok(wish::filed(folder)?.iter().fold(stands, |footing, filed| granted(footing, &filed.wish)))
}

/// The footing with one wish more. A wish lowers or does nothing.
#[must_use]
pub fn granted(mut footing: Footing, wish: &Wish) -> Footing {
    match wish {
        Wish::Lower { key, value, .. } => {
            let limit = LimitKey::of(key).and_then(|limit| Some((limit, limit.parse(value).ok()?)));
            let Some((limit, wanted)) = limit else { return footing };
            let before = footing.lowered.get(key).and_then(|text| limit.parse(text).ok());
            if before.is_none_or(|before| wanted.to_f64() < before.to_f64()) {
                footing.lowered.insert(key.clone(), value.clone());
            }
        }
        Wish::Hold { at, reason } => {
            footing.hold.get_or_insert(Hold { at: *at, reason: reason.clone() });
        }
    }
    footing
}

/// The kill that a latch beside the journal stands for, while it is set.
#[must_use]
pub fn latched(folder: &Path, now: Time) -> Option<Kill> {
    match Latch::read(folder) {
        Ok(latched) => latched.map(|latched| Kill { at: latched.at, cause: latched.cause, row: None }),
        // Nobody knows since when: it counts as of now.
        Err(LatchError::Unreadable { .. } | LatchError::Write { .. } | LatchError::Clear { .. }) => {
            Some(Kill { at: now, cause: "latch".to_owned(), row: None })
        }
    }
}

/// Brings the journal up to date: wishes, documents that lower, kills that take the ladder back. Stands the profile there, and
/// gives what was done, in sentences.
///
/// # Errors
/// As [`footing`], and when the journal cannot be written.
pub fn settle(journal: &mut Journal, folder: &Path, profile: &mut Profile, now: Time) -> Result<Vec<String>, FootingError> {
    let mut told = Vec::new();
    let mut stands = journal.footing()?;
    for filed in wish::filed(folder)? {
        let next = granted(stands.clone(), &filed.wish);
        if next != stands {
            journal.set_footing(&next, &of_wish(&filed.wish), now)?;
            stands = next;
        }
        wish::clear(&filed)?;
    }
    profile.stand(stands.clone());
    let next = by_documents(profile, &stands, now);
    if next != stands {
        let lowered = profile.terms().taken.iter().map(shown).collect::<Vec<_>>();
        let why = if stands.terms.is_empty() { "the schedule as it is written" } else { "the documents lower it" };
        let event = LadderEvent { cause: "documents", why: why.to_owned(), evidence: json!({ "taken": lowered }) };
        journal.set_footing(&next, &event, now)?;
        told.extend(lowered.iter().map(|change| format!("the schedule was lowered: {change}")));
        if next.step < stands.step {
            told.push(format!("the ladder stands at step 0 again: it was at step {}, and is not enabled", stands.step));
        }
        stands = next;
        profile.stand(stands.clone());
    }
    if let Some(kill) = killed(journal, folder, profile, now)? {
        let next = stands.restarted(now);
        let why = format!("killed by {} at {}", kill.cause, kill.at);
        let event = LadderEvent { cause: "kill", why: why.clone(), evidence: json!(kill) };
        journal.set_footing(&next, &event, now)?;
        told.push(format!("the ladder stands at step 0 again: it was at step {}, {why}", stands.step));
        profile.stand(next);
    }
    Ok(told)
}

/// What a change is, on one line.
#[must_use]
pub fn shown(change: &TermChange) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    format!("{} {} -> {}", change.key, text(&change.before), text(&change.after))
}

fn of_wish(wish: &Wish) -> LadderEvent {
    let (cause, why) = match wish {
        Wish::Lower { key, value, reason, .. } => ("lowered", format!("{key} at {value}: {reason}")),
        Wish::Hold { reason, .. } => ("hold", reason.clone()),
    };
    LadderEvent { cause, why, evidence: json!(wish) }
}

/// What the documents make of a footing. A ladder that is not enabled is at its start, and forgets the terms it had.
fn by_documents(profile: &Profile, stands: &Footing, now: Time) -> Footing {
    if profile.schedule().is_some() {
        return Footing { terms: profile.terms().terms.clone(), ..stands.clone() };
    }
    if stands.terms.is_empty() && stands.step == 0 {
        return stands.clone();
    }
    Footing { terms: std::collections::BTreeMap::new(), slot: None, ..stands.restarted(now) }
}

/// The kill that takes the ladder back, if there was one since it stands where it does.
fn killed(journal: &Journal, folder: &Path, profile: &Profile, now: Time) -> Result<Option<Kill>, FootingError> {
    let Some(schedule) = profile.schedule().filter(|_| profile.footing().step > 0) else { return Ok(None) };
    let mut kills = journal.kills_since_footing()?;
    kills.extend(latched(folder, now));
    let since = profile.footing().since.unwrap_or(Time::MIN);
    let now = now.max(since);
    // Written down since, though the close that showed it may lie before, and a clock that is set behind: it is news all the same.
    kills.iter_mut().for_each(|kill| kill.at = kill.at.clamp(since, now));
    let evidence = Evidence { kills, ..Evidence::default() };
    Ok(restarts(schedule, profile.footing(), &evidence, now).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(key: &str, value: &str) -> Wish {
        Wish::Lower { key: key.to_owned(), value: value.to_owned(), at: Time::default(), reason: "x".to_owned() }
    }

    #[test]
    fn a_wish_lowers_or_does_nothing() {
        let once = granted(Footing::default(), &lower("max_notional_per_order", "40"));
        assert_eq!(once.lowered["max_notional_per_order"], "40");
        let again = granted(once.clone(), &lower("max_notional_per_order", "45"));
        assert_eq!(again, once, "a later word that is higher takes nothing back");
        assert_eq!(granted(once, &lower("max_notional_per_order", "9")).lowered["max_notional_per_order"], "9");
        assert_eq!(granted(Footing::default(), &lower("currency", "EUR")), Footing::default());
        let held = granted(Footing::default(), &Wish::Hold { at: Time::default(), reason: "first".to_owned() });
        let still = granted(held, &Wish::Hold { at: Time::from_micros(1), reason: "second".to_owned() });
        assert_eq!(still.hold.unwrap().reason, "first");
    }

    #[test]
    fn what_waits_in_a_file_counts_before_anybody_took_it_up() {
        let folder = tempfile::tempdir().unwrap();
        wish::file(folder.path(), &lower("max_open_orders", "1")).unwrap();
        assert_eq!(footing(None, folder.path()).unwrap().lowered["max_open_orders"], "1");
    }
}
