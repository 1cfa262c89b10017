//! The summary of a run or a replay: the figures people believe or do not.

use std::fmt::Write;

use serde_json::{Value, json};

use super::output::{BOLD, DIM, RED};
use super::table::{grouped, short_time};
use crate::domain::{Money, Time};
use crate::perf::{Drawdown, Summary};
use crate::stage::oms::Tally;

/// Width of the sparkline in characters.
const SPARK_WIDTH: usize = 60;
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What there is to tell.
#[derive(Debug)]
pub struct Told<'a> {
    pub title: String,
    pub symbols: String,
    pub interval: String,
    pub currency: &'a str,
    pub bars: u64,
    pub tally: &'a Tally,
    pub kills: u32,
    pub halted: bool,
    pub summary: Option<&'a Summary>,
    /// The limit that exposure is held against.
    pub exposure_max: Money,
    pub record: Option<String>,
}

impl Told<'_> {
    /// For people, at most 80 columns wide.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{BOLD}{}{BOLD:#}\n", self.title);
        let mut line = |name: &str, rest: String| {
            let _ = writeln!(text, "  {DIM}{name:<10}{DIM:#} {rest}");
        };
        if let Some(summary) = self.summary {
            line("period", format!("{} .. {}", short_time(summary.from), short_time(summary.to)));
        }
        line("bars", format!("{} of {} ({})", grouped(self.bars), self.symbols, self.interval));
        self.trading(&mut line);
        if let Some(summary) = self.summary {
            self.equity(summary, &mut line);
            risk(summary, &mut line);
        }
        line("kills", if self.halted { format!("{} {RED}HALTED{RED:#}", self.kills) } else { self.kills.to_string() });
        if let Some(record) = &self.record {
            line("record", record.clone());
        }
        text
    }

    fn trading(&self, line: &mut impl FnMut(&str, String)) {
        let Tally { orders, denied, rejected, expired, canceled, fills, fees, turnover, .. } = self.tally;
        let mut sent = format!("{} sent, {} denied by the gate, {rejected} rejected", grouped(*orders), grouped(*denied));
        for (count, what) in [(expired, "expired"), (canceled, "canceled")] {
            if *count > 0 {
                let _ = write!(sent, ", {} {what}", grouped(*count));
            }
        }
        line("orders", sent);
        for (code, count) in &self.tally.refusals {
            line(
                if Some(code) == self.tally.refusals.keys().next() { "refusals" } else { "" },
                format!("{} {code}", grouped(*count)),
            );
        }
        line("fills", format!("{}, fees {:.2}, turnover {:.2} {}", grouped(*fills), fees, turnover, self.currency));
    }

    fn equity(&self, summary: &Summary, line: &mut impl FnMut(&str, String)) {
        let change = summary.total_return.map_or_else(|| "-".to_owned(), |r| format!("{:+.2} %", r * 100.0));
        line("equity", format!("{:.2} -> {:.2} {}  ({change})", summary.start_equity, summary.end_equity, self.currency));
        line("", sparkline(&summary.trace, SPARK_WIDTH));
        let peak = self.tally.exposure_peak;
        line(
            "exposure",
            format!("in the market {:.1} % of closes, at most {peak:.2} of {}", summary.exposure * 100.0, self.exposure_max),
        );
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "symbols": self.symbols,
            "interval": self.interval,
            "currency": self.currency,
            "bars": self.bars,
            "kills": self.kills,
            "halted": self.halted,
            "tally": self.tally,
            "summary": self.summary,
            "record": self.record,
        })
    }
}

fn risk(summary: &Summary, line: &mut impl FnMut(&str, String)) {
    let two = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2}"));
    let sharpe = summary.sharpe.map_or_else(
        || "- (needs two days that differ)".to_owned(),
        |s| format!("{:.2}  (95 %: {:.2} .. {:.2}, n = {} daily returns)", s.value, s.low, s.high, s.n),
    );
    line("sharpe", sharpe);
    line("sortino", format!("{}   calmar {}", two(summary.sortino), two(summary.calmar)));
    line("drawdown", summary.max_drawdown.as_ref().map_or_else(|| "none".to_owned(), drawdown));
}

fn drawdown(worst: &Drawdown) -> String {
    let end = worst.recovered.map_or_else(|| "not yet recovered".to_owned(), |t| format!("recovered {}", day(t)));
    format!("max {:.2} %  {} .. {}, {end}", worst.depth * 100.0, day(worst.peak), day(worst.trough))
}

fn day(time: Time) -> String {
    let text = time.to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// A curve as one line of blocks, lowest to highest.
#[must_use]
pub fn sparkline(values: &[f64], width: usize) -> String {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if values.is_empty() || low > high {
        return String::new();
    }
    let width = width.min(values.len());
    let mark = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        SPARKS[((share * 7.0).round() as usize).min(7)]
    };
    // The last value always shows: it is what people compare.
    (0..width).map(|k| mark(values[if width == 1 { 0 } else { k * (values.len() - 1) / (width - 1) }])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_drawn_from_lowest_to_highest() {
        assert_eq!(sparkline(&[1.0, 2.0, 3.0], 60), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.0], 60), "▁▁");
        assert_eq!(sparkline(&[], 60), "");
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let line = sparkline(&many, 60);
        assert_eq!((line.chars().count(), line.chars().last()), (60, Some('█')));
    }
}
