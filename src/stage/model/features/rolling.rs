//! Mean and spread of the last n values, exact and without a running sum.
//!
//! Values come in blocks of n. Of the block before, the moments of every tail are kept, computed backward once a block; of the
//! current block, the moments of what has come. A window is a tail joined with what has come, so values only ever enter a sum
//! and none is taken out again. Each part counts from an anchor inside it (the tail's newest value, the block's first), so the
//! sizes of the values themselves, which may be thousands of times the spread, never enter a square.
//!
//! Joining parts: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983).

use serde::{Deserialize, Serialize};

use super::window_len;

/// Beyond this a value is refused, so that squares of differences stay finite.
const VALUE_MAX: f64 = 1e100;

/// The moments of some values: what they count from, their mean as an offset from it, and the sum of squared deviations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u32,
    anchor: f64,
    offset: f64,
    squares: f64,
}

impl Moments {
    /// One more value; the first becomes the anchor.
    #[inline]
    fn add(&mut self, value: f64) {
        if self.count == 0 {
            self.anchor = value;
        }
        self.count += 1;
        let distance = value - self.anchor;
        let delta = distance - self.offset;
        self.offset += delta / f64::from(self.count);
        self.squares += delta * (distance - self.offset);
    }

    /// These values and the others, counted from this anchor.
    #[inline]
    fn join(self, other: Self) -> Self {
        let (mine, theirs) = (f64::from(self.count), f64::from(other.count));
        let total = mine + theirs;
        let delta = (other.anchor - self.anchor) + (other.offset - self.offset);
        Self {
            count: self.count + other.count,
            anchor: self.anchor,
            offset: self.offset + delta * (theirs / total),
            squares: self.squares + other.squares + delta * delta * (mine * theirs / total),
        }
    }

    #[inline]
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.anchor + self.offset
    }

    /// How far `value` lies above the mean, without the rounding of the mean itself.
    #[inline]
    #[must_use]
    pub fn deviation(&self, value: f64) -> f64 {
        (value - self.anchor) - self.offset
    }

    /// Divided by n.
    #[inline]
    #[must_use]
    pub fn population_variance(&self) -> f64 {
        self.squares / f64::from(self.count.max(1))
    }

    /// Divided by n - 1; `None` for fewer than two values.
    #[inline]
    #[must_use]
    pub fn sample_variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / f64::from(self.count - 1))
    }
}

/// The moments of the last `len` values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rolling {
    len: usize,
    /// The values of the current block, oldest first.
    block: Vec<f64>,
    /// Moments of the block so far.
    head: Moments,
    /// Of the block before: `tails[k]` holds the moments of its values from `k` on. Empty during the first block.
    tails: Vec<Moments>,
}

impl Rolling {
    #[must_use]
    pub fn new(len: u32) -> Self {
        let len = window_len(len);
        Self { len, block: Vec::with_capacity(len), head: Moments::default(), tails: Vec::with_capacity(len) }
    }

