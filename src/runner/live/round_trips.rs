//! How long orders took there and back, lately.

use serde::{Deserialize, Serialize};

use crate::domain::Span;

/// Readings that are remembered; they are part of every snapshot.
const READINGS_MAX: usize = 100;

/// The newest readings, in microseconds, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoundTrips(Vec<i64>);

/// What they come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTripFigures {
    pub readings: usize,
    pub last: Span,
    /// Half of them took no longer.
    pub p50: Span,
    /// All but one in a hundred took no longer.
    pub p99: Span,
}

impl RoundTrips {
    pub fn push(&mut self, reading: Span) {
        self.0.push(reading.micros());
        let surplus = self.0.len().saturating_sub(READINGS_MAX);
        self.0.drain(..surplus);
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `None` before the first reading.
    #[must_use]
    pub fn figures(&self) -> Option<RoundTripFigures> {
        let last = *self.0.last()?;
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        // The smallest reading that so many of a hundred do not exceed.
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        let [last, p50, p99] = [last, rank(50), rank(99)].map(Span::from_micros);
        Some(RoundTripFigures { readings: sorted.len(), last, p50, p99 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_newest_readings() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.figures(), None);
        trips.push(Span::from_millis(7));
        let ms = |figures: RoundTripFigures| [figures.last, figures.p50, figures.p99].map(|span| span.micros() / 1000);
        assert_eq!(trips.figures().map(ms), Some([7, 7, 7]));
        (1..=200).rev().for_each(|n| trips.push(Span::from_millis(n)));
        let figures = trips.figures().unwrap();
        assert_eq!((figures.readings, ms(figures)), (100, [1, 50, 99]), "the newest hundred, from 100 down to 1");
    }
}
