//! `tidegate reconcile`: compares the account with the venue's, and takes the venue's for right when a person says so.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{Connection, Task, account_of, drive_failure, has_traded, mode_of, visit, wait_for_journal};
use super::output::{BOLD, RED, Report};
use super::select::Select;
use super::table::Table;
use super::work::Workplace;
use crate::domain::{Qty, Span, SymbolIndex};
use crate::profile::VenueKind;
use crate::runner::drive::Driver;
use crate::runner::live::Live;
use crate::store::journal::Entry;
use crate::venue::wire::{Account, Answer, Failure as VenueFailure, Owner, Request, VenueOrder};

const COMPARE_WITHIN: Span = Span::from_secs(30);

const EXAMPLES: &str = "\
Examples:
  tidegate reconcile -p canary
  tidegate reconcile -p canary --accept --reason \"I sold some BTC by hand\"

Exit 0: equal. Exit 4: different; the profile is halted.
--accept moves no position of ours: what the venue has beyond them counts as
what lay there before. `tidegate resume` is a word of its own.";

/// Compare orders, trades and balances with the venue, and show where they differ.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Reconcile {
    #[command(flatten)]
    select: Select,
    /// Take the venue's balances for right.
    #[arg(long, requires = "reason")]
    accept: bool,
    /// Why it is right to accept them; written into the log.
    #[arg(long, value_name = "TEXT", requires = "accept")]
    reason: Option<String>,
}

/// Both sides at one moment.
struct Sides {
    rows: Vec<Asset>,
    /// Open here, by id; and whether the venue shows it.
    ours: Vec<(String, bool)>,
    /// Open at the venue and not here, and whose they are.
    strange: Vec<String>,
}

struct Asset {
    name: String,
    ours: Qty,
    venue: Qty,
    differs: bool,
}

impl Sides {
    fn is_equal(&self) -> bool {
        !self.rows.iter().any(|row| row.differs) && self.ours.iter().all(|(_, shown)| *shown) && self.strange.is_empty()
    }
}

impl Reconcile {
    /// # Errors
    /// When the profile has not traded, another program holds it, or the venue does not answer.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let reason = self.reason.as_deref().map_or("", str::trim);
        if self.accept && reason.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow!("the reason is empty")).hint("say what happened on the account"));
        }
        let (profile, plan, _) = self.select.load(context)?;
        let place = Workplace::new(context, profile, plan)?;
        let name = place.profile.name();
        if place.profile.venue() == VenueKind::Paper {
            let text = format!("{name} trades on paper: there is no other side to compare with\n");
            return Ok(report(&place, text, json!({ "venue": "paper", "equal": true })).print(context, Exit::Done));
        }
        if !has_traded(&place) {
            let error = anyhow!("{} has not traded yet: there is nothing to compare", account_of(&place));
            return Err(Failure::new(Exit::Failed, error).hint(format!("tidegate run -p {name}")));
        }
        let mut journal = wait_for_journal(&place, "reconcile")?;
        if self.accept {
            let body = json!({ "account": account_of(&place), "reason": reason });
            journal.write(&[Entry::Note { kind: "accept", body }], context.in_real_time().clock.now())?;
        }
        let visited = visit(context, &place, &mut journal, "reconcile", async |task, connection, driver| {
            compare(task, driver).await?;
            let before = sides(&place, connection, driver.live()).await?;
            if !self.accept {
                return Ok((before, None));
            }
            driver.accept(account(connection).await?).await.map_err(drive_failure)?;
            compare(task, driver).await?;
            Ok((before, Some(sides(&place, connection, driver.live()).await?)))
        })?;
        let (before, after) = visited.value;
        let mut told = told(&place, &visited.live, &before, after.as_ref());
        told.0.warnings.extend(visited.alarms.iter().map(ToString::to_string));
        Ok(told.0.print(context, told.1))
    }
}

/// Lets the account compare itself, to the end.
async fn compare(task: &Task<'_>, driver: &mut Driver<'_>) -> Result<(), Failure> {
    let clock = &task.context.clock;
    let is_done = |live: &Live| live.is_reconciled() || live.has_compared(clock.now());
    driver.run_until(clock.now() + COMPARE_WITHIN, task.stop, is_done).await.map(drop).map_err(drive_failure)
}

async fn account(connection: &Connection) -> Result<Account, Failure> {
    match connection.client.call(&Request::Account).await.map_err(asked)? {
        Answer::Account(account) => Ok(account),
        _ => Err(anyhow!("the venue answered something else than the account").into()),
    }
}

fn asked(failure: VenueFailure) -> Failure {
    Failure::new(Exit::Failed, anyhow::Error::new(failure).context("the venue does not show the account")).hint("try again")
}

