//! A venue of ours on loopback: real HTTP, bars by a formula, misbehaviour by script, and a judge of how we behave.
//!
//! It ends with the test that holds it, and fails that test when it was called during a ban, asked for too much, or called more often
//! than any honest program would.

mod archive;
pub mod orders;
mod script;
pub mod stream;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tidegate::clock::Clock;
use tidegate::domain::{Span, Time};
use tidegate::feed::binance::Reach;

pub use archive::path_of;
pub use script::Act;
use wire::{Reply, Request};

const MINUTE: i64 = 60_000_000;
/// More calls than this are no test but a storm.
const CALLS_MAX: usize = 5000;

/// A clock that moves when somebody waits.
#[derive(Debug)]
pub struct Ticks(AtomicI64);

impl Ticks {
    pub fn at(time: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.parse::<Time>().unwrap().micros())))
    }

    pub fn pass(&self, span: Span) {
        self.0.fetch_add(span.micros(), Ordering::SeqCst);
    }

    /// A program that lives by this clock, and waits by moving it.
    pub fn reach(self: &Arc<Self>) -> Reach {
        let clock = self.clone();
        Reach::new(self.clone(), Arc::default()).with_pause(Arc::new(move |span| clock.pass(span)))
    }
}

impl Clock for Ticks {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// What the venue does and has seen.
pub struct Book {
    clock: Arc<dyn Clock>,
    /// What the venue's clock is ahead of `clock`.
    pub offset: Span,
    /// Symbols, with the open time of their first bar.
    pub listed: BTreeMap<String, Time>,
    /// Bars that the venue does not have, by open time in microseconds.
    pub holes: BTreeSet<i64>,
    /// Bars about which the venue says today something else than the formula.
    pub changed: BTreeSet<i64>,
    /// Symbols that are not traded, with the status they have.
    pub stopped: BTreeMap<String, &'static str>,
    /// The weight it allows in a minute.
    pub weight_limit: u32,
    /// What comes instead of an honest page, call by call.
    pub script: VecDeque<Act>,
    /// Files of the archive, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Paths called, with their queries.
    pub calls: Vec<String>,
    /// Which process gets which signal, at the call of this number from here on.
    pub victim: Option<Victim>,
    closed_since: Option<Time>,
    closed_until: Option<Time>,
    weight: BTreeMap<i64, u32>,
    last_page: String,
    /// What we did that no venue forgives.
    sins: Vec<String>,
}

/// A process that is struck while it waits for us, or while it works on what we sent.
pub struct Victim {
    pub pid: u32,
    pub signal: &'static str,
    pub calls_left: u64,
    pub is_waiting: bool,
}

impl Victim {
    fn strike(&self) {
        let mut kill = std::process::Command::new("kill");
        let mut kill = kill.args([self.signal, &self.pid.to_string()]).spawn().unwrap();
        if self.is_waiting {
            let _ = kill.wait();
        } else {
            std::thread::spawn(move || kill.wait());
        }
    }
}

pub struct Venue {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Venue {
    /// A venue that lists BTC and ETH since 2020.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let since: Time = "2020-01-01".parse().unwrap();
        let book = Arc::new(Mutex::new(Book {
            clock,
            offset: Span::from_micros(0),
            listed: ["BTCUSDT", "ETHUSDT"].map(|symbol| (symbol.to_owned(), since)).into(),
            holes: BTreeSet::new(),
            changed: BTreeSet::new(),
            stopped: BTreeMap::new(),
            weight_limit: 6000,
            script: VecDeque::new(),
            files: BTreeMap::new(),
            calls: Vec::new(),
            victim: None,
            closed_since: None,
            closed_until: None,
            weight: BTreeMap::new(),
            last_page: "[]".to_owned(),
            sins: Vec::new(),
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (book, stop) = (book.clone(), stop.clone());
            std::thread::spawn(move || accept(&listener, &book, &stop))
        };
        Self { address, book, stop, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock().unwrap())
    }

    /// The book, for somebody who outlives the borrow of the venue.
    pub fn handle(&self) -> Arc<Mutex<Book>> {
        self.book.clone()
    }

    /// What the next pages are instead.
    pub fn plays(&self, acts: impl IntoIterator<Item = Act>) {
        self.with(|book| book.script.extend(acts));
    }

    /// Calls since the last look whose path holds `part`.
    pub fn calls(&self, part: &str) -> usize {
        self.with(|book| std::mem::take(&mut book.calls).iter().filter(|call| call.contains(part)).count())
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if !std::thread::panicking() {
            let sins = self.book.lock().unwrap().sins.clone();
            assert!(sins.is_empty(), "the venue has been wronged: {sins:?}");
        }
    }
}

fn accept(listener: &TcpListener, book: &Arc<Mutex<Book>>, stop: &Arc<AtomicBool>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let (book, stop) = (book.clone(), stop.clone());
        let Ok(stream) = stream else { continue };
        threads.push(std::thread::spawn(move || wire::serve(&stream, &stop, |request| book.lock().unwrap().answer(request))));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

impl Book {
    fn now(&self) -> Time {
        self.clock.now() + self.offset
    }

    fn answer(&mut self, request: &Request) -> Reply {
        self.calls.push(request.target.clone());
        self.judge(request);
        if let Some(victim) = &mut self.victim {
            match victim.calls_left.checked_sub(1) {
                Some(left) => victim.calls_left = left,
                None => self.victim.take().into_iter().for_each(|victim| victim.strike()),
            }
        }
        let mut reply = match request.path() {
            "/api/v3/time" => Reply::ok(format!("{{\"serverTime\":{}}}", self.now().millis())),
            "/api/v3/exchangeInfo" => self.rules(request),
            "/api/v3/klines" => self.klines(request),
            path => self.file(path),
        };
        let used = self.weight.get(&self.now().micros().div_euclid(MINUTE)).copied().unwrap_or_default();
        reply.headers.push(("X-MBX-USED-WEIGHT-1M", used.to_string()));
        if matches!(reply.status, 418 | 429) {
            let secs = reply.retry_after().unwrap_or(60);
            (self.closed_since, self.closed_until) = (Some(self.now()), Some(self.now() + Span::from_secs(secs)));
        }
        reply
    }

    fn rules(&self, request: &Request) -> Reply {
        let symbol = request.query("symbol").unwrap_or_default();
        if !self.listed.contains_key(symbol) {
            return Reply::status(400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
        }
        let status = self.stopped.get(symbol).copied().unwrap_or("TRADING");
        Reply::ok(format!(
            "{{\"rateLimits\":[{{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":{}}}],\"symbols\":[{{\"symbol\":\"{symbol}\",\"status\":\"{status}\"}}]}}",
            self.weight_limit
        ))
    }

