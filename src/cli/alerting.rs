//! Who is told during a run: the log and the profile's receivers, on a thread that trading never waits for.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::exit::Failure;
use super::work::Workplace;
use crate::domain::{Symbol, Time};
use crate::notify::{self, Receiver, Unavailable};
use crate::pipeline::StageKind;
use crate::secret::Secrets;
use crate::stage::alert::task::{AlertHandle, AlertTask, Delivery, DeliveryRow};
use crate::stage::alert::{Alert, Dedup};
use crate::store::disk::Disk;
use crate::store::journal::Journal;
use crate::telemetry::record::Notice;

/// The longest that the end of a run waits for alerts on their way.
const DEADLINE: Duration = Duration::from_secs(20);
/// Under this name the journal keeps what has been told lately.
const TOLD: &str = "told";
const DELIVERIES: &str = "deliveries.jsonl";

/// The alert stage of one run.
pub struct Alerting {
    handle: AlertHandle,
    symbols: Vec<Symbol>,
    /// What happened before is history: it is recorded, and nobody is called for it.
    news_from: Time,
}

impl Alerting {
    /// Opens the receivers of the profile; `None` when the profile or the pipeline has no alert stage. One that cannot be opened
    /// fails each alert visibly and stops nothing.
    ///
    /// # Errors
    /// When the journal cannot be read or a route names a receiver that is not there.
    pub fn start(context: &Context, place: &Workplace, journal: &Journal) -> Result<Option<Self>, Failure> {
        if !place.plan.is_enabled(StageKind::Alert) {
            return Ok(None);
        }
        let secrets = Secrets::of_this_process(&context.root);
        let open = |config: &notify::ReceiverConfig| -> Arc<dyn Receiver> {
            notify::open(config, &secrets).unwrap_or_else(|error| Arc::new(Unavailable::new(&error)))
        };
        let receivers: BTreeMap<String, Arc<dyn Receiver>> =
            place.profile.alerts().receivers.iter().map(|(name, config)| (name.clone(), open(config))).collect();
        let dedup = journal.kept::<Dedup>(TOLD)?.unwrap_or_default();
        let handle = AlertTask::spawn(place.plan.alert().clone(), dedup, &receivers)?;
        let age = place.profile.rules().max_bar_age.span(place.plan.interval());
        let news_from = context.clock.now() - age;
        Ok(Some(Self { handle, symbols: place.plan.symbols().to_vec(), news_from }))
    }

    /// Tells a notice, unless it is history. Never waits.
    pub fn notice(&self, notice: &Notice) {
        let alert = Alert::of(notice, &self.symbols);
        if alert.at >= self.news_from {
            notice.emit(&self.symbols);
            self.handle.raise(alert);
        }
    }

    /// Tells an alert that is no notice of the desk.
    pub fn raise(&self, alert: Alert) {
        self.handle.raise(alert);
    }

    /// Waits, within a bound, for what is on its way; writes what became of it beside the record. Gives warnings for people.
    ///
    /// # Errors
    /// When the journal or the folder cannot be written.
    pub fn finish(self, journal: &mut Journal, folder: Option<&Path>) -> Result<Vec<String>, Failure> {
        let report = self.handle.finish(DEADLINE);
        if !report.rows.is_empty() {
            journal.keep(TOLD, &report.dedup)?;
        }
        if let Some(folder) = folder.filter(|_| !report.rows.is_empty()) {
            let mut draft = Disk::default().draft(folder)?;
            for row in &report.rows {
                serde_json::to_writer(&mut draft, row)?;
                draft.write_all(b"\n")?;
            }
            draft.publish(|_| DELIVERIES.to_owned())?;
        }
        Ok(warnings(report.undelivered()))
    }
}

/// One line a receiver and reason, however many alerts.
fn warnings<'a>(rows: impl Iterator<Item = &'a DeliveryRow>) -> Vec<String> {
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in rows {
        let why = match &row.delivery {
            Delivery::Failed { why } | Delivery::Dropped { why } => why.clone(),
            Delivery::Delivered { .. } => continue,
        };
        *counts.entry((row.receiver.clone().unwrap_or_else(|| "no route".to_owned()), why)).or_default() += 1;
    }
    let word = |count: u32| if count == 1 { "alert was" } else { "alerts were" };
    counts.into_iter().map(|((to, why), n)| format!("{n} {} not delivered to {to}: {why}", word(n))).collect()
}
