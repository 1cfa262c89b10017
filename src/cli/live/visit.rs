//! A look at an account by a verb that trades nothing of its own: the driver is opened, something is done, the journal says so.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::run::journal_failure;
use super::super::work::{self, Workplace};
use super::connect::{Connection, connect, venue_word};
use super::trade::{Task, open};
use crate::domain::Time;
use crate::profile::{Profile, VenueKind};
use crate::runner::control::{self, ControlError, HandOver};
use crate::runner::drive::{Driver, Told};
use crate::runner::folder::{self, Stamp};
use crate::runner::live::Live;
use crate::runner::{run, setup};
use crate::store::glance::Glance;
use crate::store::journal::{FILE, Journal, JournalError, RunState};
use crate::venue::router::Alarm;

/// A one-shot run that sees the latch ends within this.
pub const LOCK_WITHIN: Duration = Duration::from_secs(10);
const LOCK_AGAIN: Duration = Duration::from_millis(100);

/// What came of a visit.
pub struct Visited<T> {
    pub live: Live,
    pub value: T,
    pub alarms: Vec<Alarm>,
    /// The folder of the record, where anything was recorded.
    pub record: Option<String>,
    /// Runs that had been cut off before.
    pub recovered: Vec<String>,
}

/// The account that a workplace trades on: `pipeline@mode`.
#[must_use]
pub fn account_of(place: &Workplace) -> String {
    stamp_of(place, "visit").standing()
}

fn stamp_of(place: &Workplace, kind: &str) -> Stamp {
    let stamp = setup::stamp(&place.profile, &place.plan, &place.trader, kind, String::new());
    Stamp { mode: mode_of(&place.profile).to_owned(), ..stamp }
}

/// The second name of a profile's account: the mode on paper, the kind of venue on any other.
#[must_use]
pub fn mode_of(profile: &Profile) -> &'static str {
    match profile.venue() {
        VenueKind::Paper => profile.mode().name(),
        VenueKind::Binance => venue_word(profile),
    }
}

/// Has the account ever traded, as far as anybody can tell?
#[must_use]
pub fn has_traded(place: &Workplace) -> bool {
    let account = account_of(place);
    match Glance::at(&place.runs) {
        Ok(None) => place.runs.join(FILE).exists(),
        Ok(Some(glance)) => !matches!(glance.accounts(), Ok(accounts) if !accounts.contains(&account)),
        // A journal that cannot be looked at is no proof of anything.
        Err(_) => true,
    }
}

/// A journal that is ours; where a program runs, it has lent us its account until this is dropped.
pub struct Ours {
    // Given back in this order: first the journal, then the account.
    journal: Journal,
    _lent: Option<HandOver>,
}

impl Deref for Ours {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl DerefMut for Ours {
    fn deref_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

/// The journal, once whoever holds it has ended, or has lent it to `verb`.
///
/// # Errors
/// [`Exit::Locked`] with who holds it.
pub fn wait_for_journal(place: &Workplace, verb: &str) -> Result<Ours, Failure> {
    borrow(&place.runs, place.profile.name(), verb, LOCK_WITHIN)
}

/// The same by the profile's folder.
///
/// # Errors
/// As [`wait_for_journal`].
pub fn borrow(runs: &Path, name: &str, verb: &str, within: Duration) -> Result<Ours, Failure> {
    let mut lent = None;
    let tries = (within.as_millis() / LOCK_AGAIN.as_millis()).max(2);
    for at in 0..tries {
        match Journal::open(runs) {
            Ok(journal) => return Ok(Ours { journal, _lent: lent }),
            Err(JournalError::Locked(_)) => {}
            Err(other) => return Err(journal_failure(other)),
        }
        if lent.is_none() {
            lent = control::borrow(runs, verb).map_err(|error| match error {
                error @ ControlError::Refused(_) => Failure::new(Exit::Locked, error),
                other => Failure::from(other),
            })?;
        }
        // What was lent is free at once.
        if lent.is_none() || at > 0 {
            wait(LOCK_AGAIN)?;
        }
    }
    Err(held(name, runs))
}

/// Who holds a journal, in words, and what to do about it.
fn held(name: &str, runs: &Path) -> Failure {
    let holder = Glance::at(runs).ok().flatten().and_then(|glance| glance.holder().ok().flatten());
    let who = holder.map_or_else(|| "another program".to_owned(), |holder| format!("process {} on {}", holder.pid, holder.host));
    Failure::new(Exit::Locked, anyhow!("{who} works on {name}, and goes on"))
        .hint("end it (Ctrl-C, or a signal to its process), then run this again; it would not hear of this by itself")
        .hint(format!("to stop it and withdraw its orders beside it: `tidegate kill -p {name} --reason TEXT`"))
}

fn wait(span: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async { tokio::time::sleep(span).await });
    Ok(())
}

/// Opens the account and lets `work` have its driver. The visit is a run of `kind` where it records anything.
///
/// # Errors
/// When the venue, the journal or the account cannot be had; what `work` says.
pub fn visit<T>(
    context: &Context,
    place: &Workplace,
    journal: &mut Journal,
    kind: &str,
    work: impl AsyncFnOnce(&Task<'_>, &Connection, &mut Driver<'_>) -> Result<T, Failure>,
) -> Result<Visited<T>, Failure> {
    // No venue lives in another time.
    let context = &context.in_real_time();
    let stop = work::stop_on_signal()?;
    let task = Task { context, place, stop: &stop };
    let mut stamp = stamp_of(place, kind);
    stamp.run = folder::run_id(&stamp.profile, &stamp.standing(), context.clock.now());
    journal.begin(&stamp.run, &serde_json::to_string(&stamp)?)?;
    let alarms: RefCell<Vec<Alarm>> = RefCell::default();
    let tell = |told: Told<'_>| {
        if let Told::Alarm(alarm) = told {
            alarms.borrow_mut().push(alarm.clone());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let connection = connect(context, &place.profile, place.plan.symbols(), place.lake.local()).await?;
        let mut driver = open(&task, &connection, &mut *journal, &stamp, Box::new(tell)).await?;
        let value = work(&task, &connection, &mut driver).await?;
        let watermark = driver.watermark();
        Ok::<_, Failure>((driver.finish(), value, watermark))
    });
    let (live, value, watermark) = match done {
        Ok(done) => done,
        Err(failure) => {
            // The journal may be what failed, and this says less than why.
            let _said_already = journal.end(&stamp.run, RunState::Failed);
            return Err(failure);
        }
    };
    let record = record(journal, place, context, &stamp, &live, watermark)?;
    let recovered = run::complete(journal, &place.runs, live.trader(), watermark)?;
    Ok(Visited { live, value, alarms: alarms.into_inner(), record, recovered })
}

fn record(
    journal: &mut Journal,
    place: &Workplace,
    context: &Context,
    stamp: &Stamp,
    live: &Live,
    watermark: Option<Time>,
) -> Result<Option<String>, Failure> {
    if journal.records(Some(&stamp.run))?.is_empty() {
        journal.forget(&stamp.run)?;
        return Ok(None);
    }
    run::record_of(journal, &place.runs, stamp, live.trader(), watermark, false)?;
    Ok(Some(place.shown(context, &place.runs.join(&stamp.run))))
}
