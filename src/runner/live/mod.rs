//! Live: the trader on a real venue, as one pure machine.
//!
//! Enter at [`Live`]: an [`Event`] and the time go in, a [`Step`] comes out. Whoever drives it writes the step's facts, rows and
//! snapshot to disk in one transaction and only then makes its requests; a machine built again from what is on disk goes on from
//! there, whatever was cut off.
//!
//! LIVE-1  No request leaves before everything that led to it is on disk.
//! LIVE-2  Nothing is traded before the account was compared with the venue's, and again after every doubt.
//! LIVE-3  What nobody can explain stops trading; it is never booked.
//! LIVE-4  An order is decided only on a bar that has just closed; older ones move marks and models.
//! LIVE-5  A model that panics decides nothing and halts trading; open orders are looked after.

mod clocks;
mod closing;
mod compare;
mod guarded;
mod machine;
mod reconcile;
mod round_trips;
mod state;
mod wind_down;

pub use closing::Closed;
pub use machine::{AskId, Event, Live, LiveConfig, Step};
pub use reconcile::Difference;
pub use round_trips::RoundTripFigures;
pub use state::LiveState;

#[cfg(test)]
mod tests;
