//! The shell of [`Live`]: writes each step down, then makes its requests, and hears answers, events, the latch and the clock.
//!
//! Everything that can wait is bounded by the client, or by the deadline of [`Driver::run_until`]. What cannot be written down is the
//! end: everything open is withdrawn without the journal's help, and the caller is told that positions may be open.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

use super::drill;
use super::live::{AskId, Closed, Event, Live, LiveConfig, Step};
use super::trader::{RestoreError, TraderState};
use crate::clock::Clock;
use crate::domain::{Bar, ClientOrderId, OrderState, Purpose, Span, Symbol, SymbolIndex, Time};
use crate::risk::Limits;
use crate::store::journal::{Entry, Holder, Journal, JournalError, Lease, Standing};
use crate::store::latch::{self, Latch, LatchError, Latched};
use crate::telemetry::record::Notice;
use crate::venue::binance::{Client, Rules};
use crate::venue::router::{Alarm, Fact};
use crate::venue::wire::{Account, Answer, Failure, Push, Request};

/// The latch is looked at so often, whatever else happens.
const LOOK_EVERY: Span = Span::from_millis(200);
const RENEW_EVERY: Span = Span::from_secs(10);
/// Writes in a row that find another program in the way; each waits a second.
const BUSY_MAX: u32 = 3;
/// The venue's clock and rules are asked for so often.
const MAINTAIN_EVERY: Span = Span::from_secs(60);
/// The watermark of an account that has seen no bar yet.
const NO_BAR: Time = Time::from_micros(0);
/// Who asks a program to end waits ten seconds; without a doubt all orders have ended by then.
const WITHDRAW_WITHIN: Span = Span::from_secs(8);
/// Nobody knows for a minute what became of an order: somebody is woken by then.
pub const RESOLVE_WITHIN: Span = Span::from_secs(60);
/// Answers that wait to be looked at; whoever makes more requests waits.
const ANSWERS_MAX: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the venue does not show the account")]
    Account(#[source] Failure),
    #[error(
        "the journal cannot be written: everything open was asked to be withdrawn ({withdrawn} of {symbols} symbols); positions may be open"
    )]
    LastStand { source: JournalError, withdrawn: usize, symbols: usize },
    #[error(transparent)]
    Latch(#[from] LatchError),
}

/// What the driver works on.
#[derive(Debug, Clone)]
pub struct Job {
    pub live: LiveConfig,
    /// `pipeline@mode`.
    pub account: String,
    pub run: String,
    /// Of what the models' memory depends on.
    pub fingerprint: String,
    /// `runs/<profile>`.
    pub folder: PathBuf,
    /// How long the end waits for orders in doubt.
    pub resolve_within: Span,
    /// Where the process stops itself, on a venue to rehearse on only: the name of a step of the journal.
    pub drill: Option<String>,
}

