//! What came back over the wire, before it is read.

use crate::domain::{Span, Time};
use crate::feed::binance::{Answer as HttpAnswer, Meaning};

/// An answer of HTTP, read whole as far as it came; or one of the WebSocket API in the same form.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    /// What the venue counts of this address in the running minute.
    pub used_weight: Option<u32>,
    /// What it counts of this account's orders, by the window that its header names.
    pub order_counts: Vec<(Span, u32)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// What the status asks of whoever sends the next request. One way to read it, for bars and orders alike.
    pub(super) fn meaning(&self, now: Time) -> Option<Meaning> {
        let answer =
            HttpAnswer { status: self.status, retry_after: self.retry_after.clone(), used_weight: None, body: self.body.clone() };
        // A body of thousands of orders is no complaint, and is not read for one.
        matches!(self.status, 403 | 418 | 429).then(|| answer.meaning(now))
    }

    /// How long the venue wants to be left alone, if it says so.
    pub(super) fn pause(&self, now: Time) -> Option<Span> {
        self.retry_after.as_ref()?;
        let as_429 = Self { status: 429, body: Vec::new(), ..self.clone() };
        match as_429.meaning(now) {
            Some(Meaning::Closed { until, .. }) => Some(until - now),
            _ => None,
        }
    }
}
