//! tidegate runs a quant trading pipeline declared in TOML.
//!
//! The map: each room may import only rooms above it in this list. `ARCHITECTURE.md` says why.

/// Random numbers that can be drawn again.
pub mod chance;
/// The face: verbs on the command line.
pub mod cli;
/// What time it is.
pub mod clock;
/// The words: time, money, instruments, bars, orders, fills.
pub mod domain;
/// Where bars come from.
pub mod feed;
/// What may be traded and how much; who may stop it.
pub mod risk;
/// The work: ingest, model, oms, alert.
pub mod stage;
/// Bars on disk.
pub mod store;
/// Where orders go.
pub mod venue;
