//! `tidegate close-all`: halts a profile and sells everything that it holds, inside its limits.

mod paper;
mod venue;

use std::io::{IsTerminal, Write};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{Stopped, account_of, has_traded, latch_first, mode_of, wait_for_journal};
use super::output::{BOLD, RED, Report};
use super::select::Select;
use super::work::Workplace;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Qty, Span, Symbol};
use crate::profile::VenueKind;
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::store::journal::Journal;

const EXAMPLES: &str = "\
Examples:
  tidegate close-all -p canary --reason \"leaving the market\"
  tidegate close-all -p canary --reason \"leaving the market\" --yes

On a flat account it changes nothing but the latch. Cut off, it is run again.
Exit 0: flat, dust apart. Exit 11: something is held, or nobody knows.
Exit 8: another program works on the profile.";

/// Close everything: latch, withdraw open orders, sell all positions in slices inside the limits, and ask the venue.
///
/// What cannot be sold is named. The profile stays halted until `resume`. On the paper venue, which fills at the next bar, the next
/// `run` sells.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct CloseAll {
    #[command(flatten)]
    select: Select,
    /// Why; written into the latch and the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask for the profile's name.
    #[arg(long)]
    yes: bool,
}

/// Selling takes no longer than this.
const CLOSE_WITHIN: Span = Span::from_secs(60);

/// What was held of a symbol before, and what is held now.
pub struct Line {
    pub symbol: Symbol,
    pub before: Qty,
    pub after: Qty,
    /// What is left is too small to sell.
    pub is_dust: bool,
}

/// How it ended.
pub struct Outcome {
    pub lines: Vec<Line>,
    /// Orders that have not ended, by id and state.
    pub open: Vec<String>,
    /// Nothing but dust is held, nothing is open, and the venue says the same.
    pub is_flat: bool,
    /// How the account compares with the venue's, or why it was not compared.
    pub compared: String,
    /// Orders of this close.
    pub orders: u64,
    pub record: Option<String>,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

impl CloseAll {
    /// # Errors
    /// When nobody has agreed, nothing has the name of the profile, or it cannot be worked with.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say why everything is to be sold"));
        }
        if !self.yes {
            confirm(context, self.select.profile.as_deref().unwrap_or_default())?;
        }
        let stopped = latch_first(context, &self.select, "close-all", reason, SystemClock.now())?;
        let (report, exit) = close(context, stopped, reason)?;
        Ok(report.print(context, exit))
    }
}

/// Closes what a kill has stopped, and tells both.
///
/// # Errors
/// Never: what went wrong with the closing is part of what is told.
pub fn after_kill(context: &Context, stopped: Stopped, reason: &str, kill: Report, exit: Exit) -> Result<Exit, Failure> {
    let mut report = kill;
    let end = match close(context, stopped, reason) {
        Ok((closed, end)) => {
            report.text.push_str(&closed.text);
            report.data["close"] = closed.data;
            report.warnings.extend(closed.warnings);
            report.next = closed.next;
            if exit == Exit::Done { end } else { exit }
        }
        Err(failure) => {
            report.text.push_str(&format!("{RED}NOT CLOSED{RED:#}: {:#}\n", failure.error));
            report.data["close"] = json!({ "error": format!("{:#}", failure.error) });
            report.next.extend(failure.hints);
            Exit::PositionsOpen
        }
    };
    Ok(report.print(context, end))
}

/// Money moves by this: a person types the profile's name.
fn confirm(context: &Context, name: &str) -> Result<(), Failure> {
    let refused = |why: &str| {
        let error = anyhow!("everything that {name} holds would be sold: {why}");
        Failure::new(Exit::Refused, error).hint("say --yes; `tidegate kill` needs no yes, and sells nothing")
    };
    if context.json || context.no_input || !std::io::stdin().is_terminal() {
        return Err(refused("nobody can be asked"));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "Everything that {name} holds is sold. Type the profile's name to continue: ");
    let _ = stderr.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() == name && !name.is_empty() { Ok(()) } else { Err(refused("another name was typed")) }
}

fn close(context: &Context, stopped: Stopped, reason: &str) -> Result<(Report, Exit), Failure> {
    let name = stopped.name.clone();
    let open = |failure: Failure, why: &str| {
        let exit = if failure.exit == Exit::Locked { Exit::Locked } else { Exit::PositionsOpen };
        Failure { exit, error: failure.error.context(why.to_owned()), hints: failure.hints }
    };
    let selected = stopped.selected.map_err(|failure| {
        let why = "halted, and NOT closed: the documents are wrong, so nobody knows the limits to sell within";
        Failure::new(Exit::PositionsOpen, anyhow!("{why} ({:#})", failure.error))
            .hint(format!("`tidegate check -p {name}` says what is wrong; `tidegate kill -p {name}` works all the same"))
    })?;
    let place = Workplace::new(context, selected.profile, selected.plan)?;
    let account = account_of(&place);
    let others = others(&place, &account);
    let outcome = if has_traded(&place) {
        let mut journal = wait_for_journal(&place).map_err(|failure| open(failure, "halted, and NOT closed"))?;
        sell(context, &place, &mut journal, reason, CLOSE_WITHIN)
            .map_err(|failure| open(failure, "halted, and NOT closed: positions may be open"))?
    } else {
        Outcome::nothing_ever()
    };
    let mut told = told(&place, outcome, &others);
    if let Err(error) = &stopped.set {
        told.0.warnings.push(error.to_string());
        told.1 = Exit::PositionsOpen;
    }
    Ok(told)
}

