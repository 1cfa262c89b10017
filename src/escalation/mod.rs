//! Escalation: how limits may grow, step by step, and where that ends.
//!
//! Enter at [`ladder::Ladder`].
//!
//! ESCALATION-1  Each step is above the one before it, and the last one is the target, exactly.
//!
//! Not here: when a step is due and what it has to prove (nothing applies steps yet), caps (`profile`).

pub mod ladder;

pub use ladder::{Ladder, Raised};
