//! What a run says about its equity, in one value.

use serde::{Deserialize, Serialize};

use super::drawdown::Drawdown;
use super::equity::{Curve, DayClose};
use super::ratios::{self, Sharpe};
use super::rolling::{self, Window};
use crate::domain::{Money, Time};

/// The figures of a curve; those that are undefined for it are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub from: Time,
    pub to: Time,
    pub marks: u64,
    /// UTC days with a mark.
    pub days: u32,
    pub start_equity: Money,
    pub end_equity: Money,
    pub total_return: Option<f64>,
    pub cagr: Option<f64>,
    /// Of daily returns, annualised.
    pub volatility: Option<f64>,
    pub sharpe: Option<Sharpe>,
    /// Over the last 30 days; `None` before there are so many, and when one of them has no mark.
    pub sharpe_30d: Option<Sharpe>,
    pub sortino: Option<f64>,
    pub calmar: Option<f64>,
    /// Over all marks; `None` when equity never fell.
    pub max_drawdown: Option<Drawdown>,
    /// Over daily closes alone, each at 00:00 of its day.
    pub max_drawdown_daily_close: Option<Drawdown>,
    pub longest_underwater: Option<Drawdown>,
    /// The share of marks made with a position open.
    pub exposure: f64,
    /// Evenly spaced equities from first to last, for drawing.
    pub trace: Vec<f64>,
}

impl Summary {
    #[must_use]
    pub fn of(curve: &Curve) -> Self {
        let ((from, start), (to, end)) = (curve.first(), curve.last());
        let (start_units, end_units) = (start.to_f64(), end.to_f64());
        let closes: Vec<DayClose> = curve.daily_closes().collect();
        // Of a curve that has ended its last day counts as it is.
        let whole = Time::start_of_day(closes.last().map_or(0, |close| close.day) + 1);
        let returns: Vec<f64> = curve.daily_returns().into_iter().map(|(_, change)| change).collect();
        let max_drawdown = curve.underwater().deepest();
        let cagr = ratios::cagr((from, start_units), (to, end_units));
        Self {
            from,
            to,
            marks: curve.marks(),
            days: u32::try_from(closes.len()).unwrap_or(u32::MAX),
            start_equity: start,
            end_equity: end,
            total_return: (start_units > 0.0).then(|| end_units / start_units - 1.0),
            cagr,
            volatility: ratios::volatility(&returns),
            sharpe: ratios::sharpe(&returns),
            sharpe_30d: rolling::sharpe(&closes, whole, &Window::MONTH).ok(),
            sortino: ratios::sortino(&returns),
            calmar: cagr.zip(max_drawdown).and_then(|(growth, worst)| ratios::calmar(growth, worst.depth)),
            max_drawdown,
            max_drawdown_daily_close: curve.daily_underwater().deepest(),
            longest_underwater: curve.underwater().longest(),
            exposure: curve.exposure(),
            trace: curve.trace(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_mark_leaves_most_undefined() {
        let curve = Curve::new("2025-01-01".parse().unwrap(), "100".parse().unwrap());
        let summary = Summary::of(&curve);
        assert_eq!((summary.days, summary.marks, summary.total_return), (1, 1, Some(0.0)));
        assert_eq!((summary.cagr, summary.volatility, summary.sharpe, summary.sharpe_30d), (None, None, None, None));
        assert_eq!((summary.sortino, summary.calmar, summary.max_drawdown), (None, None, None));
        assert_eq!(summary.trace, [100.0]);
        let text = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }
}
