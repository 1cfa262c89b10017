//! Bars that were, told as if they were now: each at its place on the grid of the present, quarter by quarter.

use std::path::Path;

use anyhow::anyhow;

use super::VenueSim;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::domain::{Bar, Columns, Interval, Projection, Series, Symbol, Time};
use crate::feed::{self, BarSource, Batch, Expected, SyntheticFeed};
use crate::venue::sim::Exchange;

const ROWS: usize = 4096;
/// Synthetic bars are made as they are needed, never all of them.
const SYNTHETIC_MAX: u32 = u32::MAX;
/// Steps of a bar that is open, as parts of its length.
const QUARTERS: i64 = 4;

/// Reads `60x`.
pub(super) fn times(text: &str) -> Result<u32, String> {
    let wrong = || "write it like 60x".to_owned();
    text.strip_suffix('x').ok_or_else(wrong)?.parse().ok().filter(|times| *times > 0).ok_or_else(wrong)
}

/// How bars pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// The interval that bars are told as.
    pub shown: Interval,
    is_stepped: bool,
}

impl Pace {
    pub(super) fn new(interval: Interval, speed: u32, is_stepped: bool) -> Result<Self, anyhow::Error> {
        let span = interval.span().micros();
        let fits = |name: &&str| {
            let shown = name.parse::<Interval>().ok().map(|found| found.span().micros());
            shown.is_some_and(|shown| shown * i64::from(speed) == span)
        };
        let name = Interval::names().find(fits).ok_or_else(|| anyhow!("no interval is {speed} times shorter than {interval}"))?;
        Ok(Self { shown: name.parse()?, is_stepped })
    }
}

/// What the market did.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    Bar { closed_at: Time, close: f64 },
    Over,
}

pub(super) struct Tape {
    symbol: String,
    pace: Pace,
    source: Source,
    /// The bar that is open now, at its place in the present.
    open: Option<Bar>,
    next_open: Time,
    last_close: f64,
    quarters_told: i64,
    /// Bars of the tape that were asked for by Enter.
    steps: usize,
    told: usize,
    history: usize,
    is_over: bool,
}

/// Where bars come from, in order.
struct Source {
    feed: Option<Box<dyn BarSource>>,
    read: Columns,
    at: usize,
}

impl Source {
    fn open(args: &VenueSim, context: &Context) -> Result<Self, Failure> {
        let now = context.clock.now();
        let none = Self { feed: None, read: Columns::default(), at: 0 };
        if let Some(path) = &args.bars {
            let feed = feed::open(path, Expected::at(args.interval, now)).or_exit(Exit::Failed)?;
            return Ok(Self { feed: Some(feed), ..none });
        }
        if let Some(lake) = &args.lake {
            return Ok(Self { read: of_lake(lake, &args.symbol, args.interval, args.from, context)?, ..none });
        }
        let start = args.from.unwrap_or(Time::start_of_year(2024));
        let feed = SyntheticFeed::new(args.seed, &args.symbol, args.interval, start, SYNTHETIC_MAX);
        Ok(Self { feed: Some(Box::new(feed)), ..none })
    }

    fn next(&mut self) -> Result<Option<Bar>, Failure> {
        if self.at == self.read.len()
            && let Some(feed) = &mut self.feed
        {
            let mut batch = Batch::default();
            if !feed.read(ROWS, &mut batch).or_exit(Exit::Failed)? {
                self.feed = None;
            }
            (self.read, self.at) = (batch.rows.bars, 0);
        }
        if self.at == self.read.len() {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(self.read.bar(self.at - 1)))
    }
}

fn of_lake(lake: &Path, symbol: &Symbol, interval: Interval, from: Option<Time>, context: &Context) -> Result<Columns, Failure> {
    let place = if lake.is_absolute() { lake.to_owned() } else { context.root.join(lake) };
    let lake = crate::cli::lake::named(&place, context)?;
    let series = Series::new("binance", symbol.clone(), interval).or_exit(Exit::Usage)?;
    let read = lake.read(&series, from, None, Projection::BAR).or_exit(Exit::Failed);
    read.map_err(|failure| failure.hint("tidegate data ls shows what is there"))
}

impl Tape {
    pub(super) fn open(args: &VenueSim, context: &Context, pace: Pace) -> Result<Self, Failure> {
        let mut source = Source::open(args, context)?;
        // The past is read now, so that what is wrong with a file is said before anybody connects.
        let mut bars = Vec::new();
        while bars.len() < args.history.max(1) {
            let Some(bar) = source.next()? else { break };
            if is_sound(&bar) && args.from.is_none_or(|from| bar.open_time >= from) {
                bars.push(bar);
            }
        }
        if bars.is_empty() {
            return Err(Failure::new(Exit::Failed, anyhow!("there are no bars to move the market by")));
        }
        let history = bars.len();
        let mut read = Columns::from_iter(bars);
        (source.at..source.read.len()).for_each(|at| read.push(&source.read.bar(at)));
        source = Source { read, at: 0, ..source };
        Ok(Self {
            symbol: args.symbol.joined(),
            pace,
            source,
            open: None,
            next_open: Time::MIN,
            last_close: 0.0,
            quarters_told: 0,
            steps: 0,
            told: 0,
            history,
            is_over: false,
        })
    }

    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    /// Bars told so far, the past among them.
    pub(super) const fn told(&self) -> usize {
        self.told
    }

