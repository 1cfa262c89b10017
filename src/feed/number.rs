//! Numbers as venues write them: strictly, quickly, and rounded as the standard library rounds.

/// What a decimal of at most 2^53 is divided by: exact up to 10^22, so that one division gives the nearest float.
const POWERS: [f64; 20] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];
const EXACT_MAX: u64 = 1 << 53;
/// More digits than these do not fit in the sum of digits.
const DIGITS_MAX: usize = 19;

/// Reads `digits[.digits]` at `at` and moves behind it; none if there is something else, which may still be a number.
#[inline]
pub fn decimal(text: &[u8], at: &mut usize) -> Option<f64> {
    let start = *at;
    let (mut sum, mut here) = digits(text, start, 0);
    let whole = here - start;
    if whole == 0 {
        return None;
    }
    let mut fraction = 0;
    if text.get(here) == Some(&b'.') {
        let begin = here + 1;
        (sum, here) = match eight_digits(text, begin) {
            Some(eight) => digits(text, begin + 8, sum.wrapping_mul(100_000_000).wrapping_add(eight)),
            None => digits(text, begin, sum),
        };
        fraction = here - begin;
        if fraction == 0 {
            return None;
        }
    }
    *at = here;
    if whole + fraction <= DIGITS_MAX && sum <= EXACT_MAX {
        return Some(sum as f64 / POWERS[fraction]);
    }
    std::str::from_utf8(&text[start..here]).ok()?.parse().ok()
}

/// Reads a whole number at `at` and moves behind it.
#[inline]
pub fn whole(text: &[u8], at: &mut usize) -> Option<i64> {
    let (sum, here) = digits(text, *at, 0);
    let count = here - *at;
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    *at = here;
    i64::try_from(sum).ok()
}

#[inline]
fn digits(text: &[u8], mut at: usize, mut sum: u64) -> (u64, usize) {
    while let Some(byte) = text.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (sum, at)
}

/// Eight digits at once, as most fractions are: all bytes are checked and summed in pairs, fours and eights of one word.
#[inline]
fn eight_digits(text: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; 8] = text.get(at..at + 8)?.try_into().ok()?;
    let word = u64::from_le_bytes(bytes);
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let carry = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if high != 0x3030_3030_3030_3030 || carry != 0x3030_3030_3030_3030 {
        return None;
    }
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

/// Reads a whole field that is a number in JSON's grammar: a sign and an exponent are allowed; blanks, NaN, infinity, hex and
/// a leading plus are not.
pub fn strict(field: &[u8]) -> Option<f64> {
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let whole = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = &unsigned[whole..];
    if whole == 0 {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        rest = &fraction[digits..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let digits = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        rest = &[];
    }
    if !rest.is_empty() {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<f64> {
        let mut at = 0;
        decimal(text.as_bytes(), &mut at).filter(|_| at == text.len())
    }

    /// FEED-1.
    #[test]
    fn only_numbers_are_numbers() {
        for wrong in [
            "", " 1", "1 ", "NaN", "nan", "inf", "-inf", "Infinity", "0x10", "+1", "1.", ".5", "1e", "1e+", "--1", "1,5", "1_0",
            "1e999",
        ] {
            assert_eq!(strict(wrong.as_bytes()), None, "{wrong}");
        }
        for (text, value) in [("-2461.6", -2461.6), ("1e-05", 1e-5), ("0.00002853", 0.00002853), ("007", 7.0), ("-0", 0.0)] {
            assert_eq!(strict(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn the_quick_way_stops_where_the_number_ends() {
        let mut at = 4;
        assert_eq!(decimal(b"abc,6.63990000,6", &mut at), Some(6.6399));
        assert_eq!(at, 14);
        assert_eq!(decimal(b"12345678", &mut 0), Some(12_345_678.0));
        assert_eq!(decimal(b"1.1234567:", &mut 0), Some(1.123_456_7));
        assert_eq!(decimal(b"1.", &mut 0), None);
        assert_eq!(whole(b"99999999999999999999", &mut 0), None);
        assert_eq!(whole(b"1735689600000000,", &mut 0), Some(1_735_689_600_000_000));
    }

    proptest! {
        #[test]
        fn quick_and_standard_agree(whole in 0_u64..u64::MAX, fraction in "[0-9]{0,20}") {
            let text = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
            prop_assert_eq!(read(&text).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
            prop_assert_eq!(strict(text.as_bytes()).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
        }

        #[test]
        fn prices_agree(cents in 0_u64..100_000_000_000_000, places in 1_usize..9) {
            let text = format!("{}.{:0places$}", cents / 10_u64.pow(places as u32), cents % 10_u64.pow(places as u32));
            prop_assert_eq!(read(&text).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
        }
    }
}
