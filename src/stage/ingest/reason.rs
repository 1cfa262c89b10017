//! Why a row does not become a bar.

use std::fmt;

use super::config::Contract;
use crate::domain::{Interval, Rows, Time};

/// Why a row was refused. The code is stable: it stands in the quarantine and in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A time, price or volume is no number.
    Unparsable,
    /// A price is zero or below.
    NonPositive,
    /// High is below, or low above, another price.
    Ohlc,
    NegativeVolume,
    /// More was bought by takers than was traded.
    TakerVolume,
    /// The open time is no multiple of the interval since the epoch.
    OffGrid,
    /// The bar has not closed yet.
    NotClosed,
    /// Another row of the source, or the lake, has other values for this time.
    Conflict,
    /// The return is greater than the contract allows.
    Outlier,
    /// The high or the low is far from open and close.
    BadPrint,
    /// Not everything that the bar is made of is there.
    Partial,
    /// Trades of the bar are missing, by their numbers.
    TradesMissing,
}

impl Reason {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::NonPositive => "non-positive",
            Self::Ohlc => "ohlc",
            Self::NegativeVolume => "negative-volume",
            Self::TakerVolume => "taker-volume",
            Self::OffGrid => "off-grid",
            Self::NotClosed => "not-closed",
            Self::Conflict => "conflict",
            Self::Outlier => "outlier",
            Self::BadPrint => "bad-print",
            Self::Partial => "partial",
            Self::TradesMissing => "trades-missing",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What a row by itself must satisfy.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowCheck {
    interval: Interval,
    allows_negative_volume: bool,
    /// The open time of the last bar that has closed.
    closed_last: i64,
}

impl RowCheck {
    pub fn new(interval: Interval, contract: &Contract, now: Time) -> Self {
        let closed_last = now.micros().saturating_sub(interval.span().micros());
        Self { interval, allows_negative_volume: !contract.non_negative_volume, closed_last }
    }

    /// The first reason against each row, in the rows' order; most have none.
    pub fn faults(&self, rows: &Rows) -> Vec<Option<Reason>> {
        let bars = &rows.bars;
        let span = self.interval.span().micros();
        // Sliced to one length, so that no row asks again whether it is there.
        let len = rows.len();
        let [open, high, low, close, volume] = [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume].map(|c| &c[..len]);
        let mut before = None;
        let faults = bars.open_time.iter().enumerate().map(|(at, &time)| {
            // One interval after a time on the grid is on the grid: this spares a division a row.
            let is_on_grid = before.is_some_and(|before: i64| before.wrapping_add(span) == time)
                || self.interval.is_on_grid(Time::from_micros(time));
            before = is_on_grid.then_some(time);
            let is_fine = (low[at] > 0.0)
                & (low[at] <= open[at])
                & (low[at] <= close[at])
                & (high[at] >= open[at])
                & (high[at] >= close[at])
                & (volume[at] >= 0.0)
                & !buys_too_much(rows, at)
                & is_on_grid
                & (time <= self.closed_last);
            if is_fine { None } else { self.fault(rows, at, is_on_grid) }
        });
        faults.collect()
    }

    #[cold]
    fn fault(&self, rows: &Rows, at: usize, is_on_grid: bool) -> Option<Reason> {
        let bars = &rows.bars;
        let prices = [bars.open[at], bars.high[at], bars.low[at], bars.close[at]];
        if prices.iter().any(|price| price.is_nan()) || bars.volume[at].is_nan() {
            return Some(Reason::Unparsable);
        }
        if is_non_positive(rows, at) {
            return Some(Reason::NonPositive);
        }
        if violates_ohlc(rows, at) {
            return Some(Reason::Ohlc);
        }
        if bars.volume[at] < 0.0 && !self.allows_negative_volume {
            return Some(Reason::NegativeVolume);
        }
        if buys_too_much(rows, at) {
            return Some(Reason::TakerVolume);
        }
        if !is_on_grid {
            return Some(Reason::OffGrid);
        }
        (bars.open_time[at] > self.closed_last).then_some(Reason::NotClosed)
    }
}

/// Did takers buy more than was traded? Unknown is not.
#[inline]
fn buys_too_much(rows: &Rows, at: usize) -> bool {
    rows.extras.taker_buy_volume.get(at).is_some_and(|bought| *bought > rows.bars.volume[at])
}

/// A low below half of open and close, or a high above twice both, is no price that a market made: real bars of every length at hand
/// stay within a factor of 1.6, through crashes too.
const PRINT_FACTOR_MAX: f64 = 2.0;

/// Is the high or the low far from everything else in the bar?
pub(super) fn has_bad_print(rows: &Rows, at: usize) -> bool {
    let bars = &rows.bars;
    is_bad_print(bars.open[at], bars.high[at], bars.low[at], bars.close[at])
}

/// How many rows have one?
pub(super) fn bad_prints(rows: &Rows) -> u64 {
    let bars = &rows.bars;
    let outer = bars.high.iter().zip(&bars.low);
    let inner = bars.open.iter().zip(&bars.close);
    inner.zip(outer).filter(|((open, close), (high, low))| is_bad_print(**open, **high, **low, **close)).count() as u64
}

#[inline]
fn is_bad_print(open: f64, high: f64, low: f64, close: f64) -> bool {
    high > PRINT_FACTOR_MAX * open.max(close) || low * PRINT_FACTOR_MAX < open.min(close)
}

/// Is one of the prices zero or below?
pub(super) fn is_non_positive(rows: &Rows, at: usize) -> bool {
    let bars = &rows.bars;
    [bars.open[at], bars.high[at], bars.low[at], bars.close[at]].iter().any(|price| *price <= 0.0)
}

/// Is high below, or low above, another price?
pub(super) fn violates_ohlc(rows: &Rows, at: usize) -> bool {
    let bars = &rows.bars;
    let (open, high, low, close) = (bars.open[at], bars.high[at], bars.low[at], bars.close[at]);
    high < open.max(close) || low > open.min(close) || high < low
}
