//! Exact decimal text: one parser and one printer for every fixed-point type.

use std::fmt;

/// Why a text is not a decimal of the wanted scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("is empty")]
    Empty,
    #[error("is not a plain decimal number (digits and at most one point)")]
    NotDecimal,
    #[error("has more than {max} decimals")]
    TooFine { max: u32 },
    #[error("is too large")]
    TooLarge,
}

/// More decimals than a mantissa or an exponent may have here.
const DECIMALS_MAX: u32 = 36;

/// 10 to the `n`, for `n` up to 38.
#[must_use]
pub const fn pow10(n: u32) -> i128 {
    10i128.pow(n)
}

/// Reads `text` as an integer count of 10^-`scale`.
///
/// Accepts an optional minus sign, digits, and at most one point with digits on both sides. No exponent, no plus sign, no
/// underscores, no blanks: what people put behind money must mean one thing only. Zeros behind the last decimal are fine.
///
/// # Errors
/// Says what is wrong; nothing is rounded.
pub fn parse(text: &str, scale: u32) -> Result<i128, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((_, "")) => return Err(DecimalError::NotDecimal),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) {
        return Err(DecimalError::NotDecimal);
    }
    let decimals = decimals.trim_end_matches('0');
    let used = u32::try_from(decimals.len()).map_err(|_| DecimalError::TooFine { max: scale })?;
    if used > scale {
        return Err(DecimalError::TooFine { max: scale });
    }
    let mut count: i128 = 0;
    for digit in whole.bytes().chain(decimals.bytes()) {
        count = count.checked_mul(10).and_then(|c| c.checked_add(i128::from(digit - b'0'))).ok_or(DecimalError::TooLarge)?;
    }
    let count = count.checked_mul(pow10(scale - used)).ok_or(DecimalError::TooLarge)?;
    Ok(if negative { -count } else { count })
}

/// Reads what programs write for a number: as [`parse`], and with an exponent, like `1e-05`. Exact, as there.
///
/// # Errors
/// As [`parse`].
pub fn parse_scientific(text: &str, scale: u32) -> Result<i128, DecimalError> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return parse(text, scale) };
    let exponent: i32 = exponent.parse().map_err(|_| DecimalError::NotDecimal)?;
    let (sign, unsigned) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    // What is no mantissa must not become one by moving its point.
    parse(unsigned, DECIMALS_MAX)
        .map_err(|error| if error == DecimalError::TooLarge { error } else { DecimalError::NotDecimal })?;
    if exponent.unsigned_abs() > DECIMALS_MAX {
        return Err(if exponent < 0 { DecimalError::TooFine { max: scale } } else { DecimalError::TooLarge });
    }
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let zeros = "0".repeat(exponent.unsigned_abs() as usize);
    let digits = if exponent < 0 { format!("{zeros}{whole}{decimals}") } else { format!("{whole}{decimals}{zeros}") };
    let point = if exponent < 0 { whole.len() } else { whole.len() + zeros.len() };
    let (whole, decimals) = digits.split_at(point);
    parse(&format!("{sign}{whole}{}{decimals}", if decimals.is_empty() { "" } else { "." }), scale)
}

/// Writes `count` × 10^-`scale` without needless zeros: `0`, `50`, `0.25`, `-3.5`.
///
/// # Errors
/// Those of the formatter.
pub fn write(f: &mut fmt::Formatter<'_>, count: i128, scale: u32) -> fmt::Result {
    let unit = pow10(scale).unsigned_abs();
    let magnitude = count.unsigned_abs();
    let (whole, rest) = (magnitude / unit, magnitude % unit);
    let mut text = String::with_capacity(40);
    if count < 0 {
        text.push('-');
    }
    text.push_str(&whole.to_string());
    let wanted = f.precision().map(|p| p.min(scale as usize));
    if rest != 0 || wanted.is_some_and(|p| p > 0) {
        let digits = format!("{rest:0width$}", width = scale as usize);
        let shown = match wanted {
            Some(p) => &digits[..p],
            None => digits.trim_end_matches('0'),
        };
        if !shown.is_empty() {
            text.push('.');
            text.push_str(shown);
        }
    }
    f.pad_integral(true, "", &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shown(i128, u32);
    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, self.0, self.1)
        }
    }

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        assert_eq!(parse("50", 2), Ok(5000));
        assert_eq!(parse("0.25", 2), Ok(25));
        assert_eq!(parse("-0.2500", 2), Ok(-25));
        assert_eq!(parse("0.001", 2), Err(DecimalError::TooFine { max: 2 }));
        for wrong in ["1_000", "1e3", "+1", " 1", "1 ", ".5", "5.", "0x10", "50 USDT", "-", "--1", "1.2.3", "NaN", "١"] {
            assert_eq!(parse(wrong, 8), Err(DecimalError::NotDecimal), "{wrong}");
        }
        assert_eq!(parse("", 8), Err(DecimalError::Empty));
        assert_eq!(parse(&"9".repeat(400), 8), Err(DecimalError::TooLarge));
    }

    #[test]
    fn an_exponent_moves_the_point_and_loses_nothing() {
        for (text, count) in
            [("1e-05", 100_000), ("1.25E2", 1_250_000_000_000), ("-2.5e-1", -2_500_000_000), ("7", 70_000_000_000)]
        {
            assert_eq!(parse_scientific(text, 10), Ok(count), "{text}");
        }
        assert_eq!(parse_scientific("1e-11", 10), Err(DecimalError::TooFine { max: 10 }));
        assert_eq!(parse_scientific("1e99", 10), Err(DecimalError::TooLarge));
        for wrong in ["e5", "1e", "1e1.5", ".5e1", "5.e1", "1e-", "--1e1", "NaN", "1e 5"] {
            assert_eq!(parse_scientific(wrong, 10), Err(DecimalError::NotDecimal), "{wrong}");
        }
    }

    #[test]
    fn prints_without_needless_zeros() {
        assert_eq!(Shown(5000, 2).to_string(), "50");
        assert_eq!(Shown(-25, 2).to_string(), "-0.25");
        assert_eq!(Shown(0, 18).to_string(), "0");
        assert_eq!(format!("{:.2}", Shown(123_456, 4)), "12.34");
        assert_eq!(format!("{:.2}", Shown(120_000, 4)), "12.00");
        assert_eq!(format!("{:>6}", Shown(25, 1)), "   2.5");
    }
}
