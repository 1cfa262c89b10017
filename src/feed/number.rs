//! Numbers as venues write them: strictly, quickly, and rounded as the standard library rounds.

/// What a decimal of at most 2^53 is divided by: exact up to 10^22, so that one division gives the nearest float.
const POWERS: [f64; 20] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];
const EXACT_MAX: u64 = 1 << 53;
/// More digits than these do not fit in the sum of digits.
const DIGITS_MAX: usize = 19;

/// Reads `digits[.digits]` at the head of a text and gives what comes behind it; none if there is something else, which may still be
/// a number.
#[inline(always)]
pub fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    quick_decimal(text).or_else(|| any_decimal(text))
}

/// A whole number at the head of a text, and what comes behind it.
#[inline]
pub fn whole(text: &[u8]) -> Option<(i64, &[u8])> {
    let (mut sum, mut rest) = (0_u64, text);
    while let Some((eight, behind)) = eight_digits(rest) {
        sum = sum.wrapping_mul(100_000_000).wrapping_add(eight);
        rest = behind;
    }
    (sum, rest) = digits(rest, sum);
    let count = text.len() - rest.len();
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    i64::try_from(sum).ok().map(|whole| (whole, rest))
}

/// Up to seven digits, and up to eight behind the point: they are summed exactly, and one division rounds once.
#[inline(always)]
fn quick_decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (sum, whole, rest) = few_digits(text, 0)?;
    if whole == 0 {
        return None;
    }
    let Some(fraction) = rest.strip_prefix(b".") else { return Some((sum as f64, rest)) };
    if let Some((eight, rest)) = eight_digits(fraction) {
        let sum = sum.wrapping_mul(100_000_000).wrapping_add(eight);
        return (!starts_with_digit(rest)).then_some((sum as f64 / 1e8, rest));
    }
    let (sum, places, rest) = few_digits(fraction, sum)?;
    (places > 0).then(|| (sum as f64 / POWERS[places], rest))
}

/// Any number of digits on both sides.
#[inline(never)]
fn any_decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (mut sum, mut rest) = digits(text, 0);
    let whole = text.len() - rest.len();
    let mut places = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        (sum, rest) = digits(fraction, sum);
        places = fraction.len() - rest.len();
        if places == 0 {
            return None;
        }
    }
    if whole == 0 {
        return None;
    }
    if whole + places <= DIGITS_MAX && sum <= EXACT_MAX {
        return Some((sum as f64 / POWERS[places], rest));
    }
    let number = std::str::from_utf8(&text[..text.len() - rest.len()]).ok()?;
    Some((number.parse().ok()?, rest))
}

#[inline]
fn starts_with_digit(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit)
}

/// The digits at the head of a text, one by one.
#[inline]
fn digits(text: &[u8], mut sum: u64) -> (u64, &[u8]) {
    let mut rest = text;
    while let [byte, behind @ ..] = rest
        && byte.is_ascii_digit()
    {
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(byte & 0x0f));
        rest = behind;
    }
    (sum, rest)
}

/// Up to seven digits, how many, and what comes behind them; none where there are more, or where the text ends soon. Each count has an
/// end of its own, which a processor foretells and goes on; a count that is computed it would wait for.
#[inline(always)]
fn few_digits(text: &[u8], mut sum: u64) -> Option<(u64, usize, &[u8])> {
    let head = text.first_chunk::<8>()?;
    for (count, byte) in head.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Some((sum, count, &text[count..]));
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    None
}

/// Eight digits at once, as most fractions are: all bytes are checked and summed in pairs, fours and eights of one word.
#[inline(always)]
fn eight_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = text.split_first_chunk::<8>()?;
    // A digit becomes its value; any other byte ten or more, which the sum carries into its highest bit.
    let ones = u64::from_le_bytes(*head) ^ 0x3030_3030_3030_3030;
    if (ones | ones.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff, rest))
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
        decimal(text.as_bytes()).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
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
        assert_eq!(decimal(b"6.63990000,6"), Some((6.6399, &b",6"[..])));
        assert_eq!(decimal(b"12345678"), Some((12_345_678.0, &b""[..])));
        assert_eq!(decimal(b"1.1234567:"), Some((1.123_456_7, &b":"[..])));
        assert_eq!(decimal(b"0.123456789,0.00000000"), Some((0.123_456_789, &b",0.00000000"[..])));
        for wrong in [&b"1."[..], b"1.,00000000000", b".500000000000", b",1.0000000000", b"-1.0000000000", b"", b"."] {
            assert_eq!(decimal(wrong), None, "{}", wrong.escape_ascii());
        }
        assert_eq!(whole(b"99999999999999999999"), None);
        assert_eq!(whole(b"9999999999999999999"), None, "it is more than an i64 holds");
        assert_eq!(whole(b"1735689600000000,"), Some((1_735_689_600_000_000, &b","[..])));
        assert_eq!(whole(b",1735689600000000"), None);
    }

    proptest! {
        #[test]
        fn quick_and_standard_agree(whole in 0_u64..u64::MAX, fraction in "[0-9]{0,20}") {
            let text = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
            prop_assert_eq!(read(&text).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
            prop_assert_eq!(strict(text.as_bytes()).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
        }

        /// What stands behind a number is neither taken for a part of it nor passed over.
        #[test]
        fn it_ends_where_its_digits_end(whole in "[0-9]{1,12}", fraction in "[0-9]{1,12}", behind in "[ -/:-~\u{80}-\u{ff}].{0,20}") {
            for text in [whole.clone(), format!("{whole}.{fraction}")] {
                if behind.starts_with('.') {
                    continue;
                }
                let all = format!("{text}{behind}");
                let (value, rest) = decimal(all.as_bytes()).unwrap();
                prop_assert_eq!((value.to_bits(), rest), (text.parse::<f64>().unwrap().to_bits(), behind.as_bytes()));
            }
            let all = format!("{whole}{behind}");
            prop_assert_eq!(super::whole(all.as_bytes()), Some((whole.parse().unwrap(), behind.as_bytes())));
        }

        #[test]
        fn prices_agree(cents in 0_u64..100_000_000_000_000, places in 1_usize..9) {
            let text = format!("{}.{:0places$}", cents / 10_u64.pow(places as u32), cents % 10_u64.pow(places as u32));
            prop_assert_eq!(read(&text).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()));
        }
    }
}
