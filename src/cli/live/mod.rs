//! What verbs need that act on a real venue: the connection, the account's driver, the words for what went wrong.

mod connect;
mod trade;
mod words;

pub use connect::venue_word;
pub use trade::{Task, admit, trade};
