//! When trading stops: drawdown of equity, slow orders, and the latch that only a person clears.
//!
//! Drawdown is counted on equity (cash and positions at the last close, fees paid) against the high-water mark of the UTC day and
//! of the ISO week. A new period's mark starts at the last equity before it, so a loss over the boundary is not forgiven.

use serde::{Deserialize, Serialize};

use crate::domain::{Fraction, Money, Span, Time};

use super::limits::Limits;
use super::rules::{DrawdownAction, OnDrawdown, OnLatency, PauseFor, Rules};

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TradingState {
    Active,
    /// No new exposure; exits go on. Ends by itself.
    Reducing,
    /// Latched: no new exposure until a person resumes.
    Halted,
}

impl TradingState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltCause {
    DrawdownDaily,
    DrawdownWeekly,
    /// A person stopped it.
    Operator,
    /// Somebody else trades on the account.
    ForeignActivity,
    /// Our account and the venue's differ, and nothing explains it.
    ReconcileMismatch,
    /// The venue said what cannot be.
    VenueProtocol,
    /// The venue filled more than was ordered.
    Overfill,
    /// The venue refuses the key.
    VenueKey,
    /// For a minute nobody has known what became of an order.
    UnresolvedOrder,
    /// Our clock or the venue's jumped.
    Clock,
    /// The journal could not be written.
    Journal,
    /// A model panicked.
    Model,
}

impl HaltCause {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DrawdownDaily => "drawdown-daily",
            Self::DrawdownWeekly => "drawdown-weekly",
            Self::Operator => "operator",
            Self::ForeignActivity => "foreign-activity",
            Self::ReconcileMismatch => "reconcile-mismatch",
            Self::VenueProtocol => "venue-protocol",
            Self::Overfill => "overfill",
            Self::VenueKey => "venue-key",
            Self::UnresolvedOrder => "unresolved-order",
            Self::Clock => "clock",
            Self::Journal => "journal",
            Self::Model => "model",
        }
    }
}

/// A latched stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    pub cause: HaltCause,
    pub at: Time,
    /// Not even an exit passes, but for a rollback's.
    pub cancels_only: bool,
}

/// A drawdown limit was reached: a kill event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    pub cause: HaltCause,
    /// The close that showed it.
    pub at: Time,
    pub equity: Money,
    pub high_water_mark: Money,
    pub flatten: bool,
    /// Halted until resumed, or paused until then.
    pub paused_until: Option<Time>,
}

impl Trip {
    /// Loss from the high-water mark as a fraction, for display.
    #[must_use]
    pub fn drawdown(&self) -> f64 {
        1.0 - self.equity.to_f64() / self.high_water_mark.to_f64()
    }
}

/// A period's high-water mark; `ends_at` is the first instant of the next period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    ends_at: Time,
    high: Money,
    /// The greatest equity that has fallen by the limit, and the limit it was made for; made anew when either changes.
    floor: Money,
    floor_for: Option<Fraction>,
}

impl Mark {
    const fn new(ends_at: Time, high: Money) -> Self {
        Self { ends_at, high, floor: Money::ZERO, floor_for: None }
    }

    /// Raises the mark to `equity` if that is higher.
    #[inline]
    fn raise(&mut self, equity: Money) {
        if equity > self.high {
            (self.high, self.floor_for) = (equity, None);
        }
    }

    /// Has equity fallen from the mark by at least `limit`? Compares with a floor, because this is asked at every bar.
    #[inline]
    fn is_breached(&mut self, equity: Money, limit: Fraction) -> bool {
        if self.floor_for != Some(limit) {
            self.floor = self.high - self.high.fraction_ceil(limit);
            self.floor_for = Some(limit);
        }
        equity <= self.floor && self.high.is_positive()
    }
}

/// Watches equity and latency and holds the latch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    day: Mark,
    week: Mark,
    last_equity: Money,
    halt: Option<Halt>,
    /// No new exposure before this instant.
    paused_until: Option<Time>,
    /// The last mark stood at or beyond a limit; the kill it made is not counted twice while it lasts.
    breached: bool,
    /// The newest order round trips, oldest first; at most the window.
    latencies: Vec<Span>,
    kills: u32,
}

