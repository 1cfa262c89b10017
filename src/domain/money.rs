//! Prices, quantities and money as exact fixed-point decimals.
//!
//! The three scales are chosen so that `Price × Qty` lands on the money grid with no rounding at all (10 + 8 = 18 decimals), and
//! so that money is stored as it is in a decimal128(38, 18) column. Only division and basis points round, and say which way.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decimal::{self, DecimalError};

/// Decimals of a [`Price`].
pub const PRICE_SCALE: u32 = 10;
/// Decimals of a [`Qty`].
pub const QTY_SCALE: u32 = 8;
/// Decimals of [`Money`].
pub const MONEY_SCALE: u32 = 18;

const _: () = assert!(PRICE_SCALE + QTY_SCALE == MONEY_SCALE);

/// Parts of a whole that basis points count.
const BPS_PER_WHOLE: i128 = 10_000;
/// Parts of a whole that a [`Fraction`] counts.
const PPB_PER_WHOLE: i128 = 1_000_000_000;
/// Floats whose scaled value stays below this convert to their decimal without a doubt: half a unit is 2^-51 of it.
const EXACT_BELOW: f64 = (1u64 << 50) as f64;

/// A product of two counts; one hardware multiplication when both fit 64 bits, which is nearly always.
#[inline]
fn product(a: i128, b: i128) -> i128 {
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => i128::from(a) * i128::from(b),
        _ => a.checked_mul(b).expect("money fits 128 bits: DOMAIN-2"),
    }
}

/// Quotient rounded toward positive infinity; `divisor` is positive.
fn div_ceil(dividend: i128, divisor: i128) -> i128 {
    let floor = dividend.div_euclid(divisor);
    // Multiplying back is cheaper than a second division of 128 bits.
    floor + i128::from(floor * divisor != dividend)
}

