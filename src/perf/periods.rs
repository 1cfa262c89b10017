//! Drawdown day by day and week by week: the tables a report prints.
//!
//! Floats, for reading. The limits themselves are checked elsewhere, on exact money.

use serde::{Deserialize, Serialize};

use super::drawdown::loss;
use super::equity::day_of;
use crate::domain::{Span, Time};

/// What a table has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// A UTC day.
    Day,
    /// An ISO week, from Monday.
    Week,
}

impl Period {
    /// The number of the period that a mark belongs to: PERF-1.
    #[must_use]
    pub fn of(self, mark: Time) -> i64 {
        match self {
            Self::Day => day_of(mark),
            Self::Week => (mark - Span::from_micros(1)).iso_week(),
        }
    }

    /// `2025-02-24` or `2025-W09`.
    #[must_use]
    pub fn name(self, number: i64) -> String {
        match self {
            Self::Day => Time::start_of_day(number).to_string().chars().take_while(|c| *c != 'T').collect(),
            Self::Week => {
                // A week belongs to the year of its Thursday, and the epoch was one.
                let thursday = Time::start_of_day(number * 7);
                let year = thursday.year();
                let new_year: Time = format!("{year:04}-01-01").parse().expect("a year of the calendar has a first day");
                format!("{year:04}-W{:02}", (thursday - new_year).micros() / Span::from_days(7).micros() + 1)
            }
        }
    }
}

/// One period of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeriodRow {
    pub number: i64,
    pub marks: u64,
    /// The last mark of the period before; the first mark of all for the first period.
    pub start_equity: f64,
    /// The highest of the start and the marks.
    pub high_water_mark: f64,
    pub min_equity: f64,
    pub end_equity: f64,
    /// The greatest loss from the high-water mark as it stood then, which begins at the start.
    pub max_drawdown: f64,
    /// When that was; `None` when no mark lies below the high-water mark.
    pub max_drawdown_at: Option<Time>,
    pub end_drawdown: f64,
    pub max_loss_from_start: f64,
}

impl PeriodRow {
    const fn new(number: i64, start: f64) -> Self {
        Self {
            number,
            marks: 0,
            start_equity: start,
            high_water_mark: start,
            min_equity: f64::MAX,
            end_equity: start,
            max_drawdown: 0.0,
            max_drawdown_at: None,
            end_drawdown: 0.0,
            max_loss_from_start: 0.0,
        }
    }

    fn mark(&mut self, time: Time, equity: f64) {
        self.marks += 1;
        self.high_water_mark = self.high_water_mark.max(equity);
        self.min_equity = self.min_equity.min(equity);
        self.end_equity = equity;
        self.end_drawdown = loss(equity, self.high_water_mark);
        self.max_loss_from_start = self.max_loss_from_start.max(loss(equity, self.start_equity));
        if self.end_drawdown > self.max_drawdown {
            self.max_drawdown = self.end_drawdown;
            self.max_drawdown_at = Some(time);
        }
    }
}

/// A row for each period that has a mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodTable {
    period: Period,
    rows: Vec<PeriodRow>,
}

impl PeriodTable {
    #[must_use]
    pub const fn new(period: Period) -> Self {
        Self { period, rows: Vec::new() }
    }

    /// Equity at `time`, which is not before the last mark.
    pub fn mark(&mut self, time: Time, equity: f64) {
        let number = self.period.of(time);
        if self.rows.last().is_none_or(|row| row.number != number) {
            let start = self.rows.last().map_or(equity, |row| row.end_equity);
            self.rows.push(PeriodRow::new(number, start));
        }
        if let Some(row) = self.rows.last_mut() {
            row.mark(time, equity);
        }
    }

    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    #[must_use]
    pub fn rows(&self) -> &[PeriodRow] {
        &self.rows
    }

    /// The row with the greatest drawdown; of equals the first.
    #[must_use]
    pub fn worst(&self) -> Option<&PeriodRow> {
        self.rows.iter().rev().max_by(|a, b| a.max_drawdown.total_cmp(&b.max_drawdown))
    }

    /// Rows with a drawdown of at least `limit`.
    #[must_use]
    pub fn count_at_least(&self, limit: f64) -> usize {
        self.rows.iter().filter(|row| row.max_drawdown >= limit).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(period: Period, marks: &[(&str, f64)]) -> PeriodTable {
        let mut table = PeriodTable::new(period);
        marks.iter().for_each(|(time, equity)| table.mark(time.parse().unwrap(), *equity));
        table
    }

    #[test]
    fn a_day_begins_where_the_one_before_ended() {
        let marks = [
            ("2025-01-01T01:00", 100.0),
            ("2025-01-01T12:00", 200.0),
            ("2025-01-02T00:00", 150.0),
            ("2025-01-02T05:00", 75.0),
            ("2025-01-02T06:00", 160.0),
            ("2025-01-02T07:00", 120.0),
        ];
        let days = table(Period::Day, &marks);
        let [first, second] = days.rows() else { panic!("{days:?}") };
        assert_eq!((first.marks, first.start_equity, first.high_water_mark, first.max_drawdown), (3, 100.0, 200.0, 0.25));
        assert_eq!(first.max_drawdown_at, Some("2025-01-02".parse().unwrap()));
        assert_eq!((first.max_loss_from_start, first.end_drawdown), (0.0, 0.25));
        assert_eq!(
            (second.start_equity, second.high_water_mark, second.min_equity, second.end_equity),
            (150.0, 160.0, 75.0, 120.0)
        );
        assert_eq!((second.max_drawdown, second.end_drawdown, second.max_loss_from_start), (0.5, 0.25, 0.5));
        assert_eq!(days.worst().map(|row| days.period().name(row.number)), Some("2025-01-02".to_owned()));
        assert_eq!((days.count_at_least(0.25), days.count_at_least(0.3)), (2, 1));
    }

    #[test]
    fn a_week_ends_with_sunday() {
        let weeks = table(Period::Week, &[("2025-02-23T12:00", 1.0), ("2025-02-24T00:00", 1.0), ("2025-02-24T00:01", 1.0)]);
        let seen: Vec<_> = weeks.rows().iter().map(|row| (Period::Week.name(row.number), row.marks)).collect();
        assert_eq!(seen, [("2025-W08".to_owned(), 2), ("2025-W09".to_owned(), 1)]);
    }

    #[test]
    fn weeks_carry_the_year_of_their_thursday() {
        let name = |text: &str| Period::Week.name(text.parse::<Time>().unwrap().iso_week());
        assert_eq!(
            [name("2024-12-30"), name("2027-01-03"), name("2020-12-31"), name("2026-01-01")],
            ["2025-W01", "2026-W53", "2020-W53", "2026-W01"]
        );
    }
}
