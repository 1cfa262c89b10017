//! Bars with everything a venue publishes about them, as columns, and the choice of columns to read.

use std::ops::BitOr;

use super::bar::Columns;

/// Trades of a bar when the source does not say.
pub const TRADES_UNKNOWN: i64 = -1;

/// What a venue says about a bar beyond prices and volume. Unknown is NaN, and [`TRADES_UNKNOWN`] for the count: sources that
/// lack a column write zeros there, and zero is not the same as unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    pub quote_volume: Vec<f64>,
    pub trades: Vec<i64>,
    pub taker_buy_volume: Vec<f64>,
    pub taker_buy_quote_volume: Vec<f64>,
}

impl Extras {
    /// `len` bars of which nothing more is known.
    #[must_use]
    pub fn unknown(len: usize) -> Self {
        Self {
            quote_volume: vec![f64::NAN; len],
            trades: vec![TRADES_UNKNOWN; len],
            taker_buy_volume: vec![f64::NAN; len],
            taker_buy_quote_volume: vec![f64::NAN; len],
        }
    }

    /// Turns a column of nothing but zeros into unknown.
    pub fn zeros_to_unknown(&mut self) {
        for column in [&mut self.quote_volume, &mut self.taker_buy_volume, &mut self.taker_buy_quote_volume] {
            if column.iter().all(|value| *value == 0.0) {
                column.fill(f64::NAN);
            }
        }
        if self.trades.iter().all(|count| *count == 0) {
            self.trades.fill(TRADES_UNKNOWN);
        }
    }
}

/// Bars as the lake keeps them: columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    pub bars: Columns,
    pub extras: Extras,
}

impl From<Columns> for Rows {
    fn from(bars: Columns) -> Self {
        let extras = Extras::unknown(bars.len());
        Self { bars, extras }
    }
}

impl Rows {
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            bars: Columns {
                open_time: Vec::with_capacity(rows),
                open: Vec::with_capacity(rows),
                high: Vec::with_capacity(rows),
                low: Vec::with_capacity(rows),
                close: Vec::with_capacity(rows),
                volume: Vec::with_capacity(rows),
            },
            extras: Extras {
                quote_volume: Vec::with_capacity(rows),
                trades: Vec::with_capacity(rows),
                taker_buy_volume: Vec::with_capacity(rows),
                taker_buy_quote_volume: Vec::with_capacity(rows),
            },
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.bars.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }

    /// The rows of another, behind these.
    pub fn append(&mut self, other: &mut Self) {
        self.bars.open_time.append(&mut other.bars.open_time);
        self.extras.trades.append(&mut other.extras.trades);
        for (mine, theirs) in self.floats_mut().into_iter().zip(other.floats_mut()) {
            mine.append(theirs);
        }
    }

    /// The rows at `order`, in that order.
    #[must_use]
    pub fn take(&self, order: &[u32]) -> Self {
        self.take_projected(order, Projection::ALL)
    }

    /// Keeps the rows at `kept`, which ascend. Columns that were not read are empty and stay so.
    pub fn keep(&mut self, kept: &[u32]) {
        fn keep<T: Copy>(values: &mut Vec<T>, kept: &[u32]) {
            if values.is_empty() {
                return;
            }
            for (to, &from) in kept.iter().enumerate() {
                values[to] = values[from as usize];
            }
            values.truncate(kept.len());
        }
        keep(&mut self.bars.open_time, kept);
        keep(&mut self.extras.trades, kept);
        self.floats_mut().into_iter().for_each(|values| keep(values, kept));
    }

    /// No rows, in the same memory.
    pub fn clear(&mut self) {
        self.bars.open_time.clear();
        self.extras.trades.clear();
        self.floats_mut().into_iter().for_each(Vec::clear);
    }

    /// The same where only some columns were read; the others are empty and stay so.
    #[must_use]
    pub fn take_projected(&self, order: &[u32], columns: Projection) -> Self {
        fn pick<T: Copy>(values: &[T], order: &[u32], is_there: bool) -> Vec<T> {
            if is_there { order.iter().map(|&at| values[at as usize]).collect() } else { Vec::new() }
        }
        let extras = columns.has_extras();
        Self {
            bars: Columns {
                open_time: pick(&self.bars.open_time, order, true),
                open: pick(&self.bars.open, order, columns.has(Projection::OPEN)),
                high: pick(&self.bars.high, order, columns.has(Projection::HIGH)),
                low: pick(&self.bars.low, order, columns.has(Projection::LOW)),
                close: pick(&self.bars.close, order, columns.has(Projection::CLOSE)),
                volume: pick(&self.bars.volume, order, columns.has(Projection::VOLUME)),
            },
            extras: Extras {
                quote_volume: pick(&self.extras.quote_volume, order, extras),
                trades: pick(&self.extras.trades, order, extras),
                taker_buy_volume: pick(&self.extras.taker_buy_volume, order, extras),
                taker_buy_quote_volume: pick(&self.extras.taker_buy_quote_volume, order, extras),
            },
        }
    }

    /// Do the bars at `at` and at `other_at` of `other` say the same prices and volume?
    #[must_use]
    pub fn same_values(&self, at: usize, other: &Self, other_at: usize) -> bool {
        let (a, b) = (&self.bars, &other.bars);
        a.open[at] == b.open[other_at]
            && a.high[at] == b.high[other_at]
            && a.low[at] == b.low[other_at]
            && a.close[at] == b.close[other_at]
            && a.volume[at] == b.volume[other_at]
    }

    /// Does every bar come after the one before it?
    #[must_use]
    pub fn is_ascending(&self) -> bool {
        self.bars.open_time.is_sorted_by(|a, b| a < b)
    }

    fn floats_mut(&mut self) -> [&mut Vec<f64>; 8] {
        [
            &mut self.bars.open,
            &mut self.bars.high,
            &mut self.bars.low,
            &mut self.bars.close,
            &mut self.bars.volume,
            &mut self.extras.quote_volume,
            &mut self.extras.taker_buy_volume,
            &mut self.extras.taker_buy_quote_volume,
        ]
    }
}

