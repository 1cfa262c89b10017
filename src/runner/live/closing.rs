//! Closing everything: withdraw, sell in slices, look, and again, a bounded number of times.

use serde::{Deserialize, Serialize};

use crate::domain::{Purpose, Qty, Span, SymbolIndex, Time};

/// Orders to close a position are sent so often before what is left is named and left.
const ROUNDS_MAX: u8 = 3;
/// Between two rounds.
const ROUND_AGAIN_AFTER: Span = Span::from_secs(2);

/// A word to close everything, while it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    pub purpose: Purpose,
    pub began: Time,
    pub rounds: u8,
    pub next: Time,
}

impl Closing {
    #[must_use]
    pub const fn new(purpose: Purpose, now: Time) -> Self {
        Self { purpose, began: now, rounds: 0, next: now }
    }

    /// Is another round due? Counts it.
    pub fn take_round(&mut self, now: Time) -> bool {
        let is_due = self.rounds < ROUNDS_MAX && now >= self.next;
        if is_due {
            self.rounds += 1;
            self.next = now + ROUND_AGAIN_AFTER;
        }
        is_due
    }

    #[must_use]
    pub const fn is_out_of_rounds(&self) -> bool {
        self.rounds >= ROUNDS_MAX
    }
}

/// How closing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// What is still held, dust included.
    pub residue: Vec<(SymbolIndex, Qty)>,
    /// Nothing but dust is held, and no order is open.
    pub is_flat: bool,
}
