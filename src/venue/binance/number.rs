//! Decimals as the venue writes them, read strictly: what reaches an order or the ledger never was a float.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::domain::{Money, Price, Qty, Time};

/// Digits of one number; the venue's own have at most nineteen.
const DIGITS_MAX: usize = 20;
/// Counts beyond this would not survive being added up.
const COUNT_MAX: i128 = 10_i128.pow(36);
/// The year 5138; the venue's times are milliseconds.
const MILLIS_MAX: i64 = 100_000_000_000_000;

/// A decimal in a string: digits and at most one point; a sign only where [`Signed`] is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(String);

/// A decimal that may be below zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed(String);

/// ORDERS-4: no sign, no exponent, no `NaN`, no endless row of digits.
fn is_plain(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    digits > 0
        && digits <= DIGITS_MAX
        && points <= 1
        && digits + points == text.len()
        && !text.starts_with('.')
        && !text.ends_with('.')
}

fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    // A number in the document has been through a binary float already.
    Cow::deserialize(deserializer)
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer)?;
        if !is_plain(&text) {
            return Err(serde::de::Error::custom("a value that is no plain decimal"));
        }
        Ok(Self(text.into_owned()))
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer)?;
        if !is_plain(text.strip_prefix('-').unwrap_or(&text)) {
            return Err(serde::de::Error::custom("a value that is no decimal"));
        }
        Ok(Self(text.into_owned()))
    }
}

fn small<T>(value: T, count: i128) -> Result<T, String> {
    if count.abs() > COUNT_MAX { Err("a number that is too large".to_owned()) } else { Ok(value) }
}

impl Digits {
    #[cfg(test)]
    pub fn of(text: &str) -> Option<Self> {
        is_plain(text).then(|| Self(text.to_owned()))
    }

    pub fn price(&self) -> Result<Price, String> {
        let price: Price = self.0.parse().map_err(|error| format!("a price that {error}"))?;
        small(price, price.count())
    }

    pub fn qty(&self) -> Result<Qty, String> {
        let qty: Qty = self.0.parse().map_err(|error| format!("a quantity that {error}"))?;
        small(qty, qty.count())
    }

    pub fn money(&self) -> Result<Money, String> {
        let money: Money = self.0.parse().map_err(|error| format!("an amount that {error}"))?;
        small(money, money.count())
    }
}

impl Signed {
    pub fn qty(&self) -> Result<Qty, String> {
        let qty: Qty = self.0.parse().map_err(|error| format!("a quantity that {error}"))?;
        small(qty, qty.count())
    }

    /// `None` below zero, which is the venue's word for "not available".
    pub fn available_money(&self) -> Result<Option<Money>, String> {
        let money: Money = self.0.parse().map_err(|error| format!("an amount that {error}"))?;
        small((money.count() >= 0).then_some(money), money.count())
    }
}

/// Price × quantity, where it fits: both come from the wire.
pub fn product(price: Price, qty: Qty) -> Option<Money> {
    let count = price.count().checked_mul(qty.count())?;
    (count.abs() <= COUNT_MAX).then(|| Money::from_count(count))
}

/// A time in milliseconds.
pub fn time(millis: i64) -> Result<Time, String> {
    if (0..MILLIS_MAX).contains(&millis) { Ok(Time::from_millis(millis)) } else { Err("a time that is none".to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ORDERS-4.
    #[test]
    fn only_plain_decimals_are_numbers() {
        for good in ["0", "0.00000000", "1", "46116860414.00000000", "0.00000100", "99999999999999999999"] {
            assert!(serde_json::from_str::<Digits>(&format!("\"{good}\"")).is_ok(), "{good}");
        }
        let long = "1".repeat(21);
        let wrong = ["NaN", "Infinity", "-1", "+1", "1e5", "1E5", "", ".", ".5", "5.", "1.2.3", " 1", "1 ", "0x1", "١", &long];
        for wrong in wrong {
            assert!(serde_json::from_str::<Digits>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<Digits>("1.5").is_err(), "a number has been through a float");
        assert!(serde_json::from_str::<Signed>("\"-1.5\"").is_ok());
        assert!(serde_json::from_str::<Signed>("\"--1.5\"").is_err());
        assert!(Digits::of("0.000000001").unwrap().qty().is_err(), "finer than the grid: nothing is rounded");
        assert_eq!(Signed("-1.0".to_owned()).available_money(), Ok(None));
    }

    #[test]
    fn a_time_is_in_milliseconds() {
        assert!(time(1_735_689_600_000).is_ok());
        for wrong in [-1, 1_735_689_600_000_000, i64::MAX] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(count in 0_i128..1_000_000_000_000_000_000) {
            let qty = Qty::from_count(count);
            prop_assert_eq!(Digits::of(&qty.to_string()).unwrap().qty(), Ok(qty));
            let price = Price::from_count(count);
            prop_assert_eq!(Digits::of(&price.to_string()).unwrap().price(), Ok(price));
        }
    }
}
