//! A bar (OHLCV) and a column of them.

use super::time::Time;

/// One interval of trading, half-open: `[open_time, open_time + interval)`. It counts only after it has closed.
///
/// Prices are quote per base and volume is in base units, as floats: they feed features and statistics. What becomes money
/// goes through [`super::Price::from_f64`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub open_time: Time,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

impl Bar {
    /// The median of the bar's typical prices (open, high, low, close): one bad print does not move it far.
    #[must_use]
    pub fn median_price(&self) -> f64 {
        let mut prices = [self.open, self.high, self.low, self.close];
        prices.sort_by(f64::total_cmp);
        f64::midpoint(prices[1], prices[2])
    }
}

/// Bars of one symbol as columns of equal length, ascending by time, each time once.
///
/// A column that was not asked for is empty; its values read as NaN, which no check and no signal takes for a price.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    pub open_time: Vec<i64>,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    pub volume: Vec<f64>,
}

impl Columns {
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    #[inline]
    #[must_use]
    pub fn time(&self, at: usize) -> Time {
        Time::from_micros(self.open_time[at])
    }

    #[inline]
    #[must_use]
    pub fn bar(&self, at: usize) -> Bar {
        let value = |column: &[f64]| column.get(at).copied().unwrap_or(f64::NAN);
        Bar {
            open_time: self.time(at),
            open: value(&self.open),
            high: value(&self.high),
            low: value(&self.low),
            close: value(&self.close),
            volume: value(&self.volume),
        }
    }

    pub fn push(&mut self, bar: &Bar) {
        self.open_time.push(bar.open_time.micros());
        self.open.push(bar.open);
        self.high.push(bar.high);
        self.low.push(bar.low);
        self.close.push(bar.close);
        self.volume.push(bar.volume);
    }

    /// The first index whose time is at or after `time`.
    #[must_use]
    pub fn lower_bound(&self, time: Time) -> usize {
        self.open_time.partition_point(|&t| t < time.micros())
    }
}

impl FromIterator<Bar> for Columns {
    fn from_iter<I: IntoIterator<Item = Bar>>(bars: I) -> Self {
        let mut columns = Self::default();
        bars.into_iter().for_each(|bar| columns.push(&bar));
        columns
    }
}
