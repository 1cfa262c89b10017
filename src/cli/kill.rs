//! `tidegate kill`: stops a profile, whatever else is broken. The latch first, then everything open is withdrawn at the venue.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{Found, Stopped, Target, Withdrawn, latch_first, mode_of, open_client, page_of, withdraw_all};
use super::of_profile::OfProfile;
use super::output::{BOLD, RED, Report};
use super::select::Select;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Span, Symbol, Time};
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::store::latch::{FILE, Set};
use crate::venue::wire::Owner;

/// An answer is waited for no longer than this.
const ANSWER_MAX: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  tidegate kill -p canary --reason \"prices look wrong\"  tidegate kill -p canary --reason \"leaving the market\" --close

It works while a program runs under the profile, and with documents or a journal
that are broken: then by what the last run kept of them.
Exit 0: latched, and the venue shows no open order. Exit 11: look at the venue.";

/// Stop a profile now: nothing new is traded, and every open order is withdrawn.
///
/// First it sets the latch (the file HALT in the profile's folder), then it withdraws all open orders of the profile's symbols at the
/// venue and asks until none is there. Positions stay; `close-all` closes them. Only `resume` with a reason lets it trade again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Kill {
    #[command(flatten)]
    profile: OfProfile,
    /// Why; kept in the latch.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Close all positions as well, as `close-all` does.
    #[arg(long)]
    close: bool,
}

/// What was done at the venue.
pub enum Done {
    /// Nothing leaves this program.
    Paper,
    Asked {
        withdrawn: Withdrawn,
        page: String,
        kept_in: Option<String>,
    },
    /// Nobody could be asked.
    NotAsked {
        why: String,
        page: Option<String>,
    },
}

impl Done {
    /// Does the venue show that nothing is open?
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        match self {
            Self::Paper => true,
            Self::Asked { withdrawn, .. } => withdrawn.quiet_in.is_some(),
            Self::NotAsked { .. } => false,
        }
    }
}

impl Kill {
    /// # Errors
    /// When nothing has the name of the profile. Whatever else is wrong is part of what is told.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("a word will do: --reason drill"));
        }
        // A kill happens now, whatever --at says.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let since = clock.now();
        // No flag turns a venue into paper here.
        let select = Select { profile: self.profile.profile.clone(), pipeline: None, set: Vec::new(), paper: false };
        let stopped = latch_first(context, &select, "kill", reason, since)?;
        let latched_in = clock.now() - since;
        let done = withdraw(context, &stopped, &clock, since);
        let (report, exit) = told(context, &stopped, &done, since, latched_in);
        if self.close {
            return super::close_all::after_kill(context, stopped, reason, report, exit);
        }
        Ok(report.print(context, exit))
    }
}

/// Withdraws everything that is open, wherever the profile's orders are.
pub fn withdraw(context: &Context, stopped: &Stopped, clock: &Arc<dyn Clock>, since: Time) -> Done {
    let found = match &stopped.selected {
        Ok(selected) => match Target::of_documents(context, selected, &stopped.folder) {
            Found::Unknown(_) => Target::of_last_run(context, &stopped.folder),
            found => found,
        },
        Err(_) => Target::of_last_run(context, &stopped.folder),
    };
    let target = match found {
        Found::Paper => return Done::Paper,
        Found::Unknown(why) => return Done::NotAsked { why, page: None },
        Found::Venue(target) => target,
    };
    let address = match target.address() {
        Ok(address) => address,
        Err(error) => return Done::NotAsked { why: error.to_string(), page: None },
    };
    let page = page_of(&address).to_owned();
    let patience = target.patience(ANSWER_MAX);
    let open = |local| open_client(context, clock.clone(), &target.venue, &address, &target.symbols, local, patience);
    // Where nobody can tell whether the venue may be asked, a withdrawal is asked for all the same.
    let client = match open(&target.local).or_else(|_| open(&stopped.folder)) {
        Ok(client) => client,
        Err(failure) => return Done::NotAsked { why: format!("{:#}", failure.error), page: Some(page) },
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Done::NotAsked { why: error.to_string(), page: Some(page) },
    };
    let beside = crate::store::journal::is_held(&stopped.folder);
    let withdrawn = runtime.block_on(withdraw_all(&client, &target.symbols, clock, since, beside));
    // What has not answered is not waited for any longer.
    runtime.shutdown_background();
    Done::Asked { withdrawn, page, kept_in: target.kept_in.clone() }
}

