//! Run: moves a profile's watermark over the bars that have closed since.
//!
//! The state, the rows that explain it and the watermark are committed together every [`COMMIT_EVERY`] moments, so a run that is
//! cut off anywhere goes on to the same orders, fills and equity.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{Columns, Symbol, SymbolIndex, Time};
use crate::perf::Summary;
use crate::stage::model::Signal;
use crate::stage::oms::{DeskError, Outbox, Tally};
use crate::store::journal::{Journal, JournalError, RunState, Standing};
use crate::telemetry::record::{Notice, Records};

use super::folder::{self, Figures, FolderError, Stamp};
use super::moments::Moments;
use super::notices;
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
    pub tally: Tally,
    /// The tally before the run: what this run did is the difference.
    pub before: Tally,
    pub kills: u32,
    pub kills_before: u32,
    pub halted: bool,
    pub interrupted: bool,
    /// Runs before this one that were cut off, and are now complete on disk.
    pub recovered: Vec<String>,
    /// What the run wrote down, open orders included.
    pub records: Records,
}

/// The open state of one profile's pipeline: where it stands and what it would do next.
#[derive(Debug)]
pub struct Session<'a> {
    journal: &'a mut Journal,
    runs: &'a Path,
    trader: Trader,
    watermark: Option<Time>,
    fingerprint: String,
    symbols: Vec<Symbol>,
    /// The models are new or changed: they must see the bars up to the watermark first.
    cold: bool,
}

impl<'a> Session<'a> {
    /// Takes up the pipeline where its journal stands. `runs` is the profile's folder.
    ///
    /// # Errors
    /// When the journal cannot be read, or its state does not fit the pipeline any more.
    pub fn open(journal: &'a mut Journal, runs: &'a Path, job: &Job) -> Result<Self, RunError> {
        let fingerprint = job.trader.fingerprint();
        let symbols = job.stamp.symbols.clone();
        let standing = journal.standing::<TraderState>(&job.stamp.standing())?;
        let (trader, watermark, cold) = match standing {
            None => (Trader::new(job.trader.clone()), None, false),
            Some(standing) => {
                let cold = standing.fingerprint != fingerprint;
                (Trader::restore(job.trader.clone(), standing.snapshot, cold)?, Some(standing.watermark), cold)
            }
        };
        Ok(Self { journal, runs, trader, watermark, fingerprint, symbols, cold })
    }

    /// Open time of the last moment that was traded; `None` before the first run.
    #[must_use]
    pub const fn watermark(&self) -> Option<Time> {
        self.watermark
    }

    /// The first open time whose bars are needed: all of them when the models must be warmed.
    #[must_use]
    pub fn needs_from(&self) -> Option<Time> {
        if self.cold { None } else { self.watermark.map(|time| time.saturating_add(crate::domain::Span::from_micros(1))) }
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
        let (before, kills_before) = (self.trader.desk().tally().clone(), self.trader.desk().kills());
        let mut moments = Moments::new(columns);
        let mut next = self.skip_to_new(&mut moments);
        let first = next.as_ref().map(|(time, _)| *time);
        let stamp = Stamp { run: first.map_or_else(String::new, |t| self.run_id(job, t)), ..job.stamp.clone() };
        let (mut bars_done, mut interrupted, mut out, mut uncommitted) = (0, false, Outbox::default(), 0);
        if first.is_some() {
            self.journal.begin(&stamp.run, &serde_json::to_string(&stamp).expect("a stamp has text keys only"))?;
        }
        while let Some((open_time, bars)) = next {
            self.trader.step_by(open_time, &bars, &mut decide, &mut out)?;
            self.watermark = Some(open_time);
            bars_done += bars.len() as u64;
            uncommitted += 1;
            next = moments.next().map(|(time, bars)| (time, bars.to_vec()));
            interrupted = next.is_some() && stop.load(Ordering::Relaxed);
            if uncommitted == COMMIT_EVERY || next.is_none() || interrupted {
                out.records.notices.iter().for_each(&mut notify);
                self.commit(&stamp, &mut out.records)?;
                uncommitted = 0;
                progress(bars_done);
            }
            if interrupted {
                break;
            }
        }
        let halted = self.trader.desk().halt().is_some();
        let mut report = Report {
            run: stamp.run.clone(),
            bars: bars_done,
            first,
            watermark: self.watermark,
            summary: self.trader.curve().map(Summary::of),
            tally: self.trader.desk().tally().clone(),
            before,
            kills: self.trader.desk().kills(),
            kills_before,
            halted,
            interrupted,
            recovered,
            records: Records::default(),
        };
        if first.is_some() {
            let state = match (interrupted, halted) {
                (true, _) => RunState::Interrupted,
                (false, true) => RunState::Halted,
                (false, false) => RunState::Done,
            };
            report.records = self.finish(&stamp, &report, state)?;
        }
        Ok(report)
    }

