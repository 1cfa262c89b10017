//! One slot: bars are taken in beside the loop, then traded in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;

use super::super::exit::{Exit, Failure};
use super::super::live::{self, split};
use super::super::turn::{self, Turn};
use super::super::work::Workplace;
use super::account::{Account, OnVenue};
use super::daemon::{Daemon, Hands};
use super::outcome::{End, Outcome};
use crate::domain::{Span, Time};
use crate::pipeline::StageKind;
use crate::runner::agenda::Due;
use crate::runner::trader::TraderState;
use crate::runner::{notices, setup};
use crate::stage::ingest::task::Ingested;
use crate::stage::oms::Tally;
use crate::telemetry::record::Notice;

/// What a venue gives in one page: a watermark that is closer is kept up with by one request.
const PAGE_BARS: i64 = 1000;
/// While bars are taken in the loop turns so often.
const TURN_EVERY: Span = Span::from_secs(2);
/// An account that is being compared as its bar closes is waited for.
const COMPARE_WITHIN: Span = Span::from_secs(10);
/// What became of a slot is told when its orders have ended, or after this.
const SETTLE_WITHIN: Span = Span::from_secs(5);

/// Between two looks at a thread that was asked to end.
const ENDING: std::time::Duration = std::time::Duration::from_millis(20);

/// What a slot has to work with.
pub(super) struct Slot<'a> {
    pub due: &'a Due,
    pub place: Arc<Workplace>,
}

