//! A page of klines as the venue sends it: read strictly, and held against what was asked for.

use serde_json::Value;

use super::super::Batch;
use super::super::kline::FIELDS;
use super::super::number::decimal;
use crate::domain::{Interval, Time};

/// Digits of one number; the venue's have at most nineteen.
const DIGITS_MAX: usize = 20;
/// Characters of a value that a complaint repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// What a page was asked to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    pub interval: Interval,
    /// Open times from here on.
    pub from: Time,
    /// Open times before this; all of them have closed.
    pub until: Time,
    pub rows_max: usize,
}

/// The rows of a page, ascending, one a time but for conflicts that stayed.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub open_time: Time,
    /// Open, high, low, close, volume.
    pub prices: [f64; 5],
    pub quote_volume: f64,
    pub trades: i64,
    pub taker: [f64; 2],
    pub is_odd: bool,
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Complaint {
    pub why: String,
    /// Does it hold rows all the same, each of which the ingest stage can judge?
    pub page: Option<Vec<Row>>,
}

fn complaint<T>(why: String) -> Result<T, Complaint> {
    Err(Complaint { why, page: None })
}

impl Page {
    /// Reads `body`.
    ///
    /// # Errors
    /// When it is not what was asked for. A page of which single rows are wrong comes with the complaint: it is asked for again, and
    /// if it stays so its rows are refused one by one.
    pub fn read(body: &[u8], asked: &Asked) -> Result<Self, Complaint> {
        let Ok(Value::Array(raw)) = serde_json::from_slice::<Value>(body) else {
            return complaint("a body that is no page of klines".to_owned());
        };
        if raw.len() > asked.rows_max {
            return complaint(format!("a page of {} rows where {} were asked for", raw.len(), asked.rows_max));
        }
        let mut rows: Vec<Row> = Vec::with_capacity(raw.len());
        let mut doubt = None;
        for (at, fields) in raw.iter().enumerate() {
            let row = Row::read(fields, at + 1, asked.interval)?;
            if row.open_time < asked.from {
                return complaint(format!("the bar of {} where those from {} on were asked for", row.open_time, asked.from));
            }
            match rows.last() {
                Some(last) if row.open_time < last.open_time => {
                    return complaint(format!("the bar of {} behind that of {}", row.open_time, last.open_time));
                }
                Some(last) if row.open_time == last.open_time && row != *last => {
                    doubt.get_or_insert(format!("two bars of {} that differ", row.open_time));
                }
                _ => {}
            }
            if !row.is_bar() {
                doubt.get_or_insert(format!("the row of {}, which is no bar", row.open_time));
            }
            rows.push(row);
        }
        // What is behind the end was not asked for, and may be open still. BINANCE-4.
        rows.retain(|row| row.open_time < asked.until);
        match doubt {
            None => Ok(Self { rows }),
            Some(why) => Err(Complaint { why, page: Some(rows) }),
        }
    }
}

impl Row {
    pub(super) fn read(fields: &Value, place: usize, interval: Interval) -> Result<Self, Complaint> {
        let Value::Array(fields) = fields else { return complaint(format!("row {place} is no row")) };
        // More fields than we know may come; fewer are a row cut short.
        if fields.len() < FIELDS {
            return complaint(format!("row {place} has {} columns where klines have {FIELDS}", fields.len()));
        }
        let number = |at: usize| match fields[at].as_str().and_then(strict) {
            Some(value) => Ok(value),
            None => complaint(format!("row {place} has {} for a number", shown(&fields[at]))),
        };
        let time = |at: usize| match fields[at].as_i64().filter(|millis| (0..100_000_000_000_000).contains(millis)) {
            Some(millis) => Ok(Time::from_millis(millis)),
            None => complaint(format!("row {place} has {} for a time in milliseconds", shown(&fields[at]))),
        };
        let (open_time, close_time) = (time(0)?, time(6)?);
        let lasts = close_time.micros() - open_time.micros() + 1000;
        let is_odd = lasts != interval.span().micros();
        // Bars cut short do occur, where the venue stopped; bars of another interval and longer ones are no answer.
        let other = Interval::names().filter_map(|name| name.parse::<Interval>().ok()).find(|i| i.span().micros() == lasts);
        if is_odd && (other.is_some() || lasts > interval.span().micros()) {
            let other = other.map_or_else(|| "another length".to_owned(), |other| other.to_string());
            return complaint(format!("bars of {other} where those of {interval} were asked for"));
        }
        let row = Self {
            open_time,
            prices: [number(1)?, number(2)?, number(3)?, number(4)?, number(5)?],
            quote_volume: number(7)?,
            trades: fields[8].as_i64().unwrap_or(crate::domain::TRADES_UNKNOWN),
            taker: [number(9)?, number(10)?],
            is_odd,
        };
        if row.taker[0] > row.prices[4] {
            return complaint(format!("row {place} was bought more than it was traded"));
        }
        Ok(row)
    }

