//! Days of trading by seed: the real core, the real words, a venue that misbehaves, and a crash at any effect.
//!
//! What is driven is what runs: [`Live`], the adapter's requests as bytes and its reading of bytes. What answers is the simulated
//! exchange, which was written from the documents alone. What judges is its checker, which reads nothing but the exchange's record.
//! `TIDEGATE_SIM_SEEDS=N` runs so many seeds, `TIDEGATE_SIM_FIRST=S` begins with another than 0; a failure names its seed, and
//! `TIDEGATE_SIM_RECORD=FILE` keeps the venue's record of the last one.

mod world;

use world::{Weather, World};

/// Without the variable: enough to notice what breaks, in a few seconds.
const SEEDS: u64 = if cfg!(debug_assertions) { 24 } else { 2000 };
/// Bars of one simulated day.
const DAY: i64 = 96;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// A1 to A8, C1 to C13, C16, C25, C31, D1, D6, D7: promises P1 to P4 over every fault the venue knows and a crash at every effect.
#[test]
fn days_by_seed() {
    let first = number("TIDEGATE_SIM_FIRST").unwrap_or(0);
    let seeds = number("TIDEGATE_SIM_SEEDS").unwrap_or(SEEDS);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64).min(seeds);
    let sums: Vec<[u64; 4]> = std::thread::scope(|scope| {
        let run = |worker: u64| {
            let mut sum = [0; 4];
            for seed in (first + worker..first + seeds).step_by(workers as usize) {
                let mut world = World::new(seed, Weather::of(seed));
                // A panic names the seed it happened under.
                world.run(DAY);
                if let Some(path) = std::env::var_os("TIDEGATE_SIM_RECORD") {
                    std::fs::write(path, world.record().join("\n")).unwrap();
                }
                world.check();
                for (sum, figure) in sum.iter_mut().zip(world.figures()) {
                    *sum += figure;
                }
            }
            sum
        };
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(move || run(worker))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let [orders, crashes, faults, unknown] =
        sums.into_iter().fold([0; 4], |all, one| std::array::from_fn(|at| all[at] + one[at]));
    println!(
        "{seeds} days: {orders} orders, {crashes} crashes, {faults} answers that were the script's, {unknown} orders unknown for a while"
    );
    assert!(orders > 5 * seeds && crashes > seeds / 4 && unknown > 0, "the days were too quiet to say anything");
}

/// P9: the same seed, the same day.
#[test]
fn a_seed_is_a_day() {
    let day = |seed| {
        let mut world = World::new(seed, Weather::of(seed));
        world.run(40);
        world.record()
    };
    assert_eq!(day(3), day(3));
    assert_ne!(day(3), day(7));
}

/// The checker can fail: an order outside the limits is found by it, and by nothing we told it.
#[test]
fn an_order_beyond_the_limits_is_found() {
    let mut world = World::new(1, Weather::calm());
    world.promise_less();
    world.run(40);
    assert!(!world.breaches().is_empty());
}
