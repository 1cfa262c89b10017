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

mod day;

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

/// STREAM-1: of all that is said of a bar, only the last word counts.
#[test]
fn bars_come_as_they_close() {
    let mut desk = Desk::started();
    for _ in 0..5 {
        desk.close_minute();
    }
    for symbol in 0..2 {
        assert_eq!(desk.minutes(symbol), upto(5));
    }
    let figures = desk.stop().unwrap();
    assert_eq!((figures.bars, figures.filled, figures.duplicates, figures.connections), (10, 0, 0, 1), "{figures:?}");
    assert_eq!(desk.venue.calls("klines"), 0, "nothing lacks, nothing is asked for");
}

/// D1.
#[test]
fn a_dropped_socket_is_opened_again_and_what_was_missed_is_asked_for() {
    let mut desk = Desk::started();
    desk.close_minute();
    desk.tell(Hall::drop_link);
    desk.clock.pass(Span::from_secs(60));
    desk.settle();
    desk.pass(2);
    assert_eq!((desk.minutes(0), desk.minutes(1)), (upto(2), upto(2)));
    let figures = desk.figures();
    assert_eq!((figures.reconnects, figures.filled), (1, 2), "{figures:?}");
    desk.close_minute();
    assert_eq!((desk.minutes(0), desk.figures().bars), (upto(3), 4));
}

/// D2.
#[test]
fn a_silent_socket_is_dead_after_thirty_seconds() {
    let mut desk = Desk::started();
    desk.tell(Hall::silence);
    desk.pass(29);
    assert_eq!(desk.figures().ended, 0);
    desk.pass(1);
    assert_eq!(desk.figures().ended, 1);
    desk.pass(2);
    assert_eq!((desk.figures().ended, desk.figures().connections), (1, 2));
    assert!(
        desk.words().iter().any(|word| matches!(word, Word::Down(why) if why.contains("nothing came for 30s"))),
        "{:?}",
        desk.words()
    );
}

/// D3: the venue fails the test at a pong of other bytes.
#[test]
fn a_ping_is_answered_with_its_payload() {
    let mut desk = Desk::started();
    let before = desk.streams.with(|hall| hall.pongs(0));
    desk.pass(20);
    assert!(desk.streams.with(|hall| hall.pongs(0)) > before);
    // Nothing but pings for a minute: that is a sign of life.
    for _ in 0..3 {
        desk.pass(20);
    }
    assert_eq!(desk.figures().connections, 1);
}

/// D4, STREAM-5.
#[test]
fn the_planned_change_loses_nothing_and_doubles_nothing() {
    let mut desk = Desk::new();
    let first = 23 * 60 - 1;
    desk.start(start() + Span::from_secs(60 * first));
    desk.settle();
    // Nothing but pings until it is nearly time.
    while desk.streams.with(|hall| hall.age(0)) < Span::from_secs(23 * 3600 - 30) {
        desk.clock.pass(Span::from_secs(25));
        desk.streams.reach_all();
    }
    let left = Span::from_micros(23 * 3600 * 1_000_000 - desk.streams.with(|hall| hall.age(0)).micros());
    desk.clock.pass(left);
    desk.settle();
    let both = desk.streams.with(|hall| hall.fed());
    assert_eq!(both, [0, 1]);
    // The bar that closes now comes over both.
    let (open, now) = (start() + Span::from_secs(60 * first), desk.clock.now());
    desk.tell(|hall, at| SYMBOLS.iter().for_each(|name| hall.say(at, &closed(name, open, now))));
    desk.settle();
    // It may have been asked for too, as the new connection came up.
    let figures = desk.figures();
    assert_eq!((figures.bars + figures.filled, figures.bars + figures.duplicates), (2, 4), "{figures:?}");
    desk.pass(5);
    assert_eq!(desk.streams.with(|hall| hall.fed()), [1], "the old one is left after a while");
    desk.close_minute();
    let figures = desk.figures();
    assert_eq!((figures.connections, figures.reconnects, figures.ended, figures.conflicts), (2, 0, 0, 0), "{figures:?}");
    let minutes = desk.minutes(0);
    assert_eq!(minutes, (first..first + minutes.len() as i64).collect::<Vec<_>>());
    assert!(minutes.len() >= 2, "{minutes:?}");
}

/// D5.
#[test]
fn a_venue_that_shuts_down_is_left_for_another_connection() {
    let mut desk = Desk::started();
    desk.tell(|hall, at| hall.say(at, "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1}}"));
    desk.settle();
    assert_eq!(desk.streams.with(|hall| hall.fed().len()), 2);
    desk.close_minute();
    desk.streams.with(|hall| hall.drop_link(0));
    desk.close_minute();
    assert_eq!((desk.minutes(0), desk.figures().filled), (upto(2), 0));
}

