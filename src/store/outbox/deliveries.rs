//! Messages on their way: one row for each receiver, until the receiver has confirmed it or nobody tries any more.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, named_params, params};
use serde::Serialize;

use super::{Outbox, OutboxError, json, maybe_time, severity, time, to_json};
use crate::domain::Time;
use crate::telemetry::Severity;

/// Messages that wait at once; beyond it the oldest that is not critical is dropped: ALERT-3.
pub const DELIVERIES_MAX: i64 = 10_000;
/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 300;

/// A message that is to be made of alerts, and to whom it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    pub route: String,
    pub receivers: Vec<String>,
    /// One of news, repeat, resolved.
    pub kind: &'static str,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    pub fields: Vec<(String, String)>,
    /// When it happened.
    pub at: Time,
    pub alerts: Vec<i64>,
}

/// That a route was told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub route: String,
    pub severity: Severity,
    pub at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// Nobody tries any more.
    Failed,
    /// It had to make room.
    Dropped,
}

impl DeliveryState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// A message for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    pub id: i64,
    /// The message's name: the same at every receiver and in every try.
    pub message: String,
    pub route: String,
    pub receiver: String,
    pub kind: String,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    pub fields: Vec<(String, String)>,
    pub alerts: Vec<i64>,
    pub at: Time,
    pub created_at: Time,
    pub tries: u32,
    pub next_try_at: Time,
    pub state: DeliveryState,
    pub ended_at: Option<Time>,
    /// What went wrong last.
    pub error: Option<String>,
    pub fallback_of: Option<i64>,
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// It is tried again then.
    Later {
        why: String,
        next_try_at: Time,
    },
    /// It is not tried again.
    Failed {
        why: String,
    },
}

impl Outbox {
    /// Puts messages into the queue and notes that their alerts are told, all of it or nothing. Gives how many others had to go.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn queue(&mut self, tellings: &[Telling], now: Time) -> Result<usize, OutboxError> {
        self.transact(|transaction| {
            for telling in tellings {
                let message = name_of(transaction, now)?;
                for receiver in &telling.receivers {
                    put(transaction, telling, &message, receiver, now)?;
                }
                let mark = match telling.kind {
                    "resolved" => "UPDATE alert SET resolved_told = 1 WHERE id = ?1 AND ?2 IS NOT NULL",
                    _ => {
                        "UPDATE alert SET told_at = ?2, told_count = count, told_severity = severity,
                                 resolved_told = state = 'resolved' WHERE id = ?1"
                    }
                };
                let mut mark = transaction.prepare_cached(mark)?;
                for alert in &telling.alerts {
                    mark.execute(params![alert, now.micros()])?;
                }
            }
            make_room(transaction, now)
        })
    }

    /// Puts a message that was sent already beside the others: a test by hand.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn note_sent(&mut self, telling: &Telling, outcome: &Outcome, now: Time) -> Result<(), OutboxError> {
        let receiver = telling.receivers.first().cloned().unwrap_or_default();
        let id = self.transact(|transaction| {
            let message = name_of(transaction, now)?;
            put(transaction, telling, &message, &receiver, now)
        })?;
        self.settle_delivery(id, outcome, now)
    }

    /// Messages that wait, the most urgent of each receiver first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn pending(&self) -> Result<Vec<DeliveryRow>, OutboxError> {
        let sql = "SELECT * FROM delivery WHERE state = 'pending' ORDER BY severity = 'critical' DESC, id";
        self.rows(sql, [], read)
    }

    /// Messages that were made or ended since then, the oldest first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn deliveries_since(&self, since: Time) -> Result<Vec<DeliveryRow>, OutboxError> {
        self.rows("SELECT * FROM delivery WHERE created_at >= ?1 OR ended_at >= ?1 ORDER BY id", [since.micros()], read)
    }

    /// Messages about an alert, the oldest first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn deliveries_of(&self, alert: i64) -> Result<Vec<DeliveryRow>, OutboxError> {
        let sql = "SELECT * FROM delivery WHERE EXISTS (SELECT 1 FROM json_each(alerts) WHERE value = ?1) ORDER BY id";
        self.rows(sql, [alert], read)
    }

    /// Which routes were told what since then.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn told_since(&self, since: Time) -> Result<Vec<Told>, OutboxError> {
        let sql = "SELECT route, severity, min(created_at) AS created_at FROM delivery
                   WHERE created_at >= ?1 AND kind <> 'test' AND fallback_of IS NULL GROUP BY message ORDER BY min(id)";
        let read = |row: &Row<'_>| {
            Ok(Told { route: row.get("route")?, severity: severity(row, "severity")?, at: time(row, "created_at")? })
        };
        self.rows(sql, [since.micros()], read)
    }

    /// Writes down what became of a try.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn settle_delivery(&mut self, id: i64, outcome: &Outcome, now: Time) -> Result<(), OutboxError> {
        let (state, why, next) = match outcome {
            Outcome::Delivered => (DeliveryState::Delivered, None, None),
            Outcome::Later { why, next_try_at } => (DeliveryState::Pending, Some(why), Some(next_try_at.micros())),
            Outcome::Failed { why } => (DeliveryState::Failed, Some(why), None),
        };
        let why: Option<String> = why.map(|why| why.chars().take(ERROR_CHARS_MAX).collect());
        let ended = (state != DeliveryState::Pending).then_some(now.micros());
        let sql = "UPDATE delivery SET state = ?2, tries = tries + 1, error = coalesce(?3, error),
                       next_try_at = coalesce(?4, next_try_at), ended_at = ?5 WHERE id = ?1 AND state = 'pending'";
        self.transact(|transaction| transaction.execute(sql, params![id, state.name(), why, next, ended]).map(drop))
    }

    /// Sends the message of a delivery to another receiver as well, once. Gives whether this call did.
    ///
    /// # Errors
    /// When the outbox cannot be written.
    pub fn fall_back(&mut self, id: i64, receiver: &str, now: Time) -> Result<bool, OutboxError> {
        let sql = "INSERT INTO delivery (message, route, receiver, kind, severity, title, text, fields, alerts, at, created_at,
                       next_try_at, state, fallback_of)
                   SELECT message, route, ?2, kind, severity, title, text, fields, alerts, at, ?3, ?3, 'pending', id
                   FROM delivery AS before WHERE id = ?1 AND NOT EXISTS
                       (SELECT 1 FROM delivery WHERE message = before.message AND receiver = ?2)";
        self.transact(|transaction| Ok(transaction.execute(sql, params![id, receiver, now.micros()])? == 1))
    }

    /// The last word of each receiver: is the newest message that was tried there delivered?
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn receivers_well(&self) -> Result<BTreeMap<String, bool>, OutboxError> {
        let sql = "SELECT receiver, state, max(id) FROM delivery WHERE tries > 0 GROUP BY receiver";
        let read = |row: &Row<'_>| Ok((row.get::<_, String>("receiver")?, row.get::<_, String>("state")? == "delivered"));
        Ok(self.rows(sql, [], read)?.into_iter().collect())
    }
}

