//! Why orders cannot be sent at all: keys, addresses and rules that are no such thing.

#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    /// The text is not repeated: it may be a secret.
    #[error("the API key is not one: expected {expected}")]
    ApiKey { expected: &'static str },
    #[error("the API secret is {found}: expected {expected}")]
    Secret { found: String, expected: &'static str },
    #[error("no connection can be made safe: {why}")]
    NoTls { why: String },
    #[error("the symbol {symbol} stands twice among those of the pipeline")]
    SymbolTwice { symbol: String },
    #[error("failed to start the thread of the user stream")]
    NoThread { source: std::io::Error },
    #[error(transparent)]
    Feed(#[from] crate::feed::binance::BinanceError),
}

impl OrdersError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ApiKey { .. } => Some("check what venue.binance.api_key refers to".to_owned()),
            Self::Secret { .. } => Some("check what venue.binance.api_secret refers to".to_owned()),
            Self::NoTls { .. } => Some("install the system's certificates (ca-certificates)".to_owned()),
            Self::SymbolTwice { .. } => Some("name each symbol once".to_owned()),
            Self::NoThread { .. } => None,
            Self::Feed(error) => error.hint(),
        }
    }
}
