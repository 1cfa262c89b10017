//! Limits on requests, as the venue keeps them: who asks for too much waits, and who does not wait is banned.

use super::account::Count;
use super::http::{HttpReply, Refusal};
use super::log::Endpoint;
use crate::domain::{Span, Time};

pub(super) const MINUTE: Span = Span::from_secs(60);
pub(super) const TEN_SECONDS: Span = Span::from_secs(10);
pub(super) const DAY: Span = Span::from_days(1);
const FIVE_MINUTES: Span = Span::from_secs(300);
const BAN_MIN: Span = Span::from_secs(120);
pub(super) const BAN_MAX: Span = Span::from_days(3);
/// What an answer without `Retry-After` means.
const WAIT_UNSAID: Span = Span::from_secs(60);

/// What one address, or one account, may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub weight_1m: u64,
    pub raw_5m: u64,
    pub orders_10s: u64,
    pub orders_1d: u64,
    pub connects_5m: u64,
    /// So many requests against a closed door, and it is a ban.
    pub patience: u32,
    /// What was on its way when the door closed is no offence.
    pub grace: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            weight_1m: 6000,
            raw_5m: 300_000,
            orders_10s: 50,
            orders_1d: 160_000,
            connects_5m: 300,
            patience: 5,
            grace: Span::from_secs(1),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    since: Time,
    until: Time,
    is_ban: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub limits: Limits,
    weight: Count,
    raw: Count,
    connects: Count,
    closed: Option<Closed>,
    /// No new orders before then.
    orders_closed: Option<Closed>,
    offences: u32,
    bans: u32,
}

/// An answer of the gate, and whether it is our own doing.
pub(super) struct Turned {
    pub reply: HttpReply,
    pub is_our_fault: bool,
}

pub(super) const fn interval(now: Time, span: Span) -> i64 {
    now.micros().div_euclid(span.micros())
}

/// Whole seconds until `until`, rounded up.
fn seconds_until(now: Time, until: Time) -> i64 {
    ((until - now).micros() + 999_999) / 1_000_000
}

fn end_of(now: Time, span: Span) -> Time {
    Time::from_micros((interval(now, span) + 1) * span.micros())
}

impl Gate {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            weight: Count::NONE,
            raw: Count::NONE,
            connects: Count::NONE,
            closed: None,
            orders_closed: None,
            offences: 0,
            bans: 0,
        }
    }

    /// Lets a request in, or says why not. Its weight counts either way.
    pub(super) fn enter(&mut self, endpoint: Endpoint, weight: u64, now: Time) -> Result<(), Turned> {
        if let Some(closed) = self.closed.filter(|closed| now < closed.until) {
            return Err(self.turn_away(closed, now));
        }
        if let Some(closed) = self.orders_closed.filter(|closed| now < closed.until && endpoint == Endpoint::Place) {
            let is_our_fault = now - closed.since > self.limits.grace;
            return Err(Turned { reply: self.too_many_orders(now, closed.until), is_our_fault });
        }
        let used = self.weight.add(interval(now, MINUTE), weight);
        let raw = self.raw.add(interval(now, FIVE_MINUTES), 1);
        if used <= self.limits.weight_1m && raw <= self.limits.raw_5m {
            return Ok(());
        }
        let until = end_of(now, if raw > self.limits.raw_5m { FIVE_MINUTES } else { MINUTE });
        self.close(now, until, false);
        Err(Turned { reply: self.throttled(now, until), is_our_fault: true })
    }

    fn turn_away(&mut self, closed: Closed, now: Time) -> Turned {
        let is_offence = now - closed.since > self.limits.grace;
        self.offences += u32::from(is_offence);
        let mut until = closed.until;
        let mut is_ban = closed.is_ban;
        if self.offences >= self.limits.patience {
            // Who goes on asking waits longer each time: two minutes to three days.
            let span = Span::from_micros(BAN_MIN.micros().saturating_mul(1 << self.bans.min(12))).min(BAN_MAX);
            self.bans += 1;
            (until, is_ban) = (now + span, true);
            self.close(now, until, true);
        }
        let reply = if is_ban { banned(now, until) } else { self.throttled(now, until) };
        Turned { reply, is_our_fault: is_offence }
    }

    pub(super) fn close(&mut self, now: Time, until: Time, is_ban: bool) {
        self.closed = Some(Closed { since: now, until, is_ban });
        self.offences = 0;
    }

    /// The script closes the door; a header that is no number, or none, means a minute.
    pub(super) fn throttle(&mut self, retry_after: Option<&str>, now: Time) -> HttpReply {
        let said = retry_after.map(|text| text.parse::<i64>().ok().map(|secs| secs.clamp(0, BAN_MAX.micros() / 1_000_000)));
        let wait = said.flatten().map_or(WAIT_UNSAID, Span::from_secs);
        self.close(now, now + wait, false);
        let mut reply = self.throttled(now, now + wait);
        reply.headers.retain(|(name, _)| *name != "Retry-After");
        reply.headers.extend(retry_after.map(|text| ("Retry-After", text.to_owned())));
        reply
    }

    pub(super) fn ban(&mut self, span: Span, now: Time) -> HttpReply {
        self.close(now, now + span, true);
        banned(now, now + span)
    }

    pub(super) fn weigh_more(&mut self, weight: u64, now: Time) {
        self.weight.add(interval(now, MINUTE), weight);
    }

    pub(super) fn used(&self, now: Time) -> u64 {
        self.weight.at(interval(now, MINUTE))
    }

    /// Too many orders that are not filled: none before the interval ends.
    pub(super) fn close_orders(&mut self, span: Span, now: Time) -> HttpReply {
        let until = end_of(now, span);
        self.orders_closed = Some(Closed { since: now, until, is_ban: false });
        self.too_many_orders(now, until)
    }

    pub(super) fn connect(&mut self, now: Time) -> bool {
        self.connects.add(interval(now, FIVE_MINUTES), 1) <= self.limits.connects_5m
    }

    fn throttled(&self, now: Time, until: Time) -> HttpReply {
        let refusal = Refusal::told(
            -1003,
            format!(
                "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for live \
                 updates to avoid polling the API.",
                self.limits.weight_1m
            ),
        );
        with_wait(&refusal.with_status(429), now, until)
    }

    fn too_many_orders(&self, now: Time, until: Time) -> HttpReply {
        let (limit, interval) =
            if until - now > TEN_SECONDS { (self.limits.orders_1d, "1 DAY") } else { (self.limits.orders_10s, "10 SECOND") };
        let refusal = Refusal::told(-1015, format!("Too many new orders; current limit is {limit} orders per {interval}."));
        with_wait(&refusal.with_status(429), now, until)
    }
}

