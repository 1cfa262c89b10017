//! tidegate runs a quant trading pipeline declared in TOML.
//!
//! The map: each room may import only rooms above it in this list. `ARCHITECTURE.md` says why.

/// The face: verbs on the command line.
pub mod cli;
/// What time it is.
pub mod clock;
/// The words: time, money, instruments, bars, orders, fills.
pub mod domain;
/// What an equity curve says about itself.
pub mod perf;
/// What may be traded and how much; who may stop it.
pub mod risk;
/// Motion: replay and run.
pub mod runner;
/// The work: ingest, model, oms, alert.
pub mod stage;
/// What is kept.
pub mod store;
/// The voice: what happened, as rows and as log lines.
pub mod telemetry;
/// Where orders go.
pub mod venue;
