//! What a rollback says: each step, then what is true now and the next command.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::Task;
use super::perform::Performed;
use crate::cli::exit::{Exit, Failure};
use crate::cli::live::mode_of;
use crate::cli::output::{BOLD, RED, Report};
use crate::cli::table::wrapped;
use crate::domain::Span;
use crate::profile::StepKind;
use crate::runner::rollback::{Rollback, State, Step};
use crate::store::latch::Latch;

/// Where the words of a step begin, and how wide they may be.
const INDENT: usize = 19;
const WIDTH: usize = 52;

/// The model that decides from here on. A registry of models, once there is one, is asked here.
pub(super) fn model(task: &Task<'_>, to: Option<&str>) -> Result<String, String> {
    match (to, &task.stopped.selected) {
        (Some(to), _) => Err(format!("there is no model {to}: no model is registered, and pipelines decide by their rules")),
        (None, Ok(selected)) => Ok(format!("no registered model: the rule of {} stays", selected.plan.name())),
        (None, Err(_)) => Ok("no registered model: the rule of the pipeline stays".to_owned()),
    }
}

/// How it ended, on paper and in a document.
pub(super) fn end(task: &Task<'_>, done: &Performed) -> Exit {
    let (name, rollback) = (&task.stopped.name, &done.rollback);
    let is_flat = rollback.has_done(StepKind::CloseAllPositions);
    let exit = match (rollback.ended.is_some(), is_flat) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Failed,
        (false, false) => Exit::PositionsOpen,
    };
    let mut report = report(task, Some(rollback));
    report.text = format!("Rollback {} of {name}: {}\n\n", rollback.id, rollback.reason);
    rollback.steps.iter().enumerate().for_each(|(at, step)| report.text.push_str(&line(at + 1, step)));
    report.text.push('\n');
    report.text.push_str(&match (exit, done.has_changed) {
        (Exit::Done, true) => format!("{BOLD}ROLLED BACK{BOLD:#} {name}: every step is verified\n"),
        (Exit::Done, false) => format!("{BOLD}NOTHING TO DO{BOLD:#} {name}: it is as a rollback leaves it\n"),
        (Exit::Failed, _) => format!("{RED}INCOMPLETE{RED:#} {name}: flat and halted, and a later step failed\n"),
        _ => format!("{RED}INCOMPLETE{RED:#} {name}: positions may be open\n"),
    });
    report.text.push_str(&truth(task, done, is_flat));
    report.data["held"] = held(done);
    report.data["ladder_step"] = json!(done.ladder);
    for (_, outcome) in &done.accounts {
        report.warnings.extend(outcome.warnings.iter().cloned());
        report.next.extend(outcome.next.iter().filter(|next| next.contains("tidegate run")).cloned());
    }
    if exit == Exit::Done {
        report.next.push(format!("tidegate resume -p {name} --reason \"...\""));
    } else {
        report.next.extend(way_out(task, is_flat));
        report.next.push(format!("tidegate rollback -p {name} --resume {}   (verifies every step again)", rollback.id));
    }
    report.print(task.context, exit)
}

/// It could not be written down, so it could not begin or go on.
pub(super) fn not_begun(task: &Task<'_>, failure: &Failure) -> Exit {
    let name = &task.stopped.name;
    let mut report = report(task, None);
    let latched = if task.stopped.set.is_ok() { "latched" } else { "NOT LATCHED" };
    report.text = format!("{RED}INCOMPLETE{RED:#} {name}: {latched}, and no step can be written down: positions may be open\n");
    for line in wrapped(&format!("{:#}", failure.error), 76) {
        let _ = writeln!(report.text, "  {line}");
    }
    report.data["error"] = json!(format!("{:#}", failure.error));
    report.warnings.extend(task.stopped.set.as_ref().err().map(ToString::to_string));
    report.next.extend(failure.hints.iter().cloned());
    report.next.extend(way_out(task, false));
    report.next.push(format!("then again: tidegate rollback -p {name} --reason \"...\""));
    report.print(task.context, Exit::PositionsOpen)
}

/// It ended before.
pub(super) fn over(task: &Task<'_>, last: &Rollback) -> Exit {
    let name = &task.stopped.name;
    let mut report = report(task, Some(last));
    let ended = last.ended.map(|at| at.to_string()).unwrap_or_default();
    report.text = format!("{BOLD}NOTHING TO DO{BOLD:#} {name}: {} was complete at {ended}; the profile is halted\n", last.id);
    report.next.push(format!("tidegate rollback -p {name} --reason \"...\"   (a new one, which verifies everything)"));
    report.print(task.context, Exit::Done)
}

