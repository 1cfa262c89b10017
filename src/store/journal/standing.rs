//! Where a pipeline stands: watermark and snapshot, committed together with the rows that explain them.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::log::{self, Head};
use super::orders::{Entry, Written};
use super::scribe::{Scribe, Stop};
use super::{Journal, JournalError};
use crate::domain::Time;
use crate::store::disk::hex;
use crate::telemetry::record::Records;

/// The kind of the log's rows that say where an account stands.
pub(super) const KIND: &str = "standing";

/// Where a pipeline stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing<S> {
    pub watermark: Time,
    pub fingerprint: String,
    pub snapshot: S,
}

/// What the log says of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stated {
    pub account: String,
    pub watermark: Time,
    pub fingerprint: String,
    /// Of the row of the table; see [`digest`].
    pub sha256: String,
}

/// SHA-256 over all of a row, so that a flipped bit does not become another amount of money.
pub(super) fn digest(account: &str, watermark: Time, fingerprint: &str, snapshot: &str) -> [u8; 32] {
    let mut sum = Sha256::new();
    sum.update(watermark.micros().to_le_bytes());
    for text in [account, fingerprint, snapshot] {
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    sum.finalize().into()
}

/// Puts a standing into its table and into the log.
fn stand<S: Serialize>(scribe: &mut Scribe<'_>, account: &str, standing: &Standing<S>, now: Time) -> Result<(), rusqlite::Error> {
    let snapshot = serde_json::to_string(&standing.snapshot).expect("a snapshot holds no NaN and no odd keys");
    let sum = digest(account, standing.watermark, &standing.fingerprint, &snapshot);
    let (watermark, fingerprint) = (standing.watermark, standing.fingerprint.clone());
    let stated = Stated { account: account.to_owned(), watermark, fingerprint, sha256: hex(&sum) };
    scribe.append_json(now, KIND, None, &stated)?;
    let sql = "INSERT INTO watermark (pipeline, open_time, fingerprint, snapshot, sha256, logged) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (pipeline) DO UPDATE SET open_time = ?2, fingerprint = ?3, snapshot = ?4, sha256 = ?5, logged = ?6";
    let mut statement = scribe.transaction.prepare_cached(sql)?;
    let values = params![account, watermark.micros(), stated.fingerprint, snapshot, sum, scribe.head.sequence as i64];
    statement.execute(values).map(drop)
}

/// For a journal of the first version: what stands in the table is stated in the log.
pub(super) fn seal_all(transaction: &Transaction<'_>, head: &mut Head) -> Result<(), rusqlite::Error> {
    let mut rows = transaction.prepare("SELECT pipeline, open_time, fingerprint, snapshot FROM watermark ORDER BY pipeline")?;
    let rows = rows.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, Time::from_micros(row.get(1)?), row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    })?;
    for (account, watermark, fingerprint, snapshot) in rows.collect::<Result<Vec<_>, _>>()? {
        let sum = digest(&account, watermark, &fingerprint, &snapshot);
        let stated = Stated { account, watermark, fingerprint, sha256: hex(&sum) };
        let body = serde_json::to_string(&stated).expect("text only");
        log::append(transaction, head, watermark, KIND, None, &body)?;
        let sql = "UPDATE watermark SET sha256 = ?2, logged = ?3 WHERE pipeline = ?1";
        transaction.execute(sql, params![stated.account, sum, head.sequence as i64])?;
    }
    Ok(())
}

impl Journal {
    /// Where the pipeline stands; `None` before its first run.
    ///
    /// # Errors
    /// When the journal cannot be read, or holds something else than was written.
    pub fn standing<S: DeserializeOwned>(&self, pipeline: &str) -> Result<Option<Standing<S>>, JournalError> {
        let sql = "SELECT open_time, fingerprint, snapshot, sha256 FROM watermark WHERE pipeline = ?1";
        let row = self.db.query_row(sql, [pipeline], |row| {
            let sum: Option<[u8; 32]> = row.get(3)?;
            Ok((Time::from_micros(row.get(0)?), row.get::<_, String>(1)?, row.get::<_, String>(2)?, sum))
        });
        let Some((watermark, fingerprint, text, sum)) = row.optional().map_err(self.sqlite())? else { return Ok(None) };
        if sum != Some(digest(pipeline, watermark, &fingerprint, &text)) {
            let problem = format!("the snapshot of {pipeline} is not what was written");
            return Err(JournalError::Damaged { path: self.path.clone(), problem });
        }
        let snapshot = self.parse("snapshot", &text)?;
        Ok(Some(Standing { watermark, fingerprint, snapshot }))
    }

    /// The pipeline's watermark and fingerprint without its snapshot.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn watermark(&self, pipeline: &str) -> Result<Option<(Time, String)>, JournalError> {
        self.db
            .query_row("SELECT open_time, fingerprint FROM watermark WHERE pipeline = ?1", [pipeline], |row| {
                Ok((Time::from_micros(row.get(0)?), row.get(1)?))
            })
            .optional()
            .map_err(self.sqlite())
    }

    /// The pipelines that have an account here, each with its mode: `trend@paper`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn accounts(&self) -> Result<Vec<String>, JournalError> {
        let wrong = self.sqlite();
        let mut statement = self.db.prepare("SELECT pipeline FROM watermark ORDER BY pipeline").map_err(&wrong)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(&wrong)?;
        rows.collect::<Result<_, _>>().map_err(&wrong)
    }

    /// Commits rows, watermark and snapshot together.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing of it is there then.
    pub fn commit<S: Serialize>(
        &mut self,
        run: &str,
        pipeline: &str,
        standing: &Standing<S>,
        records: &Records,
    ) -> Result<(), JournalError> {
        // By the time of the bars, so that the same bars make the same log.
        self.commit_with(run, pipeline, standing, records, &[], standing.watermark).map(drop)
    }

    /// The same with entries about orders: an intent stands together with the state that decided it.
    ///
    /// # Errors
    /// As [`Self::commit`] and [`Self::write`]; nothing of it is there then.
    pub fn commit_with<S: Serialize>(
        &mut self,
        run: &str,
        pipeline: &str,
        standing: &Standing<S>,
        records: &Records,
        entries: &[Entry],
        now: Time,
    ) -> Result<Written, JournalError> {
        let leases = std::mem::take(&mut self.leases);
        let done = self.transact(|scribe| {
            log::record(scribe, run, records)?;
            stand(scribe, pipeline, standing, now)?;
            super::orders::enter(scribe, entries, &leases, now)
        });
        self.leases = leases;
        done
    }

    /// Replaces a snapshot by hand and writes why, in one transaction.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing has changed then.
    pub fn resume<S: Serialize>(
        &mut self,
        account: &str,
        standing: &Standing<S>,
        at: Time,
        what: &str,
        reason: &str,
    ) -> Result<(), JournalError> {
        self.amend(account, standing, at, "resume", what, reason)
    }

    /// The same under another kind: what a person does to an account.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn amend<S: Serialize>(
        &mut self,
        account: &str,
        standing: &Standing<S>,
        at: Time,
        kind: &'static str,
        what: &str,
        reason: &str,
    ) -> Result<(), JournalError> {
        let body = serde_json::json!({ "what": format!("{account}: {what}"), "reason": reason });
        self.transact(|scribe| {
            scribe.append_json(at, kind, None, &body)?;
            Ok::<_, Stop>(stand(scribe, account, standing, at)?)
        })
    }
}
