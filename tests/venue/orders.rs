//! The order side of our venue: a simulated exchange over real sockets, time by the test's clock, and a judge.
//!
//! It ends with the test that holds it, and fails that test when the record shows a broken promise.

use std::sync::Arc;

use tidegate::clock::Clock;
use tidegate::domain::{Bar, Bps, Fraction, Qty, Time};
use tidegate::venue::sim::serve::{Floor, Served};
use tidegate::venue::sim::{
    Breach, Checker, Depth, Exchange, Fees, Filters, Halted, Holder, Key, Limits, Listed, Lock, Permissions, Promises, Script,
    Setup,
};

/// A published example, nobody's key.
pub const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// BTC and ETH in bars of a minute, one account with 1000 USDT and a key that may trade, a book of five levels of ten units.
pub fn setup(script: Script) -> Setup {
    let depth = Depth {
        levels: 5,
        level_qty: "10".parse().unwrap(),
        level_bps: Bps(1),
        half_spread_bps: Bps(0),
        volume_share: Fraction::ONE,
    };
    let listed = ["BTC/USDT", "ETH/USDT"].map(|symbol| Listed {
        symbol: symbol.parse().unwrap(),
        interval: "1m".parse().unwrap(),
        filters: Filters::default(),
        depth,
    });
    let amount = |asset: &str, amount: &str| -> (String, Qty) { (asset.to_owned(), amount.parse().unwrap()) };
    let key = Key { name: KEY.to_owned(), lock: Lock::hmac(SECRET), permissions: Permissions::default(), is_revoked: false };
    let balances = vec![amount("USDT", "1000"), amount("BTC", "0"), amount("ETH", "0"), amount("BNB", "0")];
    let holder = Holder { key, balances, fees: Fees::default() };
    Setup { listed: listed.into(), holders: vec![holder], limits: Limits::default(), script }
}

pub struct Orders {
    served: Served,
    promises: Promises,
    halted: Vec<Halted>,
    /// Rules that the test breaks on purpose.
    expected: Vec<&'static str>,
}

impl Orders {
    /// A venue on loopback, whose market stands at 100.
    pub fn new(clock: Arc<dyn Clock>, script: Script, promises: Promises) -> Self {
        let now = clock.now();
        let mut exchange = Exchange::new(setup(script), now);
        let minute = 60_000_000;
        let open_time = Time::from_micros((now.micros().div_euclid(minute) - 1) * minute);
        let bar = Bar { open_time, open: 100.0, high: 100.0, low: 100.0, close: 100.0, volume: 10.0 };
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            exchange.advance(symbol, &bar, now);
        }
        let served = Served::start(Floor::new(exchange, clock), "127.0.0.1:0".parse().unwrap()).unwrap();
        Self { served, promises, halted: Vec::new(), expected: Vec::new() }
    }

    pub fn rest_url(&self) -> String {
        self.served.rest_url()
    }

    pub fn api_url(&self) -> String {
        self.served.api_url()
    }

    pub fn stream_url(&self) -> String {
        self.served.stream_url()
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.served.address()
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Exchange, Time) -> T) -> T {
        self.served.floor.with(act)
    }

    /// Trading was to stand still in this time; the judge is told.
    pub fn halts(&mut self, halted: Halted) {
        self.halted.push(halted);
    }

    /// The test breaks this rule on purpose, and fails when it is not broken.
    pub fn expects(&mut self, rule: &'static str) {
        self.expected.push(rule);
    }

    /// What the record says by now.
    pub fn breaches(&self) -> Vec<Breach> {
        self.with(|exchange, _| {
            let mut checker = Checker::new(self.promises.clone(), exchange.pairs());
            self.halted.iter().for_each(|halted| checker.halt(*halted));
            checker.read_all(exchange.log().entries());
            checker.breaches().to_vec()
        })
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let breaches = self.breaches();
        let wrong: Vec<&Breach> = breaches.iter().filter(|breach| !self.expected.contains(&breach.rule)).collect();
        assert!(wrong.is_empty(), "the venue has been wronged: {wrong:?}");
        let lacking: Vec<_> = self.expected.iter().filter(|rule| !breaches.iter().any(|breach| breach.rule == **rule)).collect();
        assert!(lacking.is_empty(), "not broken although it was meant to be: {lacking:?}");
    }
}
