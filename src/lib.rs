//! tidegate runs a quant trading pipeline declared in TOML.
//!
//! The map: each room may import only rooms above it in this list. `ARCHITECTURE.md` says why.

/// The face: verbs on the command line.
pub mod cli;
/// What time it is.
pub mod clock;
/// The words: time, money, instruments, bars, orders, fills.
pub mod domain;
/// Who is told.
pub mod notify;
/// Which stages, how joined, with what parameters: a document becomes a plan.
pub mod pipeline;
/// What is allowed and where each value comes from: documents become a profile.
pub mod profile;
/// What may be traded and how much; who may stop it.
pub mod risk;
/// The work: ingest, model, oms, alert.
pub mod stage;
/// Where orders go.
pub mod venue;
