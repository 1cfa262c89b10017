//! Klines as JSON: pages, each an array of arrays, one behind the other or one a line.

use super::hash::Fingerprint;
use super::input::Input;
use super::kline::{FIELDS, Kline, Rows, SHORT_FIELDS};
use super::number::{decimal, whole};
use super::{BarSource, Batch, Expected, FeedError};

/// A longer row is no kline.
const ROW_LEN_MAX: usize = 4096;

pub struct KlineJson {
    input: Input,
    rows: Rows,
    /// Number of the last row read, through all pages.
    row: u32,
    state: State,
    is_spacing_known: bool,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A page, or the end.
    Page,
    /// A row, or the end of an empty page.
    FirstRow,
    /// A comma and a row, or the end of the page.
    NextRow,
    /// A row, after a comma.
    Row,
}

impl KlineJson {
    pub fn new(input: Input, expected: Expected) -> Self {
        Self { input, rows: Rows::new(expected, "row"), row: 0, state: State::Page, is_spacing_known: false }
    }

    /// Reads the whole rows at hand, until the batch holds `rows`.
    fn read_window(&mut self, rows: usize, into: &mut Batch) -> Result<(), FeedError> {
        let mut at = 0;
        while into.place.len() < rows {
            let window = self.input.bytes();
            at += window[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some(&byte) = window.get(at) else { break };
            self.state = match (self.state, byte) {
                (State::Page, b'[') => State::FirstRow,
                (State::FirstRow | State::NextRow, b']') => State::Page,
                (State::NextRow, b',') => State::Row,
                (State::FirstRow | State::Row, b'[') => match self.read_row(at, into)? {
                    Some(len) => {
                        at += len;
                        self.state = State::NextRow;
                        continue;
                    }
                    None => break,
                },
                _ => return Err(self.unexpected(byte)),
            };
            at += 1;
        }
        self.input.consume(at);
        let is_done = into.place.len() < rows && self.input.is_at_end();
        if is_done && (self.state != State::Page || !self.input.bytes().is_empty()) {
            return Err(self.wrong("the file ends within a page".to_owned()));
        }
        Ok(())
    }

    /// Reads the row at `at` and says how long it is; none if it is not at hand whole.
    fn read_row(&mut self, at: usize, into: &mut Batch) -> Result<Option<usize>, FeedError> {
        let text = &self.input.bytes()[at..];
        if let Some((kline, len)) = quick_row(text).filter(|_| !self.rows.is_short()) {
            self.row += 1;
            self.rows.push(self.input.path(), self.row, &kline, into)?;
            return Ok(Some(len));
        }
        let limit = text.len().min(ROW_LEN_MAX);
        let Some(end) = text[1..limit].iter().position(|byte| matches!(byte, b']' | b'[' | b'{')).map(|end| end + 1) else {
            return if limit == ROW_LEN_MAX { Err(self.wrong("a row has no end".to_owned())) } else { Ok(None) };
        };
        if text[end] != b']' {
            return Err(self.unexpected(text[end]));
        }
        self.row += 1;
        if self.row == 1 && text[1..end].iter().filter(|byte| **byte == b',').count() + 1 == SHORT_FIELDS {
            self.rows.short();
        }
        let fields: Vec<&[u8]> = text[1..end].split(|byte| *byte == b',').map(bare).collect();
        self.rows.push_faulty(self.input.path(), self.row, &fields, &text[..=end], into)?;
        Ok(Some(end + 1))
    }

    /// The first short rows say how long the bars are: no close time does.
    fn check_spacing(&mut self, batch: &Batch) -> Result<(), FeedError> {
        let is_due = self.rows.is_short() && !std::mem::replace(&mut self.is_spacing_known, true);
        match self.rows.other_interval(&batch.rows.bars.open_time).filter(|_| is_due) {
            Some(found) => {
                let (path, place) = (self.input.path().to_owned(), "in its first rows".to_owned());
                Err(FeedError::Interval { path, place, found: found.span(), expected: self.rows.interval() })
            }
            None => Ok(()),
        }
    }

    fn unexpected(&self, byte: u8) -> FeedError {
        if byte == b'{' {
            let text = String::from_utf8_lossy(&self.input.bytes()[..self.input.bytes().len().min(80)]).into_owned();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            return self.wrong(format!("an object where an array of klines should be: {text}"));
        }
        self.wrong(format!("unexpected '{}'", char::from(byte).escape_default()))
    }

    fn wrong(&self, why: String) -> FeedError {
        FeedError::Json { path: self.input.path().to_owned(), place: format!("after row {}", self.row), why }
    }
}

impl BarSource for KlineJson {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let until = into.place.len() + rows;
        loop {
            self.read_window(until, into)?;
            if self.input.is_at_end() || into.place.len() >= until {
                self.check_spacing(into)?;
            }
            if into.place.len() >= until {
                return Ok(true);
            }
            if self.input.is_at_end() {
                return if self.row > 0 { Ok(false) } else { Err(FeedError::Empty(self.input.path().to_owned())) };
            }
            self.input.fill()?;
        }
    }

