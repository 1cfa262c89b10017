//! What the OMS stage is told: how orders are made.

use crate::domain::{Bps, Span, TimeInForce};

#[derive(Debug, Clone, PartialEq)]
pub struct OmsConfig {
    pub order: OrderStyle,
    /// What an entry's size counts. Exits always count base units.
    pub sized_in: SizedIn,
    /// Exit when the close is this many ATR below the entry price; 0 = never.
    pub stop_loss_atr: f64,
    /// Exit when the close is this many ATR above the entry price; 0 = never.
    pub take_profit_atr: f64,
    /// Period of the ATR in bars.
    pub atr_period: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStyle {
    Market,
    /// Entries rest `offset` below the reference (exits above it) and expire; a kill always sells at market.
    Limit {
        offset: Bps,
        expire_after: Span,
        tif: TimeInForce,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizedIn {
    /// The quantity is fixed at the decision.
    Base,
    /// The amount is fixed at the decision, the quantity at the fill.
    Quote,
}
