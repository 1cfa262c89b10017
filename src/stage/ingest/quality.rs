//! Quality figures: what a source is like, before anything is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::coverage::{Gap, text};
use super::finding::Finding;
use crate::domain::Time;

/// A return beyond this either way is counted; whether it is refused is the contract's matter.
pub const RETURN_NOTED: f64 = 0.10;

/// In which order the rows of a source stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOrder {
    #[default]
    Ascending,
    Descending,
    Mixed,
}

/// Figures of one source or of one series in the lake.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    pub rows: u64,
    #[serde(with = "optional")]
    pub first: Option<Time>,
    #[serde(with = "optional")]
    pub last: Option<Time>,
    pub file_order: FileOrder,
    /// Rows whose time is before that of the row before them; none where the whole file descends.
    pub out_of_order: u64,
    pub distinct_times: u64,
    /// Rows beyond the first with the same time and the same prices and volume as one before them.
    pub duplicates_same: u64,
    /// Rows beyond the first with the same time and other values.
    pub duplicates_different: u64,
    pub off_grid: u64,
    pub gaps: u64,
    pub missing_bars: u64,
    pub largest_gaps: Vec<Gap>,
    pub zero_volume: u64,
    pub ohlc_violations: u64,
    pub non_positive: u64,
    pub negative_volume: u64,
    pub unparsable: u64,
    /// Bars whose close is more than 10 % away from the close before.
    pub large_returns: u64,
    /// Rows whose close time is not one interval after their open time: the venue cut the bar short.
    pub odd_close_times: u64,
    /// Bars whose high or low is far from everything else in them: a print that no market made. Imports of older programs have none.
    #[serde(default)]
    pub bad_prints: u64,
    /// What the bars are like as a series. Imports of older programs have none.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl Quality {
    /// The figures by name, for a table.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("missing bars", self.missing_bars),
            ("gaps", self.gaps),
            ("duplicates, same values", self.duplicates_same),
            ("duplicates, other values", self.duplicates_different),
            ("out of order", self.out_of_order),
            ("off grid", self.off_grid),
            ("zero volume", self.zero_volume),
            ("negative volume", self.negative_volume),
            ("high/low violations", self.ohlc_violations),
            ("prices of zero or below", self.non_positive),
            ("unparsable", self.unparsable),
            ("returns over 10 %", self.large_returns),
            ("odd close times", self.odd_close_times),
            ("bad prints", self.bad_prints),
        ])
    }
}

mod optional {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::text;
    use crate::domain::Time;

    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => text::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
