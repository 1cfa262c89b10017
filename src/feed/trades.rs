//! Files of trades: CSV with a header, CSV as the venue's archive has it, and JSON arrays; plain, gzip or zip.
//!
//! Unlike a kline, a trade that cannot be read makes the whole file unusable: its bar would lack volume, or a high, and nothing
//! would show it.

use std::path::Path;

use super::FeedError;
use super::hash::Fingerprint;
use super::input::{Input, Kind};
use super::kline::{Unit, whole_field};
use crate::domain::decimal::{DecimalError, parse_scientific};
use crate::domain::{Price, Qty, Side, Time, Trade};

/// A longer line or array is no trade.
const ROW_LEN_MAX: usize = 4096;
const PRICE_DECIMALS: u32 = 10;
const QTY_DECIMALS: u32 = 8;

/// Where the fields of a trade stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    time: usize,
    id: usize,
    price: usize,
    qty: usize,
    side: Option<usize>,
    is_buyer_maker: Option<usize>,
    fields: usize,
}

/// `[ms, "id", type, side, price, amount, cost]`, as ccxt and freqtrade write trades.
const ARRAY: Layout = Layout { time: 0, id: 1, price: 4, qty: 5, side: Some(3), is_buyer_maker: None, fields: 7 };
/// `id,price,qty,quote_qty,time,is_buyer_maker,is_best_match`, as Binance's archive writes them without a header.
const ARCHIVE: Layout = Layout { time: 4, id: 0, price: 1, qty: 2, side: None, is_buyer_maker: Some(5), fields: 7 };

/// A file of trades that is being read.
pub struct TradeFile {
    input: Input,
    layout: Option<Layout>,
    unit: Option<Unit>,
    /// Times from here on are a mistake.
    before: Time,
    /// Number of the last line or array read.
    row: u32,
    /// Whether an array stands open whose end is not read yet.
    is_inside: bool,
    has_trades: bool,
}

impl TradeFile {
    /// Opens a file; `now` tells which dates cannot be.
    ///
    /// # Errors
    /// When there is no such file, or it is a folder, empty, or an archive of something else.
    pub fn open(path: &Path, now: Time) -> Result<Self, FeedError> {
        let input = Input::open(path)?;
        let layout = (input.kind() == Kind::Json).then_some(ARRAY);
        let before = Time::start_of_year(now.year().saturating_add(2));
        Ok(Self { input, layout, unit: None, before, row: 0, is_inside: false, has_trades: false })
    }

    /// Appends about `count` trades in the order of the file; false when there are no more.
    ///
    /// # Errors
    /// When the file cannot be read, or a row is no trade.
    pub fn read(&mut self, count: usize, into: &mut Vec<Trade>) -> Result<bool, FeedError> {
        let until = into.len() + count;
        loop {
            let used = match self.input.kind() {
                Kind::Csv => self.read_lines(until, into)?,
                Kind::Json => self.read_arrays(until, into)?,
            };
            self.input.consume(used);
            self.has_trades |= !into.is_empty();
            if into.len() >= until {
                return Ok(true);
            }
            if self.input.is_at_end() {
                return if self.has_trades { Ok(false) } else { Err(FeedError::Empty(self.input.path().to_owned())) };
            }
            self.input.fill()?;
        }
    }

    /// Bytes of the file read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Names the file by its bytes.
    ///
    /// # Errors
    /// When it cannot be read to its end, or its checksum file says otherwise.
    pub fn finish(self) -> Result<Fingerprint, FeedError> {
        self.input.finish()
    }

    /// Reads the whole lines at hand and says how many bytes they were.
    fn read_lines(&mut self, until: usize, into: &mut Vec<Trade>) -> Result<usize, FeedError> {
        let window = self.input.bytes();
        let is_at_end = self.input.is_at_end();
        let mut parser = Parser { path: self.input.path(), counted: "line", unit: self.unit, before: self.before };
        let mut at = 0;
        while into.len() < until && at < window.len() {
            let rest = &window[at..];
            let len = match rest.iter().position(|byte| *byte == b'\n') {
                Some(len) => len,
                None if is_at_end => rest.len(),
                None if rest.len() > ROW_LEN_MAX => return Err(parser.columns(self.row + 1, "the line has no end".to_owned())),
                None => break,
            };
            self.row += 1;
            at += (len + 1).min(rest.len());
            let line = rest[..len].trim_ascii();
            if line.is_empty() {
                continue;
            }
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').map(bare).collect();
            match self.layout {
                Some(layout) => into.push(parser.trade(self.row, &fields, layout)?),
                None if fields[0].first().is_some_and(u8::is_ascii_digit) => {
                    self.layout = Some(ARCHIVE);
                    into.push(parser.trade(self.row, &fields, ARCHIVE)?);
                }
                None => self.layout = Some(header(&fields).map_err(|why| parser.columns(self.row, why))?),
            }
        }
        self.unit = parser.unit;
        Ok(at)
    }

