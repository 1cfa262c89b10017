//! The voice: what happened, as rows of the record and as log lines.
//!
//! Enter at the event's own struct and its `emit`, at [`logging::start`] for where lines go, and at [`exposition::Exposition`] for
//! metrics.
//!
//! TELEMETRY-1  A log line's message is constant; what varies is in its fields.
//! TELEMETRY-2  No event carries a secret: addresses and keys of receivers and venues are not in any of these structs.
//!
//! Not here: writing the record (`store`), telling people (`notify`, `stage/alert`).

pub mod event;
pub mod exposition;
pub mod logging;
pub mod metrics;
pub mod record;
pub mod severity;
pub mod watch;

pub use severity::Severity;
