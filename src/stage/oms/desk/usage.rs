//! How much of each limit is used, for whoever only looks.

use super::DeskState;
use crate::domain::{Fraction, Money, OrderState, Span, SymbolIndex, Time};
use crate::perf::drawdown::loss;
use crate::risk::{Amount, LimitKey};

/// What counts toward limits at one moment, by the same figures that the gate and the guard go by.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    pub equity: Money,
    /// Positions and open buys, of the symbol that has most of it and of all.
    pub position_most: Money,
    pub exposure: Money,
    pub turnover_today: Money,
    pub orders_last_minute: u32,
    pub orders_today: u32,
    pub open_orders: u32,
    /// From the high-water mark of the day and of the week, as fractions.
    pub dd_daily: f64,
    pub dd_weekly: f64,
    /// The slowest of the newest order round trips; `None` without any.
    pub latency: Option<Span>,
    /// Orders that nobody knows the fate of.
    pub unknown_orders: u32,
}

impl Usage {
    /// What is used of a limit; `None` for one that each order is held to alone, and before there is a reading.
    #[must_use]
    pub fn used(&self, key: LimitKey) -> Option<Amount> {
        let part = |share: f64| Fraction::from_f64(share).map(Amount::Fraction);
        match key {
            LimitKey::PositionNotional => Some(Amount::Money(self.position_most)),
            LimitKey::TotalNotional => Some(Amount::Money(self.exposure)),
            LimitKey::DailyTurnover => Some(Amount::Money(self.turnover_today)),
            LimitKey::DdDaily => part(self.dd_daily),
            LimitKey::DdWeekly => part(self.dd_weekly),
            LimitKey::LatencyThreshold => self.latency.map(Amount::Span),
            LimitKey::OrdersPerMinute => Some(Amount::Count(self.orders_last_minute)),
            LimitKey::OrdersPerDay => Some(Amount::Count(self.orders_today)),
            LimitKey::OpenOrders => Some(Amount::Count(self.open_orders)),
            LimitKey::NotionalPerOrder | LimitKey::Participation | LimitKey::PriceCollar => None,
        }
    }
}

impl DeskState {
    /// What is used of the limits at `now`. A day or a week that began since the last bar has lost nothing yet.
    #[must_use]
    pub fn usage(&self, now: Time) -> Usage {
        let book = &self.book;
        let symbols = (0..book.holdings.len()).filter_map(|at| u16::try_from(at).ok()).map(SymbolIndex);
        let of_symbol = |symbol: SymbolIndex| book.holding(symbol).value + book.open_buys(Some(symbol));
        let is_unknown = |order: &&crate::stage::oms::book::OpenOrder| order.state == OrderState::Unknown;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let equity = book.equity();
        let lost = |high: Option<Money>| high.map_or(0.0, |high| loss(equity.to_f64(), high.to_f64()));
        Usage {
            equity,
            position_most: symbols.map(of_symbol).max().unwrap_or(Money::ZERO),
            exposure: book.value + book.open_buys(None),
            turnover_today: book.turnover_today(now),
            orders_last_minute: book.orders_last_minute(now),
            orders_today: book.orders_today(now),
            open_orders: count(book.open.len()),
            dd_daily: lost(self.guard.day_high_at(now)),
            dd_weekly: lost(self.guard.week_high_at(now)),
            latency: self.guard.latency_most(),
            unknown_orders: count(book.open.iter().filter(is_unknown).count()),
        }
    }
}
