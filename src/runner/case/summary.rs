//! The account after a step, in lines.

use super::sheet::Sheet;
use crate::domain::Time;
use crate::perf::Summary;
use crate::risk::TradingState;
use crate::stage::oms::Tally;

/// What there is to say.
pub(super) struct Standing<'a> {
    /// Bars traded in this step.
    pub bars: u64,
    /// Open time of the last bar that was traded.
    pub watermark: Option<Time>,
    pub tally: &'a Tally,
    pub kills: u32,
    pub state: TradingState,
    /// `None` before the first bar.
    pub summary: Option<&'a Summary>,
}

/// Amounts in full: a golden is compared, not glanced at.
pub(super) fn lines(standing: &Standing<'_>) -> Sheet {
    let Standing { bars, watermark, tally, kills, state, summary } = standing;
    let Tally { orders, fills, rejected, expired, canceled, refusals, denied, fees, turnover, exposure_peak, abandoned } = tally;
    let mut lines = vec![
        format!("state: {}", state.name()),
        format!("bars in this step: {bars}"),
        watermark.map_or_else(|| "traded up to: no bar yet".to_owned(), |time| format!("traded up to the bar of: {time}")),
        format!("orders: {orders} sent, {denied} denied, {rejected} rejected, {expired} expired, {canceled} canceled"),
    ];
    // Only a real venue loses orders; where none was lost there is nothing to say.
    if *abandoned > 0 {
        lines.push(format!("abandoned: {abandoned} never reached the venue"));
    }
    lines.extend(refusals.iter().map(|(code, count)| format!("refusals: {count} {code}")));
    lines.push(format!("fills: {fills}, fees {fees}, turnover {turnover}"));
    lines.push(format!("exposure: at most {exposure_peak}"));
    if let Some(summary) = summary {
        lines.push(format!("equity: {} -> {}", summary.start_equity, summary.end_equity));
        let depth = summary.max_drawdown.as_ref().map_or(0.0, |worst| worst.depth);
        lines.push(format!("drawdown: at most {:.6}", depth));
    }
    lines.push(format!("kills: {kills}"));
    Sheet::lines(lines)
}
