//! The stages of a pipeline: ingest, model, oms, alert.
//!
//! Enter at the stage you need. In `stage/<name>/` only `task.rs` and `task/` are async or touch an edge; the rest is pure. A stage never
//! sees a profile or a pipeline: it receives its own config struct.
//!
//! Not here: which stages a pipeline has and how they are joined (`pipeline`), driving them over bars (`runner`).

pub mod alert;
pub mod ingest;
pub mod model;
pub mod oms;
