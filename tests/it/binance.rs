//! Bars from the venue's REST API, over real HTTP with a venue of ours: whole, nothing twice, nothing early, no sin against its rules.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidegate::domain::{Columns, Projection, Series, Span, Time};
use tidegate::feed::FeedError;
use tidegate::feed::binance::{Address, BinanceError, Service};
use tidegate::stage::ingest::config::{Contract, IngestConfig, Remote, Source};
use tidegate::stage::ingest::task::{IngestError, Ingested, ingest, series_of};
use tidegate::store::Lake;

use crate::shared;
use crate::venue::{Act, Ticks, Venue, kline};

const NOW: &str = "2026-03-01T12:00:30Z";

/// A venue, and a lake that takes its bars.
struct Desk {
    folder: tempfile::TempDir,
    lake: Lake,
    config: IngestConfig,
    clock: Arc<Ticks>,
    venue: Venue,
    /// What one exchange may take by the real clock.
    exchange_max: Duration,
}

impl Desk {
    fn new(interval: &str, history: Span) -> Self {
        let clock = Ticks::at(NOW);
        let venue = Venue::new(clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let address = Address::new(Service::Market, &venue.url()).unwrap();
        let config = IngestConfig {
            source: Source::Binance(Remote { address, history }),
            symbols: vec!["BTC/USDT".parse().unwrap()],
            interval: interval.parse().unwrap(),
            contract: Contract::default(),
            timeout: Span::from_secs(8),
        };
        Self {
            lake: Lake::open(folder.path().join("lake")).unwrap(),
            folder,
            config,
            clock,
            venue,
            exchange_max: Duration::from_secs(10),
        }
    }

    fn hours(hours: i64) -> Self {
        Self::new("1h", Span::from_secs(hours * 3600))
    }

    fn try_ingest(&self, watermark: Option<Time>) -> Result<Ingested, IngestError> {
        let reach = self.clock.reach().with_exchange_max(self.exchange_max);
        ingest(&self.config, &self.lake, self.folder.path(), &reach, watermark, &mut |_| {})
    }

    fn ingest(&self) -> Ingested {
        self.try_ingest(None).unwrap()
    }

    fn fails(&self) -> BinanceError {
        match self.try_ingest(None) {
            Err(IngestError::Feed(FeedError::Binance(error))) => error,
            other => panic!("{other:?}"),
        }
    }

    fn series(&self) -> Series {
        series_of(&self.config, self.folder.path()).unwrap().remove(0)
    }

    fn bars(&self) -> Columns {
        self.lake.read(&self.series(), None, None, Projection::BAR).unwrap()
    }

    /// The venue's bars of the last `count` hours that have closed.
    fn wanted(&self, count: i64) -> Vec<i64> {
        let span = self.config.interval.span().micros();
        let now = NOW.parse::<Time>().unwrap().micros().div_euclid(span);
        (now - count..now).map(|nth| nth * span).collect()
    }
}

fn close_of(open: i64) -> f64 {
    let row: serde_json::Value = serde_json::from_str(&kline("BTCUSDT", Span::from_secs(3600), Time::from_micros(open))).unwrap();
    row[4].as_str().unwrap().parse().unwrap()
}

#[test]
fn the_first_fetch_goes_back_and_the_next_ones_add_what_has_closed() {
    let mut desk = Desk::hours(2500);
    desk.config.symbols.push("ETH/USDT".parse().unwrap());
    let first = desk.ingest();
    assert!(first.is_kept(), "{:?}", first.series[0].verdict);
    assert_eq!(first.added(), 5000);
    let bars = desk.bars();
    assert_eq!(bars.open_time, desk.wanted(2500));
    assert!(bars.open_time.iter().zip(&bars.close).all(|(open, close)| *close == close_of(*open)));
    assert_eq!(desk.venue.calls("klines"), 6, "three pages a symbol");
    assert_eq!(desk.ingest().added(), 0);
    assert_eq!(desk.venue.calls("klines"), 0, "nothing has closed, nothing is asked");
    desk.clock.pass(Span::from_secs(3 * 3600));
    let next = desk.ingest();
    assert_eq!((next.added(), next.series[0].new_bars), (6, 2503));
    assert_eq!(desk.venue.calls("klines"), 2);
}

/// BINANCE-4.
#[test]
fn an_open_bar_is_never_taken() {
    let desk = Desk::hours(10);
    desk.venue.plays([Act::WithOpen]);
    desk.ingest();
    assert_eq!(desk.bars().open_time, desk.wanted(10));
    // A venue that is behind has not closed what we think has closed.
    let desk = Desk::hours(10);
    desk.venue.with(|book| book.offset = Span::from_micros(-4_000_000));
    desk.clock.pass(Span::from_secs(3600 - 30 + 2));
    desk.ingest();
    assert_eq!(desk.bars().open_time.last(), desk.wanted(10).last());
}

/// BINANCE-3.
#[test]
fn whatever_a_page_does_the_lake_ends_the_same() {
    let passing: [&[Act]; 15] = [
        &[Act::Status(500, None, "{\"code\":-1000}")],
        &[Act::Honest, Act::Status(503, None, "<html>"), Act::Status(502, None, ""), Act::Status(504, None, "")],
        &[Act::Cut],
        &[Act::Honest, Act::Slow],
        &[Act::Closed, Act::Closed],
        &[Act::Status(429, Some("37"), "{\"code\":-1003}")],
        &[Act::Honest, Act::Repeated],
        &[Act::Honest, Act::Earlier, Act::Earlier],
        &[Act::Backwards],
        &[Act::OtherInterval],
        &[Act::TooLong],
        &[Act::Short, Act::Short, Act::Short],
        &[Act::Doubled],
        &[Act::Conflict, Act::Conflict],
        &[Act::Body("<html>maintenance</html>".to_owned()), Act::Body(String::new())],
    ];
    for acts in passing {
        let mut desk = Desk::hours(2500);
        if acts.contains(&Act::Slow) {
            desk.exchange_max = Duration::from_millis(800);
        }
        desk.venue.plays(acts.iter().cloned());
        let found = desk.ingest();
        assert!(found.is_kept(), "{acts:?}: {:?}", found.series[0].verdict);
        let bars = desk.bars();
        assert_eq!(bars.open_time, desk.wanted(2500), "{acts:?}");
        assert!(bars.open_time.iter().zip(&bars.close).all(|(open, close)| *close == close_of(*open)), "{acts:?}");
        assert!(desk.venue.calls("klines") <= 12, "{acts:?}");
    }
}

/// What a page leaves out is asked for by the next fetch.
#[test]
fn an_empty_page_ends_a_fetch_and_not_the_next() {
    let desk = Desk::hours(2500);
    desk.venue.plays([Act::Honest, Act::Empty]);
    assert_eq!(desk.ingest().added(), 1000);
    assert_eq!(desk.venue.calls("klines"), 2);
    assert_eq!(desk.ingest().added(), 1500);
    assert_eq!(desk.bars().open_time, desk.wanted(2500));
}

#[test]
fn what_stays_wrong_ends_in_a_bounded_number_of_calls() {
    for (act, word, calls) in [
        (Act::Status(500, None, ""), "it answered 500", 4),
        (Act::Cut, "in 4 attempts", 4),
        (Act::Earlier, "where those from", 3),
        (Act::Backwards, "behind that of", 3),
        (Act::OtherInterval, "bars of", 3),
        (Act::TooLong, "1001 rows", 3),
        (Act::Body("[[1704067200000,\"1.0\"".to_owned()), "no page of klines", 3),
        (Act::Status(400, None, "{\"code\":-1120,\"msg\":\"Invalid interval.\"}"), "-1120 Invalid interval.", 1),
        (Act::Status(302, None, ""), "redirect", 1),
    ] {
        let desk = Desk::hours(2500);
        desk.venue.plays(vec![act.clone(); 20]);
        let error = desk.fails();
        assert!(error.to_string().contains(word), "{act:?}: {error}");
        assert_eq!(desk.venue.calls("klines"), calls, "{act:?}");
        assert!(desk.lake.info(&desk.series()).unwrap().is_none(), "{act:?}: nothing of it is in the lake");
        // A page that came and was wrong can be read by a person.
        let pages = desk.folder.path().join("lake/_quarantine/rejected-pages");
        let kept: Vec<String> = std::fs::read_dir(&pages)
            .map(|pages| pages.map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap()).collect())
            .unwrap_or_default();
        assert_eq!(kept.len(), if calls == 3 { 3 } else { 0 }, "{act:?}");
        let is_told = error.to_string().contains("rejected-pages");
        assert!(is_told == (calls == 3) && kept.iter().all(|page| page.contains(word)), "{act:?}: {error} {kept:?}");
        if let Act::Body(body) = &act {
            assert!(kept[0].ends_with(&format!("\n\n{body}")), "{kept:?}");
        }
        // The venue has come to its senses.
        desk.venue.with(|book| book.script.clear());
        assert_eq!(desk.ingest().added(), 2500);
    }
}

