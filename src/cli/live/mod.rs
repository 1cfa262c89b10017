//! What verbs need that act on a real venue: the latch that comes first, the connection, the account's driver, the words for what
//! went wrong.

mod connect;
mod first;
mod target;
mod trade;
mod visit;
mod withdraw;
mod words;

pub use connect::{Connection, open as open_client, venue_word};
pub use first::{Stopped, latch_first};
pub use target::{Found, Target};
pub use trade::{Task, admit, refuse_latched, trade};
pub use visit::{account_of, has_traded, held, mode_of, visit, wait_for_journal, wait_for_journal_in};
pub use withdraw::{Withdrawn, withdraw_all};
pub use words::{drive_failure, page_of};
