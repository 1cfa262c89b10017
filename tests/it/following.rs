//! Following the streams of a venue of ours, over real sockets and by a clock that the venue moves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::domain::{Columns, Interval, Projection, Series, Span, Time};
use tidegate::feed::binance::stream::{Figures, Word};
use tidegate::feed::binance::{Address, Service};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::follow::{Follow, Watcher};
use tidegate::store::Lake;

use crate::venue::stream::{Greeting, Hall, Streams, bar, event};
use crate::venue::{Ticks, Venue, kline};

mod bars;
mod connections;
mod day;
mod verb;

const START: &str = "2026-03-01T00:00:00.150Z";
/// What the follower may take to come to rest, by the real clock.
const REST_MAX: Duration = Duration::from_secs(30);
/// The clock does not move by itself, so it is looked at often.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

/// What the follower last said of itself.
#[derive(Debug, Default)]
struct State {
    rests: u64,
    at: Option<Time>,
    figures: Figures,
    pending: (usize, usize),
    words: Vec<Word>,
    is_over: bool,
}

/// Shared by the venue's side of a test and the follower's.
#[derive(Default)]
struct Gauge {
    state: Mutex<State>,
    turn: Condvar,
}

/// Looks on for the test, and holds every bar against the venue's clock.
struct Spy {
    gauge: Arc<Gauge>,
    clock: Arc<Ticks>,
    interval: Interval,
}

impl Watcher for Spy {
    fn hear(&mut self, word: &Word, _now: Time) {
        if let Word::Kept(symbol, rows) = word {
            let now = self.clock.now();
            for row in rows {
                assert!(row.open_time + self.interval.span() <= now, "STREAM-1: {symbol} {} early at {now}", row.open_time);
            }
        }
        self.gauge.state.lock().unwrap().words.push(word.clone());
    }

    fn rest(&mut self, now: Time, figures: &Figures, pending: (usize, usize)) {
        let mut state = self.gauge.state.lock().unwrap();
        state.rests += 1;
        state.at = Some(now);
        state.figures.clone_from(figures);
        state.pending = pending;
        drop(state);
        self.gauge.turn.notify_all();
    }
}

/// A follower at work, with its venue.
struct Desk {
    folder: tempfile::TempDir,
    clock: Arc<Ticks>,
    venue: Venue,
    streams: Arc<Streams>,
    gauge: Arc<Gauge>,
    stop: Arc<AtomicBool>,
    series: Vec<Series>,
    follower: Option<std::thread::JoinHandle<Result<Figures, String>>>,
    /// Connections whose end or beginning has been taken into account.
    changes: u64,
}

