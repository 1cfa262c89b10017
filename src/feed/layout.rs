//! Where the columns of a table of bars stand: by the names that venues, data sellers and programs give them.

/// Characters that separate columns, the most usual first.
const SEPARATORS: [u8; 3] = *b",;\t";

const TIME: &[&str] = &[
    "opentime",
    "timestamp",
    "unix",
    "unixtime",
    "unixtimestamp",
    "time",
    "datetime",
    "date",
    "starttime",
    "start",
    "ts",
    "timestart",
];
const OPEN: &[&str] = &["open", "o", "openprice"];
const HIGH: &[&str] = &["high", "h", "highprice", "max"];
const LOW: &[&str] = &["low", "l", "lowprice", "min"];
const CLOSE: &[&str] = &["close", "c", "closeprice"];
const VOLUME: &[&str] = &["volume", "vol", "v", "basevolume"];
const CLOSE_TIME: &[&str] = &["closetime", "endtime"];
const QUOTE_VOLUME: &[&str] = &["quotevolume", "quoteassetvolume", "quotevol"];
const TRADES: &[&str] = &["count", "trades", "tradecount", "numberoftrades", "numtrades", "tradescount"];
const TAKER: &[&str] = &["takerbuyvolume", "takerbuybasevolume", "takerbuybaseassetvolume", "takerbase"];
const TAKER_QUOTE: &[&str] = &["takerbuyquotevolume", "takerbuyquoteassetvolume", "takerquote"];
const SYMBOL: &[&str] = &["symbol", "ticker", "pair", "instrument"];

/// Where each column stands. What a bar needs is there; the rest may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub separator: u8,
    pub fields: usize,
    pub time: usize,
    /// Open, high, low, close, volume.
    pub prices: [usize; 5],
    pub close_time: Option<usize>,
    pub quote_volume: Option<usize>,
    pub trades: Option<usize>,
    pub taker: [Option<usize>; 2],
    /// A column that names the instrument: it must name one.
    pub symbol: Option<usize>,
}

/// Six columns without a header are time, open, high, low, close, volume: the order of every exporter that writes six.
pub const SIX: Layout = Layout {
    separator: b',',
    fields: 6,
    time: 0,
    prices: [1, 2, 3, 4, 5],
    close_time: None,
    quote_volume: None,
    trades: None,
    taker: [None; 2],
    symbol: None,
};

impl Layout {
    /// Reads a header.
    ///
    /// # Errors
    /// In words, when it lacks a column that a bar needs, or has two for one.
    pub fn of_header(line: &[u8]) -> Result<Self, String> {
        let separator = separator_of(line);
        let names: Vec<String> = split(line, separator).map(name_of).collect();
        let columns = Names { names: &names };
        let time = match columns.first(TIME) {
            Some(at) => at,
            // Pandas leaves the name of an index empty.
            None if names[0].is_empty() && names.iter().filter(|name| name.is_empty()).count() == 1 => 0,
            None => return Err(columns.lacks("the open time")),
        };
        let need = |what: &str, known: &[&str]| columns.one(what, known);
        Ok(Self {
            separator,
            fields: names.len(),
            time,
            prices: [
                need("the open", OPEN)?,
                need("the high", HIGH)?,
                need("the low", LOW)?,
                need("the close", CLOSE)?,
                columns.volume()?,
            ],
            close_time: columns.first(CLOSE_TIME),
            quote_volume: columns.first(QUOTE_VOLUME),
            trades: columns.first(TRADES),
            taker: [columns.first(TAKER), columns.first(TAKER_QUOTE)],
            symbol: columns.first(SYMBOL),
        })
    }

    /// Is it the exchange's own order of twelve columns, which has a quicker reader?
    pub fn is_klines(&self) -> bool {
        self.separator == b',' && self.fields == super::kline::FIELDS && self.time == 0 && self.prices == [1, 2, 3, 4, 5]
    }
}

/// Is the line a header? Its first field begins with a letter, or is empty before one that does; no row's does.
pub fn is_header(line: &[u8]) -> bool {
    let mut names = split(line, separator_of(line)).map(name_of).skip_while(String::is_empty);
    names.next().is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic()))
}