    /// A bar as this venue has it today.
    fn kline(&self, symbol: &str, interval: Span, open: Time) -> String {
        let row = kline(symbol, interval, open);
        if self.changed.contains(&open.micros()) { row.replacen(".50000000", ".75000000", 1) } else { row }
    }

    /// The next program has another address: what the last one used up is none of its business.
    pub fn forget_weight(&mut self) {
        self.weight.clear();
    }

    /// How we behave.
    fn judge(&mut self, request: &Request) {
        let now = self.now();
        // Files are asked for side by side: what was on its way cannot be called back.
        let is_on_its_way = request.path().starts_with("/data/") && self.closed_since == Some(now);
        if self.closed_until.is_some_and(|until| now < until) && !is_on_its_way {
            self.sins.push(format!("{} at {now}, before the ban was over", request.target));
        }
        let weight = match request.path() {
            "/api/v3/exchangeInfo" => 20,
            "/api/v3/klines" => 2,
            "/api/v3/time" => 1,
            _ => 0,
        };
        let used = self.weight.entry(now.micros().div_euclid(MINUTE)).or_default();
        *used += weight;
        // The first requests cannot know a limit that is lower than usual.
        if *used > self.weight_limit / 2 {
            self.sins.push(format!("weight {used} of {} in the minute of {now}", self.weight_limit));
        }
        if self.calls.len() > CALLS_MAX {
            self.sins.push("a storm of calls".to_owned());
        }
        if request.path() == "/api/v3/klines" {
            self.judge_range(request);
        }
    }

    fn judge_range(&mut self, request: &Request) {
        let number = |name: &str| request.query(name).and_then(|text| text.parse::<i64>().ok());
        let known = ["symbol", "interval", "startTime", "endTime", "limit"];
        if let Some(other) = request.names().into_iter().find(|name| !known.contains(name)) {
            self.sins.push(format!("an unknown parameter {other}"));
        }
        if number("limit").is_some_and(|limit| limit > 1000) {
            self.sins.push("more than 1000 bars in one page".to_owned());
        }
        match (number("startTime"), number("endTime")) {
            (Some(start), Some(end)) if start <= end => {}
            range => self.sins.push(format!("a range of {range:?}")),
        }
    }
}

/// The klines of a range, as the venue has them: the open one among them if it lies in the range.
pub fn kline(symbol: &str, interval: Span, open: Time) -> String {
    let (at, close) = (open.millis(), (open + interval).millis() - 1);
    let base = 100 + symbol.len() as i64 + i64::from(symbol.as_bytes()[0]);
    let wave = (open.micros() / interval.micros()).wrapping_mul(37) % 101;
    let price = |plus: i64| format!("{}.{:02}000000", base + plus / 100, plus % 100);
    let (open, high, low, last) = (price(wave), price(wave + 150), price(0), price(wave + 50));
    format!(
        "[{at},\"{open}\",\"{high}\",\"{low}\",\"{last}\",\"{}.50000000\",{close},\"900.00000000\",{},\"1.00000000\",\"100.00000000\",\"0\"]",
        10 + wave,
        5 + wave
    )
}
