//! Requests one after another: within the weight, never while the venue wants none, a bounded number of times.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::answer::{Answer, Meaning};
use super::budget::Budget;
use super::closure::Closure;
use super::rejected::Rejected;
use super::{BinanceError, http};
use crate::chance::Stream;
use crate::domain::{Span, Time};
use crate::telemetry::event::VenueWaits;

/// One request is sent at most so often.
const ATTEMPTS_MAX: u32 = 4;
/// The pause before the second attempt; it doubles with each, and chance makes it up to a half longer.
const BACKOFF: Span = Span::from_secs(1);
/// What the venue asks us to wait is waited for up to here; beyond it the program ends, and says until when.
const PATIENCE: Span = Span::from_secs(90);
/// Waited for beyond it, since clocks tick apart.
const CLOSED_MARGIN: Span = Span::from_millis(100);
/// Waits for weight before one request: others may use up what a new minute brings.
const WEIGHT_WAITS_MAX: u32 = 3;
/// Readings of the venue's clock; the middle one counts.
const CLOCK_READINGS: usize = 3;
/// A clock that is further off makes open bars look closed.
const OFFSET_MAX: Span = Span::from_secs(5);
/// The weight of a minute where the venue has not said otherwise.
const WEIGHT_LIMIT: u32 = 6000;
/// Fetches of more requests than this ask for the limit first.
const MANY_REQUESTS: u64 = 100;
const TIME_WEIGHT: u32 = 1;
const RULES_WEIGHT: u32 = 20;

const _: () = assert!(CLOCK_READINGS % 2 == 1 && ATTEMPTS_MAX > 1 && WEIGHT_WAITS_MAX > 0);

/// The way to the venue and back.
pub trait Wire {
    /// One exchange; the error says why there was no answer, or none that came whole.
    ///
    /// # Errors
    /// When no answer came whole.
    fn get(&self, path: &str) -> Result<Answer, String>;

    /// Waits, or less if somebody asks to stop.
    fn wait(&self, span: Span);

    fn is_stopped(&self) -> bool;

    fn now(&self) -> Time;
}

pub struct RestClient<'a> {
    wire: &'a dyn Wire,
    closure: Closure,
    rejected: Rejected,
    budget: Budget,
    chance: Stream,
    /// What the venue's clock is ahead of ours.
    offset: Span,
}

#[derive(Deserialize)]
struct ServerTime {
    #[serde(rename = "serverTime")]
    server_time: i64,
}

#[derive(Deserialize)]
struct Rules {
    #[serde(rename = "rateLimits")]
    rate_limits: Vec<RateLimit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RateLimit {
    rate_limit_type: String,
    interval: String,
    interval_num: u32,
    limit: u32,
}

impl<'a> RestClient<'a> {
    /// Compares clocks. What the venue said to an earlier process counts: the file of it lies below `lake`.
    ///
    /// # Errors
    /// When the venue wants no request, cannot be reached, or has quite another time.
    pub fn open(wire: &'a dyn Wire, lake: &Path) -> Result<Self, BinanceError> {
        let chance = Stream::new(wire.now().micros().unsigned_abs(), "binance backoff");
        let closure = Closure::of_lake(lake);
        let rejected = Rejected::of_lake(lake);
        let mut client =
            Self { wire, closure, rejected, budget: Budget::new(WEIGHT_LIMIT), chance, offset: Span::from_micros(0) };
        client.compare_clocks()?;
        Ok(client)
    }

    /// A client for files, whose service has no clock and no weight.
    ///
    /// # Errors
    /// When the venue wants no request.
    pub(super) fn of_files(wire: &'a http::Http, lake: &Path) -> Result<Self, BinanceError> {
        let wire: &'a dyn Wire = wire;
        let chance = Stream::new(wire.now().micros().unsigned_abs(), "binance backoff");
        let closure = Closure::of_lake(lake);
        closure.check(wire.now())?;
        let rejected = Rejected::of_lake(lake);
        Ok(Self { wire, closure, rejected, budget: Budget::new(WEIGHT_LIMIT), chance, offset: Span::from_micros(0) })
    }

    /// Keeps a page that was not what was asked for, and says where.
    pub(super) fn keep_page(&self, what: &str, why: &str, body: &[u8]) -> Option<PathBuf> {
        self.rejected.keep(self.wire.now(), what, why, body)
    }

    /// What has happened by the venue's clock and by ours. BINANCE-4.
    #[must_use]
    pub fn settled_now(&self) -> Time {
        let now = self.wire.now();
        now.min(now + self.offset)
    }

    /// What the venue's clock is ahead of ours.
    #[must_use]
    pub fn offset(&self) -> Span {
        self.offset
    }

    /// Asks for the limit where many requests will follow: what the venue allows is for it to say.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn prepare_for(&mut self, requests: u64) -> Result<(), BinanceError> {
        if requests <= MANY_REQUESTS {
            return Ok(());
        }
        // Any symbol will do: the limits are the same, and the answer for one is small.
        let body = self.get("/api/v3/exchangeInfo?symbol=BTCUSDT", RULES_WEIGHT, "its limits")?;
        let rules: Option<Rules> = serde_json::from_slice(&body).ok();
        let limit = rules.and_then(|rules| {
            let of_a_minute = |limit: &&RateLimit| {
                limit.rate_limit_type == "REQUEST_WEIGHT" && limit.interval == "MINUTE" && limit.interval_num == 1
            };
            rules.rate_limits.iter().find(of_a_minute).map(|limit| limit.limit)
        });
        if let Some(limit) = limit {
            let now = self.venue_now();
            self.budget = Budget::new(limit);
            self.budget.hear(now, RULES_WEIGHT);
        }
        Ok(())
    }

