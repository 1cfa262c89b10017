//! `tidegate run`: takes in the bars that have closed, trades them, records what happened.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::alerting::{Alerting, left_over};
use super::exit::{Exit, Failure};
use super::live;
use super::names;
use super::output::{Report, print_err};
use super::select::Select;
use super::summary::Told;
use super::table::{grouped, short_time};
use super::turn::{self, Turn};
use super::work::{self, Workplace};
use crate::domain::{Span, Time};
use crate::pipeline::StageKind;
use crate::profile::{Mode, Profile, VenueKind};
use crate::runner::run::Report as Done;
use crate::runner::trader::TraderState;
use crate::runner::{notices, setup};
use crate::stage::ingest::task::Ingested;
use crate::store::journal::{Journal, JournalError};
use crate::telemetry::record::Notice;

/// Run a pipeline once: take in the bars that have closed since the last run and trade them.
///
/// Moves the profile's watermark. Running again with nothing new changes nothing; a run that was cut off goes on where its last
/// commit stands.
///
/// Where the profile names a venue, its orders go there: the account is compared with the venue's before and after, and only a bar
/// that has just closed is traded. A profile with `mode = "live"` trades with real money: that takes a whole and fresh `preflight`, and
/// the end of the account's name, typed or with --confirm.
#[derive(Debug, Args)]
pub struct Run {
    /// The pipeline: the name of a file in pipelines/, without .toml [default: the one the profile names].
    #[arg(value_name = "PIPELINE", add = names::pipelines())]
    name: Option<String>,
    #[command(flatten)]
    select: Select,
    /// Real money: how the name of the account ends that may be traded on, as `preflight` shows it.
    #[arg(long, value_name = "SUFFIX")]
    confirm: Option<String>,
    /// No answer to whose account it is: a live profile asks all the same.
    #[arg(long, hide = true)]
    yes: bool,
}

impl Run {
    /// # Errors
    /// When a document is wrong, another run holds the profile, the data breaks its contract, or the disk fails.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let named = self.name.as_deref().or(self.select.pipeline.as_deref()).map(str::to_owned);
        let (profile, plan, _) = self.select.load_pipeline(context, named.as_deref())?;
        let mut place = Workplace::new(context, profile, plan)?;
        if place.profile.venue() == VenueKind::Binance {
            return self.run_live(context, &mut place);
        }
        refuse_live(&place.profile)?;
        let stop = work::stop_on_signal()?;
        let stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "run", String::new());
        let mut journal = open_unlatched(&place, &stamp.standing())?;
        settled(context, &mut place, &mut journal)?;
        let watermark = journal.watermark(&stamp.standing())?.map(|(watermark, _)| watermark);
        if place.plan.is_enabled(StageKind::Ingest) {
            let taken = take_in(context, &place, watermark, &stop)?;
            if !taken.is_kept() {
                return contract_broken(context, &place, &mut journal, &taken);
            }
        }
        if !(place.plan.is_enabled(StageKind::Model) && place.plan.is_enabled(StageKind::Oms)) {
            let why = "model or oms is not enabled: nothing was traded";
            return Ok(nothing(context, &place, watermark, why, Vec::new()));
        }
        let log_rows = journal.head().sequence;
        let ready = match Turn::open(context, &place, &mut journal)? {
            Turn::Nothing(watermark) => {
                let left = left_over(context, &place, log_rows)?;
                return Ok(nothing(context, &place, watermark, "nothing new", left));
            }
            Turn::Ready(ready) => ready,
        };
        let bar = work::progress(context, "run", ready.bars());
        let alerting = Alerting::start(context, &place)?;
        let tell = |notice: &Notice| {
            if let Some(alerting) = &alerting {
                alerting.notice(notice);
            }
        };
        let done = ready.run(&stop, tell, |bars| bar.set_position(bars));
        bar.finish_and_clear();
        // Also after a failure: what was raised before it is on its way.
        let folder = done.as_ref().ok().map(|done| place.runs.join(&done.run));
        let told = alerting.map_or(Ok(Vec::new()), |alerting| alerting.finish(folder.as_deref(), done.is_ok()));
        // Why the run failed says more than what followed from it.
        let done = done?;
        Ok(report(context, &place, &done, told?))
    }

    /// The same with orders to a real venue.
    fn run_live(&self, context: &Context, place: &mut Workplace) -> Result<Exit, Failure> {
        // J5: a yes names no account, so nobody is asked either.
        let confirmed = self.confirm.as_deref().or(self.yes.then_some(""));
        live::admit(context, place, confirmed)?;
        let signals = work::signals()?;
        let stop = &signals.stop;
        let mut journal = Journal::open(&place.runs).map_err(journal_failure)?;
        look_over(context, &mut journal)?;
        settled(context, place, &mut journal)?;
        let place = &*place;
        let account = format!("{}@{}", place.plan.name(), live::venue_word(&place.profile));
        let standing = journal.watermark(&account)?;
        let watermark = standing.as_ref().map(|(watermark, _)| *watermark);
        if place.plan.is_enabled(StageKind::Ingest) {
            let taken = take_in(context, place, watermark, stop)?;
            if !taken.is_kept() {
                return contract_broken(context, place, &mut journal, &taken);
            }
        }
        if !(place.plan.is_enabled(StageKind::Model) && place.plan.is_enabled(StageKind::Oms)) {
            return Ok(nothing(context, place, watermark, "model or oms is not enabled: nothing was traded", Vec::new()));
        }
        // Models that are new or changed must see the past.
        let is_warm = standing.is_some_and(|(_, fingerprint)| fingerprint == place.trader.fingerprint());
        let from = watermark.filter(|_| is_warm).map(|time| time.saturating_add(Span::from_micros(1)));
        let columns = turn::closed(context.clock.as_ref(), place, from)?;
        let alerting = Alerting::start(context, place)?;
        let task = live::Task { context, place, stop };
        live::trade(&task, &mut journal, &columns, alerting, &signals.is_terminated)
    }
}

