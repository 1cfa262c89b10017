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

mod arrow_file;
mod batch;
pub mod binance;
mod hash;
mod input;
mod instant;
mod kline;
mod kline_csv;
mod kline_json;
mod layout;
pub mod names;
mod number;
pub mod sample;
mod spacing;
pub mod synthetic;
mod table_csv;
mod trades;

use std::path::{Path, PathBuf};

pub use batch::{Batch, Unread};
pub use hash::{Fingerprint, HashKind, hash};
pub use synthetic::SyntheticFeed;
pub use trades::TradeFile;

use crate::domain::{Interval, Span, Time};

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

/// Opens a file of bars: CSV or JSON, plain, gzip or zip, or Arrow IPC; told apart by their first bytes, not by their names. A CSV
/// file that is not klines as the venue writes them says by its header where its columns stand.
///
/// # Errors
/// When there is no such file, or it is a folder, empty, or an archive of something else.
pub fn open(path: &Path, expected: Expected) -> Result<Box<dyn BarSource>, FeedError> {
    let input = input::Input::open(path)?;
    if input.bytes().starts_with(arrow_file::MAGIC) {
        return Ok(Box::new(arrow_file::ArrowFile::open(path, expected)?));
    }
    match input.kind() {
        input::Kind::Csv => open_csv(input, expected),
        input::Kind::Json => Ok(Box::new(kline_json::KlineJson::new(input, expected))),
    }
}

/// Chooses by the first lines: the venue's twelve columns have a reader of their own, which is quicker.
fn open_csv(input: input::Input, expected: Expected) -> Result<Box<dyn BarSource>, FeedError> {
    let mut lines = input.bytes().split(|byte| *byte == b'\n').enumerate();
    let first = lines.by_ref().map(|(at, line)| (at, line.trim_ascii())).find(|(_, line)| !line.is_empty());
    let (at, first) = first.expect("an input that is open has something in it");
    let separator = layout::separator_of(first);
    let fields = first.split(|byte| *byte == separator).count();
    if !layout::is_header(first) {
        return Ok(match fields {
            6 => Box::new(table_csv::TableCsv::new(input, expected, layout::SIX, false)),
            _ => Box::new(kline_csv::KlineCsv::new(input, expected)),
        });
    }
    let layout = layout::Layout::of_header(first).map_err(|why| {
        let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
        FeedError::Header { path: input.path().to_owned(), line, why }
    })?;
    let row = lines.map(|(_, line)| line.trim_ascii()).find(|line| !line.is_empty()).unwrap_or_default();
    let is_counted = layout::split(row, layout.separator).next().is_none_or(|time| time.iter().all(u8::is_ascii_digit));
    if layout.is_klines() && is_counted {
        return Ok(Box::new(kline_csv::KlineCsv::new(input, expected)));
    }
    Ok(Box::new(table_csv::TableCsv::new(input, expected, layout, true)))
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
    #[error("{}, {place}: {found} columns where the others have {expected}", path.display())]
    Columns { path: PathBuf, place: String, found: usize, expected: usize },
    #[error("{}, {place}: {found} columns, and no header that names them; klines have {}", path.display(), kline::FIELDS)]
    NoHeader { path: PathBuf, place: String, found: usize },
    #[error("{}{}: {why}", path.display(), if *line > 0 { format!(", line {line}") } else { String::new() })]
    Header { path: PathBuf, line: u32, why: String },
    #[error("{}, {place}: the symbol is {found}, in the rows before it {before}", path.display())]
    Symbols { path: PathBuf, place: String, found: String, before: String },
    #[error("{}, {place}: the time \"{text}\" {why}", path.display())]
    Instant { path: PathBuf, place: String, text: String, why: String },
    #[error("{} cannot be read as Arrow IPC: {why}", path.display())]
    Arrow { path: PathBuf, why: String },
    #[error("{}, {place}: the open time {text} is no whole number of milliseconds or microseconds since 1970", path.display())]
    Time { path: PathBuf, place: String, text: String },
    #[error("{}, {place}: the open time {text} looks like seconds; klines have milliseconds or microseconds", path.display())]
    Seconds { path: PathBuf, place: String, text: i64 },
    #[error("{}, {place}: the open time {text} would be in the year {year}", path.display())]
    TooLate { path: PathBuf, place: String, text: i64, year: i64 },
    #[error("{}, {place}: the open time {text} is in {found}, the rows before it are in {before}", path.display())]
    MixedUnits { path: PathBuf, place: String, text: i64, found: &'static str, before: &'static str },
    #[error("{}, {place}: the bar lasts {found}, not {expected}", path.display())]
    Interval { path: PathBuf, place: String, found: Span, expected: Interval },
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

/// Trades have seven columns in both dresses that have no header.
const TRADE_FIELDS: usize = 7;
const TRADES_HINT: &str = "if these are trades, make bars of them: tidegate data import --trades";

/// Does a header that is no header of bars name what a trade has?
fn is_of_trades(why: &str) -> bool {
    let names: Vec<&str> = why.rsplit(" names ").next().unwrap_or_default().split(", ").collect();
    names.contains(&"price") && ["amount", "qty", "quantity", "size"].iter().any(|name| names.contains(name))
}

impl FeedError {
    /// A time that is none.
    fn instant(path: &Path, place: String, field: &[u8], why: String) -> Self {
        let text = String::from_utf8_lossy(&field[..field.len().min(80)]).into_owned();
        Self::Instant { path: path.to_owned(), place, text, why }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoFile(_) => "check the path; paths in a pipeline start at the project's folder".to_owned(),
            Self::IsFolder(path) => format!("name its files, like {}/*.csv", path.display()),
            Self::NoKlines { .. } => {
                "kline files are named like BTCUSDT-1h-2024-11.csv, .csv.gz, .zip, .json, .ndjson or .feather".to_owned()
            }
            Self::Empty(_) => "download it again".to_owned(),
            Self::Columns { .. } => "a row cut short is a download cut short: fetch the file again".to_owned(),
            Self::NoHeader { found: TRADE_FIELDS, .. } => TRADES_HINT.to_owned(),
            Self::Header { why, .. } if is_of_trades(why) => TRADES_HINT.to_owned(),
            Self::NoHeader { .. } | Self::Header { .. } => {
                "a file of bars names its columns time, open, high, low, close and volume, in any order, or has the twelve of klines"
                    .to_owned()
            }
            Self::Symbols { .. } => "cut the file into one for each symbol".to_owned(),
            Self::Instant { .. } => "write every time in one form: since 1970, or as 2024-04-16 01:00:00+00:00".to_owned(),
            Self::Arrow { .. } => "fetch the file again, or write it anew as Arrow IPC or CSV".to_owned(),
            Self::Time { .. } | Self::Seconds { .. } | Self::TooLate { .. } | Self::MixedUnits { .. } => {
                "write every open time in milliseconds, or every one in microseconds".to_owned()
            }
            Self::Interval { found, .. } if found.to_string().parse::<Interval>().is_ok() => format!("pass --interval {found}"),
            Self::Interval { .. } => "no bars of that length are kept; fetch shorter ones".to_owned(),
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
