//! How much may be asked, and when nothing may: counted on windows of the venue's clock.
//!
//! The venue counts by address and by account, so what it says it has counted is believed when it is more than ours. New orders may
//! use less than questions, and questions less than withdrawals: who wants out has room when nobody else has.

use crate::domain::{Span, Time};
use crate::venue::wire::{Failure, Request};

use super::{LimitKind, RateLimit};

/// Of the venue's limit on weight, in percent: what we use ourselves in a window. The reserve is the step between the classes.
const OWN_NEW: u64 = 30;
const OWN_QUESTIONS: u64 = 40;
const OWN_WITHDRAWALS: u64 = 50;
/// The same of what everybody at this address uses together.
const ALL_NEW: u64 = 80;
const ALL_QUESTIONS: u64 = 90;
const ALL_WITHDRAWALS: u64 = 100;
/// Of the venue's limit on orders, in percent.
const OWN_ORDERS: u64 = 20;
/// Limits where the venue has not said otherwise yet.
const FIRST: [RateLimit; 3] = [
    RateLimit { kind: LimitKind::Weight, window: Span::from_secs(60), limit: 6000 },
    RateLimit { kind: LimitKind::Orders, window: Span::from_secs(10), limit: 50 },
    RateLimit { kind: LimitKind::Orders, window: Span::from_days(1), limit: 160_000 },
];
/// The longest that the venue closes for; longer is a slip of somebody's.
const CLOSED_MAX: Span = Span::from_days(3);

/// A withdrawal that waits for the answer to another looks again after so long.
const KNOCK_WAIT: Span = Span::from_secs(1);

const _: () = assert!(OWN_NEW + 20 <= OWN_WITHDRAWALS && OWN_WITHDRAWALS <= 50 && OWN_NEW < OWN_QUESTIONS);
const _: () = assert!(ALL_NEW < ALL_QUESTIONS && ALL_QUESTIONS < ALL_WITHDRAWALS && OWN_QUESTIONS < OWN_WITHDRAWALS);

/// Who asks: each class has room that those before it have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// New orders, and what only they need.
    New,
    Question,
    Withdrawal,
}

impl Class {
    #[must_use]
    pub const fn of(request: &Request) -> Self {
        match request {
            Request::Cancel { .. } | Request::CancelAll { .. } => Self::Withdrawal,
            _ if request.is_reserved_for() => Self::Question,
            _ => Self::New,
        }
    }

    const fn shares(self) -> (u64, u64) {
        match self {
            Self::New => (OWN_NEW, ALL_NEW),
            Self::Question => (OWN_QUESTIONS, ALL_QUESTIONS),
            Self::Withdrawal => (OWN_WITHDRAWALS, ALL_WITHDRAWALS),
        }
    }
}

/// One limit, and what of it is used in the running window.
#[derive(Debug, Clone)]
struct Meter {
    rule: RateLimit,
    window: i64,
    /// By us.
    own: u64,
    /// By everybody, as the venue last said, and by us since.
    all: u64,
}

impl Meter {
    const fn new(rule: RateLimit) -> Self {
        Self { rule, window: i64::MIN, own: 0, all: 0 }
    }

    /// A clock that is set back does not open a window again.
    fn turn(&mut self, now: Time) {
        let window = now.micros().div_euclid(self.rule.window.micros());
        if window > self.window {
            (self.window, self.own, self.all) = (window, 0, 0);
        }
    }

    fn end(&self) -> Time {
        Time::from_micros((self.window + 1).saturating_mul(self.rule.window.micros()))
    }

    /// Is there room for so much, up to these percentages of the limit?
    fn has_room(&self, amount: u64, (own_max, all_max): (u64, u64)) -> bool {
        let limit = u64::from(self.rule.limit);
        (self.own + amount) * 100 <= limit * own_max && (self.all + amount) * 100 <= limit * all_max
    }

    fn take(&mut self, amount: u64) {
        self.own += amount;
        self.all += amount;
    }
}

/// Whether withdrawals pass in a slowdown: the first asks for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Unknown,
    /// One is on its way.
    Knocked,
    /// It was answered.
    Open,
    /// It was told the same as everybody.
    Shut,
}

/// Until when the venue wants nothing, or nothing but withdrawals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Closed {
    /// Nothing at all.
    whole: Option<Time>,
    /// Nothing but withdrawals.
    slow: Option<Time>,
    door: Door,
    /// No new orders.
    orders: Option<Time>,
}

