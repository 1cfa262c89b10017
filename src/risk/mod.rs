//! The risk gate: decides whether an order intent may reach a venue, and when trading stops.
//!
//! Enter at [`limits::Limits`] for what is allowed.

pub mod limits;
pub mod rules;

pub use limits::Limits;
pub use rules::Rules;