/// A15: nothing is traded by a journal that is not whole.
///
/// # Errors
/// When it is not.
pub fn look_over(context: &Context, journal: &mut Journal) -> Result<(), Failure> {
    let bar = work::progress(context, "journal", journal.head().sequence);
    let looked = journal.verify_before_trading(|rows| bar.set_position(rows)).map_err(journal_failure);
    bar.finish_and_clear();
    looked.map(drop)
}

/// Where the profile stands counts from here on; what was lowered is told.
fn settled(context: &Context, place: &mut Workplace, journal: &mut Journal) -> Result<(), Failure> {
    for line in place.settle(journal, context.clock.now())? {
        if !context.quiet && !context.json {
            print_err(&format!("note: {line}\n"));
        }
    }
    Ok(())
}

/// Refuses real money on a venue that this program does not have.
///
/// # Errors
/// [`Exit::Refused`] with the way out.
pub fn refuse_live(profile: &Profile) -> Result<(), Failure> {
    if profile.mode() == Mode::Paper {
        return Ok(());
    }
    let error = anyhow!("profile {} is live, and its orders go to the paper venue", profile.name());
    Err(Failure::new(Exit::Refused, error)
        .hint("name a venue in [stages.oms]")
        .hint(format!("or add --paper: `tidegate run -p {} --paper`", profile.name())))
}

fn take_in(context: &Context, place: &Workplace, watermark: Option<Time>, stop: &Arc<AtomicBool>) -> Result<Ingested, Failure> {
    let bar = work::progress(context, "ingest", 0);
    let mut seen = |done: u64| {
        bar.set_length(done);
        bar.set_position(done);
    };
    let taken = turn::take_in(context, place, watermark, stop, &mut seen);
    bar.finish_and_clear();
    taken
}

/// The data does not keep its contract: the stages that need it are blocked.
fn contract_broken(context: &Context, place: &Workplace, journal: &mut Journal, taken: &Ingested) -> Result<Exit, Failure> {
    let alerting = Alerting::start(context, place)?;
    let mut report = Report { verb: "run", profile: Some(place.profile.name().to_owned()), ..Report::default() };
    report.mode = Some(place.profile.mode().name().to_owned());
    let mut text = String::from("ingest failed: the data breaks [stage.ingest.contract], so model and oms are blocked\n");
    let mut breaches = Vec::new();
    for series in taken.series.iter().filter(|series| !series.verdict.is_kept()) {
        for breach in &series.verdict.breaches {
            text.push_str(&format!("  {}  {breach}\n", series.series));
            breaches.push(json!({ "series": series.series.to_string(), "breach": breach.to_string() }));
        }
        for name in &series.absent_files {
            text.push_str(&format!("  {}  binance has no file {name}\n", series.series));
        }
    }
    if let Some(alerting) = &alerting {
        let now = context.clock.now();
        alerting.tell(journal, &notices::broken(taken, now), now)?;
    }
    text.push_str("nothing was traded; the watermark stands where it was\n");
    report.text = text;
    report.data = json!({ "ingest": "failed", "model": "blocked", "oms": "blocked", "breaches": breaches });
    report.next.push("tidegate data check".to_owned());
    report.warnings = alerting.map_or(Ok(Vec::new()), |alerting| alerting.finish(None, false))?;
    Ok(report.print(context, Exit::CheckFailed))
}

