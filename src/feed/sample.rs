//! The shipped bars, and the manifest beside them: where they come from, so that nobody takes them for a market's.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::FeedError;
use super::synthetic::{Generator, SyntheticBar};
use crate::domain::{Interval, Symbol, Time};
use crate::store::disk::hex;

pub const MANIFEST: &str = "MANIFEST.toml";

/// What the manifest of a folder of files must say to be read here; the rest of it is for people.
#[derive(Deserialize)]
struct Head {
    venue: String,
}

/// The venue under which the bars of `path`, a file or folder, are kept: the manifest in that folder says; none without one.
///
/// # Errors
/// When there is a manifest that cannot be read.
pub fn venue_of(path: &Path) -> Result<Option<String>, FeedError> {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let Some(manifest) = folder.map(|folder| folder.join(MANIFEST)) else { return Ok(None) };
    let text = match std::fs::read_to_string(&manifest) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(FeedError::Read { path: manifest, source }),
    };
    let unread = |why: String| FeedError::SampleManifest { path: PathBuf::from(&manifest), why };
    let head: Head = toml::from_str(&text).map_err(|error| unread(error.message().to_owned()))?;
    Ok(Some(head.venue))
}

/// Bars that nobody's market made, under a venue of their own.
pub const VENUE: &str = "sample";
const SEED: u64 = 20_241_001;
const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];
/// The venue's archive changed from milliseconds to microseconds with the year 2025; so does the sample.
const QUARTERS: [(&str, &str, &str, i64); 2] =
    [("2024Q4", "2024-10-01", "2025-01-01", 1000), ("2025Q1", "2025-01-01", "2025-04-01", 1)];

/// A file of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    pub name: String,
    pub content: Vec<u8>,
}

/// The shipped files, the manifest last.
#[must_use]
pub fn files() -> Vec<SampleFile> {
    let mut files = Vec::new();
    let mut manifest = format!(
        "# Bars made by this program's own generator; no market traded them. `tidegate data sample` makes them again.\n\
         venue     = \"{VENUE}\"\n\
         source    = \"synthetic\"\n\
         seed      = {SEED}\n\
         interval  = \"1h\"\n\
         licence   = \"CC0-1.0\"\n"
    );
    for symbol in SYMBOLS {
        let symbol: Symbol = symbol.parse().expect("the sample names symbols");
        let interval: Interval = "1h".parse().expect("the sample names an interval");
        let mut generator = Generator::new(SEED, &symbol, interval, time(QUARTERS[0].1));
        for (quarter, from, to, unit) in QUARTERS {
            let name = format!("{}-{interval}-{quarter}.csv", symbol.joined());
            let rows = (time(to) - time(from)).micros() / interval.span().micros();
            let content: String = (0..rows).map(|_| line(&generator.next_bar(), interval, unit)).collect();
            let sha256 = hex(&Sha256::digest(&content));
            manifest.push_str(&format!(
                "\n[[file]]\nname   = \"{name}\"\nsymbol = \"{symbol}\"\nfrom   = \"{from}\"\nto     = \"{to}\"\n\
                 rows   = {rows}\nsha256 = \"{sha256}\"\n"
            ));
            files.push(SampleFile { name, content: content.into_bytes() });
        }
    }
    files.push(SampleFile { name: MANIFEST.to_owned(), content: manifest.into_bytes() });
    files
}

fn time(text: &str) -> Time {
    text.parse().expect("the sample names times")
}

/// One line as the venue's archive has it.
fn line(bar: &SyntheticBar, interval: Interval, unit: i64) -> String {
    let price = |ticks: i64| format!("{}.{:02}", ticks / 100, ticks % 100);
    let amount = |units: i64| format!("{}.{:05}", units / 100_000, units % 100_000);
    let open_time = bar.open_time.micros() / unit;
    let close_time = (bar.open_time + interval.span()).micros() / unit - 1;
    let prices = [bar.open, bar.high, bar.low, bar.close].map(price).join(",");
    let taker = [bar.taker_buy_volume, bar.taker_buy_quote_volume].map(amount).join(",");
    let (volume, quote_volume) = (amount(bar.volume), amount(bar.quote_volume));
    format!("{open_time},{prices},{volume},{close_time},{quote_volume},{},{taker},0\n", bar.trades)
}
