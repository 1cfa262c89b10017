//! How long orders take, in words and as a document.

use serde_json::{Value as Json, json};

use crate::domain::Span;
use crate::runner::trader::TraderState;

fn ms(span: Span) -> f64 {
    span.micros() as f64 / 1000.0
}

/// A line below an account; `None` before its first order on a venue.
#[must_use]
pub fn said(state: &TraderState) -> Option<String> {
    let trips = state.round_trips()?;
    let (last, p50, p99) = (ms(trips.last), ms(trips.p50), ms(trips.p99));
    Some(format!("  round trip of orders: last {last:.1} ms, p50 {p50:.1}, p99 {p99:.1} of {}\n", trips.readings))
}

/// `null` before the first order on a venue.
#[must_use]
pub fn document(state: &TraderState) -> Json {
    state.round_trips().map_or(Json::Null, |trips| {
        json!({ "last_ms": ms(trips.last), "p50_ms": ms(trips.p50), "p99_ms": ms(trips.p99), "readings": trips.readings })
    })
}