/// D6.
#[test]
fn doubled_reordered_and_missing_events() {
    let mut desk = Desk::started();
    desk.close_minute();
    let (second, third) = (desk.close_quietly(), desk.close_quietly());
    let now = desk.clock.now();
    desk.tell(|hall, at| {
        for open in [third, second, third, second] {
            SYMBOLS.iter().for_each(|name| hall.say(at, &closed(name, open, now)));
        }
    });
    desk.settle();
    desk.close_quietly();
    desk.close_minute();
    assert_eq!((desk.minutes(0), desk.minutes(1)), (upto(5), upto(5)));
    let figures = desk.figures();
    assert!(figures.duplicates >= 4 && figures.conflicts == 0 && figures.holes == 0, "{figures:?}");
}

/// D8: in either form it is named, and the connection is opened anew; for ever it is not.
#[test]
fn a_refused_subscription() {
    let words = "{\"code\":-2035,\"msg\":\"already active\",\"id\":1}";
    let mut desk = Desk::new();
    desk.streams.with(|hall| hall.greetings.push(Greeting::Refused(words)));
    desk.start(desk.clock.now());
    desk.settle();
    desk.pass(3);
    assert_eq!(desk.figures().connections, 1);
    assert!(desk.words().iter().any(|word| matches!(word, Word::Down(why) if why.contains("-2035 already active"))));
    drop(desk);
    let words = "{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":1}";
    let mut desk = Desk::new();
    desk.streams.with(|hall| hall.greetings = vec![Greeting::Refused(words); 9]);
    desk.start(desk.clock.now());
    for _ in 0..20 {
        desk.pass(30);
    }
    let error = desk.stop().unwrap_err();
    assert!(error.contains("2 Invalid request"), "{error}");
    assert_eq!(desk.streams.with(|hall| hall.connects().len()), 5);
}

/// D9, STREAM-4: the venue fails the test at six control messages in a second, pongs among them.
#[test]
fn a_flood_of_pings_is_not_answered() {
    let mut desk = Desk::started();
    desk.pass(2);
    desk.streams.with(|hall| (0..20).for_each(|_| hall.ping(0)));
    desk.streams.wait("the end", |hall| hall.is_over(0));
    desk.pass(2);
    assert_eq!(desk.figures().connections, 2);
}

/// D10: a venue that drops every connection is tried thirty times in five minutes at most.
#[test]
fn a_storm_is_bounded() {
    let mut desk = Desk::new();
    desk.streams.with(|hall| hall.greetings = vec![Greeting::Dropped; 1000]);
    desk.start(desk.clock.now());
    for _ in 0..600 {
        desk.pass(1);
    }
    let connects = desk.streams.with(|hall| hall.connects().to_vec());
    let most =
        connects.iter().map(|first| connects.iter().filter(|at| **at >= *first && **at - *first < Span::from_secs(300)).count());
    assert!((10..=30).contains(&most.max().unwrap()), "{}", connects.len());
    // Bars came all the same, by asking.
    assert!(desk.figures().filled >= 18, "{:?}", desk.figures());
}

/// D11.
#[test]
fn what_no_venue_sends_ends_the_connection() {
    let deep = "[".repeat(5000);
    let huge = format!("\"{}\"", "x".repeat(2 << 20));
    let cases: [(&[u8], &str); 3] =
        [(huge.as_bytes(), "more than 1 MiB"), (deep.as_bytes(), "cannot be read"), (b"{\"e\":\"\xff\xfe\"}", "UTF-8")];
    for (bytes, word) in cases {
        let mut desk = Desk::started();
        desk.tell(|hall, at| hall.say_bytes(at, bytes));
        desk.streams.wait("the end", |hall| hall.is_over(0));
        desk.settle();
        desk.pass(2);
        let figures = desk.figures();
        assert_eq!((figures.ended, figures.connections), (1, 2), "{word}: {figures:?}");
        assert!(
            desk.words().iter().any(|said| matches!(said, Word::Down(why) if why.contains(word))),
            "{word}: {:?}",
            desk.words()
        );
        desk.close_minute();
        assert_eq!(desk.minutes(0), upto(1));
    }
}

/// B7: it is not applied backwards; what lies before is asked for.
#[test]
fn a_bar_out_of_order() {
    let mut desk = Desk::started();
    desk.close_minute();
    let (second, third) = (desk.close_quietly(), desk.close_quietly());
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", third, now)));
    desk.settle();
    assert_eq!(desk.minutes(0), upto(3), "the second was asked for");
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", second, now)));
    desk.settle();
    let figures = desk.figures();
    assert_eq!((desk.minutes(0), figures.late, figures.duplicates), (upto(3), 1, 1), "{figures:?}");
    let kept: Vec<Time> = desk
        .words()
        .into_iter()
        .flat_map(|word| match word {
            Word::Kept(symbol, rows) if symbol.joined() == "BTCUSDT" => rows.into_iter().map(|row| row.open_time).collect(),
            _ => Vec::new(),
        })
        .collect();
    assert!(kept.is_sorted() && !kept.contains(&second), "{kept:?}");
}

