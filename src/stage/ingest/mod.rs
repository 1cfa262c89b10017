//! Ingest: takes closed bars from a source into the lake, by a contract.

pub mod config;
