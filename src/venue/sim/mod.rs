//! A venue of ours to rehearse on: an exchange that speaks like Binance Spot, matches orders itself, and misbehaves by script.
//!
//! Enter at [`Exchange`]: a state machine without sockets and without a clock. Time is a parameter, chance has a seed, and what goes
//! wrong is a [`Script`]. It keeps a record of everything ([`log`]), which a [`Checker`] reads that knows nothing else. What serves an
//! exchange over real sockets is in `serve`, the one folder here that touches them.
//!
//! It was written from the venue's documents alone and shares no code with the client of that venue: one checks the other.
//!
//! SIM-1  The same setup, inputs and times give the same replies, frames and record.
//! SIM-2  No balance is ever negative, free or locked.
//! SIM-3  What trades, fees and deposits move is what balances change by, to the last digit.
//! SIM-4  Each order ends at most once, and is filled for at most what it asked, unless the script strays.
//! SIM-5  Only loopback is served.

mod account;
mod amount;
mod checker;
mod events;
mod exchange;
mod faults;
mod gate;
mod http;
mod keys;
pub mod log;
mod look;
mod market;
mod matching;
mod order;
mod params;
mod placing;
mod private;
mod public;
mod route;
mod rules;
pub mod serve;
mod socket;
mod streams;

pub use account::{FeeAsset, Fees};
pub use checker::{Breach, Checker, Halted, Promises};
pub use exchange::{Exchange, Holder, Listed, Setup};
pub use faults::{Fault, Garble, On, Rule, Script, When};
pub use gate::Limits;
pub use http::{Delivery, HttpReply, HttpRequest, Method, Refusal};
pub use keys::{Key, Lock, Permissions};
pub use look::{Found, Look};
pub use market::Depth;
pub use order::Status;
pub use rules::{Filters, NotionalForm, SymbolStatus};
pub use streams::Frame;

#[cfg(test)]
mod tests;
