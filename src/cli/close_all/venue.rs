//! Closing on a real venue: withdraw, sell, look, and again, then compare.

use serde_json::json;

use super::{Line, Outcome};
use crate::cli::Context;
use crate::cli::exit::Failure;
use crate::cli::live::{Task, account_of, drive_failure, visit};
use crate::cli::work::Workplace;
use crate::domain::{Purpose, Qty, Span, SymbolIndex};
use crate::runner::drive::{DriveError, Driver};
use crate::runner::live::Live;
use crate::store::journal::{Entry, Journal};

/// What was missed is booked first, if the venue answers within this; a way out does not depend on it.
const COMPARE_WITHIN: Span = Span::from_secs(5);
/// The venue is asked at the end.
const ASK_WITHIN: Span = Span::from_secs(10);

pub(super) fn close(
    context: &Context,
    place: &Workplace,
    journal: &mut Journal,
    reason: &str,
    within: Span,
) -> Result<Outcome, Failure> {
    let note = Entry::Note { kind: "close-all", body: json!({ "account": account_of(place), "reason": reason }) };
    journal.write(&[note], context.in_real_time().clock.now())?;
    let visited = visit(context, place, journal, "close-all", async |task, _, driver| {
        let desk = driver.live().trader().desk();
        let before: Vec<Qty> = desk.positions().map(|(_, position)| position).collect();
        let orders = desk.tally().orders;
        drive(task, driver, within).await.map_err(drive_failure)?;
        Ok((before, orders))
    })?;
    let (before, orders) = visited.value;
    let mut outcome = outcome(place, &visited.live, &before, visited.live.trader().desk().tally().orders - orders);
    outcome.record = visited.record;
    outcome.warnings.extend(visited.alarms.iter().map(ToString::to_string));
    outcome
        .warnings
        .extend(visited.recovered.iter().map(|run| format!("run {run} had been cut off; its record is complete now")));
    Ok(outcome)
}

async fn drive(task: &Task<'_>, driver: &mut Driver<'_>, within: Span) -> Result<(), DriveError> {
    let clock = &task.context.clock;
    // The latch is set: what is open is being withdrawn from here on.
    driver.run_until(clock.now() + COMPARE_WITHIN, task.stop, Live::is_reconciled).await?;
    driver.stop(Some(Purpose::Rollback)).await?;
    driver.run_until(clock.now() + within, task.stop, |live| !live.is_closing()).await?;
    driver.run_until(clock.now() + ASK_WITHIN, task.stop, Live::is_settled).await.map(drop)
}

fn outcome(place: &Workplace, live: &Live, before: &[Qty], orders: u64) -> Outcome {
    let desk = live.trader().desk();
    let symbol = |at: usize| SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"));
    let lines: Vec<Line> = (place.plan.symbols().iter().zip(before).enumerate())
        .map(|(at, (name, &before))| Line {
            symbol: name.clone(),
            before,
            after: desk.position(symbol(at)),
            is_dust: desk.is_negligible(symbol(at)),
        })
        .collect();
    let open: Vec<String> = live.router().state().open().map(|order| format!("{} {}", order.id(), order.state)).collect();
    let is_equal = desk.is_reconciled();
    let is_flat = is_equal && open.is_empty() && !live.is_closing() && lines.iter().all(|line| line.is_dust);
    let name = place.profile.name();
    let mut next = Vec::new();
    if !is_flat {
        next.push(format!("tidegate reconcile -p {name}"));
        next.push(format!("then again: tidegate close-all -p {name} --reason \"...\""));
    }
    let compared = if is_equal {
        "compared with the venue's: equal"
    } else {
        "NOT equal to the venue's, or not compared: what is held is as we believe it"
    };
    Outcome { lines, open, is_flat, compared: compared.to_owned(), orders, record: None, warnings: Vec::new(), next }
}
