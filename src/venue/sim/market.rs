//! The market of one symbol: the bars it was fed, the price it stands at, and a book of our making around that price.

use std::collections::VecDeque;

use super::amount::{Eight, quote_ceil};
use crate::domain::{Bar, Bps, Fraction, Interval, Price, Qty, Side, Span, Time};

/// Bars that are kept for questions.
const BARS_MAX: usize = 20_000;
/// The span of the average that filters and `avgPrice` use.
pub(super) const AVERAGE_SPAN: Span = Span::from_secs(300);

/// The book on either side of the last price: so many levels of one size, each further away.
///
/// What was taken comes back when the market moves next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Zero: there is no book.
    pub levels: u32,
    pub level_qty: Qty,
    pub level_bps: Bps,
    /// From the last price to the first level.
    pub half_spread_bps: Bps,
    /// How much of what trades through a resting order is its own.
    pub volume_share: Fraction,
}

impl Depth {
    /// A book like that of a large symbol: a basis point apart, five deep, and half of what trades through an order is its own.
    #[must_use]
    pub fn of_a_large_symbol() -> Self {
        let volume_share = Fraction::from_f64(0.5).expect("a literal fraction");
        let level_qty = Qty::from_count(50_000_000);
        Self { levels: 5, level_qty, level_bps: Bps(1), half_spread_bps: Bps(1), volume_share }
    }

    /// A book that never ends, at the last price worsened by `slippage`.
    #[must_use]
    pub fn endless(slippage: Bps) -> Self {
        let level_qty = Qty::from_count(1_000_000_000 * 100_000_000);
        Self { levels: 1, level_qty, level_bps: Bps(0), half_spread_bps: slippage, volume_share: Fraction::ONE }
    }
}

/// How far the market moved, and on what volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    pub low: Price,
    pub high: Price,
    pub volume: Qty,
}

#[derive(Debug, Clone)]
pub(super) struct Market {
    pub interval: Interval,
    pub depth: Depth,
    pub last: Price,
    bars: VecDeque<Bar>,
    /// Taken from the book since the market moved, by buyers and by sellers.
    taken: [Qty; 2],
}

