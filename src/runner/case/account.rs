//! The run of a case: its steps share one lake and one account, in a folder that goes when they have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::output::{Output, Quarantined, of_alerts, of_records};
use super::sheet::Sheet;
use super::story::{Case, End, NamedFile, Step};
use super::summary::{self, Standing};
use crate::domain::{Columns, Series, SeriesError, Span, SymbolIndex, Time};
use crate::perf::Summary;
use crate::pipeline::StageKind;
use crate::runner::notices;
use crate::runner::run::{Job, Report, RunError, Runner};
use crate::runner::setup;
use crate::stage::alert::{Alert, Dedup, dedup::Verdict};
use crate::stage::ingest::Breach;
use crate::stage::ingest::task::{IngestError, Ingested, Intake, SourceReport};
use crate::stage::model::Signal;
use crate::store::journal::{Journal, JournalError};
use crate::store::{Lake, LakeError};

/// Bars of cases never mix with those of a market.
const VENUE: &str = "case";

/// A case cannot be run to its end: the machine's fault, or ours, not the case's.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("failed to make a temporary folder for the case")]
    Folder(#[source] std::io::Error),
    #[error("failed to read what was quarantined")]
    Quarantine(#[source] std::io::Error),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Series(#[from] SeriesError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("failed to take in the bars of a case")]
    Ingest(#[source] IngestError),
}

/// How a step went.
#[derive(Debug)]
pub struct Outcome {
    /// How each stage ended, and why.
    pub ends: BTreeMap<StageKind, (End, String)>,
    pub outputs: BTreeMap<Output, Sheet>,
    /// Signals whose close no bar had, in words.
    pub unused_signals: Vec<String>,
}

/// Runs every step of a case.
///
/// # Errors
/// When the machine fails; a case that fails is no error.
pub fn run(case: &Case) -> Result<Vec<Outcome>, CaseError> {
    let home = TempDir::new().map_err(CaseError::Folder)?;
    let lake = Lake::open(home.path().join("lake"))?;
    let runs = home.path().join("runs");
    let journal = Journal::open(&runs)?;
    let series = case.plan.symbols().iter().map(|symbol| Series::new(VENUE, symbol.clone(), case.plan.interval()));
    let series = series.collect::<Result<Vec<_>, _>>()?;
    let files = vec![Vec::new(); series.len()];
    let stamp = setup::stamp(&case.profile, &case.plan, &case.trader, "test", String::new());
    let job = Job { stamp, trader: case.trader.clone() };
    let mut account = Account { case, lake, journal, runs, series, files, job, told: Dedup::default(), _home: home };
    case.steps.iter().map(|step| account.step(step)).collect()
}

struct Account<'a> {
    case: &'a Case,
    lake: Lake,
    journal: Journal,
    runs: PathBuf,
    series: Vec<Series>,
    /// By symbol: every file that steps have brought so far, as they would lie in a source's folder.
    files: Vec<Vec<NamedFile>>,
    job: Job,
    told: Dedup,
    /// Last: it goes when all that is open in it is closed.
    _home: TempDir,
}

/// What came of taking in a step's bars.
struct Intaken {
    end: End,
    why: String,
    alerts: Vec<Alert>,
    quarantine: Sheet,
}

/// What came of trading them.
struct Traded {
    model: (End, String),
    oms: (End, String),
    report: Option<Report>,
    unused_signals: Vec<String>,
}

impl Account<'_> {
    fn step(&mut self, step: &Step) -> Result<Outcome, CaseError> {
        let watermark = Runner::open(&mut self.journal, &self.runs, &self.job)?.watermark();
        let intaken = self.take_in(step, watermark)?;
        let mut traded = self.trade(step, intaken.end)?;
        let mut alerts = intaken.alerts;
        let records = traded.report.as_mut().map(|report| std::mem::take(&mut report.records)).unwrap_or_default();
        alerts.extend(records.notices.iter().map(|notice| Alert::of(notice, self.case.plan.symbols())));
        let (alert, alerts) = self.tell(alerts);
        let mut outputs = of_records(&records, self.case.plan.symbols(), &self.job.stamp.features);
        outputs.insert(Output::Alerts, of_alerts(&alerts, self.case.plan.alert()));
        outputs.insert(Output::Quarantine, intaken.quarantine);
        outputs.insert(Output::Summary, self.summary(traded.report.as_ref())?);
        let ends = BTreeMap::from([
            (StageKind::Ingest, (intaken.end, intaken.why)),
            (StageKind::Model, traded.model),
            (StageKind::Oms, traded.oms),
            (StageKind::Alert, alert),
        ]);
        Ok(Outcome { ends, outputs, unused_signals: traded.unused_signals })
    }

    fn take_in(&mut self, step: &Step, watermark: Option<Time>) -> Result<Intaken, CaseError> {
        let skipped = |why: &str| {
            let quarantine = Quarantined::default().into_sheet();
            Ok(Intaken { end: End::Skipped, why: why.to_owned(), alerts: Vec::new(), quarantine })
        };
        if !self.case.plan.is_enabled(StageKind::Ingest) {
            return skipped("the stage is disabled");
        }
        if step.bars.is_empty() {
            return skipped("the step brings no bars");
        }
        for (symbol, file) in &step.bars {
            self.files[symbol.at()].push(file.clone());
        }
        let intake = Intake::new(&self.lake, &self.case.plan.ingest().contract, step.clock);
        let mut quarantined = Quarantined::default();
        let mut reports = Vec::new();
        for (series, files) in self.series.iter().zip(&self.files).filter(|(_, files)| !files.is_empty()) {
            let mut sources = Vec::new();
            for file in files {
                let mut report = match intake.import(series, &file.path, &mut |_| {}) {
                    Ok(report) => report,
                    Err(IngestError::Feed(error)) => {
                        let home = format!("{}/", self.case.folder.display());
                        let why = error.to_string().replace(&home, "");
                        let alerts = vec![Alert::ingest_failed(&series.to_string(), "unreadable", &why, step.clock)];
                        return Ok(Intaken { end: End::Failed, why, alerts, quarantine: quarantined.into_sheet() });
                    }
                    Err(other) => return Err(CaseError::Ingest(other)),
                };
                if let Some(path) = &report.quarantine {
                    quarantined.add(series, &file.name, path).map_err(CaseError::Quarantine)?;
                }
                report.source.clone_from(&file.name);
                sources.push(report);
            }
            reports.push(intake.judge(series.clone(), sources, watermark).map_err(CaseError::Ingest)?);
        }
        let ingested = Ingested { series: reports };
        let alerts = notices::broken(&ingested, step.clock);
        let end = if ingested.is_kept() { End::Ok } else { End::Failed };
        Ok(Intaken { end, why: told(&ingested), alerts, quarantine: quarantined.into_sheet() })
    }

    fn trade(&mut self, step: &Step, ingest: End) -> Result<Traded, CaseError> {
        let both = |end: End, why: &str| {
            let ended = (end, why.to_owned());
            Ok(Traded { model: ended.clone(), oms: ended, report: None, unused_signals: Vec::new() })
        };
        if ingest == End::Failed {
            return both(End::Blocked, "ingest failed");
        }
        if !(self.case.plan.is_enabled(StageKind::Model) && self.case.plan.is_enabled(StageKind::Oms)) {
            return both(End::Skipped, "model or oms is disabled");
        }
        let runner = Runner::open(&mut self.journal, &self.runs, &self.job)?;
        let columns = closed(&self.lake, &self.series, &self.job, runner.needs_from(), step.clock)?;
        let is_new =
            |column: &Columns| column.open_time.last().is_some_and(|&t| runner.watermark().is_none_or(|w| t > w.micros()));
        if !columns.iter().any(is_new) {
            return both(End::Skipped, &format!("no bar has closed by {} that was not traded", step.clock));
        }
        let mut used = BTreeSet::new();
        let decide = |symbol: SymbolIndex, close: Time, own: Signal| {
            let Some((_, signals)) = &step.signals else { return own };
            let (signal, line) = signals.at(symbol, close);
            used.extend(line);
            signal
        };
        let report = runner.run_by(&self.job, &columns, &AtomicBool::new(false), decide, |_| {}, |_| {})?;
        let model = (End::Ok, format!("{} bars", report.bars));
        let fills = report.after.tally.fills - report.before.tally.fills;
        let oms = match report.halted {
            true => (End::Halted, "the kill switch is latched".to_owned()),
            false => (End::Ok, format!("{} orders, {fills} fills", report.after.tally.orders - report.before.tally.orders)),
        };
        let unused_signals = unused(step, &used, self.case);
        Ok(Traded { model, oms, report: Some(report), unused_signals })
    }

    /// Which alerts go out, as the alert stage decides.
    fn tell(&mut self, mut alerts: Vec<Alert>) -> ((End, String), Vec<Alert>) {
        if !self.case.plan.is_enabled(StageKind::Alert) {
            return ((End::Skipped, "the stage is disabled, or the pipeline has none".to_owned()), Vec::new());
        }
        let raised = alerts.len();
        let repeat_every = self.case.plan.alert().repeat_every;
        alerts.retain(|alert| matches!(self.told.take(alert, repeat_every), Verdict::Tell { .. }));
        ((End::Ok, format!("{raised} raised, {} told", alerts.len())), alerts)
    }

    fn summary(&mut self, report: Option<&Report>) -> Result<Sheet, CaseError> {
        let runner = Runner::open(&mut self.journal, &self.runs, &self.job)?;
        let (trader, watermark) = (runner.trader(), runner.watermark());
        let summary = trader.curve().map(Summary::of);
        let desk = trader.desk();
        Ok(summary::lines(&Standing {
            bars: report.map_or(0, |report| report.bars),
            watermark,
            tally: desk.tally(),
            kills: desk.kills(),
            state: desk.trading_state(),
            summary: summary.as_ref(),
        }))
    }
}

