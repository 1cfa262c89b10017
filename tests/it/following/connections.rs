//! What happens to connections: dropped, silent, refused, changed, flooded.

use super::*;

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
    desk.settle();
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