    fn position(&self) -> u64 {
        self.input.position()
    }

    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError> {
        self.input.finish().map(Some)
    }
}

/// A row in the form venues write: no blanks, prices as strings.
#[inline]
fn quick_row(text: &[u8]) -> Option<(Kline, usize)> {
    let (open_time, mut rest) = whole(text.strip_prefix(b"[")?)?;
    let mut prices = [0.0; 5];
    for price in &mut prices {
        (*price, rest) = quoted(rest)?;
    }
    let (close_time, rest) = whole(rest.strip_prefix(b",")?)?;
    let (quote_volume, rest) = quoted(rest)?;
    let (trades, rest) = whole(rest.strip_prefix(b",")?)?;
    let (taker_buy, rest) = quoted(rest)?;
    let (taker_buy_quote, rest) = quoted(rest)?;
    let (_, rest) = quoted(rest)?;
    let rest = rest.strip_prefix(b"]")?;
    let kline = Kline { open_time, prices, close_time, quote_volume, trades, taker: [taker_buy, taker_buy_quote] };
    Some((kline, text.len() - rest.len()))
}

/// A comma, a number in quotes, and what comes behind it.
#[inline(always)]
fn quoted(text: &[u8]) -> Option<(f64, &[u8])> {
    let (value, rest) = decimal(text.strip_prefix(b",\"")?)?;
    Some((value, rest.strip_prefix(b"\"")?))
}

/// A field without the blanks around it and without its quotes.
fn bare(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(field)
}

const _: () = assert!(FIELDS == 12, "quick_row reads twelve fields");

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::domain::Time;

    fn read(content: &str, rows: usize) -> Result<Batch, FeedError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let expected = Expected { interval: "1m".parse().unwrap(), before: Time::start_of_year(2030) };
        let mut source = KlineJson::new(Input::open(file.path()).unwrap(), expected);
        let mut batch = Batch::default();
        while source.read(rows, &mut batch)? {}
        Ok(batch)
    }

    fn row(at: u64) -> String {
        let time = 1_637_971_200_000 + at * 60_000;
        format!("[{time},\"{at}.5\",\"{at}.5\",\"{at}.5\",\"{at}.5\",\"{at}.0\",{},\"0\",7,\"0\",\"0\",\"0\"]", time + 59_999)
    }

    #[test]
    fn pages_in_every_form() {
        let (a, b) = (row(0), row(1));
        let spaced = a.replace(',', " ,\n ").replace('[', "[ ");
        let bare = a.replace('"', "");
        for content in [
            format!("[{a},{b}]"),
            format!("[{a}]\n[{b}]\n"),
            format!("[]\n[{a}][]\n\n[{b}]"),
            format!("[{spaced},{b}]"),
            format!("[{bare}, {b}]"),
        ] {
            let batch = read(&content, 100).unwrap();
            assert_eq!(batch.rows.bars.close, [0.5, 1.5], "{content}");
            assert_eq!(batch.rows.extras.trades, [7, 7], "{content}");
            assert!(batch.unread.is_empty(), "{content}");
        }
    }

    #[test]
    fn many_pages_are_read_in_small_batches() {
        let pages: Vec<String> =
            (0..30).map(|page| format!("[{}]", (page * 500..(page + 1) * 500).map(row).collect::<Vec<_>>().join(","))).collect();
        let content = pages.join("\n");
        assert!(content.len() > super::super::input::CHUNK_BYTES, "the test wants more than one window");
        let batch = read(&content, 333).unwrap();
        assert_eq!(batch.place.len(), 15_000);
        assert!((0..15_000).all(|at| batch.rows.bars.close[at] == at as f64 + 0.5));
    }

    #[test]
    fn what_is_no_number_is_kept_as_text() {
        let batch = read(&format!("[{},{}]", row(0), row(1).replacen("1.5", "NaN", 1)), 100).unwrap();
        assert!(batch.rows.bars.open[1].is_nan());
        assert_eq!(batch.unread[0].place, 2);
        assert!(batch.unread[0].text.contains("NaN"));
        let batch = read(&format!("[{}]", row(0).replacen("\"0.5\"", "null", 1)), 100).unwrap();
        assert_eq!(batch.unread.len(), 1);
    }
}
