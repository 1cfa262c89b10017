//! What verbs need that act on a real venue: the latch that comes first, the connection, the account's driver, the words for what
//! went wrong.

mod connect;
mod first;
mod target;
mod trade;
mod visit;
mod withdraw;
mod words;

pub use connect::{Connection, connect, open as open_client, venue_word};
pub use first::{Stopped, latch_first};
pub use target::{Found, Target};
pub use trade::{Moment, Task, admit, open, refuse_latched, split, trade};
pub use visit::{LOCK_WITHIN, account_of, borrow, has_traded, mode_of, visit, wait_for_journal};
pub use withdraw::{Withdrawn, withdraw_all};
pub use words::{drive_failure, page_of};