const fn side_at(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Market {
    pub(super) fn new(interval: Interval, depth: Depth) -> Self {
        Self { interval, depth, last: Price::ZERO, bars: VecDeque::new(), taken: [Qty::ZERO; 2] }
    }

    /// Takes a bar, or the open bar as it stands by now. `None` when it is older than the last one, or no bar at all.
    pub(super) fn put(&mut self, bar: &Bar) -> Option<Move> {
        let (close, low, high) = (Price::from_f64(bar.close)?, Price::from_f64(bar.low)?, Price::from_f64(bar.high)?);
        let volume = Qty::from_f64_floor(bar.volume)?;
        let moved = match self.bars.back_mut() {
            Some(last) if bar.open_time < last.open_time => return None,
            Some(last) if bar.open_time == last.open_time => {
                let before = *last;
                *last = *bar;
                // Only what is new: an order that came in the middle is not filled by what was before it.
                Move {
                    low: if bar.low < before.low { low } else { close.min(self.last) },
                    high: if bar.high > before.high { high } else { close.max(self.last) },
                    volume: volume - Qty::from_f64_floor(before.volume).unwrap_or(Qty::ZERO),
                }
            }
            _ => {
                if self.bars.len() == BARS_MAX {
                    self.bars.pop_front();
                }
                self.bars.push_back(*bar);
                Move { low, high, volume }
            }
        };
        self.stand_at(close);
        Some(moved)
    }

    /// Takes one public trade, which makes or moves the bar that it lies in.
    pub(super) fn trade(&mut self, price: Price, qty: Qty, at: Time) -> Option<Move> {
        let grid = self.interval.span().micros();
        let open_time = Time::from_micros(at.micros().div_euclid(grid) * grid);
        let value = price.to_f64();
        match self.bars.back_mut() {
            Some(last) if open_time < last.open_time => return None,
            Some(last) if open_time == last.open_time => {
                last.low = last.low.min(value);
                last.high = last.high.max(value);
                last.close = value;
                last.volume += qty.to_f64();
            }
            _ => {
                let bar = Bar { open_time, open: value, high: value, low: value, close: value, volume: qty.to_f64() };
                self.put(&bar)?;
            }
        }
        self.stand_at(price);
        Some(Move { low: price, high: price, volume: qty })
    }

    fn stand_at(&mut self, price: Price) {
        self.last = price;
        self.taken = [Qty::ZERO; 2];
    }

    pub(super) fn bars(&self) -> &VecDeque<Bar> {
        &self.bars
    }

    /// The next level that an order of `side` meets, with what is left there.
    pub(super) fn best(&self, side: Side, tick: Price) -> Option<(Price, Qty)> {
        if !self.depth.level_qty.is_positive() || self.last.is_zero() {
            return None;
        }
        let (each, taken) = (self.depth.level_qty.count(), self.taken[side_at(side)].count());
        let level = u32::try_from(taken / each).ok().filter(|level| *level < self.depth.levels)?;
        Some((self.level_price(side, level, tick), Qty::from_count(each - taken % each)))
    }

    fn level_price(&self, side: Side, level: u32, tick: Price) -> Price {
        let away = Bps(self.depth.half_spread_bps.0 + level * self.depth.level_bps.0);
        match side {
            Side::Buy => self.last.raised_ceil(away).ceil_to(tick),
            Side::Sell => self.last.lowered_floor(away).floor_to(tick),
        }
    }

    pub(super) fn take(&mut self, side: Side, qty: Qty) {
        self.taken[side_at(side)] += qty;
    }

    /// What the book has for an order of `side` at `limit` or better.
    pub(super) fn available(&self, side: Side, limit: Price, tick: Price) -> Qty {
        let Some((mut price, mut total)) = self.best(side, tick) else { return Qty::ZERO };
        let is_fine = |price: Price| if side == Side::Buy { price <= limit } else { price >= limit };
        if !is_fine(price) {
            return Qty::ZERO;
        }
        let taken = self.taken[side_at(side)].count() / self.depth.level_qty.count();
        for level in (u32::try_from(taken).unwrap_or(u32::MAX).saturating_add(1))..self.depth.levels {
            price = self.level_price(side, level, tick);
            if !is_fine(price) {
                break;
            }
            total += self.depth.level_qty;
        }
        total
    }

    /// What the book gives for `qty`, and what that comes to in the quote currency, rounded up level by level.
    pub(super) fn walk(&self, side: Side, qty: Qty, tick: Price) -> (Qty, Qty) {
        let Some((mut price, mut here)) = self.best(side, tick) else { return (Qty::ZERO, Qty::ZERO) };
        let taken = self.taken[side_at(side)].count() / self.depth.level_qty.count();
        let mut level = u32::try_from(taken).unwrap_or(u32::MAX);
        let (mut got, mut cost) = (Qty::ZERO, Qty::ZERO);
        loop {
            let part = here.min(qty - got);
            got += part;
            cost += quote_ceil(price, part);
            level += 1;
            if got == qty || level >= self.depth.levels {
                return (got, cost);
            }
            (price, here) = (self.level_price(side, level, tick), self.depth.level_qty);
        }
    }

    /// The mean price of the last five minutes, weighed by volume; the last price where nothing was traded.
    pub(super) fn average(&self, now: Time) -> Price {
        let since = now - AVERAGE_SPAN;
        let (mut sum, mut volume) = (0.0, 0.0);
        for bar in self.bars.iter().rev().take_while(|bar| bar.open_time >= since) {
            sum += bar.close * bar.volume;
            volume += bar.volume;
        }
        if volume > 0.0 { Price::from_f64(sum / volume).unwrap_or(self.last) } else { self.last }
    }

    /// The bars of an interval, made of those that were fed; `None` when they do not make such bars.
    pub(super) fn bars_of(&self, interval: Interval) -> Option<Vec<Bar>> {
        let (wanted, own) = (interval.span().micros(), self.interval.span().micros());
        if wanted % own != 0 {
            return None;
        }
        let mut made: Vec<Bar> = Vec::new();
        for bar in &self.bars {
            let open_time = Time::from_micros(bar.open_time.micros().div_euclid(wanted) * wanted);
            match made.last_mut().filter(|last| last.open_time == open_time) {
                None => made.push(Bar { open_time, ..*bar }),
                Some(last) => {
                    last.high = last.high.max(bar.high);
                    last.low = last.low.min(bar.low);
                    last.close = bar.close;
                    last.volume += bar.volume;
                }
            }
        }
        Some(made)
    }
}

/// A bar's figure as the venue writes it.
pub(super) fn price_text(value: f64) -> Eight {
    Price::from_f64(value).map_or(Eight::ZERO, Eight::from)
}

pub(super) fn volume_text(value: f64) -> Eight {
    // A hair more, or the float below 0.3 would be written as 0.29999999.
    Qty::from_f64_floor(value + 1e-9).map_or(Eight::ZERO, Eight::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(at: i64, [open, high, low, close, volume]: [f64; 5]) -> Bar {
        Bar { open_time: Time::from_millis(at * 60_000), open, high, low, close, volume }
    }

    fn market() -> Market {
        let depth = Depth {
            levels: 3,
            level_qty: "2".parse().unwrap(),
            level_bps: Bps(10),
            half_spread_bps: Bps(5),
            volume_share: Fraction::ONE,
        };
        Market::new("1m".parse().unwrap(), depth)
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn an_open_bar_moves_only_by_what_is_new() {
        let mut market = market();
        market.put(&bar(0, [100.0, 101.0, 99.0, 100.5, 5.0])).unwrap();
        let same_low = market.put(&bar(0, [100.0, 102.0, 99.0, 101.0, 8.0])).unwrap();
        let volume = "3".parse().unwrap();
        assert_eq!(same_low, Move { low: price("100.5"), high: price("102"), volume }, "99 was before");
        assert_eq!(market.put(&bar(-1, [1.0, 1.0, 1.0, 1.0, 1.0])), None, "the past does not move it");
        assert_eq!(market.put(&bar(1, [f64::NAN, 1.0, 1.0, f64::NAN, 1.0])), None);
        assert_eq!((market.last, market.bars().len()), (price("101"), 1));
    }

    #[test]
    fn the_book_has_levels_that_run_out_and_come_back() {
        let mut market = market();
        assert_eq!(market.best(Side::Buy, price("0.01")), None, "no price, no book");
        market.put(&bar(0, [100.0, 100.0, 100.0, 100.0, 1.0])).unwrap();
        let two = "2".parse().unwrap();
        // 100 raised by 5, 15 and 25 basis points; lowered by 5.
        assert_eq!(market.best(Side::Buy, price("0.01")), Some((price("100.05"), two)));
        assert_eq!(market.best(Side::Sell, price("0.01")), Some((price("99.95"), two)));
        market.take(Side::Buy, "3".parse().unwrap());
        assert_eq!(market.best(Side::Buy, price("0.01")), Some((price("100.15"), "1".parse().unwrap())));
        assert_eq!(market.available(Side::Buy, price("100.2"), price("0.01")), "1".parse().unwrap());
        assert_eq!(market.available(Side::Buy, price("101"), price("0.01")), "3".parse().unwrap());
        // One at 100.15, one at 100.25.
        assert_eq!(market.walk(Side::Buy, two, price("0.01")), (two, "200.4".parse().unwrap()));
        // The same and one more, and then there is nothing.
        assert_eq!(
            market.walk(Side::Buy, "9".parse().unwrap(), price("0.01")),
            ("3".parse().unwrap(), "300.65".parse().unwrap())
        );
        market.take(Side::Buy, "3".parse().unwrap());
        assert_eq!(market.best(Side::Buy, price("0.01")), None);
        market.put(&bar(1, [100.0, 100.0, 100.0, 100.0, 1.0])).unwrap();
        assert_eq!(market.best(Side::Buy, price("0.01")), Some((price("100.05"), two)));
    }

    #[test]
    fn trades_and_bars_make_longer_bars() {
        let mut market = market();
        for (second, at) in [(0, "100"), (59, "98"), (61, "103"), (150, "101")] {
            market.trade(price(at), "1".parse().unwrap(), Time::from_millis(second * 1000)).unwrap();
        }
        let minutes = market.bars_of("1m".parse().unwrap()).unwrap();
        assert_eq!(minutes[0], bar(0, [100.0, 100.0, 98.0, 98.0, 2.0]));
        let fives = market.bars_of("5m".parse().unwrap()).unwrap();
        assert_eq!(fives, [bar(0, [100.0, 103.0, 98.0, 101.0, 4.0])]);
        assert_eq!(market.bars_of("1s".parse().unwrap()), None);
        // (98 × 2 + 103 + 101) ÷ 4 of three bars that end at 98, 103 and 101.
        assert_eq!(market.average(Time::from_millis(200_000)), price("100"));
    }
}