macro_rules! fixed_point {
    ($(#[$doc:meta])* $name:ident, $scale:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i128);

        impl $name {
            pub const ZERO: Self = Self(0);

            /// The value that `count` units of the last decimal make.
            #[must_use]
            pub const fn from_count(count: i128) -> Self {
                Self(count)
            }

            /// Units of the last decimal.
            #[must_use]
            pub const fn count(self) -> i128 {
                self.0
            }

            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.abs())
            }

            /// Is this more than `fraction` of `whole`? Exact, and without a division.
            #[inline]
            #[must_use]
            pub fn exceeds(self, fraction: Fraction, whole: Self) -> bool {
                product(self.0, PPB_PER_WHOLE) > product(whole.0, i128::from(fraction.0))
            }

            /// `fraction` of this, rounded down.
            #[must_use]
            pub fn fraction_floor(self, fraction: Fraction) -> Self {
                let whole = self.0.div_euclid(PPB_PER_WHOLE) * i128::from(fraction.0);
                Self(whole + (self.0.rem_euclid(PPB_PER_WHOLE) * i128::from(fraction.0)).div_euclid(PPB_PER_WHOLE))
            }

            /// The nearest float, for statistics and display only.
            #[must_use]
            pub fn to_f64(self) -> f64 {
                // Whole and rest apart: one division of a 128-bit count would round twice.
                let unit = const { decimal::pow10($scale) };
                if let Ok(small) = i64::try_from(self.0) {
                    return small as f64 / unit as f64;
                }
                (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
            }
        }

        impl FromStr for $name {
            type Err = DecimalError;

            fn from_str(text: &str) -> Result<Self, DecimalError> {
                decimal::parse(text, $scale).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                decimal::write(f, self.0, $scale)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Add for $name {
            type Output = Self;
            #[inline]
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl Sub for $name {
            type Output = Self;
            #[inline]
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl Neg for $name {
            type Output = Self;
            #[inline]
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }

        impl AddAssign for $name {
            #[inline]
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl SubAssign for $name {
            #[inline]
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, Add::add)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Only text: a number in a document has already been through a binary float.
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(|e| serde::de::Error::custom(format!("\"{text}\" {e}")))
            }
        }
    };
}

fixed_point!(
    /// Quote currency for one unit of the base, on a grid of 1e-10.
    Price,
    PRICE_SCALE
);
fixed_point!(
    /// Units of the base currency, on a grid of 1e-8. Positive is long.
    Qty,
    QTY_SCALE
);
fixed_point!(
    /// An amount of the account's currency, on a grid of 1e-18: cash, notional, fee, equity.
    Money,
    MONEY_SCALE
);

impl Price {
    /// The price a bar prints, taken as the decimal of at most 8 places (4 from ten million up) that the float stands for.
    ///
    /// `None` when it is not finite, not positive, or too large for its decimals to be told.
    #[inline]
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        let fine = value * 1e8;
        if fine > 0.0 && fine < EXACT_BELOW {
            return Some(Self(i128::from(fine.round_ties_even() as i64) * 100));
        }
        let coarse = value * 1e4;
        (coarse > 0.0 && coarse < EXACT_BELOW).then(|| Self(i128::from(coarse.round_ties_even() as i64) * 1_000_000))
    }

    /// This price made worse for a buyer by `bps`, rounded up.
    #[must_use]
    pub fn raised_ceil(self, bps: Bps) -> Self {
        Self(div_ceil(self.0 * (BPS_PER_WHOLE + i128::from(bps.0)), BPS_PER_WHOLE))
    }

    /// This price made worse for a seller by `bps`, rounded down; never below zero.
    #[must_use]
    pub fn lowered_floor(self, bps: Bps) -> Self {
        Self((self.0 * (BPS_PER_WHOLE - i128::from(bps.0)).max(0)).div_euclid(BPS_PER_WHOLE))
    }

    /// Rounded down to a multiple of `tick`; a tick of zero is no rule.
    #[must_use]
    pub fn floor_to(self, tick: Self) -> Self {
        if tick.0 == 0 { self } else { Self(self.0 - self.0.rem_euclid(tick.0)) }
    }

    /// Rounded up to a multiple of `tick`; a tick of zero is no rule.
    #[must_use]
    pub fn ceil_to(self, tick: Self) -> Self {
        if tick.0 == 0 { self } else { Self(div_ceil(self.0, tick.0) * tick.0) }
    }

    /// Is it a multiple of `tick`? A tick of zero is no rule.
    #[must_use]
    pub fn is_on(self, tick: Self) -> bool {
        tick.0 == 0 || self.0 % tick.0 == 0
    }

    /// Price × quantity: exact.
    #[inline]
    #[must_use]
    pub fn notional(self, qty: Qty) -> Money {
        Money(product(self.0, qty.0))
    }
}

impl Qty {
    /// The quantity that a float of statistics stands for, rounded down to the grid; `None` when it is not a count that fits.
    #[must_use]
    pub fn from_f64_floor(value: f64) -> Option<Self> {
        let count = value * 1e8;
        (count.is_finite() && count.abs() < 1e30).then(|| Self(count.floor() as i128))
    }

    /// Rounded toward zero to a multiple of `step`; a step of zero is no rule.
    #[must_use]
    pub fn truncate_to(self, step: Self) -> Self {
        if step.0 == 0 { self } else { Self(self.0 - self.0 % step.0) }
    }

    /// Is it a multiple of `step`? A step of zero is no rule.
    #[must_use]
    pub fn is_on(self, step: Self) -> bool {
        step.0 == 0 || self.0 % step.0 == 0
    }

    /// Split into `parts` that differ by at most one `step`, largest first; the sum is exact and no part is negative.
    #[must_use]
    pub fn split(self, parts: usize, step: Self) -> Vec<Self> {
        let n = i128::try_from(parts.max(1)).expect("a slice count fits 128 bits");
        let step = step.0.max(1);
        let (steps, odd) = (self.0 / step, self.0 % step);
        let (each, larger) = (steps / n, steps % n);
        let mut slices: Vec<Self> = (0..n).map(|k| Self((each + i128::from(k < larger)) * step)).collect();
        if let Some(first) = slices.first_mut() {
            first.0 += odd;
        }
        slices
    }
}

impl Money {
    /// The greatest quantity on the 1e-8 grid that this amount buys at `price`; zero when the price is not positive.
    #[must_use]
    pub fn quantity_floor(self, price: Price) -> Qty {
        if price.0 <= 0 { Qty::ZERO } else { Qty(self.0.div_euclid(price.0)) }
    }

    /// `bps` of this amount, rounded up: what a venue takes.
    #[must_use]
    pub fn bps_ceil(self, bps: Bps) -> Self {
        Self(div_ceil(self.0 * i128::from(bps.0), BPS_PER_WHOLE))
    }

    /// `fraction` of this amount, rounded up.
    #[must_use]
    pub fn fraction_ceil(self, fraction: Fraction) -> Self {
        -(-self).fraction_floor(fraction)
    }

    /// This amount × `numerator` ÷ `denominator`, rounded toward zero: an exact ratio of limits. `None` when it does not fit, or
    /// when nothing divides.
    #[must_use]
    pub fn ratio_trunc(self, numerator: Self, denominator: Self) -> Option<Self> {
        let common = gcd(numerator.0.unsigned_abs(), denominator.0.unsigned_abs()).max(1);
        let (n, d) = (numerator.0 / common.cast_signed(), denominator.0 / common.cast_signed());
        self.0.checked_mul(n)?.checked_div(d).map(Self)
    }

    /// This amount `times` times. `None` when it does not fit.
    #[must_use]
    pub fn multiplied(self, times: u32) -> Option<Self> {
        self.0.checked_mul(i128::from(times)).map(Self)
    }

    /// The amount nearest to a float of statistics, rounded toward zero; `None` when it does not fit.
    #[must_use]
    pub fn from_f64_trunc(value: f64) -> Option<Self> {
        // Whole and rest apart, or the float's 53 bits would be stretched over 18 decimals that it never had.
        (value.is_finite() && value.abs() < 1e15).then(|| {
            Self((value.trunc() as i128) * decimal::pow10(MONEY_SCALE) + i128::from((value.fract() * 1e9) as i64) * 1_000_000_000)
        })
    }

    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Basis points: hundredths of a percent, of a price or a notional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bps(pub u32);

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bps", self.0)
    }
}

/// A part of a whole in [0, 1], counted in 1e-9 so that a limit compares exactly.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fraction(u32);

impl Fraction {
    pub const ZERO: Self = Self(0);
    pub const ONE: Self = Self(PPB_PER_WHOLE as u32);

    /// The fraction a document's float stands for, to nine decimals; `None` outside [0, 1].
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        ((0.0..=1.0).contains(&value)).then(|| Self((value * 1e9).round() as u32))
    }

    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1e9
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Fraction {
    /// As people write it in a profile: `0.03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, i128::from(self.0), 9)
    }
}

impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fraction({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }
    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }
    fn qty(text: &str) -> Qty {
        text.parse().unwrap()
    }

    /// DOMAIN-1.
    #[test]
    fn a_product_is_exact() {
        assert_eq!(price("62841.415005").notional(qty("0.00079")), money("49.64471785395"));
        let wide = Price::from_count(i128::from(i64::MAX) + 1);
        assert_eq!(wide.notional(qty("1")).count(), (i128::from(i64::MAX) + 1) * 100_000_000);
    }

    /// DOMAIN-3.
    #[test]
    fn rounding_is_against_us() {
        assert_eq!(price("62810.01").raised_ceil(Bps(5)), price("62841.415005"));
        assert_eq!(price("0.24442").lowered_floor(Bps(5)), price("0.24429779"));
        assert_eq!(price("0.0000000001").raised_ceil(Bps(1)), price("0.0000000002"));
        assert_eq!(price("0.0000000001").lowered_floor(Bps(1)), Price::ZERO);
        assert_eq!(Money::from_count(1).bps_ceil(Bps(10)), Money::from_count(1));
    }

    #[test]
    fn floats_become_the_decimal_they_stand_for() {
        assert_eq!(Price::from_f64(62810.01), Some(price("62810.01")));
        assert_eq!(Price::from_f64(0.1 + 0.2), Some(price("0.3")));
        assert_eq!(Price::from_f64(1_612_345_678.0), Some(price("1612345678")));
        assert_eq!(Price::from_f64(0.00000001), Some(price("0.00000001")));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Price::from_f64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_quantity_never_grows() {
        assert_eq!(money("50").quantity_floor(price("62841.415005")).truncate_to(qty("0.00001")), qty("0.00079"));
        assert_eq!(qty("-0.00079").truncate_to(qty("0.0005")), qty("-0.0005"));
        assert_eq!(money("50").quantity_floor(Price::ZERO), Qty::ZERO);
    }

    #[test]
    fn slices_add_up() {
        let slices = qty("1.00000003").split(3, qty("0.1"));
        assert_eq!(slices.iter().copied().sum::<Qty>(), qty("1.00000003"));
        assert_eq!(slices, [qty("0.40000003"), qty("0.3"), qty("0.3")]);
    }

    #[test]
    fn fractions_round_the_way_they_say() {
        let share = Fraction::from_f64(0.03).unwrap();
        assert_eq!(money("100").fraction_floor(share), money("3"));
        assert_eq!(money("100").fraction_ceil(share), money("3"));
        assert_eq!(Money::from_count(1).fraction_floor(share), Money::ZERO);
        assert_eq!(Money::from_count(1).fraction_ceil(share), Money::from_count(1));
        assert!(money("3.000000000000000001").exceeds(share, money("100")) && !money("3").exceeds(share, money("100")));
    }

    #[test]
    fn a_ratio_of_limits_is_exact() {
        assert_eq!(money("400").ratio_trunc(money("500"), money("400")), Some(money("500")));
        assert_eq!(money("1600").ratio_trunc(money("500"), money("400")), Some(money("2000")));
        assert_eq!(money("1600").ratio_trunc(money("500"), Money::ZERO), None);
        assert_eq!(money("100000000").ratio_trunc(money("100000000"), Money::from_count(1)), None);
    }
}
