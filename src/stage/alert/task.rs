//! The dispatcher: a thread of its own that sends alerts while the core trades.
//!
//! A thread and not a task among others, because a replay keeps its thread busy for seconds. Each receiver has its own lane, so
//! that a dead one holds up nobody else.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::config::AlertConfig;
use super::dedup::{Dedup, Verdict};
use super::message::Alert;
use super::queue::Queue;
use super::routing;
use crate::notify::{NotifyError, Receipt, Receiver};
use crate::telemetry::event::{AlertDelivered, AlertUndelivered};

/// Alerts that wait for one receiver.
const QUEUE_MAX: usize = 1000;
/// Rows kept until they are taken; beyond it they are only counted.
const ROWS_MAX: usize = 100_000;
/// Beyond the deadline of `finish`, for the thread to put down its tools.
const GRACE: Duration = Duration::from_secs(1);

/// What became of an alert at one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Delivery {
    Delivered {
        attempts: u32,
    },
    Failed {
        why: String,
    },
    /// Never tried: the queue was full, or no route takes it.
    Dropped {
        why: String,
    },
}

/// One line of `alerts.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    pub alert: Arc<Alert>,
    /// `None` when no route takes the alert.
    pub receiver: Option<String>,
    pub delivery: Delivery,
}

/// What became of everything that was raised: ALERT-2.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order it became known, not the order of raising.
    pub rows: Vec<DeliveryRow>,
    /// Held back as repeats.
    pub repeated: u64,
    /// Rows that were beyond what is kept.
    pub rows_lost: u64,
    /// For the next run to go on with.
    pub dedup: Dedup,
}

impl Report {
    /// Alerts that did not reach a receiver they were meant for.
    pub fn undelivered(&self) -> impl Iterator<Item = &DeliveryRow> {
        self.rows.iter().filter(|row| !matches!(row.delivery, Delivery::Delivered { .. }))
    }
}

/// What `raise` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It waits for its receivers.
    Queued,
    Repeated,
    /// No route takes it.
    Unrouted,
}

/// One receiver and what waits for it.
struct Lane {
    name: String,
    receiver: Option<Arc<dyn Receiver>>,
    wake: Arc<Notify>,
    queue: Queue,
    in_flight: Option<Arc<Alert>>,
    /// Why this receiver is not tried any more.
    gone: Option<String>,
}

struct State {
    lanes: Vec<Lane>,
    dedup: Dedup,
    rows: Vec<DeliveryRow>,
    rows_lost: u64,
    repeated: u64,
    /// Set once: no more alerts come, and this long is left for those that wait.
    closing: Option<Duration>,
}

impl State {
    fn keep(&mut self, alert: Arc<Alert>, receiver: Option<&str>, delivery: Delivery) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(DeliveryRow { alert, receiver: receiver.map(str::to_owned), delivery });
        } else {
            self.rows_lost += 1;
        }
    }

    /// Queues `alert` for the receiver called `name`, or says at once why not.
    fn enqueue(&mut self, alert: &Arc<Alert>, name: &str) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.name == name) else { return };
        if let Some(why) = lane.gone.clone() {
            return self.keep(Arc::clone(alert), Some(name), Delivery::Failed { why });
        }
        let dropped = lane.queue.push(Arc::clone(alert));
        lane.wake.notify_one();
        if let Some(dropped) = dropped {
            let why = format!("{QUEUE_MAX} alerts were waiting");
            self.keep(dropped, Some(name), Delivery::Dropped { why });
        }
    }

    /// Everything unsettled in the lane has failed.
    fn give_up(&mut self, at: usize, why: &str) {
        let name = self.lanes[at].name.clone();
        if let Some(alert) = self.lanes[at].in_flight.take() {
            // It may have arrived all the same: nobody knows.
            let why = format!("{why} before the receiver confirmed it");
            self.keep(alert, Some(&name), Delivery::Failed { why });
        }
        while let Some(alert) = self.lanes[at].queue.pop() {
            self.keep(alert, Some(&name), Delivery::Failed { why: why.to_owned() });
        }
    }

    fn give_up_all(&mut self, why: &str) {
        (0..self.lanes.len()).for_each(|at| self.give_up(at, why));
    }
}

struct Shared {
    state: Mutex<State>,
    closing: Notify,
}

impl Shared {
    /// A panic elsewhere leaves the state whole: every change under the lock is one assignment or one push.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, deadline: Duration) {
        let mut state = self.lock();
        state.closing.get_or_insert(deadline);
        state.lanes.iter().for_each(|lane| lane.wake.notify_one());
        self.closing.notify_one();
    }
}

/// Why there is no dispatcher.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error("failed to start the alert dispatcher")]
    Start(#[source] std::io::Error),
}

/// Starts the dispatcher.
pub struct AlertTask;

impl AlertTask {
    /// `receivers` by the names that the routes use; a name without one fails every alert sent there, visibly. `dedup` is what
    /// the run before left.
    ///
    /// # Errors
    /// When the system gives no thread or no event loop.
    pub fn spawn(
        config: AlertConfig,
        dedup: Dedup,
        receivers: &BTreeMap<String, Arc<dyn Receiver>>,
    ) -> Result<AlertHandle, AlertError> {
        let mut names: Vec<&String> = config.routes.iter().flat_map(|route| &route.receivers).collect();
        names.sort();
        names.dedup();
        let lanes = names.into_iter().map(|name| lane(name, receivers.get(name))).collect();
        let state = State { lanes, dedup, rows: Vec::new(), rows_lost: 0, repeated: 0, closing: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), closing: Notify::new() });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(AlertError::Start)?;
        let (done, ended) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            runtime.block_on(dispatch(&theirs));
            // A name lookup that hangs must not hold up the end.
            runtime.shutdown_background();
            drop(done);
        });
        let thread = thread.map_err(AlertError::Start)?;
        Ok(AlertHandle { config, shared, ended, thread: Some(thread) })
    }
}

