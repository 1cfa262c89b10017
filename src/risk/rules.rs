//! What the gate and the guards do, apart from how much is allowed.

use crate::domain::{Fraction, Interval, Span, Symbol};

/// The `[risk]` table of a profile, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Symbols that may be traded; empty means the pipeline's own list.
    pub symbols: Vec<Symbol>,
    /// A second order of one symbol and side within this time is a duplicate.
    pub duplicate_window: Span,
    /// A decision on a bar older than this is stale.
    pub max_bar_age: BarAge,
    pub data_gap: DataGap,
    /// Move between the last two closes beyond which the reference is not trusted for new exposure.
    pub max_reference_move: Fraction,
    /// Orders of one symbol and side in a row, without one of the other side, before new exposure is refused.
    pub max_repeated_orders: u32,
    pub on_drawdown: OnDrawdown,
    pub on_latency: OnLatency,
}

/// How old the newest bar may be: `"2 bars"` or a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarAge {
    Bars(u32),
    Span(Span),
}

impl BarAge {
    /// The age in time, for bars of `interval`.
    #[must_use]
    pub fn span(self, interval: Interval) -> Span {
        match self {
            Self::Bars(n) => Span::from_micros(interval.span().micros() * i64::from(n)),
            Self::Span(span) => span,
        }
    }
}

/// What a hole inside the model's window does to new exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataGap {
    Deny,
    Warn,
}

/// What a drawdown limit does when it trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDrawdown {
    pub action: DrawdownAction,
    /// Close all positions at the next opportunity.
    pub flatten: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawdownAction {
    /// Latched until a person resumes.
    Halt,
    /// No new exposure for a while, then re-armed.
    Pause(PauseFor),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseFor {
    Span(Span),
    /// `"day"`: until the first bar of the next UTC day.
    UtcDay,
}

/// When slow order round trips pause new exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnLatency {
    /// Readings in a row above the threshold.
    pub window: u32,
    pub pause_for: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_in_bars_depends_on_the_interval_and_one_in_time_does_not() {
        let age = |age: BarAge, interval: &str| age.span(interval.parse().unwrap());
        assert_eq!(age(BarAge::Bars(2), "1h"), Span::from_secs(7200));
        assert_eq!(age(BarAge::Bars(2), "5m"), Span::from_secs(600));
        assert_eq!(age(BarAge::Span(Span::from_secs(90)), "1h"), Span::from_secs(90));
    }
}
