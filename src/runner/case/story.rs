//! What a case tells: its steps, what each must come to, what it is compared with.

use std::path::PathBuf;

use super::compare::Rules;
use super::output::Output;
use super::signals::Signals;
use crate::domain::{SymbolIndex, Time};
use crate::pipeline::{Plan, StageKind};
use crate::profile::Profile;
use crate::runner::trader::TraderConfig;

/// A case, sound by itself.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub profile: Profile,
    pub plan: Plan,
    pub trader: TraderConfig,
    pub steps: Vec<Step>,
    /// Files of the folder that nothing names: goldens that nobody compares, perhaps.
    pub unreferenced: Vec<String>,
}

/// One step: what comes in, how it must end, what must come out.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    pub clock: Time,
    pub bars: Vec<(SymbolIndex, NamedFile)>,
    /// In the model's place, with the name of their file.
    pub signals: Option<(String, Signals)>,
    pub expect: Vec<(StageKind, End)>,
    pub goldens: Vec<Golden>,
    pub rules: Rules,
}

/// A file of the case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedFile {
    /// As the document names it.
    pub name: String,
    pub path: PathBuf,
}

/// What an output is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    pub output: Output,
    pub file: NamedFile,
    pub min_rows: u64,
}

/// How a stage of a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Ok,
    /// The data cannot be read or breaks its contract.
    Failed,
    /// A stage that it needs has failed.
    Blocked,
    /// It is disabled, or there was nothing to do.
    Skipped,
    /// The kill switch is latched.
    Halted,
}

impl End {
    const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Blocked, Self::Skipped, Self::Halted];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
            Self::Halted => "halted",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == word)
    }
}
