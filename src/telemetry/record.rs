//! What happened, row by row: the shapes that are journalled and written as Parquet.

use serde::{Deserialize, Serialize};

use crate::domain::{ClientOrderId, Fill, Money, OrderIntent, OrderState, Qty, RejectReason, SymbolIndex, Target, Time};
use crate::risk::{Refusal, TradingState, Trip};

/// Features that one decision carries at most.
pub const FEATURES_MAX: usize = 4;

/// What the model said at one close.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The close.
    pub at: Time,
    pub symbol: SymbolIndex,
    pub close: f64,
    /// In [-1, 1]; zero before the model is warm.
    pub prediction: f64,
    pub target: Target,
    /// What the prediction was made of, in the order of the model's feature names.
    pub features: [Option<f64>; FEATURES_MAX],
    pub state: TradingState,
}

/// An order at its end, or as it stood when the record was closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    pub intent: OrderIntent,
    pub state: OrderState,
    pub ended_at: Option<Time>,
    pub filled_qty: Qty,
    pub filled_notional: Money,
    pub fees: Money,
    /// The headline, when our gate denied it.
    pub denied: Option<Refusal>,
    /// The venue's reason, when it rejected it.
    pub rejected: Option<RejectReason>,
}

/// One refusal of one denied order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalRow {
    pub order: ClientOrderId,
    pub symbol: SymbolIndex,
    pub at: Time,
    pub refusal: Refusal,
}

/// A fill with the account after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillRow {
    pub fill: Fill,
    pub cash_after: Money,
    pub position_after: Qty,
}

/// The account at one close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityRow {
    pub at: Time,
    pub equity: Money,
    pub cash: Money,
    /// Positions at the last close.
    pub exposure: Money,
    pub day_high_water_mark: Money,
    pub state: TradingState,
}

/// Something that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Notice {
    Killed {
        trip: Trip,
        had_position: bool,
    },
    OrderDenied {
        order: ClientOrderId,
        symbol: SymbolIndex,
        at: Time,
        refusal: Refusal,
    },
    OrderRejected {
        order: ClientOrderId,
        symbol: SymbolIndex,
        at: Time,
        reason: RejectReason,
    },
    /// Bars are missing before this one.
    BarGap {
        symbol: SymbolIndex,
        at: Time,
        missing: u32,
    },
    /// The venue filled more than was ordered, or an order that had ended.
    ExcessFill {
        order: ClientOrderId,
        symbol: SymbolIndex,
        at: Time,
        qty: Qty,
    },
    /// What is left of a position is too small to sell.
    Dust {
        symbol: SymbolIndex,
        at: Time,
        qty: Qty,
    },
}

/// Rows since they were last taken, in the order things happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    pub decisions: Vec<Decision>,
    pub orders: Vec<OrderRow>,
    pub refusals: Vec<RefusalRow>,
    pub fills: Vec<FillRow>,
    pub equity: Vec<EquityRow>,
    pub notices: Vec<Notice>,
}

impl Records {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
            && self.orders.is_empty()
            && self.refusals.is_empty()
            && self.fills.is_empty()
            && self.equity.is_empty()
            && self.notices.is_empty()
    }

    /// Takes the rows of `later` behind its own.
    pub fn append(&mut self, later: Self) {
        self.decisions.extend(later.decisions);
        self.orders.extend(later.orders);
        self.refusals.extend(later.refusals);
        self.fills.extend(later.fills);
        self.equity.extend(later.equity);
        self.notices.extend(later.notices);
    }

    pub fn clear(&mut self) {
        self.decisions.clear();
        self.orders.clear();
        self.refusals.clear();
        self.fills.clear();
        self.equity.clear();
        self.notices.clear();
    }
}

/// How much is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordMode {
    /// Decisions and equity when they change, equity also at the end of each UTC day.
    Changes,
    /// Every bar.
    All,
}
