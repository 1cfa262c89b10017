//! OMS: turns target positions into orders and follows them to their end.
//!
//! Enter at [`Desk`]. Pure and synchronous: replay drives it in a tight loop, live drives the same code from events.
//!
//! OMS-1  What is filled of an order never exceeds what was ordered.
//! OMS-2  An order that has ended never moves again; the moves are the one table in `domain/lifecycle.rs`.
//! OMS-3  A client order id is derived from what it is for and never used twice.
//! OMS-4  An exit that is not finished is sent again at each close until nothing that can be sold is left.
//! OMS-5  Cash plus positions at the last close is the equity, fees paid.
//!
//! Not here: which price is right (`stage/model`), whether it may be sent (`risk`), where it goes (`venue`).

mod book;
pub mod config;
pub mod desk;

pub use book::{Held, Tally};
pub use desk::usage::Usage;
pub use desk::{Advice, Desk, DeskConfig, DeskError, DeskState, Outbox};
