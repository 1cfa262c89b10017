//! Alert: turns events into messages, once each, and hands them to receivers.
//!
//! Enter at [`AlertTask::spawn`] and [`AlertHandle::raise`]; [`Alert::of`] puts a notice into words.
//!
//! ALERT-1  Raising never waits: for a receiver, for the network, or for room in a queue.
//! ALERT-2  Every alert that is raised is accounted for: sent, failed with the reason, dropped, or counted as a repeat.
//! ALERT-3  A queue is bounded; when it is full the oldest alert that is not critical goes first.
//! ALERT-4  The same key is not sent again within `repeat_every`, unless it has become more severe.
//! ALERT-5  A key names a kind of trouble, never one order: a storm of one kind is one alert.
//!
//! Not here: dialects of receivers (`notify`), rules over metrics, alerts kept over a crash.

pub mod config;
pub mod dedup;
pub mod message;
pub mod queue;
pub mod routing;
pub mod task;

pub use config::{AlertConfig, Route, Severity};
pub use dedup::Dedup;
pub use message::Alert;
pub use task::{AlertError, AlertHandle, AlertTask, Delivery, DeliveryRow, Raised, Report};
