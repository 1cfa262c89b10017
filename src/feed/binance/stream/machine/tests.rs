//! The machine against a venue that exists in numbers only: many seeds, each with its own misfortunes.

use std::collections::BTreeMap;

use super::*;
use crate::chance::Stream;

const MINUTE: i64 = 60_000_000;
const START: i64 = 1_704_067_200_000_000;

fn at(micros: i64) -> Time {
    Time::from_micros(START + micros)
}

fn close(symbol: usize, minute: i64) -> f64 {
    100.0 + ((minute * 37 + symbol as i64 * 11) % 97) as f64
}

fn row(symbol: usize, minute: i64, close: f64) -> Row {
    let prices = [100.0, 300.0, 50.0, close, 5.0 + symbol as f64];
    Row { open_time: at(minute * MINUTE), prices, quote_volume: 500.0, trades: 3, taker: [1.0, 100.0], is_odd: false }
}

fn text(symbol: usize, row: &Row, is_closed: bool) -> String {
    let [o, h, l, c, v] = row.prices.map(|price| price.to_string());
    let (t, name) = (row.open_time.millis(), NAMES[symbol].replace('/', ""));
    serde_json::json!({ "stream": format!("{}@kline_1m", name.to_lowercase()), "data": { "e": "kline", "s": name, "k": {
        "t": t, "T": t + 59_999, "s": name, "i": "1m", "o": o, "h": h, "l": l, "c": c, "v": v, "n": 3, "x": is_closed,
        "q": "500", "V": "1", "Q": "100" } } })
    .to_string()
}

const NAMES: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

fn machine(next: Time, now: Time) -> Machine {
    let symbols = NAMES.iter().map(|name| (name.parse().unwrap(), next)).collect();
    Machine::new(&Terms { symbols, interval: "1m".parse().unwrap(), seed: 1 }, now)
}

