//! Receivers of alerts: how a message leaves the house.
//!
//! Enter at [`config::ReceiverConfig`].

pub mod config;

pub use config::ReceiverConfig;