    /// Tells the past, so that its last bar closes where the present one opens.
    pub(super) fn tell_history(&mut self, exchange: &mut Exchange, now: Time) {
        let span = self.pace.shown.span();
        let present = Time::from_micros(now.micros().div_euclid(span.micros()) * span.micros());
        self.next_open = Time::from_micros(present.micros() - span.micros() * self.history as i64);
        for _ in 0..self.history {
            let Ok(Some(bar)) = self.source.next() else { break };
            self.tell(exchange, &Bar { open_time: self.next_open, ..bar }, now);
            self.close(&bar);
        }
    }

    fn tell(&self, exchange: &mut Exchange, bar: &Bar, now: Time) {
        // Only what no market does is refused, and that was left out.
        exchange.advance(&self.symbol, bar, now);
    }

    fn close(&mut self, bar: &Bar) {
        self.last_close = bar.close;
        self.next_open = self.next_open + self.pace.shown.span();
        self.open = None;
        self.quarters_told = 0;
        self.told += 1;
    }

    /// Moves the market to where it stands by `now`; says what closed.
    pub(super) fn advance(&mut self, exchange: &mut Exchange, now: Time, is_step: bool) -> Option<Told> {
        let span = self.pace.shown.span();
        let mut told = None;
        self.steps += usize::from(is_step);
        if self.steps > 0 && self.open.is_some_and(|bar| bar.volume == 0.0) {
            // The bar that stood still becomes the next one of the tape.
            (self.open, self.quarters_told) = (None, 0);
        }
        loop {
            if self.open.is_none() {
                match self.next_bar() {
                    Some(bar) => self.open = Some(bar),
                    None if !self.is_over => {
                        self.is_over = true;
                        return Some(Told::Over);
                    }
                    None => return told,
                }
            }
            let bar = self.open.expect("a bar is open: made above");
            let quarters = (now - bar.open_time).micros() * QUARTERS / span.micros();
            if quarters >= QUARTERS {
                self.tell(exchange, &bar, now);
                told = Some(Told::Bar { closed_at: bar.open_time + span, close: bar.close });
                self.close(&bar);
                continue;
            }
            if quarters >= self.quarters_told && quarters >= 0 {
                // Whoever pressed Enter sees the whole bar at once.
                let stands = if self.pace.is_stepped { bar } else { part(&bar, quarters) };
                self.tell(exchange, &stands, now);
                self.quarters_told = quarters + 1;
            }
            return told;
        }
    }

    /// The next bar at its place in the present. Where Enter moves the market, it stands still without.
    fn next_bar(&mut self) -> Option<Bar> {
        if self.pace.is_stepped && self.steps == 0 {
            let price = self.last_close;
            return Some(Bar { open_time: self.next_open, open: price, high: price, low: price, close: price, volume: 0.0 });
        }
        loop {
            let bar = self.source.next().ok().flatten()?;
            if is_sound(&bar) {
                self.steps = self.steps.saturating_sub(1);
                return Some(Bar { open_time: self.next_open, ..bar });
            }
        }
    }
}

fn is_sound(bar: &Bar) -> bool {
    let (low, high) = (bar.low, bar.high);
    low > 0.0 && low <= bar.open.min(bar.close) && high >= bar.open.max(bar.close) && high.is_finite() && bar.volume >= 0.0
}

/// A bar as it stands after so many quarters: first against the way it ends, then through to the other side.
fn part(bar: &Bar, quarters: i64) -> Bar {
    let is_rise = bar.close >= bar.open;
    let (first, second) = if is_rise { (bar.low, bar.high) } else { (bar.high, bar.low) };
    let price = match quarters {
        0 => bar.open,
        1 => first,
        _ => second,
    };
    let seen = |bound: fn(f64, f64) -> f64| match quarters {
        0 => bar.open,
        1 => bound(bar.open, first),
        _ => bound(bound(bar.open, first), second),
    };
    Bar {
        high: seen(f64::max),
        low: seen(f64::min),
        close: price,
        volume: bar.volume * quarters as f64 / QUARTERS as f64,
        ..*bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_makes_an_interval_that_there_is() {
        let shown =
            |interval: &str, speed| Pace::new(interval.parse().unwrap(), speed, false).ok().map(|pace| pace.shown.to_string());
        assert_eq!(shown("1m", 60), Some("1s".to_owned()));
        assert_eq!(shown("1h", 60), Some("1m".to_owned()));
        assert_eq!(shown("1h", 1), Some("1h".to_owned()));
        assert_eq!((shown("1m", 7), shown("1s", 2)), (None, None));
        assert_eq!((times("60x"), times("0x").is_err(), times("60").is_err()), (Ok(60), true, true));
    }

    #[test]
    fn an_open_bar_goes_first_against_its_end() {
        let bar = Bar { open_time: Time::MIN, open: 100.0, high: 104.0, low: 99.0, close: 103.0, volume: 8.0 };
        let prices = |quarters| {
            let part = part(&bar, quarters);
            [part.high, part.low, part.close, part.volume]
        };
        assert_eq!(prices(0), [100.0, 100.0, 100.0, 0.0]);
        assert_eq!(prices(1), [100.0, 99.0, 99.0, 2.0]);
        assert_eq!(prices(2), [104.0, 99.0, 104.0, 4.0]);
        let fall = Bar { close: 99.5, ..bar };
        assert_eq!(part(&fall, 1).close, 104.0);
    }
}
