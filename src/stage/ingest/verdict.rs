//! Whether the bars of a run satisfy the contract as a set.

use std::ops::Range;

use super::config::Contract;
use super::coverage::{Coverage, Gap};
use super::quality::Quality;
use crate::domain::{Interval, Symbol, Time};

/// One way in which a set fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Breach {
    /// More holes than allowed.
    MissingBars { missing: u64, allowed: u64, largest: Option<Gap> },
    /// A source whose rows are not in the order of time.
    OutOfOrder { source: String, rows: u64 },
    /// The newest bars are not there, and the venue does not trade the symbol.
    NotTrading { symbol: Symbol, status: String },
}

impl Breach {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingBars { .. } => "missing-bars",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::NotTrading { .. } => "not-trading",
        }
    }
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingBars { missing, allowed, largest } => {
                let are = if *missing == 1 { "bar is" } else { "bars are" };
                write!(f, "{missing} {are} missing where {allowed} may be")?;
                if let Some(gap) = largest {
                    write!(f, "; the largest gap, of {}, lies between {} and {}", gap.missing_bars, gap.after, gap.before)?;
                }
                Ok(())
            }
            Self::NotTrading { symbol, status } => {
                write!(f, "the venue does not trade {symbol} (its status is {status}), so there are no new bars")
            }
            Self::OutOfOrder { source, rows } => write!(f, "{rows} rows of {source} are out of order"),
        }
    }
}

/// The outcome for one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    pub missing_bars: u64,
    pub breaches: Vec<Breach>,
}

impl Verdict {
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Judges the bars of a run: `times` ascend and are those from `watermark` on, of a series whose bars before it were
    /// judged by earlier runs. Bars that are not there are not missing where they are `excused`.
    #[must_use]
    pub fn on_bars(
        contract: &Contract,
        interval: Interval,
        watermark: Option<Time>,
        times: &[i64],
        excused: Vec<Range<Time>>,
    ) -> Self {
        let mut coverage = Coverage::new(interval).excusing(excused);
        let before = watermark.filter(|_| !times.is_empty()).map(|time| time.micros() - interval.span().micros());
        coverage.add(before.into_iter().chain(times.iter().copied()));
        let gaps = coverage.gaps();
        Self::on_missing(contract, gaps.missing_bars, gaps.largest.first().copied())
    }

    /// Judges a whole source or series by its figures.
    #[must_use]
    pub fn on_quality(contract: &Contract, quality: &Quality) -> Self {
        Self::on_missing(contract, quality.missing_bars, quality.largest_gaps.first().copied())
    }

    pub(super) fn on_missing(contract: &Contract, missing_bars: u64, largest: Option<Gap>) -> Self {
        let allowed = contract.missing_bars;
        let is_broken = missing_bars > allowed;
        let breach = is_broken.then_some(Breach::MissingBars { missing: missing_bars, allowed, largest });
        Self { missing_bars, breaches: breach.into_iter().collect() }
    }

    /// Judges a source that has bars of this run.
    pub fn add_source(&mut self, contract: &Contract, source: &str, quality: &Quality) {
        if contract.monotonic_time && quality.out_of_order > 0 {
            self.breaches.push(Breach::OutOfOrder { source: source.to_owned(), rows: quality.out_of_order });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn a_hole_behind_the_watermark_counts() {
        let (contract, interval) = (Contract::default(), "1h".parse().unwrap());
        let judge = |watermark: Option<i64>, hours: &[i64]| {
            let times: Vec<i64> = hours.iter().map(|hour| hour * HOUR).collect();
            Verdict::on_bars(&contract, interval, watermark.map(|hour| Time::from_micros(hour * HOUR)), &times, Vec::new())
        };
        assert!(judge(None, &[5, 6, 7]).is_kept());
        assert!(judge(Some(5), &[5, 6]).is_kept());
        assert!(judge(Some(5), &[]).is_kept());
        assert_eq!(judge(Some(5), &[7, 8]).missing_bars, 2);
        assert_eq!(judge(None, &[5, 8]).breaches[0].code(), "missing-bars");
        let lenient = Contract { missing_bars: 2, ..contract };
        assert!(Verdict::on_bars(&lenient, interval, None, &[5 * HOUR, 8 * HOUR], Vec::new()).is_kept());
    }
}