fn report(task: &Task<'_>, rollback: Option<&Rollback>) -> Report {
    let step = |step: &Step| {
        json!({
            "name": step.name,
            "do": step.does,
            "state": step.state,
            "said": step.said,
            "seconds": step.took.map(Span::as_secs_f64),
        })
    };
    let mut report = Report {
        verb: "rollback",
        profile: Some(task.stopped.name.clone()),
        mode: task.stopped.selected.as_ref().ok().map(|selected| mode_of(&selected.profile).to_owned()),
        data: json!({
            "id": rollback.map(|rollback| &rollback.id),
            "reason": rollback.map(|rollback| &rollback.reason),
            "cause": rollback.map(|rollback| &rollback.cause),
            "complete": rollback.is_some_and(|rollback| rollback.ended.is_some()),
            "steps": rollback.map(|rollback| rollback.steps.iter().map(step).collect::<Vec<_>>()),
            "latched": Latch::is_set(&task.stopped.folder),
            "withdrawn": task.withdrawn.is_quiet(),
        }),
        ..Report::default()
    };
    if let Err(failure) = &task.stopped.selected {
        report.warnings.push(format!("the documents of {} are wrong: {}", task.stopped.name, failure.error));
    }
    report
}

/// A step in one line or more: ` 1 ok    pause    latched …   0.2 s`.
pub(super) fn line(number: usize, step: &Step) -> String {
    let style = if step.state == State::Failed { RED } else { anstyle::Style::new() };
    let words = if step.said.is_empty() { step.does.name().to_owned() } else { step.said.clone() };
    let mut lines = wrapped(&words, WIDTH).into_iter();
    let took = step.took.map_or_else(String::new, |took| format!("{:.1} s", took.as_secs_f64()));
    let first = lines.next().unwrap_or_default();
    let name = &step.name;
    let mut text = format!("{number:>2} {style}{:<5}{style:#} {name:<8}  {first:<WIDTH$} {took:>6}", step.state.word());
    text.truncate(text.trim_end().len());
    text.push('\n');
    for line in lines {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
    text
}

/// What is true now.
fn truth(task: &Task<'_>, done: &Performed, is_flat: bool) -> String {
    let mut text = String::new();
    let held = match (done.accounts.is_empty(), is_flat) {
        (true, true) => "nothing: it has never traded".to_owned(),
        (true, false) => "nobody knows: the venue was not compared".to_owned(),
        (false, _) => done
            .accounts
            .iter()
            .map(|(name, one)| format!("{name}: {}, {}", what(one), one.compared))
            .collect::<Vec<_>>()
            .join("; "),
    };
    let latch = if Latch::is_set(&task.stopped.folder) { "set, until a person resumes" } else { "NOT SET" };
    let model = model(task, None).unwrap_or_default();
    let ladder = done.ladder.map_or_else(|| "its step cannot be read".to_owned(), |step| format!("step {step}"));
    for (word, said) in [("held", held), ("model", model), ("ladder", ladder), ("latch", latch.to_owned())] {
        let mut lines = wrapped(&said, 66).into_iter();
        let _ = writeln!(text, "  {word:<8}  {}", lines.next().unwrap_or_default());
        lines.for_each(|line| text.push_str(&format!("{:12}{line}\n", "")));
    }
    text
}

fn what(outcome: &crate::cli::close_all::Outcome) -> String {
    let held: Vec<String> = outcome
        .lines
        .iter()
        .filter(|line| !line.after.is_zero())
        .map(|line| format!("{} {}{}", line.after, line.symbol, if line.is_dust { " (dust)" } else { "" }))
        .collect();
    if held.is_empty() { "nothing".to_owned() } else { held.join(", ") }
}

fn held(done: &Performed) -> Json {
    let lines = done.accounts.iter().flat_map(|(account, outcome)| outcome.lines.iter().map(move |line| (account, line)));
    let held = lines.filter(|(_, line)| !line.after.is_zero()).map(|(account, line)| {
        json!({ "account": account, "symbol": line.symbol.to_string(), "position": line.after.to_string(), "dust": line.is_dust })
    });
    held.collect()
}

/// What a person does where the program cannot.
fn way_out(task: &Task<'_>, is_flat: bool) -> Option<String> {
    let page = match task.withdrawn {
        crate::cli::kill::Done::Asked { page, .. } => Some(page.clone()),
        crate::cli::kill::Done::NotAsked { page, .. } => page.clone(),
        crate::cli::kill::Done::Paper => None,
    };
    page.filter(|_| !is_flat).map(|page| format!("look at the venue, and close by hand what does not close: {page}"))
}
