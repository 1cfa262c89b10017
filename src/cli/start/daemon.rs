//! The loop of a running program: holds the account, does what is due, lends the account to whoever asks, ends when asked.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Child;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Context;
use super::super::alerting::Alerting;
use super::super::exit::{Exit, Failure};
use super::super::live::{self, Task, connect, venue_word};
use super::super::output::{print_err, print_out};
use super::super::run::journal_failure;
use super::super::select::Select;
use super::super::table::to_second;
use super::super::work::Workplace;
use super::account::{Account, OnVenue};
use super::beat::Beat;
use super::meters::{Figures, Meters};
use super::outcome::{KIND, Outcome};
use super::reload::Documents;
use super::slot::is_passing;
use super::watch::Watch;
use crate::domain::{Span, Time};
use crate::pipeline::StageKind;
use crate::profile::VenueKind;
use crate::runner::agenda::{Agenda, Pauses};
use crate::runner::control::Door;
use crate::runner::drive::Told;
use crate::runner::folder::{Stamp, run_id};
use crate::runner::setup;
use crate::runner::trader::TraderState;
use crate::stage::alert::Alert;
use crate::store::journal::Journal;
use crate::telemetry::record::Notice;

/// The loop turns at least so often: what a service manager's watchdog waits for, twice and more.
const TURN_EVERY: Span = Span::from_secs(5);
/// After a failure that may pass, the account is taken up again after so long.
const AGAIN_AFTER: Span = Span::from_secs(10);
/// Whether a lent account has come back is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Under this name the journal keeps the last slot of each pipeline.
pub const SLOTS: &str = "slots";
/// Under this name it keeps which schedules a person has paused.
pub const PAUSES: &str = "schedule-pauses";

/// How the holding of an account ends.
enum Held {
    /// Somebody asked to stop.
    Stopped(Exit),
    /// A verb wants it.
    Wanted(String),
}

/// Who is told: one dispatcher for all pipelines, since what people hear of stands in the one log of the profile.
pub(super) struct Hands {
    alerting: Option<Rc<Alerting>>,
    /// The pipeline that it was started for.
    pipeline: usize,
    watch: Option<Watch>,
}

impl Hands {
    /// The journal has a notice of a pipeline.
    pub(super) fn notice(&self, pipeline: usize, notice: &Notice) {
        match &self.alerting {
            Some(alerting) if pipeline == self.pipeline => alerting.notice(notice),
            Some(alerting) => alerting.wake(),
            None => {}
        }
    }

    /// Writes alerts into the log, from where they go out like all that is in it.
    pub(super) fn tell(&self, journal: &mut Journal, alerts: &[Alert], now: Time) -> Result<(), Failure> {
        self.alerting.as_ref().map_or(Ok(()), |alerting| alerting.tell(journal, alerts, now))
    }

    /// Waits, within a bound, for what is on its way.
    fn finish(self, is_well: bool) -> Result<Vec<String>, Failure> {
        self.alerting.and_then(Rc::into_inner).map_or(Ok(Vec::new()), |alerting| alerting.finish(None, is_well))
    }
}

/// A running program.
pub(super) struct Daemon<'a> {
    pub context: &'a Context,
    pub places: Vec<Arc<Workplace>>,
    /// `runs/<profile>`.
    pub folder: PathBuf,
    pub stop: Arc<AtomicBool>,
    pub door: Door,
    pub meters: Arc<Meters>,
    pub agenda: Agenda,
    pub beat: Beat,
    /// What became of the last slot of each pipeline.
    pub lasts: BTreeMap<String, Outcome>,
    /// What their documents were when they were last looked at.
    pub documents: Vec<Documents>,
    pub select: &'a Select,
    /// A rollback that an alert has begun; it borrows the account, and outlives the holding of it.
    pub rollback: Option<Child>,
    pub began: Time,
    /// Where metrics are.
    pub endpoint: String,
}

