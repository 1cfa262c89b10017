//! Bars that look like a market's and belong to nobody: seeded, the same on every machine.
//!
//! A shared market factor and an own one drive each symbol; regimes change drift and volatility for days, volatility clusters
//! from bar to bar, volume follows the hour, the day of the week and the size of the move. Prices are whole ticks and come
//! from a walk within the bar, so that open, high, low and close always agree.

use super::hash::Fingerprint;
use super::{BarSource, Batch, FeedError};
use crate::chance::Stream;
use crate::domain::{Interval, Span, Symbol, Time};

/// Steps of the walk within a bar.
const STEPS: usize = 6;
/// A bar moves by at most this much either way: a generator should not trip the contract of what it feeds.
const RETURN_MAX: f64 = 0.09;
/// Bars a year per unit of volatility.
const YEAR: f64 = 365.0 * 86_400e6;

/// What the market does for days on end: drift a year, volatility as a factor, mean length in days.
const REGIMES: [(f64, f64, f64); 4] = [(0.1, 0.6, 9.0), (1.6, 0.9, 7.0), (-1.4, 1.1, 5.0), (-0.3, 2.0, 2.0)];

/// How much is traded in each hour of a UTC day: Asia's morning, Europe's, and most when America opens.
const HOURS: [f64; 24] = [
    1.10, 0.95, 0.90, 0.85, 0.80, 0.80, 0.85, 0.95, 1.05, 1.05, 1.00, 0.95, 1.05, 1.35, 1.65, 1.60, 1.40, 1.20, 1.10, 1.05, 1.00,
    0.90, 0.80, 0.85,
];
const WEEKEND: f64 = 0.62;

/// Price at the start, tick, volatility a year, weight of the market factor, and base units traded in an average hour.
struct Character {
    price: f64,
    ticks_per_unit: f64,
    volatility: f64,
    market_weight: f64,
    hourly_volume: f64,
    average_trade: f64,
}

/// What a year of this symbol is like.
fn character(symbol: &Symbol, own: &mut Stream) -> Character {
    match symbol.base() {
        "BTC" => Character {
            price: 58_000.0,
            ticks_per_unit: 100.0,
            volatility: 0.52,
            market_weight: 0.92,
            hourly_volume: 950.0,
            average_trade: 0.016,
        },
        "ETH" => Character {
            price: 2900.0,
            ticks_per_unit: 100.0,
            volatility: 0.68,
            market_weight: 0.80,
            hourly_volume: 13_500.0,
            average_trade: 0.25,
        },
        _ => {
            let price = 1.0 + 199.0 * own.uniform();
            Character {
                price,
                ticks_per_unit: if price < 10.0 { 10_000.0 } else { 100.0 },
                volatility: 0.7 + 0.5 * own.uniform(),
                market_weight: 0.6 + 0.2 * own.uniform(),
                hourly_volume: 20_000_000.0 / price,
                average_trade: 700.0 / price,
            }
        }
    }
}

/// A factor of returns: a regime, and volatility that clusters.
struct Factor {
    chance: Stream,
    regime: usize,
    /// Variance of the next bar relative to the long run.
    heat: f64,
}

impl Factor {
    fn new(seed: u64, purpose: &str) -> Self {
        Self { chance: Stream::new(seed, purpose), regime: 0, heat: 1.0 }
    }

    /// The next bar's normal shock, already scaled by regime and cluster, and the drift a year.
    fn next(&mut self, days: f64) -> (f64, f64) {
        let (drift, volatility, length) = REGIMES[self.regime];
        if self.chance.happens(days / length) {
            self.regime = self.chance.below(REGIMES.len() as u64) as usize;
        }
        let shock = self.chance.normal() * self.heat.sqrt();
        // Clusters fade over about two days of hours; the constants sum to 1, so the long run is 1.
        self.heat = 0.03 + 0.09 * shock * shock + 0.88 * self.heat;
        (shock * volatility, drift)
    }
}

/// Makes the bars of one symbol, one after the other.
pub struct Generator {
    market: Factor,
    own: Factor,
    detail: Stream,
    character: Character,
    interval: Interval,
    next_time: Time,
    /// The last close, in ticks.
    close: i64,
}

