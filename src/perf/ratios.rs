//! Ratios of return and risk, from daily returns net of fees and a risk-free rate of zero.

use serde::{Deserialize, Serialize};

use crate::domain::{Span, Time};

/// Markets that never close: every day of the year counts.
pub const DAYS_PER_YEAR: f64 = 365.0;
/// Two-sided 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// A Sharpe ratio, annualised, with what it is worth as evidence.
///
/// The 95 % interval takes returns as independent and alike: the standard error of the ratio per day is
/// `sqrt((1 + ratio² / 2) / n)`. Andrew W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58 (2002).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sharpe {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// Daily returns it was made from.
    pub n: u32,
}

/// Mean and sample standard deviation (n - 1) of at least two returns; `None` when there is no spread.
fn mean_and_deviation(returns: &[f64]) -> Option<(f64, f64)> {
    if returns.len() < 2 {
        return None;
    }
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let squares: f64 = returns.iter().map(|r| (r - mean) * (r - mean)).sum();
    // Equal returns: the mean may round off them by a bit, which is no spread.
    let all_equal = returns.iter().all(|r| *r == returns[0]);
    let deviation = (squares / (n - 1.0)).sqrt();
    (!all_equal && deviation > 0.0 && deviation.is_finite()).then_some((mean, deviation))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[must_use]
pub fn sharpe(returns: &[f64]) -> Option<Sharpe> {
    sharpe_by(returns, DAYS_PER_YEAR)
}

/// The same with another count of days in a year.
#[must_use]
pub fn sharpe_by(returns: &[f64], days_per_year: f64) -> Option<Sharpe> {
    let (mean, deviation) = mean_and_deviation(returns)?;
    let per_day = finite(mean / deviation)?;
    let n = u32::try_from(returns.len()).unwrap_or(u32::MAX);
    let error = ((1.0 + per_day * per_day / 2.0) / f64::from(n)).sqrt();
    let annual = |ratio: f64| ratio * days_per_year.sqrt();
    let reach = NORMAL_95 * error;
    Some(Sharpe { value: annual(per_day), low: annual(per_day - reach), high: annual(per_day + reach), n })
}

/// The Sharpe ratio at each return over the last `window` of them, annualised. The first comes with return number `window`.
pub fn rolling_sharpe(returns: &[f64], window: usize) -> impl Iterator<Item = Option<f64>> + '_ {
    returns.windows(window.max(1)).map(|last| sharpe(last).map(|ratio| ratio.value))
}

/// Mean over the root of the mean squared loss of all days, annualised. `None` when no day lost.
#[must_use]
pub fn sortino(returns: &[f64]) -> Option<f64> {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let losses = returns.iter().map(|r| r.min(0.0)).map(|r| r * r).sum::<f64>() / n;
    (losses > 0.0).then(|| mean / losses.sqrt() * DAYS_PER_YEAR.sqrt()).and_then(finite)
}

/// Sample standard deviation of daily returns, annualised. Zero is a figure, too few samples are none.
#[must_use]
pub fn volatility(returns: &[f64]) -> Option<f64> {
    if returns.len() < 2 {
        return None;
    }
    finite(mean_and_deviation(returns).map_or(0.0, |(_, deviation)| deviation * DAYS_PER_YEAR.sqrt()))
}

/// Growth per year of 365 days; `None` without time between the marks, or from or to nothing.
#[must_use]
pub fn cagr(first: (Time, f64), last: (Time, f64)) -> Option<f64> {
    let years = (last.0 - first.0).as_secs_f64() / (Span::from_days(1).as_secs_f64() * DAYS_PER_YEAR);
    let grown = first.1 > 0.0 && last.1 > 0.0 && years > 0.0;
    grown.then(|| (last.1 / first.1).powf(1.0 / years) - 1.0).and_then(finite)
}

/// Growth per year over the greatest drawdown; `None` when there was none.
#[must_use]
pub fn calmar(cagr: f64, max_drawdown: f64) -> Option<f64> {
    (max_drawdown > 0.0).then(|| cagr / max_drawdown).and_then(finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(seen: Option<f64>, wanted: f64) -> bool {
        seen.is_some_and(|seen| (seen - wanted).abs() <= 1e-12 * wanted.abs())
    }

    #[test]
    fn a_table_worked_by_hand() {
        // Mean 0.01, deviations 0.01, -0.03, 0.02: squares sum to 0.0014, so the sample deviation is sqrt(0.0007).
        let returns = [0.02, -0.02, 0.03];
        let per_day = 0.01 / 0.0007_f64.sqrt();
        let ratio = sharpe(&returns).unwrap();
        assert!(near(Some(ratio.value), per_day * 365_f64.sqrt()));
        assert_eq!(ratio.n, 3);
        let reach = 1.959_963_984_540_054 * ((1.0 + per_day * per_day / 2.0) / 3.0).sqrt() * 365_f64.sqrt();
        assert!(near(Some(ratio.high - ratio.value), reach) && near(Some(ratio.value - ratio.low), reach));
        assert!(near(volatility(&returns), (0.0007 * 365.0_f64).sqrt()));
        assert!(near(sortino(&returns), 0.01 / (0.0004_f64 / 3.0).sqrt() * 365_f64.sqrt()));
    }

    /// PERF-3.
    #[test]
    fn what_is_undefined_is_none() {
        for returns in [&[][..], &[0.1], &[0.0, 0.0], &[0.1, 0.1, 0.1]] {
            assert_eq!(sharpe(returns), None, "{returns:?}");
            assert_eq!(sortino(returns), None, "{returns:?}");
        }
        assert_eq!((volatility(&[0.1]), volatility(&[0.1, 0.1, 0.1])), (None, Some(0.0)));
        let at = Time::start_of_day;
        assert_eq!(cagr((at(0), 1.0), (at(0), 2.0)), None);
        assert_eq!(cagr((at(0), 1.0), (at(1), 0.0)), None);
        assert_eq!(cagr((at(0), 1.0), (Time::from_micros(1), 2.0)), None, "too large for a float");
        assert_eq!(calmar(0.1, 0.0), None);
    }

    #[test]
    fn growth_is_per_year() {
        let at = Time::start_of_day;
        assert!(cagr((at(0), 100.0), (at(730), 121.0)).is_some_and(|growth| (growth - 0.1).abs() < 1e-15));
        assert_eq!(calmar(0.1, 0.2), Some(0.5));
    }

    #[test]
    fn a_rolling_ratio_begins_when_its_window_is_full() {
        let returns = [0.02, -0.02, 0.03, 0.03];
        let seen: Vec<_> = rolling_sharpe(&returns, 3).collect();
        assert_eq!(seen, [sharpe(&returns[..3]).map(|s| s.value), sharpe(&returns[1..]).map(|s| s.value)]);
        assert_eq!(rolling_sharpe(&returns, 5).count(), 0);
    }
}
