//! Closing on a real venue: withdraw, sell, look, and again, then compare.

use std::cell::RefCell;

use serde_json::json;

use super::{Line, Outcome};
use crate::cli::Context;
use crate::cli::exit::Failure;
use crate::cli::live::{self, Task, drive_failure};
use crate::cli::work::{self, Workplace};
use crate::domain::{Purpose, Qty, Span, SymbolIndex};
use crate::runner::drive::{DriveError, Driver, Told};
use crate::runner::folder;
use crate::runner::live::Live;
use crate::runner::run;
use crate::runner::setup;
use crate::store::journal::{Entry, Journal, RunState};
use crate::venue::router::Alarm;

/// What was missed is booked first, if the venue answers within this; a way out does not depend on it.
const COMPARE_WITHIN: Span = Span::from_secs(5);
const CLOSE_WITHIN: Span = Span::from_secs(60);
/// The venue is asked at the end.
const ASK_WITHIN: Span = Span::from_secs(10);

pub(super) fn close(context: &Context, place: &Workplace, journal: &mut Journal, reason: &str) -> Result<Outcome, Failure> {
    let stop = work::stop_on_signal()?;
    let task = Task { context, place, stop: &stop };
    let now = context.clock.now();
    let mut stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "close-all", String::new());
    stamp.run = folder::run_id(&stamp.profile, &stamp.standing(), now);
    journal.begin(&stamp.run, &serde_json::to_string(&stamp)?)?;
    let note = Entry::Note { kind: "close-all", body: json!({ "account": stamp.standing(), "reason": reason }) };
    journal.write(&[note], now)?;
    let alarms: RefCell<Vec<Alarm>> = RefCell::default();
    let tell = |told: Told<'_>| {
        if let Told::Alarm(alarm) = told {
            alarms.borrow_mut().push(alarm.clone());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let connection = live::connect(context, &place.profile, place.plan.symbols(), place.lake.local()).await?;
        let mut driver = live::open_driver(&task, &connection, &mut *journal, &stamp, Box::new(tell)).await?;
        let before = positions(driver.live());
        let orders = driver.live().trader().desk().tally().orders;
        drive(&task, &mut driver).await.map_err(drive_failure)?;
        let watermark = driver.watermark();
        Ok::<_, Failure>((driver.finish(), before, orders, watermark))
    });
    let (live, before, orders, watermark) = match done {
        Ok(done) => done,
        Err(failure) => {
            // The journal may be what failed.
            let _told_already = journal.end(&stamp.run, RunState::Failed);
            return Err(failure);
        }
    };
    run::record_of(journal, &place.runs, &stamp, live.trader(), watermark, false)?;
    let recovered = run::complete(journal, &place.runs, live.trader(), watermark)?;
    let mut outcome = outcome(place, &live, &before, live.trader().desk().tally().orders - orders);
    outcome.record = Some(place.shown(context, &place.runs.join(&stamp.run)));
    outcome.warnings.extend(alarms.into_inner().iter().map(ToString::to_string));
    outcome.warnings.extend(recovered.iter().map(|run| format!("run {run} had been cut off; its record is complete now")));
    Ok(outcome)
}

fn positions(live: &Live) -> Vec<Qty> {
    live.trader().desk().positions().map(|(_, position)| position).collect()
}

async fn drive(task: &Task<'_>, driver: &mut Driver<'_>) -> Result<(), DriveError> {
    let clock = &task.context.clock;
    // The latch is set: what is open is being withdrawn from here on.
    driver.run_until(clock.now() + COMPARE_WITHIN, task.stop, Live::is_reconciled).await?;
    driver.stop(Some(Purpose::Rollback)).await?;
    driver.run_until(clock.now() + CLOSE_WITHIN, task.stop, |live| !live.is_closing()).await?;
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
