//! Who is told during a run: the profile's receivers, by a thread that trading never waits for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::Context;
use super::exit::Failure;
use super::work::Workplace;
use crate::domain::{Symbol, Time};
use crate::notify::{self, Beat, Deadman, Timing};
use crate::pipeline::StageKind;
use crate::profile::{Mode, Profile, VenueKind};
use crate::secret::Secrets;
use crate::stage::alert::planner::{self, View};
use crate::stage::alert::{Alert, AlertError, AlertHandle, AlertTask, Setup, follow};
use crate::store::disk::Disk;
use crate::store::journal::{Entry, Journal};
use crate::store::outbox::{DeliveryRow, DeliveryState, Outbox, OutboxError, Word};
use crate::telemetry::record::Notice;

/// The longest that the end of a run waits for alerts on their way.
const DEADLINE: Duration = Duration::from_secs(20);
const DELIVERIES: &str = "deliveries.jsonl";

/// The alert stage of one run.
pub struct Alerting {
    handle: AlertHandle,
    symbols: Vec<Symbol>,
    /// What happened before is history: it is recorded, and nobody is called for it.
    news_from: Time,
}

impl Alerting {
    /// Starts the dispatcher of the profile; `None` when the profile or the pipeline has no alert stage. A receiver that cannot be
    /// opened fails each message visibly and stops nothing.
    ///
    /// # Errors
    /// When the outbox or the journal cannot be read.
    pub fn start(context: &Context, place: &Workplace) -> Result<Option<Self>, Failure> {
        if !place.plan.is_enabled(StageKind::Alert) {
            // What happens under such a run is nobody's news, later neither.
            forget_until(&place.runs, Time::MAX).map_err(outbox_failure)?;
            return Ok(None);
        }
        let age = place.profile.rules().max_bar_age.span(place.plan.interval());
        let news_from = context.clock.now() - age;
        let handle = AlertTask::spawn(setup(context, place, news_from)).map_err(alert_failure)?;
        handle.beat(Beat::Start);
        Ok(Some(Self { handle, symbols: place.plan.symbols().to_vec(), news_from }))
    }

    /// The journal has a notice; unless it is history, people are told. Never waits.
    pub fn notice(&self, notice: &Notice) {
        if Alert::of(notice, &self.symbols).at >= self.news_from {
            notice.emit(&self.symbols);
            self.handle.wake();
        }
    }

    /// The log has more that people may have to hear of. Never waits.
    pub fn wake(&self) {
        self.handle.wake();
    }

    /// Tells what the log cannot hold. Never waits.
    pub fn raise(&self, alert: &Alert) {
        self.handle.raise(alert);
    }

    /// Tells what a rule has come to. Never waits.
    pub fn say(&self, word: Word) {
        self.handle.say(word);
    }

    /// Pings the dead man's switch. Never waits.
    pub fn beat(&self, beat: Beat) {
        self.handle.beat(beat);
    }

    /// Writes alerts into the log, from where they go out like all that is in it.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn tell(&self, journal: &mut Journal, alerts: &[Alert], now: Time) -> Result<(), Failure> {
        let note = |alert: &Alert| Entry::Note { kind: follow::ALERT, body: json!(alert) };
        journal.write(&alerts.iter().map(note).collect::<Vec<_>>(), now)?;
        self.handle.wake();
        Ok(())
    }

    /// Waits, within a bound, for what is on its way; writes what became of it beside the record. What is left stays in the outbox.
    /// Gives warnings for people.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn finish(self, folder: Option<&Path>, is_well: bool) -> Result<Vec<String>, Failure> {
        self.handle.beat(if is_well { Beat::Well } else { Beat::Failure });
        let report = self.handle.finish(DEADLINE);
        if let Some(folder) = folder.filter(|_| !report.rows.is_empty()) {
            let mut draft = Disk::default().draft(folder)?;
            for row in &report.rows {
                serde_json::to_writer(&mut draft, row)?;
                draft.write_all(b"\n")?;
            }
            draft.publish(|_| DELIVERIES.to_owned())?;
        }
        let mut warnings = warnings(report.undelivered());
        warnings.extend(report.stuck.map(|why| format!("alerts are stuck: {why}")));
        Ok(warnings)
    }
}

