//! Where log lines go: stderr, as text for people or as one JSON object a line for machines.

use std::fmt;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// Names the wish for more lines, in the syntax of `RUST_LOG`.
pub const FILTER_VARIABLE: &str = "TIDEGATE_LOG";

/// What lines look like and which there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    pub json: bool,
    pub color: bool,
    /// What is written unless the environment says otherwise: `"warn"`, `"tidegate=debug"`.
    pub filter: &'static str,
}

/// Why there are no log lines.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("{FILTER_VARIABLE} is not a log filter: write it like \"info\" or \"tidegate=debug\"")]
    BadFilter,
    #[error("log lines already go elsewhere")]
    AlreadySet,
}

/// Stamps lines with the program's own clock, so that a run at a set time says that time.
struct ClockTime(Arc<dyn Clock>);

impl FormatTime for ClockTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", self.0.now())
    }
}

/// Sends log lines to stderr from here on. `wish` is the value of [`FILTER_VARIABLE`], where it is set.
///
/// # Errors
/// When `wish` is no filter, or lines already go somewhere.
pub fn start(logging: Logging, wish: Option<&str>, clock: Arc<dyn Clock>) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(wish.unwrap_or(logging.filter)).map_err(|_| LoggingError::BadFilter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_timer(ClockTime(clock));
    // A line that cannot be written is dropped: a word about it would go the same way, and end the program.
    let lines = lines.log_internal_errors(false);
    let started = if logging.json {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.with_ansi(logging.color).with_target(false).finish().try_init()
    };
    started.map_err(|_| LoggingError::AlreadySet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_wrong_filter_is_named() {
        let clock = Arc::new(ManualClock("2026-03-29".parse().unwrap()));
        let logging = Logging { json: false, color: false, filter: "warn" };
        let error = start(logging, Some("tidegate=loud"), clock).unwrap_err();
        assert!(error.to_string().contains(FILTER_VARIABLE), "{error}");
    }
}
