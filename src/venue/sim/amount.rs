//! Amounts as the venue writes them, with eight decimals, and the sums that it rounds.

use serde::{Serialize, Serializer};

use crate::domain::{Fraction, Price, Qty};

/// Units of a price's last decimal in one of the eight that the venue writes.
const PRICE_FINER: i128 = 100;
/// Units of a product's last decimal in one of the eight that the venue writes.
const PRODUCT_FINER: i128 = 10_000_000_000;
const PPB_PER_WHOLE: i128 = 1_000_000_000;

/// Counts of 1e-8, written as text: `0.10000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Eight(pub i128);

impl Eight {
    pub(super) const ZERO: Self = Self(0);
}

impl From<Qty> for Eight {
    fn from(qty: Qty) -> Self {
        Self(qty.count())
    }
}

impl From<Price> for Eight {
    fn from(price: Price) -> Self {
        Self(price.count() / PRICE_FINER)
    }
}

impl std::fmt::Display for Eight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let count = self.0.unsigned_abs();
        // Nearly all fit 64 bits, whose division is much cheaper.
        match u64::try_from(count) {
            Ok(count) => write!(f, "{sign}{}.{:08}", count / 100_000_000, count % 100_000_000),
            Err(_) => write!(f, "{sign}{}.{:08}", count / 100_000_000, count % 100_000_000),
        }
    }
}

impl Serialize for Eight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What `qty` at `price` comes to in the quote currency, which has eight decimals: rounded down.
pub(super) fn quote_floor(price: Price, qty: Qty) -> Qty {
    Qty::from_count(price.notional(qty).count().div_euclid(PRODUCT_FINER))
}

/// As [`quote_floor`], rounded up: what an order claims.
pub(super) fn quote_ceil(price: Price, qty: Qty) -> Qty {
    Qty::from_count(-(-price.notional(qty).count()).div_euclid(PRODUCT_FINER))
}

/// The most that `amount` of the quote currency buys at `price`.
pub(super) fn bought_floor(amount: Qty, price: Price) -> Qty {
    if price.is_positive() { Qty::from_count(amount.count() * PRODUCT_FINER / price.count()) } else { Qty::ZERO }
}

/// `share` of `amount`, rounded down.
pub(super) fn share_floor(amount: Qty, share: Fraction) -> Qty {
    amount.fraction_floor(share)
}

/// What a fee is in a coin that costs `price`, rounded down.
pub(super) fn fee_in_coin(worth: Qty, rate: Fraction, price: Price) -> Qty {
    // One division at the end, so that a fee of less than one unit of the quote is not lost before it is converted.
    let parts = worth.count() * (rate.to_f64() * PPB_PER_WHOLE as f64).round() as i128;
    if price.is_positive() { Qty::from_count(parts * PRODUCT_FINER / PPB_PER_WHOLE / price.count()) } else { Qty::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_eight_decimals() {
        let text = |count| Eight(count).to_string();
        assert_eq!([text(0), text(1), text(-150_000_000)], ["0.00000000", "0.00000001", "-1.50000000"]);
        assert_eq!(text(i128::from(u64::MAX) * 10), "1844674407370.95516150");
        assert_eq!(Eight::from("62810.01".parse::<Price>().unwrap()).to_string(), "62810.01000000");
    }

    #[test]
    fn products_round_the_way_they_say() {
        let (price, qty) = ("0.00000123".parse().unwrap(), "0.015".parse().unwrap());
        // 1.23e-6 × 0.015 = 1.845e-8.
        assert_eq!((quote_floor(price, qty).count(), quote_ceil(price, qty).count()), (1, 2));
        assert_eq!(bought_floor("100".parse().unwrap(), "3".parse().unwrap()), "33.33333333".parse().unwrap());
        assert_eq!(bought_floor("100".parse().unwrap(), Price::ZERO), Qty::ZERO);
    }

    #[test]
    fn a_fee_in_another_coin_is_worth_the_same() {
        // 1000 at 0.075 % is 0.75; at 600 that is 0.00125.
        let rate = Fraction::from_f64(0.00075).unwrap();
        assert_eq!(fee_in_coin("1000".parse().unwrap(), rate, "600".parse().unwrap()), "0.00125".parse().unwrap());
    }
}
