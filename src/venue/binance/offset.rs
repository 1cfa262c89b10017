//! What time it is at the venue: what signs requests, and what windows are counted by.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::domain::{Span, Time};

/// Readings of the venue's clock; the middle one counts.
pub const READINGS: usize = 5;
/// After so long they are compared again.
pub const COMPARE_EVERY: Span = Span::from_secs(60);

const _: () = assert!(READINGS % 2 == 1);

/// One comparison of clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// What the venue's clock is ahead of ours.
    pub ahead: Span,
    /// How long the venue took to answer.
    pub round_trip: Span,
    /// By our clock.
    pub measured_at: Time,
}

/// The venue's clock as we know it, shared by whoever speaks to the venue.
pub struct VenueClock {
    ours: Arc<dyn Clock>,
    offset: Mutex<Option<Offset>>,
}

impl std::fmt::Debug for VenueClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VenueClock").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

impl VenueClock {
    #[must_use]
    pub fn new(ours: Arc<dyn Clock>) -> Self {
        Self { ours, offset: Mutex::new(None) }
    }

    /// By our clock.
    #[must_use]
    pub fn local_now(&self) -> Time {
        self.ours.now()
    }

    /// By the venue's, as far as it is known.
    #[must_use]
    pub fn now(&self) -> Time {
        self.ours.now() + self.ahead()
    }

    /// What the venue's clock is ahead of ours; nothing before they were compared.
    #[must_use]
    pub fn ahead(&self) -> Span {
        self.offset().map_or(Span::from_micros(0), |offset| offset.ahead)
    }

    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Are they to be compared again? Also after our clock was set back.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let now = self.ours.now();
        self.offset().is_none_or(|offset| now < offset.measured_at || now - offset.measured_at >= COMPARE_EVERY)
    }

    /// The venue says that they are apart: they are due to be compared.
    pub fn doubt(&self) {
        let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(offset) = offset.as_mut() {
            offset.measured_at = Time::from_micros(0);
        }
    }

    /// Takes the middle of the readings: when each was asked, when it was answered, and the time that it said.
    pub(super) fn set(&self, readings: &[(Time, Time, Time)]) -> Option<Offset> {
        let mut found: Vec<Offset> = readings.iter().map(|reading| between(*reading)).collect();
        found.sort_by_key(|offset| offset.ahead);
        let middle = found.get(found.len() / 2).copied()?;
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = Some(middle);
        Some(middle)
    }
}

/// The venue read its clock somewhere between the two ends; the middle is wrong by at most half of the way.
fn between((sent, received, said): (Time, Time, Time)) -> Offset {
    let round_trip = received - sent;
    let middle = Time::from_micros(sent.micros() + round_trip.micros() / 2);
    Offset { ahead: said - middle, round_trip, measured_at: received }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn the_middle_of_five_counts() {
        let at = |millis: i64| Time::from_millis(1_000_000 + millis);
        let clock = VenueClock::new(Arc::new(ManualClock(at(0))));
        assert!(clock.is_due() && clock.now() == at(0));
        // One answer was held up on its way back, another on its way there.
        let readings = [
            (at(0), at(20), at(510)),
            (at(0), at(900), at(520)),
            (at(0), at(20), at(512)),
            (at(0), at(900), at(1390)),
            (at(0), at(20), at(509)),
        ];
        let offset = clock.set(&readings).unwrap();
        assert_eq!((offset.ahead, offset.round_trip), (Span::from_millis(500), Span::from_millis(20)));
        assert_eq!((clock.now(), clock.is_due()), (at(500), true), "measured in what is the future now: set back");
        assert_eq!(clock.set(&[]), None);
    }
}