/// A name that no other message of this outbox has.
fn name_of(transaction: &Transaction<'_>, now: Time) -> Result<String, rusqlite::Error> {
    let last: i64 = transaction.query_row("SELECT coalesce(max(id), 0) FROM delivery", [], |row| row.get(0))?;
    Ok(format!("{:x}-{last:x}", now.micros()))
}

fn put(
    transaction: &Transaction<'_>,
    telling: &Telling,
    message: &str,
    receiver: &str,
    now: Time,
) -> Result<i64, rusqlite::Error> {
    let sql = "INSERT INTO delivery (message, route, receiver, kind, severity, title, text, fields, alerts, at, created_at,
                   next_try_at, state)
               VALUES (:message, :route, :receiver, :kind, :severity, :title, :text, :fields, :alerts, :at, :now, :now,
                   'pending')";
    transaction.prepare_cached(sql)?.execute(named_params! {
        ":message": message, ":route": telling.route, ":receiver": receiver, ":kind": telling.kind,
        ":severity": telling.severity.name(), ":title": telling.title, ":text": telling.text,
        ":fields": to_json(&telling.fields), ":alerts": to_json(&telling.alerts), ":at": telling.at.micros(),
        ":now": now.micros(),
    })?;
    Ok(transaction.last_insert_rowid())
}

/// ALERT-3: the oldest that is not critical goes.
fn make_room(transaction: &Transaction<'_>, now: Time) -> Result<usize, rusqlite::Error> {
    let waiting: i64 = transaction.query_row("SELECT count(*) FROM delivery WHERE state = 'pending'", [], |row| row.get(0))?;
    if waiting <= DELIVERIES_MAX {
        return Ok(0);
    }
    let sql = "UPDATE delivery SET state = 'dropped', ended_at = ?1, error = 'too many messages were waiting' WHERE id IN
                   (SELECT id FROM delivery WHERE state = 'pending' AND severity <> 'critical' ORDER BY id LIMIT ?2)";
    transaction.execute(sql, params![now.micros(), waiting - DELIVERIES_MAX])
}

fn read(row: &Row<'_>) -> Result<DeliveryRow, rusqlite::Error> {
    let state = match row.get::<_, String>("state")?.as_str() {
        "pending" => DeliveryState::Pending,
        "delivered" => DeliveryState::Delivered,
        "dropped" => DeliveryState::Dropped,
        _ => DeliveryState::Failed,
    };
    Ok(DeliveryRow {
        id: row.get("id")?,
        message: row.get("message")?,
        route: row.get("route")?,
        receiver: row.get("receiver")?,
        kind: row.get("kind")?,
        severity: severity(row, "severity")?,
        title: row.get("title")?,
        text: row.get("text")?,
        fields: json(row, "fields")?,
        alerts: json(row, "alerts")?,
        at: time(row, "at")?,
        created_at: time(row, "created_at")?,
        tries: row.get("tries")?,
        next_try_at: time(row, "next_try_at")?,
        state,
        ended_at: maybe_time(row, "ended_at")?,
        error: row.get("error")?,
        fallback_of: row.get("fallback_of")?,
    })
}
