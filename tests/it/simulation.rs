//! Days of trading by seed: the real core, the real words, a venue that misbehaves, and a crash at any effect.
//!
//! What is driven is what runs: [`Live`], the adapter's requests as bytes and its reading of bytes. What answers is the simulated
//! exchange, which was written from the documents alone. What judges is its checker, which reads nothing but the exchange's record.
//! Where a comparison asks what is new and nothing is, most seeds spare the bytes; every sixteenth does not.
//! `TIDEGATE_SIM_SEEDS=N` runs so many seeds, `TIDEGATE_SIM_FIRST=S` begins with another than 0; a failure names its seed, and
//! `TIDEGATE_SIM_RECORD=FILE` keeps the venue's record of the last one.

mod kills;
mod pair;
mod seen;
mod way;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use kills::{CANCELED_WITHIN, FLAT_WITHIN, Kill};
use pair::Pair;
use seen::Seen;
use tidegate::risk::HaltCause;
use way::Door;
use world::{Plan, Weather, World};

/// Without the variable: enough to notice what breaks, in a few seconds.
const SEEDS: u64 = if cfg!(debug_assertions) { 24 } else { 4000 };
const KILLS: u64 = if cfg!(debug_assertions) { 60 } else { 2000 };
/// Bars of one simulated day.
const DAY: i64 = 96;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs seeds on all processors. What each worker gathers is given; every seed is deterministic, whoever runs it.
fn on_seeds<T: Default + Send>(default: u64, run: impl Fn(u64, &mut T) + Sync) -> Vec<T> {
    let first = number("TIDEGATE_SIM_FIRST").unwrap_or(0);
    let seeds = number("TIDEGATE_SIM_SEEDS").unwrap_or(default);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64).min(seeds);
    let work = |worker: u64| {
        let mut gathered = T::default();
        (first + worker..first + seeds).step_by(workers as usize).for_each(|seed| run(seed, &mut gathered));
        gathered
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn day(seed: u64) -> World {
    let mut world = World::new(seed, Plan::of(seed));
    world.run(DAY);
    if let Some(path) = std::env::var_os("TIDEGATE_SIM_RECORD") {
        std::fs::write(path, world.record().join("\n")).unwrap();
    }
    world.check();
    world
}

/// A1 to A8, C1 to C13, C16, C25, C31, D1, D6, D7: promises P1 to P4 over every fault the venue knows and a crash at every effect.
#[test]
fn days_by_seed() {
    let one = |seed: u64, seen: &mut Seen| {
        let before = seen::used();
        match catch_unwind(AssertUnwindSafe(|| day(seed))) {
            Ok(world) => seen.add(&world),
            // The panic has said what and where; the rest goes on.
            Err(_) => seen.failed.push(seed),
        }
        seen.cpu += seen::used_since(before);
    };
    let seen = on_seeds(SEEDS, one).into_iter().fold(Seen::default(), Seen::join);
    println!("{seen}");
    assert_eq!(seen.failed, [0; 0], "seeds that break a promise; one of them again: just sim 1 SEED");
    assert!(
        seen.orders > 5 * seen.days && seen.crashes > seen.days / 4 && seen.unknown > 0,
        "the days were too quiet to say anything"
    );
}

/// P5: whenever a person says stop, the last order is asked back within two seconds, and closing ends within fifteen.
#[test]
fn kills_by_seed() {
    let one = |seed: u64, kills: &mut Vec<(u64, Kill)>| kills.extend(kills::kill(seed).map(|kill| (seed, kill)));
    let all: Vec<(u64, Kill)> = on_seeds(KILLS, one).into_iter().flatten().collect();
    let (shut, open): (Vec<_>, Vec<_>) = all.iter().partition(|(_, kill)| kill.is_shut);
    let never = open.iter().find(|(_, kill)| kill.canceled.is_none());
    assert_eq!(never, None, "an order that was open was not asked back: just sim 1 SEED");
    let canceled = open.iter().filter_map(|(_, kill)| kill.canceled).collect();
    let (middle, last) = kills::middle_and_last(canceled);
    println!(
        "{} kills, {} of them at a shut door; orders open: {}",
        all.len(),
        shut.len(),
        all.iter().map(|(_, kill)| kill.open).sum::<usize>()
    );
    println!("  last withdrawal asked for after: p50 {middle}, p100 {last}");
    for is_stormy in [false, true] {
        let of_kind: Vec<_> = open.iter().filter(|(_, kill)| kill.is_stormy == is_stormy && kill.closed.is_some()).collect();
        let (ended, late): (Vec<_>, Vec<_>) = of_kind.into_iter().partition(|(_, kill)| kill.closed.flatten().is_some());
        let (middle, last) = kills::middle_and_last(ended.iter().filter_map(|(_, kill)| kill.closed.flatten()).collect());
        let name = if is_stormy { "while the venue misbehaves" } else { "while the venue answers" };
        println!("  {} closed {name} after: p50 {middle}, p100 {last}; {} not yet", ended.len(), late.len());
        // Flat, or with a residue that is named: an order in doubt is one, whatever broke before the kill.
        let unnamed: Vec<u64> = late.iter().filter(|(_, kill)| !kill.is_in_doubt).map(|(seed, _)| *seed).collect();
        println!("  {} of those wait for the fate of an order", late.len() - unnamed.len());
        assert!(is_stormy || unnamed.is_empty(), "closing takes longer than {FLAT_WITHIN}: seeds {unnamed:?}");
    }
    assert!(last <= CANCELED_WITHIN, "a withdrawal was asked for late");
}

/// P9: the same seed, the same day.
#[test]
fn a_seed_is_a_day() {
    let day = |seed| {
        let mut world = World::new(seed, Plan::of(seed));
        world.run(40);
        world.record()
    };
    assert_eq!(day(3), day(3));
    assert_ne!(day(3), day(7));
}

/// A look is the same as its request in bytes: to the venue's record, and to what the machine has in the end.
#[test]
fn a_look_is_the_same_as_its_bytes() {
    for seed in 0..8 {
        let day = |door| {
            let mut world = World::new(seed, Plan { door, ..Plan::of(seed) });
            world.run(40);
            (world.record(), world.live.snapshot())
        };
        let (looks, bytes) = (day(Door::Looks), day(Door::Bytes));
        let differs = looks.0.iter().zip(&bytes.0).find(|(look, bytes)| look != bytes);
        assert_eq!(differs, None, "seed {seed}");
        assert!(looks == bytes, "seed {seed}: another length, or another end");
    }
}

/// A23: whoever trades beside us on the account is noticed by both, and nobody trades on.
#[test]
fn two_machines_on_one_account_both_stop() {
    for (seed, scopes) in [(1, [7, 8]), (2, [7, 8]), (3, [7, 7]), (4, [7, 7])] {
        let mut pair = Pair::new(seed, scopes);
        let mut number = 0;
        while pair.orders() == 0 {
            pair.bar(number);
            number += 1;
        }
        // What the other has done is seen at once on the stream, or a minute later in the comparison.
        pair.bar(number);
        let causes = pair.halts().map(|halt| halt.map(|halt| halt.cause));
        let wanted = if scopes[0] == scopes[1] { HaltCause::VenueProtocol } else { HaltCause::ForeignActivity };
        assert_eq!(causes, [Some(wanted); 2], "seed {seed}");
        let orders = pair.orders();
        assert!(orders <= 2, "seed {seed}: each has sent one at most");
        (number + 1..number + 8).for_each(|number| pair.bar(number));
        assert_eq!(pair.orders(), orders, "seed {seed}: nobody trades on");
    }
}

/// The checker can fail: an order outside the limits is found by it, and by nothing we told it.
#[test]
fn an_order_beyond_the_limits_is_found() {
    let mut world = World::new(1, Plan::new(Weather::calm()));
    world.promise_less();
    world.run(40);
    assert!(!world.breaches().is_empty());
}
