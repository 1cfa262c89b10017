//! A fingerprint of bars that does not depend on how they are cut into files.
//!
//! Each bar is mixed into 128 bits and the bars are summed, so parts can be added up in any order and merged without reading
//! them again. It tells two sets of bars apart by accident, not by malice: against that each part has its SHA-256.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::disk::hex;
use crate::domain::{Columns, Series};

/// Odd constants without structure: the fractional parts of the square roots of primes, as in SHA-512.
const KEYS: [u64; 6] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
];

/// The sum over some bars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content(u128);

impl Content {
    #[must_use]
    pub fn of(bars: &Columns, range: Range<usize>) -> Self {
        let [open, high, low, close, volume] =
            [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume].map(|column| &column[range.clone()]);
        let mut sum = 0_u128;
        for (at, &time) in bars.open_time[range.clone()].iter().enumerate() {
            let values = [open[at], high[at], low[at], close[at], volume[at]].map(f64::to_bits);
            let [open, high, low, close, volume] = values;
            sum = sum.wrapping_add(mix([time as u64, open, high, low, close, volume]));
        }
        Self(sum)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0.to_be_bytes())
    }

    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }

    /// Names the bars of a series by what they say.
    #[must_use]
    pub fn name(self, series: &Series, rows: u64) -> String {
        hex(&Sha256::digest(format!("{series}\n{rows}\n{}", self.to_hex())))
    }
}

fn mix(words: [u64; 6]) -> u128 {
    let (mut low, mut high) = (KEYS[0], KEYS[5]);
    for (word, key) in words.into_iter().zip(KEYS) {
        let product = u128::from(low ^ word) * u128::from(key | 1);
        low = (product as u64) ^ high.rotate_left(29);
        high = ((product >> 64) as u64) ^ word.wrapping_mul(KEYS[3] | 1) ^ low;
    }
    (u128::from(high) << 64) | u128::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, Time};

    fn bars(times: &[i64]) -> Columns {
        let bar =
            |t: &i64| Bar { open_time: Time::from_micros(*t), open: 1.0, high: 2.0, low: 0.5, close: 1.5, volume: *t as f64 };
        times.iter().map(bar).collect()
    }

    fn of(times: &[i64]) -> Content {
        Content::of(&bars(times), 0..times.len())
    }

    #[test]
    fn parts_add_up_in_any_order() {
        let whole = of(&[1, 2, 3, 4]);
        assert_eq!(of(&[3, 4]).and(of(&[1, 2])), whole);
        assert_eq!(Content::from_hex(&whole.to_hex()), Some(whole));
    }

    #[test]
    fn any_changed_value_shows() {
        let whole = of(&[1, 2]);
        let mut swapped = bars(&[1, 2]);
        swapped.volume.swap(0, 1);
        assert_ne!(Content::of(&swapped, 0..2), whole);
        let mut high_and_low = bars(&[1, 2]);
        std::mem::swap(&mut high_and_low.high[0], &mut high_and_low.low[0]);
        assert_ne!(Content::of(&high_and_low, 0..2), whole);
    }
}
