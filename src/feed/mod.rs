//! Feeds: where bars come from, as raw rows.
//!
//! Enter at [`open`] for files of bars, at [`TradeFile::open`] for files of trades, at [`binance`] for the venue; each other
//! file is one kind of source behind [`BarSource`].
//!
//! FEED-1  Numbers are read strictly; what is no number is kept as text and marked, never guessed.
//! FEED-2  A file that cannot be klines of the asked interval is refused whole, with the line.
//! FEED-3  Memory does not grow with the source: rows are handed on in batches, unpacked bytes are bounded.
//!
//! Not here: what a bar must satisfy (`stage/ingest`), keeping bars (`store`).

mod batch;
pub mod binance;
mod input;
mod kline;
mod kline_csv;
mod kline_json;
pub mod names;
mod number;
pub mod sample;
pub mod synthetic;
mod trades;

use std::path::{Path, PathBuf};

pub use batch::{Batch, Unread};
pub use input::Fingerprint;
pub use synthetic::SyntheticFeed;
pub use trades::TradeFile;

use crate::domain::{Interval, Time};

/// A source of raw rows of one series.
pub trait BarSource {
    /// Appends about `rows` rows, in the order of the source; false when there are no more.
    ///
    /// # Errors
    /// When the source cannot be read or cannot be what it should be.
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError>;

    /// How far it is: bytes taken from the source, which a progress bar shows.
    fn position(&self) -> u64;

    /// Reads what is left and names the source by its bytes; none if it has none.
    ///
    /// # Errors
    /// When the source cannot be read to its end.
    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError>;
}

/// What rows of a source must be for the source to be read at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub interval: Interval,
    /// Open times from here on are a mistake of unit, not bars.
    pub before: Time,
}

impl Expected {
    /// Bars of `interval` read at `now`: dates beyond next year are a mistake.
    #[must_use]
    pub fn at(interval: Interval, now: Time) -> Self {
        Self { interval, before: Time::start_of_year(now.year().saturating_add(2)) }
    }
}

/// Opens a kline file: CSV or JSON, plain, gzip or zip; told apart by their first bytes, not by their names.
///
/// # Errors
/// When there is no such file, or it is a folder, empty, or an archive of something else.
pub fn open(path: &Path, expected: Expected) -> Result<Box<dyn BarSource>, FeedError> {
    let input = input::Input::open(path)?;
    Ok(match input.kind() {
        input::Kind::Csv => Box::new(kline_csv::KlineCsv::new(input, expected)),
        input::Kind::Json => Box::new(kline_json::KlineJson::new(input, expected)),
    })
}

/// Names a file by its bytes.
///
/// # Errors
/// When it cannot be read.
pub fn hash(path: &Path) -> Result<Fingerprint, FeedError> {
    input::hash(path)
}

/// A source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    #[error("{} is a folder", .0.display())]
    IsFolder(PathBuf),
    #[error("the folder {} holds no kline files{for_what}", folder.display())]
    NoKlines { folder: PathBuf, for_what: String },
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    #[error("{}, {place}: {found} columns where klines have 12", path.display())]
    Columns { path: PathBuf, place: String, found: usize },
    #[error("{}, line {line}: the header names {found} where klines have open, high, low, close, volume", path.display())]
    Header { path: PathBuf, line: u32, found: String },
    #[error("{}, {place}: the open time {text} is no whole number of milliseconds or microseconds since 1970", path.display())]
    Time { path: PathBuf, place: String, text: String },
    #[error("{}, {place}: the open time {text} looks like seconds; klines have milliseconds or microseconds", path.display())]
    Seconds { path: PathBuf, place: String, text: i64 },
    #[error("{}, {place}: the open time {text} would be in the year {year}", path.display())]
    TooLate { path: PathBuf, place: String, text: i64, year: i64 },
    #[error("{}, {place}: the open time {text} is in {found}, the rows before it are in {before}", path.display())]
    MixedUnits { path: PathBuf, place: String, text: i64, found: &'static str, before: &'static str },
    #[error("{}, {place}: the bar lasts {found}, not {expected}", path.display())]
    Interval { path: PathBuf, place: String, found: Interval, expected: Interval },
    #[error("{}, {place}: {column} \"{text}\" {why}", path.display())]
    Trade { path: PathBuf, place: String, column: &'static str, text: String, why: String },
    #[error("{}, {place}: {why}", path.display())]
    TradeColumns { path: PathBuf, place: String, why: String },
    #[error("{} is no archive of one kline file: {why}", path.display())]
    Archive { path: PathBuf, why: String },
    #[error("{} unpacks to more than {limit}", path.display())]
    TooLarge { path: PathBuf, limit: String },
    #[error("{}, {place}: {why}", path.display())]
    Json { path: PathBuf, place: String, why: String },
    #[error("{} has the SHA-256 {found}, its .CHECKSUM file says {stated}", path.display())]
    Checksum { path: PathBuf, found: String, stated: String },
    #[error("{}: {why}", path.display())]
    SampleManifest { path: PathBuf, why: String },
    #[error("the name of {} does not say {what}", path.display())]
    Unnamed { path: PathBuf, what: &'static str },
    #[error("{} is named for {found}, not for {expected}", path.display())]
    Misnamed { path: PathBuf, found: String, expected: String },
    #[error(transparent)]
    Binance(#[from] binance::BinanceError),
}

impl FeedError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoFile(_) => "check the path; paths in a pipeline start at the project's folder".to_owned(),
            Self::IsFolder(path) => format!("name its files, like {}/*.csv", path.display()),
            Self::NoKlines { .. } => {
                "kline files are named like BTCUSDT-1h-2024-11.csv, .csv.gz, .zip, .json or .ndjson".to_owned()
            }
            Self::Empty(_) => "download it again".to_owned(),
            Self::Columns { .. } => "a row cut short is a download cut short: fetch the file again".to_owned(),
            Self::Header { .. } => "reorder the columns as Binance has them".to_owned(),
            Self::Time { .. } | Self::Seconds { .. } | Self::TooLate { .. } | Self::MixedUnits { .. } => {
                "write every open time in milliseconds, or every one in microseconds".to_owned()
            }
            Self::Interval { found, .. } => format!("pass --interval {found}"),
            Self::Trade { .. } => "a bar is right only with all its trades: fetch the file again".to_owned(),
            Self::TradeColumns { .. } => {
                "trades are CSV with a header (timestamp, id, side, price, amount), CSV as in Binance's archive, or JSON \
                 [[ms, \"id\", null, \"buy\", price, amount, cost], …]"
                    .to_owned()
            }
            Self::Archive { .. } => "unpack it and import the kline file inside".to_owned(),
            Self::TooLarge { .. } => "unpack it yourself if you trust it, and import the file inside".to_owned(),
            Self::Json { .. } => "a file of klines is [[open time, \"open\", …], …], one page or one page a line".to_owned(),
            Self::Checksum { .. } => "download both files again".to_owned(),
            Self::SampleManifest { .. } => return None,
            Self::Unnamed { what, .. } => match *what {
                "its symbol" => "pass --symbol BASE/QUOTE".to_owned(),
                _ => "pass --interval, like --interval 1h".to_owned(),
            },
            Self::Misnamed { .. } => "name the file that belongs to the pipeline's symbol and interval".to_owned(),
            Self::Read { .. } => return None,
            Self::Binance(error) => return error.hint(),
        })
    }
}