/// A world of events to come, by time.
struct World {
    machine: Machine,
    chance: Stream,
    now: i64,
    to_come: BTreeMap<(i64, u64), Event>,
    number: u64,
    links: Vec<LinkId>,
    /// By symbol and minute.
    lake: BTreeMap<(usize, i64), f64>,
    opened: usize,
    words: Vec<Word>,
    /// Misfortunes happen; towards the end they do not, so that all can be made good.
    is_rough: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            machine: machine(at(0), at(0)),
            chance: Stream::new(seed, "world"),
            now: 0,
            to_come: BTreeMap::new(),
            number: 0,
            links: Vec::new(),
            lake: BTreeMap::new(),
            opened: 0,
            words: Vec::new(),
            is_rough: true,
        }
    }

    fn later(&mut self, span: i64, event: Event) {
        self.number += 1;
        self.to_come.insert((self.now + span, self.number), event);
    }

    fn happens(&mut self, p: f64) -> bool {
        self.chance.happens(p) && self.is_rough
    }

    fn feed(&mut self, event: Event) {
        if let Event::Ended(id, _) = &event {
            self.links.retain(|link| link != id);
        }
        for effect in self.machine.on(event, at(self.now)) {
            match effect {
                Effect::Open(id) => self.open(id),
                Effect::Send(id, text) => self.answer(id, &text),
                Effect::Close(id) => self.links.retain(|link| *link != id),
                Effect::Work(job) => self.work(job),
                Effect::Tell(word) => self.words.push(word),
            }
        }
    }

    fn open(&mut self, id: LinkId) {
        self.opened += 1;
        let event = match self.chance.below(10) {
            0 if self.is_rough => Event::Ended(id, "refused".to_owned()),
            // It never comes up, and says nothing.
            1 if self.is_rough => return,
            _ => Event::Opened(id),
        };
        self.later(30_000, event);
    }

    fn answer(&mut self, id: LinkId, text: &str) {
        assert!(text.contains("SUBSCRIBE") && text.contains("btcusdt@kline_1m"), "{text}");
        let says = match self.chance.below(20) {
            0 if self.is_rough => "{\"error\":{\"code\":-2035,\"msg\":\"active\"},\"id\":1}",
            _ => {
                self.links.push(id);
                "{\"result\":null,\"id\":1}"
            }
        };
        self.later(20_000, Event::Text(id, says.to_owned()));
    }

    fn work(&mut self, job: Job) {
        if self.happens(0.1) {
            self.later(200_000, Event::Done(job.line, JobEnd::Failed { until: None, why: "503".to_owned() }));
            return;
        }
        let end = match job.task {
            Task::Fill(range) => {
                let (first, last) = ((range.start.micros() - START) / MINUTE, (range.end.micros() - START) / MINUTE);
                assert!(last * MINUTE <= self.now, "BINANCE-4: only what has closed is asked for");
                let (mut added, mut holes) = (0, Vec::new());
                for minute in first..last {
                    // The page ends too soon: REST is behind.
                    if self.happens(0.05) && minute == last - 1 {
                        holes.push(range.end - Span::from_secs(60)..range.end);
                    } else if self.lake.insert((job.line, minute), close(job.line, minute)).is_none() {
                        added += 1;
                    }
                }
                JobEnd::Filled { added, judged: Judged::default(), holes }
            }
            Task::Keep(rows) => self.keep(job.line, &rows),
        };
        let delay = 1000 + self.chance.below(3_000_000) as i64;
        self.later(delay, Event::Done(job.line, end));
    }

    fn keep(&mut self, line: usize, rows: &[Row]) -> JobEnd {
        assert!(rows.windows(2).all(|pair| pair[0].open_time < pair[1].open_time));
        let (mut added, mut judged) = (0, Judged::default());
        for row in rows {
            let minute = (row.open_time.micros() - START) / MINUTE;
            assert!((minute + 1) * MINUTE <= self.now, "STREAM-1: a bar that is open");
            match self.lake.get(&(line, minute)) {
                Some(known) if *known == row.prices[3] => judged.same += 1,
                Some(_) => judged.other += 1,
                None => {
                    // STREAM-2: what is handed on for the first time follows what is there, or what was asked for in vain.
                    self.lake.insert((line, minute), row.prices[3]);
                    added += 1;
                }
            }
        }
        JobEnd::Kept { added, judged }
    }

    /// What the venue sends about a symbol's bar of `minute`, which has just closed.
    fn send(&mut self, symbol: usize, minute: i64) {
        let true_row = row(symbol, minute, close(symbol, minute));
        for id in self.links.clone() {
            let closing = Event::Text(id, text(symbol, &true_row, true));
            let (few_ms, some_minutes) = (self.chance.below(900_000) as i64, self.chance.below(200_000_000) as i64);
            match self.chance.below(20) {
                0 if self.is_rough => {}
                1 if self.is_rough => self.later(some_minutes, closing),
                2 if self.is_rough => {
                    self.later(few_ms, closing.clone());
                    self.later(some_minutes, closing);
                }
                3 if self.is_rough => {
                    // Another bar of the same time, behind it: the first stays, or asking tells.
                    let other = row(symbol, minute, 77.0);
                    self.later(few_ms, closing);
                    self.later(1_000_000 + some_minutes, Event::Text(id, text(symbol, &other, true)));
                }
                4 if self.is_rough => self.later(few_ms, Event::Ended(id, "dropped".to_owned())),
                5 if self.is_rough => self.later(few_ms, Event::Text(id, "[[[".to_owned())),
                6 if self.is_rough => {
                    // Marked closed long before its time, with what it was then.
                    let early = row(symbol, minute + 1, 66.0);
                    self.later(few_ms, closing);
                    self.later(20_000_000, Event::Text(id, text(symbol, &early, true)));
                }
                7 if self.is_rough => self.links.retain(|link| *link != id),
                8 if self.is_rough => self.later(few_ms, Event::Text(id, "{\"data\":{\"e\":\"serverShutdown\"}}".to_owned())),
                _ => self.later(few_ms, closing),
            }
        }
    }

    fn live(&mut self, minutes: i64) {
        self.feed(Event::Clock(Span::from_micros(0)));
        let mut second = 0;
        while second < minutes * 60 {
            self.is_rough = second < (minutes - 10) * 60;
            self.now = second * 1_000_000;
            if second % 60 == 0 && second > 0 {
                (0..NAMES.len()).for_each(|symbol| self.send(symbol, second / 60 - 1));
            } else if second % 2 == 0 {
                for id in self.links.clone() {
                    let open = row(1, second / 60, 55.0);
                    self.later(1000, Event::Text(id, text(1, &open, false)));
                }
            }
            self.feed(Event::Tick);
            while let Some(next) = self.to_come.first_entry().filter(|next| next.key().0 < (second + 1) * 1_000_000) {
                self.now = next.key().0.max(self.now);
                let event = next.remove();
                self.feed(event);
            }
            second += 1;
        }
    }
}

