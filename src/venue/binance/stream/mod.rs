//! What the venue says unasked, over its WebSocket API: orders, balances, and that the connection ends.
//!
//! Events are not durable: what happens while nobody listens is not told again. So the listener is told when events begin
//! ([`crate::venue::wire::Push::Up`]) and when they end, and asks for what lies between. Connections are kept by the same rules as those
//! of bars; during a planned change both tell the same events, and who keeps the orders counts each trade once.

mod follower;
mod machine;
#[cfg(test)]
mod tests;

pub use follower::{UserStream, follow};
pub use machine::{Ask, Effect, Entry, Figures, UserMachine};