    /// Reads the whole arrays at hand: `[[…],[…]]`, several such behind each other too.
    fn read_arrays(&mut self, until: usize, into: &mut Vec<Trade>) -> Result<usize, FeedError> {
        let window = self.input.bytes();
        let mut parser = Parser { path: self.input.path(), counted: "row", unit: self.unit, before: self.before };
        let mut at = 0;
        while into.len() < until {
            at += window[at..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
            let Some(&byte) = window.get(at) else { break };
            match (self.is_inside, byte) {
                (false, b'[') => self.is_inside = true,
                (true, b']') => self.is_inside = false,
                (true, b'[') => {
                    let rest = &window[at + 1..];
                    let end = rest.iter().take(ROW_LEN_MAX).position(|byte| matches!(byte, b']' | b'[' | b'{'));
                    let Some(end) = end else {
                        if rest.len() >= ROW_LEN_MAX {
                            return Err(parser.columns(self.row + 1, "the row has no end".to_owned()));
                        }
                        break;
                    };
                    self.row += 1;
                    if rest[end] != b']' {
                        return Err(parser.columns(self.row, "the row holds another array or an object".to_owned()));
                    }
                    let fields: Vec<&[u8]> = rest[..end].split(|byte| *byte == b',').map(bare).collect();
                    into.push(parser.trade(self.row, &fields, ARRAY)?);
                    at += end + 1;
                }
                (_, other) => {
                    let why = format!("'{}' where an array of trades should be", char::from(other).escape_default());
                    return Err(parser.columns(self.row + 1, why));
                }
            }
            at += 1;
        }
        self.unit = parser.unit;
        if into.len() < until && self.input.is_at_end() && (self.is_inside || at < window.len()) {
            return Err(parser.columns(self.row + 1, "the file ends within a row or a page".to_owned()));
        }
        Ok(at)
    }
}

/// Turns the fields of a row into a trade.
struct Parser<'a> {
    path: &'a Path,
    counted: &'static str,
    unit: Option<Unit>,
    before: Time,
}

impl Parser<'_> {
    fn trade(&mut self, row: u32, fields: &[&[u8]], layout: Layout) -> Result<Trade, FeedError> {
        if fields.len() != layout.fields {
            return Err(self.columns(row, format!("{} columns where these trades have {}", fields.len(), layout.fields)));
        }
        let time = self.time(row, fields[layout.time])?;
        let id = whole_field(fields[layout.id]).and_then(|id| u64::try_from(id).ok());
        let id = id.ok_or_else(|| self.wrong(row, "the id", fields[layout.id], "is no whole number"))?;
        let price = Price::from_count(self.positive(row, "the price", fields[layout.price], PRICE_DECIMALS)?);
        let qty = Qty::from_count(self.positive(row, "the amount", fields[layout.qty], QTY_DECIMALS)?);
        Ok(Trade { id, time, price, qty, taker: self.taker(row, fields, layout)? })
    }

    fn taker(&self, row: u32, fields: &[&[u8]], layout: Layout) -> Result<Option<Side>, FeedError> {
        if let Some(at) = layout.side {
            return match fields[at].to_ascii_lowercase().as_slice() {
                b"buy" => Ok(Some(Side::Buy)),
                b"sell" => Ok(Some(Side::Sell)),
                b"" | b"null" => Ok(None),
                _ => Err(self.wrong(row, "the side", fields[at], "is neither buy nor sell")),
            };
        }
        let Some(at) = layout.is_buyer_maker else { return Ok(None) };
        match fields[at].to_ascii_lowercase().as_slice() {
            b"true" => Ok(Some(Side::Sell)),
            b"false" => Ok(Some(Side::Buy)),
            _ => Err(self.wrong(row, "is_buyer_maker", fields[at], "is neither true nor false")),
        }
    }

    fn time(&mut self, row: u32, field: &[u8]) -> Result<Time, FeedError> {
        let (path, place) = (|| self.path.to_owned(), || format!("{} {row}", self.counted));
        let Some(text) = whole_field(field) else {
            return Err(self.wrong(row, "the time", field, "is no whole number of milliseconds or microseconds since 1970"));
        };
        let found = Unit::of(text).ok_or_else(|| FeedError::Seconds { path: path(), place: place(), text })?;
        if let Some(before) = self.unit.filter(|before| *before != found) {
            let (found, before) = (found.name(), before.name());
            return Err(FeedError::MixedUnits { path: path(), place: place(), text, found, before });
        }
        let time = Time::from_micros(text.saturating_mul(found.micros()));
        if time >= self.before {
            let year = 1970 + time.micros() / 31_556_952_000_000;
            return Err(FeedError::TooLate { path: path(), place: place(), text, year });
        }
        self.unit = Some(found);
        Ok(time)
    }

    /// A decimal above zero, exactly.
    fn positive(&self, row: u32, column: &'static str, field: &[u8], scale: u32) -> Result<i128, FeedError> {
        let text = std::str::from_utf8(field).unwrap_or_default();
        let found =
            parse_scientific(text, scale).map_err(|error: DecimalError| self.wrong(row, column, field, &error.to_string()))?;
        if found > 0 { Ok(found) } else { Err(self.wrong(row, column, field, "is not above zero")) }
    }

    fn wrong(&self, row: u32, column: &'static str, field: &[u8], why: &str) -> FeedError {
        let text = String::from_utf8_lossy(&field[..field.len().min(80)]).into_owned();
        let place = format!("{} {row}", self.counted);
        FeedError::Trade { path: self.path.to_owned(), place, column, text, why: why.to_owned() }
    }

    fn columns(&self, row: u32, why: String) -> FeedError {
        FeedError::TradeColumns { path: self.path.to_owned(), place: format!("{} {row}", self.counted), why }
    }
}

