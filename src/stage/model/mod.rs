//! Model: features, rules and sizing; bars in, a target position out.

pub mod config;
