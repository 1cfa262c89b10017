//! What in a text looks like a secret, whatever key it stands behind.
//!
//! People paste an address or a key into the wrong line, and the message about that line must not repeat it. Nothing is refused
//! for looking so: it is only not shown.

use std::ops::Range;

/// A key of fewer characters is rare, and a word of so many is.
const KEY_CHARS_MIN: usize = 20;
/// An address that says more behind its host than this may be one that lets in whoever knows it.
const PATH_CHARS_MIN: usize = 8;

/// The stretches of `text` that look like secrets, in order.
pub fn secrets(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    words(text).filter(|span| is_likely(&text[span.clone()]))
}

/// What stands between blanks, quotes and brackets.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '{' | '}' | '[' | ']' | '<' | '>');
    let mut at = 0;
    text.split_inclusive(is_end).flat_map(move |piece| {
        let start = at;
        at += piece.len();
        let word = piece.trim_end_matches(is_end).trim_end_matches([',', ';']);
        // `NAME=value` is two words, unless the equals sign is one of an address or of padding.
        let cut = match word.split_once('=') {
            Some((name, _)) if name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) => name.len() + 1,
            _ => 0,
        };
        [start..start + cut, start + cut..start + word.len()].into_iter().filter(|span| !span.is_empty())
    })
}

fn is_likely(word: &str) -> bool {
    is_address(word) || is_key(word)
}

/// An address with a password, a path or a query.
fn is_address(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")) else { return false };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    host.contains('@') || path.len() > PATH_CHARS_MIN
}

/// A long word in which large and small letters and digits are mixed, or that has a known beginning.
fn is_key(word: &str) -> bool {
    if word.len() < KEY_CHARS_MIN || !word.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=".contains(c)) {
        return false;
    }
    let has = |is: fn(&char) -> bool| word.chars().any(|c| is(&c));
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    let is_hex = word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    is_mixed || is_hex || word.starts_with("xox")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        secrets(text).map(|span| &text[span]).collect()
    }

    #[test]
    fn what_looks_like_a_secret_is_found_anywhere() {
        let hook = "https://hooks.slack.com/services/T0/B0/abc";
        assert_eq!(found(&format!("a = \"{hook}\" # {hook}, x")), [hook, hook]);
        assert_eq!(found(&format!("TIDEGATE__X={hook}")), [hook]);
        assert_eq!(found("x = ['kQ7xVb2mWz9RtLp4sD8f', \"y\"]"), ["kQ7xVb2mWz9RtLp4sD8f"]);
        assert_eq!(found("http://user:word@host"), ["http://user:word@host"]);
        assert_eq!(found("xoxb-0123456789-abcdefgh"), ["xoxb-0123456789-abcdefgh"]);
        assert_eq!(found("é\"0123456789abcdef0123456789abcdef\""), ["0123456789abcdef0123456789abcdef"]);
    }

    #[test]
    fn what_people_write_is_left_alone() {
        for plain in [
            "https://api.binance.com",
            "max_notional_per_order = \"50\"",
            "data/SOLUSDT-1h-2025-03.csv",
            "2025-03-01T00:00:00Z",
            "TIDEGATE__ALERTS__RECEIVER__SLACK__URL=env:X",
            "risk.max_consecutive_losses_in_a_row=3",
            "a-long-name-in-kebab-case-2",
        ] {
            assert_eq!(found(plain), [""; 0], "{plain}");
        }
    }
}
