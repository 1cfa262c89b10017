//! The parameters of a request, in the two forms that are signed.

use std::fmt::Write;

use super::OrdersError;
use super::sign::Key;

/// Names and values, in the order in which they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

/// Parameters with their signature. Nothing shows it: who has it could send the request again.
pub struct SignedQuery(String);

impl SignedQuery {
    /// What goes over the wire, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SignedQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedQuery(…)")
    }
}

impl Params {
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers pass numbers, names and ids alike")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }

    /// `name=value` pairs, percent-encoded: the form of REST.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut text = String::with_capacity(256);
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            percent_encode(value, &mut text);
        }
        text
    }

    /// ORDERS-1: percent-encoded first, then signed; exactly what was signed is sent.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn signed(&self, key: &Key) -> Result<SignedQuery, OrdersError> {
        let mut text = self.encoded();
        let signature = key.sign(text.as_bytes())?;
        text.push_str("&signature=");
        percent_encode(&signature, &mut text);
        Ok(SignedQuery(text))
    }

    /// Sorted by name, values as they are: the form that the WebSocket API signs.
    #[must_use]
    pub fn sorted(&self) -> String {
        let mut pairs: Vec<&(&str, String)> = self.0.iter().collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}

/// Everything but letters, digits and `-_.~` becomes `%XX` of its UTF-8 bytes.
fn percent_encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            into.push(char::from(byte));
        } else {
            write!(into, "%{byte:02X}").expect("a string takes what is written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_names_stay() {
        let params = Params::default().with("symbol", "１２").with("signature", "a/b+c=").with("price", "0.1");
        assert_eq!(params.encoded(), "symbol=%EF%BC%91%EF%BC%92&signature=a%2Fb%2Bc%3D&price=0.1");
        assert_eq!(params.sorted(), "price=0.1&signature=a/b+c=&symbol=１２");
        assert_eq!((params.get("price"), params.get("qty")), (Some("0.1"), None));
    }
}
