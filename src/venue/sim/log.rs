//! The venue's own record: what an independent checker reads.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::order::Status;
use crate::domain::{Money, Price, Qty, Side, Time};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    Ping,
    Time,
    Rules,
    Bars,
    Price,
    Book,
    Average,
    Account,
    KeyRights,
    Place,
    Test,
    Query,
    Cancel,
    CancelAll,
    OpenOrders,
    AllOrders,
    MyTrades,
    OrderCount,
    /// No such path, or not with this method.
    Unknown,
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By true time, whatever the venue's clock says.
    pub at: Time,
    #[serde(flatten)]
    pub what: What,
}

/// Why a balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// What the account began with.
    Start,
    /// An order claims or gives back.
    Order,
    Trade,
    /// A deposit or a withdrawal by somebody.
    Moved,
}

/// What happened at the venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// A request was answered, or was to be.
    Request {
        endpoint: Endpoint,
        account: Option<u16>,
        client_id: Option<Arc<str>>,
        status: u16,
        code: Option<i64>,
        /// The answer, or what became of it, was the script's.
        is_scripted: bool,
        /// The answer says no because of how we behaved: 418, or 429 that no script gave.
        is_our_fault: bool,
    },
    /// An order came to the venue and was accepted.
    Order {
        account: u16,
        symbol: Arc<str>,
        order: u64,
        client_id: Arc<str>,
        side: Side,
        is_market: bool,
        /// Zero for a market order.
        price: Price,
        /// Zero when it counts in the quote currency.
        qty: Qty,
        quote_qty: Qty,
        /// The last price when it came.
        reference: Price,
        /// Placed by the script in the name of somebody else.
        is_foreign: bool,
    },
    Trade {
        account: u16,
        symbol: Arc<str>,
        order: u64,
        trade: u64,
        side: Side,
        price: Price,
        qty: Qty,
        quote: Qty,
        fee: Qty,
        fee_asset: Arc<str>,
        is_maker: bool,
    },
    Ended {
        account: u16,
        symbol: Arc<str>,
        order: u64,
        status: Status,
        filled: Qty,
    },
    Balance {
        account: u16,
        asset: Arc<str>,
        free: Qty,
        locked: Qty,
        why: Why,
        /// Deposited, or withdrawn when negative; zero unless `why` is `moved`.
        by: Qty,
    },
    Connected {
        connection: u64,
        path: String,
    },
    Disconnected {
        connection: u64,
        why: String,
    },
    /// A frame was put on its way to a connection.
    Event {
        connection: u64,
        kind: Arc<str>,
        /// The execution id, where it has one.
        execution: Option<u64>,
    },
    /// A fault of the script came to pass.
    Fault {
        fault: String,
    },
    /// We did what no venue forgives, beside what the status of a request says.
    Offence {
        offence: String,
    },
}

/// What a symbol trades in, told once to whoever reads the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub symbol: Arc<str>,
    pub base: Arc<str>,
    pub quote: Arc<str>,
}

/// An amount of the quote currency as money.
#[must_use]
pub fn money(amount: Qty) -> Money {
    const MONEY_PER_QTY: i128 = 10_000_000_000;
    Money::from_count(amount.count() * MONEY_PER_QTY)
}

/// The record, oldest entry first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    pub(super) fn push(&mut self, at: Time, what: What) {
        self.entries.push(Entry { at, what });
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Moves out what there is, so that a long run needs no more memory than its checker.
    pub fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }
}
