//! What is asked of a real venue and what it answers, in our words: no dialect of any venue.
//!
//! A [`Request`] is one call. Its answer is an [`Answer`] or a [`Failure`], and a failure says what is certain: that nothing was done,
//! that the venue refused, or that nobody knows. What the venue says unasked is a [`Push`].

use serde::{Deserialize, Serialize};

use crate::domain::{ClientOrderId, Liquidity, Money, OrderIntent, Price, Qty, RejectReason, Side, SymbolIndex, Time};

/// The venue's own number of an order, unique on one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VenueOrderId(pub u64);

/// The venue's number of a fill, unique on one symbol and growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradeId(pub u64);

/// One call to the venue. Symbols are positions in the pipeline's list; the adapter spells them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Place an order under its client order id.
    Place(OrderIntent),
    /// Have an order checked by the venue without placing it.
    Test(OrderIntent),
    /// Withdraw what is left of an order.
    Cancel { symbol: SymbolIndex, id: ClientOrderId },
    /// Withdraw all open orders of a symbol, whoever placed them.
    CancelAll { symbol: SymbolIndex },
    /// One order by its client order id.
    Order { symbol: SymbolIndex, id: ClientOrderId },
    /// Orders that are open, of one symbol or of the whole account.
    OpenOrders { symbol: Option<SymbolIndex> },
    /// All orders of a symbol placed in a range of at most 24 hours.
    Orders { symbol: SymbolIndex, from: Time, until: Time },
    /// Fills of one order.
    FillsOf { symbol: SymbolIndex, order: VenueOrderId },
    /// Fills of a symbol from a number on, oldest first, at most a page of them.
    FillsFrom { symbol: SymbolIndex, first: TradeId },
    /// Fills of a symbol in a range of at most 24 hours.
    FillsIn { symbol: SymbolIndex, from: Time, until: Time },
    /// Balances and what the key may do.
    Account,
    /// The venue's clock.
    Time,
    /// The rules of the symbols and the limits on requests.
    Rules,
}

impl Request {
    /// Does it change something at the venue, so that a lost answer leaves a doubt?
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(self, Self::Place(_) | Self::Cancel { .. } | Self::CancelAll { .. })
    }

    /// May it use what is kept back for emergencies? Withdrawals and questions about orders may, new orders may not.
    #[must_use]
    pub const fn is_reserved_for(&self) -> bool {
        !matches!(self, Self::Place(_) | Self::Test(_) | Self::Rules)
    }
}

/// Whose an order is, by the client order id it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// In the form of our ids; maybe of another profile's.
    Ours(ClientOrderId),
    /// Placed by hand, or by another program.
    Foreign(String),
}

impl Owner {
    #[must_use]
    pub fn of(client_id: &str) -> Self {
        client_id.parse().map_or_else(|_| Self::Foreign(client_id.to_owned()), Self::Ours)
    }
}

/// Where the venue says that an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueStatus {
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Rejected,
    /// By a rule of its kind or of the venue; what was filled stays.
    Expired,
    /// A word that we do not know: the order is held as unknown.
    Unheard,
}

impl VenueStatus {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired)
    }
}

/// An order as the venue sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueOrder {
    /// `None`: a symbol that is not among the pipeline's.
    pub symbol: Option<SymbolIndex>,
    /// As the venue spells it.
    pub symbol_text: String,
    pub venue_id: VenueOrderId,
    pub owner: Owner,
    pub side: Side,
    /// `None` where the answer says no more than that the order was taken.
    pub status: Option<VenueStatus>,
    pub ordered: Qty,
    /// Cumulative.
    pub filled: Qty,
    /// Cumulative; `None` where the venue says that it has no such figure.
    pub filled_quote: Option<Money>,
    /// When it last changed.
    pub at: Time,
    /// Fills that came with the answer; not always all.
    pub fills: Vec<VenueFill>,
}

/// A fill as the venue tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFill {
    pub trade: TradeId,
    pub order: VenueOrderId,
    pub price: Price,
    pub qty: Qty,
    pub fee: Qty,
    /// The currency of the fee; empty where there is none.
    pub fee_asset: String,
    pub liquidity: Liquidity,
    pub at: Time,
}

/// One currency of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub asset: String,
    pub free: Qty,
    /// Claimed by open orders.
    pub locked: Qty,
}

impl Balance {
    #[must_use]
    pub fn total(&self) -> Qty {
        self.free + self.locked
    }
}

/// The account as the venue sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What names the account to a person; empty where the venue does not say.
    pub id: String,
    pub can_trade: bool,
    /// By the account; what the key may do stands in its restrictions.
    pub can_withdraw: bool,
    pub balances: Vec<Balance>,
    pub at: Time,
}

/// The venue's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Order(VenueOrder),
    Orders(Vec<VenueOrder>),
    Fills(Vec<VenueFill>),
    Account(Account),
    Time(Time),
    /// The rules were taken by whoever keeps them; nothing is to be said.
    Done,
}

/// Why there is no answer to act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Not a byte reached the venue: it may be asked again, under the same id.
    #[error("the request did not leave: {0}")]
    NotSent(String),
    /// The venue said no, for good. `code` and `text` are its own.
    #[error("the venue refused ({code}): {text}")]
    Rejected { code: i64, reason: RejectReason, text: String },
    /// Its client order id is taken: the order may be ours, sent before.
    #[error("the venue has an order of this id already")]
    Duplicate,
    /// No order of this id; no proof that there will be none.
    #[error("the venue knows no such order")]
    NoSuchOrder,
    /// Not open any more: it may have been filled.
    #[error("the order is not open")]
    NotOpen,
    /// Our clock is not the venue's. Nothing was done; the clock is to be compared and the request sent again.
    #[error("the venue's clock differs from ours")]
    Clock,
    /// The key is wrong, revoked or may not do this. Nothing was done, and nothing will be.
    #[error("the venue does not accept the key ({code}): {text}")]
    Key { code: i64, text: String },
    /// Too much was asked; nothing was done. No request of the kind before then.
    #[error("the venue wants no such request until {until}")]
    Throttled { until: Time },
    /// The venue answers nobody at this address before then.
    #[error("the venue has banned this address until {until}")]
    Banned { until: Time },
    /// Nobody knows whether it was done.
    #[error("nobody knows whether it was done: {0}")]
    Ambiguous(String),
    /// The answer is not an answer to what was asked.
    #[error("the venue answered something else: {0}")]
    Protocol(String),
}

impl Failure {
    /// Is it certain that the venue did nothing?
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        !matches!(self, Self::Ambiguous(_) | Self::Protocol(_) | Self::Duplicate)
    }
}

/// What the venue says unasked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "push", rename_all = "kebab-case")]
pub enum Push {
    /// Events come from here on; what happened before must be asked for.
    Up,
    /// No events any more.
    Down { why: String },
    /// An order changed. `execution` orders such events, whenever they arrive.
    Order { order: VenueOrder, execution: u64, last_filled: Qty },
    /// Balances after a change.
    Balances { balances: Vec<Balance>, at: Time },
    /// A deposit, a withdrawal or a lock, by somebody.
    Moved { asset: String, by: Qty, at: Time },
}