/// Fields of a line, without quotes and the blanks around them.
pub fn split(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    line.split(move |byte| *byte == separator).map(|field| {
        let field = field.trim_ascii();
        field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(field)
    })
}

/// What separates the columns of a line: the first of [`SEPARATORS`] that is in it.
pub fn separator_of(line: &[u8]) -> u8 {
    SEPARATORS.into_iter().find(|separator| line.contains(separator)).unwrap_or(SEPARATORS[0])
}

/// A header's names, as bare letters and digits.
struct Names<'a> {
    names: &'a [String],
}

impl Names<'_> {
    /// The column with the first of these names that is there.
    fn first(&self, known: &[&str]) -> Option<usize> {
        known.iter().find_map(|known| self.names.iter().position(|name| name == known))
    }

    fn one(&self, what: &str, known: &[&str]) -> Result<usize, String> {
        let found: Vec<usize> = (0..self.names.len()).filter(|at| known.contains(&self.names[*at].as_str())).collect();
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(self.lacks(what)),
            _ => Err(format!("the header has {} columns for {what}", found.len())),
        }
    }

    /// `volume`, or the only column like `Volume BTC`: with two of them nothing but the symbol tells which is the base's.
    fn volume(&self) -> Result<usize, String> {
        if let Some(at) = self.first(VOLUME) {
            return Ok(at);
        }
        let is_volume = |at: &usize| self.names[*at].starts_with("volume");
        let found: Vec<usize> = (0..self.names.len()).filter(is_volume).collect();
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(self.lacks("the volume")),
            _ => Err("the header has two volumes, in two currencies; name the one in the base currency \"volume\"".to_owned()),
        }
    }

    fn lacks(&self, what: &str) -> String {
        let named: Vec<&str> = self.names.iter().filter(|name| !name.is_empty()).map(String::as_str).take(12).collect();
        format!("the header has no column for {what}; it names {}", named.join(", "))
    }
}

fn name_of(field: &[u8]) -> String {
    String::from_utf8_lossy(field).chars().filter(|c| c.is_alphanumeric()).take(40).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Layout, String> {
        Layout::of_header(header.as_bytes())
    }

    #[test]
    fn headers_of_many_programs() {
        for (header, time, prices) in [
            ("timestamp,open,high,low,close,volume", 0, [1, 2, 3, 4, 5]),
            ("date,open,high,low,close,volume,ticker", 0, [1, 2, 3, 4, 5]),
            (",Open,High,Low,Close,Volume", 0, [1, 2, 3, 4, 5]),
            (",date,Open,High,Low,Close,Volume", 1, [2, 3, 4, 5, 6]),
            ("Unnamed: 0;Close;Open;High;Low;Vol;Date", 6, [2, 3, 4, 1, 5]),
            ("\"Unix\",\"Date\",\"Symbol\",\"Open\",\"High\",\"Low\",\"Close\",\"Volume BTC\"", 0, [3, 4, 5, 6, 7]),
            ("ts\to\th\tl\tc\tv", 0, [1, 2, 3, 4, 5]),
        ] {
            let found = read(header).unwrap();
            assert!(is_header(header.as_bytes()), "{header}");
            assert_eq!((found.time, found.prices), (time, prices), "{header}");
        }
        let full =
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
        let full = read(full).unwrap();
        assert!(full.is_klines());
        assert_eq!(
            (full.close_time, full.quote_volume, full.trades, full.taker),
            (Some(6), Some(7), Some(8), [Some(9), Some(10)])
        );
        assert!(!is_header(b"1713229200000,1,1,1,1,1") && !is_header(b"2024-04-16,1,1,1,1,1") && !is_header(b",1,2"));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for (header, said) in [
            ("time,open,high,low,close", "no column for the volume; it names time, open, high, low, close"),
            ("a,b,c", "no column for the open time; it names a, b, c"),
            ("time,open,high,low,price,volume", "no column for the close"),
            ("date,open,high,low,close,Volume BTC,Volume USDT", "two volumes"),
            ("date,open,high,low,close,close,volume", "2 columns for the close"),
        ] {
            assert!(read(header).unwrap_err().contains(said), "{header}");
        }
    }
}
