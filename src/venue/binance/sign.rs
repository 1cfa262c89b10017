//! Keys of the venue and what they sign.
//!
//! Three kinds are known by their content: a text without lines is a secret for HMAC; a PEM of PKCS#8 is a key of Ed25519 or RSA, by
//! its algorithm's number. Errors say what was expected and never what was found, beyond its kind.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, rand};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::OrdersError;

const EXPECTED_SECRET: &str =
    "the secret of an HMAC key (letters and digits), or a private key of Ed25519 or RSA as PEM (PKCS#8, not encrypted)";
const EXPECTED_API_KEY: &str = "16 to 128 letters and digits";
const API_KEY_LEN: std::ops::RangeInclusive<usize> = 16..=128;
const SECRET_LEN: std::ops::RangeInclusive<usize> = 16..=256;
/// Characters of an API key that may be shown.
const SHOWN: usize = 4;
/// Bytes of the modulus of the RSA keys that the venue takes.
const RSA_BYTES: [usize; 2] = [256, 512];
/// DER of the numbers 1.3.101.112 and 1.2.840.113549.1.1.1.
const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA_OID: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Hmac,
    Ed25519,
    Rsa,
}

impl KeyKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        }
    }
}

enum Signer {
    Hmac(hmac::Key),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A key and its name at the venue. ORDERS-2: no way leads from it to its secret.
pub struct Key {
    api_key: SecretString,
    signer: Signer,
}

impl Key {
    /// # Errors
    /// When either text is not what it should be. Neither is repeated.
    pub fn new(api_key: &SecretString, secret: &SecretString) -> Result<Self, OrdersError> {
        let name = api_key.expose_secret().trim();
        if !API_KEY_LEN.contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(OrdersError::ApiKey { expected: EXPECTED_API_KEY });
        }
        Ok(Self { api_key: SecretString::from(name), signer: Signer::read(secret.expose_secret())? })
    }

    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self.signer {
            Signer::Hmac(_) => KeyKind::Hmac,
            Signer::Ed25519(_) => KeyKind::Ed25519,
            Signer::Rsa(_) => KeyKind::Rsa,
        }
    }

    /// The name of the key, for the venue only.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.api_key.expose_secret()
    }

    /// The name of the key, for people: its last characters.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = self.api_key.expose_secret();
        format!("…{}", &name[name.len() - SHOWN..])
    }

    /// The signature as the venue takes it: hexadecimal for HMAC, base64 else; not percent-encoded.
    ///
    /// # Errors
    /// When an RSA signature does not verify: the machine computed wrongly.
    pub fn sign(&self, payload: &[u8]) -> Result<String, OrdersError> {
        match &self.signer {
            Signer::Hmac(key) => Ok(crate::store::disk::hex(hmac::sign(key, payload).as_ref())),
            Signer::Ed25519(key) => Ok(STANDARD.encode(key.sign(payload).as_ref())),
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                // Chance blinds the computation against those who measure it; the signature is the same each time.
                let signed = key.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), payload, &mut signature);
                signed.map_err(|_| OrdersError::Secret {
                    found: "a key that failed to sign".to_owned(),
                    expected: EXPECTED_SECRET,
                })?;
                Ok(STANDARD.encode(&signature))
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.kind().name(), self.shown())
    }
}

fn wrong<T>(found: impl Into<String>) -> Result<T, OrdersError> {
    Err(OrdersError::Secret { found: found.into(), expected: EXPECTED_SECRET })
}

