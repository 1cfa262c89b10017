//! Bars as CSV with columns in any order, told by a header; or six columns without one. Slower than klines, and as strict.

use std::path::Path;

use super::hash::Fingerprint;
use super::input::Input;
use super::instant::Instants;
use super::kline::{TEXT_LEN_MAX, other_length};
use super::layout::{Layout, split};
use super::number::strict;
use super::spacing::other_interval;
use super::{BarSource, Batch, Expected, FeedError, Unread};
use crate::domain::TRADES_UNKNOWN;

/// A longer line is no row of bars.
const LINE_LEN_MAX: usize = 4096;
/// A close time may stand one unit of its clock before the end of its bar: a second, a millisecond, a microsecond.
const CLOSE_SHORT_BY: [i64; 4] = [0, 1, 1000, 1_000_000];

pub struct TableCsv {
    input: Input,
    /// Whether a header is still to come.
    awaits_header: bool,
    lines: Lines,
    /// Number of the last line read.
    line: u32,
    is_spacing_known: bool,
}

impl TableCsv {
    pub fn new(input: Input, expected: Expected, layout: Layout, has_header: bool) -> Self {
        let lines = Lines::new(input.path(), expected, layout);
        Self { input, awaits_header: has_header, lines, line: 0, is_spacing_known: false }
    }

    /// Reads the whole lines at hand, until the batch holds `until` rows.
    fn read_window(&mut self, until: usize, into: &mut Batch) -> Result<(), FeedError> {
        let (window, path) = (self.input.bytes(), self.input.path());
        let mut at = 0;
        while into.len() < until && at < window.len() {
            let rest = &window[at..];
            let len = match rest.iter().position(|byte| *byte == b'\n') {
                Some(len) => len,
                None if self.input.is_at_end() => rest.len(),
                None if rest.len() > LINE_LEN_MAX => return Err(self.lines.columns(path, self.line + 1, 1)),
                None => break,
            };
            self.line += 1;
            at += (len + 1).min(rest.len());
            let line = rest[..len].trim_ascii();
            if !line.is_empty() && !std::mem::take(&mut self.awaits_header) {
                self.lines.read(path, self.line, line, into)?;
            }
        }
        self.input.consume(at);
        Ok(())
    }

    /// The first rows say how long the bars are, where no close time does.
    fn check_spacing(&mut self, batch: &Batch) -> Result<(), FeedError> {
        let is_first = !std::mem::replace(&mut self.is_spacing_known, true);
        let expected = self.lines.expected.interval;
        match other_interval(&batch.rows.bars.open_time, expected).filter(|_| is_first) {
            Some(found) => {
                let place = "in its first rows".to_owned();
                Err(FeedError::Interval { path: self.input.path().to_owned(), place, found: found.span(), expected })
            }
            None => Ok(()),
        }
    }
}

