//! Documents that were edited while the program runs: what is tighter counts at once, everything else waits for a person.

use std::sync::Arc;

use serde_json::json;

use super::super::exit::Failure;
use super::super::output::print_err;
use super::super::select::Select;
use super::super::standing;
use super::super::table::to_second;
use super::super::work::Workplace;
use super::account::Account;
use super::daemon::Daemon;
use crate::risk::Limits;
use crate::store::journal::Journal;

/// The documents of one pipeline, as they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// Fingerprints of profile and pipeline; an error by its words.
    seen: String,
    /// What they were tightened to since the program began.
    limits: Option<Limits>,
}

impl Daemon<'_> {
    /// Looks at the documents of a pipeline again. They were right when the program began; if they are not any more, it goes on
    /// with what it has and says so.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn reload(&mut self, account: &mut Account<'_>, pipeline: usize, select: &Select) -> Result<(), Failure> {
        let place = self.places[pipeline].clone();
        let found = select.resolve(self.context, Some(place.plan.name()));
        let now = match &found {
            Ok(found) => format!("{} {}", found.profile.fingerprint(), found.plan.fingerprint()),
            Err(failure) => failure.error.to_string(),
        };
        let begun = format!("{} {}", place.profile.fingerprint(), place.plan.fingerprint());
        let documents = &mut self.documents[pipeline];
        if documents.seen == now || (documents.seen.is_empty() && now == begun) {
            return Ok(());
        }
        documents.seen = now;
        match found {
            Ok(mut found) => {
                // By where the profile stands: what the ladder has raised was not edited.
                standing::stand(self.context, &mut found.profile)?;
                self.tighten(account, pipeline, &place, found.profile.limits())
            }
            Err(_) => {
                let profile = place.profile.name();
                self.say(&format!(
                    "the documents of {profile} are wrong now; what runs goes on as it began: see `tidegate check -p {profile}`"
                ));
                Ok(())
            }
        }
    }

    /// Puts a pipeline where its profile stands by now: the step of its ladder, limits that a person has lowered.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub(super) fn settle(&mut self, journal: &mut Journal, pipeline: usize) -> Result<(), Failure> {
        let mut place = Workplace::clone(&self.places[pipeline]);
        for line in place.settle(journal, self.now())? {
            self.say(&line);
        }
        if let Some(limits) = &self.documents[pipeline].limits {
            place.trader.desk.gate.tighten(limits);
        }
        self.places[pipeline] = Arc::new(place);
        Ok(())
    }

    /// The same beside an account that is held: what is lower counts at once, what is higher when it is taken up again.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub(super) fn settle_down(&mut self, account: &mut Account<'_>, pipeline: usize) -> Result<(), Failure> {
        self.settle(account.journal(), pipeline)?;
        tighten(account, pipeline, self.places[pipeline].trader.desk.gate.limits());
        Ok(())
    }

    fn tighten(&mut self, account: &mut Account<'_>, pipeline: usize, place: &Workplace, limits: &Limits) -> Result<(), Failure> {
        let before = place.trader.desk.gate.limits().clone();
        let after = before.tightest(limits);
        let changes = before.differences(&after);
        let mut words: Vec<String> = changes.iter().map(|(name, from, to)| format!("{name} {from} -> {to}")).collect();
        if !changes.is_empty() {
            let now = self.now();
            let body = json!({ "pipeline": place.plan.name(), "changes": words });
            account.note("tightened", body, now)?;
            let mut tightened = place.clone();
            tightened.trader.desk.gate.tighten(&after);
            self.places[pipeline] = Arc::new(tightened);
            self.documents[pipeline].limits = Some(after.clone());
            tighten(account, pipeline, &after);
        }
        let count = words.len();
        words.truncate(4);
        let tighter = match count {
            0 => "nothing in it is tighter".to_owned(),
            _ => format!("tighter from now on: {}", words.join(", ")),
        };
        self.say(&format!(
            "the documents of {} were edited: {tighter}; whatever else was changed waits for the next start",
            place.profile.name()
        ));
        Ok(())
    }

    /// A line for people.
    pub(super) fn say(&self, what: &str) {
        print_err(&format!("{}  {what}\n", to_second(self.now())));
    }
}

/// An account on a real venue goes on under limits that are nowhere looser.
fn tighten(account: &mut Account<'_>, pipeline: usize, limits: &Limits) {
    if let Account::Venue(on) = account
        && on.pipeline == pipeline
    {
        on.driver.tighten(limits);
    }
}
