//! OMS: turns target positions into orders and follows them to their end.

pub mod config;