/// STREAM-1, STREAM-2, STREAM-3: whatever happens, the lake has the venue's bars.
#[test]
fn no_bar_is_lost_twice_or_early() {
    let seeds = if cfg!(debug_assertions) { 12 } else { 600 };
    let mut sum = Figures::default();
    for seed in 0..seeds {
        let mut world = World::new(seed);
        let minutes = 240;
        world.live(minutes);
        for symbol in 0..NAMES.len() {
            for minute in 0..minutes - 1 {
                let found = world.lake.get(&(symbol, minute)).copied();
                assert_eq!(found, Some(close(symbol, minute)), "seed {seed}, symbol {symbol}, minute {minute}");
            }
            assert_eq!(world.machine.next_of(symbol), at((minutes - 1) * MINUTE), "seed {seed}");
        }
        let figures = world.machine.figures();
        assert!(!world.machine.is_refused, "seed {seed}");
        assert_eq!(figures.holes, 0, "seed {seed}: what the venue has is not given up: {figures:?}");
        sum.bars += figures.bars;
        sum.filled += figures.filled;
        sum.conflicts += figures.conflicts;
        sum.early += figures.early;
        sum.duplicates += figures.duplicates;
        sum.late += figures.late;
        sum.reconnects += figures.reconnects;
    }
    let all = [sum.bars, sum.filled, sum.conflicts, sum.early, sum.duplicates, sum.late, sum.reconnects];
    assert!(all.iter().all(|count| *count > seeds), "the misfortunes have to happen: {sum:?}");
}

/// STREAM-1: before clocks were compared nobody can tell what has closed.
#[test]
fn no_bar_is_handed_on_before_clocks_were_compared() {
    let mut machine = machine(at(0), at(61_000_000));
    let Some(Effect::Open(id)) = machine.on(Event::Tick, at(61_000_000)).pop() else { panic!("no connection is opened") };
    let closing = Event::Text(id, text(0, &row(0, 0, 101.0), true));
    assert_eq!(machine.on(closing, at(61_000_000)), []);
    let effects = machine.on(Event::Clock(Span::from_micros(-1_500_000)), at(61_000_000));
    assert_eq!(effects, [], "by the venue's clock it is open for another half second");
    let effects = machine.on(Event::Tick, at(61_500_000));
    assert!(matches!(effects.as_slice(), [Effect::Work(Job { line: 0, task: Task::Keep(_) })]), "{effects:?}");
}

/// STREAM-3, B6: of two that differ neither is believed before the venue was asked.
#[test]
fn two_that_wait_and_differ_are_asked_for() {
    let mut machine = machine(at(0), at(121_000_000));
    let now = at(121_000_000);
    let first = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Work(Job { line: 0, task }) => Some(task),
            _ => None,
        })
    };
    let id = LinkId(1);
    assert!(machine.on(Event::Tick, now).contains(&Effect::Open(id)));
    let task = first(machine.on(Event::Clock(Span::from_micros(0)), now));
    assert_eq!(task, Some(Task::Fill(at(0)..at(2 * MINUTE))));
    for close in [77.0, 101.0] {
        assert_eq!(first(machine.on(Event::Text(id, text(0, &row(0, 1, close), true)), now)), None);
    }
    assert_eq!(machine.figures().conflicts, 1);
    // The pages are behind, and do not have the second yet.
    let holes = vec![at(MINUTE)..at(2 * MINUTE)];
    let filled = JobEnd::Filled { added: 1, judged: Judged::default(), holes };
    assert_eq!(first(machine.on(Event::Done(0, filled), now)), None);
    let task = first(machine.on(Event::Tick, now + Span::from_secs(1)));
    assert_eq!(task, Some(Task::Fill(at(MINUTE)..at(2 * MINUTE))));
}
