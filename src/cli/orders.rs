//! `tidegate orders`: what the program believes of its orders, by its journal alone.

use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::OfProfile;
use super::output::Report;
use super::round_trip;
use super::table::Table;
use crate::domain::{OrderIntent, OrderState, Qty, Size, Span, Symbol, Time};
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::store::journal::LogQuery;
use crate::telemetry::record::OrderRow;
use crate::venue::router::Routed;

/// Orders shown with --all.
const ROWS: u32 = 20;

const EXAMPLES: &str = "\
Examples:
  tidegate orders -p canary
  tidegate orders -p canary --all -n 50
  tidegate log -p canary --order ID

Nothing is asked of the venue: `tidegate reconcile` does that.";

/// Show the orders of a profile that have not ended, as its journal has them; with --all the newest of those that have, too.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Orders {
    #[command(flatten)]
    profile: OfProfile,
    /// Orders that have ended as well.
    #[arg(long)]
    all: bool,
    /// How many of them, the newest, for each account.
    #[arg(short = 'n', long, default_value_t = ROWS, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

/// An order of either kind of venue.
struct Row {
    intent: OrderIntent,
    state: String,
    filled: Qty,
    is_doubtful: bool,
    at: Time,
}

impl Orders {
    /// # Errors
    /// When there is no journal, or it cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let place = self.profile.place(context)?;
        let glance = place.look()?;
        let now = context.clock.now();
        let (mut text, mut accounts, mut doubtful) = (String::new(), Vec::new(), Vec::new());
        for account in glance.accounts()? {
            let Some(standing) = glance.standing::<TraderState>(&account)? else { continue };
            let (state, watermark) = (standing.snapshot, standing.watermark);
            let rows =
                if state.is_live() { self.of_venue(&glance, &account)? } else { self.on_paper(&glance, &state, watermark)? };
            doubtful.extend(rows.iter().filter(|row| row.is_doubtful).map(|row| row.intent.id));
            let none = if self.all { "no order yet" } else { "no order is open" };
            let venue = if state.is_live() { "a real venue's account" } else { "paper" };
            text.push_str(&format!("{account}, {venue}{}\n", if rows.is_empty() { format!(": {none}") } else { String::new() }));
            if !rows.is_empty() {
                text.push_str(&table(&rows, state.symbols(), now));
            }
            let of: Vec<Json> = rows.iter().map(|row| document(row, state.symbols())).collect();
            accounts.push(json!({
                "account": account,
                "venue": if state.is_live() { "real" } else { "paper" },
                "orders": of,
                "round_trip": round_trip::document(&state),
                "paused_until": state.paused_until().map(|until| until.to_string()),
            }));
        }
        let next = doubtful.iter().map(|id| format!("tidegate resolve -p {} {id}", place.name)).collect();
        let report = Report {
            verb: "orders",
            profile: Some(place.name.clone()),
            mode: place.mode,
            data: json!({ "accounts": accounts }),
            text,
            next,
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }

    fn of_venue(&self, glance: &Glance, account: &str) -> Result<Vec<Row>, Failure> {
        let entries = if self.all { glance.orders(account, self.count)? } else { glance.open_orders(account)? };
        let row = |entry: crate::store::journal::OrderEntry| {
            let routed: Routed = serde_json::from_value(entry.body)?;
            // A program that died in the middle of a request left it as on its way.
            let is_unknown = matches!(routed.state, OrderState::Unknown | OrderState::Sending);
            let is_doubtful = entry.is_open && (routed.doubt.is_some() || is_unknown);
            Ok::<_, Failure>(Row {
                intent: routed.intent,
                state: entry.state,
                filled: routed.filled,
                is_doubtful,
                at: routed.intent.decided_at,
            })
        };
        entries.into_iter().map(row).collect()
    }

    /// Those that are open stand in the snapshot, those that have ended in the log.
    fn on_paper(&self, glance: &Glance, state: &TraderState, watermark: Time) -> Result<Vec<Row>, Failure> {
        let row = |order: OrderRow| Row {
            intent: order.intent,
            state: order.state.name().to_owned(),
            filled: order.filled_qty,
            is_doubtful: false,
            at: order.ended_at.unwrap_or(watermark),
        };
        let mut rows: Vec<Row> = state.desk().open_orders().into_iter().map(row).collect();
        if self.all {
            let query = LogQuery { kind: Some("order".to_owned()), limit: self.count, ..LogQuery::default() };
            let mut ended = glance.log(&query)?;
            ended.reverse();
            for entry in ended {
                rows.push(row(serde_json::from_str(&entry.body)?));
            }
        }
        Ok(rows)
    }
}

fn name(symbols: &[Symbol], intent: &OrderIntent) -> String {
    symbols.get(intent.symbol.at()).map_or_else(|| "?".to_owned(), ToString::to_string)
}

fn size(intent: &OrderIntent) -> String {
    match intent.size {
        Size::Base(qty) => qty.to_string(),
        Size::Quote(amount) => format!("for {amount}"),
    }
}

/// `3 s`, `12 min`, `5 h`, `9 d`: the greatest unit that is whole.
fn age(span: Span) -> String {
    let secs = span.micros().max(0) / 1_000_000;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..86_400 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

fn table(rows: &[Row], symbols: &[Symbol], now: Time) -> String {
    let mut table = Table::new(&["order", "symbol", "", "size#", "filled#", "state", "age#"]);
    for row in rows {
        let intent = &row.intent;
        let doubt = if row.is_doubtful { "?" } else { "" };
        table.row([
            intent.id.to_string(),
            name(symbols, intent),
            intent.side.name().to_owned(),
            size(intent),
            row.filled.to_string(),
            format!("{}{doubt}", row.state),
            age(now - row.at),
        ]);
    }
    table.render()
}

fn document(row: &Row, symbols: &[Symbol]) -> Json {
    let intent = &row.intent;
    json!({
        "id": intent.id.to_string(),
        "symbol": name(symbols, intent),
        "side": intent.side.name(),
        "kind": intent.kind.name(),
        "price": intent.kind.limit_price().map(|price| price.to_string()),
        "size": size(intent),
        "purpose": intent.purpose.name(),
        "decided_at": intent.decided_at.to_string(),
        "filled": row.filled.to_string(),
        "state": row.state,
        "in_doubt": row.is_doubtful,
    })
}
