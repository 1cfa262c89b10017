//! What a running program shows: its figures by the catalogue's names, and whether its loop turns.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Clock;
use crate::domain::{Span, Symbol, Time};
use crate::risk::{LimitKey, Limits};
use crate::runner::agenda::Agenda;
use crate::stage::alert::rules::Reading;
use crate::stage::ingest::task::Ingested;
use crate::stage::oms::{DeskState, Tally, Usage};
use crate::telemetry::exposition::{Exposition, Reader};
use crate::web::endpoint::Shown;

/// A loop that has not turned for so long is stuck.
pub const STUCK: Span = Span::from_secs(60);

/// The figures of one program.
pub struct Meters {
    exposition: Mutex<Exposition>,
    reader: Reader,
    /// The loop's last turn, in microseconds since 1970.
    turned_at: AtomicI64,
    clock: Arc<dyn Clock>,
}

/// What of an account is shown.
pub struct Figures<'a> {
    pub pipeline: &'a str,
    pub desk: &'a DeskState,
    pub symbols: &'a [Symbol],
    pub is_reconciled: bool,
    pub open_orders: usize,
    pub step: u32,
    pub limits: &'a Limits,
    pub now: Time,
}

impl Meters {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, profile: &str, mode: &str) -> Self {
        let mut exposition = Exposition::default();
        exposition.set("build_info", &[env!("CARGO_PKG_VERSION"), profile, mode], 1.0);
        let reader = exposition.reader();
        let turned_at = AtomicI64::new(clock.now().micros());
        Self { exposition: Mutex::new(exposition), reader, turned_at, clock }
    }

    fn with(&self, act: impl FnOnce(&mut Exposition)) {
        act(&mut self.exposition.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The loop has turned.
    pub fn beat(&self, now: Time, agenda: &Agenda) {
        self.turned_at.store(now.micros(), Ordering::Relaxed);
        self.with(|exposition| {
            exposition.set("heartbeat_timestamp_seconds", &[], seconds(now));
            for (pipeline, slot) in agenda.upcoming() {
                exposition.set("schedule_next_timestamp_seconds", &[pipeline], slot.map_or(0.0, |slot| seconds(slot.at)));
            }
        });
    }

    /// An account as it stands.
    pub fn account(&self, figures: &Figures<'_>) {
        self.usage(figures.step, figures.limits, &figures.desk.usage(figures.now));
        let name = figures.pipeline;
        let (daily, weekly) = figures.desk.drawdowns();
        let flag = |is: bool| if is { 1.0 } else { 0.0 };
        self.with(|exposition| {
            exposition.set("equity", &[name], figures.desk.equity().to_f64());
            exposition.set("drawdown_daily_ratio", &[name], daily);
            exposition.set("drawdown_weekly_ratio", &[name], weekly);
            exposition.set("halted", &[name], flag(figures.desk.halt().is_some()));
            exposition.set("reconciled", &[name], flag(figures.is_reconciled));
            exposition.set("open_orders", &[name], figures.open_orders as f64);
            for (symbol, held) in figures.symbols.iter().zip(figures.desk.held()) {
                exposition.set("exposure_notional", &[&symbol.to_string()], held.value.to_f64());
            }
        });
    }

    /// What an account did between two tallies.
    pub fn did(&self, pipeline: &str, before: &Tally, after: &Tally) {
        self.with(|exposition| {
            exposition.add("orders_sent_total", &[pipeline], after.orders.saturating_sub(before.orders));
            exposition.add("fills_total", &[pipeline], after.fills.saturating_sub(before.fills));
            exposition.add("orders_rejected_total", &[pipeline], after.rejected.saturating_sub(before.rejected));
            for (check, count) in &after.refusals {
                let known = before.refusals.get(check).copied().unwrap_or(0);
                exposition.add("orders_refused_total", &[pipeline, check], count.saturating_sub(known));
            }
        });
    }

    /// Bars were taken in.
    pub fn taken(&self, pipeline: &str, taken: &Ingested, took: Span) {
        self.with(|exposition| {
            exposition.set("stage_duration_seconds", &[pipeline, "ingest"], took.as_secs_f64());
            for report in &taken.series {
                let labels = [report.series.symbol().to_string(), report.series.interval().to_string()];
                let labels = [labels[0].as_str(), labels[1].as_str()];
                let missing = report.verdict.missing_bars;
                let due = missing + report.sources.iter().map(|source| source.quality.rows).sum::<u64>();
                if due > 0 {
                    exposition.set("data_missing_bars_ratio", &labels, missing as f64 / due as f64);
                }
            }
        });
    }

    /// Up to where bars of a series are there.
    pub fn last_close(&self, symbol: &Symbol, interval: &str, close: Time) {
        self.with(|exposition| {
            exposition.set("data_last_close_timestamp_seconds", &[&symbol.to_string(), interval], seconds(close));
        });
    }

    /// Whether the venue answers, and how long the last order took there and back.
    pub fn venue(&self, name: &str, is_up: bool, round_trip: Option<Span>) {
        self.with(|exposition| {
            exposition.set("venue_up", &[name], if is_up { 1.0 } else { 0.0 });
            if let Some(round_trip) = round_trip {
                exposition.set("order_round_trip_seconds", &[name], round_trip.as_secs_f64());
            }
        });
    }

    /// What rules read.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        self.reader.values().into_iter().map(|(metric, labels, value)| Reading { metric, labels, value }).collect()
    }

    pub fn criticals(&self, count: usize) {
        self.with(|exposition| exposition.set("alerts_unresolved", &["critical"], count as f64));
    }

    /// Times that the account could not be fetched, since the last word.
    pub fn unfetched(&self, venue: &str, count: u64) {
        self.with(|exposition| exposition.add("risk_fetch_failures_total", &[venue], count));
    }

    /// Where the ladder stands, and how much is used of each limit that is not held to one order alone.
    pub fn usage(&self, step: u32, limits: &Limits, usage: &Usage) {
        self.with(|exposition| {
            exposition.set("ladder_step", &[], f64::from(step));
            for key in LimitKey::ALL {
                let (Some(used), limit) = (usage.used(key), key.get(limits).to_f64()) else { continue };
                // Of nothing allowed, anything is all.
                let share = if limit > 0.0 { used.to_f64() / limit } else { 1.0 };
                exposition.set("limit_used_ratio", &[key.name()], share);
            }
        });
    }

    pub fn failed(&self, pipeline: &str, stage: &str) {
        self.with(|exposition| exposition.add("stage_failures_total", &[pipeline, stage], 1));
    }

    pub fn timed_out(&self, pipeline: &str, stage: &str) {
        self.with(|exposition| exposition.add("stage_timeouts_total", &[pipeline, stage], 1));
    }

    pub fn skipped(&self, pipeline: &str, reason: &str, runs: u32) {
        self.with(|exposition| exposition.add("runs_skipped_total", &[pipeline, reason], u64::from(runs)));
    }
}

impl Shown for Meters {
    fn metrics(&self) -> String {
        self.reader.encode()
    }

    fn health(&self) -> Result<String, String> {
        let since = self.clock.now() - Time::from_micros(self.turned_at.load(Ordering::Relaxed));
        if since > STUCK { Err(format!("the loop has not turned for {since}")) } else { Ok("the loop turns".to_owned()) }
    }
}

fn seconds(time: Time) -> f64 {
    time.micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    /// H1, seen from outside: a loop that stands still is told to whoever asks.
    #[test]
    fn a_loop_that_stands_still_is_not_healthy() {
        let at = |text: &str| text.parse::<Time>().expect("a time");
        let of = |now: &str| {
            let meters = Meters::new(Arc::new(ManualClock(at(now))), "canary", "paper");
            meters.turned_at.store(at("2026-03-01T12:00:00Z").micros(), Ordering::Relaxed);
            meters.health()
        };
        assert!(of("2026-03-01T12:00:59Z").is_ok());
        assert_eq!(of("2026-03-01T12:01:01Z"), Err("the loop has not turned for 61s".to_owned()));
    }
}