/// What people hear of.
pub enum Told<'a> {
    Alarm(&'a Alarm),
    Notice(&'a Notice),
}

pub struct Driver<'a> {
    live: Live,
    journal: &'a mut Journal,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    job: Job,
    watermark: Time,
    lease: Lease,
    renewed_at: Time,
    maintained_at: Option<Time>,
    answers: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    pushes: Option<mpsc::Receiver<Push>>,
    is_latched: bool,
    /// The machine knows what no commit has yet.
    is_ahead: bool,
    /// The rules that the machine goes by.
    rules: Option<Arc<Rules>>,
    closed: Option<Closed>,
    /// Rung by whoever wants the driving to look up at once.
    bell: Arc<Notify>,
    /// Did the venue answer the last question?
    is_answered: bool,
    /// Questions about the account that had no answer, since somebody asked.
    unfetched: u64,
    /// Under which the snapshot is kept: the one before, until models that are new have seen the past.
    fingerprint: String,
    tell: Box<dyn FnMut(Told<'_>) + 'a>,
}

impl<'a> Driver<'a> {
    /// Takes the account up where the journal left it; a new one begins with what the venue shows.
    ///
    /// # Errors
    /// When another program has the account, the venue does not show it, or the snapshot does not fit.
    pub async fn open(
        job: Job,
        journal: &'a mut Journal,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
        pushes: Option<mpsc::Receiver<Push>>,
        tell: Box<dyn FnMut(Told<'_>) + 'a>,
    ) -> Result<Self, DriveError> {
        let now = clock.now();
        let lease = journal.claim(&job.account, &Holder::this_process(now), now)?;
        let standing = journal.standing::<TraderState>(&job.account)?;
        let (live, watermark, fingerprint) = match standing {
            Some(standing) => {
                let is_sending = |order: &&crate::store::journal::OrderEntry| order.state == OrderState::Sending.name();
                let open = journal.open_orders(&job.account)?;
                let sent: BTreeSet<ClientOrderId> = open.iter().filter(is_sending).map(|order| order.id).collect();
                let cold = standing.fingerprint != job.fingerprint;
                (Live::restore(job.live.clone(), standing.snapshot, &sent, cold, now)?, standing.watermark, standing.fingerprint)
            }
            None => match client.call(&Request::Account).await {
                Ok(Answer::Account(account)) => (Live::begin(job.live.clone(), &account, now), NO_BAR, job.fingerprint.clone()),
                Ok(_) => return Err(DriveError::Account(Failure::Protocol("no account in the answer".to_owned()))),
                Err(failure) => return Err(DriveError::Account(failure)),
            },
        };
        let answers = mpsc::channel(ANSWERS_MAX);
        let mut driver = Self {
            live,
            journal,
            client,
            clock,
            job,
            watermark,
            lease,
            renewed_at: now,
            maintained_at: None,
            answers,
            pushes,
            is_latched: false,
            is_ahead: false,
            rules: None,
            closed: None,
            bell: Arc::default(),
            is_answered: true,
            unfetched: 0,
            fingerprint,
            tell,
        };
        // What the account was when we came is the first thing to be kept.
        driver.keep_all(&Step::default(), &[], now)?;
        driver.hand_over_rules().await?;
        driver.handle(Event::Tick).await?;
        Ok(driver)
    }

    #[must_use]
    pub const fn live(&self) -> &Live {
        &self.live
    }

    #[must_use]
    pub const fn watermark(&self) -> Option<Time> {
        if self.watermark.micros() == NO_BAR.micros() { None } else { Some(self.watermark) }
    }

    /// The first open time whose bars are needed: all of them where models are new or changed, and must see the past.
    #[must_use]
    pub fn needs_from(&self) -> Option<Time> {
        if self.is_cold() { None } else { self.watermark().map(|time| time.saturating_add(Span::from_micros(1))) }
    }

    fn is_cold(&self) -> bool {
        self.fingerprint != self.job.fingerprint
    }

    /// How a word to close everything ended, once it has.
    #[must_use]
    pub const fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    #[must_use]
    pub const fn journal(&self) -> &Journal {
        self.journal
    }

    /// For what is no part of the account's own state: notes, and runs that begin and end.
    pub const fn journal_mut(&mut self) -> &mut Journal {
        self.journal
    }

    /// Looks up when this rings.
    pub fn wake_by(&mut self, bell: Arc<Notify>) {
        self.bell = bell;
    }

    /// Records belong to this run from now on.
    pub fn turn_over(&mut self, run: String) {
        self.job.run = run;
    }

    /// Takes of each limit the tighter one, from now on.
    pub fn tighten(&mut self, limits: &Limits) {
        self.live.trader_mut().desk_mut().tighten(limits);
    }

    /// How often the account could not be fetched since this was asked last.
    pub const fn take_unfetched(&mut self) -> u64 {
        std::mem::replace(&mut self.unfetched, 0)
    }

    /// Does the venue answer?
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Keeps what was learnt since the last commit, like how long an order took whose events came before its answer.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn keep_rest(&mut self) -> Result<(), DriveError> {
        if std::mem::take(&mut self.is_ahead) {
            self.keep_all(&Step::default(), &[], self.clock.now())?;
        }
        Ok(())
    }

    /// Ends the driving. The lease runs out by itself, and a program on the same machine need not wait for it.
    #[must_use]
    pub fn finish(self) -> Live {
        self.live
    }

    /// Takes bars that are past trading: models learn, the account is marked; one commit for all. Models that are new see those
    /// up to the watermark too, and nothing else of them counts again.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn catch_up(&mut self, moments: impl Iterator<Item = (Time, Vec<(SymbolIndex, Bar)>)>) -> Result<(), DriveError> {
        let now = self.clock.now();
        let mut all = Step::default();
        for (open_time, bars) in moments {
            if open_time <= self.watermark {
                if self.is_cold() {
                    bars.iter().for_each(|(symbol, bar)| self.live.trader_mut().warm(*symbol, bar));
                }
                continue;
            }
            let step = self.live.handle(Event::Moment { open_time, bars }, now);
            all.records.append(step.records);
            all.facts.extend(step.facts);
            all.alarms.extend(step.alarms);
            all.asks.extend(step.asks);
            all.watermark = step.watermark.or(all.watermark);
        }
        self.fingerprint.clone_from(&self.job.fingerprint);
        self.perform(all, now).await
    }

    /// Takes the bars of a moment that has just closed.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub async fn moment(&mut self, open_time: Time, bars: Vec<(SymbolIndex, Bar)>) -> Result<(), DriveError> {
        self.handle(Event::Moment { open_time, bars }).await?;
        self.handle(Event::Tick).await
    }

    /// The program is to end: nothing new, what rests is withdrawn, and what is in doubt is asked about for as long as the job says.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub async fn wind_down(&mut self) -> Result<(), DriveError> {
        let (began, never) = (self.clock.now(), AtomicBool::new(false));
        self.handle(Event::WindDown).await?;
        if !self.run_until(began + WITHDRAW_WITHIN.min(self.job.resolve_within), &never, Live::has_none_open).await? {
            self.run_until(began + self.job.resolve_within, &never, |live| live.in_doubt().next().is_none()).await?;
        }
        Ok(())
    }

    /// Stops everything, and closes everything where a purpose is given.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub async fn stop(&mut self, close: Option<Purpose>) -> Result<(), DriveError> {
        self.is_latched = true;
        self.handle(Event::Stop { close }).await
    }

    /// Takes the venue's balances for right: a person's word.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub async fn accept(&mut self, account: Account) -> Result<(), DriveError> {
        self.handle(Event::Accept(account)).await?;
        let now = self.clock.now();
        Ok(self.keep_all(&Step::default(), &[], now)?)
    }

    /// Lets the account live until `done` says so, the deadline passes or somebody asks to stop. Gives whether `done` did.
    ///
    /// # Errors
    /// When the journal cannot be written, or the account was taken over by another program.
    pub async fn run_until(
        &mut self,
        deadline: Time,
        stop: &AtomicBool,
        mut done: impl FnMut(&Live) -> bool,
    ) -> Result<bool, DriveError> {
        loop {
            self.look_after().await?;
            if done(&self.live) {
                return Ok(true);
            }
            let now = self.clock.now();
            if now >= deadline || stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let wake = self.live.next_wake().min(deadline).min(now + LOOK_EVERY);
            // What waits to be sent at once waits since before all time.
            let event = self.next_event(wake.max(now) - now).await;
            self.handle(event).await?;
        }
    }

    async fn next_event(&mut self, wait: Span) -> Event {
        let pushes = async {
            match &mut self.pushes {
                Some(pushes) => pushes.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(event) = self.answers.1.recv() => event,
            push = pushes => match push {
                Some(push) => Event::Push(push),
                None => {
                    self.pushes = None;
                    Event::Push(Push::Down { why: "nobody listens to the venue any more".to_owned() })
                }
            },
            () = self.bell.notified() => Event::Tick,
            () = tokio::time::sleep(wait.to_std()) => Event::Tick,
        }
    }

    /// The latch, the lease and the venue's clock.
    async fn look_after(&mut self) -> Result<(), DriveError> {
        let now = self.clock.now();
        // One that cannot be read counts as set.
        let is_set = !matches!(Latch::read(&self.job.folder), Ok(None));
        if is_set && !self.is_latched {
            self.stop(None).await?;
        }
        self.hand_over_rules().await?;
        if now - self.renewed_at >= RENEW_EVERY {
            self.renew(now).await?;
        }
        if self.maintained_at.is_none_or(|at| now - at >= MAINTAIN_EVERY) {
            self.maintained_at = Some(now);
            let (client, out) = (self.client.clone(), self.answers.0.clone());
            tokio::spawn(async move {
                if client.maintain().await.is_ok()
                    && let Some(offset) = client.clock().offset()
                {
                    let _gone = out.send(Event::Offset(offset.ahead)).await;
                }
            });
        }
        Ok(())
    }

    /// C18: what was read since the last look counts from here on, each hour and after a rejection by a rule.
    async fn hand_over_rules(&mut self) -> Result<(), DriveError> {
        let is_new = |rules: &Arc<Rules>| !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules));
        let Some(rules) = self.client.rules().filter(is_new) else { return Ok(()) };
        let listings = self.job.live.router.symbols.iter().map(|symbol| rules.listing(symbol)).collect();
        self.rules = Some(rules);
        self.handle(Event::Rules(listings)).await
    }

    async fn handle(&mut self, event: Event) -> Result<(), DriveError> {
        if matches!(event, Event::Answer(AskId::Router(_), Ok(Answer::Order(_)))) {
            self.drill("J5");
        }
        if let Event::Answer(id, result) = &event {
            self.is_answered = !matches!(result, Err(Failure::NotSent(_) | Failure::Ambiguous(_) | Failure::Banned { .. }));
            self.unfetched += u64::from(result.is_err() && matches!(id, AskId::Compare(..)));
        }
        let now = self.clock.now();
        let step = self.live.handle(event, now);
        self.perform(step, now).await
    }

    /// LIVE-1: first the disk, then the venue, then people.
    async fn perform(&mut self, step: Step, now: Time) -> Result<(), DriveError> {
        if step.is_to_be_kept() {
            self.keep_or_stand(&step, now).await?;
            self.is_ahead = false;
        } else {
            self.is_ahead |= step.is_measured;
        }
        for (id, request) in step.asks {
            if matches!(request, Request::Place(_)) {
                self.drill("J3");
            }
            let (client, out) = (self.client.clone(), self.answers.0.clone());
            tokio::spawn(async move {
                let result = client.call(&request).await;
                // Nobody waits for it any more: the driver has ended.
                let _gone = out.send(Event::Answer(id, result)).await;
            });
        }
        self.drill_behind(&step.facts);
        if !(step.alarms.is_empty() && step.records.notices.is_empty()) {
            self.drill("J8");
        }
        step.alarms.iter().for_each(|alarm| (self.tell)(Told::Alarm(alarm)));
        step.records.notices.iter().for_each(|notice| (self.tell)(Told::Notice(notice)));
        self.closed = step.closed.or(self.closed.take());
        Ok(())
    }

    /// A17, A18, A21: what cannot be written down is not sent; another program that holds the file is waited for, and not for long.
    async fn keep_or_stand(&mut self, step: &Step, now: Time) -> Result<(), DriveError> {
        loop {
            match self.keep(step, now) {
                Ok(()) => return Ok(()),
                Err(JournalError::Busy { times, .. }) if times < BUSY_MAX => {}
                Err(source) => return Err(self.last_stand(source).await),
            }
        }
    }

    /// A24: a lease that ran out is claimed anew, and what happened meanwhile is asked for. Whoever else has it keeps it.
    async fn renew(&mut self, now: Time) -> Result<(), DriveError> {
        match self.journal.renew(&self.lease, now) {
            Ok(()) => self.renewed_at = now,
            Err(JournalError::Lost { .. }) => {
                self.lease = self.journal.claim(&self.job.account, &Holder::this_process(now), now)?;
                self.renewed_at = now;
                self.handle(Event::Doubt).await?;
            }
            Err(JournalError::Busy { times, .. }) if times < BUSY_MAX => {}
            Err(source) => return Err(self.last_stand(source).await),
        }
        Ok(())
    }

    fn keep(&mut self, step: &Step, now: Time) -> Result<(), JournalError> {
        if step.facts.iter().any(|fact| matches!(fact, Fact::Intended { .. })) {
            self.drill("J1");
        }
        if let Some(open_time) = step.watermark {
            self.watermark = open_time;
        }
        let symbols = &self.job.live.router.symbols;
        let mut entries: Vec<Entry> = step.facts.iter().map(|fact| entry(fact, &self.job.account, symbols)).collect();
        let note = |alarm: &Alarm| Entry::Note { kind: "alarm", body: json(alarm) };
        entries.extend(step.alarms.iter().map(note));
        let is_on_its_way = |fact: &Fact| matches!(fact, Fact::Moved { order } if order.state == OrderState::Sending);
        let only_sending = step.records.is_empty() && step.alarms.is_empty() && step.watermark.is_none() && step.closed.is_none();
        if only_sending && step.facts.iter().all(is_on_its_way) {
            // On the way to the venue: one row, and no snapshot.
            return self.journal.write(&entries, now).map(drop);
        }
        self.keep_all(step, &entries, now)
    }

    fn keep_all(&mut self, step: &Step, entries: &[Entry], now: Time) -> Result<(), JournalError> {
        let standing =
            Standing { watermark: self.watermark, fingerprint: self.fingerprint.clone(), snapshot: self.live.snapshot() };
        self.journal.commit_with(&self.job.run, &self.job.account, &standing, &step.records, entries, now).map(drop)
    }

    /// A17, A18: without a journal nothing may be sent but withdrawals, and those need none.
    async fn last_stand(&mut self, source: JournalError) -> DriveError {
        let reason = format!("the journal could not be written: {source}");
        let latched = Latched { cause: "journal".to_owned(), at: self.clock.now(), by: "tidegate".to_owned(), reason };
        // The latch may fail on the same disk; the error says the rest.
        let _may_fail = Latch::set(&self.job.folder, &latched);
        let symbols = self.job.live.router.symbols.len();
        let mut withdrawn = 0;
        for at in 0..symbols {
            let symbol = SymbolIndex(u16::try_from(at).expect("symbols fit 16 bits"));
            withdrawn += usize::from(self.client.call(&Request::CancelAll { symbol }).await.is_ok());
        }
        DriveError::LastStand { source, withdrawn, symbols }
    }

    /// Stops the process at a step of the journal, so that a rehearsal can kill it there.
    fn drill(&self, step: &str) {
        drill::stop_at(step, self.job.drill.as_deref());
    }

    fn drill_behind(&self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Intended { .. } => self.drill("J2"),
                Fact::Moved { order } if order.state == OrderState::Sending => self.drill("J4"),
                Fact::Filled { .. } => self.drill("J7"),
                Fact::Moved { .. } => self.drill("J6"),
            }
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("facts and alarms have text keys only")
}

fn entry(fact: &Fact, account: &str, symbols: &[Symbol]) -> Entry {
    match fact {
        Fact::Intended { order } => Entry::Intent { account: account.to_owned(), id: order.id(), body: json(order) },
        Fact::Moved { order } => {
            Entry::Order { id: order.id(), state: order.state.name(), body: json(order), is_open: !order.state.is_terminal() }
        }
        Fact::Filled { id, symbol, fill } => Entry::Fill {
            account: account.to_owned(),
            symbol: symbols[symbol.at()].joined(),
            trade: fill.trade.0,
            order: *id,
            body: json(fill),
        },
    }
}

/// The file of the latch, for messages.
#[must_use]
pub fn latch_file(folder: &std::path::Path) -> PathBuf {
    folder.join(latch::FILE)
}
