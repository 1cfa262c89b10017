//! Motion: drives the pure core over bars, keeps its state, writes its record.
//!
//! Enter at [`trader::Trader`] for the core.

pub mod moments;
pub mod replay;
pub mod trader;
