//! What is said aloud: one log line an event, with a constant message and the particulars as fields.

use super::record::Notice;
use crate::domain::{Symbol, SymbolIndex, Time};

/// A receiver took an alert.
#[derive(Debug, Clone, Copy)]
pub struct AlertDelivered<'a> {
    pub receiver: &'a str,
    pub title: &'a str,
    pub attempts: u32,
}

impl AlertDelivered<'_> {
    pub fn emit(&self) {
        tracing::debug!(receiver = self.receiver, title = self.title, attempts = self.attempts, "alert delivered");
    }
}

/// An alert did not reach a receiver.
#[derive(Debug, Clone, Copy)]
pub struct AlertUndelivered<'a> {
    pub receiver: &'a str,
    pub title: &'a str,
    pub why: &'a str,
}

impl AlertUndelivered<'_> {
    pub fn emit(&self) {
        tracing::warn!(receiver = self.receiver, title = self.title, why = self.why, "alert not delivered");
    }
}

/// Alerts cannot be read, kept or sent: nobody is told until that is over.
#[derive(Debug, Clone, Copy)]
pub struct AlertsStuck<'a> {
    pub why: &'a str,
}

impl AlertsStuck<'_> {
    pub fn emit(&self) {
        tracing::error!(why = self.why, "alerts are stuck");
    }
}

/// The dead man's switch was not pinged.
#[derive(Debug, Clone, Copy)]
pub struct PingWithheld<'a> {
    pub why: &'a str,
}

impl PingWithheld<'_> {
    pub fn emit(&self) {
        tracing::warn!(why = self.why, "dead man's switch not pinged");
    }
}

/// A request to a venue waits, or is tried again.
#[derive(Debug, Clone, Copy)]
pub struct VenueWaits<'a> {
    pub what: &'a str,
    pub secs: f64,
    pub why: &'a str,
}

impl VenueWaits<'_> {
    pub fn emit(&self) {
        // A second or two is nobody's business; a wait that a person notices is.
        if self.secs < 10.0 {
            tracing::info!(what = self.what, secs = self.secs, why = self.why, "request waits");
        } else {
            tracing::warn!(what = self.what, secs = self.secs, why = self.why, "request waits");
        }
    }
}

/// What a venue asked for could not be written down: a restart would not know of it.
#[derive(Debug, Clone, Copy)]
pub struct ClosureLost<'a> {
    pub why: &'a str,
}

impl ClosureLost<'_> {
    pub fn emit(&self) {
        tracing::warn!(why = self.why, "pause asked for by the venue not kept");
    }
}

/// A connection to a venue's streams is over; another is opened.
#[derive(Debug, Clone, Copy)]
pub struct StreamEnded<'a> {
    pub why: &'a str,
}

impl StreamEnded<'_> {
    pub fn emit(&self) {
        tracing::warn!(why = self.why, "stream ended");
    }
}

/// Bars that a stream did not bring could not be had now, or could not be kept.
#[derive(Debug, Clone, Copy)]
pub struct StreamJobFailed<'a> {
    pub symbol: &'a Symbol,
    pub why: &'a str,
}

impl StreamJobFailed<'_> {
    pub fn emit(&self) {
        tracing::warn!(symbol = %self.symbol, why = self.why, "bars not kept yet");
    }
}

/// No bar of a symbol has come for long, or one came again.
#[derive(Debug, Clone, Copy)]
pub struct FeedStale<'a> {
    pub symbol: &'a Symbol,
    /// Open time of the first bar that lacks.
    pub lacks: Time,
    pub is_over: bool,
}

impl FeedStale<'_> {
    pub fn emit(&self) {
        if self.is_over {
            tracing::warn!(symbol = %self.symbol, "feed goes on");
        } else {
            tracing::warn!(symbol = %self.symbol, lacks = %self.lacks, "feed is stale");
        }
    }
}

/// The name at `index`; a pipeline that knows it gave it.
#[must_use]
pub fn symbol_name(symbols: &[Symbol], index: SymbolIndex) -> String {
    symbols.get(index.at()).map_or_else(|| format!("symbol {}", index.0), ToString::to_string)
}

impl Notice {
    /// Writes the log line. `symbols` are those of the pipeline, in its order.
    pub fn emit(&self, symbols: &[Symbol]) {
        let name = |index| symbol_name(symbols, index);
        match *self {
            Self::Killed { trip, had_position } => tracing::error!(
                at = %trip.at, cause = trip.cause.name(), equity = %trip.equity, high_water_mark = %trip.high_water_mark,
                flatten = trip.flatten, had_position, "kill switch tripped"
            ),
            Self::OrderDenied { order, symbol, at, refusal } => {
                let (seen, allowed) = refusal.numbers();
                tracing::info!(%at, symbol = name(symbol), %order, code = refusal.code(), seen, allowed, "order denied");
            }
            Self::OrderRejected { order, symbol, at, reason } => {
                tracing::warn!(%at, symbol = name(symbol), %order, reason = reason.name(), "order rejected");
            }
            Self::BarGap { symbol, at, missing } => tracing::warn!(%at, symbol = name(symbol), missing, "bars missing"),
            Self::ExcessFill { order, symbol, at, qty } => {
                tracing::error!(%at, symbol = name(symbol), %order, %qty, "fill beyond the order");
            }
            Self::Dust { symbol, at, qty } => tracing::info!(%at, symbol = name(symbol), %qty, "dust left"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// TELEMETRY-1.
    #[test]
    fn the_message_is_constant_and_the_rest_are_fields() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).without_time().with_writer(move || writer.clone()).finish();
        let symbols = ["BTC/USDT".parse().unwrap()];
        tracing::subscriber::with_default(subscriber, || {
            let at: Time = "2026-03-29T01:00:00Z".parse().unwrap();
            Notice::BarGap { symbol: SymbolIndex(0), at, missing: 3 }.emit(&symbols);
            AlertUndelivered { receiver: "slack", title: "kill", why: "gone" }.emit();
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let seen: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let field = |line: usize, name: &str| seen[line][name].clone();
        assert_eq!((field(0, "message"), field(0, "level")), ("bars missing".into(), "WARN".into()));
        assert_eq!(
            (field(0, "symbol"), field(0, "missing"), field(0, "at")),
            ("BTC/USDT".into(), 3.into(), "2026-03-29T01:00:00Z".into())
        );
        assert_eq!((field(1, "message"), field(1, "why")), ("alert not delivered".into(), "gone".into()));
    }
}
