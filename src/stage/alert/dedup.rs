//! The same trouble is told once, then again after a while.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::Severity;
use super::message::Alert;
use crate::domain::{Span, Time};

/// Keys that are remembered; beyond it the one told longest ago is forgotten, and at worst told again.
const KEYS_MAX: usize = 10_000;

/// What has been told lately. Kept between runs: a run a minute must not tell the same thing a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dedup {
    told: BTreeMap<String, Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at: Time,
    severity: Severity,
    /// Repeats since.
    held_back: u32,
}

/// Is an alert to be sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it. So many of the same were held back before it.
    Tell { held_back: u32 },
    /// The same was told a short while ago.
    HoldBack,
}

impl Dedup {
    /// Takes note of `alert` and says whether it goes out: ALERT-4. Time is that of the alerts.
    pub fn take(&mut self, alert: &Alert, repeat_every: Span) -> Verdict {
        let told = Told { at: alert.at, severity: alert.severity, held_back: 0 };
        let Some(before) = self.told.get_mut(&alert.key) else {
            self.make_room();
            self.told.insert(alert.key.clone(), told);
            return Verdict::Tell { held_back: 0 };
        };
        let is_due = alert.at >= before.at.saturating_add(repeat_every);
        if is_due || alert.severity > before.severity {
            let held_back = before.held_back;
            *before = told;
            return Verdict::Tell { held_back };
        }
        before.held_back = before.held_back.saturating_add(1);
        Verdict::HoldBack
    }

    fn make_room(&mut self) {
        if self.told.len() < KEYS_MAX {
            return;
        }
        let oldest = self.told.iter().min_by_key(|(_, told)| told.at).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.told.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{HoldBack, Tell};

    fn alert(key: &str, severity: Severity, minute: i64) -> Alert {
        let at = Time::from_micros(0) + Span::from_secs(60 * minute);
        Alert { key: key.to_owned(), severity, title: String::new(), text: String::new(), at, fields: BTreeMap::new() }
    }

    fn half_hour() -> Span {
        Span::from_secs(1800)
    }

    /// ALERT-4.
    #[test]
    fn the_same_is_told_again_after_a_while() {
        let mut dedup = Dedup::default();
        let seen = [0, 1, 29, 30, 31].map(|minute| dedup.take(&alert("a", Severity::Warning, minute), half_hour()));
        assert_eq!(seen, [Tell { held_back: 0 }, HoldBack, HoldBack, Tell { held_back: 2 }, HoldBack]);
        assert_eq!(dedup.take(&alert("b", Severity::Warning, 31), half_hour()), Tell { held_back: 0 }, "another key");
    }

    /// ALERT-4.
    #[test]
    fn what_gets_worse_is_told_at_once() {
        let mut dedup = Dedup::default();
        let seen = [Severity::Warning, Severity::Critical, Severity::Info].map(|s| dedup.take(&alert("a", s, 0), half_hour()));
        assert_eq!(seen, [Tell { held_back: 0 }, Tell { held_back: 0 }, HoldBack]);
    }

    #[test]
    fn no_pause_tells_everything_and_old_news_is_held_back() {
        let mut dedup = Dedup::default();
        let seen = [5, 5, 4].map(|minute| dedup.take(&alert("a", Severity::Info, minute), Span::ZERO));
        assert_eq!(seen, [Tell { held_back: 0 }, Tell { held_back: 0 }, HoldBack]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_survives_a_restart() {
        let mut dedup = Dedup::default();
        for i in 0..=KEYS_MAX {
            dedup.take(&alert(&format!("k{i}"), Severity::Info, i as i64), half_hour());
        }
        assert_eq!(dedup.told.len(), KEYS_MAX);
        let mut back: Dedup = serde_json::from_str(&serde_json::to_string(&dedup).unwrap()).unwrap();
        assert_eq!(back.take(&alert("k9999", Severity::Info, 10_000), half_hour()), HoldBack);
        assert_eq!(
            back.take(&alert("k0", Severity::Info, 10_000), half_hour()),
            Tell { held_back: 0 },
            "the oldest was forgotten"
        );
    }
}