/// A bar as the venue would print it: prices in ticks, volumes in 1e-5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticBar {
    pub open_time: Time,
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub volume: i64,
    pub quote_volume: i64,
    pub trades: i64,
    pub taker_buy_volume: i64,
    pub taker_buy_quote_volume: i64,
}

impl Generator {
    /// Bars of `symbol` from `start` on. Symbols of one seed share the market's moves.
    #[must_use]
    pub fn new(seed: u64, symbol: &Symbol, interval: Interval, start: Time) -> Self {
        let mut detail = Stream::new(seed, &format!("synthetic/{symbol}/detail"));
        let character = character(symbol, &mut detail);
        let close = (character.price * character.ticks_per_unit) as i64;
        Self {
            market: Factor::new(seed, "synthetic/market"),
            own: Factor::new(seed, &format!("synthetic/{symbol}")),
            detail,
            character,
            interval,
            next_time: start,
            close,
        }
    }

    /// Ticks in one unit of the quote currency.
    #[must_use]
    pub fn ticks_per_unit(&self) -> f64 {
        self.character.ticks_per_unit
    }

    pub fn next_bar(&mut self) -> SyntheticBar {
        let open_time = self.next_time;
        let span = self.interval.span();
        self.next_time = open_time + span;
        let days = span.micros() as f64 / 86_400e6;
        let scale = (span.micros() as f64 / YEAR).sqrt() * self.character.volatility;
        let ((market, drift), (own, _)) = (self.market.next(days), self.own.next(days));
        let weight = self.character.market_weight;
        let shock = weight * market + (1.0 - weight * weight).sqrt() * own;
        let drift = drift * weight * days / 365.0;
        let change = (shock * scale + drift).clamp(-RETURN_MAX, RETURN_MAX);
        let walk = self.walk(change, scale);
        let size = change.abs() / scale;
        self.trade(open_time, walk, size)
    }

    /// Open, high, low and close in ticks: a walk that ends where it must.
    fn walk(&mut self, change: f64, scale: f64) -> [i64; 4] {
        let open = (self.close + self.detail.below(3) as i64 - 1).max(2);
        let end = ((open as f64 * (1.0 + change)) as i64).max(2);
        let (mut high, mut low) = (open.max(end), open.min(end));
        let step = open as f64 * scale / (STEPS as f64).sqrt();
        let mut away = 0.0;
        for at in 1..STEPS {
            // A bridge: what the walk strays is drawn back in before the end.
            away = away * ((STEPS - at) as f64 / (STEPS - at + 1) as f64) + self.detail.normal() * step;
            let here = open as f64 + (end - open) as f64 * at as f64 / STEPS as f64 + away;
            high = high.max(here as i64);
            low = low.min((here as i64).max(1));
        }
        self.close = end;
        [open, high, low, end]
    }

    /// How much was traded, and by whom.
    fn trade(&mut self, open_time: Time, [open, high, low, close]: [i64; 4], size: f64) -> SyntheticBar {
        let hour = (open_time.micros().rem_euclid(Span::from_days(1).micros()) / 3_600_000_000) as usize;
        let is_weekend = (open_time.utc_day() + 3).rem_euclid(7) >= 5;
        let season = HOURS[hour] * if is_weekend { WEEKEND } else { 1.0 };
        let hours = self.interval.span().micros() as f64 / 3_600e6;
        let noise = exp(0.45 * self.detail.normal());
        let volume = self.character.hourly_volume * hours * season * (0.45 + 0.7 * size) * noise;
        let middle = (open + high + low + close) as f64 / 4.0 / self.character.ticks_per_unit;
        let lean = if close >= open { 0.03 } else { -0.03 };
        let taker = (0.5 + lean * size.min(3.0) + 0.04 * self.detail.normal()).clamp(0.05, 0.95);
        let trades = volume / self.character.average_trade * (0.7 + 0.6 * self.detail.uniform());
        let volume = (volume * 1e5) as i64;
        let bought = (volume as f64 * taker) as i64;
        SyntheticBar {
            open_time,
            open,
            high,
            low,
            close,
            volume,
            quote_volume: (volume as f64 * middle) as i64,
            trades: (trades as i64).max(1),
            taker_buy_volume: bought,
            taker_buy_quote_volume: (bought as f64 * middle) as i64,
        }
    }
}

