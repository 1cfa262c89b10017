//! Alerts: raised, raised again, acknowledged, resolved; and how far the log was read for them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};
use serde::Serialize;

use super::{Outbox, OutboxError, json, maybe_time, severity, time, to_json};
use crate::domain::{Span, Time};
use crate::telemetry::Severity;
use crate::telemetry::watch::Then;

/// Alerts that stand at once; beyond it the oldest that is not critical is resolved for the newcomer.
pub const STANDING_MAX: i64 = 10_000;
/// Characters of a title and of a text that are kept.
const TITLE_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 3000;
/// Fields that are kept, and characters of each.
const FIELDS_MAX: usize = 24;
const FIELD_CHARS_MAX: usize = 300;
/// Parts that are told apart; beyond it only their number is missed.
const PARTS_MAX: usize = 200;

/// What nobody was to be told of goes as well, after this.
const NEVER_TOLD: Span = Span::from_days(7);

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    Open,
    /// Somebody has seen it, and it stands.
    Acknowledged,
    Resolved,
}

impl AlertState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// An occurrence of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    pub key: String,
    pub rule: Option<String>,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    pub fields: BTreeMap<String, String>,
    /// When it happened.
    pub at: Time,
    /// It stands until something ends it.
    pub lasts: bool,
    /// Where it comes from, like `log 123`.
    pub source: String,
    /// What of several it concerns, where one key stands for all of them.
    pub part: Option<String>,
    pub unresolved: Option<(Span, Then)>,
}

/// One thing to write down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Raise(Raise),
    /// The trouble of this key is over; with a part, that one's, and the alert's when it was the last.
    Settle {
        key: String,
        part: Option<String>,
    },
    /// The trouble of every key that begins so is over.
    SettleAll {
        prefix: &'static str,
    },
}

/// How far a log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// The last row that was looked at.
    pub sequence: u64,
    /// What happened before is history: nobody is called for it.
    pub news_from: Time,
}

/// An alert as the outbox has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertRow {
    pub id: i64,
    pub key: String,
    pub rule: Option<String>,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    pub fields: BTreeMap<String, String>,
    pub source: String,
    pub state: AlertState,
    pub lasts: bool,
    pub late: bool,
    pub raised_at: Time,
    pub since: Time,
    pub last_at: Time,
    pub queued_at: Time,
    pub count: u64,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub parts: BTreeSet<String>,
    pub told_at: Option<Time>,
    pub told_count: u64,
    pub told_severity: Option<Severity>,
    pub acked_at: Option<Time>,
    pub acked_by: Option<String>,
    pub resolved_at: Option<Time>,
    pub resolved_told: bool,
    pub unresolved_after: Option<Span>,
    pub then: Option<Then>,
    /// When the consequence was taken up.
    pub consequence_at: Option<Time>,
}

impl AlertRow {
    /// When it has consequences, unless it is resolved before. Acknowledging it changes nothing about that.
    #[must_use]
    pub fn consequence_due(&self) -> Option<(Time, Then)> {
        let is_open = self.state != AlertState::Resolved && self.consequence_at.is_none();
        let due = self.unresolved_after.map(|after| self.since.saturating_add(after)).zip(self.then);
        due.filter(|_| is_open)
    }
}

impl Outbox {
    /// Writes words down; with `followed`, together with how far the log was read for them (STORE-9). `reopen`: trouble that comes
    /// back so soon after it was told is the same alert. `is_late`: they happened under an earlier program.
    ///
    /// # Errors
    /// When the outbox cannot be written; nothing of it is there then.
    pub fn take(
        &mut self,
        words: &[Word],
        followed: Option<Followed>,
        reopen: Span,
        is_late: bool,
        now: Time,
    ) -> Result<(), OutboxError> {
        self.transact(|transaction| {
            for word in words {
                match word {
                    Word::Raise(raise) => take_one(transaction, raise, reopen, is_late, now)?,
                    Word::Settle { key, part } => settle(transaction, key, part.as_deref(), now)?,
                    Word::SettleAll { prefix } => settle_all(transaction, prefix, now)?,
                }
            }
            if words.iter().any(|word| matches!(word, Word::Raise(_))) {
                make_room(transaction, now)?;
            }
            followed.map_or(Ok(()), |followed| follow(transaction, followed))
        })
    }