#[test]
fn a_conflict_that_stays_takes_neither_and_breaks_the_contract() {
    let desk = Desk::hours(10);
    desk.venue.plays(vec![Act::Conflict; 20]);
    let found = desk.ingest();
    assert_eq!(found.series[0].sources[0].refused["conflict"], 2);
    assert!(found.series[0].sources[0].quarantine.as_ref().unwrap().is_file());
    assert_eq!(desk.bars().open_time, desk.wanted(10)[1..]);
    // The next fetch asks for it again: the lake begins behind it, the watermark does not.
    let watermark = Time::from_micros(desk.wanted(10)[0]);
    desk.venue.with(|book| book.script.clear());
    assert_eq!(desk.try_ingest(Some(watermark)).unwrap().added(), 1);
}

/// BINANCE-1: the venue fails the test if it is called during its ban.
#[test]
fn a_ban_is_obeyed_and_outlives_the_program() {
    let desk = Desk::hours(10);
    desk.venue.plays([Act::Status(418, Some("1800"), "{\"code\":-1003,\"msg\":\"Way too much request weight used\"}")]);
    let error = desk.fails();
    assert!(matches!(error, BinanceError::Closed { .. }), "{error}");
    assert!(error.to_string().contains("2026-03-01T12:30:30Z") && error.to_string().contains("418"), "{error}");
    assert!(desk.venue.calls("") > 0);
    for _ in 0..3 {
        desk.clock.pass(Span::from_secs(500));
        assert!(desk.fails().to_string().contains("2026-03-01T12:30:30Z"));
    }
    assert_eq!(desk.venue.calls(""), 0, "not even the time is asked for");
    desk.clock.pass(Span::from_secs(301));
    assert_eq!(desk.ingest().added(), 10);
}

