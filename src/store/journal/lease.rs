//! Who may act on an account: a lease with a term, and a token that grows with each claim and stands in every intent.
//!
//! On one machine the lock of the folder already keeps a second program out. The lease is for what a lock cannot see: a program
//! that was suspended and wakes long after, a folder that two machines share, a copy of the journal that was started elsewhere.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::scribe::Stop;
use super::{Journal, JournalError};
use crate::domain::{Span, Time};

/// How long a lease lasts without a renewal.
pub const TERM: Span = Span::from_secs(30);
/// How often its holder renews it.
pub const RENEW_EVERY: Span = Span::from_secs(10);
const _: () = assert!(RENEW_EVERY.micros() * 2 < TERM.micros(), "one renewal may come late");
/// The kind of the log's rows about claims.
const CLAIM: &str = "lease-claimed";

/// A program on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub host: String,
    pub pid: u32,
    pub started_at: Time,
}

impl Holder {
    /// The program that asks.
    #[must_use]
    pub fn this_process(now: Time) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host, pid: std::process::id(), started_at: now }
    }
}

/// The right to act on an account, until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub account: String,
    pub token: u64,
}

/// A lease of ours, and until when it lasts.
#[derive(Debug, Clone)]
pub(super) struct Held {
    lease: Lease,
    until: Time,
}

/// What stands in the table.
struct Claimed {
    token: u64,
    holder: Holder,
    renewed_at: Time,
}

fn claimed(db: &Connection, account: &str) -> Result<Option<Claimed>, rusqlite::Error> {
    let sql = "SELECT token, host, pid, started_at, renewed_at FROM lease WHERE account = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let holder = Holder { host: row.get(1)?, pid: row.get(2)?, started_at: Time::from_micros(row.get(3)?) };
        Ok(Claimed { token: row.get::<_, i64>(0)? as u64, holder, renewed_at: Time::from_micros(row.get(4)?) })
    };
    db.prepare_cached(sql)?.query_row([account], read).optional()
}

fn lost(account: &str, why: &str) -> JournalError {
    JournalError::Lost { account: account.to_owned(), why: why.to_owned() }
}

/// May an intent of `account` be written now? Gives the token that goes with it; an account that nobody ever claimed has none.
pub(super) fn check(db: &Connection, account: &str, leases: &[Held], now: Time) -> Result<Option<u64>, Stop> {
    let held = leases.iter().find(|held| held.lease.account == account);
    match (claimed(db, account)?, held) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(lost(account, "it was never claimed by this program").into()),
        (None, Some(_)) => Err(lost(account, "the claim is gone").into()),
        (Some(claimed), Some(held)) => {
            still_ours(&claimed, held, now)?;
            Ok(Some(held.lease.token))
        }
    }
}

fn still_ours(claimed: &Claimed, held: &Held, now: Time) -> Result<(), JournalError> {
    if claimed.token != held.lease.token {
        let why = format!("{} on {} claimed it", claimed.holder.pid, claimed.holder.host);
        return Err(lost(&held.lease.account, &why));
    }
    if now >= held.until {
        // Whatever was known of the venue is as old as the last renewal.
        let why = format!("it was not renewed in time; it ended at {}", held.until);
        return Err(lost(&held.lease.account, &why));
    }
    Ok(())
}

impl Journal {
    /// Claims an account: nobody else may act on it before the lease ends. A claim on the machine of the last holder comes through at
    /// once: whoever has the lock of the folder knows that the other is gone.
    ///
    /// # Errors
    /// [`JournalError::Held`] while a program of another machine holds it; otherwise as [`Self::write`].
    pub fn claim(&mut self, account: &str, holder: &Holder, now: Time) -> Result<Lease, JournalError> {
        let token = self.transact(|scribe| {
            let before = claimed(&scribe.transaction, account)?;
            if let Some(before) = before.as_ref().filter(|before| before.holder.host != holder.host) {
                let until = before.renewed_at.saturating_add(TERM);
                if now < until {
                    let holder = format!("process {} on {}", before.holder.pid, before.holder.host);
                    return Err(JournalError::Held { account: account.to_owned(), holder, until }.into());
                }
            }
            let token = before.map_or(0, |before| before.token) + 1;
            let row = json!({ "account": account, "token": token, "host": holder.host, "pid": holder.pid });
            scribe.append_json(now, CLAIM, None, &row)?;
            let sql = "INSERT INTO lease (account, token, host, pid, started_at, renewed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                       ON CONFLICT (account) DO UPDATE SET token = ?2, host = ?3, pid = ?4, started_at = ?5, renewed_at = ?6";
            let values = params![account, token as i64, holder.host, holder.pid, holder.started_at.micros(), now.micros()];
            scribe.transaction.prepare_cached(sql)?.execute(values)?;
            Ok(token)
        })?;
        let lease = Lease { account: account.to_owned(), token };
        self.leases.retain(|held| held.lease.account != account);
        self.leases.push(Held { lease: lease.clone(), until: now.saturating_add(TERM) });
        Ok(lease)
    }

    /// Who claimed an account last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn holder(&self) -> Result<Option<Holder>, JournalError> {
        let sql = "SELECT host, pid, started_at FROM lease ORDER BY renewed_at DESC LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Holder { host: row.get(0)?, pid: row.get(1)?, started_at: Time::from_micros(row.get(2)?) })
        };
        self.db.query_row(sql, [], read).optional().map_err(self.sqlite())
    }

    /// Prolongs a lease.
    ///
    /// # Errors
    /// [`JournalError::Lost`] when it has ended, whether or not another claimed it since: pause, reconcile, claim anew.
    pub fn renew(&mut self, lease: &Lease, now: Time) -> Result<(), JournalError> {
        let Some(held) = self.leases.iter().position(|held| held.lease == *lease) else {
            return Err(lost(&lease.account, "it was claimed anew"));
        };
        let ours = self.leases[held].clone();
        self.transact(|scribe| {
            let Some(claimed) = claimed(&scribe.transaction, &lease.account)? else {
                return Err(lost(&lease.account, "the claim is gone").into());
            };
            still_ours(&claimed, &ours, now)?;
            let sql = "UPDATE lease SET renewed_at = ?2 WHERE account = ?1";
            scribe.transaction.prepare_cached(sql)?.execute(params![lease.account, now.micros()])?;
            Ok(())
        })?;
        self.leases[held].until = now.saturating_add(TERM);
        Ok(())
    }
}