/// Finds the fields by the names that venues and programs give them.
fn header(fields: &[&[u8]]) -> Result<Layout, String> {
    let names: Vec<String> = fields
        .iter()
        .map(|field| String::from_utf8_lossy(field).to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect())
        .collect();
    let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
    let need = |what: &str, known: &[&str]| find(known).ok_or_else(|| format!("the header has no column for the {what}"));
    Ok(Layout {
        time: need("time", &["timestamp", "time", "transacttime"])?,
        id: need("id", &["id", "tradeid"])?,
        price: need("price", &["price"])?,
        qty: need("amount", &["amount", "qty", "quantity", "size"])?,
        side: find(&["side"]),
        is_buyer_maker: find(&["isbuyermaker"]),
        fields: fields.len(),
    })
}

/// A field without the blanks around it and without its quotes.
fn bare(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(content: &str, count: usize) -> Result<Vec<Trade>, FeedError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let mut source = TradeFile::open(file.path(), Time::start_of_year(2030)).unwrap();
        let mut trades = Vec::new();
        while source.read(count, &mut trades)? {}
        Ok(trades)
    }

    #[test]
    fn the_same_trades_in_every_dress() {
        let dresses = [
            "[[1570752011620,\"7\",null,\"sell\",0.00141342,23.0,0.03],[1570752011621,\"8\",null,\"buy\",1e-05,54.5,0]]",
            "[ [1570752011620, 7, null, \"sell\", 0.00141342, 23, 0.03] ]\n[[1570752011621,8,null,\"buy\",0.00001,54.5,0]]",
            ",timestamp,id,type,side,price,amount,cost\n0,1570752011620,7,,sell,0.00141342,23,0\n\n1,1570752011621,8,,buy,0.00001,54.5,0\n",
            "7,0.00141342,23,0,1570752011620,True,True\r\n8,0.00001,54.50000000,0,1570752011621,False,True",
            "7,0.00141342,23,0,1570752011620000,true,true\n8,0.00001,54.50000000,0,1570752011621000,false,true\n",
            "id,price,qty,quote_qty,time,is_buyer_maker\n7,0.00141342,23,0,1570752011620,true\n8,0.00001,54.5,0,1570752011621,false\n",
        ];
        for dress in dresses {
            let trades = read(dress, 1).unwrap();
            let said: Vec<_> =
                trades.iter().map(|t| (t.id, t.time.millis(), t.price.to_string(), t.qty.to_string(), t.taker)).collect();
            let first = (7, 1_570_752_011_620, "0.00141342".to_owned(), "23".to_owned(), Some(Side::Sell));
            let second = (8, 1_570_752_011_621, "0.00001".to_owned(), "54.5".to_owned(), Some(Side::Buy));
            assert_eq!(said, [first, second], "{dress}");
        }
    }

    #[test]
    fn what_is_no_trade_refuses_the_file_with_its_row() {
        let row = |time: &str, id: &str, side: &str, price: &str, qty: &str| {
            format!("timestamp,id,side,price,amount\n1570752011620,1,buy,1,1\n{time},{id},{side},{price},{qty}\n")
        };
        let now = "1570752011621";
        for (content, said) in [
            (row(now, "x", "buy", "1", "1"), "line 3: the id \"x\" is no whole number"),
            (row(now, "2", "bye", "1", "1"), "the side \"bye\""),
            (row(now, "2", "buy", "0", "1"), "the price \"0\" is not above zero"),
            (row(now, "2", "buy", "1", "-1"), "the amount \"-1\" is not above zero"),
            (row(now, "2", "buy", "NaN", "1"), "is not a plain decimal"),
            (row(now, "2", "buy", "0.00000000001", "1"), "has more than 10 decimals"),
            (row("1570752011", "2", "buy", "1", "1"), "looks like seconds"),
            (row("1570752011620000", "2", "buy", "1", "1"), "is in microseconds"),
            ("timestamp,price,amount\n1,2,3\n".to_owned(), "no column for the id"),
            ("[[1570752011620,\"7\",null,\"sell\",1,1".to_owned(), "ends within"),
            ("[{\"id\":1}]".to_owned(), "'{' where an array"),
            ("[[1570752011620,7,null,\"sell\",1,1]]".to_owned(), "6 columns"),
        ] {
            let error = read(&content, 10).unwrap_err().to_string();
            assert!(error.contains(said), "{error}: {said}");
        }
    }
}
