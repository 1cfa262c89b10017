//! What happens to bars: late, early, twice, out of order, missing.

use super::*;

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
