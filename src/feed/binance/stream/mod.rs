//! Klines as they close, over WebSocket, with nothing lost: what decides is a machine without a clock or a wire.
//!
//! Enter at [`Machine::on`], which takes an [`Event`] and the time and gives [`Effect`]s; [`Sockets`] is the edge that performs those
//! of the wire. Who performs the jobs is the stage that keeps bars.
//!
//! STREAM-1  Only a frame with the closed flag makes a bar, and only once it has closed by the venue's clock and by ours.
//! STREAM-2  A bar is handed on when the one before it was, or when the venue was asked for all that lies between.
//! STREAM-3  A bar counts once, whichever connection brought it; what differs from it never takes its place.
//! STREAM-4  At most five control messages a second on a connection, at most thirty attempts to connect in five minutes.
//! STREAM-5  A connection that says nothing for thirty seconds is dead; a planned change opens the next one before the last is closed.
//!
//! Not here: asking the REST API (`super::RestKlines`), keeping bars (`stage/ingest`).

mod figures;
mod frame;
mod line;
mod links;
mod machine;
mod socket;
mod throttle;

pub use figures::Figures;
pub use line::{Job, Task};
pub use links::{LinkId, Links, Move, REFUSALS_MAX};
pub use machine::{Effect, Event, JobEnd, Judged, Machine, Terms, Word};
pub use socket::Sockets;
