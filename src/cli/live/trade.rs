//! One run on a real venue: compare, catch up, trade the bar that has just closed, wait for its orders, compare.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use super::super::Context;
use super::super::alerting::Alerting;
use super::super::exit::{Exit, Failure};
use super::super::output::Report;
use super::super::preflight;
use super::super::round_trip;
use super::super::run::journal_failure;
use super::super::table::grouped;
use super::super::work::Workplace;
use super::connect::{Connection, connect, venue_word};
use super::words::drive_failure;
use crate::domain::{Bar, Columns, Span, SymbolIndex, Time};
use crate::feed::binance::Reach;
use crate::profile::Mode;
use crate::runner::drive::{DriveError, Driver, Job, RESOLVE_WITHIN, Told};
use crate::runner::folder::{self, Stamp};
use crate::runner::live::{Live, LiveConfig};
use crate::runner::moments::Moments;
use crate::runner::run;
use crate::runner::setup;
use crate::stage::alert::Alert;
use crate::store::journal::Journal;
use crate::store::latch::Latch;
use crate::venue::binance::stream;
use crate::venue::router::{Alarm, RouterConfig};
use crate::venue::wire::Push;

/// The account is compared with the venue's within this, or nothing is traded.
const COMPARE_WITHIN: Span = Span::from_secs(30);
/// The venue's events are waited for so long.
const LISTEN_WITHIN: Span = Span::from_secs(5);
/// Orders that do not rest have ended within this; one that has not is named.
const SETTLE_WITHIN: Span = Span::from_secs(90);
/// How long after its time stamp the venue takes a request.
const RECEIVE_WINDOW: Span = Span::from_secs(5);

/// What is traded: bars up to the newest that has closed.
pub struct Task<'a> {
    pub context: &'a Context,
    pub place: &'a Workplace,
    pub stop: &'a Arc<AtomicBool>,
}

/// Refuses what must not trade: a latch that is set, real money without a preflight and a person who names the account.
///
/// # Errors
/// [`Exit::Refused`] and [`Exit::CheckFailed`] with the way out.
pub fn admit(context: &Context, place: &Workplace, confirmed: Option<&str>) -> Result<(), Failure> {
    if context.is_clock_set {
        let error = anyhow!("--at cannot be used with a venue that lives in its own time");
        return Err(Failure::new(Exit::Usage, error).hint("leave it out, or add --paper"));
    }
    refuse_latched(place.profile.name(), &place.runs)?;
    match place.profile.mode() {
        Mode::Live => preflight::admit(context, place, confirmed),
        Mode::Paper => Ok(()),
    }
}

/// Refuses while the latch is set: nothing adds exposure then.
///
/// # Errors
/// [`Exit::Refused`] with who set it and the way out.
pub fn refuse_latched(profile: &str, runs: &Path) -> Result<(), Failure> {
    let why = match Latch::read(runs) {
        Ok(None) => return Ok(()),
        Ok(Some(latched)) => format!("{} by {} at {}: {}", latched.cause, latched.by, latched.at, latched.reason),
        Err(_) => "its reason cannot be read".to_owned(),
    };
    let error = anyhow!("profile {profile} is halted ({why})");
    Err(Failure::new(Exit::Refused, error).hint(format!("tidegate resume -p {profile} --reason \"...\"")))
}

/// How the live machine is set up for a workplace.
#[must_use]
pub fn live_config(place: &Workplace, trader: crate::runner::trader::TraderConfig) -> LiveConfig {
    let max_lateness = place.plan.schedule().max_lateness;
    let router =
        RouterConfig { symbols: place.plan.symbols().to_vec(), send_within: max_lateness, receive_window: RECEIVE_WINDOW };
    LiveConfig { trader, router, max_lateness }
}

/// Opens connection and driver for a workplace; what people should know goes to `tell`.
///
/// # Errors
/// When the venue, the journal or the account cannot be had.
pub async fn open<'a>(
    task: &Task<'_>,
    connection: &Connection,
    journal: &'a mut Journal,
    stamp: &Stamp,
    tell: Box<dyn FnMut(Told<'_>) + 'a>,
) -> Result<Driver<'a>, Failure> {
    let place = task.place;
    let mut trader = connection.fit(place.trader.clone())?;
    // Ids of one venue are never those of another.
    let scope = |symbol| folder::order_scope(place.profile.name(), place.plan.name(), &stamp.mode, symbol);
    trader.desk.scopes = place.plan.symbols().iter().map(scope).collect();
    let fingerprint = trader.fingerprint();
    // A drill stops the process in the middle: never where money is.
    let drill_of = |name| std::env::var(name).ok().filter(|_| connection.address.is_loopback());
    let drill = drill_of(crate::runner::drill::VARIABLE);
    let resolve_within = drill_of("TIDEGATE_DRILL_RESOLVE").and_then(|text| text.parse().ok()).unwrap_or(RESOLVE_WITHIN);
    let job = Job {
        live: live_config(place, trader),
        account: stamp.standing(),
        run: stamp.run.clone(),
        fingerprint,
        folder: place.runs.clone(),
        resolve_within,
        drill,
    };
    let clock = task.context.clock.clone();
    let pushes = listen(task, connection)?;
    Driver::open(job, journal, connection.client.clone(), clock, Some(pushes), tell).await.map_err(drive_failure)
}

