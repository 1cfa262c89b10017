//! Closing on the paper venue, which fills at the open of the next bar: there is nothing to sell before.

use serde_json::json;

use super::{Line, Outcome};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::work::Workplace;
use crate::domain::{Purpose, Qty, SymbolIndex};
use crate::runner::folder;
use crate::runner::run;
use crate::runner::setup;
use crate::runner::trader::{Trader, TraderState};
use crate::stage::oms::Outbox;
use crate::store::journal::{Entry, Journal, Standing};

/// Halts the account itself, withdraws its bids and orders its positions to be sold; the next run fills that and nothing else.
pub(super) fn close(context: &Context, place: &Workplace, journal: &mut Journal, reason: &str) -> Result<Outcome, Failure> {
    let now = context.clock.now();
    let mut stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "close-all", String::new());
    let account = stamp.standing();
    let Some(standing) = journal.standing::<TraderState>(&account)? else { return Ok(Outcome::nothing_ever()) };
    let Standing { watermark, fingerprint, snapshot } = standing;
    let restored = Trader::restore(place.trader.clone(), snapshot, false);
    let mut trader = restored.map_err(|error| Failure::new(Exit::Refused, error))?;
    let is_closing = |trader: &Trader| trader.desk().state().held().any(|held| held.exiting.is_some());
    let positions = |trader: &Trader| trader.desk().positions().map(|(_, position)| position).collect::<Vec<Qty>>();
    let (before, was_closing) = (positions(&trader), is_closing(&trader));
    stamp.run = folder::run_id(&stamp.profile, &account, now);
    journal.begin(&stamp.run, &serde_json::to_string(&stamp)?)?;
    let mut out = Outbox::default();
    trader.close_all(Purpose::Rollback, watermark + place.plan.interval().span(), &mut out)?;
    let standing = Standing { watermark, fingerprint, snapshot: trader.snapshot() };
    let note = Entry::Note { kind: "close-all", body: json!({ "account": account, "reason": reason }) };
    journal.commit_with(&stamp.run, &account, &standing, &out.records, &[note], now)?;
    run::record_of(journal, &place.runs, &stamp, &trader, Some(watermark), false)?;
    let symbol = |at: usize| SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than fit 16 bits"));
    let lines: Vec<Line> = (place.plan.symbols().iter().zip(before).enumerate())
        .map(|(at, (name, before))| Line {
            symbol: name.clone(),
            before,
            after: trader.desk().position(symbol(at)),
            is_dust: trader.desk().is_negligible(symbol(at)),
        })
        .collect();
    let is_flat = !is_closing(&trader) && lines.iter().all(|line| line.is_dust);
    let name = place.profile.name();
    let compared = match (is_flat, was_closing) {
        (true, _) => "on paper: it is what the journal says".to_owned(),
        (false, false) => "on paper, where orders fill at the next bar: the next run sells".to_owned(),
        (false, true) => "on paper, and as before: the next run sells".to_owned(),
    };
    let pipeline = if place.plan.name() == place.profile.pipeline() { String::new() } else { format!(" {}", place.plan.name()) };
    let run = format!("tidegate run{pipeline} -p {name}   (sells at the next bar, and nothing else)");
    let next = if is_flat { Vec::new() } else { vec![run] };
    Ok(Outcome {
        lines,
        open: Vec::new(),
        is_flat,
        compared,
        orders: 0,
        record: Some(place.shown(context, &place.runs.join(&stamp.run))),
        warnings: Vec::new(),
        next,
    })
}
