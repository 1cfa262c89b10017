//! What is checked, and all that is known about it afterwards.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::CheckArgs;
use crate::cli::Context;
use crate::cli::data::notes::{self, Notes};
use crate::cli::data::{failed, progress_bar};
use crate::cli::exit::{Exit, Failure};
use crate::domain::{Projection, Series, Symbol};
use crate::stage::ingest::task::{Inspected, Intake, SourceReport, Tally};
use crate::stage::ingest::{Calendar, Lag, lag};
use crate::store::{Lake, SeriesInfo};

/// What is checked: bars in the lake, or a file that may never get there.
#[derive(Debug, Clone)]
pub enum Subject {
    Series(Series),
    File(PathBuf, Series),
}

/// A subject with all that is known about it.
#[derive(Debug)]
pub struct Checked {
    pub subject: Subject,
    pub report: SourceReport,
    pub calendar: Calendar,
    pub sources: Tally,
    pub breaches: Vec<String>,
    /// How it lies beside the series that it was held against.
    pub lag: Option<(Series, Lag)>,
    /// What people and repairs have noted about the series.
    pub notes: Notes,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Series(series) => write!(f, "{series}"),
            Self::File(path, _) => write!(f, "{}", path.display()),
        }
    }
}

impl Checked {
    pub fn is_kept(&self) -> bool {
        self.breaches.is_empty()
    }

    pub fn series(&self) -> &Series {
        match &self.subject {
            Subject::Series(series) | Subject::File(_, series) => series,
        }
    }

    /// `ok` or `broken`.
    pub fn verdict(&self) -> &'static str {
        if self.is_kept() { "ok" } else { "broken" }
    }

    /// Bars that are too far from those beside them: refused by its sources, or there with a bad print.
    pub fn outliers(&self) -> u64 {
        self.sources.outliers + self.report.quality.bad_prints
    }

    /// Everything, for a program.
    pub fn value(&self) -> Value {
        let total = self.calendar.total();
        let days: Vec<_> = self.calendar.told().collect();
        json!({
            "subject": self.subject.to_string(),
            "ok": self.is_kept(),
            "breaches": self.breaches,
            "due": total.due,
            "there": total.there,
            "missing": total.missing,
            "late": total.late,
            "accepted_bars": total.accepted,
            "duplicates": self.sources.duplicates,
            "outliers": self.outliers(),
            "refused_rows": self.sources.refused,
            "days_not_whole": days,
            "quality": self.report.quality,
            "refused": self.report.refused,
            "accepted": self.notes.accepted(),
            "retired": self.notes.retired(),
            "disputed": self.notes.disputed(),
            "against": self.lag.as_ref().map(|(against, lag)| json!({ "series": against.to_string(), "lag": lag })),
        })
    }
}

fn lag_breach((against, lag): &(Series, Lag)) -> Option<String> {
    let (code, meaning) = match lag.is_end_labelled {
        true => ("end-labelled", "each bar is named by its end"),
        false => ("wrong-offset", "its times are off"),
    };
    let (before, after) = (lag.as_it_stands, lag.shifted);
    let shift = lag.shift;
    lag.is_certain.then(|| {
        format!(
            "{code}: {meaning}; shifted by {shift} its returns agree with {against} by {after:.4}, as it stands by {before:.4}"
        )
    })
}

impl CheckArgs {
    pub(super) fn look(&self, intake: &Intake<'_>, subject: Subject, context: &Context) -> Result<Checked, Failure> {
        let (inspected, mut breaches) = match &subject {
            Subject::Series(series) => {
                let inspected = intake.inspect_series(series, self.from, self.to).map_err(failed)?;
                let breaches = intake.breaches_of_series(&inspected);
                (inspected, breaches)
            }
            Subject::File(path, series) => {
                let bar = progress_bar(context, std::fs::metadata(path).map_or(0, |found| found.len()));
                let report = intake.inspect_file(series, path, &mut |bytes| bar.set_position(bytes)).map_err(failed)?;
                bar.finish_and_clear();
                let breaches = intake.breaches(&report);
                let calendar = intake.calendar_of_file(series, path).map_err(failed)?;
                let sources = Tally::of(&report);
                (Inspected { report, calendar, sources }, breaches)
            }
        };
        let lag = self.lag(intake, &subject)?;
        breaches.extend(lag.as_ref().and_then(lag_breach));
        let Inspected { report, calendar, sources } = inspected;
        let notes = match &subject {
            Subject::Series(series) => notes::of(intake, series)?,
            Subject::File(..) => Notes::default(),
        };
        Ok(Checked { subject, report, calendar, sources, breaches, lag, notes })
    }

