//! The machine without a wire: each fault of connections, as far as orders are concerned.

use super::super::Symbols;
use super::*;
use crate::domain::{Span, Time};
use crate::feed::binance::stream::{Event, LinkId};
use crate::venue::wire::Push;

const DONE: &str = r#"{"id":2,"status":200,"result":{"subscriptionId":0}}"#;
const MOVED: &str = r#"{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1,"a":"BTC","d":"1","T":1}}"#;

struct Rig {
    machine: UserMachine,
    now: Time,
}

impl Rig {
    fn new(entry: Entry, seed: u64) -> Self {
        let now = "2026-03-01".parse().unwrap();
        let symbols = Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap();
        Self { machine: UserMachine::new(symbols, entry, seed, now), now }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(&event, self.now)
    }

    fn text(&mut self, id: LinkId, text: &str) -> Vec<Effect> {
        self.on(Event::Text(id, text.to_owned()))
    }

    /// Lets time pass until something is to be done.
    fn until_act(&mut self) -> Vec<Effect> {
        for _ in 0..100_000 {
            self.now = self.now + Span::from_millis(100);
            let effects = self.on(Event::Tick);
            if !effects.is_empty() {
                return effects;
            }
        }
        panic!("nothing is ever to be done");
    }

    /// A connection that tells events.
    fn up(&mut self) -> LinkId {
        let mut effects = self.on(Event::Tick);
        if effects.is_empty() {
            effects = self.until_act();
        }
        let Some(Effect::Open(id)) = effects.last().cloned() else { panic!("{effects:?}") };
        assert_eq!(self.on(Event::Opened(id)), [Effect::Send(id, Ask::SubscribeSigned)]);
        assert_eq!(self.text(id, DONE), [Effect::Push(Push::Up)]);
        id
    }
}

fn refused(status: u16, code: i64, data: &str) -> String {
    format!("{{\"id\":2,\"status\":{status},\"error\":{{\"code\":{code},\"msg\":\"no\"{data}}}}}")
}

fn down(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Push(Push::Down { why }) => Some(why.as_str()),
        _ => None,
    })
}

/// D1.
#[test]
fn a_drop_is_told_and_mended() {
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    assert!(matches!(rig.text(id, MOVED).as_slice(), [Effect::Push(Push::Moved { .. })]));
    assert_eq!(down(&rig.on(Event::Ended(id, "gone".to_owned()))), Some("gone"));
    assert_eq!(rig.text(id, MOVED), [], "what comes late over it is not told: it will be asked for");
    rig.up();
    assert_eq!((rig.machine.figures().connections, rig.machine.figures().pushes), (2, 1));
}

