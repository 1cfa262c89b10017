//! What was seen in simulated days, and what they cost.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate::venue::router::Alarm;
use tidegate::venue::sim::log::What;

use super::world::World;

#[derive(Debug, Default)]
pub struct Seen {
    pub days: u64,
    pub orders: u64,
    pub crashes: u64,
    pub unknown: u64,
    /// Requests at the venue.
    pub requests: u64,
    pub faults: BTreeMap<String, u64>,
    pub cpu: Duration,
    /// Seeds that break a promise.
    pub failed: Vec<u64>,
}

impl Seen {
    pub fn add(&mut self, world: &World) {
        self.days += 1;
        self.crashes += world.crashes;
        self.unknown += world.alarms.iter().filter(|alarm| matches!(alarm, Alarm::Unknown { .. })).count() as u64;
        for entry in world.exchange.log().entries() {
            match &entry.what {
                What::Order { .. } => self.orders += 1,
                What::Request { .. } => self.requests += 1,
                What::Fault { fault } => *self.faults.entry(kind(fault)).or_default() += 1,
                _ => {}
            }
        }
    }

    pub fn join(mut self, other: Self) -> Self {
        self.days += other.days;
        self.orders += other.orders;
        self.crashes += other.crashes;
        self.unknown += other.unknown;
        self.requests += other.requests;
        self.cpu += other.cpu;
        self.failed.extend(other.failed);
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let secs = self.cpu.as_secs_f64();
        match self.cpu.is_zero() {
            true => writeln!(f, "{} days; this system does not say what a thread has used", self.days)?,
            false => writeln!(f, "{} days in {secs:.2} s of CPU: {:.0} days a second", self.days, self.days as f64 / secs)?,
        }
        writeln!(f, "  {} requests, {} orders, {} of them unknown for a while", self.requests, self.orders, self.unknown)?;
        writeln!(f, "  {} crashes", self.crashes)?;
        let faults: Vec<String> = self.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        write!(f, "  faults: {}", if faults.is_empty() { "none".to_owned() } else { faults.join(", ") })
    }
}

/// The name of a fault, as the record has it: `{"fault":"lost",…}`.
fn kind(fault: &str) -> String {
    let name = fault.split_once("\"fault\":\"").and_then(|(_, rest)| rest.split_once('"'));
    name.map_or_else(|| fault.to_owned(), |(name, _)| name.to_owned())
}

/// What this thread has used of a processor since `before`. Nothing where the system does not say.
pub fn used_since(before: Duration) -> Duration {
    used().saturating_sub(before)
}

/// What this thread has used of a processor so far.
pub fn used() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split_whitespace().next().and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
}
