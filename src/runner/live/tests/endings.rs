//! Ends that nobody chose: a model that panics, a program that is asked to go.

use super::*;

/// Trades until something is held; gives the next hour.
fn held(world: &mut World) -> i64 {
    let mut hour = 0;
    while world.live.trader().desk().position(BTC).is_zero() {
        assert!(hour < 100, "it never buys");
        world.bar(hour);
        world.pass(world.now + Span::from_secs(30));
        hour += 1;
    }
    hour
}

/// A12, LIVE-5: trading halts, what is on its way is found out about, and what is held can be closed.
#[test]
fn a_model_that_panics_halts_trading_and_orders_are_looked_after() {
    let mut world = World::new(3, Weather::default());
    let mut hour = 0;
    while world.intents.is_empty() {
        assert!(hour < 100, "it never buys");
        world.bar(hour);
        hour += 1;
    }
    // Its answer is lost, and no event tells of it.
    world.coming.retain(|(_, event)| matches!(event, Event::Answer(..)));
    let lost = || Err(Failure::Ambiguous("lost".to_owned()));
    world.coming.iter_mut().for_each(|(_, event)| {
        if let Event::Answer(_, result) = event {
            *result = lost();
        }
    });
    let before = world.intents.len();
    world.live.ask = |_, _| panic!("it divides by nothing");
    world.bar(hour);
    let halt = world.live.trader().desk().halt().map(|halt| halt.cause);
    let is_told = |alarm: &Alarm| matches!(alarm, Alarm::Model { what } if what == "it divides by nothing");
    assert!(halt == Some(HaltCause::Model) && world.alarms.iter().any(is_told), "{halt:?} {:?}", world.alarms);
    world.weather = Weather::default();
    world.pass(world.now + Span::from_secs(120));
    world.check(3);
    (hour + 1..hour + 5).for_each(|hour| world.bar(hour));
    assert_eq!(world.intents.len(), before, "nothing new");
    assert_eq!(world.alarms.iter().filter(|alarm| matches!(alarm, Alarm::Halted { .. })).count(), 1, "told once");
    world.handle(Event::Stop { close: Some(Purpose::Rollback) });
    world.pass(world.now + Span::from_secs(60));
    assert!(world.closed.clone().is_some_and(|closed| closed.is_flat), "{:?}", world.closed);
}

/// LIVE-5: what a panic left half done is not kept, and the moment is marked all the same.
#[test]
fn a_panic_leaves_models_as_they_were() {
    let mut world = World::new(3, Weather::default());
    let hour = held(&mut world);
    let models = |world: &World| serde_json::to_value(world.live.snapshot()).unwrap()["models"].clone();
    let before = models(&world);
    world.live.ask = |model, bar| {
        model.on_bar(bar);
        panic!("too late")
    };
    world.bar(hour);
    assert_eq!(models(&world), before);
    assert_eq!(
        world.live.trader().curve().map(|curve| curve.last().0),
        Some(start() + Span::from_micros(HOUR.micros() * (hour + 1)))
    );
}

/// A10: what waits to be sent never is, and nothing is halted: the next start goes on.
#[test]
fn asked_to_end_it_sends_nothing_more() {
    let mut world = World::new(3, Weather::default());
    let hour = held(&mut world);
    world.handle(Event::WindDown);
    let before = (world.toy.orders.len(), world.intents.len());
    (hour..hour + 40).for_each(|hour| world.bar(hour));
    assert_eq!(world.toy.orders.len(), before.0, "no order left");
    assert!(world.live.has_none_open() && world.live.trader().desk().halt().is_none());
    // The same account, by its next program.
    world.crash();
    (hour + 41..hour + 90).for_each(|hour| world.bar(hour));
    assert!(world.toy.orders.len() > before.0);
}
