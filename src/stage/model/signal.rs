//! What a model says at the close of a bar.

use serde::{Deserialize, Serialize};

use crate::domain::Target;
pub use crate::telemetry::record::FEATURES_MAX;

/// One decision of a model, with what it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    pub target: Target,
    /// In [-1, 1]: how sure and in which direction. Zero while the model knows nothing.
    pub prediction: f64,
    /// In the order of `Model::feature_names`; `None` during warm-up, where undefined, and behind the last name.
    pub features: [Option<f64>; FEATURES_MAX],
}

impl Signal {
    /// What a model says that knows nothing yet.
    pub const NONE: Self = Self { target: Target::Hold, prediction: 0.0, features: [None; FEATURES_MAX] };
}