/// Budgets and closures of one account at one address. Pure: the time of the venue is a parameter.
#[derive(Debug, Clone)]
pub struct Limits {
    meters: Vec<Meter>,
    closed: Closed,
}

impl Default for Limits {
    fn default() -> Self {
        Self { meters: FIRST.map(Meter::new).to_vec(), closed: Closed::default() }
    }
}

impl Limits {
    /// The venue says what its limits are; what was used in the running windows stays used.
    pub fn adopt(&mut self, rules: &[RateLimit]) {
        for kind in [LimitKind::Weight, LimitKind::Orders] {
            let said: Vec<RateLimit> = rules.iter().copied().filter(|rule| rule.kind == kind && rule.limit > 0).collect();
            if said.is_empty() {
                continue;
            }
            let old: Vec<Meter> = self.meters.iter().filter(|meter| meter.rule.kind == kind).cloned().collect();
            self.meters.retain(|meter| meter.rule.kind != kind);
            for rule in said {
                let used = old.iter().find(|meter| meter.rule.window == rule.window).cloned().unwrap_or_else(|| Meter::new(rule));
                self.meters.push(Meter { rule, ..used });
            }
        }
    }

    /// Takes what a request costs at `now`, by the venue's clock. ORDERS-6, ORDERS-7.
    ///
    /// # Errors
    /// Until when the request must wait: nothing is taken then.
    pub fn take(&mut self, request: &Request, weight: u32, now: Time) -> Result<(), Failure> {
        let class = Class::of(request);
        self.pass(class, now)?;
        let is_order = matches!(request, Request::Place(_));
        let mut until: Option<Time> = None;
        for meter in &mut self.meters {
            meter.turn(now);
            let has_room = match meter.rule.kind {
                LimitKind::Weight => meter.has_room(u64::from(weight), class.shares()),
                LimitKind::Orders => !is_order || meter.has_room(1, (OWN_ORDERS, 100)),
                LimitKind::Requests => true,
            };
            if !has_room {
                until = until.max(Some(meter.end()));
            }
        }
        if let Some(until) = until {
            return Err(Failure::Throttled { until });
        }
        if class == Class::Withdrawal && self.is_slow(now) && self.closed.door == Door::Unknown {
            self.closed.door = Door::Knocked;
        }
        for meter in &mut self.meters {
            match meter.rule.kind {
                LimitKind::Weight => meter.take(u64::from(weight)),
                LimitKind::Orders if is_order => meter.take(1),
                LimitKind::Orders | LimitKind::Requests => {}
            }
        }
        Ok(())
    }

    /// Counts what goes another way, as connecting does.
    pub fn spend(&mut self, weight: u32, now: Time) {
        for meter in self.meters.iter_mut().filter(|meter| meter.rule.kind == LimitKind::Weight) {
            meter.turn(now);
            meter.take(u64::from(weight));
        }
    }

    fn is_slow(&self, now: Time) -> bool {
        self.closed.slow.is_some_and(|until| now < until)
    }

    /// How a withdrawal ended: with an answer, or without one. What asks for a pause is told by [`Self::slow_down`] before.
    pub fn withdrawn(&mut self, is_answered: bool) {
        if self.closed.door == Door::Knocked {
            self.closed.door = if is_answered { Door::Open } else { Door::Unknown };
        }
    }

    fn pass(&self, class: Class, now: Time) -> Result<(), Failure> {
        let Closed { whole, slow, door, orders } = self.closed;
        let is_on = |until: &Time| now < *until;
        if let Some(until) = whole.filter(is_on) {
            return Err(Failure::Banned { until });
        }
        if let Some(until) = slow.filter(is_on) {
            match (class, door) {
                (Class::Withdrawal, Door::Unknown | Door::Open) => {}
                // Soon it is known whether the others pass.
                (Class::Withdrawal, Door::Knocked) => return Err(Failure::Throttled { until: until.min(now + KNOCK_WAIT) }),
                _ => return Err(Failure::Throttled { until }),
            }
        }
        match orders.filter(is_on) {
            Some(until) if class == Class::New => Err(Failure::Throttled { until }),
            _ => Ok(()),
        }
    }

    /// Until when no connection may be opened and nothing be asked, if that is so at `now`.
    #[must_use]
    pub fn closed_until(&self, now: Time) -> Option<Time> {
        self.closed.whole.max(self.closed.slow).filter(|until| now < *until)
    }

    /// The venue counts so much weight of this address in the running minute.
    pub fn hear_weight(&mut self, used: u32, now: Time) {
        self.hear(LimitKind::Weight, Span::from_secs(60), used, now);
    }

