//! Where a profile stands on its ladder, and the kills that take it back.
//!
//! A step above the first lets more money in, so it counts only as far as the log says the same.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::runs::keep;
use super::{Journal, JournalError};
use crate::domain::Time;
use crate::escalation::{Footing, Kill};

/// The log's rows about it.
pub(super) const KIND: &str = "ladder-step";
const NAME: &str = "ladder";

/// A footing as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    footing: Footing,
    /// The row of the log that says the same.
    logged: u64,
}

/// A change of the footing: who, why, and on what evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LadderEvent {
    /// A word of a closed set: `plan`, `kill`, `rollback`, `documents`, `lowered`, `hold`, `release`.
    pub cause: &'static str,
    pub why: String,
    /// Plan, readings, changes: whatever explains it.
    pub evidence: Value,
}

/// A step and why a profile stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LadderStep {
    /// 0: the profile's own limits.
    pub step: u32,
    pub at: Time,
    pub why: String,
}

fn stated(footing: &Footing, event: &LadderEvent) -> Value {
    json!({
        "step": footing.step,
        "cause": event.cause,
        "why": event.why,
        "evidence": event.evidence,
        "footing": footing,
        "hash": footing.hash(),
    })
}

impl Journal {
    /// Where the profile stands; at its start before anything happened.
    ///
    /// # Errors
    /// When the journal cannot be read, or says something else than its log.
    pub fn footing(&self) -> Result<Footing, JournalError> {
        Ok(self.stands()?.map(|(kept, _)| kept.footing).unwrap_or_default())
    }

    /// The footing with the body of the row that says the same.
    fn stands(&self) -> Result<Option<(Kept, Value)>, JournalError> {
        let Some(kept) = self.kept::<Kept>(NAME)? else { return Ok(None) };
        let sql = "SELECT body FROM event WHERE sequence = ?1 AND kind = ?2";
        let row = self.db.query_row(sql, params![kept.logged as i64, KIND], |row| row.get::<_, String>(0));
        let logged: Option<Value> = row.optional().map_err(self.sqlite())?.map(|text| self.parse(KIND, &text)).transpose()?;
        match logged {
            Some(body) if body["hash"] == *kept.footing.hash() => Ok(Some((kept, body))),
            _ => {
                let problem = format!("step {} of the ladder is not what its log says", kept.footing.step);
                Err(JournalError::Damaged { path: self.path.clone(), problem })
            }
        }
    }

    /// Puts the profile where `footing` says, and writes who and why into the log, together.
    ///
    /// # Errors
    /// When the journal cannot be written; it stands where it stood then.
    pub fn set_footing(&mut self, footing: &Footing, event: &LadderEvent, now: Time) -> Result<(), JournalError> {
        self.transact(|scribe| {
            scribe.append_json(now, KIND, None, &stated(footing, event))?;
            let kept = Kept { footing: footing.clone(), logged: scribe.head.sequence };
            Ok(keep(&scribe.transaction, NAME, &kept)?)
        })
    }

    /// On which step the profile stands; `None` where it never left the first one.
    ///
    /// # Errors
    /// As [`Self::footing`].
    pub fn ladder_step(&self) -> Result<Option<LadderStep>, JournalError> {
        let told = |(kept, body): (Kept, Value)| LadderStep {
            step: kept.footing.step,
            at: kept.footing.since.unwrap_or_default(),
            why: body["why"].as_str().unwrap_or_default().to_owned(),
        };
        Ok(self.stands()?.map(told))
    }

    /// Puts the profile on a step of its ladder: a rollback's word. A step above the one that it stands on allows nothing more, since
    /// no limits were applied with it.
    ///
    /// # Errors
    /// When the journal cannot be written; it stands where it stood then.
    pub fn set_ladder_step(&mut self, step: u32, why: &str, now: Time) -> Result<(), JournalError> {
        let footing = self.footing()?;
        let lower = if step == 0 { footing.restarted(now) } else { Footing { step, since: Some(now), ..footing } };
        let event = LadderEvent { cause: "rollback", why: why.to_owned(), evidence: Value::Null };
        self.set_footing(&lower, &event, now)
    }

