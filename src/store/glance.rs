//! A look at a journal that another program may hold: it reads, takes no lock and changes nothing.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::journal::{Holder, Journal, JournalError, LadderStep, LogQuery, LogRow, OrderEntry, Standing, Verified};
use crate::domain::ClientOrderId;

/// A journal to look at.
#[derive(Debug)]
pub struct Glance(Journal);

impl Glance {
    /// Looks into `folder`. `None` before the first run.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn at(folder: &Path) -> Result<Option<Self>, JournalError> {
        Ok(Journal::look(folder)?.map(Self))
    }

    /// The pipelines that have an account here, each with its mode.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn accounts(&self) -> Result<Vec<String>, JournalError> {
        self.0.accounts()
    }

    /// Where an account stands.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn standing<S: DeserializeOwned>(&self, account: &str) -> Result<Option<Standing<S>>, JournalError> {
        self.0.standing(account)
    }

    /// A small thing kept from an earlier run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, JournalError> {
        self.0.kept(name)
    }

    /// Where the profile stands on its ladder; `None` where it never left the first step.
    ///
    /// # Errors
    /// When the journal cannot be read, or says another step than its log.
    pub fn ladder_step(&self) -> Result<Option<LadderStep>, JournalError> {
        self.0.ladder_step()
    }

    /// The id of the newest run that came to an end.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_run(&self) -> Result<Option<String>, JournalError> {
        self.0.last_run()
    }

    /// Orders of an account that have not ended, by their ids.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn open_orders(&self, account: &str) -> Result<Vec<OrderEntry>, JournalError> {
        self.0.open_orders(account)
    }

    /// The newest orders of an account, ended or not, the newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn orders(&self, account: &str, limit: u32) -> Result<Vec<OrderEntry>, JournalError> {
        self.0.orders(account, limit)
    }

    /// One order; `None` when there never was an intent of this id.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn order(&self, id: ClientOrderId) -> Result<Option<OrderEntry>, JournalError> {
        self.0.order(id)
    }

    /// What the newest run said of itself when it began.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_manifest(&self) -> Result<Option<String>, JournalError> {
        self.0.last_manifest()
    }

    /// Who claimed an account last: most likely whoever holds the journal now.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn holder(&self) -> Result<Option<Holder>, JournalError> {
        self.0.holder()
    }

    /// The rows of the log that `query` asks for, the newest last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log(&self, query: &LogQuery) -> Result<Vec<LogRow>, JournalError> {
        self.0.log(query)
    }

    /// Rows of these kinds behind `after` and up to `until`, at most `limit` of them, the oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log_between(&self, after: u64, until: u64, kinds: &[&str], limit: u32) -> Result<Vec<LogRow>, JournalError> {
        self.0.log_between(after, until, kinds, limit)
    }

    /// What a run said of itself when it began.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn manifest(&self, run: &str) -> Result<Option<String>, JournalError> {
        self.0.manifest(run)
    }

    /// How many rows the log has.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn log_rows(&self) -> Result<u64, JournalError> {
        self.0.log_rows()
    }

    /// The journal itself, for whoever only reads.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.0
    }

    /// Looks whether every page, every row of the log and every table is what was written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        self.0.verify(progress)
    }

    /// Copies the journal to `path` and looks the copy over.
    ///
    /// # Errors
    /// As [`Journal::backup`].
    pub fn backup(&self, path: &Path, progress: impl FnMut(u64)) -> Result<Verified, JournalError> {
        self.0.backup(path, progress)
    }
}