    /// Passes over the bars up to the watermark; models that are cold see them.
    fn skip_to_new(&mut self, moments: &mut Moments<'_>) -> Option<(Time, Vec<(SymbolIndex, crate::domain::Bar)>)> {
        loop {
            let (time, bars) = moments.next()?;
            if self.watermark.is_none_or(|watermark| time > watermark) {
                return Some((time, bars.to_vec()));
            }
            if self.cold {
                bars.iter().for_each(|(symbol, bar)| self.trader.warm(*symbol, bar));
            }
        }
    }

    fn run_id(&self, job: &Job, first: Time) -> String {
        folder::run_id(&job.stamp.profile, &job.stamp.standing(), first)
    }

    fn commit(&mut self, stamp: &Stamp, records: &mut Records) -> Result<(), RunError> {
        let watermark = self.watermark.expect("a commit follows a step");
        let standing = Standing { watermark, fingerprint: self.fingerprint.clone(), snapshot: self.trader.snapshot() };
        self.journal.commit(&stamp.run, &stamp.standing(), &standing, records)?;
        records.clear();
        Ok(())
    }

    fn finish(&mut self, stamp: &Stamp, report: &Report, state: RunState) -> Result<Records, RunError> {
        let mut records = self.journal.records(Some(&stamp.run))?;
        records.orders.extend(self.trader.desk().open_orders());
        let figures = Figures {
            state: state.name().to_owned(),
            from: report.first.map(|t| t.to_string()),
            to: report.watermark.map(|t| t.to_string()),
            bars: report.bars,
            kills: report.kills,
            tally: report.tally.clone(),
            summary: report.summary.clone(),
        };
        let alerts = notices::lines(&records.notices, &self.symbols);
        folder::write(&self.runs.join(&stamp.run), stamp, &figures, &records, &alerts)?;
        self.journal.end(&stamp.run, state)?;
        Ok(records)
    }

    /// Completes the records of runs that were cut off.
    fn recover(&mut self) -> Result<Vec<String>, RunError> {
        let mut recovered = Vec::new();
        for (run, manifest) in self.journal.cut_off()? {
            let records = self.journal.records(Some(&run))?;
            if records.is_empty() {
                self.journal.forget(&run)?;
                continue;
            }
            let stamp: Stamp = self.journal.parse("manifest of a run", &manifest)?;
            let figures = Figures {
                state: RunState::Interrupted.name().to_owned(),
                from: None,
                to: self.watermark.map(|t| t.to_string()),
                bars: 0,
                kills: self.trader.desk().kills(),
                tally: self.trader.desk().tally().clone(),
                summary: self.trader.curve().map(Summary::of),
            };
            let alerts = notices::lines(&records.notices, &stamp.symbols);
            folder::write(&self.runs.join(&run), &stamp, &figures, &records, &alerts)?;
            self.journal.end(&run, RunState::Interrupted)?;
            recovered.push(run);
        }
        Ok(recovered)
    }
}