    /// The moments of the window that ends with `value`.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<Moments> {
        if value.is_nan() || value.abs() > VALUE_MAX {
            return None;
        }
        if self.block.len() == self.len {
            self.turn();
        }
        self.block.push(value);
        self.head.add(value);
        self.moments()
    }

    /// The moments of the window as it stands.
    #[inline]
    #[must_use]
    pub fn moments(&self) -> Option<Moments> {
        if self.block.len() == self.len {
            return Some(self.head);
        }
        self.tails.get(self.block.len()).map(|tail| self.head.join(*tail))
    }

    /// Starts a new block: the full one becomes the block before. Once in `len` values, so constant time on average.
    fn turn(&mut self) {
        self.tails.resize(self.len, Moments::default());
        let mut tail = Moments::default();
        for (kept, value) in self.tails.iter_mut().zip(&self.block).rev() {
            tail.add(*value);
            *kept = tail;
        }
        self.block.clear();
        self.head = Moments::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two passes over the window, counted from its last value: what the definition says.
    fn from_scratch(window: &[f64]) -> (f64, f64) {
        let anchor = *window.last().unwrap();
        let n = window.len() as f64;
        let offset = window.iter().map(|x| x - anchor).sum::<f64>() / n;
        let squares: f64 = window.iter().map(|x| (x - anchor - offset).powi(2)).sum();
        (anchor + offset, squares / n)
    }

    fn close_to(seen: f64, wanted: f64) -> bool {
        (seen - wanted).abs() <= 1e-12 * wanted.abs()
    }

    #[test]
    fn a_small_table() {
        let mut rolling = Rolling::new(3);
        assert_eq!(rolling.push(1.0), None);
        assert_eq!(rolling.push(2.0), None);
        let seen: Vec<_> = [6.0, 1.0, 2.0, 3.0].map(|x| rolling.push(x).unwrap()).iter().map(|m| (m.mean(), m.squares)).collect();
        assert_eq!(seen, [(3.0, 14.0), (3.0, 14.0), (3.0, 14.0), (2.0, 2.0)]);
    }

    #[test]
    fn equal_values_have_no_spread_at_all() {
        let mut rolling = Rolling::new(7);
        for x in [1e9, -3.0, 1e-7].into_iter().chain(std::iter::repeat_n(0.1, 30)) {
            rolling.push(x);
        }
        let moments = rolling.moments().unwrap();
        assert_eq!((moments.mean(), moments.population_variance(), moments.deviation(0.1)), (0.1, 0.0, 0.0));
    }

    #[test]
    fn a_million_values_leave_no_drift() {
        // A quiet market far from zero, with wild stretches in between: where running sums lose their digits.
        let (len, mut price, mut state) = (20_u32, 64_000.0_f64, 0x2545_f491_4f6c_dd1d_u64);
        let (mut rolling, mut history) = (Rolling::new(len), Vec::new());
        for i in 0..1_000_000_u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let unit = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            let step = if i % 50_000 < 100 { 0.5 } else { 1e-6 };
            price = (price * (1.0 + step * unit)).clamp(1e-3, 1e9);
            history.push(price);
            let moments = rolling.push(price);
            if i % 997 == 0
                && let Some(moments) = moments
            {
                let (mean, variance) = from_scratch(&history[history.len() - len as usize..]);
                assert!(close_to(moments.mean(), mean), "mean at {i}: {} {mean}", moments.mean());
                assert!(
                    close_to(moments.population_variance(), variance),
                    "variance at {i}: {} {variance}",
                    moments.population_variance()
                );
            }
        }
    }

    /// FEATURE-3.
    #[test]
    fn no_number_leaves_the_state_alone() {
        let mut rolling = Rolling::new(2);
        rolling.push(1.0);
        let before = rolling.clone();
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200] {
            assert_eq!(rolling.push(wrong), None);
        }
        assert_eq!(rolling, before);
    }

    /// FEATURE-4: the same memory, however many values come.
    #[test]
    fn a_full_window_allocates_nothing() {
        let mut rolling = Rolling::new(26);
        let memory = |rolling: &Rolling| {
            (rolling.block.as_ptr(), rolling.block.capacity(), rolling.tails.as_ptr(), rolling.tails.capacity())
        };
        assert_eq!((0..26).filter_map(|i| rolling.push(f64::from(i))).count(), 1);
        let full = memory(&rolling);
        assert_eq!((0..1000).filter_map(|i| rolling.push(f64::from(i))).count(), 1000);
        assert_eq!(memory(&rolling), full);
    }

    proptest! {
        /// FEATURE-2.
        #[test]
        fn a_window_is_as_from_scratch(values in prop::collection::vec(-1e6..1e6_f64, 1..120), base in -1e9..1e9_f64, len in 1_u32..25) {
            let values: Vec<f64> = values.iter().map(|v| base + v).collect();
            let mut rolling = Rolling::new(len);
            for (i, value) in values.iter().enumerate() {
                let moments = rolling.push(*value);
                prop_assert_eq!(moments.is_some(), i + 1 >= len as usize);
                if let Some(moments) = moments {
                    let (mean, variance) = from_scratch(&values[i + 1 - len as usize..=i]);
                    // Sums near zero: relative to the values that made them.
                    prop_assert!((moments.mean() - mean).abs() <= 1e-12 * mean.abs().max(1.0));
                    prop_assert!((moments.population_variance() - variance).abs() <= 1e-12 * variance);
                }
            }
        }
    }
}
