//! A code goes out to a receiver, and a person types it back: proof that whoever has to read alerts does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use super::{Scene, Seen};
use crate::cli::alerting::outbox_failure;
use crate::cli::alerts::to_second;
use crate::cli::exit::Failure;
use crate::cli::output::print_err;
use crate::cli::receipt;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Span, Time};
use crate::notify;
use crate::profile::Check;
use crate::secret::Secrets;
use crate::store::outbox::{Outbox, Receipt};

/// How often the outbox is asked whether somebody has typed.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Each receiver has a code of its own: one that several took would prove nothing of any of them.
///
/// With a terminal it is sent and waited for. Without one nobody would read here what to type: a code that was typed back while the
/// check counts is looked for, and one is sent where none is on its way; the check is made again after that.
pub(super) fn roundtrip(scene: &Scene<'_>, check: &Check, receivers: &[String], ack_within: Span) -> Seen {
    let context = scene.context;
    let is_attended = !context.json && !context.no_input && std::io::stdin().is_terminal();
    let trip = Trip { scene, check, receivers, ack_within };
    trip.made(is_attended).unwrap_or_else(|failure| {
        let name = scene.place.profile.name();
        Seen::fail(format!("{:#}", failure.error), format!("tidegate alerts test -p {name}, and see what it says"))
    })
}

struct Trip<'a> {
    scene: &'a Scene<'a>,
    check: &'a Check,
    receivers: &'a [String],
    ack_within: Span,
}

impl Trip<'_> {
    fn made(&self, is_attended: bool) -> Result<Seen, Failure> {
        let began = SystemClock.now();
        let mut outbox = Outbox::open(&self.scene.place.runs).map_err(outbox_failure)?;
        let from = if is_attended { began } else { began - self.check.valid_for };
        let before = outbox.receipts(from).map_err(outbox_failure)?;
        let state = |receiver: &String| came_to(&before, receiver, self.ack_within, began);
        let wanting = self.receivers.iter().filter(|receiver| state(receiver) == Trace::Nothing);
        if let Some(refused) = self.send(&mut outbox, &wanting.collect())? {
            return Ok(refused);
        }
        if is_attended {
            self.ask(&outbox, from)?;
        }
        let now = SystemClock.now();
        Ok(self.judged(&outbox.receipts(from).map_err(outbox_failure)?, now))
    }

    /// Sends each its code; says which of them did not take it.
    fn send(&self, outbox: &mut Outbox, wanting: &BTreeSet<&String>) -> Result<Option<Seen>, Failure> {
        let profile = &self.scene.place.profile;
        let secrets = Secrets::of_this_process(&self.scene.context.root);
        let all = notify::open_all(&profile.alerts().receivers, &secrets);
        for receiver in all.into_iter().filter(|(name, _)| wanting.contains(name)) {
            let answers = receipt::send(self.scene.context, profile, outbox, &BTreeMap::from([receiver]))?;
            if let Some((receiver, Err(error))) = answers.into_iter().next() {
                let fix = format!("mend it; tidegate alerts test -p {} --receiver {receiver}", profile.name());
                return Ok(Some(Seen::fail(format!("{receiver} did not take the code: {error}"), fix)));
            }
        }
        Ok(None)
    }

    /// Tells what to type where, and waits for it. Ctrl-C ends the program; what was seen before is written down by then.
    fn ask(&self, outbox: &Outbox, from: Time) -> Result<(), Failure> {
        let name = self.scene.place.profile.name();
        print_err(&format!(
            "  a code went to {}. Type it in another terminal, in {}:\n    tidegate alerts ack CODE -p {name}\n  waiting for up to {}; Ctrl-C ends\n",
            self.receivers.join(" and one to "),
            self.scene.context.root.display(),
            self.ack_within,
        ));
        let until = from.saturating_add(self.ack_within);
        let is_typed = |receipts: &[Receipt]| {
            let is_of = |receiver: &String| receipts.iter().any(|r| r.receiver == *receiver && r.confirmed_at.is_some());
            self.receivers.iter().all(is_of)
        };
        while SystemClock.now() < until && !is_typed(&outbox.receipts(from).map_err(outbox_failure)?) {
            self.scene.venue.runtime.block_on(async { tokio::time::sleep(ASK_EVERY).await });
        }
        Ok(())
    }

    fn judged(&self, receipts: &[Receipt], now: Time) -> Seen {
        let name = self.scene.place.profile.name();
        let again = format!("tidegate preflight -p {name} --only {}", self.check.name);
        let traces = self.receivers.iter().map(|receiver| (receiver, came_to(receipts, receiver, self.ack_within, now)));
        let (mut said, mut since) = (Vec::new(), now);
        for (receiver, trace) in traces {
            match trace {
                Trace::Typed { at, after } => {
                    said.push(format!("received by {receiver}, typed back after {}", seconds(after)));
                    since = since.min(at);
                }
                Trace::OnItsWay { sent } => {
                    let said = format!("{receiver} took a code at {}, and nobody has typed it back", to_second(sent));
                    let fix = format!("type what the message says: tidegate alerts ack CODE -p {name}; then {again}");
                    return Seen::fail(said, fix);
                }
                Trace::Nothing => {
                    let said = format!("{receiver} took a code, and nobody typed it back within {}", self.ack_within);
                    return Seen::fail(said, format!("see who reads {receiver}; {again} sends another"));
                }
            }
        }
        Seen { since: Some(since), ..Seen::ok(said.join("; ")) }
    }
}