#[test]
fn what_is_asked_of_us_is_waited_for_or_ends_the_fetch() {
    for (retry_after, is_waited_for) in [(Some("37"), true), (None, true), (Some("0"), true), (Some("1000000000"), false)] {
        let desk = Desk::hours(10);
        desk.venue.plays([Act::Status(429, retry_after, "{\"code\":-1003}")]);
        match desk.try_ingest(None) {
            Ok(found) => assert!(is_waited_for && found.added() == 10, "{retry_after:?}"),
            Err(error) => assert!(!is_waited_for && error.to_string().contains("2026-03-04"), "{retry_after:?}: {error}"),
        }
    }
    let desk = Desk::hours(10);
    desk.venue.plays([Act::Status(403, None, "<html>Request blocked</html>")]);
    assert!(desk.fails().to_string().contains("firewall"));
    assert_eq!(desk.venue.calls("klines"), 1, "no loop");
    assert!(matches!(desk.fails(), BinanceError::Closed { .. }));
    assert_eq!(desk.venue.calls(""), 0);
}

/// BINANCE-2: the venue fails the test at half of its limit.
#[test]
fn a_long_fetch_keeps_within_the_weight() {
    let desk = Desk::new("1m", Span::from_days(100));
    desk.venue.with(|book| book.weight_limit = 150);
    let begun = desk.clock.reach().now();
    assert_eq!(desk.ingest().added(), 144_000);
    let minutes = (desk.clock.reach().now() - begun).as_secs_f64() / 60.0;
    // 144 pages of weight 2, at most 75 a minute.
    assert!((3.0..6.0).contains(&minutes), "{minutes}");
}

#[test]
fn holes_are_asked_for_again_and_those_of_the_venue_break_the_contract() {
    let desk = Desk::hours(100);
    let hole: BTreeSet<i64> = desk.wanted(100)[40..43].iter().copied().collect();
    desk.venue.with(|book| book.holes = hole);
    let found = desk.ingest();
    assert_eq!(found.series[0].verdict.missing_bars, 3);
    assert!(!desk.ingest().is_kept());
    desk.venue.calls("");
    desk.venue.with(|book| book.holes.clear());
    let mended = desk.ingest();
    assert!(mended.is_kept());
    assert_eq!((mended.added(), desk.venue.calls("klines")), (3, 1));
    assert_eq!(desk.bars().open_time, desk.wanted(100));
}

#[test]
fn a_symbol_may_be_young_or_unknown() {
    let mut desk = Desk::hours(100);
    let since = Time::from_micros(desk.wanted(100)[90]);
    desk.venue.with(|book| book.listed.insert("BTCUSDT".to_owned(), since));
    let found = desk.ingest();
    assert!(found.is_kept());
    assert_eq!(desk.bars().open_time, desk.wanted(10));
    desk.config.symbols = vec!["XYZ/USDT".parse().unwrap()];
    let error = desk.fails();
    assert!(error.to_string().contains("-1121") && error.hint().unwrap().contains("symbol"), "{error}");
}

