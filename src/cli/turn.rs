//! One turn of a pipeline: the bars that have closed, and on paper what is traded of them. `run` takes one, `start` one a slot.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Context;
use super::exit::{Exit, Failure};
use super::run::journal_failure;
use super::work::{Workplace, ingest_failure, lake_failure};
use crate::clock::Clock;
use crate::domain::{Columns, Span, Time};
use crate::feed::binance::Reach;
use crate::runner::run::{Job, Report, RunError, Runner, complete_until};
use crate::runner::setup;
use crate::stage::ingest::task::{Ingested, ingest};
use crate::store::LakeError;
use crate::store::journal::Journal;
use crate::telemetry::record::Notice;

/// Takes in what the pipeline's source has; `watermark` is where trading stands. `seen` is told of rows.
///
/// # Errors
/// When the source or the lake fails, or `stop` was raised.
pub fn take_in(
    context: &Context,
    place: &Workplace,
    watermark: Option<Time>,
    stop: &Arc<AtomicBool>,
    seen: &mut dyn FnMut(u64),
) -> Result<Ingested, Failure> {
    let reach = Reach::new(context.clock.clone(), stop.clone());
    let mut seen = seen;
    let taken = ingest(place.plan.ingest(), &place.lake, &context.root, &reach, watermark, &mut seen).map_err(ingest_failure);
    tracing::debug!("bars taken in");
    taken
}

/// Bars that have closed by now, up to where every symbol has them.
///
/// # Errors
/// When the lake cannot be read.
pub fn closed(clock: &dyn Clock, place: &Workplace, from: Option<Time>) -> Result<Vec<Columns>, Failure> {
    let moment = Span::from_micros(1);
    // A bar that opens at `now - interval` closes now.
    let last_closed = clock.now() - place.plan.interval().span();
    let last = |series| match place.lake.last_open_time(series) {
        Err(LakeError::NoSeries { .. }) => Ok(None),
        other => other.map(|last| last.map(|time| time.min(last_closed))).map_err(lake_failure),
    };
    let lasts: Vec<Option<Time>> = place.series.iter().map(last).collect::<Result<_, _>>()?;
    let patience = place.profile.rules().max_bar_age.span(place.plan.interval());
    let until = complete_until(&lasts, patience).map_or(last_closed, |time| time.min(last_closed));
    place.read(from, Some(until + moment))
}

/// What there is for a paper account.
pub enum Turn<'a> {
    /// No bar has closed since this one was traded.
    Nothing(Option<Time>),
    Ready(Box<Ready<'a>>),
}

/// A paper account with bars that it has not traded.
pub struct Ready<'a> {
    runner: Runner<'a>,
    job: Job,
    columns: Vec<Columns>,
}

impl<'a> Turn<'a> {
    /// Takes the account up where the journal stands and reads what is new.
    ///
    /// # Errors
    /// When the journal, its state or the lake cannot be used.
    pub fn open(context: &Context, place: &'a Workplace, journal: &'a mut Journal) -> Result<Self, Failure> {
        let stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "run", String::new());
        let mut job = Job { stamp, trader: place.trader.clone() };
        let runner = Runner::open(journal, &place.runs, &job).map_err(run_failure)?;
        let columns = closed(context.clock.as_ref(), place, runner.needs_from())?;
        let has_new =
            |column: &Columns| column.open_time.last().is_some_and(|&t| runner.watermark().is_none_or(|w| t > w.micros()));
        if !columns.iter().any(has_new) {
            return Ok(Self::Nothing(runner.watermark()));
        }
        (job.stamp.fingerprints.data, job.stamp.reads) = place.reads(runner.needs_from(), None)?;
        Ok(Self::Ready(Box::new(Ready { runner, job, columns })))
    }
}

impl Ready<'_> {
    #[must_use]
    pub fn bars(&self) -> u64 {
        self.columns.iter().map(Columns::len).sum::<usize>() as u64
    }

    /// Trades what is new. `tell` hears what people should know, `progress` how many bars are done.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub fn run(self, stop: &AtomicBool, tell: impl FnMut(&Notice), progress: impl FnMut(u64)) -> Result<Report, Failure> {
        self.runner.run(&self.job, &self.columns, stop, tell, progress).map_err(run_failure)
    }
}

pub fn run_failure(error: RunError) -> Failure {
    match error {
        RunError::Journal(error) => journal_failure(error),
        RunError::Restore(error) => Failure::new(Exit::Refused, error).hint(
            "put the symbols back and let the positions close, or start a new account: move the profile's folder in runs/ away",
        ),
        other => Failure::from(other),
    }
}
