//! Ingest: takes closed bars from a source into the lake, by a contract.
//!
//! Enter at [`task::ingest`] for a pipeline's source and at [`task::Intake::import`] for one file; bars are made of trades by
//! [`Aggregator`] and of shorter bars by [`resample()`].
//!
//! INGEST-1  Every row of a source becomes a bar, or is counted as one that was there, or is refused with a reason.
//! INGEST-2  Nothing is invented or repaired: a hole stays a hole, a refused row stays out.
//! INGEST-3  The same source a second time adds nothing, and says so.
//! INGEST-4  A source is taken whole or not at all: the manifest is written after its last row.
//!
//! Not here: what files look like (`feed`), how bars are kept (`store`), whether trading may go on (`risk`).

mod aggregate;
mod calendar;
pub mod config;
mod coverage;
mod finding;
mod lag;
mod missing;
mod quality;
mod reason;
mod resample;
mod settle;
mod taken;
pub mod task;
mod trade_ids;
mod verdict;

pub use aggregate::{AggregateError, Aggregated, Aggregator, RefusedBar, TradeFigures, TradeTerms};
pub use calendar::{Calendar, Day};
pub use coverage::Gap;
pub use finding::{Detector, Finding, Runs};
pub use lag::{Lag, lag};
pub use quality::{FileOrder, Quality};
pub use reason::Reason;
pub use resample::{Lengths, NotMultiple, PartialBar, Resampled, resample};
pub use settle::{Settled, Settler};
pub use taken::SourceReport;
pub use verdict::{Breach, Verdict};
