//! Run: moves a profile's watermark over the bars that have closed since.
//!
//! The state, the rows that explain it and the watermark are committed together every [`COMMIT_EVERY`] moments, so a run that is
//! cut off anywhere goes on to the same orders, fills and equity.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{Bar, Columns, Span, SymbolIndex, Time};
use crate::perf::Summary;
use crate::stage::model::Signal;
use crate::stage::oms::{DeskError, Outbox, Tally};
use crate::store::journal::{Journal, JournalError, RunState, Standing};
use crate::telemetry::record::{Notice, Records};

use super::folder::{self, Figures, FolderError, Recording, Stamp};
use super::moments::Moments;
use super::trader::{RestoreError, Trader, TraderConfig, TraderState};

/// Moments between two commits.
pub const COMMIT_EVERY: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the venue's reports do not fit the account")]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Job {
    pub stamp: Stamp,
    pub trader: TraderConfig,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    pub run: String,
    pub bars: u64,
    pub first: Option<Time>,
    pub watermark: Option<Time>,
    pub summary: Option<Summary>,
    /// What this run did is the difference of the two.
    pub before: Account,
    pub after: Account,
    pub halted: bool,
    pub interrupted: bool,
    /// Runs before this one that were cut off, and are now complete on disk.
    pub recovered: Vec<String>,
    /// What the run wrote down, open orders included.
    pub records: Records,
}

/// Counters of an account over its life.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub tally: Tally,
    pub kills: u32,
}

impl Account {
    fn of(trader: &Trader) -> Self {
        Self { tally: trader.desk().tally().clone(), kills: trader.desk().kills() }
    }
}

/// How far a run has come.
#[derive(Debug, Default)]
struct Progress {
    run: String,
    first: Option<Time>,
    bars: u64,
    interrupted: bool,
}

/// A moment that outlives the columns' cursor.
type OwnedMoment = (Time, Vec<(SymbolIndex, Bar)>);

fn owned((time, bars): (Time, &[(SymbolIndex, Bar)])) -> OwnedMoment {
    (time, bars.to_vec())
}

/// The last open time up to which every symbol's bars are there, given each symbol's last one.
///
/// Going on to the newest bar of any symbol would pass over bars that others deliver a moment later, for good. A symbol that is
/// further behind than `patience` holds up nobody: it has stopped, or is a gap of its own.
#[must_use]
pub fn complete_until(lasts: &[Option<Time>], patience: Span) -> Option<Time> {
    let newest = lasts.iter().flatten().max()?;
    lasts.iter().flatten().filter(|&&last| *newest - last <= patience).min().copied()
}

/// The open state of one profile's pipeline: where it stands and what it would do next.
#[derive(Debug)]
pub struct Runner<'a> {
    journal: &'a mut Journal,
    runs: &'a Path,
    trader: Trader,
    watermark: Option<Time>,
    fingerprint: String,
    /// The models are new or changed: they must see the bars up to the watermark first.
    cold: bool,
}

impl<'a> Runner<'a> {
    /// Takes up the pipeline where its journal stands. `runs` is the profile's folder.
    ///
    /// # Errors
    /// When the journal cannot be read, or its state does not fit the pipeline any more.
    pub fn open(journal: &'a mut Journal, runs: &'a Path, job: &Job) -> Result<Self, RunError> {
        let fingerprint = job.trader.fingerprint();
        let standing = journal.standing::<TraderState>(&job.stamp.standing())?;
        let (trader, watermark, cold) = match standing {
            None => (Trader::new(job.trader.clone()), None, false),
            Some(standing) => {
                let cold = standing.fingerprint != fingerprint;
                (Trader::restore(job.trader.clone(), standing.snapshot, cold)?, Some(standing.watermark), cold)
            }
        };
        Ok(Self { journal, runs, trader, watermark, fingerprint, cold })
    }

    /// Open time of the last moment that was traded; `None` before the first run.
    #[must_use]
    pub const fn watermark(&self) -> Option<Time> {
        self.watermark
    }

    /// The first open time whose bars are needed: all of them when the models must be warmed.
    #[must_use]
    pub fn needs_from(&self) -> Option<Time> {
        if self.cold { None } else { self.watermark.map(|time| time.saturating_add(Span::from_micros(1))) }
    }

    #[must_use]
    pub const fn journal(&self) -> &Journal {
        self.journal
    }

    #[must_use]
    pub const fn trader(&self) -> &Trader {
        &self.trader
    }

