//! Names for what documents mean.

use sha2::{Digest, Sha256};

/// SHA-256 in hex.
#[must_use]
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