/// B8: a bar that the venue's pages do not have comes three bars later, and fills the lake.
#[test]
fn a_late_bar_fills_the_lake() {
    let mut desk = Desk::started();
    desk.close_minute();
    let late = desk.close_quietly();
    desk.venue.with(|book| book.holes.insert(late.micros()));
    desk.settle();
    for _ in 0..3 {
        desk.close_minute();
    }
    assert_eq!((desk.minutes(0), desk.figures().holes), (vec![0, 2, 3, 4], 2));
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", late, now)));
    desk.settle();
    assert_eq!((desk.minutes(0), desk.minutes(1)), (upto(5), vec![0, 2, 3, 4]));
    assert_eq!(desk.figures().late, 1);
}

/// B9.
#[test]
fn a_gap_of_one_ten_and_a_thousand_bars_and_over_a_restart() {
    let mut desk = Desk::started();
    desk.close_minute();
    let mut there = 1;
    for gap in [1, 10, 1000] {
        desk.tell(Hall::drop_link);
        desk.clock.pass(Span::from_secs(60 * gap));
        desk.settle();
        desk.pass(2);
        there += gap;
        assert_eq!((desk.minutes(0), desk.minutes(1)), (upto(there), upto(there)), "a gap of {gap}");
    }
    desk.stop().unwrap();
    desk.clock.pass(Span::from_secs(60 * 1500));
    let next = desk.bars(0).time(desk.bars(0).len() - 1) + minute().span();
    desk.changes = 0;
    desk.start(next);
    desk.settle();
    desk.pass(2);
    assert_eq!(desk.minutes(0), upto(there + 1500), "over a restart");
}

/// B10, STREAM-1: neither a bar on its way nor one that calls itself closed before its time.
#[test]
fn an_open_bar_is_never_closed() {
    let mut desk = Desk::started();
    desk.pass(20);
    let open = start();
    let now = desk.clock.now();
    let mut early = bar("BTCUSDT", minute(), open, false);
    early["x"] = true.into();
    desk.tell(|hall, at| {
        hall.say(at, &event(&bar("BTCUSDT", minute(), open, false), now));
        hall.say(at, &event(&early, now));
    });
    desk.settle();
    assert_eq!((desk.bars(0).len(), desk.figures().early), (0, 1));
    desk.pass(20);
    desk.clock.pass(Span::from_secs(20));
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", open, now)));
    desk.settle();
    assert_eq!(desk.minutes(0), upto(1));
    // A venue that is behind has not closed what we think has closed.
    let mut desk = Desk::new();
    desk.venue.with(|book| book.offset = Span::from_micros(-1_500_000));
    desk.start(desk.clock.now());
    desk.settle();
    let open = desk.close_quietly();
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", open, now)));
    desk.settle();
    assert_eq!(desk.bars(0).len(), 0, "by the venue's clock it is open for another second");
    desk.pass(2);
    assert_eq!(desk.minutes(0), upto(1));
}

/// B15.
#[test]
fn a_feed_without_bars_is_stale() {
    let mut desk = Desk::started();
    desk.close_minute();
    // The pages have no more bars than the streams.
    desk.venue.with(|book| book.holes = (1..9).map(|nth| (start() + Span::from_secs(60 * nth)).micros()).collect());
    while desk.clock.now() < start() + Span::from_secs(145) {
        desk.pass(5);
    }
    assert!(!desk.words().iter().any(|word| matches!(word, Word::Stale(..))), "{:?}", desk.words());
    while desk.clock.now() < start() + Span::from_secs(155) {
        desk.pass(5);
    }
    let is_named = |word: &Word| matches!(word, Word::Stale(symbol, _) if symbol.joined() == "BTCUSDT");
    assert!(desk.words().iter().any(is_named), "{:?}", desk.words());
    // The same bar again is no new one.
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &closed("BTC/USDT", start(), now)));
    desk.settle();
    assert!(!desk.words().iter().any(|word| matches!(word, Word::Fresh(_))));
    desk.close_minute();
    assert!(desk.words().iter().any(|word| matches!(word, Word::Fresh(_))), "{:?}", desk.words());
}

/// STREAM-3, LAKE-2: the first stays; where two came before either was kept, the venue is asked.
#[test]
fn other_values_of_the_same_bar() {
    let mut desk = Desk::started();
    desk.close_minute();
    let mut other = bar("BTCUSDT", minute(), start(), true);
    other["v"] = "99.5".into();
    let now = desk.clock.now();
    desk.tell(|hall, at| hall.say(at, &event(&other, now)));
    desk.settle();
    assert_eq!((desk.minutes(0), desk.figures().conflicts), (upto(1), 1));
    assert!(desk.folder.path().join("_quarantine").is_dir());
}
