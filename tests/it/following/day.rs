//! A day at the venue, with every misfortune by seed: afterwards the lake has its bars, each once, none early.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use tidegate::chance::Stream;

use super::*;
use crate::venue::Act;

/// More than a day, so that connections come to their planned end.
const MINUTES: i64 = 24 * 60 + 30;
/// The last ones pass in peace, so that all can be made good.
const PEACE: i64 = 8;
/// How many seeds to run, where it is not for the kind of build to say: two hundred take a quarter of an hour.
const SEEDS_VARIABLE: &str = "TIDEGATE_STREAM_SEEDS";

/// The misfortunes of one day.
struct Weather {
    chance: Stream,
    /// Connections are dropped too; not on days that are to see the planned change.
    is_stormy: bool,
    /// Bars that come later than they should: the minute when, the text.
    delayed: Vec<(i64, String)>,
    lacking_until: i64,
}

impl Weather {
    fn closing(&mut self, desk: &Desk, nth: i64) {
        let (now, open) = (desk.clock.now(), start() + Span::from_secs(60 * nth));
        let is_rough = nth < MINUTES - PEACE;
        // What contradicts a bar comes behind it: of two, the first is believed.
        let (mut texts, mut behind): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for name in SYMBOLS {
            let text = closed(name, open, now);

            match self.chance.below(60) {
                0 if is_rough => {}
                1 if is_rough => self.delayed.push((nth + 1 + self.chance.below(5) as i64, text)),
                2 if is_rough => texts.extend([text.clone(), text]),
                3 if is_rough => {
                    let mut other = bar(&joined(name), minute(), open, true);
                    other["v"] = "99.5".into();
                    texts.push(text);
                    behind.push(event(&other, now));
                }
                4 if is_rough => {
                    let mut early = bar(&joined(name), minute(), open + minute().span(), false);
                    early["x"] = true.into();
                    texts.extend([text, event(&early, now)]);
                }
                5 if is_rough => texts.extend(["{\"data\":{\"e\":\"kline\"}}".to_owned(), text]),
                _ => {
                    texts.push(text);
                }
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= nth);
        self.delayed = later;
        texts.extend(due.into_iter().map(|(_, text)| text));
        if self.chance.happens(0.1) {
            texts.reverse();
        }
        texts.extend(behind);
        desk.tell(|hall, at| texts.iter().for_each(|text| hall.say(at, text)));
    }

    /// What happens to connections and pages, besides.
    fn strike(&mut self, desk: &Desk, nth: i64) {
        if nth >= MINUTES - PEACE {
            return;
        }
        if self.chance.below(40) == 0 && desk.venue.with(|book| book.script.is_empty()) {
            desk.venue.plays([self.page(nth)]);
        }
        if !self.is_stormy || self.chance.below(45) != 0 {
            return;
        }
        let what = self.chance.below(8);
        let greetings = [Greeting::Dropped, Greeting::Refused("{\"code\":-2035,\"msg\":\"active\",\"id\":1}")];
        desk.tell(|hall, at| match what {
            0 => hall.drop_link(at),
            1 => hall.silence(at),
            2 => hall.say(at, "{\"data\":{\"e\":\"serverShutdown\",\"E\":1}}"),
            3 => hall.say_bytes(at, b"\"\xff\xfe\""),
            4 => hall.say(at, &"[".repeat(500)),
            5 => hall.close(at, 1008),
            _ => {
                hall.greetings.push(greetings[what as usize - 6].clone());
                hall.drop_link(at);
            }
        });
    }

    fn page(&mut self, nth: i64) -> Act {
        let acts = [
            Act::Status(500, None, "{\"code\":-1000}"),
            Act::Status(429, Some("2"), "{\"code\":-1003}"),
            Act::Cut,
            Act::Closed,
            Act::Backwards,
            Act::WithOpen,
            Act::OtherInterval,
            Act::Doubled,
        ];
        // A venue that says again and again that it has no such bar is believed in the end.
        if nth > self.lacking_until && self.chance.happens(0.2) {
            self.lacking_until = nth + 10;
            return Act::Empty;
        }
        acts[self.chance.below(acts.len() as u64) as usize].clone()
    }
}

/// What one day came to.
fn day(seed: u64) -> Figures {
    let mut desk = Desk::started();
    let mut weather = Weather {
        chance: Stream::new(seed, "weather"),
        is_stormy: seed.is_multiple_of(2),
        delayed: Vec::new(),
        lacking_until: 0,
    };
    for nth in 0..MINUTES {
        for third in 1..=3 {
            let wanted = start() + Span::from_micros(60_000_000 * nth + 20_000_000 * third + 150_000);
            // Waiting for the venue's pages moves the clock too.
            if desk.clock.now() < wanted {
                desk.clock.pass(wanted - desk.clock.now());
            }
            let now = desk.clock.now();
            if third == 3 {
                weather.closing(&desk, nth);
                weather.strike(&desk, nth);
            } else {
                let open = start() + Span::from_secs(60 * nth);
                desk.tell(|hall, at| hall.say(at, &event(&bar("BTCUSDT", minute(), open, false), now)));
            }
            desk.settle();
        }
        // The venue ends what is a day old; nobody should let it come to that.
        let old =
            desk.streams.with(|hall| hall.fed().into_iter().filter(|at| hall.age(*at) >= Span::from_secs(24 * 3600)).count());
        assert_eq!(old, 0, "a connection of a day");
        desk.venue.calls("");
    }
    desk.pass(20);
    let figures = desk.stop().unwrap();
    for symbol in 0..SYMBOLS.len() {
        assert_eq!(desk.minutes(symbol), upto(MINUTES), "{figures:?}");
    }
    assert_eq!(figures.holes, 0, "{figures:?}");
    assert!(figures.ended == 0 || weather.is_stormy, "{:?}", desk.words());
    figures
}

fn seeds() -> u64 {
    let said = std::env::var(SEEDS_VARIABLE).ok().map(|text| text.parse().unwrap());
    said.unwrap_or(if cfg!(debug_assertions) { 2 } else { 12 })
}

/// D1 to D6, B7 to B10: STREAM-1, STREAM-2, STREAM-3.
#[test]
fn after_a_day_the_lake_has_every_bar_once() {
    let (next, seeds) = (AtomicU64::new(0), seeds());
    let sum = Mutex::new(Vec::new());
    // Most of a day is spent waiting for the other side of a socket.
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= seeds {
                    return;
                }
                match std::panic::catch_unwind(|| day(seed)) {
                    Ok(figures) => sum.lock().unwrap().push(figures),
                    Err(panic) => {
                        eprintln!("seed {seed}");
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        };
        let hands: Vec<_> = (0..seeds.min(4)).map(|_| scope.spawn(work)).collect();
        hands.into_iter().for_each(|hand| hand.join().unwrap());
    });
    let days = sum.into_inner().unwrap();
    let total = |figure: fn(&Figures) -> u64| days.iter().map(figure).sum::<u64>();
    println!(
        "{} days: {} bars over streams, {} filled, {} duplicates, {} conflicts, {} early, {} late, {} reconnects, {} ended",
        days.len(),
        total(|f| f.bars),
        total(|f| f.filled),
        total(|f| f.duplicates),
        total(|f| f.conflicts),
        total(|f| f.early),
        total(|f| f.late),
        total(|f| f.reconnects),
        total(|f| f.ended)
    );
    let all = [total(|f| f.filled), total(|f| f.duplicates), total(|f| f.conflicts), total(|f| f.early), total(|f| f.late)];
    assert!(all.iter().all(|count| *count > 0) && total(|f| f.reconnects) > 0, "the misfortunes have to happen");
    let changed = days.iter().filter(|f| f.reconnects == 0 && f.connections == 2).count();
    assert!(changed > 0, "no day saw the planned change");
}