/// A logon has two steps, and events begin after the second.
#[test]
fn a_logon_goes_before_the_subscription() {
    let mut rig = Rig::new(Entry::Logon, 1);
    assert_eq!(rig.on(Event::Tick), [Effect::Open(LinkId(1))]);
    assert_eq!(rig.on(Event::Opened(LinkId(1))), [Effect::Send(LinkId(1), Ask::Logon)]);
    assert_eq!(rig.text(LinkId(1), r#"{"id":1,"status":200,"result":{}}"#), [Effect::Send(LinkId(1), Ask::Subscribe)]);
    assert_eq!(rig.text(LinkId(1), DONE), [Effect::Push(Push::Up)]);
}

/// D2: pings count as life.
#[test]
fn silence_is_the_end() {
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    rig.now = rig.now + Span::from_secs(29);
    assert_eq!(rig.on(Event::Ping(id)), []);
    rig.now = rig.now + Span::from_secs(29);
    assert_eq!(rig.on(Event::Tick), []);
    rig.now = rig.now + Span::from_secs(1);
    let effects = rig.on(Event::Tick);
    assert!(effects.contains(&Effect::Close(id)) && down(&effects).unwrap().contains("nothing came"), "{effects:?}");
}

/// D4: events do not end at a planned change.
#[test]
fn a_planned_change_is_not_told() {
    let mut rig = Rig::new(Entry::Signature, 1);
    let old = rig.up();
    for _ in 0..23 * 180 {
        rig.now = rig.now + Span::from_secs(20);
        let effects = rig.on(Event::Ping(old));
        if let [Effect::Open(new)] = effects.as_slice() {
            let new = *new;
            assert_eq!(rig.on(Event::Opened(new)), [Effect::Send(new, Ask::SubscribeSigned)]);
            assert_eq!(rig.text(new, DONE), [], "it takes over from one that is up");
            assert_eq!(
                rig.text(old, MOVED).len() + rig.text(new, MOVED).len(),
                2,
                "both tell, and who keeps the orders counts once"
            );
            assert_eq!(rig.until_act(), [Effect::Close(old)]);
            assert!(matches!(rig.text(new, MOVED).as_slice(), [Effect::Push(_)]));
            return;
        }
        assert_eq!(effects, []);
    }
    panic!("23 hours have passed");
}

/// D5.
#[test]
fn a_venue_that_goes_is_left() {
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    let effects = rig.text(id, r#"{"event":{"e":"serverShutdown","E":1}}"#);
    assert!(effects.is_empty() || matches!(effects.as_slice(), [Effect::Open(_)]), "{effects:?}");
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    let effects = rig.text(id, r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#);
    assert!(effects.contains(&Effect::Close(id)) && down(&effects).is_some(), "{effects:?}");
    rig.up();
}

/// D8.
#[test]
fn refusals_are_handled() {
    let asked = |code: i64, status: u16, data: &str| {
        let mut rig = Rig::new(Entry::Signature, 1);
        assert_eq!(rig.on(Event::Tick), [Effect::Open(LinkId(1))]);
        rig.on(Event::Opened(LinkId(1)));
        let effects = rig.text(LinkId(1), &refused(status, code, data));
        (rig, effects)
    };
    assert_eq!(asked(-2035, 400, "").1, [Effect::Push(Push::Up)], "it is there already");
    for code in [-2036, -2042] {
        let (mut rig, effects) = asked(code, 400, "");
        assert_eq!(effects, [Effect::Close(LinkId(1))]);
        rig.up();
    }
    let (_, effects) = asked(-1021, 400, "");
    assert!(effects.contains(&Effect::DoubtClock), "{effects:?}");
    let (_, effects) = asked(-1003, 418, ",\"data\":{\"retryAfter\":1772326800000}");
    assert!(effects.contains(&Effect::Closed { until: Some(1_772_326_800_000), is_ban: true }), "{effects:?}");
}

/// C30: a key that is refused again and again is not tried for ever, and the end is told once.
#[test]
fn a_refused_key_ends_the_stream() {
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    let revoked = r#"{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}}"#;
    let effects = rig.text(id, revoked);
    assert!(down(&effects).unwrap().contains("-2015"), "{effects:?}");
    let mut told = 0;
    while !rig.machine.is_refused() {
        let effects = rig.until_act();
        let [Effect::Open(id)] = effects.as_slice() else { panic!("{effects:?}") };
        rig.on(Event::Opened(*id));
        told += usize::from(down(&rig.text(*id, &refused(401, -2015, ""))).is_some());
    }
    assert_eq!(told, 1);
    rig.now = rig.now + Span::from_secs(600);
    assert_eq!(rig.on(Event::Tick), []);
}

/// D10.
#[test]
fn a_storm_is_bounded() {
    for seed in 0..20 {
        let mut rig = Rig::new(Entry::Signature, seed);
        let mut attempts = Vec::new();
        for _ in 0..12_000 {
            rig.now = rig.now + Span::from_millis(100);
            for effect in rig.on(Event::Tick) {
                let Effect::Open(id) = effect else { continue };
                attempts.push(rig.now);
                rig.on(Event::Ended(id, "no".to_owned()));
            }
        }
        for first in &attempts {
            let within = attempts.iter().filter(|at| **at >= *first && **at - *first < Span::from_secs(300)).count();
            assert!(within <= 30, "seed {seed}: {within}");
        }
        assert!(attempts.len() > 10);
    }
}

/// D6, D11: what cannot be read was an event perhaps, so all is asked for anew.
#[test]
fn what_cannot_be_read_ends_the_connection() {
    for text in ["{", &"[".repeat(5000), r#"{"event":{"e":"executionReport","s":"BTCUSDT"}}"#, &MOVED.replace("\"1\"", "\"NaN\"")]
    {
        let mut rig = Rig::new(Entry::Signature, 1);
        let id = rig.up();
        let effects = rig.text(id, text);
        assert!(effects.contains(&Effect::Close(id)) && down(&effects).is_some(), "{effects:?}");
        assert_eq!(rig.machine.figures().wrong, 1);
    }
    let mut rig = Rig::new(Entry::Signature, 1);
    let id = rig.up();
    assert_eq!(rig.text(id, r#"{"subscriptionId":0,"event":{"e":"brandNew","E":1}}"#), [], "new kinds are counted");
    assert_eq!(rig.machine.figures().unknown, 1);
}
