//! What the names of kline files say: `BTCUSDT-1h-2024-11.csv.gz` holds hours of BTC/USDT.

use std::path::{Path, PathBuf};

use super::FeedError;
use crate::domain::{Interval, Symbol};

/// Quote currencies that end a joined symbol, longer ones first where one ends like another.
const QUOTES: [&str; 26] = [
    "FDUSD", "BUSD", "TUSD", "USDT", "USDC", "USDP", "BIDR", "IDRT", "USD1", "EURI", "USD", "EUR", "GBP", "TRY", "BRL", "JPY",
    "AUD", "ZAR", "UAH", "PLN", "DAI", "BTC", "ETH", "BNB", "TRX", "XRP",
];

const ENDINGS: [&str; 9] = [".csv", ".csv.gz", ".csv.zip", ".zip", ".json", ".json.gz", ".ndjson", ".feather", ".arrow"];

/// What a name says; what it does not say is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub symbol: Option<Symbol>,
    pub interval: Option<Interval>,
}

/// Reads the name of a file.
#[must_use]
pub fn read(path: &Path) -> Named {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let mut words = stem.split('-');
    let first = words.next().unwrap_or_default();
    let mut second = words.next().unwrap_or_default();
    // XRP_ETH-1m, as freqtrade names its files.
    let apart = first.split_once('_').filter(|(_, quote)| QUOTES.contains(quote));
    let mut symbol = apart.map_or_else(|| split_joined(first), |(base, quote)| format!("{base}/{quote}").parse().ok());
    // The folder form, BTC-USDT-1h.
    if symbol.is_none() && second.parse::<Interval>().is_err() {
        symbol = format!("{first}/{second}").parse().ok().filter(|symbol: &Symbol| QUOTES.contains(&symbol.quote()));
        second = words.next().unwrap_or_default();
    }
    Named { symbol, interval: second.parse().ok() }
}

/// Cuts `BTCUSDT` at its quote currency.
#[must_use]
pub fn split_joined(joined: &str) -> Option<Symbol> {
    QUOTES
        .iter()
        .filter_map(|quote| joined.strip_suffix(quote).map(|base| (base, quote)))
        .find_map(|(base, quote)| format!("{base}/{quote}").parse().ok())
}

/// The kline files of one series below `path`: the file itself, or the files of a folder that are named for the series, by
/// name. `{symbol}` and `{interval}` in the path stand for the series' own.
///
/// # Errors
/// When there is nothing, or a file is named for another series.
pub fn files_of(path: &Path, symbol: &Symbol, interval: Interval) -> Result<Vec<PathBuf>, FeedError> {
    let path = fill_in(path, symbol, interval);
    if path.is_file() {
        let named = read(&path);
        let is_other = named.symbol.as_ref().is_some_and(|s| s != symbol) || named.interval.is_some_and(|i| i != interval);
        if is_other {
            let name = |s: &Symbol, i: Interval| format!("{} {i}", s.joined());
            let found = name(named.symbol.as_ref().unwrap_or(symbol), named.interval.unwrap_or(interval));
            return Err(FeedError::Misnamed { path, found, expected: name(symbol, interval) });
        }
        return Ok(vec![path]);
    }
    let mut files = kline_files(&path)?;
    files.retain(|file| read(file) == Named { symbol: Some(symbol.clone()), interval: Some(interval) });
    if files.is_empty() {
        return Err(FeedError::NoKlines { folder: path, for_what: format!(" of {symbol} {interval}") });
    }
    Ok(files)
}

/// The kline files of a folder, by name.
///
/// # Errors
/// When there is no such folder or it holds none.
pub fn kline_files(folder: &Path) -> Result<Vec<PathBuf>, FeedError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => FeedError::NoFile(folder.to_owned()),
        _ => FeedError::Read { path: folder.to_owned(), source },
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with('.') && ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(FeedError::NoKlines { folder: folder.to_owned(), for_what: String::new() });
    }
    files.sort();
    Ok(files)
}

fn fill_in(path: &Path, symbol: &Symbol, interval: Interval) -> PathBuf {
    match path.to_str() {
        Some(text) => text.replace("{symbol}", &symbol.joined()).replace("{interval}", &interval.to_string()).into(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> (Option<String>, Option<String>) {
        let named = read(Path::new(name));
        (named.symbol.map(|s| s.to_string()), named.interval.map(|i| i.to_string()))
    }

    #[test]
    fn names_say_symbol_and_interval() {
        let both = |s: &str, i: &str| (Some(s.to_owned()), Some(i.to_owned()));
        assert_eq!(said("a/BTCUSDT-1h-2024-11.csv.gz"), both("BTC/USDT", "1h"));
        assert_eq!(said("ETHBTC-1m-2021-11-27.zip"), both("ETH/BTC", "1m"));
        assert_eq!(said("XRP_ETH-1m.feather"), both("XRP/ETH", "1m"));
        assert_eq!(said("BTC-USDT-15m.json"), both("BTC/USDT", "15m"));
        assert_eq!(said("ETHUSDT-1h-faulty.csv"), both("ETH/USDT", "1h"));
        assert_eq!(said("BTCUSDT.csv"), (Some("BTC/USDT".to_owned()), None));
        for silent in ["bars.csv", "USDT-1h.csv", "klines", "BTCUSDT_US-1m.csv.gz"] {
            assert_eq!(said(silent).0, None, "{silent}");
        }
    }
}