    /// The venue counts so many orders of this account in the running window.
    pub fn hear_orders(&mut self, window: Span, used: u32, now: Time) {
        self.hear(LimitKind::Orders, window, used, now);
    }

    fn hear(&mut self, kind: LimitKind, window: Span, used: u32, now: Time) {
        let of = |meter: &&mut Meter| meter.rule.kind == kind && meter.rule.window == window;
        for meter in self.meters.iter_mut().filter(of) {
            meter.turn(now);
            meter.all = meter.all.max(u64::from(used));
        }
    }

    /// The venue answers nobody at this address: 418.
    pub fn ban(&mut self, until: Time, now: Time) {
        self.closed.whole = self.closed.whole.max(Some(until.min(now + CLOSED_MAX)));
    }

    /// The venue is asked too much: 429, or its firewall. Said again to a withdrawal, no other follows it.
    pub fn slow_down(&mut self, until: Time, now: Time) {
        self.closed.door = match self.closed.door {
            Door::Knocked | Door::Open | Door::Shut if self.is_slow(now) => Door::Shut,
            _ => Door::Unknown,
        };
        self.slow_down_elsewhere(until, now);
    }

    /// The same said to somebody else at this address.
    pub fn slow_down_elsewhere(&mut self, until: Time, now: Time) {
        if !self.is_slow(now) {
            self.closed.door = Door::Unknown;
        }
        self.closed.slow = self.closed.slow.max(Some(until.min(now + CLOSED_MAX)));
    }

