//! Golden cases: stories that people write for their own profiles and pipelines, run whole and compared cell by cell.
//!
//! Enter at [`find::names`], [`document::load`], [`account::run`] and [`verdict::judge`].
//!
//! CASE-1  A case runs through the real ingest contract, runner and paper venue, in a temporary folder, at the time it states.
//! CASE-2  An output with fewer rows than asked for never passes, and is never accepted as a golden.
//! CASE-3  Nothing outside a case's own folder is read for its bars, signals and goldens, and nothing outside it is written.
//! CASE-4  A cell that differs is named with its row and column, what was there and what is there now.
//!
//! Not here: asking a person, laying out text (`cli`).

pub mod account;
pub mod align;
pub mod compare;
pub mod document;
pub mod find;
mod inside;
pub mod keys;
pub mod output;
pub mod sheet;
pub mod signals;
mod step;
pub mod story;
mod summary;
pub mod verdict;

pub use output::Output;
pub use story::{Case, End, Step};
pub use verdict::{CaseVerdict, GoldenVerdict, State, StepVerdict};