    /// Kill events of the log behind row `after`, in their order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kills(&self, after: u64) -> Result<Vec<Kill>, JournalError> {
        let wrong = self.sqlite();
        let sql = "SELECT sequence, at, kind, body FROM event WHERE sequence > ?1
                   AND (kind IN ('unlatched', 'close-all', 'alarm') OR (kind = 'notice' AND instr(body, '\"killed\"') > 0))
                   ORDER BY sequence";
        let mut statement = self.db.prepare(sql).map_err(&wrong)?;
        let mut rows = statement.query([after as i64]).map_err(&wrong)?;
        let mut kills = Vec::new();
        while let Some(row) = rows.next().map_err(&wrong)? {
            let get = |at| row.get::<_, i64>(at).map_err(&wrong);
            let text = |at| row.get::<_, String>(at).map_err(&wrong);
            let (sequence, at, kind) = (get(0)? as u64, Time::from_micros(get(1)?), text(2)?);
            let body: Value = self.parse("a row of the log", &text(3)?)?;
            kills.extend(kill_of(&kind, &body, at).map(|(at, cause)| Kill { at, cause, row: Some(sequence) }));
        }
        kills.sort_by_key(|kill| kill.at);
        Ok(kills)
    }

    /// Kill events since the footing was written down.
    ///
    /// # Errors
    /// As [`Self::kills`].
    pub fn kills_since_footing(&self) -> Result<Vec<Kill>, JournalError> {
        match self.stands()? {
            Some((kept, _)) => self.kills(kept.logged),
            None => Ok(Vec::new()),
        }
    }

    /// The time of the first row; `None` while there is none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn begins(&self) -> Result<Option<Time>, JournalError> {
        let sql = "SELECT at FROM event ORDER BY sequence LIMIT 1";
        let row = self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional().map_err(self.sqlite())?;
        Ok(row.map(Time::from_micros))
    }
}

/// When and why a row's kill was; `None` for a row that tells of none.
fn kill_of(kind: &str, body: &Value, at: Time) -> Option<(Time, String)> {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(at);
    let word = |value: &Value, or: &str| value.as_str().unwrap_or(or).to_owned();
    match kind {
        "notice" => (body["event"] == "killed").then(|| (time(&body["trip"]["at"]), word(&body["trip"]["cause"], "drawdown"))),
        // A drawdown has its own notice, and what a person stopped its own row.
        "alarm" => {
            let cause = word(&body["cause"], "halted");
            let is_told = cause.starts_with("drawdown") || cause == "operator";
            (body["alarm"] == "halted" && !is_told).then_some((at, cause))
        }
        "close-all" => Some((at, kind.to_owned())),
        // A latch that nobody can read says nothing but that it was set.
        _ => Some((time(&body["latched"]["at"]), word(&body["latched"]["cause"], "latch"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::journal::Entry;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn event(why: &str) -> LadderEvent {
        LadderEvent { cause: "plan", why: why.to_owned(), evidence: json!({ "plan": "p" }) }
    }

    #[test]
    fn a_step_counts_only_as_the_log_says_it() {
        let mut journal = Journal::in_memory().unwrap();
        assert_eq!((journal.ladder_step().unwrap(), journal.footing().unwrap()), (None, Footing::default()));
        let now = at("2026-11-16T09:04:00Z");
        let second = Footing { step: 2, since: Some(now), ..Footing::default() };
        journal.set_footing(&second, &event("a plan"), now).unwrap();
        assert_eq!(journal.footing().unwrap(), second);
        journal.set_ladder_step(0, "a rollback", now).unwrap();
        let stands = journal.ladder_step().unwrap().unwrap();
        assert_eq!((stands.step, stands.why.as_str()), (0, "a rollback"));
        let mut kept: Kept = journal.kept(NAME).unwrap().unwrap();
        kept.footing.step = 4;
        journal.keep(NAME, &kept).unwrap();
        let error = journal.footing().unwrap_err().to_string();
        assert!(error.contains("step 4 of the ladder"), "{error}");
    }

    #[test]
    fn kills_are_what_stopped_trading() {
        let mut journal = Journal::in_memory().unwrap();
        let note = |kind, body| Entry::Note { kind, body };
        let rows = [
            note("alarm", json!({ "alarm": "slow", "until": "2026-11-16T00:00:00Z" })),
            note("alarm", json!({ "alarm": "halted", "cause": "foreign-activity" })),
            note("alarm", json!({ "alarm": "halted", "cause": "drawdown-daily" })),
            note("unlatched", json!({ "latched": { "at": "2026-11-14T01:00:00Z", "cause": "kill" }, "reason": "x" })),
            note("unlatched", json!({ "latched": "nobody can read it", "reason": "x" })),
            note("close-all", json!({ "account": "trend@paper" })),
        ];
        journal.write(&rows, at("2026-11-15T00:00:00Z")).unwrap();
        let told: Vec<String> = journal.kills(0).unwrap().iter().map(|kill| format!("{} {}", kill.at, kill.cause)).collect();
        assert_eq!(
            told,
            [
                "2026-11-14T01:00:00Z kill",
                "2026-11-15T00:00:00Z foreign-activity",
                "2026-11-15T00:00:00Z latch",
                "2026-11-15T00:00:00Z close-all"
            ]
        );
        assert_eq!(journal.kills(4).unwrap().len(), 2);
        let since = journal.begins().unwrap();
        assert_eq!(since, Some(at("2026-11-15T00:00:00Z")));
        journal.set_footing(&Footing::default(), &event("x"), at("2026-11-16T00:00:00Z")).unwrap();
        assert_eq!(journal.kills_since_footing().unwrap(), []);
    }
}