    /// Too many orders: -1015. Withdrawals and questions pass.
    pub fn stop_orders(&mut self, until: Time, now: Time) {
        self.closed.orders = self.closed.orders.max(Some(until.min(now + CLOSED_MAX)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ClientOrderId, OrderIntent, OrderKind, Purpose, Side, Size, SymbolIndex};

    fn start() -> Time {
        "2026-03-01T00:00:05Z".parse().unwrap()
    }

    fn secs(secs: i64) -> Time {
        start() + Span::from_secs(secs)
    }

    fn id() -> ClientOrderId {
        ClientOrderId { scope: 1, bar: start(), sequence: 0 }
    }

    fn place() -> Request {
        Request::Place(OrderIntent {
            id: id(),
            symbol: SymbolIndex(0),
            side: Side::Buy,
            kind: OrderKind::Market,
            size: Size::Base("1".parse().unwrap()),
            purpose: Purpose::Signal,
            decided_at: start(),
            reference: "1".parse().unwrap(),
        })
    }

    fn cancel() -> Request {
        Request::Cancel { symbol: SymbolIndex(0), id: id() }
    }

    fn until(result: Result<(), Failure>) -> i64 {
        match result {
            Err(Failure::Throttled { until } | Failure::Banned { until }) => (until - start()).micros() / 1_000_000,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_fifth_of_the_orders_of_ten_seconds() {
        let mut limits = Limits::default();
        for _ in 0..10 {
            limits.take(&place(), 1, start()).unwrap();
        }
        assert_eq!(until(limits.take(&place(), 1, start())), 5, "at :10 the next window begins");
        limits.take(&cancel(), 1, start()).unwrap();
        limits.take(&place(), 1, secs(5)).unwrap();
        limits.hear_orders(Span::from_secs(10), 50, secs(5));
        assert_eq!(until(limits.take(&place(), 1, secs(6))), 15, "others used the rest of the account's");
    }

    /// C31: questions and withdrawals pass.
    #[test]
    fn too_many_orders_stop_orders_only() {
        let mut limits = Limits::default();
        limits.stop_orders(secs(60), start());
        assert_eq!(until(limits.take(&place(), 1, secs(59))), 60);
        limits.take(&cancel(), 1, secs(59)).unwrap();
        limits.take(&Request::Account, 20, secs(59)).unwrap();
        limits.take(&place(), 1, secs(60)).unwrap();
    }

    /// C25, ORDERS-7: the first withdrawal knocks, and all others follow it; unless it is told the same.
    #[test]
    fn a_slowdown_lets_withdrawals_knock() {
        let mut limits = Limits::default();
        limits.slow_down(secs(37), start());
        assert_eq!(until(limits.take(&Request::Account, 20, secs(1))), 37);
        limits.take(&cancel(), 1, secs(1)).unwrap();
        assert_eq!(until(limits.take(&cancel(), 1, secs(1))), 2, "soon it is known");
        limits.withdrawn(false);
        limits.take(&cancel(), 1, secs(2)).unwrap();
        limits.withdrawn(true);
        for _ in 0..50 {
            limits.take(&cancel(), 1, secs(3)).unwrap();
            limits.withdrawn(true);
        }
        assert_eq!(until(limits.take(&place(), 1, secs(3))), 37, "who wants in waits all the same");
        limits.slow_down_elsewhere(secs(40), secs(3));
        limits.take(&cancel(), 1, secs(3)).unwrap();
        limits.slow_down(secs(50), secs(4));
        assert_eq!(until(limits.take(&cancel(), 1, secs(37))), 50, "told the same, nobody follows");
        limits.take(&cancel(), 1, secs(50)).unwrap();
        limits.slow_down(secs(90), secs(60));
        limits.take(&cancel(), 1, secs(61)).unwrap();
        limits.slow_down(Time::MAX, secs(100));
        assert_eq!(until(limits.take(&place(), 1, secs(101))), 100 + 3 * 86_400, "what is absurd is capped");
    }

    /// C26.
    #[test]
    fn a_ban_lets_nothing_pass() {
        let mut limits = Limits::default();
        limits.ban(secs(600), start());
        for request in [place(), cancel(), Request::Time] {
            assert_eq!(until(limits.take(&request, 1, secs(599))), 600);
        }
        assert_eq!((limits.closed_until(secs(599)), limits.closed_until(secs(600))), (Some(secs(600)), None));
        limits.take(&cancel(), 1, secs(600)).unwrap();
    }

    #[test]
    fn what_others_use_counts() {
        let mut limits = Limits::default();
        limits.hear_weight(4800, start());
        assert!(limits.take(&place(), 1, start()).is_err(), "four fifths are used, the last is for others than new orders");
        limits.take(&Request::Account, 20, start()).unwrap();
        limits.hear_weight(5400, start());
        assert!(limits.take(&Request::Account, 20, start()).is_err());
        limits.take(&cancel(), 1, start()).unwrap();
        limits.take(&place(), 1, secs(55)).unwrap();
    }

    #[test]
    fn limits_that_are_told_keep_what_was_used() {
        let mut limits = Limits::default();
        limits.take(&Request::Account, 20, start()).unwrap();
        limits.adopt(&[RateLimit { kind: LimitKind::Weight, window: Span::from_secs(60), limit: 60 }]);
        assert!(limits.take(&Request::Account, 20, start()).is_err());
        limits.take(&Request::Time, 4, start()).unwrap();
        limits.adopt(&[]);
        assert!(limits.take(&Request::Account, 20, start()).is_err(), "an answer without limits changes none");
    }

    proptest! {
        /// ORDERS-6.
        #[test]
        fn no_window_holds_more_and_withdrawals_have_room(
            calls in proptest::collection::vec((-3_000_000_i64..8_000_000, 0_usize..4), 1..80),
            limit in 300_u32..1200,
        ) {
            let mut limits = Limits::default();
            limits.adopt(&[RateLimit { kind: LimitKind::Weight, window: Span::from_secs(60), limit }]);
            let kinds = [(place(), 1), (Request::OpenOrders { symbol: None }, 80), (Request::Rules, 20), (Request::Account, 20)];
            let (mut now, mut latest) = (start(), start());
            let (mut weight, mut orders) = (BTreeMap::<i64, u64>::new(), BTreeMap::<i64, u64>::new());
            for (pause, kind) in calls {
                now = now + Span::from_micros(pause);
                latest = latest.max(now);
                let (request, cost) = &kinds[kind];
                match limits.take(request, *cost, now) {
                    Ok(()) => {
                        *weight.entry(latest.micros().div_euclid(60_000_000)).or_default() += u64::from(*cost);
                        if matches!(request, Request::Place(_)) {
                            *orders.entry(latest.micros().div_euclid(10_000_000)).or_default() += 1;
                        }
                    }
                    Err(Failure::Throttled { until }) => prop_assert!(until > now),
                    Err(other) => prop_assert!(false, "{:?}", other),
                }
                // Whatever was asked before: everything open can be withdrawn now.
                let mut trial = limits.clone();
                for _ in 0..limit / 10 {
                    prop_assert_eq!(trial.take(&cancel(), 1, now), Ok(()));
                }
            }
            prop_assert!(weight.values().all(|used| used * 2 <= u64::from(limit)), "{:?}", weight);
            prop_assert!(orders.values().all(|count| *count <= 10), "{:?}", orders);
        }
    }
}
