//! The profile's rules over the program's own figures, the dead man's switch, and what follows when an alert stays unresolved.

use std::process::{Child, Command, Stdio};

use super::super::Context;
use super::super::alerting::Alerting;
use super::super::exit::Failure;
use super::super::work::Workplace;
use crate::domain::{Span, Time};
use crate::notify::Beat;
use crate::stage::alert::rules::{Reading, RuleBook};
use crate::store::outbox::Outbox;

/// Rules are looked at so often; the shortest of the shipped ones holds for ten seconds.
const LOOK_EVERY: Span = Span::from_secs(5);
/// The dead man's switch is told so often that all is well.
const BEAT_EVERY: Span = Span::from_secs(60);
/// Under this name the outbox keeps which rules hold.
const BOOK: &str = "rules";

/// What is watched while an account is held.
pub(super) struct Watch {
    book: RuleBook,
    outbox: Outbox,
    looked_at: Option<Time>,
    beaten_at: Time,
    /// A rollback that an alert has begun.
    rollback: Option<Child>,
}

/// What one look has come to.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Critical alerts that stand unresolved.
    pub criticals: usize,
    /// For people.
    pub lines: Vec<String>,
}

impl Watch {
    /// Takes up the rules that held when the last program ended.
    ///
    /// # Errors
    /// When the outbox cannot be opened.
    pub(super) fn open(place: &Workplace, now: Time) -> Result<Self, Failure> {
        let outbox = Outbox::open(&place.runs)?;
        let book = outbox.kept(BOOK)?.unwrap_or_default();
        Ok(Self { book, outbox, looked_at: None, beaten_at: now, rollback: None })
    }

    /// Looks at the rules when it is time. `None`: it is not.
    ///
    /// # Errors
    /// When the outbox cannot be read or written.
    pub(super) fn look(
        &mut self,
        context: &Context,
        place: &Workplace,
        alerting: &Alerting,
        readings: impl FnOnce() -> Vec<Reading>,
        now: Time,
    ) -> Result<Option<Seen>, Failure> {
        // A clock that went back must not stop the looking.
        if self.looked_at.is_some_and(|at| now >= at && now - at < LOOK_EVERY) {
            return Ok(None);
        }
        self.looked_at = Some(now);
        if now - self.beaten_at >= BEAT_EVERY || now < self.beaten_at {
            self.beaten_at = now;
            alerting.beat(Beat::Well);
        }
        let words = self.book.observe(&place.plan.alert().rules, &readings(), now);
        if !words.is_empty() {
            // Were it lost, an alert of a rule that holds no more would never end.
            self.outbox.keep(BOOK, &self.book)?;
        }
        words.into_iter().for_each(|word| alerting.say(word));
        let mut seen = Seen { criticals: self.outbox.unresolved_critical(now)?.len(), lines: Vec::new() };
        self.follow(context, place, now, &mut seen)?;
        Ok(Some(seen))
    }

    /// Begins the rollback of an alert that was unresolved for too long: the verb itself, which borrows the account like any other.
    fn follow(&mut self, context: &Context, place: &Workplace, now: Time, seen: &mut Seen) -> Result<(), Failure> {
        if let Some(child) = &mut self.rollback {
            match child.try_wait()? {
                Some(status) => seen.lines.push(format!("the rollback that an alert began has ended: {status}")),
                None => return Ok(()),
            }
            self.rollback = None;
        }
        if !place.profile.rolls_back_on_alerts() {
            return Ok(());
        }
        for alert in self.outbox.due_rollbacks(now)? {
            // Of several programs one does it, once.
            if !self.outbox.take_up(alert.id, now)? {
                continue;
            }
            let reason = format!("alert {} was unresolved since {}", alert.key, alert.since);
            let child = Command::new(std::env::current_exe()?)
                .args(["rollback", "--profile", place.profile.name(), "--alert", &alert.key, "--reason", &reason, "--root"])
                .arg(&context.root)
                .stdin(Stdio::null())
                .spawn()?;
            seen.lines.push(format!("{reason}: rollback begins, as its rule says (process {})", child.id()));
            self.rollback = Some(child);
            // One at a time; what else is due is in the same trouble.
            break;
        }
        Ok(())
    }
}
