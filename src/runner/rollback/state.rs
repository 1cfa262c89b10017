//! How far a rollback has come.

use serde::{Deserialize, Serialize};

use super::Order;
use crate::domain::{Span, Time};
use crate::profile::StepKind;

/// Why one was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Cause {
    Manual,
    /// An alert that nobody resolved in time.
    AlertUnresolved {
        alert: String,
    },
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Waiting,
    /// Under way, or cut off there.
    Begun,
    /// Done, and verified.
    Done,
    Failed,
}

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub does: StepKind,
    pub timeout: Span,
    pub state: State,
    /// What was found, or what went wrong.
    pub said: String,
    pub began: Option<Time>,
    pub took: Option<Span>,
}

/// A rollback, from the word to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// `rb-0001`, counted within the profile.
    pub id: String,
    pub began: Time,
    pub cause: Cause,
    pub reason: String,
    pub to: Option<String>,
    pub steps: Vec<Step>,
    /// When every step was verified; `None` while it is under way, or was cut off.
    pub ended: Option<Time>,
}

impl State {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "wait",
            Self::Begun => "begun",
            Self::Done => "ok",
            Self::Failed => "FAIL",
        }
    }
}

impl Rollback {
    pub(super) fn new(last: Option<&Self>, order: Order, now: Time) -> Self {
        let number = last.map_or(0, Self::number) + 1;
        let step = |step: crate::profile::RollbackStep| Step {
            name: step.name,
            does: step.does,
            timeout: step.timeout,
            state: State::Waiting,
            said: String::new(),
            began: None,
            took: None,
        };
        Self {
            id: format!("rb-{number:04}"),
            began: now,
            cause: order.cause,
            reason: order.reason,
            to: order.to,
            steps: order.steps.into_iter().map(step).collect(),
            ended: None,
        }
    }

    fn number(&self) -> u32 {
        self.id.trim_start_matches("rb-").parse().unwrap_or(0)
    }

    /// From the first step on, as it was ordered: what was verified before may hold no more.
    pub(super) fn again(mut self) -> Self {
        for step in &mut self.steps {
            (step.state, step.began, step.took) = (State::Waiting, None, None);
            step.said.clear();
        }
        self
    }

    pub(super) fn move_step(&mut self, at: usize, state: State, said: String, now: Time) {
        let before = self.steps[..at].iter().all(|step| step.state == State::Done);
        assert!(before, "ROLLBACK-2: a step begins when those before were verified");
        let step = &mut self.steps[at];
        if state == State::Begun {
            step.began = Some(now);
        } else {
            step.took = step.began.map(|began| now - began);
        }
        (step.state, step.said) = (state, said);
    }

    /// Was every step verified?
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.steps.iter().all(|step| step.state == State::Done)
    }

    /// Was this step verified, or not asked for?
    #[must_use]
    pub fn has_done(&self, does: StepKind) -> bool {
        self.steps.iter().filter(|step| step.does == does).all(|step| step.state == State::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::RollbackStep;
    use crate::runner::rollback::{begin, last};
    use crate::store::journal::Journal;
    use crate::store::latch::Latch;

    fn order(reason: &str) -> Order {
        Order { steps: RollbackStep::usual(), cause: Cause::Manual, reason: reason.to_owned(), to: None }
    }

    const fn at(seconds: i64) -> Time {
        Time::from_millis(1_740_000_000_000 + seconds * 1000)
    }

    /// ROLLBACK-1, ROLLBACK-2: cut off at any step it goes on from the first; ended, the next is another one.
    #[test]
    fn one_that_was_cut_off_is_taken_up_and_one_that_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        for cut in 0..4 {
            let mut journal = Journal::in_memory().unwrap();
            let mut first = begin(&mut journal, folder.path(), order("first"), at(0)).unwrap();
            assert!(Latch::is_set(folder.path()));
            for step in 0..cut {
                first.begin_step(step, &mut journal, at(1)).unwrap();
                first.end_step(step, Ok("it holds".to_owned()), &mut journal, at(3)).unwrap();
            }
            first.begin_step(cut, &mut journal, at(4)).unwrap();
            assert_eq!(last(&journal).unwrap().unwrap(), first);
            let mut again = begin(&mut journal, folder.path(), order("second"), at(9)).unwrap();
            assert_eq!((again.id.as_str(), again.reason.as_str(), again.began), ("rb-0001", "first", at(0)));
            assert!(again.steps.iter().all(|step| step.state == State::Waiting && step.said.is_empty()));
            for step in 0..4 {
                again.begin_step(step, &mut journal, at(10)).unwrap();
                again.end_step(step, Ok(String::new()), &mut journal, at(12)).unwrap();
                assert_eq!(again.steps[step].took, Some(Span::from_secs(2)));
            }
            again.end(&mut journal, at(13)).unwrap();
            let third = begin(&mut journal, folder.path(), order("third"), at(20)).unwrap();
            assert_eq!((third.id.as_str(), third.reason.as_str()), ("rb-0002", "third"));
        }
    }

    #[test]
    #[should_panic(expected = "ROLLBACK-2")]
    fn no_step_begins_before_those_before_were_verified() {
        let mut rollback = Rollback::new(None, order("x"), at(0));
        rollback.move_step(1, State::Begun, String::new(), at(1));
    }

    /// ROLLBACK-3.
    #[test]
    fn one_at_a_time() {
        use crate::runner::rollback::{RollbackError, alone};
        let folder = tempfile::tempdir().unwrap();
        let held = alone(folder.path()).unwrap();
        assert!(matches!(alone(folder.path()), Err(RollbackError::InProgress)));
        drop(held);
        alone(folder.path()).unwrap();
    }
}