    /// How the subject lies beside the series it is held against, if there is one.
    fn lag(&self, intake: &Intake<'_>, subject: &Subject) -> Result<Option<(Series, Lag)>, Failure> {
        let Some(against) = &self.against else { return Ok(None) };
        let read =
            |series: &Series| intake.lake.read(series, None, None, Projection::CLOSE).map_err(|error| failed(error.into()));
        let (closes, interval) = match subject {
            Subject::Series(series) if series == against => return Ok(None),
            Subject::Series(series) => (read(series)?, series.interval()),
            Subject::File(path, series) => (intake.closes_of_file(series, path).map_err(failed)?, series.interval()),
        };
        match lag(&closes, interval, &read(against)?, against.interval()) {
            Some(lag) => Ok(Some((against.clone(), lag))),
            None => {
                let error = anyhow::anyhow!("{subject} and {against} cannot be held against each other");
                Err(Failure::new(Exit::Failed, error).hint(
                    "name a series of the same symbol, of the same bar length or a multiple, with 48 bars and more in common",
                ))
            }
        }
    }

    /// What to check: what is named, else what the profile's pipeline takes in, else every series that the flags do not exclude.
    pub(super) fn subjects(&self, lake: &Lake, of_pipeline: Option<Vec<Series>>) -> Result<Vec<Subject>, Failure> {
        let there = lake.series().map_err(|error| failed(error.into()))?;
        if let (true, Some(series)) = (self.subjects.is_empty(), of_pipeline) {
            return Ok(series.into_iter().map(Subject::Series).collect());
        }
        if self.subjects.is_empty() {
            let wanted = there.iter().filter(|info| self.series.matches(&info.series));
            let found: Vec<Subject> = wanted.map(|info| Subject::Series(info.series.clone())).collect();
            if found.is_empty() && !there.is_empty() {
                let error = anyhow::anyhow!("none of the {} series of the lake {} is meant", there.len(), lake.root().display());
                return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
            }
            return Ok(found);
        }
        let mut subjects = Vec::new();
        for text in &self.subjects {
            subjects.extend(self.named(text, lake, &there)?);
        }
        let has_range = self.from.is_some() || self.to.is_some();
        if let Some(file) = subjects.iter().find(|subject| matches!(subject, Subject::File(..))).filter(|_| has_range) {
            let error = anyhow::anyhow!("--from and --to are for series of the lake; {file} is a file");
            return Err(Failure::new(Exit::Usage, error).hint("import it first, or check it whole"));
        }
        Ok(subjects)
    }

    fn named(&self, text: &str, lake: &Lake, there: &[SeriesInfo]) -> Result<Vec<Subject>, Failure> {
        let path = Path::new(text);
        if path.exists() {
            return Ok(vec![Subject::File(path.to_owned(), self.series.series_of(path)?)]);
        }
        if let Ok(series) = text.parse::<Series>() {
            return Ok(vec![Subject::Series(series)]);
        }
        let Ok(symbol) = text.parse::<Symbol>() else {
            let error = anyhow::anyhow!("\"{text}\" is neither a file nor a series");
            return Err(Failure::new(Exit::Usage, error).hint("tidegate data ls shows the series of the lake"));
        };
        let of_symbol = there.iter().filter(|info| *info.series.symbol() == symbol);
        let found: Vec<Subject> = of_symbol.map(|info| Subject::Series(info.series.clone())).collect();
        if found.is_empty() {
            let error = anyhow::anyhow!("there are no bars of {symbol} in the lake {}", lake.root().display());
            return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
        }
        Ok(found)
    }
}
