//! Exit codes: what a script may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// The work failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A profile or pipeline is wrong.
    Configuration = 3,
    /// A check or test failed: no go, golden mismatch, broken data contract.
    CheckFailed = 4,
    /// An escalation gate holds.
    GateHolds = 5,
    /// Refused by a cap, a sealed key or a latch.
    Refused = 6,
    /// A plan is stale, expired, used or voided.
    PlanVoid = 7,
    /// Another instance holds the lock.
    Locked = 8,
    /// Trading was halted while running.
    Halted = 10,
    /// A rollback is incomplete: positions may be open.
    PositionsOpen = 11,
    /// Ctrl-C or SIGTERM; what was finished is recorded.
    Interrupted = 130,
}

impl Exit {
    /// Every way to end, by its code.
    pub const ALL: [Self; 12] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Configuration,
        Self::CheckFailed,
        Self::GateHolds,
        Self::Refused,
        Self::PlanVoid,
        Self::Locked,
        Self::Halted,
        Self::PositionsOpen,
        Self::Interrupted,
    ];

    /// What the code says, as a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done.",
            Self::Failed => "The work failed.",
            Self::Usage => "The command line is wrong.",
            Self::Configuration => "A profile, a pipeline or a case is wrong.",
            Self::CheckFailed => "A check or test failed: no go, golden mismatch, broken data contract.",
            Self::GateHolds => "An escalation gate holds.",
            Self::Refused => "Refused by a cap, a sealed key or a latch.",
            Self::PlanVoid => "A plan is stale, expired, used or voided.",
            Self::Locked => "Another instance holds the lock.",
            Self::Halted => "Trading was halted while running.",
            Self::PositionsOpen => "A rollback is incomplete: positions may be open.",
            Self::Interrupted => "Interrupted; what was finished is recorded.",
        }
    }

    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An expected failure: the error to print and the code to end with.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
    /// What to do about it, one command or sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    #[must_use]
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// Names the exit code of an error on its way up.
pub trait OrExit<T> {
    /// # Errors
    /// The same error, now ending with `exit`.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}
