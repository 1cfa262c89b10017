//! Bars made of a file of trades.

use std::path::Path;

use serde_json::json;

use super::{IngestError, Intake, SourceReport, Stamp, Taken, despite_others};
use crate::domain::Series;
use crate::feed::{Batch, TradeFile};
use crate::stage::ingest::aggregate::{Aggregator, RefusedBar, TradeFigures, TradeTerms};
use crate::stage::ingest::settle::Settler;
use crate::store::{Import, RefusedRow};

/// Trades read between two looks at the progress bar.
const STEP_TRADES: usize = 1 << 14;

/// What came of a file of trades.
#[derive(Debug, Clone)]
pub struct TradeReport {
    pub trades: TradeFigures,
    /// Of the bars that the trades made. Every bar is new or was there; the others are refused.
    pub bars: SourceReport,
}

impl Intake<'_> {
    /// Makes bars of a file of trades, and takes in those that are whole and new. It is read again every time: a file that
    /// has grown, or about which more is known, makes more of its bars whole.
    ///
    /// # Errors
    /// When a row is no trade, sums do not fit, or the lake cannot be written; the lake is then as before.
    pub fn import_trades(
        &self,
        series: &Series,
        path: &Path,
        terms: TradeTerms,
        progress: &mut dyn FnMut(u64),
    ) -> Result<TradeReport, IngestError> {
        despite_others(|| self.import_trades_once(series, path, terms, progress))
    }

    fn import_trades_once(
        &self,
        series: &Series,
        path: &Path,
        terms: TradeTerms,
        progress: &mut dyn FnMut(u64),
    ) -> Result<TradeReport, IngestError> {
        debug_assert_eq!(series.interval(), terms.interval, "the bars are those of the series");
        let stamp = Stamp::of(path)?;
        let mut file = TradeFile::open(path, self.now)?;
        let mut aggregator = Aggregator::new(terms);
        let (mut trades, mut has_more) = (Vec::with_capacity(STEP_TRADES), true);
        while has_more {
            trades.clear();
            has_more = file.read(STEP_TRADES, &mut trades)?;
            for trade in &trades {
                aggregator.push(trade).map_err(|source| IngestError::Trades { path: path.to_owned(), source })?;
            }
            progress(file.position());
            self.refuse_if_stopped()?;
        }
        let fingerprint = file.finish()?;
        let made = aggregator.finish();
        let mut writer = self.lake.writer(series)?;
        let mut settler = Settler::new(series.interval(), self.contract, self.now);
        let mut taken = Taken::default();
        taken.refuse(made.refused.iter().map(refused_row).collect());
        let place = (1..=u32::try_from(made.rows.len()).unwrap_or(u32::MAX)).collect();
        taken.settle(&mut settler, &mut writer, Batch { place, rows: made.rows, ..Batch::default() }, self.contract)?;
        let quality = settler.quality();
        let name = path.display().to_string();
        let quarantine = self.quarantine(series, &name, Some(&fingerprint), &taken.refused)?;
        // An import of trades must not be taken for one of bars: what stands here reads otherwise on purpose.
        let quality_and_trades = json!({ "trades": made.figures, "bars": quality });
        if taken.added > 0 {
            let record = self.import_record(&name, stamp, fingerprint, &taken, &quality);
            writer.record(Import { quality: quality_and_trades, ..record });
        }
        writer.commit()?;
        let bars = SourceReport { quarantine, ..taken.report(name, quality) };
        Ok(TradeReport { trades: made.figures, bars })
    }
}

/// A bar that was not made has no row of its own: what its trades say so far stands in for it.
fn refused_row(refused: &RefusedBar) -> RefusedRow {
    let bar = &refused.bar;
    RefusedRow {
        place: 0,
        open_time: Some(bar.open_time),
        reason: refused.reason.code(),
        detail: format!("{}; it has {}", refused.detail, refused.trades),
        row: format!("{},{},{},{},{},{}", bar.open_time.micros(), bar.open, bar.high, bar.low, bar.close, bar.volume),
    }
}