impl Signer {
    fn read(text: &str) -> Result<Self, OrdersError> {
        if text.contains("-----BEGIN ") {
            return Self::read_pem(text);
        }
        let secret = text.trim();
        if !SECRET_LEN.contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("neither a PEM nor one word of letters and digits");
        }
        Ok(Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    fn read_pem(text: &str) -> Result<Self, OrdersError> {
        let begun = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"));
        let Some((label, rest)) = begun else { return wrong("a PEM without its first line") };
        match label {
            "PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => return wrong("an encrypted PEM (decrypt it: openssl pkcs8 -in KEY -out PLAIN)"),
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                return wrong("a PEM in an older form (convert it: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW)");
            }
            label if label.ends_with("PUBLIC KEY") => return wrong("a public key"),
            _ => return wrong("a PEM of something else"),
        }
        let Some((body, _)) = rest.split_once("-----END PRIVATE KEY-----") else { return wrong("a PEM without its last line") };
        let packed: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
        let Ok(der) = STANDARD.decode(packed.as_bytes()).map(Zeroizing::new) else { return wrong("a PEM that is not base64") };
        match algorithm(&der) {
            Some(KeyKind::Ed25519) => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
                Ok(key) => Ok(Self::Ed25519(key)),
                Err(_) => wrong("a damaged key of Ed25519"),
            },
            Some(KeyKind::Rsa) => match RsaKeyPair::from_pkcs8(&der) {
                Ok(key) if RSA_BYTES.contains(&key.public().modulus_len()) => Ok(Self::Rsa(Box::new(key))),
                Ok(key) => {
                    wrong(format!("an RSA key of {} bits, where the venue takes 2048 or 4096", key.public().modulus_len() * 8))
                }
                Err(_) => wrong("an RSA key that is damaged, or too short or too long (2048 or 4096 bits)"),
            },
            _ => wrong("a private key of another kind than Ed25519 and RSA"),
        }
    }
}

/// Whose key it is: a sequence with a version, then a sequence that begins with the number of the algorithm.
fn algorithm(der: &[u8]) -> Option<KeyKind> {
    let rest = inside(der, 0x30)?.strip_prefix(&[0x02, 0x01])?.get(1..)?;
    let named = inside(rest, 0x30)?;
    if named.starts_with(ED25519_OID) {
        return Some(KeyKind::Ed25519);
    }
    named.starts_with(RSA_OID).then_some(KeyKind::Rsa)
}

