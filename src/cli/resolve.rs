//! `tidegate resolve`: asks the venue what became of an order that nobody knows of.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{drive_failure, mode_of, visit, wait_for_journal};
use super::output::Report;
use super::select::Select;
use super::work::Workplace;
use crate::domain::{ClientOrderId, OrderState, Span};
use crate::profile::VenueKind;
use crate::runner::live::Live;
use crate::store::glance::Glance;
use crate::venue::router::Routed;

/// By then an order is known, or somebody has to look.
const RESOLVE_WITHIN: Span = Span::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  tidegate orders -p canary
  tidegate resolve -p canary tg1a2b3c4d-0195e3f2a400-0000

Exit 0: known. Exit 11: still in doubt; it counts at its worst until it is known.";

/// Ask the venue what became of one order, and say what is known.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Resolve {
    #[command(flatten)]
    select: Select,
    /// The client order id, as `orders` shows it.
    #[arg(value_name = "ORDER-ID")]
    order: String,
}

impl Resolve {
    /// # Errors
    /// When there is no such order, or the venue or the journal cannot be had.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let no_id = |_| anyhow!("\"{}\" is no client order id", self.order);
        let id: ClientOrderId = self.order.parse().map_err(no_id).map_err(|error| Failure::new(Exit::Usage, error))?;
        let (profile, plan, _) = self.select.load(context)?;
        let place = Workplace::new(context, profile, plan)?;
        let name = place.profile.name();
        let known = Glance::at(&place.runs)?.map(|glance| glance.order(id)).transpose()?.flatten();
        let Some(entry) = known else {
            let error = anyhow!("the journal of {name} has no order {id} of a real venue");
            return Err(Failure::new(Exit::Failed, error).hint(format!("tidegate orders -p {name} --all")));
        };
        if !entry.is_open || place.profile.venue() == VenueKind::Paper {
            let routed: Routed = serde_json::from_value(entry.body)?;
            return Ok(told(&place, id, Some(&routed), Vec::new()).print(context, Exit::Done));
        }
        let mut journal = wait_for_journal(&place, "resolve")?;
        let visited = visit(context, &place, &mut journal, "resolve", async |task, _, driver| {
            let deadline = task.context.clock.now() + RESOLVE_WITHIN;
            driver.run_until(deadline, task.stop, |live| !is_doubtful(live, id)).await.map_err(drive_failure)
        })?;
        let exit = if is_doubtful(&visited.live, id) { Exit::PositionsOpen } else { Exit::Done };
        let alarms = visited.alarms.iter().map(ToString::to_string).collect();
        Ok(told(&place, id, visited.live.router().state().order(id), alarms).print(context, exit))
    }
}

fn is_doubtful(live: &Live, id: ClientOrderId) -> bool {
    let order = live.router().state().order(id);
    order.is_some_and(|order| matches!(order.state, OrderState::Sending | OrderState::Unknown) || order.doubt.is_some())
}

fn told(place: &Workplace, id: ClientOrderId, order: Option<&Routed>, warnings: Vec<String>) -> Report {
    let name = place.profile.name();
    let state = order.map_or_else(|| "forgotten: it ended long ago".to_owned(), |order| order.state.to_string());
    let mut text = format!("{id}: {state}\n");
    if let Some(order) = order {
        let symbol = place.plan.symbols().get(order.intent.symbol.at()).map(ToString::to_string).unwrap_or_default();
        let at_venue = order.venue_id.map_or_else(|| "not named".to_owned(), |number| number.0.to_string());
        text.push_str(&format!(
            "  {} {symbol}, filled {}; its number at the venue: {at_venue}\n",
            order.intent.side.name(),
            order.filled
        ));
        if let Some(doubt) = &order.doubt {
            text.push_str(&format!("  in doubt since {}; it counts at its worst until it is known\n", doubt.since));
        }
    }
    Report {
        verb: "resolve",
        profile: Some(name.to_owned()),
        mode: Some(mode_of(&place.profile).to_owned()),
        data: json!({
            "order": id.to_string(),
            "venue": place.profile.venue().name(),
            "state": order.map(|order| order.state.to_string()),
            "filled": order.map(|order| order.filled.to_string()),
            "in_doubt": order.is_some_and(|order| order.doubt.is_some()),
        }),
        text,
        warnings,
        next: vec![format!("tidegate log -p {name} --order {id}")],
    }
}