fn lane(name: &str, receiver: Option<&Arc<dyn Receiver>>) -> Lane {
    let gone = receiver.is_none().then(|| "there is no such receiver".to_owned());
    let (name, wake) = (name.to_owned(), Arc::new(Notify::new()));
    Lane { name, receiver: receiver.cloned(), wake, queue: Queue::new(QUEUE_MAX), in_flight: None, gone }
}

/// Sends until told to close and all lanes are empty, or the deadline has passed.
async fn dispatch(shared: &Arc<Shared>) {
    let mut workers = JoinSet::new();
    for at in 0..shared.lock().lanes.len() {
        workers.spawn(work(Arc::clone(shared), at));
    }
    shared.closing.notified().await;
    let deadline = shared.lock().closing.unwrap_or_default();
    // What is unfinished then is reported by `give_up`, and so is the lane of a worker that panicked.
    let all_done = async { while workers.join_next().await.is_some() {} };
    let _in_time = tokio::time::timeout(deadline, all_done).await;
    workers.abort_all();
    shared.lock().give_up_all("the run ended");
}

/// Empties one lane, alert by alert.
async fn work(shared: Arc<Shared>, at: usize) {
    let (wake, receiver) = {
        let state = shared.lock();
        (Arc::clone(&state.lanes[at].wake), state.lanes[at].receiver.clone())
    };
    let Some(receiver) = receiver else { return };
    loop {
        let (next, is_closing) = next_of(&shared, at);
        match next {
            Some(alert) => {
                let result = receiver.send(&alert.to_message()).await;
                settle(&shared, at, alert, result);
            }
            None if is_closing => return,
            None => wake.notified().await,
        }
    }
}

fn next_of(shared: &Shared, at: usize) -> (Option<Arc<Alert>>, bool) {
    let mut state = shared.lock();
    let is_closing = state.closing.is_some();
    let lane = &mut state.lanes[at];
    lane.in_flight = lane.queue.pop();
    (lane.in_flight.clone(), is_closing)
}

fn settle(shared: &Shared, at: usize, alert: Arc<Alert>, result: Result<Receipt, NotifyError>) {
    let name = shared.lock().lanes[at].name.clone();
    // Said before the lock is taken: whoever raises an alert must not wait for a log line.
    match &result {
        Ok(receipt) => AlertDelivered { receiver: &name, key: &alert.key, attempts: receipt.attempts }.emit(),
        Err(error) => AlertUndelivered { receiver: &name, key: &alert.key, why: &error.to_string() }.emit(),
    }
    let mut state = shared.lock();
    state.lanes[at].in_flight = None;
    match result {
        Ok(receipt) => state.keep(alert, Some(&name), Delivery::Delivered { attempts: receipt.attempts }),
        Err(error) => {
            let why = error.to_string();
            state.keep(alert, Some(&name), Delivery::Failed { why: why.clone() });
            if error.is_for_good() {
                state.give_up(at, &why);
                state.lanes[at].gone = Some(why);
            }
        }
    }
}

/// The way to the dispatcher. Dropped without `finish`, it leaves waiting alerts unsent.
pub struct AlertHandle {
    config: AlertConfig,
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl AlertHandle {
    /// Hands `alert` over and returns at once: ALERT-1.
    pub fn raise(&self, mut alert: Alert) -> Raised {
        let mut state = self.shared.lock();
        match state.dedup.take(&alert, self.config.repeat_every) {
            Verdict::HoldBack => {
                state.repeated += 1;
                return Raised::Repeated;
            }
            Verdict::Tell { held_back: 0 } => {}
            Verdict::Tell { held_back } => {
                alert.fields.insert("repeats_held_back".to_owned(), held_back.to_string());
            }
        }
        let receivers = routing::receivers(&self.config.routes, alert.severity);
        let alert = Arc::new(alert);
        if receivers.is_empty() {
            let why = "no route takes this severity".to_owned();
            state.keep(alert, None, Delivery::Dropped { why });
            return Raised::Unrouted;
        }
        receivers.iter().for_each(|name| state.enqueue(&alert, name));
        Raised::Queued
    }

    /// The rows known so far, for a run that has no end.
    #[must_use]
    pub fn take_rows(&self) -> Vec<DeliveryRow> {
        std::mem::take(&mut self.shared.lock().rows)
    }

    /// Waits at most `deadline` for what is on its way, and a second at most for the thread to end.
    #[must_use]
    pub fn finish(mut self, deadline: Duration) -> Report {
        self.shared.close(deadline);
        // The channel closes when the thread is done; nothing is ever sent.
        let has_ended = self.ended.recv_timeout(deadline.saturating_add(GRACE)) != Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| has_ended) {
            // A panic was printed by its own thread; its alerts are in the report as failed.
            let _panicked = thread.join();
        }
        let mut state = self.shared.lock();
        state.give_up_all("the dispatcher stopped");
        Report {
            rows: std::mem::take(&mut state.rows),
            repeated: state.repeated,
            rows_lost: state.rows_lost,
            dedup: std::mem::take(&mut state.dedup),
        }
    }
}

impl Drop for AlertHandle {
    fn drop(&mut self) {
        self.shared.close(Duration::ZERO);
    }
}
