//! store

pub mod journal;
pub mod record;
