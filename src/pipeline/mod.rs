//! Pipelines: which stages, how joined, with what parameters.
//!
//! Enter at [`load()`], which goes from a project's folder to a profile and a [`Plan`].
//!
//! PIPELINE-1  Orders of a plan come from a model that decides on ingested bars; nothing in a pipeline sets a limit or a venue.
//! PIPELINE-2  The order of stages depends on the document alone.
//! PIPELINE-3  Every symbol of a plan is allowed by its profile and quoted in the currency of its limits.
//!
//! Not here: the language's parts (`profile`), running a plan (`runner`).

pub mod compile;
pub mod direction;
pub mod document;
pub mod graph;
pub mod keys;
pub mod load;
mod params;
pub mod plan;
pub mod schedule;
pub mod wall_clock;

pub use compile::compile;
pub use document::Document;
pub use graph::StageKind;
pub use load::load;
pub use plan::{ModelChoice, Plan, PlanError, Record, StagePlan};
pub use schedule::Schedule;