impl Desk {
    fn new() -> Self {
        let clock = Ticks::at(START);
        let series = SYMBOLS.iter().map(|name| Series::new("binance", name.parse().unwrap(), minute()).unwrap()).collect();
        // In memory where there is such a folder: a day has thousands of commits.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self {
            folder: folder.unwrap(),
            venue: Venue::new(clock.clone()),
            streams: Arc::new(Streams::new(clock.clone())),
            clock,
            gauge: Arc::default(),
            stop: Arc::default(),
            series,
            follower: None,
            changes: 0,
        }
    }

    fn started() -> Self {
        let mut desk = Self::new();
        desk.start(desk.clock.now());
        desk.settle();
        desk
    }

    fn lake(&self) -> Lake {
        Lake::open(self.folder.path()).unwrap()
    }

    /// Starts the follower, which wants bars from `from` on.
    fn start(&mut self, from: Time) {
        let (rest, stream) = (self.venue.url(), self.streams.url());
        let (rest, stream) = (Address::new(Service::Market, &rest).unwrap(), Address::new(Service::Stream, &stream).unwrap());
        let (clock, gauge, series, lake) = (self.clock.clone(), self.gauge.clone(), self.series.clone(), self.lake());
        self.stop = Arc::default();
        let reach = clock.reach().with_stop(self.stop.clone());
        let from = vec![Time::from_micros(from.micros().div_euclid(60_000_000) * 60_000_000); series.len()];
        self.gauge.state.lock().unwrap().is_over = false;
        self.follower = Some(std::thread::spawn(move || {
            let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
            let mut spy = Spy { gauge: gauge.clone(), clock, interval: minute() };
            let follow = Follow::new(&lake, &contract, &reach, (&rest, &stream), &series).look_every(LOOK_EVERY);
            let end = follow.run(&from, &mut spy).map_err(|error| error.to_string());
            gauge.state.lock().unwrap().is_over = true;
            gauge.turn.notify_all();
            end
        }));
    }

    /// Ends the follower as Ctrl-C does.
    fn stop(&mut self) -> Result<Figures, String> {
        self.stop.store(true, Ordering::SeqCst);
        self.follower.take().unwrap().join().unwrap()
    }

    /// Waits until the follower has looked at this time and has nothing under way.
    fn settle(&mut self) {
        for _ in 0..100 {
            self.streams.reach_all();
            let seen = self.gauge.state.lock().unwrap().rests;
            let clock = &self.clock;
            // Two rests: one may have begun before the last frame came.
            let is_so = |state: &State| {
                state.is_over || state.rests >= seen + 2 && state.at == Some(clock.now()) && state.pending == (0, 0)
            };
            let state = self.gauge.state.lock().unwrap();
            let (state, timeout) = self.gauge.turn.wait_timeout_while(state, REST_MAX, |state| !is_so(state)).unwrap();
            assert!(!timeout.timed_out(), "the follower comes to no rest at {}: {state:?}", self.clock.now());
            drop(state);
            // A connection that came up meanwhile has not been reached yet.
            let changes = self.streams.with(|hall| hall.changes);
            if std::mem::replace(&mut self.changes, changes) == changes {
                return;
            }
        }
        panic!("connections come and go without end at {}", self.clock.now());
    }

    fn pass(&mut self, secs: i64) {
        self.clock.pass(Span::from_secs(secs));
        self.settle();
    }

    /// Tells all connections something.
    fn tell(&self, act: impl Fn(&mut Hall, usize)) {
        self.streams.with(|hall| hall.fed().into_iter().for_each(|at| act(hall, at)));
    }

    fn figures(&self) -> Figures {
        self.gauge.state.lock().unwrap().figures.clone()
    }

    fn words(&self) -> Vec<Word> {
        self.gauge.state.lock().unwrap().words.clone()
    }

    fn bars(&self, symbol: usize) -> Columns {
        self.lake().read(&self.series[symbol], None, None, Projection::BAR).unwrap_or_default()
    }

    /// The minutes since the start that are in the lake, each with the venue's numbers.
    fn minutes(&self, symbol: usize) -> Vec<i64> {
        let bars = self.bars(symbol);
        let name = self.series[symbol].symbol().joined();
        let mut minutes = Vec::new();
        for at in 0..bars.len() {
            let open = bars.time(at);
            let row: Vec<serde_json::Value> = serde_json::from_str(&kline(&name, minute().span(), open)).unwrap();
            let number = |nth: usize| row[nth].as_str().unwrap().parse::<f64>().unwrap();
            let found = [bars.open[at], bars.high[at], bars.low[at], bars.close[at], bars.volume[at]];
            assert_eq!(found, [1, 2, 3, 4, 5].map(number), "{name} {open} is not the venue's bar");
            minutes.push((open - start()).micros() / 60_000_000);
        }
        minutes
    }

    /// The next minute closes, and every connection hears of both bars.
    fn close_minute(&mut self) {
        let open = self.close_quietly();
        let now = self.clock.now();
        self.tell(|hall, at| SYMBOLS.iter().for_each(|name| hall.say(at, &closed(name, open, now))));
        self.settle();
    }

    /// The next minute closes, and nobody hears of it. Gives its open time.
    fn close_quietly(&mut self) -> Time {
        let now = self.clock.now();
        let open = Time::from_micros(now.micros().div_euclid(60_000_000) * 60_000_000);
        // The venue tells a bar on its way every twenty seconds, and once more as it closes.
        for _ in 0..2 {
            self.clock.pass(Span::from_secs(20));
            let now = self.clock.now();
            self.tell(|hall, at| {
                SYMBOLS.iter().for_each(|name| hall.say(at, &event(&bar(&joined(name), minute(), open, false), now)));
            });
            self.settle();
        }
        self.clock.pass(Span::from_secs(20));
        self.streams.reach_all();
        open
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(follower) = self.follower.take() {
            let _ = follower.join();
        }
    }
}

fn minute() -> Interval {
    "1m".parse().unwrap()
}

fn start() -> Time {
    let start: Time = START.parse().unwrap();
    Time::from_micros(start.micros().div_euclid(60_000_000) * 60_000_000)
}

fn joined(name: &str) -> String {
    name.replace('/', "")
}

fn closed(name: &str, open: Time, now: Time) -> String {
    event(&bar(&joined(name), minute(), open, true), now)
}

fn upto(count: i64) -> Vec<i64> {
    (0..count).collect()
}