    /// How far the journal's log was read; `None` where it never was.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn followed(&self) -> Result<Option<Followed>, OutboxError> {
        let sql = "SELECT sequence, news_from FROM followed WHERE log = 'state.db'";
        let read = |row: &Row<'_>| {
            let sequence = u64::try_from(row.get::<_, i64>("sequence")?).unwrap_or_default();
            Ok(Followed { sequence, news_from: time(row, "news_from")? })
        };
        self.db.query_row(sql, [], read).optional().map_err(self.wrong())
    }

    /// Alerts that stand, those that are over and critical and were never told, and those whose end is still to be told: what a decision about messages needs.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn standing(&self) -> Result<Vec<AlertRow>, OutboxError> {
        let sql = "SELECT * FROM alert
                   WHERE state <> 'resolved'
                      OR (resolved_told = 0 AND iif(told_at IS NULL, severity = 'critical', lasts = 1)) ORDER BY id";
        self.rows(sql, [], read)
    }

    /// Every alert, the newest first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn alerts(&self, limit: u32) -> Result<Vec<AlertRow>, OutboxError> {
        self.rows("SELECT * FROM alert ORDER BY id DESC LIMIT ?1", [limit], read)
    }

    /// One alert.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn alert(&self, id: i64) -> Result<Option<AlertRow>, OutboxError> {
        Ok(self.rows("SELECT * FROM alert WHERE id = ?1", [id], read)?.pop())
    }

    /// Critical alerts that nobody and nothing has ended by `now`: a gate asks for none of them.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn unresolved_critical(&self, now: Time) -> Result<Vec<AlertRow>, OutboxError> {
        let sql = "SELECT * FROM alert WHERE state <> 'resolved' AND severity = 'critical' AND queued_at <= ?1 ORDER BY id";
        self.rows(sql, [now.micros()], read)
    }

    /// Every critical alert of the history, resolved or not, by its key and the time it was raised last, as far as it was by `now`.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn criticals(&self, now: Time) -> Result<Vec<(String, Time)>, OutboxError> {
        // What comes back is the same row: it is queued, or stands, since then.
        let sql =
            "SELECT key, max(queued_at, since) AS at FROM alert WHERE severity = 'critical' AND queued_at <= ?1 ORDER BY at, id";
        self.rows(sql, [now.micros()], |row| Ok((row.get("key")?, time(row, "at")?)))
    }

    /// Alerts that have stood so long by `now` that a rollback is due, and none was begun for them.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn due_rollbacks(&self, now: Time) -> Result<Vec<AlertRow>, OutboxError> {
        let sql = "SELECT * FROM alert WHERE state <> 'resolved' AND consequence = 'rollback' AND consequence_at IS NULL
                   AND since + unresolved_after <= ?1 ORDER BY id";
        self.rows(sql, [now.micros()], read)
    }

    /// Notes that the consequence of an alert was taken up. Gives whether this call did: two programs cannot both.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn take_up(&mut self, id: i64, now: Time) -> Result<bool, OutboxError> {
        let sql = "UPDATE alert SET consequence_at = ?2 WHERE id = ?1 AND consequence_at IS NULL";
        self.transact(|transaction| Ok(transaction.execute(sql, params![id, now.micros()])? == 1))
    }

    /// Somebody has seen an alert. One that lasts is acknowledged; one that is over with its moment is resolved. Gives the alert as it
    /// is then; `None` where there is none.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn acknowledge(&mut self, id: i64, by: &str, now: Time) -> Result<Option<AlertRow>, OutboxError> {
        let sql = "UPDATE alert SET acked_at = ?2, acked_by = ?3, state = iif(lasts, 'acknowledged', 'resolved'),
                       resolved_at = iif(lasts, NULL, ?2), resolved_told = 1 - lasts
                   WHERE id = ?1 AND state = 'open'";
        self.transact(|transaction| transaction.execute(sql, params![id, now.micros(), by]))?;
        self.alert(id)
    }

    /// Ends alerts that are over with their moment, are not critical and have not come again for `quiet`. Gives how many.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn expire(&mut self, quiet: Span, now: Time) -> Result<usize, OutboxError> {
        let sql = "UPDATE alert SET state = 'resolved', resolved_at = ?1
                   WHERE state <> 'resolved' AND lasts = 0 AND severity <> 'critical'
                     AND max(last_at, queued_at) < iif(told_at IS NULL, ?3, ?2)";
        let (quiet, never_told) = ((now - quiet).micros(), (now - NEVER_TOLD).micros());
        self.transact(|transaction| transaction.execute(sql, [now.micros(), quiet, never_told]))
    }
}

