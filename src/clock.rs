//! The one place that reads real time.
//!
//! Enter at [`Clock`]. Everything else takes `now` as a parameter or asks a clock it was given, so that a run can be replayed at
//! any moment.
//!
//! Not here: time as a value (`domain/time.rs`), waiting for it.

use crate::domain::Time;

/// Says what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of real time")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands where it was set: `--at`, golden cases, tests.
#[derive(Debug, Clone, Copy)]
pub struct ManualClock(pub Time);

impl Clock for ManualClock {
    fn now(&self) -> Time {
        self.0
    }
}
