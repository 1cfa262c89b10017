//! What of a desk is shown while it stands, and what a person's edit may change of it.

use super::{Desk, DeskState, Tally};
use crate::risk::Limits;

impl DeskState {
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.book.tally
    }

    /// The loss from the high-water marks of the day and the week, as fractions, for display.
    #[must_use]
    pub fn drawdowns(&self) -> (f64, f64) {
        self.guard.drawdowns()
    }
}

impl Desk {
    /// Takes of each limit the tighter one, from now on.
    pub fn tighten(&mut self, limits: &Limits) {
        self.config.gate.tighten(limits);
    }
}
