//! The integration tests: one binary, one module a subject.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod alerts;
mod archive;
mod backtest;
mod bad_data;
mod binance;
mod cases;
mod chains;
mod completions;
mod diagnostics;
mod diff;
mod documents;
mod env_script;
mod every_file;
mod explain;
mod export;
mod findings;
mod faults;
mod fetching;
mod from_env;
mod heat_map;
mod includes;
mod ingest;
mod init;
mod lake;
mod mangled;
mod manual;
mod oracles;
mod project;
mod python;
mod readers;
mod resample;
mod rewrite;
mod running;
mod schema;
mod secrets;
mod shared;
mod tidy;
mod trades;
mod truth;
#[path = "../venue/mod.rs"]
mod venue;
mod verbs;
mod workload;
