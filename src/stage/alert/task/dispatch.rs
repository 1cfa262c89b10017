//! The loop of the dispatcher: follow, plan, send, settle; one turn for each thing that happened or fell due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::{Setup, Shared};
use crate::domain::{Span, Symbol, Time};
use crate::notify::{Beat, Message, NotifyError, Unavailable};
use crate::stage::alert::config::Severity;
use crate::stage::alert::planner::{self, GROUP_INTERVAL, View};
use crate::stage::alert::{follow, routing, waits};
use crate::store::glance::Glance;
use crate::store::journal::{JournalError, LogRow};
use crate::store::outbox::{DeliveryRow, Followed, Outbox, OutboxError, Outcome, Word};
use crate::telemetry::event::{AlertDelivered, AlertUndelivered, AlertsStuck, PingWithheld};

/// A receiver is sent messages this far apart: Slack takes about one a second.
const SPACING: Span = Span::from_secs(1);
/// Rows of the log that are taken up in one transaction.
const ROWS_MAX: u32 = 1000;
/// Events that are over with their moment stand for so long.
const QUIET: Span = Span::from_days(1);
/// After trouble with the outbox or the log, the next look.
const STUCK_PAUSE: Span = Span::from_secs(5);
/// The loop looks around so often even if nothing is due: a verb beside it may have silenced something.
const LOOK_EVERY: Span = Span::from_secs(30);
/// A receiver that needs a person is tried again no sooner.
const MEND_PAUSE: Duration = Duration::from_secs(60);
/// At the end, a message whose next try is nearer than this is waited for.
const QUICK: Span = Span::from_millis(1500);

/// What cannot be used.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A receiver's place in the queue.
#[derive(Debug, Clone, Copy)]
struct Lane {
    is_busy: bool,
    free_at: Time,
}

type Sent = Result<(), NotifyError>;

pub(super) struct Dispatcher {
    setup: Setup,
    outbox: Outbox,
    glance: Option<Glance>,
    /// Rows up to here were written by an earlier program.
    late_until: u64,
    shared: Arc<Shared>,
    started: Instant,
    timeline: waits::Timeline,
    lanes: BTreeMap<String, Lane>,
    sends: JoinSet<Sent>,
    in_flight: Vec<(Id, DeliveryRow)>,
    pings: JoinSet<Result<(), NotifyError>>,
    /// Messages that another receiver was asked to take already.
    stood_in: BTreeSet<i64>,
    symbols: BTreeMap<String, Vec<Symbol>>,
    /// Keys of alerts that were sent without having been written down.
    shouted: BTreeSet<String>,
}

impl Dispatcher {
    pub(super) fn new(setup: Setup, outbox: Outbox, glance: Option<Glance>, late_until: u64, shared: Arc<Shared>) -> Self {
        let timeline = waits::Timeline::new(setup.clock.now());
        Self {
            setup,
            outbox,
            glance,
            late_until,
            shared,
            started: Instant::now(),
            timeline,
            lanes: BTreeMap::new(),
            sends: JoinSet::new(),
            in_flight: Vec::new(),
            pings: JoinSet::new(),
            stood_in: BTreeSet::new(),
            symbols: BTreeMap::new(),
            shouted: BTreeSet::new(),
        }
    }

