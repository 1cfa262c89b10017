//! The paper venue: fills orders against the bars that follow, with fees, slippage and a cap on volume.

use crate::domain::{Bps, Fraction, Instrument, Money};

/// The `[venue.paper]` table, resolved for the symbols of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperConfig {
    /// Cash at the start.
    pub equity: Money,
    pub maker: Bps,
    pub taker: Bps,
    pub slippage: Bps,
    /// Share of a bar's volume that one order may fill in it; ONE with a volume of zero still fills nothing.
    pub max_participation: Fraction,
    /// One for each symbol of the pipeline, in its order.
    pub instruments: Vec<Instrument>,
}
