//! `why`: the card of a decision, from what was recorded: what the model saw and said, what the gate answered, what became of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::OfProfile;
use super::output::{BOLD, DIM, Report};
use super::table::{grouped, short_time};
use crate::domain::{ClientOrderId, Symbol, SymbolIndex, Time};
use crate::runner::folder::Stamp;
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::telemetry::event::symbol_name;
use crate::telemetry::record::{Decision, OrderRow, Records};

const EXAMPLES: &str = "\
Examples:
  tidegate why 2025-03-01T06:00 -p canary
  tidegate why tgc6cf4a00-01924d87d300-0000 -p canary
  tidegate why 20250301T060000Z-ab12cd34 -p canary

The first is the close of a bar, the second an order, the third a run.
`tidegate orders --all` and `tidegate log` show ids; a decision is recorded
when it differs from the one before it.";

/// Say why: the decision behind an order, everything at the close of a bar, or what a run did.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Why {
    /// A run, an order, or the close of a bar (UTC).
    #[arg(value_name = "RUN|ORDER|BAR")]
    subject: String,
    #[command(flatten)]
    profile: OfProfile,
}

/// What was recorded, with the names it is told by.
struct Record {
    symbols: Vec<Symbol>,
    features: Vec<String>,
    rows: Records,
}

/// One order with what led to it and what became of it.
struct Card<'a> {
    order: &'a OrderRow,
    decision: Option<&'a Decision>,
    /// What each check that refused has seen and allowed.
    refusals: Vec<String>,
    fills: Vec<Json>,
}

impl Why {
    /// # Errors
    /// When there is no journal, or nothing of that name in it.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let glance = place.look()?;
        let mut report = Report { verb: "why", profile: Some(place.name.clone()), mode: place.mode.clone(), ..Report::default() };
        let record = Record::of(&glance)?;
        if let Ok(id) = self.subject.parse::<ClientOrderId>()
            && let Some(order) = record.rows.orders.iter().find(|row| row.intent.id == id)
        {
            let card = record.card(order);
            (report.text, report.data) = (record.told(&card), record.json(&card));
            return Ok(report.print(context, Exit::Done));
        }
        if let Ok(close) = self.subject.parse::<Time>() {
            (report.text, report.data) = record.bar(close)?;
            return Ok(report.print(context, Exit::Done));
        }
        let rows = glance.journal().records(Some(&self.subject))?;
        if rows.is_empty() {
            let error = anyhow!("{} is no run, order or bar that profile {} has recorded", self.subject, place.name);
            return Err(Failure::new(Exit::Usage, error).hint(format!("`tidegate log -p {}` shows runs and orders", place.name)));
        }
        (report.text, report.data) = of_run(&self.subject, &rows);
        Ok(report.print(context, Exit::Done))
    }
}

impl Record {
    fn of(glance: &Glance) -> Result<Self, Failure> {
        let stamp: Option<Stamp> = glance.last_manifest()?.and_then(|text| serde_json::from_str(&text).ok());
        let (symbols, features) = stamp.map(|stamp| (stamp.symbols, stamp.features)).unwrap_or_default();
        let mut rows = glance.journal().records(None)?;
        // Those that have not ended stand in the snapshots.
        for account in glance.accounts()? {
            if let Some(standing) = glance.standing::<TraderState>(&account)? {
                rows.orders.extend(standing.snapshot.desk().open_orders());
            }
        }
        Ok(Self { symbols, features, rows })
    }

    fn card<'a>(&'a self, order: &'a OrderRow) -> Card<'a> {
        let intent = &order.intent;
        let is_same = |decision: &&Decision| decision.at == intent.decided_at && decision.symbol == intent.symbol;
        let refusals = self.rows.refusals.iter().filter(|row| row.order == intent.id);
        let fills = self.rows.fills.iter().filter(|row| row.fill.order == intent.id).map(|row| {
            json!({
                "at": row.fill.at.to_string(), "qty": row.fill.qty.to_string(), "price": row.fill.price.to_string(),
                "fee": row.fill.fee.to_string(), "cash_after": row.cash_after.to_string(),
                "position_after": row.position_after.to_string(),
            })
        });
        Card {
            order,
            decision: self.rows.decisions.iter().find(is_same),
            refusals: refusals.map(|row| row.refusal.to_string()).collect(),
            fills: fills.collect(),
        }
    }

    fn symbol(&self, index: SymbolIndex) -> String {
        symbol_name(&self.symbols, index)
    }

    /// Names and values of what the model went by.
    fn features(&self, decision: &Decision) -> BTreeMap<String, f64> {
        let named = self.features.iter().zip(decision.features);
        named.filter_map(|(name, value)| Some((name.clone(), value?))).collect()
    }

    fn said(&self, decision: &Decision) -> Json {
        json!({
            "at": decision.at.to_string(), "symbol": self.symbol(decision.symbol), "close": decision.close,
            "prediction": decision.prediction, "target": decision.target, "features": self.features(decision),
            "state": decision.state.name(),
        })
    }

