//! `tidegate positions`: what the program believes to hold, by its journal alone.

use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::OfProfile;
use super::output::Report;
use super::round_trip;
use super::select::Select;
use super::table::{Table, short_time};
use crate::domain::{Money, Qty, Symbol, Time};
use crate::runner::trader::TraderState;
use crate::stage::oms::Held;
use crate::store::journal::Standing;
use crate::store::latch::Latch;

const EXAMPLES: &str = "\
Examples:
  tidegate positions -p canary
  tidegate positions -p canary --json

Nothing is asked of the venue: `tidegate reconcile` does that.";

/// Show what a profile holds, as its journal has it: at the last close, with entry and share of the limit.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Positions {
    #[command(flatten)]
    profile: OfProfile,
}

impl Positions {
    /// # Errors
    /// When there is no journal, or it cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let glance = place.look()?;
        let select = Select { profile: self.profile.profile.clone(), pipeline: None, set: Vec::new(), paper: false };
        let limit = select.resolve(context, None).ok().map(|found| found.profile.limits().max_position_notional);
        let (mut text, mut accounts) = (String::new(), Vec::new());
        for account in glance.accounts()? {
            let Some(standing) = glance.standing::<TraderState>(&account)? else { continue };
            text.push_str(&said(&account, &standing, limit));
            accounts.push(document(&account, &standing, limit));
        }
        let mut report = Report {
            verb: "positions",
            profile: Some(place.name.clone()),
            mode: place.mode,
            data: json!({ "accounts": accounts, "latched": Latch::is_set(&place.folder) }),
            text,
            ..Report::default()
        };
        if Latch::is_set(&place.folder) {
            report.warnings.push(format!("{} is latched: no run begins before a person resumes it", place.name));
        }
        Ok(report.print(context, Exit::Done))
    }
}

fn venue_of(state: &TraderState) -> &'static str {
    if state.is_live() { "a real venue's account" } else { "paper" }
}

fn trading(standing: &Standing<TraderState>) -> String {
    let state = &standing.snapshot;
    match (state.halt(), state.paused_until()) {
        (Some(halt), _) => format!("halted by {} since {}", halt.cause.name(), short_time(halt.at)),
        (None, Some(until)) if standing.watermark < until => format!("paused until {}", short_time(until)),
        (None, _) => "trading".to_owned(),
    }
}

/// What is held, with its symbol.
fn held(state: &TraderState) -> impl Iterator<Item = (&Symbol, Held)> {
    state.symbols().iter().zip(state.desk().held()).filter(|(_, held)| !held.position.is_zero())
}

fn how(held: &Held) -> String {
    match held.exiting {
        _ if held.is_dust => "dust".to_owned(),
        Some(purpose) => format!("closing ({})", purpose.name()),
        None => String::new(),
    }
}

fn share(value: Money, limit: Option<Money>) -> Option<f64> {
    limit.filter(|limit| limit.is_positive()).map(|limit| value.to_f64() / limit.to_f64())
}

fn said(account: &str, standing: &Standing<TraderState>, limit: Option<Money>) -> String {
    let state = &standing.snapshot;
    let desk = state.desk();
    let seen = if standing.watermark > Time::from_micros(0) {
        format!("last bar {}", short_time(standing.watermark))
    } else {
        "no bar yet".to_owned()
    };
    let mut text = format!("{account}, {}: {}\n", venue_of(state), trading(standing));
    text.push_str(&format!("  equity {:.2}, cash {:.2}, {seen}\n", desk.equity().to_f64(), desk.cash().to_f64()));
    text.push_str(&round_trip::said(state).unwrap_or_default());
    if held(state).next().is_none() {
        text.push_str("  nothing is held\n");
        return text;
    }
    let mut table = Table::new(&["", "symbol", "position#", "value#", "entry#", "close#", "of limit#", ""]);
    for (symbol, held) in held(state) {
        let figure = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| format!("{value:.2}"));
        table.row([
            String::new(),
            symbol.to_string(),
            held.position.to_string(),
            format!("{:.2}", held.value.to_f64()),
            figure(held.entry),
            figure(held.close),
            share(held.value, limit).map_or_else(|| "?".to_owned(), |share| format!("{:.0} %", share * 100.0)),
            how(&held),
        ]);
    }
    text.push_str(&table.render());
    text
}

fn document(account: &str, standing: &Standing<TraderState>, limit: Option<Money>) -> Json {
    let state = &standing.snapshot;
    let positions = held(state).map(|(symbol, held)| {
        json!({
            "symbol": symbol.to_string(),
            "position": held.position.to_string(),
            "value": held.value.to_string(),
            "entry": held.entry,
            "close": held.close,
            "seen_at": held.seen_at.map(|time| time.to_string()),
            "share_of_limit": share(held.value, limit),
            "dust": held.is_dust,
            "exiting": held.exiting.map(crate::domain::Purpose::name),
        })
    });
    json!({
        "account": account,
        "venue": if state.is_live() { "real" } else { "paper" },
        "trading": trading(standing),
        "paused_until": state.paused_until().map(|until| until.to_string()),
        "round_trip": round_trip::document(state),
        "watermark": standing.watermark.to_string(),
        "equity": state.desk().equity().to_string(),
        "cash": state.desk().cash().to_string(),
        "positions": positions.collect::<Vec<_>>(),
        "flat": held(state).all(|(_, held)| held.is_dust || held.position == Qty::ZERO),
    })
}