impl Guard {
    #[must_use]
    pub const fn new(equity: Money) -> Self {
        let unset = Mark::new(Time::MIN, equity);
        Self {
            day: unset,
            week: unset,
            last_equity: equity,
            halt: None,
            paused_until: None,
            breached: false,
            latencies: Vec::new(),
            kills: 0,
        }
    }

    /// Begins the bar that opens at `open_time`: a new UTC day or ISO week starts its mark at the last equity, and a pause that
    /// has run out is lifted.
    #[inline]
    pub fn open(&mut self, open_time: Time) {
        if open_time >= self.day.ends_at {
            self.roll(open_time);
        }
        if self.paused_until.is_some_and(|until| open_time >= until) {
            self.paused_until = None;
        }
    }

    #[cold]
    fn roll(&mut self, open_time: Time) {
        let day = open_time.utc_day();
        self.breached = false;
        self.day = Mark::new(Time::start_of_day(day + 1), self.last_equity);
        if open_time >= self.week.ends_at {
            // Week 0 began on the Monday three days before the epoch.
            let next_monday = (open_time.iso_week() + 1) * 7 - 3;
            self.week = Mark::new(Time::start_of_day(next_monday), self.last_equity);
        }
    }

    /// Takes the equity at the close at `at`. Gives a trip when a limit is reached and nothing has stopped trading already.
    #[inline]
    pub fn mark(&mut self, at: Time, equity: Money, limits: &Limits, rules: &Rules) -> Option<Trip> {
        if equity == self.last_equity && !self.breached {
            return None;
        }
        self.last_equity = equity;
        self.day.raise(equity);
        self.week.raise(equity);
        let daily = self.day.is_breached(equity, limits.max_dd_daily);
        if daily || self.week.is_breached(equity, limits.max_dd_weekly) {
            return self.breach(at, equity, daily, rules.on_drawdown);
        }
        self.breached = false;
        None
    }

    #[cold]
    fn breach(&mut self, at: Time, equity: Money, daily: bool, rule: OnDrawdown) -> Option<Trip> {
        let stood = std::mem::replace(&mut self.breached, true);
        if self.halt.is_some() || self.paused_until.is_some_and(|until| at < until) {
            return None;
        }
        let (cause, high_water_mark) =
            if daily { (HaltCause::DrawdownDaily, self.day.high) } else { (HaltCause::DrawdownWeekly, self.week.high) };
        let paused_until = match rule.action {
            DrawdownAction::Halt => {
                self.halt = Some(Halt { cause, at, cancels_only: false });
                None
            }
            DrawdownAction::Pause(PauseFor::Span(span)) => Some(at + span),
            // Trading again next day would walk into the same week's loss: it pauses for the period that tripped.
            DrawdownAction::Pause(PauseFor::UtcDay) => Some(if daily { self.day.ends_at } else { self.week.ends_at }),
        };
        self.paused_until = paused_until.or(self.paused_until);
        if stood {
            // A short pause ran out and the loss still stands: the pause goes on, and it is the same kill.
            return None;
        }
        self.kills += 1;
        Some(Trip { cause, at, equity, high_water_mark, flatten: rule.flatten, paused_until })
    }

    /// Takes one order round trip. Gives the end of the pause when the last `window` readings are all above the threshold.
    pub fn latency(&mut self, at: Time, reading: Span, threshold: Span, rule: OnLatency) -> Option<Time> {
        let window = rule.window.max(1) as usize;
        self.latencies.push(reading);
        let surplus = self.latencies.len().saturating_sub(window);
        self.latencies.drain(..surplus);
        if self.latencies.len() < window || self.latencies.iter().any(|&r| r <= threshold) {
            return None;
        }
        // Re-armed with a clean window, or the same readings would pause it again at once.
        self.latencies.clear();
        let until = at + rule.pause_for;
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
        Some(until)
    }

