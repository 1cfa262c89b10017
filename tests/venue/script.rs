//! Pages of klines, honest and otherwise.

use tidegate::domain::{Interval, Span, Time};

use super::Book;
use super::wire::{End, Reply, Request};

/// What comes instead of an honest page.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The honest page after all.
    Honest,
    /// A status, with `Retry-After` if it has one.
    Status(u16, Option<&'static str>, &'static str),
    /// This body.
    Body(String),
    Cut,
    Slow,
    Closed,
    Empty,
    /// The page before once more.
    Repeated,
    /// Bars from an hour before what was asked for.
    Earlier,
    Backwards,
    OtherInterval,
    /// A row more than was asked for.
    TooLong,
    /// Half of the page only, well formed.
    Short,
    /// Every bar twice.
    Doubled,
    /// A bar twice, with two closes.
    Conflict,
    /// The bar that is still open, too.
    WithOpen,
}

impl Book {
    pub(super) fn klines(&mut self, request: &Request) -> Reply {
        let symbol = request.query("symbol").unwrap_or_default().to_owned();
        let Some(since) = self.listed.get(&symbol).copied() else {
            return Reply::status(400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
        };
        let millis = |name: &str| Time::from_millis(request.query(name).unwrap().parse().unwrap());
        let interval: Interval = request.query("interval").unwrap().parse().unwrap();
        let (from, until) = (millis("startTime").max(since), millis("endTime"));
        let act = self.script.pop_front().unwrap_or(Act::Honest);
        let page = |rows: Vec<String>| Reply::ok(format!("[{}]", rows.join(",")));
        let honest = self.rows(&symbol, interval.span(), from, until, 1000);
        let last_page = std::mem::replace(&mut self.last_page, format!("[{}]", honest.join(",")));
        match act {
            Act::Honest => page(honest),
            Act::Status(status, retry_after, body) => {
                let headers = retry_after.map(|value| ("Retry-After", value.to_owned())).into_iter().collect();
                Reply { headers, ..Reply::status(status, body) }
            }
            Act::Body(body) => Reply::ok(body),
            Act::Cut => Reply { end: End::Cut, ..page(honest) },
            Act::Slow => Reply { end: End::Slow, ..page(honest) },
            Act::Closed => Reply { end: End::Closed, ..page(honest) },
            Act::Empty => page(Vec::new()),
            Act::Repeated => Reply::ok(last_page),
            Act::Earlier => page(self.rows(&symbol, interval.span(), from - Span::from_secs(3600), until, 1000)),
            Act::Backwards => page(honest.into_iter().rev().collect()),
            Act::OtherInterval => page(self.rows(&symbol, Span::from_micros(interval.span().micros() * 5), from, until, 1000)),
            Act::TooLong => page(self.rows(&symbol, interval.span(), from, Time::MAX, 1001)),
            Act::Short => page(honest[..honest.len() / 2].to_vec()),
            Act::Doubled => page(honest.into_iter().take(500).flat_map(|row| [row.clone(), row]).collect()),
            Act::Conflict => {
                let mut rows = honest;
                let other = rows[0].replacen(".50000000", ".75000000", 1);
                rows.insert(1, other);
                rows.truncate(1000);
                page(rows)
            }
            Act::WithOpen => page(self.rows(&symbol, interval.span(), from, self.now(), 1000)),
        }
    }

    fn rows(&self, symbol: &str, span: Span, from: Time, until: Time, rows_max: usize) -> Vec<String> {
        let first = (from.micros() + span.micros() - 1).div_euclid(span.micros()) * span.micros();
        let last = until.micros().min(first.saturating_add(span.micros() * 100_000));
        let opens = (0..).map(|nth| first + nth * span.micros()).take_while(|open| *open <= last);
        let there = opens.filter(|open| !self.holes.contains(open)).take(rows_max);
        there.map(|open| self.kline(symbol, span, Time::from_micros(open))).collect()
    }
}
