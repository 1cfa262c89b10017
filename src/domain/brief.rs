//! A word or a figure with its unit, kept in place: what carries it can be copied like a number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is longer is cut.
pub const BYTES_MAX: usize = 47;

/// A short text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Brief {
    bytes: [u8; BYTES_MAX],
    len: u8,
}

impl Brief {
    /// The text, cut behind its last character that fits.
    #[must_use]
    pub fn of(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        let end = text.floor_char_boundary(BYTES_MAX);
        let mut bytes = [0; BYTES_MAX];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Self { bytes, len: u8::try_from(end).expect("BYTES_MAX fits 8 bits") }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("cut at a boundary of characters: see of")
    }
}

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Brief {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Brief {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_whole_or_cut_at_a_character() {
        assert_eq!(Brief::of("from 0.00001").as_str(), "from 0.00001");
        let long = "é".repeat(40);
        assert_eq!(Brief::of(&long).as_str(), "é".repeat(23));
        let kept = Brief::of("LOT_SIZE");
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str(&text).ok()), ("\"LOT_SIZE\"", Some(kept)));
    }
}