    /// Latches a halt. One that stands is kept: its time and cause are evidence. Gives whether it is new.
    pub fn halt(&mut self, at: Time, cause: HaltCause, cancels_only: bool) -> bool {
        match &mut self.halt {
            Some(halt) => {
                halt.cancels_only |= cancels_only;
                false
            }
            None => {
                self.halt = Some(Halt { cause, at, cancels_only });
                true
            }
        }
    }

    /// Nothing new before `until`.
    pub fn pause(&mut self, until: Time) {
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    /// Clears halt and pause, by a person. The marks restart at the last equity, or the same loss would trip again at once.
    pub fn resume(&mut self) {
        self.halt = None;
        self.paused_until = None;
        self.day = Mark::new(self.day.ends_at, self.last_equity);
        self.week = Mark::new(self.week.ends_at, self.last_equity);
        self.breached = false;
    }

    #[must_use]
    pub const fn standing_halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    #[must_use]
    pub const fn paused_until(&self) -> Option<Time> {
        self.paused_until
    }

    #[must_use]
    pub const fn state(&self) -> TradingState {
        match (self.halt.is_some(), self.paused_until.is_some()) {
            (true, _) => TradingState::Halted,
            (false, true) => TradingState::Reducing,
            (false, false) => TradingState::Active,
        }
    }

    /// Kill events so far.
    #[must_use]
    pub const fn kills(&self) -> u32 {
        self.kills
    }

    /// The day's high-water mark at `now`; `None` when the day of the last bar is over.
    #[must_use]
    pub fn day_high_at(&self, now: Time) -> Option<Money> {
        (now <= self.day.ends_at).then_some(self.day.high)
    }

    /// The same of the week.
    #[must_use]
    pub fn week_high_at(&self, now: Time) -> Option<Money> {
        (now <= self.week.ends_at).then_some(self.week.high)
    }

    /// The slowest of the order round trips that are remembered.
    #[must_use]
    pub fn latency_most(&self) -> Option<Span> {
        self.latencies.iter().max().copied()
    }

    /// The day's high-water mark of equity.
    #[must_use]
    pub const fn day_high(&self) -> Money {
        self.day.high
    }

    /// The loss of the last equity from the high-water marks of its day and its week, as fractions, for display.
    #[must_use]
    pub fn drawdowns(&self) -> (f64, f64) {
        let loss = |mark: &Mark| {
            let high = mark.high.to_f64();
            if high > 0.0 { (1.0 - self.last_equity.to_f64() / high).clamp(0.0, 1.0) } else { 0.0 }
        };
        (loss(&self.day), loss(&self.week))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::testing::{limits, rules};

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }
    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }
    fn pausing(pause: PauseFor) -> Rules {
        Rules { on_drawdown: OnDrawdown { action: DrawdownAction::Pause(pause), flatten: true }, ..rules() }
    }

    #[test]
    fn a_fall_of_exactly_the_daily_limit_halts_and_stays() {
        let (limits, rules) = (limits(), rules());
        let mut guard = Guard::new(money("1000"));
        guard.open(at("2026-03-02T00:00:00Z"));
        assert_eq!(guard.mark(at("2026-03-02T01:00:00Z"), money("970.01"), &limits, &rules), None);
        let trip = guard.mark(at("2026-03-02T02:00:00Z"), money("970"), &limits, &rules).unwrap();
        assert_eq!((trip.cause, trip.high_water_mark), (HaltCause::DrawdownDaily, money("1000")));
        guard.open(at("2026-03-09T00:00:00Z"));
        assert_eq!(guard.state(), TradingState::Halted, "a new day does not clear a latch");
        guard.resume();
        assert_eq!(guard.state(), TradingState::Active);
    }

    #[test]
    fn a_pause_for_the_day_ends_with_the_day_and_a_new_mark() {
        let (limits, rules) = (limits(), pausing(PauseFor::UtcDay));
        let mut guard = Guard::new(money("1000"));
        guard.open(at("2026-03-02T22:00:00Z"));
        assert!(guard.mark(at("2026-03-02T23:00:00Z"), money("960"), &limits, &rules).is_some());
        assert_eq!(guard.mark(at("2026-03-02T23:30:00Z"), money("950"), &limits, &rules), None, "one kill a pause");
        guard.open(at("2026-03-03T00:00:00Z"));
        assert_eq!(guard.state(), TradingState::Active);
        assert_eq!(guard.day_high(), money("950"));
        assert_eq!(guard.kills(), 1);
    }

