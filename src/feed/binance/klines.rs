//! Klines of one series over one range, page by page.

use std::path::PathBuf;

use super::page::{Asked, Complaint, Page, Row};
use super::{BinanceError, RestClient};
use crate::domain::{Interval, Symbol, Time};
use crate::feed::{BarSource, Batch, FeedError, Fingerprint};

/// The most a page holds.
pub const PAGE_BARS_MAX: usize = 1000;
const PAGE_WEIGHT: u32 = 2;
/// A wrong page is asked for again, this often in all.
const PAGE_ATTEMPTS_MAX: u32 = 3;

/// A range of a series; both ends lie on the grid, and all of its bars have closed.
pub struct RestKlines<'s, 'w> {
    client: &'s mut RestClient<'w>,
    symbol: String,
    interval: Interval,
    next: Time,
    until: Time,
    rows: u32,
    is_done: bool,
}

impl<'s, 'w> RestKlines<'s, 'w> {
    /// The bars with `from <= open_time < until`, cut at what has closed. BINANCE-4.
    pub fn new(client: &'s mut RestClient<'w>, symbol: &Symbol, interval: Interval, from: Time, until: Time) -> Self {
        let span = interval.span().micros();
        let closed = client.settled_now().micros().div_euclid(span) * span;
        let until = until.min(Time::from_micros(closed));
        Self { client, symbol: symbol.joined(), interval, next: from, until, rows: 0, is_done: from >= until }
    }

    /// One page, asked for again while it is wrong.
    fn page(&mut self) -> Result<Vec<Row>, BinanceError> {
        let what = format!("the klines of {} {}", self.symbol, self.interval);
        let asked = Asked { interval: self.interval, from: self.next, until: self.until, rows_max: PAGE_BARS_MAX };
        let path = format!(
            "/api/v3/klines?symbol={}&interval={}&startTime={}&endTime={}&limit={PAGE_BARS_MAX}",
            self.symbol,
            self.interval,
            self.next.millis(),
            self.until.millis() - 1,
        );
        let mut attempts = 0;
        loop {
            attempts += 1;
            let body = self.client.get(&path, PAGE_WEIGHT, &what)?;
            let Complaint { why, page } = match Page::read(&body, &asked) {
                Ok(page) => return Ok(page.rows),
                Err(complaint) => complaint,
            };
            let kept = self.client.keep_page(&format!("{}-{}", self.symbol, self.interval), &why, &body);
            match page {
                Some(rows) if attempts >= PAGE_ATTEMPTS_MAX => return Ok(rows),
                None if attempts >= PAGE_ATTEMPTS_MAX => {
                    return Err(BinanceError::Exhausted { what, attempts, last: last(&why, kept) });
                }
                _ => self.client.go_on_after(attempts, &what, why)?,
            }
        }
    }

    /// Takes one page. BINANCE-3: the next begins behind its last bar, and an empty one ends the range.
    fn turn(&mut self, into: &mut Batch) -> Result<(), BinanceError> {
        let rows = self.page()?;
        for row in &rows {
            self.rows += 1;
            row.push_to(self.rows, into);
        }
        let span = self.interval.span();
        match rows.last() {
            Some(last) => {
                let behind = last.open_time.micros().div_euclid(span.micros()) * span.micros();
                let next = Time::from_micros(behind) + span;
                assert!(next > self.next, "BINANCE-3: a row of a page is not before what was asked for");
                self.next = next;
                self.is_done = next >= self.until;
            }
            None => self.is_done = true,
        }
        Ok(())
    }
}

/// What it sent last, and where a person can read it.
fn last(why: &str, kept: Option<PathBuf>) -> String {
    let place =
        kept.map(|path| format!("; its pages are kept in {}", path.parent().unwrap_or(&path).display())).unwrap_or_default();
    format!("it sent {why}{place}")
}

impl BarSource for RestKlines<'_, '_> {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let wanted = into.place.len() + rows;
        while !self.is_done && into.place.len() < wanted {
            self.turn(into)?;
        }
        Ok(!self.is_done)
    }

    fn position(&self) -> u64 {
        u64::from(self.rows)
    }

    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError> {
        Ok(None)
    }
}