/// Sells what the account of a workplace holds, within about `within`. The latch is set.
///
/// # Errors
/// When the venue, the journal or the account cannot be had: positions may be open.
pub fn sell(context: &Context, place: &Workplace, journal: &mut Journal, reason: &str, within: Span) -> Result<Outcome, Failure> {
    match place.profile.venue() {
        VenueKind::Paper => paper::close(context, place, journal, reason),
        VenueKind::Binance => venue::close(context, place, journal, reason, within.min(CLOSE_WITHIN)),
    }
}

/// Accounts of the profile's other pipelines on this venue that hold something.
fn others(place: &Workplace, account: &str) -> Vec<String> {
    let Ok(Some(glance)) = Glance::at(&place.runs) else { return Vec::new() };
    let holds = |name: &String| match glance.standing::<TraderState>(name) {
        Ok(Some(standing)) => standing.snapshot.desk().held().any(|held| !held.position.is_zero() && !held.is_dust),
        Ok(None) => false,
        Err(_) => true,
    };
    let is_here = |name: &String| name != account && name.ends_with(&format!("@{}", mode_of(&place.profile)));
    glance.accounts().unwrap_or_default().into_iter().filter(is_here).filter(holds).collect()
}

impl Outcome {
    fn nothing_ever() -> Self {
        Self {
            lines: Vec::new(),
            open: Vec::new(),
            is_flat: true,
            compared: "it has never traded".to_owned(),
            orders: 0,
            record: None,
            warnings: Vec::new(),
            next: Vec::new(),
        }
    }
}

fn told(place: &Workplace, outcome: Outcome, others: &[String]) -> (Report, Exit) {
    let name = place.profile.name();
    let is_done = outcome.is_flat && others.is_empty();
    let held: Vec<&Line> = outcome.lines.iter().filter(|line| !line.before.is_zero() || !line.after.is_zero()).collect();
    let head = match (outcome.is_flat, outcome.orders, held.iter().any(|line| !line.is_dust)) {
        (true, 0, false) => format!("{BOLD}FLAT {name}{BOLD:#}: there was nothing to close\n"),
        (true, ..) => format!("{BOLD}CLOSED {name}{BOLD:#}: nothing is held that could be sold\n"),
        (false, ..) => format!("{RED}NOT CLOSED {name}{RED:#}: something is held or in doubt\n"),
    };
    let mut text = head;
    for line in &held {
        let sold = line.before - line.after;
        if sold.is_positive() {
            text.push_str(&format!("  sold       {sold} {}\n", line.symbol));
        }
        if !line.after.is_zero() {
            let word = if line.is_dust { "dust     " } else { "STILL    " };
            let why = if line.is_dust { ", too small to sell" } else { "" };
            text.push_str(&format!("  {word}  {} {}{why}\n", line.after, line.symbol));
        }
    }
    outcome.open.iter().for_each(|order| text.push_str(&format!("  OPEN       {order}\n")));
    text.push_str(&format!("  account    {}\n  halted     until a person resumes it\n", outcome.compared));
    if let Some(record) = &outcome.record {
        text.push_str(&format!("  record     {record}\n"));
    }
    let mut report = Report {
        verb: "close-all",
        profile: Some(name.to_owned()),
        mode: Some(mode_of(&place.profile).to_owned()),
        data: json!({
            "venue": place.profile.venue().name(),
            "flat": is_done,
            "orders": outcome.orders,
            "positions": held.iter().map(|line| json!({
                "symbol": line.symbol.to_string(),
                "before": line.before.to_string(),
                "after": line.after.to_string(),
                "dust": line.is_dust && !line.after.is_zero(),
            })).collect::<Vec<_>>(),
            "open_orders": outcome.open,
            "account": outcome.compared,
            "other_accounts": others,
            "record": outcome.record,
        }),
        text,
        warnings: outcome.warnings,
        next: outcome.next,
    };
    for other in others {
        report.warnings.push(format!("{other}, another account of the profile, holds something"));
        if let Some((pipeline, _)) = other.split_once('@') {
            report.next.push(format!("tidegate close-all -p {name} --pipeline {pipeline} --reason \"...\""));
        }
    }
    if is_done {
        report.next.push(format!("tidegate resume -p {name} --reason \"...\""));
    }
    (report, if is_done { Exit::Done } else { Exit::PositionsOpen })
}
