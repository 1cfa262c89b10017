//! Whether a series that ends too early ends because its venue trades it no more.

use std::ops::Range;

use super::{IngestError, Intake};
use crate::domain::{Series, Time};
use crate::feed::FeedError;
use crate::feed::binance::{RestClient, TRADING};
use crate::stage::ingest::verdict::Breach;

impl Intake<'_> {
    /// Asks about the symbol where the newest bar of `wanted` that has closed is not there.
    ///
    /// # Errors
    /// When the venue gives no answer or the lake cannot be read.
    pub fn not_trading(
        &self,
        client: &mut RestClient<'_>,
        series: &Series,
        wanted: &Range<Time>,
    ) -> Result<Option<Breach>, IngestError> {
        let span = series.interval().span();
        let end = wanted.end.min(client.settled_now()).micros().div_euclid(span.micros()) * span.micros();
        let newest = Time::from_micros(end) - span;
        if newest < wanted.start || !self.times(series, newest..Time::from_micros(end))?.is_empty() {
            return Ok(None);
        }
        let status = client.status(series.symbol()).map_err(FeedError::from)?;
        Ok((status != TRADING).then(|| Breach::NotTrading { symbol: series.symbol().clone(), status }))
    }
}
