//! Two machines, each with its own disk, on one account: what a lease in one journal cannot prevent.

use tidegate::domain::{Span, Time};
use tidegate::risk::Halt;

use super::world::{Plan, QUARTER, Weather, World};

/// They take turns this often.
const TURN: Span = Span::from_millis(200);

pub struct Pair {
    pub first: World,
    pub second: World,
}

impl Pair {
    /// `scopes`: of the client order ids of each. Equal ones are the same profile copied to another machine.
    pub fn new(seed: u64, scopes: [u32; 2]) -> Self {
        let [mut first, mut second] = scopes.map(|scope| World::new(seed, Plan { scope, ..Plan::new(Weather::calm()) }));
        second.join(&mut first);
        Self { first, second }
    }

    /// Does something on the second machine, with the venue that both have.
    fn on_second<T>(&mut self, act: impl FnOnce(&mut World) -> T) -> T {
        std::mem::swap(&mut self.first.exchange, &mut self.second.exchange);
        let done = act(&mut self.second);
        std::mem::swap(&mut self.first.exchange, &mut self.second.exchange);
        done
    }

    fn pass(&mut self, end: Time) {
        while self.first.now < end {
            let next = (self.first.now + TURN).min(end);
            self.first.pass(next);
            self.on_second(|second| second.pass(next));
        }
    }

    pub fn bar(&mut self, number: i64) {
        let bar = self.first.next_bar(number);
        let closed = bar.open_time + QUARTER;
        self.pass(closed);
        self.first.exchange.advance("BTCUSDT", &bar, closed);
        self.pass(closed + Span::from_secs(3));
        self.first.decide(&bar);
        self.on_second(|second| second.decide(&bar));
    }

    /// Why each has stopped, if it has.
    pub fn halts(&self) -> [Option<&Halt>; 2] {
        [&self.first, &self.second].map(|world| world.live.trader().desk().halt())
    }

    /// Orders at the venue so far.
    pub fn orders(&self) -> usize {
        self.first.exchange.orders().count()
    }
}
