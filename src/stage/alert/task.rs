//! The dispatcher: a thread of its own that follows the log, plans messages and sends them while the core trades.
//!
//! A thread and not a task among others, because a run keeps its thread busy for seconds. Everything it knows is in the outbox; what
//! it has not done when it ends, the next one does.

mod dispatch;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::config::{AlertConfig, Severity};
use super::message::Alert;
use crate::clock::Clock;
use crate::domain::{Symbol, Time};
use crate::notify::{Beat, Deadman, Receiver};
use crate::store::glance::Glance;
use crate::store::journal::JournalError;
use crate::store::outbox::{DeliveryRow, DeliveryState, Followed, Outbox, OutboxError, Raise, Word};

/// Alerts that are not in the log and wait to be written down; beyond it the oldest that is not critical goes.
const RAISED_MAX: usize = 10_000;
/// Pings that wait.
const BEATS_MAX: usize = 8;
/// Beyond the deadline of `finish`, for the thread to put down its tools.
const GRACE: Duration = Duration::from_secs(5);

/// What the dispatcher works with.
pub struct Setup {
    pub config: AlertConfig,
    /// By the names that routes use; a name without one fails every message sent there, visibly.
    pub receivers: BTreeMap<String, Arc<dyn Receiver>>,
    pub deadman: Option<Arc<Deadman>>,
    /// `runs/<profile>`: the outbox, and the journal whose log is followed.
    pub folder: PathBuf,
    /// Of the pipeline, in its order; for rows of runs that do not say theirs.
    pub symbols: Vec<Symbol>,
    /// Shown under every message: whose alert it is.
    pub labels: Vec<(String, String)>,
    /// What happened before is history: it is recorded, and nobody is called for it.
    pub news_from: Time,
    pub clock: Arc<dyn Clock>,
}

/// Why there is no dispatcher.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error("failed to start the alert dispatcher")]
    Start(#[source] std::io::Error),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What became of the messages of one program.
#[derive(Debug, Default)]
pub struct Report {
    /// Messages made or ended since the start, and those that wait.
    pub rows: Vec<DeliveryRow>,
    /// Why the outbox or the log could not be used at the end.
    pub stuck: Option<String>,
}

impl Report {
    /// Messages that did not reach their receiver, yet or for good.
    pub fn undelivered(&self) -> impl Iterator<Item = &DeliveryRow> {
        self.rows.iter().filter(|row| row.state != DeliveryState::Delivered)
    }
}

#[derive(Default)]
struct State {
    raised: VecDeque<Word>,
    beats: VecDeque<Beat>,
    /// Set once: this long is left for what waits.
    closing: Option<Duration>,
    stuck: Option<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
}

impl Shared {
    /// A panic elsewhere leaves the state whole: every change under the lock is one assignment or one push.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, deadline: Duration) {
        self.lock().closing.get_or_insert(deadline);
        self.wake.notify_one();
    }
}

/// Starts the dispatcher.
pub struct AlertTask;

impl AlertTask {
    /// Takes up the outbox where it stands: what the log has beyond it happened under an earlier program, and is told as late (ALERT-6).
    ///
    /// # Errors
    /// When the outbox or the log cannot be read, or the system gives no thread or no event loop.
    pub fn spawn(setup: Setup) -> Result<AlertHandle, AlertError> {
        let mut outbox = Outbox::open(&setup.folder)?;
        let now = setup.clock.now();
        outbox.prune(now)?;
        let glance = Glance::at(&setup.folder)?;
        let late_until = glance.as_ref().map_or(Ok(0), Glance::log_rows)?;
        if outbox.followed()?.is_none() {
            // What an older program left in the log was told, or not, by that program.
            let here = Followed { sequence: late_until, news_from: setup.news_from };
            outbox.take(&[], Some(here), setup.config.repeat_every, false, now)?;
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(AlertError::Start)?;
        let shared = Arc::<Shared>::default();
        let (done, ended) = mpsc::channel();
        let (theirs, folder) = (Arc::clone(&shared), setup.folder.clone());
        let thread = thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            runtime.block_on(dispatch::Dispatcher::new(setup, outbox, glance, late_until, theirs).run());
            // A name lookup that hangs must not hold up the end.
            runtime.shutdown_background();
            drop(done);
        });
        let thread = thread.map_err(AlertError::Start)?;
        Ok(AlertHandle { shared, folder, began: now, ended, thread: Some(thread) })
    }
}

/// The way to the dispatcher. Dropped without `finish`, it leaves what waits in the outbox.
pub struct AlertHandle {
    shared: Arc<Shared>,
    folder: PathBuf,
    began: Time,
    ended: mpsc::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl AlertHandle {
    /// The log has grown: there may be something in it that people must hear of. Returns at once: ALERT-1.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// Hands over what is not in the log, and returns at once: ALERT-1.
    pub fn raise(&self, alert: &Alert) {
        self.say(Word::Raise(alert.to_raise()));
    }

    /// The same for an alert of a rule, or the end of one.
    pub fn say(&self, word: Word) {
        let mut state = self.shared.lock();
        if state.raised.len() >= RAISED_MAX {
            let is_least = |word: &Word| matches!(word, Word::Raise(Raise { severity, .. }) if *severity < Severity::Critical);
            let at = state.raised.iter().position(is_least).unwrap_or(0);
            state.raised.remove(at);
        }
        state.raised.push_back(word);
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Pings the dead man's switch, if there is one. [`Beat::Well`] is withheld while no receiver takes anything: then the silence is
    /// the message.
    pub fn beat(&self, beat: Beat) {
        let mut state = self.shared.lock();
        if state.beats.len() < BEATS_MAX {
            state.beats.push_back(beat);
        }
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Sends what can be sent within `deadline`; the rest stays in the outbox for the next program.
    #[must_use]
    pub fn finish(mut self, deadline: Duration) -> Report {
        self.shared.close(deadline);
        // The channel closes when the thread is done; nothing is ever sent.
        let has_ended = self.ended.recv_timeout(deadline.saturating_add(GRACE)) != Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| has_ended) {
            // A panic was printed by its own thread; what it left is in the outbox.
            let _panicked = thread.join();
        }
        let stuck = self.shared.lock().stuck.take();
        match self.rows() {
            Ok(rows) => Report { rows, stuck },
            Err(error) => Report { rows: Vec::new(), stuck: stuck.or(Some(error.to_string())) },
        }
    }

    fn rows(&self) -> Result<Vec<DeliveryRow>, OutboxError> {
        let Some(outbox) = Outbox::look(&self.folder)? else { return Ok(Vec::new()) };
        let mut rows = outbox.pending()?;
        rows.retain(|row| row.created_at < self.began);
        rows.extend(outbox.deliveries_since(self.began)?);
        Ok(rows)
    }
}

impl Drop for AlertHandle {
    fn drop(&mut self) {
        self.shared.close(Duration::ZERO);
    }
}