    /// Trades the bars behind the watermark. `notify` is told what people should know, as it happens.
    ///
    /// # Errors
    /// When the journal or the record cannot be written. What was committed stays; the next run goes on from there.
    pub fn run(
        self,
        job: &Job,
        columns: &[Columns],
        stop: &AtomicBool,
        notify: impl FnMut(&Notice),
        progress: impl FnMut(u64),
    ) -> Result<Report, RunError> {
        self.run_by(job, columns, stop, |_, _, own| own, notify, progress)
    }

    /// The same with the last word on what the models say; see [`Trader::step_by`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_by(
        mut self,
        job: &Job,
        columns: &[Columns],
        stop: &AtomicBool,
        mut decide: impl FnMut(SymbolIndex, Time, Signal) -> Signal,
        mut notify: impl FnMut(&Notice),
        mut progress: impl FnMut(u64),
    ) -> Result<Report, RunError> {
        let recovered = self.recover()?;
        let before = Account::of(&self.trader);
        let mut moments = Moments::new(columns);
        let next = self.skip_to_new(&mut moments);
        let Some(first) = next.as_ref().map(|(time, _)| *time) else {
            return Ok(self.report(Progress::default(), before, recovered));
        };
        let run = folder::run_id(&job.stamp.profile, &job.stamp.standing(), first);
        let stamp = Stamp { run, ..job.stamp.clone() };
        tracing::debug!(run = %stamp.run, "run begins");
        self.journal.begin(&stamp.run, &serde_json::to_string(&stamp).expect("a stamp has text keys only"))?;
        let mut done = Progress { run: stamp.run.clone(), first: Some(first), ..Progress::default() };
        self.trade(&stamp, next, moments, stop, &mut done, &mut decide, &mut notify, &mut progress)?;
        let mut report = self.report(done, before, recovered);
        report.records = self.finish(&stamp, &report)?;
        Ok(report)
    }

    /// Steps through the moments, committing now and then and at the end.
    #[expect(clippy::too_many_arguments, reason = "the loop of a run: what it reads, what it counts, whom it tells")]
    fn trade(
        &mut self,
        stamp: &Stamp,
        mut next: Option<OwnedMoment>,
        mut moments: Moments<'_>,
        stop: &AtomicBool,
        done: &mut Progress,
        decide: &mut impl FnMut(SymbolIndex, Time, Signal) -> Signal,
        notify: &mut impl FnMut(&Notice),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), RunError> {
        let (mut out, mut uncommitted) = (Outbox::default(), 0);
        while let Some((open_time, bars)) = next {
            self.trader.step_by(open_time, &bars, &mut *decide, &mut out)?;
            self.watermark = Some(open_time);
            done.bars += bars.len() as u64;
            uncommitted += 1;
            next = moments.advance().map(owned);
            done.interrupted = next.is_some() && stop.load(Ordering::Relaxed);
            if uncommitted == COMMIT_EVERY || next.is_none() || done.interrupted {
                let notices = std::mem::take(&mut out.records.notices);
                self.commit(stamp, &mut Records { notices: notices.clone(), ..std::mem::take(&mut out.records) })?;
                // A halt is written before it is announced.
                notices.iter().for_each(&mut *notify);
                uncommitted = 0;
                progress(done.bars);
            }
            if done.interrupted {
                break;
            }
        }
        Ok(())
    }

    fn report(&self, done: Progress, before: Account, recovered: Vec<String>) -> Report {
        Report {
            run: done.run,
            bars: done.bars,
            first: done.first,
            watermark: self.watermark,
            summary: self.trader.curve().map(Summary::of),
            after: Account::of(&self.trader),
            before,
            halted: self.trader.desk().halt().is_some(),
            interrupted: done.interrupted,
            recovered,
            records: Records::default(),
        }
    }

    /// Passes over the bars up to the watermark; models that are cold see them.
    fn skip_to_new(&mut self, moments: &mut Moments<'_>) -> Option<OwnedMoment> {
        loop {
            let (time, bars) = moments.advance()?;
            if self.watermark.is_none_or(|watermark| time > watermark) {
                return Some(owned((time, bars)));
            }
            if self.cold {
                bars.iter().for_each(|(symbol, bar)| self.trader.warm(*symbol, bar));
            }
        }
    }

    fn commit(&mut self, stamp: &Stamp, records: &mut Records) -> Result<(), RunError> {
        let watermark = self.watermark.expect("a commit follows a step");
        tracing::debug!(%watermark, "commit begins");
        let standing = Standing { watermark, fingerprint: self.fingerprint.clone(), snapshot: self.trader.snapshot() };
        self.journal.commit(&stamp.run, &stamp.standing(), &standing, records)?;
        records.clear();
        tracing::debug!(%watermark, "committed");
        Ok(())
    }

    fn finish(&mut self, stamp: &Stamp, report: &Report) -> Result<Records, RunError> {
        let figures = Figures {
            state: state_of(report.interrupted, report.halted).name().to_owned(),
            from: report.first.map(|t| t.to_string()),
            to: report.watermark.map(|t| t.to_string()),
            bars: report.bars,
            kills: report.after.kills,
            tally: report.after.tally.clone(),
            summary: report.summary.clone(),
        };
        let state = state_of(report.interrupted, report.halted);
        conclude(self.journal, self.runs, stamp, &self.trader, &figures, state)
    }

    fn recover(&mut self) -> Result<Vec<String>, RunError> {
        complete(self.journal, self.runs, &self.trader, self.watermark)
    }
}

