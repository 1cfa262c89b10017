//! Klines as CSV: twelve columns, with a header or without.

use super::hash::Fingerprint;
use super::input::Input;
use super::kline::{Kline, Rows};
use super::layout::is_header;
use super::number::{decimal, whole};
use super::{BarSource, Batch, Expected, FeedError};

/// A longer line is no row of klines.
const LINE_LEN_MAX: usize = 4096;

pub struct KlineCsv {
    input: Input,
    rows: Rows,
    /// Number of the last line read.
    line: u32,
    has_rows: bool,
}

impl KlineCsv {
    pub fn new(input: Input, expected: Expected) -> Self {
        Self { input, rows: Rows::new(expected, "line"), line: 0, has_rows: false }
    }

    /// Reads the whole lines at hand, until the batch holds `rows`.
    fn read_window(&mut self, rows: usize, into: &mut Batch) -> Result<(), FeedError> {
        let window = self.input.bytes();
        let end = match window.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.input.is_at_end() => 0,
            None if window.len() > LINE_LEN_MAX => return Err(self.too_long()),
            None => return Ok(()),
        };
        // The last line of a file may lack its end.
        let end = if self.input.is_at_end() { window.len() } else { end };
        let mut at = 0;
        while at < end && into.place.len() < rows {
            self.line += 1;
            let rest = &window[at..end];
            if let Some((kline, len)) = quick_row(rest) {
                self.rows.push(self.input.path(), self.line, &kline, into)?;
                self.has_rows = true;
                at += len;
                continue;
            }
            let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
            at += (len + 1).min(rest.len());
            self.has_rows |= read_line(&mut self.rows, &self.input, self.line, line, self.has_rows, into)?;
        }
        self.input.consume(at);
        Ok(())
    }

    fn too_long(&self) -> FeedError {
        FeedError::NoHeader { path: self.input.path().to_owned(), place: format!("line {}", self.line + 1), found: 1 }
    }
}

impl BarSource for KlineCsv {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let until = into.place.len() + rows;
        loop {
            self.read_window(until, into)?;
            if into.place.len() >= until {
                return Ok(true);
            }
            if self.input.is_at_end() {
                return if self.has_rows { Ok(false) } else { Err(FeedError::Empty(self.input.path().to_owned())) };
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

/// A row in the form venues write, and its length with the end of its line. Anything else is left to [`read_line`].
#[inline]
fn quick_row(text: &[u8]) -> Option<(Kline, usize)> {
    let (open_time, mut rest) = whole(text)?;
    let mut prices = [0.0; 5];
    for price in &mut prices {
        (*price, rest) = decimal(behind_comma(rest)?)?;
    }
    let (close_time, rest) = whole(behind_comma(rest)?)?;
    let (quote_volume, rest) = decimal(behind_comma(rest)?)?;
    let (trades, rest) = whole(behind_comma(rest)?)?;
    let (taker_buy, rest) = decimal(behind_comma(rest)?)?;
    let (taker_buy_quote, rest) = decimal(behind_comma(rest)?)?;
    let (_, rest) = decimal(behind_comma(rest)?)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let kline = Kline { open_time, prices, close_time, quote_volume, trades, taker: [taker_buy, taker_buy_quote] };
    Some((kline, text.len() - rest.len()))
}

#[inline]
fn behind_comma(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b",")
}

/// A line that is blank, a header, or a row with a fault. True if it was a row.
fn read_line(
    rows: &mut Rows,
    input: &Input,
    number: u32,
    line: &[u8],
    has_rows: bool,
    into: &mut Batch,
) -> Result<bool, FeedError> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(false);
    }
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
    // That it names what klines have was seen when the file was opened.
    if !has_rows && is_header(line) {
        return Ok(false);
    }
    rows.push_faulty(input.path(), number, &fields, line, into)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::domain::Time;

    const HEADER: &str =
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
    const ROWS: [&str; 2] = [
        "1637971200000,0.00002853,0.00002854,0.00002851,0.00002854,36304.20000000,1637971259999,1.03547608,79,19523.00000000,0.55694227,0",
        "1637971260000,0.00002854,0.00002860,0.00002854,0.00002859,89196.60000000,1637971319999,2.54751330,98,59004.20000000,1.68545512,0",
    ];

    fn read(content: &[u8], rows: usize) -> Batch {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let expected = Expected { interval: "1m".parse().unwrap(), before: Time::start_of_year(2030) };
        let mut source = KlineCsv::new(Input::open(file.path()).unwrap(), expected);
        let mut batch = Batch::default();
        while source.read(rows, &mut batch).unwrap() {}
        batch
    }

    #[test]
    fn the_same_rows_in_every_dress() {
        let plain = read(ROWS.join("\n").as_bytes(), 100);
        assert_eq!(plain.place, [1, 2]);
        assert_eq!(plain.rows.bars.open_time, [1_637_971_200_000_000, 1_637_971_260_000_000]);
        assert_eq!(plain.rows.bars.high, [0.000_028_54, 0.000_028_6]);
        assert_eq!(plain.rows.extras.trades, [79, 98]);
        assert_eq!((plain.odd_close_times, plain.unread.len()), (0, 0));
        let micros = ROWS.map(|row| {
            row.replace("00000,", "00000000,")
                .replace("59999,", "59999999,")
                .replace("19999,", "19999999,")
                .replace("60000,", "60000000,")
        });
        let dressed = [
            ("an end of the last line", format!("{}\n", ROWS.join("\n"))),
            ("a header", format!("{HEADER}\n{}\n", ROWS.join("\n"))),
            ("carriage returns", format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n"))),
            ("a byte order mark and blank lines", format!("\u{feff}{}\n\n{}\n\n", ROWS[0], ROWS[1])),
            ("microseconds", micros.join("\n")),
        ];
        for (dress, content) in dressed {
            let found = read(content.as_bytes(), 100);
            assert_eq!(found.rows, plain.rows, "{dress}");
            assert_eq!((found.odd_close_times, found.unread.len()), (0, 0), "{dress}");
        }
    }

    #[test]
    fn rows_across_the_edge_of_the_window_are_whole() {
        let mut content = String::new();
        for at in 0..20_000_u64 {
            let time = 1_637_971_200_000 + at * 60_000;
            content.push_str(&format!("{time},{at}.5,{at}.5,{at}.5,{at}.5,{at},{},0,0,0,0,0\n", time + 59_999));
        }
        assert!(content.len() > super::super::input::CHUNK_BYTES, "the test wants more than one window");
        let found = read(content.as_bytes(), 777);
        assert_eq!(found.place.len(), 20_000);
        assert!((0..20_000).all(|at| found.rows.bars.close[at] == at as f64 + 0.5 && found.place[at] as usize == at + 1));
    }

    #[test]
    fn a_batch_is_as_large_as_asked() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(ROWS.join("\n").as_bytes()).unwrap();
        let expected = Expected { interval: "1m".parse().unwrap(), before: Time::start_of_year(2030) };
        let mut source = KlineCsv::new(Input::open(file.path()).unwrap(), expected);
        let mut batch = Batch::default();
        assert!(source.read(1, &mut batch).unwrap());
        assert_eq!(batch.place, [1]);
    }
}