/// The journal, unless the latch is set. It is no obstacle to an account that is halted itself and has only positions left to close:
/// on paper nobody but the next run can sell them, and its halt lets nothing else pass.
fn open_unlatched(place: &Workplace, account: &str) -> Result<Journal, Failure> {
    let latched = live::refuse_latched(place.profile.name(), &place.runs);
    let journal = match (Journal::open(&place.runs), latched) {
        (Ok(journal), Ok(())) => return Ok(journal),
        (Ok(journal), Err(latched)) => {
            let standing = journal.standing::<TraderState>(account)?.map(|standing| standing.snapshot);
            if standing.is_none_or(|state| state.halt().is_none() || !state.is_closing()) {
                return Err(latched);
            }
            journal
        }
        // A folder that cannot be used has no latch that could be read, either.
        (Err(error @ JournalError::Folder { .. }), _) => return Err(journal_failure(error)),
        (Err(error), latched) => return Err(latched.err().unwrap_or_else(|| journal_failure(error))),
    };
    Ok(journal)
}

fn nothing(context: &Context, place: &Workplace, watermark: Option<Time>, why: &str, told: Vec<String>) -> Exit {
    let until = watermark
        .map_or_else(|| "no bar has been traded yet".to_owned(), |w| format!("traded up to the bar of {}", short_time(w)));
    let report = Report {
        verb: "run",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(place.profile.mode().name().to_owned()),
        data: json!({ "bars": 0, "watermark": watermark.map(|w| w.to_string()), "why": why }),
        text: format!("{} under {}: {why}; {until}\n", place.plan.name(), place.profile.name()),
        warnings: place.stale_warnings().into_iter().chain(told).collect(),
        ..Report::default()
    };
    report.print(context, Exit::Done)
}

fn report(context: &Context, place: &Workplace, done: &Done, warnings: Vec<String>) -> Exit {
    let told = Told {
        title: format!("{} under {}, {}", place.plan.name(), place.profile.name(), place.profile.mode().name()),
        symbols: place.symbols(),
        interval: place.plan.interval().to_string(),
        currency: place.profile.currency(),
        bars: done.bars,
        tally: &done.after.tally,
        kills: done.after.kills,
        halted: done.halted,
        summary: done.summary.as_ref(),
        exposure_max: place.profile.limits().max_total_notional,
        record: Some(place.shown(context, &place.runs.join(&done.run))),
    };
    let mut data = told.json();
    data["run"] = json!(done.run);
    data["watermark"] = json!(done.watermark.map(|w| w.to_string()));
    let mut report = Report {
        verb: "run",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(place.profile.mode().name().to_owned()),
        data,
        text: told.text(),
        warnings,
        ..Report::default()
    };
    report.warnings.extend(place.stale_warnings());
    for run in &done.recovered {
        report.warnings.push(format!("run {run} had been cut off; its record is complete up to its last commit"));
    }
    if done.before.tally.orders > 0 {
        let (orders, fills) =
            (done.after.tally.orders - done.before.tally.orders, done.after.tally.fills - done.before.tally.fills);
        report.warnings.push(format!(
            "figures are those of the account since its start; this run: {} orders, {} fills, {} kills",
            grouped(orders),
            grouped(fills),
            done.after.kills - done.before.kills
        ));
    }
    let exit = match (done.interrupted, done.halted && done.after.kills > done.before.kills) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Halted,
        (false, false) => Exit::Done,
    };
    if done.interrupted {
        report.warnings.push("interrupted: the bar was finished and recorded; run again to go on".to_owned());
    }
    if done.halted {
        report.next.push(format!("tidegate resume -p {} --reason \"...\"", place.profile.name()));
    }
    report.print(context, exit)
}

pub fn journal_failure(error: JournalError) -> Failure {
    let hint = error.hint();
    let exit = if matches!(error, JournalError::Locked(_) | JournalError::Held { .. }) { Exit::Locked } else { Exit::Failed };
    hint.into_iter().fold(Failure::new(exit, error), Failure::hint)
}
