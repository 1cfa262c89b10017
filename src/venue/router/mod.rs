//! The router: takes approved orders to a real venue and finds out what became of each, whatever is lost on the way.
//!
//! Enter at [`Router`]: it is a [`crate::venue::Venue`], and [`Router::tick`], [`Router::on_answer`] and [`Router::on_push`] move it on.
//! Pure: time goes in, [`Actions`] come out. The shell writes the facts of a batch to disk before it performs any of the requests with
//! them.
//!
//! ROUTE-1  An order is written down as wanted, and again as on its way, before its request leaves.
//! ROUTE-2  A client order id is placed once; again only where it is certain that nothing was done.
//! ROUTE-3  An answer that is lost or ambiguous makes an order unknown, never accepted or rejected, until the venue is heard or its
//!          absence is proven.
//! ROUTE-4  A trade of the venue is one fill, however often and from wherever it is told.
//! ROUTE-5  What was filled never falls, and an order has ended when all of it is accounted for by trades.
//!
//! Not here: whether to send (`risk`), what it means for the account (`stage/oms`), bytes and sockets (`venue/binance`).

mod doubt;
mod fact;
mod hear;
mod machine;
mod order;
mod orders;
mod state;
#[cfg(test)]
mod tests;
mod withdraw;

pub use fact::{Actions, Alarm, Fact, RequestId};
pub use machine::{CLOSED_MARGIN, Router, RouterConfig};
pub use order::{CancelCause, Routed};
pub use state::RouterState;
