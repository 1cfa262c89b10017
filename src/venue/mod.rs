//! Venues: where approved orders go and what comes back.

pub mod paper;