/// Follows what the venue says of the account. The thread ends with the driver, which drops the channel.
fn listen(task: &Task<'_>, connection: &Connection) -> Result<Receiver<Push>, Failure> {
    let reach = Reach::new(task.context.clock.clone(), task.stop.clone());
    let seed = task.context.clock.now().micros().unsigned_abs();
    let events = connection.address.events()?;
    let (_thread, pushes) = stream::follow(connection.client.clone(), &events, &reach, stream::Entry::default(), seed)?;
    Ok(pushes)
}

/// Trades the newest closed bar of `columns` on the venue of the profile.
///
/// # Errors
/// When the venue, the journal or the disk fails; what was sent is known or will be resolved by the next run.
pub fn trade(
    task: &Task<'_>,
    journal: &mut Journal,
    columns: &[Columns],
    alerting: Option<Alerting>,
    is_terminated: &AtomicBool,
) -> Result<Exit, Failure> {
    let (context, place) = (task.context, task.place);
    let now = context.clock.now();
    let mut stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "run", String::new());
    stamp.mode = venue_word(&place.profile).to_owned();
    stamp.run = folder::run_id(&stamp.profile, &stamp.standing(), now);
    (stamp.fingerprints.data, stamp.reads) = place.reads(None, None)?;
    journal.begin(&stamp.run, &serde_json::to_string(&stamp)?)?;
    let alarms: RefCell<Vec<Alarm>> = RefCell::default();
    let tell = |told: Told<'_>| match told {
        Told::Alarm(alarm) => {
            alarms.borrow_mut().push(alarm.clone());
            if let Some(alerting) = &alerting {
                alerting.wake();
            }
        }
        Told::Notice(notice) => {
            if let Some(alerting) = &alerting {
                alerting.notice(notice);
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let connection = connect(context, &place.profile, place.plan.symbols(), place.lake.local()).await?;
        let warnings = connection.judge_key(place.profile.mode()).await?;
        let mut driver = open(task, &connection, &mut *journal, &stamp, Box::new(tell)).await?;
        let before = driver.watermark();
        let settled = drive(task, &mut driver, columns).await.map_err(drive_failure)?;
        driver.keep_rest().map_err(drive_failure)?;
        let after = driver.watermark();
        let venue = connection.address.as_str().to_owned();
        Ok::<_, Failure>(Done { live: driver.finish(), settled, before, after, venue, warnings })
    });
    let done = match done {
        Ok(done) => done,
        Err(failure) => {
            let _told = alerting.map(|alerting| {
                alerting.raise(&Alert::run_failed(&format!("{:#}", failure.error), context.clock.now()));
                alerting.finish(None, false)
            });
            return Err(failure);
        }
    };
    run::record_of(journal, &place.runs, &stamp, done.live.trader(), done.after, !done.settled)?;
    let folder = place.runs.join(&stamp.run);
    let told = alerting.map_or(Ok(Vec::new()), |alerting| alerting.finish(Some(&folder), true))?;
    // The end of the log is on the disk, and the next start finds a short write-ahead log.
    journal.seal().and_then(|()| journal.checkpoint()).map_err(journal_failure)?;
    Ok(report(task, &done, &alarms.into_inner(), told, &folder, is_terminated.load(Ordering::SeqCst)))
}

struct Done {
    live: Live,
    settled: bool,
    before: Option<Time>,
    after: Option<Time>,
    venue: String,
    /// About the key.
    warnings: Vec<String>,
}

async fn drive(task: &Task<'_>, driver: &mut Driver<'_>, columns: &[Columns]) -> Result<bool, DriveError> {
    let clock = &task.context.clock;
    // An order whose events nobody hears has to be asked about: worth a moment of waiting, and no more.
    driver.run_until(clock.now() + LISTEN_WITHIN, task.stop, |live| live.is_listening() && live.is_reconciled()).await?;
    driver.run_until(clock.now() + COMPARE_WITHIN, task.stop, Live::is_reconciled).await?;
    let (old, current) = split(columns, driver.needs_from(), task.place, clock.now());
    if !old.is_empty() {
        driver.catch_up(old.into_iter()).await?;
    }
    // A10: asked to end, it decides nothing more; the bar is the next run's.
    if let Some((open_time, bars)) = current.filter(|_| !task.stop.load(Ordering::SeqCst)) {
        driver.moment(open_time, bars).await?;
    }
    let settled = driver.run_until(clock.now() + SETTLE_WITHIN, task.stop, Live::is_settled).await?;
    if task.stop.load(Ordering::SeqCst) {
        driver.wind_down().await?;
        return Ok(driver.live().has_none_open());
    }
    Ok(settled)
}

