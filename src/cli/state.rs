//! What stands on top of a profile now: whether its accounts trade, by their journal.

use serde_json::{Value as Json, json};

use super::Context;
use super::exit::Failure;
use crate::domain::Time;
use crate::profile::Profile;
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;

/// The accounts of a profile, in the order of their names.
pub struct State {
    profile: String,
    step: u32,
    accounts: Vec<Account>,
}

struct Account {
    /// Pipeline and mode: `trend@paper`.
    name: String,
    watermark: Time,
    trading: Trading,
}

enum Trading {
    Active,
    Paused { until: Time },
    Halted { cause: &'static str, since: Time },
}

impl State {
    /// Looks into the journal of a profile that stands where it says; one that has never run has no accounts.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn of(context: &Context, profile: &Profile) -> Result<Self, Failure> {
        let mut state = Self { profile: profile.name().to_owned(), step: profile.step(), accounts: Vec::new() };
        let Some(glance) = Glance::at(&context.root.join(&profile.storage().runs).join(profile.name()))? else {
            return Ok(state);
        };
        for name in glance.accounts()? {
            let Some(standing) = glance.standing::<TraderState>(&name)? else { continue };
            let (watermark, snapshot) = (standing.watermark, standing.snapshot);
            let trading = match (snapshot.halt(), snapshot.paused_until()) {
                (Some(halt), _) => Trading::Halted { cause: halt.cause.name(), since: halt.at },
                (None, Some(until)) if watermark < until => Trading::Paused { until },
                (None, _) => Trading::Active,
            };
            state.accounts.push(Account { name, watermark, trading });
        }
        Ok(state)
    }

    /// One line for each account, and how to change what can be changed.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |account: &Account| {
            let Account { name, watermark, trading } = account;
            match trading {
                Trading::Active => vec![format!("{name} trades; its last bar opened {watermark}")],
                Trading::Paused { until } => vec![format!("{name} is paused until {until}: no new exposure, exits go on")],
                Trading::Halted { cause, since } => vec![
                    format!("{name} is halted by {cause} since {since}: no new exposure"),
                    format!("`tidegate resume -p {} --reason TEXT` clears it", self.profile),
                ],
            }
        };
        self.accounts.iter().flat_map(line).collect()
    }

    #[must_use]
    pub fn json(&self) -> Json {
        let account = |account: &Account| {
            let (trading, since, until, cause) = match &account.trading {
                Trading::Active => ("active", None, None, None),
                Trading::Paused { until } => ("paused", None, Some(until.to_string()), None),
                Trading::Halted { cause, since } => ("halted", Some(since.to_string()), None, Some(*cause)),
            };
            json!({
                "account": account.name,
                "watermark": account.watermark.to_string(),
                "trading": trading,
                "cause": cause,
                "since": since,
                "until": until,
            })
        };
        json!({ "ladder_step": self.step, "accounts": self.accounts.iter().map(account).collect::<Vec<_>>() })
    }
}