impl Daemon<'_> {
    pub(super) fn now(&self) -> Time {
        self.context.clock.now()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs until somebody asks to stop.
    ///
    /// # Errors
    /// What no waiting mends; and what goes wrong before the account was held for the first time.
    pub(super) fn run(&mut self, journal: Journal) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut journal, mut has_held) = (Some(journal), false);
        loop {
            let held = match journal.take().map_or_else(|| Journal::open(&self.folder).map_err(journal_failure), Ok) {
                Ok(mut journal) => runtime.block_on(self.hold(&mut journal, &mut has_held)),
                Err(failure) => Err(failure),
            };
            match held {
                Ok(Held::Stopped(exit)) => return Ok(exit),
                Ok(Held::Wanted(verb)) => self.lend(&verb),
                Err(failure) if has_held && is_passing(failure.exit) => {
                    if self.is_stopped() {
                        return Err(failure);
                    }
                    self.complain(&failure);
                    runtime.block_on(self.rest());
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Holds the account until somebody wants it or the program is to end.
    async fn hold(&mut self, journal: &mut Journal, has_held: &mut bool) -> Result<Held, Failure> {
        self.agenda.set_pauses(journal.kept::<Pauses>(PAUSES)?.unwrap_or_default());
        for pipeline in 0..self.places.len() {
            self.settle(journal, pipeline)?;
        }
        let has_alerts = |place: &Arc<Workplace>| place.plan.is_enabled(StageKind::Alert);
        let pipeline = self.trading_on_venue().or_else(|| self.places.iter().position(has_alerts)).unwrap_or(0);
        let alerting = Alerting::start(self.context, &self.places[pipeline])?.map(Rc::new);
        let watch = alerting.is_some().then(|| Watch::open(&self.places[pipeline], self.now())).transpose()?;
        let mut hands = Hands { alerting, pipeline, watch };
        let held = match self.trading_on_venue() {
            None => {
                *has_held = true;
                self.turn(&mut Account::Paper(&mut *journal), &mut hands).await
            }
            Some(pipeline) => {
                let on = self.open_venue(pipeline, journal, &hands).await?;
                *has_held = true;
                let mut account = Account::Venue(Box::new(on));
                let held = self.turn(&mut account, &mut hands).await;
                self.leave(account, held).await
            }
        };
        let told = hands.finish(held.is_ok());
        // The end of the log is on the disk, and the next start finds a short write-ahead log.
        journal.seal().and_then(|()| journal.checkpoint()).map_err(journal_failure)?;
        told?.iter().for_each(|warning| print_err(&format!("warning: {warning}\n")));
        held
    }

    /// The pipeline that sends orders to a real venue, if one does.
    fn trading_on_venue(&self) -> Option<usize> {
        self.places.iter().position(|place| place.trades_on_venue())
    }

    async fn open_venue<'j>(&self, pipeline: usize, journal: &'j mut Journal, hands: &Hands) -> Result<OnVenue<'j>, Failure>
    where
        Self: 'j,
    {
        let place = self.places[pipeline].clone();
        let connection = connect(self.context, &place.profile, place.plan.symbols(), place.lake.local()).await?;
        let mut stamp = self.venue_stamp(&place)?;
        stamp.run = run_id(&stamp.profile, &stamp.standing(), self.now());
        journal.begin(&stamp.run, &serde_json::to_string(&stamp)?)?;
        let alerting = hands.alerting.clone();
        let tell = move |told: Told<'_>| {
            let Some(alerting) = &alerting else { return };
            match told {
                Told::Alarm(_) => alerting.wake(),
                Told::Notice(notice) => alerting.notice(notice),
            }
        };
        let task = Task { context: self.context, place: &place, stop: &self.stop };
        let mut driver = live::open(&task, &connection, journal, &stamp, Box::new(tell)).await?;
        driver.wake_by(self.door.bell());
        let counted = driver.live().trader().desk().tally().clone();
        Ok(OnVenue { driver, pipeline, stamp, venue: connection.address.as_str().to_owned(), counted })
    }

    /// What the next run of a pipeline on a real venue is stamped with.
    pub(super) fn venue_stamp(&self, place: &Workplace) -> Result<Stamp, Failure> {
        let mut stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "start", String::new());
        stamp.mode = venue_word(&place.profile).to_owned();
        (stamp.fingerprints.data, stamp.reads) = place.reads(None, None)?;
        Ok(stamp)
    }

    /// Turns until somebody wants the account or the program is to end.
    async fn turn(&mut self, account: &mut Account<'_>, hands: &mut Hands) -> Result<Held, Failure> {
        self.turned(account);
        // What was lent may have been changed by a person, documents included.
        for pipeline in 0..self.places.len() {
            self.reload(account, pipeline, self.select)?;
        }
        self.show_accounts(account)?;
        self.beat.ready("ready");
        loop {
            self.turned(account);
            if self.is_stopped() {
                return Ok(Held::Stopped(Exit::Done));
            }
            if let Some(verb) = self.door.wanted() {
                return Ok(Held::Wanted(verb));
            }
            for due in self.agenda.take(self.now()) {
                self.reload(account, due.pipeline, self.select)?;
                self.settle_down(account, due.pipeline)?;
                let outcome = self.slot(account, hands, &due).await?;
                self.agenda.finished(due.pipeline, self.now());
                self.keep(account, outcome)?;
                self.turned(account);
            }
            self.watch(hands)?;
            let now = self.now();
            let until = self.agenda.next_wake().map_or(now + TURN_EVERY, |wake| wake.min(now + TURN_EVERY));
            let (bell, door) = (self.door.bell(), &self.door);
            account.wait(now, until, &bell, &self.stop, || door.wanted().is_some()).await?;
        }
    }

    /// Looks at the rules when it is time.
    fn watch(&mut self, hands: &mut Hands) -> Result<(), Failure> {
        let (Some(watch), Some(alerting)) = (&mut hands.watch, &hands.alerting) else { return Ok(()) };
        let (place, now, meters) = (&self.places[hands.pipeline], self.now(), &self.meters);
        let seen = watch.look(self.context, place, alerting, || meters.readings(), &mut self.rollback, now)?;
        if let Some(seen) = seen {
            self.meters.criticals(seen.criticals);
            seen.lines.iter().for_each(|line| self.say(line));
        }
        Ok(())
    }

    /// Says and writes down what became of a slot.
    fn keep(&mut self, account: &mut Account<'_>, mut outcome: Outcome) -> Result<(), Failure> {
        let now = self.now();
        outcome.ended = now;
        account.note(KIND, serde_json::to_value(&outcome)?, now)?;
        let mut slots: BTreeMap<String, Time> = account.journal().kept(SLOTS)?.unwrap_or_default();
        slots.insert(outcome.pipeline.clone(), outcome.slot);
        account.journal().keep(SLOTS, &slots)?;
        self.show_accounts(account)?;
        if self.context.json {
            let line = json!({ "schema": "tidegate/start-slot/1", "outcome": outcome });
            print_out(&format!("{line}\n"));
        } else {
            print_out(&outcome.line());
            let _ = std::io::stdout().flush();
        }
        self.lasts.insert(outcome.pipeline.clone(), outcome);
        Ok(())
    }

    /// The loop has turned: metrics, the service manager and whoever asks for the state are told.
    pub(super) fn turned(&mut self, account: &mut Account<'_>) {
        let now = self.now();
        self.meters.beat(now, &self.agenda);
        if let Account::Venue(on) = account {
            let place = &self.places[on.pipeline];
            let trip = on.live().books().round_trips.figures().map(|figures| figures.last);
            self.meters.venue(venue_word(&place.profile), on.driver.is_answered(), trip);
            self.meters.account(&Figures {
                pipeline: place.plan.name(),
                desk: on.live().trader().desk().state(),
                symbols: place.plan.symbols(),
                is_reconciled: on.live().is_reconciled(),
                open_orders: on.live().router().state().open().count(),
                step: place.profile.step(),
                limits: place.trader.desk.gate.limits(),
                now,
            });
            let tally = on.live().trader().desk().tally();
            if *tally != on.counted {
                self.meters.did(place.plan.name(), &on.counted, tally);
                on.counted = tally.clone();
            }
            self.meters.unfetched(venue_word(&place.profile), on.driver.take_unfetched());
        }
        let next = self.agenda.next_wake().map_or_else(|| "nothing is due".to_owned(), |wake| format!("next at {wake}"));
        self.beat.turned(&next);
        self.door.say(self.state("running", account));
    }

    /// Accounts on paper do not change between slots: they are shown as the journal has them.
    fn show_accounts(&self, account: &mut Account<'_>) -> Result<(), Failure> {
        let Account::Paper(journal) = account else { return Ok(()) };
        for place in &self.places {
            let stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "run", String::new());
            let Some(standing) = journal.standing::<TraderState>(&stamp.standing())? else { continue };
            self.meters.account(&Figures {
                pipeline: place.plan.name(),
                desk: standing.snapshot.desk(),
                symbols: place.plan.symbols(),
                is_reconciled: true,
                open_orders: 0,
                step: place.profile.step(),
                limits: place.trader.desk.gate.limits(),
                now: self.now(),
            });
        }
        Ok(())
    }

    /// What `status` is answered with.
    fn state(&self, word: &str, account: &Account<'_>) -> Value {
        let upcoming: BTreeMap<&str, Option<String>> =
            self.agenda.upcoming().map(|(name, slot)| (name, slot.map(|slot| slot.at.to_string()))).collect();
        let pipelines: Vec<Value> = self
            .places
            .iter()
            .map(|place| {
                let name = place.plan.name();
                json!({
                    "pipeline": name,
                    "next": upcoming.get(name),
                    "paused": self.agenda.pauses().get(name).map(|until| until.map_or_else(|| "until resumed".to_owned(), |t| t.to_string())),
                    "last": self.lasts.get(name),
                })
            })
            .collect();
        let venue = match account {
            Account::Paper(_) => None,
            Account::Venue(on) => Some(json!({
                "address": on.venue,
                "answers": on.driver.is_answered(),
                "listening": on.live().is_listening(),
                "reconciled": on.live().is_reconciled(),
                "open_orders": on.live().router().state().open().count(),
            })),
        };
        json!({
            "state": word,
            "pid": std::process::id(),
            "began": self.began.to_string(),
            "turned": self.now().to_string(),
            "metrics": self.endpoint,
            "pipelines": pipelines,
            "venue": venue,
        })
    }

    /// Lets a verb have the account until it has ended.
    fn lend(&mut self, verb: &str) {
        if !self.context.json && !self.context.quiet {
            print_out(&format!("{}  lent to `{verb}`\n", to_second(self.now())));
        }
        let mut status = json!({ "state": "lent", "verb": verb, "pid": std::process::id(), "began": self.began.to_string() });
        status["metrics"] = json!(self.endpoint);
        self.door.say(status);
        while !self.door.lend(LOOK_EVERY) {
            self.meters.beat(self.now(), &self.agenda);
            self.beat.turned(&format!("lent to {verb}"));
            if self.is_stopped() {
                return;
            }
        }
    }

    /// Leaves an account on a real venue: at the end what rests is withdrawn and what nobody knows is asked about, within a bound.
    async fn leave(&self, account: Account<'_>, held: Result<Held, Failure>) -> Result<Held, Failure> {
        let Account::Venue(mut on) = account else { return held };
        let mut held = held?;
        if matches!(held, Held::Stopped(_)) {
            self.beat.stopping();
            on.driver.wind_down().await.map_err(live::drive_failure)?;
            let left: Vec<String> = on.live().router().state().open().map(|order| order.id().to_string()).collect();
            if !left.is_empty() {
                print_err(&format!("not known to have ended: {}; `tidegate reconcile` asks again\n", left.join(", ")));
                held = Held::Stopped(Exit::PositionsOpen);
            }
        }
        on.driver.keep_rest().map_err(live::drive_failure)?;
        on.conclude(&self.folder)?;
        Ok(held)
    }

    /// Waits a while after a failure that may pass.
    async fn rest(&mut self) {
        let until = self.now() + AGAIN_AFTER;
        while self.now() < until && !self.is_stopped() {
            self.meters.beat(self.now(), &self.agenda);
            self.beat.turned("the account cannot be held; trying again");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn complain(&self, failure: &Failure) {
        if let Some(pipeline) = self.trading_on_venue() {
            self.meters.venue(venue_word(&self.places[pipeline].profile), false, None);
        }
        let again = format!("the account is taken up again in {AGAIN_AFTER}");
        print_err(&format!("{}  {:#}; {again}\n", to_second(self.now()), failure.error));
        self.door.say(json!({
            "state": "waiting", "why": format!("{:#}", failure.error), "pid": std::process::id(), "began": self.began.to_string(),
            "metrics": self.endpoint,
        }));
    }
}

impl Workplace {
    /// Does it send orders to a real venue?
    #[must_use]
    pub fn trades_on_venue(&self) -> bool {
        self.profile.venue() != VenueKind::Paper && self.plan.is_enabled(StageKind::Model) && self.plan.is_enabled(StageKind::Oms)
    }
}
