//! Whether a case passes, and if not, exactly why.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::account::Outcome;
use super::compare::{Difference, Rules, compare};
use super::output::Output;
use super::sheet::Sheet;
use super::story::{Case, Golden, Step};
use crate::store::disk::Disk;

/// Where a golden, a step or a case stands; the worst of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Ok,
    /// There is no golden yet.
    New,
    /// An output differs from its golden.
    Changed,
    /// An expectation is not met; accepting outputs cannot mend that.
    Failed,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Ok, Self::New, Self::Changed, Self::Failed];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Serialize)]
pub struct CaseVerdict {
    pub name: String,
    pub steps: Vec<StepVerdict>,
    /// Files in the case's folder that nothing names.
    pub unreferenced: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct StepVerdict {
    pub name: String,
    pub failures: Vec<Failure>,
    pub goldens: Vec<GoldenVerdict>,
}

/// An expectation that is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Failure {
    End { stage: &'static str, expected: &'static str, got: &'static str, why: String },
    UnusedSignal { signal: String },
}

#[derive(Debug, Serialize)]
pub struct GoldenVerdict {
    pub output: Output,
    /// As the case names it.
    pub file: String,
    #[serde(skip)]
    path: PathBuf,
    pub rows: u64,
    pub min_rows: u64,
    pub is_new: bool,
    pub differences: Vec<Difference>,
    /// The output has become the golden.
    pub is_accepted: bool,
    #[serde(skip)]
    content: String,
}

/// A golden cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    #[error("failed to read the golden {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to write the golden {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Judges what a case's steps came to.
///
/// # Errors
/// When a golden is there and cannot be read.
pub fn judge(case: &Case, outcomes: &[Outcome]) -> Result<CaseVerdict, GoldenError> {
    let steps = case.steps.iter().zip(outcomes).map(|(step, outcome)| judge_step(step, outcome));
    let steps = steps.collect::<Result<_, _>>()?;
    Ok(CaseVerdict { name: case.name.clone(), steps, unreferenced: case.unreferenced.clone() })
}

fn judge_step(step: &Step, outcome: &Outcome) -> Result<StepVerdict, GoldenError> {
    let ended = |stage| outcome.ends.get(stage).expect("every stage of a step ends");
    let missed = step.expect.iter().filter(|(stage, expected)| ended(stage).0 != *expected);
    let missed = missed.map(|(stage, expected)| {
        let (got, why) = ended(stage);
        Failure::End { stage: stage.name(), expected: expected.name(), got: got.name(), why: why.clone() }
    });
    let unused = outcome.unused_signals.iter().map(|signal| Failure::UnusedSignal { signal: signal.clone() });
    let failures = missed.chain(unused).collect();
    let goldens = step.goldens.iter().map(|golden| GoldenVerdict::judge(golden, &step.rules, &outcome.outputs[&golden.output]));
    Ok(StepVerdict { name: step.name.clone(), failures, goldens: goldens.collect::<Result<_, _>>()? })
}

impl GoldenVerdict {
    /// Compares one output with its golden.
    ///
    /// # Errors
    /// When the golden is there and cannot be read.
    pub fn judge(golden: &Golden, rules: &Rules, output: &Sheet) -> Result<Self, GoldenError> {
        let Golden { output: kind, file, min_rows } = golden;
        let text = match fs::read(&file.path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(GoldenError::Read { path: file.path.clone(), source }),
        };
        let (differences, content) = match text.as_deref().map(|text| Sheet::parse(kind.form(), text)) {
            None => (Vec::new(), output.print(kind.form())),
            Some(Err(error)) => (vec![Difference::Unreadable { problem: error.to_string() }], output.print(kind.form())),
            // The golden's columns are a person's choice, and stay.
            Some(Ok(sheet)) => (compare(&sheet, output, kind.keys(), rules), output.pick(&sheet.columns).print(kind.form())),
        };
        Ok(Self {
            output: *kind,
            file: file.name.clone(),
            path: file.path.clone(),
            rows: output.rows.len() as u64,
            min_rows: *min_rows,
            is_new: text.is_none(),
            differences,
            is_accepted: false,
            content,
        })
    }

    /// CASE-2: too few rows is a failure, whatever the golden says.
    #[must_use]
    pub fn state(&self) -> State {
        if self.is_empty() {
            State::Failed
        } else if self.is_accepted {
            State::Ok
        } else if self.is_new {
            State::New
        } else if self.differences.is_empty() {
            State::Ok
        } else {
            State::Changed
        }
    }

    /// Has it fewer rows than asked for?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows < self.min_rows
    }

    /// What the golden would be.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Can a person accept it?
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state(), State::New | State::Changed)
    }

    /// Makes the output the golden, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then as it was.
    pub fn accept(&mut self) -> Result<(), GoldenError> {
        assert!(self.is_pending(), "CASE-2: only a change that passes may become a golden");
        let failed = |source| GoldenError::Write { path: self.path.clone(), source };
        let (folder, name) = (self.path.parent(), self.path.file_name().and_then(|name| name.to_str()));
        let (folder, name) = folder.zip(name).ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        Disk::default().replace(folder, name, self.content.as_bytes()).map_err(failed)?;
        self.is_accepted = true;
        Ok(())
    }
}

impl StepVerdict {
    #[must_use]
    pub fn state(&self) -> State {
        let failed = if self.failures.is_empty() { State::Ok } else { State::Failed };
        self.goldens.iter().map(GoldenVerdict::state).fold(failed, State::max)
    }
}

impl CaseVerdict {
    #[must_use]
    pub fn state(&self) -> State {
        self.steps.iter().map(StepVerdict::state).fold(State::Ok, State::max)
    }

    /// Every golden that a person can accept.
    pub fn pending(&mut self) -> impl Iterator<Item = &mut GoldenVerdict> {
        self.steps.iter_mut().flat_map(|step| &mut step.goldens).filter(|golden| golden.is_pending())
    }
}
