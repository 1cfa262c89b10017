//! Series of the lake by the names that people give them.

use anyhow::anyhow;

use super::failed;
use crate::cli::exit::{Exit, Failure};
use crate::domain::{Series, Symbol};
use crate::store::Lake;

/// The series that these texts name: one by itself (`binance/BTC-USDT/1h`), or all of a symbol (`BTC/USDT`); every one for no text.
pub(super) fn series(lake: &Lake, texts: &[String]) -> Result<Vec<Series>, Failure> {
    let there: Vec<Series> = lake.series().map_err(|error| failed(error.into()))?.into_iter().map(|info| info.series).collect();
    if texts.is_empty() {
        return Ok(there);
    }
    let mut found: Vec<Series> = Vec::new();
    for text in texts {
        let matches: Vec<Series> = if let Ok(series) = text.parse::<Series>() {
            there.iter().filter(|other| **other == series).cloned().collect()
        } else if let Ok(symbol) = text.parse::<Symbol>() {
            there.iter().filter(|other| *other.symbol() == symbol).cloned().collect()
        } else {
            let error = anyhow!("\"{text}\" is no series: write binance/BTC-USDT/1h, or BTC/USDT for all of a symbol");
            return Err(Failure::new(Exit::Usage, error).hint("tidegate data ls shows the series of the lake"));
        };
        if matches.is_empty() {
            let error = anyhow!("there are no bars of {text} in the lake {}", lake.root().display());
            return Err(Failure::new(Exit::Failed, error).hint("tidegate data ls shows what is there"));
        }
        found.extend(matches);
    }
    found.sort();
    found.dedup();
    Ok(found)
}
