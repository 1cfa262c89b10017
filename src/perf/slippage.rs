//! What orders cost against the price they were decided at, and against what the paper venue would have given.

use serde::{Deserialize, Serialize};

use crate::domain::Side;

const BPS: f64 = 1e4;

/// Slippage in basis points, weighed by notional; a cost is positive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Slippage {
    /// Filled orders that it was made of.
    pub orders: u64,
    notional: f64,
    /// Cost times notional.
    sum: f64,
}

impl Slippage {
    /// Takes an order that was filled for `notional` at `price` on average. One that has no price or no reference says nothing.
    pub fn add(&mut self, side: Side, reference: f64, price: f64, notional: f64) {
        if !(reference > 0.0 && price > 0.0 && notional > 0.0) {
            return;
        }
        let moved = (price / reference - 1.0) * BPS;
        let cost = if side == Side::Buy { moved } else { -moved };
        self.orders += 1;
        self.notional += notional;
        self.sum += cost * notional;
    }

    /// `None` without a fill.
    #[must_use]
    pub fn bps(&self) -> Option<f64> {
        (self.notional > 0.0).then(|| self.sum / self.notional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_positive_on_both_sides_and_large_orders_weigh_more() {
        let mut slippage = Slippage::default();
        assert_eq!(slippage.bps(), None);
        slippage.add(Side::Buy, 100.0, 100.1, 100.0);
        assert!((slippage.bps().unwrap() - 10.0).abs() < 1e-9);
        slippage.add(Side::Sell, 100.0, 100.2, 300.0);
        assert!((slippage.bps().unwrap() - (10.0 * 100.0 - 20.0 * 300.0) / 400.0).abs() < 1e-9);
        slippage.add(Side::Sell, 0.0, 100.0, 1.0);
        slippage.add(Side::Sell, 100.0, f64::NAN, 1.0);
        assert_eq!(slippage.orders, 2);
    }
}