/// All bars of one open time.
pub type Moment = (Time, Vec<(SymbolIndex, Bar)>);

/// Moments from `from` on: those past trading, and the one that has just closed.
#[must_use]
pub fn split(columns: &[Columns], from: Option<Time>, place: &Workplace, now: Time) -> (Vec<Moment>, Option<Moment>) {
    let mut moments = Moments::new(columns);
    let mut all: Vec<Moment> = Vec::new();
    while let Some((time, bars)) = moments.advance() {
        if from.is_none_or(|from| time >= from) {
            all.push((time, bars.to_vec()));
        }
    }
    let lateness = place.plan.schedule().max_lateness;
    let is_current = |moment: &Moment| now - (moment.0 + place.plan.interval().span()) <= lateness;
    let current = all.pop_if(|moment| is_current(moment));
    (all, current)
}

fn report(task: &Task<'_>, done: &Done, alarms: &[Alarm], told: Vec<String>, folder: &Path, is_terminated: bool) -> Exit {
    let (context, place) = (task.context, task.place);
    let desk = done.live.trader().desk();
    let open: Vec<String> = done.live.router().state().open().map(|order| format!("{} {}", order.id(), order.state)).collect();
    let positions: Vec<(String, String)> = desk
        .positions()
        .filter(|(_, position)| !position.is_zero())
        .map(|(symbol, position)| (place.plan.symbols()[symbol.at()].to_string(), position.to_string()))
        .collect();
    let held = match positions.len() {
        0 => "nothing is held".to_owned(),
        _ => positions.iter().map(|(symbol, position)| format!("{position} {symbol}")).collect::<Vec<_>>().join(", "),
    };
    let tally = desk.tally();
    let currency = place.profile.currency();
    let mut text = format!(
        "{} under {}, {}: orders to {}\n",
        place.plan.name(),
        place.profile.name(),
        venue_word(&place.profile),
        done.venue
    );
    text.push_str(&format!("  equity      {} {currency}, {held}\n", desk.equity()));
    text.push_str(&format!(
        "  account     {}\n",
        if desk.is_reconciled() {
            "compared with the venue's: equal"
        } else {
            "NOT compared: nothing was traded, or something is in doubt"
        }
    ));
    text.push_str(&format!(
        "  orders      {} so far, {} fills, {} denied, {} rejected\n",
        grouped(tally.orders),
        grouped(tally.fills),
        grouped(tally.denied),
        grouped(tally.rejected)
    ));
    for (code, count) in &tally.refusals {
        text.push_str(&format!("  denied      {count} {code}\n"));
    }
    for order in &open {
        text.push_str(&format!("  open        {order}\n"));
    }
    text.push_str(&format!("  record      {}\n", place.shown(context, folder)));
    let mut report = Report {
        verb: "run",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(venue_word(&place.profile).to_owned()),
        text,
        data: json!({
            "venue": done.venue,
            "watermark": done.after.map(|time| time.to_string()),
            "traded": done.after != done.before,
            "equity": desk.equity().to_string(),
            "positions": positions.iter().map(|(symbol, position)| json!({ "symbol": symbol, "position": position })).collect::<Vec<_>>(),
            "reconciled": desk.is_reconciled(),
            "open_orders": open,
            "round_trip": round_trip::document(&done.live.snapshot()),
            "orders": tally.orders,
            "fills": tally.fills,
            "alarms": alarms,
            "halted": desk.halt().map(|halt| halt.cause.name()),
        }),
        warnings: told,
        ..Report::default()
    };
    report.warnings.extend(done.warnings.iter().cloned());
    report.warnings.extend(alarms.iter().map(ToString::to_string));
    let has_doubtful = done.live.in_doubt().next().is_some();
    let is_stopped = task.stop.load(Ordering::SeqCst);
    if is_stopped {
        let open: Vec<String> = done.live.router().state().open().map(|order| order.id().to_string()).collect();
        report.warnings.push(if open.is_empty() {
            "asked to end: nothing new was decided, and no order is open".to_owned()
        } else {
            format!("asked to end while these were open: {}", open.join(", "))
        });
    }
    let exit = if has_doubtful || ((is_stopped || !desk.is_reconciled()) && !open.is_empty()) {
        report.next.push(format!("tidegate reconcile -p {}", place.profile.name()));
        Exit::PositionsOpen
    } else if desk.halt().is_some() {
        report.next.push(format!("tidegate resume -p {} --reason \"...\"", place.profile.name()));
        Exit::Halted
    } else if is_stopped {
        // A10: whoever runs services takes an orderly end for a success; whoever pressed Ctrl-C sees that it was one.
        if is_terminated { Exit::Done } else { Exit::Interrupted }
    } else if !desk.is_reconciled() {
        Exit::Failed
    } else {
        Exit::Done
    };
    report.print(context, exit)
}
