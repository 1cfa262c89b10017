//! Whether the venue trades a symbol at all: one that is halted or gone has no new bars, and that is no hole.

use serde::Deserialize;

use super::{BinanceError, RestClient};
use crate::domain::Symbol;

const STATUS_WEIGHT: u32 = 20;
/// The status of a symbol that anybody may trade.
pub const TRADING: &str = "TRADING";
/// Characters of a status that are repeated; those there are have fewer.
const STATUS_CHARS_MAX: usize = 32;

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    symbols: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    symbol: String,
    status: String,
}

impl RestClient<'_> {
    /// What the venue says about a symbol: [`TRADING`], `HALT`, `BREAK` and others.
    ///
    /// # Errors
    /// When it does not list the symbol, or as [`Self::get`].
    pub fn status(&mut self, symbol: &Symbol) -> Result<String, BinanceError> {
        let joined = symbol.joined();
        let what = format!("the status of {joined}");
        let body = self.get(&format!("/api/v3/exchangeInfo?symbol={joined}"), STATUS_WEIGHT, &what)?;
        let info: Option<Info> = serde_json::from_slice(&body).ok();
        let listed = info.and_then(|info| info.symbols.into_iter().find(|listed| listed.symbol == joined));
        match listed {
            Some(listed) => Ok(status_in(&listed.status)),
            None => Err(BinanceError::Refused { what, status: 200, said: "an answer without the symbol".to_owned() }),
        }
    }
}

fn status_in(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(STATUS_CHARS_MAX).collect()
}