/// What begins inside of an element with this tag. Where it ends is for the parser of the key to judge.
fn inside(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let more = if *length & 0x80 == 0 { 0 } else { usize::from(*length & 0x7f) };
    (*first == tag).then(|| rest.get(more..)).flatten()
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::super::params::Params;
    use super::*;

    /// Published examples of the venue: no key of anybody.
    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const SEED: &str = "8244616b4606b8400a66fd0efcbea9af1611fd2540e975b3808b20007d9bcf6e";
    /// Keys for tests: they open nothing.
    const RSA_2048: &str = include_str!("../../../tests/keys/rsa2048.pem");
    const RSA_3072: &str = include_str!("../../../tests/keys/rsa3072.pem");
    const RSA_4096: &str = include_str!("../../../tests/keys/rsa4096.pem");
    const OTHERS: [(&str, &str); 4] = [
        (include_str!("../../../tests/keys/rsa2048_pkcs1.pem"), "older form"),
        (include_str!("../../../tests/keys/rsa2048_public.pem"), "public key"),
        (include_str!("../../../tests/keys/rsa2048_encrypted.pem"), "encrypted"),
        (include_str!("../../../tests/keys/p256.pem"), "another kind"),
    ];

    fn key(secret: &str) -> Result<Key, OrdersError> {
        Key::new(&SecretString::from(API_KEY), &SecretString::from(secret))
    }

    fn ed25519() -> Key {
        let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        der.extend((0..32).map(|at| u8::from_str_radix(&SEED[2 * at..2 * at + 2], 16).unwrap()));
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        key(&pem).unwrap()
    }

    /// ORDERS-1: the six of HMAC, in both forms.
    #[test]
    fn the_published_vectors_of_hmac() {
        let key = key(SECRET).unwrap();
        assert_eq!(key.kind(), KeyKind::Hmac);
        let rest = |symbol| {
            Params::default()
                .with("symbol", symbol)
                .with("side", "BUY")
                .with("type", "LIMIT")
                .with("timeInForce", "GTC")
                .with("quantity", "1")
                .with("price", "0.1")
                .with("recvWindow", 5000)
                .with("timestamp", 1_499_827_319_559_i64)
        };
        let signed = |params: Params| params.signed(&key).unwrap().expose().rsplit_once("&signature=").unwrap().1.to_owned();
        assert_eq!(signed(rest("LTCBTC")), "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
        assert_eq!(signed(rest("１２３４５６")), "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3");
        let joined = rest("LTCBTC").encoded().replacen("GTC&quantity", "GTCquantity", 1);
        let of = |payload: &str| key.sign(payload.as_bytes()).unwrap();
        assert_eq!(of(&joined), "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77");
        // The order of parameters does not matter: they are sorted.
        let ws = |symbol, price, quantity, window, side| {
            Params::default()
                .with("timestamp", 1_645_423_376_532_i64)
                .with("symbol", symbol)
                .with("price", price)
                .with("type", "LIMIT")
                .with("side", side)
                .with("quantity", quantity)
                .with("timeInForce", "GTC")
                .with("recvWindow", window)
                .with("apiKey", API_KEY)
        };
        let sell = ws("BTCUSDT", "52000.00", "0.01000000", 100, "SELL");
        assert_eq!(of(&sell.sorted()), "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
        let buy = ws("１２３４５６", "0.10000000", "1.00000000", 5000, "BUY");
        assert_eq!(of(&buy.sorted()), "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd");
        let ack = sell.with("newOrderRespType", "ACK");
        assert_eq!(of(&ack.sorted()), "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a");
    }

    /// ORDERS-1.
    #[test]
    fn the_published_vectors_of_ed25519() {
        let key = ed25519();
        assert_eq!(key.kind(), KeyKind::Ed25519);
        let logon = format!("apiKey={API_KEY}&timestamp=1649729878532");
        for (payload, signature) in [
            (
                "A\u{1}EXAMPLE\u{1}SPOT\u{1}1\u{1}20240627-11:17:25.223",
                "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==",
            ),
            (
                "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000",
                "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw==",
            ),
            (&logon, "PdyZthZkWH6iRM43rd8+UBP8CPxkW5TJq6Wxsjy8vl5St2O54RDvgGcqRWskW7xWLdftHLxCKA0PDzjLt26eDg=="),
        ] {
            assert_eq!(key.sign(payload.as_bytes()).unwrap(), signature);
        }
    }

    #[test]
    fn rsa_signs_what_its_public_half_verifies() {
        for pem in [RSA_2048, RSA_4096] {
            let key = key(pem).unwrap();
            assert_eq!(key.kind(), KeyKind::Rsa);
            let signature = STANDARD.decode(key.sign(b"symbol=BTCUSDT").unwrap()).unwrap();
            let Signer::Rsa(pair) = &key.signer else { panic!("{key:?}") };
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref());
            public.verify(b"symbol=BTCUSDT", &signature).unwrap();
            assert!(public.verify(b"symbol=ETHUSDT", &signature).is_err());
            assert_eq!(key.sign(b"x").unwrap(), key.sign(b"x").unwrap(), "the same each time");
        }
    }

    /// ORDERS-2.
    #[test]
    fn no_error_and_no_debug_shows_a_secret() {
        let cut = &RSA_2048[..RSA_2048.len() - 60];
        let damaged = RSA_2048.replacen("MII", "!II", 1);
        let spaced = format!("{SECRET} {SECRET}");
        let mut cases =
            vec![(RSA_3072, "3072 bits"), (cut, "last line"), (&damaged, "base64"), (&spaced, "neither"), ("short", "neither")];
        cases.extend(OTHERS);
        for (secret, word) in cases {
            let error = key(secret).unwrap_err();
            assert!(error.to_string().contains(word) && error.to_string().contains("expected"), "{word}: {error}");
            for part in secret.split_whitespace().filter(|part| part.len() > 20) {
                assert!(!format!("{error} {error:?} {:?}", error.hint()).contains(part), "{word}");
            }
        }
        let key = key(SECRET).unwrap();
        assert_eq!(format!("{key:?}"), "Key(HMAC …Eh8A)");
        let signed = Params::default().with("a", 1).signed(&key).unwrap();
        assert_eq!(format!("{signed:?}"), "SignedQuery(…)");
        for wrong in
            ["", "tooshort", "with space in it, of all", "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8\n!"]
        {
            let error = Key::new(&SecretString::from(wrong), &SecretString::from(SECRET)).unwrap_err();
            assert!(wrong.is_empty() || !format!("{error:?}").contains(wrong), "{wrong}");
        }
    }
}