/// What became of the codes of one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    Typed {
        at: Time,
        after: Span,
    },
    /// It may still be typed.
    OnItsWay {
        sent: Time,
    },
    /// None was sent, or it was typed too late.
    Nothing,
}

/// The newest that was typed back in time counts; else the newest that may be yet.
fn came_to(receipts: &[Receipt], receiver: &str, ack_within: Span, now: Time) -> Trace {
    let of = || receipts.iter().rev().filter(|receipt| receipt.receiver == receiver);
    let typed = |receipt: &Receipt| {
        let (at, after) = receipt.confirmed_at.map(|at| (at, at - receipt.created_at))?;
        (after <= ack_within).then_some(Trace::Typed { at, after })
    };
    let waits = |receipt: &&Receipt| receipt.confirmed_at.is_none() && now - receipt.created_at < ack_within;
    of().find_map(typed)
        .or_else(|| of().find(waits).map(|receipt| Trace::OnItsWay { sent: receipt.created_at }))
        .unwrap_or(Trace::Nothing)
}

fn seconds(span: Span) -> String {
    format!("{} s", span.micros() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Time {
        Time::from_micros(1_700_000_000_000_000 + secs * 1_000_000)
    }

    fn receipt(receiver: &str, created: i64, confirmed: Option<i64>) -> Receipt {
        Receipt { receiver: receiver.to_owned(), created_at: at(created), confirmed_at: confirmed.map(at) }
    }

    /// G8: only a code of this very receiver, typed back in time.
    #[test]
    fn a_code_counts_when_it_was_typed_in_time() {
        let of = |receipts: &[Receipt], now: i64| came_to(receipts, "slack", Span::from_secs(600), at(now));
        assert_eq!(of(&[], 0), Trace::Nothing);
        assert_eq!(of(&[receipt("mail", 0, Some(5))], 9), Trace::Nothing, "another receiver's");
        let typed = |at_: i64, after: i64| Trace::Typed { at: at(at_), after: Span::from_secs(after) };
        assert_eq!(of(&[receipt("slack", 0, Some(600))], 601), typed(600, 600));
        assert_eq!(of(&[receipt("slack", 0, Some(601))], 602), Trace::Nothing, "too late");
        assert_eq!(of(&[receipt("slack", 0, None)], 599), Trace::OnItsWay { sent: at(0) });
        assert_eq!(of(&[receipt("slack", 0, None)], 600), Trace::Nothing, "it may not be typed any more");
        let both = [receipt("slack", 0, Some(42)), receipt("slack", 100, None)];
        assert_eq!(of(&both, 110), typed(42, 42), "one that waits takes nothing from one that came back");
    }
}