    #[test]
    fn the_week_remembers_what_the_days_forgive() {
        let (limits, rules) = (limits(), rules());
        let mut guard = Guard::new(money("1000"));
        let mut equity = 1000.0;
        let mut cause = None;
        for day in ["2026-03-02", "2026-03-03", "2026-03-04"] {
            guard.open(at(day));
            equity *= 0.98;
            let trip = guard.mark(at(day), Money::from_f64_trunc(equity).unwrap(), &limits, &rules);
            cause = cause.or(trip.map(|t| t.cause));
        }
        assert_eq!(cause, Some(HaltCause::DrawdownWeekly), "three days of 2 % are 5.9 % in the week");
    }

    #[test]
    fn a_week_ends_with_its_sunday() {
        let limits = Limits { max_dd_daily: Fraction::ONE, ..limits() };
        let fall = |first: &str, second: &str| {
            let mut guard = Guard::new(money("1000"));
            guard.open(at(first));
            assert_eq!(guard.mark(at(first), money("960"), &limits, &rules()), None);
            guard.open(at(second));
            guard.mark(at(second), money("940"), &limits, &rules()).is_some()
        };
        assert!(fall("2026-03-02T00:00:00Z", "2026-03-08T23:00:00Z"), "Monday and Sunday are one week");
        assert!(!fall("2026-03-08T23:00:00Z", "2026-03-09T00:00:00Z"), "Sunday and Monday are two");
    }

    #[test]
    fn a_drawdown_that_stands_after_a_short_pause_pauses_again() {
        let limits = Limits { max_dd_weekly: Fraction::ONE, ..limits() };
        let rules = pausing(PauseFor::Span(Span::from_secs(300)));
        let mut guard = Guard::new(money("1000"));
        guard.open(at("2026-03-02T00:00:00Z"));
        assert!(guard.mark(at("2026-03-02T00:01:00Z"), money("960"), &limits, &rules).is_some());
        guard.open(at("2026-03-02T00:06:00Z"));
        assert_eq!(guard.state(), TradingState::Active);
        assert_eq!(guard.mark(at("2026-03-02T00:07:00Z"), money("960"), &limits, &rules), None);
        assert_eq!(guard.state(), TradingState::Reducing);
        assert_eq!(guard.kills(), 1, "the same loss is one kill");
    }

    #[test]
    fn only_a_full_window_of_slow_orders_pauses() {
        let rule = OnLatency { window: 3, pause_for: Span::from_secs(300) };
        let (slow, limit) = (Span::from_millis(501), Span::from_millis(500));
        let mut guard = Guard::new(money("1000"));
        let now = at("2026-03-02T00:00:00Z");
        assert_eq!(guard.latency(now, slow, limit, rule), None);
        assert_eq!(guard.latency(now, slow, limit, rule), None);
        assert_eq!(guard.latency(now, limit, limit, rule), None, "at the threshold is not above it");
        assert_eq!(guard.latency(now, slow, limit, rule), None);
        assert_eq!(guard.latency(now, slow, limit, rule), None);
        assert_eq!(guard.latency(now, slow, limit, rule), Some(now + rule.pause_for));
        assert_eq!(guard.state(), TradingState::Reducing);
        guard.open(now + rule.pause_for);
        assert_eq!(guard.state(), TradingState::Active);
    }

