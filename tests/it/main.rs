//! The integration tests: one binary, one module a subject.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod alerts;
mod backtest;
mod cases;
mod documents;
mod oracles;
mod shared;
mod truth;
