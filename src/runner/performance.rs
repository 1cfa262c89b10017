//! How an account has done: the figures of `perf`, which are those of the gate and of the summary.

use serde::Serialize;

use super::trader::TraderState;
use crate::domain::{Money, Side, Span, SymbolIndex, Time};
use crate::perf::rolling::{self, Window};
use crate::perf::{Curve, Drawdown, Sharpe, Slippage, Unknown};
use crate::telemetry::record::Records;

/// The figures of one account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Performance {
    pub as_of: Time,
    /// Where the figures of orders begin.
    pub since: Time,
    pub equity: Money,
    pub marked_at: Time,
    pub sharpe: Result<Sharpe, Unknown>,
    pub window: Window,
    /// Loss from the high of the UTC day and of the ISO week, as fractions.
    pub drawdown_daily: Option<f64>,
    pub drawdown_weekly: Option<f64>,
    /// Over the whole life of the account.
    pub drawdown_max: Option<Drawdown>,
    pub fills: u64,
    pub turnover: Money,
    pub fees: Money,
    /// Against the price that orders were decided at.
    pub slippage: Slippage,
    /// Against what the paper venue would have given.
    pub slippage_paper: Slippage,
}

/// What the paper venue would have given: the open of the bar behind a decision, and what it takes off.
pub struct Paper<'a> {
    pub open: &'a dyn Fn(SymbolIndex, Time) -> Option<f64>,
    pub slippage_bps: f64,
}

impl Performance {
    /// The figures of an account at `now`; `None` before its first bar.
    #[must_use]
    pub fn of(state: &TraderState, records: &Records, window: Window, paper: &Paper<'_>, now: Time) -> Option<Self> {
        let curve = state.curve()?;
        let usage = state.desk().usage(now);
        let mut figures = Self::on(curve, records, window, paper, now);
        figures.drawdown_daily = Some(usage.dd_daily);
        figures.drawdown_weekly = Some(usage.dd_weekly);
        Some(figures)
    }

    /// The figures of a curve and the rows that came of it, without the marks that the guard keeps.
    #[must_use]
    pub fn on(curve: &Curve, records: &Records, window: Window, paper: &Paper<'_>, now: Time) -> Self {
        let since = now - Span::from_days(i64::from(window.days));
        let closes: Vec<_> = curve.daily_closes().collect();
        let fills = || records.fills.iter().filter(|row| row.fill.at >= since && row.fill.at <= now);
        let mut figures = Self {
            as_of: now,
            since,
            equity: curve.last().1,
            marked_at: curve.last().0,
            sharpe: rolling::sharpe(&closes, now, &window),
            window,
            drawdown_daily: None,
            drawdown_weekly: None,
            drawdown_max: curve.underwater().deepest(),
            fills: fills().count() as u64,
            turnover: fills().map(|row| row.fill.price.notional(row.fill.qty)).sum(),
            fees: fills().map(|row| row.fill.fee).sum(),
            slippage: Slippage::default(),
            slippage_paper: Slippage::default(),
        };
        let orders = records.orders.iter().filter(|row| row.intent.decided_at >= since && row.intent.decided_at <= now);
        for row in orders.filter(|row| row.filled_qty.is_positive()) {
            let (side, notional) = (row.intent.side, row.filled_notional.to_f64());
            let price = notional / row.filled_qty.to_f64();
            figures.slippage.add(side, row.intent.reference.to_f64(), price, notional);
            let worse = if side == Side::Buy { 1.0 } else { -1.0 } * paper.slippage_bps / 1e4;
            let open = (paper.open)(row.intent.symbol, row.intent.decided_at).unwrap_or(0.0);
            figures.slippage_paper.add(side, open * (1.0 + worse), price, notional);
        }
        figures
    }
}