    fn json(&self, card: &Card<'_>) -> Json {
        let (order, intent) = (card.order, &card.order.intent);
        json!({
            "order": {
                "id": intent.id.to_string(), "symbol": self.symbol(intent.symbol), "side": intent.side.name(),
                "kind": intent.kind.name(), "purpose": intent.purpose.name(), "reference": intent.reference.to_string(),
                "notional": intent.notional().to_string(), "decided_at": intent.decided_at.to_string(),
                "state": order.state.name(), "ended_at": order.ended_at.map(|at| at.to_string()),
                "filled_qty": order.filled_qty.to_string(), "fees": order.fees.to_string(),
            },
            "decision": card.decision.map(|decision| self.said(decision)),
            "refusals": card.refusals,
            "fills": card.fills,
        })
    }

    fn told(&self, card: &Card<'_>) -> String {
        let (order, intent) = (card.order, &card.order.intent);
        let head = format!("{} {} of {}", intent.side.name(), intent.kind.name(), self.symbol(intent.symbol));
        let mut text = format!("{BOLD}{head}{BOLD:#}  {}  {}\n", intent.id, order.state.name());
        let mut line = |name: &str, rest: String| {
            let _ = writeln!(text, "  {DIM}{name:<10}{DIM:#} {rest}");
        };
        line("close of", format!("{} UTC", short_time(intent.decided_at)));
        match card.decision {
            Some(decision) => {
                let features: Vec<String> =
                    self.features(decision).iter().map(|(name, value)| format!("{name} {value:.6}")).collect();
                line("features", if features.is_empty() { "-".to_owned() } else { features.join(", ") });
                line("model", format!("prediction {:+.3} at {}, {}", decision.prediction, decision.close, decision.state.name()));
                line("target", serde_json::to_string(&decision.target).unwrap_or_default());
            }
            None => line("model", "it said what it had said before".to_owned()),
        }
        let (quantity, notional) = (intent.quantity(), intent.notional());
        line("order", format!("{quantity} at {} = {notional:.2}, {}", intent.reference, intent.purpose.name()));
        for (at, refusal) in card.refusals.iter().enumerate() {
            line(if at == 0 { "denied" } else { "" }, refusal.clone());
        }
        if card.refusals.is_empty() {
            line("gate", "every check passed".to_owned());
        }
        if let Some(reason) = &order.rejected {
            line("rejected", reason.name().to_owned());
        }
        for fill in &card.fills {
            let word = |name: &str| fill[name].as_str().unwrap_or_default().to_owned();
            line("fill", format!("{} @ {}, fee {}, {}", word("qty"), word("price"), word("fee"), word("at")));
        }
        text
    }

    /// Everything at the close of a bar.
    fn bar(&self, close: Time) -> Result<(String, Json), Failure> {
        let decisions: Vec<&Decision> = self.rows.decisions.iter().filter(|decision| decision.at == close).collect();
        let orders: Vec<Card<'_>> =
            self.rows.orders.iter().filter(|row| row.intent.decided_at == close).map(|row| self.card(row)).collect();
        if decisions.is_empty() && orders.is_empty() {
            let error = anyhow!("nothing was decided at the close of {close}");
            let hint = "a decision is recorded when it differs from the one before; `tidegate log --kind decision` shows them";
            return Err(Failure::new(Exit::Usage, error).hint(hint));
        }
        let mut text = String::new();
        for decision in &decisions {
            let is_told = orders.iter().any(|card| card.order.intent.symbol == decision.symbol);
            if !is_told {
                let (symbol, prediction) = (self.symbol(decision.symbol), decision.prediction);
                let _ =
                    writeln!(text, "{BOLD}{symbol}{BOLD:#}: no order; prediction {prediction:+.3}, {}", decision.state.name());
            }
        }
        orders.iter().for_each(|card| text.push_str(&self.told(card)));
        let data = json!({
            "close": close.to_string(),
            "decisions": decisions.iter().map(|decision| self.said(decision)).collect::<Vec<_>>(),
            "orders": orders.iter().map(|card| self.json(card)).collect::<Vec<_>>(),
        });
        Ok((text, data))
    }
}

/// What a run did, counted.
fn of_run(run: &str, rows: &Records) -> (String, Json) {
    let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
    rows.refusals.iter().for_each(|row| *refusals.entry(row.refusal.code()).or_default() += 1);
    let mut text = format!("{BOLD}run {run}{BOLD:#}\n");
    let counts = [("decisions", rows.decisions.len()), ("orders", rows.orders.len()), ("fills", rows.fills.len())];
    for (name, count) in counts {
        let _ = writeln!(text, "  {DIM}{name:<10}{DIM:#} {}", grouped(count as u64));
    }
    for (code, count) in &refusals {
        let _ = writeln!(text, "  {DIM}refused{DIM:#}    {} {code}", grouped(*count));
    }
    for row in rows.orders.iter().filter(|row| row.filled_qty.is_positive()).take(1) {
        let _ = writeln!(text, "The card of its first filled order: tidegate why {}", row.intent.id);
    }
    let ids: Vec<String> = rows.orders.iter().map(|row| row.intent.id.to_string()).collect();
    let data = json!({
        "run": run, "decisions": rows.decisions.len(), "fills": rows.fills.len(), "refusals": refusals, "orders": ids,
    });
    (text, data)
}
