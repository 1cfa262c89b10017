//! What a model wants to hold.

use super::money::Money;

/// The position a model asks for. Spot has no short side: less than nothing is flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// No opinion: keep what there is.
    Hold,
    Flat,
    /// Be long. The notional sizes an entry; a position that stands is not resized.
    Long {
        notional: Money,
    },
}

impl Target {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Flat => "flat",
            Self::Long { .. } => "long",
        }
    }
}