    /// The body of an answer. `what` names it in errors.
    ///
    /// # Errors
    /// When the venue refuses, wants no request for long, or gives no answer in a bounded number of attempts.
    pub fn get(&mut self, path: &str, weight: u32, what: &str) -> Result<Vec<u8>, BinanceError> {
        let mut attempts = 0;
        loop {
            self.wait_for_weight(weight, what)?;
            self.wait_while_closed(what)?;
            attempts += 1;
            let said = match self.wire.get(path) {
                Ok(answer) => {
                    if let Some(used) = answer.used_weight {
                        self.budget.hear(self.venue_now(), used);
                    }
                    match self.act_on(answer.meaning(self.wire.now()), answer.status, what)? {
                        None => return Ok(answer.body),
                        Some(said) => said,
                    }
                }
                Err(why) => why,
            };
            self.go_on_after(attempts, what, said)?;
        }
    }

    /// None where the body counts; what was said, and waited for, where another attempt may help.
    pub(super) fn act_on(&mut self, meaning: Meaning, status: u16, what: &str) -> Result<Option<String>, BinanceError> {
        match meaning {
            Meaning::Body => Ok(None),
            Meaning::Passing(said) => Ok(Some(said)),
            Meaning::Absent => {
                Err(BinanceError::Refused { what: what.to_owned(), status, said: "it has no such page".to_owned() })
            }
            Meaning::Refused(said) => Err(BinanceError::Refused { what: what.to_owned(), status, said }),
            Meaning::Closed { until, why } => {
                // Written down first: a program that is killed while it waits must not ask again.
                self.closure.keep(until, &why, status == 418, self.wire.now())?;
                if status != 429 {
                    return Err(BinanceError::Closed { until, why });
                }
                self.wait_while_closed(what)?;
                Ok(Some(why))
            }
        }
    }

    /// Pauses before another attempt; an error after the last.
    ///
    /// # Errors
    /// When there were too many attempts, or somebody asked to stop.
    pub(super) fn go_on_after(&mut self, attempts: u32, what: &str, last: String) -> Result<(), BinanceError> {
        if self.wire.is_stopped() {
            return Err(BinanceError::Interrupted);
        }
        if attempts >= ATTEMPTS_MAX {
            return Err(BinanceError::Exhausted { what: what.to_owned(), attempts, last });
        }
        let base = BACKOFF.micros() << (attempts - 1);
        let jitter = (self.chance.uniform() * 0.5 * base as f64) as i64;
        self.wait(Span::from_micros(base + jitter), what, &last)
    }

    /// BINANCE-1: a short while is waited for; a long one ends the fetch.
    fn wait_while_closed(&self, what: &str) -> Result<(), BinanceError> {
        match self.closure.check(self.wire.now()) {
            Err(BinanceError::Closed { until, why }) if until - self.wire.now() <= PATIENCE => {
                self.wait(until + CLOSED_MARGIN - self.wire.now(), what, &why)?;
                self.closure.check(self.wire.now())
            }
            other => other,
        }
    }

    fn wait_for_weight(&mut self, weight: u32, what: &str) -> Result<(), BinanceError> {
        for _ in 0..WEIGHT_WAITS_MAX {
            if self.wire.is_stopped() {
                return Err(BinanceError::Interrupted);
            }
            match self.budget.take(self.venue_now(), weight) {
                Ok(()) => return Ok(()),
                Err(wait) => {
                    self.wait(wait, what, "our share of the weight is used up until the minute ends")?;
                    self.budget.start_anew();
                }
            }
        }
        let last = "other programs at this address use up its weight".to_owned();
        Err(BinanceError::Exhausted { what: what.to_owned(), attempts: WEIGHT_WAITS_MAX, last })
    }

    fn wait(&self, span: Span, what: &str, why: &str) -> Result<(), BinanceError> {
        VenueWaits { what, secs: span.as_secs_f64(), why }.emit();
        self.wire.wait(span);
        if self.wire.is_stopped() { Err(BinanceError::Interrupted) } else { Ok(()) }
    }

    fn compare_clocks(&mut self) -> Result<(), BinanceError> {
        let mut offsets = Vec::with_capacity(CLOCK_READINGS);
        for _ in 0..CLOCK_READINGS {
            let sent = self.wire.now();
            let body = self.get("/api/v3/time", TIME_WEIGHT, "its time")?;
            let received = self.wire.now();
            let Ok(ServerTime { server_time }) = serde_json::from_slice(&body) else {
                let (what, said) = ("its time".to_owned(), "an answer without serverTime".to_owned());
                return Err(BinanceError::Refused { what, status: 200, said });
            };
            let middle = sent.micros() + (received - sent).micros() / 2;
            offsets.push(server_time.saturating_mul(1000).saturating_sub(middle));
        }
        offsets.sort_unstable();
        self.offset = Span::from_micros(offsets[CLOCK_READINGS / 2]);
        if self.offset.micros().saturating_abs() > OFFSET_MAX.micros() {
            return Err(BinanceError::ClockOff { offset: self.offset, allowed: OFFSET_MAX });
        }
        Ok(())
    }

    fn venue_now(&self) -> Time {
        self.wire.now() + self.offset
    }
}
