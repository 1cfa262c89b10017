//! What became of a slot: one line for people, one note in the log.

use serde::{Deserialize, Serialize};

use crate::cli::table::{grouped, to_second};
use crate::domain::{Span, Time};

/// The kind of its rows in the log.
pub const KIND: &str = "slot";

/// How a slot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Bars were traded.
    Traded,
    /// Bars were taken in too late to be traded: models have learnt them.
    Late,
    /// No bar has closed since the last one.
    NothingNew,
    /// Bars were taken in; model or oms is not enabled.
    Ingested,
    /// The data breaks its contract: model and oms were blocked.
    Blocked,
    /// The latch is set: nothing was traded.
    Halted,
    /// Nothing was done.
    Skipped,
    Failed,
}

impl End {
    const fn words(self) -> &'static str {
        match self {
            Self::Traded => "traded",
            Self::Late => "too late to trade",
            Self::NothingNew => "nothing new",
            Self::Ingested => "taken in",
            Self::Blocked => "BLOCKED",
            Self::Halted => "HALTED",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
        }
    }
}

/// One slot, as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub pipeline: String,
    /// When it was due.
    pub slot: Time,
    /// The close of the bar, or the local time.
    pub local: String,
    pub began: Time,
    pub ended: Time,
    pub end: End,
    /// Slots before it that went by unused.
    pub missed: u32,
    pub why: Option<String>,
    pub bars: u64,
    pub orders: u64,
    pub fills: u64,
    pub denied: u64,
    pub run: Option<String>,
}

impl Outcome {
    #[must_use]
    pub fn new(pipeline: &str, slot: Time, local: &str, began: Time, missed: u32) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            slot,
            local: local.to_owned(),
            began,
            ended: began,
            end: End::Skipped,
            missed,
            why: None,
            bars: 0,
            orders: 0,
            fills: 0,
            denied: 0,
            run: None,
        }
    }

    #[must_use]
    pub fn because(mut self, end: End, why: impl Into<String>) -> Self {
        (self.end, self.why) = (end, Some(why.into()));
        self
    }

    /// How long after its time it began.
    #[must_use]
    pub fn late_by(&self) -> Span {
        self.began - self.slot
    }

    /// One line of text.
    #[must_use]
    pub fn line(&self) -> String {
        let mut words = format!("{}  {:<12} {}", to_second(self.ended), self.pipeline, self.end.words());
        if self.bars > 0 {
            words.push_str(&format!(", {}", counted(self.bars, "bar")));
        }
        for (count, noun) in [(self.orders, "order"), (self.fills, "fill")] {
            if count > 0 {
                words.push_str(&format!(", {}", counted(count, noun)));
            }
        }
        if self.denied > 0 {
            words.push_str(&format!(", {} denied", grouped(self.denied)));
        }
        if self.missed > 0 {
            words.push_str(&format!(", {} missed before", counted(u64::from(self.missed), "slot")));
        }
        if let Some(why) = &self.why {
            words.push_str(&format!(": {why}"));
        }
        words.push('\n');
        words
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_there_is_to_say() {
        let at = |text: &str| text.parse::<Time>().expect("a time");
        let begun = Outcome::new("trend", at("2026-03-01T11:00:03Z"), "2026-03-01T11:00:00Z", at("2026-03-01T11:00:04Z"), 2);
        let traded = Outcome { end: End::Traded, bars: 2, orders: 1, fills: 1, denied: 0, ..begun.clone() };
        assert_eq!(traded.line(), "2026-03-01 11:00:04  trend        traded, 2 bars, 1 order, 1 fill, 2 slots missed before\n");
        assert_eq!(traded.late_by(), Span::from_secs(1));
        let failed = begun.because(End::Failed, "the venue does not answer");
        assert!(failed.line().ends_with("FAILED, 2 slots missed before: the venue does not answer\n"), "{}", failed.line());
    }
}
