//! Chance: seeded streams of random numbers, one for each purpose.
//!
//! Enter at [`Stream::new`]. ChaCha8 and plain arithmetic only, so the same seed gives the same numbers on every machine.
//!
//! CHANCE-1  A stream depends on its seed and its purpose alone: a new draw in one place leaves the others as they were.
//! CHANCE-2  Only `+ - * /` and `sqrt` are used, which IEEE 754 rounds in one way; `ln`, `exp` and `cos` differ by library.
//!
//! Not here: entropy. Nothing in this program is random without a seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Random numbers for one purpose.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(purpose.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Evenly in [0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly among 0, 1, … `count` - 1. The bias is below `count` / 2^64.
    #[inline]
    pub fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(count)) >> 64) as u64
    }

    /// True with probability `p`.
    #[inline]
    pub fn happens(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Nearly normal: mean 0, variance 1, never beyond ±4.9. Eight draws of 16 bits are summed; what is missing are the far
    /// tails, which a user of this must add where they matter.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.bits(), self.bits());
        let sum: u64 = [a, b].iter().flat_map(|word| [0, 16, 32, 48].map(|shift| (word >> shift) & 0xffff)).sum();
        // Each draw has mean 32767.5 and variance (2^32 - 1) / 12.
        const SCALE: f64 = 53_509.919_921_450_08;
        (sum as f64 - 262_140.0) / SCALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CHANCE-2.
    #[test]
    fn the_numbers_never_change() {
        // Computed by another program from the definition of ChaCha8.
        let mut stream = Stream::new(42, "market");
        assert_eq!([stream.bits(), stream.bits()], [7_763_705_286_052_795_437, 1_954_743_941_495_269_650]);
        assert_eq!(stream.normal(), 2.1581605834866386);
    }

    /// CHANCE-1.
    #[test]
    fn purposes_and_seeds_are_apart() {
        let first = |seed, purpose| Stream::new(seed, purpose).bits();
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
        let (mut quiet, mut busy, mut other) = (Stream::new(1, "a"), Stream::new(1, "a"), Stream::new(1, "b"));
        let alone = [quiet.bits(), quiet.bits()];
        assert_eq!(alone, [busy.bits(), (other.bits(), busy.bits()).1], "a draw elsewhere changes nothing here");
    }

    #[test]
    fn normal_has_its_moments() {
        let mut stream = Stream::new(7, "moments");
        let draws: Vec<f64> = (0..200_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64;
        let within = draws.iter().filter(|x| x.abs() < 1.96).count() as f64 / draws.len() as f64;
        assert!(
            mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01 && (within - 0.95).abs() < 0.005,
            "{mean} {variance} {within}"
        );
    }

    #[test]
    fn below_covers_its_range() {
        let mut stream = Stream::new(3, "dice");
        let mut seen = [0; 6];
        (0..6000).for_each(|_| seen[stream.below(6) as usize] += 1);
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }
}
