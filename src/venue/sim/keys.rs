//! API keys: whose they are, what they may do, and whether a signature was made with them.

use std::borrow::Cow;

use ring::{hmac, signature};

use super::http::Refusal;

/// Keys of the venue have this many letters and digits.
const KEY_LEN: usize = 64;

/// The half of a key that the venue holds. It is never shown: a shared secret is one.
#[derive(Clone)]
pub enum Lock {
    Hmac(hmac::Key),
    /// The public key, 32 bytes.
    Ed25519(Vec<u8>),
    /// The public key, as PKCS#1 DER.
    Rsa(Vec<u8>),
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Lock::Hmac",
            Self::Ed25519(_) => "Lock::Ed25519",
            Self::Rsa(_) => "Lock::Rsa",
        })
    }
}

impl Lock {
    #[must_use]
    pub fn hmac(secret: &str) -> Self {
        Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// Was `payload` signed by who holds the other half? `sign` is as it was sent, decoded from percent signs.
    #[must_use]
    pub fn fits(&self, payload: &[u8], sign: &str) -> bool {
        match self {
            Self::Hmac(key) => from_hex(sign).is_some_and(|tag| hmac::verify(key, payload, &tag).is_ok()),
            Self::Ed25519(public) => verified(&signature::ED25519, public, payload, sign),
            Self::Rsa(public) => verified(&signature::RSA_PKCS1_2048_8192_SHA256, public, payload, sign),
        }
    }

    /// A logon over the WebSocket API is for this kind only.
    #[must_use]
    pub const fn may_log_on(&self) -> bool {
        matches!(self, Self::Ed25519(_))
    }
}

fn verified(algorithm: &'static dyn signature::VerificationAlgorithm, public: &[u8], payload: &[u8], sign: &str) -> bool {
    let key = signature::UnparsedPublicKey::new(algorithm, public);
    from_base64(sign).is_some_and(|bytes| key.verify(payload, &bytes).is_ok())
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    pub can_read: bool,
    pub can_trade: bool,
    pub can_withdraw: bool,
    pub is_ip_restricted: bool,
}

impl Default for Permissions {
    /// What a careful person gives a trading key.
    fn default() -> Self {
        Self { can_read: true, can_trade: true, can_withdraw: false, is_ip_restricted: true }
    }
}

/// An API key of an account.
#[derive(Debug, Clone)]
pub struct Key {
    pub name: String,
    pub lock: Lock,
    pub permissions: Permissions,
    /// Its address changed, or its owner has deleted it.
    pub is_revoked: bool,
}

/// What the venue says of a key that it does not know.
pub(super) fn stranger(name: Option<&str>) -> Refusal {
    let is_formed = name.is_some_and(|name| name.len() == KEY_LEN && name.bytes().all(|b| b.is_ascii_alphanumeric()));
    let refusal = if is_formed {
        Refusal::new(-2015, "Invalid API-key, IP, or permissions for action.")
    } else {
        Refusal::new(-2014, "API-key format invalid.")
    };
    refusal.with_status(401)
}

/// What was signed, and the signature: the query followed by the body, with `signature` taken out of either.
///
/// # Errors
/// When there is none, or when something was sent that is not percent-encoded.
pub(super) fn signed_payload<'a>(query: &'a str, body: &'a str) -> Result<(Cow<'a, str>, String), Refusal> {
    let wrong = || Refusal::new(-1022, "Signature for this request is not valid.");
    let is_encoded = |b: u8| b.is_ascii_alphanumeric() || b"-_.~%&=+".contains(&b);
    if !query.bytes().chain(body.bytes()).all(is_encoded) {
        return Err(wrong());
    }
    let ((query, of_query), (body, of_body)) = (without_signature(query), without_signature(body));
    let sign = of_query.or(of_body).ok_or_else(|| super::params::lacking("signature"))?;
    let sign = unescaped(sign).ok_or_else(wrong)?;
    Ok((if body.is_empty() { query } else { Cow::Owned(query.into_owned() + &body) }, sign))
}

fn without_signature(text: &str) -> (Cow<'_, str>, Option<&str>) {
    // Nearly always the last one: then nothing is copied.
    if let Some((before, sign)) = text.rsplit_once("&signature=").filter(|(_, sign)| !sign.contains('&')) {
        return (Cow::Borrowed(before), Some(sign));
    }
    let Some(sign) = text.split('&').find_map(|pair| pair.strip_prefix("signature=")) else { return (Cow::Borrowed(text), None) };
    let rest: Vec<&str> = text.split('&').filter(|pair| !pair.starts_with("signature=")).collect();
    (Cow::Owned(rest.join("&")), Some(sign))
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut left = text.chars();
    while let Some(c) = left.next() {
        if c == '%' {
            let (high, low) = (left.next()?.to_digit(16)?, left.next()?.to_digit(16)?);
            out.push(char::from(u8::try_from(high * 16 + low).ok()?));
        } else {
            out.push(c);
        }
    }
    Some(out)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

/// Base64 in its common alphabet, padded.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let value = |b: u8| match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut held, mut out) = (0_u32, 0_u32, Vec::with_capacity(text.len() * 3 / 4));
    for byte in digits.bytes() {
        bits = (bits << 6) | u32::from(value(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const REST: &str =
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
    const REST_SIGN: &str = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";

    #[test]
    fn the_published_hmac_examples_fit() {
        let lock = Lock::hmac(SECRET);
        assert!(lock.fits(REST.as_bytes(), REST_SIGN) && lock.fits(REST.as_bytes(), &REST_SIGN.to_uppercase()));
        assert!(!lock.fits(REST.as_bytes(), &REST_SIGN.replacen('c', "d", 1)) && !lock.fits(REST.as_bytes(), "xyz"));
        let (query, body) = REST.split_at(REST.find("&quantity").unwrap());
        let body = format!("{}&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77", &body[1..]);
        let (payload, sign) = signed_payload(query, &body).unwrap();
        assert!(lock.fits(payload.as_bytes(), &sign), "query and body joined by nothing: {payload}");
    }

    #[test]
    fn the_published_ed25519_example_fits() {
        let public = from_hex("19420abfd752a565c15625e9da6eaf0086fc40c14960183214442c14996a800d").unwrap();
        let lock = Lock::Ed25519(public);
        let payload = b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223";
        let sign = "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==";
        assert!(lock.fits(payload, sign) && !lock.fits(payload, &sign.to_lowercase()));
    }

    #[test]
    fn a_signature_is_taken_out_wherever_it_stands() {
        for query in ["a=1&b=2&signature=x%2By%3D", "a=1&signature=x%2By%3D&b=2", "signature=x%2By%3D&a=1&b=2"] {
            let (payload, sign) = signed_payload(query, "").unwrap();
            assert_eq!((payload.as_ref(), sign.as_str()), ("a=1&b=2", "x+y="), "{query}");
        }
        assert_eq!(signed_payload("a=1", "").unwrap_err().code, -1102);
        assert_eq!(signed_payload("symbol=１２&signature=00", "").unwrap_err().code, -1022, "not percent-encoded");
    }

    #[test]
    fn unknown_keys_are_told_apart_by_their_form() {
        assert_eq!(stranger(Some(&"a".repeat(64))).code, -2015);
        assert_eq!([stranger(None).code, stranger(Some("short")).code], [-2014, -2014]);
    }
}
