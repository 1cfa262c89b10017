//! What gates look at.

use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::perf::DayClose;

/// A kill event: trading was stopped by a limit, a doubt or a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    pub at: Time,
    /// A word of a closed set, like `drawdown-daily`.
    pub cause: String,
    /// The row of the log that tells of it; `None` for a latch that no row tells of yet.
    pub row: Option<u64>,
}

/// A critical alert, whether it still stands or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Critical {
    /// When it was raised last.
    pub at: Time,
    /// What it is about, like `rule/venue-down`.
    pub key: String,
}

/// What is known of an account at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The last equity of each UTC day, ascending.
    pub closes: Vec<DayClose>,
    /// In the order of their times.
    pub kills: Vec<Kill>,
    /// Kills before this would not be known; `None` when nothing was ever written down.
    pub known_since: Option<Time>,
    /// Critical alerts that nobody has resolved; `None` when nobody keeps count.
    pub unresolved_critical: Option<u64>,
    /// Critical alerts of the history, in the order of their times.
    pub criticals: Vec<Critical>,
}
