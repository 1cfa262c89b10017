//! What the ingest stage is told.

use std::path::PathBuf;

use crate::domain::{Interval, Span, Symbol, Time};
use crate::feed::binance::Address;

#[derive(Debug, Clone, PartialEq)]
pub struct IngestConfig {
    pub source: Source,
    pub symbols: Vec<Symbol>,
    pub interval: Interval,
    pub contract: Contract,
    /// The longest that taking in the bars of one run may last.
    pub timeout: Span,
}

/// Where bars come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Files or folders of kline files. `{symbol}` and `{interval}` in the path stand for `BTCUSDT` and `1h`.
    File { path: PathBuf },
    /// Our own seeded generator.
    Synthetic(Synthetic),
    /// The venue's REST API.
    Binance(Remote),
    /// The venue's streams, for a runner that stays; a single run asks the REST API, which has all that has closed.
    BinanceWs { rest: Remote, stream: Address },
    /// The venue's archive of daily and monthly files.
    BinanceArchive(Remote),
}

/// A source that is asked over the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    pub address: Address,
    /// How far back the first run goes, on a lake that has no bar of a series.
    pub history: Span,
}

/// What the generator makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthetic {
    pub seed: u64,
    pub start: Time,
    pub bars: u32,
}

/// What incoming bars must satisfy. A row that fails is quarantined; a set that fails stops the stages that need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contract {
    /// Holes allowed among the bars of one run.
    pub missing_bars: u64,
    /// The greatest |close / previous close - 1| of a row.
    pub max_return: f64,
    pub monotonic_time: bool,
    pub non_negative_volume: bool,
    pub last_bar_closed: bool,
}

impl Default for Contract {
    fn default() -> Self {
        Self { missing_bars: 0, max_return: 0.20, monotonic_time: true, non_negative_volume: true, last_bar_closed: true }
    }
}