    #[test]
    fn states_and_causes_are_named_as_they_are_written_down() {
        for state in [TradingState::Active, TradingState::Reducing, TradingState::Halted] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        let causes = [
            HaltCause::DrawdownDaily,
            HaltCause::DrawdownWeekly,
            HaltCause::Operator,
            HaltCause::ForeignActivity,
            HaltCause::ReconcileMismatch,
            HaltCause::VenueProtocol,
            HaltCause::Overfill,
            HaltCause::VenueKey,
            HaltCause::UnresolvedOrder,
            HaltCause::Clock,
            HaltCause::Journal,
        ];
        for cause in causes {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
    }

    #[test]
    fn a_trip_says_how_far_equity_fell() {
        let mut guard = Guard::new(money("800"));
        assert_eq!(guard.kills(), 0);
        guard.open(at("2026-03-02T00:00:00Z"));
        let trip = guard.mark(at("2026-03-02T01:00:00Z"), money("600"), &limits(), &rules()).unwrap();
        assert!((trip.drawdown() - 0.25).abs() < 1e-12, "{}", trip.drawdown());
        assert_eq!((trip.flatten, trip.paused_until, guard.paused_until()), (true, None, None));
    }

    #[test]
    fn a_latch_keeps_its_first_cause_and_only_tightens() {
        let mut guard = Guard::new(money("1000"));
        let (first, later) = (at("2026-03-02T00:00:00Z"), at("2026-03-02T00:01:00Z"));
        assert!(guard.halt(first, HaltCause::Clock, false));
        assert!(!guard.halt(later, HaltCause::Operator, true));
        assert_eq!(guard.standing_halt(), Some(&Halt { cause: HaltCause::Clock, at: first, cancels_only: true }));
        assert!(!guard.halt(later, HaltCause::Operator, false));
        assert!(guard.standing_halt().unwrap().cancels_only, "a milder word does not loosen it");
    }

    #[test]
    fn of_two_pauses_the_later_end_counts() {
        let mut guard = Guard::new(money("1000"));
        let end = at("2026-03-02T01:00:00Z");
        guard.pause(end);
        guard.pause(end - Span::from_secs(60));
        assert_eq!(guard.paused_until(), Some(end));
        assert_eq!(guard.state(), TradingState::Reducing);
        let rule = OnLatency { window: 1, pause_for: Span::from_secs(60) };
        guard.latency(end - Span::from_secs(600), Span::from_secs(2), Span::from_secs(1), rule);
        assert_eq!(guard.paused_until(), Some(end));
        guard.resume();
        assert_eq!((guard.paused_until(), guard.state()), (None, TradingState::Active));
    }

    #[test]
    fn a_loss_inside_its_pause_does_not_lengthen_it_and_one_at_its_end_does() {
        let limits = Limits { max_dd_weekly: Fraction::ONE, ..limits() };
        let rules = pausing(PauseFor::Span(Span::from_secs(3600)));
        let (start, hour) = (at("2026-03-02T00:00:00Z"), Span::from_secs(3600));
        let mut guard = Guard::new(money("1000"));
        guard.open(start);
        guard.mark(start + hour, money("960"), &limits, &rules);
        assert_eq!(guard.paused_until(), Some(start + hour + hour));
        guard.mark(start + hour + Span::from_secs(1800), money("950"), &limits, &rules);
        assert_eq!(guard.paused_until(), Some(start + hour + hour));
        // A close stands at the very end of the pause, whose bar began inside of it.
        guard.mark(start + hour + hour, money("940"), &limits, &rules);
        assert_eq!(guard.paused_until(), Some(start + hour + hour + hour));
        assert_eq!(guard.kills(), 1);
    }

    #[test]
    fn a_high_water_mark_rises_and_the_limit_with_it() {
        let (limits, rules) = (limits(), rules());
        let mut guard = Guard::new(money("1000"));
        guard.open(at("2026-03-02T00:00:00Z"));
        for (equity, trips) in [("1100", false), ("1067.01", false), ("1067", true)] {
            let trip = guard.mark(at("2026-03-02T01:00:00Z"), money(equity), &limits, &rules);
            assert_eq!(trip.is_some(), trips, "{equity} of 1100");
        }
        assert_eq!(guard.day_high(), money("1100"));
    }

    #[test]
    fn an_account_without_money_has_nothing_to_lose() {
        let mut guard = Guard::new(Money::ZERO);
        guard.open(at("2026-03-02T00:00:00Z"));
        assert_eq!(guard.mark(at("2026-03-02T01:00:00Z"), money("-1"), &limits(), &rules()), None);
    }
}
