//! Alert: turns events into messages, once each, and hands them to receivers.

pub mod config;
