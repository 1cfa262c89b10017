//! tidegate runs a quant trading pipeline declared in TOML.
//!
//! The map: each room may import only rooms above it in this list. `ARCHITECTURE.md` says why.

// The words: time, money, instruments, bars, orders, fills.
pub mod domain;
// What time it is.
pub mod clock;
// Random numbers that can be drawn again.
pub mod chance;
// What an equity curve says about itself.
pub mod perf;
// What may be traded and how much; who may stop it.
pub mod risk;
// How limits may grow, step by step.
pub mod escalation;
// The voice: what happened, as rows and as log lines.
pub mod telemetry;
// What is kept: bars, journals, records.
pub mod store;
// What must never be shown, and where it is kept.
pub mod secret;
// Where bars come from.
pub mod feed;
// Where orders go.
pub mod venue;
// Who is told.
pub mod notify;
// What is allowed and where each value comes from: documents become a profile.
pub mod profile;
// The work: ingest, model, oms, alert.
pub mod stage;
// Which stages, how joined, with what parameters: a document becomes a plan.
pub mod pipeline;
// Motion: replay and run.
pub mod runner;
// Pages and pictures for people.
pub mod web;
// The face: verbs on the command line.
pub mod cli;