impl Daemon<'_> {
    /// Does what is due. Gives what became of it; what only this slot suffers from is in there.
    ///
    /// # Errors
    /// When the journal or the account cannot be used.
    pub(super) async fn slot(&mut self, account: &mut Account<'_>, hands: &mut Hands, due: &Due) -> Result<Outcome, Failure> {
        let place = self.places[due.pipeline].clone();
        let now = self.now();
        let mut outcome = Outcome::new(place.plan.name(), due.slot.at, &due.slot.local, now, due.missed);
        let slot = Slot { due, place };
        let name = outcome.pipeline.clone();
        if due.missed > 0 {
            self.meters.skipped(&name, "missed", due.missed);
        }
        if let Some(skipped) = due.skipped {
            self.meters.skipped(&name, skipped.name(), 1);
            return Ok(outcome.because(End::Skipped, skipped.words()));
        }
        if slot.place.plan.is_enabled(StageKind::Ingest) {
            match self.take_in(account, &slot).await? {
                Ok(taken) if taken.is_kept() => outcome.bars = taken.added(),
                Ok(taken) => {
                    self.meters.failed(&name, "ingest");
                    hands.tell(account.journal(), &notices::broken(&taken, self.now()), self.now())?;
                    return Ok(outcome.because(End::Blocked, breaches(&taken)));
                }
                Err(failure) => {
                    self.meters.failed(&name, "ingest");
                    let why = format!("{:#}", failure.error);
                    hands.tell(account.journal(), &[self.not_taken_in(&slot, &why)], self.now())?;
                    return Ok(outcome.because(End::Failed, why));
                }
            }
        }
        self.show_closes(&slot.place);
        if !(slot.place.plan.is_enabled(StageKind::Model) && slot.place.plan.is_enabled(StageKind::Oms)) {
            outcome.end = if outcome.bars > 0 { End::Ingested } else { End::NothingNew };
            return Ok(outcome);
        }
        match account {
            Account::Paper(_) => self.trade_on_paper(account, hands, &slot, outcome),
            Account::Venue(_) => self.trade_on_venue(account, &slot, outcome).await,
        }
    }

    /// What people hear when bars cannot be had.
    fn not_taken_in(&self, slot: &Slot<'_>, why: &str) -> crate::stage::alert::Alert {
        crate::stage::alert::Alert::ingest_failed(&slot.place.symbols(), "failed", why, self.now())
    }

    /// Takes bars in, and again after a time-out where the pipeline says so. The inner error is this slot's alone.
    async fn take_in(&mut self, account: &mut Account<'_>, slot: &Slot<'_>) -> Result<Result<Ingested, Failure>, Failure> {
        let name = slot.place.plan.name().to_owned();
        let stage = slot.place.plan.stages().iter().find(|stage| stage.kind == StageKind::Ingest);
        let timeout = stage.map(|stage| stage.timeout);
        let (retries, on_timeout, on_connection) =
            stage.map_or((0, false, false), |stage| (stage.retry.count, stage.retry.on_timeout, stage.retry.on_connection));
        let watermark = watermark(account, &slot.place)?;
        // Years of bars may take as long as they take; a bar that has just closed may not.
        let page = Span::from_micros(slot.place.plan.interval().span().micros().saturating_mul(PAGE_BARS));
        let is_routine = watermark.is_some_and(|at| self.now() < at + page);
        let timeout = timeout.filter(|_| is_routine);
        let mut attempt = 0;
        loop {
            let (began, may_again) = (self.now(), attempt < retries && !self.is_stopped());
            match self.take_in_once(account, slot, watermark, timeout).await? {
                Some(Ok(taken)) => {
                    self.meters.taken(&name, &taken, self.now() - began);
                    return Ok(Ok(taken));
                }
                // Whatever failed has not changed the lake; a wrong document would fail again, and says so.
                Some(Err(failure)) if !(may_again && on_connection && failure.exit == Exit::Failed) => return Ok(Err(failure)),
                Some(Err(failure)) => tracing::warn!(pipeline = name, why = %failure.error, "ingest failed, once more"),
                None => {
                    self.meters.timed_out(&name, "ingest");
                    if !(may_again && on_timeout) {
                        let allowed = timeout.unwrap_or(Span::ZERO);
                        let error = anyhow!("bars were not there within timeout = \"{allowed}\", asked {} times", attempt + 1);
                        return Ok(Err(Failure::from(error)));
                    }
                    tracing::warn!(pipeline = name, "ingest took too long, once more");
                }
            }
            attempt += 1;
        }
    }

    /// On a thread of its own, while the account lives on. `None`: it took too long.
    async fn take_in_once(
        &mut self,
        account: &mut Account<'_>,
        slot: &Slot<'_>,
        watermark: Option<Time>,
        timeout: Option<Span>,
    ) -> Result<Option<Result<Ingested, Failure>>, Failure> {
        let (context, place, bell) = (self.context.clone(), slot.place.clone(), self.door.bell());
        let (end, until) = (Arc::new(AtomicBool::new(false)), timeout.map(|timeout| self.now() + timeout));
        let asked = end.clone();
        let thread = std::thread::Builder::new().name("ingest".to_owned()).spawn(move || {
            let taken = turn::take_in(&context, &place, watermark, &asked, &mut |_| {});
            bell.notify_one();
            taken
        })?;
        let mut is_late = false;
        while !thread.is_finished() {
            let (now, bell) = (self.now(), self.door.bell());
            let look = until.filter(|_| !is_late).map_or(now + TURN_EVERY, |until| until.min(now + TURN_EVERY));
            account.wait(now, look, &bell, &self.stop, || thread.is_finished()).await?;
            self.turned(account);
            is_late |= until.is_some_and(|until| self.now() >= until) && !thread.is_finished();
            if is_late || self.is_stopped() {
                // Its requests end by their own time-outs, and it looks between them.
                end.store(true, Ordering::Relaxed);
                tokio::time::sleep(ENDING).await;
            }
        }
        let taken = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(if is_late && taken.is_err() { None } else { Some(taken) })
    }

    /// Every bar at its own close, as `run` does.
    fn trade_on_paper(
        &mut self,
        account: &mut Account<'_>,
        hands: &Hands,
        slot: &Slot<'_>,
        mut outcome: Outcome,
    ) -> Result<Outcome, Failure> {
        let journal = account.journal();
        let name = standing_of(&slot.place);
        let before = journal.standing::<TraderState>(&name)?.map(|standing| standing.snapshot);
        if let Err(latched) = live::refuse_latched(slot.place.profile.name(), &slot.place.runs)
            && before.as_ref().is_none_or(|state| state.halt().is_none() || !state.is_closing())
        {
            return Ok(outcome.because(End::Halted, latched.error.to_string()));
        }
        let ready = match Turn::open(self.context, &slot.place, journal)? {
            Turn::Nothing(_) => {
                outcome.end = End::NothingNew;
                return Ok(outcome);
            }
            Turn::Ready(ready) => ready,
        };
        let tell = |notice: &Notice| hands.notice(slot.due.pipeline, notice);
        let done = ready.run(&self.stop, tell, |_| self.beat.turned("trading"))?;
        outcome.end = End::Traded;
        outcome.bars = done.bars;
        count(&mut outcome, &done.before.tally, &done.after.tally);
        self.meters.did(&outcome.pipeline, &done.before.tally, &done.after.tally);
        outcome.run = Some(done.run);
        if done.halted && done.after.kills > done.before.kills {
            outcome = outcome.because(End::Halted, "the kill switch tripped");
        }
        Ok(outcome)
    }

    /// The bar that has just closed; those before it only teach the models.
    async fn trade_on_venue(
        &mut self,
        account: &mut Account<'_>,
        slot: &Slot<'_>,
        mut outcome: Outcome,
    ) -> Result<Outcome, Failure> {
        let Account::Venue(on) = account else { return Ok(outcome) };
        let from = on.driver.needs_from();
        let columns = turn::closed(self.context.clock.as_ref(), &slot.place, from)?;
        let (old, current) = split(&columns, from, &slot.place, self.now());
        if old.is_empty() && current.is_none() {
            outcome.end = End::NothingNew;
            return Ok(outcome);
        }
        let stamp = self.venue_stamp(&slot.place)?;
        on.turn_over(&slot.place.runs, stamp, self.now())?;
        let before = on.live().trader().desk().tally().clone();
        outcome.bars = (old.len() + usize::from(current.is_some())) as u64;
        outcome.end = if current.is_some() { End::Traded } else { End::Late };
        let handled = self.feed(on, old, current).await;
        handled.map_err(live::drive_failure)?;
        let after = on.live().trader().desk().tally().clone();
        count(&mut outcome, &before, &after);
        outcome.run = Some(on.stamp.run.clone());
        if outcome.end == End::Late {
            let allowed = slot.place.plan.schedule().max_lateness;
            outcome.why = Some(format!("the bar closed longer ago than max_lateness = \"{allowed}\""));
        } else if !on.live().is_reconciled() {
            outcome.why = Some("the account is not compared: nothing new may be ordered".to_owned());
        }
        Ok(outcome)
    }

    async fn feed(
        &self,
        on: &mut OnVenue<'_>,
        old: Vec<live::Moment>,
        current: Option<live::Moment>,
    ) -> Result<(), crate::runner::drive::DriveError> {
        if !old.is_empty() {
            on.driver.catch_up(old.into_iter()).await?;
        }
        let Some((open_time, bars)) = current else { return Ok(()) };
        on.driver.run_until(self.now() + COMPARE_WITHIN, &self.stop, crate::runner::live::Live::is_reconciled).await?;
        on.driver.moment(open_time, bars).await?;
        on.driver.run_until(self.now() + SETTLE_WITHIN, &self.stop, crate::runner::live::Live::is_settled).await?;
        Ok(())
    }

    /// Up to where bars are there.
    fn show_closes(&self, place: &Workplace) {
        for series in &place.series {
            if let Ok(Some(last)) = place.lake.last_open_time(series) {
                self.meters.last_close(series.symbol(), &series.interval().to_string(), last + series.interval().span());
            }
        }
    }
}

/// The account's name in the journal, on paper.
fn standing_of(place: &Workplace) -> String {
    setup::stamp(&place.profile, &place.plan, &place.trader, "run", String::new()).standing()
}

/// Where trading stands.
fn watermark(account: &mut Account<'_>, place: &Workplace) -> Result<Option<Time>, Failure> {
    match account {
        Account::Venue(on) => Ok(on.driver.watermark()),
        Account::Paper(journal) => Ok(journal.watermark(&standing_of(place))?.map(|(watermark, _)| watermark)),
    }
}

fn count(outcome: &mut Outcome, before: &Tally, after: &Tally) {
    outcome.orders = after.orders - before.orders;
    outcome.fills = after.fills - before.fills;
    outcome.denied = after.denied - before.denied;
}

fn breaches(taken: &Ingested) -> String {
    let series = taken.series.iter();
    let all = series.flat_map(|report| report.verdict.breaches.iter().map(move |breach| format!("{}: {breach}", report.series)));
    all.collect::<Vec<_>>().join("; ")
}

/// Does a failure end with its slot, or is it of the whole program?
#[must_use]
pub const fn is_passing(exit: Exit) -> bool {
    matches!(exit, Exit::Failed | Exit::Locked | Exit::Interrupted)
}
