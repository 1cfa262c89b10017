//! Model: features, rules and sizing; bars in, a target position out.
//!
//! Enter at [`Model::on_bar`]. Pure: the same bars give the same signals, in replay and live.
//!
//! MODEL-1  Every closed bar updates the state, whatever trading is doing: pauses and halts are not the model's business.
//! MODEL-2  A figure that is missing or undefined makes no signal: the target is [`crate::domain::Target::Hold`].
//! MODEL-3  The state holds no NaN and no infinity, and reads back from JSON bit for bit.
//! MODEL-4  A long target never asks for more than the sizing's own maximum.
//!
//! Not here: what is held (`stage/oms`), what is allowed (`risk`).

pub mod config;
pub mod features;
pub mod predictor;
pub mod rule;
pub mod signal;
pub mod sizing;

pub use config::ModelConfig;
pub use predictor::{BarField, Model};
pub use signal::{FEATURES_MAX, Signal};