/// Which columns to read; times always come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection(u8);

impl Projection {
    pub const TIME: Self = Self(0);
    pub const OPEN: Self = Self(1);
    pub const HIGH: Self = Self(1 << 1);
    pub const LOW: Self = Self(1 << 2);
    pub const CLOSE: Self = Self(1 << 3);
    pub const VOLUME: Self = Self(1 << 4);
    /// Prices and volume: a whole [`super::Bar`].
    pub const BAR: Self = Self(0b1_1111);
    /// Everything, [`Extras`] too.
    pub const ALL: Self = Self(0b11_1111);
    const EXTRAS: Self = Self(1 << 5);

    #[must_use]
    pub const fn has(self, column: Self) -> bool {
        self.0 & column.0 == column.0
    }

    #[must_use]
    pub const fn has_extras(self) -> bool {
        self.has(Self::EXTRAS)
    }
}

impl BitOr for Projection {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zeros_is_unknown_and_one_figure_is_not() {
        let mut extras = Extras { quote_volume: vec![0.0, 0.0], trades: vec![0, 3], ..Extras::unknown(2) };
        extras.zeros_to_unknown();
        assert!(extras.quote_volume.iter().all(|value| value.is_nan()));
        assert_eq!(extras.trades, [0, 3]);
    }

    #[test]
    fn rows_are_kept_where_they_lie() {
        let column = |by: f64| (0..5).map(|at| f64::from(at) * by).collect::<Vec<_>>();
        let mut rows = Rows {
            bars: Columns {
                open_time: (0..5).collect(),
                open: column(1.0),
                high: column(2.0),
                low: column(3.0),
                close: column(4.0),
                volume: column(5.0),
            },
            extras: Extras {
                quote_volume: column(6.0),
                trades: (10..15).collect(),
                taker_buy_volume: column(7.0),
                taker_buy_quote_volume: column(8.0),
            },
        };
        let kept = [0, 2, 3];
        let taken = rows.take(&kept);
        rows.keep(&kept);
        assert_eq!(rows, taken);
        assert_eq!(rows.extras.trades, [10, 12, 13]);
        rows.clear();
        assert_eq!(rows, Rows::default());
    }

    #[test]
    fn projections_add_up() {
        let columns = Projection::OPEN | Projection::CLOSE;
        assert!(columns.has(Projection::CLOSE) && !columns.has(Projection::HIGH) && !columns.has_extras());
        assert!(columns.has(Projection::TIME) && Projection::ALL.has(Projection::BAR) && Projection::ALL.has_extras());
    }
}