    fn now(&mut self) -> Time {
        let watch = Span::from_micros(i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX));
        self.timeline.now(self.setup.clock.now(), watch)
    }

    /// Works until told to close and nothing is left that can be done soon, or the deadline has passed.
    pub(super) async fn run(mut self) {
        let mut ends_at: Option<Instant> = None;
        loop {
            let closing = self.shared.lock().closing;
            if let (None, Some(left)) = (ends_at, closing) {
                ends_at = Some(Instant::now() + left);
            }
            let now = self.now();
            self.beat();
            let wake_at = match self.turn(now, closing.is_some()) {
                Ok(wake_at) => {
                    self.shared.lock().stuck = None;
                    wake_at
                }
                Err(stuck) => {
                    let why = stuck.to_string();
                    AlertsStuck { why: &why }.emit();
                    self.shared.lock().stuck = Some(why);
                    self.shout(now);
                    Some(now + STUCK_PAUSE)
                }
            };
            let is_idle = self.sends.is_empty() && self.pings.is_empty();
            let is_soon = wake_at.is_some_and(|at| at <= now + QUICK);
            let is_over = ends_at.is_some_and(|end| Instant::now() >= end);
            // Not before a turn was made: what was raised is in the outbox then.
            if is_over || (closing.is_some() && is_idle && !is_soon) {
                return;
            }
            let until = wake_at.unwrap_or(now + LOOK_EVERY).min(now + LOOK_EVERY).max(now);
            let mut pause = (until - now).to_std();
            if let Some(end) = ends_at {
                pause = pause.min(end.saturating_duration_since(Instant::now()));
            }
            self.wait(pause).await;
        }
    }

    async fn wait(&mut self, pause: Duration) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            biased;
            Some(sent) = self.sends.join_next_with_id() => {
                let (id, result) = match sent {
                    Ok(sent) => sent,
                    // The panic was printed where it happened.
                    Err(panic) => (panic.id(), Err(NotifyError::Passing { what: "a bug in the receiver".to_owned(), after: None })),
                };
                if let Some(at) = self.in_flight.iter().position(|(known, _)| *known == id) {
                    let (_, row) = self.in_flight.swap_remove(at);
                    self.settle(&row, &result);
                }
            }
            Some(ping) = self.pings.join_next() => {
                if let Ok(Err(error)) = ping {
                    PingWithheld { why: &error.to_string() }.emit();
                }
            }
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// One turn; gives when the next is due.
    fn turn(&mut self, now: Time, is_closing: bool) -> Result<Option<Time>, Stuck> {
        self.take_raised(now)?;
        self.follow(now)?;
        let planned = self.plan(now, is_closing)?;
        self.outbox.expire(QUIET, now)?;
        let pending = self.outbox.pending()?;
        if self.fall_back(&pending, now, is_closing)? {
            return Ok(Some(now));
        }
        let next_send = self.start_sends(&pending, now);
        // Nobody waits for company at the end: what could be planned was.
        let planned = planned.filter(|_| !is_closing);
        Ok(planned.into_iter().chain(next_send).min())
    }

    /// What is not in the log.
    fn take_raised(&mut self, now: Time) -> Result<(), Stuck> {
        let words: Vec<Word> = self.shared.lock().raised.drain(..).collect();
        if words.is_empty() {
            return Ok(());
        }
        let taken = self.outbox.take(&words, None, self.setup.config.repeat_every, false, now);
        if taken.is_err() {
            // They are not lost: the next turn tries again.
            let mut state = self.shared.lock();
            words.into_iter().rev().for_each(|word| state.raised.push_front(word));
        }
        Ok(taken?)
    }

    /// Takes up what the log has and the outbox has not: ALERT-6.
    fn follow(&mut self, now: Time) -> Result<(), Stuck> {
        if self.glance.is_none() {
            self.glance = Glance::at(&self.setup.folder)?;
        }
        let Some(glance) = &self.glance else { return Ok(()) };
        while let Some(followed) = self.outbox.followed()? {
            let end = glance.log_rows()?;
            // What an earlier program wrote goes by itself: it is late, and its news began earlier.
            let is_late = followed.sequence < self.late_until;
            let end = if is_late { end.min(self.late_until) } else { end };
            if followed.sequence >= end && followed.news_from == self.setup.news_from {
                break;
            }
            let rows = glance.log_between(followed.sequence, end, &follow::KINDS, ROWS_MAX)?;
            let news_from = if is_late { followed.news_from } else { self.setup.news_from };
            let mut words = Vec::new();
            for row in &rows {
                let symbols = symbols_of(&mut self.symbols, glance, &self.setup.symbols, row)?;
                words.extend(follow::words(row, symbols, news_from));
            }
            let is_all = rows.len() < ROWS_MAX as usize;
            let sequence = if is_all { end } else { rows.last().map_or(end, |row| row.sequence) };
            let news_from = if sequence < self.late_until { news_from } else { self.setup.news_from };
            let followed = Followed { sequence, news_from };
            self.outbox.take(&words, Some(followed), self.setup.config.repeat_every, is_late, now)?;
        }
        Ok(())
    }

    fn plan(&mut self, now: Time, is_closing: bool) -> Result<Option<Time>, Stuck> {
        let (alerts, silences) = (self.outbox.standing()?, self.outbox.silences(now)?);
        let told = self.outbox.told_since(now - GROUP_INTERVAL)?;
        let view = View { alerts: &alerts, silences: &silences, told: &told };
        let plan = planner::plan(view, &self.setup.config, now, is_closing);
        if !plan.tellings.is_empty() {
            self.outbox.queue(&plan.tellings, now)?;
        }
        Ok(plan.wake_at)
    }

    /// Messages that nobody confirmed in time go to the fallback as well. Gives whether any did.
    fn fall_back(&mut self, pending: &[DeliveryRow], now: Time, is_closing: bool) -> Result<bool, Stuck> {
        let Some(fallback) = self.setup.config.fallback.clone() else { return Ok(false) };
        let within = self.setup.config.receipt_within;
        let mut has_any = false;
        for row in pending.iter().filter(|row| row.receiver != fallback && row.fallback_of.is_none()) {
            // A program that ends will not be there when the time is up.
            let is_late = waits::is_due(row.created_at + within, within, now) || (is_closing && row.tries > 0);
            if is_late && self.stood_in.insert(row.id) {
                has_any |= self.outbox.fall_back(row.id, &fallback, now)?;
            }
        }
        Ok(has_any)
    }

    /// Sends what is due, one message at a time to each receiver. Gives when the next one is due.
    fn start_sends(&mut self, pending: &[DeliveryRow], now: Time) -> Option<Time> {
        let mut next: Option<Time> = None;
        for row in pending {
            let lane = self.lanes.entry(row.receiver.clone()).or_insert(Lane { is_busy: false, free_at: now });
            if lane.is_busy {
                continue;
            }
            let due = if waits::is_due(row.next_try_at, waits::PATIENCE_MAX, now) { now } else { row.next_try_at };
            let due = if waits::is_due(lane.free_at, SPACING, now) { due } else { due.max(lane.free_at) };
            if due > now {
                next = Some(next.map_or(due, |known| known.min(due)));
                continue;
            }
            *lane = Lane { is_busy: true, free_at: now + SPACING };
            let message = self.message(row);
            let receiver = match self.setup.receivers.get(&row.receiver) {
                Some(receiver) => Arc::clone(receiver),
                None => Arc::new(Unavailable::new(&NotifyError::Unavailable { why: "there is no such receiver".to_owned() })),
            };
            let sending = self.sends.spawn(async move { receiver.send(&message).await });
            self.in_flight.push((sending.id(), row.clone()));
        }
        next
    }

    fn message(&self, row: &DeliveryRow) -> Message {
        Message {
            id: row.message.clone(),
            severity: row.severity,
            title: row.title.clone(),
            text: row.text.clone(),
            fields: self.setup.labels.iter().chain(&row.fields).cloned().collect(),
            at: row.at,
        }
    }

    /// Writes down what became of a try.
    fn settle(&mut self, row: &DeliveryRow, result: &Sent) {
        let now = self.now();
        if let Some(lane) = self.lanes.get_mut(&row.receiver) {
            lane.is_busy = false;
        }
        let tries = row.tries + 1;
        let outcome = match result {
            Ok(()) => {
                AlertDelivered { receiver: &row.receiver, title: &row.title, attempts: tries }.emit();
                Outcome::Delivered
            }
            Err(error) => {
                let why = error.to_string();
                AlertUndelivered { receiver: &row.receiver, title: &row.title, why: &why }.emit();
                // What a person has to mend is not mended in a second.
                let asked = error.after().or(error.is_for_good().then_some(MEND_PAUSE));
                let after = asked.map(|after| Span::from_micros(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)));
                match waits::next_try(tries, after, now).filter(|_| !error.is_final()) {
                    Some(next_try_at) => Outcome::Later { why, next_try_at },
                    None => Outcome::Failed { why },
                }
            }
        };
        let mut settle = || {
            if result.as_ref().is_err_and(NotifyError::is_for_good)
                && let Some(fallback) = self.setup.config.fallback.as_ref().filter(|name| **name != row.receiver)
            {
                self.stood_in.insert(row.id);
                self.outbox.fall_back(row.id, fallback, now)?;
            }
            self.outbox.settle_delivery(row.id, &outcome, now)
        };
        if let Err(error) = settle() {
            // It stays pending, and is sent once more under the same name.
            AlertsStuck { why: &error.to_string() }.emit();
        }
    }

    /// What is critical and cannot be written down is sent all the same, once: a full disk silences nobody.
    fn shout(&mut self, now: Time) {
        let words: Vec<Word> = self.shared.lock().raised.iter().cloned().collect();
        for word in words {
            let Word::Raise(raise) = word else { continue };
            if raise.severity < Severity::Critical || !self.shouted.insert(raise.key.clone()) {
                continue;
            }
            let fields = self.setup.labels.iter().cloned().chain(raise.fields);
            let message = Arc::new(Message {
                id: format!("{:x}-{}", now.micros(), self.shouted.len()),
                severity: raise.severity,
                title: raise.title,
                text: raise.text,
                fields: fields.collect(),
                at: raise.at,
            });
            for name in routing::receivers(&self.setup.config.routes, raise.severity) {
                let Some(receiver) = self.setup.receivers.get(name).cloned() else { continue };
                let message = Arc::clone(&message);
                self.sends.spawn(async move { receiver.send(&message).await });
            }
        }
    }

    /// Pings that were asked for. That all is well is not said while nobody can be told otherwise.
    fn beat(&mut self) {
        let beats: Vec<Beat> = self.shared.lock().beats.drain(..).collect();
        let Some(deadman) = &self.setup.deadman else { return };
        for beat in beats {
            if beat == Beat::Well && !self.can_tell_somebody() {
                PingWithheld { why: "no receiver takes alerts" }.emit();
                continue;
            }
            let deadman = Arc::clone(deadman);
            self.pings.spawn(async move { deadman.ping(beat).await });
        }
    }

    /// Did any receiver take the last thing it was sent, or was none sent anything yet?
    fn can_tell_somebody(&self) -> bool {
        let Ok(well) = self.outbox.receivers_well() else { return false };
        let ours = well.iter().filter(|(name, _)| self.setup.receivers.contains_key(*name));
        let states: Vec<bool> = ours.map(|(_, is_well)| *is_well).collect();
        states.is_empty() || states.contains(&true)
    }
}

/// The symbols of the pipeline that a row's run traded.
fn symbols_of<'a>(
    known: &'a mut BTreeMap<String, Vec<Symbol>>,
    glance: &Glance,
    ours: &'a [Symbol],
    row: &LogRow,
) -> Result<&'a [Symbol], JournalError> {
    let Some(run) = &row.run else { return Ok(ours) };
    if !known.contains_key(run) {
        let manifest = glance.manifest(run)?;
        let stated = manifest.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let symbols = stated.and_then(|stated| serde_json::from_value(stated["symbols"].clone()).ok());
        known.insert(run.clone(), symbols.unwrap_or_else(|| ours.to_vec()));
    }
    Ok(known.get(run).map_or(ours, Vec::as_slice))
}
