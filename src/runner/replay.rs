//! Replay: drives a fresh trader over columns of bars, in isolated state.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{Columns, SymbolIndex, Time};
use crate::perf::{DayClose, Summary};
use crate::stage::oms::{DeskError, Outbox, Tally};
use crate::telemetry::record::Records;

use super::moments::Moments;
use super::trader::{Trader, TraderConfig};

/// Moments between two calls of the sink. Fixed, because it divides the record: the same replay gives the same bytes.
const SINK_EVERY: u64 = 1 << 15;

/// What a replay came to.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when no bar was traded.
    pub summary: Option<Summary>,
    pub tally: Tally,
    pub kills: u32,
    pub halted: bool,
    /// Bars traded, all symbols together.
    pub bars: u64,
    /// Rows since `sink` last took them.
    pub records: Records,
    pub feature_names: Vec<&'static str>,
    /// The last equity of each UTC day.
    pub closes: Vec<DayClose>,
    /// It was stopped before the end.
    pub interrupted: bool,
}

/// Replays `columns`, one for each symbol of the configuration. Bars that open before `from` only warm the models.
///
/// `stop` is looked at after each moment. Now and then `sink` is given the rows so far, to take or to leave, and the bars done.
///
/// # Errors
/// When the venue reports what cannot be.
pub fn replay(
    config: TraderConfig,
    columns: &[Columns],
    from: Option<Time>,
    stop: &AtomicBool,
    mut sink: impl FnMut(&mut Records, u64),
) -> Result<Outcome, DeskError> {
    assert_eq!(columns.len(), config.desk.instruments.len(), "one column for each symbol");
    let mut trader = Trader::new(config);
    let mut out = Outbox::default();
    let from = from.unwrap_or(Time::MIN);
    let (mut bars_done, mut moments_done, mut interrupted) = (0, 0, false);
    if let [column] = columns {
        // One symbol needs no merging; this loop is what the speed figures are about.
        let first = SymbolIndex(0);
        for at in 0..column.len() {
            let bar = column.bar(at);
            if bar.open_time < from {
                trader.warm(first, &bar);
                continue;
            }
            trader.step(bar.open_time, &[(first, bar)], &mut out)?;
            bars_done += 1;
            if bars_done % SINK_EVERY == 0 {
                sink(&mut out.records, bars_done);
            }
            if stop.load(Ordering::Relaxed) {
                interrupted = true;
                break;
            }
        }
    } else {
        let mut moments = Moments::new(columns);
        while let Some((open_time, bars)) = moments.advance() {
            if open_time < from {
                bars.iter().for_each(|(symbol, bar)| trader.warm(*symbol, bar));
                continue;
            }
            trader.step(open_time, bars, &mut out)?;
            bars_done += bars.len() as u64;
            moments_done += 1;
            if moments_done % SINK_EVERY == 0 {
                sink(&mut out.records, bars_done);
            }
            if stop.load(Ordering::Relaxed) {
                interrupted = true;
                break;
            }
        }
    }
    Ok(outcome(trader, out, bars_done, interrupted))
}

fn outcome(mut trader: Trader, mut out: Outbox, bars: u64, interrupted: bool) -> Outcome {
    trader.close(&mut out);
    let mut records = out.records;
    records.orders.extend(trader.desk().open_orders());
    Outcome {
        summary: trader.curve().map(Summary::of),
        tally: trader.desk().tally().clone(),
        kills: trader.desk().kills(),
        halted: trader.desk().halt().is_some(),
        bars,
        records,
        feature_names: trader.feature_names(),
        closes: trader.curve().map(|curve| curve.daily_closes().collect()).unwrap_or_default(),
        interrupted,
    }
}