/// Completes the records of runs that were cut off. Gives which those were.
///
/// # Errors
/// When the journal or a folder cannot be written.
pub fn complete(journal: &mut Journal, runs: &Path, trader: &Trader, watermark: Option<Time>) -> Result<Vec<String>, RunError> {
    let mut recovered = Vec::new();
    for (run, manifest) in journal.cut_off()? {
        let mut records = journal.records(Some(&run))?;
        if records.is_empty() {
            journal.forget(&run)?;
            continue;
        }
        let stamp: Stamp = journal.parse("manifest of a run", &manifest)?;
        let figures = Figures {
            state: RunState::Interrupted.name().to_owned(),
            from: None,
            to: watermark.map(|t| t.to_string()),
            bars: 0,
            kills: trader.desk().kills(),
            tally: trader.desk().tally().clone(),
            summary: trader.curve().map(Summary::of),
        };
        let mut recording = Recording::new(stamp)?;
        recording.take(&mut records)?;
        recording.write(&runs.join(&run), &figures)?;
        journal.end(&run, RunState::Interrupted)?;
        recovered.push(run);
    }
    Ok(recovered)
}

const fn state_of(is_interrupted: bool, is_halted: bool) -> RunState {
    match (is_interrupted, is_halted) {
        (true, _) => RunState::Interrupted,
        (false, true) => RunState::Halted,
        (false, false) => RunState::Done,
    }
}

/// Writes the folder of a run from the journal's rows and ends it there.
fn conclude(
    journal: &mut Journal,
    runs: &Path,
    stamp: &Stamp,
    trader: &Trader,
    figures: &Figures,
    state: RunState,
) -> Result<Records, RunError> {
    let mut records = journal.records(Some(&stamp.run))?;
    records.orders.extend(trader.desk().open_orders());
    let mut recording = Recording::new(stamp.clone())?;
    recording.add(&records)?;
    recording.write(&runs.join(&stamp.run), figures)?;
    tracing::debug!(run = %stamp.run, "record written");
    journal.end(&stamp.run, state)?;
    Ok(records)
}

/// Ends a run on a real venue: the same folder as any other.
///
/// # Errors
/// When the journal or the folder cannot be written.
pub fn record_of(
    journal: &mut Journal,
    runs: &Path,
    stamp: &Stamp,
    trader: &Trader,
    watermark: Option<Time>,
    is_interrupted: bool,
) -> Result<Records, RunError> {
    let state = state_of(is_interrupted, trader.desk().halt().is_some());
    let figures = Figures {
        state: state.name().to_owned(),
        from: None,
        to: watermark.map(|time| time.to_string()),
        bars: 0,
        kills: trader.desk().kills(),
        tally: trader.desk().tally().clone(),
        summary: trader.curve().map(Summary::of),
    };
    conclude(journal, runs, stamp, trader, &figures, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_a_moment_late_is_waited_for_and_one_that_stopped_is_not() {
        let at = |hour: i64| Some(Time::from_micros(hour * 3_600_000_000));
        let two_hours = Span::from_secs(7200);
        assert_eq!(complete_until(&[at(10), at(9)], two_hours), at(9));
        assert_eq!(complete_until(&[at(10), at(8)], two_hours), at(8));
        assert_eq!(complete_until(&[at(10), at(7)], two_hours), at(10));
        assert_eq!(complete_until(&[at(10), None], two_hours), at(10), "no bars at all: it has not begun");
        assert_eq!(complete_until(&[None, None], two_hours), None);
    }
}
