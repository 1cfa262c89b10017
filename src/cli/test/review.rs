//! Outputs become goldens: all of them, or those that a person says yes to.

use std::io::{self, BufRead, IsTerminal};

use anyhow::anyhow;

use super::text;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::print_out;
use crate::runner::case::CaseVerdict;

/// What became of the changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    pub accepted: usize,
    pub rejected: usize,
    /// Nobody was asked any more.
    pub left: usize,
}

impl Reviewed {
    /// In words; `None` when there was nothing to decide.
    pub fn told(&self) -> Option<String> {
        let goldens = |count: usize| if count == 1 { "1 golden".to_owned() } else { format!("{count} goldens") };
        let parts = [("accepted", self.accepted), ("rejected", self.rejected), ("left as they are", self.left)];
        let told: Vec<String> =
            parts.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{} {what}", goldens(count))).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Diff,
    All,
    Quit,
}

impl Answer {
    fn of(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "y" | "yes" => Some(Self::Yes),
            "n" | "no" => Some(Self::No),
            "d" | "diff" => Some(Self::Diff),
            "a" | "all" => Some(Self::All),
            "q" | "quit" => Some(Self::Quit),
            _ => None,
        }
    }
}

/// A review asks; where nobody can answer it must not begin.
pub fn refuse_without_person(context: &Context) -> Result<(), Failure> {
    let why = if context.json {
        "--json has no place for questions"
    } else if context.no_input {
        "--no-input forbids questions"
    } else if !io::stdin().is_terminal() {
        "stdin is no terminal, so nobody can answer"
    } else {
        return Ok(());
    };
    let failure = Failure::new(Exit::Usage, anyhow!("--review asks about each change: {why}"));
    Err(failure.hint("leave it out to see the changes, or accept them all with --accept"))
}

/// Accepts every change.
pub fn accept_all(verdicts: &mut [CaseVerdict]) -> Result<Reviewed, Failure> {
    let mut reviewed = Reviewed::default();
    for golden in verdicts.iter_mut().flat_map(CaseVerdict::pending) {
        golden.accept()?;
        reviewed.accepted += 1;
    }
    Ok(reviewed)
}

/// Shows each change and asks; what cannot be accepted is only shown.
pub fn ask(head: &str, verdicts: &mut [CaseVerdict]) -> Result<Reviewed, Failure> {
    print_out(head);
    review(verdicts, &mut io::stdin().lock(), &mut print_out)
}

fn review(verdicts: &mut [CaseVerdict], answers: &mut dyn BufRead, show: &mut dyn FnMut(&str)) -> Result<Reviewed, Failure> {
    let mut reviewed = Reviewed::default();
    let mut standing = None;
    for verdict in verdicts {
        show(&text::failed(verdict));
        let case = verdict.name.clone();
        for step in &mut verdict.steps {
            for golden in step.goldens.iter_mut().filter(|golden| golden.is_pending()) {
                let shown = |rows| text::title(golden.state(), &case, &step.name) + &text::golden(golden, rows);
                let answer = match standing {
                    Some(answer) => answer,
                    None => {
                        show(&shown(text::ROWS_SHOWN_MAX));
                        question(answers, show, &|| shown(usize::MAX))?
                    }
                };
                match answer {
                    Answer::Yes | Answer::All => {
                        golden.accept()?;
                        reviewed.accepted += 1;
                    }
                    Answer::Quit => reviewed.left += 1,
                    Answer::No | Answer::Diff => reviewed.rejected += 1,
                }
                if matches!(answer, Answer::All | Answer::Quit) {
                    standing = Some(answer);
                }
            }
        }
    }
    Ok(reviewed)
}

/// Asks until there is an answer; the end of the input is a quit.
fn question(answers: &mut dyn BufRead, show: &mut dyn FnMut(&str), whole: &dyn Fn() -> String) -> Result<Answer, Failure> {
    loop {
        show("  accept this change? [y]es [n]o [d]iff [a]ll [q]uit: ");
        let mut line = String::new();
        if answers.read_line(&mut line)? == 0 {
            show("\n");
            return Ok(Answer::Quit);
        }
        match Answer::of(&line) {
            Some(Answer::Diff) => show(&whole()),
            Some(answer) => return Ok(answer),
            None => show("  type y, n, d, a or q\n"),
        }
    }
}
