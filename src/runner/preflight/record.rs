//! What was seen, for which hashes, and what of it is missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Span, Time};
use crate::profile::{Check, CheckKind};

/// Nothing counts for longer. PREFLIGHT-4.
pub const VALID_MAX: Span = Span::from_days(7);
/// A finding of the future is none; clocks may differ by so much.
const AHEAD_MAX: Span = Span::from_secs(5);

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Ok,
    /// Good enough to go on, and something to know.
    Warn,
    Fail,
    /// It could not be asked. Live trading takes it for a failure.
    Skip,
}

impl Verdict {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Warn)
    }
}

/// One check, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub verdict: Verdict,
    /// In one line: the number seen and the number allowed.
    pub said: String,
    /// What to do about it.
    pub fix: Option<String>,
    pub at: Time,
    pub took: Span,
    pub valid_until: Time,
}

/// What a record was made for, each as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Of the bytes that run.
    pub binary: String,
    pub profile: String,
    pub pipeline: String,
    /// Of what decides.
    pub model: String,
    /// Of the name of the key and the address it is used at.
    pub account: String,
}

/// Everything that was seen of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub bound: Bound,
    /// The end of the account's own name, for people to type.
    pub suffix: String,
    pub findings: BTreeMap<String, Finding>,
}

/// What keeps a profile from going live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    pub check: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("not made")]
    NotMade,
    #[error("{word}: {said}", word = verdict.word())]
    NotGood { verdict: Verdict, said: String },
    #[error("it was good until {0}")]
    Expired(Time),
    #[error("it was made at {0}, which is yet to come")]
    Ahead(Time),
    #[error("another {0} than the one that was looked at")]
    Other(&'static str),
    #[error("the profile declares no check of this kind")]
    NotDeclared,
}

impl Bound {
    /// What differs, by name.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            ("binary", &self.binary, &other.binary),
            ("profile", &self.profile, &other.profile),
            ("pipeline", &self.pipeline, &other.pipeline),
            ("model", &self.model, &other.model),
            ("account", &self.account, &other.account),
        ];
        pairs.into_iter().filter(|(_, one, other)| one != other).map(|(name, ..)| name).collect()
    }
}

impl Record {
    #[must_use]
    pub const fn new(bound: Bound, suffix: String) -> Self {
        Self { bound, suffix, findings: BTreeMap::new() }
    }

    /// Takes what was seen. A finding that says that it counts for longer than anything may is cut.
    pub fn take(&mut self, check: &str, mut finding: Finding) {
        finding.valid_until = finding.valid_until.min(finding.at.saturating_add(VALID_MAX));
        self.findings.insert(check.to_owned(), finding);
    }

    /// What is missing of `checks`, for `bound` at `now`; nothing where live trading may begin. PREFLIGHT-1, PREFLIGHT-3.
    #[must_use]
    pub fn lacks(&self, checks: &[String], bound: &Bound, now: Time) -> Vec<Lack> {
        let others = self.bound.differs(bound);
        if !others.is_empty() {
            return others.into_iter().map(|name| Lack { check: name.to_owned(), why: Why::Other(name) }).collect();
        }
        let lack = |check: &String| self.lack_of(check, now).map(|why| Lack { check: check.clone(), why });
        checks.iter().filter_map(lack).collect()
    }

    fn lack_of(&self, check: &str, now: Time) -> Option<Why> {
        let Some(finding) = self.findings.get(check) else { return Some(Why::NotMade) };
        if !finding.verdict.is_good() {
            return Some(Why::NotGood { verdict: finding.verdict, said: finding.said.clone() });
        }
        if finding.at > now + AHEAD_MAX {
            return Some(Why::Ahead(finding.at));
        }
        // PREFLIGHT-4, whatever the record says.
        let until = finding.valid_until.min(finding.at.saturating_add(VALID_MAX));
        (now >= until).then_some(Why::Expired(until))
    }
}

/// The kinds of checks that a live profile cannot be without, as profiles spell them.
pub const KINDS: [&str; 5] = ["bars", "http", "alert-roundtrip", "oms-dry-run", "kill-drill"];

const fn kind(check: &Check) -> &'static str {
    match check.kind {
        CheckKind::Bars { .. } => KINDS[0],
        CheckKind::Http { .. } => KINDS[1],
        CheckKind::AlertRoundtrip { .. } => KINDS[2],
        CheckKind::OmsDryRun { .. } => KINDS[3],
        CheckKind::KillDrill { .. } => KINDS[4],
    }
}