fn read(row: &Row<'_>) -> Result<AlertRow, rusqlite::Error> {
    let count = |name: &str| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(name)?).unwrap_or_default());
    let state = match row.get::<_, String>("state")?.as_str() {
        "open" => AlertState::Open,
        "acknowledged" => AlertState::Acknowledged,
        _ => AlertState::Resolved,
    };
    Ok(AlertRow {
        id: row.get("id")?,
        key: row.get("key")?,
        rule: row.get("rule")?,
        severity: severity(row, "severity")?,
        title: row.get("title")?,
        text: row.get("text")?,
        fields: json(row, "fields")?,
        source: row.get("source")?,
        state,
        lasts: row.get("lasts")?,
        late: row.get("late")?,
        raised_at: time(row, "raised_at")?,
        since: time(row, "since")?,
        last_at: time(row, "last_at")?,
        queued_at: time(row, "queued_at")?,
        count: count("count")?,
        parts: json(row, "parts")?,
        told_at: maybe_time(row, "told_at")?,
        told_count: count("told_count")?,
        told_severity: row.get::<_, Option<String>>("told_severity")?.and_then(|name| Severity::named(&name)),
        acked_at: maybe_time(row, "acked_at")?,
        acked_by: row.get("acked_by")?,
        resolved_at: maybe_time(row, "resolved_at")?,
        resolved_told: row.get("resolved_told")?,
        unresolved_after: row.get::<_, Option<i64>>("unresolved_after")?.map(Span::from_micros),
        then: row.get::<_, Option<String>>("consequence")?.and_then(|name| Then::named(&name)),
        consequence_at: maybe_time(row, "consequence_at")?,
    })
}

/// What an occurrence does to the alert of its key that is there.
enum Fate {
    New,
    /// It goes on.
    Again(AlertRow),
    /// It had ended a moment ago: the same alert, told when it would have been told again.
    Back(AlertRow),
}

fn fate(before: Option<AlertRow>, reopen: Span, now: Time) -> Fate {
    match before {
        None => Fate::New,
        Some(row) if row.state != AlertState::Resolved => Fate::Again(row),
        Some(row) => {
            // What flaps faster than a message is made has been told to nobody yet, and is the same all the same.
            let is_fresh = row.told_at.or(row.resolved_at).is_some_and(|then| then <= now && now - then < reopen);
            // Who was told that it is over must hear that it is not.
            if is_fresh && !row.resolved_told { Fate::Back(row) } else { Fate::New }
        }
    }
}

fn take_one(transaction: &Transaction<'_>, raise: &Raise, reopen: Span, is_late: bool, now: Time) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare_cached("SELECT * FROM alert WHERE key = ?1 ORDER BY id DESC LIMIT 1")?;
    let before = statement.query_row([&raise.key], read).optional()?;
    let fields: BTreeMap<String, String> =
        raise.fields.iter().take(FIELDS_MAX).map(|(name, value)| (name.clone(), cut(value, FIELD_CHARS_MAX))).collect();
    let (row, is_back) = match fate(before, reopen, now) {
        Fate::New => return insert(transaction, raise, &to_json(&fields), is_late, now),
        Fate::Again(row) => (row, false),
        Fate::Back(row) => (row, true),
    };
    let is_worse = raise.severity > row.severity;
    let mut parts = row.parts;
    if parts.len() < PARTS_MAX {
        parts.extend(raise.part.clone());
    }
    let state = if is_back || is_worse { AlertState::Open } else { row.state };
    let since = if is_back { raise.at } else { row.since };
    // It waits for its message since it became worth one: the first of a new count, or what made it worse.
    let is_news = row.told_at.is_some() && (is_back || is_worse || row.count == row.told_count);
    let queued_at = if is_news { now } else { row.queued_at };
    let sql = "UPDATE alert SET severity = :severity, title = :title, text = :text, fields = :fields, source = :source,
                   state = :state, since = :since, last_at = max(last_at, :at), queued_at = :queued, count = count + 1,
                   parts = :parts, resolved_at = NULL, resolved_told = 0,
                   consequence_at = iif(:back, NULL, consequence_at) WHERE id = :id";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":severity": raise.severity.max(row.severity).name(), ":title": cut(&raise.title, TITLE_CHARS_MAX),
        ":text": cut(&raise.text, TEXT_CHARS_MAX), ":fields": to_json(&fields), ":source": raise.source,
        ":state": state.name(), ":since": since.micros(), ":at": raise.at.micros(), ":queued": queued_at.micros(),
        ":parts": to_json(&parts), ":back": is_back, ":id": row.id,
    })?;
    Ok(())
}