fn told(context: &Context, stopped: &Stopped, done: &Done, since: Time, latched_in: Span) -> (Report, Exit) {
    let name = &stopped.name;
    let held = held(stopped);
    let is_quiet = done.is_quiet();
    let exit = if is_quiet && stopped.set.is_ok() { Exit::Done } else { Exit::PositionsOpen };
    let mut report = Report {
        verb: "kill",
        profile: Some(name.clone()),
        mode: stopped.selected.as_ref().ok().map(|selected| mode_of(&selected.profile).to_owned()),
        text: if stopped.set.is_ok() {
            format!("{BOLD}KILLED {name}{BOLD:#}: nothing that adds exposure is traded until a person resumes it\n")
        } else {
            format!("{RED}NOT LATCHED {name}{RED:#}: a program that starts now would trade\n")
        },
        data: json!({
            "latch": latch_json(stopped, since, latched_in),
            "venue": venue_json(done),
            "held": held.iter().map(|(account, symbol, qty)| json!({ "account": account, "symbol": symbol.to_string(), "position": qty })).collect::<Vec<_>>(),
        }),
        ..Report::default()
    };
    let shown = stopped.folder.strip_prefix(&context.root).unwrap_or(&stopped.folder).join(FILE);
    let text = &mut report.text;
    let _ = match &stopped.set {
        Ok(Set::Before) => writeln!(text, "  latch      {} was set before, and stays as it was", shown.display()),
        Ok(_) => writeln!(text, "  latch      {}, on the disk in {}", shown.display(), secs(latched_in)),
        Err(error) => writeln!(text, "  latch      {error}"),
    };
    venue_lines(text, done, is_quiet);
    for (account, symbol, qty) in &held {
        let _ = writeln!(text, "  held       {qty} {symbol}, by the journal of {account}; not closed");
    }
    if let Err(failure) = &stopped.selected {
        report.warnings.push(format!("the documents of {name} are wrong: {}", failure.error));
    }
    if let Err(error) = &stopped.set {
        report.next.push(error.hint().to_owned());
    }
    match done {
        Done::Asked { page, .. } | Done::NotAsked { page: Some(page), .. } if !is_quiet => {
            report.next.push(format!("withdraw by hand what is open: {page}"));
            report.next.push(format!("or again: tidegate kill -p {name} --reason \"...\""));
        }
        _ if !is_quiet => report.next.push("withdraw by hand what is open, at the venue".to_owned()),
        _ => {}
    }
    if !held.is_empty() {
        report.next.push(format!("tidegate close-all -p {name} --reason \"...\""));
    }
    report.next.push(format!("tidegate resume -p {name} --reason \"...\""));
    (report, exit)
}

fn secs(span: Span) -> String {
    format!("{:.2} s", span.as_secs_f64())
}

fn venue_lines(text: &mut String, done: &Done, is_quiet: bool) {
    let _ = match done {
        Done::Paper => writeln!(text, "  venue      paper: no order of it is anywhere but here, so the latch is all"),
        Done::NotAsked { why, .. } => writeln!(text, "  venue      NOT ASKED: {why}; orders may be open"),
        Done::Asked { withdrawn, kept_in, .. } => {
            if let Some(place) = kept_in {
                let _ = writeln!(text, "  venue      found by {place}");
            }
            for (symbol, result) in &withdrawn.by_symbol {
                let _ = match result {
                    Ok(count) => writeln!(text, "  withdrawn  {symbol}: {count}"),
                    Err(failure) => writeln!(text, "  {RED}NOT SURE{RED:#}   {symbol}: {failure}"),
                };
            }
            for order in withdrawn.open.iter().flatten().filter(|_| !is_quiet) {
                let _ = writeln!(
                    text,
                    "  {RED}open{RED:#}       {} {}: {}",
                    order.symbol_text,
                    order.side.name(),
                    owner(&order.owner)
                );
            }
            match withdrawn.quiet_in {
                Some(quiet_in) => writeln!(
                    text,
                    "  quiet      sent within {}, no open order at the venue after {}",
                    secs(withdrawn.sent_in),
                    secs(quiet_in)
                ),
                None => writeln!(text, "  NOT QUIET  the venue does not show that nothing is open: orders may be"),
            }
        }
    };
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Ours(id) => id.to_string(),
        Owner::Foreign(id) => format!("{id} (not ours)"),
    }
}

fn latch_json(stopped: &Stopped, since: Time, latched_in: Span) -> Json {
    json!({
        "set": stopped.set.is_ok(),
        "before": matches!(stopped.set, Ok(Set::Before)),
        "file": stopped.folder.join(FILE),
        "at": since.to_string(),
        "seconds": latched_in.as_secs_f64(),
        "error": stopped.set.as_ref().err().map(ToString::to_string),
    })
}

fn venue_json(done: &Done) -> Json {
    match done {
        Done::Paper => json!({ "kind": "paper", "quiet": true }),
        Done::NotAsked { why, page } => json!({ "asked": false, "quiet": false, "why": why, "page": page }),
        Done::Asked { withdrawn, page, kept_in } => json!({
            "asked": true,
            "quiet": withdrawn.quiet_in.is_some(),
            "sent_seconds": withdrawn.sent_in.as_secs_f64(),
            "quiet_seconds": withdrawn.quiet_in.map(Span::as_secs_f64),
            "withdrawn": withdrawn.by_symbol.iter().map(|(symbol, result)| json!({
                "symbol": symbol.to_string(),
                "orders": result.as_ref().ok(),
                "error": result.as_ref().err().map(ToString::to_string),
            })).collect::<Vec<_>>(),
            "open": withdrawn.open.iter().flatten().map(|order| owner(&order.owner)).collect::<Vec<_>>(),
            "page": page,
            "found_by": kept_in,
        }),
    }
}

/// What the journal says is held, where it can be read.
fn held(stopped: &Stopped) -> Vec<(String, Symbol, String)> {
    let Ok(Some(glance)) = Glance::at(&stopped.folder) else { return Vec::new() };
    let mut held = Vec::new();
    for account in glance.accounts().unwrap_or_default() {
        let Ok(Some(standing)) = glance.standing::<TraderState>(&account) else { continue };
        let state = standing.snapshot;
        let of = state.symbols().iter().zip(state.desk().held()).filter(|(_, held)| !held.position.is_zero());
        held.extend(of.map(|(symbol, held)| (account.clone(), symbol.clone(), held.position.to_string())));
    }
    held
}