/// Every check that is asked for, in its order: those declared, then those built in. What a live profile lacks by its declaration
/// comes beside them.
#[must_use]
pub fn asked(declared: &[Check], built_in: &[&str]) -> (Vec<String>, Vec<Lack>) {
    let names = declared.iter().map(|check| check.name.clone()).chain(built_in.iter().map(|name| (*name).to_owned()));
    let absent = KINDS.into_iter().filter(|wanted| !declared.iter().any(|check| kind(check) == *wanted));
    (names.collect(), absent.map(|kind| Lack { check: kind.to_owned(), why: Why::NotDeclared }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        let [binary, profile, pipeline, model, account] = ["b", "p", "l", "m", "a"].map(str::to_owned);
        Bound { binary, profile, pipeline, model, account }
    }

    const fn at(seconds: i64) -> Time {
        Time::from_millis(1_740_000_000_000 + seconds * 1000)
    }

    fn finding(verdict: Verdict) -> Finding {
        let said = "seen 1, allowed 2".to_owned();
        Finding { verdict, said, fix: None, at: at(0), took: Span::from_millis(3), valid_until: at(3600) }
    }

    fn names() -> Vec<String> {
        ["clock", "disk", "key", "kill"].map(str::to_owned).into()
    }

    fn whole() -> Record {
        let mut record = Record::new(bound(), "7731".to_owned());
        names().iter().for_each(|name| record.take(name, finding(Verdict::Ok)));
        record
    }

    /// PREFLIGHT-3, J6: each blocks by itself.
    #[test]
    fn each_check_blocks_by_itself() {
        assert_eq!(whole().lacks(&names(), &bound(), at(10)), []);
        for name in names() {
            let why = |record: &Record| {
                let lacks = record.lacks(&names(), &bound(), at(10));
                assert!(lacks.len() == 1 && lacks[0].check == name, "{lacks:?}");
                lacks[0].why.clone()
            };
            let mut record = whole();
            record.findings.remove(&name);
            assert_eq!(why(&record), Why::NotMade);
            for verdict in [Verdict::Fail, Verdict::Skip] {
                record.take(&name, finding(verdict));
                assert!(matches!(why(&record), Why::NotGood { .. }));
            }
            record.take(&name, Finding { valid_until: at(10), ..finding(Verdict::Ok) });
            assert_eq!(why(&record), Why::Expired(at(10)));
            record.take(&name, Finding { at: at(100), ..finding(Verdict::Ok) });
            assert_eq!(why(&record), Why::Ahead(at(100)));
            record.take(&name, Finding { valid_until: at(11), ..finding(Verdict::Warn) });
            assert_eq!(record.lacks(&names(), &bound(), at(10)), []);
        }
    }

    /// PREFLIGHT-4, J4: a record that says that it counts for a year counts for a week.
    #[test]
    fn nothing_counts_for_longer_than_a_week() {
        let mut record = whole();
        let year = Finding { valid_until: at(365 * 86_400), ..finding(Verdict::Ok) };
        for name in names() {
            record.findings.insert(name, year.clone());
        }
        assert_eq!(record.lacks(&names(), &bound(), at(7 * 86_400 - 1)), []);
        assert_eq!(record.lacks(&names(), &bound(), at(7 * 86_400)).len(), 4);
        record.take("clock", year);
        assert_eq!(record.findings["clock"].valid_until, at(7 * 86_400));
    }

    /// PREFLIGHT-1, J4.
    #[test]
    fn a_record_of_anything_else_is_none() {
        type Change = fn(&mut Bound);
        let changes: [(&str, Change); 5] = [
            ("binary", |bound| bound.binary.push('x')),
            ("profile", |bound| bound.profile.push('x')),
            ("pipeline", |bound| bound.pipeline.push('x')),
            ("model", |bound| bound.model.push('x')),
            ("account", |bound| bound.account.push('x')),
        ];
        for (name, change) in changes {
            let mut other = bound();
            change(&mut other);
            let lacks = whole().lacks(&names(), &other, at(10));
            assert_eq!(lacks, [Lack { check: name.to_owned(), why: Why::Other(name) }]);
        }
    }

    /// J6: a check that the profile has taken out blocks as well.
    #[test]
    fn a_kind_that_is_not_declared_is_missing() {
        let drill = Check {
            name: "kill".to_owned(),
            kind: CheckKind::KillDrill { quiet_within: Span::from_secs(5) },
            valid_for: Span::from_days(1),
        };
        let (names, lacks) = asked(&[drill], &["clock"]);
        assert_eq!(names, ["kill", "clock"]);
        assert_eq!(lacks.iter().map(|lack| lack.check.as_str()).collect::<Vec<_>>(), &KINDS[..4]);
    }
}
