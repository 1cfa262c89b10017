//! Alert: turns what happened into messages, once each, and hands them to receivers.
//!
//! Enter at [`AlertTask::spawn`] and [`AlertHandle::wake`]; [`Alert::of`] puts a notice into words, [`planner::plan`] decides who is
//! told what and when.
//!
//! ALERT-1  Raising never waits: for a receiver, for the network, or for the disk.
//! ALERT-2  Every alert is accounted for in the outbox: told, waiting, held back with the reason, failed with the reason.
//! ALERT-3  What waits is bounded; when there is too much, the oldest that is not critical goes first.
//! ALERT-4  The same key is not sent again within `repeat_every`, unless it has become more severe.
//! ALERT-5  A key names a kind of trouble, never one order: a storm of one kind is one alert.
//! ALERT-6  What the log has and the outbox has not is taken up at the next start, with its original time.
//! ALERT-7  What is critical is never held back, by a kill, a group or a storm.
//!
//! Not here: dialects of receivers (`notify`), the tables of the outbox (`store/outbox`).

pub mod compose;
pub mod config;
pub mod dedup;
pub mod follow;
pub mod message;
pub mod planner;
pub mod routing;
pub mod rules;
pub mod task;
pub mod waits;

pub use config::{AlertConfig, Route, Severity};
pub use dedup::Dedup;
pub use message::Alert;
pub use task::{AlertError, AlertHandle, AlertTask, Report, Setup};