fn banned(now: Time, until: Time) -> HttpReply {
    let refusal = Refusal::told(
        -1003,
        format!(
            "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans.",
            until.millis()
        ),
    );
    with_wait(&refusal.with_status(418), now, until)
}

fn with_wait(refusal: &Refusal, now: Time, until: Time) -> HttpReply {
    let mut reply = refusal.reply();
    reply.headers.push(("Retry-After", seconds_until(now, until).to_string()));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn status(result: Result<(), Turned>) -> (u16, Option<String>, bool) {
        match result {
            Ok(()) => (200, None, false),
            Err(turned) => {
                (turned.reply.status, turned.reply.header_value("retry-after").map(str::to_owned), turned.is_our_fault)
            }
        }
    }

    #[test]
    fn too_much_weight_closes_the_door_until_the_minute_ends_and_insisting_is_a_ban() {
        let mut gate = Gate::new(Limits { weight_1m: 100, ..Limits::default() });
        assert_eq!(status(gate.enter(Endpoint::Account, 100, at(20))), (200, None, false));
        assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(23))), (429, Some("37".to_owned()), true));
        assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(24))), (429, Some("36".to_owned()), false), "it was on its way");
        for _ in 0..4 {
            assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(30))).0, 429);
        }
        assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(30))), (418, Some("120".to_owned()), true));
        for _ in 0..5 {
            gate.enter(Endpoint::Ping, 1, at(40)).err().unwrap();
        }
        assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(40))), (418, Some("240".to_owned()), false), "twice as long");
        assert_eq!(status(gate.enter(Endpoint::Ping, 1, at(280))).0, 200);
    }

    #[test]
    fn a_header_that_is_absurd_is_bounded() {
        let mut gate = Gate::new(Limits::default());
        for (header, secs) in [(Some("0"), 0), (None, 60), (Some("1000000000"), 259_200), (Some("Thu, 01 Jan 1970"), 60)] {
            let reply = gate.throttle(header, at(0));
            assert_eq!(reply.header_value("Retry-After"), header);
            assert_eq!(gate.closed.unwrap().until, at(secs), "{header:?}");
        }
    }

    #[test]
    fn only_new_orders_wait_for_the_count_of_orders() {
        let mut gate = Gate::new(Limits::default());
        let reply = gate.close_orders(TEN_SECONDS, at(14));
        assert_eq!((reply.status, reply.code(), reply.header_value("Retry-After")), (429, Some(-1015), Some("6")));
        assert_eq!(status(gate.enter(Endpoint::Cancel, 1, at(16))).0, 200);
        assert_eq!(status(gate.enter(Endpoint::Place, 1, at(16))), (429, Some("4".to_owned()), true));
        assert_eq!(status(gate.enter(Endpoint::Place, 1, at(20))).0, 200);
    }
}