/// What a dispatcher works with at a workplace.
pub fn setup(context: &Context, place: &Workplace, news_from: Time) -> Setup {
    let secrets = Secrets::of_this_process(&context.root);
    let alerts = place.profile.alerts();
    // An address that cannot be read is one that `check` names.
    let deadman = alerts.deadman.as_ref().and_then(|url| secrets.resolve(url).ok());
    Setup {
        config: place.plan.alert().clone(),
        receivers: notify::open_all(&alerts.receivers, &secrets),
        deadman: deadman.and_then(|url| Deadman::new(url, Timing::default()).ok()).map(Arc::new),
        folder: place.runs.clone(),
        symbols: place.plan.symbols().to_vec(),
        labels: labels(&place.profile),
        news_from,
        clock: context.clock.clone(),
    }
}

/// Sends what an earlier program left, if it left something. Gives warnings for people.
///
/// # Errors
/// When the outbox or the journal cannot be read.
pub fn left_over(context: &Context, place: &Workplace, log_rows: u64) -> Result<Vec<String>, Failure> {
    let Some(outbox) = Outbox::look(&place.runs).map_err(outbox_failure)? else { return Ok(Vec::new()) };
    if !place.plan.is_enabled(StageKind::Alert) {
        return Ok(Vec::new());
    }
    let has_work = || {
        let now = context.clock.now();
        let is_read = outbox.followed()?.is_none_or(|followed| followed.sequence >= log_rows);
        let (alerts, silences) = (outbox.standing()?, outbox.silences(now)?);
        let view = View { alerts: &alerts, silences: &silences, told: &[] };
        let is_quiet = planner::plan(view, place.plan.alert(), now, true).tellings.is_empty();
        Ok::<_, OutboxError>(!is_read || !is_quiet || !outbox.pending()?.is_empty())
    };
    if !has_work().map_err(outbox_failure)? {
        return Ok(Vec::new());
    }
    drop(outbox);
    Alerting::start(context, place)?.map_or(Ok(Vec::new()), |alerting| alerting.finish(None, true))
}

/// Whose alert it is, under every message.
pub fn labels(profile: &Profile) -> Vec<(String, String)> {
    let venue = match (profile.venue(), profile.mode()) {
        (VenueKind::Paper, _) => "paper",
        (_, Mode::Paper) => "practice",
        (_, Mode::Live) => "LIVE",
    };
    vec![("profile".to_owned(), profile.name().to_owned()), ("venue".to_owned(), venue.to_owned())]
}

/// Nothing of the log that happens before `until` is news.
fn forget_until(folder: &Path, until: Time) -> Result<(), OutboxError> {
    if Outbox::look(folder)?.is_none() {
        return Ok(());
    }
    let mut outbox = Outbox::open(folder)?;
    let Some(followed) = outbox.followed()? else { return Ok(()) };
    let followed = crate::store::outbox::Followed { news_from: until, ..followed };
    outbox.take(&[], Some(followed), crate::domain::Span::ZERO, false, Time::MIN)
}

pub fn outbox_failure(error: OutboxError) -> Failure {
    let hint = error.hint();
    Failure::from(error).hint(hint)
}

fn alert_failure(error: AlertError) -> Failure {
    match error {
        AlertError::Outbox(error) => outbox_failure(error),
        AlertError::Journal(error) => super::run::journal_failure(error),
        other @ AlertError::Start(_) => Failure::from(other),
    }
}

/// One line a receiver and reason, however many messages.
fn warnings<'a>(rows: impl Iterator<Item = &'a DeliveryRow>) -> Vec<String> {
    let mut counts: BTreeMap<(&str, bool, &str), u32> = BTreeMap::new();
    for row in rows {
        let why = row.error.as_deref().unwrap_or("the run ended before");
        *counts.entry((&row.receiver, row.state == DeliveryState::Pending, why)).or_default() += 1;
    }
    let told = |((to, waits, why), n): ((&str, bool, &str), u32)| {
        let (messages, waits_for) = if n == 1 { ("message was", "waits") } else { ("messages were", "wait") };
        let then = if waits { format!("; {n} {waits_for} for the next run") } else { String::new() };
        format!("{n} {messages} not delivered to {to}: {why}{then}")
    };
    counts.into_iter().map(told).collect()
}
