//! Ingest: takes closed bars from a source into the lake, by a contract.
//!
//! Enter at [`task::ingest`] for a pipeline's source and at [`task::Intake::import`] for one file.
//!
//! INGEST-1  Every row of a source becomes a bar, or is counted as one that was there, or is refused with a reason.
//! INGEST-2  Nothing is invented or repaired: a hole stays a hole, a refused row stays out.
//! INGEST-3  The same source a second time adds nothing, and says so.
//! INGEST-4  A source is taken whole or not at all: the manifest is written after its last row.
//!
//! Not here: what files look like (`feed`), how bars are kept (`store`), whether trading may go on (`risk`).

pub mod config;
mod coverage;
mod missing;
mod quality;
mod reason;
mod settle;
mod taken;
pub mod task;
mod verdict;

pub use coverage::Gap;
pub use quality::{FileOrder, Quality};
pub use reason::Reason;
pub use settle::{Settled, Settler};
pub use taken::SourceReport;
pub use verdict::{Breach, Verdict};
