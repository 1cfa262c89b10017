//! The risk gate: decides whether an order intent may reach a venue, and when trading stops.
//!
//! Enter at [`Gate::check`] for one order and at [`Guard::mark`] for the account. Pure: no clock, no store, no logging.
//!
//! RISK-1  Only `gate.rs` creates [`Approved`].
//! RISK-2  An approved order leaves every limit in [`Limits`] satisfied if it fills completely at its reference.
//! RISK-3  While halted or paused nothing that adds exposure is approved; cancels need no approval.
//! RISK-4  An order that only reduces exposure is never refused for its size, its rate or the state of the data.
//! RISK-5  Every check runs, every refusal is given; the first is the headline.
//!
//! Not here: sizing and slicing (`stage/oms`), persistence of halts (`store`).

pub mod catalogue;
pub mod gate;
pub mod halt;
pub mod limits;
pub mod refusal;
pub mod rules;
#[cfg(test)]
pub(crate) mod testing;

pub use catalogue::{Amount, LimitKey, LowerError};
pub use gate::{Approved, Gate, View};
pub use halt::{Guard, Halt, HaltCause, TradingState, Trip};
pub use limits::Limits;
pub use refusal::{Refusal, Refusals};
pub use rules::Rules;