fn insert(transaction: &Transaction<'_>, raise: &Raise, fields: &str, is_late: bool, now: Time) -> Result<(), rusqlite::Error> {
    let sql =
        "INSERT INTO alert (key, rule, severity, title, text, fields, source, state, lasts, late, raised_at, since, last_at,
                   queued_at, count, parts, unresolved_after, consequence)
               VALUES (:key, :rule, :severity, :title, :text, :fields, :source, 'open', :lasts, :late, :at, :at, :at,
                   :now, 1, :parts, :after, :then)";
    let parts: BTreeSet<&String> = raise.part.iter().collect();
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":key": raise.key, ":rule": raise.rule, ":severity": raise.severity.name(),
        ":title": cut(&raise.title, TITLE_CHARS_MAX), ":text": cut(&raise.text, TEXT_CHARS_MAX), ":fields": fields,
        ":source": raise.source, ":lasts": raise.lasts, ":late": is_late, ":at": raise.at.micros(), ":now": now.micros(),
        ":parts": to_json(&parts), ":after": raise.unresolved.map(|(after, _)| after.micros()),
        ":then": raise.unresolved.map(|(_, then)| then.name()),
    })?;
    Ok(())
}

fn settle(transaction: &Transaction<'_>, key: &str, part: Option<&str>, now: Time) -> Result<(), rusqlite::Error> {
    let sql = "SELECT * FROM alert WHERE key = ?1 AND state <> 'resolved'";
    let Some(row) = transaction.prepare_cached(sql)?.query_row([key], read).optional()? else { return Ok(()) };
    let mut left = row.parts;
    if let Some(part) = part {
        left.remove(part);
    }
    let sql = if part.is_some() && !left.is_empty() {
        "UPDATE alert SET parts = ?2 WHERE id = ?1 AND ?3 IS NOT NULL"
    } else {
        "UPDATE alert SET parts = ?2, state = 'resolved', resolved_at = ?3 WHERE id = ?1"
    };
    transaction.prepare_cached(sql)?.execute(params![row.id, to_json(&left), now.micros()]).map(drop)
}

fn settle_all(transaction: &Transaction<'_>, prefix: &str, now: Time) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE alert SET state = 'resolved', resolved_at = ?2
               WHERE state <> 'resolved' AND substr(key, 1, length(?1)) = ?1";
    transaction.prepare_cached(sql)?.execute(params![prefix, now.micros()]).map(drop)
}

/// The oldest that are not critical go for what is new. What is critical stays, however many.
fn make_room(transaction: &Transaction<'_>, now: Time) -> Result<(), rusqlite::Error> {
    let standing: i64 = transaction.query_row("SELECT count(*) FROM alert WHERE state <> 'resolved'", [], |row| row.get(0))?;
    if standing <= STANDING_MAX {
        return Ok(());
    }
    let sql = "UPDATE alert SET state = 'resolved', resolved_at = ?1, resolved_told = 1 WHERE id IN
                   (SELECT id FROM alert WHERE state <> 'resolved' AND severity <> 'critical' ORDER BY id LIMIT ?2)";
    transaction.execute(sql, params![now.micros(), standing - STANDING_MAX]).map(drop)
}

fn follow(transaction: &Transaction<'_>, followed: Followed) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO followed (log, sequence, news_from) VALUES ('state.db', ?1, ?2)
               ON CONFLICT (log) DO UPDATE SET sequence = ?1, news_from = ?2";
    transaction.execute(sql, params![followed.sequence as i64, followed.news_from.micros()]).map(drop)
}

/// At most `max` characters; what was cut shows it.
fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max - 1).chain(['…']).collect(),
    }
}