impl BarSource for TableCsv {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let until = into.len() + rows;
        loop {
            self.read_window(until, into)?;
            let is_at_end = self.input.is_at_end();
            if into.len() >= until || is_at_end {
                self.check_spacing(into)?;
            }
            if into.len() >= until {
                return Ok(true);
            }
            if is_at_end {
                return if self.lines.has_rows { Ok(false) } else { Err(FeedError::Empty(self.input.path().to_owned())) };
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

/// Turns lines into rows.
struct Lines {
    expected: Expected,
    layout: Layout,
    instants: Instants,
    /// What the column of symbols says, where there is one.
    symbol: Option<Vec<u8>>,
    has_rows: bool,
}

impl Lines {
    fn new(path: &Path, expected: Expected, layout: Layout) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { expected, layout, instants: Instants::new(&name, expected.before), symbol: None, has_rows: false }
    }

    fn read(&mut self, path: &Path, place: u32, line: &[u8], into: &mut Batch) -> Result<(), FeedError> {
        let fields: Vec<&[u8]> = split(line, self.layout.separator).collect();
        if fields.len() != self.layout.fields {
            return Err(self.columns(path, place, fields.len()));
        }
        self.check_symbol(path, place, &fields)?;
        let text = || String::from_utf8_lossy(&line[..line.len().min(TEXT_LEN_MAX)]).into_owned();
        let field = fields[self.layout.time];
        let time = match self.instants.read(field) {
            Ok(time) => time,
            // A blank among good rows is a fault of the row; anything else makes all times doubtful.
            Err(_) if field.is_empty() && self.has_rows => {
                into.unread.push(Unread { place, has_time: false, text: text() });
                return Ok(());
            }
            Err(why) => return Err(FeedError::instant(path, format!("line {place}"), field, why)),
        };
        let prices = self.layout.prices.map(|at| strict(fields[at]).unwrap_or(f64::NAN));
        if prices.iter().any(|value| value.is_nan()) {
            into.unread.push(Unread { place, has_time: true, text: text() });
        }
        self.check_close(path, place, time, &fields, into)?;
        self.has_rows = true;
        into.place.push(place);
        let (bars, extras) = (&mut into.rows.bars, &mut into.rows.extras);
        bars.open_time.push(time);
        let columns = [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close, &mut bars.volume];
        columns.into_iter().zip(prices).for_each(|(column, price)| column.push(price));
        let float = |at: Option<usize>| at.and_then(|at| strict(fields[at])).unwrap_or(f64::NAN);
        extras.quote_volume.push(float(self.layout.quote_volume));
        extras.taker_buy_volume.push(float(self.layout.taker[0]));
        extras.taker_buy_quote_volume.push(float(self.layout.taker[1]));
        let trades = float(self.layout.trades);
        extras.trades.push(if trades >= 0.0 { trades as i64 } else { TRADES_UNKNOWN });
        Ok(())
    }

    /// A file of several instruments would become one series of conflicts.
    fn check_symbol(&mut self, path: &Path, place: u32, fields: &[&[u8]]) -> Result<(), FeedError> {
        let Some(found) = self.layout.symbol.map(|at| fields[at]) else { return Ok(()) };
        match &self.symbol {
            None => self.symbol = Some(found.to_vec()),
            Some(before) if before == found => {}
            Some(before) => {
                let [found, before] = [found, before.as_slice()].map(|text| String::from_utf8_lossy(text).into_owned());
                return Err(FeedError::Symbols { path: path.to_owned(), place: format!("line {place}"), found, before });
            }
        }
        Ok(())
    }

    fn check_close(&mut self, path: &Path, place: u32, open: i64, fields: &[&[u8]], into: &mut Batch) -> Result<(), FeedError> {
        let Some(field) = self.layout.close_time.map(|at| fields[at]) else { return Ok(()) };
        let expected = self.expected.interval;
        let close = self.instants.read(field).ok();
        let short_by = close.map(|close| open.saturating_add(expected.span().micros()).saturating_sub(close));
        if short_by.is_some_and(|short_by| CLOSE_SHORT_BY.contains(&short_by)) {
            return Ok(());
        }
        into.odd_close_times += 1;
        let lasts = close.map(|close| close.saturating_sub(open)).filter(|_| !self.has_rows);
        let other = lasts.and_then(|lasts| {
            CLOSE_SHORT_BY.into_iter().find_map(|short_by| other_length(lasts.saturating_add(short_by), expected))
        });
        match other {
            Some(found) => Err(FeedError::Interval { path: path.to_owned(), place: format!("line {place}"), found, expected }),
            None => Ok(()),
        }
    }

    fn columns(&self, path: &Path, place: u32, found: usize) -> FeedError {
        FeedError::Columns { path: path.to_owned(), place: format!("line {place}"), found, expected: self.layout.fields }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::layout::SIX;
    use super::*;
    use crate::domain::Time;

    fn read(content: &str, rows: usize) -> Result<Batch, FeedError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let expected = Expected { interval: "1h".parse().unwrap(), before: Time::start_of_year(2030) };
        let first = content.lines().next().unwrap();
        let has_header = super::super::layout::is_header(first.as_bytes());
        let layout = if has_header { Layout::of_header(first.as_bytes()).unwrap() } else { SIX };
        let mut source = TableCsv::new(Input::open(file.path()).unwrap(), expected, layout, has_header);
        let mut batch = Batch::default();
        while source.read(rows, &mut batch)? {}
        Ok(batch)
    }

    #[test]
    fn the_same_bars_in_every_order() {
        for content in [
            "1713229200000,1,4,0.5,2,7\n1713232800000,2,5,1.5,3,8",
            "time,open,high,low,close,volume\r\n1713229200,1,4,0.5,2,7\r\n1713232800,2,5,1.5,3,8\r\n",
            ",Volume,Close,Low,High,Open\n2024-04-16 01:00:00,7,2,0.5,4,1\n\n2024-04-16 02:00:00,8,3,1.5,5,2\n",
            "i;date;o;h;l;c;v;ticker\n0;2024-04-16T01:00Z;1;4;0.5;2;7;X\n1;2024-04-16T02:00Z;2;5;1.5;3;8;X\n",
        ] {
            let batch = read(content, 1).unwrap();
            let bars = &batch.rows.bars;
            assert_eq!(bars.open_time, [1_713_229_200_000_000, 1_713_232_800_000_000], "{content}");
            assert_eq!((&bars.open, &bars.high), (&vec![1.0, 2.0], &vec![4.0, 5.0]), "{content}");
            assert_eq!((&bars.low, &bars.close, &bars.volume), (&vec![0.5, 1.5], &vec![2.0, 3.0], &vec![7.0, 8.0]), "{content}");
            assert!(batch.rows.extras.quote_volume[0].is_nan() && batch.rows.extras.trades == [TRADES_UNKNOWN; 2]);
        }
    }

    #[test]
    fn extras_are_taken_where_they_are() {
        let batch =
            read("time,open,high,low,close,volume,close_time,trades\n1713229200000,1,4,0.5,2,7,1713232799999,12\n", 9).unwrap();
        assert_eq!((batch.rows.extras.trades.as_slice(), batch.odd_close_times), ([12].as_slice(), 0));
        assert!(batch.rows.extras.quote_volume[0].is_nan());
    }

    #[test]
    fn what_cannot_be_bars_refuses_the_file() {
        let head = "time,open,high,low,close,volume,symbol\n1713229200,1,4,0.5,2,7,A\n";
        for (row, said) in [
            ("1713232800,2,5,1.5,3,8", "line 3: 6 columns where the others have 7"),
            ("1713232800,2,5,1.5,3,8,B", "line 3: the symbol is B, in the rows before it A"),
            ("1713232800000,2,5,1.5,3,8,A", "line 3: the time \"1713232800000\" is in milliseconds"),
            ("soon,2,5,1.5,3,8,A", "line 3: the time \"soon\" is neither"),
        ] {
            let error = read(&format!("{head}{row}\n"), 9).unwrap_err().to_string();
            assert!(error.contains(said), "{row}: {error}");
        }
        let minutes = "time,open,high,low,close,volume\n60,1,1,1,1,1\n";
        assert!(read(minutes, 9).unwrap_err().to_string().contains("counts from midnight"));
        let rows = |step: i64| (0..5).map(|at| format!("{},1,1,1,1,1\n", 1_713_229_200 + at * step)).collect::<String>();
        assert!(read(&rows(60), 9).unwrap_err().to_string().contains("lasts 1m, not 1h"));
        assert!(read(&rows(3600), 9).is_ok());
        let closed = "time,open,high,low,close,volume,close_time\n1713229200000,1,1,1,1,1,1713229259999\n";
        assert!(read(closed, 9).unwrap_err().to_string().contains("lasts 1m, not 1h"));
    }

    #[test]
    fn a_row_with_a_fault_is_kept_as_text() {
        let batch =
            read("time,open,high,low,close,volume\n1713229200,1,4,0.5,,7\n,1,4,0.5,2,7\n1713232800,1,4,0.5,NaN,7\n", 9).unwrap();
        assert_eq!(
            batch.unread.iter().map(|unread| (unread.place, unread.has_time)).collect::<Vec<_>>(),
            [(2, true), (3, false), (4, true)]
        );
        assert_eq!(batch.len(), 3);
    }
}
