//! `tidegate test`: runs golden cases and shows every cell that changed.

mod review;
mod text;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure, OrExit};
use super::output::Report;
use crate::profile::Diagnostics;
use crate::profile::fault::nearest;
use crate::runner::case::account::CaseError;
use crate::runner::case::find::{self, FOLDER};
use crate::runner::case::{Case, CaseVerdict, State, account, document, keys, verdict};
use review::Reviewed;

/// Run golden cases: stories about your own profiles and pipelines, compared cell by cell.
///
/// A case is a folder tests/cases/NAME with a case.toml, the bars it is about and the goldens: what must come out. It runs
/// through the real ingest, model, risk gate and paper venue, in a temporary folder, at the time it states; nothing is contacted
/// and no secret is read. Its steps follow each other on one account. A case may hold profiles/ and pipelines/ of its own, which
/// stand before the project's and may inherit from them.
#[derive(Debug, Args)]
#[command(after_long_help = help())]
pub struct Test {
    /// Cases to run, folders of tests/cases/; all when none is named.
    #[arg(value_name = "NAME", add = crate::cli::names::cases())]
    names: Vec<String>,
    /// Show each change and ask whether it becomes the golden.
    #[arg(long, conflicts_with = "accept")]
    review: bool,
    /// Make every output that changed, or is new, the golden. Look at the difference in your version control.
    #[arg(long)]
    accept: bool,
}

fn help() -> String {
    let goldens = "A golden holds the columns that it names: write those that matter, or let --accept write all of them. Cells \
                   are compared as text unless exact or tolerance says otherwise. An output without rows never passes, unless \
                   min_rows = 0 says that it may.";
    format!("{goldens}\n\ncase.toml:\n{}", keys::reference())
}

impl Test {
    /// # Errors
    /// When a name is unknown, a case is wrong, the machine fails, or --review has nobody to ask.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if self.review {
            review::refuse_without_person(context)?;
        }
        let started = context.clock.now();
        let found = find::names(&context.root)?;
        let names = self.chosen(context, &found.cases)?;
        let mut verdicts = load(context, &names)?.iter().map(judged).collect::<Result<Vec<_>, Failure>>()?;
        let took = (context.clock.now() - started).as_secs_f64();
        let head = text::head(&verdicts, took);
        let mut reviewed = Reviewed::default();
        let mut told = String::new();
        if self.review {
            reviewed = review::ask(&head, &mut verdicts)?;
        } else {
            told.push_str(&head);
            verdicts.iter().for_each(|verdict| told.push_str(&text::case(verdict)));
            if self.accept {
                reviewed = review::accept_all(&mut verdicts)?;
            }
        }
        told.push_str(&text::tail(&verdicts, &reviewed));
        let mut report = Report { verb: "test", data: data(&verdicts, took), text: told, ..Report::default() };
        report.warnings.extend(found.strays.iter().map(|name| format!("{FOLDER}/{name} holds no case.toml: it is not run")));
        report.next.extend(text::next(&verdicts));
        let passes = verdicts.iter().all(|verdict| verdict.state() == State::Ok);
        Ok(report.print(context, if passes { Exit::Done } else { Exit::CheckFailed }))
    }

    /// The named cases in the order of the alphabet, each once; all when none is named.
    fn chosen(&self, context: &Context, known: &[String]) -> Result<Vec<String>, Failure> {
        if known.is_empty() {
            let error = anyhow!("there are no cases in {}", context.root.join(FOLDER).display());
            return Err(Failure::new(Exit::Usage, error)
                .hint(format!("write one, {FOLDER}/<name>/case.toml; `tidegate test --help` has its keys"))
                .hint("is --root right?"));
        }
        if let Some(unknown) = self.names.iter().find(|name| !known.contains(name)) {
            let hint = match nearest(unknown, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are: {}", known.join(", ")),
            };
            return Err(Failure::new(Exit::Usage, anyhow!("there is no case {unknown} in {FOLDER}")).hint(hint));
        }
        Ok(known.iter().filter(|name| self.names.is_empty() || self.names.contains(name)).cloned().collect())
    }
}

/// Reads every case before one runs: all that is wrong is told in one pass.
fn load(context: &Context, names: &[String]) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut wrong) = (Vec::new(), Diagnostics::default());
    for name in names {
        match document::load(&context.root, name) {
            Ok(case) => cases.push(case),
            Err(found) => wrong.extend(found),
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(wrong).or_exit(Exit::Configuration) }
}

fn judged(case: &Case) -> Result<CaseVerdict, Failure> {
    let failed = |error: CaseError| Failure::new(Exit::Failed, anyhow::Error::new(error).context(format!("case {}", case.name)));
    let outcomes = account::run(case).map_err(failed)?;
    Ok(verdict::judge(case, &outcomes)?)
}

fn data(verdicts: &[CaseVerdict], took: f64) -> Value {
    let count = |state: State| verdicts.iter().filter(|verdict| verdict.state() == state).count();
    let counts: serde_json::Map<String, Value> =
        State::ALL.into_iter().map(|state| (state.name().to_owned(), json!(count(state)))).collect();
    let cases: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let mut case = json!(verdict);
            case["state"] = json!(verdict.state());
            for (step, own) in verdict.steps.iter().enumerate() {
                case["steps"][step]["state"] = json!(own.state());
                for (golden, own) in own.goldens.iter().enumerate() {
                    case["steps"][step]["goldens"][golden]["state"] = json!(own.state());
                }
            }
            case
        })
        .collect();
    json!({ "counts": counts, "seconds": took, "cases": cases })
}
