//! Outputs become goldens: all of them, or those that a person says yes to.

use std::io::{self, BufRead, IsTerminal, Write};

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
    let mut show = |text: &str| {
        print_out(text);
        // A question ends without a line's end, and would wait in the buffer for its answer.
        let _ = io::stdout().flush();
    };
    review(verdicts, &mut io::stdin().lock(), &mut show)
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
                        let whole = || if golden.is_new { golden.content().to_owned() } else { shown(usize::MAX) };
                        question(answers, show, &whole)?
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::case::compare::Rules;
    use crate::runner::case::sheet::Sheet;
    use crate::runner::case::story::{Golden, NamedFile};
    use crate::runner::case::{GoldenVerdict, Output, StepVerdict};

    /// A case of three new goldens and one that is empty, and the answers to the questions; gives what was shown.
    fn answered(folder: &std::path::Path, answers: &str) -> (Reviewed, String, Vec<bool>) {
        let golden = |name: &str, lines: &[&str]| {
            let file = NamedFile { name: name.to_owned(), path: folder.join(name) };
            let golden = Golden { output: Output::Alerts, file, min_rows: 1 };
            GoldenVerdict::judge(&golden, &Rules::default(), &Sheet::lines(lines.iter().map(ToString::to_string))).unwrap()
        };
        let goldens = vec![golden("a", &["1"]), golden("b", &["2"]), golden("c", &["3"]), golden("empty", &[])];
        let steps = vec![StepVerdict { name: "step".to_owned(), failures: Vec::new(), goldens }];
        let mut verdicts = [CaseVerdict { name: "case".to_owned(), steps, unreferenced: Vec::new() }];
        let mut shown = String::new();
        let reviewed = review(&mut verdicts, &mut answers.as_bytes(), &mut |text| shown.push_str(text)).unwrap();
        (reviewed, shown, ["a", "b", "c", "empty"].map(|name| folder.join(name).exists()).to_vec())
    }

    #[test]
    fn every_answer_does_what_it_says() {
        let table = [
            ("y\nn\nyes\n", (2, 1, 0), [true, false, true]),
            ("n\na\n", (2, 1, 0), [false, true, true]),
            ("y\nq\n", (1, 0, 2), [true, false, false]),
            ("what?\nY\n", (1, 0, 2), [true, false, false]),
            ("", (0, 0, 3), [false, false, false]),
        ];
        for (answers, (accepted, rejected, left), written) in table {
            let folder = tempfile::tempdir().unwrap();
            let (reviewed, shown, there) = answered(folder.path(), answers);
            assert_eq!(reviewed, Reviewed { accepted, rejected, left }, "{answers:?}");
            assert_eq!(there[..3], written, "{answers:?}");
            assert!(!there[3] && shown.contains("fewer than min_rows = 1"), "CASE-2: nobody is asked about an empty output");
        }
    }

    #[test]
    fn a_difference_can_be_seen_whole_before_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "x\n".repeat(30)).unwrap();
        let (reviewed, shown, _) = answered(folder.path(), "d\ny\nd\nq\n");
        assert_eq!((reviewed.accepted, reviewed.left), (1, 2));
        assert!(shown.contains("[q]uit: 2\n"), "a new golden is shown as it would be: {shown}");
        assert!(shown.contains("… and 21 more differences"), "{shown}");
        assert!(shown.contains("row 30 of the golden is missing"), "{shown}");
    }
}