/// e^x near zero by multiplications alone, so that it rounds alike everywhere.
fn exp(x: f64) -> f64 {
    let eighth = (1.0 + x / 8.0).max(0.05);
    let quarter = eighth * eighth;
    let half = quarter * quarter;
    half * half
}

/// The generator as a source.
pub struct SyntheticFeed {
    generator: Generator,
    left: u32,
    made: u32,
}

impl SyntheticFeed {
    /// At most `bars` bars from `start` on.
    #[must_use]
    pub fn new(seed: u64, symbol: &Symbol, interval: Interval, start: Time, bars: u32) -> Self {
        Self { generator: Generator::new(seed, symbol, interval, start), left: bars, made: 0 }
    }

    /// Passes over the first `count` bars. They are made all the same, since each depends on the one before.
    pub fn skip(&mut self, count: u32) {
        let count = count.min(self.left);
        for _ in 0..count {
            self.generator.next_bar();
        }
        self.left -= count;
        self.made += count;
    }
}

impl BarSource for SyntheticFeed {
    fn read(&mut self, rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        let ticks = self.generator.ticks_per_unit();
        let count = self.left.min(u32::try_from(rows).unwrap_or(u32::MAX));
        for _ in 0..count {
            let bar = self.generator.next_bar();
            self.made += 1;
            into.place.push(self.made);
            let (bars, extras) = (&mut into.rows.bars, &mut into.rows.extras);
            bars.open_time.push(bar.open_time.micros());
            bars.open.push(bar.open as f64 / ticks);
            bars.high.push(bar.high as f64 / ticks);
            bars.low.push(bar.low as f64 / ticks);
            bars.close.push(bar.close as f64 / ticks);
            bars.volume.push(bar.volume as f64 / 1e5);
            extras.quote_volume.push(bar.quote_volume as f64 / 1e5);
            extras.trades.push(bar.trades);
            extras.taker_buy_volume.push(bar.taker_buy_volume as f64 / 1e5);
            extras.taker_buy_quote_volume.push(bar.taker_buy_quote_volume as f64 / 1e5);
        }
        self.left -= count;
        Ok(self.left > 0)
    }

    fn position(&self) -> u64 {
        u64::from(self.made)
    }

    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(symbol: &str, seed: u64, count: usize) -> Vec<SyntheticBar> {
        let start = Time::start_of_year(2025);
        let mut generator = Generator::new(seed, &symbol.parse().unwrap(), "1h".parse().unwrap(), start);
        (0..count).map(|_| generator.next_bar()).collect()
    }

    fn returns(bars: &[SyntheticBar]) -> Vec<f64> {
        bars.windows(2).map(|pair| pair[1].close as f64 / pair[0].close as f64 - 1.0).collect()
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    #[test]
    fn bars_are_consistent() {
        for seed in 0..5 {
            for bar in bars("XYZ/USDT", seed, 20_000) {
                let (top, bottom) = (bar.open.max(bar.close), bar.open.min(bar.close));
                assert!(bar.high >= top && bar.low <= bottom && bar.low > 0, "seed {seed}: {bar:?}");
                assert!(bar.volume > 0 && (0..=bar.volume).contains(&bar.taker_buy_volume), "seed {seed}: {bar:?}");
            }
        }
    }

    #[test]
    fn symbols_of_one_seed_move_together_and_seeds_apart() {
        let btc = returns(&bars("BTC/USDT", 1, 8000));
        assert!(correlation(&btc, &returns(&bars("ETH/USDT", 1, 8000))) > 0.5);
        assert!(correlation(&btc, &returns(&bars("BTC/USDT", 2, 8000))).abs() < 0.1);
    }

    #[test]
    fn volatility_clusters_and_volume_follows_it() {
        let bars = bars("BTC/USDT", 1, 20_000);
        let size: Vec<f64> = returns(&bars).iter().map(|r| r.abs()).collect();
        assert!(correlation(&size[1..], &size[..size.len() - 1]) > 0.1);
        let volume: Vec<f64> = bars[1..].iter().map(|bar| bar.volume as f64).collect();
        assert!(correlation(&size, &volume) > 0.3);
        let year = size.iter().map(|r| r * r).sum::<f64>() / size.len() as f64 * 8760.0;
        assert!((0.3..0.9).contains(&year.sqrt()), "volatility a year {}", year.sqrt());
    }
}