    /// Could these be the prices of a bar? The ingest stage names what is wrong if not.
    fn is_bar(&self) -> bool {
        let [open, high, low, close, _] = self.prices;
        low > 0.0 && low <= open.min(close) && high >= open.max(close)
    }

    /// Puts the row behind the others, as number `place` of its source.
    pub fn push_to(&self, place: u32, into: &mut Batch) {
        into.place.push(place);
        into.odd_close_times += u64::from(self.is_odd);
        let (bars, extras) = (&mut into.rows.bars, &mut into.rows.extras);
        bars.open_time.push(self.open_time.micros());
        let [open, high, low, close, volume] = self.prices;
        bars.open.push(open);
        bars.high.push(high);
        bars.low.push(low);
        bars.close.push(close);
        bars.volume.push(volume);
        extras.quote_volume.push(self.quote_volume);
        extras.trades.push(self.trades);
        extras.taker_buy_volume.push(self.taker[0]);
        extras.taker_buy_quote_volume.push(self.taker[1]);
    }
}

/// Digits with a point among them: no sign, no exponent, no blank.
fn strict(text: &str) -> Option<f64> {
    let is_short = text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX;
    let (value, rest) = decimal(text.as_bytes())?;
    (is_short && rest.is_empty()).then_some(value)
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Span;

    const MINUTE: i64 = 60_000;
    const START: i64 = 1_704_067_200_000;

    fn row(minute: i64, close: &str) -> String {
        let time = START + minute * MINUTE;
        format!("[{time},\"10\",\"12\",\"9\",\"{close}\",\"5\",{},\"50\",3,\"2\",\"20\",\"0\"]", time + MINUTE - 1)
    }

    fn read(rows: &[String]) -> Result<Page, Complaint> {
        let from = Time::from_millis(START);
        let asked = Asked { interval: "1m".parse().unwrap(), from, until: from + Span::from_secs(600), rows_max: 5 };
        Page::read(format!("[{}]", rows.join(",")).as_bytes(), &asked)
    }

    fn why(rows: &[String]) -> (String, bool) {
        let Complaint { why, page } = read(rows).unwrap_err();
        (why, page.is_some())
    }

    #[test]
    fn a_page_is_what_was_asked_for() {
        let page = read(&[row(0, "10"), row(1, "11.5"), row(3, "11")]).unwrap();
        assert_eq!(page.rows.iter().map(|row| row.prices[3]).collect::<Vec<_>>(), [10.0, 11.5, 11.0]);
        assert!(read(&[]).unwrap().rows.is_empty());
        // BINANCE-4: what lies behind the end is cut off, and the same bar twice is left for the count.
        assert_eq!(read(&[row(9, "10"), row(10, "10")]).unwrap().rows.len(), 1);
        assert_eq!(read(&[row(1, "10"), row(1, "10")]).unwrap().rows.len(), 2);
        assert_eq!(read(&[row(0, "10").replace("\"0\"]", "\"0\",\"new\"]")]).unwrap().rows.len(), 1);
    }

    #[test]
    fn a_wrong_page_is_not_taken() {
        let six: Vec<String> = (0..6).map(|minute| row(minute, "10")).collect();
        for (rows, word) in [
            (six, "6 rows where 5"),
            (vec![row(-1, "10")], "where those from"),
            (vec![row(2, "10"), row(1, "10")], "behind that of"),
            (vec![row(0, "10").replace("1704067259999", "1704070799999")], "bars of 1h where those of 1m"),
            (vec![row(0, "10").replace(",\"20\",\"0\"]", "]")], "columns"),
            (vec![row(0, "10").replace("1704067200000", "1704067200000000")], "milliseconds"),
            (vec!["7".to_owned()], "no row"),
            (vec![row(0, "10").replace("\"2\",\"20\"", "\"6\",\"20\"")], "bought more"),
        ] {
            let (said, has_page) = why(&rows);
            assert!(said.contains(word) && !has_page, "{word}: {said}");
        }
        for number in ["NaN", "Infinity", "-1", "+1", "1e2", " 1", "", ".5", &"1".repeat(400)] {
            let (said, has_page) = why(&[row(0, number)]);
            assert!(said.contains("for a number") && !has_page, "{number}: {said}");
        }
        for (rows, word) in [
            (vec![row(0, "10"), row(0, "11")], "that differ"),
            (vec![row(0, "13")], "no bar"),
            (vec![row(0, "10").replace("\"9\"", "\"0\"")], "no bar"),
        ] {
            let (said, has_page) = why(&rows);
            assert!(said.contains(word) && has_page, "{word}: {said}");
        }
    }
}