async fn sides(place: &Workplace, connection: &Connection, live: &Live) -> Result<Sides, Failure> {
    let account = account(connection).await?;
    let mut listed: Vec<VenueOrder> = Vec::new();
    for at in 0..place.plan.symbols().len() {
        let symbol = SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"));
        match connection.client.call(&Request::OpenOrders { symbol: Some(symbol) }).await.map_err(asked)? {
            Answer::Orders(orders) => listed.extend(orders),
            _ => return Err(anyhow!("the venue answered something else than its open orders").into()),
        }
    }
    let differing: BTreeSet<String> = live.differences(&account).into_iter().map(|difference| difference.asset).collect();
    let total: BTreeMap<&str, Qty> = account.balances.iter().map(|balance| (balance.asset.as_str(), balance.total())).collect();
    let asset = |(name, ours): (String, Qty)| {
        let venue = total.get(name.as_str()).copied().unwrap_or(Qty::ZERO);
        Asset { differs: differing.contains(&name), name, ours, venue }
    };
    let state = live.router().state();
    let is_shown = |id| listed.iter().any(|order| order.owner == Owner::Ours(id));
    let ours = state.open().map(|order| (format!("{} {}", order.id(), order.state), is_shown(order.id()))).collect();
    let strange = listed.iter().filter_map(|order| match &order.owner {
        Owner::Ours(id) if state.order(*id).is_some() => None,
        Owner::Ours(id) => Some(format!("{} {}: {id}, of another program of ours", order.symbol_text, order.side.name())),
        Owner::Foreign(id) => Some(format!("{} {}: {id}, not of this program", order.symbol_text, order.side.name())),
    });
    let strange = strange.collect();
    Ok(Sides { rows: live.expected().into_iter().map(asset).collect(), ours, strange })
}

fn lines(sides: &Sides) -> String {
    let mut table = Table::new(&["", "asset", "ours#", "venue#", "difference#"]);
    for row in &sides.rows {
        let (mark, difference) = if row.differs { ("!", (row.venue - row.ours).to_string()) } else { ("", "-".to_owned()) };
        table.row([mark.to_owned(), row.name.clone(), row.ours.to_string(), row.venue.to_string(), difference]);
    }
    let mut text = table.render();
    for (order, shown) in &sides.ours {
        let there = if *shown { "open here and at the venue" } else { "open here, NOT shown by the venue" };
        text.push_str(&format!("   order  {order}: {there}\n"));
    }
    sides.strange.iter().for_each(|order| text.push_str(&format!("!  order  {order}\n")));
    if sides.ours.is_empty() && sides.strange.is_empty() {
        text.push_str("   no open orders on either side\n");
    }
    text
}

fn document(sides: &Sides) -> Json {
    json!({
        "equal": sides.is_equal(),
        "assets": sides.rows.iter().map(|row| json!({
            "asset": row.name,
            "ours": row.ours.to_string(),
            "venue": row.venue.to_string(),
            "differs": row.differs,
        })).collect::<Vec<_>>(),
        "open_orders": sides.ours.iter().map(|(order, shown)| json!({ "order": order, "at_venue": shown })).collect::<Vec<_>>(),
        "foreign_orders": sides.strange,
    })
}

fn told(place: &Workplace, live: &Live, before: &Sides, after: Option<&Sides>) -> (Report, Exit) {
    let name = place.profile.name();
    let now = after.unwrap_or(before);
    let is_equal = now.is_equal() && live.is_reconciled();
    let mut text = lines(before);
    if let Some(after) = after {
        text.push_str("\naccepted: what the venue has beyond our positions lay there before\n");
        text.push_str(&lines(after));
    }
    text.push_str(&match (is_equal, now.is_equal()) {
        (true, _) => format!("\n{BOLD}equal{BOLD:#}: {name} and the venue say the same\n"),
        (false, true) => format!("\n{RED}not sure{RED:#}: the balances are equal, and something is still in doubt\n"),
        (false, false) => format!("\n{RED}different{RED:#}: {name} trades nothing new\n"),
    });
    let mut data = document(before);
    data["equal"] = json!(is_equal);
    data["venue"] = json!(place.profile.venue().name());
    data["accepted"] = after.map_or(Json::Null, document);
    data["halted"] = json!(live.trader().desk().halt().map(|halt| halt.cause.name()));
    let mut report = report(place, text, data);
    if !now.strange.is_empty() {
        report.next.push("withdraw at the venue what is not ours, then compare again".to_owned());
    }
    if now.rows.iter().any(|row| row.differs) {
        report.next.push(format!("tidegate reconcile -p {name} --accept --reason \"...\", when the venue is right"));
    }
    if is_equal && live.trader().desk().halt().is_some() {
        report.next.push(format!("tidegate resume -p {name} --reason \"...\""));
    }
    (report, if is_equal { Exit::Done } else { Exit::CheckFailed })
}

fn report(place: &Workplace, text: String, data: Json) -> Report {
    Report {
        verb: "reconcile",
        profile: Some(place.profile.name().to_owned()),
        mode: Some(mode_of(&place.profile).to_owned()),
        text,
        data,
        ..Report::default()
    }
}