/// The bars of every symbol that are needed and have closed by `now`.
fn closed(lake: &Lake, series: &[Series], job: &Job, from: Option<Time>, now: Time) -> Result<Vec<Columns>, LakeError> {
    let projection = setup::projection(&job.trader);
    // A bar that opens at `now - interval` closes now.
    let to = now - job.trader.desk.interval.span() + Span::from_micros(1);
    let read = |series: &Series| match lake.read(series, from, Some(to), projection) {
        Err(LakeError::NoSeries { .. }) => Ok(Columns::default()),
        other => other,
    };
    series.iter().map(read).collect()
}

fn unused(step: &Step, used: &BTreeSet<usize>, case: &Case) -> Vec<String> {
    let Some((file, signals)) = &step.signals else { return Vec::new() };
    let told = |(line, close, symbol): (usize, Time, SymbolIndex)| {
        format!("{file}:{line}: no bar of {} that closes at {close} was traded in this step", case.plan.symbols()[symbol.at()])
    };
    signals.iter().filter(|(line, ..)| !used.contains(line)).map(told).collect()
}

/// What came in, in one line.
fn told(ingested: &Ingested) -> String {
    let mut parts = vec![format!("{} bars added", ingested.added())];
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    let sources = ingested.series.iter().flat_map(|series| &series.sources);
    for (code, count) in sources.filter(|source: &&SourceReport| !source.is_unchanged).flat_map(|source| &source.refused) {
        *refused.entry(code).or_default() += count;
    }
    parts.extend(refused.iter().map(|(code, count)| format!("{count} refused: {code}")));
    let breaches = ingested.series.iter().flat_map(|series| &series.verdict.breaches).map(Breach::to_string);
    parts.extend(breaches);
    parts.join("; ")
}