/// B4.
#[test]
fn a_clock_that_is_far_off_is_refused() {
    for secs in [-600, 6, 600] {
        let desk = Desk::hours(10);
        desk.venue.with(|book| book.offset = Span::from_secs(secs));
        assert!(matches!(desk.fails(), BinanceError::ClockOff { .. }), "{secs}");
        assert_eq!(desk.venue.calls("klines"), 0);
    }
}

/// B2: a clock that is slewed drifts by 1.8 s in an hour; the offset is measured anew, and no bar is early or lost.
#[test]
fn a_clock_that_drifts_is_followed() {
    let desk = Desk::hours(10);
    desk.ingest();
    for step in 1..=6 {
        desk.clock.pass(Span::from_secs(3600));
        // Just behind the hour by our clock, on either side of it by the venue's.
        let drift = if step % 2 == 0 { 1_800_000 } else { -1_800_000 };
        desk.venue.with(|book| book.offset = Span::from_micros(drift));
        let ingested = desk.ingest();
        assert!(ingested.is_kept(), "{step}");
        let bars = desk.bars().open_time;
        assert_eq!(bars.len(), 10 + step, "{step}");
        assert!(bars.windows(2).all(|pair| pair[1] - pair[0] == 3_600_000_000), "{step}");
    }
}

/// B1: our clock jumps while the venue's does not, in the middle of a fetch of two symbols. What has closed was fixed when the fetch
/// began: nothing early is taken, and what a jump back left out comes with the next fetch.
#[test]
fn a_clock_that_jumps_in_a_fetch_brings_no_early_bar() {
    for jump in [3600, -3600, -2, 60] {
        let mut desk = Desk::hours(10);
        desk.config.symbols.push("ETH/USDT".parse().unwrap());
        // The second symbol's first answer is a failure, and we wait: then the clock jumps.
        desk.venue.plays([Act::Honest, Act::Status(500, None, "{}")]);
        let book = desk.venue.handle();
        let clock = desk.clock.clone();
        let jumped = std::sync::atomic::AtomicBool::new(false);
        let reach = desk.clock.reach().with_pause(Arc::new(move |span| {
            clock.pass(span);
            if !jumped.swap(true, std::sync::atomic::Ordering::SeqCst) {
                clock.pass(Span::from_secs(jump));
                book.lock().unwrap().offset = Span::from_secs(-jump);
            }
        }));
        ingest(&desk.config, &desk.lake, desk.folder.path(), &reach, None, &mut |_| {}).unwrap();
        let wanted = desk.wanted(10);
        for series in series_of(&desk.config, desk.folder.path()).unwrap() {
            let bars = desk.lake.read(&series, None, None, Projection::TIME).unwrap().open_time;
            assert!(bars.iter().all(|bar| wanted.contains(bar)) && !bars.is_empty(), "{jump}: {series}");
        }
        // A clock that stays wrong is refused; put right, it brings the rest.
        if jump.abs() > 5 {
            assert!(matches!(desk.fails(), BinanceError::ClockOff { .. }), "{jump}");
        }
        desk.clock.pass(Span::from_secs(-jump));
        desk.venue.with(|book| book.offset = Span::from_micros(0));
        desk.ingest();
        assert_eq!(desk.bars().open_time, wanted, "{jump}");
    }
}

/// B11: the bodies of the shared collection: those that are no bars never become any.
#[test]
fn hostile_pages_never_become_bars() {
    let Some(path) = shared::path("fixtures/binance/hostile/klines.json") else { return };
    let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut seen = 0;
    for case in cases["cases"].as_array().unwrap() {
        let (name, expect) = (case["name"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let mut desk = Desk::new("1m", Span::from_secs(60));
        desk.config.contract.max_return = f64::INFINITY;
        desk.clock = Ticks::at("2024-01-01T00:05:00Z");
        desk.venue = Venue::new(desk.clock.clone());
        let address = Address::new(Service::Market, &desk.venue.url()).unwrap();
        desk.config.source = Source::Binance(Remote { address, history: Span::from_secs(300) });
        // It comes for every request of three; after them there is nothing.
        desk.venue.plays(vec![Act::Body(case["body"].as_str().unwrap().to_owned()); 3]);
        desk.venue.with(|book| book.listed.insert("BTCUSDT".to_owned(), "2030-01-01".parse().unwrap()));
        let result = desk.try_ingest(None);
        let bars = desk.lake.info(&desk.series()).unwrap().map_or(0, |info| info.rows);
        let wanted = match expect {
            "accept" | "accept_one" => 1,
            _ => 0,
        };
        assert_eq!(bars, wanted, "{name}: {result:?}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}
